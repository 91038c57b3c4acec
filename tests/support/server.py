"""A Strongroom process of a test's own: start, crash, restart, clock, logs."""

import ctypes
import http.client
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import threading
import time
import urllib.parse

import boto3
from botocore.config import Config

REGION = "us-east-1"
ACCOUNT = "000000000000"
START_SECS_MAX = 30
SESSION = boto3.session.Session()
SESSION_LOCK = threading.Lock()
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def binary() -> str:
    """The server under test: STRONGROOM_BIN, or the release build."""
    path = os.environ.get("STRONGROOM_BIN", str(REPOSITORY / "target" / "release" / "strongroom"))
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f"no server to test at {path}; `./check build`, or set STRONGROOM_BIN")
    return path


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without any setting of Strongroom's or AWS's."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STRONGROOM_"))}
    return kept | extra


class Server:
    """One `strongroom serve`. Everything it prints is kept in files under `home/logs`."""

    def __init__(self, home, *, dev=True, data=None, arguments=(), environment=None, listen="127.0.0.1:0"):
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.logs = self.home / "logs"
        self.logs.mkdir(exist_ok=True)
        self.data = data if data is not None else self.home / "data"
        self.root_key = self.home / "root.key"
        self.dev = dev
        self.listen = listen
        self.arguments = list(arguments)
        self.environment = dict(environment or {})
        self.process = None
        self.url = None
        self.access_key = "AKIAIOSFODNN7EXAMPLE"
        self.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        self.verify = None
        self.runs = 0

    # Running it

    def command(self) -> list[str]:
        return [
            binary(),
            "serve",
            *(["--dev"] if self.dev else []),
            *("--listen", self.listen),
            *("--data", str(self.data)),
            *("--root-key", f"file:{self.root_key}"),
            *self.arguments,
        ]

    def start(self, *, preexec=None, prefix=()) -> "Server":
        """Starts the server and waits for its `ready <url>` line."""
        self.spawn(preexec=preexec, prefix=prefix)
        deadline = time.monotonic() + START_SECS_MAX
        while time.monotonic() < deadline:
            ready = re.search(r"^ready (\S+)$", self.stdout(), re.MULTILINE)
            if ready:
                self.url = ready.group(1)
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.005)
        self.kill()
        raise StartFailed(
            f"`{shlex.join(self.command())}` was not ready; exit code {self.process.returncode}\n{self.output()}"
        )

    def spawn(self, *, preexec=None, prefix=()):
        """Starts the process without waiting for anything."""
        assert self.process is None or self.process.poll() is not None, "already running"
        self.runs += 1

        def before_exec():
            # The server dies with the test run, however that ends.
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
            if preexec:
                preexec()

        with open(self.stdout_path(), "wb") as out, open(self.stderr_path(), "wb") as err:
            self.process = subprocess.Popen(
                [*prefix, *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=clean_environment(**self.environment),
                cwd=self.home,
                preexec_fn=before_exec,
            )

    def start_expecting_failure(self, *, seconds=20, **options) -> str:
        """Starts a server that must refuse to start; returns all it printed."""
        self.spawn(**options)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            text = self.output()
            self.kill()
            raise AssertionError(f"the server still runs after {seconds} s:\n{text}") from None
        assert code not in (0, None), f"exit code {code}:\n{self.output()}"
        assert code > 0, f"died of signal {-code}:\n{self.output()}"
        assert "panicked" not in self.output(), self.output()
        return self.output()

    def kill(self):
        """kill -9: no farewell, nothing flushed."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def stop(self, *, seconds=15, with_signal=signal.SIGTERM) -> float:
        """Stops it politely; returns how long that took. Fails when it does not go, or not well."""
        if not self.process or self.process.poll() is not None:
            return 0.0
        started = time.monotonic()
        self.process.send_signal(with_signal)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"signal {with_signal} did not end the server within {seconds} s") from None
        assert code == 0, f"exit code {code}:\n{self.output()}"
        return time.monotonic() - started

    def restart(self, *, crash=False) -> "Server":
        """Ends it (politely, or with -9) and starts it on the same data."""
        self.kill() if crash else self.stop()
        return self.start()

    def suspend(self):
        """Freezes the process: it keeps its port and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    # What it said

    def stdout_path(self):
        return self.logs / f"{self.runs}.stdout"

    def stderr_path(self):
        return self.logs / f"{self.runs}.stderr"

    def stdout(self) -> str:
        return self.stdout_path().read_text(errors="replace")

    def output(self) -> str:
        """All that the current run printed, on both streams."""
        return self.stdout() + self.stderr_path().read_text(errors="replace")

    # Talking to it

    def client(self, service, *, region=REGION, access_key=None, secret_key=None, retries=0, **config):
        """A boto3 client of the server. It does not retry unless told: a failed request is to be seen."""
        settings = Config(
            retries={"total_max_attempts": retries + 1, "mode": "standard"},
            connect_timeout=5,
            read_timeout=config.pop("read_timeout", 30),
            max_pool_connections=config.pop("max_pool_connections", 64),
            **config,
        )
        # One session reads the service models once; making clients of it is not thread-safe.
        with SESSION_LOCK:
            return SESSION.client(
                service,
                endpoint_url=self.url,
                region_name=region,
                aws_access_key_id=access_key or self.access_key,
                aws_secret_access_key=secret_key or self.secret_key,
                verify=self.verify,
                config=settings,
            )

    @property
    def dynamodb(self):
        return self.client("dynamodb")

    @property
    def kms(self):
        return self.client("kms")

    @property
    def cloudtrail(self):
        return self.client("cloudtrail")

    @property
    def sts(self):
        return self.client("sts")

    def advance(self, seconds: int):
        """Moves the server's clock forward (a server in --dev only)."""
        status, _, body = self.http("POST", "/_strongroom/clock", json.dumps({"AdvanceSeconds": seconds}),
                                    {"Content-Type": "application/json"})
        assert status == 200, f"{status}: {body!r}"

    def http(self, method, path, body=b"", headers=None, *, timeout=30):
        """A bare HTTP request; returns status, headers, body."""
        where = urllib.parse.urlsplit(self.url)
        assert where.scheme == "http", "bare requests are for cleartext servers"
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def call(self, target, body, *, headers=None, timeout=30, version="1.0", service="dynamodb"):
        """A raw JSON call, such as `DynamoDB_20120810.GetItem`; `body` may be any bytes. In --dev any signature will do."""
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, answer_headers, answer = self.http(
            "POST",
            "/",
            payload,
            {
                "Content-Type": f"application/x-amz-json-{version}",
                "X-Amz-Target": target,
                "Authorization": authorization(self.access_key, service),
                "X-Amz-Date": time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()),
                **(headers or {}),
            },
            timeout=timeout,
        )
        return status, answer_headers, json.loads(answer) if answer else None


class StartFailed(AssertionError):
    """The server ended, or said nothing, before it was ready."""


def authorization(access_key, service, region=REGION) -> str:
    """An Authorization header of the right form; its signature is wrong, which --dev does not mind."""
    day = time.strftime("%Y%m%d", time.gmtime())
    return (
        f"AWS4-HMAC-SHA256 Credential={access_key}/{day}/{region}/{service}/aws4_request, "
        f"SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={'0' * 64}"
    )


class Background:
    """Runs `step()` again and again in threads until told to stop; keeps what failed."""

    def __init__(self, step, threads=4, pause_secs=0.0):
        self._step = step
        self._pause_secs = pause_secs
        self._stop = threading.Event()
        self.done = 0
        self.failures = []
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]

    def _run(self, thread):
        turn = 0
        while not self._stop.is_set():
            try:
                self._step(thread, turn)
                with self._lock:
                    self.done += 1
            except Exception as error:  # what a request raised is the test's finding
                with self._lock:
                    self.failures.append(error)
            turn += 1
            if self._pause_secs:
                self._stop.wait(self._pause_secs)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
