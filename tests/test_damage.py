"""A stopped data directory is damaged; the server notices, names the object, and does not hang."""

import random
import shutil
import subprocess

import pytest
from support import canary
from support.server import binary
from support.tables import create_table, customer_key, error_of, fill, item, scan_all, sse, wait_switched

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
            assert error[0] == "InternalServerError" and "stored data is damaged" in error[1], error
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


def verify(server):
    """What `strongroom verify` says of the stopped server's directory."""
    return subprocess.run(
        [binary(), "verify", "--data", str(server.data), "--root-key", f"file:{server.root_key}"],
        capture_output=True, text=True, timeout=120,
    )


def test_verify_finds_every_flipped_byte(filled):
    """`strongroom verify` opens every object: healthy data passes, one flipped byte anywhere does not, and the
    object is named."""
    server, _, _ = filled
    rng = random.Random(5)
    healthy = verify(server)
    assert healthy.returncode == 0, healthy.stdout + healthy.stderr
    for path in rng.sample(objects(server), min(8, len(objects(server)))):
        content = path.read_bytes()
        path.write_bytes(flip(content, rng))
        found = verify(server)
        assert found.returncode != 0, f"{path} is damaged and verify says all is well"
        assert names(found.stdout + found.stderr, path), found.stdout + found.stderr
        path.write_bytes(content)
    assert verify(server).returncode == 0


def test_swapped_objects_are_noticed(filled):
    """Two healthy objects change places: each authenticates only where it was written."""
    server, tables, written = filled
    first, second = objects(server)[:2]
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)
    assert examine(server, tables, written, first, second) != "unnoticed"


def test_a_keyring_that_names_another_key_is_damaged(own_server):
    """The KMS key's ARN in a keyring is in clear and read before anything can authenticate it: a flipped bit there is
    damage, and no key that was deleted."""
    dynamodb = own_server.dynamodb
    key = customer_key(own_server.kms)
    table = create_table(dynamodb, **sse(key))
    written = fill(dynamodb, table, 5)
    own_server.stop()
    [keyring] = (own_server.data / "store" / "tables").glob("*/keyring/*")
    whole = keyring.read_bytes()
    at = whole.index(key.encode())
    for place in (at, at + len("arn:aws:kms:us-east-1:000000000000:k"), at + len(key) - 1):
        keyring.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        found = verify(own_server)
        assert found.returncode == 1 and names(found.stdout, keyring) and key in found.stdout, found.stdout
        assert examine(own_server, [table], {table: written}, keyring) == "failed"
    keyring.write_bytes(whole)
    assert examine(own_server, [table], {table: written}) == "unnoticed"


def test_an_older_keyring_is_noticed(own_server, tmp_path):
    """Rollback of keys: after a switch, the table's keyring of before is put back. It authenticates under a key
    that still works, and is refused all the same, by name."""
    dynamodb, kms = own_server.dynamodb, own_server.kms
    first, second = customer_key(kms), customer_key(kms)
    table = create_table(dynamodb, **sse(first))
    fill(dynamodb, table, 25)
    [keyring] = [p for p in own_server.data.rglob("keyring") if "tables" in p.parts]
    shutil.copytree(keyring, tmp_path / "older")
    dynamodb.update_table(TableName=table, **sse(second))
    wait_switched(dynamodb, table, second)
    own_server.stop()
    shutil.move(keyring, tmp_path / "newer")
    shutil.copytree(tmp_path / "older", keyring)
    own_server.start()
    error = error_of(scan_all, own_server.client("dynamodb", read_timeout=READ_SECS_MAX), table)
    assert error and error[0] in ("InternalServerError", "InternalFailure"), error
    assert "rolled back" in own_server.output()
    own_server.stop()
    shutil.rmtree(keyring)
    shutil.move(tmp_path / "newer", keyring)
    own_server.start()
    assert len(scan_all(own_server.dynamodb, table)) == 25


def test_an_older_copy_of_a_table_is_noticed(own_server, tmp_path):
    """Rollback of data: yesterday's copy of all tables' objects is put back, the system store is today's. Each
    object authenticates; the table is refused all the same."""
    dynamodb = own_server.dynamodb
    table = create_table(dynamodb)
    fill(dynamodb, table, 100, bytes_each=20_000)
    own_server.stop()
    tables = own_server.data / "store" / "tables"
    yesterday = tmp_path / "yesterday"
    shutil.copytree(tables, yesterday)
    own_server.start()
    fill(own_server.dynamodb, table, 100, prefix="newer", bytes_each=20_000)
    own_server.stop()
    shutil.rmtree(tables)
    shutil.copytree(yesterday, tables)
    verified = verify(own_server)
    assert verified.returncode == 1 and "the catalogue has seen number" in verified.stdout, verified.stdout
    own_server.start()
    error = error_of(scan_all, own_server.client("dynamodb", read_timeout=READ_SECS_MAX), table)
    assert error and error[0] in ("InternalServerError", "InternalFailure"), error
    assert "rolled back" in own_server.output()


def test_missing_objects_are_noticed(filled):
    """The largest object of the data directory is deleted: its table fails, or the server refuses; the other
    table reads whole or, if it is the system store that lost it, nothing starts."""
    server, tables, written = filled
    victim = objects(server)[0]
    victim.unlink()
    assert examine(server, tables, written, victim) != "unnoticed"


def log_of(folder):
    return sorted((folder / "wal").iterdir())


def bytes_of(folder):
    return {path: path.read_bytes() for path in canary.files([folder])}


# Numbers at which storage looks for the log's end, and two at which it does not.
HOLES = (1, 2, 3, 4, 7, 8, 16)


def test_a_hole_in_a_tables_log_is_noticed(own_server, tmp_path):
    """An object from the middle of a table's write-ahead log is gone: the table is refused, by name, each time it is
    asked for, nothing is written over the hole, and `verify` finds it before and after. Put back, all is there."""
    server = own_server
    table = create_table(server.dynamodb)
    expected = {f"item-{n}" for n in range(20)}
    for pk in sorted(expected):
        server.dynamodb.put_item(TableName=table, Item=item(pk))
    server.kill()
    [folder] = (server.data / "store" / "tables").iterdir()
    assert [int(path.stem) for path in log_of(folder)][:20] == list(range(1, 21))
    for number in HOLES:
        hole = folder / "wal" / f"{number:020}.sst"
        shutil.move(hole, tmp_path / "gone")
        before = bytes_of(folder)
        assert verify(server).returncode == 1
        server.start()
        for _ in range(2):
            error = error_of(scan_all, server.client("dynamodb", read_timeout=READ_SECS_MAX), table)
            assert error and "stored data is damaged" in error[1], (number, error)
            assert error_of(server.dynamodb.put_item, TableName=table, Item=item("more")), number
        assert f"tables/{folder.name}/wal/{hole.name}" in server.output(), server.output()
        server.stop()
        verified = verify(server)
        assert verified.returncode == 1 and hole.name in verified.stdout, verified.stdout
        assert bytes_of(folder) == before, number
        shutil.move(tmp_path / "gone", hole)
    server.start()
    assert set(scan_all(server.dynamodb, table)) == expected


@pytest.mark.parametrize("lost", ["all of the log", "the end of the log", "the folder of the log"])
def test_a_lost_log_of_a_table_is_noticed(own_server, tmp_path, lost):
    """A table's log is gone after a crash, or its end from before it was last opened: no gap shows it, but the
    catalogue knows how far it went. The table is refused by name, `verify` names what is missing, and put back, all
    is there."""
    server = own_server
    table = create_table(server.dynamodb)
    for n in range(6):
        server.dynamodb.put_item(TableName=table, Item=item(f"item-{n}"))
    server.kill()
    if lost == "the end of the log":
        server.start()
        assert len(scan_all(server.dynamodb, table)) == 6
        server.kill()
    [folder] = (server.data / "store" / "tables").iterdir()
    log = folder / "wal"
    newest = log_of(folder)[-1]
    away = tmp_path / "away"
    shutil.copytree(log, away)
    missing = {"all of the log": "/00000000000000000001.sst", "the end of the log": f"/{newest.name}"}.get(lost, "")
    if lost == "the end of the log":
        newest.unlink()
    else:
        shutil.rmtree(log)
        if missing:
            log.mkdir()
    before = bytes_of(folder)
    for _ in range(2):
        verified = verify(server)
        assert verified.returncode == 1 and f"tables/{folder.name}/wal{missing}" in verified.stdout, verified.stdout
        server.start()
        error = error_of(scan_all, server.client("dynamodb", read_timeout=READ_SECS_MAX), table)
        assert error and error[0] == "InternalServerError", error
        assert error_of(server.dynamodb.put_item, TableName=table, Item=item("more"))
        assert f"tables/{folder.name}/wal{missing}" in server.output(), server.output()
        server.stop()
    assert bytes_of(folder) == before and log.exists() == bool(missing)
    shutil.rmtree(log, ignore_errors=True)
    shutil.copytree(away, log)
    assert verify(server).returncode == 0
    server.start()
    assert len(scan_all(server.dynamodb, table)) == 6


def test_a_hole_in_the_system_stores_log_is_noticed(own_server, tmp_path):
    """The same for keys, catalogue and trail: the server does not start, however often it is tried."""
    server = own_server
    keys = [customer_key(server.kms) for _ in range(16)]
    table = create_table(server.dynamodb, **sse(keys[-1]))
    server.kill()
    folder = server.data / "store" / "system"
    for number in HOLES:
        hole = folder / "wal" / f"{number:020}.sst"
        shutil.move(hole, tmp_path / "gone")
        before = bytes_of(folder)
        for _ in range(2):
            text = server.start_expecting_failure()
            assert f"system/wal/{hole.name}" in text and "damaged" in text, (number, text)
        verified = verify(server)
        assert verified.returncode == 1 and hole.name in verified.stdout, verified.stdout
        assert bytes_of(folder) == before, number
        shutil.move(tmp_path / "gone", hole)
    server.start()
    assert all(server.kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"] for key in keys)
    assert scan_all(server.dynamodb, table) == {}


def remove(*paths):
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


# What is lost of `store`, and what the refusal names.
SYSTEM_LOSSES = {
    "the system store": (["system"], "store/system"),
    "the system store and its anchor": (["system", "anchor"], "store/system"),
    "the system store and the root key": (["system", "root"], "store/root"),
    "its keyring, log and manifests": (["system/keyring/*", "system/wal/*", "system/manifest/*"], "store/system"),
    "its log and manifests": (["system/wal/*", "system/manifest/*"], "`system`"),
    "its log": (["system/wal/*"], "system/wal/00000000000000000001.sst"),
    "its log and its anchor": (["system/wal/*", "anchor"], "store/system"),
    "its manifests": (["system/manifest/*"], "system/manifest"),
}


@pytest.mark.parametrize("loss", SYSTEM_LOSSES)
def test_a_system_store_that_is_gone_is_noticed(own_server, tmp_path, loss):
    """A mount that did not come up, a bad restore: the tables' folders are there, and the store with their names and
    keys is not. No new one is started in its place: the server refuses and says what to put back, `verify` as well,
    nothing is written, and put back, all is there."""
    server = own_server
    key = customer_key(server.kms)
    table = create_table(server.dynamodb, **sse(key))
    written = fill(server.dynamodb, table, 12)
    server.kill()
    patterns, named = SYSTEM_LOSSES[loss]
    store, away = server.data / "store", tmp_path / "away"
    shutil.copytree(store, away)
    remove(*(path for pattern in patterns for path in store.glob(pattern)))
    before = bytes_of(store)
    for _ in range(2):
        text = server.start_expecting_failure()
        assert named in text and ("put" in text or "restore" in text), text
        verified = verify(server)
        assert verified.returncode == 1 and "DAMAGED" in verified.stdout, verified.stdout
        assert named.strip("`").removeprefix("store/") in verified.stdout, verified.stdout
    assert bytes_of(store) == before
    shutil.rmtree(store)
    shutil.copytree(away, store)
    assert verify(server).returncode == 0
    server.start()
    assert scan_all(server.dynamodb, table) == written


def test_a_store_that_is_gone_whole_is_noticed(own_server, tmp_path):
    """The same with all that is stored: what is left says that a server has been here."""
    server = own_server
    table = create_table(server.dynamodb)
    server.stop()
    store, away = server.data / "store", tmp_path / "away"
    shutil.move(store, away)
    assert "the folder `store` of the data directory" in server.start_expecting_failure()
    verified = verify(server)
    assert verified.returncode == 2 and "the folder `store`" in verified.stderr, verified.stderr
    assert not store.exists()
    shutil.move(away, store)
    server.start()
    assert scan_all(server.dynamodb, table) == {}


@pytest.mark.parametrize("stopped", [True, False])
def test_an_older_system_store_is_noticed(own_server, tmp_path, stopped):
    """What the system store got since it was last opened or closed is cut off, or yesterday's copy is put in its place.
    Each object authenticates; the server refuses by name all the same, and so does `verify`."""
    server = own_server
    table = create_table(server.dynamodb)
    server.stop()
    system = server.data / "store" / "system"
    yesterday, today = tmp_path / "yesterday", tmp_path / "today"
    shutil.copytree(system, yesterday)
    server.start()
    second = create_table(server.dynamodb)
    server.stop() if stopped else server.kill()
    shutil.move(system, today)
    shutil.copytree(yesterday, system)
    verified = verify(server)
    assert verified.returncode == 1 and "the anchor has seen number" in verified.stdout, verified.stdout
    assert "`system` was rolled back" in server.start_expecting_failure()
    shutil.rmtree(system)
    shutil.copytree(today, system)
    if not stopped:
        # Only the log's end, with the object that the last opening has written.
        known = {path.name for path in log_of(yesterday)}
        cut = [path for path in log_of(system) if path.name not in known]
        remove(*cut)
        verified = verify(server)
        assert verified.returncode == 1 and f"system/wal/{cut[0].name}" in verified.stdout, verified.stdout
        assert f"system/wal/{cut[0].name}" in server.start_expecting_failure()
        shutil.rmtree(system)
        shutil.copytree(today, system)
    server.start()
    assert {table, second} <= set(server.dynamodb.list_tables()["TableNames"])


def test_a_lost_anchor_loses_nothing(own_server):
    """The object that says how far the system store reaches is gone while that store is there, as in a directory of an
    older build: `verify` says so, and so does the server, makes it anew, and serves."""
    server = own_server
    table = create_table(server.dynamodb)
    written = fill(server.dynamodb, table, 5)
    server.stop()
    anchor = server.data / "store" / "anchor"
    shutil.rmtree(anchor)
    verified = verify(server)
    assert verified.returncode == 0 and "there is no anchor" in verified.stdout, verified.stdout
    server.start()
    assert "`store/anchor` is missing" in server.output()
    assert scan_all(server.dynamodb, table) == written
    server.stop()
    assert len(list(anchor.iterdir())) == 1
    verified = verify(server)
    assert verified.returncode == 0 and "there is no anchor" not in verified.stdout, verified.stdout
    server.start()
    assert "`store/anchor` is missing" not in server.output()


def test_verify_misses_the_table_whose_row_is_gone(own_server):
    """The end of the system store's log is cut off, which nothing else can notice: a table that was made in it is
    there with keys and data, and nobody knows it. That is not well."""
    server = own_server
    create_table(server.dynamodb)
    server.restart()
    log = server.data / "store" / "system" / "wal"
    before = set(log.iterdir())
    table = create_table(server.dynamodb)
    fill(server.dynamodb, table, 50)
    server.kill()
    assert verify(server).returncode == 0
    for path in set(log.iterdir()) - before:
        path.unlink()
    verified = verify(server)
    assert verified.returncode == 1, verified.stdout
    assert "the catalogue has no such table" in verified.stdout, verified.stdout
