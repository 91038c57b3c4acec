"""Generated request sequences answered by Strongroom as by DynamoDB Local, but for differences that are known.

The figures of long runs, and the known differences one by one, are in docs/compatibility.md. A longer run by hand:
`python -m differential.run --help` in `tests/`.
"""

import os

import pytest
from differential.dynamodb_local import dynamodb_local, what_is_missing
from differential.known import KNOWN
from differential.run import run_all
from differential.sequences import MISTAKES

SEQUENCES = int(os.environ.get("STRONGROOM_DIFFERENTIAL_SEQUENCES", "100"))


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    missing = what_is_missing()
    if missing:
        pytest.skip(f"nothing to compare with: {missing}")
    with dynamodb_local(tmp_path_factory.mktemp("dynamodb-local") / "log") as url:
        yield url


@pytest.mark.parametrize("kind", MISTAKES)
def test_answers_are_those_of_dynamodb_local(make_server, local, kind):
    server = make_server().start()
    findings, tally, signatures = run_all(server.url, local, kind, range(SEQUENCES), jobs=1)
    server.stop()
    assert not signatures, "\n".join(finding.text() for finding in findings)
    # The sequences do something: most requests are answered, and the rest are refused by both.
    assert tally["sequences"] == SEQUENCES and tally["requests"] > 15 * SEQUENCES
    assert tally["refused"] < tally["requests"] / 2


def test_known_differences_say_why():
    assert len({known.name for known in KNOWN}) == len(KNOWN)
    assert all(len(known.reason) > 20 and known.source for known in KNOWN)
