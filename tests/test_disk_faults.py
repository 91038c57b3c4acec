"""The disk fills up, turns read-only or vanishes: clear errors, no hang, nothing lost, and serving resumes."""

import errno
import os
import shutil
import subprocess
import time

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from support.tables import create_table, customer_key, error_of, fill, item, scan_all, sse, wait_until

DISK_BYTES = 24 * 1024 * 1024


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, 24 MB; needs the right to mount."""
    place = tmp_path / "small-disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"SKIPPED, needs root: cannot mount a small disk here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.fixture
def server_on_disk(make_server, small_disk):
    server = make_server(data=small_disk / "data").start()
    table = create_table(server.dynamodb)
    written = fill(server.dynamodb, table, 25)
    yield server, table, written
    server.kill()


def put(server, table, pk, size=100):
    """One put; returns the error code, or None when it was acknowledged. Fails when it takes too long."""
    started = time.monotonic()
    try:
        server.client("dynamodb", read_timeout=30).put_item(TableName=table, Item=item(pk, v="x" * size))
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500, error
        return error.response["Error"]["Code"]
    except BotoCoreError as error:
        pytest.fail(f"no answer after {time.monotonic() - started:.1f} s: {error}")
    return None


def recovers(server, table):
    """The mended disk serves again, without a restart."""
    wait_until(lambda: put(server, table, "after") is None, "writes are served again", 30, 0.3)


def test_a_full_disk(server_on_disk):
    """Writes fail with an error that says so in the log; reads go on; with room again, so do writes; and nothing
    that was acknowledged is missing, then or after a restart."""
    server, table, written = server_on_disk
    acknowledged = set(written)
    refused = 0
    for n in range(400):
        error = put(server, table, f"big-{n}", 300_000)
        if error is None:
            acknowledged.add(f"big-{n}")
        else:
            refused += 1
            if refused == 3:
                break
    assert refused == 3, "the disk never filled up"
    text = server.output().lower()
    assert "no space" in text or "full" in text or "enospc" in text, text[-2000:]
    assert server.dynamodb.get_item(TableName=table, Key=item("item-000000"))["Item"] == written["item-000000"]
    subprocess.run(["mount", "-o", f"remount,size={8 * DISK_BYTES}", str(server.data.parent)], check=True)
    recovers(server, table)
    assert acknowledged <= set(scan_all(server.dynamodb, table))
    server.restart()
    assert acknowledged <= set(scan_all(server.dynamodb, table))


def test_keys_when_the_disk_is_full(server_on_disk):
    """The server's own records find no room: no key can be made or changed, and the error says so; tables are read
    on. With room again keys are made, and obeyed, without a restart."""
    server, table, written = server_on_disk
    kms = server.client("kms", read_timeout=30)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = create_table(server.dynamodb, **sse(key))
    ballast = server.data.parent / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
    code, message = error_of(kms.disable_key, KeyId=key)
    assert code == "KMSInternalException", (code, message)
    assert error_of(kms.create_key)[0] == "KMSInternalException"
    # A call that cannot be written into the trail is not answered.
    assert error_of(kms.describe_key, KeyId=key)[0] == "KMSInternalException"
    assert server.dynamodb.get_item(TableName=table, Key=item("item-000000"))["Item"] == written["item-000000"]
    ballast.unlink()
    wait_until(lambda: error_of(kms.create_key) is None, "keys can be made again", 30, 0.3)
    recovers(server, table)
    assert set(written) <= set(scan_all(server.dynamodb, table))
    assert error_of(server.dynamodb.put_item, TableName=sealed, Item=item("a")) is None
    kms.disable_key(KeyId=key)
    assert "is disabled" in error_of(server.dynamodb.get_item, TableName=sealed, Key=item("a"))[1]
    kms.enable_key(KeyId=key)
    assert server.dynamodb.get_item(TableName=sealed, Key=item("a"))["Item"] == item("a")


def test_a_read_only_disk(server_on_disk):
    """Remounted read-only under the running server: writes fail, reads go on, and all heals."""
    server, table, written = server_on_disk
    remounted = subprocess.run(["mount", "-o", "remount,ro", str(server.data.parent)], capture_output=True, text=True)
    if remounted.returncode != 0:
        pytest.skip(f"SKIPPED: the kernel refuses to remount read-only with files open: {remounted.stderr.strip()}")
    assert put(server, table, "refused")
    text = server.output().lower()
    assert "read-only" in text, text[-2000:]
    assert server.dynamodb.get_item(TableName=table, Key=item("item-000001"))["Item"] == written["item-000001"]
    subprocess.run(["mount", "-o", "remount,rw", str(server.data.parent)], check=True)
    recovers(server, table)
    assert set(written) <= set(scan_all(server.dynamodb, table))


def test_a_directory_that_may_not_be_written_any_more(own_server):
    """Every folder of the data is made immutable under the running server: the same."""
    table = create_table(own_server.dynamodb)
    written = fill(own_server.dynamodb, table, 25)
    frozen = subprocess.run(["chattr", "-R", "+i", str(own_server.data / "store")], capture_output=True, text=True)
    if frozen.returncode != 0:
        subprocess.run(["chattr", "-R", "-i", str(own_server.data / "store")], capture_output=True)
        pytest.skip(f"SKIPPED, needs root and a file system with immutable files: {frozen.stderr.strip()}")
    try:
        assert put(own_server, table, "refused")
        text = own_server.output().lower()
        assert "not permitted" in text, text[-2000:]
        # A read is served, or fails in the same clear way; it is never wrong and never hangs.
        error = error_of(own_server.dynamodb.get_item, TableName=table, Key=item("item-000001"))
        assert error is None or error[0] == "InternalServerError", error
    finally:
        subprocess.run(["chattr", "-R", "-i", str(own_server.data / "store")], check=True)
    recovers(own_server, table)
    assert set(written) <= set(scan_all(own_server.dynamodb, table))
    own_server.restart()
    assert set(written) <= set(scan_all(own_server.dynamodb, table))


def test_starting_on_a_read_only_disk(server_on_disk):
    server, _, _ = server_on_disk
    server.stop()
    subprocess.run(["mount", "-o", "remount,ro", str(server.data.parent)], check=True)
    text = server.start_expecting_failure().lower()
    assert "read-only" in text, text


def fill_to(place, free):
    """Fills a small disk up to `free` blocks of 4 KiB."""
    ballast = place / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
        file.truncate(file.tell() - 4096 * free)
    return ballast


@pytest.mark.parametrize("dev", [True, False])
def test_a_first_start_on_a_full_disk(make_server, small_disk, dev):
    """It fails, and says why, wherever it is cut short; once there is room the next one works."""
    for free in range(18):
        server = make_server(f"server-{free}", dev=dev, data=small_disk / f"data-{free}")
        server.root_key = small_disk / f"root-{free}.key"
        ballast = fill_to(small_disk, free)
        try:
            server.start()
        except AssertionError as error:
            assert "no space" in str(error).lower() or "full" in str(error).lower(), error
        server.kill()
        ballast.unlink()
        server.start()
        server.stop()


def test_a_vanished_directory(own_server):
    """The data directory is moved away under the running server: an error, no hang; moved back, all is there."""
    table = create_table(own_server.dynamodb)
    key = customer_key(own_server.kms)
    written = fill(own_server.dynamodb, table, 25)
    away = own_server.data.with_name("away")
    os.rename(own_server.data, away)
    error = put(own_server, table, "while away")
    assert error_of(own_server.kms.create_key), "the server's own records are away too"
    for protection in ({}, sse(key)):
        code, message = error_of(create_table, own_server.client("dynamodb", read_timeout=30), **protection)
        assert code == "InternalServerError" and "storage is unavailable" in message, (code, message)
    # Never a new, empty store in the place of the old one: it would be in the way of what is put back.
    assert not own_server.data.exists(), list(own_server.data.rglob("*"))
    os.rename(away, own_server.data)
    wait_until(lambda: put(own_server, table, "after") is None, "writes are served again", 30, 0.3)
    wait_until(lambda: error_of(own_server.kms.create_key) is None, "keys can be made again", 30, 0.3)
    expected = set(written) | {"after"} | ({"while away"} if error is None else set())
    assert expected <= set(scan_all(own_server.dynamodb, table))
    own_server.restart()
    assert expected <= set(scan_all(own_server.dynamodb, table))


@pytest.mark.parametrize("part", ["table", "log", "system"])
def test_a_vanished_folder_of_the_data_directory(own_server, part):
    """A folder within the data directory is moved away: no empty one is started in its place, nothing is acknowledged
    into it; put back, all is there, without a restart and after one."""
    table = create_table(own_server.dynamodb)
    written = fill(own_server.dynamodb, table, 25)
    [folder] = (own_server.data / "store" / "tables").iterdir()
    folder = {"table": folder, "log": folder / "wal", "system": own_server.data / "store" / "system"}[part]
    away = own_server.data.parent / "away"
    os.rename(folder, away)
    for _ in range(3):
        if part == "system":
            assert error_of(own_server.kms.create_key)[0] == "KMSInternalException"
        else:
            assert put(own_server, table, "while away") == "InternalServerError"
    assert not folder.exists(), list(folder.rglob("*"))
    assert f"the folder `{folder.relative_to(own_server.data / 'store')}" in own_server.output(), own_server.output()
    os.rename(away, folder)
    wait_until(lambda: put(own_server, table, "after") is None, "writes are served again", 30, 0.3)
    wait_until(lambda: error_of(own_server.kms.create_key) is None, "keys can be made again", 30, 0.3)
    for _ in range(2):
        assert set(written) | {"after"} <= set(scan_all(own_server.dynamodb, table))
        own_server.restart()


def test_a_data_directory_that_cannot_be_made(make_server, tmp_path):
    blocked = tmp_path / "a-file"
    blocked.write_text("in the way")
    text = make_server(data=blocked / "data").start_expecting_failure()
    assert str(blocked) in text, text
