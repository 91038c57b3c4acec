"""What can be set about a table: billing and throughput, class, tags, and statuses that take time."""

import time

import pytest
from support.tables import create_table, describe, error_of, item, refused, unique, wait_active, wait_until

INVALID = "One or more parameter values were invalid: "
ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
WARM = {"ReadUnitsPerSecond": 12000, "WriteUnitsPerSecond": 4000}


def units(read, write):
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


def provisioned(read, write):
    return {"BillingMode": "PROVISIONED"} | units(read, write)


def update(dynamodb, table, **parameters):
    return dynamodb.update_table(TableName=table, **parameters)["TableDescription"]


def figures(description):
    throughput = description["ProvisionedThroughput"]
    return throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"], throughput["NumberOfDecreasesToday"]


def test_provisioned_throughput_goes_up_and_down(dynamodb):
    table = create_table(dynamodb, **provisioned(10, 10))
    made = describe(dynamodb, table)
    assert figures(made) == (10, 10, 0) and "BillingModeSummary" not in made
    assert not {"LastIncreaseDateTime", "LastDecreaseDateTime"} & set(made["ProvisionedThroughput"])
    # The answer tells the units as they were.
    answer = update(dynamodb, table, **units(12, 10))
    assert (answer["TableStatus"], figures(answer)) == ("UPDATING", (10, 10, 0))
    raised = describe(dynamodb, table)
    assert (raised["TableStatus"], figures(raised)) == ("ACTIVE", (12, 10, 0))
    assert "LastIncreaseDateTime" in raised["ProvisionedThroughput"]
    for count, (read, write) in enumerate([(11, 9), (11, 8), (11, 7), (11, 6)], 1):
        update(dynamodb, table, **units(read, write))
        assert figures(describe(dynamodb, table)) == (read, write, count)
    with refused("LimitExceededException", containing=["decreases are limited", "Number of decreases today: 4."]):
        update(dynamodb, table, **units(11, 5))
    update(dynamodb, table, **units(20, 20))
    assert figures(describe(dynamodb, table)) == (20, 20, 4)
    # It never gets colder than it was.
    assert describe(dynamodb, table)["WarmThroughput"] == {
        "ReadUnitsPerSecond": 20, "WriteUnitsPerSecond": 20, "Status": "ACTIVE"
    }
    with refused(
        "ValidationException",
        "The provisioned throughput for the table will not change. The requested value equals the current value. "
        "Current ReadCapacityUnits provisioned for the table: 20. Requested ReadCapacityUnits: 20. Current "
        "WriteCapacityUnits provisioned for the table: 20. Requested WriteCapacityUnits: 20. Refer to the Amazon "
        "DynamoDB Developer Guide for current limits and how to request higher limits.",
    ):
        update(dynamodb, table, **units(20, 20))


def test_the_billing_mode_switches_both_ways(dynamodb):
    table = create_table(dynamodb, **provisioned(2, 1))
    answer = update(dynamodb, table, **ON_DEMAND)
    assert (answer["TableStatus"], answer["BillingModeSummary"]) == ("UPDATING", ON_DEMAND)
    assert figures(answer) == (0, 0, 0) and "LastDecreaseDateTime" in answer["ProvisionedThroughput"]
    switched = describe(dynamodb, table)
    since = switched["BillingModeSummary"].pop("LastUpdateToPayPerRequestDateTime")
    assert switched["BillingModeSummary"] == ON_DEMAND
    assert switched["WarmThroughput"] == WARM | {"Status": "ACTIVE"}
    update(dynamodb, table, **provisioned(3, 3))
    back = describe(dynamodb, table)
    assert back["BillingModeSummary"] == {
        "BillingMode": "PROVISIONED", "LastUpdateToPayPerRequestDateTime": since
    }
    assert figures(back) == (3, 3, 0) and back["WarmThroughput"] == WARM | {"Status": "ACTIVE"}


def test_units_out_of_bounds_are_told_first(dynamodb):
    """Before the keys are looked at, and whether there is such a table."""
    bound = 10**12
    for given, message in [
        (provisioned(bound + 1, bound + 1), f"Given value {bound + 1} for ReadCapacityUnits is out of bounds"),
        (provisioned(bound, bound + 1), f"Given value {bound + 1} for WriteCapacityUnits is out of bounds"),
    ]:
        with refused("ValidationException", message):
            dynamodb.create_table(
                TableName=unique(), AttributeDefinitions=[], KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}], **given)
        with refused("ValidationException", message):
            update(dynamodb, unique(), **given)
    with refused("LimitExceededException", containing=["1000000000000, is above the per table maximum"]):
        create_table(dynamodb, **provisioned(1, bound))


def test_a_table_switches_to_on_demand_four_times_in_a_day(dynamodb):
    table = create_table(dynamodb, **provisioned(1, 1))
    for _ in range(4):
        update(dynamodb, table, **ON_DEMAND)
        update(dynamodb, table, **provisioned(1, 1))
    before = describe(dynamodb, table)
    with refused("LimitExceededException", containing=[
        "Subscriber limit exceeded: Update to PayPerRequest mode are limited to 4 times in 1 day(s). Last update at ",
        " Coordinated Universal Time. Next update can be made at ",
    ]):
        update(dynamodb, table, **ON_DEMAND)
    assert describe(dynamodb, table) == before


@pytest.mark.parametrize(
    ("of_table", "parameters", "message"),
    [
        (ON_DEMAND, units(1, 1), "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"),
        (ON_DEMAND, {"BillingMode": "PROVISIONED"}, "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"),
        (provisioned(5, 5), {"BillingMode": "PROVISIONED"}, "ProvisionedThroughput must be specified when BillingMode is PROVISIONED"),
        (provisioned(5, 5), {"OnDemandThroughput": {"MaxReadRequestUnits": 5}}, "MaxReadRequestUnits for OnDemandThroughput cannot be specified when the table BillingMode is PROVISIONED"),
        (ON_DEMAND, {"OnDemandThroughput": {"MaxWriteRequestUnits": 0}}, "Requested MaxWriteRequestUnits for OnDemandThroughput for table is outside of valid range"),
        (ON_DEMAND, {"OnDemandThroughput": {"MaxReadRequestUnits": -2}}, "Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid range"),
        (ON_DEMAND, {"WarmThroughput": {"ReadUnitsPerSecond": 11999}}, "Requested ReadUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, decreasing WarmThroughput is not supported"),
        (provisioned(5, 5), {"WarmThroughput": {"ReadUnitsPerSecond": 5, "WriteUnitsPerSecond": 4}}, "Requested WriteUnitsPerSecond for WarmThroughput for table is lower than current WarmThroughput, decreasing WarmThroughput is not supported"),
        (ON_DEMAND, {"TableClass": "STANDARD", "DeletionProtectionEnabled": True}, "TableClass modification must be the only operation in the request"),
        (ON_DEMAND, {"DeletionProtectionEnabled": True} | provisioned(1, 1), "DeletionProtection modification must be the only operation in the request"),
        (ON_DEMAND, {"WarmThroughput": WARM} | provisioned(1, 1), "WarmThroughput must be the only operation in the request"),
        (ON_DEMAND, {"SSESpecification": {"Enabled": True}} | provisioned(1, 1), "Server-Side Encryption modification must be the only operation in the request"),
    ],
)
def test_updates_that_are_refused(dynamodb, of_table, parameters, message):
    table = create_table(dynamodb, **of_table)
    before = describe(dynamodb, table)
    with refused("ValidationException", INVALID + message):
        update(dynamodb, table, **parameters)
    assert describe(dynamodb, table) == before


def test_maxima_of_an_on_demand_table(dynamodb):
    table = create_table(dynamodb, OnDemandThroughput={"MaxReadRequestUnits": 100})
    assert describe(dynamodb, table)["OnDemandThroughput"] == {"MaxReadRequestUnits": 100}
    for given, kept in [
        ({"MaxWriteRequestUnits": 50}, {"MaxReadRequestUnits": 100, "MaxWriteRequestUnits": 50}),
        ({"MaxReadRequestUnits": -1}, {"MaxWriteRequestUnits": 50}),
        ({"MaxWriteRequestUnits": -1}, None),
    ]:
        update(dynamodb, table, OnDemandThroughput=given)
        assert describe(dynamodb, table).get("OnDemandThroughput") == kept
    for given in (0, -1, -2):
        with refused(
            "ValidationException",
            f"{INVALID}Requested MaxReadRequestUnits for OnDemandThroughput for table is outside of valid range",
        ):
            create_table(dynamodb, OnDemandThroughput={"MaxReadRequestUnits": given})
    with refused("LimitExceededException", containing=["exceeds TableMaxReadCapacityUnits of the account in region us-east-1"]):
        create_table(dynamodb, OnDemandThroughput={"MaxReadRequestUnits": 40001})


def test_warm_throughput(dynamodb):
    table = create_table(dynamodb, WarmThroughput={"ReadUnitsPerSecond": 12001})
    assert describe(dynamodb, table)["WarmThroughput"] == WARM | {"ReadUnitsPerSecond": 12001, "Status": "ACTIVE"}
    answer = update(dynamodb, table, WarmThroughput={"WriteUnitsPerSecond": 5000})
    assert answer["WarmThroughput"] == WARM | {"ReadUnitsPerSecond": 12001, "Status": "UPDATING"}
    assert answer["TableStatus"] == "ACTIVE"
    warm = {"ReadUnitsPerSecond": 12001, "WriteUnitsPerSecond": 5000, "Status": "ACTIVE"}
    assert describe(dynamodb, table)["WarmThroughput"] == warm
    with refused("ValidationException", containing=["is lower than initial throughput for OnDemand. See: https://"]):
        create_table(dynamodb, WarmThroughput={"ReadUnitsPerSecond": 1, "WriteUnitsPerSecond": 1})
    with refused(
        "ValidationException",
        f"{INVALID}Requested ReadUnitsPerSecond for WarmThroughput for table is lower than ReadCapacityUnits of "
        "ProvisionedThroughput",
    ):
        create_table(dynamodb, **provisioned(10, 10), WarmThroughput={"ReadUnitsPerSecond": 5, "WriteUnitsPerSecond": 5})
    with refused(
        "LimitExceededException",
        "Subscriber limit exceeded: Requested WriteUnitsPerSecond for WarmThroughput for table exceeds "
        "TableMaxWriteCapacityUnits of the account in region us-east-1",
    ):
        update(dynamodb, table, WarmThroughput={"WriteUnitsPerSecond": 40001})


def test_a_table_is_made_with_its_class(dynamodb):
    for name in ("STANDARD", "STANDARD_INFREQUENT_ACCESS"):
        table = unique()
        made = dynamodb.create_table(
            TableName=table, TableClass=name, **ON_DEMAND, KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}])["TableDescription"]
        assert made["TableClassSummary"] == describe(dynamodb, table)["TableClassSummary"] == {"TableClass": name}


def test_the_table_class_changes_twice_in_thirty_days(dynamodb):
    table = create_table(dynamodb)
    update(dynamodb, table, TableClass="STANDARD")
    assert "TableClassSummary" not in describe(dynamodb, table)
    for name in ("STANDARD_INFREQUENT_ACCESS", "STANDARD"):
        before = describe(dynamodb, table).get("TableClassSummary")
        # The answer tells the class as it was.
        answer = update(dynamodb, table, TableClass=name)
        assert (answer["TableStatus"], answer.get("TableClassSummary")) == ("UPDATING", before)
        summary = describe(dynamodb, table)["TableClassSummary"]
        assert summary["TableClass"] == name and "LastUpdateDateTime" in summary
    with refused(
        "LimitExceededException",
        "Subscriber limit exceeded: Updates to TableClass are limited to 2 times in 30 day(s).",
    ):
        update(dynamodb, table, TableClass="STANDARD_INFREQUENT_ACCESS")


def test_a_protected_table_is_not_deleted(dynamodb):
    table = create_table(dynamodb, DeletionProtectionEnabled=True)
    with refused(
        "ValidationException",
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
    ):
        dynamodb.delete_table(TableName=table)
    update(dynamodb, table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)


def tags_of(dynamodb, arn):
    page = dynamodb.list_tags_of_resource(ResourceArn=arn)
    assert "NextToken" not in page
    assert dynamodb.list_tags_of_resource(ResourceArn=arn, NextToken="no token of ours")["Tags"] == page["Tags"]
    return {tag["Key"]: tag["Value"] for tag in page["Tags"]}


def test_fifty_tags_and_no_more(dynamodb):
    table = create_table(dynamodb)
    arn = describe(dynamodb, table)["TableArn"]
    wanted = {f"key {n:02}": f"värde+-=._:/@{n}" for n in range(50)}
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": k, "Value": v} for k, v in wanted.items()])
    assert tags_of(dynamodb, arn) == wanted
    too_many = "Number of Tags exceed the current limit for the provided ResourceArn"
    with refused("ValidationException", too_many):
        dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "one more", "Value": ""}])
    with refused("ValidationException", too_many):
        create_table(dynamodb, Tags=[{"Key": str(n), "Value": ""} for n in range(51)])
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "key 00", "Value": "again"}])
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["key 01", "no such key"])
    assert tags_of(dynamodb, arn) == {k: v for k, v in wanted.items() if k != "key 01"} | {"key 00": "again"}


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ([], "Atleast one Tag needs to be provided as Input."),
        ([("", "v")], "The Tag Key provided is invalid, Key: "),
        ([("k" * 129, "v")], f"The Tag Key provided is invalid, Key: {'k' * 129}"),
        ([("a,b", "v")], "The Tag Key provided is invalid, Key: a,b"),
        ([("k", "v" * 257)], f"The Tag Value provided is invalid, Value: {'v' * 257}"),
        ([("k", "100%")], "The Tag Value provided is invalid, Value: 100%"),
        ([("aws:k", "v")], "Tag Key cannot be prefixed with aws:, Key: aws:k"),
        ([("k", "1"), ("k", "2")], "Duplicate Tag Keys provided as input: Duplicate Tag Key found k"),
    ],
)
def test_tags_that_are_refused(server, tags, message):
    dynamodb = server.client("dynamodb", parameter_validation=False)
    table = create_table(dynamodb)
    arn = describe(dynamodb, table)["TableArn"]
    given = [{"Key": key, "Value": value} for key, value in tags]
    good = [{"Key": "good", "Value": "v"}] if tags else []
    with refused("ValidationException", message):
        dynamodb.tag_resource(ResourceArn=arn, Tags=good + given)
    assert tags_of(dynamodb, arn) == {}
    if tags:
        with refused("ValidationException", message):
            create_table(dynamodb, name := unique(), Tags=given)
        with refused("ResourceNotFoundException"):
            describe(dynamodb, name)


def test_untagging_is_checked(server):
    dynamodb = server.client("dynamodb", parameter_validation=False)
    arn = describe(dynamodb, create_table(dynamodb))["TableArn"]
    with refused("ValidationException", "Atleast one Tag Key needs to be provided as Input."):
        dynamodb.untag_resource(ResourceArn=arn, TagKeys=[])
    with refused("ValidationException", f"The Tag Key provided is invalid, Key: {'k' * 129}"):
        dynamodb.untag_resource(ResourceArn=arn, TagKeys=["k" * 129])


def test_statuses_pass_after_the_time_that_is_set(make_server):
    server = make_server("slow", arguments=["--status-delay-secs", "2"]).start()
    dynamodb = server.dynamodb
    name = create_table(dynamodb, wait=False)
    in_use = "Attempt to change a resource which is still in use: "
    assert describe(dynamodb, name)["TableStatus"] == "CREATING"
    with refused("ResourceNotFoundException", "Requested resource not found"):
        dynamodb.put_item(TableName=name, Item=item("a"))
    for call in (lambda: dynamodb.delete_table(TableName=name), lambda: update(dynamodb, name, **provisioned(1, 1))):
        with refused("ResourceInUseException", f"{in_use}Table is being created: {name}"):
            call()
    arn = describe(dynamodb, name)["TableArn"]
    assert error_of(dynamodb.list_tags_of_resource, ResourceArn=arn)[0] == "ResourceNotFoundException"
    assert error_of(dynamodb.get_resource_policy, ResourceArn=arn)[0] == "ResourceNotFoundException"
    wait_active(dynamodb, name)
    dynamodb.put_item(TableName=name, Item=item("a"))

    update(dynamodb, name, **provisioned(1, 1))
    assert describe(dynamodb, name)["TableStatus"] == "UPDATING"
    wait_active(dynamodb, name)
    update(dynamodb, name, **units(2, 2))
    updating = describe(dynamodb, name)
    assert (updating["TableStatus"], figures(updating)) == ("UPDATING", (1, 1, 0))
    assert dynamodb.get_item(TableName=name, Key=item("a"))["Item"] == item("a")
    with refused("ResourceInUseException", f"{in_use}Table: {name} is in the process of being updated."):
        dynamodb.delete_table(TableName=name)
    wait_active(dynamodb, name)
    assert figures(describe(dynamodb, name)) == (2, 2, 0)

    update(dynamodb, name, WarmThroughput={"ReadUnitsPerSecond": 13000})
    warming = describe(dynamodb, name)
    assert warming["TableStatus"] == "ACTIVE" and warming["WarmThroughput"] == WARM | {"Status": "UPDATING"}
    warm = WARM | {"ReadUnitsPerSecond": 13000, "Status": "ACTIVE"}
    wait_until(lambda: describe(dynamodb, name)["WarmThroughput"] == warm, "the table is warm", 10, 0.1)

    started = time.monotonic()
    assert dynamodb.delete_table(TableName=name)["TableDescription"]["TableStatus"] == "DELETING"
    assert describe(dynamodb, name)["TableStatus"] == "DELETING" and name in dynamodb.list_tables()["TableNames"]
    with refused("ResourceNotFoundException", "Requested resource not found"):
        dynamodb.get_item(TableName=name, Key=item("a"))
    with refused("ResourceInUseException", f"{in_use}Table is being deleted: {name}"):
        dynamodb.delete_table(TableName=name)
    wait_until(lambda: error_of(dynamodb.describe_table, TableName=name), "the table is gone", 10, 0.1)
    assert time.monotonic() - started >= 1
    create_table(dynamodb, name)
    assert "Item" not in dynamodb.get_item(TableName=name, Key=item("a"))
