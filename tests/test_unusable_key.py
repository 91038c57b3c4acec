"""A key that cannot be used, named at CreateTable or UpdateTable: refused at once, nothing left behind.

The texts are those measured on the real service (requirements, section 11).
"""

import re

import pytest
from support.tables import create_table, customer_key, describe, refused, sse, unique

MISSING = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"
MISSING_ALIAS = "arn:aws:kms:us-east-1:000000000000:alias/nobody"
FOREIGN = "arn:aws:kms:us-east-1:999999999999:key/11111111-2222-3333-4444-555555555555"
ELSEWHERE = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"


def kms_text(prefix, exception, message) -> re.Pattern:
    return re.compile(
        re.escape(f"{prefix}: com.amazonaws.services.kms.model.{exception}: {message} (Service: AWSKMS; Status Code: 400; ")
        + re.escape(f"Error Code: {exception}; Request ID: ")
        + r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}; Proxy: null\)$"
    )


def disabled(kms):
    key = customer_key(kms)
    kms.disable_key(KeyId=key)
    return key, kms_text("KMS key disabled error", "DisabledException", f"{key} is disabled.")


def pending(kms):
    key = customer_key(kms)
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    return key, kms_text("KMS validation error", "KMSInvalidStateException", f"{key} is pending deletion.")


def missing(_kms):
    return MISSING, kms_text("KMS validation error", "NotFoundException", f"Key '{MISSING}' does not exist")


def missing_id(_kms):
    return MISSING.rsplit("/")[1], kms_text("KMS validation error", "NotFoundException", f"Key '{MISSING}' does not exist")


def missing_alias(_kms):
    return "alias/nobody", kms_text("KMS validation error", "NotFoundException", f"Alias {MISSING_ALIAS} is not found.")


def other_region(_kms):
    return ELSEWHERE, kms_text("KMS validation error", "NotFoundException", "Invalid arn eu-west-1")


CASES = [disabled, pending, missing, missing_id, missing_alias, other_region]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def r52_create_table_refuses_an_unusable_key(dynamodb, kms, case):
    key, text = case(kms)
    name = unique()
    with refused("ValidationException") as refusal:
        create_table(dynamodb, name, **sse(key))
    assert text.match(refusal.message), refusal.message
    with refused("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found"):
        describe(dynamodb, name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def r13_a_switch_to_an_unusable_key_changes_nothing(dynamodb, kms, case):
    key, text = case(kms)
    old = customer_key(kms)
    table = create_table(dynamodb, **sse(old))
    before = describe(dynamodb, table)
    with refused("ValidationException") as refusal:
        dynamodb.update_table(TableName=table, **sse(key))
    assert text.match(refusal.message), refusal.message
    assert describe(dynamodb, table) == before


def r71_a_key_of_another_account_is_refused(dynamodb):
    name = unique()
    with refused("AccessDeniedException") as refusal:
        create_table(dynamodb, name, **sse(FOREIGN))
    assert refusal.message.startswith("KMS key access denied error: "), refusal.message
    assert re.search(r"User: arn:aws:\S+ is not authorized to perform: kms:\w+ on resource: " + FOREIGN, refusal.message), refusal.message
    with refused("ResourceNotFoundException"):
        describe(dynamodb, name)


def r71_a_key_of_another_region_is_not_there(server, dynamodb):
    """A real key, but in another region: neither its id nor its ARN protects a table here."""
    key = customer_key(server.client("kms", region="eu-west-1"))
    with refused("ValidationException", containing=["Invalid arn eu-west-1"]):
        create_table(dynamodb, **sse(key))
    here = key.replace("eu-west-1", "us-east-1")
    with refused("ValidationException", containing=[f"Key '{here}' does not exist"]):
        create_table(dynamodb, **sse(key.rsplit("/")[1]))
    there = server.client("dynamodb", region="eu-west-1")
    table = create_table(there, **sse(key))
    assert describe(there, table)["SSEDescription"]["KMSMasterKeyArn"] == key
