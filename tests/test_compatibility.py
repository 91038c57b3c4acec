"""Writes and checks docs/compatibility.md: what each parameter of each operation of the published models meets here.

Every operation is called with inputs made from botocore's own model. One that is served is called once for each value
of each parameter: for each member of a structure, each word of an enumeration, both booleans. An answer that says "not
supported" is a refusal. What was taken is `done` only when a test of this directory names it.
"""

import os
import pathlib
import re

import botocore.session
from botocore.exceptions import ClientError
from support.examples import STRINGS, example
from support.exercised import exercised
from support.server import ACCOUNT, REGION

DOCUMENT = pathlib.Path(__file__).resolve().parents[1] / "docs" / "compatibility.md"
SERVICES = {
    "dynamodb": "DynamoDB",
    "dynamodbstreams": "DynamoDB Streams",
    "kms": "KMS",
    "cloudtrail": "CloudTrail",
    "sts": "STS",
}
REFUSAL = re.compile(r"(?i)\bnot support|^UnsupportedOperation")
# The parameter's own check was not reached: the example is not good enough.
UNFINISHED = re.compile("^(KMS)?Internal|^UnknownOperation|failed to satisfy constraint")
ABSENT = re.compile("UnknownOperationException|InvalidAction")
# The models' examples of keys are maps from "xxx" to a string.
TABLE = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "xxx", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "xxx", "KeyType": "HASH"}],
}
# What else an operation or a parameter asks for, so that its own check is reached.
WITH = {
    ("CreateKey", "KeySpec"): {"KeyUsage": "SIGN_VERIFY"},
    ("CreateKey", "CustomerMasterKeySpec"): {"KeyUsage": "SIGN_VERIFY"},
    ("GenerateDataKey", None): {"KeySpec": "AES_256"},
    ("GenerateDataKeyWithoutPlaintext", None): {"KeySpec": "AES_256"},
    ("CreateGrant", None): {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Decrypt"]},
    ("GenerateRandom", None): {"NumberOfBytes": 8},
    ("Decrypt", None): {"CiphertextBlob": b"made up"},
    ("ReEncrypt", None): {"CiphertextBlob": b"made up"},
    ("ListRetirableGrants", None): {"RetiringPrincipal": f"arn:aws:iam::{ACCOUNT}:root"},
    ("CreateTable", None): TABLE,
}
HEAD = """# Compatibility

Made by [tests/test_compatibility.py](../tests/test_compatibility.py) from the published service models (botocore's), down to
*Public suites*, which is written by hand. Each operation and parameter was sent to a running server.

* `done`: the server takes it, and an end-to-end test names it with this operation.
* `taken, not tested here`: the server does not refuse it, and no end-to-end test names it with certainty. The tests
  beside the code are not counted.
* `refused`: the server answers this error when the parameter, or the value told, is given. What it answers to values that
  the service refuses too is not told here.
* Operations that are not there answer `UnknownOperationException`, those of STS `InvalidAction`; a request that their model
  does not allow is told so first.
"""
HAND_WRITTEN = "## Public suites"
REGENERATE = (
    "docs/compatibility.md differs from what the server does. If that is meant, write it anew with\n"
    "    STRONGROOM_WRITE_COMPATIBILITY=1 .venv/bin/pytest tests/test_compatibility.py\n"
    "and commit it."
)


def test_the_document_says_what_the_server_does(own_server):
    session = botocore.session.get_session()
    models = {service: session.get_service_model(service) for service in SERVICES}
    tested = exercised(models)
    before = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    _, heading, by_hand = before.partition(HAND_WRITTEN)
    sections = [Walk(own_server, service, model, tested).section() for service, model in models.items()]
    found = "\n".join([HEAD, *sections]) + "\n" + heading + by_hand
    if os.environ.get("STRONGROOM_WRITE_COMPATIBILITY"):
        DOCUMENT.write_text(found)
    changed = sorted(set(found.splitlines()) ^ set(DOCUMENT.read_text().splitlines()))
    assert found == DOCUMENT.read_text(), "\n".join([REGENERATE, *changed])


class Walk:
    """Calls everything that one service's model has."""

    def __init__(self, server, service, model, tested):
        self.server, self.service, self.model, self.tested = server, service, model, tested
        self.client = server.client(service, parameter_validation=False)
        self.methods = {operation: method for method, operation in self.client.meta.method_to_api_mapping.items()}
        self.made = 0

    def section(self) -> str:
        names = sorted(self.model.operation_names)
        served = {name: rows for name in names if (rows := self.operation(name)) is not None}
        absent = [f"`{name}`" for name in names if name not in served]
        lines = [f"## {SERVICES[self.service]}", "", f"Operations there: {len(served)} of {len(names)}.", ""]
        if served:
            lines += ["| operation | parameter | state |", "| --- | --- | --- |"]
            for name, rows in served.items():
                lines += [f"| `{name}` | {parameter} | {state} |" for parameter, state in rows]
            lines.append("")
        if absent:
            lines += [f"Not there: {', '.join(absent)}.", ""]
        return "\n".join(lines)

    def operation(self, name) -> list | None:
        """The rows of one operation, or None for one that is not there."""
        shape = self.model.operation_model(name).input_shape
        self.strings = self.fresh_names()
        required = (example(shape, 0, self.strings) if shape else {}) | WITH.get((name, None), {})
        if ABSENT.match(self.error(name, required) or ""):
            return None
        if not shape or not shape.members:
            return [("none", self.state(name, None))]
        rows = []
        for parameter, member in sorted(shape.members.items()):
            given = required | WITH.get((name, parameter), {})
            answers = {}
            for label, value in values(member, self.strings):
                error = self.error(name, given | {parameter: value})
                assert not UNFINISHED.search(error or ""), f"{name} {parameter}{label}: {error}"
                answers[label] = refusal(error, label)
            rows += self.rows(name, parameter, answers)
        return rows

    def rows(self, name, parameter, answers):
        """One row for the parameter, and one for each error that refuses a part of it."""
        refusals = {}
        for label, text in answers.items():
            if text:
                refusals.setdefault(text, []).append(label)
        if len(refusals) == 1 and all(answers.values()):
            return [(f"`{parameter}`", f"refused: {next(iter(refusals))}")]
        parts = [(", ".join(f"`{parameter}{label}`" for label in labels), f"refused: {text}")
                 for text, labels in refusals.items()]
        return [(f"`{parameter}`", self.state(name, parameter)), *parts]

    def state(self, name, parameter):
        return "done" if (self.service, name, parameter) in self.tested else "taken, not tested here"

    def error(self, name, parameters):
        """`code: text` of the error that a call is answered with, if any."""
        try:
            getattr(self.client, self.methods[name])(**parameters)
        except ClientError as error:
            error = error.response["Error"]
            return f"{error['Code']}: {error.get('Message', '')}"
        return None

    def fresh_names(self):
        """A table and a key of the operation's own: the one before may have deleted them."""
        self.made += 1
        if self.service == "kms":
            return STRINGS | {"KeyIdType": self.client.create_key()["KeyMetadata"]["KeyId"]}
        if self.service != "dynamodb":
            return STRINGS
        table = f"walk-{self.made}"
        self.client.create_table(TableName=table, **TABLE)
        arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
        return STRINGS | {"TableArn": table, "ResourceArnString": arn, "PartiQLStatement": f'SELECT * FROM "{table}"'}


def values(shape, strings, depth=0):
    """Values of a shape, each with a label that tells them apart: `=WORD`, `.Member=WORD`."""
    if shape.type_name == "structure" and depth < 2 and shape.members:
        required = example(shape, 1, strings)
        for name, member in shape.members.items():
            others = {} if shape.metadata.get("union") else required
            for label, value in values(member, strings, depth + 1):
                yield f".{name}{label}", others | {name: value}
    elif shape.type_name == "list":
        for label, value in values(shape.member, strings, depth):
            yield label, [value] * shape.metadata.get("min", 1)
    elif shape.type_name == "boolean":
        yield from (("=true", True), ("=false", False))
    elif shape.type_name == "string" and shape.enum and shape.name not in strings:
        for word in shape.enum:
            yield f"={word}", word
    else:
        yield "", example(shape, 1, strings)


def refusal(error, label):
    """The error, if it refuses what is not supported; the refused word itself is left out of the text."""
    if not error or not REFUSAL.search(error):
        return None
    word = label.partition("=")[2]
    return re.sub(rf"\b{re.escape(word)}\b", "…", error) if word and word.isupper() else error
