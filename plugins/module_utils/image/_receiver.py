# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of a registry as an engine needs to push one image: the layers that are wanted arrive as files.

An engine pushes only what a registry lacks, and reads and compresses each layer once; `docker save` reads all.
The protocol: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

CHUNK = 1 << 20
# An address of its own among those of the loopback, for which every engine does without TLS. It is always the same,
# because an engine remembers by it which layers it has pushed.
ADDRESS = ("127.88.88.88", 8888)
# Seconds to wait for whatever else listens there, from when a delivery was last seen, and for other deliveries.
PATIENCE = 10
TURN = 900
SERVER = "myjupyter-delivery"


class Receiver:
    """What one push has brought. ``lacks(digest)`` says whether a blob that the engine offers is to be sent."""

    def __init__(self, folder: str, lacks: Callable[[str], bool]) -> None:
        self.folder, self.lacks = folder, lacks
        self.manifest: dict[str, Any] = {}

    def path(self, digest: str) -> str:
        return os.path.join(self.folder, digest.replace(":", "-"))

    def has(self, digest: str) -> bool:
        return os.path.exists(self.path(digest)) or not self.lacks(digest)


@contextlib.contextmanager
def listening(receiver: Receiver) -> Iterator[str]:
    """The receiver at work; its address as part of an image's name. Raises OSError where it cannot listen."""
    handler = type("BoundHandler", (Handler,), {"receiver": receiver})
    with _server(handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"{ADDRESS[0]}:{ADDRESS[1]}"
        finally:
            server.shutdown()
            thread.join()


def _server(handler: type[Handler]) -> ThreadingHTTPServer:
    """Another delivery may be at it: its turn comes first. One that just ends, or has much to do, may not answer."""
    begun = seen = time.monotonic()
    while True:
        try:
            return ThreadingHTTPServer(ADDRESS, handler)
        except OSError:
            now = time.monotonic()
            seen = now if _is_delivery() else seen
            if now - begun > TURN or now - seen > PATIENCE:
                raise
            time.sleep(0.1)


def _is_delivery() -> bool:
    try:
        with socket.create_connection(ADDRESS, timeout=1) as line:
            line.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
            return SERVER.encode() in line.recv(CHUNK)
    except OSError:
        return False


class Handler(BaseHTTPRequestHandler):
    """One connection of an engine."""

    protocol_version = "HTTP/1.1"
    # Engines that keep images with containerd begin with TLS, and go on without where the refusal is HTTP.
    default_request_version = "HTTP/1.1"
    server_version = SERVER
    receiver: Receiver

    def do_GET(self) -> None:
        self._answer(200 if self.path == "/v2/" else 404)

    def do_HEAD(self) -> None:
        digest = self._last()
        there = "/blobs/" in self.path and self.receiver.has(digest)
        self._answer(200 if there else 404, {"Docker-Content-Digest": digest} if there else {})

    def do_POST(self) -> None:
        list(self._body())
        self._answer(202, {"Location": f"{self._place().rstrip('/')}/{uuid.uuid4().hex}"})

    def do_PATCH(self) -> None:
        size = self._append()
        self._answer(202, {"Location": self._place(), "Range": f"0-{max(size - 1, 0)}"})

    def do_PUT(self) -> None:
        if "/manifests/" in self.path:
            content = b"".join(self._body())
            self.receiver.manifest = json.loads(content)
            self._answer(201, {"Docker-Content-Digest": f"sha256:{hashlib.sha256(content).hexdigest()}"})
            return
        self._append()
        match = re.search(r"[?&]digest=sha256(?::|%3A)([0-9a-f]{64})(?:&|$)", self.path)
        wanted = f"sha256:{match[1]}" if match else ""
        if digest_of(self._upload()) != wanted:
            self._answer(400)
            return
        os.replace(self._upload(), self.receiver.path(wanted))
        self._answer(201, {"Docker-Content-Digest": wanted})

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a module's output is its result."""

    def _place(self) -> str:
        return self.path.partition("?")[0]

    def _last(self) -> str:
        return self._place().rpartition("/")[2]

    def _upload(self) -> str:
        return os.path.join(self.receiver.folder, f"upload-{re.sub('[^0-9a-f]', '', self._last())}")

    def _append(self) -> int:
        with open(self._upload(), "ab") as file:
            file.writelines(self._body())
            return file.tell()

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield from self._read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _read(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.rfile.read(min(size, CHUNK))
            if not piece:
                raise ConnectionError("the engine went away in the middle of a layer")
            size -= len(piece)
            yield piece

    def _answer(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()


def digest_of(path: str) -> str:
    """The digest of a file, as registries and image layouts write it."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(CHUNK):
            found.update(piece)
    return f"sha256:{found.hexdigest()}"
