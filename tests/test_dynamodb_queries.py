"""Query and Scan: ranges, order, pages, filters, segments."""

import random

import pytest
from support.tables import create_table, error_of, refused, scan_all, fill

PARTITIONS, PER_PARTITION = 5, 60


@pytest.fixture(scope="module")
def numbers(server):
    """A table with a numeric sort key: five partitions of sixty items, -30 to 29."""
    dynamodb = server.dynamodb
    table = create_table(
        dynamodb,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    items = [number_item(p, n - 30) for p in range(PARTITIONS) for n in range(PER_PARTITION)]
    random.Random(1).shuffle(items)
    for start in range(0, len(items), 25):
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": i}} for i in items[start:start + 25]]})
    return table


def number_item(p, n):
    return {"pk": {"S": f"p{p}"}, "sk": {"N": str(n)}, "even": {"BOOL": n % 2 == 0}, "pad": {"S": "x" * 50}}


def keys(answer):
    return [int(i["sk"]["N"]) for i in answer["Items"]]


def query(dynamodb, table, condition="pk = :p", p="p1", **parameters):
    values = {":p": {"S": p}} | parameters.pop("values", {})
    return dynamodb.query(TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values, **parameters)


RANGES = [
    ("pk = :p", {}, range(-30, 30)),
    ("pk = :p AND sk = :a", {":a": 7}, [7]),
    ("pk = :p AND sk < :a", {":a": -27}, range(-30, -27)),
    ("pk = :p AND sk <= :a", {":a": -27}, range(-30, -26)),
    ("pk = :p AND sk > :a", {":a": 26}, range(27, 30)),
    ("pk = :p AND sk >= :a", {":a": 26}, range(26, 30)),
    ("pk = :p AND sk BETWEEN :a AND :b", {":a": -2, ":b": 2}, range(-2, 3)),
    ("sk BETWEEN :a AND :b AND pk = :p", {":a": -2, ":b": 2}, range(-2, 3)),
    (":p = pk AND :a < sk", {":a": 26}, range(27, 30)),
    ("(pk = :p) AND (sk > :a)", {":a": 26}, range(27, 30)),
    ("pk = :p AND sk > :a", {":a": 100}, []),
]


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize(("condition", "values", "expected"), RANGES, ids=[r[0] for r in RANGES])
def test_ranges(dynamodb, numbers, condition, values, expected, forward):
    answer = query(
        dynamodb, numbers, condition, values={k: {"N": str(v)} for k, v in values.items()}, ScanIndexForward=forward)
    assert keys(answer) == (list(expected) if forward else list(expected)[::-1])
    assert answer["Count"] == answer["ScannedCount"] == len(expected)
    assert "LastEvaluatedKey" not in answer


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [1, 7, 59, 60])
def test_pages(dynamodb, numbers, limit, forward):
    """Pages of any size, in both directions, cover all once; a page that ends exactly at the end may need one more."""
    seen, start = [], {}
    while True:
        answer = query(dynamodb, numbers, Limit=limit, ScanIndexForward=forward, **start)
        assert len(answer["Items"]) <= limit
        seen += keys(answer)
        if "LastEvaluatedKey" not in answer:
            break
        assert answer["LastEvaluatedKey"] == {k: answer["Items"][-1][k] for k in ("pk", "sk")}
        start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
    assert seen == (list(range(-30, 30)) if forward else list(range(29, -31, -1)))


def test_filters_count_what_they_drop(dynamodb, numbers):
    answer = query(dynamodb, numbers, FilterExpression="even = :t", values={":t": {"BOOL": True}}, Limit=10)
    assert (answer["Count"], answer["ScannedCount"]) == (5, 10)
    assert all(i["even"]["BOOL"] for i in answer["Items"]) and "LastEvaluatedKey" in answer
    none = query(dynamodb, numbers, FilterExpression="even = :t", values={":t": {"S": "no such"}})
    assert (none["Count"], none["ScannedCount"], none["Items"]) == (0, 60, [])


def test_select_and_projection(dynamodb, numbers):
    counted = query(dynamodb, numbers, Select="COUNT")
    assert counted["Count"] == 60 and "Items" not in counted
    projected = query(dynamodb, numbers, ProjectionExpression="sk", Limit=2)
    assert projected["Items"] == [{"sk": {"N": "-30"}}, {"sk": {"N": "-29"}}]


def test_pages_end_at_one_megabyte(dynamodb):
    table = create_table(dynamodb, sort_key=True)
    for n in range(12):
        dynamodb.put_item(TableName=table, Item={"pk": {"S": "p"}, "sk": {"S": f"{n:02}"}, "v": {"S": "x" * 200_000}})
    for call, extra in ((dynamodb.query, {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "p"}}}), (dynamodb.scan, {})):
        sizes, start = [], {}
        while True:
            answer = call(TableName=table, **extra, **start)
            sizes.append(answer["Count"])
            if "LastEvaluatedKey" not in answer:
                break
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        assert sizes == [6, 6] or sizes == [6, 6, 0] or sizes == [5, 5, 2], sizes


def test_string_and_binary_sort_keys(dynamodb):
    """Strings sort by their UTF-8 bytes, binaries as unsigned bytes; begins_with works on both."""
    strings = create_table(dynamodb, sort_key=True)
    values = ["", "a", "a\0", "aa", "ab", "b", "Z", "ä", "漢", "\uffff", "\U0001f600", "\x7f"][1:]
    for value in values:
        dynamodb.put_item(TableName=strings, Item={"pk": {"S": "p"}, "sk": {"S": value}})
    got = [i["sk"]["S"] for i in query(dynamodb, strings, p="p")["Items"]]
    assert got == sorted(values, key=lambda v: v.encode())
    got = [i["sk"]["S"] for i in query(dynamodb, strings, "pk = :p AND begins_with(sk, :a)", p="p", values={":a": {"S": "a"}})["Items"]]
    assert got == ["a", "a\0", "aa", "ab"]
    binaries = create_table(
        dynamodb,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "B"}, {"AttributeName": "sk", "AttributeType": "B"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    values = [b"\0", b"\0\0", b"\0\xff", b"\x01", b"\x7f", b"\x80", b"\xff", b"\xff\0", b"\xff\xff"]
    for value in reversed(values):
        dynamodb.put_item(TableName=binaries, Item={"pk": {"B": b"\xffp"}, "sk": {"B": value}})
    answer = dynamodb.query(TableName=binaries, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"B": b"\xffp"}})
    assert [i["sk"]["B"] for i in answer["Items"]] == values
    answer = dynamodb.query(
        TableName=binaries, KeyConditionExpression="pk = :p AND begins_with(sk, :x)",
        ExpressionAttributeValues={":p": {"B": b"\xffp"}, ":x": {"B": b"\xff"}})
    assert [i["sk"]["B"] for i in answer["Items"]] == values[-3:]


def test_number_sort_keys_sort_by_value(dynamodb):
    table = create_table(
        dynamodb,
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "N"}, {"AttributeName": "sk", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    values = ["-9.9E125", "-100", "-99.5", "-1E-130", "0", "1E-130", "0.001", "1", "9", "10", "10.5", "9.9E125"]
    for value in reversed(values):
        dynamodb.put_item(TableName=table, Item={"pk": {"N": "1.0"}, "sk": {"N": value}})
    from decimal import Decimal

    answer = dynamodb.query(TableName=table, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"N": "1"}})
    assert [Decimal(i["sk"]["N"]) for i in answer["Items"]] == [Decimal(v) for v in values]


BAD = [
    ({}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
    ({"KeyConditionExpression": "sk = :a", "ExpressionAttributeValues": {":a": {"N": "1"}}}, "Query condition missed key schema element: pk"),
    ({"KeyConditionExpression": "pk = :p AND extra = :a", "ExpressionAttributeValues": {":p": {"S": "p"}, ":a": {"N": "1"}}}, "Query condition missed key schema element: sk"),
    ({"KeyConditionExpression": "pk = :p AND sk > :a AND sk < :b", "ExpressionAttributeValues": {":p": {"S": "p"}, ":a": {"N": "1"}, ":b": {"N": "5"}}}, "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key"),
    ({"KeyConditionExpression": "pk = :p AND sk > :a AND extra = :b", "ExpressionAttributeValues": {":p": {"S": "p"}, ":a": {"N": "1"}, ":b": {"N": "5"}}}, "The number of query conditions (3) exceeds the number of key attributes defined in the schema (2)"),
    ({"KeyConditionExpression": "pk > :p", "ExpressionAttributeValues": {":p": {"S": "p"}}}, "Query key condition not supported"),
    ({"KeyConditionExpression": "pk = :p OR sk = :a", "ExpressionAttributeValues": {":p": {"S": "p"}, ":a": {"N": "1"}}}, "Invalid operator used in KeyConditionExpression: OR"),
    ({"KeyConditionExpression": "pk = :p AND sk <> :a", "ExpressionAttributeValues": {":p": {"S": "p"}, ":a": {"N": "1"}}}, "Invalid operator used in KeyConditionExpression: <>"),
    ({"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"N": "1"}}}, "One or more parameter values were invalid: Condition parameter type does not match schema type"),
    ({"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": ""}}}, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"),
    ({"KeyConditionExpression": "pk = :p", "FilterExpression": "sk > :a", "ExpressionAttributeValues": {":p": {"S": "p"}, ":a": {"N": "1"}}}, "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk"),
    ({"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "p"}}, "IndexName": "none"}, "The table does not have the specified index: none"),
    ({"KeyConditionExpression": "", "FilterExpression": "", "ProjectionExpression": ""}, "Invalid KeyConditionExpression: The expression can not be empty;"),
]


@pytest.mark.parametrize(("parameters", "message"), BAD, ids=[b[1][:60] for b in BAD])
def test_bad_queries(dynamodb, numbers, parameters, message):
    with refused("ValidationException", message):
        dynamodb.query(TableName=numbers, **parameters)


def test_limit_is_checked(server, numbers):
    dynamodb = server.client("dynamodb", parameter_validation=False)
    constraint = "failed to satisfy constraint: Member must have value greater than or equal to 1"
    with refused("ValidationException", f"1 validation error detected: Value at 'Limit' {constraint}"):
        query(dynamodb, numbers, Limit=0)
    with refused("ValidationException", f"1 validation error detected: Value '0' at 'limit' {constraint}"):
        dynamodb.scan(TableName=numbers, Limit=0)


def test_scan_pages_cover_everything_once(dynamodb, numbers):
    for limit in (7, 100):
        pages = dynamodb.get_paginator("scan").paginate(TableName=numbers, PaginationConfig={"PageSize": limit})
        seen = [(i["pk"]["S"], i["sk"]["N"]) for page in pages for i in page["Items"]]
        assert len(seen) == len(set(seen)) == PARTITIONS * PER_PARTITION
        by_partition = [pk for n, (pk, _) in enumerate(seen) if n == 0 or seen[n - 1][0] != pk]
        assert len(by_partition) == PARTITIONS, "a partition's items are together"


@pytest.mark.parametrize("segments", [1, 2, 3, 8, 100])
def test_parallel_segments_cover_everything_once(dynamodb, numbers, segments):
    wide = create_table(dynamodb) if segments == 3 else None
    if wide:
        written = fill(dynamodb, wide, 200)
        found = [scan_all(dynamodb, wide, Segment=s, TotalSegments=3) for s in range(3)]
        assert sum(len(f) for f in found) == 200 and {k for f in found for k in f} == set(written)
        assert all(len(f) > 20 for f in found), "the segments share the work"
    seen = []
    for segment in range(segments):
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=numbers, Segment=segment, TotalSegments=segments, PaginationConfig={"PageSize": 50})
        seen += [(i["pk"]["S"], i["sk"]["N"]) for page in pages for i in page["Items"]]
    assert len(seen) == len(set(seen)) == PARTITIONS * PER_PARTITION


def test_bad_segments(server, numbers):
    dynamodb = server.client("dynamodb", parameter_validation=False)
    with refused("ValidationException", "The TotalSegments parameter is required but was not present in the request when Segment parameter is present"):
        dynamodb.scan(TableName=numbers, Segment=0)
    with refused("ValidationException", "The Segment parameter is required but was not present in the request when parameter TotalSegments is present"):
        dynamodb.scan(TableName=numbers, TotalSegments=2)
    with refused("ValidationException", "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less than TotalSegments: 2"):
        dynamodb.scan(TableName=numbers, Segment=2, TotalSegments=2)


def test_start_keys_are_checked(dynamodb, numbers):
    for key in ({"pk": {"S": "p1"}}, {"pk": {"S": "p1"}, "sk": {"S": "1"}}, {"other": {"S": "p1"}}):
        assert error_of(query, dynamodb, numbers, ExclusiveStartKey=key)[0] == "ValidationException", key
    assert error_of(query, dynamodb, numbers, ExclusiveStartKey={"pk": {"S": "other"}, "sk": {"N": "1"}})[0] == "ValidationException"


def test_capacity_of_queries(dynamodb, numbers):
    consistent = query(dynamodb, numbers, ConsistentRead=True, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    eventual = query(dynamodb, numbers, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert consistent["CapacityUnits"] == 2 * eventual["CapacityUnits"] >= 1
