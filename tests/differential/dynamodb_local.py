"""DynamoDB Local, as a process of the test's own."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from support.server import REPOSITORY, clean_environment

START_SECS_MAX = 60
# Where `./check` puts it.
INSTALLED = REPOSITORY / "target" / "dynamodb-local"


def directory() -> pathlib.Path:
    """Where DynamoDB Local is, if it is anywhere."""
    return pathlib.Path(os.environ.get("STRONGROOM_DYNAMODB_LOCAL_DIR", INSTALLED))


def what_is_missing() -> str | None:
    """Why DynamoDB Local cannot be run here, or None where it can."""
    if not shutil.which("java"):
        return "there is no `java` (17 or later)"
    if not (directory() / "DynamoDBLocal.jar").is_file():
        return f"there is no DynamoDBLocal.jar in {directory()}; `./check e2e` installs it, or set STRONGROOM_DYNAMODB_LOCAL_DIR"
    return None


@contextlib.contextmanager
def dynamodb_local(logs):
    """Runs it in memory on a free port; gives its URL."""
    where = directory()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        "java", "-Xmx2g", "-XX:+UseSerialGC", f"-Djava.library.path={where / 'DynamoDBLocal_lib'}", "-jar", str(where / "DynamoDBLocal.jar"),
        "-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port),
    ]
    with open(logs, "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment(), cwd=where,
            preexec_fn=lambda: ctypes.CDLL(None).prctl(1, signal.SIGKILL))
    try:
        wait_for(port, process, logs)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def wait_for(port, process, logs):
    deadline = time.monotonic() + START_SECS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError(f"DynamoDB Local was not ready:\n{pathlib.Path(logs).read_text(errors='replace')}")
