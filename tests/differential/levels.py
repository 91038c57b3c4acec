"""Ways to recognise a difference that there should be, and to take it out of both answers.

Each takes the step and both reduced answers, and gives the answers without the difference, or None where it is not there.
"""

import decimal
import re

from .answers import ordered

VALIDATION = "ValidationException: "
INVALID = "One or more parameter values were invalid: "
PRIMARY_KEY_WANTED = "Select statements within BatchExecuteStatement must specify the primary key in the where clause."
KEY_TEXTS = ("(The number of conditions on the keys is invalid|Invalid attribute value type|One of the required keys was not given a value|"
             ".*Type mismatch for key|Type mismatch for attribute to update)")
KEY_CONDITION_TEXTS = ("(One or more parameter values were invalid: Condition parameter type does not match schema type|"
                       "Key attribute's data type should match its data type in table's schema: .*|"
                       "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty .*)")
# What can be told from a request alone, but for its values and expressions.
REQUEST_TEXTS = (
    "(The Segment parameter is zero-based.*|Can not use both expression and non-expression parameters in the same request: .*|"
    "(1 validation error detected: )?(Must|Cannot) specify the AttributesToGet.*|KeyConditionExpressions cannot have conditions on nested .*|"
    "ALL_PROJECTED_ATTRIBUTES can be used only.*|ConditionalOperator can only be used.*|"
    "The BETWEEN condition was provided a range.*|Either the KeyConditions or .*|Conditions can be of length 1 or 2 only|"
    "One or more parameter values were invalid: (AttributeValues inside|Invalid number of argument|ComparisonOperator|Cannot update attribute|"
    "Only DELETE action is allowed|Duplicate value in attribute name|DELETE action|ADD action).*)"
)
# What is wrong with a value whatever it is for.
VALUE_TEXTS = ("(The parameter cannot be converted to a numeric value|contains duplicates|may not be empty|should not be empty|Number overflow|Number underflow|"
               "Attempting to store more than 38|Supplied AttributeValue|Null attribute value types|Nesting Levels)")
# Texts that DynamoDB Local words otherwise: its pattern, the service's, and who recorded the service's.
TEXTS = [
    (r"Input collection \[.*\] contains duplicates", rf"{INVALID}Input collection \[.*\] contains duplicates\.", "putItem.js"),
    (r"Input collection of type BS contains duplicates\.", rf"{INVALID}Input collection \[.*\]of type BS contains duplicates\.",
     "putItem.js"),
    (KEY_TEXTS, "The provided key element does not match the schema", "getItem.js"),
    ("One of the required keys was not given a value", f"{INVALID}Missing the key .* in the item", "putItem.js"),
    ("(Invalid attribute value type|.*Type mismatch for key)", f"{INVALID}Type mismatch for key .* expected: . actual: .*", "putItem.js"),
    ("(Invalid attribute value type|.*Type mismatch for Index Key)",
     f"{INVALID}Type mismatch for Index Key .* Expected: . Actual: .* IndexName: .*", "putItem.js"),
    ("A value provided cannot be converted into a number", "The parameter cannot be converted to a numeric value.*?", "putItem.js"),
    ("DynamoDB only supports precision up to 38 digits", "Attempting to store more than 38 significant digits in a Number", "putItem.js"),
    ("KeyConditionExpressions must only contain one condition per key",
     "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
     "dynamodb-conformance, queryKeyConditionOperands.test.ts of 2026-10"),
    ("(Conditions can be of length 1 or 2 only|Query key condition not supported|Query condition missed key schema element.*)",
     r"The number of query conditions \(\d+\) exceeds the number of key attributes defined in the schema \(\d+\)",
     "dynamodb-conformance, queryKeyConditionOperands.test.ts of 2026-10"),
    ("Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
     "1 validation error detected: Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
     "dynamodb-conformance, error-messages/query.test.ts"),
    ("Query condition missed key schema element", "Query condition missed key schema element: .*", "query.js"),
    ("The provided starting key is invalid: One or more parameter values .*", "One or more parameter values .*", "query.js"),
    ("One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a "
     "key attribute cannot contain an empty .* value. IndexName: .*, IndexKey: .*",
     "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty .* value. Key: .*",
     "query.js"),
    (r"1 validation error detected: Value '\d+' at 'segment' .*",
     "The Segment parameter is zero-based and must be less than parameter TotalSegments: .*", "scan.js"),
    ("(Updates on index keys must be of the same data type as the key attribute|Invalid attribute value type)",
     "The update expression attempted to update the secondary index key to unsupported type", "updateItem.js"),
    ("(Hash primary key values must be under 2048 bytes.*|Size limit exceeded)",
     f"{INVALID}(Size of hashkey has exceeded the maximum size limit of2048 bytes|Aggregated size of all range keys has exceeded.*|"
     "Size limit exceeded for Index Key .*)", "batchGetItem.js; dynalite#35"),
    (".*exceeded the (maximum )?size limit of.*", f"{INVALID}Condition parameter type does not match schema type", "query.js"),
    ("Invalid [A-Za-z]+Expression: Incorrect operand type .* operand type: \\{.*\\}",
     "Invalid [A-Za-z]+Expression: Incorrect operand type .* operand type: \\{.*\\}", "updateItem.js"),
    ("EXISTS can only be used in ExecuteTransaction write requests.", "Unsupported operation: .*", "dynoxide, src/partiql"),
    ("Type mismatch for attribute to update", f"{INVALID}Type mismatch for Index Key .*", "updateItem.js"),
    (".*The provided starting key is invalid: .*", "One or more parameter values .*", "query.js"),
    ("Cannot do operations on a non-existent table", "Table name should be within the length.*", "dynoxide, src/partiql"),
    ("Key attribute's data type should match its data type in table's schema: Key .*", PRIMARY_KEY_WANTED, "dynoxide, tests/partiql.rs"),
    (KEY_TEXTS, "The provided starting key is invalid: The provided key element does not match the schema", "query.js"),
    ("One or more parameter values are not valid. The update expression attempted to update a secondary index key .*",
     f"{INVALID}Type mismatch for Index Key .*", "updateItem.js"),
    ("Exclusive Start Key must have same size as table's key schema", "The provided starting key is invalid", "query.js"),
    ("DynamoDB only supports precision up to 38 digits", "Attempting to store more than 38 significant digits in a Number under root",
     "dynoxide, src/partiql"),
    ("(Only scalar types can be used as Range Key values|Query key condition not supported|.*Condition parameter type does not match.*)",
     "Attempted conditional constraint is not an indexable operation", "query.js"),
    ("Updates on index keys must be of the same data type as the key attribute", f"{INVALID}Type mismatch for Index Key .*", "updateItem.js"),
    ("One or more parameter values are not valid. A value specified for a secondary index key is not supported.*",
     "One or more parameter values are not valid. The update expression attempted to update a secondary index key .*", "updateItem.js"),
    ("The first argument to [A-Z_]+ must equal the assignment value", "The first argument to [A-Z_]+ must equal the assignment value at .*",
     "dynoxide, src/partiql"),
    ("Hash primary key values must be under 2048 bytes.*", PRIMARY_KEY_WANTED, "dynoxide, tests/partiql.rs"),
    ("Unsupported operation: .*", "Unsupported operation: .*", "dynoxide, src/partiql"),
    ("Only single item select is supported", KEY_CONDITION_TEXTS,
     "dynoxide, src/partiql"),
    ("Return values set to invalid value", "ReturnValues can only be ALL_OLD or NONE", "putItem.js"),
    ("(ADD|DELETE) action.* is not supported for the type [A-Z_]+", f"{INVALID}(ADD|DELETE) action.* is not supported for the type [A-Z]+",
     "updateItem.js"),
    ("Statement wasn't well formed, can't be processed: .*", ".+", "dynoxide, tests/partiql.rs and src/partiql"),
    ("Key value must be of type S, N, or B. Key name: .*", "Key attribute's data type should match its data type in table's schema: Key .*",
     "dynoxide, src/partiql"),
]


def errors(*, ours, theirs, operation=".*"):
    """Two error texts, told by patterns; None stands for success."""

    def level(step, our_answer, their_answer):
        known = re.fullmatch(operation, step.operation) and matches(ours, our_answer) and matches(theirs, their_answer)
        return ({}, {}) if known else None

    return level


def any_of(*levels):
    """The first of these that applies."""
    return lambda step, ours, theirs: next(filter(None, (level(step, ours, theirs) for level in levels)), None)


def of_step(applies, level):
    """One that applies to some steps, and some answers of ours, only."""
    return lambda step, ours, theirs: level(step, ours, theirs) if applies(step, ours) else None


def matches(pattern, answer) -> bool:
    text = answer.get("Error")
    if pattern is None or text is None:
        return pattern is None and text is None
    return re.fullmatch(pattern, text.split(" ", 1)[1], re.DOTALL) is not None


def of_the_older_checks(step, ours, theirs):
    """Our text as the service worded it before its new checks, and theirs as well, where both are refusals."""
    if "Error" not in ours or "Error" not in theirs:
        return None
    text, their_text = ours["Error"], theirs["Error"]
    if step.operation in ("PutItem", "UpdateItem", "DeleteItem") and "ailed to satisfy constraint" not in text:
        text = text.replace("1 validation error detected: ", "", 1)
    text = text.replace(f"{INVALID}Input collection contains duplicates.", "Input collection contains duplicates")
    if step.operation != "Scan":
        their_text = re.sub(r"ExpressionAttributeValues contains invalid value: (.*) for key :\w+$", r"\1", their_text)
    return ours | {"Error": text}, theirs | {"Error": their_text}


def without(member, operation, applies=lambda step, ours, theirs: True):
    """Members of the answer that are left out of both."""

    def level(step, ours, theirs):
        if not re.fullmatch(operation, step.operation) or "Error" in ours or "Error" in theirs or not applies(step, ours, theirs):
            return None
        return tuple({name: value for name, value in answer.items() if not re.fullmatch(member, name)} for answer in (ours, theirs))

    return level


def plain_numbers(value):
    """The value with every number in it spelt as the service spells numbers."""
    if isinstance(value, dict):
        if set(value) == {"N"} and isinstance(value["N"], str):
            return {"N": plain(value["N"])}
        if set(value) == {"NS"}:
            return {"NS": sorted(plain(text) for text in value["NS"])}
        return {name: plain_numbers(inner) for name, inner in value.items()}
    return [plain_numbers(inner) for inner in value] if isinstance(value, list) else value


def plain(text) -> str:
    """A number as the service spells it: all digits, no exponent."""
    number = format(decimal.Decimal(text), "f")
    number = number.rstrip("0").rstrip(".") if "." in number else number
    return number if number not in ("-0", "") else "0"


def removes_only(step) -> bool:
    """Whether an UpdateItem only takes away."""
    if step.operation != "UpdateItem":
        return False
    updates = step.body.get("AttributeUpdates")
    if isinstance(updates, dict) and updates:
        return all(isinstance(update, dict) and update.get("Action") == "DELETE" for update in updates.values())
    words = re.findall(r"(?i)\b(SET|ADD|REMOVE|DELETE)[\s#]", str(step.body.get("UpdateExpression", "")))
    return bool(words) and all(word.upper() in ("REMOVE", "DELETE") for word in words)


def of_removal(step, ours, theirs):
    """The answers to an update that only takes away, without what tells of the item that it made."""
    if not removes_only(step) or "Error" in ours or ours.get("Attributes"):
        return None
    if "Error" not in theirs and set(theirs.get("Attributes", step.body["Key"])) == set(step.body["Key"]):
        # The entries of indexes are counted, too.
        return tuple({name: value for name, value in answer.items() if name not in ("Attributes", "ConsumedCapacity")}
                     for answer in (ours, theirs))
    return None


def empty_query(step, ours, theirs):
    """Without the capacity of what found nothing."""
    if step.operation not in ("Query", "Scan", "ExecuteStatement") or "Error" in ours or "Error" in theirs:
        return None

    def levelled(answer):
        if "Pages" in answer:
            return answer | {"Pages": [levelled(page) for page in answer["Pages"]]}
        costs_nothing = answer.get("ScannedCount") == 0 and not answer.get("Items")
        return {name: value for name, value in answer.items() if name != "ConsumedCapacity" or not costs_nothing}

    return levelled(ours), levelled(theirs)


def last_page(step, ours, theirs):
    """Without our empty page at the end, where they have none."""
    if step.operation != "Query" or "Limit" not in step.body or "Error" in ours or "Error" in theirs:
        return None
    if "Pages" in ours and len(ours["Pages"]) == len(theirs["Pages"]) + 1:
        *pages, before, last = ours["Pages"]
        if last["ScannedCount"] or "LastEvaluatedKey" not in before:
            return None
        return ours | {"Pages": [*pages, {name: value for name, value in before.items() if name != "LastEvaluatedKey"}]}, theirs
    if ours.get("PageCount", 0) == theirs.get("PageCount", 0) + 1:
        return tuple({name: value for name, value in answer.items() if name not in ("PageCount", "ConsumedCapacity")}
                     for answer in (ours, theirs))
    return None


def resorted(answer):
    """The answer with what `answers.ordered` put in order in order again."""
    answer = dict(answer)
    if "Pages" not in answer and isinstance(answer.get("Items"), list):
        answer["Items"] = ordered(answer["Items"])
    if isinstance(answer.get("Responses"), dict):
        answer["Responses"] = {name: ordered(items) for name, items in answer["Responses"].items()}
    return answer


# What an update can be refused for when it is applied.
UPDATE_MISTAKES = (
    "(One or more parameter values were invalid: Type mismatch for Index Key .*|"
    "The update expression attempted to update the secondary index key to unsupported type|"
    "One or more parameter values are not valid. The update expression attempted to update a secondary index key .*|"
    "The provided expression refers to an attribute that does not exist in the item|"
    "The document path provided in the update expression is invalid for update|"
    "An operand in the update expression has an incorrect data type|"
    "Number overflow.*|DynamoDB only supports precision up to 38 digits|Number underflow.*)"
)
# What a read can be refused for once it is parsed, in the service's order.
READ_MISTAKES = [
    f"{INVALID}(Size of hashkey has exceeded|Aggregated size of all range keys).*",
    "Attempted conditional constraint is not an indexable operation", "The provided starting key is invalid.*", "The provided starting key (is outside|does not match).*", "The query can return at most one row and cannot be restarted",
    r"Key attributes must be scalars.* Key: .*", r"Key attributes must be scalars.* IndexKey: .*",
    ".* can only contain non-primary key attributes.*", ".*Select type ALL_ATTRIBUTES is not supported.*",
    "One or more parameter values were invalid: Global secondary index .* does not project .*",
    "One or more parameter values were invalid: Secondary index .* does not project one or more filter attributes.*",
]


def two_mistakes(step, ours, theirs):
    """Both answers, empty, where each tells another mistake of a read that has two."""
    if step.operation not in ("Query", "Scan", "ExecuteStatement") or ours.get("Error") == theirs.get("Error"):
        return None
    told = [{n for n, text in enumerate(READ_MISTAKES) if matches(VALIDATION + text, answer)} for answer in (ours, theirs)]
    return ({}, {}) if all(told) and told[0] != told[1] else None


def other_text(step, ours, theirs):
    """Both answers, empty, where they differ by a text of TEXTS, alone or inside of a longer one."""
    if "Error" in ours and "Error" in theirs:
        return ({}, {}) if is_other_text(ours["Error"], theirs["Error"]) else None
    return batched(step, ours, theirs, is_other_text)


def is_other_text(ours, theirs) -> bool:
    before = r"(?P<before>(?:400 ValidationException: )?(?:ExpressionAttributeValues contains invalid value: )?)"
    after = r"(?P<after>(?: for key :\w+)?)"
    for their_text, our_text, _ in TEXTS:
        found = [re.fullmatch(f"{before}(?:{INVALID})?(?:{text}){after}", told, re.DOTALL)
                 for text, told in ((our_text, ours), (their_text, theirs))]
        if all(found) and found[0].groupdict() == found[1].groupdict():
            return True
    return False


def sum_of_units(answer) -> float:
    """The capacity that a write, or a batch, tells."""
    told = answer.get("ConsumedCapacity") or []
    return sum(one["CapacityUnits"] for one in (told if isinstance(told, list) else [told]))


def failed_items(step, ours, theirs):
    """Our answer without the items of failed conditions."""
    if step.operation != "BatchExecuteStatement" or "Responses" not in ours:
        return None
    responses = [dict(one, Error={n: v for n, v in one["Error"].items() if n != "Item"}) if "Error" in one else one
                 for one in ours["Responses"]]
    return ours | {"Responses": responses}, theirs


def units(answer) -> float:
    """The capacity that the pages of a read tell."""
    pages = answer.get("Pages", [answer])
    return sum((page.get("ConsumedCapacity") or {}).get("CapacityUnits", 0) for page in pages)


def plain_bounds(text) -> str:
    """The text without binary values, and with its numbers spelt in one way."""
    text = re.sub(r"\{B:(java\.nio\.HeapByteBuffer\[[^\]]*\]|[A-Za-z0-9+/=]*)\}", "{B}", text)
    return re.sub(r"\{N:([^}]*)\}", lambda found: f"{{N:{plain(found[1])}}}", text)


def deletes(step) -> bool:
    return any("DeleteRequest" in request for requests in step.body["RequestItems"].values() for request in requests)


def batched(step, ours, theirs, is_known, verb=""):
    """The answers of a batch of statements emptied where their errors, two texts, are known to differ."""
    if step.operation != "BatchExecuteStatement" or "Error" in ours or "Error" in theirs:
        return None
    answers = zip(step.body["Statements"], ours["Responses"], theirs["Responses"], strict=False)
    levelled = [({}, {}) if a != b and str(statement.get("Statement")).startswith(verb) and is_known(
        *(one.get("Error", {}).get("Message", "") for one in (a, b))) else (a, b) for statement, a, b in answers]
    return tuple(answer | {"Responses": [pair[n] for pair in levelled]} for n, answer in enumerate((ours, theirs)))


def batch_texts(ours, theirs, verb=""):
    """Two texts of a batch's errors, told by patterns; an empty one stands for success."""
    def is_known(our_text, their_text):
        return re.fullmatch(ours, our_text) is not None and re.fullmatch(theirs, their_text) is not None

    return lambda step, our_answer, their_answer: batched(step, our_answer, their_answer, is_known, verb)


def pages_of_statements(step, ours, theirs):
    """The answers without the count of pages."""
    if step.operation != "ExecuteStatement" or "Error" in ours or "Error" in theirs:
        return None
    return tuple({name: value for name, value in answer.items() if name not in ("PageCount", "ConsumedCapacity")} for answer in (ours, theirs))


def another_order(before, separator):
    """Recognises messages that tell the same names in another order."""

    def level(step, ours, theirs):
        told = [re.fullmatch(rf"(.*{before})\{{(.*)\}}", answer.get("Error", "")) for answer in (ours, theirs)]
        if not all(told) or told[0][1] != told[1][1]:
            return None
        names = [sorted(each[2].split(separator)) for each in told]
        return ({}, {}) if names[0] == names[1] else None

    return level


def tables_of_refused(step, ours, theirs):
    """Their answer without the tables of statements that were refused before they ran."""
    if step.operation != "BatchExecuteStatement" or "Responses" not in theirs:
        return None
    responses = [{n: v for n, v in one.items() if n != "TableName"} if one.get("Error", {}).get("Code") == "ValidationError" else one
                 for one in theirs["Responses"]]
    return ours, theirs | {"Responses": responses}


def deleted_indexes(step, ours, theirs):
    """Their description without the indexes that are being deleted."""
    if step.operation != "DescribeTable" or "Error" in theirs:
        return None
    left = [index for index in theirs.get("GlobalSecondaryIndexes", []) if index.get("IndexStatus") != "DELETING"]
    rest = {name: value for name, value in theirs.items() if name != "GlobalSecondaryIndexes"}
    return ours, rest | ({"GlobalSecondaryIndexes": left} if left else {})


def names_twice(statement) -> bool:
    """Whether a statement reads an index, and asks twice for one attribute."""
    source, _, where = statement.partition(" WHERE ")
    names = re.findall('"([^"]+)"', where)
    return '"."' in source and len(set(names)) < len(names)


def chains_equations(step) -> bool:
    """Whether a statement has an equation on one side of another."""
    statements = [step.body.get("Statement"), *(each.get("Statement") for each in step.body.get("Statements", []))]
    return any(re.search(r"= \(?(\?|'[^']*'|[^ ]+)\)? = ", str(statement)) for statement in statements)


def looks_into_binaries(step, ours) -> bool:
    """Whether a parameter from before expressions asks what a binary value contains."""
    return re.search(r"'ComparisonOperator': '(NOT_)?CONTAINS', 'AttributeValueList': \[\{'B': ", str(step.body)) is not None


def more_items(step, ours, theirs):
    """The answers without items that only theirs has."""
    if "Items" not in ours or "Items" not in theirs or not all(item in theirs["Items"] for item in ours["Items"]):
        return None
    return ours, theirs | {"Items": ours["Items"]}


def unused_definitions(step, ours, theirs):
    """Their description without the definitions of attributes that are no keys."""
    if step.operation != "DescribeTable" or "Error" in ours or "Error" in theirs:
        return None
    used = [each for each in theirs["AttributeDefinitions"] if each in ours["AttributeDefinitions"]]
    return ours, theirs | {"AttributeDefinitions": used}
