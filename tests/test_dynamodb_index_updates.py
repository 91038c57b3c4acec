"""Global indexes that come and go while the table is in use."""

import threading

import pytest
from support.indexes import (
    canonical, definitions, expected_entries, index, indexed_table, scan_index, write_at_random,
)
from support.tables import create_table, describe, error_of, item, refused, wait_active, wait_until

INVALID = "One or more parameter values were invalid: "
TYPES = {"pk": "S", "sk": "S", "g": "S", "h": "S", "n": "N"}
LIMIT = "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"


def global_indexes(dynamodb, table) -> dict:
    return {i["IndexName"]: i for i in describe(dynamodb, table).get("GlobalSecondaryIndexes", [])}


def update(dynamodb, table, *updates, types=None, **parameters):
    parameters |= {"AttributeDefinitions": definitions(types)} if types else {}
    return dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=list(updates), **parameters)["TableDescription"]


def wait_built(dynamodb, table, name, seconds=30):
    wait_until(lambda: global_indexes(dynamodb, table)[name]["IndexStatus"] == "ACTIVE", f"{name} is ACTIVE", seconds)


def wait_gone(dynamodb, table, name, seconds=30):
    wait_until(lambda: name not in global_indexes(dynamodb, table), f"{name} is gone", seconds)


def check(dynamodb, table, name, live):
    found = global_indexes(dynamodb, table)[name]
    expected = expected_entries(live.values(), found, TYPES)
    assert canonical(scan_index(dynamodb, table, name)) == canonical(expected)
    return found, expected


def test_an_index_is_added_and_removed(dynamodb):
    table = indexed_table(dynamodb, types={})
    live = write_at_random(dynamodb, table, 1, 100)
    made = update(dynamodb, table, {"Create": index("by-g", "g", "n", project="KEYS_ONLY")}, types={"g": "S", "n": "N"})
    assert made["TableStatus"] == "UPDATING"
    [listed] = made["GlobalSecondaryIndexes"]
    assert (listed["IndexStatus"], listed["Backfilling"]) == ("CREATING", False)
    wait_built(dynamodb, table, "by-g")
    found, expected = check(dynamodb, table, "by-g", live)
    assert "Backfilling" not in found
    assert found["ItemCount"] == len(expected)
    assert [a["AttributeName"] for a in describe(dynamodb, table)["AttributeDefinitions"]] == ["g", "n", "pk", "sk"]
    live = write_at_random(dynamodb, table, 2, 50, live)
    check(dynamodb, table, "by-g", live)
    # What does not fit the index is refused from now on.
    bad = {"pk": {"S": "p"}, "sk": {"S": "s"}, "g": {"N": "1"}}
    with refused("ValidationException", f"{INVALID}Type mismatch for Index Key g Expected: S Actual: N IndexName: by-g"):
        dynamodb.put_item(TableName=table, Item=bad)
    gone = update(dynamodb, table, {"Delete": {"IndexName": "by-g"}})
    assert gone["TableStatus"] == "UPDATING" and gone["GlobalSecondaryIndexes"][0]["IndexStatus"] == "DELETING"
    wait_gone(dynamodb, table, "by-g")
    found = describe(dynamodb, table)
    assert "GlobalSecondaryIndexes" not in found and [a["AttributeName"] for a in found["AttributeDefinitions"]] == ["pk", "sk"]
    with refused("ValidationException", "The table does not have the specified index: by-g"):
        dynamodb.scan(TableName=table, IndexName="by-g")
    dynamodb.put_item(TableName=table, Item=bad)
    # A new index of the same name has nothing to do with the old one.
    update(dynamodb, table, {"Create": index("by-g", "g")}, types={"g": "S"})
    wait_built(dynamodb, table, "by-g")
    check(dynamodb, table, "by-g", live)


def test_items_that_do_not_fit_a_new_index_stay_out_of_it(dynamodb):
    table = create_table(dynamodb)
    for pk, value in [("fits", {"S": "x"}), ("type", {"N": "1"}), ("empty", {"S": ""}), ("large", {"S": "x" * 2049}), ("none", None)]:
        dynamodb.put_item(TableName=table, Item={"pk": {"S": pk}} | ({"g": value} if value else {}))
    update(dynamodb, table, {"Create": index("by-g", "g")}, types={"g": "S"})
    wait_built(dynamodb, table, "by-g")
    assert [i["pk"]["S"] for i in scan_index(dynamodb, table, "by-g")] == ["fits"]
    # They can still be written, as long as the attribute is left alone.
    dynamodb.update_item(TableName=table, Key={"pk": {"S": "type"}}, UpdateExpression="SET h = g")
    assert dynamodb.scan(TableName=table)["Count"] == 5


@pytest.mark.parametrize("seed", range(3))
def test_an_index_is_built_while_writes_go_on(server, seed):
    """No entry is lost and none comes back: the finished index is what the items make of it."""
    dynamodb = server.dynamodb
    table = indexed_table(dynamodb, types={})
    items = [{"pk": {"S": f"fixed-{n:04}"}, "sk": {"S": "s"}, "g": {"S": "f"}, "n": {"N": str(n)}} for n in range(600)]
    for start in range(0, len(items), 25):
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": i}} for i in items[start:start + 25]]})
    fixed = {(i["pk"]["S"], i["sk"]["S"]): i for i in items}
    live = {}

    def write():
        live.update(write_at_random(dynamodb, table, seed, 200))

    writer = threading.Thread(target=write)
    writer.start()
    update(dynamodb, table, {"Create": index("by-g", "g", "n")}, types={"g": "S", "n": "N"})
    for position, (pk, sk) in enumerate(list(fixed)):
        if position % 3 == 0:
            dynamodb.delete_item(TableName=table, Key={"pk": {"S": pk}, "sk": {"S": sk}})
            del fixed[pk, sk]
        elif position % 3 == 1:
            key = {"pk": {"S": pk}, "sk": {"S": sk}}
            dynamodb.update_item(TableName=table, Key=key, UpdateExpression="SET g = :g", ExpressionAttributeValues={":g": {"S": "moved"}})
            fixed[pk, sk] = fixed[pk, sk] | {"g": {"S": "moved"}}
    writer.join()
    wait_built(dynamodb, table, "by-g")
    found, expected = check(dynamodb, table, "by-g", fixed | live)
    assert found["ItemCount"] == len(expected)


def test_a_crash_in_the_middle_is_taken_up_again(own_server):
    """The server is killed while an index is built, and while one is removed; both are finished after the restart."""
    dynamodb = own_server.dynamodb
    table = indexed_table(dynamodb, types={})
    live = write_at_random(dynamodb, table, 5, 20)
    items = [{"pk": {"S": f"fixed-{n:05}"}, "sk": {"S": "s"}, "g": {"S": "f"}} for n in range(2000)]
    for start in range(0, len(items), 25):
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": i}} for i in items[start:start + 25]]})
    live |= {(i["pk"]["S"], i["sk"]["S"]): i for i in items}
    update(dynamodb, table, {"Create": index("by-g", "g")}, types={"g": "S"})
    own_server.kill()
    own_server.start()
    dynamodb = own_server.dynamodb
    gone = items[:300:7]
    for item in gone:
        dynamodb.delete_item(TableName=table, Key={n: item[n] for n in ("pk", "sk")})
        del live[item["pk"]["S"], item["sk"]["S"]]
    wait_built(dynamodb, table, "by-g")
    check(dynamodb, table, "by-g", live)
    update(dynamodb, table, {"Delete": {"IndexName": "by-g"}})
    own_server.kill()
    own_server.start()
    wait_gone(own_server.dynamodb, table, "by-g")
    own_server.dynamodb.delete_table(TableName=table)


def test_what_is_refused(dynamodb):
    table = indexed_table(dynamodb, types={"g": "S"}, local=[index("local", "pk", "g")], more=[index("by-g", "g")])
    create = lambda name, *keys, **more: {"Create": index(name, *keys) | more}
    units = {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}

    def refuse(code, message, *updates, **parameters):
        with refused(code, message):
            update(dynamodb, table, *updates, **parameters)

    at_least = ("At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates, SSESpecification, "
                "ReplicaUpdates, MultiAccountReplicaReady, ReplicaTransitRoleArn, MultiRegionConsistency, DeletionProtectionEnabled, "
                "OnDemandThroughput, WarmThroughput or TableClass is required")
    refuse("ValidationException", at_least)
    refuse("ValidationException", f"{INVALID}List of GlobalSecondaryIndexUpdates is empty", DeletionProtectionEnabled=False)
    refuse("ValidationException", f"{INVALID}One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                                  "GlobalSecondaryIndexUpdate.Delete must not be null", {})
    both = {"Delete": {"IndexName": "by-g"}} | create("by-h", "g")
    refuse("ValidationException", f"{INVALID}Only one global secondary index action is allowed per GlobalSecondaryIndexUpdate object", both)
    refuse("ValidationException", f"{INVALID}Only one global secondary index update per index is allowed simultaneously. Index: by-g",
           {"Delete": {"IndexName": "by-g"}}, create("by-g", "g"))
    refuse("LimitExceededException", LIMIT, create("by-h", "g"), create("by-i", "g"), types={"g": "S"})
    refuse("LimitExceededException", LIMIT, create("by-h", "g"), {"Delete": {"IndexName": "by-g"}}, types={"g": "S"})
    for name in ("by-g", "local"):
        refuse("ValidationException", "Attempting to create an index which already exists", create(name, "g"), types={"g": "S"})
    refuse("ValidationException", f"{INVALID}AttributeDefinitions is not specified for index: by-h", create("by-h", "g"))
    refuse("ValidationException", f"{INVALID}Some index key attributes are not defined in AttributeDefinitions. Keys: [h], "
                                  "AttributeDefinitions: [sk, pk, g]", create("by-h", "h"), types={"g": "S"})
    refuse("ValidationException", f"{INVALID}Attributes cannot be redefined. Please check that your attribute has the same type as "
                                  "previously defined. Existing schema: Schema:[SchemaElement: key{pk:S:HASH}, SchemaElement: "
                                  "key{g:S:RANGE}] New schema: Schema:[SchemaElement: key{g:N:HASH}]", create("by-h", "g"), types={"g": "N"})
    refuse("ValidationException", f"{INVALID}Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: by-h when "
                                  "BillingMode is PAY_PER_REQUEST", create("by-h", "g", **units), types={"g": "S"})
    refuse("ValidationException", f"{INVALID}The only Updates for index: by-g when TableThroughputMode is PAY_PER_REQUEST can be to "
                                  "OnDemandThroughput, WarmThroughput", {"Update": {"IndexName": "by-g"} | units})
    missing = f"Requested resource not found: Index nowhere for table {table}"
    refuse("ResourceNotFoundException", missing, {"Delete": {"IndexName": "nowhere"}})
    refuse("ResourceNotFoundException", missing, {"Update": {"IndexName": "nowhere"} | units})
    refuse("ValidationException", "Cannot delete an index that is not a GlobalSecondaryIndex: local", {"Delete": {"IndexName": "local"}})
    refuse("ValidationException", f"{INVALID}ProvisionedThroughput must be specified for index: by-g",
           {"Update": {"IndexName": "other"} | units}, BillingMode="PROVISIONED", **units)
    assert set(global_indexes(dynamodb, table)) == {"by-g"}


def test_throughput_of_indexes(dynamodb):
    units = lambda read, write: {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}
    table = create_table(dynamodb, BillingMode="PROVISIONED", AttributeDefinitions=definitions({"pk": "S", "g": "S"}),
                         GlobalSecondaryIndexes=[index("by-g", "g") | units(2, 3)], **units(1, 1))
    of = lambda: tuple(global_indexes(dynamodb, table)["by-g"]["ProvisionedThroughput"][f"{n}CapacityUnits"] for n in ("Read", "Write"))
    assert of() == (2, 3)
    update(dynamodb, table, {"Update": {"IndexName": "by-g"} | units(4, 5)})
    assert of() == (4, 5)
    with refused("ValidationException", containing=["The provisioned throughput for the index by-g will not change."]):
        update(dynamodb, table, {"Update": {"IndexName": "by-g"} | units(4, 5)})
    with refused("ValidationException", f"{INVALID}Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: by-h"):
        update(dynamodb, table, {"Create": index("by-h", "g")}, types={"g": "S"})
    dynamodb.update_table(TableName=table, BillingMode="PAY_PER_REQUEST")
    assert of() == (0, 0)
    update(dynamodb, table, {"Update": {"IndexName": "by-g"} | units(6, 7)}, BillingMode="PROVISIONED", **units(1, 1))
    assert of() == (6, 7)


def test_one_index_at_a_time(own_server):
    """While an index is built it cannot be read, no other is made or removed, and the table stays."""
    dynamodb = own_server.dynamodb
    table = indexed_table(dynamodb, types={"h": "S"}, more=[index("by-h", "h")])
    items = [{"pk": {"S": f"{n:05}"}, "sk": {"S": "x" * 900}, "g": {"S": "f"}} for n in range(5000)]
    for start in range(0, len(items), 25):
        dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": i}} for i in items[start:start + 25]]})
    update(dynamodb, table, {"Create": index("by-g", "g")}, types={"g": "S"})
    errors = {
        "read": error_of(dynamodb.scan, TableName=table, IndexName="by-g"),
        "create": error_of(update, dynamodb, table, {"Create": index("by-i", "g")}, types={"g": "S"}),
        "delete": error_of(update, dynamodb, table, {"Delete": {"IndexName": "by-h"}}),
        "table": error_of(dynamodb.delete_table, TableName=table),
    }
    assert global_indexes(dynamodb, table)["by-g"]["IndexStatus"] == "CREATING", "the test was too slow to see it"
    assert errors == {
        "read": ("ValidationException", "Cannot read from backfilling global secondary index: by-g"),
        "create": ("LimitExceededException", LIMIT),
        "delete": ("LimitExceededException", LIMIT),
        "table": ("ResourceInUseException", "Attempt to change a resource which is still in use: Cannot delete table while indexes are "
                                            "being created, updated, or deleted."),
    }
    wait_until(lambda: describe(dynamodb, table)["TableStatus"] == "ACTIVE", "the index is being filled")
    # One that is being filled can be given up.
    update(dynamodb, table, {"Delete": {"IndexName": "by-g"}})
    wait_gone(dynamodb, table, "by-g")
    dynamodb.delete_table(TableName=table)


def test_indexes_come_and_go_in_the_time_that_is_set(make_server):
    dynamodb = make_server("slow", arguments=["--status-delay-secs", "4"]).start().dynamodb
    table = create_table(dynamodb)
    wait_active(dynamodb, table)
    for n in range(10):
        dynamodb.put_item(TableName=table, Item=item(str(n), g="a"))
    in_use = "Attempt to change a resource which is still in use: "
    cannot_delete = ("ResourceInUseException", f"{in_use}Cannot delete table while indexes are being created, updated, or deleted.")

    def state():
        # Of one answer: between two of them the state moves on.
        described = describe(dynamodb, table)
        found = next((i for i in described.get("GlobalSecondaryIndexes", []) if i["IndexName"] == "by-g"), {})
        return described["TableStatus"], found.get("IndexStatus"), found.get("Backfilling")

    def passes(*states):
        """Waits through the states in turn, and lets no other come between."""
        for seen, following in zip(states, states[1:], strict=False):
            wait_until(lambda: check_state(seen, following) == following, f"{following} after {seen}", 15, 0.1)

    def check_state(*allowed):
        now = state()
        assert now in allowed
        return now

    created = update(dynamodb, table, {"Create": index("by-g", "g")}, types={"g": "S"})
    assert created["TableStatus"] == "UPDATING"
    allocating, backfilling = ("UPDATING", "CREATING", False), ("ACTIVE", "CREATING", True)
    assert state() == allocating, "the test was too slow to see it"
    assert error_of(dynamodb.delete_table, TableName=table) == cannot_delete
    assert error_of(update, dynamodb, table, {"Delete": {"IndexName": "by-g"}})[0] == "ResourceInUseException"
    warm = {"Update": {"IndexName": "by-g", "WarmThroughput": {"ReadUnitsPerSecond": 13000}}}
    assert error_of(update, dynamodb, table, warm) == (
        "ResourceInUseException", f"{in_use}Index is being created but is not backfilling yet.  Table: {table} Index: by-g")
    passes(allocating, backfilling, ("ACTIVE", "ACTIVE", None))
    # Written while it was shown as being made, and before.
    assert len(scan_index(dynamodb, table, "by-g")) == 10

    update(dynamodb, table, {"Delete": {"IndexName": "by-g"}})
    deleting = ("UPDATING", "DELETING", None)
    assert state() == deleting, "the test was too slow to see it"
    assert error_of(dynamodb.delete_table, TableName=table) == cannot_delete
    again = error_of(update, dynamodb, table, {"Create": index("by-g", "g")}, types={"g": "S"})
    assert again == ("ResourceInUseException", f"{in_use}Index is being deleted. Table: {table} Index: by-g")
    passes(deleting, ("ACTIVE", None, None))
    update(dynamodb, table, {"Create": index("by-g", "g")}, types={"g": "S"})
    passes(allocating, backfilling)
    dynamodb.put_item(TableName=table, Item=item("late", g="a"))
    update(dynamodb, table, {"Delete": {"IndexName": "by-g"}})
    passes(deleting, ("ACTIVE", None, None))
