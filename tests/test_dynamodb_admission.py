"""What is admitted and what is told while a change is under way: each member of UpdateTable by what changes, as captures of the
service have it. The clock is moved, so that nothing here depends on how fast the test is."""

import pytest
from support.indexes import definitions, index
from support.tables import create_table, customer_key, describe, error_of, refused, sse, wait_until

DELAY_SECS = 1000
IN_USE = "Attempt to change a resource which is still in use: "
ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
INFREQUENT = {"TableClass": "STANDARD_INFREQUENT_ACCESS"}
MAXIMA = {"OnDemandThroughput": {"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 100}}
OWN_KEY = {"SSESpecification": {"Enabled": True}}
WARM = {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000}


@pytest.fixture
def slow(make_server):
    return make_server("slow", arguments=["--status-delay-secs", str(DELAY_SECS)]).start()


@pytest.fixture
def dynamodb(slow):
    return slow.dynamodb


def units(read, write):
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def provisioned(read, write):
    return {"BillingMode": "PROVISIONED"} | units(read, write)


def warm(read, write):
    return {"WarmThroughput": {"ReadUnitsPerSecond": read, "WriteUnitsPerSecond": write}}


def create(name, key="g", **parameters):
    return {
        "GlobalSecondaryIndexUpdates": [{"Create": index(name, key) | parameters}],
        "AttributeDefinitions": definitions({key: "S"}),
    }


def delete(name):
    return {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}


def update_of(name, **parameters):
    return {"GlobalSecondaryIndexUpdates": [{"Update": {"IndexName": name} | parameters}]}


def made(slow, **parameters):
    """A table that is ACTIVE, and nothing under way in it."""
    table = create_table(slow.dynamodb, wait=False, **parameters)
    slow.advance(DELAY_SECS + 1)
    assert describe(slow.dynamodb, table)["TableStatus"] == "ACTIVE"
    return table


def indexed(slow, **parameters):
    of_index = units(1, 1) if "ProvisionedThroughput" in parameters else {}
    return made(
        slow, GlobalSecondaryIndexes=[index("by-g", "g") | of_index],
        AttributeDefinitions=definitions({"pk": "S", "g": "S"}), **parameters,
    )


def update(dynamodb, table, **parameters):
    return dynamodb.update_table(TableName=table, **parameters)["TableDescription"]


def outcomes(dynamodb, table, **requests):
    """What each request comes to: the status in the answer, or the refusal's sentence."""

    def outcome(parameters):
        error = error_of(dynamodb.update_table, TableName=table, **parameters)
        if error is None:
            return "admitted"
        code, message = error
        if code == "ResourceInUseException":
            assert message.startswith(IN_USE), message
            return message.removeprefix(IN_USE)
        return code, message

    return {name: outcome(parameters) for name, parameters in requests.items()}


def check_protection(dynamodb, table, status="UPDATING"):
    """Deletion protection comes and goes at any time, and ends nothing that is under way."""
    for protects in (True, False):
        answer = update(dynamodb, table, DeletionProtectionEnabled=protects)
        assert (answer["TableStatus"], answer["DeletionProtectionEnabled"]) == (status, protects)
        shown = describe(dynamodb, table)
        assert (shown["TableStatus"], shown["DeletionProtectionEnabled"]) == (status, protects)


def check_key_changes(dynamodb, table, status="UPDATING"):
    """A change of key is admitted. Its own answer says ACTIVE; what is under way goes on."""
    assert update(dynamodb, table, **OWN_KEY)["TableStatus"] == "ACTIVE"
    wait_until(lambda: "KMSMasterKeyArn" in describe(dynamodb, table)["SSEDescription"], "the table is under its new key")
    shown = describe(dynamodb, table)
    assert (shown["TableStatus"], shown["SSEDescription"]["Status"]) == (status, "UPDATING")


def check_not_deleted(dynamodb, table):
    with refused("ResourceInUseException", f"{IN_USE}Table: {table} is in the process of being updated."):
        dynamodb.delete_table(TableName=table)


def test_while_a_table_becomes_provisioned(slow, dynamodb):
    table = made(slow)
    since = describe(dynamodb, table)["BillingModeSummary"]
    answer = update(dynamodb, table, **provisioned(1, 1))
    assert answer["TableStatus"] == "UPDATING" and answer["BillingModeSummary"] == since | {"BillingMode": "PROVISIONED"}
    iops = f"Table IOPS are currently being updated. Table: {table}"
    assert outcomes(
        dynamodb, table,
        units=units(2, 2), billing=provisioned(2, 2), maxima=MAXIMA, index=create("new", **units(1, 1)),
        table_class=INFREQUENT,
    ) == {
        "units": iops, "billing": iops,
        "maxima": "OnDemandThroughput cannot be updated while BillingMode update is in progress",
        "index": f"Can't create or delete indexes while table IOPS are being updated. Table: {table}",
        "table_class": f"Table: {table} is in the process of being updated.",
    }
    check_protection(dynamodb, table)
    check_key_changes(dynamodb, table)
    check_not_deleted(dynamodb, table)
    # To take it back is answered as if the table had never begun, and has no effect.
    answer = update(dynamodb, table, **ON_DEMAND)
    assert (answer["TableStatus"], answer["BillingModeSummary"]) == ("UPDATING", since)
    assert answer["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    assert update(dynamodb, table, **warm(13000, 5000))["TableStatus"] == "UPDATING"
    slow.advance(DELAY_SECS + 1)
    shown = describe(dynamodb, table)
    assert (shown["TableStatus"], shown["BillingModeSummary"]["BillingMode"]) == ("ACTIVE", "PROVISIONED")
    assert shown["ProvisionedThroughput"]["ReadCapacityUnits"] == 1
    assert shown["WarmThroughput"] == {"ReadUnitsPerSecond": 13000, "WriteUnitsPerSecond": 5000, "Status": "ACTIVE"}


def test_while_a_table_becomes_on_demand(slow, dynamodb):
    table = made(slow, **provisioned(2, 2))
    answer = update(dynamodb, table, **ON_DEMAND)
    for told in (answer, describe(dynamodb, table)):
        # The mode is told at once; since when, and the warmth that comes with it, once it is so.
        assert (told["TableStatus"], told["BillingModeSummary"]) == ("UPDATING", ON_DEMAND)
        assert told["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
        assert told["WarmThroughput"] == {"ReadUnitsPerSecond": 2, "WriteUnitsPerSecond": 2, "Status": "ACTIVE"}
    iops = f"Table IOPS are currently being updated. Table: {table}"
    assert outcomes(dynamodb, table, back=provisioned(2, 2), again=ON_DEMAND, units=units(7, 7), maxima=MAXIMA) == {
        "back": iops, "again": iops, "units": iops,
        # Judged by the mode of before, and before what is under way.
        "maxima": ("ValidationException", "One or more parameter values were invalid: MaxReadRequestUnits for "
                                          "OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED"),
    }
    check_protection(dynamodb, table)
    check_not_deleted(dynamodb, table)
    assert update(dynamodb, table, **warm(13000, 5000))["TableStatus"] == "UPDATING"
    slow.advance(DELAY_SECS // 2)
    # Another half later than the switch.
    update(dynamodb, table, **warm(13000, 6000))
    slow.advance(DELAY_SECS // 2 + 1)
    shown = describe(dynamodb, table)
    assert shown["TableStatus"] == "ACTIVE" and "LastUpdateToPayPerRequestDateTime" in shown["BillingModeSummary"]
    assert shown["WarmThroughput"] == WARM | {"Status": "UPDATING"}


def test_while_provisioned_units_change(slow, dynamodb):
    table = indexed(slow, **provisioned(1, 1))
    assert update(dynamodb, table, **units(2, 2))["TableStatus"] == "UPDATING"
    iops = f"Table IOPS are currently being updated. Table: {table}"
    builds = f"Can't create or delete indexes while table IOPS are being updated. Table: {table}"
    assert outcomes(
        dynamodb, table,
        units=units(3, 3), billing=ON_DEMAND, create=create("new", "h", **units(1, 1)), delete=delete("by-g"),
    ) == {"units": iops, "billing": iops, "create": builds, "delete": builds}
    check_protection(dynamodb, table)
    check_key_changes(dynamodb, table)
    check_not_deleted(dynamodb, table)
    shown = describe(dynamodb, table)
    assert shown["ProvisionedThroughput"]["ReadCapacityUnits"] == shown["WarmThroughput"]["ReadUnitsPerSecond"] == 1
    slow.advance(DELAY_SECS + 1)
    shown = describe(dynamodb, table)
    assert shown["ProvisionedThroughput"]["ReadCapacityUnits"] == shown["WarmThroughput"]["ReadUnitsPerSecond"] == 2


def test_while_the_table_class_changes(slow, dynamodb):
    table = made(slow)
    answer = update(dynamodb, table, **INFREQUENT)
    assert answer["TableStatus"] == "UPDATING" and "TableClassSummary" not in answer
    in_progress = "TableClassUpdateInProgress: STANDARD_INFREQUENT_ACCESS"
    again = f"Can't update table class when a table class update is in progress. Table: {table} {in_progress}"
    requests = {
        "again": INFREQUENT, "back": {"TableClass": "STANDARD"}, "maxima": MAXIMA, "index": create("new"),
        "billing": provisioned(1, 1),
    }
    refusals = {
        "again": again, "back": again,
        "maxima": f"OnDemandThroughput cannot be updated while TableClass update is in progress. {in_progress}",
        "index": "Can't create or delete an index when a table class update is in progress.",
        "billing": f"Table: {table} is in the process of being updated.",
    }
    assert outcomes(dynamodb, table, **requests) == refusals
    check_protection(dynamodb, table)
    check_key_changes(dynamodb, table)
    answer = update(dynamodb, table, **warm(13000, 5000))
    assert (answer["TableStatus"], answer["WarmThroughput"]) == ("UPDATING", WARM | {"Status": "UPDATING"})
    # None of these has ended it.
    assert outcomes(dynamodb, table, **requests) == refusals
    check_not_deleted(dynamodb, table)
    assert "TableClassSummary" not in describe(dynamodb, table)
    slow.advance(DELAY_SECS + 1)
    first = describe(dynamodb, table)
    assert first["TableStatus"] == "ACTIVE" and first["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    answer = update(dynamodb, table, TableClass="STANDARD")
    for told in (answer, describe(dynamodb, table)):
        assert (told["TableStatus"], told["TableClassSummary"]) == ("UPDATING", first["TableClassSummary"])
    slow.advance(DELAY_SECS + 1)
    second = describe(dynamodb, table)["TableClassSummary"]
    assert second["TableClass"] == "STANDARD"
    assert second["LastUpdateDateTime"] > first["TableClassSummary"]["LastUpdateDateTime"]


def test_while_an_index_is_made(slow, dynamodb):
    table = indexed(slow)
    assert update(dynamodb, table, **create("new", "h"))["TableStatus"] == "UPDATING"
    with refused("InternalServerError", "Table is under system maintenance, please try again later", status=500):
        dynamodb.update_table(TableName=table, **warm(13000, 5000))
    assert outcomes(
        dynamodb, table,
        billing=provisioned(1, 1), maxima=MAXIMA, itself=update_of("new", **MAXIMA), delete=delete("new"),
        table_class=INFREQUENT, other=update_of("by-g", **MAXIMA), same=ON_DEMAND,
    ) == {
        "billing": f"Can't change table IOPS when an index is being created. Table: {table} Indexes: [new]",
        "maxima": "OnDemandThroughput cannot be updated while index creation is in progress for indexes: [new]",
        "itself": f"Index is being created but is not backfilling yet.  Table: {table} Index: new",
        "delete": "Index creation is in resource allocation phase. Retry deletion during backfilling phase or when the "
                  f"index is active. Table: {table} Index: new",
        "table_class": f"Table: {table} is in the process of being updated.",
        "other": "admitted", "same": "admitted",
    }
    check_protection(dynamodb, table)
    check_key_changes(dynamodb, table)
    with refused("ResourceInUseException", containing=["Cannot delete table while indexes are being created"]):
        dynamodb.delete_table(TableName=table)
    slow.advance(DELAY_SECS + 1)
    wait_until(lambda: "UPDATING" not in statuses(dynamodb, table), "the index and the key are there", 15)


def statuses(dynamodb, table):
    shown = describe(dynamodb, table)
    of_indexes = [each["IndexStatus"].replace("CREATING", "UPDATING") for each in shown["GlobalSecondaryIndexes"]]
    return [shown["TableStatus"], shown["SSEDescription"]["Status"], *of_indexes]


def test_while_an_index_goes(slow, dynamodb):
    table = indexed(slow, **provisioned(1, 1))
    assert update(dynamodb, table, **delete("by-g"))["TableStatus"] == "UPDATING"
    iops = f"Can't change table IOPS when an index is being deleted. Table: {table} Indexes: [by-g]"
    gone = f"Index is being deleted. Table: {table} Index: by-g"
    assert outcomes(
        dynamodb, table,
        billing=ON_DEMAND, units=units(2, 2), both=units(2, 2) | update_of("by-g", **units(2, 2)),
        warm=warm(13000, 5000), again=delete("by-g"),
    ) == {
        "billing": iops, "units": iops, "both": gone, "again": gone,
        "warm": f"Table: {table} is in the process of being updated.",
    }
    check_protection(dynamodb, table)
    check_key_changes(dynamodb, table)
    slow.advance(DELAY_SECS + 1)
    wait_until(lambda: "GlobalSecondaryIndexes" not in describe(dynamodb, table), "the index is gone", 15)

    table = indexed(slow)
    update(dynamodb, table, **delete("by-g"))
    assert outcomes(dynamodb, table, maxima=MAXIMA, billing=provisioned(1, 1), same=ON_DEMAND) == {
        "maxima": "OnDemandThroughput cannot be updated while index deletion is in progress for indexes: [by-g]",
        "billing": f"Can't change table IOPS when an index is being deleted. Table: {table} Indexes: [by-g]",
        "same": "admitted",
    }


def test_while_a_table_gets_warm(slow, dynamodb):
    """The last request decides, and no other request ends the wait."""
    table = made(slow)
    warming = WARM | {"Status": "UPDATING"}
    answer = update(dynamodb, table, **warm(13000, 5000))
    assert (answer["TableStatus"], answer["WarmThroughput"]) == ("ACTIVE", warming)
    slow.advance(DELAY_SECS // 2)
    assert update(dynamodb, table, **warm(14000, 6000))["WarmThroughput"] == warming
    check_protection(dynamodb, table, "ACTIVE")
    check_key_changes(dynamodb, table, "ACTIVE")
    maxima = update(dynamodb, table, **MAXIMA)
    # These are so at once.
    assert (maxima["TableStatus"], maxima["OnDemandThroughput"]) == ("ACTIVE", MAXIMA["OnDemandThroughput"])
    assert update(dynamodb, table, **INFREQUENT)["TableStatus"] == "UPDATING"
    slow.advance(DELAY_SECS // 2 + 1)
    assert describe(dynamodb, table)["WarmThroughput"] == warming
    slow.advance(DELAY_SECS // 2)
    shown = describe(dynamodb, table)
    assert shown["WarmThroughput"] == {"ReadUnitsPerSecond": 14000, "WriteUnitsPerSecond": 6000, "Status": "ACTIVE"}
    assert shown["TableStatus"] == "ACTIVE"
    # It is ACTIVE, and not deleted while it gets warm. It may not get colder than it is told to be.
    update(dynamodb, table, **warm(15000, 6000))
    check_not_deleted(dynamodb, table)
    with refused("ValidationException", containing=["decreasing WarmThroughput is not supported"]):
        update(dynamodb, table, **warm(13999, 6000))
    assert outcomes(dynamodb, table, less=warm(14000, 6000), index=create("new")) == {"less": "admitted", "index": "admitted"}


def test_an_index_gets_warm_while_other_things_change(slow, dynamodb):
    table = indexed(slow)

    def by_g():
        return describe(dynamodb, table)["GlobalSecondaryIndexes"][0]

    update(dynamodb, table, **update_of("by-g", **warm(13000, 5000)))
    slow.advance(DELAY_SECS // 2)
    update(dynamodb, table, **update_of("by-g", **MAXIMA))
    assert by_g()["WarmThroughput"] == WARM | {"Status": "UPDATING"} and by_g()["IndexStatus"] == "UPDATING"
    slow.advance(DELAY_SECS // 2 + 1)
    assert by_g()["WarmThroughput"]["Status"] == "ACTIVE" and by_g()["WarmThroughput"]["ReadUnitsPerSecond"] == 13000
    assert by_g()["IndexStatus"] == "UPDATING"


def test_while_the_key_changes(slow, dynamodb):
    old, new = customer_key(slow.kms), customer_key(slow.kms)
    table = made(slow, **sse(old))
    update(dynamodb, table, **sse(new))
    check_not_deleted(dynamodb, table)
    assert outcomes(dynamodb, table, key=sse(old), maxima=MAXIMA, warm=warm(13000, 5000), table_class=INFREQUENT) == {
        "key": "Server-Side Encryption is still being updated",
        "maxima": "admitted", "warm": "admitted", "table_class": "admitted",
    }


def test_what_asks_for_nothing_new_is_done_at_once(slow, dynamodb):
    """The answer says UPDATING all the same, as the service's does."""
    table = made(slow)
    for nothing in (ON_DEMAND, {"TableClass": "STANDARD"}):
        assert update(dynamodb, table, **nothing)["TableStatus"] == "UPDATING"
        assert describe(dynamodb, table)["TableStatus"] == "ACTIVE"


def test_what_is_under_way_survives_a_restart(make_server):
    slow = make_server("restarted").start()
    table = create_table(slow.dynamodb)
    slow.arguments = ["--status-delay-secs", str(DELAY_SECS)]
    slow.restart()
    update(slow.dynamodb, table, **INFREQUENT)
    update(slow.dynamodb, table, **warm(13000, 5000))
    before = describe(slow.dynamodb, table)
    slow.restart()
    assert describe(slow.dynamodb, table) == before
    assert before["WarmThroughput"]["Status"] == before["TableStatus"] == "UPDATING"
