"""Tables: create, describe, list, update, delete, tags, and what tools read back."""

import re
import threading
import time

import pytest
from botocore.exceptions import ClientError
from support.indexes import index
from support.tables import (
    create_table, describe, error_of, fill, item, refused, sse, unique, wait_active, wait_until,
)

PREFIX = "One or more parameter values were invalid: "


def schema(*keys, types="SS"):
    return {
        "AttributeDefinitions": [{"AttributeName": k, "AttributeType": t} for k, t in zip(keys, types, strict=False)],
        "KeySchema": [{"AttributeName": k, "KeyType": kind} for k, kind in zip(keys, ("HASH", "RANGE"), strict=False)],
    }


def test_create_and_describe(dynamodb):
    name = unique()
    made = dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", **schema("pk", "sk", types="SN"))["TableDescription"]
    assert made["TableName"] == name and made["TableStatus"] in ("CREATING", "ACTIVE")
    wait_active(dynamodb, name)
    table = describe(dynamodb, name)
    assert table["TableArn"] == f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}"
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", table["TableId"])
    assert table["KeySchema"] == schema("pk", "sk")["KeySchema"]
    assert sorted(a["AttributeName"] + a["AttributeType"] for a in table["AttributeDefinitions"]) == ["pkS", "skN"]
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
    assert (table["ItemCount"], table["TableSizeBytes"]) == (0, 0)
    assert table["DeletionProtectionEnabled"] is False
    assert describe(dynamodb, table["TableArn"]) == table, "a table can be named by its ARN"
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 5})


def test_provisioned_tables_keep_their_numbers(dynamodb):
    table = create_table(
        dynamodb, BillingMode="PROVISIONED", ProvisionedThroughput={"ReadCapacityUnits": 7, "WriteCapacityUnits": 3})
    throughput = describe(dynamodb, table)["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"], throughput["NumberOfDecreasesToday"]) == (7, 3, 0)


def test_names_that_are_taken_or_missing(dynamodb):
    table = create_table(dynamodb)
    with refused("ResourceInUseException", f"Table already exists: {table}"):
        create_table(dynamodb, table)
    for call in (dynamodb.describe_table, dynamodb.delete_table):
        with refused("ResourceNotFoundException", "Requested resource not found: Table: not-there not found"):
            call(TableName="not-there")
    key = item("a")
    for call in (
        lambda: dynamodb.get_item(TableName="not-there", Key=key),
        lambda: dynamodb.put_item(TableName="not-there", Item=key),
        lambda: dynamodb.delete_item(TableName="not-there", Key=key),
        lambda: dynamodb.update_item(TableName="not-there", Key=key),
        lambda: dynamodb.scan(TableName="not-there"),
        lambda: dynamodb.query(TableName="not-there", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "a"}}),
        lambda: dynamodb.batch_get_item(RequestItems={"not-there": {"Keys": [key]}}),
        lambda: dynamodb.batch_write_item(RequestItems={"not-there": [{"PutRequest": {"Item": key}}]}),
    ):
        with refused("ResourceNotFoundException", "Requested resource not found"):
            call()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}], "KeySchema": schema("pk", "sk")["KeySchema"]},
            "Invalid KeySchema: Some index key attribute have no definition",
        ),
        (
            {"AttributeDefinitions": schema("pk", "a")["AttributeDefinitions"], "KeySchema": schema("pk", "sk")["KeySchema"]},
            PREFIX + "Some index key attributes are not defined in AttributeDefinitions. Keys: [sk, pk], AttributeDefinitions: [a, pk]",
        ),
        (
            {"AttributeDefinitions": schema("pk", "sk")["AttributeDefinitions"], "KeySchema": schema("pk")["KeySchema"]},
            PREFIX + "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ),
    ],
)
def test_key_schemas_that_do_not_fit(dynamodb, parameters, message):
    with refused("ValidationException", message):
        create_table(dynamodb, **parameters)


def test_validation_texts_of_create_table(server):
    dynamodb = server.client("dynamodb", parameter_validation=False)
    with refused("ValidationException") as refusal:
        dynamodb.create_table(TableName=unique())
    assert refusal.message.startswith("2 validation errors detected: ")
    for member in ("attributeDefinitions", "keySchema"):
        assert f"Value null at '{member}' failed to satisfy constraint: Member must not be null" in refusal.message
    with refused("ValidationException") as refusal:
        create_table(dynamodb, BillingMode="FREE")
    assert refusal.message == (
        "1 validation error detected: Value 'FREE' at 'billingMode' failed to satisfy constraint: "
        "Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"
    )


@pytest.mark.parametrize("name", ["ab", "a" * 256, "sp ace", "umlaut-ä"])
def test_table_names_that_are_refused(server, name):
    dynamodb = server.client("dynamodb", parameter_validation=False)
    assert error_of(create_table, dynamodb, name)[0] == "ValidationException"


def test_on_demand_and_provisioned_do_not_mix(dynamodb):
    assert error_of(create_table, dynamodb, BillingMode="PROVISIONED")[0] == "ValidationException"
    error = error_of(create_table, dynamodb, ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
    assert error == (
        "ValidationException",
        PREFIX + "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
    )


def test_list_tables_pages_in_order(own_server):
    dynamodb = own_server.dynamodb
    made = sorted(create_table(dynamodb) for _ in range(7))
    pages = list(dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(p["TableNames"]) for p in pages if p["TableNames"]] == [3, 3, 1]
    assert [n for p in pages for n in p["TableNames"]] == made
    assert dynamodb.list_tables(ExclusiveStartTableName=made[2], Limit=2)["TableNames"] == made[3:5]


def test_delete_table(dynamodb):
    table = create_table(dynamodb)
    fill(dynamodb, table, 25)
    assert dynamodb.delete_table(TableName=table)["TableDescription"]["TableStatus"] == "DELETING"
    dynamodb.get_waiter("table_not_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    create_table(dynamodb, table)
    assert dynamodb.scan(TableName=table)["Count"] == 0, "a new table of an old name is empty"


def test_deleted_data_leaves_the_disk(own_server):
    dynamodb = own_server.dynamodb
    from support import canary

    def bytes_on_disk():
        return sum(p.stat().st_size for p in canary.files([own_server.data]) if p.exists())

    empty = bytes_on_disk()
    table = create_table(dynamodb)
    fill(dynamodb, table, 200, bytes_each=50_000)
    full = bytes_on_disk()
    assert full > empty + 5_000_000
    dynamodb.delete_table(TableName=table)
    wait_until(lambda: bytes_on_disk() < empty + (full - empty) / 10, "the table's files are gone", 20, 0.2)


def test_tags(dynamodb):
    table = create_table(dynamodb, Tags=[{"Key": "a", "Value": "1"}])
    arn = describe(dynamodb, table)["TableArn"]
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}, {"Key": "a", "Value": "3"}])
    tags = {t["Key"]: t["Value"] for t in dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]}
    assert tags == {"a": "3", "b": "2"}
    with refused("ResourceNotFoundException"):
        dynamodb.list_tags_of_resource(ResourceArn=arn + "-not")


def test_what_tools_read_back_says_off(dynamodb):
    """Terraform and CDK ask these after CreateTable; each answers truthfully that the feature is off."""
    table = create_table(dynamodb)
    arn = describe(dynamodb, table)["TableArn"]
    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    assert dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"] == {"TimeToLiveStatus": "DISABLED"}
    assert dynamodb.describe_contributor_insights(TableName=table)["ContributorInsightsStatus"] == "DISABLED"
    streaming = dynamodb.describe_kinesis_streaming_destination(TableName=table)
    assert streaming["KinesisDataStreamDestinations"] == []
    with refused("PolicyNotFoundException"):
        dynamodb.get_resource_policy(ResourceArn=arn)
    assert dynamodb.describe_limits()["TableMaxReadCapacityUnits"] > 0
    [endpoint] = dynamodb.describe_endpoints()["Endpoints"]
    assert endpoint["Address"]
    for call in (dynamodb.describe_continuous_backups, dynamodb.describe_time_to_live, dynamodb.describe_contributor_insights,
                 dynamodb.describe_kinesis_streaming_destination):
        assert error_of(call, TableName="not-there")[0] in ("TableNotFoundException", "ResourceNotFoundException")


def test_insights_of_indexes_are_off_too(dynamodb):
    table = create_table(
        dynamodb, sort_key=True, AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk", "g")],
        LocalSecondaryIndexes=[index("local", "pk", "g")], GlobalSecondaryIndexes=[index("by-g", "g")])
    answer = dynamodb.describe_contributor_insights(TableName=table, IndexName="by-g")
    answer.pop("ResponseMetadata")
    assert answer == {"TableName": table, "IndexName": "by-g", "ContributorInsightsStatus": "DISABLED"}
    # Only tables and global indexes have insights.
    for name in ("local", "nowhere"):
        with refused("ResourceNotFoundException", f"Requested resource not found: Index: {name} not found for table: {table}"):
            dynamodb.describe_contributor_insights(TableName=table, IndexName=name)
    with refused("ResourceNotFoundException", "Requested resource not found: Table: not-there not found"):
        dynamodb.describe_contributor_insights(TableName="not-there", IndexName="by-g")


@pytest.mark.parametrize(
    "parameters",
    [
        {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}},
    ],
    ids=lambda p: next(iter(p)),
)
def test_what_is_not_honoured_is_refused(dynamodb, parameters):
    """A parameter that would be ignored is an error, and no table is left behind."""
    name = unique()
    error = error_of(create_table, dynamodb, name, **parameters)
    assert error and error[0] == "ValidationException", error
    with refused("ResourceNotFoundException"):
        describe(dynamodb, name)


def test_update_table_wants_something_to_do(dynamodb):
    table = create_table(dynamodb)
    assert error_of(dynamodb.update_table, TableName=table)[0] == "ValidationException"
    with refused("ResourceNotFoundException"):
        dynamodb.update_table(TableName="not-there", SSESpecification={"Enabled": True})


@pytest.mark.parametrize("name", ["", "ab", "a;b", "a b", "x" * 256, "abc/index/x", "ü-ü", "../x"])
def test_an_arn_names_a_table_by_the_same_rules(dynamodb, name):
    """What is no table name is none at the end of an ARN either."""
    arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{name}"
    with refused("ValidationException"):
        create_table(dynamodb, arn)
    code, _ = error_of(dynamodb.describe_table, TableName=arn)
    assert code in ("ResourceNotFoundException", "ValidationException")


def test_the_table_of_another_account_is_not_open_to_anybody(dynamodb):
    """Whether it exists is not told: the caller may not do this there."""
    create_table(dynamodb, "ours-not-theirs")
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/ours-not-theirs"
    for action, call in {
        "DescribeTable": lambda: dynamodb.describe_table(TableName=arn),
        "DeleteTable": lambda: dynamodb.delete_table(TableName=arn),
        "GetItem": lambda: dynamodb.get_item(TableName=arn, Key=item("a")),
        "BatchGetItem": lambda: dynamodb.batch_get_item(RequestItems={arn: {"Keys": [item("a")]}}),
        "DescribeContinuousBackups": lambda: dynamodb.describe_continuous_backups(TableName=arn),
    }.items():
        with refused("AccessDeniedException", containing=[
            " is not authorized to perform: ", f"dynamodb:{action} on resource: {arn} because no resource-based policy ",
        ]):
            call()
    assert describe(dynamodb, "ours-not-theirs")["TableStatus"] == "ACTIVE"


def test_units_do_not_make_an_on_demand_table_provisioned(dynamodb):
    table = create_table(dynamodb)
    with refused("ValidationException", "One or more parameter values were invalid: Neither ReadCapacityUnits nor "
                 "WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"):
        dynamodb.update_table(TableName=table, ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})


def test_requests_that_meet_a_deletion(own_server):
    """Tables come and go under load: a request is served, or there is no such table (or it is busy), and nothing else."""
    stop = threading.Event()
    errors = set()

    def attempt(call, **parameters):
        while not stop.is_set():
            try:
                call(own_server.client("dynamodb"), **parameters)
            except ClientError as error:
                errors.add((error.response["Error"]["Code"], error.response["Error"]["Message"]))

    calls = [
        (lambda client: client.put_item(TableName="fleeting", Item=item("a"))),
        (lambda client: client.get_item(TableName="fleeting", Key=item("a"))),
        (lambda client: client.update_table(TableName="fleeting", **sse())),
        (lambda client: client.scan(TableName="fleeting")),
    ]
    threads = [threading.Thread(target=attempt, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for _ in range(15):
        create_table(own_server.dynamodb, "fleeting")
        time.sleep(0.05)
        try:
            own_server.dynamodb.delete_table(TableName="fleeting")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "ResourceInUseException", error
            wait_until(lambda: error_of(own_server.dynamodb.delete_table, TableName="fleeting") is None, "deleted")
    stop.set()
    for thread in threads:
        thread.join()
    assert {code for code, _ in errors} <= {"ResourceNotFoundException", "ResourceInUseException", "LimitExceededException", "ValidationException"}, errors
    assert "damaged" not in own_server.output()


def test_a_stream_that_is_off_has_no_view_type(dynamodb):
    with refused(
        "ValidationException",
        "One or more parameter values were invalid: Table is being created with a stream disabled, UpdateViewType should "
        "not be specified",
    ):
        create_table(dynamodb, StreamSpecification={"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"})
    assert "StreamSpecification" not in describe(dynamodb, create_table(dynamodb, StreamSpecification={"StreamEnabled": False}))


def test_a_clock_that_was_ahead_holds_no_status(make_server):
    """A status that began while the clock was days ahead ends when the server starts with the right time."""
    server = make_server("ahead", arguments=["--status-delay-secs", "2"]).start()
    server.advance(2 * 86400)
    table = create_table(server.dynamodb, wait=False)
    assert describe(server.dynamodb, table)["TableStatus"] == "CREATING"
    server.restart()
    wait_until(lambda: describe(server.dynamodb, table)["TableStatus"] == "ACTIVE", "the table is made", 10)
    server.dynamodb.put_item(TableName=table, Item=item("a"))
