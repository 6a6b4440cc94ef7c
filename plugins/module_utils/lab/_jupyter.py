# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab's Jupyter Server says of itself. The only file that speaks HTTP to one.

The REST API: https://jupyter-server.readthedocs.io/en/latest/developers/rest-api.html
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._errors import LabError
from ._lab import Lab

POLL = 0.05  # seconds between two looks
# What comes of a question to something that is no Jupyter Server, or is none yet.
NO_ANSWER = (OSError, ValueError, TypeError, KeyError, AttributeError, http.client.HTTPException)
REFUSED = (http.client.UNAUTHORIZED, http.client.FORBIDDEN)
GLANCE = 3.0  # seconds to wait for one answer
PATIENCE = 10.0  # the same, where much depends on it and the machine may have much to do


@dataclass(frozen=True)
class Activity:
    """What goes on in a lab. ``busy`` counts kernels that execute; ``answered`` is False where nobody could tell,
    ``refused`` where that is because the server does not take the token; ``beside`` tells of kernels that run and are
    none of the server's."""

    answered: bool
    kernels: tuple[dict[str, Any], ...] = ()
    terminals: int = 0
    refused: bool = False
    beside: bool = False

    @property
    def busy(self) -> bool:
        return not self.answered or self.beside or any(kernel["state"] == "busy" for kernel in self.kernels)

    @property
    def reason(self) -> str:
        if self.refused:
            return (
                "its server does not take the token that is kept for it, so nobody can tell whether a kernel executes"
            )
        if not self.answered:
            return "its server does not answer, so nobody can tell whether a kernel is executing"
        executing = [kernel["notebook"] or kernel["id"] for kernel in self.kernels if kernel["state"] == "busy"]
        if executing:
            return f"a kernel is executing: {', '.join(executing)}"
        return "a kernel runs that its server did not start (a terminal did, say), so nobody can tell what it does"


def base_of(lab: Lab) -> str:
    """The address at which this host itself reaches the lab."""
    address = _address(lab)
    return f"{lab.scheme}://{f'[{address}]' if ':' in address else address}:{lab.port}{lab.base_url}"


def line_to(lab: Lab, seconds: float) -> socket.socket:
    """A connection to the server, for what is more than a question and its answer."""
    line = socket.create_connection((_address(lab), lab.port), timeout=seconds)
    return _unverified().wrap_socket(line) if lab.scheme == "https" else line


def ready(lab: Lab) -> bool:
    """Whether the server answers; it needs no token for this."""
    return not _trouble(lab)


def _trouble(lab: Lab) -> str:
    """What comes of asking a server that does not answer, or not as one does; '' where it answers."""
    try:
        if "version" in _get(lab, "api", ""):
            return ""
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        return str(getattr(error, "reason", error)) or type(error).__name__
    except NO_ANSWER:
        pass
    return "what answers is no Jupyter Server"


def wait_until_ready(lab: Lab, seconds: float, still_alive: Callable[[], None]) -> None:
    """Return when the server answers.

    ``still_alive`` is called now and then and raises when there is nothing left to wait for.
    Raises LabError after ``seconds``.
    """
    deadline, next_look = time.monotonic() + seconds, 0.0
    while trouble := _trouble(lab):
        now = time.monotonic()
        if now >= next_look:
            still_alive()
            next_look = now + 10 * POLL
        if now > deadline:
            raise LabError(
                f"{lab.name} did not answer at {base_of(lab)} within {seconds:g} s ({trouble}); its log may say why. A "
                "slow start needs a larger wait_timeout."
            )
        time.sleep(POLL)


def admits(lab: Lab, token: str) -> bool:
    """Whether the server lets in who has the token."""
    try:
        return "kernels" in _get(lab, "api/status?no_track_activity=1", token)
    except NO_ANSWER:
        return False


def start_kernel(lab: Lab, token: str, seconds: float) -> str:
    """The id of a new kernel, of the kind that is the server's default. Raises OSError, ValueError."""
    return _get(lab, "api/kernels?no_track_activity=1", token, "POST", seconds)["id"]


def end_kernel(lab: Lab, token: str, kernel: str) -> None:
    _get(lab, f"api/kernels/{kernel}?no_track_activity=1", token, "DELETE")


def activity(lab: Lab, token: str, seconds: float = GLANCE) -> Activity:
    """Kernels and terminals, asked so that the idle clock does not start anew."""
    try:
        kernels = _get(lab, "api/kernels?no_track_activity=1", token, seconds=seconds)
        sessions = _get(lab, "api/sessions?no_track_activity=1", token, seconds=seconds)
        return Activity(True, _told(kernels, sessions), _terminals(lab, token, seconds))
    except urllib.error.HTTPError as error:
        return Activity(answered=False, refused=error.code in REFUSED)
    except NO_ANSWER:
        return Activity(answered=False)


def _told(kernels: Any, sessions: Any) -> tuple[dict[str, Any], ...]:
    notebooks = {item["kernel"]["id"]: item.get("path", "") for item in sessions if item.get("kernel")}
    return tuple(
        {
            "id": item["id"],
            "name": item["name"],
            "state": item.get("execution_state", "unknown"),
            "last_activity": item.get("last_activity", ""),
            "connections": item.get("connections", 0),
            # Where JupyterLab's real-time collaboration has a drive of its own, paths begin with its name.
            "notebook": notebooks.get(item["id"], "").removeprefix("RTC:"),
        }
        for item in kernels
    )


def _terminals(lab: Lab, token: str, seconds: float) -> int:
    """A server without the terminals extension has none."""
    try:
        return len(_get(lab, "api/terminals?no_track_activity=1", token, seconds=seconds))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return 0
        raise


def _address(lab: Lab) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(lab.bind_address, lab.bind_address)


def _unverified() -> ssl.SSLContext:
    """The lab's own certificate is self-signed, and it is this very host that is spoken to."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _get(lab: Lab, path: str, token: str, method: str = "GET", seconds: float = GLANCE) -> Any:
    request = urllib.request.Request(base_of(lab) + path, method=method, data=b"{}" if method == "POST" else None)
    if token:
        request.add_header("Authorization", f"token {token}")
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if lab.scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=_unverified()))
    with urllib.request.build_opener(*handlers).open(request, timeout=seconds) as answer:
        return json.loads(answer.read() or "null")
