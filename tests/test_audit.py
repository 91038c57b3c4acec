"""The audit trail: shapes, order, look-ups (R45 to R51, R73)."""

import base64
import datetime
import json
import re
import urllib.request


import pytest
from support import trail
from support.tables import (
    create_table, customer_key, fill, item, refused, scan_all, sse, unique, wait_switched, wait_until,
)

UUID = r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}"
COMMON = {"eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress",
          "userAgent", "requestParameters", "responseElements", "requestID", "eventID", "readOnly", "resources",
          "eventType", "recipientAccountId"}


@pytest.fixture
def used_table(own_server):
    """A table that has been created and, after a restart, read: `(server, table, key)`."""
    key = customer_key(own_server.kms)
    table = create_table(own_server.dynamodb, **sse(key))
    fill(own_server.dynamodb, table, 5)
    own_server.restart()
    scan_all(own_server.dynamodb, table)
    return own_server, table, key


def check_common(event, key):
    assert COMMON <= set(event), COMMON - set(event)
    assert event["eventSource"] == "kms.amazonaws.com"
    assert event["eventType"] == "AwsApiCall"
    assert event["awsRegion"] == "us-east-1"
    assert event["recipientAccountId"] == "000000000000"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["eventTime"])
    assert re.fullmatch(UUID, event["requestID"]) and re.fullmatch(UUID, event["eventID"])
    assert event["resources"] == [{"ARN": key, "accountId": "000000000000", "type": "AWS::KMS::Key"}]


def r45_the_shape_of_generate_data_key(used_table):
    """By the service itself: AWSService, sharedEventID, and the key by ARN."""
    server, table, key = used_table
    [event] = trail.events(server, "GenerateDataKey", table=table)
    check_common(event, key)
    assert event["userIdentity"] == {"type": "AWSService", "invokedBy": "dynamodb.amazonaws.com"}
    assert event["sourceIPAddress"] == event["userAgent"] == "dynamodb.amazonaws.com"
    assert event["requestParameters"] == {
        "encryptionContext": trail.context_of(table), "keySpec": "AES_256", "keyId": key,
    }
    assert event["responseElements"] is None
    assert event["readOnly"] is True
    assert re.fullmatch(UUID, event["sharedEventID"])


def r46_the_shape_of_decrypt(used_table):
    """By the caller through DynamoDB, with the encryption context as its only parameter."""
    server, table, key = used_table
    event = trail.events(server, "Decrypt", table=table)[-1]
    check_common(event, key)
    identity = event["userIdentity"]
    assert identity["accountId"] == "000000000000"
    assert identity["invokedBy"] == "dynamodb.amazonaws.com"
    assert identity["accessKeyId"] == server.access_key
    assert event["sourceIPAddress"] == event["userAgent"] == "dynamodb.amazonaws.com"
    context = event["requestParameters"].pop("encryptionContext")
    assert context == trail.context_of(table)
    assert set(event["requestParameters"]) <= {"encryptionAlgorithm"}
    assert event["responseElements"] is None
    assert event["readOnly"] is True


def r47_the_shape_of_create_grant(used_table):
    server, table, key = used_table
    event = trail.events(server, "CreateGrant", table=table)[0]
    check_common(event, key)
    parameters = event["requestParameters"]
    assert parameters["keyId"] == key
    assert parameters["constraints"] == {"encryptionContextSubset": trail.context_of(table)}
    assert re.fullmatch("[0-9a-f]{64}", event["responseElements"]["grantId"])
    assert event["readOnly"] is False


def r48_the_shape_of_retire_grant_and_describe_key(own_server):
    """The key is looked at when a table is made under it, and its grant goes when the table goes; the service's own
    calls say so in the same shape."""
    key = customer_key(own_server.kms)
    table = create_table(own_server.dynamodb, **sse(key))
    [described] = trail.events(own_server, "DescribeKey")
    check_common(described, key)
    assert described["userIdentity"]["invokedBy"] == "dynamodb.amazonaws.com"
    assert described["userIdentity"]["accessKeyId"] == own_server.access_key
    assert described["requestParameters"] == {"keyId": key}
    assert described["readOnly"] is True
    [grant] = own_server.kms.list_grants(KeyId=key)["Grants"]
    own_server.dynamodb.delete_table(TableName=table)
    wait_until(lambda: trail.events(own_server, "RetireGrant"), "the grant is retired")
    [retired] = trail.events(own_server, "RetireGrant")
    check_common(retired, key)
    assert retired["userIdentity"] == {"type": "AWSService", "invokedBy": "dynamodb.amazonaws.com"}
    assert retired["additionalEventData"] == {"grantId": grant["GrantId"]}
    assert retired["responseElements"] == {"keyId": key}
    assert retired["readOnly"] is False


def r49_every_event_names_the_key_by_arn(own_server):
    """Whatever the caller typed (id, alias), the event's resource is the key's ARN."""
    kms = own_server.kms
    key = customer_key(kms)
    kms.create_alias(AliasName="alias/typed", TargetKeyId=key)
    blob = kms.encrypt(KeyId="alias/typed", Plaintext=b"x")["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob)
    kms.generate_data_key(KeyId=key.rsplit("/")[1], KeySpec="AES_256")
    kms.describe_key(KeyId="alias/typed")
    kms.disable_key(KeyId=key.rsplit("/")[1])
    for name in ("Encrypt", "Decrypt", "GenerateDataKey", "DescribeKey", "DisableKey"):
        [event] = trail.events(own_server, name)
        assert event["resources"][0]["ARN"] == key, name
    for record in own_server.cloudtrail.lookup_events(
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}])["Events"]:
        assert {"ResourceType": "AWS::KMS::Key", "ResourceName": key} in record["Resources"]


def r50_contexts_are_in_clear_and_secrets_never(own_server):
    """The trail shows encryption contexts; no plaintext, no ciphertext's key, no item is in it."""
    kms, dynamodb = own_server.kms, own_server.dynamodb
    key = customer_key(kms)
    plaintext = b"cnry-trail-plaintext-5521"
    context = {"purpose": "audit test"}
    blob = kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=context)["CiphertextBlob"]
    kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    random = kms.generate_random(NumberOfBytes=32)["Plaintext"]
    table = create_table(dynamodb, **sse(key))
    dynamodb.put_item(TableName=table, Item=item("cnry-trail-item", value="cnry-trail-value"))
    text = json.dumps(trail.events(own_server))
    for secret in (plaintext, made["Plaintext"], random, b"cnry-trail-item", b"cnry-trail-value"):
        assert secret.decode("latin-1") not in text
        assert base64.b64encode(secret).decode().rstrip("=") not in text
        assert secret.hex() not in text.lower()
    assert own_server.secret_key not in text
    for name in ("Encrypt", "Decrypt", "GenerateDataKey"):
        assert trail.context(trail.events(own_server, name)[0]) in (context, trail.context_of(table))


def r51_kms_calls_are_counted_per_key(own_server):
    """The trail, asked by resource, holds every call on a key and none on another."""
    kms = own_server.kms
    busy, quiet = customer_key(kms), customer_key(kms)
    for _ in range(7):
        kms.generate_data_key(KeyId=busy, KeySpec="AES_128")
    kms.describe_key(KeyId=quiet)
    counted = {
        key: [e["EventName"] for page in own_server.cloudtrail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key}]) for e in page["Events"]]
        for key in (busy, quiet)
    }
    with urllib.request.urlopen(f"{own_server.url}/metrics") as answer:
        metrics = answer.read().decode().splitlines()
    assert f'strongroom_kms_calls_total{{key_arn="{busy}",operation="GenerateDataKey"}} 7' in metrics
    assert not [line for line in metrics if quiet in line and "GenerateDataKey" in line]
    assert counted[busy].count("GenerateDataKey") == 7
    assert "GenerateDataKey" not in counted[quiet] and "DescribeKey" in counted[quiet]


def lookup(server, key, value, **parameters):
    return server.cloudtrail.lookup_events(LookupAttributes=[{"AttributeKey": key, "AttributeValue": value}], **parameters)["Events"]


def r73_events_are_found_by_each_attribute(own_server):
    kms = own_server.client("kms", access_key="AKIALOOKUP0000000001")
    metadata = kms.create_key()["KeyMetadata"]
    kms.disable_key(KeyId=metadata["Arn"])
    kms.enable_key(KeyId=metadata["Arn"])
    [enable] = lookup(own_server, "EventName", "EnableKey")
    assert enable["EventSource"] == "kms.amazonaws.com"
    assert (enable["AccessKeyId"], enable["ReadOnly"]) == ("AKIALOOKUP0000000001", "false")
    assert [e["EventId"] for e in lookup(own_server, "EventId", enable["EventId"])] == [enable["EventId"]]
    found = {
        "EventSource": lookup(own_server, "EventSource", "kms.amazonaws.com"),
        "ResourceName": lookup(own_server, "ResourceName", metadata["Arn"]),
        "ResourceType": lookup(own_server, "ResourceType", "AWS::KMS::Key"),
        "AccessKeyId": lookup(own_server, "AccessKeyId", "AKIALOOKUP0000000001"),
        "ReadOnly": lookup(own_server, "ReadOnly", "false"),
    }
    if enable.get("Username"):
        found["Username"] = lookup(own_server, "Username", enable["Username"])
    for attribute, events in found.items():
        assert enable["EventId"] in [e["EventId"] for e in events], attribute
    assert lookup(own_server, "EventName", "NoSuchEvent") == []
    assert lookup(own_server, "AccessKeyId", "AKIANOBODY0000000000") == []
    assert lookup(own_server, "ReadOnly", "true") == []
    record = json.loads(enable["CloudTrailEvent"])
    assert (record["eventID"], record["eventName"]) == (enable["EventId"], "EnableKey")


def r73_events_are_found_by_time(own_server):
    kms = own_server.kms
    kms.generate_random(NumberOfBytes=1)
    own_server.advance(3600)
    kms.generate_random(NumberOfBytes=2)
    early, late = sorted(e["EventTime"] for e in lookup(own_server, "EventName", "GenerateRandom"))
    middle = early + (late - early) / 2
    assert (late - early).total_seconds() >= 3600
    one = lookup(own_server, "EventName", "GenerateRandom", StartTime=middle)
    other = lookup(own_server, "EventName", "GenerateRandom", EndTime=middle)
    assert [e["EventTime"] for e in one] == [late] and [e["EventTime"] for e in other] == [early]
    with pytest.raises(own_server.cloudtrail.exceptions.ClientError) as caught:
        lookup(own_server, "EventName", "GenerateRandom", StartTime=late, EndTime=late - datetime.timedelta(hours=2))
    assert caught.value.response["Error"]["Code"] == "InvalidTimeRangeException"


def r73_pages_are_complete_newest_first_and_without_repeats(own_server):
    kms = own_server.kms
    for n in range(1, 124):
        kms.generate_random(NumberOfBytes=n)
    attribute = [{"AttributeKey": "EventName", "AttributeValue": "GenerateRandom"}]
    pages = list(own_server.cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=attribute, PaginationConfig={"PageSize": 50}))
    assert [len(p["Events"]) for p in pages if p["Events"]] == [50, 50, 23]
    sizes = [json.loads(e["CloudTrailEvent"])["requestParameters"]["numberOfBytes"] for p in pages for e in p["Events"]]
    assert sizes == list(range(123, 0, -1))
    # Without MaxResults a page holds fifty; an event that arrives between two pages moves nothing.
    first = own_server.cloudtrail.lookup_events(LookupAttributes=attribute)
    assert len(first["Events"]) == 50
    kms.generate_random(NumberOfBytes=1000)
    second = own_server.cloudtrail.lookup_events(LookupAttributes=attribute, NextToken=first["NextToken"])
    assert not {e["EventId"] for e in first["Events"]} & {e["EventId"] for e in second["Events"]}


def r73_a_page_of_another_region_is_no_page_of_this_one(own_server):
    """Each region has a trail of its own; where a page of one ended says nothing about another."""
    for region in ("us-east-1", "eu-west-1"):
        for _ in range(3):
            own_server.client("kms", region=region).generate_random(NumberOfBytes=1)
    token = own_server.cloudtrail.lookup_events(MaxResults=1)["NextToken"]
    assert len(own_server.cloudtrail.lookup_events(NextToken=token)["Events"]) == 2
    with refused("InvalidNextTokenException"):
        own_server.client("cloudtrail", region="eu-west-1").lookup_events(NextToken=token)


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"NextToken": "garbage"}, "InvalidNextTokenException"),
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "x"}] * 2}, "InvalidLookupAttributesException"),
    ],
)
def test_lookup_events_refuses_bad_input(server, parameters, code):
    cloudtrail = server.client("cloudtrail", parameter_validation=False)
    with pytest.raises(cloudtrail.exceptions.ClientError) as caught:
        cloudtrail.lookup_events(**parameters)
    assert caught.value.response["Error"]["Code"] in (code, "ValidationException")


def test_insights_events_are_a_category_without_events(server):
    trail_client = server.client("cloudtrail", parameter_validation=False)
    customer_key(server.kms)
    assert trail_client.lookup_events()["Events"]
    assert trail_client.lookup_events(EventCategory="insight")["Events"] == []
    with refused("ValidationException", containing=["management", "[insight]"]):
        trail_client.lookup_events(EventCategory="management")


def r50_refused_calls_are_in_the_trail_too(own_server):
    """A call that KMS refuses is recorded with its error code and message."""
    kms = own_server.kms
    key = customer_key(kms)
    kms.disable_key(KeyId=key)
    with pytest.raises(kms.exceptions.DisabledException):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    [event] = trail.events(own_server, "Encrypt")
    assert (event["errorCode"], event["errorMessage"]) == ("DisabledException", f"{key} is disabled.")
    assert event["responseElements"] is None


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("Encrypt", b"no JSON", "SerializationException"),
        ("Encrypt", {"KeyId": 5, "Plaintext": "c2VjcmV0"}, "SerializationException"),
        ("Encrypt", {"KeyId": "alias/books"}, "ValidationException"),
        ("Decrypt", {"CiphertextBlob": "AAAA", "NoSuchMember": "cnry-refused"}, "ValidationException"),
        ("CreateKey", {"Policy": "cnry-policy" * 20_000}, "ValidationException"),
        ("ScheduleKeyDeletion", {"KeyId": "x", "PendingWindowInDays": 400}, "ValidationException"),
        ("ConnectCustomKeyStore", {"CustomKeyStoreId": "cks-1234567890abcdef0"}, "UnknownOperationException"),
        ("UpdateCustomKeyStore", {"CustomKeyStoreId": "cks-1", "KeyStorePassword": "cnry-password"},
         "UnknownOperationException"),
    ],
)
def r44_a_call_that_no_action_has_seen_is_in_the_trail(server, operation, body, code):
    """What the service's model refuses, or what is not there yet, is a call of KMS all the same: who made it, when, and
    what was answered. Its parameters are not shown, for nobody knows what they are."""
    status, headers, answer = server.call(f"TrentService.{operation}", body, version="1.1", service="kms")
    assert (status, answer["__type"]) == (400, code)
    event = trail.events(server, operation)[-1]
    assert COMMON <= set(event)
    assert event["errorCode"] == code
    told = answer.get("message", answer.get("Message", ""))
    assert event.get("errorMessage", "") == told[:1024]
    assert event["requestID"] == headers["x-amzn-requestid"]
    assert event["userIdentity"]["accessKeyId"] == server.access_key
    assert (event["requestParameters"], event["responseElements"], event["resources"]) == (None, None, [])
    assert "cnry-password" not in json.dumps(event) and len(json.dumps(event)) < 4_000


def r44_events_are_bounded_in_size(own_server):
    """What is too large for an event is left out of it, and the event says so in CloudTrail's way."""
    kms = own_server.client("kms", parameter_validation=False)
    with pytest.raises(kms.exceptions.ClientError):
        kms.encrypt(KeyId=customer_key(kms), Plaintext=b"x", EncryptionContext={"name": "v" * 200_000})
    [event] = trail.events(own_server, "Encrypt")
    size = event["requestParameters"].pop("originalSize")
    assert 200_000 < size < 201_000
    assert event["requestParameters"] == {"omitted": True, "reason": "requestParameters too large"}


def r44_an_unknown_sender_writes_nothing(secure_server):
    """Only who is known can fill the trail."""
    kms = secure_server.client("kms", secret_key="wrong", parameter_validation=False)
    for call in (kms.create_key, kms.encrypt):
        with pytest.raises(kms.exceptions.ClientError):
            call()
    assert trail.events(secure_server) == []


@pytest.mark.parametrize("state", ["DisabledException", "KMSInvalidStateException"])
def r44_a_table_that_a_key_refused_is_in_the_trail(own_server, state):
    """The error names a request of KMS, and the trail has that request, refused, with the same words."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    key, other = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(other))
    if state == "DisabledException":
        kms.disable_key(KeyId=key)
    else:
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    for call in (lambda: create_table(dynamodb, **sse(key)), lambda: dynamodb.update_table(TableName=table, **sse(key))):
        with refused("ValidationException", containing=[f"Error Code: {state}; "]) as refusal:
            call()
        [request_id] = re.findall(r"Request ID: (\S+);", refusal.message)
        [event] = [e for e in trail.events(own_server, "CreateGrant") if e["requestID"] == request_id]
        assert (event["errorCode"], event["resources"][0]["ARN"]) == (state, key)
        assert event["errorMessage"] in refusal.message
        assert event["userIdentity"]["invokedBy"] == "dynamodb.amazonaws.com"


def r44_an_answered_call_is_never_lost(own_server):
    """kill -9 right after the answer: the event of each answered call is there after the restart, in order."""
    answered = 0
    for round_ in range(3):
        kms = own_server.kms
        for _ in range(20):
            answered += 1
            kms.generate_random(NumberOfBytes=answered)
        own_server.restart(crash=True)
        recorded = [e["requestParameters"]["numberOfBytes"] for e in trail.events(own_server, "GenerateRandom")]
        assert recorded == list(range(1, answered + 1)), f"round {round_}"


def r44_a_switch_and_a_delete_are_in_the_trail(own_server):
    dynamodb, kms = own_server.dynamodb, own_server.kms
    old, new = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(old))
    dynamodb.update_table(TableName=table, **sse(new))
    wait_switched(dynamodb, table, new)
    dynamodb.delete_table(TableName=table)
    names = [e["eventName"] for e in trail.events(own_server) if "dynamodb" in str(e["userIdentity"].get("invokedBy"))]
    for name, least in {"GenerateDataKey": 2, "CreateGrant": 2, "RetireGrant": 2, "DescribeKey": 2}.items():
        assert names.count(name) >= least, (name, names)


def r51_a_thousand_writes_leave_no_events(own_server):
    """The trail grows with callers and minutes, not with requests."""
    dynamodb = own_server.dynamodb
    table = create_table(dynamodb, unique(), **sse(customer_key(own_server.kms)))
    dynamodb.put_item(TableName=table, Item=item("first"))
    before = len(trail.events(own_server))
    fill(dynamodb, table, 1000)
    assert len(trail.events(own_server)) == before
