"""What UpdateItem holds to 400 KB: the finished item, and what the expression writes with a cost for each clause."""

import pytest
from support.tables import create_table, error_of, item

MOST = 400 * 1024
TOO_LARGE = ("ValidationException", "Item size to update has exceeded the maximum allowed size")


@pytest.fixture(scope="module")
def table(server):
    return create_table(server.dynamodb)


def filler(length):
    return {"S": "x" * length}


@pytest.mark.parametrize(("pk", "free"), [("k", 19), ("k" * 17, 3), ("k" * 20, 0), ("k" * 100, 0)])
def test_an_update_expression_is_charged_for_what_it_writes(dynamodb, table, pk, free):
    """`SET b = :b` costs 22 bytes and not the key, 2 bytes of which are its name."""
    most = MOST - free - 2 - len(pk) - 1
    update = lambda length: error_of(
        dynamodb.update_item, TableName=table, Key=item(pk), UpdateExpression="SET b = :b", ExpressionAttributeValues={":b": filler(length)})
    assert update(most + 1) == TOO_LARGE
    assert "Item" not in dynamodb.get_item(TableName=table, Key=item(pk))
    dynamodb.update_item(
        TableName=table, Key=item(pk), UpdateExpression="SET b = :b", ExpressionAttributeValues={":b": filler(most)})
    assert dynamodb.get_item(TableName=table, Key=item(pk))["Item"]["b"] == filler(most)


def test_the_charge_comes_before_the_condition_and_whatever_the_item_becomes(dynamodb, table):
    dynamodb.put_item(TableName=table, Item=item("stays", c="x"))
    for condition in ({}, {"ConditionExpression": "attribute_exists(c)"}, {"ConditionExpression": "attribute_exists(nope)"}):
        assert error_of(
            dynamodb.update_item, TableName=table, Key=item("stays"), UpdateExpression="SET c = if_not_exists(c, :huge)",
            ExpressionAttributeValues={":huge": filler(MOST + 100)}, **condition) == TOO_LARGE
    assert dynamodb.get_item(TableName=table, Key=item("stays"))["Item"] == item("stays", c="x")
    # Each use of a value counts, although one of it would fit.
    half = filler(MOST // 2)
    assert error_of(
        dynamodb.update_item, TableName=table, Key=item("stays"), ExpressionAttributeValues={":half": half},
        UpdateExpression="SET c = if_not_exists(c, :half), pq = if_not_exists(c, :half)") == TOO_LARGE


def test_nothing_else_is_charged(dynamodb, table):
    """AttributeUpdates and PartiQL are held to the finished item alone."""
    most = MOST - 2 - 1 - 1
    dynamodb.update_item(TableName=table, Key=item("o"), AttributeUpdates={"b": {"Action": "PUT", "Value": filler(most)}})
    assert error_of(
        dynamodb.update_item, TableName=table, Key=item("o"), AttributeUpdates={"b": {"Value": filler(most + 1)}}) == TOO_LARGE
    dynamodb.put_item(TableName=table, Item=item("p"))
    statement = f"UPDATE \"{table}\" SET b = ? WHERE pk = 'p'"
    dynamodb.execute_statement(Statement=statement, Parameters=[filler(most)])
    assert error_of(dynamodb.execute_statement, Statement=statement, Parameters=[filler(most + 1)]) == TOO_LARGE
    assert [dynamodb.get_item(TableName=table, Key=item(pk))["Item"]["b"] for pk in "op"] == [filler(most)] * 2
