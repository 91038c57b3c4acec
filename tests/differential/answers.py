"""Brings what two servers answered to a form in which equal means the same to a user.

What may differ is left out (times, ids, ARNs) or put into one order (sets, maps, the items of a Scan, whose order is that of
a hash of each server's own).
"""

import json

from .sequences import Step

SETS = ("SS", "NS", "BS")
SCHEMA = ("AttributeName", "AttributeType", "KeyType")
DESCRIBED = ("AttributeDefinitions", "TableName", "KeySchema", "TableStatus", "ItemCount", "DeletionProtectionEnabled",
             "LocalSecondaryIndexes", "GlobalSecondaryIndexes", "BillingModeSummary", "ProvisionedThroughput")
DESCRIBED_INDEX = ("IndexName", "KeySchema", "Projection", "IndexStatus", "ItemCount")


def reduced(step: Step, answers: list) -> dict:
    """What a step's answers come to: those of all pages, of all segments."""
    pages = [page for segment in answers for page in segment]
    status, body = pages[-1]
    if status != 200:
        return error(status, body)
    bodies = [normal(step.operation, body) for _, body in pages]
    if step.how in ("call", "settle"):
        return bodies[0]
    if step.operation == "Query" and "IndexName" not in step.body:
        return {"Pages": bodies}
    whole = {"Count": sum(body.get("Count", 0) for body in bodies), "ScannedCount": sum(b.get("ScannedCount", 0) for b in bodies)}
    if any("Items" in body for body in bodies):
        whole["Items"] = ordered([item for body in bodies for item in body.get("Items", [])])
    if step.how == "walk":
        whole["PageCount"] = len(bodies)
    if len(bodies) == 1:
        whole["ConsumedCapacity"] = bodies[0].get("ConsumedCapacity")
    return whole


def error(status, body) -> dict:
    rest = {name: value for name, value in body.items() if name not in ("__type", "message", "Message")}
    kind = body.get("__type", "").rsplit("#", 1)[-1]
    message = body.get("message", body.get("Message"))
    return {"Error": f"{status} {kind}: {message}"} | ({"Rest": normal_value(rest)} if rest else {})


def normal(operation, body) -> dict:
    match operation:
        case "CreateTable" | "UpdateTable" | "DeleteTable":
            # What passes at once on one server takes a while on the other: the step that settles compares the table.
            return {}
        case "DescribeTable":
            return description(body["Table"])
        case "BatchGetItem":
            body = body | {"Responses": {name: ordered(items) for name, items in body["Responses"].items()}}
    return normal_value(body)


def normal_value(value):
    """Sets and figures in one form, all else as it is."""
    if isinstance(value, dict):
        return {name: sorted(inner) if name in SETS and isinstance(inner, list) and all(isinstance(e, str) for e in inner)
                else normal_value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [normal_value(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def ordered(values) -> list:
    return sorted((normal_value(value) for value in values), key=lambda value: json.dumps(value, sort_keys=True))


def description(table) -> dict:
    found = {name: table[name] for name in DESCRIBED if name in table}
    found["AttributeDefinitions"] = ordered(found["AttributeDefinitions"])
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if member in found:
            found[member] = ordered({n: e[n] for n in DESCRIBED_INDEX if n in e} for e in found[member])
            for index in found[member]:
                index["Projection"].get("NonKeyAttributes", []).sort()
    units = found.pop("ProvisionedThroughput", {})
    found["Units"] = [units.get("ReadCapacityUnits"), units.get("WriteCapacityUnits")]
    if "BillingModeSummary" in found:
        found["BillingModeSummary"] = found["BillingModeSummary"].get("BillingMode")
    return found


def difference(ours, theirs, path="") -> str | None:
    """The first place where two answers differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            if name not in ours or name not in theirs:
                where, value = ("ours", ours[name]) if name in ours else ("theirs", theirs[name])
                return f"{path}.{name}: only {where}: {short(value)}"
            if found := difference(ours[name], theirs[name], f"{path}.{name}"):
                return found
        return None
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        found = (difference(a, b, f"{path}[{n}]") for n, (a, b) in enumerate(zip(ours, theirs, strict=True)))
        return next(filter(None, found), None)
    return None if ours == theirs else f"{path}: ours {short(ours)}, theirs {short(theirs)}"


def short(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) < 500 else f"{text[:500]}..."
