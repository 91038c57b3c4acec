"""Making tables, filling them, and asserting on errors."""

import contextlib
import itertools
import time

import pytest
from botocore.exceptions import ClientError

_numbers = itertools.count(1)


def unique(prefix="table") -> str:
    """A name that no other test of this run uses."""
    return f"{prefix}-{next(_numbers)}"


def create_table(dynamodb, name=None, *, sort_key=False, wait=True, **parameters) -> str:
    """Creates a table with string key `pk` (and `sk`), waits until it is active and returns its name."""
    name = name or unique()
    keys = [("pk", "HASH")] + ([("sk", "RANGE")] if sort_key else [])
    dynamodb.create_table(
        TableName=name,
        **{
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key, _ in keys],
            "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in keys],
        }
        | parameters,
    )
    if wait:
        wait_active(dynamodb, name)
    return name


def wait_active(dynamodb, name, seconds=10):
    wait_until(lambda: describe(dynamodb, name)["TableStatus"] == "ACTIVE", f"{name} is ACTIVE", seconds)


def describe(dynamodb, name) -> dict:
    return dynamodb.describe_table(TableName=name)["Table"]


def customer_key(kms, **parameters) -> str:
    """Creates a symmetric key; returns its ARN."""
    return kms.create_key(**parameters)["KeyMetadata"]["Arn"]


def sse(key=None) -> dict:
    """The SSESpecification argument for a key, or for the service-managed one."""
    return {"SSESpecification": {"Enabled": True, "SSEType": "KMS"} | ({"KMSMasterKeyId": key} if key else {})}


def item(pk, **attributes) -> dict:
    """An item of string attributes."""
    return {name: {"S": value} for name, value in {"pk": pk, **attributes}.items()}


def fill(dynamodb, table, count, *, prefix="item", bytes_each=100) -> dict:
    """Writes `count` items; returns them by partition key."""
    written = {}
    for start in range(0, count, 25):
        batch = [
            item(f"{prefix}-{n:06}", value=f"value-{n}-" + "x" * bytes_each)
            for n in range(start, min(start + 25, count))
        ]
        answer = dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": i}} for i in batch]})
        assert not answer["UnprocessedItems"]
        written |= {i["pk"]["S"]: i for i in batch}
    return written


def scan_all(dynamodb, table, **parameters) -> dict:
    """Every item of a table by partition key."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, **parameters)
    return {i["pk"]["S"]: i for page in pages for i in page["Items"]}


def wait_switched(dynamodb, table, arn, seconds=10) -> dict:
    """Waits until a switch to `arn` (None: the service-owned key) is complete, as R14 defines it."""

    def complete():
        description = describe(dynamodb, table).get("SSEDescription")
        if arn is None:
            return description is None
        return bool(description) and (description["Status"], description.get("KMSMasterKeyArn")) == ("ENABLED", arn)

    wait_until(complete, f"{table} is under {arn}", seconds)
    return describe(dynamodb, table)


def wait_until(condition, what, seconds=10, pause_secs=0.02):
    """Waits until `condition()` is true; fails with `what` when it does not become so in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not so within {seconds} s: {what}")
        time.sleep(pause_secs)


class Refusal:
    """What a `refused` block caught."""

    code = None
    message = None
    status = None
    response = None


@contextlib.contextmanager
def refused(code, message=None, *, containing=(), status=400):
    """The block must fail with this AWS error; `message` is compared to the letter, `containing` part by part."""
    refusal = Refusal()
    with pytest.raises(ClientError) as caught:
        yield refusal
    refusal.response = caught.value.response
    error = refusal.response["Error"]
    refusal.code, refusal.message = error["Code"], error.get("Message", "")
    refusal.status = refusal.response["ResponseMetadata"]["HTTPStatusCode"]
    assert (refusal.code, refusal.status) == (code, status), f"{refusal.status} {refusal.code}: {refusal.message}"
    if message is not None:
        assert refusal.message == message
    for part in containing:
        assert part in refusal.message, refusal.message


def error_of(call, *arguments, **parameters):
    """Runs a call that may fail; returns `(code, message)` or None."""
    try:
        call(*arguments, **parameters)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return None
