"""The parameters from before expressions: what they do, and what the service answers to wrong ones."""

import pytest
from support.tables import create_table, error_of, item, refused, unique

# What PutItem, UpdateItem and DeleteItem put before what they find wrong with a request itself.
DETECTED = "1 validation error detected: "
INVALID = "One or more parameter values were invalid: "
MIXED = "Can not use both expression and non-expression parameters in the same request: "
ALONE = "ConditionalOperator cannot be used without Filter or Expected"
SINGLE = "ConditionalOperator can only be used when Filter or Expected has two or more elements"
FAILED = ("ConditionalCheckFailedException", "The conditional request failed")


def n(number):
    return {"N": str(number)}


def s(text):
    return {"S": text}


def compare(operator, *values):
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


@pytest.fixture(scope="module")
def table(server):
    return create_table(server.dynamodb)


@pytest.fixture(scope="module")
def sorted_table(server):
    return create_table(server.dynamodb, sort_key=True)


@pytest.fixture(scope="module")
def partition(server, sorted_table):
    """Ten items `sk` 0 to 9 with a number and, on the even ones, a set."""
    pk = unique("partition")
    for i in range(10):
        extra = {"tags": {"SS": ["even", f"t{i}"]}} if i % 2 == 0 else {}
        server.dynamodb.put_item(TableName=sorted_table, Item={"pk": s(pk), "sk": s(str(i)), "v": n(i), **extra})
    return pk


@pytest.fixture
def written(dynamodb, table):
    """An item to hold expectations against."""
    stored = item(unique("expected"), name="strong") | {"v": n(5), "set": {"NS": ["1", "2"]}, "list": {"L": [n(1)]}}
    dynamodb.put_item(TableName=table, Item=stored)
    return stored


@pytest.mark.parametrize(
    ("expected", "holds"),
    [
        ({"v": {"Value": n("5.0")}}, True),
        ({"v": {"Value": n(6)}}, False),
        ({"v": {"Exists": True, "Value": n(5)}}, True),
        ({"nothing": {"Exists": False}}, True),
        ({"v": {"Exists": False}}, False),
        ({"v": compare("EQ", n(5))}, True),
        ({"v": compare("NE", s("5"))}, True),
        ({"v": {"ComparisonOperator": "LT", "Value": n(6)}}, True),
        ({"v": compare("GE", s("5"))}, False),
        ({"v": compare("BETWEEN", n(5), n(6))}, True),
        ({"v": compare("IN", n(4), n(5))}, True),
        ({"name": compare("BEGINS_WITH", s("str"))}, True),
        ({"name": compare("CONTAINS", s("ron"))}, True),
        ({"set": compare("CONTAINS", n(2))}, True),
        ({"list": compare("NOT_CONTAINS", n(1))}, False),
        ({"set": compare("EQ", {"NS": ["2", "1"]})}, True),
        ({"nothing": {"ComparisonOperator": "NULL"}}, True),
        ({"v": {"ComparisonOperator": "NOT_NULL", "AttributeValueList": []}}, True),
        ({}, True),
        ({"v": {"Value": n(5)}, "name": {"Value": s("weak")}}, False),
    ],
)
def test_expected_decides_every_write(dynamodb, table, written, expected, holds):
    key = {"pk": written["pk"]}
    outcome = None if holds else FAILED
    assert error_of(dynamodb.put_item, TableName=table, Item=written, Expected=expected) == outcome
    update = {"touched": {"Value": n(1)}}
    arguments = {"TableName": table, "Key": key, "Expected": expected}
    assert error_of(dynamodb.update_item, AttributeUpdates=update, **arguments) == outcome
    assert ("touched" in dynamodb.get_item(TableName=table, Key=key)["Item"]) == holds
    assert error_of(dynamodb.delete_item, **arguments) == outcome
    assert ("Item" in dynamodb.get_item(TableName=table, Key=key)) != holds


def test_one_of_several_expectations_is_enough_with_or(dynamodb, table, written):
    arguments = {"TableName": table, "Item": written, "Expected": {"v": {"Value": n(5)}, "name": {"Value": s("weak")}}}
    assert error_of(dynamodb.put_item, ConditionalOperator="AND", **arguments) == FAILED
    dynamodb.put_item(ConditionalOperator="OR", **arguments)


def test_a_failed_expectation_can_tell_the_item(dynamodb, table, written):
    with refused(*FAILED) as refusal:
        dynamodb.delete_item(
            TableName=table,
            Key={"pk": written["pk"]},
            Expected={"v": {"Exists": False}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refusal.response["Item"]["v"] == n(5)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"a": {}}, f"{INVALID}Value must be provided when Exists is null for Attribute: a"),
        ({"a": {"Exists": True}}, f"{INVALID}Value must be provided when Exists is true for Attribute: a"),
        ({"a": {"Exists": False, "Value": n(1)}}, f"{INVALID}Value cannot be used when Exists is false for Attribute: a"),
        (
            {"a": {"Exists": False, "ComparisonOperator": "NULL"}},
            f"{INVALID}Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            {"a": {"Value": n(1), "AttributeValueList": [n(1)]}},
            f"{INVALID}Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (
            {"a": {"AttributeValueList": [n(1)]}},
            f"{INVALID}AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (
            {"a": {"ComparisonOperator": "EQ"}},
            f"{INVALID}Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
        ),
        ({"a": compare("EQ")}, f"{INVALID}Invalid number of argument(s) for the EQ ComparisonOperator"),
        ({"a": compare("NULL", n(1))}, f"{INVALID}Invalid number of argument(s) for the NULL ComparisonOperator"),
        ({"a": compare("BETWEEN", n(1))}, f"{INVALID}Invalid number of argument(s) for the BETWEEN ComparisonOperator"),
        (
            {"a": compare("IN", n(1), s("1"))},
            f"{INVALID}AttributeValues inside AttributeValueList must be of same type",
        ),
        (
            {"a": compare("BEGINS_WITH", n(1))},
            f"{INVALID}ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type",
        ),
        (
            {"a": compare("BETWEEN", n(2), n(1))},
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound",
        ),
        ({"a": {"Value": n("x")}}, "The parameter cannot be converted to a numeric value: x"),
        ({"": {"Exists": False}}, f"{INVALID}Empty attribute name"),
    ],
)
def test_wrong_expectations_are_refused(dynamodb, table, expected, message):
    key = item("refused")
    for call in (
        lambda: dynamodb.put_item(TableName=table, Item=key, Expected=expected),
        lambda: dynamodb.update_item(TableName=table, Key=key, Expected=expected),
        lambda: dynamodb.delete_item(TableName=table, Key=key, Expected=expected),
    ):
        with refused("ValidationException", DETECTED + message):
            call()


def test_updates_put_add_and_delete(dynamodb, table):
    key = item(unique("update"))

    def update(**updates):
        answer = dynamodb.update_item(TableName=table, Key=key, AttributeUpdates=updates, ReturnValues="ALL_NEW")
        return {name: value for name, value in answer.get("Attributes", {}).items() if name != "pk"}

    assert update() == {}
    assert update(n={"Action": "ADD", "Value": n(3)}, s={"Value": s("x")}) == {"n": n(3), "s": s("x")}
    changed = update(
        n={"Action": "ADD", "Value": n(-5)},
        s={"Action": "DELETE"},
        set={"Action": "ADD", "Value": {"SS": ["b"]}},
        list={"Action": "ADD", "Value": {"L": [n(1)]}},
    )
    assert changed == {"n": n(-2), "set": {"SS": ["b"]}, "list": {"L": [n(1)]}}
    changed = update(
        list={"Action": "ADD", "Value": {"L": [n(2)]}},
        set={"Action": "ADD", "Value": {"SS": ["a"]}},
        n={"Action": "PUT", "Value": {"NULL": True}},
    )
    assert changed == {"n": {"NULL": True}, "set": {"SS": ["a", "b"]}, "list": {"L": [n(1), n(2)]}}
    # A set that loses its last element goes.
    assert update(set={"Action": "DELETE", "Value": {"SS": ["a", "b", "c"]}}, list={"Action": "DELETE"}) == {
        "n": {"NULL": True}
    }


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({}, f"{INVALID}Only DELETE action is allowed when no attribute value is specified"),
        ({"Action": "ADD"}, f"{INVALID}Only DELETE action is allowed when no attribute value is specified"),
        ({"Action": "ADD", "Value": s("x")}, f"{INVALID}ADD action is not supported for the type S"),
        ({"Action": "DELETE", "Value": n(1)}, f"{INVALID}DELETE action with value is not supported for the type N"),
        ({"Value": n("x")}, "The parameter cannot be converted to a numeric value: x"),
    ],
)
def test_wrong_updates_are_refused(dynamodb, table, update, message):
    with refused("ValidationException", DETECTED + message):
        dynamodb.update_item(TableName=table, Key=item("refused"), AttributeUpdates={"a": update})
    with refused("ValidationException", f"{INVALID}Cannot update attribute pk. This attribute is part of the key"):
        dynamodb.update_item(TableName=table, Key=item("refused"), AttributeUpdates={"pk": {"Value": s("x")}})


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (None, "0123456789"),
        (compare("EQ", s("3")), "3"),
        (compare("LT", s("3")), "012"),
        (compare("LE", s("3")), "0123"),
        (compare("GT", s("7")), "89"),
        (compare("GE", s("7")), "789"),
        (compare("BETWEEN", s("2"), s("4")), "234"),
        (compare("BEGINS_WITH", s("5")), "5"),
    ],
)
@pytest.mark.parametrize("forward", [True, False])
def test_key_conditions_choose_what_is_read(dynamodb, sorted_table, partition, condition, found, forward):
    conditions = {"pk": compare("EQ", s(partition))} | ({"sk": condition} if condition else {})
    answer = dynamodb.query(
        TableName=sorted_table, KeyConditions=conditions, AttributesToGet=["sk"], ScanIndexForward=forward
    )
    keys = list(found) if forward else list(reversed(found))
    assert answer["Items"] == [{"sk": s(key)} for key in keys]


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({}, "Conditions can be of length 1 or 2 only"),
        ({"sk": compare("EQ", s("1"))}, "Query condition missed key schema element: pk"),
        ({"pk": compare("LT", s("1"))}, "Query key condition not supported"),
        ({"pk": compare("EQ", n(1))}, f"{INVALID}Condition parameter type does not match schema type"),
        ({"pk": compare("NE", s("1"))}, "Attempted conditional constraint is not an indexable operation"),
        ({"pk": compare("EQ")}, f"{INVALID}Invalid number of argument(s) for the EQ ComparisonOperator"),
        (
            {"pk": compare("EQ", s("1")), "v": compare("EQ", s("1"))},
            "Query condition missed key schema element: sk",
        ),
    ],
)
def test_wrong_key_conditions_are_refused(dynamodb, sorted_table, conditions, message):
    with refused("ValidationException", message):
        dynamodb.query(TableName=sorted_table, KeyConditions=conditions)


def test_filters_choose_what_is_shown_and_not_what_is_read(dynamodb, sorted_table, partition):
    of_partition = {"TableName": sorted_table, "KeyConditions": {"pk": compare("EQ", s(partition))}}
    conditions = {"tags": compare("CONTAINS", s("even")), "v": compare("GT", n(7))}
    for operator, found in [(None, "8"), ("AND", "8"), ("OR", "024689")]:
        how = {"ConditionalOperator": operator} if operator else {}
        answer = dynamodb.query(QueryFilter=conditions, **how, **of_partition)
        assert [i["sk"]["S"] for i in answer["Items"]] == list(found)
        assert (answer["Count"], answer["ScannedCount"]) == (len(found), 10)
        seen = dynamodb.scan(TableName=sorted_table, ScanFilter=conditions, **how)["Items"]
        assert sorted(i["sk"]["S"] for i in seen if i["pk"]["S"] == partition) == list(found)
    assert dynamodb.query(QueryFilter={}, **of_partition)["Count"] == 10
    # A Scan may look at keys, a Query may not.
    key_filter = {"sk": compare("EQ", s("4"))}
    assert [i["v"] for i in dynamodb.scan(TableName=sorted_table, ScanFilter=key_filter)["Items"]] == [n(4)]
    with refused(
        "ValidationException",
        "QueryFilter can only contain non-primary key attributes: Primary key attribute: sk",
    ):
        dynamodb.query(QueryFilter=key_filter, **of_partition)


@pytest.mark.parametrize(
    ("conditions", "message"), [(None, ALONE), ({}, ALONE), ({"a": {"ComparisonOperator": "NULL"}}, SINGLE)]
)
def test_a_conditional_operator_needs_two_conditions(dynamodb, sorted_table, conditions, message):
    key = item("k", sk="s")

    def with_conditions(name):
        return {"TableName": sorted_table, "ConditionalOperator": "AND"} | ({} if conditions is None else {name: conditions})

    query = {"KeyConditions": {"pk": compare("EQ", s("k"))}}
    for call in (
        lambda: dynamodb.put_item(Item=key, **with_conditions("Expected")),
        lambda: dynamodb.update_item(Key=key, **with_conditions("Expected")),
        lambda: dynamodb.delete_item(Key=key, **with_conditions("Expected")),
    ):
        with refused("ValidationException", DETECTED + message):
            call()
    for call in (
        lambda: dynamodb.query(**query, **with_conditions("QueryFilter")),
        lambda: dynamodb.scan(**with_conditions("ScanFilter")),
    ):
        with refused("ValidationException", message):
            call()


def test_attributes_to_get(dynamodb, table):
    pk = unique("project")
    dynamodb.put_item(TableName=table, Item=item(pk, a="1", b="2", c="3"))
    names = ["c", "a", "nothing"]
    wanted = {"a": s("1"), "c": s("3")}
    assert dynamodb.get_item(TableName=table, Key=item(pk), AttributesToGet=names)["Item"] == wanted
    batch = {table: {"Keys": [item(pk)], "AttributesToGet": names}}
    assert dynamodb.batch_get_item(RequestItems=batch)["Responses"][table] == [wanted]
    filtered = {"ScanFilter": {"pk": compare("EQ", s(pk))}}
    assert dynamodb.scan(TableName=table, AttributesToGet=names, **filtered)["Items"] == [wanted]
    twice = f"{INVALID}Duplicate value in attribute name: a"
    for call in (
        lambda: dynamodb.get_item(TableName=table, Key=item(pk), AttributesToGet=["a", "a"]),
        lambda: dynamodb.scan(TableName=table, AttributesToGet=["a", "b", "a"]),
        lambda: dynamodb.batch_get_item(RequestItems={table: {"Keys": [item(pk)], "AttributesToGet": ["a", "a"]}}),
    ):
        with refused("ValidationException", twice):
            call()


def test_old_and_new_parameters_do_not_mix(dynamodb, sorted_table):
    key = item("k", sk="s")
    expected = {"a": {"Exists": False}}

    def mixed(old, new):
        return f"{MIXED}Non-expression parameters: {{{old}}} Expression parameters: {{{new}}}"

    with refused("ValidationException", DETECTED + mixed("Expected", "ConditionExpression")):
        dynamodb.put_item(TableName=sorted_table, Item=key, Expected=expected, ConditionExpression="a")
    with refused("ValidationException", DETECTED + mixed("AttributeUpdates, Expected", "UpdateExpression")):
        dynamodb.update_item(
            TableName=sorted_table, Key=key, Expected=expected, AttributeUpdates={}, UpdateExpression="REMOVE a"
        )
    with refused("ValidationException", mixed("AttributesToGet", "ProjectionExpression")):
        dynamodb.get_item(TableName=sorted_table, Key=key, AttributesToGet=["a"], ProjectionExpression="b")
    with refused(
        "ValidationException",
        mixed("AttributesToGet, ScanFilter, ConditionalOperator", "ProjectionExpression, FilterExpression"),
    ):
        dynamodb.scan(
            TableName=sorted_table,
            AttributesToGet=["a"],
            ScanFilter={},
            ConditionalOperator="OR",
            ProjectionExpression="a",
            FilterExpression="a",
        )
    with refused("ValidationException", mixed("QueryFilter, KeyConditions", "KeyConditionExpression")):
        dynamodb.query(TableName=sorted_table, QueryFilter={}, KeyConditions={}, KeyConditionExpression="pk = a")
    # KeyConditions may stand beside expressions of other kinds.
    answer = dynamodb.query(
        TableName=sorted_table,
        KeyConditions={"pk": compare("EQ", s("nobody"))},
        FilterExpression="attribute_exists(a)",
    )
    assert answer["Count"] == 0
    with refused(
        "ValidationException",
        "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
    ):
        dynamodb.query(TableName=sorted_table)


def test_one_expectation_of_several_is_enough_with_or(dynamodb):
    """`ConditionalOperator` joins what `Expected` asks, also of updates and deletions."""
    table = create_table(dynamodb)
    dynamodb.put_item(TableName=table, Item=item("a", v="1", w="1"))
    expected = {"v": {"Value": {"S": "1"}}, "w": {"Value": {"S": "2"}}}
    updates = {"w": {"Value": {"S": "3"}, "Action": "PUT"}}
    for operator in ({"ConditionalOperator": "AND"}, {}):
        with refused("ConditionalCheckFailedException"):
            dynamodb.update_item(TableName=table, Key=item("a"), AttributeUpdates=updates, Expected=expected, **operator)
        with refused("ConditionalCheckFailedException"):
            dynamodb.delete_item(TableName=table, Key=item("a"), Expected=expected, **operator)
    dynamodb.update_item(
        TableName=table, Key=item("a"), AttributeUpdates=updates, Expected=expected, ConditionalOperator="OR")
    assert dynamodb.get_item(TableName=table, Key=item("a"))["Item"] == item("a", v="1", w="3")
    dynamodb.delete_item(TableName=table, Key=item("a"), Expected=expected, ConditionalOperator="OR")
    assert dynamodb.scan(TableName=table)["Count"] == 0
