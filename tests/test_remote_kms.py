"""A table server whose KMS is another process: outage, refusal, recovery (R24, R25)."""

import base64
import concurrent.futures
import http.server
import json
import pathlib
import signal
import threading
import time
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError
from support import trail

from conftest import start_secure
from support.tables import (
    create_table, customer_key, describe, error_of, item, refused, scan_all, fill, sse, wait_until,
)


@pytest.fixture
def pair(make_server):
    """A key server, and a table server that uses it."""
    keys = make_server("keys").start()
    tables = make_server(
        "tables",
        arguments=["--kms-endpoint", keys.url],
        environment={
            "AWS_ACCESS_KEY_ID": "AKIATABLESERVER00001",
            "AWS_SECRET_ACCESS_KEY": "table-server-secret",
            "AWS_REGION": "us-east-1",
            # Tables stay in use while the tests move the clock by hours.
            "STRONGROOM_IDLE_TABLE_SECS": "86400",
        },
    ).start()
    # The key server comes back at the same address.
    keys.listen = keys.url.split("://")[1].rstrip("/")
    return keys, tables


def get(tables, table, **options):
    return tables.client("dynamodb", **options).get_item(TableName=table, Key=item("item-000000"), ConsistentRead=True)


def make_table(keys, tables):
    key = customer_key(keys.kms)
    table = create_table(tables.dynamodb, **sse(key))
    return key, table, fill(tables.dynamodb, table, 25)


def r20_a_remote_kms_makes_and_opens_the_table_key(pair):
    """The key server's own trail shows the calls, with the table's context."""
    keys, tables = pair
    key, table, written = make_table(keys, tables)
    tables.restart()
    assert scan_all(tables.dynamodb, table) == written
    for name in ("GenerateDataKey", "Decrypt", "CreateGrant"):
        made = trail.events(keys, name, table=table)
        assert made and all(e["resources"][0]["ARN"] == key for e in made), name


def r03_the_log_names_no_table_that_the_remote_kms_names(pair):
    """At the most talkative, the SDK would log whole answers, with the encryption contexts in them."""
    keys, tables = pair
    tables.arguments += ["--log", "trace"]
    tables.restart()
    key = customer_key(keys.kms)
    table = create_table(tables.dynamodb, **sse(key))
    written = fill(tables.dynamodb, table, 5)
    tables.restart()
    assert scan_all(tables.dynamodb, table) == written
    output = "".join(path.read_text(errors="replace") for path in tables.logs.iterdir())
    assert "DEBUG" in output and table not in output
    assert "table-server-secret" not in output


def r22_a_remote_kms_is_not_asked_per_operation(pair):
    keys, tables = pair
    _, table, _ = make_table(keys, tables)
    tables.restart()
    before = trail.count(keys, "Decrypt", table)
    for _ in range(200):
        get(tables, table)
    assert trail.count(keys, "Decrypt", table) == before + 1


def r19_a_key_from_a_remote_kms_is_wiped(pair):
    """Once the data keys are open, the table key is nowhere in the table server's memory: not as bytes, and not as
    the text of the answer that brought it."""
    keys, tables = pair
    _, table, written = make_table(keys, tables)
    [keyring] = (tables.data / "store" / "tables").glob("*/keyring/*")
    answer = keys.kms.decrypt(CiphertextBlob=wrapped_key(keyring), EncryptionContext=trail.context_of(table))
    forms = [answer["Plaintext"], base64.b64encode(answer["Plaintext"])]
    # After GenerateDataKey; then after a Decrypt for each of a few callers.
    wait_until(lambda: not in_memory(tables, forms), "the key that was made is wiped")
    tables.restart()
    for caller in range(3):
        dynamodb = tables.client("dynamodb", access_key=f"AKIACALLER{caller:010}")
        assert scan_all(dynamodb, table) == written
        wait_until(lambda: not in_memory(tables, forms), "the key that was opened is wiped")
    # The search finds what is there.
    assert in_memory(tables, [b"AKIACALLER0000000002"])


def wrapped_key(keyring):
    """The fourth field of a keyring, after 25 bytes: the table key as KMS wrapped it."""
    content, at, fields = keyring.read_bytes(), 25, []
    for _ in range(4):
        length = int.from_bytes(content[at:at + 2], "big")
        fields.append(content[at + 2:at + 2 + length])
        at += 2 + length
    return fields[3]


def in_memory(server, needles):
    """Whether one of the byte strings is in the memory of a server's process."""
    pid = server.process.pid
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        addresses, permissions, *_, name = [*line.split(), ""]
        if "r" not in permissions or name in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        try:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
                memory.seek(start)
                content = memory.read(end - start)
        except PermissionError:
            pytest.skip("SKIPPED, needs root: the memory of a process that hides itself cannot be read here")
        except (OSError, OverflowError):
            continue
        if any(needle in content for needle in needles):
            return True
    return False


@pytest.mark.parametrize("outage", ["gone", "silent"])
def r25_an_unreachable_kms_is_bridged_for_twelve_hours(pair, outage):
    """The KMS is gone (or accepts and never answers). Cached tables are read and written on; after twelve hours
    they are not; when it is back, so are they, with every acknowledged write."""
    keys, tables = pair
    _, table, written = make_table(keys, tables)
    assert get(tables, table)["Item"]
    keys.kill() if outage == "gone" else keys.suspend()
    try:
        for _ in range(3):
            tables.advance(301)
            assert get(tables, table, read_timeout=60)["Item"]
        written |= fill(tables.client("dynamodb", read_timeout=60), table, 25, prefix="during-the-outage")
        tables.advance(11 * 3600)
        assert get(tables, table, read_timeout=60)["Item"]
        tables.advance(3600)
        with pytest.raises(ClientError) as caught:
            get(tables, table, read_timeout=60)
        # The caller cannot mend it, and may try again.
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 400
    finally:
        keys.start() if outage == "gone" else keys.resume()
    wait_until(lambda: error_of(get, tables, table) is None, "the table is back", 40, pause_secs=0.2)
    assert scan_all(tables.dynamodb, table) == written


def r25_a_kms_that_hangs_delays_nobody(pair):
    """It takes connections and never answers: who has an entry is served meanwhile, all at once, not one after
    another behind a time limit."""
    keys, tables = pair
    _, table, _ = make_table(keys, tables)
    get(tables, table)
    keys.process.send_signal(signal.SIGSTOP)
    try:
        tables.advance(301)
        # The first renewal finds out.
        get(tables, table)
        calls = 0
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            get(tables, table)
            calls += 1
        assert calls > 100, f"{calls} calls in eight seconds"
    finally:
        keys.process.send_signal(signal.SIGCONT)


def r25_requests_on_a_closed_table_do_not_wait_for_a_hanging_kms_one_after_another(pair):
    """The KMS takes connections and never answers, and the server has just started: every request is refused within
    the time of one call, tables that do not need that KMS are made meanwhile, and the server stops when it is told to."""
    keys, tables = pair
    key, table, written = make_table(keys, tables)
    tables.restart()
    keys.suspend()
    try:
        began = time.monotonic()
        options = {"read_timeout": 60, "retries": 0}
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            reads = [pool.submit(error_of, get, tables, table, **options) for _ in range(20)]
            made = [
                pool.submit(error_of, create_table, tables.client("dynamodb", **options), **sse(key)) for _ in range(6)
            ]
            time.sleep(0.5)
            create_table(tables.client("dynamodb", **options))
            assert time.monotonic() - began < 4, "a table of its own key waited for the hanging KMS"
            assert all(one.result() for one in reads + made)
        # One call takes five seconds; twenty would take a hundred.
        assert time.monotonic() - began < 20
        time.sleep(1.1)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            late = [pool.submit(error_of, get, tables, table, **options) for _ in range(8)]
            time.sleep(0.5)
            assert tables.stop(seconds=15) < 13
            for one in late:
                one.exception()
    finally:
        keys.resume()
    tables.start()
    wait_until(lambda: error_of(get, tables, table) is None, "the table is back", 40, pause_secs=0.2)
    assert scan_all(tables.dynamodb, table) == written


def r25_an_idle_table_is_bridged_too(pair):
    """Nobody used the table for six minutes when its next request comes, and the KMS is away: the request is served."""
    keys, tables = pair
    del tables.environment["STRONGROOM_IDLE_TABLE_SECS"]
    tables.restart()
    _, table, _ = make_table(keys, tables)
    keys.kill()
    tables.advance(360)
    # Time for the server's own work that goes by the clock.
    time.sleep(3)
    assert get(tables, table, read_timeout=60)["Item"]


def r25_a_refusal_is_never_bridged(pair):
    """The key is disabled and the KMS says so: at the renewal the table is lost, twelve hours or not. Another
    table goes on; enabling the key heals."""
    keys, tables = pair
    key, table, written = make_table(keys, tables)
    _, other, _ = make_table(keys, tables)
    keys.kms.disable_key(KeyId=key)
    tables.advance(301)
    code, message = error_of(get, tables, table)
    assert key in message, (code, message)
    assert get(tables, other)["Item"]
    wait_until(
        lambda: describe(tables.dynamodb, table)["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "key loss noticed"
    )
    # Once refused, an outage does not bring the cached key back.
    keys.kill()
    tables.advance(301)
    assert error_of(get, tables, table, read_timeout=60)
    keys.start()
    keys.kms.enable_key(KeyId=key)
    tables.advance(301)
    wait_until(lambda: error_of(get, tables, table) is None, "the table is back", 40, pause_secs=0.2)
    assert scan_all(tables.dynamodb, table) == written


class KeyServiceAtHand:
    """A key service that answers as another one does, unless it is told what to answer instead."""

    def __init__(self, behind):
        self.answer = None
        # The call whose requests, or answers, stay on the way until they are let go.
        self.held, self.is_held, self.let_go = (None, None), threading.Event(), threading.Event()

        def hold_if(what, handler):
            if self.held == (what, handler.headers["X-Amz-Target"].rsplit(".")[-1]):
                self.held = (None, None)
                self.is_held.set()
                assert self.let_go.wait(30)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                body = handler.rfile.read(int(handler.headers["Content-Length"]))
                hold_if("request", handler)
                if self.answer:
                    status, content = 400, json.dumps(dict(zip(("__type", "message"), self.answer))).encode()
                else:
                    request = urllib.request.Request(behind, body, dict(handler.headers), method="POST")
                    try:
                        with urllib.request.urlopen(request) as answer:
                            status, content = answer.status, answer.read()
                    except urllib.error.HTTPError as refusal:
                        status, content = refusal.code, refusal.read()
                hold_if("answer", handler)
                handler.send_response(status)
                handler.send_header("Content-Type", "application/x-amz-json-1.1")
                handler.send_header("Content-Length", str(len(content)))
                handler.end_headers()
                handler.wfile.write(content)

            def log_message(handler, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def key_service_at_hand(pair):
    keys, tables = pair
    at_hand = KeyServiceAtHand(keys.url)
    tables.arguments = ["--kms-endpoint", at_hand.url]
    tables.restart()
    yield at_hand
    at_hand.server.shutdown()
    at_hand.server.server_close()


EXPIRED = "Signature expired: 20261130T000000Z is now earlier than 20261130T004500Z (20261130T010000Z - 15 min.)"
NOT_YET = "Signature not yet current: 20261130T020000Z is still later than 20261130T011500Z (20261130T010000Z + 15 min.)"
WRONG_SIGNATURE = "The request signature we calculated does not match the signature you provided."


@pytest.mark.parametrize("answer", [
    ("InvalidSignatureException", EXPIRED), ("InvalidSignatureException", NOT_YET), ("RequestExpired", "Request has expired."),
])
def r25_a_clock_that_is_wrong_is_no_refusal_of_the_key(pair, key_service_at_hand, answer):
    """The clock of one of the two is wrong for a while: the table is not lost, who has an entry is served, and the
    others are told what is wrong."""
    keys, tables = pair
    _, table, written = make_table(keys, tables)
    assert get(tables, table)["Item"]
    key_service_at_hand.answer = answer
    tables.advance(301)
    assert get(tables, table)["Item"]
    code, message = error_of(get, tables, table, access_key="AKIASOMEBODYELSE0001", retries=0)
    assert code == "InternalServerError" and "clocks of this server and of the key service" in message, (code, message)
    tables.advance(11 * 3600)
    assert get(tables, table)["Item"]
    assert describe(tables.dynamodb, table)["TableStatus"] == "ACTIVE"
    key_service_at_hand.answer = None
    tables.advance(2)
    assert get(tables, table, access_key="AKIASOMEBODYELSE0001")["Item"]
    assert scan_all(tables.dynamodb, table) == written


@pytest.mark.parametrize("answer", [
    ("InvalidSignatureException", WRONG_SIGNATURE),
    ("UnrecognizedClientException", "The security token included in the request is invalid."),
])
def r25_a_key_service_that_does_not_know_the_server_is_obeyed(pair, key_service_at_hand, answer):
    """The server's access key is void, or its secret another one: that is a no, and nobody is served from the cache."""
    keys, tables = pair
    _, table, written = make_table(keys, tables)
    assert get(tables, table)["Item"]
    key_service_at_hand.answer = answer
    tables.advance(301)
    code, message = error_of(get, tables, table)
    assert answer[0] in message, (code, message)
    key_service_at_hand.answer = None
    wait_until(lambda: error_of(get, tables, table) is None, "the table is back", 40, pause_secs=0.2)
    assert scan_all(tables.dynamodb, table) == written


@pytest.mark.parametrize("held", ["request", "answer"])
def r14_a_renewal_on_its_way_does_not_meet_the_former_key(pair, key_service_at_hand, held):
    """What the key service says of the key that a table was under when it was asked is nothing to who reads the table
    after the switch."""
    keys, tables = pair
    key, table, _ = make_table(keys, tables)
    other = customer_key(keys.kms)
    assert get(tables, table)["Item"]
    tables.advance(301)
    key_service_at_hand.held = (held, "Decrypt")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reading = pool.submit(get, tables, table, retries=0)
        assert key_service_at_hand.is_held.wait(10)
        tables.dynamodb.update_table(TableName=table, **sse(other))
        wait_until(lambda: describe(tables.dynamodb, table)["SSEDescription"] == {
            "Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": other}, "the switch is complete", 10, pause_secs=0.1)
        keys.kms.disable_key(KeyId=key)
        key_service_at_hand.let_go.set()
        assert reading.result(20)["Item"]


def r24_the_renewal_picks_up_the_change(pair):
    """The cached caller works until its renewal, then fails: at 4:58 it reads, at 5:01 it does not."""
    keys, tables = pair
    key, table, _ = make_table(keys, tables)
    tables.restart()
    assert get(tables, table)["Item"]
    keys.kms.disable_key(KeyId=key)
    tables.advance(290)
    assert get(tables, table)["Item"]
    tables.advance(11)
    code, message = error_of(get, tables, table)
    assert key in message, (code, message)


def r25_a_server_starts_without_its_kms(pair):
    """One table out, not the server: it starts, answers what needs no key, and heals by itself."""
    keys, tables = pair
    _, table, written = make_table(keys, tables)
    keys.kill()
    tables.restart()
    assert describe(tables.dynamodb, table)["TableName"] == table
    assert error_of(get, tables, table, read_timeout=60)
    keys.start()
    wait_until(lambda: error_of(get, tables, table) is None, "the table is back", 40, pause_secs=0.2)
    assert scan_all(tables.dynamodb, table) == written


def r24_a_revoked_grant_is_noticed_at_the_renewal(pair):
    """Nobody tells a table server what was revoked elsewhere: the next renewal finds out, and the table is lost until
    it has another key."""
    keys, tables = pair
    key, table, _ = make_table(keys, tables)
    [grant] = keys.kms.list_grants(KeyId=key)["Grants"]
    keys.kms.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    assert get(tables, table)["Item"], "the entry is good for five minutes"
    tables.advance(301)
    assert error_of(get, tables, table)[0] == "AccessDeniedException"
    assert describe(tables.dynamodb, table)["TableStatus"] == "INACCESSIBLE_ENCRYPTION_CREDENTIALS"


def r24_the_grants_are_the_tables_not_the_callers(pair):
    """Ten callers cost ten Decrypts in five minutes, and one look at the table's grants."""
    keys, tables = pair
    _, table, _ = make_table(keys, tables)
    tables.restart()
    decrypts, looks = trail.count(keys, "Decrypt", table), len(trail.events(keys, "ListGrants"))
    for caller in range(10):
        get(tables, table, access_key=f"AKIACALLER{caller:010}")
    assert trail.count(keys, "Decrypt", table) == decrypts + 10
    assert len(trail.events(keys, "ListGrants")) == looks + 1
    tables.advance(301)
    for caller in range(10):
        get(tables, table, access_key=f"AKIACALLER{caller:010}")
    assert trail.count(keys, "Decrypt", table) == decrypts + 20
    assert len(trail.events(keys, "ListGrants")) == looks + 2


def r41_a_grant_is_given_back_after_an_outage(pair):
    """The table is deleted while the key server is away: the grant goes when it is back, over a restart too."""
    keys, tables = pair
    key, table, _ = make_table(keys, tables)
    assert keys.kms.list_grants(KeyId=key)["Grants"]
    keys.stop()
    tables.dynamodb.delete_table(TableName=table)
    wait_until(lambda: error_of(describe, tables.dynamodb, table), "the table is gone", 60)
    tables.restart()
    keys.start()
    tables.advance(301)
    wait_until(lambda: not keys.kms.list_grants(KeyId=key)["Grants"], "the grant is given back", 10)


def test_a_key_server_of_your_own_ca(make_server):
    """Over https with a CA that only `AWS_CA_BUNDLE` names; without it the key server is not trusted, and a file that
    holds no certificates stops the start by name."""
    keys = start_secure(make_server("keys", dev=False))
    environment = {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    tables = make_server("tables", arguments=["--kms-endpoint", keys.url], environment=environment)
    tables.start()
    key = customer_key(keys.kms)
    with refused("InternalServerError", status=500):
        create_table(tables.dynamodb, **sse(key))
    tables.environment["AWS_CA_BUNDLE"] = keys.verify
    tables.restart()
    table = create_table(tables.dynamodb, **sse(key))
    assert describe(tables.dynamodb, table)["SSEDescription"]["KMSMasterKeyArn"] == key
    tables.stop()
    tables.environment["AWS_CA_BUNDLE"] = str(tables.root_key)
    text = tables.start_expecting_failure()
    assert f"AWS_CA_BUNDLE: `{tables.root_key}` does not hold certificates" in text, text
