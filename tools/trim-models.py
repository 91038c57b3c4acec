#!/usr/bin/env python3
"""Trim botocore's service models to the facts that request validation needs.

Usage: tools/trim-models.py [BOTOCORE_DIR] [--check]

BOTOCORE_DIR is the folder that holds botocore's `data`; without it an installed
botocore is imported. Writes `crates/model/data/<service>.json`, one operation or
shape per line, in a fixed order, so that the diff of an update can be read.
With `--check` nothing is written; the exit code says whether the files differ.
"""

import gzip
import json
import pathlib
import sys

SERVICES = {
    "dynamodb": "2012-08-10",
    "dynamodbstreams": "2012-08-10",
    "kms": "2014-11-01",
    "cloudtrail": "2013-11-01",
    "sts": "2011-06-15",
    "iam": "2010-05-08",
}

OUTPUT = pathlib.Path(__file__).resolve().parent.parent / "crates" / "model" / "data"

# Constraints and traits that are copied as they are.
SHAPE_FACTS = ["type", "min", "max", "pattern", "enum", "sensitive", "flattened", "timestampFormat", "union"]


def botocore_data(argument):
    """The folder that holds one folder per service."""
    if argument:
        root = pathlib.Path(argument)
    else:
        import botocore

        root = pathlib.Path(botocore.__file__).parent
    return root if root.name == "data" else root / "data"


def read_model(folder):
    packed = folder / "service-2.json.gz"
    text = gzip.decompress(packed.read_bytes()) if packed.exists() else (folder / "service-2.json").read_bytes()
    return json.loads(text)


def trimmed_reference(reference):
    """A member: the name of its shape, or an object if it carries a fact of its own."""
    facts = {key: reference[key] for key in ("locationName", "idempotencyToken") if reference.get(key)}
    return {"shape": reference["shape"], **facts} if facts else reference["shape"]


def trimmed_shape(shape):
    facts = {key: shape[key] for key in SHAPE_FACTS if key in shape and shape[key] is not False}
    if "members" in shape:
        facts["members"] = {name: trimmed_reference(member) for name, member in shape["members"].items()}
    if shape.get("required"):
        facts["required"] = shape["required"]
    if "member" in shape:
        facts["member"] = trimmed_reference(shape["member"])
    if "key" in shape:
        facts["key"] = trimmed_reference(shape["key"])
        facts["value"] = trimmed_reference(shape["value"])
    if shape.get("exception"):
        error = shape.get("error", {})
        facts["status"] = error.get("httpStatusCode", 500 if shape.get("fault") else 400)
        if "code" in error:
            facts["code"] = error["code"]
    return facts


def trimmed_operation(operation):
    facts = {}
    for direction in ("input", "output"):
        if direction in operation:
            facts[direction] = operation[direction]["shape"]
            if "resultWrapper" in operation[direction]:
                facts["resultWrapper"] = operation[direction]["resultWrapper"]
    if operation.get("errors"):
        facts["errors"] = sorted(error["shape"] for error in operation["errors"])
    if operation.get("idempotent"):
        facts["idempotent"] = True
    return facts


def trimmed_model(model):
    metadata = model["metadata"]
    service = {
        "serviceId": metadata["serviceId"],
        "apiVersion": metadata["apiVersion"],
        "protocol": metadata["protocol"],
        "jsonVersion": metadata.get("jsonVersion"),
        "targetPrefix": metadata.get("targetPrefix"),
        "xmlNamespace": metadata.get("xmlNamespace"),
    }
    return {
        "service": {key: value for key, value in service.items() if value is not None},
        "operations": {name: trimmed_operation(model["operations"][name]) for name in sorted(model["operations"])},
        "shapes": {name: trimmed_shape(model["shapes"][name]) for name in sorted(model["shapes"])},
    }


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True)


def text_of(model):
    """One operation and one shape per line."""
    sections = ['"service":' + compact(model["service"])]
    for section in ("operations", "shapes"):
        lines = [compact(name) + ":" + compact(value) for name, value in model[section].items()]
        sections.append(compact(section) + ":{\n" + ",\n".join(lines) + "\n}")
    return "{" + ",\n".join(sections) + "}\n"


def main(arguments):
    check = "--check" in arguments
    paths = [argument for argument in arguments if argument != "--check"]
    data = botocore_data(paths[0] if paths else None)
    differ = False
    for service, version in SERVICES.items():
        text = text_of(trimmed_model(read_model(data / service / version)))
        path = OUTPUT / f"{service}.json"
        if check:
            same = path.exists() and path.read_text() == text
            differ = differ or not same
            print(f"{path.name}: {'as in botocore' if same else 'differs'}")
        else:
            OUTPUT.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"{path.name}: {len(text):,} bytes")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
