"""Reading the audit trail through CloudTrail."""

import json


def events(server, name=None, *, table=None, region="us-east-1", service="kms.amazonaws.com") -> list[dict]:
    """The recorded events, oldest first, as their full CloudTrail records."""
    attribute = {"AttributeKey": "EventName", "AttributeValue": name} if name else {
        "AttributeKey": "EventSource", "AttributeValue": service}
    pages = server.client("cloudtrail", region=region).get_paginator("lookup_events").paginate(
        LookupAttributes=[attribute], PaginationConfig={"PageSize": 50}
    )
    records = [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]
    records.reverse()
    return [r for r in records if r["eventSource"] == service and (table is None or context(r) == context_of(table))]


def count(server, name, table) -> int:
    """How many KMS calls of this name DynamoDB made for a table."""
    return len(events(server, name, table=table))


def context_of(table, account="000000000000") -> dict:
    """The encryption context of every KMS call for a table (R21)."""
    return {"aws:dynamodb:tableName": table, "aws:dynamodb:subscriberId": account}


def context(record) -> dict | None:
    """The encryption context that an event names."""
    parameters = record.get("requestParameters") or {}
    return (
        parameters.get("encryptionContext")
        or parameters.get("constraints", {}).get("encryptionContextSubset")
        or (record.get("additionalEventData") or {}).get("encryptionContext")
    )
