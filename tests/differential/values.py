"""Attribute names and values: small pools, so that they meet again, and the edges of what the service takes."""

import base64

STRINGS = ["a", "b", "c", "ab", "abc", "ba", "", "A", "é", "😀", "\uffff", "a\u0000", "x" * 30, "1", "10", "2"]
NUMBERS = ["0", "1", "2", "3", "10", "-1", "-2", "1.5", "100", "1.0", "01", "1e1", "-0", "0.1", "0.10", "1E+2", "+5", "00.50"]
EDGE_NUMBERS = [
    "9.9999999999999999999999999999999999999E+125", "-9.9999999999999999999999999999999999999E+125", "1E-130", "-1E-130",
    "12345678901234567890123456789012345678", "0.12345678901234567890123456789012345678", "1E125", "1e-100",
    "123456789012345678901234567890.12345678", "99999999999999999999999999999999999999", "1E37", "1E38", "0.00000001",
    "10000000000000000000000000000000000000000000000", "-0.0", "0.000000000000000000000000000000000000000000001",
]
WRONG_NUMBERS = [
    "", "abc", "1E126", "1E-131", "123456789012345678901234567890123456789", "NaN", "Infinity", "0x1", "1 2", "--1", "1e", "1.2.3",
    "0.1234567890123456789012345678901234567891", "-1E126", "e5", "1,5", "0E500",
]
BINARIES = [b"a", b"b", b"ab", b"", b"\x00", b"\xff", b"\x7f\x80", b"abc"]
WRONG_VALUES = [
    {}, {"SS": []}, {"NS": []}, {"BS": []}, {"SS": ["a", "a"]}, {"NS": ["1", "1.0"]}, {"BS": ["YQ==", "YQ=="]}, {"NULL": False},
    {"S": "a", "N": "1"}, {"L": [{}]}, {"M": {"a": {}}}, {"M": {"a": {"N": "x"}}}, {"NS": ["1", "x"]}, {"SS": ["a", "b", "a"]},
    {"L": [{"SS": []}]}, {"M": {"a": {"SS": ["a", "a"]}}}, {"S": "a", "SS": ["a"]}, {"NS": ["1E200"]},
]
for depth in (31, 32, 33):
    deep = {"S": "deep"}
    for _ in range(depth):
        deep = {"L": [deep]}
    WRONG_VALUES.append(deep)
NAMES = ["a", "b", "c", "d", "e", "m", "l"]
ODD_NAMES = ["name", "size", "a.b", "a-b", "_x", "1a", "é", "Status", "a b", "x" * 40, "#a", "and"]
TYPES = ["S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS", "L", "M"]


def encoded(raw) -> str:
    return base64.b64encode(raw).decode()


def name(chance) -> str:
    """An attribute's name."""
    return chance.one(ODD_NAMES) if chance.likely(0.08) else chance.one(NAMES)


def of_type(chance, kind, depth=0) -> dict:
    """A value of this type."""
    match kind:
        case "S":
            return {"S": chance.one(STRINGS)}
        case "N":
            return {"N": number(chance)}
        case "B":
            return {"B": encoded(chance.one(BINARIES))}
        case "BOOL":
            return {"BOOL": chance.likely(0.5)}
        case "NULL":
            return {"NULL": True}
        case "SS":
            return {"SS": chance.some(STRINGS, 4)}
        case "NS":
            # Different by value: equal numbers in a set are a mistake of their own.
            return {"NS": chance.some(["0", "1", "2", "3", "-1", "1.50", "1e2", "0.10"], 4)}
        case "BS":
            return {"BS": [encoded(raw) for raw in chance.some(BINARIES, 3)]}
        case "L":
            return {"L": [value(chance, depth + 1) for _ in range(chance.randrange(4))]}
        case "M":
            return {"M": {chance.one(["a", "b", "c", "x"]): value(chance, depth + 1) for _ in range(chance.randrange(4))}}
    raise AssertionError(kind)


def number(chance) -> str:
    if chance.mistaken():
        return chance.one(WRONG_NUMBERS)
    return chance.one(EDGE_NUMBERS) if chance.likely(0.08) else chance.one(NUMBERS)


def value(chance, depth=0) -> dict:
    """Any value, seldom a wrong one."""
    if chance.mistaken():
        return chance.one(WRONG_VALUES)
    weights = [20, 24, 6, 4, 3, 5, 5, 2, 9, 9] if depth < 3 else [20, 24, 6, 4, 3, 5, 5, 2, 0, 0]
    return of_type(chance, chance.one(TYPES, weights), depth)
