"""Requests made to hurt: each gets an error in bounded time and memory, and the server goes on."""

import concurrent.futures
import gzip
import json
import pathlib
import resource
import socket
import ssl
import time
import urllib.parse

import pytest
from support.server import authorization
from support.tables import create_table, error_of, item

MEMORY_BYTES_MAX = 600 * 1024 * 1024


@pytest.fixture
def target(own_server):
    """A server, and the check that it lives and has not eaten the machine."""
    table = create_table(own_server.dynamodb)
    yield own_server, table
    assert own_server.process.poll() is None, own_server.output()
    own_server.dynamodb.put_item(TableName=table, Item=item("alive"))
    assert "panicked" not in own_server.output()
    status = pathlib.Path(f"/proc/{own_server.process.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    assert peak < MEMORY_BYTES_MAX, f"{peak} bytes at the peak"


def post(server, operation, body, **options):
    started = time.monotonic()
    answer = server.call(f"DynamoDB_20120810.{operation}", body if isinstance(body, bytes) else body.encode(), **options)
    assert time.monotonic() - started < 10
    return answer


@pytest.mark.parametrize("depth", [33, 100, 10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("kind", ["L", "M", "json"])
def test_deep_nesting(target, depth, kind):
    server, table = target
    opening, closing = {"L": ('{"L":[', "]}"), "M": ('{"M":{"a":', "}}"), "json": ("[", "]")}[kind]
    core = '{"S":"x"}' if kind != "json" else ""
    value = opening * depth + core + closing * depth
    body = f'{{"TableName":"{table}","Item":{{"pk":{{"S":"a"}},"v":{value}}}}}'
    status, _, answer = post(server, "PutItem", body)
    assert status in (400, 413), answer


def test_a_body_beyond_16_mib(target):
    server, table = target
    body = json.dumps({"TableName": table, "Item": item("a", v="x" * (17 * 1024 * 1024))})
    try:
        status, _, answer = post(server, "PutItem", body)
    except (ConnectionError, BrokenPipeError):
        return
    assert status in (400, 413), answer


def test_a_body_beyond_1_mib_to_the_key_service(target):
    server, _ = target
    for service, name in (("TrentService", "ListKeys"), ("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "LookupEvents")):
        for size, expected in ((1024 * 1024, 200), (1024 * 1024 + 1, 413)):
            body = b"{" + b" " * (size - 2) + b"}"
            assert server.call(f"{service}.{name}", body, version="1.1")[0] == expected, (name, size)


def test_a_body_of_sixteen_mib_of_nothing(target):
    server, _ = target
    status, _, _ = post(server, "ListTables", b"{" + b" " * (16 * 1024 * 1024 - 3) + b"}")
    assert status in (200, 400, 413)


@pytest.mark.parametrize(
    "body",
    [
        '{"TableName":"%s","Item":{"pk":{"S":"a"},"n":{"N":"' + "9" * 1_000_000 + '"}}}',
        '{"TableName":"%s","Item":{"pk":{"S":"a"},"n":{"N":"1e' + "9" * 1_000_000 + '"}}}',
        '{"TableName":"%s","Item":{"pk":{"S":"a"},"n":{"N":"0.' + "0" * 1_000_000 + '1"}}}',
        '{"TableName":"%s","Key":{"pk":{"S":"a"}},"UpdateExpression":"SET a = ' + "(" * 200_000 + '"}',
        '{"TableName":"%s","Key":{"pk":{"S":"a"}},"UpdateExpression":"SET a' + "[0]" * 200_000 + ' = :x","ExpressionAttributeValues":{":x":{"S":"x"}}}',
        '{"TableName":"%s","Key":{"pk":{"S":"a"}},"UpdateExpression":"SET ' + "a" * 8_000_000 + ' = :x"}',
        '{"TableName":"%s","Item":{"pk":{"S":"a"}},"ConditionExpression":"' + "NOT " * 300_000 + 'attribute_exists(a)"}',
        '{"TableName":"%s","Item":{"pk":{"S":"a"}},"ConditionExpression":"a IN (' + ",".join([":a"] * 1_000_000) + ')","ExpressionAttributeValues":{":a":{"S":"a"}}}',
        '{"TableName":"%s","Item":{"pk":{"S":"a"},"s":{"SS":[' + ",".join(f'"{n}"' for n in range(300_000)) + "]}}}",
        '{"TableName":"%s","Item":{' + ",".join(f'"n{n}":{{"S":"x"}}' for n in range(300_000)) + "}}",
        '{"TableName":"%s","Item":{"pk":{"B":"not base64!"}}}',
        '{"TableName":"%s","TableName":"other"}',
        '{"TableName":"' + "x" * 10_000_000 + '"}',
    ],
    ids=["digits", "exponent", "zeros", "parentheses", "indexes", "name", "NOTs", "IN", "set", "attributes", "base64", "twice", "table name"],
)
def test_oversized_parts(target, body):
    server, table = target
    body = body.replace("%s", table, 1)
    operation = "UpdateItem" if "UpdateExpression" in body else "DescribeTable" if "Item" not in body else "PutItem"
    status, _, answer = post(server, operation, body)
    assert status in (400, 413), (status, str(answer)[:300])
    assert len(json.dumps(answer)) < 20_000_000


def raw(server, data, *, seconds=10):
    where = urllib.parse.urlsplit(server.url)
    with socket.create_connection((where.hostname, where.port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
            connection.settimeout(seconds)
            return connection.recv(65536)
        except (ConnectionError, TimeoutError, socket.timeout):
            return b""


@pytest.mark.parametrize(
    "data",
    [
        b"\0" * 100_000,
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 100_000,
        b"GET /" + b"a" * 10_000_000,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: " + b"x" * 100_000 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 10_000,
    ],
    ids=["zeros", "headers", "path", "length", "two lengths", "target", "http2 noise"],
)
def test_broken_http(target, data):
    server, _ = target
    answer = raw(server, data)
    assert not answer.startswith(b"HTTP/1.1 200")


def test_a_compressed_bomb(target):
    """Sixteen megabytes of gzip that would be sixteen gigabytes: refused long before."""
    import gzip

    server, table = target
    bomb = gzip.compress(b" " * (1 << 30), 9)
    status, _, _ = post(server, "PutItem", bomb, headers={"Content-Encoding": "gzip"})
    assert status in (400, 413)


def test_slow_senders_do_not_starve_others(target):
    """Two hundred connections that send half a request and wait; others are served."""
    server, table = target
    where = urllib.parse.urlsplit(server.url)
    slow = []
    try:
        for _ in range(200):
            connection = socket.create_connection((where.hostname, where.port), timeout=5)
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
            slow.append(connection)
        started = time.monotonic()
        for _ in range(20):
            server.dynamodb.get_item(TableName=table, Key=item("a"))
        assert time.monotonic() - started < 10
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("header", ["Authorization", "X-Amz-Date", "Content-Type"])
def test_odd_headers_are_refused_or_borne(target, header):
    server, _ = target
    for value in ("", "x", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b", authorization("A" * 5000, "x" * 5000), "\t,;=" * 100):
        headers = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}
        status, _, _ = server.http("POST", "/", b"{}", headers | {header: value})
        assert status in (200, 400, 403, 404, 415, 431), (header, value[:40], status)


def test_memory_for_large_bodies_is_for_those_who_are_known(secure_server):
    """Strangers who announce large bodies and send nothing hold no share of the memory that a known client needs."""
    dynamodb = secure_server.client("dynamodb", read_timeout=20)
    table = create_table(dynamodb)
    address = urllib.parse.urlsplit(secure_server.url)
    context = ssl.create_default_context(cafile=secure_server.verify)
    head = "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 16000000\r\n{}\r\n"
    signed = f"Authorization: {authorization('AKIANOBODY0000000000', 'dynamodb')}\r\nX-Amz-Date: {time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}\r\n"
    strangers = []
    for n in range(40):
        plain = socket.create_connection((address.hostname, address.port), timeout=10)
        strangers.append(context.wrap_socket(plain, server_hostname=address.hostname))
        target = "X-Amz-Target: DynamoDB_20120810.PutItem\r\n" + (signed if n % 2 else "")
        strangers[-1].sendall(head.format(address.netloc, target).encode())
    started = time.monotonic()
    dynamodb.put_item(TableName=table, Item=item("large", v="x" * 300_000))
    assert time.monotonic() - started < 10
    for stranger in strangers:
        stranger.close()
    # Who sends it all is told why it was for nothing.
    stranger = secure_server.client("dynamodb", access_key="AKIANOBODY0000000000")
    code, message = error_of(stranger.put_item, TableName=table, Item=item("large", v="x" * 300_000))
    assert (code, message) == ("UnrecognizedClientException", "The security token included in the request is invalid.")


def test_who_knows_no_more_than_an_access_key_id_holds_no_memory(secure_server):
    """An access key's id is no secret. Large bodies that are announced and do not come take nothing from others."""
    dynamodb = secure_server.client("dynamodb", read_timeout=60)
    table = create_table(dynamodb)
    address = urllib.parse.urlsplit(secure_server.url)
    context = ssl.create_default_context(cafile=secure_server.verify)
    head = (
        f"POST / HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 16000000\r\n"
        f"X-Amz-Target: DynamoDB_20120810.PutItem\r\nAuthorization: {authorization(secure_server.access_key, 'dynamodb')}\r\n"
        f"X-Amz-Date: {time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}\r\n\r\n{{"
    )
    strangers = []
    for _ in range(400):
        plain = socket.create_connection((address.hostname, address.port), timeout=10)
        strangers.append(context.wrap_socket(plain, server_hostname=address.hostname))
        strangers[-1].sendall(head.encode())
    started = time.monotonic()
    dynamodb.put_item(TableName=table, Item=item("large", v="x" * 300_000))
    assert time.monotonic() - started < 8
    for stranger in strangers:
        stranger.close()


@pytest.mark.parametrize(("pad_bytes", "body_bytes"), [(0, 64_000), (28_000, 0)], ids=["bodies", "heads"])
def test_half_requests_of_strangers_take_no_memory(make_server, pad_bytes, body_bytes):
    """Dozens of streams on each connection of HTTP/2, whose bodies never end: what has no sender here is not kept."""
    server = make_server(dev=False, arguments=["--cleartext"]).start()
    address = urllib.parse.urlsplit(server.url)

    def frame(kind, flags, stream, payload):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload

    def length(count):
        if count < 127:
            return bytes([count])
        count, coded = count - 127, [127]
        while count >= 128:
            coded.append(count % 128 + 128)
            count //= 128
        return bytes([*coded, count])

    def field(name, value):
        return bytes([0]) + length(len(name)) + name + length(len(value)) + value

    fields = b"".join(field(*each) for each in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", address.netloc.encode()),
        (b"x-amz-target", b"DynamoDB_20120810.PutItem"), (b"content-length", b"65536"), (b"x-pad", b"p" * pad_bytes)))
    # A head in frames of at most 16 KB, and its body's beginning.
    parts = [fields[at:at + 16_000] for at in range(0, len(fields), 16_000)]
    kinds = [(1 if at == 0 else 9, 4 if at == len(parts) - 1 else 0) for at in range(len(parts))]

    def request(stream):
        head = b"".join(frame(kind, flags, stream, part) for (kind, flags), part in zip(kinds, parts))
        return head + b"".join(frame(0, 0, stream, b" " * 16_000) for _ in range(body_bytes // 16_000))

    before = resident(server)
    strangers = []
    for _ in range(40):
        strangers.append(socket.create_connection((address.hostname, address.port), timeout=10))
        strangers[-1].sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b""))
        assert strangers[-1].recv(1000)
        strangers[-1].sendall(frame(4, 1, 0, b""))
        for stream in range(1, 120, 2):
            strangers[-1].sendall(request(stream))
            time.sleep(0.001)
    time.sleep(1)
    growth = resident(server) - before
    for stranger in strangers:
        stranger.close()
    sent = 40 * 60 * (pad_bytes + body_bytes)
    assert growth < 50_000_000, f"{growth} bytes for {sent} bytes of half requests"


def test_what_strangers_have_packed_is_not_unpacked(make_server):
    server = make_server(dev=False, arguments=["--cleartext"]).start()
    packed = gzip.compress(b" " * (16 * 1024 * 1024 - 1))
    pathlib.Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    before = resident(server)
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Encoding": "gzip"}
    with concurrent.futures.ThreadPoolExecutor(40) as strangers:
        answers = list(strangers.map(lambda _: server.http("POST", "/", packed, headers), range(80)))
    assert {status for status, _, _ in answers} == {400}
    assert all(b"MissingAuthenticationToken" in answer for _, _, answer in answers)
    peak = int(pathlib.Path(f"/proc/{server.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
    assert peak - before < 60_000_000, f"{peak - before} bytes"


def resident(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def test_connections_leave_descriptors_to_storage(make_server):
    """With few open files allowed, connections that do nothing keep nobody from writing."""
    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 400))

    server = make_server().start(preexec=few_files)
    dynamodb = server.client("dynamodb", max_pool_connections=1)
    tables = [create_table(dynamodb) for _ in range(3)]
    address = urllib.parse.urlsplit(server.url)
    idle = []
    try:
        # Those that are not taken wait in the kernel's queue.
        for _ in range(300):
            idle.append(socket.create_connection((address.hostname, address.port), timeout=5))
        time.sleep(0.5)
        for n in range(20):
            for table in tables:
                dynamodb.put_item(TableName=table, Item=item(str(n)))
        create_table(dynamodb)
    finally:
        for connection in idle:
            connection.close()
    assert "at most 200 connections instead of 10000" in server.output()
    assert "Too many open files" not in server.output()
