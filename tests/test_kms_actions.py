"""Every KMS action of the server, its happy path and its exact errors, through boto3."""

import datetime
import json
import re

import pytest
from support import trail
from support.tables import create_table, customer_key, describe, error_of, refused, sse, unique, wait_until

ARN = r"arn:aws:kms:us-east-1:000000000000:key/"
KEY_ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
MISSING = "11111111-2222-3333-4444-555555555555"
MISSING_ARN = f"arn:aws:kms:us-east-1:000000000000:key/{MISSING}"


@pytest.fixture
def key(kms):
    return customer_key(kms)


def state(kms, key):
    return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]


# Keys


def test_create_key_returns_full_metadata(kms):
    metadata = kms.create_key(Description="d", Tags=[{"TagKey": "k", "TagValue": "v"}])["KeyMetadata"]
    assert re.fullmatch(KEY_ID, metadata["KeyId"]) and metadata["Arn"].endswith(metadata["KeyId"])
    assert re.fullmatch(ARN + KEY_ID, metadata["Arn"])
    assert isinstance(metadata["CreationDate"], datetime.datetime)
    expected = {
        "AWSAccountId": "000000000000", "Enabled": True, "Description": "d", "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "MultiRegion": False,
    }
    assert {k: metadata.get(k) for k in expected} == expected
    assert kms.describe_key(KeyId=metadata["KeyId"])["KeyMetadata"].items() >= metadata.items()


def test_tags_of_a_key(kms):
    key = customer_key(kms, Tags=[{"TagKey": "k", "TagValue": "v"}])
    error = error_of(kms.list_resource_tags, KeyId=key)
    if error and error[0] == "UnknownOperationException":
        pytest.skip("ListResourceTags is not built yet")
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "k", "TagValue": "v"}]


def test_a_key_is_not_rotated_and_says_so(kms, key):
    """What Terraform reads after CreateKey."""
    answer = kms.get_key_rotation_status(KeyId=key.rsplit("/")[-1])
    assert (answer["KeyId"], answer["KeyRotationEnabled"]) == (key, False)
    with refused("NotFoundException", f"Key '{MISSING_ARN}' does not exist"):
        kms.get_key_rotation_status(KeyId=MISSING)


def test_list_keys_pages(own_server):
    kms = own_server.kms
    made = {customer_key(kms) for _ in range(7)}
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3}))
    listed = [k["KeyArn"] for page in pages for k in page["Keys"]]
    assert len(pages) == 3 and len(listed) == 7 and set(listed) == made
    assert pages[0]["Truncated"] is True and pages[-1]["Truncated"] is False
    with refused("InvalidMarkerException"):
        kms.list_keys(Marker="garbage")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (MISSING, f"Key '{MISSING_ARN}' does not exist"),
        (MISSING_ARN, f"Key '{MISSING_ARN}' does not exist"),
        ("alias/not-there", "Alias arn:aws:kms:us-east-1:000000000000:alias/not-there is not found."),
        ("arn:aws:kms:us-east-1:000000000000:alias/not-there", "Alias arn:aws:kms:us-east-1:000000000000:alias/not-there is not found."),
        ("nonsense", "Invalid keyId 'nonsense'"),
        (MISSING_ARN.replace("us-east-1", "eu-west-1"), "Invalid arn eu-west-1"),
    ],
)
def test_a_key_that_is_not_there(kms, name, message):
    with refused("NotFoundException", message):
        kms.describe_key(KeyId=name)


def test_an_arn_of_another_partition_names_no_key(kms, key):
    """`aws-cn` has no region us-east-1."""
    arn = key.replace("arn:aws:", "arn:aws-cn:")
    with refused("InvalidArnException", f"Invalid arn {arn}"):
        kms.describe_key(KeyId=arn)


def r71_a_region_of_another_partition_has_its_arns(server):
    """In China the partition is `aws-cn`, in the ARNs of keys and of tables, and the ARN names the key."""
    kms, dynamodb = server.client("kms", region="cn-north-1"), server.client("dynamodb", region="cn-north-1")
    key = customer_key(kms)
    assert key.startswith("arn:aws-cn:kms:cn-north-1:000000000000:key/")
    table = create_table(dynamodb, **sse(key))
    description = describe(dynamodb, table)
    assert description["TableArn"] == f"arn:aws-cn:dynamodb:cn-north-1:000000000000:table/{table}"
    assert description["SSEDescription"]["KMSMasterKeyArn"] == key
    assert describe(dynamodb, description["TableArn"])["TableName"] == table
    dynamodb.tag_resource(ResourceArn=description["TableArn"], Tags=[{"Key": "a", "Value": "b"}])


@pytest.mark.parametrize("principal", ["nobody", "arn:aws:s3:::bucket", "12345"])
def test_retirable_grants_of_nobody(kms, principal):
    """What is no principal retires nothing."""
    with refused("InvalidArnException", f"Provided principal id: {principal} is invalid"):
        kms.list_retirable_grants(RetiringPrincipal=principal)


def test_disable_and_enable(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"]) == ("Disabled", False)
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: kms.decrypt(CiphertextBlob=blob),
        lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
        lambda: kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256"),
        lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=customer_key(kms)),
    ):
        with refused("DisabledException", f"{key} is disabled."):
            call()
    kms.disable_key(KeyId=key)
    kms.enable_key(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_scheduled_deletion_and_cancelling(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    answer = kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=10)
    assert (answer["KeyId"], answer["KeyState"], answer["PendingWindowInDays"]) == (key, "PendingDeletion", 10)
    days = (answer["DeletionDate"] - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400
    assert 9.9 < days < 10.1
    metadata = kms.describe_key(KeyId=key)["KeyMetadata"]
    assert (metadata["KeyState"], metadata["Enabled"], metadata["DeletionDate"]) == ("PendingDeletion", False, answer["DeletionDate"])
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x"),
        lambda: kms.decrypt(CiphertextBlob=blob),
        lambda: kms.enable_key(KeyId=key),
        lambda: kms.disable_key(KeyId=key),
        lambda: kms.schedule_key_deletion(KeyId=key),
    ):
        with refused("KMSInvalidStateException", f"{key} is pending deletion."):
            call()
    assert kms.cancel_key_deletion(KeyId=key)["KeyId"] == key
    assert state(kms, key) == "Disabled"
    assert "DeletionDate" not in kms.describe_key(KeyId=key)["KeyMetadata"]
    with refused("KMSInvalidStateException", f"{key} is not pending deletion."):
        kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_default_waiting_period_is_thirty_days(kms, key):
    assert kms.schedule_key_deletion(KeyId=key)["PendingWindowInDays"] == 30


def test_waiting_period_bounds(server, key):
    kms = server.client("kms", parameter_validation=False)
    for days in (6, 31):
        with refused("ValidationException"):
            kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=days)


def test_a_deleted_key_opens_nothing_any_more(own_server):
    """After the waiting period the material is destroyed: no state change, restart or clock brings it back."""
    kms = own_server.kms
    key = customer_key(kms)
    kms.create_alias(AliasName="alias/doomed", TargetKeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    own_server.advance(7 * 86400 + 60)
    # The end of a key is an event of its own in the trail: then the material is destroyed, and not before.
    wait_until(lambda: trail.events(own_server, "DeleteKey"), "the key is destroyed")
    with refused("NotFoundException", f"Key '{key}' does not exist"):
        kms.describe_key(KeyId=key)
    # The clock of the restarted server is back at today, where the key would still be pending.
    own_server.restart()
    kms = own_server.kms
    assert error_of(kms.decrypt, CiphertextBlob=blob)[0] in ("NotFoundException", "InvalidCiphertextException", "AccessDeniedException")
    assert error_of(kms.decrypt, CiphertextBlob=blob, KeyId=key)[0] == "NotFoundException"
    assert kms.list_keys()["Keys"] == []
    assert "alias/doomed" not in [a["AliasName"] for a in kms.list_aliases()["Aliases"]]


# Aliases


def test_alias_life(kms, key):
    name = f"alias/{unique('life')}"
    kms.create_alias(AliasName=name, TargetKeyId=key)
    [alias] = kms.list_aliases(KeyId=key)["Aliases"]
    assert alias["AliasName"] == name and alias["TargetKeyId"] == key.rsplit("/")[1]
    assert alias["AliasArn"] == f"arn:aws:kms:us-east-1:000000000000:{name}"
    with refused("AlreadyExistsException", f"An alias with the name {alias['AliasArn']} already exists"):
        kms.create_alias(AliasName=name, TargetKeyId=key)
    other = customer_key(kms)
    kms.update_alias(AliasName=name, TargetKeyId=other)
    assert kms.describe_key(KeyId=name)["KeyMetadata"]["Arn"] == other
    assert kms.describe_key(KeyId=alias["AliasArn"])["KeyMetadata"]["Arn"] == other
    assert kms.list_aliases(KeyId=key)["Aliases"] == []
    kms.delete_alias(AliasName=name)
    with refused("NotFoundException", f"Alias {alias['AliasArn']} is not found."):
        kms.delete_alias(AliasName=name)
    with refused("NotFoundException"):
        kms.update_alias(AliasName=name, TargetKeyId=key)


def test_alias_errors(kms, key):
    for name in ("no-prefix", "alias/"):
        assert error_of(kms.create_alias, AliasName=name, TargetKeyId=key)[0] in ("InvalidAliasNameException", "ValidationException")
    assert error_of(kms.create_alias, AliasName="alias/sp ace", TargetKeyId=key)[0] in ("ValidationException", "InvalidAliasNameException")
    with refused("NotFoundException", f"Key '{MISSING_ARN}' does not exist"):
        kms.create_alias(AliasName=f"alias/{unique('x')}", TargetKeyId=MISSING)


# Cryptography


@pytest.mark.parametrize("size", [1, 16, 4096])
@pytest.mark.parametrize("context", [None, {"a": "1", "b": "2"}], ids=["no context", "context"])
def test_encrypt_and_decrypt(kms, key, size, context):
    plaintext = bytes(n % 251 for n in range(size))
    extra = {"EncryptionContext": context} if context else {}
    sealed = kms.encrypt(KeyId=key, Plaintext=plaintext, **extra)
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (key, "SYMMETRIC_DEFAULT")
    opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], **extra)
    assert (opened["Plaintext"], opened["KeyId"], opened["EncryptionAlgorithm"]) == (plaintext, key, "SYMMETRIC_DEFAULT")
    assert kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], KeyId=key, **extra)["Plaintext"] == plaintext
    again = kms.encrypt(KeyId=key, Plaintext=plaintext, **extra)
    assert again["CiphertextBlob"] != sealed["CiphertextBlob"]


def test_the_order_of_the_context_does_not_matter(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1", "b": "2"})["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"b": "2", "a": "1"})["Plaintext"] == b"x"


def test_bad_ciphertexts(kms, key):
    """Flipped, truncated, extended, made up: refused without a word about why."""
    blob = kms.encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    for at in range(0, len(blob), 7):
        bad = bytearray(blob)
        bad[at] ^= 1
        # Where the flip makes the ciphertext name another key, that key is what is missing.
        code, message = error_of(kms.decrypt, CiphertextBlob=bytes(bad))
        assert code in ("InvalidCiphertextException", "AccessDeniedException"), (at, code, message)
    for bad in (blob[:-1], blob + b"\0", blob[1:], b"\0", b"garbage" * 20):
        with refused("InvalidCiphertextException"):
            kms.decrypt(CiphertextBlob=bad)


def test_the_wrong_key_is_named_wrong(kms, key):
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    with refused(
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    ):
        kms.decrypt(CiphertextBlob=blob, KeyId=customer_key(kms))
    with refused("IncorrectKeyException"):
        kms.re_encrypt(CiphertextBlob=blob, SourceKeyId=customer_key(kms), DestinationKeyId=key)


def test_re_encrypt(kms, key):
    other = customer_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob, SourceEncryptionContext={"a": "1"}, DestinationKeyId=other, DestinationEncryptionContext={"b": "2"})
    assert (moved["SourceKeyId"], moved["KeyId"]) == (key, other)
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"b": "2"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"x", other)
    with refused("InvalidCiphertextException"):
        kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other)


@pytest.mark.parametrize(("parameters", "size"), [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16), ({"NumberOfBytes": 77}, 77)])
def test_generate_data_key(kms, key, parameters, size):
    made = kms.generate_data_key(KeyId=key, EncryptionContext={"a": "1"}, **parameters)
    assert len(made["Plaintext"]) == size and made["KeyId"] == key
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={"a": "1"})
    assert opened["Plaintext"] == made["Plaintext"]
    hidden = kms.generate_data_key_without_plaintext(KeyId=key, **parameters)
    assert "Plaintext" not in hidden
    assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == size


def test_generate_data_key_wants_one_size(kms, key):
    with refused("ValidationException", containing=["Please specify either number of bytes or key spec."]):
        kms.generate_data_key(KeyId=key)
    with refused("ValidationException", containing=["Please specify either number of bytes or key spec."]):
        kms.generate_data_key(KeyId=key, KeySpec="AES_256", NumberOfBytes=32)


def test_generate_random(kms):
    draws = [kms.generate_random(NumberOfBytes=32)["Plaintext"] for _ in range(3)]
    assert all(len(d) == 32 for d in draws) and len(set(draws)) == 3
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024


def test_sizes_are_bounded(server, key):
    kms = server.client("kms", parameter_validation=False)
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x" * 4097),
        lambda: kms.encrypt(KeyId=key, Plaintext=b""),
        lambda: kms.decrypt(CiphertextBlob=b"x" * 6145),
        lambda: kms.generate_random(NumberOfBytes=1025),
        lambda: kms.generate_random(NumberOfBytes=0),
        lambda: kms.generate_data_key(KeyId=key, NumberOfBytes=1025),
    ):
        with refused("ValidationException") as refusal:
            call()
        assert "validation error" in refusal.message, refusal.message


def test_validation_texts_are_exact(server):
    kms = server.client("kms", parameter_validation=False)
    with refused(
        "ValidationException",
        "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null",
    ):
        kms.describe_key()
    with refused(
        "ValidationException",
        "1 validation error detected: Value '6' at 'pendingWindowInDays' failed to satisfy constraint: "
        "Member must have value greater than or equal to 7",
    ) as refusal:
        kms.schedule_key_deletion(KeyId=MISSING, PendingWindowInDays=6)


# Policies


def test_key_policy(kms, key):
    default = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    assert default["Statement"] == [{
        "Sid": "Enable IAM User Permissions", "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*", "Resource": "*",
    }]
    assert kms.get_key_policy(KeyId=key)["PolicyName"] == "default"
    policy = json.dumps(default | {"Id": "mine"})
    made = customer_key(kms, Policy=policy)
    assert kms.get_key_policy(KeyId=made)["Policy"] == policy
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy)
    assert kms.get_key_policy(KeyId=key)["Policy"] == policy
    with refused("MalformedPolicyDocumentException"):
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy="not json")


# Grants


PRINCIPAL = "arn:aws:iam::000000000000:user/alice"


def test_grant_life(kms, key):
    parameters = {
        "GranteePrincipal": PRINCIPAL, "RetiringPrincipal": PRINCIPAL, "Operations": ["Encrypt", "Decrypt"],
        "Constraints": {"EncryptionContextEquals": {"a": "1"}}, "Name": "mine",
    }
    made = kms.create_grant(KeyId=key, **parameters)
    assert re.fullmatch("[0-9a-f]{64}", made["GrantId"]) and made["GrantToken"]
    again = kms.create_grant(KeyId=key, **parameters)
    assert again["GrantId"] == made["GrantId"], "the same name and parameters make the same grant"
    [grant] = kms.list_grants(KeyId=key)["Grants"]
    assert {k: grant[k] for k in parameters} == parameters
    assert grant["IssuingAccount"] == "arn:aws:iam::000000000000:root"
    assert kms.list_grants(KeyId=key, GranteePrincipal=PRINCIPAL)["Grants"] == [grant]
    assert kms.list_grants(KeyId=key, GrantId=made["GrantId"])["Grants"] == [grant]
    assert kms.list_grants(KeyId=key, GranteePrincipal=PRINCIPAL + "x")["Grants"] == []
    assert grant in kms.list_retirable_grants(RetiringPrincipal=PRINCIPAL)["Grants"]
    kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []
    with refused("NotFoundException"):
        kms.revoke_grant(KeyId=key, GrantId=made["GrantId"])


def test_retire_grant(kms, key):
    """By token, or by key and id."""
    made = [kms.create_grant(KeyId=key, GranteePrincipal=PRINCIPAL, Operations=["Encrypt"]) for _ in range(2)]
    assert made[0]["GrantId"] != made[1]["GrantId"]
    kms.retire_grant(GrantToken=made[0]["GrantToken"])
    kms.retire_grant(KeyId=key, GrantId=made[1]["GrantId"])
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_list_grants_pages(kms, key):
    made = {kms.create_grant(KeyId=key, GranteePrincipal=PRINCIPAL, Operations=["Encrypt"])["GrantId"] for _ in range(7)}
    pages = list(kms.get_paginator("list_grants").paginate(KeyId=key, PaginationConfig={"PageSize": 3}))
    listed = [g["GrantId"] for page in pages for g in page["Grants"]]
    assert len(listed) == 7 and set(listed) == made and len(pages) == 3


def test_grants_on_unusable_keys(kms, key):
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        kms.create_grant(KeyId=key, GranteePrincipal=PRINCIPAL, Operations=["Encrypt"])
    with refused("NotFoundException"):
        kms.create_grant(KeyId=MISSING, GranteePrincipal=PRINCIPAL, Operations=["Encrypt"])


def test_dry_run_changes_nothing(kms, key):
    """DryRun says whether it would have worked, and does nothing; if it is not built, it is refused."""
    code, _ = error_of(kms.create_grant, KeyId=key, GranteePrincipal=PRINCIPAL, Operations=["Encrypt"], DryRun=True)
    assert code in ("DryRunOperationException", "ValidationException", "UnsupportedOperationException")
    assert kms.list_grants(KeyId=key)["Grants"] == []


def test_ciphertexts_survive_restarts(own_server):
    kms = own_server.kms
    keys = [customer_key(kms) for _ in range(3)]
    blobs = [kms.encrypt(KeyId=key, Plaintext=key.encode())["CiphertextBlob"] for key in keys]
    for crash in (True, False):
        own_server.restart(crash=crash)
        for key, blob in zip(keys, blobs, strict=True):
            opened = own_server.kms.decrypt(CiphertextBlob=blob)
            assert (opened["KeyId"], opened["Plaintext"]) == (key, key.encode())
