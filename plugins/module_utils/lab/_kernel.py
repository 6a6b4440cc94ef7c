# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels in a lab, spoken to as a browser does: by way of the server, over a WebSocket.

Messages: https://jupyter-client.readthedocs.io/en/stable/messaging.html; frames: RFC 6455.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .._errors import LabError
from . import _jupyter
from ._jupyter import Activity
from ._lab import Lab

# Says the same in the languages of most kernels.
INFO = "kernel_info_request"
CODE, PRINTED = "print(6 * 7)", "42"
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
KNOWN = ("busy", "dead")  # states of a kernel in which there is nothing to ask it


def calculate(lab: Lab, token: str, seconds: float) -> None:
    """Have a new kernel calculate and print, and end it. Raises LabError where it does not within ``seconds``."""
    until = time.monotonic() + seconds
    try:
        kernel = _jupyter.start_kernel(lab, token, _left(until))
        try:
            _execute(lab, token, kernel, until)
        finally:
            with contextlib.suppress(OSError, ValueError):
                _jupyter.end_kernel(lab, token, kernel)
    except (OSError, ValueError) as error:
        raise LabError(
            f"{lab.name} serves, but no kernel calculates in it within {seconds:g} s ({error}); its log may say why."
        ) from error


def asked(lab: Lab, token: str, found: Activity, seconds: float) -> Activity:
    """What goes on, asked of the kernels themselves: one that does not answer within ``seconds`` is executing.

    A server calls a kernel idle as soon as something beside its work was answered, such as a widget's message.
    """
    kernels = (
        kernel
        if kernel["state"] in KNOWN or _answers(lab, token, kernel["id"], seconds)
        else {**kernel, "state": "busy"}
        for kernel in found.kernels
    )
    return replace(found, kernels=tuple(kernels))


def _answers(lab: Lab, token: str, kernel: str, seconds: float) -> bool:
    """Whether a kernel takes what it is sent; what it is sent waits for what it executes."""
    until = time.monotonic() + seconds
    try:
        return any(said["msg_type"] == "kernel_info_reply" for said in _replies(lab, token, kernel, INFO, {}, until))
    except (OSError, ValueError):
        return False


def _execute(lab: Lab, token: str, kernel: str, until: float) -> None:
    content = {"code": CODE, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
    for said in _replies(lab, token, kernel, "execute_request", content, until):
        if said["msg_type"] == "error":
            raise ValueError(f"{said['content'].get('ename')}: {said['content'].get('evalue')}")
        if said["msg_type"] == "stream" and PRINTED in said["content"]["text"]:
            return


def _replies(
    lab: Lab, token: str, kernel: str, kind: str, content: dict[str, Any], until: float
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """All that comes of one message to a kernel. Raises OSError, ValueError."""
    message = os.urandom(16).hex()
    header = {"msg_id": message, "msg_type": kind, "username": "", "session": message, "version": "5.3"}
    sent = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    with _channel(lab, token, kernel, until) as line:
        _send(line, TEXT, json.dumps(sent).encode())
        for said in _messages(line, until):
            if said["parent_header"].get("msg_id") == message:
                yield said


@contextlib.contextmanager
def _channel(lab: Lab, token: str, kernel: str, until: float) -> Iterator[socket.socket]:
    """A WebSocket to a kernel; the server answers once the kernel is ready."""
    with _jupyter.line_to(lab, _left(until)) as line:
        asked = [
            f"GET {lab.base_url}api/kernels/{kernel}/channels HTTP/1.1",
            f"Host: {lab.bind_address}:{lab.port}",
            f"Authorization: token {token}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        ]
        line.sendall("\r\n".join([*asked, "", ""]).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += _read(line, 1, until)
        status = head.split(b"\r\n")[0].decode(errors="replace")
        if " 101 " not in f"{status} ":
            raise ValueError(f"the server answers {status}")
        yield line


def _messages(line: socket.socket, until: float) -> Iterator[dict[str, Any]]:
    """What comes from the kernel; parts of a message are put together."""
    parts = b""
    while True:
        first, second = _read(line, 2, until)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", _read(line, 2, until))
        elif length == 127:
            (length,) = struct.unpack("!Q", _read(line, 8, until))
        payload = _read(line, length, until)
        kind, whole = first & 0x0F, first & 0x80
        if kind == CLOSE:
            raise ValueError("the server closed the connection")
        if kind == PING:
            _send(line, PONG, payload)
        elif kind <= TEXT:
            parts += payload
            if whole:
                yield json.loads(parts)
                parts = b""


def _send(line: socket.socket, kind: int, payload: bytes) -> None:
    """One frame; those of a client are masked."""
    mask, length = os.urandom(4), len(payload)
    size = struct.pack("!B", 0x80 | length) if length < 126 else struct.pack("!BH", 0x80 | 126, length)
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
    line.sendall(bytes([0x80 | kind]) + size + mask + masked)


def _read(line: socket.socket, length: int, until: float) -> bytes:
    data = b""
    while len(data) < length:
        line.settimeout(_left(until))
        piece = line.recv(length - len(data))
        if not piece:
            raise ValueError("the server closed the connection")
        data += piece
    return data


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
