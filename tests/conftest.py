"""Fixtures of the end-to-end tests: servers and clients.

`server` is shared by the tests of a run and lives in one data directory:
tests on it use names of their own and leave the clock alone. A test that
crashes, stops, damages or moves the clock of its server asks for `own_server`.
"""

import re

import pytest
from support.server import Server

pytest_plugins = ["support.report"]


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The shared server, in --dev."""
    shared = Server(tmp_path_factory.mktemp("shared")).start()
    yield shared
    shared.stop()


@pytest.fixture
def make_server(tmp_path):
    """Makes servers of the test's own, not started; they end with the test."""
    made = []

    def make(name="server", **options):
        made.append(Server(tmp_path / name, **options))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture
def own_server(make_server):
    """A server that the test may crash, stop, damage, and whose clock it may move."""
    return make_server().start()


@pytest.fixture
def secure_server(make_server):
    """A server as it runs without --dev: TLS, and credentials made at first start."""
    return start_secure(make_server("secure", dev=False))


def start_secure(server):
    """Starts a server without --dev and takes its credentials and CA file from the banner."""
    server.start()
    text = server.output()
    access_key = re.search(r"\b(AKIA[A-Z0-9]{16})\b", text)
    secret_key = re.search(r"(?i)secret[ _]access[ _]key\W+([A-Za-z0-9+/]{40})(?![A-Za-z0-9+/])", text)
    ca_file = re.search(r"AWS_CA_BUNDLE=(\S+)", text)
    assert ca_file, f"the banner names no CA file:\n{text}"
    server.verify = ca_file.group(1)
    assert access_key and secret_key, f"the banner shows no credentials:\n{text}"
    server.access_key, server.secret_key = access_key.group(1), secret_key.group(1)
    return server


@pytest.fixture
def dynamodb(server):
    return server.dynamodb


@pytest.fixture
def kms(server):
    return server.kms


@pytest.fixture
def cloudtrail(server):
    return server.cloudtrail
