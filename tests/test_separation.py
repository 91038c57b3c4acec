"""Regions, accounts and restarts: what belongs where stays there (R71)."""

import pytest
from support.tables import create_table, customer_key, describe, fill, item, refused, scan_all, sse, wait_until


def r71_regions_are_separate(own_server):
    """The same table name in two regions is two tables; a key of one region is not seen in the other."""
    here, there = own_server.dynamodb, own_server.client("dynamodb", region="eu-west-1")
    create_table(here, "same")
    create_table(there, "same")
    here.put_item(TableName="same", Item=item("a", value="here"))
    there.put_item(TableName="same", Item=item("a", value="there"))
    own_server.restart()
    here, there = own_server.dynamodb, own_server.client("dynamodb", region="eu-west-1")
    assert here.get_item(TableName="same", Key=item("a"))["Item"]["value"]["S"] == "here"
    assert there.get_item(TableName="same", Key=item("a"))["Item"]["value"]["S"] == "there"
    assert describe(there, "same")["TableArn"] == "arn:aws:dynamodb:eu-west-1:000000000000:table/same"
    there.delete_table(TableName="same")
    wait_until(lambda: there.list_tables()["TableNames"] == [], "deleted there")
    assert here.list_tables()["TableNames"] == ["same"]
    key = customer_key(own_server.kms)
    assert own_server.client("kms", region="eu-west-1").list_keys()["Keys"] == []
    with refused("NotFoundException"):
        own_server.client("kms", region="eu-west-1").describe_key(KeyId=key.rsplit("/")[1])


def r71_the_account_is_the_servers(make_server):
    """--account-id names the account in every ARN and in the encryption context."""
    from support import trail

    server = make_server(arguments=["--account-id", "123456789012"]).start()
    key = customer_key(server.kms)
    assert key.startswith("arn:aws:kms:us-east-1:123456789012:key/")
    table = create_table(server.dynamodb, **sse(key))
    assert describe(server.dynamodb, table)["TableArn"].split(":")[4] == "123456789012"
    assert server.sts.get_caller_identity()["Account"] == "123456789012"
    [made] = trail.events(server, "GenerateDataKey")
    assert trail.context(made) == trail.context_of(table, "123456789012")


def test_the_log_says_where_the_tables_are(own_server):
    """ListTables finds nothing in a region while another has tables: the log helps."""
    create_table(own_server.dynamodb)
    assert own_server.client("dynamodb", region="eu-west-1").list_tables()["TableNames"] == []
    wait_until(lambda: "us-east-1" in own_server.output(), "the log names the other region", 3)


@pytest.mark.parametrize("crash", [False, True], ids=["stop", "crash"])
def test_everything_survives_a_restart(own_server, crash):
    """Tables, items, tags, keys, their states, aliases, grants and the trail."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key, off = customer_key(kms, Description="kept"), customer_key(kms)
    kms.create_alias(AliasName="alias/kept", TargetKeyId=key)
    kms.disable_key(KeyId=off)
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    tables = [create_table(dynamodb, Tags=[{"Key": "a", "Value": "b"}]), create_table(dynamodb, **sse(key)), create_table(dynamodb, **sse())]
    written = {table: fill(dynamodb, table, 60) for table in tables}
    descriptions = {table: describe(dynamodb, table) for table in tables}
    grants = kms.list_grants(KeyId=key)["Grants"]
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    own_server.restart(crash=crash)
    dynamodb, kms = own_server.dynamodb, own_server.kms
    assert sorted(dynamodb.list_tables()["TableNames"]) == sorted(tables)
    for table in tables:
        assert scan_all(dynamodb, table) == written[table]
        now = describe(dynamodb, table)
        for part in ("TableArn", "TableId", "CreationDateTime", "KeySchema", "SSEDescription", "TableStatus", "BillingModeSummary"):
            assert now.get(part) == descriptions[table].get(part), part
    assert dynamodb.list_tags_of_resource(ResourceArn=descriptions[tables[0]]["TableArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert kms.describe_key(KeyId="alias/kept")["KeyMetadata"] == metadata
    assert kms.describe_key(KeyId=off)["KeyMetadata"]["KeyState"] == "Disabled"
    assert kms.list_grants(KeyId=key)["Grants"] == grants
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"


def test_memory_keeps_nothing(make_server):
    """--data memory: is as good as a server, and forgets."""
    server = make_server(data="memory:").start()
    table = create_table(server.dynamodb)
    assert len(fill(server.dynamodb, table, 25)) == len(scan_all(server.dynamodb, table))
    server.restart()
    assert server.dynamodb.list_tables()["TableNames"] == []


def test_settings_from_the_environment(make_server):
    """Each setting also as STRONGROOM_...; the command line wins."""
    server = make_server(environment={"STRONGROOM_ACCOUNT_ID": "222222222222"}).start()
    assert server.sts.get_caller_identity()["Account"] == "222222222222"
    server.stop()
    server.arguments = ["--account-id", "333333333333"]
    server.home, server.data = server.home / "other", server.home / "other-data"
    server.home.mkdir()
    server.start()
    assert server.sts.get_caller_identity()["Account"] == "333333333333"
