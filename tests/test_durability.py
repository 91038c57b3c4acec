"""Acknowledged means durable: kill -9 at random moments, polite stops, one process per directory."""

import os
import random
import socket
import signal
import threading
import time
import urllib.parse

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from support.tables import create_table, customer_key, describe, item, scan_all, sse, fill, wait_until, unique

ROUNDS = int(os.environ.get("STRONGROOM_CRASH_ROUNDS", "20"))


def test_twenty_crashes_lose_no_acknowledged_write(own_server):
    """Writers put, overwrite and delete in three tables while the server is killed with -9 at random moments.
    After each restart every item is as its last acknowledged call left it, or as a call that was under way
    when the server died would have."""
    rng = random.Random(os.environ.get("STRONGROOM_SEED", "20"))
    dynamodb = own_server.dynamodb
    tables = [create_table(dynamodb), create_table(dynamodb, **sse()), create_table(dynamodb, **sse(customer_key(own_server.kms)))]
    # (table, pk) -> the values that it may have: the acknowledged one, and those of calls without an answer.
    possible: dict[tuple[str, str], set] = {}
    acknowledged = 0
    for round_ in range(ROUNDS):
        stop = threading.Event()
        done = []

        def write(thread, stop=stop, done=done, round_=round_):
            client, writer_rng, turn = own_server.client("dynamodb", read_timeout=5), random.Random(round_ * 100 + thread), 0
            while not stop.is_set():
                turn += 1
                where = (writer_rng.choice(tables), f"t{thread}-{writer_rng.randrange(30)}")
                value = None if writer_rng.random() < 0.2 else f"{round_}-{turn}"
                before = possible.get(where, {None})
                possible[where] = before | {value}
                try:
                    if value is None:
                        client.delete_item(TableName=where[0], Key=item(where[1]))
                    else:
                        client.put_item(TableName=where[0], Item=item(where[1], v=value))
                except (BotoCoreError, ClientError, OSError):
                    if not stop.is_set():
                        time.sleep(0.01)
                    continue
                possible[where] = {value}
                done.append(1)

        threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.05, 0.8))
        own_server.kill()
        stop.set()
        for thread in threads:
            thread.join()
        acknowledged += len(done)
        own_server.start()
        dynamodb = own_server.dynamodb
        found = {table: scan_all(dynamodb, table) for table in tables}
        for (table, pk), values in possible.items():
            stored = found[table].get(pk, {}).get("v", {}).get("S")
            assert stored in values, f"round {round_}: {pk} is {stored!r}, must be one of {values}"
            possible[(table, pk)] = {stored}
    assert acknowledged > ROUNDS * 20, "too few writes to mean anything"


def test_a_crash_keeps_batches_whole_and_tables_usable(own_server):
    """Crashes while tables are made, switched and deleted: each table that is listed is whole."""
    rng = random.Random(3)
    kept = {}
    for round_ in range(6):
        dynamodb, kms = own_server.dynamodb, own_server.kms
        table = create_table(dynamodb, **sse(customer_key(kms)))
        kept[table] = fill(dynamodb, table, 25)

        def churn(round_=round_):
            client, keys = own_server.dynamodb, own_server.kms
            try:
                while True:
                    name = unique(f"churn-{round_}")
                    create_table(client, name, **sse(customer_key(keys)))
                    client.update_table(TableName=name, **sse(customer_key(keys)))
                    client.put_item(TableName=name, Item=item("a"))
                    client.delete_table(TableName=name)
            except (BotoCoreError, ClientError, OSError):
                pass

        thread = threading.Thread(target=churn)
        thread.start()
        time.sleep(rng.uniform(0.1, 0.6))
        own_server.kill()
        thread.join()
        own_server.start()
        dynamodb = own_server.dynamodb
        listed = [n for page in dynamodb.get_paginator("list_tables").paginate() for n in page["TableNames"]]
        assert set(kept) <= set(listed)
        for name in listed:
            wait_until(lambda n=name: describe_status(dynamodb, n) in ("ACTIVE", None), f"{name} settles")
            if describe_status(dynamodb, name):
                assert scan_all(dynamodb, name).keys() >= kept.get(name, {}).keys()


def describe_status(dynamodb, table):
    try:
        return describe(dynamodb, table)["TableStatus"]
    except ClientError:
        return None


@pytest.mark.parametrize("signal_", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_polite_stop_drains_within_seconds(own_server, signal_):
    """Under load: requests under way are answered or cleanly refused, what was acknowledged is kept."""
    table = create_table(own_server.dynamodb)
    acknowledged, lock, stop = set(), threading.Lock(), threading.Event()

    def write(thread):
        client, turn = own_server.dynamodb, 0
        while not stop.is_set():
            turn += 1
            try:
                client.put_item(TableName=table, Item=item(f"{thread}-{turn}"))
                with lock:
                    acknowledged.add(f"{thread}-{turn}")
            except (BotoCoreError, ClientError, OSError):
                return

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(acknowledged) > 50, "writes go on")
    assert own_server.stop(with_signal=signal_) < 8
    stop.set()
    for thread in threads:
        thread.join()
    own_server.start()
    assert acknowledged <= set(scan_all(own_server.dynamodb, table))


HALVES = {
    "nothing": b"",
    "half a head": b"POST / HTTP/1.1\r\n",
    "half a body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{",
    "half a large body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n{",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a silent client of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]),
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
def test_a_client_that_does_nothing_does_not_hold_up_the_stop(own_server, sent):
    where = urllib.parse.urlsplit(own_server.url)
    with socket.create_connection((where.hostname, where.port)) as connection:
        connection.sendall(sent)
        own_server.dynamodb.list_tables()
        assert own_server.stop() < 6


def test_one_directory_one_process(own_server, make_server):
    """A second server on the same data is refused with a clear error, and the first does not notice."""
    table = create_table(own_server.dynamodb)
    second = make_server("second", data=own_server.data)
    second.root_key = own_server.root_key
    text = second.start_expecting_failure()
    assert str(own_server.data) in text and ("another" in text or "in use" in text), text
    own_server.dynamodb.put_item(TableName=table, Item=item("a"))
    # A crashed owner leaves no lock behind.
    own_server.restart(crash=True)
    assert list(scan_all(own_server.dynamodb, table)) == ["a"]


@pytest.mark.parametrize("case", ["another key", "no key"])
def test_the_wrong_root_key_opens_nothing_and_changes_nothing(own_server, make_server, case):
    """Another server's key, or none at all: a clear error that names the file, no new key that would hide the
    mistake, and not a byte of the data changed."""
    from support import canary

    table = create_table(own_server.dynamodb)
    fill(own_server.dynamodb, table, 25)
    own_server.stop()
    before = {p: p.read_bytes() for p in canary.files([own_server.data])}
    right = own_server.root_key
    if case == "another key":
        other = make_server("other").start()
        other.stop()
        own_server.root_key = other.root_key
    else:
        own_server.root_key = right.with_name("none.key")
    text = own_server.start_expecting_failure()
    assert "root key" in text.lower() or str(own_server.root_key) in text, text
    assert {p: p.read_bytes() for p in canary.files([own_server.data])} == before
    assert own_server.root_key.exists() is (case == "another key")
    own_server.root_key = right
    own_server.start()
    assert len(scan_all(own_server.dynamodb, table)) == 25


def test_a_root_key_that_others_can_read_is_noticed(own_server):
    """The server refuses or warns; it does not pass over it."""
    own_server.stop()
    own_server.root_key.chmod(0o644)
    try:
        own_server.start()
    except AssertionError:
        pass
    assert "root.key" in own_server.output() or "root key" in own_server.output().lower()


def test_start_is_fast_with_ten_tables(own_server):
    """Ready in well under a second; the exact figure is the bench's business."""
    for _ in range(10):
        fill(own_server.dynamodb, create_table(own_server.dynamodb), 25)
    own_server.stop()
    started = time.monotonic()
    own_server.start()
    assert time.monotonic() - started < 2
