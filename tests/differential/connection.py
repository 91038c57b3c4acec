"""Raw calls over one kept connection: whatever a request holds, nothing looks at it before the server does."""

import json
import socket
import time
import urllib.parse

from support.server import authorization

ANSWER_SECS_MAX = 60


class Connection:
    """One connection to a DynamoDB endpoint. `send` and `receive` are apart, so that two servers work side by side."""

    def __init__(self, url, access_key="AKIAIOSFODNN7EXAMPLE"):
        where = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((where.hostname, where.port), timeout=ANSWER_SECS_MAX)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.head = (
            f"POST / HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"Authorization: {authorization(access_key, 'dynamodb')}\r\n"
        )

    def send(self, operation, body):
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = (
            f"{self.head}X-Amz-Date: {time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}\r\n"
            f"X-Amz-Target: DynamoDB_20120810.{operation}\r\nContent-Length: {len(payload)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + payload)

    def receive(self) -> tuple:
        """Status and body of the next answer."""
        status = int(self.file.readline().split(b" ", 2)[1])
        length = chunked = None
        while (line := self.file.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            match name.lower():
                case b"content-length":
                    length = int(value)
                case b"transfer-encoding":
                    chunked = value.strip().lower() == b"chunked"
        raw = self.chunks() if chunked else self.file.read(length)
        return status, json.loads(raw) if raw else None

    def chunks(self) -> bytes:
        raw = b""
        while size := int(self.file.readline(), 16):
            raw += self.file.read(size)
            self.file.readline()
        self.file.readline()
        return raw

    def call(self, operation, body) -> tuple:
        self.send(operation, body)
        return self.receive()

    def close(self):
        self.file.close()
        self.socket.close()
