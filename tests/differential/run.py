"""Runs sequences on both servers and tells how they differ.

By hand, from `tests/`, with as many sequences as there is time for, or a single one:

    python -m differential.run --kind some --seeds 0:5000
    python -m differential.run --kind many --seeds 17
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import re
import sys
import tempfile
import time

from support.server import Server

from . import known, levels
from .answers import difference, error, normal_value, reduced
from .connection import Connection
from .dynamodb_local import dynamodb_local, what_is_missing
from .sequences import MISTAKES, Step, sequence

PAGES_MOST = 200
SETTLE_SECS_MAX = 10
SHRINK_SECS_MAX = 10
ALIGN_TURNS_MAX = 8
WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ExecuteStatement", "BatchExecuteStatement"}


@dataclasses.dataclass
class Finding:
    """A step that the two answered differently."""

    kind: str
    seed: int
    steps: list
    ours: dict
    theirs: dict
    where: str

    def signature(self) -> str:
        """What findings of one cause have in common."""
        text = re.sub(r"diff-\w+-\d+|[:#]\w+|\d+|\[[^\]]*\]|\"[^\"]*\"", "_", self.where)
        return f"{self.steps[-1].operation} {text[:300]}"

    def text(self) -> str:
        before = "\n".join(f"    {step.operation} {json.dumps(step.body, ensure_ascii=False)}" for step in self.steps[:-1])
        step = self.steps[-1]
        return (
            f"seed {self.seed} of kind {self.kind}: {step.operation} ({step.how}) differs at {self.where}\n"
            f"  after\n{before}\n  request {json.dumps(step.body, ensure_ascii=False)}\n"
            f"  Strongroom     {json.dumps(self.ours, ensure_ascii=False)[:3000]}\n"
            f"  DynamoDB Local {json.dumps(self.theirs, ensure_ascii=False)[:3000]}\n"
        )


class Pair:
    """A connection to each server."""

    def __init__(self, ours, theirs):
        self.connections = [Connection(ours), Connection(theirs)]

    def both(self, operation, bodies) -> list:
        """One call to each; no call where a body is None."""
        asked = [(c, body) for c, body in zip(self.connections, bodies, strict=True) if body is not None]
        for connection, body in asked:
            connection.send(operation, body)
        answers = iter([connection.receive() for connection, _ in asked])
        return [next(answers) if body is not None else None for body in bodies]

    def run(self, step: Step) -> list:
        """What the step comes to on each server, reduced."""
        match step.how:
            case "call":
                answers = [[[answer]] for answer in self.both(step.operation, [step.body] * 2)]
            case "settle":
                answers = self.settled(step)
            case "walk":
                answers = [[pages] for pages in self.walk(step.operation, step.body)]
            case "segments":
                walks = [self.walk(step.operation, step.body | {"Segment": n})
                         for n in range(step.body.get("TotalSegments", 1))]
                answers = list(zip(*walks, strict=True))
        return [reduced(step, each) for each in answers]

    def walk(self, operation, body) -> list:
        """The pages of each server."""
        pages, bodies = [[], []], [body, body]
        while any(each is not None for each in bodies):
            for number, answer in enumerate(self.both(operation, bodies)):
                if answer is None:
                    continue
                pages[number].append(answer)
                status, page = answer
                bodies[number] = None
                if status == 200 and len(pages[number]) < PAGES_MOST:
                    if "NextToken" in page:
                        bodies[number] = body | {"NextToken": page["NextToken"]}
                    elif "LastEvaluatedKey" in page and operation != "ExecuteStatement":
                        bodies[number] = body | {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return pages

    def settled(self, step) -> list:
        deadline = time.monotonic() + SETTLE_SECS_MAX
        while True:
            answers = self.both(step.operation, [step.body] * 2)
            if all(is_settled(*answer) for answer in answers) or time.monotonic() > deadline:
                return [[[answer]] for answer in answers]
            time.sleep(0.005)

    def close(self):
        for connection in self.connections:
            connection.close()


def is_settled(status, body) -> bool:
    if status != 200:
        return True
    table = body["Table"]
    statuses = {table["TableStatus"], *(index["IndexStatus"] for index in table.get("GlobalSecondaryIndexes", []))}
    return statuses == {"ACTIVE"}


def compare(pair, kind, seed, steps, tally) -> Finding | None:
    """Runs the steps until the two differ for no known reason. `tally` counts steps and known differences."""
    for number, step in enumerate(steps):
        ours, theirs = pair.run(step)
        tally["requests"] += 1
        tally["refused"] += "Error" in ours
        explained = []
        if where := difference(ours, theirs):
            explained, where = known.explanation(step, ours, theirs)
        if where:
            return Finding(kind, seed, steps[:number + 1], ours, theirs, where)
        if step.operation in ("CreateTable", "UpdateTable") and ("Error" in ours) != ("Error" in theirs):
            return None
        if step.operation == "CreateTable" and "Error" in ours:
            return None
        tally.update(each.name for each in explained)
        # DynamoDB Local has written a part, too, of batches that both refused.
        refused_batch = step.operation == "BatchExecuteStatement" and "Error" in ours
        if step.operation in WRITES and (explained or refused_batch or levels.removes_only(step)):
            tally["tables aligned"] += align(pair, steps[0].body)
    return None


def align(pair, table) -> bool:
    """Makes DynamoDB Local's table hold what ours holds; tells whether there was something to do."""
    name, keys = table["TableName"], [element["AttributeName"] for element in table["KeySchema"]]
    for turn in range(ALIGN_TURNS_MAX):
        ours, theirs = (
            {json.dumps(levels.plain_numbers([item.get(key) for key in keys])): item for _, page in pages for item in page.get("Items", [])}
            for pages in pair.walk("Scan", {"TableName": name, "ConsistentRead": True}))
        changes = [("DeleteItem", {"Key": {key: item[key] for key in keys}}) for place, item in theirs.items() if place not in ours]
        changes += [("PutItem", {"Item": item}) for place, item in ours.items()
                    if normal_value(item) != normal_value(levels.plain_numbers(theirs.get(place)))]
        if not changes:
            return turn > 0
        # A table whose index is being deleted takes no writes for a moment.
        time.sleep(0.2 if turn > 1 else 0)
        for operation, body in changes:
            pair.both(operation, [None, {"TableName": name} | body])
    return True


def clear(pair, name):
    """Deletes the sequence's table, if it is still there."""
    for connection in pair.connections:
        deadline = time.monotonic() + SETTLE_SECS_MAX
        while time.monotonic() < deadline:
            status, body = connection.call("DeleteTable", {"TableName": name})
            if status != 200 and "ResourceNotFound" in error(status, body)["Error"]:
                break
            time.sleep(0.01)


def shrunk(pair, finding) -> Finding:
    """The finding with as few steps as still show it, and with the least request."""
    name = finding.steps[0].body["TableName"]
    deadline = time.monotonic() + SHRINK_SECS_MAX

    def again(steps):
        if time.monotonic() > deadline:
            return None
        clear(pair, name)
        found = compare(pair, finding.kind, finding.seed, steps, collections.Counter())
        same = found and found.signature() == finding.signature() and len(found.steps) == len(steps)
        return found if same else None

    place = 1
    while place < len(finding.steps) - 1:
        steps = finding.steps[:place] + finding.steps[place + 1:]
        smaller = again(steps)
        if smaller:
            finding = smaller
        else:
            place += 1
    for member in list(finding.steps[-1].body):
        last = finding.steps[-1]
        less = dataclasses.replace(last, body={n: v for n, v in last.body.items() if n != member})
        finding = again([*finding.steps[:-1], less]) or finding
    clear(pair, name)
    return finding


def run_seeds(ours, theirs, kind, seeds, findings_most, seconds_most) -> tuple:
    """Runs these sequences as long as there is time; gives the findings and the tally."""
    deadline = time.monotonic() + seconds_most
    pair = Pair(ours, theirs)
    findings, tally, signatures = [], collections.Counter(), collections.Counter()
    for seed in seeds:
        if time.monotonic() > deadline:
            break
        steps = sequence(seed, kind)
        finding = compare(pair, kind, seed, steps, tally)
        tally["sequences"] += 1
        if finding:
            signatures[finding.signature()] += 1
            if signatures[finding.signature()] == 1 and len(findings) < findings_most:
                findings.append(shrunk(pair, finding))
            clear(pair, steps[0].body["TableName"])
        elif steps[-1].operation == "DeleteTable":
            clear(pair, steps[0].body["TableName"])
    pair.close()
    return findings, tally, signatures


def run_all(ours, theirs, kind, seeds, jobs, findings_most=30, seconds_most=float("inf")) -> tuple:
    """The same, by several processes."""
    if jobs == 1:
        return run_seeds(ours, theirs, kind, seeds, findings_most, seconds_most)
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        parts = [pool.submit(run_seeds, ours, theirs, kind, seeds[job::jobs], findings_most, seconds_most) for job in range(jobs)]
        results = [part.result() for part in parts]
    findings = {finding.signature(): finding for found, _, _ in results for finding in found}
    tally, signatures = (sum((each[n] for each in results), collections.Counter()) for n in (1, 2))
    return list(findings.values()), tally, signatures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=[*MISTAKES, "all"], default="all", help="how many mistakes the requests hold")
    parser.add_argument("--seeds", default="0:100", help="one seed, or from:to")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="how long to begin new sequences, for each kind")
    parser.add_argument("--findings", type=int, default=30, help="how many to shrink and show")
    arguments = parser.parse_args()
    if missing := what_is_missing():
        sys.exit(missing)
    first, _, last = arguments.seeds.partition(":")
    seeds = range(int(first), int(last or int(first) + 1))
    kinds = list(MISTAKES) if arguments.kind == "all" else [arguments.kind]
    failed = False
    with tempfile.TemporaryDirectory(dir="/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None) as home:
        server = Server(pathlib.Path(home) / "strongroom").start()
        try:
            with dynamodb_local(pathlib.Path(home) / "dynamodb-local.log") as theirs:
                for kind in kinds:
                    started = time.monotonic()
                    findings, tally, signatures = run_all(
                        server.url, theirs, kind, seeds, arguments.jobs, arguments.findings, arguments.seconds)
                    failed |= bool(signatures)
                    print(f"== {kind}: {time.monotonic() - started:.0f} s; {sum(signatures.values())} findings")
                    for finding in sorted(findings, key=lambda each: -signatures[each.signature()]):
                        print(f"-- {signatures[finding.signature()]} times: {finding.signature()}\n{finding.text()}")
                    for name, count in tally.most_common():
                        print(f"{count:8} {name}")
        finally:
            server.kill()
    sys.exit(failed)


if __name__ == "__main__":
    main()
