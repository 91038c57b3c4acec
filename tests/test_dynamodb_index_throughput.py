"""Throughput of global indexes: provisioned units, maxima and warmth, each index by itself."""

import pytest
from support.indexes import definitions, index
from support.tables import create_table, describe, error_of, refused, unique, wait_active, wait_until

INVALID = "One or more parameter values were invalid: "
ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
TYPES = {"AttributeDefinitions": definitions({"pk": "S", "g": "S"})}
WARM = {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000, "Status": "ACTIVE"}


def units(read, write):
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def provisioned(read, write):
    return {"BillingMode": "PROVISIONED"} | units(read, write)


def maxima(read=None, write=None):
    given = {"MaxReadRequestUnits": read, "MaxWriteRequestUnits": write}
    return {"OnDemandThroughput": {name: units for name, units in given.items() if units is not None}}


def warm(read=None, write=None):
    given = {"ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write}
    return {"WarmThroughput": {name: units for name, units in given.items() if units is not None}}


def indexed(dynamodb, of_index=None, of_table=None):
    return create_table(dynamodb, **TYPES, GlobalSecondaryIndexes=[index("by-g", "g") | (of_index or {})], **(of_table or ON_DEMAND))


def update(dynamodb, table, what, **parameters):
    changes = [{"Update": {"IndexName": "by-g"} | what}]
    return dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=changes, **parameters)["TableDescription"]


def add(dynamodb, table, what):
    changes = [{"Create": index("by-h", "g") | what}]
    return dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=changes, AttributeDefinitions=definitions({"g": "S"}))


def found(dynamodb, table, name="by-g"):
    return next(each for each in describe(dynamodb, table)["GlobalSecondaryIndexes"] if each["IndexName"] == name)


def figures(description):
    throughput = description["ProvisionedThroughput"]
    return throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"], throughput["NumberOfDecreasesToday"]


def test_maxima_of_an_index_are_its_own(dynamodb):
    table = indexed(dynamodb, maxima(50, 60))
    assert found(dynamodb, table)["OnDemandThroughput"] == {"MaxReadRequestUnits": 50, "MaxWriteRequestUnits": 60}
    assert "OnDemandThroughput" not in describe(dynamodb, table)
    # More than the table may have is no error, nor is the same again.
    dynamodb.update_table(TableName=table, OnDemandThroughput={"MaxReadRequestUnits": 10})
    for given, kept in [
        (maxima(5000), {"MaxReadRequestUnits": 5000, "MaxWriteRequestUnits": 60}),
        (maxima(5000), {"MaxReadRequestUnits": 5000, "MaxWriteRequestUnits": 60}),
        (maxima(write=-1), {"MaxReadRequestUnits": 5000}),
        (maxima(-1, -1), None),
    ]:
        answer = update(dynamodb, table, given)
        [told] = answer["GlobalSecondaryIndexes"]
        assert (answer["TableStatus"], told["IndexStatus"], told.get("OnDemandThroughput")) == ("ACTIVE", "UPDATING", kept)
        now = found(dynamodb, table)
        assert (now["IndexStatus"], now.get("OnDemandThroughput")) == ("ACTIVE", kept)
    assert describe(dynamodb, table)["OnDemandThroughput"] == {"MaxReadRequestUnits": 10}


def test_an_index_gets_warmer_and_never_colder(dynamodb):
    table = unique()
    made = dynamodb.create_table(
        TableName=table, **TYPES, **ON_DEMAND, KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[index("by-g", "g") | warm(13000), index("by-i", "g")])["TableDescription"]
    assert all("WarmThroughput" not in each for each in made["GlobalSecondaryIndexes"])
    wait_active(dynamodb, table)
    assert found(dynamodb, table)["WarmThroughput"] == WARM | {"ReadUnitsPerSecond": 13000}
    assert found(dynamodb, table, "by-i")["WarmThroughput"] == describe(dynamodb, table)["WarmThroughput"] == WARM
    # The answer shows it as it was, on its way.
    answer = update(dynamodb, table, warm(write=5000))
    told = answer["GlobalSecondaryIndexes"][0]
    assert told["WarmThroughput"] == WARM | {"ReadUnitsPerSecond": 13000, "Status": "UPDATING"}
    assert (answer["TableStatus"], told["IndexStatus"]) == ("ACTIVE", "ACTIVE")
    now = WARM | {"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 5000}
    assert found(dynamodb, table)["WarmThroughput"] == now
    update(dynamodb, table, warm(13000, 5000))
    lower = "for WarmThroughput for index by-g is lower than current WarmThroughput, decreasing WarmThroughput is not supported"
    with refused("ValidationException", f"{INVALID}Requested ReadUnitsPerSecond {lower}"):
        update(dynamodb, table, warm(12999, 6000))
    with refused("ValidationException", f"{INVALID}Requested WriteUnitsPerSecond {lower}"):
        update(dynamodb, table, warm(write=-1))
    assert found(dynamodb, table)["WarmThroughput"] == now


def test_an_index_is_made_later_with_its_throughput(dynamodb):
    table = indexed(dynamodb)
    add(dynamodb, table, maxima(70) | warm(12500, 4500))
    wait_until(lambda: found(dynamodb, table, "by-h")["IndexStatus"] == "ACTIVE", "by-h is ACTIVE")
    made = found(dynamodb, table, "by-h")
    assert made["OnDemandThroughput"] == {"MaxReadRequestUnits": 70}
    assert made["WarmThroughput"] == {"ReadUnitsPerSecond": 12500, "WriteUnitsPerSecond": 4500, "Status": "ACTIVE"}


def test_units_of_an_index_are_lowered_four_times_a_day(dynamodb):
    table = indexed(dynamodb, units(20, 20), provisioned(5, 5))
    assert found(dynamodb, table)["WarmThroughput"] == {"ReadUnitsPerSecond": 20, "WriteUnitsPerSecond": 20, "Status": "ACTIVE"}
    answer = update(dynamodb, table, units(30, 20))
    [told] = answer["GlobalSecondaryIndexes"]
    assert (answer["TableStatus"], told["IndexStatus"], figures(told)) == ("ACTIVE", "UPDATING", (20, 20, 0))
    raised = found(dynamodb, table)
    assert figures(raised) == (30, 20, 0) and "LastIncreaseDateTime" in raised["ProvisionedThroughput"]
    for count in range(1, 5):
        update(dynamodb, table, units(30 - count, 20))
        assert figures(found(dynamodb, table)) == (30 - count, 20, count)
    assert figures(describe(dynamodb, table)) == (5, 5, 0)
    # With the table's in one request, neither is lowered.
    with refused("LimitExceededException", containing=["decreases are limited", "Number of decreases today: 4."]):
        update(dynamodb, table, units(10, 10), **units(4, 4))
    assert figures(describe(dynamodb, table)) == (5, 5, 0) and figures(found(dynamodb, table)) == (26, 20, 4)
    assert found(dynamodb, table)["WarmThroughput"] == {"ReadUnitsPerSecond": 30, "WriteUnitsPerSecond": 20, "Status": "ACTIVE"}


def test_an_index_follows_its_tables_billing_mode(dynamodb):
    table = indexed(dynamodb, maxima(100, 100) | warm(12002, 4001))
    update(dynamodb, table, units(6, 7), **provisioned(1, 1))
    now = found(dynamodb, table)
    assert figures(now) == (6, 7, 0) and "OnDemandThroughput" not in now
    assert now["WarmThroughput"] == WARM | {"ReadUnitsPerSecond": 12002, "WriteUnitsPerSecond": 4001}
    dynamodb.update_table(TableName=table, **ON_DEMAND)
    now = found(dynamodb, table)
    assert figures(now) == (0, 0, 1) and "LastDecreaseDateTime" in now["ProvisionedThroughput"]
    assert now["WarmThroughput"] == WARM | {"ReadUnitsPerSecond": 12002, "WriteUnitsPerSecond": 4001}
    assert figures(describe(dynamodb, table))[2] == 0
    # What an index is warm for is no throughput of its own.
    with refused("ValidationException", f"{INVALID}ProvisionedThroughput must be specified for index: by-g"):
        update(dynamodb, table, warm(13000), **provisioned(1, 1))


RANGE = "Requested MaxReadRequestUnits for OnDemandThroughput for index : by-g is outside of valid range"
MODE = "MaxReadRequestUnits for OnDemandThroughput for index : by-g cannot be specified when the table BillingMode is PROVISIONED"
INITIAL = ("is lower than initial throughput for OnDemand. See: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
           "on-demand-capacity-mode.html#on-demand-capacity-mode-initial")


@pytest.mark.parametrize(
    ("of_table", "of_index", "code", "message"),
    [
        (ON_DEMAND, maxima(0), "ValidationException", INVALID + RANGE),
        (ON_DEMAND, maxima(-1), "ValidationException", INVALID + RANGE),
        (provisioned(1, 1), units(1, 1) | maxima(10), "ValidationException", INVALID + MODE),
        (ON_DEMAND, warm(11999), "ValidationException", f"{INVALID}Requested ReadUnitsPerSecond for WarmThroughput for index by-g {INITIAL}"),
        (provisioned(1, 1), units(5, 5) | warm(5, 4), "ValidationException",
         f"{INVALID}Requested WriteUnitsPerSecond for WarmThroughput for index by-g is lower than WriteCapacityUnits of ProvisionedThroughput"),
        (ON_DEMAND, maxima(40001), "LimitExceededException",
         "Subscriber limit exceeded: Requested MaxReadRequestUnits for OnDemandThroughput for index : by-g exceeds "
         "TableMaxReadCapacityUnits of the account in region us-east-1"),
        (ON_DEMAND, warm(40001), "LimitExceededException",
         "Subscriber limit exceeded: Requested ReadUnitsPerSecond for WarmThroughput for index by-g exceeds "
         "TableMaxReadCapacityUnits of the account in region us-east-1"),
        (provisioned(1, 1), units(40001, 1), "LimitExceededException",
         "The requested ReadCapacityUnits for index by-g, 40001, is above the per index maximum for the account in us-east-1. Per table "
         "maximum: 40000. Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."),
    ],
)
def test_indexes_that_cannot_be_made(dynamodb, of_table, of_index, code, message):
    with refused(code, message):
        indexed(dynamodb, of_index, of_table)
    table = create_table(dynamodb, **of_table)
    with refused(code, message.replace("by-g", "by-h")):
        add(dynamodb, table, of_index)
    assert "GlobalSecondaryIndexes" not in describe(dynamodb, table)


ONLY = f"{INVALID}The only Updates for index: by-g when TableThroughputMode is PAY_PER_REQUEST can be to OnDemandThroughput, WarmThroughput"
LEAST = f"{INVALID}WarmThroughput must have at least one of ReadUnitsPerSecond or WriteUnitsPerSecond specified for index: by-g"
BOTH = f"{INVALID}Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: by-g"


@pytest.mark.parametrize(
    ("of_table", "what", "message"),
    [
        (ON_DEMAND, {}, ONLY),
        (ON_DEMAND, maxima(), ONLY),
        (ON_DEMAND, units(1, 1), ONLY),
        (ON_DEMAND, warm(), LEAST),
        (ON_DEMAND, maxima(0), INVALID + RANGE),
        (ON_DEMAND, maxima(-2), INVALID + RANGE),
        (provisioned(1, 1), {}, BOTH),
        (provisioned(1, 1), maxima(5), INVALID + MODE),
    ],
)
def test_updates_of_an_index_that_are_refused(dynamodb, of_table, what, message):
    table = indexed(dynamodb, units(2, 2) if of_table != ON_DEMAND else {}, of_table)
    before = describe(dynamodb, table)
    with refused("ValidationException", message):
        update(dynamodb, table, what)
    assert describe(dynamodb, table) == before
    if message == LEAST:
        # This is seen before it is looked whether there is such a table.
        with refused("ValidationException", message):
            update(dynamodb, "nowhere", what)


def test_an_index_is_not_made_while_the_table_gets_warm(dynamodb):
    table = create_table(dynamodb)
    with refused("ValidationException", f"{INVALID}Create global secondary index cannot be specified when updating WarmThroughput"):
        dynamodb.update_table(
            TableName=table, WarmThroughput={"ReadUnitsPerSecond": 13000}, AttributeDefinitions=definitions({"g": "S"}),
            GlobalSecondaryIndexUpdates=[{"Create": index("by-g", "g")}])


def test_throughput_of_indexes_survives_a_restart(own_server):
    dynamodb = own_server.dynamodb
    table = indexed(dynamodb, maxima(50, 60) | warm(13000, 4000))
    before = found(dynamodb, table)
    own_server.restart()
    assert found(own_server.dynamodb, table) == before


def test_an_index_is_shown_as_updating_for_the_time_that_is_set(make_server):
    dynamodb = make_server("slow", arguments=["--status-delay-secs", "2"]).start().dynamodb
    table = indexed(dynamodb)
    update(dynamodb, table, maxima(100))
    in_use = "Attempt to change a resource which is still in use: "
    errors = [
        error_of(update, dynamodb, table, maxima(200)),
        error_of(dynamodb.delete_table, TableName=table),
    ]
    assert found(dynamodb, table)["IndexStatus"] == "UPDATING", "the test was too slow to see it"
    assert describe(dynamodb, table)["TableStatus"] == "ACTIVE"
    assert errors == [
        ("ResourceInUseException", f"{in_use}Index is being updated. Table: {table} Index: by-g"),
        ("ResourceInUseException", f"{in_use}Cannot delete table while indexes are being created, updated, or deleted."),
    ]
    wait_until(lambda: found(dynamodb, table)["IndexStatus"] == "ACTIVE", "the index is ACTIVE", 10, 0.1)
    update(dynamodb, table, maxima(200))
