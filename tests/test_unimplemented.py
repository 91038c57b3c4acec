"""Every operation of the published models: the ones that are not built answer UnknownOperationException, the
ones that are built answer something else.

Inputs are made from botocore's own model, so that they pass validation.
"""

import botocore.session
import pytest
from support.tables import error_of

BUILT = {
    "dynamodb": """CreateTable DescribeTable ListTables DeleteTable UpdateTable PutItem GetItem UpdateItem DeleteItem
        BatchGetItem BatchWriteItem Query Scan TagResource UntagResource ListTagsOfResource DescribeContinuousBackups DescribeTimeToLive
        DescribeContributorInsights DescribeKinesisStreamingDestination PutResourcePolicy GetResourcePolicy
        DeleteResourcePolicy DescribeLimits DescribeEndpoints ExecuteStatement BatchExecuteStatement""".split(),
    "dynamodbstreams": [],
    "kms": """CreateKey DescribeKey ListKeys CreateAlias UpdateAlias DeleteAlias ListAliases EnableKey DisableKey
        ScheduleKeyDeletion CancelKeyDeletion Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext
        GenerateRandom GetKeyPolicy PutKeyPolicy CreateGrant ListGrants RetireGrant RevokeGrant
        ListRetirableGrants ListKeyPolicies TagResource UntagResource ListResourceTags UpdateKeyDescription""".split(),
    "cloudtrail": ["LookupEvents"],
}
# Values that a pattern or a rule beyond the model asks for.
STRINGS = {
    "KeyIdType": "11111111-2222-3333-4444-555555555555",
    "AliasNameType": "alias/made-up",
    "PrincipalIdType": "arn:aws:iam::000000000000:root",
    "NullableBooleanType": True,
    "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/made-up",
    "ResourceArnString": "arn:aws:dynamodb:us-east-1:000000000000:table/made-up",
    "StreamArn": "arn:aws:dynamodb:us-east-1:000000000000:table/made-up/stream/2026-01-01T00:00:00.000",
    "BackupArn": "arn:aws:dynamodb:us-east-1:000000000000:table/made-up/backup/01500000000000-abcdef01",
    "RegionType": "eu-west-1",
    "ShardId": "shardId-00000001500000000000-abcdef01",
}


def example(shape, depth=0):
    """A value of this shape with only its required members, within the model's bounds."""
    kind, facts = shape.type_name, shape.metadata
    if kind == "structure":
        members = {n: m for n, m in shape.members.items() if n in shape.required_members}
        if not members and depth and facts.get("union"):
            members = dict([next(iter(shape.members.items()))])
        return {name: example(member, depth + 1) for name, member in members.items()}
    if kind == "list":
        return [example(shape.member, depth + 1)] * facts.get("min", 1)
    if kind == "map":
        return {example(shape.key, depth + 1): example(shape.value, depth + 1)}
    if shape.name in STRINGS:
        return STRINGS[shape.name]
    if kind == "string":
        return (shape.enum or ["x" * max(facts.get("min", 1), 3)])[0]
    if kind in ("integer", "long"):
        return max(facts.get("min", 1), 1)
    if kind in ("float", "double"):
        return 1.0
    if kind == "boolean":
        return True
    if kind == "blob":
        return b"x" * max(facts.get("min", 1), 1)
    if kind == "timestamp":
        return 1_700_000_000
    raise AssertionError(f"no example of a {kind}")


def operations(built):
    session = botocore.session.get_session()
    for service in ("dynamodb", "dynamodbstreams", "kms"):
        model = session.get_service_model(service)
        for name in model.operation_names:
            if (name in BUILT[service]) == built:
                yield pytest.param(service, name, id=f"{service}-{name}")


def call(server, service, operation):
    client = server.client(service, parameter_validation=False)
    method = {client.meta.method_to_api_mapping[m]: m for m in client.meta.method_to_api_mapping}[operation]
    shape = client.meta.service_model.operation_model(operation).input_shape
    return error_of(getattr(client, method), **(example(shape) if shape else {}))


@pytest.mark.parametrize(("service", "operation"), list(operations(built=False)))
def test_what_is_not_built_says_so(server, service, operation):
    error = call(server, service, operation)
    assert error and error[0] == "UnknownOperationException", error


@pytest.mark.parametrize(("service", "operation"), list(operations(built=True)))
def test_what_is_built_does_not_say_so(own_server, service, operation):
    error = call(own_server, service, operation)
    assert error is None or error[0] not in ("UnknownOperationException", "InternalFailure", "InternalServerError", "KMSInternalException"), error
