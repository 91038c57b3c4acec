"""`strongroom verify` and the server say the same of a stopped data directory: what it has lost, and that it has lost
nothing."""

import shutil
import subprocess
from types import SimpleNamespace

import pytest
from support import canary
from support.server import binary
from support.tables import create_table, customer_key, error_of, fill, scan_all, sse, wait_until

READ_SECS_MAX = 20


def command(server):
    return [binary(), "verify", "--data", str(server.data), "--root-key", f"file:{server.root_key}"]


def verify(server):
    return subprocess.run(command(server), capture_output=True, text=True, timeout=120)


def remove(store, *patterns):
    """What these patterns name below `store`; each of them names something."""
    for pattern in patterns:
        found = list(store.glob(pattern))
        assert found, pattern
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def bytes_of(folder):
    return {path: path.read_bytes() for path in canary.files([folder])}


@pytest.fixture
def filled(own_server):
    """A running server with a table under a key of the customer's, and what is in it."""
    key = customer_key(own_server.kms)
    table = create_table(own_server.dynamodb, **sse(key))
    written = fill(own_server.dynamodb, table, 20)
    [folder] = (own_server.data / "store" / "tables").iterdir()
    return SimpleNamespace(
        server=own_server, key=key, table=table, written=written, store=own_server.data / "store", folder=folder
    )


def end(server, how):
    server.stop() if how == "stopped" else server.kill()


def assert_both_refuse(server, *named):
    """The server does not start, and `verify` finds damage; both name all of this, and nothing is written."""
    store = server.data / "store"
    before = bytes_of(store)
    for _ in range(2):
        verified = verify(server)
        assert verified.returncode == 1 and "DAMAGED" in verified.stdout, verified.stdout
        text = server.start_expecting_failure()
        for path in named:
            assert path in verified.stdout, verified.stdout
            assert path in text, text
    assert bytes_of(store) == before


def assert_both_refuse_table(directory, *named):
    """The same for a table: the server starts, and the table is damaged each time it is asked for."""
    server = directory.server
    for _ in range(2):
        verified = verify(server)
        assert verified.returncode == 1 and all(path in verified.stdout for path in named), verified.stdout
        server.start()
        error = error_of(scan_all, server.client("dynamodb", read_timeout=READ_SECS_MAX), directory.table)
        assert error and "stored data is damaged" in error[1], error
        assert all(path in server.output() for path in named), server.output()
        server.stop()


def assert_well(directory, *notes):
    """`verify` finds nothing wrong, and all is served; afterwards too."""
    server = directory.server
    verified = verify(server)
    assert verified.returncode == 0 and all(note in verified.stdout for note in notes), verified.stdout
    server.start()
    assert scan_all(server.dynamodb, directory.table) == directory.written
    assert server.kms.describe_key(KeyId=directory.key)["KeyMetadata"]["Enabled"]
    server.stop()
    assert verify(server).returncode == 0


@pytest.mark.parametrize("session", ["written", "only read"])
@pytest.mark.parametrize("log", ["system/wal", "tables/*/wal"])
def test_a_log_that_is_gone_after_a_clean_stop_has_lost_nothing(filled, log, session):
    """Whoever stops a server well has all of its rows in sorted runs: the log may go, and is told of."""
    if session == "only read":
        filled.server.restart()
        assert scan_all(filled.server.dynamodb, filled.table) == filled.written
    filled.server.stop()
    remove(filled.store, f"{log}/*")
    assert_well(filled, "is empty; what it held is in sorted runs")
    remove(filled.store, log)
    verified = verify(filled.server)
    assert verified.returncode == 1 and "the folder is missing" in verified.stdout, verified.stdout


def test_a_log_that_is_gone_after_a_crash_is_missed_whatever_is_in_sorted_runs(filled, tmp_path):
    """A server that runs empties its logs into sorted runs and goes on. After a crash no manifest knows what was written
    since, and no number of the log shows that it is gone."""
    server, store = filled.server, filled.store
    databases = [store / "system", filled.folder]
    newest = [max(database.glob("manifest/*")) for database in databases]
    wait_until(
        lambda: all(max(database.glob("manifest/*")) > old for database, old in zip(databases, newest, strict=True)),
        "the logs are emptied", 60, 0.2,
    )
    filled.written |= fill(server.dynamodb, filled.table, 20, prefix="later")
    filled.key = customer_key(server.kms)
    server.kill()
    away = tmp_path / "away"
    shutil.copytree(store, away)
    remove(store, "system/wal/*")
    assert_both_refuse(server, "system/wal")
    shutil.rmtree(store)
    shutil.copytree(away, store)
    remove(store, "tables/*/wal/*")
    assert_both_refuse_table(filled, f"tables/{filled.folder.name}/wal")
    shutil.rmtree(store)
    shutil.copytree(away, store)
    assert_well(filled)


# What is lost of `store`, and what both name.
LOSSES = {
    "log and anchor": (["system/wal/*", "anchor"], ["store/system/wal", "store/anchor"]),
    "log, anchor and tables": (["system/wal/*", "anchor", "tables"], ["store/system/wal", "store/anchor"]),
    "log, manifests, anchor and tables": (
        ["system/wal/*", "system/manifest/*", "anchor", "tables"],
        ["store/system/wal", "store/system/manifest", "store/anchor"],
    ),
    "all but material": (
        ["system/keyring/*", "system/wal/*", "system/manifest/*", "anchor", "tables"],
        ["store/system/keyring", "store/system/wal", "store/system/manifest", "store/anchor"],
    ),
    "keyring": (["system/keyring/*"], ["store/system/keyring"]),
    "all but the root key": (["system", "anchor", "tables"], ["store/system"]),
    "all but the log": (["root", "system/keyring/*", "anchor", "tables"], ["store/root"]),
}


@pytest.mark.parametrize("how", ["stopped", "killed"])
@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_lost_of_the_system_store_is_named(filled, tmp_path, loss, how):
    """No server is started anew in the place of what is gone, and what is named is what is to be put back, no more."""
    end(filled.server, how)
    patterns, named = LOSSES[loss]
    away = tmp_path / "away"
    shutil.copytree(filled.store, away)
    remove(filled.store, *patterns)
    assert_both_refuse(filled.server, *named)
    shutil.rmtree(filled.store)
    shutil.copytree(away, filled.store)
    assert_well(filled)


def test_a_key_that_is_gone_with_the_log_is_missed_without_a_table(own_server):
    """A directory of before there were anchors that holds keys for others and no table: what is left of them is their
    material."""
    server = own_server
    customer_key(server.kms)
    server.kill()
    remove(server.data / "store", "system/wal/*", "anchor")
    assert_both_refuse(server, "store/system/wal")


def folder_instead(path):
    path.unlink()
    path.mkdir()


def folder_after(path):
    number, end_of_name = path.name[:20], path.name[20:]
    (path.parent / f"{int(number) + 1:020}{end_of_name}").mkdir()


def link_after(path):
    number, end_of_name = path.name[:20], path.name[20:]
    (path.parent / f"{int(number) + 1:020}{end_of_name}").symlink_to("nowhere")


@pytest.mark.parametrize("make", [folder_instead, folder_after, link_after])
@pytest.mark.parametrize("of", ["system/wal", "system/manifest", "system/keyring", "anchor", "root"])
def test_what_is_no_file_in_the_place_of_an_object_is_damage(filled, of, make):
    """It is in no listing, and what should be in its place can be neither read nor written."""
    filled.server.stop()
    make(max((filled.store / of).iterdir()))
    [no_file] = [path for path in (filled.store / of).iterdir() if not path.is_file()]
    assert_both_refuse(filled.server, f"{of}/{no_file.name}")


@pytest.mark.parametrize("make", [folder_instead, folder_after, link_after])
@pytest.mark.parametrize("of", ["wal", "manifest", "keyring"])
def test_what_is_no_file_in_the_place_of_a_tables_object_is_damage(filled, of, make):
    """The same in a table, and nobody waits for it."""
    filled.server.stop()
    make(max((filled.folder / of).iterdir()))
    [no_file] = [path for path in (filled.folder / of).iterdir() if not path.is_file()]
    named = [f"{of}/{no_file.name}"] if (of, make) != ("keyring", folder_instead) else [filled.folder.name]
    assert_both_refuse_table(filled, *named)


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_what_others_put_between_the_objects_is_no_damage(filled, how):
    """A desktop, a network file system or a person leaves files and folders behind: `verify` names them, and nobody
    else sees them."""
    end(filled.server, how)
    folders = [path for path in filled.store.rglob("*") if path.is_dir()]
    for folder in folders:
        (folder / ".DS_Store").write_bytes(b"\0\0")
        (folder / "photos").mkdir()
    assert_well(filled, *(f"{folder.relative_to(filled.server.data)}/.DS_Store" for folder in folders))


@pytest.mark.parametrize("linked", ["tables", "system", "system/wal", "system/compacted", "tables/*/wal"])
def test_a_part_on_another_disk_is_no_damage(filled, tmp_path, linked):
    """A folder that is a link is that folder, for the server and for `verify`."""
    filled.server.stop()
    [folder] = filled.store.glob(linked)
    shutil.move(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert_well(filled)


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[:40] + b"\0" * 60 + content[100:]])
def test_damage_to_what_nobody_needs_is_told_as_that(filled, damage):
    """Old manifests and emptied logs lie there until they are collected: what has changed in them speaks of the disk, and
    loses nothing."""
    filled.server.stop()
    old = [min((filled.folder / "manifest").iterdir()), filled.store / "system" / "wal" / f"{2:020}.sst"]
    whole = [path.read_bytes() for path in old]
    for path, content in zip(old, whole, strict=True):
        path.write_bytes(damage(content))
    verified = verify(filled.server)
    assert verified.returncode == 1 and verified.stdout.count("nothing refers to it any more") == 2, verified.stdout
    for path in old:
        assert path.name in verified.stdout, verified.stdout
        path.unlink()
    assert_well(filled)


def test_a_directory_without_any_start_is_told_of(own_server):
    """What an emptied `store` looks like is also what a first start that was cut short leaves: that is well, and said."""
    own_server.stop()
    remove(own_server.data / "store", "*")
    verified = verify(own_server)
    assert verified.returncode == 0 and "no server has finished its first start here" in verified.stdout, verified.stdout


def test_a_report_that_nobody_gets_says_nothing_good(filled):
    """Standard output is full, or whoever reads it has gone: that is told as what it is, and is no damage. Damage is
    damage all the same."""
    filled.server.stop()

    def verify_into(output):
        return subprocess.run(command(filled.server), stdout=output, stderr=subprocess.PIPE, text=True, timeout=120)

    def verify_into_nobody():
        process = subprocess.Popen(command(filled.server), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        process.stdout.close()
        return SimpleNamespace(stderr=process.stderr.read(), returncode=process.wait(120))

    with open("/dev/full", "wb") as full:
        reports = [verify_into(full), verify_into_nobody()]
        remove(filled.store, "tables/*/keyring")
        damaged = verify_into(full)
    for report, why in zip([*reports, damaged], ["No space left", "Broken pipe", "No space left"], strict=True):
        assert "the report cannot be written to standard output" in report.stderr and why in report.stderr, report
        assert "data directory" not in report.stderr, report.stderr
    assert [report.returncode for report in [*reports, damaged]] == [2, 2, 1]
