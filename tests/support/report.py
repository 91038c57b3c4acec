"""Writes docs/requirements.md: number -> what it asks -> tests -> pass.

A pytest plugin. It writes only when asked (`--requirements-report FILE`), and
the same outcome always writes the same bytes, so the file can be committed.
"""

import pathlib
import re

TITLES = pathlib.Path(__file__).with_name("requirements.txt")
outcomes: dict[str, dict[str, str]] = {}


def pytest_addoption(parser):
    parser.addoption("--requirements-report", metavar="FILE", help="write the table number -> tests -> pass")


def pytest_runtest_logreport(report):
    match = re.match(r"(?P<name>r(?P<number>\d\d)_\w+)", report.nodeid.rsplit("::", 1)[-1])
    if not match:
        return
    file = report.nodeid.split("::", 1)[0]
    tests = outcomes.setdefault(f"R{int(match['number'])}", {})
    name = f"{file}::{match['name']}"
    # A parametrised test is one row: it passes when each of its cases does.
    ranks = {"pass": 0, "skip": 1, "FAIL": 2}
    outcome = "FAIL" if report.failed else "skip" if report.skipped else "pass"
    if report.when == "call" or outcome != "pass":
        tests[name] = max(tests.get(name, "pass"), outcome, key=ranks.__getitem__)


def pytest_sessionfinish(session):
    path = session.config.getoption("--requirements-report")
    if path:
        pathlib.Path(path).write_text(table())


def table() -> str:
    """The page, whole."""
    titles = dict(line.split(" ", 1) for line in TITLES.read_text().splitlines() if line.strip())
    rows = []
    for number, title in titles.items():
        tests = outcomes.get(number, {})
        state = "not built yet" if not tests else "FAIL" if "FAIL" in tests.values() else (
            "skipped" if "skip" in tests.values() else "pass")
        names = "<br>".join(
            f"[`{name.split('::')[1]}`](../tests/{name.split('::')[0]})" for name in sorted(tests)
        )
        rows.append(f"| {number} | {title} | {names} | {state} |")
    held = sum(row.endswith("| pass |") for row in rows)
    return "\n".join(
        [
            "# Requirements and the tests that hold them",
            "",
            "Made by the end-to-end tests (`./check e2e`); do not edit. Each test starts the real server and drives it",
            "with a real AWS client. *not built yet*: no test claims this requirement.",
            "",
            f"{held} of {len(rows)} pass.",
            "",
            "| number | what it asks | tests | state |",
            "| --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )
