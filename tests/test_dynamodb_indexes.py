"""Local and global secondary indexes: their entries, reading them, and what is refused."""

import concurrent.futures
import itertools
import random
import subprocess
import time

import pytest
from support.indexes import (
    canonical, definitions, expected_entries, index, indexed_table, keys, scan_index, write_at_random,
)
from support.server import binary, clean_environment
from support.tables import (
    create_table, customer_key, describe, error_of, refused, sse, unique, wait_switched, wait_until,
)

INVALID = "One or more parameter values were invalid: "
TYPES = {"g": "S", "h": "S", "n": "N"}
LOCAL = [index("by-n", "pk", "n"), index("by-g", "pk", "g", project="KEYS_ONLY")]
GLOBAL = [
    index("g-all", "g"),
    index("g-keys", "g", "n", project="KEYS_ONLY"),
    index("n-include", "n", "g", include=["extra", "h"]),
    index("many", ("g", "h"), "n", "sk", project="KEYS_ONLY"),
    index("turned", "sk", "pk"),
]


def item(pk, sk="s", **attributes):
    number = lambda value: {"N": str(value)} if isinstance(value, (int, float)) else {"S": value}
    return {"pk": {"S": pk}, "sk": {"S": sk}} | {n: number(v) for n, v in attributes.items()}


def query(dynamodb, table, name, condition, **values):
    parameters = values.pop("parameters", {})
    number = lambda value: {"N": str(value)} if isinstance(value, (int, float)) else {"S": value}
    return dynamodb.query(
        TableName=table, IndexName=name, KeyConditionExpression=condition,
        ExpressionAttributeValues={f":{n}": number(v) for n, v in values.items()}, **parameters)


@pytest.fixture(scope="module")
def table(server):
    return indexed_table(server.dynamodb, local=LOCAL, more=GLOBAL, types=TYPES)


def test_tables_are_described_with_their_indexes(dynamodb):
    name = unique()
    made = dynamodb.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=keys("pk", "sk"),
        AttributeDefinitions=definitions({"sk": "S", "pk": "S"} | TYPES),
        LocalSecondaryIndexes=LOCAL, GlobalSecondaryIndexes=GLOBAL)["TableDescription"]
    assert {i["IndexStatus"] for i in made["GlobalSecondaryIndexes"]} == {"CREATING"}
    found = describe(dynamodb, name)
    assert [a["AttributeName"] for a in found["AttributeDefinitions"]] == ["g", "h", "n", "pk", "sk"]
    arn = found["TableArn"]
    for given, listed in zip(LOCAL + GLOBAL, found["LocalSecondaryIndexes"] + found["GlobalSecondaryIndexes"], strict=True):
        assert listed["IndexName"] == given["IndexName"] and listed["KeySchema"] == given["KeySchema"]
        assert listed["IndexArn"] == f"{arn}/index/{given['IndexName']}"
        assert (listed["ItemCount"], listed["IndexSizeBytes"]) == (0, 0)
        expected = dict(given["Projection"])
        if "NonKeyAttributes" in expected:
            expected["NonKeyAttributes"] = sorted(expected["NonKeyAttributes"])
        assert listed["Projection"] == expected
    for listed in found["GlobalSecondaryIndexes"]:
        assert listed["IndexStatus"] == "ACTIVE" and "Backfilling" not in listed
        assert listed["ProvisionedThroughput"] == {
            "NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    assert not {"IndexStatus", "ProvisionedThroughput"} & set(found["LocalSecondaryIndexes"][0])


def test_indexes_that_cannot_be_made(dynamodb):
    def refuse(message, *, local=None, more=None, types=None, table_keys=("pk", "sk"), **parameters):
        types = {"pk": "S", "sk": "S"} | (types or {})
        with refused("ValidationException", INVALID + message if message[0] != "!" else message[1:]):
            dynamodb.create_table(
                **{"TableName": unique(), "BillingMode": "PAY_PER_REQUEST", "KeySchema": keys(*table_keys),
                   "AttributeDefinitions": definitions(types)}
                | ({} if local is None else {"LocalSecondaryIndexes": local})
                | ({} if more is None else {"GlobalSecondaryIndexes": more}) | parameters)

    refuse("List of LocalSecondaryIndexes is empty", local=[])
    refuse("List of GlobalSecondaryIndexes is empty", more=[])
    refuse("Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
           local=[index("one", "pk", "sk")], table_keys=("pk",))
    refuse("Index KeySchema does not have a range key for index: one", local=[index("one", "pk")])
    refuse("Index KeySchema does not have the same leading hash key as table KeySchema for index: one. index hash key: "
           "sk, table hash key: pk", local=[index("one", "sk", "pk")])
    refuse("Some index key attributes are not defined in AttributeDefinitions. Keys: [q], AttributeDefinitions: [sk, pk]",
           more=[index("one", "q")])
    refuse("Some AttributeDefinitions are not used. AttributeDefinitions: [sk, a, b, pk, c], keys used: [a, sk, pk]",
           more=[index("one", "a")], types={"a": "S", "b": "S", "c": "S"})
    refuse("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
           types={"a": "S"})
    refuse("Duplicate index name: one", more=[index("one", "pk"), index("one", "sk")])
    refuse("Duplicate index name: one", local=[index("one", "pk", "sk")], more=[index("one", "sk")])
    refuse("Number of LocalSecondaryIndexes exceeds per-table limit of 5",
           local=[index(f"index-{n}", "pk", "sk") for n in range(6)])
    refuse("GlobalSecondaryIndex count exceeds the per-table limit of 20",
           more=[index(f"index-{n}", "sk") for n in range(21)])
    refuse("Unknown ProjectionType: null", more=[index("one", "sk") | {"Projection": {}}])
    for kind in ("ALL", "KEYS_ONLY"):
        refuse(f"ProjectionType is {kind}, but NonKeyAttributes is specified",
               more=[index("one", "sk") | {"Projection": {"ProjectionType": kind, "NonKeyAttributes": ["a"]}}])
    refuse("ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
           more=[index("one", "sk", project="INCLUDE")])
    refuse("Duplicate element in NonKeyAttributes: a", more=[index("one", "sk", include=["a", "b", "a"])])
    refuse("!Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
           more=[index("one", "pk") | {"KeySchema": keys("sk", "pk")[::-1]}])
    refuse("!Both the Hash Key and the Range Key element in the KeySchema have the same name", more=[index("one", "sk", "sk")])
    refuse("!The KeySchema contains multiple key attributes with the same name", more=[index("one", ("sk", "sk"))])
    # Also where a definition is left over.
    refuse("!The KeySchema contains multiple key attributes with the same name", types={"a": "S"}, more=[index("one", ("sk", "sk"))])
    refuse("All HASH key attributes must precede RANGE key attributes in the KeySchema", types={"a": "S"},
           more=[index("one", "a") | {"KeySchema": keys("a", "sk") + keys("pk")}])
    five = {f"k{n}": "S" for n in range(5)}
    refuse("The KeySchema exceeds the maximum allowed number of HASH key attributes", more=[index("one", tuple(five))], types=five)
    refuse("The KeySchema exceeds the maximum allowed number of RANGE key attributes",
           more=[index("one", "pk", *five)], types=five)
    units = {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}
    refuse("ProvisionedThroughput should not be specified for index: one when BillingMode is PAY_PER_REQUEST",
           more=[index("one", "sk") | units])
    refuse("ProvisionedThroughput is not specified for index: one", more=[index("one", "sk")], BillingMode="PROVISIONED", **units)


@pytest.mark.parametrize("seed", range(3))
def test_indexes_hold_what_a_recomputation_gives(dynamodb, seed):
    """After random writes of every kind, each index is exactly what its description makes of the items."""
    table = indexed_table(dynamodb, local=LOCAL, more=GLOBAL, types=TYPES)
    live = write_at_random(dynamodb, table, seed, 150)
    check_indexes(dynamodb, table, live)


def check_indexes(dynamodb, table, live):
    types = TYPES | {"pk": "S", "sk": "S"}
    found = describe(dynamodb, table)
    for listed in found["LocalSecondaryIndexes"] + found["GlobalSecondaryIndexes"]:
        expected = expected_entries(live.values(), listed, types)
        for size in (1000, 3):
            entries = scan_index(dynamodb, table, listed["IndexName"], PaginationConfig={"PageSize": size})
            assert canonical(entries) == canonical(expected), listed["IndexName"]
        assert listed["ItemCount"] == len(expected)
        segments = [scan_index(dynamodb, table, listed["IndexName"], Segment=n, TotalSegments=3) for n in range(3)]
        assert canonical(itertools.chain(*segments)) == canonical(expected)


def test_queries_are_sorted_and_go_both_ways(dynamodb, table):
    written = [item(f"sorted-{n}", g="sort", n=number) for n, number in enumerate([3, -1.5, 20, 0, 3])]
    for one in written:
        dynamodb.put_item(TableName=table, Item=one)
    numbers = lambda answer: [float(i["n"]["N"]) for i in answer["Items"]]
    ascending = sorted(float(i["n"]["N"]) for i in written)
    assert numbers(query(dynamodb, table, "g-keys", "g = :g", g="sort")) == ascending
    assert numbers(query(dynamodb, table, "g-keys", "g = :g", g="sort", parameters={"ScanIndexForward": False})) == ascending[::-1]
    for condition, expected in [
        ("n = :n", [3, 3]), ("n < :n", [-1.5, 0]), ("n <= :n", [-1.5, 0, 3, 3]), ("n > :n", [20]), ("n >= :n", [3, 3, 20]),
        ("n BETWEEN :m AND :n", [0, 3, 3]),
    ]:
        more = {"m": 0} if ":m" in condition else {}
        assert numbers(query(dynamodb, table, "g-keys", f"g = :g AND {condition}", g="sort", n=3, **more)) == expected, condition
    for forward in (True, False):
        pages, start = [], None
        while start is None or start:
            parameters = {"Limit": 2, "ScanIndexForward": forward} | ({"ExclusiveStartKey": start} if start else {})
            answer = query(dynamodb, table, "g-keys", "g = :g", g="sort", parameters=parameters)
            pages += numbers(answer)
            start = answer.get("LastEvaluatedKey", {})
            assert set(start) <= {"pk", "sk", "g", "n"}
        assert pages == (ascending if forward else ascending[::-1])


def test_a_key_of_several_attributes(dynamodb, table):
    for n, (h, number) in enumerate(itertools.product("xy", range(3))):
        dynamodb.put_item(TableName=table, Item=item(f"many-{n}", sk=f"{number}", g="many", h=h, n=number))
    read = lambda condition, **values: [
        (i["h"]["S"], i["n"]["N"]) for i in query(dynamodb, table, "many", condition, **values)["Items"]]
    assert read("g = :g AND h = :h", g="many", h="x") == [("x", "0"), ("x", "1"), ("x", "2")]
    assert read("n >= :n AND h = :h AND g = :g", g="many", h="y", n=1) == [("y", "1"), ("y", "2")]
    assert read("g = :g AND h = :h AND n = :n AND begins_with(sk, :s)", g="many", h="y", n=1, s="1") == [("y", "1")]
    with refused("ValidationException", "HASH key attributes h must have equality conditions specified in the query"):
        read("g = :g", g="many")
    with refused("ValidationException", "RANGE key attributes n must have equality conditions specified in the query because "
                                        "a condition is present on key attribute sk"):
        read("g = :g AND h = :h AND sk = :s", g="many", h="x", s="0")


def test_which_attributes_an_index_shows(dynamodb, table):
    whole = item("select", g="sel", h="ect", n=1, extra="o", rest="m")
    dynamodb.put_item(TableName=table, Item=whole)
    on = lambda name, condition="g = :g", **parameters: query(dynamodb, table, name, condition, g="sel", parameters=parameters)["Items"]
    some = lambda *names: [{n: whole[n] for n in names}]
    assert on("g-all") == on("g-all", Select="ALL_ATTRIBUTES") == [whole]
    assert on("g-keys") == on("g-keys", Select="ALL_PROJECTED_ATTRIBUTES") == some("pk", "sk", "g", "n")
    assert on("g-keys", ProjectionExpression="n, pk") == some("n", "pk")
    assert query(dynamodb, table, "n-include", "n = :n AND g = :g", n=1, g="sel")["Items"] == some("pk", "sk", "g", "n", "h", "extra")
    assert query(dynamodb, table, "g-keys", "g = :g", g="sel", parameters={"Select": "COUNT"})["Count"] == 1
    with refused("ValidationException", f"{INVALID}Select type ALL_ATTRIBUTES is not supported for global secondary index "
                                        "g-keys because its projection type is not ALL"):
        on("g-keys", Select="ALL_ATTRIBUTES")
    with refused("ValidationException", f"{INVALID}Global secondary index g-keys does not project [rest, extra]"):
        on("g-keys", ProjectionExpression="extra, n, rest")
    # What is missing is told in the order of Java's hash sets, and for a filter in that of the alphabet.
    with refused("ValidationException", f"{INVALID}Global secondary index g-keys does not project [zz, a, b]"):
        on("g-keys", ProjectionExpression="b, zz, a")
    with refused("ValidationException", f"{INVALID}Secondary index g-keys does not project one or more filter attributes: [a, b, zz]"):
        on("g-keys", FilterExpression="attribute_exists(zz) OR attribute_exists(b) OR attribute_exists(a)")
    filtered = {"FilterExpression": "attribute_exists(extra)"}
    with refused("ValidationException", f"{INVALID}Secondary index g-keys does not project one or more filter attributes: [extra]"):
        on("g-keys", **filtered)
    with refused("ValidationException", "Filter Expression can only contain non-primary key attributes: Primary key attribute: g"):
        on("g-keys", FilterExpression="g = :g")
    # A local index lies beside the items, and fetches what it does not have.
    local = lambda **parameters: query(
        dynamodb, table, "by-g", "pk = :p AND g = :g", p="select", g="sel", parameters={"ReturnConsumedCapacity": "INDEXES"} | parameters)
    assert local()["Items"] == some("pk", "sk", "g")
    assert local()["ConsumedCapacity"] == {
        "TableName": table, "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.0},
        "LocalSecondaryIndexes": {"by-g": {"CapacityUnits": 0.5}}}
    for parameters, shown in [({"Select": "ALL_ATTRIBUTES"}, [whole]), ({"ProjectionExpression": "rest"}, some("rest"))]:
        answer = local(ConsistentRead=True, **parameters)
        assert answer["Items"] == shown
        assert answer["ConsumedCapacity"]["Table"] == {"CapacityUnits": 1.0}
        assert answer["ConsumedCapacity"]["CapacityUnits"] == 2.0


def test_entries_of_local_indexes_count_with_their_item(dynamodb):
    """An item and its entries in local indexes have 400 KB together; entries of global indexes do not count."""
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}]
    table = unique("limited")
    dynamodb.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in ("pk", "sk", "l")],
        KeySchema=[*keys, {"AttributeName": "sk", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[{
            "IndexName": "local", "KeySchema": [*keys, {"AttributeName": "l", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }],
        GlobalSecondaryIndexes=[{
            "IndexName": "global", "KeySchema": [{"AttributeName": "l", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }],
    )
    one = {"pk": {"S": "p"}, "sk": {"S": "s"}, "l": {"S": "l"}}
    # Keys with their names take 3, 3 and 2 bytes, and the name of the filler one.
    most = 200 * 1024 - 9
    large = "Item size has exceeded the maximum allowed size"
    dynamodb.put_item(TableName=table, Item=one | {"v": {"S": "x" * most}})
    for call in (
        lambda: dynamodb.put_item(TableName=table, Item=one | {"v": {"S": "x" * (most + 1)}}),
        lambda: dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": one | {"v": {"S": "x" * (most + 1)}}}}]}),
        lambda: dynamodb.execute_statement(
            Statement=f"INSERT INTO \"{table}\" VALUE {{'pk': 'q', 'sk': 's', 'l': 'l', 'v': ?}}", Parameters=[{"S": "x" * (most + 1)}]),
    ):
        with refused("ValidationException", large):
            call()
    with refused("ValidationException", "Item size to update has exceeded the maximum allowed size"):
        dynamodb.update_item(
            TableName=table, Key={"pk": one["pk"], "sk": one["sk"]}, UpdateExpression="SET v = :v",
            ExpressionAttributeValues={":v": {"S": "x" * (most + 1)}})
    # Without the index's sort key there is no entry.
    sparse = {"pk": {"S": "p"}, "sk": {"S": "t"}}
    dynamodb.put_item(TableName=table, Item=sparse | {"v": {"S": "x" * (400 * 1024 - 7)}})


def test_what_is_fetched_for_a_local_index_matches_the_query(server, dynamodb):
    """Items move between partitions of sort keys while they are fetched: none is shown that the condition excludes."""
    name = unique("fetched")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": t} for a, t in (("pk", "S"), ("sk", "S"), ("l", "N"))],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[{
            "IndexName": "local",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "l", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }],
    )
    deadline = time.monotonic() + 3

    def write(worker):
        client, choice = server.client("dynamodb"), random.Random(worker)
        while time.monotonic() < deadline:
            one = {"pk": {"S": "hot"}, "sk": {"S": str(worker)}}
            level = choice.choice([{"N": "1"}, {"N": "2"}, None])
            client.put_item(TableName=name, Item=one | ({"l": level} if level else {}))

    def read(worker):
        client, wrong, found = server.client("dynamodb"), [], 0
        while time.monotonic() < deadline:
            page = client.query(
                TableName=name,
                IndexName="local",
                Select="ALL_ATTRIBUTES",
                ConsistentRead=worker % 2 == 0,
                KeyConditionExpression="pk = :pk AND l = :l",
                ExpressionAttributeValues={":pk": {"S": "hot"}, ":l": {"N": "1"}},
            )
            found += page["Count"]
            wrong += [one for one in page["Items"] if one.get("l") != {"N": "1"}]
        return wrong, found

    with concurrent.futures.ThreadPoolExecutor(7) as pool:
        writers = [pool.submit(write, worker) for worker in range(4)]
        readers = [pool.submit(read, worker) for worker in range(3)]
        for writer in writers:
            writer.result()
        for reader in readers:
            wrong, found = reader.result()
            assert found > 0 and wrong == []


def test_what_is_fetched_for_a_local_index_is_all_that_is_there(own_server):
    """Items that move in the index while it is read are in every answer, for an entry and its item are read of one moment."""
    dynamodb = own_server.dynamodb
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}]
    name = unique("moving")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": a, "AttributeType": t} for a, t in (("pk", "S"), ("sk", "S"), ("l", "N"))],
        KeySchema=[*keys, {"AttributeName": "sk", "KeyType": "RANGE"}],
        LocalSecondaryIndexes=[{
            "IndexName": "local", "KeySchema": [*keys, {"AttributeName": "l", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }],
    )
    for n in range(5):
        dynamodb.put_item(TableName=name, Item={"pk": {"S": "hot"}, "sk": {"S": str(n)}, "l": {"N": "0"}, "v": {"N": "0"}})
    # What lies in the log alone is there too.
    own_server.kill()
    own_server.start()
    deadline = time.monotonic() + 3

    def write(worker):
        client, choice = own_server.client("dynamodb"), random.Random(worker)
        while time.monotonic() < deadline:
            client.update_item(
                TableName=name, Key={"pk": {"S": "hot"}, "sk": {"S": str(choice.randrange(5))}},
                UpdateExpression="SET l = :l, v = :l", ExpressionAttributeValues={":l": {"N": str(choice.randrange(1000))}})

    def read(consistent):
        client, counts, torn = own_server.client("dynamodb"), set(), []
        while time.monotonic() < deadline:
            for page in (
                client.query(
                    TableName=name, IndexName="local", Select="ALL_ATTRIBUTES", ConsistentRead=consistent,
                    KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "hot"}}),
                client.execute_statement(
                    Statement=f"SELECT sk, l, v FROM \"{name}\".\"local\" WHERE pk = 'hot'", ConsistentRead=consistent),
            ):
                counts.add(len({one["sk"]["S"] for one in page["Items"]}))
                torn += [one for one in page["Items"] if one["l"] != one["v"]]
        return counts, torn

    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        writers = [pool.submit(write, worker) for worker in range(3)]
        readers = [pool.submit(read, consistent) for consistent in (True, False)]
        for writer in writers:
            writer.result()
        for reader in readers:
            assert reader.result() == ({5}, [])


def test_reads_that_an_index_refuses(dynamodb, table):
    for call in (dynamodb.scan, lambda **p: dynamodb.query(
            KeyConditionExpression="g = :g", ExpressionAttributeValues={":g": {"S": "x"}}, **p)):
        with refused("ValidationException", "The table does not have the specified index: nowhere"):
            call(TableName=table, IndexName="nowhere")
        with refused("ValidationException", "Consistent reads are not supported on global secondary indexes"):
            call(TableName=table, IndexName="g-all", ConsistentRead=True)
    start = {"g": {"S": "x"}, "n": {"N": "1"}, "pk": {"S": "p"}, "sk": {"S": "s"}}
    at = lambda start_key, condition="g = :g", **values: error_of(
        query, dynamodb, table, "g-keys", condition, **({"g": "x"} | values), parameters={"ExclusiveStartKey": start_key})
    assert at(start) is None
    starting = "The provided starting key is "
    for start_key, message in [
        ({n: v for n, v in start.items() if n != "sk"}, f"{starting}invalid"),
        (start | {"more": {"S": "x"}}, f"{starting}invalid"),
        ({"g": {"S": "x"}, "pk": {"S": "p"}, "sk": {"S": "s"}, "extra": {"N": "1"}}, f"{starting}invalid"),
        (start | {"n": {"S": "1"}}, "The provided key element does not match the schema"),
        (start | {"pk": {"N": "1"}}, f"{starting}invalid: The provided key element does not match the schema"),
        (start | {"g": {"S": "y"}}, f"{starting}outside query boundaries based on provided conditions"),
    ]:
        assert at(start_key) == ("ValidationException", message)
    assert at(start, "g = :g AND n > :n", n=1) == (
        "ValidationException", f"{starting.replace('is ', '')}does not match the range key predicate")
    with refused("ValidationException", f"{starting}invalid"):
        dynamodb.scan(TableName=table, IndexName="g-keys", ExclusiveStartKey={"g": {"S": "x"}})


def test_writes_that_an_index_refuses(dynamodb, table):
    mismatch = f"{INVALID}Type mismatch for Index Key "
    for attributes, message in [
        ({"n": "text"}, f"{mismatch}n Expected: N Actual: S IndexName: by-n"),
        ({"h": 1}, f"{mismatch}h Expected: S Actual: N IndexName: many"),
        ({"g": ""}, "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
                    "The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by-g, IndexKey: g"),
    ]:
        bad = item("refused", **attributes)
        for call in (
            lambda: dynamodb.put_item(TableName=table, Item=bad),
            lambda: dynamodb.batch_write_item(
                RequestItems={table: [{"PutRequest": {"Item": i}} for i in (item("refused", "extra"), bad)]}),
        ):
            with refused("ValidationException", message):
                call()
    assert dynamodb.query(TableName=table, KeyConditionExpression="pk = :p",
                          ExpressionAttributeValues={":p": {"S": "refused"}})["Count"] == 0
    dynamodb.put_item(TableName=table, Item=item("update", g="g", plain=1))
    update = lambda expression, **values: dynamodb.update_item(
        TableName=table, Key=item("update"), UpdateExpression=expression,
        **({"ExpressionAttributeValues": {f":{n}": v for n, v in values.items()}} if values else {}))
    with refused("ValidationException", f"{mismatch}g Expected: S Actual: N IndexName: by-g"):
        update("SET g = :v", v={"N": "1"})
    with refused("ValidationException", "The update expression attempted to update the secondary index key to unsupported type"):
        update("SET g = plain")
    with refused("ValidationException", "One or more parameter values are not valid. The update expression attempted to update a "
                                        "secondary index key to a value that is not supported. The AttributeValue for a key "
                                        "attribute cannot contain an empty string value."):
        update("SET g = :v", v={"S": ""})
    with refused("ValidationException", "Key attributes must be scalars; list random access '[]' and map lookup '.' are not "
                                        "allowed: IndexKey: g"):
        update("SET g.x = :v", v={"S": "x"})
    update("REMOVE g")
    assert query(dynamodb, table, "by-g", "pk = :p", p="update")["Count"] == 0


def test_what_writes_of_indexes_consume(dynamodb):
    """The figures were measured on the service."""
    table = indexed_table(
        dynamodb, types={"lsk": "S", "gpk": "S"}, local=[index("lsi", "pk", "lsk")], more=[index("gsi", "gpk", include=["proj"])])

    def consumed(answer):
        found = answer["ConsumedCapacity"]
        of = lambda kind, name: found.get(kind, {}).get(name, {}).get("CapacityUnits")
        assert found["CapacityUnits"] == sum(filter(None, (
            found["Table"]["CapacityUnits"], of("GlobalSecondaryIndexes", "gsi"), of("LocalSecondaryIndexes", "lsi"))))
        return found["Table"]["CapacityUnits"], of("GlobalSecondaryIndexes", "gsi"), of("LocalSecondaryIndexes", "lsi")

    put = lambda **attributes: consumed(
        dynamodb.put_item(TableName=table, Item=item("p", **attributes), ReturnConsumedCapacity="INDEXES"))
    update = lambda expression, **values: consumed(dynamodb.update_item(
        TableName=table, Key=item("p"), UpdateExpression=expression, ReturnConsumedCapacity="INDEXES",
        **({"ExpressionAttributeValues": {f":{n}": {"S": v} for n, v in values.items()}} if values else {})))
    delete = lambda: consumed(dynamodb.delete_item(TableName=table, Key=item("p"), ReturnConsumedCapacity="INDEXES"))
    assert put(gpk="g") == (1, 1, None)
    assert delete() == (1, 1, None)
    assert put() == (1, None, None)
    assert put(lsk="l") == (1, None, 1)
    both = {"gpk": "g", "lsk": "l", "proj": "p", "extra": "o"}
    assert put(**both) == (1, 1, 1)
    assert put(**both) == (1, None, None), "nothing changes"
    assert update("SET extra = :v", v="new") == (1, None, 1)
    assert update("SET proj = :v", v="new") == (1, 1, 1)
    assert update("SET gpk = :v", v="moved") == (1, 2, 1)
    assert update("SET lsk = :v", v="moved") == (1, None, 2)
    assert update("REMOVE gpk") == (1, 1, 1)
    assert put(gpk="g", extra="o" * 3000) == (3, 1, 1), "an index takes what its entry takes"
    assert put(gpk="g", proj="p" * 3000) == (3, 3, None)
    assert put(gpk="g", proj="p") == (3, 3, None), "the larger of before and after"
    assert delete() == (1, 1, None)
    written = dynamodb.batch_write_item(
        RequestItems={table: [{"PutRequest": {"Item": item(p, gpk="g", lsk="l")}} for p in "ab"]}, ReturnConsumedCapacity="INDEXES")
    assert consumed({"ConsumedCapacity": written["ConsumedCapacity"][0]}) == (2, 2, 2)
    total = dynamodb.put_item(TableName=table, Item=item("a"), ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert total == {"TableName": table, "CapacityUnits": 3.0}


def test_indexes_survive_a_crash(own_server):
    """Entries are written with their item: after a crash each index is what the items make of it."""
    dynamodb = own_server.dynamodb
    table = indexed_table(dynamodb, local=LOCAL, more=GLOBAL, types=TYPES)
    live = write_at_random(dynamodb, table, 7, 60)
    own_server.kill()
    own_server.start()
    dynamodb = own_server.dynamodb
    live = write_at_random(dynamodb, table, 8, 60, live)
    types = TYPES | {"pk": "S", "sk": "S"}
    for listed in describe(dynamodb, table)["GlobalSecondaryIndexes"]:
        expected = expected_entries(live.values(), listed, types)
        assert canonical(scan_index(dynamodb, table, listed["IndexName"])) == canonical(expected)

    def figures():
        described = describe(dynamodb, table)
        indexes = described["GlobalSecondaryIndexes"] + described["LocalSecondaryIndexes"]
        return {"": described["ItemCount"]} | {one["IndexName"]: one["ItemCount"] for one in indexes}

    wanted = {"": len(live)}
    for one in GLOBAL + LOCAL:
        wanted[one["IndexName"]] = len(expected_entries(live.values(), one, types))
    wait_until(lambda: figures() == wanted, f"counts of {wanted}, not {figures()}", 20, pause_secs=0.2)


def test_figures_are_right_after_a_crash_though_nobody_uses_the_table(own_server):
    dynamodb = own_server.dynamodb
    table = create_table(dynamodb, **sse(customer_key(own_server.kms)))
    for n in range(30):
        dynamodb.put_item(TableName=table, Item=item(f"{n:02}"))

    def figures():
        described = describe(own_server.dynamodb, table)
        return described["ItemCount"], described["TableSizeBytes"]

    before = figures()
    assert before[0] == 30
    own_server.kill()
    own_server.start()
    wait_until(lambda: figures() == before, f"figures of {before}", 20, pause_secs=0.2)


def test_a_table_without_a_sort_key_has_global_indexes(dynamodb):
    table = create_table(dynamodb, AttributeDefinitions=definitions({"pk": "S", "g": "B"}), GlobalSecondaryIndexes=[index("by-g", "g")])
    dynamodb.put_item(TableName=table, Item={"pk": {"S": "a"}, "g": {"B": b"\0\xff"}})
    answer = dynamodb.query(TableName=table, IndexName="by-g", KeyConditionExpression="g = :g",
                            ExpressionAttributeValues={":g": {"B": b"\0\xff"}}, Limit=1)
    assert answer["Items"] == [{"pk": {"S": "a"}, "g": {"B": b"\0\xff"}}]
    assert answer["LastEvaluatedKey"] == answer["Items"][0]


def test_how_large_an_item_collection_is(dynamodb, table):
    """Only tables with local indexes have item collections."""
    metrics = {"ItemCollectionKey": {"pk": {"S": "collection"}}, "SizeEstimateRangeGB": [0.0, 1.0]}
    asked = {"TableName": table, "ReturnItemCollectionMetrics": "SIZE"}
    key = item("collection")
    assert dynamodb.put_item(Item=item("collection", n=1), **asked)["ItemCollectionMetrics"] == metrics
    assert dynamodb.update_item(Key=key, UpdateExpression="SET n = :n", ExpressionAttributeValues={":n": {"N": "2"}}, **asked)[
        "ItemCollectionMetrics"] == metrics
    assert dynamodb.delete_item(Key=key, **asked)["ItemCollectionMetrics"] == metrics
    assert "ItemCollectionMetrics" not in dynamodb.put_item(TableName=table, Item=key)
    requests = [{"PutRequest": {"Item": item(pk, sk)}} for pk, sk in [("c1", "a"), ("c1", "b"), ("c2", "a")]]
    written = dynamodb.batch_write_item(RequestItems={table: requests}, ReturnItemCollectionMetrics="SIZE")["ItemCollectionMetrics"]
    assert sorted(m["ItemCollectionKey"]["pk"]["S"] for m in written[table]) == ["c1", "c2"]
    plain = create_table(dynamodb)
    assert "ItemCollectionMetrics" not in dynamodb.put_item(TableName=plain, Item={"pk": {"S": "a"}}, ReturnItemCollectionMetrics="SIZE")


def test_indexes_lie_under_the_tables_key(own_server):
    """A disabled key takes the indexes away with the table, a change of key keeps them, and `verify` knows them."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    first, second = customer_key(kms), customer_key(kms)
    table = indexed_table(dynamodb, local=LOCAL, more=GLOBAL, types=TYPES, **sse(first))
    live = write_at_random(dynamodb, table, 11, 60)
    kms.disable_key(KeyId=first)
    wait_until(lambda: error_of(dynamodb.scan, TableName=table, IndexName="g-all") is not None, "the index is gone with the key")
    code, message = error_of(dynamodb.scan, TableName=table, IndexName="g-all")
    assert code == "ValidationException" and "is disabled" in message
    kms.enable_key(KeyId=first)
    check_indexes(dynamodb, table, live)
    dynamodb.update_table(TableName=table, **sse(second))
    live = write_at_random(dynamodb, table, 12, 30, live)
    wait_switched(dynamodb, table, second)
    check_indexes(dynamodb, table, live)
    own_server.stop()
    report = subprocess.run(
        [binary(), "verify", "--data", str(own_server.data), "--root-key", f"file:{own_server.root_key}"],
        capture_output=True, text=True, timeout=60, env=clean_environment())
    assert report.returncode == 0, report.stdout + report.stderr
    own_server.start()
    check_indexes(own_server.dynamodb, table, live)
    deleted = own_server.dynamodb.delete_table(TableName=table)["TableDescription"]
    assert not {"LocalSecondaryIndexes", "GlobalSecondaryIndexes", "KeySchema", "AttributeDefinitions"} & deleted.keys()
    with refused("ResourceNotFoundException"):
        own_server.dynamodb.scan(TableName=table, IndexName="g-all")
