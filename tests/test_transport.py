"""TLS, signatures, and the HTTP around a call (R66)."""

import gzip
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse
import zlib

import pytest
from botocore.exceptions import SSLError, HTTPClientError
from support import canary
from support.server import authorization, clean_environment
from support.tables import create_table, fill, item, refused, scan_all
from conftest import start_secure


def where(server):
    url = urllib.parse.urlsplit(server.url)
    return url.hostname, url.port


def r66_tls_by_default(secure_server):
    """Without --dev the listener speaks TLS with a certificate that the CA file named in the banner vouches for."""
    assert secure_server.url.startswith("https://")
    dynamodb = secure_server.dynamodb
    table = create_table(dynamodb)
    written = fill(dynamodb, table, 10)
    assert scan_all(dynamodb, table) == written
    context = ssl.create_default_context(cafile=secure_server.verify)
    with socket.create_connection(where(secure_server)) as raw, context.wrap_socket(raw, server_hostname="localhost") as tls:
        assert tls.version() in ("TLSv1.3", "TLSv1.2")


def r66_a_client_that_does_not_know_the_ca_refuses(secure_server):
    secure_server.verify = True
    with pytest.raises((SSLError, HTTPClientError)):
        secure_server.dynamodb.list_tables()


def r66_cleartext_is_not_answered(secure_server):
    """A request in clear on the TLS port gets no API answer."""
    with socket.create_connection(where(secure_server), timeout=10) as raw:
        raw.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\nContent-Length: 2\r\n\r\n{}")
        raw.settimeout(10)
        try:
            answer = raw.recv(4096)
        except ConnectionError:
            answer = b""
    assert b"TableNames" not in answer and not answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def r66_old_tls_is_refused(secure_server, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    with pytest.raises((ssl.SSLError, ConnectionError)), socket.create_connection(where(secure_server)) as raw:
        context.wrap_socket(raw)


def r66_credentials_are_made_once_and_checked(make_server):
    """Shown at first start and never again; the data directory and later logs do not hold the secret in clear."""
    server = start_secure(make_server("secure", dev=False))
    create_table(server.dynamodb, "mine")
    secret = server.secret_key
    with refused("UnrecognizedClientException", "The security token included in the request is invalid."):
        server.client("dynamodb", access_key="AKIANOBODY0000000000").list_tables()
    with refused("InvalidSignatureException") as refusal:
        server.client("dynamodb", secret_key="x" * 40).list_tables()
    assert refusal.message.startswith(
        "The request signature we calculated does not match the signature you provided. "
        "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
    )
    server.restart()
    assert secret not in server.output()
    assert server.dynamodb.list_tables()["TableNames"] == ["mine"]
    server.stop()
    assert canary.search([server.data], {"secret key": secret.encode()}) == []


@pytest.mark.parametrize("obstacle", ["a certificate that is none", "nobody reads the banner", "/dev/null", "closed"])
def r66_an_access_key_that_nobody_saw_is_not_kept(make_server, tmp_path, obstacle):
    """A first start that fails after the data was made leaves no lock without a key: the next one shows an access key."""
    server = make_server("secure", dev=False)
    if obstacle == "nobody reads the banner":
        server.start_expecting_failure(preexec=lambda: os.dup2(os.open("/dev/full", os.O_WRONLY), 1))
    elif obstacle == "/dev/null":
        server.start_expecting_failure(preexec=lambda: os.dup2(os.open("/dev/null", os.O_WRONLY), 1))
    elif obstacle == "closed":
        assert "nobody would see it" in server.start_expecting_failure(preexec=lambda: os.close(1))
    else:
        for name in ("cert.pem", "key.pem"):
            (tmp_path / name).write_text("junk")
        server.arguments = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
        server.start_expecting_failure()
        server.arguments = []
    assert start_secure(server).dynamodb.list_tables()["TableNames"] == []
    server.restart()
    assert server.dynamodb.list_tables()["TableNames"] == []


def r66_a_lost_access_key_is_replaced(make_server):
    """One start with --replace-access-key shows a new access key; the earlier one is void, and the data is all there."""
    server = start_secure(make_server("secure", dev=False))
    table = create_table(server.dynamodb)
    written = fill(server.dynamodb, table, 10)
    old = {"access_key": server.access_key, "secret_key": server.secret_key}
    server.stop()
    server.arguments = ["--replace-access-key"]
    # A start that shows it to nobody changes nothing.
    server.start_expecting_failure(preexec=lambda: os.close(1))
    server.arguments = []
    server.start()
    assert server.dynamodb.list_tables()["TableNames"] == [table]
    server.stop()
    server.arguments = ["--replace-access-key"]
    start_secure(server)
    assert server.access_key != old["access_key"]
    for _ in range(2):
        with refused("UnrecognizedClientException"):
            server.client("dynamodb", **old).list_tables()
        assert scan_all(server.dynamodb, table) == written
        server.stop()
        server.arguments = []
        server.start()
        assert server.access_key not in server.output()


def r66_the_account_is_that_of_the_access_keys(make_server):
    """The banner tells the account that callers are in, and another one is refused rather than ignored."""
    server = make_server("secure", dev=False)
    server.arguments = ["--account-id", "111122223333"]
    start_secure(server).stop()
    server.arguments = ["--account-id", "000000000000"]
    text = server.start_expecting_failure()
    assert "account 111122223333, not 000000000000" in text and "--replace-access-key" in text, text
    server.arguments = []
    server.start()
    assert "account 111122223333" in server.output()
    assert server.sts.get_caller_identity()["Account"] == "111122223333"


def r66_a_certificate_that_is_not_for_the_address_is_not_served(make_server):
    """The URL that the ready line tells is always one that the CA file vouches for: another address or name than the
    certificate was made for is refused, with what to do, and doing it helps."""
    server = make_server("secure", dev=False)
    start_secure(server).stop()
    keys = server.access_key, server.secret_key
    before = {path: path.read_bytes() for path in (server.data / "tls").iterdir()}
    server.listen, server.arguments = "127.0.0.2:0", ["--tls-names", "db.example"]
    text = server.start_expecting_failure()
    assert "`db.example`, `127.0.0.2`" in text and "delete that folder" in text and "ca.pem" in text, text
    assert {path: path.read_bytes() for path in (server.data / "tls").iterdir()} == before
    shutil.rmtree(server.data / "tls")
    server.start()
    server.verify = re.search(r"AWS_CA_BUNDLE=(\S+)", server.output()).group(1)
    server.access_key, server.secret_key = keys
    assert server.url.startswith("https://127.0.0.2:")
    assert server.dynamodb.list_tables()["TableNames"] == []
    context = ssl.create_default_context(cafile=server.verify)
    with socket.create_connection(where(server)) as raw, context.wrap_socket(raw, server_hostname="db.example") as tls:
        assert tls.version() == "TLSv1.3"


def r66_an_unsigned_request_is_refused(secure_server):
    import http.client

    context = ssl.create_default_context(cafile=secure_server.verify)
    connection = http.client.HTTPSConnection(*where(secure_server), context=context, timeout=10)
    json_1_0 = {"Content-Type": "application/x-amz-json-1.0"}
    of_a_target = json_1_0 | {"X-Amz-Target": "DynamoDB_20120810.ListTables"}
    for body, headers, code in (
        ("{}", of_a_target, "MissingAuthenticationTokenException"),
        ("", of_a_target, "MissingAuthenticationTokenException"),
        ("no JSON", of_a_target, "SerializationException"),
        ("no JSON", json_1_0, "SerializationException"),
        ("", json_1_0, "UnknownOperationException"),
    ):
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        told = json.loads(answer.read())
        assert (answer.status, told["__type"].rsplit("#")[-1]) == (400, code), (body, headers)
    connection.close()


@pytest.mark.parametrize("pause_secs", [0, 0.3])
def r66_an_unsigned_request_is_refused_alike_whenever_its_body_comes(secure_server, pause_secs):
    """The order of checks is not a matter of how the bytes arrive."""
    address = urllib.parse.urlsplit(secure_server.url)
    context = ssl.create_default_context(cafile=secure_server.verify)
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    json_1_0 = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.ListTables"}
    for_iam = {"Authorization": authorization(secure_server.access_key, "iam"), "X-Amz-Date": date}
    stranger = {"Authorization": authorization("AKIANOBODY0000000000", "dynamodb"), "X-Amz-Date": date}
    for body, headers, code in (
        ("{}", json_1_0, "MissingAuthenticationTokenException"),
        ("no JSON", json_1_0, "SerializationException"),
        ("no JSON", json_1_0 | stranger, "SerializationException"),
        ("{}", json_1_0 | stranger, "UnrecognizedClientException"),
        ("Action=Fly&Version=2010-05-08", form | for_iam, "<Code>InvalidAction</Code>"),
        ("Action=GetUser&Version=2010-05-08", form | for_iam, "<Code>SignatureDoesNotMatch</Code>"),
        ("Action=GetUser&Version=2010-05-08&Padding=" + "x" * 70_000, form | for_iam, "<Code>SignatureDoesNotMatch</Code>"),
    ):
        head = "".join(f"{name}: {value}\r\n" for name, value in (headers | {"Content-Length": len(body), "Host": address.netloc}).items())
        with socket.create_connection(where(secure_server), timeout=10) as raw, \
                context.wrap_socket(raw, server_hostname=address.hostname) as connection:
            connection.sendall(f"POST / HTTP/1.1\r\n{head}\r\n".encode() + (b"" if pause_secs else body.encode()))
            if pause_secs:
                time.sleep(pause_secs)
                connection.sendall(body.encode())
            answer = b""
            while not answer.rstrip().endswith((b"}", b"</ErrorResponse>")) and (part := connection.recv(65536)):
                answer += part
        assert code.encode() in answer, (body[:50], answer)
        assert b"/doc/2010-05-08/" in answer or "<" not in code, answer


def r66_the_caller_is_who_signed(secure_server):
    identity = secure_server.sts.get_caller_identity()
    assert identity["Arn"].startswith(f"arn:aws:iam::{identity['Account']}:")


def r66_dev_listens_on_loopback_only(make_server):
    """--dev accepts any credentials, so it must not be reachable from elsewhere."""
    text = make_server(listen="0.0.0.0:0").start_expecting_failure()
    assert "loopback" in text.lower()


# The HTTP around a call, on the cleartext server, where a test can see it.


def test_answers_carry_request_id_and_checksum(server):
    status, headers, body = server.call("DynamoDB_20120810.ListTables", {"Limit": 1})
    assert status == 200 and "TableNames" in body
    lower = {k.lower(): v for k, v in headers.items()}
    assert lower["content-type"] == "application/x-amz-json-1.0"
    assert len(lower["x-amzn-requestid"]) in (36, 52)
    raw = server.http("POST", "/", b'{"Limit":1}', raw_headers(server))
    assert int({k.lower(): v for k, v in raw[1].items()}["x-amz-crc32"]) == zlib.crc32(raw[2])


def raw_headers(server, target="DynamoDB_20120810.ListTables", **extra):
    from support.server import authorization

    return {
        "X-Amz-Target": target,
        "Content-Type": "application/x-amz-json-1.0",
        "Authorization": authorization(server.access_key, "dynamodb"),
        "X-Amz-Date": "20261122T120000Z",
    } | extra


def test_errors_have_the_services_shape(server):
    status, headers, body = server.call("DynamoDB_20120810.DescribeTable", {"TableName": "not-there"})
    assert status == 400
    assert body == {
        "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
        "message": "Requested resource not found: Table: not-there not found",
    }


def test_unknown_targets(server):
    for target in ("DynamoDB_20120810.Nonsense", "Nonsense.PutItem", "DynamoDB_20111205.PutItem"):
        status, _, body = server.call(target, {})
        assert status == 400
        assert body["__type"] == "com.amazon.coral.service#UnknownOperationException", target


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"{}x", b"\xff\xfe", b'{"TableName":"a",}'])
def test_a_body_that_is_no_object_is_a_serialization_error(server, body):
    status, _, answer = server.call("DynamoDB_20120810.DescribeTable", body)
    assert status == 400
    assert answer["__type"].rsplit("#")[-1] in ("SerializationException", "ValidationException"), answer


def test_wrong_types_are_serialization_errors(server):
    for wrong in ({"TableName": 5}, {"TableName": ["a"]}, {"TableName": {}}):
        status, _, answer = server.call("DynamoDB_20120810.DescribeTable", wrong)
        assert (status, answer["__type"]) == (400, "com.amazon.coral.service#SerializationException"), (wrong, answer)


def test_gzip_both_ways(server, dynamodb):
    """A compressed request is read; an answer is compressed when asked for and worth it, and its checksum is of
    what is sent."""
    table = create_table(dynamodb)
    fill(dynamodb, table, 25, bytes_each=2_000)
    body = gzip.compress(json.dumps({"TableName": table}).encode())
    status, _, answer = server.http(
        "POST", "/", body, raw_headers(server, "DynamoDB_20120810.Scan") | {"Content-Encoding": "gzip"})
    assert status == 200 and json.loads(answer)["Count"] == 25
    status, headers, answer = server.http(
        "POST", "/", json.dumps({"TableName": table}).encode(),
        raw_headers(server, "DynamoDB_20120810.Scan") | {"Accept-Encoding": "gzip"})
    lower = {k.lower(): v for k, v in headers.items()}
    assert status == 200 and lower["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(answer))["Count"] == 25
    assert int(lower["x-amz-crc32"]) == zlib.crc32(answer)
    status, headers, answer = server.http(
        "POST", "/", json.dumps({"TableName": table, "Limit": 1}).encode(),
        raw_headers(server, "DynamoDB_20120810.Scan") | {"Accept-Encoding": "gzip"})
    assert status == 200 and json.loads(answer)["Count"] == 1, "small answers are sent as they are"


def test_the_content_type_is_that_of_the_request(server):
    for asked, answered in (
        ("application/x-amz-json-1.0", "application/x-amz-json-1.0"),
        ("application/x-amz-json-1.0;charset=utf-8", "application/x-amz-json-1.0"),
        ("application/json", "application/json"),
    ):
        headers = raw_headers(server, "DynamoDB_20120810.ListTables") | {"Content-Type": asked}
        status, headers, _ = server.http("POST", "/", b"{}", headers)
        assert (status, {k.lower(): v for k, v in headers.items()}["content-type"]) == (200, answered)


def test_keep_alive_and_pipelined_tables(server, dynamodb):
    """Many requests on one connection."""
    import http.client

    connection = http.client.HTTPConnection(*where(server), timeout=10)
    for _ in range(50):
        connection.request("POST", "/", b"{}", raw_headers(server))
        answer = connection.getresponse()
        assert answer.status == 200 and not answer.will_close
        answer.read()
    connection.close()


def test_health_endpoints(server):
    for path in ("/health", "/ready"):
        status, _, _ = server.http("GET", path)
        assert status == 200, path
    status, _, body = server.http("GET", "/")
    assert (status, body.decode()) == (200, f"healthy: {server.url.removeprefix('http://')} ")


def test_regions_and_services_by_credential_scope(server):
    """One port for all services; the region is that of the request's credential scope."""
    for region in ("us-east-1", "eu-central-1", "ap-southeast-2"):
        arn = server.client("kms", region=region).create_key()["KeyMetadata"]["Arn"]
        assert arn.startswith(f"arn:aws:kms:{region}:000000000000:key/")
    assert server.sts.get_caller_identity()["Account"] == "000000000000"


def test_a_presigned_get_caller_identity(secure_server):
    """A presigned URL is accepted as a signature, and a changed one is not."""
    import urllib.request

    url = secure_server.sts.generate_presigned_url("get_caller_identity", HttpMethod="GET")
    context = ssl.create_default_context(cafile=secure_server.verify)
    with urllib.request.urlopen(url, context=context, timeout=10) as answer:
        assert b"GetCallerIdentityResult" in answer.read()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url[:-4] + "0000", context=context, timeout=10)
    assert caught.value.code == 403


@pytest.mark.parametrize("secure", [False, True])
def test_endpoint_discovery_keeps_clients_here(request, secure):
    """A client that is told to discover endpoints asks DescribeEndpoints, and sends its items to what that answers:
    it must be the address that the client has used, or the items go to Amazon."""
    server = request.getfixturevalue("secure_server" if secure else "server")
    dynamodb = server.client("dynamodb", endpoint_discovery_enabled=True)
    sent = []
    dynamodb.meta.events.register("before-send", lambda request, **_: sent.append(request.url.rstrip("/")))
    table = create_table(dynamodb)
    dynamodb.put_item(TableName=table, Item=item("secret"))
    assert dynamodb.get_item(TableName=table, Key=item("secret"))["Item"] == item("secret")
    assert len(sent) > 3 and set(sent) == {server.url.rstrip("/")}
    endpoints = dynamodb.describe_endpoints()["Endpoints"]
    address = server.url.rstrip("/").removeprefix("https://")
    assert endpoints == [{"Address": address, "CachePeriodInMinutes": 1440}]


def test_endpoint_discovery_keeps_the_cli_here(server, tmp_path):
    """The same with the CLI, as README points it here, and the setting in its configuration file."""
    aws = shutil.which("aws", path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    assert aws, "no AWS CLI here; ./check installs it"
    table = create_table(server.dynamodb)
    (tmp_path / "config").write_text("[default]\nendpoint_discovery_enabled = true\n")
    environment = clean_environment(
        AWS_CONFIG_FILE=str(tmp_path / "config"), AWS_ENDPOINT_URL=server.url, AWS_DEFAULT_REGION="us-east-1",
        AWS_ACCESS_KEY_ID="alice", AWS_SECRET_ACCESS_KEY="x", AWS_MAX_ATTEMPTS="1")
    done = subprocess.run(
        [aws, "dynamodb", "put-item", "--table-name", table, "--item", json.dumps(item("secret")), "--debug"],
        capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert f"Injecting discovered endpoint: {server.url}" in done.stderr and "amazonaws.com" not in done.stderr
    assert server.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"] == [item("secret")]


def test_item_through_http2(server, dynamodb):
    """HTTP/2 with prior knowledge on the same port, driven by curl when it is there."""
    curl = shutil.which("curl")
    if not curl or "HTTP2" not in subprocess.run([curl, "--version"], capture_output=True, text=True).stdout:
        pytest.skip("no curl with HTTP/2 here")
    table = create_table(dynamodb)
    dynamodb.put_item(TableName=table, Item=item("a"))
    headers = [part for k, v in raw_headers(server, "DynamoDB_20120810.GetItem").items() for part in ("-H", f"{k}: {v}")]
    done = subprocess.run(
        [curl, "-s", "--http2-prior-knowledge", "-w", "\n%{http_version}", *headers,
         "-d", json.dumps({"TableName": table, "Key": item("a")}), server.url],
        capture_output=True, text=True, timeout=20, check=True)
    body, version = done.stdout.rsplit("\n", 1)
    assert version == "2" and json.loads(body)["Item"] == item("a")
