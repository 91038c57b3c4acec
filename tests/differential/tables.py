"""Tables of all kinds of keys and indexes, and the keys and items that go into them."""

import dataclasses

from . import values

HASH_NAMES = ["pk", "id", "status", "h.k"]
RANGE_NAMES = ["sk", "r", "date", "r-k"]
KEY_POOLS = {
    "S": [{"S": text} for text in ("a", "b", "ab", "é", "1")],
    "N": [{"N": text} for text in ("1", "2", "10", "-1", "1.0", "0.5", "1E1")],
    "B": [{"B": values.encoded(raw)} for raw in (b"a", b"b", b"ab", b"\x00", b"\xff")],
}
WRONG_KEY_VALUES = [{"S": ""}, {"B": ""}, {"BOOL": True}, {"NULL": True}, {"SS": ["a"]}, {"L": []}, {"N": "x"}, {}, {"S": "x" * 1025},
                    {"S": "x" * 2049}]


@dataclasses.dataclass
class Index:
    """An index; `local` or global."""

    name: str
    hash: str
    range: str | None
    local: bool
    projection: dict

    def keys(self) -> list:
        return [self.hash] + ([self.range] if self.range else [])

    def description(self) -> dict:
        return {"IndexName": self.name, "KeySchema": key_schema(self.hash, self.range), "Projection": self.projection}


@dataclasses.dataclass
class Table:
    """A table's keys and indexes, and the types of all attributes that are keys of it."""

    name: str
    hash: str
    range: str | None
    types: dict
    indexes: list
    provisioned: bool

    def keys(self) -> list:
        return [self.hash] + ([self.range] if self.range else [])

    def projected(self, index) -> list | None:
        """The attributes that an index has, if it does not have all."""
        if index is None or index.projection["ProjectionType"] == "ALL":
            return None
        return sorted({*self.keys(), *index.keys(), *index.projection.get("NonKeyAttributes", [])})

    def create(self) -> dict:
        """The input of CreateTable."""
        body = {
            "TableName": self.name,
            "KeySchema": key_schema(self.hash, self.range),
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in self.types.items()],
        }
        body |= self.units() or {"BillingMode": "PAY_PER_REQUEST"}
        for member, local in (("LocalSecondaryIndexes", True), ("GlobalSecondaryIndexes", False)):
            described = [index.description() | ({} if local else self.units()) for index in self.indexes if index.local == local]
            if described:
                body[member] = described
        return body

    def units(self) -> dict:
        """What a table or global index says of its throughput, where it has one of its own."""
        return {"ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}} if self.provisioned else {}


def key_schema(hash_name, range_name) -> list:
    schema = [{"AttributeName": hash_name, "KeyType": "HASH"}]
    return schema + ([{"AttributeName": range_name, "KeyType": "RANGE"}] if range_name else [])


def table(chance, name) -> Table:
    """A table of any shape."""
    made = Table(name, chance.one(HASH_NAMES, [6, 1, 1, 1]), None, {}, [], chance.likely(0.3))
    made.types[made.hash] = chance.one("SNB", [6, 2, 1])
    if chance.likely(0.7):
        made.range = chance.one(RANGE_NAMES, [6, 1, 1, 1])
        made.types[made.range] = chance.one("SNB", [5, 4, 1])
    free = ["a", "b", "c", "d"]
    if made.range:
        for number in range(chance.one([0, 1, 2], [6, 3, 1])):
            of = chance.one(free)
            made.types.setdefault(of, chance.one("SNB", [4, 4, 1]))
            made.indexes.append(Index(f"local{number}", made.hash, of, True, projection(chance)))
    for number in range(chance.one([0, 1, 2], [4, 4, 2])):
        made.indexes.append(global_index(chance, made, f"global{number}", ["a", "b", "c", "d", *made.keys()]))
    return made


def global_index(chance, made, name, free) -> Index:
    """A global index with these attributes for keys."""
    names = chance.sample(free, 2) if len(free) > 1 and chance.likely(0.6) else [chance.one(free), None]
    for each in filter(None, names):
        made.types.setdefault(each, chance.one("SNB", [4, 4, 1]))
    return Index(name, *names, False, projection(chance))


def projection(chance) -> dict:
    kind = chance.one(["ALL", "KEYS_ONLY", "INCLUDE"], [3, 2, 2])
    if kind == "INCLUDE":
        return {"ProjectionType": kind, "NonKeyAttributes": chance.some(["e", "m", "l", "x", "name"], 3)}
    return {"ProjectionType": kind}


def key_value(chance, kind) -> dict:
    """A value for a key attribute of this type."""
    if chance.mistaken():
        return chance.one([*WRONG_KEY_VALUES, values.value(chance)])
    return chance.one(KEY_POOLS[kind])


def key(chance, table) -> dict:
    """A primary key."""
    made = {each: key_value(chance, table.types[each]) for each in table.keys()}
    if chance.mistaken():
        made.pop(chance.one(list(made)))
    if chance.mistaken():
        made[values.name(chance)] = values.value(chance)
    return made


def attribute(chance, table, name) -> dict:
    """A value for this attribute: mostly one that the indexes take."""
    if name in table.types and (name in table.keys() or not chance.mistaken()):
        return key_value(chance, table.types[name])
    return values.value(chance)


def item(chance, table) -> dict:
    """An item: its key and a few attributes."""
    made = key(chance, table)
    for _ in range(chance.randrange(6)):
        each = values.name(chance)
        if each not in made:
            made[each] = attribute(chance, table, each)
    for index in table.indexes:
        for each in filter(None, (index.hash, index.range)):
            if each not in made and chance.likely(0.7):
                made[each] = attribute(chance, table, each)
    if chance.likely(0.05):
        made["big"] = {"S": "x" * chance.one([500, 1100, 4000, 9000])}
    return made
