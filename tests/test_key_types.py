"""The three kinds of key a table can have, and SSESpecification (R8 to R12)."""

import json
import time

import pytest
from support import trail
from support.tables import (
    create_table, customer_key, describe, error_of, item, refused, sse, unique, wait_switched, wait_until,
)


def aws_key(kms):
    """The target of alias/aws/dynamodb, or None."""
    aliases = kms.get_paginator("list_aliases").paginate()
    targets = {a["AliasName"]: a.get("TargetKeyId") for page in aliases for a in page["Aliases"]}
    return targets.get("alias/aws/dynamodb")


@pytest.mark.parametrize("specification", [None, {"Enabled": False}])
def r08_the_service_owned_key_is_the_default_and_invisible(own_server, specification):
    """No key in ListKeys, no alias, no grant, no event in the customer's trail, no SSEDescription."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    table = create_table(dynamodb, **({"SSESpecification": specification} if specification else {}))
    dynamodb.put_item(TableName=table, Item=item("a"))
    assert dynamodb.get_item(TableName=table, Key=item("a"))["Item"]
    own_server.restart()
    dynamodb, kms = own_server.dynamodb, own_server.kms
    assert dynamodb.get_item(TableName=table, Key=item("a"))["Item"]
    assert "SSEDescription" not in describe(dynamodb, table)
    dynamodb.delete_table(TableName=table)
    assert kms.list_keys()["Keys"] == []
    assert aws_key(kms) is None
    assert kms.list_retirable_grants(RetiringPrincipal="dynamodb.us-east-1.amazonaws.com")["Grants"] == []
    # The trail holds what this test itself asked of KMS, and nothing that DynamoDB did.
    assert [e["eventName"] for e in trail.events(own_server) if "dynamodb" in json.dumps(e["userIdentity"])] == []


def r08_the_service_owned_key_is_renewed_every_365_days(own_server):
    """New material encrypts from then on; tables from before open, and the customer learns of nothing."""
    materials = lambda: {path.name for path in (own_server.data / "store" / "system" / "materials").iterdir()}
    old = create_table(own_server.dynamodb)
    own_server.dynamodb.put_item(TableName=old, Item=item("a"))
    before = materials()
    own_server.advance(364 * 86_400)
    own_server.dynamodb.list_tables()
    time.sleep(1.5)
    assert materials() == before
    own_server.advance(86_400)
    wait_until(lambda: len(materials()) == len(before) + 1, "fresh material")
    new = create_table(own_server.dynamodb)
    own_server.dynamodb.put_item(TableName=new, Item=item("a"))
    own_server.restart(crash=True)
    for table in (old, new):
        assert own_server.dynamodb.get_item(TableName=table, Key=item("a"))["Item"]
    assert materials() > before
    assert [e["eventName"] for e in trail.events(own_server) if "dynamodb" in json.dumps(e["userIdentity"])] == []


def r09_the_managed_key_is_made_at_first_use_and_reused(own_server):
    dynamodb, kms = own_server.dynamodb, own_server.kms
    assert aws_key(kms) is None
    first, second = (create_table(dynamodb, **sse()) for _ in range(2))
    arn = describe(dynamodb, first)["SSEDescription"]["KMSMasterKeyArn"]
    assert describe(dynamodb, second)["SSEDescription"] == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": arn}
    assert arn.endswith(aws_key(kms))
    elsewhere = own_server.client("dynamodb", region="eu-west-1")
    third = create_table(elsewhere, **sse())
    other = describe(elsewhere, third)["SSEDescription"]["KMSMasterKeyArn"]
    assert other.startswith("arn:aws:kms:eu-west-1:000000000000:key/") and other != arn


def r09_the_managed_key_can_be_looked_at(own_server):
    """DescribeKey, GetKeyPolicy, ListGrants and the audit trail work on it."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    table = create_table(dynamodb, **sse())
    arn = describe(dynamodb, table)["SSEDescription"]["KMSMasterKeyArn"]
    metadata = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]
    assert (metadata["Arn"], metadata["KeyManager"], metadata["KeyState"]) == (arn, "AWS", "Enabled")
    assert (metadata["KeySpec"], metadata["KeyUsage"]) == ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    policy = json.loads(kms.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
    assert policy["Id"] == "auto-dynamodb-1"
    grants = kms.list_grants(KeyId=arn)["Grants"]
    assert grants and all(g["GranteePrincipal"] == "dynamodb.us-east-1.amazonaws.com" for g in grants)
    assert trail.count(own_server, "GenerateDataKey", table) == 1


def r09_the_managed_key_is_protected(own_server):
    dynamodb, kms = own_server.dynamodb, own_server.kms
    table = create_table(dynamodb, **sse())
    arn = describe(dynamodb, table)["SSEDescription"]["KMSMasterKeyArn"]
    mine = customer_key(kms)
    attempts = {
        "PutKeyPolicy": lambda: kms.put_key_policy(KeyId=arn, PolicyName="default", Policy='{"Version":"2012-10-17","Statement":[]}'),
        "DisableKey": lambda: kms.disable_key(KeyId=arn),
        "EnableKey": lambda: kms.enable_key(KeyId=arn),
        "ScheduleKeyDeletion": lambda: kms.schedule_key_deletion(KeyId=arn),
        "CreateAlias aws/x": lambda: kms.create_alias(AliasName="alias/aws/x", TargetKeyId=mine),
        "CreateAlias on it": lambda: kms.create_alias(AliasName="alias/mine", TargetKeyId=arn),
        "UpdateAlias": lambda: kms.update_alias(AliasName="alias/aws/dynamodb", TargetKeyId=mine),
        "DeleteAlias": lambda: kms.delete_alias(AliasName="alias/aws/dynamodb"),
    }
    results = {name: error_of(attempt) for name, attempt in attempts.items()}
    assert [name for name, error in results.items() if error is None] == []
    assert all(code not in ("InternalFailure", "KMSInternalException", "UnknownOperationException") for code, _ in results.values()), results
    dynamodb.put_item(TableName=table, Item=item("still works"))
    assert kms.describe_key(KeyId=arn)["KeyMetadata"]["KeyState"] == "Enabled"


def r10_a_customer_key_is_the_customers(own_server):
    """Its policy, tags, description, aliases, state and deletion are theirs, also while a table uses it."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key = customer_key(kms, Description="for books", Tags=[{"TagKey": "team", "TagValue": "library"}])
    create_table(dynamodb, **sse(key))
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"][0]["Sid"] = "changed"
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    assert json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]) == policy
    kms.create_alias(AliasName="alias/books", TargetKeyId=key)
    kms.disable_key(KeyId=key)
    assert kms.describe_key(KeyId="alias/books")["KeyMetadata"]["KeyState"] == "Disabled"
    kms.enable_key(KeyId=key)
    assert kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"


@pytest.mark.parametrize(
    "parameters",
    [
        {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"},
        {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
        {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    ],
)
def r11_only_symmetric_keys(dynamodb, kms, parameters):
    """An asymmetric or HMAC key never protects a table: either it cannot be made here (yet), with a clear
    refusal of the client's request, or CreateTable refuses it and leaves no table behind."""
    error = error_of(kms.create_key, **parameters)
    if error:
        assert error[0] in ("UnsupportedOperationException", "ValidationException"), error
        return
    key = customer_key(kms, **parameters)
    name = unique()
    with refused("ValidationException"):
        create_table(dynamodb, name, **sse(key))
    with refused("ResourceNotFoundException"):
        describe(dynamodb, name)


@pytest.mark.parametrize("form", ["id", "arn", "alias name", "alias arn"])
def r12_the_key_can_be_named_in_four_ways(dynamodb, kms, form):
    """DescribeTable returns the resolved key ARN, never what was typed; so does CreateTable's own answer."""
    metadata = kms.create_key()["KeyMetadata"]
    alias = f"alias/{unique('r12')}"
    kms.create_alias(AliasName=alias, TargetKeyId=metadata["KeyId"])
    typed = {
        "id": metadata["KeyId"],
        "arn": metadata["Arn"],
        "alias name": alias,
        "alias arn": f"arn:aws:kms:us-east-1:000000000000:{alias}",
    }[form]
    name = unique()
    answer = dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        **sse(typed),
    )["TableDescription"]
    assert answer.get("SSEDescription", {}).get("KMSMasterKeyArn", metadata["Arn"]) == metadata["Arn"]
    assert wait_switched(dynamodb, name, metadata["Arn"])["SSEDescription"] == {
        "Status": "ENABLED",
        "SSEType": "KMS",
        "KMSMasterKeyArn": metadata["Arn"],
    }


def r12_enabled_without_type_means_kms(dynamodb):
    table = create_table(dynamodb, SSESpecification={"Enabled": True})
    assert describe(dynamodb, table)["SSEDescription"]["SSEType"] == "KMS"


def r12_the_managed_key_by_its_alias(dynamodb, kms):
    create_table(dynamodb, **sse())
    table = create_table(dynamodb, **sse("alias/aws/dynamodb"))
    arn = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["Arn"]
    assert describe(dynamodb, table)["SSEDescription"]["KMSMasterKeyArn"] == arn


PREFIX = "One or more parameter values were invalid: "


@pytest.mark.parametrize("call", ["CreateTable", "UpdateTable"])
@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ({"Enabled": False, "SSEType": "KMS"}, "SSEType can not be specified if Enabled is false"),
        ({"Enabled": False, "KMSMasterKeyId": "alias/x"}, "KMSMasterKeyId can not be specified if Enabled is false"),
        ({"Enabled": True, "KMSMasterKeyId": "alias/x"}, "SSEType KMS is required if KMSMasterKeyId is specified"),
        ({"Enabled": True, "SSEType": "AES256"}, "SSEType AES256 is not supported"),
    ],
)
def r12_contradictions_are_refused_to_the_letter(dynamodb, call, specification, message):
    if call == "CreateTable":
        name = unique()
        with refused("ValidationException", PREFIX + message):
            create_table(dynamodb, name, SSESpecification=specification)
        with refused("ResourceNotFoundException"):
            describe(dynamodb, name)
    else:
        table = create_table(dynamodb)
        with refused("ValidationException", PREFIX + message):
            dynamodb.update_table(TableName=table, SSESpecification=specification)
        assert "SSEDescription" not in describe(dynamodb, table)
