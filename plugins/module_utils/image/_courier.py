# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks a host's engine what the controller wants to know, as a program of its own that goes along with each question.

A module of Ansible is 0.2 MB to send, more than a small layer; this is 2 KB. It decides nothing. Standard library only.
"""

# pylint: disable=ansible-bad-function  # this is a program on a host, not a module: it prints and exits

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import socket
import sys

BLOCK = 1 << 20


class Engine:
    """An engine, asked by HTTP 1.0, where an answer ends with its connection: to load http.client takes longer than
    all the rest of a question."""

    def __init__(self, said, timeout):
        environ = os.environ
        places = ["/var/run", environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")]
        places += [os.path.expanduser(f"~/.docker/{name}") for name in ("run", "desktop")]
        sockets = [f"{place}/docker.sock" for place in places]
        there = next(filter(os.path.exists, sockets), sockets[0])
        self.url = said.get("docker_host") or environ.get("DOCKER_HOST") or f"unix://{there}"
        self.said, self.timeout = said, timeout

    def _line(self):
        scheme, _separator, place = self.url.partition("://")
        if scheme == "unix":
            line = socket.socket(socket.AF_UNIX)
            line.settimeout(self.timeout)
            line.connect(place)
            return line
        usual = not self.said.get("docker_host") and os.environ.get("DOCKER_TLS_VERIFY")
        secret = self.said.get("tls") or usual
        host, _colon, port = place.partition("/")[0].rpartition(":")
        line = socket.create_connection((host.strip("[]"), int(port)), self.timeout)
        return self._secured(line, host, usual) if secret else line

    def _secured(self, line, host, usual):
        import ssl

        folder = os.environ.get("DOCKER_CERT_PATH") or os.path.expanduser("~/.docker")
        names = {"ca_path": "ca.pem", "client_cert": "cert.pem", "client_key": "key.pem"}
        files = {key: self.said.get(key) or (usual and f"{folder}/{name}") for key, name in names.items()}
        trusted = ssl.create_default_context(cafile=files["ca_path"] or None)
        if not self.said.get("validate_certs", True):
            trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
        if files["client_cert"]:
            trusted.load_cert_chain(files["client_cert"], files["client_key"])
        return trusted.wrap_socket(line, server_hostname=host.strip("[]"))

    def answer(self, method, path, headers=(), parts=(), came=None):
        """The status, and the answer as a file. ``parts`` are what is sent, as `pieces` has them."""
        said = {"Host": "docker", "Content-Length": size(parts), **dict(headers)}
        with self._line() as line:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it refuses, and says why
                head = [f"{method} {path} HTTP/1.0", *(f"{name}: {value}" for name, value in said.items())]
                line.sendall("\r\n".join([*head, "", ""]).encode())
                for piece in pieces(parts, came):
                    line.sendall(piece)
            answer = line.makefile("rb")
        status = answer.readline().split()
        if len(status) < 2:
            raise ConnectionError("it ended the connection without an answer")
        while answer.readline().strip():
            pass
        return int(status[1]), answer

    def ask(self, *request):
        """The status, and the lines of the answer."""
        status, answer = self.answer(*request)
        with answer:
            return status, [json.loads(line) for line in answer if line.strip()]


def look(engine, labels, notes, name):
    """All images, with their layers, some of their labels, when they were named and what was noted of them, of the one
    that has the name the configuration too; the images that containers need; the storage."""
    images = {item["Id"]: item for item in engine.ask("GET", "/images/json?all=1")[1][0]}
    found = []
    for number, item in images.items():
        inside = (engine.ask("GET", f"/images/{number}/json")[1] or [{}])[0]
        own = {key: value for key, value in (item["Labels"] or {}).items() if key in labels}
        said = {key: item[key] for key in ("Id", "RepoTags", "Created", "Size")}
        layers = inside.get("RootFS", {}).get("Layers") or []
        said["Named"] = (inside.get("Metadata") or {}).get("LastTagTime") or ""
        said["Config"] = inside.get("Config") or {} if name in (item["RepoTags"] or []) else None
        found.append({**said, "Labels": own, "Layers": layers, "Noted": noted(f"{notes}/{number}")})
    used = [item["ImageID"] for item in engine.ask("GET", "/containers/json?all=1")[1][0]]
    return {"images": found, "used": used, "storage": engine.ask("GET", "/info")[1][0].get("DriverStatus")}


def noted(path):
    with contextlib.suppress(OSError, ValueError), open(os.path.expanduser(path), encoding="utf-8") as file:
        return json.load(file)
    return {}


def size(parts):
    return sum(
        part if isinstance(part, int) else len(part) if isinstance(part, str) else os.path.getsize(part[0])
        for part in parts
    )


def pieces(parts, came):
    """What a request sends: text, so many bytes of what came with the order, or ["a file of the host"]."""
    for part in parts:
        if isinstance(part, str):
            yield part.encode("latin-1")
        elif isinstance(part, int):
            yield came.read(part)
        else:
            with open(part[0], "rb") as file:
                while piece := file.read(BLOCK):
                    yield piece


def broken(path, digest):
    """Whether a file is not what it should be; it is removed then."""
    found = hashlib.sha256()
    for piece in pieces([[path]] if os.path.exists(path) else [], None):
        found.update(piece)
    if f"sha256:{found.hexdigest()}" == digest:
        return False
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return True


def answers(order):
    """Print what the engine answers to each question; null where it has no such thing."""
    engine = Engine(order["engine"], order["timeout"])
    said = [engine.ask("GET", question) for question in order["questions"]]
    print(json.dumps([lines[0] if status == 200 else None for status, lines in said]))


def main(order):
    engine = Engine(order["engine"], order["timeout"])
    reply = {"engine": engine.url, "said": []}
    came = sys.stdin.buffer
    if order["slim"]:
        import bz2

        came = io.BytesIO(bz2.decompress(came.read()))
    reply["broken"] = [path for path, digest in order["files"].items() if broken(path, digest)]
    try:
        for path, text in order["texts"].items():
            path = os.path.expanduser(path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        for method, path, headers, parts in order["requests"] if not reply["broken"] else ():
            status, lines = engine.ask(method, path, headers, parts or (), came)
            errors = [line.get("error") or line.get("message") for line in lines if isinstance(line, dict)]
            errors = [error for error in errors if error]
            reply["said"].append([status, "; ".join(errors)])
            if errors:
                break
        reply.update(look(engine, order["labels"], order["notes"], order["name"]))
        if order["folder"] and not reply["broken"] and all(not error for _status, error in reply["said"]):
            shutil.rmtree(order["folder"], ignore_errors=True)
    except (OSError, ValueError) as error:
        reply["failed"] = [type(error).__name__, str(error)]
    print(json.dumps(reply))
