"""Requests of DynamoDB made to hurt: depth, digits, names and lists beyond all measure, wherever a request takes them.

Each is answered with an error, and the server's memory stays bounded while it answers.
"""

import concurrent.futures
import itertools
import json
import pathlib

import pytest
from support.server import Server
from support.tables import create_table, item

# A body has at most 16 MiB. Its document, of many small values, takes up to twenty times that; documents take turns.
GROWTH_BYTES_MAX = 400 * 1024 * 1024
TOGETHER_BYTES_MAX = 600 * 1024 * 1024
# 25 items of 380 KB and their entries in twenty indexes; four such batches.
ENTRIES_BYTES_MAX = 600 * 1024 * 1024
ENTRIES_TOGETHER_BYTES_MAX = 1024 * 1024 * 1024
# The service quotes what breaks a constraint, whole.
ANSWER_BYTES_MAX = 32 * 1024 * 1024
BODY_BYTES = 15_900_000
DEPTH = 100_000
MILLION = 1_000_000


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A server of these tests' own, with a table."""
    server = Server(tmp_path_factory.mktemp("hostile")).start()
    server.table = create_table(server.dynamodb)
    server.dynamodb.put_item(TableName=server.table, Item=item("a"))
    yield server
    assert "panicked" not in server.output()
    server.stop()


def memory(server, field):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) * 1024


def forget_peak(server):
    pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    return memory(server, "VmRSS")


def send(server, operation, body):
    text = body if isinstance(body, str) else json.dumps(body)
    return server.call(f"DynamoDB_20120810.{operation}", text.replace("TABLE", server.table, 1).encode(), timeout=120)


def refused(server, operation, body, *codes):
    """The request is an error, told in few words, at a bounded cost; and the server goes on."""
    before = forget_peak(server)
    status, _, answer = send(server, operation, body)
    growth = memory(server, "VmHWM") - before
    assert status in (400, 413), (status, str(answer)[:300])
    assert len(json.dumps(answer)) < ANSWER_BYTES_MAX
    if codes:
        assert answer["__type"].split("#")[1] in codes, str(answer)[:300]
    assert growth < GROWTH_BYTES_MAX, f"{growth} bytes more"
    assert server.dynamodb.get_item(TableName=server.table, Key=item("a"), ConsistentRead=True)["Item"] == item("a")


DEEP = {"lists": '{"L":[' * DEPTH + '{"S":"x"}' + "]}" * DEPTH, "maps": '{"M":{"a":' * DEPTH + '{"S":"x"}' + "}}" * DEPTH}


@pytest.mark.parametrize("value", DEEP.values(), ids=DEEP)
@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("PutItem", '{"TableName":"TABLE","Item":{"pk":{"S":"a"},"v":VALUE}}'),
        ("GetItem", '{"TableName":"TABLE","Key":{"pk":VALUE}}'),
        ("UpdateItem", '{"TableName":"TABLE","Key":{"pk":{"S":"a"}},"UpdateExpression":"SET v = :v","ExpressionAttributeValues":{":v":VALUE}}'),
        ("UpdateItem", '{"TableName":"TABLE","Key":{"pk":{"S":"a"}},"AttributeUpdates":{"v":{"Value":VALUE}}}'),
        ("PutItem", '{"TableName":"TABLE","Item":{"pk":{"S":"a"}},"Expected":{"v":{"Value":VALUE}}}'),
        ("BatchWriteItem", '{"RequestItems":{"TABLE":[{"PutRequest":{"Item":{"pk":VALUE}}}]}}'),
        ("Scan", '{"TableName":"TABLE","ExclusiveStartKey":{"pk":VALUE}}'),
        ("Scan", '{"TableName":"TABLE","ScanFilter":{"v":{"ComparisonOperator":"EQ","AttributeValueList":[VALUE]}}}'),
        ("ExecuteStatement", '{"Statement":"SELECT * FROM \\"TABLE\\" WHERE v = ?","Parameters":[VALUE]}'),
    ],
    ids=["item", "key", "value", "update", "expected", "batch", "start key", "filter", "parameter"],
)
def test_a_value_nested_a_hundred_thousand_deep(target, operation, body, value):
    refused(target, operation, body.replace("VALUE", value), "ValidationException", "SerializationException")


@pytest.mark.parametrize(
    "part", ["(" * DEPTH + "a" + ")" * DEPTH, "NOT " * DEPTH + "a = :a", "a" + ".b" * DEPTH, "size(" * DEPTH, "a" + "[1]" * DEPTH],
    ids=["parentheses", "NOTs", "path", "functions", "indexes"],
)
@pytest.mark.parametrize("length", [DEPTH * 10, 4000], ids=["too long", "short enough"])
def test_an_expression_nested_a_hundred_thousand_deep(target, part, length):
    source = part[:length]
    values = {":a": {"S": "x"}}
    put = {"TableName": "TABLE", "Item": item("a"), "ConditionExpression": source, "ExpressionAttributeValues": values}
    refused(target, "PutItem", put, "ValidationException")
    scan = {"TableName": "TABLE", "FilterExpression": source, "ExpressionAttributeValues": values}
    refused(target, "Scan", scan, "ValidationException")
    update = {"TableName": "TABLE", "Key": item("a"), "UpdateExpression": "SET v = " + source[:-10], "ExpressionAttributeValues": values}
    refused(target, "UpdateItem", update, "ValidationException")


@pytest.mark.parametrize(
    "part",
    ["[" * DEPTH, "{'a': " * DEPTH, "<<" * DEPTH, "(" * DEPTH, "f(" * DEPTH, "NOT " * DEPTH, "- " * DEPTH, "a" + ".b" * DEPTH, "1 = " * DEPTH, "a AND " * DEPTH,
     "(SELECT * FROM " * DEPTH],
    ids=["lists", "maps", "bags", "parentheses", "functions", "NOTs", "signs", "path", "chain", "ANDs", "selects"],
)
@pytest.mark.parametrize("length", [DEPTH * 10, 8000], ids=["too long", "short enough"])
def test_a_statement_nested_a_hundred_thousand_deep(target, part, length):
    for statement in ('SELECT * FROM "TABLE" WHERE v = ', 'UPDATE "TABLE" SET v = ', "INSERT INTO \"TABLE\" VALUE {'v': "):
        refused(target, "ExecuteStatement", {"Statement": (statement + part)[:length]}, "ValidationException")


@pytest.mark.parametrize(
    "number", ["9" * MILLION, "1" + "0" * MILLION, "0." + "0" * MILLION + "1", "1e" + "9" * MILLION, "-" * MILLION, "1." + "1" * MILLION],
    ids=["digits", "large", "small", "exponent", "signs", "fraction"],
)
def test_a_number_of_a_million_digits(target, number):
    value = {"N": number}
    refused(target, "PutItem", {"TableName": "TABLE", "Item": item("a") | {"n": value}}, "ValidationException")
    refused(target, "PutItem", {"TableName": "TABLE", "Item": item("a") | {"n": {"NS": ["1", number]}}}, "ValidationException")
    refused(target, "GetItem", {"TableName": "TABLE", "Key": {"pk": value}}, "ValidationException")
    refused(
        target,
        "Scan",
        {"TableName": "TABLE", "FilterExpression": "n = :n", "ExpressionAttributeValues": {":n": value}},
        "ValidationException",
    )
    refused(target, "ExecuteStatement", {"Statement": 'SELECT * FROM "TABLE" WHERE n = ?', "Parameters": [value]}, "ValidationException")
    refused(target, "ExecuteStatement", {"Statement": f'SELECT * FROM "TABLE" WHERE n = {number}'}, "ValidationException")
    refused(target, "ExecuteStatement", {"Statement": f'SELECT * FROM "TABLE" WHERE n = {number}'[:8192]}, "ValidationException")
    # As a JSON number, where an integer is wanted.
    refused(target, "Scan", '{"TableName":"TABLE","Limit":' + number + "}", "SerializationException", "ValidationException")


def names(template, *, size=BODY_BYTES):
    """So many different names that a body is full."""
    made, room = [], size
    for n in itertools.count():
        made.append(template.format(n))
        room -= len(made[-1]) + 1
        if room < 0:
            return ",".join(made[:-1])


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("Scan", lambda: '{"TableName":"TABLE","ProjectionExpression":"a","ExpressionAttributeNames":{' + names('"#n{0}":"a{0}"') + "}}"),
        ("Scan", lambda: '{"TableName":"TABLE","FilterExpression":"a = :v0","ExpressionAttributeValues":{' + names('":v{0}":{{"N":"1"}}') + "}}"),
        ("Scan", lambda: '{"TableName":"TABLE","AttributesToGet":["a",' + names('"n{0}"') + ',"a"]}'),
        ("Scan", lambda: '{"TableName":"TABLE",' + names('"Parameter{0}":1') + "}"),
        ("Scan", lambda: '{"TableName":"TABLE","ProjectionExpression":"' + "a" * BODY_BYTES + '"}'),
        ("Scan", lambda: '{"TableName":"TABLE","ProjectionExpression":"#a","ExpressionAttributeNames":{"#a":"' + "a" * BODY_BYTES + '"}}'),
        ("PutItem", lambda: '{"TableName":"TABLE","Item":{"pk":{"S":"a"},' + names('"n{0}":{{"S":""}}') + "}}"),
        ("PutItem", lambda: '{"TableName":"TABLE","Item":{"pk":{"S":"a"},"' + "a" * BODY_BYTES + '":{"S":"x"}}}'),
        ("PutItem", lambda: '{"TableName":"TABLE","Item":{"pk":{"S":"a"},"s":{"SS":[' + names('"{0}"') + "]}}}"),
        ("PutItem", lambda: '{"TableName":"TABLE","Item":{"pk":{"S":"a"},"l":{"L":[' + "0," * (BODY_BYTES // 2) + "0]}}}"),
        ("PutItem", lambda: '{"TableName":"TABLE","Item":{"pk":{"S":"a"},"l":{"L":[' + "{}," * (BODY_BYTES // 3) + "{}]}}}"),
        ("GetItem", lambda: '{"TableName":"TABLE","Key":{"pk":{"S":"a"},' + names('"n{0}":{{"S":""}}') + "}}"),
        ("BatchGetItem", lambda: '{"RequestItems":{"TABLE":{"Keys":[' + names('{{"pk":{{"S":"{0}"}}}}') + "]}}}"),
        ("BatchWriteItem", lambda: '{"RequestItems":{' + names('"tbl{0}":[]') + "}}"),
        ("ExecuteStatement", lambda: '{"Statement":"SELECT * FROM \\"TABLE\\" WHERE pk = ?","Parameters":[' + names('{{"N":"{0}"}}') + "]}"),
        ("ExecuteStatement", lambda: '{"Statement":"SELECT ' + names("n{0}") + ' FROM \\"TABLE\\""}'),
        ("ExecuteStatement", lambda: '{"Statement":"SELECT ' + names("n{0}", size=8000) + ', n0 FROM \\"TABLE\\""}'),
        ("BatchExecuteStatement", lambda: '{"Statements":[' + names('{{"Statement":"DELETE FROM t{0}"}}') + "]}"),
        ("TagResource", lambda: '{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/TABLE","Tags":[' + names('{{"Key":"k{0}","Value":""}}') + "]}"),
        ("DescribeTable", lambda: '{"TableName":"' + "a" * BODY_BYTES + '"}'),
    ],
    ids=["names", "values", "attributes to get", "parameters", "projection", "one name", "attributes", "one attribute", "set", "numbers", "empty values", "key", "keys", "tables",
         "parameters of a statement", "statement", "short statement", "statements", "tags", "table name"],
)
def test_sixteen_megabytes_of_names(target, operation, body):
    refused(target, operation, body(), "ValidationException", "SerializationException")


@pytest.mark.parametrize("count", [MILLION, 101], ids=["million", "hundred and one"])
def test_an_in_of_a_million_elements(target, count):
    values = ",".join([":a"] * count)
    scan = {"TableName": "TABLE", "FilterExpression": f"a IN ({values})", "ExpressionAttributeValues": {":a": {"S": "x"}}}
    refused(target, "Scan", scan, "ValidationException")
    put = {"TableName": "TABLE", "Item": item("a"), "ConditionExpression": f"a IN ({values})", "ExpressionAttributeValues": {":a": {"S": "x"}}}
    refused(target, "PutItem", put, "ValidationException")
    ones = ",".join(["1"] * count)
    refused(target, "ExecuteStatement", {"Statement": f'SELECT * FROM "TABLE" WHERE a IN [{ones}]'}, "ValidationException")
    statement = f"UPDATE \"TABLE\" SET a = 1 WHERE pk = 'a' AND a IN ({ones})"
    refused(target, "ExecuteStatement", {"Statement": statement}, "ValidationException")


SMALL_VALUES = {
    "numbers in lists": (lambda n: '{"pk":{"S":"%d"},"l":{"L":[' % n + ",".join(['{"N":"1"}'] * 60_000) + "]}}", 60_000),
    "empty strings in lists": (lambda n: '{"pk":{"S":"%d"},"l":{"L":[' % n + ",".join(['{"S":""}'] * 68_000) + "]}}", 68_000),
    "members of maps": (lambda n: '{"pk":{"S":"%d"},"l":{"M":{' % n + names('"{0:x}":{{"NULL":true}}', size=620_000) + "}}}", None),
}


@pytest.mark.parametrize("kind", SMALL_VALUES)
def test_a_full_body_of_small_values_is_stored_at_a_bounded_cost(target, kind):
    """Nothing is wrong with a request only because it is made of a million and a half values."""
    made, count = SMALL_VALUES[kind]
    items = [made(n) for n in range(25)]
    puts = ",".join('{"PutRequest":{"Item":' + each + "}}" for each in items)
    body = '{"RequestItems":{"TABLE":[' + puts + "]}}"
    assert 15_000_000 < len(body) < 16 * 1024 * 1024
    before = forget_peak(target)
    status, _, answer = send(target, "BatchWriteItem", body)
    growth = memory(target, "VmHWM") - before
    assert (status, answer) == (200, {"UnprocessedItems": {}}), str(answer)[:300]
    assert growth < GROWTH_BYTES_MAX, f"{growth} bytes more"
    stored = send(target, "GetItem", {"TableName": "TABLE", "Key": {"pk": {"S": "24"}}, "ConsistentRead": True})[2]["Item"]
    assert stored == json.loads(items[24]) and (count is None or len(stored["l"]["L"]) == count)


def test_full_bodies_together_take_turns(target):
    """Four clients with 16 MiB each: memory for their documents is handed out, not taken."""
    body = '{"TableName":"TABLE","Item":{"pk":{"S":"a"},' + names('"n{0}":{{"S":""}}') + "}}"
    before = forget_peak(target)
    with concurrent.futures.ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda _: send(target, "PutItem", body)[0], range(4)))
    assert set(answers) <= {400, 413, 503}, answers
    growth = memory(target, "VmHWM") - before
    assert growth < TOGETHER_BYTES_MAX, f"{growth} bytes more"


def test_large_items_in_many_indexes_are_written_in_a_bounded_memory(target):
    """A batch of 9.5 MB makes 200 MB of entries. They go to the disk in turns, also those of several tables."""
    attributes = [f"g{n:02}" for n in range(20)]
    indexes = [
        {"IndexName": name, "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}
        for name in attributes
    ]
    tables = [f"indexed-{n}" for n in range(4)]
    for name in tables:
        target.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ["pk", *attributes]],
            GlobalSecondaryIndexes=indexes,
        )

    def write(name):
        items = [{"pk": {"S": str(n)}, "v": {"S": "x" * 380_000}} | {each: {"S": "x"} for each in attributes} for n in range(25)]
        return send(target, "BatchWriteItem", {"RequestItems": {name: [{"PutRequest": {"Item": each}} for each in items]}})

    before = forget_peak(target)
    assert write(tables[0])[::2] == (200, {"UnprocessedItems": {}})
    growth = memory(target, "VmHWM") - before
    assert growth < ENTRIES_BYTES_MAX, f"{growth} bytes more"
    before = forget_peak(target)
    with concurrent.futures.ThreadPoolExecutor(4) as clients:
        assert [status for status, _, _ in clients.map(write, tables)] == [200] * 4
    growth = memory(target, "VmHWM") - before
    assert growth < ENTRIES_TOGETHER_BYTES_MAX, f"{growth} bytes more"
    for name in tables:
        pages = target.dynamodb.get_paginator("scan").paginate(TableName=name, IndexName="g19", Select="COUNT")
        assert sum(page["Count"] for page in pages) == 25
        target.dynamodb.delete_table(TableName=name)


@pytest.fixture
def long_lists(target):
    """Items of a list of 90,000 digits each, some 270 KB as the service counts: legal, and a megabyte as JSON."""
    keys = [{"pk": {"S": f"long {n}"}} for n in range(60)]
    for key in keys:
        body = {"TableName": "TABLE", "Item": key | {"l": {"L": [{"N": "1"}] * 90_000}}}
        assert send(target, "PutItem", body)[0] == 200
    return keys


def test_what_answers_hold_costs_little_more_than_its_text(target, long_lists):
    """Items go into an answer as text, one by one; as a document each would take a hundred megabytes."""
    before = forget_peak(target)
    status, _, answer = send(target, "BatchGetItem", {"RequestItems": {"TABLE": {"Keys": long_lists}}})
    growth = memory(target, "VmHWM") - before
    [items] = answer["Responses"].values()
    assert (status, len(items), len(answer["UnprocessedKeys"])) == (200, 59, 1)
    assert growth < GROWTH_BYTES_MAX, f"{growth} bytes more"
    before = forget_peak(target)
    name = target.table
    statements = [{"Statement": f"SELECT * FROM \"{name}\" WHERE pk = '{key['pk']['S']}'"} for key in long_lists[:25]]
    status, _, answer = send(target, "BatchExecuteStatement", {"Statements": statements})
    growth = memory(target, "VmHWM") - before
    assert (status, len(answer["Responses"][24]["Item"]["l"]["L"])) == (200, 90_000)
    assert growth < GROWTH_BYTES_MAX, f"{growth} bytes more"


@pytest.mark.parametrize("operation", ["UpdateItem", "ExecuteStatement"])
@pytest.mark.parametrize("value", ["l", "list_append(l, l)", "parameter"])
def test_an_update_that_names_one_value_hundreds_of_times(target, long_lists, operation, value):
    count = 130 if value.startswith("list") else 500
    key, large = long_lists[0], {"S": "x" * 1_900_000}
    if operation == "UpdateItem":
        named = ":v" if value == "parameter" else value
        body = {"TableName": "TABLE", "Key": key, "UpdateExpression": "SET " + ",".join(f"q{n}={named}" for n in range(count))}
        body |= {"ExpressionAttributeValues": {":v": large}} if value == "parameter" else {}
    else:
        named = "?" if value == "parameter" else value
        assignments = " ".join(f"SET q{n}={named}" for n in range(8 if value == "parameter" else count))
        body = {"Statement": f"UPDATE \"{target.table}\" {assignments} WHERE pk = '{key['pk']['S']}'"}
        body |= {"Parameters": [large] * 8} if value == "parameter" else {}
    before = forget_peak(target)
    status, _, answer = send(target, operation, body)
    growth = memory(target, "VmHWM") - before
    assert (status, answer["message"]) == (400, "Item size to update has exceeded the maximum allowed size"), answer
    assert growth < 128 * 1024 * 1024, f"{growth} bytes more"
