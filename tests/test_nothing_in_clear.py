"""What is on the disk and in the logs (R1, R3, R5, R19), and what crosses the wire (R4)."""

import hashlib

from support import canary
from support.tables import create_table, customer_key, describe, fill, item, scan_all, sse, wait_switched, wait_until

CANARIES = {
    "partition key": b"cnry-Pk-7Hq2wZ",
    "sort key": b"cnry-Sk-Vd93Lm",
    "attribute name": b"cnryAttrNmX41k",
    "attribute value": b"cnry-Val-p0Qs8T",
    "nested value": b"cnry-Nest-66dKaa",
    "binary value": b"cnry-Bin-\x01\x02Zz91",
    "number value": b"48151623421987650123",
    "updated value": b"cnry-Upd-Yy72Pc",
    "deleted value": b"cnry-Del-mm3VbQ",
    "table name": b"cnry-Table-Rk58",
    "table tag": b"cnry-TagT-nB21cc",
    "key description": b"cnry-Desc-Ue40wX",
    "key tag": b"cnry-TagK-jj77Lo",
    "alias": b"cnry-Alias-Tt19",
    "KMS plaintext": b"cnry-Plain-Wq83",
    "encryption context": b"cnry-Ctx-Oo64hh",
}
TEXT = {name: value.decode("latin-1") for name, value in CANARIES.items()}


def canary_item(n) -> dict:
    return {
        "pk": {"S": f"{TEXT['partition key']}-{n}"},
        "sk": {"S": f"{TEXT['sort key']}-{n}"},
        TEXT["attribute name"]: {"S": TEXT["attribute value"] * 3},
        "nested": {"M": {"list": {"L": [{"S": TEXT["nested value"]}]}}},
        "binary": {"B": CANARIES["binary value"]},
        "number": {"N": TEXT["number value"]},
    }


def r03_canaries_are_nowhere_on_disk_or_in_logs(make_server):
    """A canary in every place a user can write to, through puts, queries, a switch, a disable, a crash and a
    restart, is found in no file the server leaves behind and in nothing it prints."""
    server = make_server(environment={"STRONGROOM_LOG": "debug"}).start()
    table = TEXT["table name"]
    dynamodb, kms = server.dynamodb, server.kms
    tag = {"TagKey": TEXT["key tag"], "TagValue": TEXT["key tag"]}
    first = customer_key(kms, Description=TEXT["key description"], Tags=[tag])
    second = customer_key(kms, Description=TEXT["key description"])
    kms.create_alias(AliasName=f"alias/{TEXT['alias']}", TargetKeyId=first)
    create_table(
        dynamodb,
        table,
        sort_key=True,
        **sse(f"alias/{TEXT['alias']}"),
        Tags=[{"Key": TEXT["table tag"], "Value": TEXT["table tag"]}],
    )
    for n in range(60):
        dynamodb.put_item(TableName=table, Item=canary_item(n))
    # Enough volume that sorted runs and their footers are written, not only the write-ahead log.
    for n in range(60, 160):
        dynamodb.put_item(TableName=table, Item=canary_item(n) | {"big": {"S": TEXT["attribute value"] * 4000}})
    key = {"pk": canary_item(1)["pk"], "sk": canary_item(1)["sk"]}
    dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET #n = :v",
        ExpressionAttributeNames={"#n": TEXT["attribute name"] + "U"},
        ExpressionAttributeValues={":v": {"S": TEXT["updated value"]}},
    )
    doomed = canary_item(999) | {"gone": {"S": TEXT["deleted value"]}}
    dynamodb.put_item(TableName=table, Item=doomed)
    dynamodb.delete_item(TableName=table, Key={"pk": doomed["pk"], "sk": doomed["sk"]})
    queried = dynamodb.query(
        TableName=table, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": key["pk"]}
    )
    assert queried["Count"] == 1
    sealed = kms.encrypt(
        KeyId=first,
        Plaintext=CANARIES["KMS plaintext"],
        EncryptionContext={TEXT["encryption context"]: TEXT["encryption context"]},
    )
    assert canary.forms(CANARIES["KMS plaintext"])["raw"] not in sealed["CiphertextBlob"]

    dynamodb.update_table(TableName=table, SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": second})
    wait_switched(dynamodb, table, second)
    kms.disable_key(KeyId=second)
    wait_until(lambda: describe(dynamodb, table)["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "key loss noticed")
    kms.enable_key(KeyId=second)
    wait_until(lambda: describe(dynamodb, table)["TableStatus"] == "ACTIVE", "the table is back")
    dynamodb.put_item(TableName=table, Item=canary_item(1000))
    server.restart(crash=True)
    dynamodb = server.dynamodb
    assert dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    dynamodb.put_item(TableName=table, Item=canary_item(1001))
    # A failing request must not put what it carried into a log either.
    for call in ("PutItem", "Nonsense"):
        server.call(f"DynamoDB_20120810.{call}", {"TableName": table, "Item": {"pk": {"S": 5, "x": TEXT["attribute value"]}}})
    server.restart()
    server.stop()

    places = [server.data, server.logs]
    searched = canary.files([server.data])
    assert len(searched) > 5 and sum(p.stat().st_size for p in searched) > 1_000_000, "too little on disk to be a test"
    root_key = server.root_key.read_bytes()
    secrets = CANARIES | {"root key": root_key.strip()}
    assert canary.search(places, secrets) == []


def r03_the_search_itself_finds_what_is_there(tmp_path):
    """A search that finds nothing proves something only if it finds what was put there."""
    secret = CANARIES["attribute value"]
    for kind, form in canary.forms(secret).items():
        place = tmp_path / kind.replace("+", "-")
        place.mkdir()
        (place / "file").write_bytes(b"some noise" + form + b"more noise")
        assert canary.search([place], {"it": secret}), kind
    (tmp_path / "name" / secret.decode()).mkdir(parents=True)
    (tmp_path / "name" / secret.decode() / "empty").touch()
    assert canary.search([tmp_path / "name"], {"it": secret})


def r01_what_is_stored_looks_random(own_server):
    """Items of one repeated letter, in a table that asked for no encryption, still fill the disk with bytes that
    do not compress: nothing is stored in clear, and there is no way to ask for it."""
    import zlib

    dynamodb = own_server.dynamodb
    table = create_table(dynamodb, SSESpecification={"Enabled": False})
    for n in range(30):
        dynamodb.put_item(TableName=table, Item=item(f"a{n}", value="A" * 200_000))
    own_server.stop()
    data_files = [p for p in canary.files([own_server.data]) if p.stat().st_size > 100_000]
    # SlateDB may compress before the seal; then no single file is large, and the total stays small.
    for path in data_files:
        content = path.read_bytes()
        assert len(zlib.compress(content)) > 0.99 * len(content), f"{path} compresses"
        assert b"A" * 12 not in content, path
    assert canary.search([own_server.data], {"letters": b"A" * 12}) == []


def r01_no_setting_turns_encryption_off(own_server):
    """The help of `serve` offers no such switch, and an unknown one is refused."""
    import subprocess

    from support.server import binary

    text = subprocess.run([binary(), "serve", "--help"], capture_output=True, text=True, check=True).stdout.lower()
    for word in ("no-encrypt", "plaintext", "unencrypted", "disable-encryption"):
        assert word not in text
    refused = subprocess.run([binary(), "serve", "--no-encryption"], capture_output=True, text=True, timeout=10)
    assert refused.returncode != 0


def r04_clients_need_no_change(server, dynamodb, kms):
    """The same calls give the same answers whatever key a table is under."""
    tables = [create_table(dynamodb), create_table(dynamodb, **sse()), create_table(dynamodb, **sse(customer_key(kms)))]
    answers = []
    for table in tables:
        fill(dynamodb, table, 30)
        read = dynamodb.get_item(TableName=table, Key=item("item-000007"))
        del read["ResponseMetadata"]
        scanned = scan_all(dynamodb, table)
        answers.append((read, scanned))
    assert answers[0] == answers[1] == answers[2]


def r05_tables_that_share_a_kms_key_have_their_own_table_keys(own_server):
    """Two tables under one key: one GenerateDataKey each, and the same item is stored as different bytes."""
    from support import trail

    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms)
    tables = [create_table(dynamodb, **sse(key)) for _ in range(2)]
    for table in tables:
        dynamodb.put_item(TableName=table, Item=item("same", value="same" * 1000))
    for table in tables:
        made = trail.events(own_server, "GenerateDataKey", table=table)
        assert [e["requestParameters"]["keyId"] for e in made] == [key]
    own_server.stop()
    digests = [hashlib.sha256(p.read_bytes()).digest() for p in canary.files([own_server.data]) if p.stat().st_size > 64]
    assert len(digests) == len(set(digests)), "two stored objects are byte-identical"


def r19_the_root_key_is_a_private_file_outside_the_data(make_server):
    """The root key is made with mode 0600, never inside the data directory, and the server says what it is for."""
    server = make_server().start()
    assert server.root_key.stat().st_mode & 0o777 == 0o600
    assert server.data not in server.root_key.parents
    assert "development" in server.output().lower()
    server.stop()
    inside = make_server("inside")
    inside.root_key = inside.data / "root.key"
    text = inside.start_expecting_failure()
    assert str(inside.root_key) in text and "lies in the data directory" in text, text
    assert not inside.root_key.exists()
