"""PartiQL: ExecuteStatement and BatchExecuteStatement."""

import pytest
from support.tables import create_table, error_of, item, refused, unique

MALFORMED = "Statement wasn't well formed, can't be processed: "
MISSED = "Where clause does not contain a mandatory equality on all key attributes"
FAILED = ("ConditionalCheckFailedException", "The conditional request failed")


@pytest.fixture(scope="module")
def table(server):
    """Partition key and sort key, both strings."""
    return create_table(server.dynamodb, sort_key=True)


@pytest.fixture(scope="module")
def filled(server):
    """Items `a`/`0` to `a`/`9` and `b`/`0` to `b`/`9` with a number `n`."""
    name = create_table(server.dynamodb, sort_key=True)
    for pk in "ab":
        for n in range(10):
            server.dynamodb.put_item(TableName=name, Item=item(pk, sk=str(n)) | {"n": {"N": str(n)}})
    return name


@pytest.fixture
def run(dynamodb):
    return lambda statement, **parameters: dynamodb.execute_statement(Statement=statement, **parameters)


def stored(dynamodb, table, pk, sk="1"):
    return dynamodb.get_item(TableName=table, Key=item(pk, sk=sk), ConsistentRead=True).get("Item")


def keys(answer):
    return [each["pk"]["S"] + each["sk"]["S"] for each in answer["Items"]]


def test_insert_select_update_delete(dynamodb, run, table):
    pk = unique("life")
    assert run(f"INSERT INTO \"{table}\" VALUE {{'pk': '{pk}', 'sk': '1', 'n': 5, 'm': {{'a': [1, 'x', null]}}}}")["Items"] == []
    where = f"WHERE pk = '{pk}' AND sk = '1'"
    written = item(pk, sk="1") | {"n": {"N": "5"}, "m": {"M": {"a": {"L": [{"N": "1"}, {"S": "x"}, {"NULL": True}]}}}}
    assert run(f'SELECT * FROM "{table}" {where}', ConsistentRead=True)["Items"] == [written]
    assert run(f'SELECT n, m.a[1] FROM "{table}" {where}')["Items"] == [{"n": {"N": "5"}, "a[1]": {"S": "x"}}]
    changed = run(f"UPDATE \"{table}\" SET n = n + 1 SET q = list_append(m.a, [2]) REMOVE m {where} RETURNING ALL NEW *")
    expected = item(pk, sk="1") | {"n": {"N": "6"}, "q": {"L": [{"N": "1"}, {"S": "x"}, {"NULL": True}, {"N": "2"}]}}
    assert changed["Items"] == [expected]
    assert run(f'DELETE FROM "{table}" {where} RETURNING ALL OLD *')["Items"] == [expected]
    assert run(f'DELETE FROM "{table}" {where} RETURNING ALL OLD *')["Items"] == []
    assert run(f'SELECT * FROM "{table}" {where}')["Items"] == []


def test_what_is_written_through_one_api_is_read_through_the_other(dynamodb, run, table):
    pk = unique("both")
    everything = item(pk, sk="1") | {
        "b": {"B": b"\x00\xff"}, "bs": {"BS": [b"a"]}, "ns": {"NS": ["1.5"]}, "ss": {"SS": ["x"]}, "t": {"BOOL": True},
        "l": {"L": [{"M": {}}]}, "e": {"S": ""},
    }
    names = [name for name in everything if name not in ("pk", "sk")]
    values = ", ".join(f"'{name}': ?" for name in ["pk", "sk", *names])
    run(f'INSERT INTO "{table}" VALUE {{{values}}}', Parameters=[everything[name] for name in ["pk", "sk", *names]])
    assert stored(dynamodb, table, pk) == everything
    found = run(f'SELECT * FROM "{table}" WHERE pk = ? AND ss = ? AND b = ?', Parameters=[{"S": pk}, {"SS": ["x"]}, everything["b"]])
    assert found["Items"] == [everything]


def test_an_insert_replaces_nothing(dynamodb, run, table):
    pk = unique("twice")
    run(f"INSERT INTO \"{table}\" VALUE {{'pk': '{pk}', 'sk': '1', 'v': 'first'}}")
    with refused("DuplicateItemException", "Duplicate primary key exists in table"):
        run(f"INSERT INTO \"{table}\" VALUE {{'pk': '{pk}', 'sk': '1', 'v': 'second'}}")
    assert stored(dynamodb, table, pk)["v"] == {"S": "first"}


def test_an_update_makes_no_item(dynamodb, run, table):
    pk = unique("absent")
    for condition in ("", " AND attribute_not_exists(pk)", " AND n = 1"):
        assert error_of(run, f"UPDATE \"{table}\" SET n = 1 WHERE pk = '{pk}' AND sk = '1'{condition}") == FAILED
    assert error_of(run, f"FROM \"{table}\" WHERE pk = '{pk}' AND sk = '1' SET n = 1") == FAILED
    assert stored(dynamodb, table, pk) is None


def test_conditions_hold_or_nothing_changes(dynamodb, run, table):
    pk = unique("condition")
    before = item(pk, sk="1") | {"n": {"N": "5"}}
    dynamodb.put_item(TableName=table, Item=before)
    where = f"WHERE pk = '{pk}' AND sk = '1'"
    for condition in ("n = 6", "attribute_exists(q)", "NOT n = 5", "begins_with(sk, '2')", "(n = 4 OR n = 6)"):
        for statement in (f'UPDATE "{table}" SET n = 9 {where} AND {condition}', f'DELETE FROM "{table}" {where} AND {condition}'):
            assert error_of(run, statement) == FAILED, statement
    with refused(*FAILED) as refusal:
        run(f'DELETE FROM "{table}" {where} AND n = 6', ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert refusal.response["Item"] == before
    assert stored(dynamodb, table, pk) == before
    # Nothing is there to fail: a DELETE of an absent item succeeds, whatever else it asks.
    assert run(f"DELETE FROM \"{table}\" WHERE pk = '{pk}-absent' AND sk = '1' AND n = 6")["Items"] == []
    assert run(f'UPDATE "{table}" SET n = 9 {where} AND n = 5 AND sk > \'0\' RETURNING MODIFIED OLD *')["Items"] == [{"n": {"N": "5"}}]
    assert run(f'DELETE FROM "{table}" {where} AND n = 9')["Items"] == []
    assert stored(dynamodb, table, pk) is None


@pytest.mark.parametrize(
    ("returning", "expected"),
    [
        ("", []),
        ("RETURNING ALL OLD *", [{"n": {"N": "5"}, "s": {"S": "x"}}]),
        ("RETURNING ALL NEW *", [{"n": {"N": "7"}, "q": {"N": "2"}}]),
        ("RETURNING MODIFIED OLD *", [{"n": {"N": "5"}, "s": {"S": "x"}}]),
        ("RETURNING MODIFIED NEW *", [{"n": {"N": "7"}, "q": {"N": "2"}}]),
    ],
)
def test_returning(dynamodb, run, table, returning, expected):
    pk = unique("returning")
    dynamodb.put_item(TableName=table, Item=item(pk, sk="1", s="x") | {"n": {"N": "5"}})
    items = run(f"UPDATE \"{table}\" SET n = 7, q = 2 REMOVE s WHERE pk = '{pk}' AND sk = '1' {returning}")["Items"]
    key = item(pk, sk="1") if "ALL" in returning else {}
    assert items == [each | key for each in expected]
    removed = run(f"UPDATE \"{table}\" REMOVE q WHERE pk = '{pk}' AND sk = '1' RETURNING MODIFIED NEW *")
    assert removed["Items"] == []


def test_sets(dynamodb, run, table):
    pk = unique("sets")
    dynamodb.put_item(TableName=table, Item=item(pk, sk="1") | {"ss": {"SS": ["a", "b"]}, "s": {"S": "x"}})
    where = f"WHERE pk = '{pk}' AND sk = '1'"
    run(f"UPDATE \"{table}\" SET ss = set_add(ss, <<'c', 'a'>>) SET new = SET_ADD(new, ?) {where}".replace("new", '"new"'), Parameters=[{"BS": [b"z"]}])
    run(f"UPDATE \"{table}\" SET ss = set_delete(ss, <<'b'>>) {where}")
    now = stored(dynamodb, table, pk)
    assert (sorted(now["ss"]["SS"]), now["new"]) == (["a", "c"], {"BS": [b"z"]})
    wrong = ("ValidationException", "An operand in the update expression has an incorrect data type")
    assert error_of(run, f'UPDATE "{table}" SET ss = set_add(ss, <<1>>) {where}') == wrong
    assert error_of(run, f"UPDATE \"{table}\" SET s = set_add(s, <<'x'>>) {where}") == wrong
    run(f"UPDATE \"{table}\" SET ss = set_delete(ss, <<'a', 'c'>>) {where}")
    assert "ss" not in stored(dynamodb, table, pk)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("pk = 'a' AND sk = '3'", "a3"),
        ("pk = 'a' AND sk BETWEEN '3' AND '5'", "a3 a4 a5"),
        ("pk = 'a' AND sk > '3' AND sk < '6' AND n <> 5", "a4"),
        ("pk = 'a' AND begins_with(sk, '7')", "a7"),
        ("pk = 'a' AND sk IN ['8', '2']", "a2 a8"),
        ("pk IN ['b', 'a'] AND sk = '1'", "b1 a1"),
        ("pk = 'b' AND sk = '1' OR pk = 'a' AND sk >= '8'", "b1 a8 a9"),
        ("pk = 'a' AND (sk = '1' OR sk = '9')", "a1 a9"),
        ("pk = 'a' AND NOT sk > '1'", "a0 a1"),
        ("pk = 'a' AND n IN (1, 2)", "a1 a2"),
        ("pk = 'a' AND sk = '3' ORDER BY sk", "a3"),
        ("pk = 'a' AND sk > '6' ORDER BY sk DESC", "a9 a8 a7"),
        ("pk IN ['a', 'b'] AND sk < '2' ORDER BY pk DESC, sk DESC", "b1 b0 a1 a0"),
        ("pk = 'a' AND pk = 'b'", ""),
        ("pk = 'a' AND sk = '1' AND sk = '2'", ""),
        ("pk = 'nobody'", ""),
    ],
)
def test_reads_by_key_come_in_order(run, filled, condition, expected):
    for consistent in (True, False):
        assert keys(run(f'SELECT * FROM "{filled}" WHERE {condition}', ConsistentRead=consistent)) == expected.split()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("n = 4", "a4 b4"),
        ("pk <> 'a' AND n > 8", "b9"),
        ("pk = 'a' AND n = 1 OR n = 9", "a1 a9 b9"),
        ("size(pk) = 1 AND n BETWEEN 0 AND 1", "a0 a1 b0 b1"),
        ("n IS MISSING", ""),
    ],
)
def test_reads_without_keys_scan(run, filled, condition, expected):
    assert sorted(keys(run(f'SELECT * FROM "{filled}" WHERE {condition}'))) == expected.split()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM \"{}\"",
        "SELECT * FROM \"{}\" WHERE n > 2",
        "SELECT * FROM \"{}\" WHERE pk = 'a'",
        "SELECT * FROM \"{}\" WHERE pk = 'a' ORDER BY sk DESC",
        "SELECT * FROM \"{}\" WHERE pk IN ['a', 'b', 'c'] AND n <> 3",
        "SELECT * FROM \"{}\" WHERE pk IN ['a', 'b'] AND sk IN ['1', '2', '7', 'x']",
        "SELECT * FROM \"{}\" WHERE pk = 'a' AND sk > '4' OR pk = 'b'",
    ],
)
def test_pages_join_to_the_whole(run, filled, statement):
    statement = statement.format(filled)
    whole = run(statement)
    assert "NextToken" not in whole
    for limit in (1, 3, 7):
        items, token, pages = [], {}, 0
        while True:
            page = run(statement, Limit=limit, **token)
            items += page["Items"]
            pages += 1
            assert len(page["Items"]) <= limit and pages < 60
            assert ("NextToken" in page) == ("LastEvaluatedKey" in page)
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        assert items == whole["Items"], limit


def pages_of(run, statement, **parameters):
    pages, token = [], {}
    while not pages or token:
        page = run(statement, **parameters, **token)
        pages.append(page["Items"])
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    return pages


def test_a_list_of_keys_is_read_ten_at_a_time(dynamodb, run):
    # The documentation of IN: results come in pages of up to ten items, and a longer list has a NextToken.
    one, two = create_table(dynamodb), create_table(dynamodb, sort_key=True)
    for n in range(12):
        dynamodb.put_item(TableName=one, Item=item(f"{n:02}"))
        for sk in "xy":
            dynamodb.put_item(TableName=two, Item=item(f"{n:02}", sk=sk))
    lists = {count: ", ".join(f"'{n:02}'" for n in range(count)) for count in (10, 12, 40)}

    def sizes(table, count, more="", **parameters):
        pages = pages_of(run, f'SELECT * FROM "{table}" WHERE pk IN [{lists[count]}]{more}', **parameters)
        found = [each["pk"]["S"] for page in pages for each in page]
        assert found == sorted(found) and set(found) == {f"{n:02}" for n in range(min(count, 12))}
        return [len(page) for page in pages]

    assert sizes(one, 10) == [10]
    assert sizes(one, 12) == [10, 2]
    assert sizes(one, 40) == [10, 2, 0, 0]
    assert sizes(one, 12, Limit=7) == [7, 3, 2]
    assert sizes(one, 12, Limit=100) == [10, 2]
    assert sizes(two, 12) == [20, 4]
    assert sizes(two, 12, " AND sk = 'y'") == [10, 2]
    assert sizes(two, 40, " AND sk > 'x'") == [10, 2, 0, 0]
    alternatives = " OR ".join(f"pk = '{n:02}'" for n in range(12))
    assert [len(page) for page in pages_of(run, f'SELECT * FROM "{one}" WHERE {alternatives}')] == [12]


def test_a_page_ends_at_a_megabyte(dynamodb, run):
    name = create_table(dynamodb, sort_key=True)
    for n in range(5):
        dynamodb.put_item(TableName=name, Item=item("a", sk=str(n), v="x" * 300_000))
    first = run(f"SELECT sk FROM \"{name}\" WHERE pk = 'a'", ReturnConsumedCapacity="TOTAL")
    assert [each["sk"]["S"] for each in first["Items"]] == ["0", "1", "2", "3"]
    assert first["LastEvaluatedKey"] == item("a", sk="3")
    assert first["ConsumedCapacity"] == {"TableName": name, "CapacityUnits": 146.5}
    rest = run(f"SELECT sk FROM \"{name}\" WHERE pk = 'a'", NextToken=first["NextToken"])
    assert [each["sk"]["S"] for each in rest["Items"]] == ["4"]


def test_a_token_is_for_its_own_statement(dynamodb, run, filled, table):
    statement = f'SELECT * FROM "{filled}" WHERE pk = ?'
    token = run(statement, Parameters=[{"S": "a"}], Limit=2)["NextToken"]
    mismatch = ("ValidationException", "NextToken does not match request")
    assert error_of(run, statement, Parameters=[{"S": "b"}], NextToken=token) == mismatch
    assert error_of(run, statement + " ", Parameters=[{"S": "a"}], NextToken=token) == mismatch
    assert error_of(run, f"SELECT * FROM \"{table}\" WHERE pk = 'a'", NextToken=token) == mismatch
    for noise in ("x", "AAAA", token[:-4], token[:12], "A" * 32768):
        code, text = error_of(run, statement, Parameters=[{"S": "a"}], NextToken=noise)
        assert code == "ValidationException" and text in ("Invalid NextToken", mismatch[1]), noise[:20]
    assert keys(run(statement, Parameters=[{"S": "a"}], NextToken=token, Limit=1)) == ["a2"]
    insert = f"INSERT INTO \"{table}\" VALUE {{'pk': 'token', 'sk': '1'}}"
    assert error_of(run, insert, NextToken=token) == ("ValidationException", "Invalid NextToken")


def test_capacity(dynamodb, run, table):
    pk = unique("capacity")

    def units(statement, **parameters):
        return run(statement, ReturnConsumedCapacity="TOTAL", **parameters)["ConsumedCapacity"]["CapacityUnits"]

    where = f"WHERE pk = '{pk}' AND sk = '1'"
    assert units(f"INSERT INTO \"{table}\" VALUE {{'pk': '{pk}', 'sk': '1', 'v': '{'x' * 1500}'}}") == 2
    assert units(f'UPDATE "{table}" SET n = 1 {where}') == 2
    assert units(f'SELECT n FROM "{table}" {where}') == 0.5
    assert units(f'SELECT n FROM "{table}" {where}', ConsistentRead=True) == 1
    assert units(f'SELECT n FROM "{table}" WHERE pk IN [?, \'nobody\']', Parameters=[{"S": pk}]) == 1
    assert units(f'DELETE FROM "{table}" {where}') == 2
    by_table = run(f'SELECT n FROM "{table}" {where}', ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert by_table == {"TableName": table, "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT * FROM \"{}\" WHERE", MALFORMED + "Unexpected term"),
        ("SLECT * FROM \"{}\"", MALFORMED + "Expected data manipulation"),
        ("SELECT * FROM \"{}\" WHERE pk = 'a' foo", MALFORMED + "Unexpected token after expression"),
        ("DELETE FROM \"{}\" WHERE pk = 'a'", MISSED),
        ("DELETE FROM \"{}\" WHERE n = 1", MISSED),
        ("UPDATE \"{}\" SET n = 1", MISSED),
        ("UPDATE \"{}\" SET n = 1 WHERE pk = 'a' AND sk = '1' AND sk = '2'",
         "Multiple conditions on same key sk. Only single item Update/Insert/Delete are supported"),
        ("UPDATE \"{}\" SET sk = '2' WHERE pk = 'a' AND sk = '1'",
         "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key"),
        ("INSERT INTO \"{}\" VALUE {{'pk': 'a'}}", "Key attribute should be present in the item: Key sk"),
        ("INSERT INTO \"{}\" VALUE {{'pk': 'a', 'sk': 1}}",
         "Key attribute's data type should match its data type in table's schema: Key sk"),
        ("SELECT * FROM \"{}\" WHERE pk = 1", "Key attribute's data type should match its data type in table's schema: Key pk"),
        ("SELECT * FROM \"{}\" WHERE pk = ''",
         "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk"),
        ("SELECT * FROM \"{}\" WHERE pk.x = 'a'",
         "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: pk"),
        ("SELECT * FROM \"{}\" WHERE pk = 'a' AND n = 1 OR pk = 'a' AND sk = '2'",
         "Overlapping conditions with range keys are not supported in where clause"),
        ("SELECT * FROM \"{}\" WHERE pk = 'a' ORDER BY n", "Variable reference n in ORDER BY clause must be part of the primary key"),
        ("SELECT * FROM \"{}\".\"no-such-index\" WHERE pk = 'a'", "The table does not have the specified index"),
        ("SELECT * FROM \"{}\" WHERE pk = ?", "Number of parameters in request and statement don't match."),
        ("EXISTS(SELECT * FROM \"{}\" WHERE pk = 'a' AND sk = '1')", "EXISTS can only be used in ExecuteTransaction write requests."),
    ],
)
def test_errors_have_the_services_words(run, table, statement, message):
    assert error_of(run, statement.format(table)) == ("ValidationException", message)


def test_a_statement_is_judged_before_its_table_is_looked_up(run):
    absent = ("ResourceNotFoundException", "Requested resource not found")
    assert error_of(run, "SELECT * FROM nowhere WHERE pk = 'a'") == absent
    assert error_of(run, "UPDATE nowhere SET a = 1 WHERE pk = 'a'") == absent
    assert error_of(run, "INSERT INTO nowhere VALUE {'pk': 'a'}") == absent
    order = "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL"
    assert error_of(run, "SELECT * FROM nowhere WHERE a < ?", Parameters=[{"BOOL": True}]) == ("ValidationException", order)


def test_the_length_of_a_statement_is_bounded(run, table):
    statement = f"SELECT * FROM \"{table}\" WHERE pk = '{{}}'"
    longest = statement.format("x" * (8192 - len(statement.format(""))))
    assert run(longest)["Items"] == []
    code, text = error_of(run, longest + " ")
    assert code == "ValidationException" and text.endswith("failed to satisfy constraint: Member must have length less than or equal to 8192")


def test_a_table_without_a_sort_key(dynamodb, run):
    name = create_table(dynamodb)
    for pk in ("x", "y", "z"):
        run(f"INSERT INTO \"{name}\" VALUE {{'pk': ?, 'v': '{pk}'}}", Parameters=[{"S": pk}])
    assert run(f"SELECT v FROM \"{name}\" WHERE pk IN ['z', 'x', 'nobody']")["Items"] == [{"v": {"S": "z"}}, {"v": {"S": "x"}}]
    page = run(f"SELECT v FROM \"{name}\" WHERE pk IN ['z', 'x']", Limit=1)
    assert page["Items"] == [{"v": {"S": "z"}}]
    rest = run(f"SELECT v FROM \"{name}\" WHERE pk IN ['z', 'x']", NextToken=page["NextToken"])
    assert (rest["Items"], "NextToken" in rest) == ([{"v": {"S": "x"}}], False)
    run(f"DELETE FROM \"{name}\" WHERE pk = 'y'")
    assert sorted(each["v"]["S"] for each in run(f'SELECT v FROM "{name}"')["Items"]) == ["x", "z"]


def batch(dynamodb, *statements, **parameters):
    made = [each if isinstance(each, dict) else {"Statement": each} for each in statements]
    return dynamodb.batch_execute_statement(Statements=made, **parameters)


def test_a_batch_of_reads(dynamodb, filled):
    answer = batch(
        dynamodb,
        f"SELECT n FROM \"{filled}\" WHERE pk = 'a' AND sk = '1'",
        f"SELECT * FROM \"{filled}\" WHERE pk = 'a' AND sk = 'none'",
        {"Statement": f'SELECT * FROM "{filled}" WHERE pk = ? AND sk = ?', "Parameters": [{"S": "b"}, {"S": "2"}], "ConsistentRead": True},
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["Responses"] == [
        {"TableName": filled, "Item": {"n": {"N": "1"}}},
        {"TableName": filled},
        {"TableName": filled, "Item": item("b", sk="2") | {"n": {"N": "2"}}},
    ]
    assert [each["CapacityUnits"] for each in answer["ConsumedCapacity"]] == [0.5, 0.5, 1]


def test_each_statement_of_a_batch_fails_for_itself(dynamodb, table):
    pk = unique("batch")
    dynamodb.put_item(TableName=table, Item=item(pk, sk="1") | {"n": {"N": "5"}})
    answer = batch(
        dynamodb,
        f"INSERT INTO \"{table}\" VALUE {{'pk': '{pk}', 'sk': '2'}}",
        f"INSERT INTO \"{table}\" VALUE {{'pk': '{pk}', 'sk': '1'}}",
        {"Statement": f"UPDATE \"{table}\" SET n = 1 WHERE pk = '{pk}' AND sk = '3'"},
        f"UPDATE \"{table}\" SET n = 1 WHERE pk = '{pk}'",
        "UPDATE nowhere SET n = 1 WHERE pk = 'a'",
        "SLECT",
        f"DELETE FROM \"{table}\" WHERE pk = '{pk}-other' AND sk = '1' RETURNING ALL NEW *",
    )["Responses"]
    assert [each.get("Error", {}).get("Code") for each in answer] == [
        None, "DuplicateItem", "ConditionalCheckFailed", "ValidationError", "ResourceNotFound", "ValidationError", "ValidationError",
    ]
    assert answer[1] == {"Error": {"Code": "DuplicateItem", "Message": "Duplicate primary key exists in table"}, "TableName": table}
    assert answer[3]["Error"]["Message"] == MISSED
    assert answer[6]["Error"]["Message"] == (
        "Invalid returning clause: RETURNING ALL NEW *. Only RETURNING ALL OLD * is allowed in DELETE statements."
    )
    assert stored(dynamodb, table, pk, "2") is not None
    kept = batch(
        dynamodb,
        {"Statement": f"DELETE FROM \"{table}\" WHERE pk = '{pk}' AND sk = '1' AND n = 9", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"},
        f"DELETE FROM \"{table}\" WHERE pk = '{pk}' AND sk = '2' RETURNING ALL OLD *",
    )["Responses"]
    assert kept[0]["Error"]["Item"] == item(pk, sk="1") | {"n": {"N": "5"}}
    assert kept[1] == {"TableName": table, "Item": item(pk, sk="2")}


def test_the_rules_of_a_batch(dynamodb, filled):
    read = f"SELECT * FROM \"{filled}\" WHERE pk = 'a' AND sk = '1'"
    write = f"DELETE FROM \"{filled}\" WHERE pk = 'c' AND sk = '1'"
    mixed = ("ValidationException", "Read and write requests together in the same batch is not supported.")
    assert error_of(batch, dynamodb, read, write) == mixed
    # Also when one of them has another mistake, but not when one is not well formed.
    assert error_of(batch, dynamodb, f"SELECT * FROM \"{filled}\" WHERE pk = 'a'", write) == mixed
    assert error_of(batch, dynamodb, read, f"DELETE FROM \"{filled}\" WHERE pk = 'c'") == mixed
    assert "Error" in batch(dynamodb, read, f"DELETE \"{filled}\"")["Responses"][1]
    twice = ("ValidationException", "Provided list of item keys contains duplicates")
    assert error_of(batch, dynamodb, read, read) == twice
    assert error_of(batch, dynamodb, *[read] * 26)[0] == "ValidationException"
    not_single = "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
    answers = batch(
        dynamodb,
        f"SELECT * FROM \"{filled}\" WHERE pk = 'a'",
        f"SELECT * FROM \"{filled}\" WHERE pk = 'a' AND sk = '1' AND n = 1",
        f"SELECT * FROM \"{filled}\".\"index\" WHERE pk = 'a' AND sk = '1'",
        f"SELECT * FROM \"{filled}\" WHERE pk = 'a' AND sk IN ['1']",
    )["Responses"]
    assert [each["Error"] for each in answers] == [{"Code": "ValidationError", "Message": not_single}] * 4


def test_execute_transaction_is_not_there(dynamodb, filled):
    statement = {"Statement": f"SELECT * FROM \"{filled}\" WHERE pk = 'a' AND sk = '1'"}
    assert error_of(dynamodb.execute_transaction, TransactStatements=[statement])[0] == "UnknownOperationException"


@pytest.fixture(scope="module")
def indexed(server):
    """Indexes of each kind; `out` is in none of them, `in` in those that include something."""
    gsi = {"KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}]}
    lsi = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}]
    include = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["in"]}
    name = create_table(
        server.dynamodb,
        sort_key=True,
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk", "g", "l")],
        GlobalSecondaryIndexes=[
            gsi | {"IndexName": "gsi-all", "Projection": {"ProjectionType": "ALL"}},
            gsi | {"IndexName": "gsi-keys", "Projection": {"ProjectionType": "KEYS_ONLY"}},
            gsi | {"IndexName": "gsi-in", "Projection": include},
        ],
        LocalSecondaryIndexes=[{"IndexName": "lsi-keys", "KeySchema": lsi, "Projection": {"ProjectionType": "KEYS_ONLY"}}],
    )
    for n, g in enumerate("xyxz"):
        server.dynamodb.put_item(TableName=name, Item=item("p", sk=str(n), g=g, l=f"l{9 - n}", out=f"o{n}", **{"in": f"i{n}"}))
    server.dynamodb.put_item(TableName=name, Item=item("p", sk="none"))
    return name


@pytest.mark.parametrize(
    ("what", "index", "where", "expected"),
    [
        ("pk, sk", "gsi-all", "g = 'x'", ["p0", "p2"]),
        ("*", "gsi-all", "g IN ['z', 'y']", ["p3", "p1"]),
        ("*", "gsi-keys", "g = 'x' AND sk > '0'", ["p2"]),
        ("*", "lsi-keys", "pk = 'p'", ["p3", "p2", "p1", "p0"]),
        ("*", "lsi-keys", "pk = 'p' ORDER BY l DESC", ["p0", "p1", "p2", "p3"]),
        ("*", "lsi-keys", "pk = 'p' AND l BETWEEN 'l7' AND 'l8'", ["p2", "p1"]),
        ("*", "gsi-in", "g = 'x' AND \"in\" = 'i2'", ["p2"]),
        ("*", "gsi-in", "out = 'o1'", []),
        ("*", "lsi-keys", "out = 'o1'", []),
        ("*", "gsi-in", "(g = 'x' AND out = 'o0') OR g = 'y'", ["p1"]),
    ],
)
def test_an_index_is_read_by_its_own_keys(run, indexed, what, index, where, expected):
    assert keys(run(f'SELECT {what} FROM "{indexed}"."{index}" WHERE {where}')) == expected


def test_an_index_shows_what_it_has(run, indexed):
    def shown(index, where, what="*", **parameters):
        answer = run(f'SELECT {what} FROM "{indexed}"."{index}" WHERE {where}', ReturnConsumedCapacity="INDEXES", **parameters)
        return answer["Items"], answer["ConsumedCapacity"]

    items, capacity = shown("gsi-keys", "g = 'y'")
    assert items == [item("p", sk="1", g="y")]
    assert capacity["GlobalSecondaryIndexes"] == {"gsi-keys": {"CapacityUnits": 0.5}} and capacity["Table"]["CapacityUnits"] == 0
    assert shown("gsi-in", "g = 'y'")[0] == [item("p", sk="1", g="y", **{"in": "i1"})]
    # A local index lies beside the items, and fetches what it does not have.
    items, capacity = shown("lsi-keys", "pk = 'p'", "out", ConsistentRead=True)
    assert items == [{"out": {"S": f"o{n}"}} for n in (3, 2, 1, 0)]
    assert (capacity["Table"]["CapacityUnits"], capacity["LocalSecondaryIndexes"]) == (4, {"lsi-keys": {"CapacityUnits": 1}})


def test_pages_of_an_index(run, indexed):
    for index, where, whole in (("gsi-all", "g = 'x'", ["p0", "p2"]), ("lsi-keys", "pk = 'p'", ["p3", "p2", "p1", "p0"])):
        statement, found, token = f'SELECT * FROM "{indexed}"."{index}" WHERE {where}', [], {}
        while True:
            page = run(statement, Limit=1, **token)
            found += keys(page)
            if "NextToken" not in page:
                break
            last = page["Items"][0]
            assert page["LastEvaluatedKey"] == {name: last[name] for name in ("pk", "sk", "g" if index == "gsi-all" else "l")}
            token = {"NextToken": page["NextToken"]}
        assert found == whole
    scanned = [each["sk"]["S"] for each in run(f'SELECT * FROM "{indexed}"."gsi-all"')["Items"]]
    assert sorted(scanned) == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("what", "index", "where", "parameters", "message"),
    [
        ("out", "gsi-in", "g = 'y'", {}, "One or more parameter values were invalid: Global secondary index gsi-in does not project [out]"),
        # In the order of the statement, where Query has that of Java's hash sets.
        ("b, zz, a", "gsi-in", "g = 'y'", {},
         "One or more parameter values were invalid: Global secondary index gsi-in does not project [b, zz, a]"),
        ("pk", "gsi-in", "g = 'y' AND out = 'o1'", {},
         "One or more parameter values were invalid: Secondary index gsi-in does not project one or more filter attributes: [out]"),
        ("pk", "lsi-keys", "pk = 'p' AND out IS NOT MISSING", {},
         "One or more parameter values were invalid: Secondary index lsi-keys does not project one or more filter attributes: [out]"),
        ("*", "gsi-all", "g = 'x'", {"ConsistentRead": True}, "Strongly consistent read is not supported on Global Secondary Indexes"),
        ("*", "other", "g = 'x'", {}, "The table does not have the specified index"),
        ("*", "gsi-all", "g = 1", {}, "Key attribute's data type should match its data type in table's schema: Key g"),
    ],
)
def test_what_an_index_refuses(run, indexed, what, index, where, parameters, message):
    statement = f'SELECT {what} FROM "{indexed}"."{index}" WHERE {where}'
    assert error_of(run, statement, **parameters) == ("ValidationException", message)


def test_an_index_with_keys_of_several_attributes_is_not_read(server, run):
    """The refusal comes after the grammar and before all else, and in a batch it is of its statement only."""
    refusal = "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE keys."
    keys = [{"AttributeName": n, "KeyType": kind} for n, kind in (("g", "HASH"), ("h", "HASH"), ("r", "RANGE"))]
    single = [{"AttributeName": n, "KeyType": kind} for n, kind in (("g", "HASH"), ("r", "RANGE"))]
    table = create_table(
        server.dynamodb,
        AttributeDefinitions=[{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "g", "h", "r")],
        GlobalSecondaryIndexes=[
            {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": "ALL"}}
            for name, schema in (("wide", keys), ("single", single))
        ],
    )
    server.dynamodb.put_item(TableName=table, Item=item("a", g="b", h="c", r="d"))
    for what, where in (
        ("*", " WHERE g = 'b' AND h = 'c'"), ("*", ""), ("*", " WHERE g = 5"), ("*", " WHERE pk = 'a'"), ("COUNT(*)", ""),
        ("pk", " WHERE g = 'b' AND h = 'c' ORDER BY r DESC"),
    ):
        assert error_of(run, f'SELECT {what} FROM "{table}"."wide"{where}') == ("ValidationException", refusal)
    not_well_formed = "Statement wasn't well formed, can't be processed: "
    assert error_of(run, f'SELECT * FROM "{table}"."wide" WHERE') == ("ValidationException", f"{not_well_formed}Unexpected term")
    assert error_of(run, f'SELECT * FROM "{table}"."wide" WHERE g = 1e99999999999') == ("ValidationException", not_well_formed)
    assert [each["pk"]["S"] for each in run(f"SELECT pk FROM \"{table}\".\"single\" WHERE g = 'b'")["Items"]] == ["a"]
    answers = server.dynamodb.batch_execute_statement(Statements=[
        {"Statement": f"SELECT * FROM \"{table}\".\"single\" WHERE g = 'b' AND r = 'd'"},
        {"Statement": f"SELECT * FROM \"{table}\".\"wide\" WHERE g = 'b' AND h = 'c' AND r = 'd'"},
        {"Statement": f"SELECT * FROM \"{table}\" WHERE pk = 'a'"},
    ])["Responses"]
    needs_key = "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
    assert [(a["Error"]["Code"], a["Error"]["Message"]) if "Error" in a else a["Item"]["pk"] for a in answers] == [
        ("ValidationError", needs_key), ("ValidationError", refusal), {"S": "a"}]
