"""A key is disabled, scheduled for deletion, and comes back (R52, R59)."""

import shutil
import threading
import time

import pytest
from botocore.exceptions import ClientError
from support.indexes import definitions, index
from support.server import Background
from support.tables import (
    create_table, customer_key, describe, error_of, fill, item, refused, scan_all, sse, wait_until,
)

LOST = "INACCESSIBLE_ENCRYPTION_CREDENTIALS"


def lose(server, key, how):
    if how == "disable":
        server.kms.disable_key(KeyId=key)
    else:
        server.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)


def wait_lost(dynamodb, table):
    wait_until(lambda: describe(dynamodb, table)["TableStatus"] == LOST, f"{table} is inaccessible", 5)


def data_calls(dynamodb, table) -> dict:
    """Every data call of the spine on one item of the table."""
    key, name = item("item-000000"), {"TableName": table}
    return {
        "GetItem": lambda: dynamodb.get_item(**name, Key=key),
        "GetItem consistent": lambda: dynamodb.get_item(**name, Key=key, ConsistentRead=True),
        "PutItem": lambda: dynamodb.put_item(**name, Item=item("new")),
        "UpdateItem": lambda: dynamodb.update_item(
            **name, Key=key, UpdateExpression="SET a = :a", ExpressionAttributeValues={":a": {"S": "a"}}),
        "DeleteItem": lambda: dynamodb.delete_item(**name, Key=key),
        "Query": lambda: dynamodb.query(
            **name, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": key["pk"]}),
        "Scan": lambda: dynamodb.scan(**name),
        "BatchGetItem": lambda: dynamodb.batch_get_item(RequestItems={table: {"Keys": [key]}}),
        "BatchWriteItem": lambda: dynamodb.batch_write_item(
            RequestItems={table: [{"PutRequest": {"Item": item("new")}}]}),
    }


@pytest.mark.parametrize("how", ["disable", "schedule deletion"])
def r52_every_data_call_fails_and_names_the_key(own_server, how):
    """Reads that a cache could serve fail like the others, and the error is the same for all; nothing is
    applied: after the key's return the table is as it was."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms)
    table = create_table(dynamodb, **sse(key))
    written = fill(dynamodb, table, 25)
    for call in data_calls(dynamodb, table).values():
        call()
    written = scan_all(dynamodb, table)
    lose(own_server, key, how)
    wait_lost(dynamodb, table)
    failures = {name: error_of(call) for name, call in data_calls(dynamodb, table).items()}
    assert [name for name, failure in failures.items() if failure is None] == []
    assert all(key in message for _, message in failures.values()), failures
    assert {code for code, _ in failures.values()} == {failures["GetItem"][0]}
    if how == "schedule deletion":
        kms.cancel_key_deletion(KeyId=key)
        time.sleep(0.5)
        # CancelKeyDeletion alone leaves the key Disabled (R59).
        assert describe(dynamodb, table)["TableStatus"] == LOST
    kms.enable_key(KeyId=key)
    wait_until(lambda: error_of(scan_all, dynamodb, table) is None, "the table is back", 2)
    assert scan_all(dynamodb, table) == written


def r52_a_write_that_fails_for_the_key_did_not_land(own_server):
    """Writes under way while their key is disabled are answered as done, or with the key's error; the log tells of no
    failure of storage."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms)
    table = create_table(dynamodb, **sse(key))
    outcomes = {}

    def write(worker):
        client = own_server.client("dynamodb")
        for n in range(10_000):
            name = f"{worker}-{n}"
            outcomes[name] = error_of(client.put_item, TableName=table, Item=item(name))
            if outcomes[name]:
                return

    for _ in range(3):
        writers = [threading.Thread(target=write, args=(f"{worker}-{time.monotonic_ns()}",)) for worker in range(8)]
        for writer in writers:
            writer.start()
        time.sleep(0.2)
        kms.disable_key(KeyId=key)
        for writer in writers:
            writer.join()
        kms.enable_key(KeyId=key)
        wait_until(lambda: error_of(scan_all, dynamodb, table) is None, "the table is back", 5)
    stored = set(scan_all(dynamodb, table))
    failed = {name: error for name, error in outcomes.items() if error}
    assert len(failed) == 24 and all(code == "ValidationException" and key in text for code, text in failed.values()), failed
    assert stored == set(outcomes) - set(failed)
    assert "ERROR" not in own_server.output(), own_server.output()


def r52_the_error_is_the_services_own(dynamodb, kms):
    key = customer_key(kms)
    table = create_table(dynamodb, **sse(key))
    kms.disable_key(KeyId=key)
    wait_lost(dynamodb, table)
    with refused(
        "ValidationException",
        containing=[
            f"KMS key disabled error: com.amazonaws.services.kms.model.DisabledException: {key} is disabled. ",
            "(Service: AWSKMS; Status Code: 400; Error Code: DisabledException; Request ID: ",
        ],
    ):
        dynamodb.get_item(TableName=table, Key=item("a"))


def r52_indexes_are_neither_made_nor_removed_without_the_key(dynamodb, kms):
    key = customer_key(kms)
    table = create_table(dynamodb, GlobalSecondaryIndexes=[index("by-g", "g")], AttributeDefinitions=definitions({"pk": "S", "g": "S"}), **sse(key))
    kms.disable_key(KeyId=key)
    wait_lost(dynamodb, table)
    before = describe(dynamodb, table)
    for change in ({"Create": index("by-h", "g")}, {"Delete": {"IndexName": "by-g"}}):
        with refused("ValidationException", containing=["KMS key disabled error: ", f"{key} is disabled. "]):
            dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=[change], AttributeDefinitions=definitions({"g": "S"}))
    assert describe(dynamodb, table) == before


def r52_the_status_says_so_and_since_when(own_server):
    """TableStatus and InaccessibleEncryptionDateTime are set, and cleared on return; ListTables and the other
    descriptions go on."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms)
    table = create_table(dynamodb, **sse(key))
    assert "InaccessibleEncryptionDateTime" not in describe(dynamodb, table)["SSEDescription"]
    before = time.time()
    kms.disable_key(KeyId=key)
    wait_lost(dynamodb, table)
    description = describe(dynamodb, table)
    since = description["SSEDescription"]["InaccessibleEncryptionDateTime"].timestamp()
    assert before - 2 <= since <= time.time() + 2
    assert description["SSEDescription"]["KMSMasterKeyArn"] == key
    assert table in dynamodb.list_tables()["TableNames"]
    dynamodb.list_tags_of_resource(ResourceArn=description["TableArn"])
    dynamodb.describe_continuous_backups(TableName=table)
    dynamodb.tag_resource(ResourceArn=description["TableArn"], Tags=[{"Key": "a", "Value": "b"}])
    own_server.restart()
    wait_lost(own_server.dynamodb, table)
    assert describe(own_server.dynamodb, table)["SSEDescription"]["InaccessibleEncryptionDateTime"].timestamp() == since
    own_server.kms.enable_key(KeyId=key)
    wait_until(lambda: describe(own_server.dynamodb, table)["TableStatus"] == "ACTIVE", "the table is back", 2)
    assert "InaccessibleEncryptionDateTime" not in describe(own_server.dynamodb, table)["SSEDescription"]


def r52_within_two_seconds_under_load_and_others_go_on(own_server):
    """Two tables under two keys, both under load. One key is disabled: two seconds later no request for its
    table succeeds any more, and not one for the other table has failed."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    keys = [customer_key(kms) for _ in range(2)]
    lost, kept = (create_table(dynamodb, **sse(key)) for key in keys)
    owned = create_table(dynamodb)
    for table in (lost, kept, owned):
        fill(dynamodb, table, 25)
    successes = []

    def work_on_lost(thread, turn):
        try:
            if turn % 2:
                dynamodb.get_item(TableName=lost, Key=item("item-000001"))
            else:
                dynamodb.put_item(TableName=lost, Item=item(f"w-{thread}-{turn}"))
            successes.append(time.monotonic())
        except ClientError:
            time.sleep(0.01)

    def work_on_others(thread, turn):
        table = (kept, owned)[turn % 2]
        dynamodb.put_item(TableName=table, Item=item(f"w-{thread}-{turn}"))
        dynamodb.get_item(TableName=table, Key=item("item-000001"))

    with Background(work_on_lost, 4), Background(work_on_others, 3) as others:
        wait_until(lambda: len(successes) > 50 and others.done > 20, "the load runs")
        kms.disable_key(KeyId=keys[0])
        disabled = time.monotonic()
        time.sleep(3)
        assert [s - disabled for s in successes if s > disabled + 2] == []
        mark, done = len(successes), others.done
        kms.enable_key(KeyId=keys[0])
        enabled = time.monotonic()
        wait_until(lambda: len(successes) > mark, "the first success after the return", 5)
        assert successes[mark] - enabled < 2
        wait_until(lambda: others.done > done + 20, "the others go on")
    assert others.failures == []


def r59_every_acknowledged_write_is_there_after_the_return(own_server):
    """Writers go on while the key comes and goes five times, with a crash in the middle of a loss: what was
    acknowledged is there, what was refused is not."""
    kms = own_server.kms
    key = customer_key(kms)
    table = create_table(own_server.dynamodb, **sse(key))
    acknowledged, refused_writes, unknown = set(), set(), set()
    lock = threading.Lock()
    client = [own_server.dynamodb]

    def work(thread, turn):
        pk = f"w-{thread}-{turn}"
        try:
            client[0].put_item(TableName=table, Item=item(pk))
            with lock:
                acknowledged.add(pk)
        except ClientError as error:
            # A refusal (4xx) says that nothing was done; a failure (5xx) leaves it open.
            final = error.response["ResponseMetadata"]["HTTPStatusCode"] < 500
            with lock:
                (refused_writes if final else unknown).add(pk)
            time.sleep(0.005)
        except Exception:  # the connection broke: nobody knows
            with lock:
                unknown.add(pk)
            time.sleep(0.02)

    with Background(work, 8):
        for turn in range(5):
            wait_until(lambda mark=len(acknowledged): len(acknowledged) > mark + 50, "writes go on")
            own_server.kms.disable_key(KeyId=key)
            wait_until(lambda mark=len(refused_writes): len(refused_writes) > mark + 5, "writes are refused")
            if turn == 2:
                own_server.restart(crash=True)
                client[0] = own_server.dynamodb
            own_server.kms.enable_key(KeyId=key)
        wait_until(lambda mark=len(acknowledged): len(acknowledged) > mark + 50, "writes go on")
    found = set(scan_all(own_server.dynamodb, table))
    assert acknowledged - found == set()
    assert found & refused_writes == set(), "a refused write was applied"


def r59_the_loss_survives_a_restart_and_heals_after_it(own_server):
    """Disabled before a crash, still lost after it; enabled again, the table is back."""
    key = customer_key(own_server.kms)
    table = create_table(own_server.dynamodb, **sse(key))
    written = fill(own_server.dynamodb, table, 100)
    own_server.kms.disable_key(KeyId=key)
    own_server.restart(crash=True)
    assert error_of(own_server.dynamodb.get_item, TableName=table, Key=item("item-000000"))
    wait_lost(own_server.dynamodb, table)
    own_server.kms.enable_key(KeyId=key)
    wait_until(lambda: error_of(scan_all, own_server.dynamodb, table) is None, "the table is back", 2)
    assert scan_all(own_server.dynamodb, table) == written


def r52_a_lost_table_can_be_deleted(own_server):
    """No key is needed to let go of a table."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms)
    table = create_table(dynamodb, **sse(key))
    kms.disable_key(KeyId=key)
    wait_lost(dynamodb, table)
    dynamodb.delete_table(TableName=table)
    wait_until(lambda: table not in dynamodb.list_tables()["TableNames"], "the table is gone")


def r52_a_table_that_was_never_used_is_lost_too(own_server):
    """Many tables under one key, most of them closed: each refuses after the key is gone."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms)
    tables = [create_table(dynamodb, **sse(key)) for _ in range(12)]
    own_server.restart()
    dynamodb, kms = own_server.dynamodb, own_server.kms
    dynamodb.put_item(TableName=tables[0], Item=item("a"))
    kms.disable_key(KeyId=key)
    wait_lost(dynamodb, tables[0])
    for table in tables:
        assert error_of(dynamodb.get_item, TableName=table, Key=item("a")), table
        assert describe(dynamodb, table)["TableStatus"] == LOST
    kms.enable_key(KeyId=key)
    for table in tables:
        wait_until(lambda t=table: error_of(dynamodb.get_item, TableName=t, Key=item("a")) is None, table, 2)


def test_a_destroyed_key_stays_destroyed(own_server, tmp_path):
    """Once the waiting period is over, nothing in the directory opens what the key sealed: not when the database of
    the system store and its anchor are put back as they were before, and no copy of the material was kept elsewhere."""
    kms, dynamodb = own_server.kms, own_server.dynamodb
    key, other = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(key))
    fill(dynamodb, table, 5)
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    store = own_server.data / "store"
    materials = store / "system" / "materials"
    before = set(materials.iterdir())
    own_server.stop()
    kept = ["anchor"] + [f"system/{folder}" for folder in ("manifest", "wal", "compacted", "compactions")]
    for folder in kept:
        shutil.copytree(store / folder, tmp_path / folder)
    own_server.start()
    own_server.advance(7 * 86_400 + 1)
    wait_until(lambda: len(set(materials.iterdir())) == len(before) - 1, "the material is gone")
    with refused("AccessDeniedException"):
        own_server.kms.decrypt(CiphertextBlob=blob)
    own_server.stop()
    own_server.start()
    assert own_server.kms.describe_key(KeyId=other)["KeyMetadata"]["KeyState"] == "Enabled"
    own_server.stop()
    for folder in kept:
        shutil.rmtree(store / folder)
        shutil.copytree(tmp_path / folder, store / folder)
    [gone] = before - set(materials.iterdir())
    text = own_server.start_expecting_failure()
    assert f"system/materials/{gone.name}" in text, text


def test_figures_outlast_the_loss_of_a_key(make_server):
    """Nobody uses the table when its key is back: what it holds is told all the same, also after a crash."""
    server = make_server("counted").start()
    key = customer_key(server.kms)
    table = create_table(server.dynamodb, **sse(key))
    fill(server.dynamodb, table, 25)

    def figures():
        described = describe(server.dynamodb, table)
        return described["ItemCount"], described["TableSizeBytes"]

    before = figures()
    assert before[0] == 25
    server.kms.disable_key(KeyId=key)
    wait_lost(server.dynamodb, table)
    assert figures() == before
    server.kms.enable_key(KeyId=key)
    wait_until(lambda: describe(server.dynamodb, table)["TableStatus"] == "ACTIVE", "the table is back", 5)
    assert figures() == before
    # The record learns of figures once a minute: a crash leaves it behind.
    server.dynamodb.put_item(TableName=table, Item=item("more"))
    server.kill()
    server.start()
    server.kms.disable_key(KeyId=key)
    wait_lost(server.dynamodb, table)
    server.kms.enable_key(KeyId=key)
    wait_until(lambda: figures()[0] == 26, "the table is counted", 10)
