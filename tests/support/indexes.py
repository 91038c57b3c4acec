"""Tables with secondary indexes, and what an index should hold."""

import random

from support.tables import create_table


def keys(hash_key, *range_keys) -> list:
    """A KeySchema: one name or a tuple of names for the partition key, then those of the sort key."""
    names = [hash_key] if isinstance(hash_key, str) else list(hash_key)
    return [{"AttributeName": n, "KeyType": "HASH"} for n in names] + [
        {"AttributeName": n, "KeyType": "RANGE"} for n in range_keys]


def index(name, hash_key, *range_keys, project="ALL", include=None) -> dict:
    """An index as CreateTable takes it."""
    projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": include} if include else {"ProjectionType": project}
    return {"IndexName": name, "KeySchema": keys(hash_key, *range_keys), "Projection": projection}


def definitions(types) -> list:
    """AttributeDefinitions from `name=type`."""
    return [{"AttributeName": n, "AttributeType": t} for n, t in types.items()]


def indexed_table(dynamodb, *, local=(), more=(), types, **parameters) -> str:
    """A table with keys `pk` and `sk` and these indexes (`more` are the global ones)."""
    return create_table(
        dynamodb,
        sort_key=True,
        AttributeDefinitions=definitions({"pk": "S", "sk": "S"} | types),
        **({"LocalSecondaryIndexes": list(local)} if local else {}),
        **({"GlobalSecondaryIndexes": list(more)} if more else {}),
        **parameters,
    )


def scan_index(dynamodb, table, name, **parameters) -> list:
    """All entries of an index, page by page."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=table, IndexName=name, **parameters)
    return [entry for page in pages for entry in page["Items"]]


def expected_entries(items, description, types, table_keys=("pk", "sk")) -> list:
    """What an index must hold of these items, computed from its description alone."""
    names = [element["AttributeName"] for element in description["KeySchema"]]
    projection = description["Projection"]
    entries = []
    for item in items:
        if not all(name in item and types[name] in item[name] and item[name][types[name]] not in ("", b"") for name in names):
            continue
        wanted = {*table_keys, *names, *projection.get("NonKeyAttributes", [])}
        everything = projection["ProjectionType"] == "ALL"
        entries.append({name: value for name, value in item.items() if everything or name in wanted})
    return entries


def canonical(items) -> list:
    """Items in an order of their own, to compare lists of them."""
    return sorted(repr(sorted((k, repr(sorted(v.items()))) for k, v in item.items())) for item in items)


def write_at_random(dynamodb, table, seed, count, live=None) -> dict:
    """Puts, updates and deletes items of few keys; returns the items that there should be, by key."""
    chance = random.Random(seed)
    live = dict(live or {})
    for _ in range(count):
        key = {"pk": {"S": f"p{chance.randrange(4)}"}, "sk": {"S": f"s{chance.randrange(6)}"}}
        name = (key["pk"]["S"], key["sk"]["S"])
        attributes = {n: {"S": chance.choice("abcd") * chance.randrange(1, 4)} for n in "gh" if chance.random() < 0.7}
        attributes |= {"n": {"N": str(chance.randrange(-50, 50))}} if chance.random() < 0.6 else {}
        attributes |= {"extra": {"S": "x" * chance.randrange(1500)}} if chance.random() < 0.5 else {}
        match chance.randrange(5):
            case 0 | 1:
                dynamodb.put_item(TableName=table, Item=key | attributes)
                live[name] = key | attributes
            case 2:
                removed = chance.choice("ghn")
                dynamodb.update_item(
                    TableName=table, Key=key, UpdateExpression=f"SET extra = :o REMOVE {removed}",
                    ExpressionAttributeValues={":o": {"S": "updated"}})
                kept = {n: v for n, v in live.get(name, key).items() if n != removed}
                live[name] = kept | {"extra": {"S": "updated"}}
            case 3:
                dynamodb.delete_item(TableName=table, Key=key)
                live.pop(name, None)
            case 4:
                others = [k for k in live if k != name][:3]
                requests = [{"PutRequest": {"Item": key | attributes}}]
                requests += [{"DeleteRequest": {"Key": {"pk": {"S": p}, "sk": {"S": s}}}} for p, s in others[:1]]
                dynamodb.batch_write_item(RequestItems={table: requests})
                live[name] = key | attributes
                for other in others[:1]:
                    live.pop(other, None)
    return live
