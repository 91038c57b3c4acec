"""The command line: demo, verify, bench, help, and the README's walk-through word for word."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from support import canary
from support.server import REPOSITORY, Server, binary, clean_environment
from support.tables import create_table, customer_key, error_of, fill, item, scan_all, sse

README = REPOSITORY / "README.md"


def run(*arguments, seconds=120, **options):
    return subprocess.run([binary(), *arguments], capture_output=True, text=True, timeout=seconds, env=clean_environment(), **options)


def test_help_and_version():
    assert "serve" in run("--help").stdout
    assert re.search(r"\d+\.\d+\.\d+", run("--version").stdout)
    wrong = run("serve", "--no-such-setting")
    assert wrong.returncode != 0 and "--no-such-setting" in wrong.stderr


def test_demo_lives_through_the_sixty_seconds(tmp_path):
    """It prints each call and what came back, and ends with the search of the disk; it leaves nothing behind."""
    done = run("demo", cwd=tmp_path)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    for word in ("create-key|CreateKey", "create-table|CreateTable", "put-item|PutItem", "disable-key|DisableKey",
                 "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "enable-key|EnableKey", "lookup-events|LookupEvents"):
        assert re.search(word, text), f"the demo does not show {word}:\n{text}"
    assert re.search(r"nothing|0 (?:files|places|times)|not found", text.lower()), text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_ended_leaves_nothing_behind(tmp_path, ending):
    """Its directory holds a key file and data: it goes whichever way the demo ends."""
    environment = {**clean_environment(), "TMPDIR": str(tmp_path)}
    demo = subprocess.Popen([binary(), "demo"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    # Its first words come before its server starts, the second line after.
    while not demo.stdout.readline().startswith(b"A server runs"):
        assert demo.poll() is None
    assert len(list(tmp_path.iterdir())) == 1
    demo.send_signal(ending)
    demo.stdout.read()
    assert demo.wait(timeout=20) == 1
    assert list(tmp_path.iterdir()) == []


def test_demo_uses_no_proxy(tmp_path):
    """Where cargo needs a proxy, the calls of the demonstration to its own server must not go there."""
    proxies = {name: "http://127.0.0.1:1" for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")}
    done = subprocess.run([binary(), "demo"], capture_output=True, text=True, timeout=120, cwd=tmp_path, env=clean_environment(**proxies))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Everything was as promised" in done.stdout


def test_a_start_that_is_refused_leaves_no_root_key(tmp_path):
    """Neither the directory of somebody else nor a port in use is a reason to make a key beside it."""
    alien = tmp_path / "alien"
    alien.mkdir()
    (alien / "letter").write_text("mine")
    refused = run("serve", "--dev", "--listen", "127.0.0.1:0", "--data", str(alien), seconds=20)
    assert refused.returncode == 1 and "not a Strongroom data directory" in refused.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        refused = run("serve", "--dev", "--listen", address, "--data", str(tmp_path / "data"), seconds=20)
    assert refused.returncode == 1 and f"cannot listen on {address}" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["alien"]
    assert [path.name for path in alien.iterdir()] == ["letter"]


def test_of_servers_started_at_once_the_refused_ones_say_why(tmp_path):
    """Three starts on one new directory: one serves, and the others say that the directory is in use."""
    command = [binary(), "serve", "--dev", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data")]
    starts = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment()) for _ in range(3)]
    try:
        until = time.monotonic() + 20
        while sum(start.poll() is None for start in starts) > 1 and time.monotonic() < until:
            time.sleep(0.01)
        refused = [start for start in starts if start.poll() is not None]
        assert len(refused) == 2
        for start in refused:
            text = start.stderr.read()
            assert "is in use by another process" in text and "key file" not in text, text
    finally:
        for start in starts:
            start.kill()
            start.communicate()


def test_verify_lists_each_table(own_server):
    """A table per table: objects, bytes, data key, table key, KMS key ARN; exit code 0 when all is well."""
    key = customer_key(own_server.kms)
    tables = [create_table(own_server.dynamodb), create_table(own_server.dynamodb, **sse(key))]
    for table in tables:
        fill(own_server.dynamodb, table, 100, bytes_each=5_000)
    busy = run("verify", "--data", str(own_server.data), "--root-key", f"file:{own_server.root_key}")
    assert busy.returncode != 0, "verify is offline: it must not touch a directory in use"
    own_server.stop()
    done = run("verify", "--data", str(own_server.data), "--root-key", f"file:{own_server.root_key}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert key in done.stdout
    for table in tables:
        assert table in done.stdout


@pytest.mark.parametrize("found", ["1", "99"])
def r06_data_of_another_release_is_refused(own_server, tmp_path, found):
    """Older or newer, the first thing said is that another release wrote it, and what to do; nothing is changed."""
    create_table(own_server.dynamodb)
    own_server.stop()
    (own_server.data / "FORMAT").write_text(found)
    before = {p: p.read_bytes() for p in canary.files([own_server.data])}
    file = tmp_path / "passphrase"
    file.write_text("another secret altogether\n")
    texts = [
        own_server.start_expecting_failure(),
        PassphraseServer(own_server.home, file).start_expecting_failure(),
        run("verify", "--data", str(own_server.data), "--root-key", f"file:{own_server.root_key}").stderr,
    ]
    for text in texts:
        assert f"another release wrote the data directory `{own_server.data}`: it has format {found}" in text, text
        assert "run the release that wrote it" in text, text
    assert {p: p.read_bytes() for p in canary.files([own_server.data])} == before


def test_a_data_directory_without_a_name_of_its_own(tmp_path):
    """`--data .`: the root key lies beside the directory all the same, not in it."""
    home = tmp_path / "here"
    home.mkdir()

    class Here(Server):
        def command(self):
            return [binary(), "serve", "--dev", "--listen", self.listen, "--data", "."]

        def stdout_path(self):
            return tmp_path / "out"

        def stderr_path(self):
            return tmp_path / "err"

    server = Here(home)
    server.logs.rmdir()
    table = create_table(server.start().dynamodb)
    server.restart()
    assert server.dynamodb.list_tables()["TableNames"] == [table]
    server.stop()
    assert (tmp_path / "here.root-key").is_file()
    assert not list(home.rglob("*root-key*"))


def test_verify_without_the_right_root_key(own_server, tmp_path):
    create_table(own_server.dynamodb)
    own_server.stop()
    wrong = run("verify", "--data", str(own_server.data), "--root-key", f"file:{tmp_path / 'none.key'}")
    assert wrong.returncode != 0
    assert not (tmp_path / "none.key").exists(), "verify makes no keys"


def test_the_passphrase_opens_and_a_wrong_one_does_not(make_server, tmp_path):
    """A root key from a passphrase file: right opens, wrong is a clear error and changes nothing."""
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery staple\n")
    file.chmod(0o600)
    server = PassphraseServer(tmp_path / "server", file).start()
    table = create_table(server.dynamodb)
    fill(server.dynamodb, table, 5)
    server.stop()
    before = {p: p.read_bytes() for p in canary.files([server.data])}
    file.write_text("wrong horse battery staple\n")
    text = server.start_expecting_failure()
    assert "passphrase" in text.lower(), text
    assert {p: p.read_bytes() for p in canary.files([server.data])} == before
    file.write_text("correct horse battery staple\n")
    server.start()
    assert server.dynamodb.scan(TableName=table)["Count"] == 5
    server.stop()
    assert canary.search([server.data, server.logs], {"passphrase": b"correct horse battery"}) == []


def test_a_passphrase_beside_the_data_is_refused_and_one_for_all_to_read_told_of(tmp_path):
    """Whoever copies the data directory must not copy what opens it."""
    file = tmp_path / "passphrase"
    file.write_text("correct horse battery staple\n")
    file.chmod(0o644)
    server = PassphraseServer(tmp_path / "server", file).start()
    assert "others may use the passphrase file" in server.output()
    server.stop()
    server.file = server.data / "passphrase"
    shutil.copy(file, server.file)
    text = server.start_expecting_failure()
    assert "lies in the data directory" in text and str(server.file) in text, text


class PassphraseServer(Server):
    """A server whose root key comes from a passphrase in a file."""

    def __init__(self, home, file):
        super().__init__(home)
        self.file = file

    def command(self):
        return [f"passphrase:{self.file}" if part.startswith("file:") else part for part in super().command()]


@pytest.mark.parametrize("root_key", ["file", "passphrase"])
def test_an_idle_server_is_small(tmp_path, root_key):
    """With ten tables that nobody has used since the start, it occupies 40 MB at most. Half of that is the binary's own
    pages, more in a debug build, so only what it has allocated is looked at: some 8 MB."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery\n")
    passphrase.chmod(0o600)
    server = Server(tmp_path / "server") if root_key == "file" else PassphraseServer(tmp_path / "server", passphrase)
    server.start()
    for _ in range(10):
        server.dynamodb.put_item(TableName=create_table(server.dynamodb), Item=item("a"))
    server.restart()
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    server.stop()
    allocated = int(status.split("RssAnon:")[1].split()[0]) * 1024
    assert allocated < 16 * 1024 * 1024, f"{allocated} bytes"


def test_bench_measures_any_endpoint(own_server):
    done = run("bench", "--endpoint", own_server.url, "--workload", "mixed", "--connections", "4", "--seconds", "2", "--item-bytes", "200")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"p99", done.stdout) and re.search(r"\d", done.stdout)


def walk_through() -> str:
    """The `sh` blocks of the README's walk-through, as one script."""
    section = README.read_text().split("## Sixty seconds")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def test_the_walk_through_of_the_readme_works_word_for_word(make_server, tmp_path):
    """Its commands, in its order, in one shell, with the real AWS CLI; only the port and the path to the binary
    are those of this test. The blocks' own comments (`# prints ...`) say what must come out."""
    aws = shutil.which("aws", path=f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}")
    assert aws, "no AWS CLI here; ./check installs it"
    server = make_server(listen="127.0.0.1:0")
    server.data = server.home / "strongroom-data"
    server.start()
    script = walk_through().replace("http://127.0.0.1:8000", server.url.rstrip("/"))
    assert "create-key" in script and "lookup-events" in script
    bin_directory = tmp_path / "bin"
    bin_directory.mkdir()
    (bin_directory / "strongroom").symlink_to(binary())
    environment = clean_environment(PATH=f"{bin_directory}:{pathlib.Path(aws).parent}:{os.environ['PATH']}", AWS_PAGER="")
    # The block's last step stops the server and searches its directory.
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script], capture_output=True, text=True, timeout=180, cwd=server.home,
        env=environment | {"STRONGROOM_PID": str(server.process.pid)})
    assert done.returncode == 0, done.stdout + done.stderr
    for expected in re.findall(r"# prints (.+)", script):
        assert expected.strip() in done.stdout, f"not printed: {expected}\n{done.stdout}\n{done.stderr}"


def test_the_readme_names_what_exists():
    """Relative links lead somewhere."""
    for page in REPOSITORY.glob("*.md"):
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "LICENSE"])
def test_the_pages_are_there(name):
    assert (REPOSITORY / name).stat().st_size > 200


def test_a_log_that_cannot_be_written_costs_nothing_but_the_log(make_server, monkeypatch):
    """Standard error is a full disk: every line is lost, and no request with it."""
    server = make_server()
    monkeypatch.setattr(server, "stderr_path", lambda: pathlib.Path("/dev/full"))
    monkeypatch.setattr(server, "output", server.stdout)
    server.start()
    key = customer_key(server.kms)
    table = create_table(server.dynamodb, **sse(key))
    # Tells in the log that another region has tables.
    assert server.client("dynamodb", region="eu-west-1").list_tables()["TableNames"] == []
    server.kms.disable_key(KeyId=key)
    assert "disabled" in error_of(scan_all, server.dynamodb, table)[1]
    server.kms.enable_key(KeyId=key)
    assert scan_all(server.dynamodb, table) == {}
    server.stop()
