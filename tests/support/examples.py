"""Inputs made from botocore's service models, so that they pass validation."""

import re

# Values that a pattern or a rule beyond the model asks for.
STRINGS = {
    "KeyIdType": "11111111-2222-3333-4444-555555555555",
    "AliasNameType": "alias/made-up",
    "PrincipalIdType": "arn:aws:iam::000000000000:root",
    "NullableBooleanType": True,
    "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/made-up",
    "ResourceArnString": "arn:aws:dynamodb:us-east-1:000000000000:table/made-up",
    "StreamArn": "arn:aws:dynamodb:us-east-1:000000000000:table/made-up/stream/2026-01-01T00:00:00.000",
    "BackupArn": "arn:aws:dynamodb:us-east-1:000000000000:table/made-up/backup/01500000000000-abcdef01",
    "RegionType": "eu-west-1",
    "ShardId": "shardId-00000001500000000000-abcdef01",
    "PendingWindowInDaysType": 7,
    "LongObject": 40_000,
}
# Tried in turn where there is a pattern, the first two as often as the least length asks.
PATTERN_STRINGS = ("x", "1", "arn:aws:dynamodb:us-east-1:000000000000:table/made-up", "dynamodb.amazonaws.com")


def example(shape, depth=0, strings=STRINGS):
    """A value of this shape with only its required members, within the model's bounds; `strings` by shape."""
    kind, facts = shape.type_name, shape.metadata
    if kind == "structure":
        members = {n: m for n, m in shape.members.items() if n in shape.required_members}
        if not members and depth and facts.get("union"):
            members = dict([next(iter(shape.members.items()))])
        return {name: example(member, depth + 1, strings) for name, member in members.items()}
    if kind == "list":
        return [example(shape.member, depth + 1, strings)] * facts.get("min", 1)
    if kind == "map":
        return {example(shape.key, depth + 1, strings): example(shape.value, depth + 1, strings)}
    if shape.name in strings:
        return strings[shape.name]
    if kind == "string":
        texts = [text if len(text) > 1 else text * max(facts.get("min", 1), 3) for text in PATTERN_STRINGS]
        matching = [text for text in texts if re.fullmatch(facts.get("pattern", ".*").strip("^$"), text)]
        return (shape.enum or matching or texts)[0]
    if kind in ("integer", "long"):
        return max(facts.get("min", 1), 1)
    if kind in ("float", "double"):
        return 1.0
    if kind == "boolean":
        return True
    if kind == "blob":
        return b"x" * max(facts.get("min", 1), 1)
    if kind == "timestamp":
        return 1_700_000_000
    raise AssertionError(f"no example of a {kind}")
