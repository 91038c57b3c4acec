"""The grants that tables hold on their keys (R37 to R41)."""

import random
import re
import threading
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from support import trail
from support.tables import create_table, customer_key, describe, fill, item, scan_all, sse, wait_switched, wait_until

SERVICE = "dynamodb.us-east-1.amazonaws.com"
OPERATIONS = ["DescribeKey", "GenerateDataKey", "Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo", "RetireGrant"]


def grants_of(kms, key, table):
    return [
        g for g in kms.list_grants(KeyId=key)["Grants"]
        if g.get("Constraints", {}).get("EncryptionContextSubset") == trail.context_of(table)
    ]


@pytest.mark.parametrize("kind", ["managed", "customer"])
def r37_each_table_has_grants_of_its_own(own_server, kind):
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms) if kind == "customer" else None
    tables = [create_table(dynamodb, **sse(key)) for _ in range(2)]
    arn = describe(dynamodb, tables[0])["SSEDescription"]["KMSMasterKeyArn"]
    for table in tables:
        assert grants_of(kms, arn, table)
    assert len(kms.list_grants(KeyId=arn)["Grants"]) == sum(len(grants_of(kms, arn, t)) for t in tables)


def r38_the_shape_of_a_grant(dynamodb, kms):
    key = customer_key(kms)
    table = create_table(dynamodb, **sse(key))
    for grant in kms.list_grants(KeyId=key)["Grants"]:
        assert re.fullmatch("[0-9a-f]{64}", grant["GrantId"])
        assert grant["KeyId"] == key
        assert (grant["GranteePrincipal"], grant["RetiringPrincipal"]) == (SERVICE, SERVICE)
        assert grant["Operations"] == OPERATIONS
        assert grant["Constraints"] == {"EncryptionContextSubset": trail.context_of(table)}
    retirable = kms.list_retirable_grants(RetiringPrincipal=SERVICE)["Grants"]
    assert [g for g in retirable if g["KeyId"] == key] == kms.list_grants(KeyId=key)["Grants"]


def r39_the_grant_is_made_on_behalf_of_the_user(own_server):
    """CreateGrant is in the trail under whoever created or re-keyed the table, through DynamoDB."""
    kms = own_server.kms
    old, new = customer_key(kms), customer_key(kms)
    creator = own_server.client("dynamodb", access_key="AKIACREATOR000000001")
    switcher = own_server.client("dynamodb", access_key="AKIASWITCHER00000001")
    table = create_table(creator, **sse(old))
    switcher.update_table(TableName=table, **sse(new))
    wait_switched(switcher, table, new)
    made = trail.events(own_server, "CreateGrant", table=table)
    assert {(e["userIdentity"]["accessKeyId"], e["resources"][0]["ARN"]) for e in made} == {
        ("AKIACREATOR000000001", old),
        ("AKIASWITCHER00000001", new),
    }
    for event in made:
        assert event["userIdentity"]["invokedBy"] == "dynamodb.amazonaws.com"
        assert event["sourceIPAddress"] == event["userAgent"] == "dynamodb.amazonaws.com"
        parameters = event["requestParameters"]
        assert (parameters["granteePrincipal"], parameters["retiringPrincipal"]) == (SERVICE, SERVICE)
        assert parameters["operations"] == OPERATIONS
        assert re.fullmatch("[0-9a-f]{64}", event["responseElements"]["grantId"])
        assert event["readOnly"] is False


def r40_a_grant_covers_its_own_table_only(own_server):
    """Tables that share a key: each grant names one table, and the tables' own contexts differ, so no grant
    covers another table's key."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms)
    tables = [create_table(dynamodb, **sse(key)) for _ in range(3)]
    subsets = [g["Constraints"]["EncryptionContextSubset"] for g in kms.list_grants(KeyId=key)["Grants"]]
    assert {s["aws:dynamodb:tableName"] for s in subsets} == set(tables)
    assert all(set(s) == {"aws:dynamodb:tableName", "aws:dynamodb:subscriberId"} for s in subsets)


def r41_deleting_the_table_retires_its_grants(own_server):
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms)
    kept, deleted = (create_table(dynamodb, **sse(key)) for _ in range(2))
    before = len(grants_of(kms, key, deleted))
    fill(dynamodb, kept, 25)
    dynamodb.delete_table(TableName=deleted)
    wait_until(lambda: grants_of(kms, key, deleted) == [], "the deleted table's grants are retired")
    assert grants_of(kms, key, kept)
    retired = trail.events(own_server, "RetireGrant")
    assert len(retired) == before
    assert all(e["resources"][0]["ARN"] == key for e in retired)
    own_server.restart(crash=True)
    assert grants_of(own_server.kms, key, deleted) == []
    assert len(scan_all(own_server.dynamodb, kept)) == 25


def r41_a_completed_switch_retires_the_old_keys_grants(own_server):
    dynamodb, kms = own_server.dynamodb, own_server.kms
    old, new = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(old))
    dynamodb.update_table(TableName=table, **sse(new))
    wait_switched(dynamodb, table, new)
    wait_until(lambda: kms.list_grants(KeyId=old)["Grants"] == [], "the old key's grants are retired")
    assert grants_of(kms, new, table)
    dynamodb.update_table(TableName=table, SSESpecification={"Enabled": False})
    wait_switched(dynamodb, table, None)
    wait_until(lambda: kms.list_grants(KeyId=new)["Grants"] == [], "no grant is left for the service-owned key")
    dynamodb.put_item(TableName=table, Item=item("still works"))


def r41_a_refused_create_leaves_no_grant(own_server):
    """CreateTable on a name that is taken: the key it named is left as it was."""
    from support.tables import refused

    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms)
    table = create_table(dynamodb)
    with refused("ResourceInUseException", f"Table already exists: {table}"):
        create_table(dynamodb, table, **sse(key))
    assert kms.list_grants(KeyId=key)["Grants"] == []


def r41_a_killed_server_leaves_no_grant_without_a_table(own_server):
    """kill -9 somewhere between the grant, the table's row and the end of a deletion: after the next start every
    grant is one that a table holds."""
    key = customer_key(own_server.kms)
    rng = random.Random(41)
    for n in range(16):
        table = f"killed-{n}"
        if n % 2:
            create_table(own_server.dynamodb, table, **sse(key))
        call = (lambda: own_server.dynamodb.delete_table(TableName=table)) if n % 2 else (
            lambda: create_table(own_server.dynamodb, table, wait=False, **sse(key)))
        thread = threading.Thread(target=lambda: error_or_gone(call))
        thread.start()
        time.sleep(rng.random() * 0.03)
        own_server.kill()
        thread.join()
        own_server.start()

    def settled():
        tables = own_server.dynamodb.list_tables()["TableNames"]
        named = [grant["Constraints"]["EncryptionContextSubset"]["aws:dynamodb:tableName"]
                 for grant in own_server.kms.list_grants(KeyId=key)["Grants"]]
        return sorted(named) == sorted(tables)

    wait_until(settled, "each grant belongs to a table", 10)


def error_or_gone(call):
    try:
        call()
    except (BotoCoreError, ClientError):
        pass
