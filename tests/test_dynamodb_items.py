"""Items: every type, every number, sizes, conditions, updates, projections, batches."""

import random
from decimal import Decimal

import pytest
from support.tables import create_table, error_of, fill, item, refused, unique

# What PutItem, UpdateItem and DeleteItem put before what they find wrong with a request itself.
DETECTED = "1 validation error detected: "
PREFIX = "One or more parameter values were invalid: "
EVERY_TYPE = {
    "s": {"S": "text ä 漢 \U0001f600 \u0000 \" \\ \n"},
    "empty": {"S": ""},
    "n": {"N": "-12.5"},
    "b": {"B": bytes(range(256))},
    "empty_b": {"B": b""},
    "t": {"BOOL": True},
    "f": {"BOOL": False},
    "null": {"NULL": True},
    "ss": {"SS": ["a", "b", ""]},
    "ns": {"NS": ["1", "2.5", "-3"]},
    "bs": {"BS": [b"a", b"", b"\xff"]},
    "l": {"L": [{"S": "x"}, {"N": "1"}, {"L": []}, {"M": {}}]},
    "m": {"M": {"a": {"M": {"b": {"L": [{"NULL": True}]}}}}},
}


@pytest.fixture(scope="module")
def table(server):
    return create_table(server.dynamodb)


def unordered(value):
    """Sets have no order: compare them sorted."""
    if isinstance(value, dict):
        return {k: sorted(v) if k in ("SS", "NS", "BS") else unordered(v) for k, v in value.items()}
    return [unordered(v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("consistent", [True, False])
def test_every_type_comes_back(dynamodb, table, consistent):
    written = EVERY_TYPE | item(unique("types"))
    dynamodb.put_item(TableName=table, Item=written)
    read = dynamodb.get_item(TableName=table, Key={"pk": written["pk"]}, ConsistentRead=consistent)
    assert unordered(read["Item"]) == unordered(written)


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("0", "0"), ("-0", "0"), ("000", "0"), ("1.0", "1"), ("0.10", "0.1"), ("1e2", "100"), ("1E-2", "0.01"), ("+5", "5"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001"),
        ("9.9999999999999999999999999999999999999E+125", "99999999999999999999999999999999999999" + "0" * 88),
        ("1E-130", "0." + "0" * 129 + "1"),
        ("-1E-130", "-0." + "0" * 129 + "1"),
    ],
)
def test_numbers_lose_nothing(dynamodb, table, typed, stored):
    pk = unique("number")
    dynamodb.put_item(TableName=table, Item=item(pk) | {"n": {"N": typed}})
    read = dynamodb.get_item(TableName=table, Key=item(pk))["Item"]["n"]["N"]
    assert Decimal(read) == Decimal(stored) and read == stored


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("abc", "The parameter cannot be converted to a numeric value: abc"),
        ("", "The parameter cannot be converted to a numeric value: "),
        ("1" * 39, "Attempting to store more than 38 significant digits in a Number"),
        ("1E126", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
        ("1E-131", "Number underflow. Attempting to store a number with magnitude smaller than supported range"),
        ("1e99999999999", "Number overflow. Attempting to store a number with magnitude larger than supported range"),
    ],
)
def test_numbers_that_are_refused(dynamodb, table, number, message):
    with refused("ValidationException", DETECTED + message):
        dynamodb.put_item(TableName=table, Item=item("x") | {"n": {"N": number}})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        ({"S": "a", "N": "1"}, "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"),
        ({"SS": []}, DETECTED + PREFIX + "An string set  may not be empty"),
        ({"NS": []}, DETECTED + PREFIX + "An number set  may not be empty"),
        ({"SS": ["a", "a"]}, DETECTED + PREFIX + 'Input collection ["a", "a"] contains duplicates.'),
        ({"NS": ["1", "1.0"]}, DETECTED + PREFIX + "Input collection contains duplicates."),
        ({"NULL": False}, DETECTED + PREFIX + "Null attribute value types must have the value of true"),
        ({"M": {"": {"S": "a"}}}, DETECTED + PREFIX + "Empty attribute name"),
        ({"L": [{"M": {"n" * 65_536: {"S": "a"}}}]}, DETECTED + PREFIX + "Attribute name is too large, must be less than 65536 bytes"),
    ],
)
def test_values_that_are_refused(server, table, value, message):
    dynamodb = server.client("dynamodb", parameter_validation=False)
    with refused("ValidationException", message):
        dynamodb.put_item(TableName=table, Item=item("x") | {"v": value})


def test_keys_must_fit_the_schema(dynamodb, table):
    with refused("ValidationException", PREFIX + "Missing the key pk in the item"):
        dynamodb.put_item(TableName=table, Item={"other": {"S": "a"}})
    with refused("ValidationException", PREFIX + "Type mismatch for key pk expected: S actual: N"):
        dynamodb.put_item(TableName=table, Item={"pk": {"N": "1"}})
    for key in ({"pk": {"N": "1"}}, {"other": {"S": "a"}}, {"pk": {"S": "a"}, "more": {"S": "b"}}):
        with refused("ValidationException", "The provided key element does not match the schema"):
            dynamodb.get_item(TableName=table, Key=key)
    with refused(
        "ValidationException",
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
    ):
        dynamodb.put_item(TableName=table, Item=item(""))
    with refused("ValidationException", containing=["Size of hashkey has exceeded the maximum size limit of2048 bytes"]):
        dynamodb.put_item(TableName=table, Item=item("x" * 2049))


def test_items_up_to_400_kb(dynamodb, table):
    """Names count too: pk (2) + its value (2) + name (1) + value."""
    most = 400 * 1024 - 2 - 2 - 1
    dynamodb.put_item(TableName=table, Item=item("sz", v="x" * most))
    assert len(dynamodb.get_item(TableName=table, Key=item("sz"))["Item"]["v"]["S"]) == most
    with refused("ValidationException", "Item size has exceeded the maximum allowed size"):
        dynamodb.put_item(TableName=table, Item=item("sz", v="x" * (most + 1)))
    with refused("ValidationException", "Item size to update has exceeded the maximum allowed size"):
        dynamodb.update_item(TableName=table, Key=item("sz"), UpdateExpression="SET w = :w", ExpressionAttributeValues={":w": {"S": "x"}})


def test_nesting_up_to_32(dynamodb, table):
    def nested(levels):
        value = {"S": "x"}
        for _ in range(levels):
            value = {"L": [value]}
        return value

    dynamodb.put_item(TableName=table, Item=item("nest") | {"v": nested(31)})
    assert dynamodb.get_item(TableName=table, Key=item("nest"))["Item"]["v"] == nested(31)
    with refused("ValidationException", containing=["Nesting Levels have exceeded supported limits"]):
        dynamodb.put_item(TableName=table, Item=item("nest") | {"v": nested(33)})


def test_return_values_of_put_and_delete(dynamodb, table):
    pk = unique("return")
    assert "Attributes" not in dynamodb.put_item(TableName=table, Item=item(pk, v="1"), ReturnValues="ALL_OLD")
    assert dynamodb.put_item(TableName=table, Item=item(pk, v="2"), ReturnValues="ALL_OLD")["Attributes"] == item(pk, v="1")
    assert "Attributes" not in dynamodb.put_item(TableName=table, Item=item(pk, v="3"))
    assert dynamodb.delete_item(TableName=table, Key=item(pk), ReturnValues="ALL_OLD")["Attributes"] == item(pk, v="3")
    assert "Attributes" not in dynamodb.delete_item(TableName=table, Key=item(pk), ReturnValues="ALL_OLD")
    with refused("ValidationException", DETECTED + "ReturnValues can only be ALL_OLD or NONE"):
        dynamodb.put_item(TableName=table, Item=item(pk), ReturnValues="ALL_NEW")


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("NONE", None),
        ("ALL_OLD", {"pk", "a", "b"}),
        ("ALL_NEW", {"pk", "a", "b", "c"}),
        ("UPDATED_OLD", {"a"}),
        ("UPDATED_NEW", {"a", "c"}),
    ],
)
def test_return_values_of_update(dynamodb, table, returned, expected):
    pk = unique("update")
    dynamodb.put_item(TableName=table, Item=item(pk, a="1", b="2"))
    answer = dynamodb.update_item(
        TableName=table, Key=item(pk), UpdateExpression="SET a = :x, c = :x", ExpressionAttributeValues={":x": {"S": "9"}},
        ReturnValues=returned)
    assert (set(answer["Attributes"]) if expected else answer.get("Attributes")) == expected


UPDATES = [
    ("SET a = :one", {":one": {"N": "1"}}, {"a": {"N": "1"}}),
    ("SET n = n + :one", {":one": {"N": "1"}}, {"n": {"N": "11"}}),
    ("SET n = n - :one", {":one": {"N": "0.5"}}, {"n": {"N": "9.5"}}),
    ("SET a = if_not_exists(a, :one), n = if_not_exists(n, :one)", {":one": {"N": "1"}}, {"a": {"N": "1"}, "n": {"N": "10"}}),
    ("SET l = list_append(l, :more)", {":more": {"L": [{"S": "z"}]}}, {"l": {"L": [{"S": "x"}, {"S": "y"}, {"S": "z"}]}}),
    ("SET l = list_append(:more, l)", {":more": {"L": [{"S": "z"}]}}, {"l": {"L": [{"S": "z"}, {"S": "x"}, {"S": "y"}]}}),
    ("SET l[0] = :v", {":v": {"S": "0"}}, {"l": {"L": [{"S": "0"}, {"S": "y"}]}}),
    ("SET l[9] = :v", {":v": {"S": "9"}}, {"l": {"L": [{"S": "x"}, {"S": "y"}, {"S": "9"}]}}),
    ("SET m.deep.x = :v", {":v": {"S": "new"}}, {"m": {"M": {"deep": {"M": {"x": {"S": "new"}}}}}}),
    ("SET a = n, n = :one", {":one": {"N": "1"}}, {"a": {"N": "10"}, "n": {"N": "1"}}),
    ("REMOVE n", None, {"n": None}),
    ("REMOVE l[0], l[1]", None, {"l": {"L": []}}),
    ("REMOVE nothing", None, {}),
    ("ADD n :one", {":one": {"N": "5"}}, {"n": {"N": "15"}}),
    ("ADD fresh :one", {":one": {"N": "5"}}, {"fresh": {"N": "5"}}),
    ("ADD ss :s", {":s": {"SS": ["b", "c"]}}, {"ss": {"SS": ["a", "b", "c"]}}),
    ("DELETE ss :s", {":s": {"SS": ["a"]}}, {"ss": {"SS": ["b"]}}),
    ("DELETE ss :s", {":s": {"SS": ["a", "b"]}}, {"ss": None}),
    ("SET a = :s REMOVE n ADD ss :ss DELETE t :ss", {":s": {"S": "q"}, ":ss": {"SS": ["c"]}},
     {"a": {"S": "q"}, "n": None, "ss": {"SS": ["a", "b", "c"]}, "t": {"SS": ["d"]}}),
]
START = {
    "n": {"N": "10"}, "l": {"L": [{"S": "x"}, {"S": "y"}]}, "m": {"M": {"deep": {"M": {}}}}, "ss": {"SS": ["a", "b"]},
    "t": {"SS": ["c", "d"]},
}


@pytest.mark.parametrize(("expression", "values", "changes"), UPDATES, ids=[u[0] for u in UPDATES])
def test_updates(dynamodb, table, expression, values, changes):
    pk = unique("u")
    dynamodb.put_item(TableName=table, Item=item(pk) | START)
    extra = {"ExpressionAttributeValues": values} if values else {}
    dynamodb.update_item(TableName=table, Key=item(pk), UpdateExpression=expression, **extra)
    expected = {k: v for k, v in (item(pk) | START | changes).items() if v is not None}
    assert unordered(dynamodb.get_item(TableName=table, Key=item(pk))["Item"]) == unordered(expected)


BAD_UPDATES = [
    ("SET a = :x", None, "Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :x"),
    ("SET #a = :x", {":x": {"S": "x"}}, "Invalid UpdateExpression: An expression attribute name used in the document path is not defined; attribute name: #a"),
    ("SET a = :x, a = :x", {":x": {"S": "x"}}, "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"),
    ("SET pk = :x", {":x": {"S": "x"}}, PREFIX + "Cannot update attribute pk. This attribute is part of the key"),
    ("SET a = b", None, "The provided expression refers to an attribute that does not exist in the item"),
    ("SET n.x = :x", {":x": {"S": "x"}}, "The document path provided in the update expression is invalid for update"),
    ("SET n = n + :x", {":x": {"S": "x"}}, "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S"),
    ("SET ss = ss + :x", {":x": {"N": "1"}}, "An operand in the update expression has an incorrect data type"),
    ("SET", None, 'Invalid UpdateExpression: Syntax error; token: "<EOF>", near: "SET"'),
    ("", None, "Invalid UpdateExpression: The expression can not be empty;"),
    ("SET a = :x SET b = :x", {":x": {"S": "x"}}, 'Invalid UpdateExpression: The "SET" section can only be used once in an update expression;'),
    ("SET name = :x", {":x": {"S": "x"}}, "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name"),
    ("SET a = :x", {":x": {"S": "x"}, ":y": {"S": "y"}}, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:y}"),
    ("ADD m :x", {":x": {"N": "1"}}, "An operand in the update expression has an incorrect data type"),
]


@pytest.mark.parametrize(("expression", "values", "message"), BAD_UPDATES, ids=[u[0] or "empty" for u in BAD_UPDATES])
def test_bad_updates(dynamodb, table, expression, values, message):
    pk = unique("u")
    dynamodb.put_item(TableName=table, Item=item(pk) | START)
    extra = {"ExpressionAttributeValues": values} if values else {}
    about_the_item = ("The", "An operand", PREFIX)
    with refused("ValidationException", message if message.startswith(about_the_item) else DETECTED + message):
        dynamodb.update_item(TableName=table, Key=item(pk), UpdateExpression=expression, **extra)
    assert unordered(dynamodb.get_item(TableName=table, Key=item(pk))["Item"]) == unordered(item(pk) | START)


def test_update_makes_an_item(dynamodb, table):
    pk = unique("fresh")
    dynamodb.update_item(TableName=table, Key=item(pk))
    assert dynamodb.get_item(TableName=table, Key=item(pk))["Item"] == item(pk)


CONDITIONS = [
    ("attribute_exists(n)", True), ("attribute_not_exists(n)", False), ("attribute_type(n, :N)", True),
    ("attribute_type(n, :S)", False), ("begins_with(s, :te)", True), ("begins_with(s, :x)", False),
    ("contains(s, :ex)", True), ("contains(ss, :a)", True), ("contains(l, :x)", True), ("contains(ss, :x)", False),
    ("size(s) = :four", True), ("size(l) > :four", False), ("n = :ten", True), ("n <> :ten", False), ("n < :ten", False),
    ("n <= :ten", True), ("n BETWEEN :four AND :ten", True), ("n IN (:four, :ten)", True), ("NOT n = :four", True),
    ("n = :ten AND s = :x", False), ("n = :ten OR s = :x", True), ("(n = :four OR n = :ten) AND NOT s = :x", True),
    ("s < :ten", False), ("absent = :ten", False), ("absent <> :ten", True), ("m.k[1] = :x", True), ("n = :tenx", True),
]
OPERANDS = {
    ":N": {"S": "N"}, ":S": {"S": "S"}, ":te": {"S": "te"}, ":x": {"S": "x"}, ":ex": {"S": "ex"}, ":a": {"S": "a"},
    ":four": {"N": "4"}, ":ten": {"N": "10"}, ":tenx": {"N": "10.000"},
}


@pytest.mark.parametrize(("condition", "holds"), CONDITIONS, ids=[c[0] for c in CONDITIONS])
def test_conditions(dynamodb, table, condition, holds):
    import re

    pk = unique("c")
    start = item(pk, s="text") | {
        "n": {"N": "10"}, "ss": {"SS": ["a"]}, "l": {"L": [{"S": "x"}]}, "m": {"M": {"k": {"L": [{"S": "w"}, {"S": "x"}]}}}}
    dynamodb.put_item(TableName=table, Item=start)
    used = {k: OPERANDS[k] for k in re.findall(r":\w+", condition)}
    extra = {"ExpressionAttributeValues": used} if used else {}
    call = lambda: dynamodb.delete_item(TableName=table, Key=item(pk), ConditionExpression=condition, **extra)  # noqa: E731
    if holds:
        call()
    else:
        with refused("ConditionalCheckFailedException", "The conditional request failed"):
            call()
    assert ("Item" in dynamodb.get_item(TableName=table, Key=item(pk))) is not holds


def test_a_failed_condition_can_return_the_item(dynamodb, table):
    pk = unique("c")
    dynamodb.put_item(TableName=table, Item=item(pk, v="1"))
    with refused("ConditionalCheckFailedException") as refusal:
        dynamodb.put_item(
            TableName=table, Item=item(pk, v="2"), ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert refusal.response["Item"] == item(pk, v="1")


def test_bad_conditions(dynamodb, table):
    for condition, message in (
        ("", "Invalid ConditionExpression: The expression can not be empty;"),
        ("a =", 'Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "="'),
        ("a ! b", 'Invalid ConditionExpression: Syntax error; token: "!", near: "a ! b"'),
        ("nonsense(a)", "Invalid ConditionExpression: Invalid function name; function: nonsense"),
    ):
        with refused("ValidationException", DETECTED + message):
            dynamodb.put_item(TableName=table, Item=item("x"), ConditionExpression=condition)


def test_counters_lose_nothing(server, table):
    """Eight threads add to one counter; each answer is a number of its own."""
    from support.server import Background
    from support.tables import wait_until

    pk, dynamodb, seen = unique("counter"), server.dynamodb, []

    def add(*_):
        answer = dynamodb.update_item(
            TableName=table, Key=item(pk), UpdateExpression="ADD n :one", ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="UPDATED_NEW")
        seen.append(int(answer["Attributes"]["n"]["N"]))

    with Background(add, 8) as load:
        wait_until(lambda: load.done > 400, "400 additions", 30)
    assert load.failures == []
    assert sorted(seen) == list(range(1, len(seen) + 1))
    assert int(dynamodb.get_item(TableName=table, Key=item(pk), ConsistentRead=True)["Item"]["n"]["N"]) == len(seen)


def test_only_one_creator_wins(server, table):
    from concurrent.futures import ThreadPoolExecutor

    dynamodb = server.dynamodb
    for _ in range(10):
        pk = unique("once")

        def create(n, pk=pk):
            return error_of(dynamodb.put_item, TableName=table, Item=item(pk, by=str(n)), ConditionExpression="attribute_not_exists(pk)")

        with ThreadPoolExecutor(8) as pool:
            errors = list(pool.map(create, range(8)))
        assert errors.count(None) == 1
        winner = str(errors.index(None))
        assert dynamodb.get_item(TableName=table, Key=item(pk), ConsistentRead=True)["Item"]["by"]["S"] == winner


def test_projections(dynamodb, table):
    pk = unique("p")
    dynamodb.put_item(
        TableName=table,
        Item=item(pk, a="1") | {"m": {"M": {"x": {"S": "1"}, "y": {"S": "2"}}}, "l": {"L": [{"S": "0"}, {"S": "1"}, {"S": "2"}]}})

    def project(expression, **names):
        extra = {"ExpressionAttributeNames": names} if names else {}
        return dynamodb.get_item(TableName=table, Key=item(pk), ProjectionExpression=expression, **extra).get("Item")

    assert project("a, pk") == item(pk, a="1")
    assert project("m.x, l[2], l[0]") == {"m": {"M": {"x": {"S": "1"}}}, "l": {"L": [{"S": "0"}, {"S": "2"}]}}
    assert project("#a", **{"#a": "a"}) == {"a": {"S": "1"}}
    assert project("absent") in ({}, None)
    with refused("ValidationException", "Invalid ProjectionExpression: Attribute name is a reserved keyword; reserved keyword: name"):
        project("name")
    with refused("ValidationException", "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"):
        project("a", **{"#b": "b"})


def test_batches(dynamodb, table):
    other = create_table(dynamodb)
    keys = [item(unique("batch")) for _ in range(20)]
    answer = dynamodb.batch_write_item(RequestItems={
        table: [{"PutRequest": {"Item": k | {"v": {"S": "1"}}}} for k in keys], other: [{"PutRequest": {"Item": keys[0]}}]})
    assert answer["UnprocessedItems"] == {}
    dynamodb.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": keys[0]}}]})
    got = dynamodb.batch_get_item(RequestItems={
        table: {"Keys": keys, "ProjectionExpression": "pk", "ConsistentRead": True}, other: {"Keys": keys[:1]}})
    assert sorted(i["pk"]["S"] for i in got["Responses"][table]) == sorted(k["pk"]["S"] for k in keys[1:])
    assert got["Responses"][other] == [keys[0]] and got["UnprocessedKeys"] == {}
    with refused("ValidationException", "Provided list of item keys contains duplicates"):
        dynamodb.batch_get_item(RequestItems={table: {"Keys": [keys[0], keys[0]]}})
    with refused("ValidationException", "Provided list of item keys contains duplicates"):
        dynamodb.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": keys[1]}}, {"PutRequest": {"Item": keys[1]}}]})
    assert error_of(dynamodb.batch_get_item, RequestItems={table: {"Keys": [item(str(n)) for n in range(101)]}})[0] == "ValidationException"
    assert error_of(dynamodb.batch_write_item, RequestItems={table: [{"PutRequest": {"Item": item(str(n))}} for n in range(26)]})[0] == "ValidationException"


def test_a_batch_judges_its_values_before_it_looks_for_tables(dynamodb):
    def put(value):
        return error_of(dynamodb.batch_write_item, RequestItems={unique("absent"): [{"PutRequest": {"Item": item("a") | {"v": value}}}]})

    assert put({"N": "b"}) == ("ValidationException", "The parameter cannot be converted to a numeric value: b")
    assert put({"S": "a" * 409_600}) == ("ValidationException", "Item size has exceeded the maximum allowed size")
    assert put({"S": "a"}) == ("ResourceNotFoundException", "Requested resource not found")


def test_a_batch_get_stops_at_16_mb(dynamodb):
    table = create_table(dynamodb)
    for n in range(45):
        dynamodb.put_item(TableName=table, Item=item(f"k{n}", v="x" * 390_000))
    wanted, seen, rounds = {table: {"Keys": [item(f"k{n}") for n in range(45)]}}, set(), 0
    while wanted:
        answer = dynamodb.batch_get_item(RequestItems=wanted)
        page = {i["pk"]["S"] for i in answer["Responses"][table]}
        assert page and not page & seen
        seen, wanted, rounds = seen | page, answer["UnprocessedKeys"], rounds + 1
    assert len(seen) == 45 and rounds == 2


def test_consumed_capacity(dynamodb, table):
    pk = unique("cap")
    put = dynamodb.put_item(TableName=table, Item=item(pk, v="x" * 3000), ReturnConsumedCapacity="TOTAL")
    assert put["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": 3.0}
    for consistent, units in ((True, 1.0), (False, 0.5)):
        got = dynamodb.get_item(TableName=table, Key=item(pk), ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
        assert got["ConsumedCapacity"] == {"TableName": table, "CapacityUnits": units}
    indexes = dynamodb.get_item(TableName=table, Key=item(pk), ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert indexes == {"TableName": table, "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}
    assert "ConsumedCapacity" not in dynamodb.get_item(TableName=table, Key=item(pk))


def test_random_operations_against_a_dict(dynamodb):
    """Two thousand random writes and reads agree with a dictionary."""
    table, model, rng = create_table(dynamodb), {}, random.Random(7)
    for turn in range(1_000):
        pk = f"k{rng.randrange(40)}"
        choice = rng.randrange(4)
        if choice == 0:
            model[pk] = item(pk, v=str(turn))
            dynamodb.put_item(TableName=table, Item=model[pk])
        elif choice == 1:
            dynamodb.delete_item(TableName=table, Key=item(pk))
            model.pop(pk, None)
        elif choice == 2:
            dynamodb.update_item(TableName=table, Key=item(pk), UpdateExpression="SET u = :u", ExpressionAttributeValues={":u": {"N": str(turn)}})
            model[pk] = model.get(pk, item(pk)) | {"u": {"N": str(turn)}}
        else:
            assert dynamodb.get_item(TableName=table, Key=item(pk), ConsistentRead=True).get("Item") == model.get(pk)
    scanned = {i["pk"]["S"]: i for i in dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]}
    assert scanned == model


def test_item_counts(dynamodb):
    table = create_table(dynamodb)
    fill(dynamodb, table, 30)
    assert dynamodb.scan(TableName=table, Select="COUNT")["Count"] == 30


def test_names_stand_for_attributes_in_every_expression(dynamodb):
    """Reserved words and dots are reached through `ExpressionAttributeNames`, wherever an operation takes expressions."""
    table = create_table(dynamodb)
    names, values = {"#n": "name", "#d": "a.b"}, {":x": {"S": "x"}}
    condition = "attribute_not_exists(#n) OR #d = :x"
    first = item("a", name="x") | {"a.b": {"S": "x"}}
    dynamodb.put_item(TableName=table, Item=first, ConditionExpression=condition, ExpressionAttributeNames=names, ExpressionAttributeValues=values)
    found = dynamodb.query(
        TableName=table, KeyConditionExpression="#k = :k", FilterExpression="#d = :x", ProjectionExpression="#n",
        ExpressionAttributeNames=names | {"#k": "pk"}, ExpressionAttributeValues=values | {":k": {"S": "a"}})
    assert found["Items"] == [{"name": {"S": "x"}}]
    found = dynamodb.scan(
        TableName=table, FilterExpression="#n = :x", ProjectionExpression="#d", ExpressionAttributeNames=names,
        ExpressionAttributeValues=values)
    assert found["Items"] == [{"a.b": {"S": "x"}}]
    dynamodb.update_item(
        TableName=table, Key=item("a"), UpdateExpression="SET #n = :y", ConditionExpression="#d = :x",
        ExpressionAttributeNames=names, ExpressionAttributeValues=values | {":y": {"S": "y"}})
    missing = {"ConditionExpression": "#n = :x", "ExpressionAttributeValues": values}
    with refused("ConditionalCheckFailedException"):
        dynamodb.delete_item(TableName=table, Key=item("a"), ExpressionAttributeNames={"#n": "name"}, **missing)
    dynamodb.delete_item(
        TableName=table, Key=item("a"), ConditionExpression="#d = :x", ExpressionAttributeNames={"#d": "a.b"},
        ExpressionAttributeValues=values)
    assert dynamodb.scan(TableName=table)["Count"] == 0
    # Writes count their errors.
    counted = "1 validation error detected: "
    undefined = "Invalid {}: An expression attribute name used in the document path is not defined; attribute name: #n"
    for call, kind in (
        (lambda: dynamodb.put_item(TableName=table, Item=first, ExpressionAttributeNames={"#d": "a"}, **missing), "ConditionExpression"),
        (lambda: dynamodb.delete_item(TableName=table, Key=item("a"), ExpressionAttributeNames={"#d": "a"}, **missing), "ConditionExpression"),
        (lambda: dynamodb.update_item(TableName=table, Key=item("a"), UpdateExpression="SET #n = :x", ExpressionAttributeNames={"#d": "a"},
                                      ExpressionAttributeValues=values), "UpdateExpression"),
        (lambda: dynamodb.scan(TableName=table, FilterExpression="#n = :x", ExpressionAttributeNames={"#d": "a"},
                               ExpressionAttributeValues=values), "FilterExpression"),
        (lambda: dynamodb.query(TableName=table, KeyConditionExpression="#n = :x", ExpressionAttributeNames={"#d": "a"},
                                ExpressionAttributeValues=values), "KeyConditionExpression"),
    ):
        is_read = kind in ("FilterExpression", "KeyConditionExpression")
        with refused("ValidationException", ("" if is_read else counted) + undefined.format(kind)):
            call()


def test_an_update_happens_only_on_its_condition(dynamodb):
    table = create_table(dynamodb)
    dynamodb.put_item(TableName=table, Item=item("a", v="1"))

    def update(expected, told):
        return dynamodb.update_item(
            TableName=table, Key=item("a"), UpdateExpression="SET v = :n", ConditionExpression="v = :e",
            ExpressionAttributeValues={":n": {"S": "2"}, ":e": {"S": expected}}, ReturnValuesOnConditionCheckFailure=told)

    for told, shown in (("ALL_OLD", item("a", v="1")), ("NONE", None)):
        with refused("ConditionalCheckFailedException", "The conditional request failed") as failure:
            update("2", told)
        assert failure.response.get("Item") == shown
    update("1", "ALL_OLD")
    assert dynamodb.get_item(TableName=table, Key=item("a"))["Item"] == item("a", v="2")
