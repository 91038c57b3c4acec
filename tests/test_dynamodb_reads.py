"""What bounds a read: Select, the megabyte of a page, starting keys, the sixteen of a batch, and what it all consumes."""

import pytest
from support.tables import create_table, describe, item, refused, unique

KEY_MISMATCH = "The provided key element does not match the schema"
START_INVALID = "The provided starting key is invalid"
MEGABYTE = 1024 * 1024


def s(text):
    return {"S": text}


def of_partition(pk, sort=None):
    """The parameters of a Query of a partition; `sort` is a condition on `sk` with `:sk` as its value, and the value."""
    condition, values = "pk = :pk", {":pk": s(pk)}
    if sort:
        condition, values = f"{condition} AND {sort[0]}", values | {":sk": s(sort[1])}
    return {"KeyConditionExpression": condition, "ExpressionAttributeValues": values}


@pytest.fixture(scope="module")
def table(server):
    name = create_table(server.dynamodb, sort_key=True)
    for i in range(10):
        server.dynamodb.put_item(TableName=name, Item=item("p", sk=str(i), v="x"))
    return name


@pytest.mark.parametrize("projection", [None, "AttributesToGet", "ProjectionExpression"])
@pytest.mark.parametrize("select", [None, "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT"])
def test_select(dynamodb, table, select, projection):
    parameters = {"TableName": table}
    if select:
        parameters["Select"] = select
    if projection:
        parameters[projection] = ["sk"] if projection == "AttributesToGet" else "sk"
    keys = {"KeyConditions": {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [s("p")]}}}
    calls = [lambda: dynamodb.query(**keys, **parameters), lambda: dynamodb.scan(**parameters)]
    if projection and select not in (None, "SPECIFIC_ATTRIBUTES"):
        what = "only the Count" if select == "COUNT" else select
        message = f"Cannot specify the {projection} when choosing to get {what}"
    elif select == "SPECIFIC_ATTRIBUTES" and not projection:
        message = "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
    elif select == "ALL_PROJECTED_ATTRIBUTES":
        message = "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
    else:
        for call in calls:
            answer = call()
            assert (answer["Count"], answer["ScannedCount"], "Items" in answer) == (10, 10, select != "COUNT")
            if select != "COUNT":
                assert set(answer["Items"][0]) == ({"sk"} if projection else {"pk", "sk", "v"})
        return
    # Only this text has the words before it, and only in Query.
    queried = f"1 validation error detected: {message}" if message.startswith("Must") else message
    for call, text in zip(calls, (queried, message)):
        with refused("ValidationException", text):
            call()


def test_a_page_is_a_megabyte_of_items_whatever_is_shown_of_them(dynamodb):
    table = create_table(dynamodb, sort_key=True)
    # Sixteen items are a megabyte to the byte: names are counted, the keys too.
    overhead = len("pk") + len("p") + len("sk") + 2 + len("v")
    for i in range(18):
        dynamodb.put_item(TableName=table, Item=item("p", sk=f"{i:02}", v="x" * (MEGABYTE // 16 - overhead)))
    capacity = {"ReturnConsumedCapacity": "TOTAL"}
    nothing = {"FilterExpression": "attribute_not_exists(v)"}
    for extra, shown in [({}, 16), ({"ProjectionExpression": "sk"}, 16), ({"Select": "COUNT"}, 16), (nothing, 0)]:
        for page in (
            dynamodb.query(TableName=table, **of_partition("p"), **extra, **capacity),
            dynamodb.scan(TableName=table, **extra, **capacity),
        ):
            assert (page["ScannedCount"], page["Count"]) == (16, shown)
            assert page["LastEvaluatedKey"] == item("p", sk="15")
            assert page["ConsumedCapacity"]["CapacityUnits"] == 128
    rest = dynamodb.query(TableName=table, ExclusiveStartKey=item("p", sk="15"), **of_partition("p"), **nothing, **capacity)
    assert (rest["ScannedCount"], rest["Count"]) == (2, 0) and "LastEvaluatedKey" not in rest
    assert rest["ConsumedCapacity"]["CapacityUnits"] == 16


def test_a_limit_that_is_reached_leaves_a_key_even_at_the_end(dynamodb, table):
    for call, extra in ((dynamodb.query, of_partition("p")), (dynamodb.scan, {})):
        assert call(TableName=table, Limit=10, **extra)["LastEvaluatedKey"] == item("p", sk="9")
        assert "LastEvaluatedKey" not in call(TableName=table, Limit=11, **extra)
        last = call(TableName=table, Limit=10, ExclusiveStartKey=item("p", sk="9"), **extra)
        assert last["Count"] == 0 and "LastEvaluatedKey" not in last
    answer = dynamodb.query(TableName=table, Limit=3, FilterExpression="attribute_not_exists(v)", **of_partition("p"))
    assert (answer["Count"], answer["ScannedCount"], answer["LastEvaluatedKey"]) == (0, 3, item("p", sk="2"))


@pytest.mark.parametrize(
    ("start_key", "of_query", "of_scan"),
    [
        ({}, START_INVALID, f"{START_INVALID}: {KEY_MISMATCH}"),
        (item("p"), START_INVALID, f"{START_INVALID}: {KEY_MISMATCH}"),
        (item("p", other="0"), START_INVALID, f"{START_INVALID}: {KEY_MISMATCH}"),
        (item("p", sk="0", other="0"), START_INVALID, f"{START_INVALID}: {KEY_MISMATCH}"),
        (item("p") | {"sk": {"N": "1"}}, KEY_MISMATCH, f"{START_INVALID}: {KEY_MISMATCH}"),
        (
            item("p") | {"sk": {"NULL": False}},
            f"{START_INVALID}: One or more parameter values were invalid: Null attribute value types must have the value of true",
            f"{START_INVALID}: One or more parameter values were invalid: Null attribute value types must have the value of true",
        ),
        (
            item("p") | {"sk": {"N": "x"}},
            "The parameter cannot be converted to a numeric value: x",
            "The parameter cannot be converted to a numeric value: x",
        ),
    ],
)
def test_starting_keys_that_do_not_fit_the_table(dynamodb, table, start_key, of_query, of_scan):
    with refused("ValidationException", of_query):
        dynamodb.query(TableName=table, ExclusiveStartKey=start_key, **of_partition("p"))
    with refused("ValidationException", of_scan):
        dynamodb.scan(TableName=table, ExclusiveStartKey=start_key)


@pytest.mark.parametrize(
    ("start_key", "sort", "message"),
    [
        (
            item("other", sk="5"),
            None,
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (item("p", sk="3"), ("sk > :sk", "3"), "The provided starting key does not match the range key predicate"),
        (item("other", sk="3"), ("sk > :sk", "3"), "The provided starting key does not match the range key predicate"),
        (item("other", sk="5"), ("sk > :sk", "3"), "The query can return at most one row and cannot be restarted"),
    ],
)
def test_starting_keys_outside_of_what_is_read(dynamodb, table, start_key, sort, message):
    with refused("ValidationException", message):
        dynamodb.query(TableName=table, ExclusiveStartKey=start_key, **of_partition("p", sort))


def test_a_starting_key_belongs_to_its_segment(dynamodb, table):
    answers = [dynamodb.scan(TableName=table, Segment=i, TotalSegments=2, Limit=1) for i in range(2)]
    [(inside, key)] = [(i, a["LastEvaluatedKey"]) for i, a in enumerate(answers) if "LastEvaluatedKey" in a]
    assert dynamodb.scan(TableName=table, Segment=inside, TotalSegments=2, ExclusiveStartKey=key)["Count"] == 9
    outside = 1 - inside
    with refused(
        "ValidationException",
        f"{START_INVALID}: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
        f"TotalSegments: 2 Segment: {outside}",
    ):
        dynamodb.scan(TableName=table, Segment=outside, TotalSegments=2, ExclusiveStartKey=key)


def test_below_a_key_attribute_there_is_nothing(dynamodb, table):
    message = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: sk"
    below = {"ExpressionAttributeValues": {":x": s("x")}}
    for call in (
        lambda: dynamodb.get_item(TableName=table, Key=item("p", sk="0"), ProjectionExpression="sk.a"),
        lambda: dynamodb.batch_get_item(
            RequestItems={table: {"Keys": [item("p", sk="0")], "ProjectionExpression": "sk[0]"}}
        ),
        lambda: dynamodb.query(TableName=table, ProjectionExpression="sk.a", **of_partition("p")),
        lambda: dynamodb.scan(TableName=table, ProjectionExpression="v, sk[1]"),
        lambda: dynamodb.scan(TableName=table, FilterExpression="sk.a = :x", **below),
    ):
        with refused("ValidationException", message):
            call()


def test_what_a_batch_leaves_can_be_asked_for_as_it_is(dynamodb):
    table, other = create_table(dynamodb), create_table(dynamodb)
    bytes_each = 256 * 1024
    for i in range(66):
        dynamodb.put_item(TableName=table, Item=item(f"{i:02}", v="x" * (bytes_each - len("pk00v"))))
    dynamodb.put_item(TableName=other, Item=item("small"))
    request = {
        "Keys": [item(f"{i:02}") for i in range(66)],
        "ProjectionExpression": "#k",
        "ExpressionAttributeNames": {"#k": "pk"},
        "ConsistentRead": True,
    }
    answer = dynamodb.batch_get_item(RequestItems={table: request}, ReturnConsumedCapacity="TOTAL")
    # Sixteen million bytes hold 61 items.
    assert [len(answer["Responses"][table]), len(answer["UnprocessedKeys"][table]["Keys"])] == [61, 5]
    assert {k: v for k, v in answer["UnprocessedKeys"][table].items() if k != "Keys"} == {
        k: v for k, v in request.items() if k != "Keys"
    }
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 61 * 64}]
    rest = dynamodb.batch_get_item(RequestItems=answer["UnprocessedKeys"])
    read = [i["pk"]["S"] for i in answer["Responses"][table] + rest["Responses"][table]]
    assert sorted(read) == [f"{i:02}" for i in range(66)] and rest["UnprocessedKeys"] == {}


def test_a_batch_get_holds_52_items_of_300_kb(dynamodb):
    """The example of the API reference."""
    table = create_table(dynamodb)
    for i in range(60):
        dynamodb.put_item(TableName=table, Item=item(f"{i:02}", v="x" * (300 * 1024 - len("pk00v"))))
    answer = dynamodb.batch_get_item(RequestItems={table: {"Keys": [item(f"{i:02}") for i in range(60)]}})
    assert [len(answer["Responses"][table]), len(answer["UnprocessedKeys"][table]["Keys"])] == [52, 8]


def test_an_item_is_once_in_a_batch_however_its_table_is_named(dynamodb, table):
    arn, key = describe(dynamodb, table)["TableArn"], item(unique("once"), sk="0")
    other = item(unique("other"), sk="0")
    twice = "Provided list of item keys contains duplicates"
    with refused("ValidationException", twice):
        dynamodb.batch_get_item(RequestItems={name: {"Keys": [key]} for name in (table, arn)})
    with refused("ValidationException", twice):
        dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": key}}] for name in (table, arn)})
    dynamodb.batch_write_item(RequestItems={
        table: [{"PutRequest": {"Item": key}}], arn: [{"PutRequest": {"Item": other}}]})
    read = dynamodb.batch_get_item(RequestItems={table: {"Keys": [key]}, arn: {"Keys": [other]}})["Responses"]
    assert read == {table: [key], arn: [other]}


def test_consumed_capacity_names_the_table_as_the_request_does(dynamodb, table):
    arn, key = describe(dynamodb, table)["TableArn"], item(unique("named"), sk="0")
    total = {"ReturnConsumedCapacity": "TOTAL"}
    condition = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": {":p": key["pk"]}}
    for name in (table, arn):
        for answer in (
            dynamodb.put_item(TableName=name, Item=key, **total),
            dynamodb.get_item(TableName=name, Key=key, **total),
            dynamodb.update_item(TableName=name, Key=key, **total),
            dynamodb.query(TableName=name, **condition, **total),
            dynamodb.scan(TableName=name, **total),
            dynamodb.batch_get_item(RequestItems={name: {"Keys": [key]}}, **total),
            dynamodb.batch_write_item(RequestItems={name: [{"PutRequest": {"Item": key}}]}, **total),
            dynamodb.execute_statement(Statement=f"SELECT * FROM \"{name}\" WHERE pk = 'a'", **total),
            dynamodb.execute_statement(Statement=f"UPDATE \"{name}\" SET a = 1 WHERE pk = '{key['pk']['S']}' AND sk = '0'", **total),
            dynamodb.batch_execute_statement(
                Statements=[{"Statement": f"SELECT * FROM \"{name}\" WHERE pk = 'a' AND sk = '0'"}], **total),
            dynamodb.delete_item(TableName=name, Key=key, **total),
        ):
            consumed = answer["ConsumedCapacity"]
            [consumed] = consumed if isinstance(consumed, list) else [consumed]
            assert consumed["TableName"] == name


def test_batches_are_checked_before_anything_is_done(server, table):
    dynamodb = server.client("dynamodb", parameter_validation=False)
    key = item(unique("batch"), sk="0")

    def write(*requests):
        return lambda: dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": key}}, *requests]})

    datatypes = (
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
    )
    other = item("other", sk="0")
    for call, message in [
        (write({}), datatypes),
        (write({"PutRequest": {"Item": other}, "DeleteRequest": {"Key": other}}), datatypes),
        (write({"PutRequest": {"Item": item("no sort key")}}), KEY_MISMATCH),
        (write({"PutRequest": {"Item": other | {"sk": {"N": "1"}}}}), KEY_MISMATCH),
        (write({"DeleteRequest": {"Key": item("no sort key")}}), KEY_MISMATCH),
        (
            write({"PutRequest": {"Item": item("", sk="0")}}),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty "
            "string value. Key: pk",
        ),
        (
            write({"PutRequest": {"Item": other | {"v": s("x" * 400 * 1024)}}}),
            "Item size has exceeded the maximum allowed size",
        ),
        (write({"DeleteRequest": {"Key": key}}), "Provided list of item keys contains duplicates"),
    ]:
        with refused("ValidationException", message):
            call()
    assert "Item" not in dynamodb.get_item(TableName=table, Key=key)
    mixed = {"pk": {"Keys": [key], "ProjectionExpression": "pk"}, table: {"Keys": [key], "AttributesToGet": ["pk"]}}
    with refused(
        "ValidationException",
        "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
        "{AttributesToGet} Expression parameters: {ProjectionExpression}",
    ):
        dynamodb.batch_get_item(RequestItems={f"{table}-other": mixed["pk"], table: mixed[table]})


@pytest.mark.parametrize(
    ("bytes_before", "bytes_after", "units"), [(0, 1024, 1), (0, 1025, 2), (3000, 10, 3), (10, 3073, 4)]
)
def test_writes_consume_by_the_larger_version(dynamodb, table, bytes_before, bytes_after, units):
    def sized(pk, count):
        return item(pk, sk="0", v="x" * (count - len(pk) - len("pksk0v")))

    def consumed(answer):
        return answer["ConsumedCapacity"]

    total = {"TableName": table, "CapacityUnits": float(units)}
    indexes = {"TableName": table, "ReturnConsumedCapacity": "INDEXES"}
    pk = unique("c")
    key = item(pk, sk="0")
    if bytes_before:
        dynamodb.put_item(TableName=table, Item=sized(pk, bytes_before))
    put = dynamodb.put_item(Item=sized(pk, bytes_after), **indexes)
    assert consumed(put) == total | {"Table": {"CapacityUnits": float(units)}}
    deleted = dynamodb.delete_item(TableName=table, Key=key, ReturnConsumedCapacity="TOTAL")
    assert consumed(deleted)["CapacityUnits"] == -(-bytes_after // 1024)
    if bytes_before:
        dynamodb.put_item(TableName=table, Item=sized(pk, bytes_before))
    update = {
        "UpdateExpression": "SET v = :v",
        "ExpressionAttributeValues": {":v": sized(pk, bytes_after)["v"]},
        "ReturnConsumedCapacity": "TOTAL",
        "ReturnItemCollectionMetrics": "SIZE",
    }
    updated = dynamodb.update_item(TableName=table, Key=key, **update)
    assert consumed(updated) == total
    # Without local secondary indexes there are no item collections to tell of.
    assert "ItemCollectionMetrics" not in updated
    batch = dynamodb.batch_write_item(
        RequestItems={table: [{"PutRequest": {"Item": sized(pk, 5000)}}, {"DeleteRequest": {"Key": item("none", sk="0")}}]},
        ReturnConsumedCapacity="TOTAL",
    )
    assert consumed(batch) == [{"TableName": table, "CapacityUnits": 6.0}]
