"""Resource-based policies of tables: which are taken, the form they are kept in, and their revisions."""

import json

import pytest
from support.tables import create_table, describe, refused

INVALID = "One or more parameter values were invalid: "


def statement(**members):
    return {
        "Effect": "Allow",
        "Principal": {"AWS": "111122223333"},
        "Action": ["dynamodb:GetItem"],
        "Resource": "*",
    } | members


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements) or [statement()]}, indent=2)


CANONICAL = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},'
    '"Action":"dynamodb:GetItem","Resource":"*"}]}'
)
NO_POLICY_FOUND = "Resource-based policy not found for the provided ResourceArn: "


def test_a_resource_policy_is_kept_in_one_form_with_a_revision(dynamodb):
    table = create_table(dynamodb)
    arn = describe(dynamodb, table)["TableArn"]
    with refused("PolicyNotFoundException", NO_POLICY_FOUND + arn):
        dynamodb.get_resource_policy(ResourceArn=arn)
    assert "RevisionId" not in dynamodb.delete_resource_policy(ResourceArn=arn)
    first = dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy(), ExpectedRevisionId="NO_POLICY")["RevisionId"]
    kept = dynamodb.get_resource_policy(ResourceArn=arn)
    assert (kept["Policy"], kept["RevisionId"]) == (CANONICAL, first)
    # The same in other words is no change.
    assert dynamodb.put_resource_policy(ResourceArn=arn, Policy=CANONICAL)["RevisionId"] == first
    other = policy(statement(Action="dynamodb:PutItem"))
    second = dynamodb.put_resource_policy(ResourceArn=arn, Policy=other, ExpectedRevisionId=first)["RevisionId"]
    assert int(second) > int(first)
    stale = (
        f"{NO_POLICY_FOUND}Requested update for policy with revision id {first}, but the policy associated to target "
        f"table {table} has revision id {second}."
    )
    with refused("PolicyNotFoundException", stale):
        dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy(), ExpectedRevisionId=first)
    with refused("PolicyNotFoundException", stale):
        dynamodb.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=first)
    with refused(
        "PolicyNotFoundException",
        f"{NO_POLICY_FOUND}Requested policy update expecting none to be present for table {table}, but a policy exists "
        f"with revision id {second}.",
    ):
        dynamodb.put_resource_policy(ResourceArn=arn, Policy=other, ExpectedRevisionId="NO_POLICY")
    assert dynamodb.delete_resource_policy(ResourceArn=arn, ExpectedRevisionId=second)["RevisionId"] == second
    with refused("PolicyNotFoundException", NO_POLICY_FOUND + arn):
        dynamodb.get_resource_policy(ResourceArn=arn)
    made = create_table(dynamodb, ResourcePolicy=policy())
    assert dynamodb.get_resource_policy(ResourceArn=describe(dynamodb, made)["TableArn"])["Policy"] == CANONICAL


def test_a_resource_policy_survives_a_restart(own_server):
    table = create_table(own_server.dynamodb, ResourcePolicy=policy())
    arn = describe(own_server.dynamodb, table)["TableArn"]
    before = own_server.dynamodb.get_resource_policy(ResourceArn=arn)["RevisionId"]
    own_server.restart()
    assert own_server.dynamodb.get_resource_policy(ResourceArn=arn)["RevisionId"] == before


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{not json", f"{INVALID}Invalid policy document: This policy contains invalid Json"),
        (policy() + " " * 20480, f"{INVALID}Maximum policy size of 20480 bytes exceeded"),
        ('{"Statement": []}', f"{INVALID}Invalid policy document: Could not parse the policy: Statement is empty!"),
        (
            policy(statement(Sid="a"), statement(Sid="a")),
            f"{INVALID}Invalid policy document: The Statement Ids in the policy are not unique",
        ),
        (
            policy(statement(Action=["dynamodb:DescribeStream", "dynamodb:Scan", "dynamodb:GetRecords"])),
            f"{INVALID}Invalid policy document: The following action names are invalid: "
            '"dynamodb:GetRecords", "dynamodb:DescribeStream"',
        ),
        (
            policy(statement(Action="s3:GetObject")),
            f"{INVALID}Invalid policy document: Action field includes AWS services that are inconsistent with specified "
            "vendor",
        ),
        (
            policy(statement(Resource="arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/*")),
            f'{INVALID}Invalid policy document: The relative-id "table/t/stream/*" is invalid for ARN '
            '"arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/*"',
        ),
        (
            policy(statement(Principal={"Service": "bedrock.amazonaws.com"})),
            f"{INVALID}Invalid policy document: Policy contains invalid service principal",
        ),
        (policy(statement(Principal={"AWS": "xyz"})), f"{INVALID}Invalid principal in policy document."),
        (
            policy(statement(Principal="111122223333")),
            f"{INVALID}Invalid policy document: Syntax error at position (1,3)",
        ),
        (
            policy(statement(Principal="*")),
            "Resource-based policy grants unbounded access in one or more elements. Please revise the policy to ensure "
            "least-privilege form of access",
        ),
    ],
)
def test_resource_policies_that_are_refused(dynamodb, document, message):
    arn = describe(dynamodb, create_table(dynamodb))["TableArn"]
    with refused("ValidationException", message):
        dynamodb.put_resource_policy(ResourceArn=arn, Policy=document)
    with refused("ValidationException", message):
        create_table(dynamodb, ResourcePolicy=document)


def test_resource_policies_that_other_tools_set_are_taken(dynamodb):
    arn = describe(dynamodb, create_table(dynamodb))["TableArn"]
    redshift = {
        "Principal": {"Service": "redshift.amazonaws.com"},
        "Condition": {"ArnEquals": {"aws:SourceArn": ["arn:aws:redshift:*:000000000000:integration:*"]}},
    }
    document = policy(
        statement(Action="dynamodb:*", Resource=[arn, f"{arn}/*"]),
        statement(Action=["dynamodb:ConditionCheckItem", "dynamodb:query"], Resource=[arn, f"{arn}/index/*"]),
        statement(Action=["dynamodb:ExportTableToPointInTime", "dynamodb:DescribeTable"], Resource=arn, **redshift),
        statement(Action="dynamodb:DescribeExport", Resource=f"{arn}/export/*", **redshift),
    )
    dynamodb.put_resource_policy(ResourceArn=arn, Policy=document)
    kept = json.loads(dynamodb.get_resource_policy(ResourceArn=arn)["Policy"])
    assert [it["Resource"] for it in kept["Statement"]] == [[arn, f"{arn}/*"], [arn, f"{arn}/index/*"], arn, f"{arn}/export/*"]
    # A list of one is its element, in conditions too.
    assert kept["Statement"][2]["Condition"]["ArnEquals"]["aws:SourceArn"] == "arn:aws:redshift:*:000000000000:integration:*"


def test_who_would_lock_themselves_out_must_confirm_it(dynamodb):
    arn = describe(dynamodb, create_table(dynamodb))["TableArn"]
    locking = policy(statement(Effect="Deny", Principal="*", Action="dynamodb:Put*"))
    with refused(
        "AccessDeniedException",
        "The new resource policy will not allow you to update the resource policy in the future.",
    ):
        dynamodb.put_resource_policy(ResourceArn=arn, Policy=locking)
    dynamodb.put_resource_policy(ResourceArn=arn, Policy=locking, ConfirmRemoveSelfResourceAccess=True)


@pytest.mark.parametrize(
    ("of_arn", "code", "message"),
    [
        (lambda arn: "bare-name", "ValidationException", f"{INVALID}ARNs must start with 'arn:': bare-name"),
        (
            lambda arn: arn + "x",
            "ResourceNotFoundException",
            "Requested resource not found: Table: {name}x not found",
        ),
        (
            lambda arn: arn.replace(":000000000000:", ":111122223333:"),
            "ValidationException",
            "This action is only supported by accounts that match the resource owner\u2019s account.",
        ),
        (lambda arn: arn.replace("us-east-1", "eu-west-1"), "ValidationException", f"{INVALID}Invalid resource Arn: {{arn}}"),
        (
            lambda arn: arn + "/index/by-x",
            "ValidationException",
            f"{INVALID}Invalid resource arn provided, only table or stream is accepted. Provided resource arn: {{arn}}",
        ),
        (
            lambda arn: arn + "/backup/0170",
            "ValidationException",
            f"{INVALID}Provided Arn is not a DynamoDB resource arn: {{arn}}",
        ),
    ],
)
def test_arns_that_a_policy_cannot_have(dynamodb, of_arn, code, message):
    table = create_table(dynamodb)
    arn = of_arn(describe(dynamodb, table)["TableArn"])
    for call in (
        lambda: dynamodb.get_resource_policy(ResourceArn=arn),
        lambda: dynamodb.put_resource_policy(ResourceArn=arn, Policy=policy()),
        lambda: dynamodb.delete_resource_policy(ResourceArn=arn),
    ):
        with refused(code, message.format(name=table, arn=arn)):
            call()
