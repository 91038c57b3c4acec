"""The parameters from before expressions."""

from . import tables, values

OPERATORS = {"EQ": 1, "NE": 1, "LT": 1, "LE": 1, "GT": 1, "GE": 1, "NOT_NULL": 0, "NULL": 0, "CONTAINS": 1, "NOT_CONTAINS": 1,
             "BEGINS_WITH": 1, "IN": 3, "BETWEEN": 2}


def conditions(chance, table, names=None, operators=tuple(OPERATORS)) -> dict:
    """A map of attribute name to condition, as in QueryFilter, ScanFilter and KeyConditions."""
    names = names if names is not None else chance.some(values.NAMES, 2)
    return {name: condition(chance, table, name, operators) for name in names}


def condition(chance, table, name, operators=tuple(OPERATORS)) -> dict:
    operator = chance.one(operators)
    made = {"ComparisonOperator": operator}
    arguments = arguments_of(chance, table, name, operator)
    if chance.mistaken():
        arguments = [values.value(chance) for _ in range(chance.randrange(4))]
    if arguments or chance.likely(0.1):
        made["AttributeValueList"] = arguments
    return made


def arguments_of(chance, table, name, operator) -> list:
    scalar = lambda: values.of_type(chance, chance.one("SNB", [4, 4, 1])) if not chance.mistaken() else values.value(chance)
    match operator:
        case "EQ" | "NE":
            return [tables.attribute(chance, table, name)]
        case "NULL" | "NOT_NULL":
            return []
        case "BEGINS_WITH":
            return [values.of_type(chance, chance.one("SB", [4, 1]))]
        case "IN":
            kind = chance.one("SNB", [4, 4, 1])
            return [values.of_type(chance, kind) if not chance.mistaken() else scalar() for _ in range(chance.randint(1, 3))]
        case "BETWEEN":
            kind = table.types.get(name) or chance.one("NS")
            pool = tables.KEY_POOLS[kind]
            order = (lambda v: float(v["N"])) if kind == "N" else (lambda v: v[kind])
            pair = [chance.one(pool), chance.one(pool)]
            return pair if kind == "B" or chance.mistaken() else sorted(pair, key=order)
    return [tables.key_value(chance, table.types[name]) if name in table.types else scalar()]


def expected(chance, table) -> dict:
    """A map as in Expected."""
    made = {}
    for name in chance.some([*values.NAMES, *table.keys()], 2):
        match chance.one(["value", "absent", "exists", "condition"], [4, 3, 1, 5]):
            case "value":
                made[name] = {"Value": tables.attribute(chance, table, name)}
            case "absent":
                made[name] = {"Exists": False}
            case "exists":
                made[name] = {"Exists": True, "Value": tables.attribute(chance, table, name)}
            case "condition":
                made[name] = condition(chance, table, name)
        if chance.mistaken():
            made[name] |= chance.one([{"Exists": True}, {"Exists": False}, {"Value": {"S": "a"}}, {"ComparisonOperator": "EQ"},
                                      {"AttributeValueList": [{"S": "a"}]}])
        if chance.mistaken() and made[name]:
            made[name].pop(chance.one(list(made[name])))
    return made


def updates(chance, table) -> dict:
    """A map as in AttributeUpdates."""
    made = {}
    for name in chance.some(values.NAMES if not chance.mistaken() else [*values.NAMES, *table.keys()], 3):
        action = chance.one(["PUT", "ADD", "DELETE", None], [5, 4, 4, 1])
        match action:
            case "PUT" | None:
                value = tables.attribute(chance, table, name)
            case "ADD":
                value = values.of_type(chance, chance.one(["N", "NS", "SS", "L"], [5, 2, 2, 1]))
            case "DELETE":
                value = values.of_type(chance, chance.one(["SS", "NS"])) if chance.likely(0.5) else None
        if chance.mistaken():
            value = values.value(chance)
        made[name] = ({"Action": action} if action else {}) | ({"Value": value} if value and not chance.mistaken() else {})
    return made


def operator(chance, conditions) -> dict:
    """ConditionalOperator, when there is something to join."""
    wanted = (len(conditions) > 1 and chance.likely(0.5)) or chance.mistaken()
    return {"ConditionalOperator": chance.one(["AND", "OR"])} if wanted else {}
