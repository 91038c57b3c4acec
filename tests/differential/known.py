"""The differences that there should be: where DynamoDB Local does not do what the service does.

Each says why ours is the service's behaviour, and where that is written down. Where nothing was found, the source says so, and what
ours rests on instead. A difference that none of these explains fails the test.
"""

import dataclasses
import re
from collections.abc import Callable

from .answers import difference
from .levels import (
    INVALID, KEY_CONDITION_TEXTS, PRIMARY_KEY_WANTED, REQUEST_TEXTS, UPDATE_MISTAKES, VALIDATION, VALUE_TEXTS,
    another_order, any_of, batch_texts, chains_equations, deleted_indexes, deletes, empty_query, errors, failed_items, last_page,
    looks_into_binaries, more_items, names_twice, of_removal, of_step, of_the_older_checks, other_text, pages_of_statements, plain_bounds,
    plain_numbers, resorted, sum_of_units, tables_of_refused, two_mistakes, units, unused_definitions, without,
)


@dataclasses.dataclass
class Known:
    """A difference between the two. `level` gives both answers without it, or None where it does not apply."""

    name: str
    reason: str
    source: str
    level: Callable


def explanation(step, ours, theirs) -> tuple:
    """The known differences that these answers show, and where they differ besides."""
    explained = []
    where = difference(ours, theirs)
    while where:
        for known in KNOWN:
            levelled = known.level(step, ours, theirs)
            if levelled is not None and difference(*levelled) != where:
                explained.append(known)
                ours, theirs = levelled
                where = difference(ours, theirs)
                break
        else:
            return explained, where
    return explained, None


TOO_MANY = "Number of parameters in request and statement don't match."
ALTERNATOR, DYNALITE, CONFORMANCE = "ScyllaDB, test/alternator", "dynalite, test", "nubo-db/dynamodb-conformance"
USAGE_NOTES = "AWS, DynamoDB local usage notes"
# Records of the controllers for Kubernetes, taken from the service in 2026-10, finding by finding.
QUIRKS = "ack-api-quirks, dynamodb"
KNOWN = [
    Known(
        "an update that only removes makes an item",
        "UpdateItem with nothing but REMOVE or DELETE makes no item where there is none, and returns no attributes.",
        f"{ALTERNATOR}: test_update_item_non_existent, test_update_item_returnvalues_all_new",
        of_removal,
    ),
    Known(
        "the service's new checks have other texts",
        "Writes say that they detected an error, and no operation but Scan names the value that is not valid.",
        "paritysuite/dynamodb-conformance, captured in 2026-09 and 2026-10: docs/decisions/error-texts-of-us-east-1.md",
        of_the_older_checks,
    ),
    Known(
        "writes say which expression they miss",
        "Values without an expression are refused by writes in fewer words. Only PutItem's were captured; UpdateItem and DeleteItem "
        "pass the same new checks.",
        "paritysuite/dynamodb-conformance, captures/cross-region-latest.json of 2026-09-20, us-east-1: b_put_eav_no_expr",
        errors(operation="PutItem|UpdateItem|DeleteItem",
               ours=f"{VALIDATION}(1 validation error detected: )?ExpressionAttributeValues can only be specified when using expressions",
               theirs=f"{VALIDATION}ExpressionAttributeValues can only be specified when using expressions: .* null"),
    ),
    Known(
        "constraints of the service model have other texts",
        "What the model forbids is told as the constraint that failed, with the value and the member's path.",
        f"{CONFORMANCE}: tests/tier3/error-messages; {DYNALITE}",
        errors(ours=rf"{VALIDATION}\d+ validation errors? detected: .*", theirs=f"{VALIDATION}.*"),
    ),
    Known(
        "an absent table has another text",
        "Operations on items say that the requested resource is not found.",
        f"{CONFORMANCE}: tests/tier3/error-messages; {DYNALITE}",
        errors(ours="ResourceNotFoundException: Requested resource not found.*", theirs="ResourceNotFoundException: Cannot do operations.*"),
    ),
    Known(
        "another text",
        "The service's texts were recorded from it; DynamoDB Local leaves their details out.",
        DYNALITE,
        other_text,
    ),
    Known(
        "numbers keep their spelling",
        "The service gives every number back in one spelling, also inside of lists and maps and where an update wrote it.",
        f"{DYNALITE}/putItem.js",
        lambda step, ours, theirs: (ours, resorted(plain_numbers(theirs))),
    ),
    Known(
        "removing from inside an absent item is refused",
        "REMOVE of a nested path is refused where the item lacks the path's beginning, but not where there is no item at all.",
        f"{ALTERNATOR}: test_nested_attribute_remove_from_missing_item",
        of_step(lambda step, ours: re.search("(?i)remove|delete", str(step.body.get("UpdateExpression"))), errors(
            ours=None, theirs=f"{VALIDATION}The document path provided in the update expression is invalid for update")),
    ),
    Known(
        "an inexact sum has another text",
        "The service calls a sum that needs more than 38 digits an overflow.",
        f"{ALTERNATOR}: test_update_expression_plus_imprecise",
        errors(ours=f"{VALIDATION}Number overflow.*", theirs=f"{VALIDATION}DynamoDB only supports precision up to 38 digits"),
    ),
    Known(
        "no item collection metrics",
        "DynamoDB Local does not tell ItemCollectionMetrics.",
        USAGE_NOTES,
        without("ItemCollectionMetrics", "PutItem|UpdateItem|DeleteItem|BatchWriteItem",
                lambda step, ours, theirs: "ItemCollectionMetrics" not in theirs),
    ),
    Known(
        "deleting what is not there tells capacity unasked",
        "ConsumedCapacity is told only when it is asked for.",
        "AWS, API reference of DeleteItem: ReturnConsumedCapacity",
        without("ConsumedCapacity", "DeleteItem",
                lambda step, ours, theirs: step.body.get("ReturnConsumedCapacity") in (None, "NONE") and "ConsumedCapacity" not in ours),
    ),
    Known(
        "reading what is not there costs nothing in a batch",
        "Reading an item that is not there costs as much as the smallest item.",
        "AWS, developer guide: read and write capacity",
        without("ConsumedCapacity", "BatchGetItem", lambda step, ours, theirs: sum_of_units(ours) > sum_of_units(theirs)),
    ),
    Known(
        "a query or scan that finds nothing costs nothing",
        "A read without results takes the least that a read takes.",
        "AWS, API reference of Query",
        empty_query,
    ),
    Known(
        "a page that ends at the bound of its range is the last",
        "A page that is full has a LastEvaluatedKey, though nothing may come after it.",
        "AWS, API reference of Query: Limit; developer guide: Query.Pagination",
        last_page,
    ),
    Known(
        "deleting what is not there costs two units in a batch",
        "A delete that finds nothing costs one unit, in a batch too.",
        "AWS, developer guide: read and write capacity",
        without("ConsumedCapacity", "BatchWriteItem", lambda step, ours, theirs: sum_of_units(ours) < sum_of_units(theirs) and deletes(step)),
    ),
    Known(
        "statements tell no capacity",
        "ExecuteStatement and BatchExecuteStatement tell the capacity that is asked for.",
        "AWS, API reference of ExecuteStatement: ReturnConsumedCapacity",
        without("ConsumedCapacity", "ExecuteStatement|BatchExecuteStatement",
                lambda step, ours, theirs: not theirs.get("ConsumedCapacity")),
    ),
    Known(
        "a starting key outside of the query has another text",
        "Where the sort key has no condition, or meets it, the service tells that apart.",
        f"{DYNALITE}/query.js",
        errors(operation="Query",
               ours=f"{VALIDATION}(The provided starting key is outside query boundaries based on provided conditions|"
                    "The query can return at most one row and cannot be restarted)",
               theirs=f"{VALIDATION}The provided starting key does not match the range key predicate"),
    ),
    Known(
        "a read with several mistakes tells another first",
        "The service looks at the operators on key attributes and at the starting key, then at the projection's paths, then whether "
        "the filter names a key attribute, then "
        "at what the index has, and last at the filter's paths. Where a filter and a projection both want what an index lacks, the "
        "order is not known.",
        "dynalite, actions/query.js and actions/scan.js",
        two_mistakes,
    ),
    Known(
        "an index key of another type can be added",
        "An update that makes an index's key attribute another type is refused.",
        f"{DYNALITE}/updateItem.js",
        errors(operation="UpdateItem", theirs=None,
               ours=f"{VALIDATION}The update expression attempted to update the secondary index key to unsupported type"),
    ),
    Known(
        "a batched SELECT without the whole key has another text",
        "The service says that the primary key is to be named.",
        "dynoxide, tests/partiql.rs",
        batch_texts(PRIMARY_KEY_WANTED, "Only single item select is supported|Must have at least one non-optional hash key.*"),
    ),
    Known(
        "a batched SELECT reads an index",
        "A batch reads tables only: a SELECT on an index is refused though it names the primary key.",
        "dynoxide, tests/partiql.rs, captured from the service in 2026-08",
        batch_texts(PRIMARY_KEY_WANTED, ""),
    ),
    Known(
        "a statement's duplicate has the code of a batch's",
        "ExecuteStatement answers DuplicateItemException; DuplicateItem is the code inside a batch.",
        f"{CONFORMANCE}: tests/tier2/partiql/executeStatement.test.ts; the service model",
        errors(ours="DuplicateItemException: Duplicate primary key exists in table",
               theirs="DuplicateItem: Duplicate primary key exists in table", operation="ExecuteStatement"),
    ),
    Known(
        "a statement's duplicate is a failed condition when the item is asked for",
        "INSERT of what is there answers DuplicateItemException, which holds no item.",
        "AWS, the service model",
        errors(ours="DuplicateItemException: Duplicate primary key exists in table",
               theirs="ConditionalCheckFailedException: The conditional request failed", operation="ExecuteStatement"),
    ),
    Known(
        "keys that differ in spelling are not the same",
        "Keys are equal by value: 1 and 1.0 are one key, and name one item twice.",
        "AWS, developer guide: data types",
        errors(ours=f"{VALIDATION}Provided list of item keys contains duplicates", theirs=None),
    ),
    Known(
        "a conditional DELETE statement fails where there is no item",
        "A DELETE of an absent item does nothing, whatever else its WHERE asks.",
        f"{CONFORMANCE}: PartiQL writes with a non-key WHERE predicate",
        any_of(of_step(lambda step, ours: str(step.body.get("Statement")).startswith("DELETE") and ours.get("Items") == [], errors(
                   ours=None, theirs="ConditionalCheckFailedException: The conditional request failed", operation="ExecuteStatement")),
               batch_texts("", "The conditional request failed", "DELETE")),
    ),
    Known(
        "a consistent SELECT on a global index has another text",
        "The service says that such reads are not supported there.",
        "dynoxide, tests/partiql_index_qualifier.rs",
        errors(ours=f"{VALIDATION}Strongly consistent read is not supported on Global Secondary Indexes",
               theirs=f"{VALIDATION}Consistent read cannot be true when .* GSI.*", operation="ExecuteStatement"),
    ),
    Known(
        "a SELECT on an index may look at what the index does not have",
        "A keyed SELECT on an index is refused when its conditions want what the index does not project.",
        "dynoxide, tests/partiql_index_qualifier.rs",
        errors(ours=f"{VALIDATION}.*(does not project one or more filter attributes|Global secondary index .* does not project).*",
               theirs=None, operation="ExecuteStatement"),
    ),
    Known(
        "a scan of an index filters by what the index does not have",
        "A Scan of an index matches nothing by an attribute that the index does not project.",
        "dynoxide, tests/partiql_index_qualifier.rs, for SELECT without a condition on the index's key",
        without("Items|Count", "Scan", lambda step, ours, theirs: "IndexName" in step.body and "FilterExpression" in step.body
                and ours.get("Count", 0) < theirs.get("Count", 0)),
    ),
    Known(
        "reading an index costs what the whole items are",
        "A read of an index takes what its entries are, of the attributes that it projects.",
        "AWS, developer guide: read capacity units of global secondary indexes",
        without("ConsumedCapacity", "Query|Scan|ExecuteStatement",
                lambda step, ours, theirs: units(ours) < units(theirs) and ("IndexName" in step.body or "Statement" in step.body)),
    ),
    Known(
        "a key that the range ends with cannot be a start",
        "A starting key that meets the conditions may be where the range ends: nothing is left, and that is the answer.",
        "AWS, API reference of Query: ExclusiveStartKey",
        of_step(lambda step, ours: not any(page.get("Items") for page in ours.get("Pages", [ours])), errors(
            ours=None, theirs=f"{VALIDATION}The provided starting key does not match the range key predicate", operation="Query")),
    ),
    Known(
        "bounds are told as Java objects, and as they were spelt",
        "Bounds in a message are told as the values that they are.",
        f"ExtendDB/extenddb#99 and {DYNALITE}/query.js, for strings and numbers; no source found for a binary, told in base64 as "
        "requests have it, nor for a number in another spelling, which the service gives back in its own everywhere else",
        lambda step, ours, theirs: ({}, {}) if "bound operand: AttributeValue" in theirs.get("Error", "")
        and plain_bounds(ours.get("Error", "")) == plain_bounds(theirs["Error"]) else None,
    ),
    Known(
        "a DELETE of a set from an index key of another type",
        "Where there is no item there is nothing to delete from.",
        f"{ALTERNATOR}: test_update_item_non_existent",
        of_step(lambda step, ours: "AttributeUpdates" in step.body, errors(
            ours=None, theirs=f"{VALIDATION}Updates on index keys must be of the same data type as the key attribute")),
    ),
    Known(
        "paths into key attributes are looked at late",
        "A path below a key attribute is refused before the item is looked at.",
        f"{DYNALITE}/updateItem.js",
        errors(ours=f"{VALIDATION}Key attributes must be scalars.*", theirs="(?!ValidationException: Key attributes).*"),
    ),
    Known(
        "another index key is told first",
        "Of several paths below key attributes of indexes the first in the order of the indexes is told.",
        "dynalite, db/index.js",
        errors(ours=f"{VALIDATION}Key attributes must be scalars.*: IndexKey: .*",
               theirs=f"{VALIDATION}Key attributes must be scalars.*: IndexKey: .*"),
    ),
    Known(
        "writes take more of indexes",
        "An item costs an index what it has an entry for: with all of the index's keys, and as what it projects.",
        "dynoxide, src/actions/index_capacity.rs, captured from the service",
        without("ConsumedCapacity", "PutItem|UpdateItem|DeleteItem|BatchWriteItem",
                lambda step, ours, theirs: sum_of_units(ours) < sum_of_units(theirs)),
    ),
    Known(
        "a failed statement of a batch does not hold the item",
        "A statement that asks for the item of a failed condition gets it, in a batch too.",
        "AWS, API reference of BatchStatementError: Item",
        failed_items,
    ),
    Known(
        "more parameters than question marks are taken",
        "The number of parameters is that of the question marks.",
        "dynoxide, tests/partiql.rs",
        any_of(errors(ours=f"{VALIDATION}{TOO_MANY}", theirs=".*", operation="ExecuteStatement"),
               errors(ours=f"{VALIDATION}{TOO_MANY}", theirs=None, operation="ExecuteStatement"),
               batch_texts(TOO_MANY, ".*")),
    ),
    Known(
        "one bad value refuses the whole batch",
        "What is wrong with one statement of a batch is told in its answer.",
        "AWS, API reference of BatchExecuteStatement",
        errors(ours=None, theirs=f"{VALIDATION}.*({VALUE_TEXTS}|DynamoDB only supports precision|A value provided cannot be converted).*",
               operation="BatchExecuteStatement"),
    ),
    Known(
        "tables and keys are looked at before expressions",
        "Expressions are looked at on their own, before the table and its keys.",
        DYNALITE,
        errors(ours=f"{VALIDATION}(Invalid [A-Za-z]+Expression: .*|Value provided in .* unused in expressions.*)",
               theirs=f"(?!{VALIDATION}Invalid [A-Za-z]+Expression).*"),
    ),
    Known(
        "a Query's filter is looked at before its key condition",
        "The key condition is read first.",
        DYNALITE,
        errors(ours=f"{VALIDATION}Invalid KeyConditionExpression: .*", theirs=f"{VALIDATION}Invalid (Filter|Projection)Expression: .*",
               operation="Query"),
    ),
    Known(
        "what a request says by itself is looked at late",
        "What can be told from the request alone is looked at in the order of dynalite's validations, before the table and its keys.",
        "dynalite, validations",
        errors(ours=f"{VALIDATION}{REQUEST_TEXTS}", theirs=".*"),
    ),
    Known(
        "a SELECT has other pages",
        "A page evaluates as many items as the limit says, and ten keys of a list; the items are the same.",
        "AWS, API reference of ExecuteStatement: Limit; developer guide: PartiQL operators, IN; no source found for a token after an item that the whole key names, where "
        "nothing can follow and ours has none",
        pages_of_statements,
    ),
    Known(
        "unused names are told in another order",
        "Names are told in the order of a hash table; those of one bucket in the order of the alphabet.",
        f"{DYNALITE}/updateItem.js, which takes names in either order; no source found for the order in one bucket, which happens "
        "to two names of equal hash: a request's order is not kept here",
        another_order("unused in expressions: keys: ", ", "),
    ),
    Known(
        "the types there are are told in another order",
        "The set of types is told in the order that was recorded of the service.",
        DYNALITE,
        another_order("valid types: ", ","),
    ),
    Known(
        "a table name that cannot be one is looked for",
        "A statement's table name is looked at before there is one.",
        "dynoxide, src/partiql",
        errors(ours=f"{VALIDATION}Table name should be .*", theirs="ResourceNotFoundException: .*", operation="ExecuteStatement"),
    ),
    Known(
        "an index is being deleted for longer",
        "Another change of indexes is refused while an index is being deleted: some seconds on the service, a moment here.",
        f"{QUIRKS}: DDB-TABLE-159 (refused so while an index is CREATING or DELETING), DDB-TABLE-376 (gone after 4.6 s)",
        errors(ours=None, theirs="LimitExceededException: Subscriber limit exceeded: Only 1 online index .*", operation="UpdateTable"),
    ),
    Known(
        "definitions of attributes that are no keys are kept",
        "A table's AttributeDefinitions are those of the keys of the table and its indexes.",
        "AWS, API reference of TableDescription",
        unused_definitions,
    ),
    Known(
        "an index stays DELETING",
        "The index is gone in time, on the service after 2.6 to 5.1 s; DynamoDB Local sometimes goes on telling of it.",
        f"{QUIRKS}: DDB-TABLE-148, DDB-TABLE-376",
        deleted_indexes,
    ),
    Known(
        "another key attribute is told first",
        "An update of both key attributes is refused for the partition key, in whatever order AttributeUpdates has them.",
        "dynalite, db/index.js: validateUpdates",
        errors(ours=f"{VALIDATION}{INVALID}Cannot update attribute .* This attribute is part of the key",
               theirs=f"{VALIDATION}{INVALID}Cannot update attribute .* This attribute is part of the key"),
    ),
    Known(
        "values are looked at late",
        "Every value in a request is looked at before anything else is.",
        DYNALITE,
        any_of(errors(ours=f"{VALIDATION}.*{VALUE_TEXTS}.*", theirs=".*"), batch_texts(f".*{VALUE_TEXTS}.*", ".+")),
    ),
    Known(
        "values outside of items that are put may be nested deeper",
        "No value is nested in more than 32 levels.",
        "AWS, developer guide: constraints",
        any_of(errors(ours=f"{VALIDATION}.*Nesting Levels have exceeded supported limits.*", theirs=None),
               batch_texts("Nesting Levels have exceeded supported limits.*", "")),
    ),
    Known(
        "a partition key, and a key to start from, may have any size",
        "A Query for a key that is too large to be one is refused.",
        "facebook/ThreatExchange#1324, an error from the service",
        errors(ours=f"{VALIDATION}.*(Size of hashkey has exceeded|Aggregated size of all range keys).*", theirs=None, operation="Query"),
    ),
    Known(
        "a SELECT on an index may name an empty key",
        "A key is never empty, and whoever names an empty one is told.",
        "AWS, developer guide: primary key",
        errors(ours=f"{VALIDATION}{KEY_CONDITION_TEXTS}", theirs=None, operation="ExecuteStatement"),
    ),
    Known(
        "size is no reserved word",
        "SIZE is one of the reserved words.",
        "AWS, developer guide: reserved words",
        any_of(errors(ours=".*reserved keyword: size", theirs=".*"), errors(ours=".*reserved keyword: size", theirs=None)),
    ),
    Known(
        "a consistent read of a global index has another text",
        "The service says that such reads are not supported there.",
        f"{CONFORMANCE}: tests/tier3/error-messages/query.test.ts",
        errors(ours=f"{VALIDATION}Consistent reads are not supported on global secondary indexes", theirs=f"{VALIDATION}Consistent read .*GSI"),
    ),
    Known(
        "reserved words pass in a batch that finds nothing",
        "An expression is looked at whatever there is.",
        f"{CONFORMANCE}: tests/tier3/limits, reserved words",
        errors(ours=f"{VALIDATION}Invalid ProjectionExpression: .*", theirs=None, operation="BatchGetItem"),
    ),
    Known(
        "another index is told",
        "Of several indexes that an item does not fit, the one whose name comes first is told.",
        DYNALITE,
        errors(ours=f"{VALIDATION}One or more parameter values .*IndexName: .*", theirs=f"{VALIDATION}One or more parameter values .*IndexName: .*"),
    ),
    Known(
        "AttributeUpdates and statements may give an index key another type or size",
        "An index's key attribute has the type of its definition and the size of a key, whichever way it is written.",
        DYNALITE,
        any_of(errors(ours=f"{VALIDATION}{INVALID}(Type mismatch|Size limit exceeded) for Index Key .*", theirs=None,
                      operation="UpdateItem|ExecuteStatement"),
               batch_texts(f"{INVALID}(Type mismatch|Size limit exceeded) for Index Key .*", "")),
    ),
    Known(
        "zero takes any exponent",
        "0E126 and beyond are out of range, though they are zero.",
        f"{ALTERNATOR}: test_number_magnitude_not_allowed_zero",
        of_step(lambda step, ours: "0E500" in str(step.body),
                any_of(errors(ours=f"{VALIDATION}.*Number overflow.*", theirs=None), batch_texts("Number overflow.*", ""))),
    ),
    Known(
        "DynamoDB Local fails",
        "An InternalFailure is no answer to compare with. It comes to an UpdateItem that returns what it updated but updates nothing, "
        "to ORDER BY under a whole key, and to IS MISSING of a key attribute of an index.",
        "AWS, developer guide: error handling (HTTP 500 is the server's fault), and API reference of UpdateItem, where no update is required",
        any_of(errors(ours=None, theirs="InternalFailure: .*"), errors(ours=".*", theirs="InternalFailure: .*")),
    ),
    Known(
        "items with equal sort keys of an index have another order",
        "Their order is not defined; it shows where a read begins at a key that no page ended with.",
        f"{ALTERNATOR}: test_gsi_query_exclusivestartkey, and what it found on the service",
        of_step(lambda step, ours: {"IndexName", "ExclusiveStartKey"} <= set(step.body), lambda step, ours, theirs:
                ({}, {}) if "Error" not in ours and "Error" not in theirs else None),
    ),
    Known(
        "every condition of a SELECT on a key attribute is taken for a key condition",
        "Only what selects rows by key has to have the key's type; other conditions compare whatever there is.",
        "AWS, developer guide: PartiQL SELECT",
        errors(ours=None, theirs=f"{VALIDATION}{KEY_CONDITION_TEXTS}", operation="ExecuteStatement"),
    ),
    Known(
        "a key of an index of another type has another text",
        "The key attribute is named, of an index as of a table.",
        "floci-io/floci#3798, compared with the service, for tables; no source found for indexes",
        errors(ours=f"{VALIDATION}Key attribute's data type should match its data type in table's schema: Key .*",
               theirs=f"{VALIDATION}{INVALID}Condition parameter type does not match schema type", operation="ExecuteStatement"),
    ),
    Known(
        "a statement with several mistakes tells another first",
        "What cannot be read as a statement at all is told before the types of operands and keys.",
        "No source found for a statement with several mistakes; ours does as the service does with expressions, which are read before the "
        "table is looked at",
        any_of(errors(ours=f"{VALIDATION}.*", theirs=f"{VALIDATION}({KEY_CONDITION_TEXTS}|Incorrect operand type.*)",
                      operation="ExecuteStatement"),
               batch_texts(".+", "Incorrect operand type.*")),
    ),
    Known(
        "a SELECT on an index looks at one of two conditions on an attribute",
        "Every condition of a WHERE holds for what is selected.",
        "AWS, developer guide: PartiQL SELECT",
        of_step(lambda step, ours: names_twice(str(step.body.get("Statement"))), more_items),
    ),
    Known(
        "a refused statement of a batch tells its table",
        "A statement that was refused before it ran does not tell its table.",
        "dynoxide, CHANGELOG.md, captured from the service",
        tables_of_refused,
    ),
    Known(
        "fetching from the table costs nothing",
        "What a local index does not project is fetched from the table, item by item, and each fetch is a read.",
        "AWS, developer guide: read capacity units of local secondary indexes",
        without("ConsumedCapacity", "Query|Scan",
                lambda step, ours, theirs: units(ours) > units(theirs) and str(step.body.get("IndexName")).startswith("local")
                and {"Select", "ProjectionExpression", "AttributesToGet"} & set(step.body)),
    ),
    Known(
        "an update with several mistakes tells another first",
        "Each action is worked out in turn: its place, then its value. What it would make of an index's key comes first where the "
        "request tells that.",
        "dynalite, db/index.js: validateUpdates (index keys before the item is read), actions/updateItem.js (then values, then places); no "
        "source found for several mistakes in one update: DynamoDB Local looks at all places first",
        any_of(errors(operation="UpdateItem|ExecuteStatement", ours=f"{VALIDATION}{UPDATE_MISTAKES}",
                      theirs=f"({VALIDATION}{UPDATE_MISTAKES}|ConditionalCheckFailedException: .*)"),
               batch_texts(UPDATE_MISTAKES, f"({UPDATE_MISTAKES}|The conditional request failed)")),
    ),
    Known(
        "an absent index is not named",
        "The index and its table are named.",
        f"{QUIRKS}: DDB-TABLE-380, DDB-TABLE-456 (gsi_update_odt_empty_ghost, captured on 2026-10-09)",
        errors(ours="ResourceNotFoundException: Requested resource not found: Index .*",
               theirs="ResourceNotFoundException: Requested resource not found", operation="UpdateTable"),
    ),
    Known(
        "an equation of an equation is two conditions, or assigns its outcome",
        "`a = 1 = b = 2` compares outcomes and asks for no key, and SET takes no equations.",
        "AWS, developer guide: PartiQL UPDATE (SET takes a value, or one of the named operations); no source found for equations of "
        "equations in WHERE, which PartiQL reads from the left",
        of_step(lambda step, ours: chains_equations(step),
                lambda step, ours, theirs: ({}, {}) if step.operation in ("ExecuteStatement", "BatchExecuteStatement") else None),
    ),
    Known(
        "parameters from before expressions look into binaries as if they were texts",
        "A binary contains what is a part of its bytes; for DynamoDB Local every byte that is no UTF-8 is like every other.",
        "AWS, API reference of Condition: ComparisonOperator, CONTAINS",
        of_step(looks_into_binaries, lambda step, ours, theirs: ({}, {})),
    ),
]
