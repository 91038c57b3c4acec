"""How often KMS is asked (R22 to R24, R26, R27). Time is the server's own clock, moved by the tests."""

from support import trail
from support.server import Background
from support.tables import create_table, customer_key, error_of, item, refused, sse, wait_until


def table_with_item(server, **parameters):
    table = create_table(server.dynamodb, **parameters)
    server.dynamodb.put_item(TableName=table, Item=item("a"))
    return table


def read(server, table, **options):
    return server.client("dynamodb", **options).get_item(TableName=table, Key=item("a"))["Item"]


def r22_many_reads_by_one_caller_cost_one_decrypt(own_server):
    """Five thousand requests over many connections, within five minutes: one Decrypt."""
    table = table_with_item(own_server, **sse(customer_key(own_server.kms)))
    own_server.restart()
    before = trail.count(own_server, "Decrypt", table)
    dynamodb = own_server.dynamodb
    with Background(lambda *_: dynamodb.get_item(TableName=table, Key=item("a")), threads=8) as load:
        wait_until(lambda: load.done + len(load.failures) >= 5_000, "5,000 reads", 60)
    assert load.failures == []
    assert trail.count(own_server, "Decrypt", table) == before + 1


def r22_each_caller_has_an_entry_of_its_own(own_server):
    """Two access keys are two callers: one Decrypt each, in the trail under each one's access key."""
    table = table_with_item(own_server, **sse(customer_key(own_server.kms)))
    own_server.restart()
    before = trail.count(own_server, "Decrypt", table)
    callers = ["AKIAAAAAAAAAAAAAAAA1", "AKIAAAAAAAAAAAAAAAA2"]
    for _ in range(3):
        for access_key in callers:
            read(own_server, table, access_key=access_key)
    made = trail.events(own_server, "Decrypt", table=table)[before:]
    assert sorted(e["userIdentity"]["accessKeyId"] for e in made) == callers


def r22_the_service_owned_key_is_never_counted(own_server):
    table = table_with_item(own_server)
    for _ in range(3):
        own_server.advance(301)
        read(own_server, table)
    assert trail.count(own_server, "Decrypt", table) == 0


def r23_an_entry_is_renewed_after_five_minutes(own_server):
    """With traffic all the time: no Decrypt at 4:59, one at 5:01, and so on: one per five minutes."""
    table = table_with_item(own_server, **sse(customer_key(own_server.kms)))
    own_server.restart()
    read(own_server, table)
    start = trail.count(own_server, "Decrypt", table)
    own_server.advance(298)
    read(own_server, table)
    assert trail.count(own_server, "Decrypt", table) == start
    own_server.advance(3)
    read(own_server, table)
    assert trail.count(own_server, "Decrypt", table) == start + 1
    # Traffic does not put the renewal off: five minutes in steps of one.
    for _ in range(6):
        own_server.advance(60)
        read(own_server, table)
    assert trail.count(own_server, "Decrypt", table) == start + 2


def r23_an_idle_entry_is_renewed_too(own_server):
    """An hour of silence costs nothing; the next request costs one Decrypt."""
    table = table_with_item(own_server, **sse(customer_key(own_server.kms)))
    read(own_server, table)
    start = trail.count(own_server, "Decrypt", table)
    own_server.advance(3_600)
    assert trail.count(own_server, "Decrypt", table) == start
    for _ in range(5):
        read(own_server, table)
    assert trail.count(own_server, "Decrypt", table) == start + 1


def r23_by_setting_an_entry_lives_while_it_is_used(make_server):
    """Renewal `idle`: steady traffic costs nothing, five minutes without a request cost one Decrypt."""
    server = make_server(environment={"STRONGROOM_TABLE_KEY_CACHE_RENEWAL": "idle"}).start()
    table = table_with_item(server, **sse(customer_key(server.kms)))
    read(server, table)
    start = trail.count(server, "Decrypt", table)
    for _ in range(10):
        server.advance(200)
        read(server, table)
    assert trail.count(server, "Decrypt", table) == start
    server.advance(301)
    read(server, table)
    assert trail.count(server, "Decrypt", table) == start + 1


def r22_by_setting_a_principals_credentials_share_an_entry(make_server):
    """Scope `principal`, with the two access keys of two development users: still one entry each."""
    server = make_server(environment={"STRONGROOM_TABLE_KEY_CACHE_SCOPE": "principal"}).start()
    table = table_with_item(server, **sse(customer_key(server.kms)))
    server.restart()
    before = trail.count(server, "Decrypt", table)
    for _ in range(3):
        for name in ("alice", "bob"):
            read(server, table, access_key=name)
    assert trail.count(server, "Decrypt", table) == before + 2


def r24_without_the_push_a_change_waits_for_the_renewal(make_server):
    """The push of key states switched off: the cached caller works until its renewal, then fails; a caller
    without an entry fails at once."""
    server = make_server(environment={"STRONGROOM_PUSH_KEY_STATE": "false"}).start()
    key = customer_key(server.kms)
    table = table_with_item(server, **sse(key))
    read(server, table)
    server.kms.disable_key(KeyId=key)
    server.advance(200)
    read(server, table)
    server.advance(101)
    with refused("ValidationException", containing=["KMS key disabled error", key]):
        read(server, table)
    server.kms.enable_key(KeyId=key)
    server.advance(301)
    wait_until(lambda: error_of(read, server, table) is None, "the table is back", 5)


def r26_connections_cost_nothing_by_default(own_server):
    """Twenty connections of one caller: one Decrypt. And a connection is kept alive between requests."""
    table = table_with_item(own_server, **sse(customer_key(own_server.kms)))
    own_server.restart()
    before = trail.count(own_server, "Decrypt", table)
    for _ in range(20):
        read(own_server, table)
    assert trail.count(own_server, "Decrypt", table) == before + 1
    status, headers, _ = own_server.call("DynamoDB_20120810.ListTables", {})
    assert status == 200
    assert headers.get("Connection", "keep-alive").lower() == "keep-alive"


def r26_with_scope_connection_each_connection_costs_one(make_server):
    """N new connections cost N Decrypts; a kept-alive one costs one per five minutes."""
    server = make_server(environment={"STRONGROOM_TABLE_KEY_CACHE_SCOPE": "connection"}).start()
    table = table_with_item(server, **sse(customer_key(server.kms)))
    server.restart()
    before = trail.count(server, "Decrypt", table)
    for _ in range(5):
        read(server, table)
    assert trail.count(server, "Decrypt", table) == before + 5
    kept = server.client("dynamodb", max_pool_connections=1)
    for _ in range(5):
        kept.get_item(TableName=table, Key=item("a"))
    assert trail.count(server, "Decrypt", table) == before + 6


def r27_the_clock_moves_hours_and_days(own_server):
    """Seven days pass in a moment: a key scheduled for deletion is gone, and its table stays lost. Records made
    later carry the later time."""
    from support.tables import describe, refused

    kms, dynamodb = own_server.kms, own_server.dynamodb
    key = customer_key(kms)
    table = table_with_item(own_server, **sse(key))
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    before = describe(dynamodb, create_table(dynamodb))["CreationDateTime"]
    own_server.advance(7 * 24 * 3600 - 60)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    own_server.advance(120)
    wait_until(lambda: key not in [k["KeyArn"] for k in kms.list_keys()["Keys"]], "the key is gone")
    with refused("NotFoundException", f"Key '{key}' does not exist"):
        kms.describe_key(KeyId=key)
    with refused("NotFoundException"):
        kms.cancel_key_deletion(KeyId=key)
    assert describe(dynamodb, table)["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS"
    after = describe(dynamodb, create_table(dynamodb))["CreationDateTime"]
    assert (after - before).total_seconds() >= 7 * 24 * 3600
