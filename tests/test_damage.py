"""A stopped data directory is damaged; the server notices, names the object, and does not hang."""

import random
import shutil
import subprocess

import pytest
from support import canary
from support.server import binary
from support.tables import create_table, error_of, fill, scan_all

READ_SECS_MAX = 20


@pytest.fixture
def filled(own_server):
    """A stopped server with two full tables; `(server, [tables], {table: items})`."""
    dynamodb = own_server.dynamodb
    tables = [create_table(dynamodb) for _ in range(2)]
    written = {table: fill(dynamodb, table, 200, bytes_each=20_000) for table in tables}
    own_server.stop()
    return own_server, tables, written


def objects(server):
    """Stored objects, largest first; lock files and the like are no objects."""
    found = [p for p in canary.files([server.data]) if p.stat().st_size > 64]
    return sorted(found, key=lambda p: -p.stat().st_size)


def examine(server, tables, written, *damaged):
    """Starts the server on the damaged data: either it refuses, or each table reads whole or fails. Never wrong
    data, never a hang; and when something failed, something names the damaged object."""
    try:
        server.start()
    except AssertionError as error:
        assert "panicked" not in str(error), error
        assert names(str(error), *damaged), f"the refusal does not name {damaged}:\n{error}"
        return "refused"
    outcome = "unnoticed"
    for table in tables:
        dynamodb = server.client("dynamodb", read_timeout=READ_SECS_MAX)
        scanned = {}
        error = error_of(lambda t=table, d=dynamodb, s=scanned: s.update(scan_all(d, t)))
        if error:
            assert error[0] in ("InternalServerError", "InternalFailure"), error
            assert names(server.output(), *damaged), f"the log does not name {damaged}:\n{server.output()}"
            outcome = "failed"
        else:
            assert scanned == written[table], "wrong data was served"
    # The server itself goes on.
    assert server.dynamodb.list_tables()["TableNames"]
    server.stop()
    return outcome


def names(text, *paths):
    """Whether a text names one of the objects: by its name or, for a keyring, by version and store."""
    for path in paths:
        if path.parent.name == "keyring":
            store = path.parents[1].name
            if f"keyring version {int(path.name)} of" in text and store in text:
                return True
        if path.name in text:
            return True
    return False


def flip(content, rng):
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ (1 << rng.randrange(8))]) + content[at + 1:]


DAMAGES = {
    "flip": flip,
    "flip in the header": lambda content, rng: flip(content[:40], rng) + content[40:],
    "truncate": lambda content, rng: content[: rng.randrange(1, len(content))],
    "truncate to a chunk": lambda content, _: content[: max(1, len(content) // 2)],
    "empty": lambda *_: b"",
    "extend": lambda content, _: content + b"\0" * 17,
    "noise": lambda content, rng: rng.randbytes(len(content)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_objects_are_noticed(filled, damage, tmp_path):
    server, tables, written = filled
    rng = random.Random(damage)
    saved = tmp_path / "saved"
    shutil.copytree(server.data, saved)
    outcomes = []
    everything = objects(server)
    # The largest, and a few of the rest.
    for path in everything[:1] + rng.sample(everything[1:], min(3, len(everything) - 1)):
        if path.exists():
            path.write_bytes(DAMAGES[damage](path.read_bytes(), rng))
            outcomes.append(examine(server, tables, written, path))
        server.kill()
        shutil.rmtree(server.data)
        shutil.copytree(saved, server.data)
    assert set(outcomes) & {"failed", "refused"}, outcomes


def test_verify_finds_every_flipped_byte(filled):
    """`strongroom verify` opens every object: healthy data passes, one flipped byte anywhere does not, and the
    object is named."""
    server, _, _ = filled
    rng = random.Random(5)

    def verify():
        return subprocess.run(
            [binary(), "verify", "--data", str(server.data), "--root-key", f"file:{server.root_key}"],
            capture_output=True, text=True, timeout=60)

    healthy = verify()
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    for path in rng.sample(objects(server), min(8, len(objects(server)))):
        content = path.read_bytes()
        path.write_bytes(flip(content, rng))
        found = verify()
        assert found.returncode != 0, f"{path} is damaged and verify says all is well"
        assert names(found.stdout + found.stderr, path), found.stdout + found.stderr
        path.write_bytes(content)
    assert verify().returncode == 0


def test_swapped_objects_are_noticed(filled):
    """Two healthy objects change places: each authenticates only where it was written."""
    server, tables, written = filled
    first, second = objects(server)[:2]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert examine(server, tables, written, first, second) != "unnoticed"


def test_an_older_copy_of_a_table_is_noticed(own_server, tmp_path):
    """Rollback: yesterday's copy of a table's directory is put back. It authenticates, and is refused all the
    same, by name."""
    dynamodb = own_server.dynamodb
    table = create_table(dynamodb)
    fill(dynamodb, table, 100, bytes_each=20_000)
    own_server.stop()
    before = {p: p.stat().st_mtime for p in canary.files([own_server.data])}
    yesterday = tmp_path / "yesterday"
    shutil.copytree(own_server.data, yesterday)
    own_server.start()
    fill(own_server.dynamodb, table, 100, prefix="newer", bytes_each=20_000)
    own_server.stop()
    # The table's directory is the one that holds most of what was written.
    newest = max((p for p in canary.files([own_server.data]) if p not in before), key=lambda p: p.stat().st_size)
    parts = newest.relative_to(own_server.data).parts
    directory = own_server.data.joinpath(*parts[:2])
    shutil.rmtree(directory)
    shutil.copytree(yesterday.joinpath(*parts[:2]), directory)
    try:
        own_server.start()
        error = error_of(scan_all, own_server.client("dynamodb", read_timeout=READ_SECS_MAX), table)
        assert error and error[0] in ("InternalServerError", "InternalFailure"), error
    except AssertionError as refusal:
        assert "was not ready" in str(refusal), refusal
    text = own_server.output().lower()
    assert "older" in text or "rolled back" in text or "rollback" in text, text


def test_missing_objects_are_noticed(filled):
    """The largest object of the data directory is deleted: its table fails, or the server refuses; the other
    table reads whole or, if it is the system store that lost it, nothing starts."""
    server, tables, written = filled
    victim = objects(server)[0]
    victim.unlink()
    assert examine(server, tables, written, victim) != "unnoticed"
