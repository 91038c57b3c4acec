"""KMS key, table key, data keys, data (R18 to R21)."""

from support import trail
from support.tables import create_table, customer_key, fill, item, scan_all, sse, wait_switched


def r18_one_table_key_for_the_life_of_the_table(own_server):
    """GenerateDataKey is called once per table with AES_256, whatever is written, through restarts; a switch of
    keys makes the second."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key, other = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(key))
    fill(dynamodb, table, 200, bytes_each=5_000)
    own_server.restart(crash=True)
    dynamodb = own_server.dynamodb
    fill(dynamodb, table, 50, prefix="later")
    made = trail.events(own_server, "GenerateDataKey", table=table)
    assert [(e["requestParameters"]["keyId"], e["requestParameters"]["keySpec"]) for e in made] == [(key, "AES_256")]
    dynamodb.update_table(TableName=table, **sse(other))
    wait_switched(dynamodb, table, other)
    made = trail.events(own_server, "GenerateDataKey", table=table)
    assert [e["requestParameters"]["keyId"] for e in made] == [key, other]


def r20_the_first_access_decrypts_the_table_key(own_server):
    """After a restart nothing is asked of KMS until the table is read; then the reader's Decrypt is."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    tables = [create_table(dynamodb, **sse(customer_key(kms))) for _ in range(2)]
    for table in tables:
        dynamodb.put_item(TableName=table, Item=item("a"))
    own_server.restart()
    before = {table: trail.count(own_server, "Decrypt", table) for table in tables}
    dynamodb = own_server.dynamodb
    assert dynamodb.get_item(TableName=tables[0], Key=item("a"))["Item"] == item("a")
    assert trail.count(own_server, "Decrypt", tables[0]) == before[tables[0]] + 1
    assert trail.count(own_server, "Decrypt", tables[1]) == before[tables[1]]
    event = trail.events(own_server, "Decrypt", table=tables[0])[-1]
    assert event["userIdentity"].get("invokedBy") == "dynamodb.amazonaws.com"
    assert event["userIdentity"]["type"] != "AWSService"


def r21_every_kms_call_for_a_table_carries_the_two_pairs(own_server):
    """Create, write, switch, restart, delete: each KMS call that DynamoDB made names exactly table and account."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    old, new = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(old))
    fill(dynamodb, table, 25)
    dynamodb.update_table(TableName=table, **sse(new))
    wait_switched(dynamodb, table, new)
    own_server.restart()
    dynamodb = own_server.dynamodb
    scan_all(dynamodb, table)
    dynamodb.delete_table(TableName=table)
    for name in ("GenerateDataKey", "Decrypt", "CreateGrant"):
        made = [e for e in trail.events(own_server, name) if "dynamodb" in str(e.get("userIdentity", {}).get("invokedBy"))]
        assert made, name
        for event in made:
            assert trail.context(event) == trail.context_of(table), event


def r21_a_wrong_context_fails(kms):
    """What was sealed for one context does not open for another, nor for none, nor for more."""
    from support.tables import refused

    key = customer_key(kms)
    right = trail.context_of("Books")
    blob = kms.encrypt(KeyId=key, Plaintext=b"table key", EncryptionContext=right)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=right)["Plaintext"] == b"table key"
    for wrong in ({}, trail.context_of("Films"), trail.context_of("Books", "111122223333"), right | {"more": "x"}, dict([next(iter(right.items()))])):
        with refused("InvalidCiphertextException"):
            kms.decrypt(CiphertextBlob=blob, EncryptionContext=wrong)
