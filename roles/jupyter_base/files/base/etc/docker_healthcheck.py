#!/bin/sh
"exec" "/opt/conda/bin/python" "-IS" "$0" "$@"  # a Python that loads no more than it is asked to
"""Healthy is: the server that wrote the newest runtime file answers GET /api, which needs no token.

Runs every few seconds in each lab, so it imports little: about 20 ms of one core.
"""

import json
import os
import socket
from urllib.parse import urlsplit


def runtime_dir(environ):
    """Where the server keeps its runtime files, as jupyter_core finds it."""
    if environ.get("JUPYTER_RUNTIME_DIR"):
        return environ["JUPYTER_RUNTIME_DIR"]
    home = os.path.join("/home", environ["NB_USER"])
    share = environ.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    return os.path.join(environ.get("JUPYTER_DATA_DIR") or os.path.join(share, "jupyter"), "runtime")


def newest_url(directory):
    """The address in the runtime file written last; a killed server leaves its own behind."""
    files = [
        entry for entry in os.scandir(directory) if "server-" in entry.name and entry.name.endswith(".json")
    ]
    newest = max(files, key=lambda entry: entry.stat().st_mtime)
    with open(newest.path, encoding="utf-8") as file:
        return urlsplit(json.load(file)["url"])


def answer(url):
    """The first line of the server's answer to GET /api."""
    connection = socket.create_connection((url.hostname, url.port), timeout=3)
    if url.scheme == "https":
        import ssl

        connection = ssl._create_unverified_context().wrap_socket(connection)
    with connection:
        connection.sendall(f"GET {url.path}api HTTP/1.0\r\nHost: {url.netloc}\r\n\r\n".encode())
        return connection.recv(100).split(b"\r\n")[0].decode()


status = answer(newest_url(runtime_dir(os.environ)))
print(status)
if " 200 " not in status:
    raise SystemExit(1)
