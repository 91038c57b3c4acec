"""Parameters of KMS actions that say how, not what: dry runs, grant tokens, algorithms, paging, the lockout check."""

import json

import pytest
from support.server import ACCOUNT
from support.tables import customer_key, error_of, refused, unique

OPERATIONS = ["Decrypt"]
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
DRY_RUN = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


@pytest.fixture
def key(kms):
    return customer_key(kms)


def granted(kms, key, *, to=ROOT, **parameters):
    return kms.create_grant(KeyId=key, GranteePrincipal=to, Operations=OPERATIONS, **parameters)


def grant_ids(kms, key) -> set:
    return {grant["GrantId"] for grant in kms.list_grants(KeyId=key)["Grants"]}


def test_a_dry_run_says_what_would_be_and_does_nothing(kms, key):
    other = customer_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    grant = granted(kms, key, RetiringPrincipal=ROOT)
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True),
        lambda: kms.decrypt(CiphertextBlob=blob, DryRun=True),
        lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other, DryRun=True),
        lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256", DryRun=True),
        lambda: kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256", DryRun=True),
        lambda: kms.create_grant(KeyId=key, GranteePrincipal=ROOT, Operations=OPERATIONS, DryRun=True),
        lambda: kms.retire_grant(KeyId=key, GrantId=grant["GrantId"], DryRun=True),
        lambda: kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"], DryRun=True),
    ):
        assert error_of(call) == DRY_RUN
    assert grant_ids(kms, key) == {grant["GrantId"]}
    # What would fail fails.
    kms.disable_key(KeyId=key)
    with refused("DisabledException", f"{key} is disabled."):
        kms.encrypt(KeyId=key, Plaintext=b"x", DryRun=True)
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=b"x" * 100, DryRun=True)
    # And false is no dry run.
    assert kms.encrypt(KeyId=other, Plaintext=b"x", DryRun=False)["CiphertextBlob"]


def test_a_dry_run_needs_no_ciphertext(kms, key):
    other = customer_key(kms)
    ignoring = ["IGNORE_CIPHERTEXT"]
    assert error_of(lambda: kms.decrypt(KeyId=key, DryRun=True, DryRunModifiers=ignoring)) == DRY_RUN
    assert error_of(
        lambda: kms.re_encrypt(SourceKeyId=key, DestinationKeyId=other, DryRun=True, DryRunModifiers=ignoring)
    ) == DRY_RUN
    for call in (
        lambda: kms.decrypt(KeyId=key, DryRunModifiers=ignoring),
        lambda: kms.re_encrypt(SourceKeyId=key, DestinationKeyId=other, DryRunModifiers=ignoring),
    ):
        with refused("ValidationException", "DryRunModifiers can be specified only when DryRun is true"):
            call()


def test_grant_tokens_are_taken_and_others_refused(kms, key):
    token = granted(kms, key)["GrantToken"]
    other = customer_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=[token])["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, GrantTokens=[token])["Plaintext"] == b"x"
    assert kms.describe_key(KeyId=key, GrantTokens=[token])["KeyMetadata"]["Arn"] == key
    for call in (
        lambda tokens: kms.encrypt(KeyId=key, Plaintext=b"x", GrantTokens=tokens),
        lambda tokens: kms.decrypt(CiphertextBlob=blob, GrantTokens=tokens),
        lambda tokens: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=other, GrantTokens=tokens),
        lambda tokens: kms.generate_data_key(KeyId=key, KeySpec="AES_256", GrantTokens=tokens),
        lambda tokens: kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_256", GrantTokens=tokens),
        lambda tokens: kms.create_grant(KeyId=key, GranteePrincipal=ROOT, Operations=OPERATIONS, GrantTokens=tokens),
        lambda tokens: kms.describe_key(KeyId=key, GrantTokens=tokens),
    ):
        assert error_of(call, [token]) is None
        with refused("InvalidGrantTokenException"):
            call([token, "garbage"])


def test_only_the_algorithm_of_symmetric_keys_is_there(kms, key):
    symmetric, other = "SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_256"
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm=symmetric)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionAlgorithm=symmetric)["EncryptionAlgorithm"] == symmetric
    again = kms.re_encrypt(
        CiphertextBlob=blob, DestinationKeyId=key,
        SourceEncryptionAlgorithm=symmetric, DestinationEncryptionAlgorithm=symmetric)
    assert (again["SourceEncryptionAlgorithm"], again["DestinationEncryptionAlgorithm"]) == (symmetric, symmetric)
    for call in (
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionAlgorithm=other),
        lambda: kms.decrypt(CiphertextBlob=blob, EncryptionAlgorithm=other),
        lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key, SourceEncryptionAlgorithm=other),
        lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key, DestinationEncryptionAlgorithm=other),
    ):
        with refused("InvalidKeyUsageException"):
            call()


def test_a_data_key_without_plaintext_has_its_length_and_context(kms, key):
    context = {"for": "books"}
    blob = kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=77, EncryptionContext=context)["CiphertextBlob"]
    assert len(kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]) == 77
    with refused("InvalidCiphertextException"):
        kms.decrypt(CiphertextBlob=blob)


def test_the_kinds_of_key_that_can_be_asked_for(kms):
    made = kms.create_key(CustomerMasterKeySpec="SYMMETRIC_DEFAULT", Origin="AWS_KMS", MultiRegion=False)["KeyMetadata"]
    assert (made["KeySpec"], made["Origin"], made["MultiRegion"]) == ("SYMMETRIC_DEFAULT", "AWS_KMS", False)
    for call in (
        lambda: kms.create_key(Origin="EXTERNAL"),
        lambda: kms.create_key(MultiRegion=True),
        lambda: kms.create_key(CustomerMasterKeySpec="RSA_2048", KeyUsage="SIGN_VERIFY"),
    ):
        with refused("UnsupportedOperationException"):
            call()
    with refused("ValidationException", containing=["KeySpec and CustomerMasterKeySpec"]):
        kms.create_key(KeySpec="SYMMETRIC_DEFAULT", CustomerMasterKeySpec="SYMMETRIC_DEFAULT")


def policy(*statements) -> str:
    whole = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [whole | statement for statement in statements]})


@pytest.mark.parametrize(
    "statements",
    [
        [{"Action": ["kms:Encrypt", "kms:Decrypt"]}],
        [{"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/somebody-else"}}],
        [{"Principal": {"AWS": "arn:aws:iam::111122223333:root"}}],
        [{"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}],
        [{}, {"Effect": "Deny", "Action": "kms:PutKeyPolicy"}],
    ],
    ids=["actions", "user", "account", "condition", "denied"],
)
def test_a_policy_that_nobody_could_change_must_be_insisted_on(kms, key, statements):
    locking, before = policy(*statements), kms.get_key_policy(KeyId=key)["Policy"]
    text = "The new key policy will not allow you to update the key policy in the future."
    for call in (
        lambda: kms.put_key_policy(KeyId=key, Policy=locking),
        lambda: kms.put_key_policy(KeyId=key, Policy=locking, BypassPolicyLockoutSafetyCheck=False),
        lambda: kms.create_key(Policy=locking),
    ):
        with refused("MalformedPolicyDocumentException", text):
            call()
    assert kms.get_key_policy(KeyId=key)["Policy"] == before
    kms.put_key_policy(KeyId=key, Policy=locking, BypassPolicyLockoutSafetyCheck=True)
    assert kms.get_key_policy(KeyId=key)["Policy"] == locking
    made = kms.create_key(Policy=locking, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["Arn"]
    assert kms.get_key_policy(KeyId=made)["Policy"] == locking


@pytest.mark.parametrize(
    "statement",
    [
        {},
        {"Principal": "*", "Action": "kms:Put*"},
        {"Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/somebody-else", ACCOUNT]}, "Action": ["kms:Get*", "kms:PutKeyPolicy"]},
    ],
    ids=["root", "everybody", "account"],
)
def test_a_policy_that_can_be_changed_needs_no_insisting(kms, key, statement):
    kms.put_key_policy(KeyId=key, Policy=policy(statement))
    kms.create_key(Policy=policy(statement))


def pages(first, following):
    """All pages of a listing, by its markers."""
    found = [first]
    while found[-1]["Truncated"]:
        found.append(following(found[-1]["NextMarker"]))
    assert "NextMarker" not in found[-1]
    return found


def test_listings_come_in_pages(kms, key):
    tags = [{"TagKey": f"k{n}", "TagValue": str(n)} for n in range(5)]
    kms.tag_resource(KeyId=key, Tags=tags)
    retiring = f"arn:aws:iam::{ACCOUNT}:user/{unique('retiring')}"
    made = set()
    for n in range(5):
        kms.create_alias(AliasName=f"alias/{unique('paged')}", TargetKeyId=key)
        made.add(granted(kms, key, to=f"arn:aws:iam::{ACCOUNT}:user/u{n}", RetiringPrincipal=retiring)["GrantId"])
    found = pages(kms.list_aliases(KeyId=key, Limit=2), lambda marker: kms.list_aliases(KeyId=key, Limit=2, Marker=marker))
    assert [len(page["Aliases"]) for page in found] == [2, 2, 1]
    assert len({alias["AliasName"] for page in found for alias in page["Aliases"]}) == 5
    found = pages(kms.list_grants(KeyId=key, Limit=2), lambda marker: kms.list_grants(KeyId=key, Limit=2, Marker=marker))
    assert [len(page["Grants"]) for page in found] == [2, 2, 1]
    assert {grant["GrantId"] for page in found for grant in page["Grants"]} == made
    found = pages(
        kms.list_retirable_grants(RetiringPrincipal=retiring, Limit=2),
        lambda marker: kms.list_retirable_grants(RetiringPrincipal=retiring, Limit=2, Marker=marker))
    assert [len(page["Grants"]) for page in found] == [2, 2, 1]
    assert {grant["GrantId"] for page in found for grant in page["Grants"]} == made
    found = pages(
        kms.list_resource_tags(KeyId=key, Limit=2), lambda marker: kms.list_resource_tags(KeyId=key, Limit=2, Marker=marker))
    assert [tag for page in found for tag in page["Tags"]] == tags and len(found) == 3
    listed = kms.list_key_policies(KeyId=key, Limit=1)
    assert (listed["PolicyNames"], listed["Truncated"]) == (["default"], False)
    for call in (
        lambda: kms.list_aliases(Marker="garbage"),
        lambda: kms.list_grants(KeyId=key, Marker="garbage"),
        lambda: kms.list_key_policies(KeyId=key, Marker="garbage"),
        lambda: kms.list_resource_tags(KeyId=key, Marker="garbage"),
        lambda: kms.list_retirable_grants(RetiringPrincipal=retiring, Marker="garbage"),
    ):
        with refused("InvalidMarkerException"):
            call()


def test_keys_are_listed_by_owner(kms, key):
    assert len(kms.list_keys(Limit=1)["Keys"]) == 1
    owned = [k["KeyArn"] for page in pages(
        kms.list_keys(ResourceOwners=["SELF"]), lambda marker: kms.list_keys(ResourceOwners=["SELF"], Marker=marker))
        for k in page["Keys"]]
    assert key in owned
    # No other account shares its keys with this one.
    assert kms.list_keys(ResourceOwners=["OTHER_ACCOUNTS_VIA_RAM"])["Keys"] == []


def test_tags_and_description_change(kms, key):
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "1"}, {"TagKey": "b", "TagValue": "2"}])
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "3"}])
    kms.untag_resource(KeyId=key, TagKeys=["b", "not there"])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": "3"}]
    with refused("TagException", "Tags beginning with aws: are reserved"):
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": "aws:a", "TagValue": "1"}])
    with refused("TagException", "Too many tags"):
        kms.tag_resource(KeyId=key, Tags=[{"TagKey": f"k{n}", "TagValue": ""} for n in range(50)])
    kms.update_key_description(KeyId=key, Description="in other words")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "in other words"
