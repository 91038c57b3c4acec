"""The words of refusals, operation by operation: the service's of October 2026 in us-east-1."""

import pytest
from support.tables import create_table, error_of, item, unique

INVALID = "One or more parameter values were invalid: "
NO_NUMBER = "The parameter cannot be converted to a numeric value"
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
DEEP = {"S": "x"}
for _ in range(32):
    DEEP = {"M": {"a": DEEP}}
NESTED = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"

# A value, what most operations say of it, and what BatchWriteItem and Scan say.
VALUES = [
    ({"N": "abc"}, f"{NO_NUMBER}: abc", f"{NO_NUMBER}: abc"),
    ({"N": ""}, f"{NO_NUMBER}: ", NO_NUMBER),
    # The exponent must fit 64 bits here and 32 there, where the magnitude wraps besides.
    ({"N": "1e9223372036854775808"}, f"{NO_NUMBER}: 1e9223372036854775808", f"{NO_NUMBER}: 1e9223372036854775808"),
    ({"N": "1e2147483648"}, OVERFLOW, f"{NO_NUMBER}: 1e2147483648"),
    ({"N": "1e2147483647"}, OVERFLOW, UNDERFLOW),
    (
        {"SS": ["b", "a", "b"]},
        f'{INVALID}Input collection ["a", "b", "b"] contains duplicates.',
        f"{INVALID}Input collection [b, a, b] contains duplicates.",
    ),
    (
        {"BS": [b"\xff", b"\0", b"\0"]},
        f'{INVALID}Input collection ["AA==","/w==","AA=="]of type BS contains duplicates.',
        f"{INVALID}Input collection [/w==, AA==, AA==]of type BS contains duplicates.",
    ),
    ({"NS": ["2", "1", "2"]}, f"{INVALID}Input collection contains duplicates.", "Input collection contains duplicates"),
    (DEEP, NESTED, NESTED),
]


def detected(message):
    return ("ValidationException", f"1 validation error detected: {message}")


def bare(message):
    return ("ValidationException", message)


@pytest.mark.parametrize(("value", "current", "older"), VALUES, ids=[str(v[0])[:30] for v in VALUES])
def test_values_are_refused_in_two_layers(dynamodb, value, current, older):
    # No operation looks for the table before it has judged the values.
    table = unique("absent")
    key, values = item("a"), {"ExpressionAttributeValues": {":v": value}}
    bad = item("a") | {"v": value}
    expected = {"Expected": {"v": {"Value": value}}}
    condition = {"ConditionExpression": "v = :v", **values}
    assert error_of(dynamodb.put_item, TableName=table, Item=bad) == detected(current)
    assert error_of(dynamodb.put_item, TableName=table, Item=key, **condition) == detected(current)
    assert error_of(dynamodb.put_item, TableName=table, Item=key, **expected) == detected(current)
    update = {"UpdateExpression": "SET v = :v", **values}
    assert error_of(dynamodb.update_item, TableName=table, Key=key, **update) == detected(current)
    assert error_of(dynamodb.update_item, TableName=table, Key={"pk": value}) == detected(current)
    updates = {"AttributeUpdates": {"v": {"Value": value}}}
    assert error_of(dynamodb.update_item, TableName=table, Key=key, **updates) == detected(current)
    assert error_of(dynamodb.delete_item, TableName=table, Key=key, **condition) == detected(current)
    assert error_of(dynamodb.delete_item, TableName=table, Key={"pk": value}) == detected(current)
    assert error_of(dynamodb.get_item, TableName=table, Key={"pk": value}) == bare(current)
    assert error_of(dynamodb.batch_get_item, RequestItems={table: {"Keys": [{"pk": value}]}}) == bare(current)
    query = {"KeyConditionExpression": "pk = :v", **values}
    assert error_of(dynamodb.query, TableName=table, **query) == bare(current)
    write = {"RequestItems": {table: [{"PutRequest": {"Item": bad}}]}}
    assert error_of(dynamodb.batch_write_item, **write) == bare(older)
    scan_filter = {"ScanFilter": {"v": {"ComparisonOperator": "EQ", "AttributeValueList": [value]}}}
    assert error_of(dynamodb.scan, TableName=table, **scan_filter) == bare(older)
    wrapped = f"ExpressionAttributeValues contains invalid value: {older} for key :v"
    assert error_of(dynamodb.scan, TableName=table, FilterExpression="v = :v", **values) == bare(wrapped)


def test_writes_say_that_they_detected_what_is_wrong_with_a_request(dynamodb):
    table = unique("absent")
    put = {"TableName": table, "Item": item("a")}
    change = {"TableName": table, "Key": item("a")}
    for call, arguments in ((dynamodb.put_item, put), (dynamodb.update_item, change), (dynamodb.delete_item, change)):
        for parameters, message in (
            ({"ExpressionAttributeValues": {":v": {"S": "x"}}}, "ExpressionAttributeValues can only be specified when using expressions"),
            ({"ExpressionAttributeNames": {"#a": "a"}}, "ExpressionAttributeNames can only be specified when using expressions"),
            ({"ConditionExpression": "a = b", "ExpressionAttributeValues": {}}, "ExpressionAttributeValues must not be empty"),
            ({"ConditionExpression": ""}, "Invalid ConditionExpression: The expression can not be empty;"),
            (
                {"ConditionExpression": "a = :v"},
                "Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :v",
            ),
            ({"Expected": {"a": {"Exists": True}}}, f"{INVALID}Value must be provided when Exists is true for Attribute: a"),
        ):
            assert error_of(call, **arguments, **parameters) == detected(message), (call.__name__, parameters)
        assert error_of(call, **arguments)[0] == "ResourceNotFoundException"
    whole = "ReturnValues can only be ALL_OLD or NONE"
    assert error_of(dynamodb.put_item, ReturnValues="ALL_NEW", **put) == detected(whole)
    assert error_of(dynamodb.delete_item, ReturnValues="UPDATED_NEW", **change) == detected(whole)


def test_writes_say_plainly_what_is_wrong_with_an_item(server, dynamodb):
    table = create_table(dynamodb)
    unchecked = server.client("dynamodb", parameter_validation=False)
    large = "Item size has exceeded the maximum allowed size"
    empty_key = (
        "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string "
        "value. Key: pk"
    )
    no_type = "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
    assert error_of(dynamodb.put_item, TableName=table, Item=item("a") | {"v": {"S": "x" * 409_600}}) == bare(large)
    assert error_of(dynamodb.put_item, TableName=table, Item=item("")) == bare(empty_key)
    assert error_of(unchecked.put_item, TableName=table, Item=item("a") | {"v": {}}) == bare(no_type)
    of_key = f"{INVALID}Cannot update attribute pk. This attribute is part of the key"
    update = {"UpdateExpression": "SET pk = :v", "ExpressionAttributeValues": {":v": {"S": "x"}}}
    assert error_of(dynamodb.update_item, TableName=table, Key=item("a"), **update) == bare(of_key)
    assert error_of(dynamodb.delete_item, TableName=table, Key=item("a") | {"b": {"S": "x"}}) == bare(
        "The provided key element does not match the schema"
    )
