"""Sequences of requests: a table is made, written and read in every way, and deleted.

A sequence is a list of steps, made from its seed alone, so that steps can be left out and it still runs:

* `call`: one request.
* `walk`: a read, page by page to its end.
* `segments`: a Scan in parallel segments, each to its end.
* `settle`: a DescribeTable, repeated until everything that it tells of is ACTIVE.
"""

import dataclasses

from . import legacy, partiql, tables, values
from .chance import Chance
from .expressions import Expressions

# How likely each place where a request can go wrong does, by kind of sequence.
MISTAKES = {"valid": 0.0, "some": 0.01, "many": 0.08}
STEPS_LEAST, STEPS_MOST = 10, 40
SORT_KEY_BYTES_MAX = 1024
INVALID_CHOICES = {"ReturnValues": ["ALL_OLD", "UPDATED_NEW", "NONE", "x"], "Select": ["COUNT", "x", "SPECIFIC_ATTRIBUTES"]}


@dataclasses.dataclass
class Step:
    """One request, or several that belong together."""

    operation: str
    body: dict
    how: str = "call"


def sequence(seed, kind) -> list:
    """The steps of this seed."""
    return Sequence(Chance(f"{kind}-{seed}", MISTAKES[kind]), f"diff-{kind}-{seed}").steps


class Sequence:
    def __init__(self, chance, name):
        self.chance = chance
        self.table = table = tables.table(chance, name)
        self.steps = [Step("CreateTable", table.create()), Step("DescribeTable", {"TableName": name}, "settle")]
        makers = {
            self.put: 14, self.update: 14, self.update_legacy: 4, self.delete: 5, self.get: 6, self.query: 12, self.query_legacy: 3,
            self.scan: 8, self.scan_legacy: 3, self.batch_get: 4, self.batch_write: 5, self.statement: 8, self.statements: 2,
            self.put_legacy: 3, self.delete_legacy: 2, self.change_table: 0.8,
        }
        for _ in range(chance.randint(2, 6)):
            self.steps.append(Step("PutItem", {"TableName": name, "Item": tables.item(chance, table)}))
        count = chance.randint(STEPS_LEAST, STEPS_MOST)
        while len(self.steps) < count:
            chance.next_request()
            chance.one(list(makers), list(makers.values()))()
        for index in table.indexes:
            self.steps.append(Step("Scan", {"TableName": name, "IndexName": index.name}, "walk"))
        self.steps.append(Step("Scan", {"TableName": name}, "walk"))
        self.steps.append(Step("DescribeTable", {"TableName": name}, "settle"))
        self.steps.append(Step("DeleteTable", {"TableName": name}))

    # Parts of requests

    def step(self, operation, body, how="call"):
        chance = self.chance
        table_name = self.table.name if not chance.mistaken() or chance.likely(0.8) else "absent-table"
        self.steps.append(Step(operation, {"TableName": table_name} | body, how))

    def expressions(self) -> Expressions:
        return Expressions(self.chance, self.table)

    def capacity(self) -> dict:
        return {"ReturnConsumedCapacity": self.chance.one(["TOTAL", "INDEXES", "NONE"])} if self.chance.likely(0.4) else {}

    def write_options(self, returned) -> dict:
        chance = self.chance
        options = self.capacity()
        if chance.likely(0.5):
            options["ReturnValues"] = chance.one(returned if not chance.mistaken() else INVALID_CHOICES["ReturnValues"])
        if chance.likely(0.2):
            options["ReturnItemCollectionMetrics"] = chance.one(["SIZE", "NONE"])
        return options

    def on_failure(self) -> dict:
        return {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"} if self.chance.likely(0.2) else {}

    def consistent(self, index=None) -> dict:
        chance = self.chance
        if not chance.likely(0.3):
            return {}
        wanted = chance.likely(0.7) and (index is None or index.local or chance.mistaken())
        return {"ConsistentRead": wanted}

    def index(self):
        """An index to read, or none."""
        return self.chance.one(self.table.indexes) if self.table.indexes and self.chance.likely(0.4) else None

    def start_key(self, index) -> dict:
        """A place to start from that may be no item's."""
        chance, table = self.chance, self.table
        names = dict.fromkeys([*filter(None, (index.hash, index.range) if index else ()), *table.keys()])
        if chance.mistaken():
            return tables.item(chance, table)
        return {each: tables.key_value(chance, table.types[each]) for each in names}

    # Writes

    def put(self):
        body = {"Item": tables.item(self.chance, self.table)}
        if self.chance.likely(0.35):
            written = self.expressions()
            body |= {"ConditionExpression": written.condition()} | written.given() | self.on_failure()
        self.step("PutItem", body | self.write_options(["ALL_OLD", "NONE"]))

    def update(self):
        chance = self.chance
        body = {"Key": tables.key(chance, self.table)}
        written = self.expressions()
        if chance.likely(0.97):
            body["UpdateExpression"] = written.update()
        if chance.likely(0.25):
            body |= {"ConditionExpression": written.condition()} | self.on_failure()
        options = self.write_options(["ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW", "NONE"])
        self.step("UpdateItem", body | written.given() | options)

    def delete(self):
        body = {"Key": tables.key(self.chance, self.table)}
        if self.chance.likely(0.4):
            written = self.expressions()
            body |= {"ConditionExpression": written.condition()} | written.given() | self.on_failure()
        self.step("DeleteItem", body | self.write_options(["ALL_OLD", "NONE"]))

    def expected(self) -> dict:
        expected = legacy.expected(self.chance, self.table)
        return {"Expected": expected} | legacy.operator(self.chance, expected)

    def put_legacy(self):
        body = {"Item": tables.item(self.chance, self.table)} | self.expected()
        self.step("PutItem", self.mixed(body) | self.write_options(["ALL_OLD", "NONE"]))

    def update_legacy(self):
        body = {"Key": tables.key(self.chance, self.table)}
        if self.chance.likely(0.9):
            body["AttributeUpdates"] = legacy.updates(self.chance, self.table)
        if self.chance.likely(0.3):
            body |= self.expected()
        options = self.write_options(["ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW", "NONE"])
        self.step("UpdateItem", self.mixed(body) | options)

    def delete_legacy(self):
        body = {"Key": tables.key(self.chance, self.table)} | self.expected()
        self.step("DeleteItem", self.mixed(body) | self.write_options(["ALL_OLD", "NONE"]))

    def mixed(self, body) -> dict:
        """With a mistake, an expression beside legacy parameters."""
        if self.chance.mistaken():
            written = self.expressions()
            body |= {"ConditionExpression": written.condition()} | written.given()
        return body

    def batch_write(self):
        chance, table = self.chance, self.table
        requests, seen = [], []
        for _ in range(chance.randint(1, 6)):
            key = tables.key(chance, table)
            if key in seen and not chance.mistaken():
                continue
            seen.append(key)
            if chance.likely(0.6):
                requests.append({"PutRequest": {"Item": tables.item(chance, table) | key}})
            else:
                requests.append({"DeleteRequest": {"Key": key}})
        if chance.mistaken():
            requests.append({})
        options = self.capacity() | ({"ReturnItemCollectionMetrics": "SIZE"} if chance.likely(0.2) else {})
        self.steps.append(Step("BatchWriteItem", {"RequestItems": {table.name: requests}} | options))

    # Reads

    def projected(self, written) -> dict:
        """A projection by expression or list of attributes, or none."""
        chance = self.chance
        match chance.one(["none", "expression", "list"], [6, 4, 1]):
            case "expression":
                return {"ProjectionExpression": written.projection()}
            case "list" if not written.names and not written.values:
                return {"AttributesToGet": chance.some([*values.NAMES, *self.table.keys()], 3)}
        return {}

    def names(self, written) -> dict:
        """What defines names: there are no values where only items are got."""
        return {member: names for member, names in written.given().items() if member == "ExpressionAttributeNames"}

    def get(self):
        written = self.expressions()
        body = {"Key": tables.key(self.chance, self.table)} | self.projected(written) | self.names(written)
        self.step("GetItem", body | self.consistent() | self.capacity())

    def batch_get(self):
        chance, table = self.chance, self.table
        written = self.expressions()
        keys = []
        for _ in range(chance.randint(1, 6)):
            key = tables.key(chance, table)
            if key not in keys or chance.mistaken():
                keys.append(key)
        request = {"Keys": keys} | self.projected(written) | self.names(written) | self.consistent()
        self.steps.append(Step("BatchGetItem", {"RequestItems": {table.name: request}} | self.capacity()))

    def selected(self, body, index) -> dict:
        """Select, where it fits what else is asked."""
        chance = self.chance
        if not chance.likely(0.25):
            return body
        projects = "ProjectionExpression" in body or "AttributesToGet" in body
        fitting = ["COUNT", "SPECIFIC_ATTRIBUTES"] if projects else ["COUNT", "ALL_ATTRIBUTES"]
        fitting += ["ALL_PROJECTED_ATTRIBUTES"] if index and not projects else []
        if projects:
            fitting = fitting[1:]
        elif index and not index.local and index.projection["ProjectionType"] != "ALL":
            fitting.remove("ALL_ATTRIBUTES")
        wanted = chance.one(fitting)
        if chance.mistaken():
            wanted = chance.one(["COUNT", "SPECIFIC_ATTRIBUTES", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "x"])
        return body | {"Select": wanted}

    def paging(self, index, can_start) -> tuple:
        """Limit and where to start, and whether to go on to the end."""
        chance = self.chance
        body = {}
        if chance.likely(0.4):
            body["Limit"] = chance.randint(1, 4) if not chance.mistaken() else chance.one([0, -1, 100000])
        if can_start and chance.likely(0.1):
            body["ExclusiveStartKey"] = self.start_key(index)
        return body, "walk"

    def query(self):
        chance, table = self.chance, self.table
        index = self.index()
        written = self.expressions()
        hash_name, range_name = (index.hash, index.range) if index else (table.hash, table.range)
        body = {"KeyConditionExpression": written.key_condition(hash_name, range_name)}
        if chance.likely(0.3):
            # A query's filter leaves the keys of what it reads alone.
            written.attributes = self.filtered(index)
            if written.attributes:
                body["FilterExpression"] = written.condition()
        written.attributes = table.projected(index)
        body |= self.projected(written) | written.given()
        self.read("Query", body, index)

    def filtered(self, index) -> list:
        names = self.table.projected(index) or [*values.NAMES, *values.ODD_NAMES]
        return [name for name in names if name not in (index or self.table).keys()]

    def query_legacy(self):
        chance, table = self.chance, self.table
        index = self.index()
        hash_name, range_name = (index.hash, index.range) if index else (table.hash, table.range)
        conditions = {hash_name: {"ComparisonOperator": "EQ" if not chance.mistaken() else chance.one(list(legacy.OPERATORS)),
                                  "AttributeValueList": [tables.key_value(chance, table.types[hash_name])]}}
        if range_name and chance.likely(0.6):
            operators = ("EQ", "LT", "LE", "GT", "GE", "BETWEEN", "BEGINS_WITH")
            operators = operators if not chance.mistaken() else tuple(legacy.OPERATORS)
            if table.types[range_name] == "N" and not chance.mistaken():
                operators = operators[:-1]
            conditions |= legacy.conditions(chance, table, [range_name], operators)
        if chance.mistaken():
            conditions |= legacy.conditions(chance, table)
        body = {"KeyConditions": conditions}
        if chance.likely(0.3):
            names = self.filtered(index) if not chance.mistaken() else values.NAMES
            if names:
                body["QueryFilter"] = legacy.conditions(chance, table, chance.some(names, 2))
                body |= legacy.operator(chance, body["QueryFilter"])
        if chance.likely(0.2):
            body["AttributesToGet"] = self.attributes_to_get(index)
        self.read("Query", self.mixed_read(body), index)

    def scan(self):
        chance = self.chance
        index = self.index()
        # DynamoDB Local evaluates the filter of an index's scan on what the index does not have, too.
        written = Expressions(chance, self.table, self.table.projected(index), strict=True)
        body = {"FilterExpression": written.condition()} if chance.likely(0.5) else {}
        body |= self.projected(written) | written.given()
        self.read("Scan", body, index)

    def scan_legacy(self):
        chance = self.chance
        index = self.index()
        names = self.table.projected(index) or values.NAMES
        body = {"ScanFilter": legacy.conditions(chance, self.table, chance.some(names, 2))}
        body |= legacy.operator(chance, body["ScanFilter"])
        if chance.likely(0.2):
            body["AttributesToGet"] = self.attributes_to_get(index)
        self.read("Scan", self.mixed_read(body), index)

    def attributes_to_get(self, index) -> list:
        names = self.table.projected(index) if not self.chance.mistaken() else None
        return self.chance.some(names or [*values.NAMES, *self.table.keys()], 3)

    def mixed_read(self, body) -> dict:
        if self.chance.mistaken():
            written = self.expressions()
            body |= {"FilterExpression": written.condition()} | written.given()
        return body

    def read(self, operation, body, index):
        chance = self.chance
        if index:
            body["IndexName"] = index.name if not chance.mistaken() else "absent-index"
        body = self.selected(body, index) | self.consistent(index) | self.capacity()
        paging, how = self.paging(index, operation == "Query" and not (index and not index.local))
        body |= paging
        if operation == "Query" and chance.likely(0.4):
            body["ScanIndexForward"] = chance.likely(0.4)
        if operation == "Scan" and chance.likely(0.2):
            body["TotalSegments"] = chance.randint(1, 5)
            how = "segments"
            if chance.mistaken():
                body["Segment"], how = chance.one([-1, 5, 7]), "call"
        self.step(operation, body, how)

    # Statements and tables

    def statement(self):
        chance = self.chance
        body = partiql.Statements(chance, self.table).body()
        options = self.capacity() | self.on_failure()
        if body["Statement"].startswith("SELECT"):
            options = self.capacity() | ({"Limit": chance.randint(1, 3)} if chance.likely(0.2) else {}) | self.consistent()
        self.steps.append(Step("ExecuteStatement", body | options, "walk"))

    def statements(self):
        chance = self.chance
        wanted = []
        reads = chance.likely(0.5)
        while len(wanted) < chance.randint(1, 4):
            statements = partiql.Statements(chance, self.table)
            body = statements.body()
            if body["Statement"].startswith("SELECT") == reads or chance.mistaken():
                wanted.append(body | self.on_failure())
        self.steps.append(Step("BatchExecuteStatement", {"Statements": wanted} | self.capacity()))

    def has_large_keys(self) -> bool:
        """Whether there may be a partition key that is too large for a sort key. An index whose sort key it would be leaves such
        an item out when it is filled (ScyllaDB, test/alternator: test_gsi_backfill_key_limits), but not in DynamoDB Local."""
        large = {"S": "x" * (SORT_KEY_BYTES_MAX + 1)}
        return any(repr(large) in repr(step.body) for step in self.steps)

    def change_table(self):
        chance, table = self.chance, self.table
        gone = [index for index in table.indexes if not index.local]
        match chance.one(["delete", "create", "billing", "protection", "describe"], [3, 1, 3, 3, 3]):
            case "delete" if gone:
                index = chance.one(gone)
                table.indexes.remove(index)
                name = index.name if not chance.mistaken() else "absent-index"
                change = {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": name}}]}
            case "create" if len(gone) < 3 and not self.has_large_keys():
                # Of attributes that have had a type from the beginning: items of another one break the table in DynamoDB Local.
                index = tables.global_index(chance, table, f"added{len(self.steps)}", list(table.types))
                table.indexes.append(index)
                change = {
                    "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in table.types.items()],
                    "GlobalSecondaryIndexUpdates": [{"Create": index.description() | table.units()}],
                }
            case "billing":
                table.provisioned = False
                change = {"BillingMode": "PAY_PER_REQUEST"}
            case "protection":
                change = {"DeletionProtectionEnabled": False}
            case _:
                self.step("DescribeTable", {}, "settle")
                return
        self.step("UpdateTable", change)
        self.step("DescribeTable", {}, "settle")
