"""Condition, update, projection and key condition expressions, with the names and values they use."""

import re

from . import tables, values

RESERVED = {"name", "size", "status", "date", "and"}  # of the names used here
FUNCTIONS = ["attribute_exists", "attribute_not_exists", "attribute_type", "begins_with", "contains", "size"]
COMPARATORS = ["=", "<>", "<", "<=", ">", ">="]
GARBAGE = ["(", ")", ",", "=", "AND", "OR", "NOT", ":v", "#n", "SET", "a", ".", "[0]", "[", "]", "!", "'a'", "1", "==", "BETWEEN", "IN",
           "REMOVE", "size", "+", "-", "if_not_exists", "@", "\"a\"", "#", ":", "[-1]", "[99999999999]", "foo(a)"]


class Expressions:
    """Writes the expressions of one request and keeps the names and values that they use.

    `attributes` are those that they may use; none means any. They are left with a mistake, unless that is `strict`.
    """

    def __init__(self, chance, table, attributes=None, strict=False):
        self.chance, self.table, self.attributes, self.strict = chance, table, attributes, strict
        self.names, self.values = {}, {}

    def given(self) -> dict:
        """The members that define what the expressions use; with mistakes, too much or too little."""
        chance = self.chance
        for members, one_more in ((self.names, ("#unused", "a")), (self.values, (":unused", {"S": "a"}))):
            if members and chance.mistaken():
                members.pop(chance.one(list(members)))
            if chance.mistaken():
                members[one_more[0]] = one_more[1]
        if chance.mistaken():
            self.values[chance.one(["v", ":", ":a-b", "#v", ":é"])] = {"S": "a"}
        if chance.mistaken():
            self.names[chance.one(["n", "#", "#a-b", ":n"])] = "a"
        return ({"ExpressionAttributeNames": self.names} if self.names or chance.mistaken() else {}) | (
            {"ExpressionAttributeValues": self.values} if self.values or chance.mistaken() else {})

    # Parts

    def value(self, value) -> str:
        for name, known in self.values.items():
            if known == value and self.chance.likely(0.5):
                return name
        name = f":v{len(self.values)}"
        self.values[name] = value
        return name

    def name(self, attribute) -> str:
        plain = re.fullmatch("[A-Za-z][A-Za-z0-9_]*", attribute) and attribute.lower() not in RESERVED
        if (plain and self.chance.likely(0.7)) or self.chance.mistaken():
            return attribute
        for name, known in self.names.items():
            if known == attribute:
                return name
        name = f"#n{len(self.names)}"
        self.names[name] = attribute
        return name

    def attribute(self) -> str:
        """Some attribute's own name, not written yet."""
        chance = self.chance
        if self.attributes and (self.strict or not chance.mistaken()):
            return chance.one(self.attributes)
        return chance.one(self.table.keys()) if chance.likely(0.15) else values.name(chance)

    def path(self, attribute=None) -> str:
        chance = self.chance
        attribute = attribute or self.attribute()
        text = self.name(attribute)
        if attribute in self.table.types and not chance.mistaken():
            return text
        for _ in range(chance.one([0, 1, 2, 3], [14, 5, 2, 1])):
            text += f"[{chance.randrange(4)}]" if chance.likely(0.45) else f".{self.name(chance.one(['a', 'b', 'c', 'x', 'name']))}"
        return text

    def operand(self, attribute=None) -> str:
        chance = self.chance
        match chance.one(["path", "value", "size"], [8, 3, 2]):
            case "path":
                return self.path(attribute)
            case "value":
                return self.value(values.value(chance))
            case "size":
                return f"size({self.path(attribute)})"

    def literal_for(self, attribute) -> str:
        return self.value(tables.attribute(self.chance, self.table, attribute))

    # Conditions

    def condition(self, depth=0) -> str:
        chance = self.chance
        match chance.one(["plain", "and", "or", "not", "parentheses"], [8, 2, 2, 1, 1] if depth < 3 else [1, 0, 0, 0, 0]):
            case "plain":
                text = self.comparison()
            case "and":
                text = f"{self.condition(depth + 1)} {self.keyword('AND')} {self.condition(depth + 1)}"
            case "or":
                text = f"{self.condition(depth + 1)} {self.keyword('OR')} {self.condition(depth + 1)}"
            case "not":
                text = f"{self.keyword('NOT')} {self.condition(depth + 1)}"
            case "parentheses":
                text = f"({self.condition(depth + 1)})"
                text = f"({text})" if chance.mistaken() else text
        return self.damaged(text) if depth == 0 else text

    def comparison(self) -> str:
        chance = self.chance
        attribute = self.attribute()
        match chance.one(["compare", "between", "in", "function"], [6, 2, 2, 6]):
            case "compare":
                left = self.operand(attribute) if not chance.mistaken() else self.path("a")
                right = self.literal_for(attribute) if chance.likely(0.8) else self.operand()
                left, right = (left, right) if chance.likely(0.8) else (right, left)
                return f"{left}{self.space()}{chance.one(COMPARATORS)}{self.space()}{right}"
            case "between":
                low, high = self.bounds(attribute)
                return f"{self.operand(attribute)} {self.keyword('BETWEEN')} {low} {self.keyword('AND')} {high}"
            case "in":
                members = [self.literal_for(attribute) if chance.likely(0.8) else self.operand()
                           for _ in range(chance.randint(1, 4))]
                return f"{self.operand(attribute)} {self.keyword('IN')} ({', '.join(members)})"
            case "function":
                return self.function(attribute)

    def bounds(self, attribute) -> tuple:
        """Two literals for BETWEEN, mostly of one type and in order: the service looks at literals before it reads."""
        chance = self.chance
        low, high = (tables.attribute(chance, self.table, attribute) for _ in "ab")
        if not chance.mistaken():
            kind = chance.one("NSB", [3, 3, 1])
            pool = sorted(tables.KEY_POOLS[kind], key=lambda v: float(v["N"]) if kind == "N" else v[kind])
            if kind == "B":
                pool = [{"B": values.encoded(raw)} for raw in (b"", b"\x00", b"a", b"ab", b"b", b"\xff")]
            first = chance.randrange(len(pool))
            low, high = pool[first], pool[chance.randrange(first, len(pool))]
        return self.value(low), self.value(high)

    def function(self, attribute) -> str:
        chance = self.chance
        name = chance.one(FUNCTIONS[:5])
        path = self.path(attribute)
        match name:
            case "attribute_exists" | "attribute_not_exists":
                arguments = [path]
            case "attribute_type":
                arguments = [path, self.value({"S": chance.one(values.TYPES)})]
            case "begins_with":
                kind = chance.one("SB")
                arguments = [path, self.value(values.of_type(chance, kind))]
            case "contains":
                kind = chance.one(["S", "N", "B", "M", "BOOL"], [4, 3, 2, 1, 1])
                arguments = [path, self.value(values.of_type(chance, kind)) if chance.likely(0.9) else self.path()]
        if chance.mistaken():
            name = chance.one([*FUNCTIONS, "if_not_exists", "foo", "ATTRIBUTE_EXISTS"])
        if chance.mistaken():
            arguments = [self.operand() for _ in range(chance.randrange(4))]
        return f"{name}{chance.one(['', ' '], [9, 1])}({f',{self.space()}'.join(arguments)})"

    # Updates

    def update(self) -> str:
        chance = self.chance
        sections = chance.some(["SET", "REMOVE", "ADD", "DELETE"], 3) if chance.likely(0.4) else [
            chance.one(["SET", "REMOVE", "ADD", "DELETE"], [6, 2, 2, 1])]
        if chance.mistaken():
            sections.append(chance.one(["SET", "REMOVE", "ADD", "DELETE"]))
        # Paths that meet are refused: mostly, each attribute is changed once.
        free = chance.sample(values.NAMES, len(values.NAMES)) + [chance.one(values.ODD_NAMES)]
        written = []
        for section in sections:
            actions = [self.action(section, self.target(free)) for _ in range(chance.randint(1, 3) if len(free) > 3 else 1)]
            written.append(f"{self.keyword(section)} {', '.join(actions)}")
        return self.damaged(" ".join(written))

    def target(self, free) -> str:
        if self.chance.mistaken():
            return self.attribute()
        return free.pop() if free else "z"

    def action(self, section, attribute) -> str:
        chance = self.chance
        nested = chance.likely(0.35 if section in ("SET", "REMOVE") else 0.15) and attribute not in self.table.types
        path = self.path(attribute) if nested else self.name(attribute)
        match section:
            case "SET":
                return f"{path}{self.space()}={self.space()}{self.assigned(attribute, path)}"
            case "REMOVE":
                return path
            case "ADD":
                kind = chance.one(["N", "NS", "SS", "BS"], [5, 2, 2, 1])
            case "DELETE":
                kind = chance.one(["SS", "NS", "BS"], [3, 3, 1])
        value = values.value(chance) if chance.mistaken() else values.of_type(chance, kind)
        return f"{path} {self.value(value) if not chance.mistaken() else self.path()}"

    def assigned(self, attribute, path) -> str:
        chance = self.chance
        match chance.one(["value", "path", "arithmetic", "if_not_exists", "list_append", "counter"], [6, 2, 3, 3, 3, 2]):
            case "value":
                return self.literal_for(attribute)
            case "path":
                return self.path()
            case "arithmetic":
                left = self.path() if chance.likely(0.6) else self.value({"N": values.number(chance)})
                right = self.value({"N": values.number(chance)}) if chance.likely(0.7) else self.path()
                return f"{left} {chance.one('+-')} {right}"
            case "if_not_exists":
                return f"if_not_exists({self.path()}, {self.literal_for(attribute) if chance.likely(0.7) else self.path()})"
            case "list_append":
                first = self.path()
                if chance.likely(0.2):
                    first = f"if_not_exists({first}, {self.value(values.of_type(chance, 'L'))})"
                parts = [first, self.value(values.of_type(chance, "L"))]
                return f"list_append({', '.join(chance.sample(parts, 2))})"
            case "counter":
                start = f"if_not_exists({path}, {self.value({'N': '0'})})"
                return f"{start} {chance.one('+-')} {self.value({'N': values.number(chance)})}"

    # Projections and key conditions

    def projection(self) -> str:
        chance = self.chance
        free = self.attributes or chance.sample(values.NAMES, 4) + self.table.keys() + [chance.one(values.ODD_NAMES)]
        free = chance.sample(free, len(free))
        count = chance.randint(1, min(4, len(free)))
        paths = [self.path(self.attribute() if chance.mistaken() else free.pop()) for _ in range(count)]
        return self.damaged(f",{self.space()}".join(paths))

    def key_condition(self, hash_name, range_name) -> str:
        chance = self.chance
        if chance.mistaken():
            hash_name = self.attribute()
        parts = [self.equality(hash_name)]
        if range_name and chance.likely(0.6):
            parts.append(self.range_condition(range_name if not chance.mistaken() else self.attribute()))
        if chance.mistaken():
            parts.append(self.comparison())
        if chance.mistaken():
            parts.pop(0)
        if chance.likely(0.2):
            parts.reverse()
        if chance.likely(0.1) and parts:
            parts[0] = f"({parts[0]})"
        joined = f" {self.keyword('AND' if not chance.mistaken() else 'OR')} ".join(parts)
        if chance.mistaken():
            joined = f"NOT {joined}"
        return self.damaged(joined)

    def key_literal(self, name) -> str:
        if name in self.table.types:
            return self.value(tables.key_value(self.chance, self.table.types[name]))
        return self.value(values.value(self.chance))

    def equality(self, name) -> str:
        sides = [self.name(name), self.key_literal(name)]
        if self.chance.likely(0.1):
            sides.reverse()
        comparator = "=" if not self.chance.mistaken() else self.chance.one(COMPARATORS)
        return f"{sides[0]}{self.space()}{comparator}{self.space()}{sides[1]}"

    def range_condition(self, name) -> str:
        chance = self.chance
        kind = self.table.types.get(name, "S")
        match chance.one(["compare", "between", "begins_with"], [5, 3, 2]):
            case "compare":
                sides = [self.name(name), self.key_literal(name)]
                if chance.likely(0.1):
                    sides.reverse()
                comparator = chance.one(["=", "<", "<=", ">", ">="]) if not chance.mistaken() else "<>"
                return f"{sides[0]} {comparator} {sides[1]}"
            case "between":
                pool = tables.KEY_POOLS[kind]
                order = (lambda v: float(v["N"])) if kind == "N" else (lambda v: v[kind])
                if kind == "B" or chance.mistaken():
                    bounds = [self.key_literal(name), self.key_literal(name)]
                else:
                    bounds = [self.value(v) for v in sorted((chance.one(pool), chance.one(pool)), key=order)]
                return f"{self.name(name)} {self.keyword('BETWEEN')} {bounds[0]} {self.keyword('AND')} {bounds[1]}"
            case "begins_with":
                if kind == "N" and not chance.mistaken():
                    return f"{self.name(name)} > {self.key_literal(name)}"
                return f"begins_with({self.name(name)}, {self.key_literal(name)})"

    # Spelling

    def keyword(self, word) -> str:
        return self.chance.one([word, word.lower(), word.capitalize()], [8, 2, 1])

    def space(self) -> str:
        return self.chance.one([" ", "", "  ", "\t", "\n"], [20, 3, 1, 1, 1])

    def damaged(self, text) -> str:
        """The text, or with a mistake one with a token too few or too many."""
        chance = self.chance
        if not chance.mistaken():
            return text
        if chance.likely(0.1):
            return chance.one(["", " ", "()", "a", ":v0", "SET", "SET a", "a =", "NOT", "a = :v0 AND", "(a = :v0", "a = :v0)"])
        tokens = re.findall(r"[#:]?\w+|\s+|<>|<=|>=|.", text)
        place = chance.randrange(len(tokens) + 1) if tokens else 0
        match chance.randrange(3):
            case 0 if tokens:
                tokens.pop(place % len(tokens))
            case 1 if tokens:
                tokens[place % len(tokens)] = chance.one(GARBAGE)
            case _:
                tokens.insert(place, f" {chance.one(GARBAGE)} ")
        return "".join(tokens)
