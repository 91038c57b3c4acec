"""Every operation of the published models: the ones that are not built answer UnknownOperationException, the
ones that are built answer something else.

Inputs are made from botocore's own model, so that they pass validation.
"""

import botocore.session
import pytest
from support.examples import example
from support.tables import error_of

BUILT = {
    "dynamodb": """CreateTable DescribeTable ListTables DeleteTable UpdateTable PutItem GetItem UpdateItem DeleteItem
        BatchGetItem BatchWriteItem Query Scan TagResource UntagResource ListTagsOfResource DescribeContinuousBackups DescribeTimeToLive
        DescribeContributorInsights DescribeKinesisStreamingDestination PutResourcePolicy GetResourcePolicy
        DeleteResourcePolicy DescribeLimits DescribeEndpoints ExecuteStatement BatchExecuteStatement""".split(),
    "dynamodbstreams": [],
    "kms": """CreateKey DescribeKey ListKeys CreateAlias UpdateAlias DeleteAlias ListAliases EnableKey DisableKey
        ScheduleKeyDeletion CancelKeyDeletion Encrypt Decrypt ReEncrypt GenerateDataKey GenerateDataKeyWithoutPlaintext
        GenerateRandom GetKeyPolicy GetKeyRotationStatus PutKeyPolicy CreateGrant ListGrants RetireGrant RevokeGrant
        ListRetirableGrants ListKeyPolicies TagResource UntagResource ListResourceTags UpdateKeyDescription""".split(),
    "cloudtrail": ["LookupEvents"],
}


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
