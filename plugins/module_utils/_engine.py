# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a Docker Engine: finding it, and turning its errors into sentences.

The only file that imports docker, the SDK.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import pwd
import re
import socket
import stat
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ._errors import EngineAbsent, EngineError, InvalidInput

OLDEST_API = (1, 41)  # Engine 20.10, https://docs.docker.com/reference/api/engine/
DEFAULT_SOCKET = "/var/run/docker.sock"
Answer = TypeVar("Answer")
PATIENCE = 3600  # seconds; an engine is silent for as long as it takes to unpack an image


@dataclass(frozen=True)
class Address:
    """Where an engine listens and how to speak to it. ``url`` is unix://PATH or tcp://HOST:PORT."""

    url: str
    tls: bool = False
    validate_certs: bool = True
    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    timeout: int = 60


class Api:
    """The SDK's low-level client, loaded when it is needed: its import takes longer than a look at many labs.

    The questions of such a look go over the engine's socket alone. What is not answered there the SDK asks again,
    whose errors are the ones to report.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._prefix = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sdk, name)

    @functools.cached_property
    def sdk(self) -> Any:
        return _client(self._address, self._prefix[2:] or "auto")

    def newest(self) -> str:
        """The newest version of the API that the engine has; it is spoken from here on."""
        told = re.search(rb"^api-version: *([\d.]+)", self._said("/_ping")[0], re.I | re.M)
        version = told[1].decode() if told else self.sdk.version()["ApiVersion"]
        self._prefix = f"/v{version}"
        return version

    def containers(self, **how: Any) -> list[dict[str, Any]]:
        found = self._plainly("/containers/json?all=1") if how == {"all": True} else None
        return self.sdk.containers(**how) if found is None else found

    def inspect_container(self, container: str) -> dict[str, Any]:
        return self._plainly(f"/containers/{container}/json") or self.sdk.inspect_container(container)

    def inspect_image(self, image: str) -> dict[str, Any]:
        return self._plainly(f"/images/{urllib.parse.quote(image, '/:@')}/json") or self.sdk.inspect_image(image)

    def images(self, **how: Any) -> list[dict[str, Any]]:
        asked = json.dumps({key: [value] for key, value in how["filters"].items()}) if how.keys() == {"filters"} else ""
        found = self._plainly(f"/images/json?filters={urllib.parse.quote(asked)}") if asked else None
        return self.sdk.images(**how) if found is None else found

    def _plainly(self, question: str) -> Any:
        """What the engine answers; None where it does so not at once."""
        head, body = self._said(question)
        try:
            return json.loads(body) if head.split()[1:2] == [b"200"] else None
        except ValueError:
            return None

    def _said(self, question: str) -> tuple[bytes, bytes]:
        """Head and body of an answer; both empty where nothing answers on a socket."""
        path = self._address.url.partition("unix://")[2]
        if not path:
            return b"", b""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
            line.settimeout(self._address.timeout)
            line.connect(path)
            # By HTTP 1.0 an answer has no chunks, and ends with its connection.
            line.sendall(f"GET {self._prefix}{question} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
            head, _empty, body = b"".join(iter(lambda: line.recv(1 << 18), b"")).partition(b"\r\n\r\n")
            return head, body
        return b"", b""


@dataclass(frozen=True)
class Engine:
    """A reachable engine, and its API as the SDK's low-level client has it."""

    address: Address
    api: Api = field(repr=False)
    rootless_user: str = ""  # UID:GID of the user whose engine it is; empty for root's


def find(options: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Address:
    """The address to use: the option, DOCKER_HOST, the default socket, then the user's own sockets."""
    environ = os.environ if environ is None else environ
    url = options.get("docker_host") or environ.get("DOCKER_HOST") or _first_socket(environ)
    usual = {} if options.get("docker_host") or not environ.get("DOCKER_TLS_VERIFY") else _certificates(environ)
    return Address(
        url=url,
        tls=bool(options.get("tls") or usual),
        validate_certs=options.get("validate_certs", True),
        ca_path=options.get("ca_path") or usual.get("ca"),
        client_cert=options.get("client_cert") or usual.get("cert"),
        client_key=options.get("client_key") or usual.get("key"),
        timeout=options.get("engine_timeout") or 60,
    )


def connect(address: Address) -> Engine:
    """Open the engine at ``address``.

    Raises EngineAbsent: nothing listens there. EngineError: no permission, not answering, or older than 20.10.
    InvalidInput: a certificate that is named is no file.
    """
    _check_socket(address.url)
    _check_certificates(address)
    with translated(f"reach the engine at {address.url}"):
        api = Api(address)
        newest = api.newest()
    if _numbers(newest) < OLDEST_API:
        raise EngineError(
            f"The engine at {address.url} is {api.version()['Version']}; 20.10 or later is needed: "
            "upgrade it, for instance with the role myjupyter.fleet.docker_engine."
        )
    return Engine(address, api, _rootless_user(address, api))


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise EngineError, with what was being done, for anything that the SDK or its transport raises."""
    try:
        yield
    except Exception as error:
        import docker.errors
        import requests.exceptions

        if isinstance(error, docker.errors.APIError):
            raise EngineError(f"The engine would not {doing}: {_reason(error)}") from error
        if isinstance(error, (docker.errors.DockerException, requests.exceptions.RequestException)):
            raise EngineError(f"Could not {doing}: {error}. {_advice(str(error))}") from error
        raise


def with_login(ask: Callable[[dict[str, str] | None], Answer]) -> Answer:
    """What a registry answers: asked with the login of ~/.docker/config.json, or without where that cannot be had.

    ``ask`` gets what the SDK takes for a login; None has it look for one.
    """
    try:
        return ask(None)
    except EngineError as error:
        if "Credentials store error" not in str(error):
            raise
        named = re.search(r"docker-credential-[\w.-]+", str(error))
    try:
        return ask({})
    except EngineError as error:
        helper = named[0] if named else "the credential helper"
        raise EngineError(
            f"{str(error).rstrip('.')}. No login was told, because {helper} of ~/.docker/config.json does not work for "
            "this user."
        ) from error


@contextlib.contextmanager
def patient(engine: Engine) -> Iterator[Any]:
    """The engine's API for work on whole images, of which an answer may come late."""
    usual = engine.api.timeout
    engine.api.sdk.timeout = max(usual, PATIENCE)
    try:
        yield engine.api
    finally:
        engine.api.sdk.timeout = usual


def is_absent(error: BaseException) -> bool:
    """Whether an error of the SDK, or one translated from it, says that the thing asked for does not exist."""
    import docker.errors

    return isinstance(error, docker.errors.NotFound) or isinstance(error.__cause__, docker.errors.NotFound)


def is_conflict(error: BaseException) -> bool:
    """Whether a translated error says that something else stands in the way."""
    return getattr(getattr(error.__cause__, "response", None), "status_code", None) == 409


def _reason(error: Any) -> str:
    text = str(error.explanation or error).strip()
    if "no space left" in text.lower():
        return f"{text}. Free some room where the engine keeps its data (`docker system df` shows what takes it)."
    if "could not select device driver" in text:
        return (
            f"{text}. The engine did not find NVIDIA's container toolkit when it started: the role "
            "myjupyter.fleet.docker_engine installs it and restarts the engine under its containers."
        )
    return text


def _advice(text: str) -> str:
    if "HTTP request to an HTTPS server" in text:
        return "It speaks TLS: set tls: true, with ca_path, client_cert and client_key."
    if "Broken pipe" in text:
        return "The engine hung up, as it does when its disk is full: `docker system df` shows what takes the room."
    if "timed out" in text:
        return "The engine did not answer in time: `docker info` on the host, or its log, may tell why."
    if "SSL" in text:
        return (
            "ca_path must be the authority of the engine's certificate (validate_certs: false does without), "
            "client_cert and client_key a pair that the engine trusts."
        )
    return "Is the engine running? `docker info` on the host tells; docker_host names another one."


def _first_socket(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME", "/root")
    candidates = [
        DEFAULT_SOCKET,
        os.path.join(environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}"), "docker.sock"),
        os.path.join(home, ".docker/run/docker.sock"),
        os.path.join(home, ".docker/desktop/docker.sock"),
    ]
    found = next((path for path in candidates if _is_socket(path)), DEFAULT_SOCKET)
    return f"unix://{found}"


def _certificates(environ: Mapping[str, str]) -> dict[str, str]:
    """Where Docker's own command looks: https://docs.docker.com/engine/security/protect-access/"""
    folder = environ.get("DOCKER_CERT_PATH") or os.path.join(environ.get("HOME", "/root"), ".docker")
    paths = {name: os.path.join(folder, f"{name}.pem") for name in ("ca", "cert", "key")}
    return {name: path for name, path in paths.items() if os.path.exists(path)}


def _check_certificates(address: Address) -> None:
    for option in ("ca_path", "client_cert", "client_key"):
        path = getattr(address, option)
        if path and not os.path.isfile(path):
            raise InvalidInput(option, path, "is no file on the host: name a certificate or key in PEM.")


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _check_socket(url: str) -> None:
    if not url.startswith("unix://"):
        return
    path = url[len("unix://") :]
    if not _is_socket(path):
        raise EngineAbsent(
            f"No Docker Engine listens at {path}: install or start one, for instance with the role "
            "myjupyter.fleet.docker_engine, or name another with docker_host."
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise EngineError(
            f"No permission to use the Docker Engine at {path}: become root for this task, "
            "or add the remote user to the group docker."
        )


def _rootless_user(address: Address, api: Any) -> str:
    """The default socket is root's; only of another one it has to be asked."""
    path = address.url.partition("unix://")[2]
    if path in ("", DEFAULT_SOCKET):
        return ""
    with translated(f"ask the engine at {address.url} about itself"):
        rootless = "name=rootless" in (api.info().get("SecurityOptions") or [])
    user = os.stat(path).st_uid
    return f"{user}:{pwd.getpwuid(user).pw_gid}" if rootless else ""


def _client(address: Address, version: str) -> Any:
    import docker

    class Client(docker.APIClient):
        """Of an engine whose authority was named: REQUESTS_CA_BUNDLE, which requests prefers, is for the web."""

        def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
            own = self.verify if verify is None else verify
            return super().merge_environment_settings(url, proxies, stream, own, cert)

    return Client(base_url=address.url, tls=_tls(address), timeout=address.timeout, version=version, num_pools=16)


def _tls(address: Address) -> Any:
    import docker.tls

    if not address.tls:
        return None
    pair = (address.client_cert, address.client_key) if address.client_cert and address.client_key else None
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=address.ca_path, verify=address.validate_certs)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
