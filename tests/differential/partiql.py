"""PartiQL statements."""

from . import tables, values


class Statements:
    """Writes one statement and keeps its parameters."""

    def __init__(self, chance, table):
        self.chance, self.table = chance, table
        self.attributes = values.NAMES
        self.parameters = []

    def body(self) -> dict:
        """The members Statement and Parameters."""
        write = self.chance.one([self.select, self.insert, self.update, self.delete], [5, 3, 4, 2])
        text = write()
        if self.chance.mistaken():
            words = text.split(" ")
            words[self.chance.randrange(len(words))] = self.chance.one(["", "x", "AND", "?", "(", "'", "1", "=", "\"a\""])
            text = " ".join(words)
        if self.chance.mistaken():
            self.parameters.append({"S": "a"})
        return {"Statement": text} | ({"Parameters": self.parameters} if self.parameters else {})

    def name(self, attribute) -> str:
        return f'"{attribute}"'

    def literal(self, value) -> str:
        """A value as a literal, or as a parameter where it has no literal here."""
        chance = self.chance
        if chance.likely(0.6):
            match value:
                case {"S": text}:
                    return "'" + text.replace("'", "''") + "'"
                case {"N": text} if text.lstrip("-").isdigit() and not text.lstrip("-").startswith("0"):
                    return text
                case {"BOOL": flag}:
                    return "true" if flag else "false"
                case {"NULL": True}:
                    return "null"
        self.parameters.append(value)
        return "?"

    def attribute_literal(self, name) -> str:
        return self.literal(tables.attribute(self.chance, self.table, name))

    def equalities(self, names) -> list:
        chance, table = self.chance, self.table
        names = [each for each in names if not chance.mistaken()]
        return [f"{self.name(each)} = {self.literal(tables.key_value(chance, table.types[each]))}" for each in names]

    def condition(self) -> str:
        chance = self.chance
        name = chance.one(self.attributes)
        match chance.one(["compare", "between", "in", "function", "not", "or"], [6, 1, 2, 4, 1, 1]):
            case "compare":
                return f"{self.name(name)} {chance.one(['=', '<>', '<', '<=', '>', '>='])} {self.attribute_literal(name)}"
            case "between":
                low, high = sorted((chance.randrange(9), chance.randrange(9)))
                return f"{self.name(name)} BETWEEN {low} AND {high}"
            case "in":
                return f"{self.name(name)} IN [{', '.join(self.attribute_literal(name) for _ in range(chance.randint(1, 3)))}]"
            case "function":
                return chance.one([
                    f"begins_with({self.name(name)}, 'a')", f"contains({self.name(name)}, 'a')", f"size({self.name(name)}) > 1",
                    f"attribute_type({self.name(name)}, '{chance.one(values.TYPES)}')",
                    f"{self.name(name)} IS MISSING", f"{self.name(name)} IS NOT MISSING", f"{self.name(name)} IS NULL"])
            case "not":
                return f"NOT ({self.condition()})"
            case "or":
                return f"({self.condition()} OR {self.condition()})"

    def where(self, complete=True) -> str:
        chance, names = self.chance, self.table.keys()
        parts = self.equalities(names if complete else names[:chance.randrange(len(names) + 1)])
        if chance.likely(0.4):
            parts.append(self.condition())
        return f" WHERE {' AND '.join(parts)}" if parts else ""

    def select(self) -> str:
        chance, table = self.chance, self.table
        source = f'"{table.name}"'
        index = chance.one(table.indexes) if table.indexes and chance.likely(0.3) else None
        if index:
            source += f'."{index.name}"'
            self.attributes = table.projected(index) or values.NAMES
        wanted = "*" if chance.likely(0.5) else ", ".join(self.name(each) for each in chance.some({*self.attributes, *table.keys()}, 3))
        complete = chance.likely(0.4)
        text = f"SELECT {wanted} FROM {source}{self.where(complete)}"
        if table.range and complete and not index and chance.likely(0.4):
            text += f" ORDER BY {self.name(table.range)} {chance.one(['ASC', 'DESC'])}"
        return text

    def insert(self) -> str:
        members = tables.item(self.chance, self.table)
        members.pop("big", None)  # a statement has 8,192 characters at most
        parts = []
        for name, value in members.items():
            quoted = name.replace("'", "''")
            parts.append(f"'{quoted}': {self.literal(value)}")
        return f"INSERT INTO \"{self.table.name}\" VALUE {{{', '.join(parts)}}}"

    def update(self) -> str:
        chance = self.chance
        changes = []
        for name in chance.some(values.NAMES, 2):
            match chance.one(["set", "arithmetic", "remove", "append", "set_add", "set_delete"], [6, 2, 2, 1, 1, 1]):
                case "set":
                    changes.append(f"SET {self.name(name)} = {self.attribute_literal(name)}")
                case "arithmetic":
                    changes.append(f"SET {self.name(name)} = {self.name(name)} {chance.one('+-')} 1")
                case "remove":
                    changes.append(f"REMOVE {self.name(name)}")
                case "append":
                    changes.append(f"SET {self.name(name)} = list_append({self.name(name)}, [1, 'a'])")
                case "set_add":
                    changes.append(f"SET {self.name(name)} = set_add({self.name(name)}, <<'a', 'b'>>)")
                case "set_delete":
                    changes.append(f"SET {self.name(name)} = set_delete({self.name(name)}, <<1, 2>>)")
        return f"UPDATE \"{self.table.name}\" {' '.join(changes)}{self.where()}{self.returning()}"

    def delete(self) -> str:
        returning = " RETURNING ALL OLD *" if self.chance.likely(0.4) else ""
        return f'DELETE FROM "{self.table.name}"{self.where()}{returning}'

    def returning(self) -> str:
        if self.chance.likely(0.5):
            return ""
        return f" RETURNING {self.chance.one(['ALL', 'MODIFIED'])} {self.chance.one(['OLD', 'NEW'])} *"
