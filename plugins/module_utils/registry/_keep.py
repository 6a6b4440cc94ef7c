# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's registry as it is, and as a plan wants it: files, certificates by openssl, the service by systemctl."""

from __future__ import annotations

import contextlib
import ctypes
import grp
import os
import pwd
import re
import secrets
import socket
import ssl
import subprocess
import time

from .._errors import FleetError, InvalidInput
from . import _registry
from ._registry import CA, CA_KEY, CERTIFICATE, FOLDER, HTPASSWD, KEY, PASSWORD, SERVICE, USER, Found, Plan, Wanted

SECONDS = 30
CA_DAYS, DAYS = 3650, 397
TEXTS = (CA, CERTIFICATE, KEY, PASSWORD, HTPASSWD, _registry.CONFIG, _registry.ACCESS, _registry.DROP_IN)
# Whose a file is, and who may read it: USER only what the registry itself reads.
SECRET = {PASSWORD: ("root", 0o600), CA_KEY: ("root", 0o600), KEY: (USER, 0o640), HTPASSWD: (USER, 0o640)}


def observe(wanted: Wanted) -> Found:
    """Everything that a plan depends on."""
    packages = frozenset(name for name in _registry.PACKAGES if _installed(name))
    texts = {path: text for path in TEXTS if (text := read(path)) is not None}
    password = wanted.password or texts.get(PASSWORD, "")
    service = _service()
    runs = service.get("ActiveState") == "active"
    return Found(
        root=os.geteuid() == 0,
        debian=os.path.exists("/usr/bin/dpkg-query"),
        systemd=os.path.isdir("/run/systemd/system"),
        packages=packages,
        texts=texts,
        given=_given(wanted),
        names=_names(texts.get(CERTIFICATE, "")),
        days_left=_days_left(texts.get(CERTIFICATE, "")),
        ca_days_left=_days_left(texts.get(CA, "")) if os.path.exists(CA_KEY) else 0,
        signed=_run(["openssl", "verify", "-CAfile", CA, CERTIFICATE])[0] == 0,
        login=_fits(texts.get(HTPASSWD, ""), wanted.username, password),
        runs=runs,
        stale=runs
        and _started(service) < max((os.path.getmtime(path) for path in texts.keys() - {PASSWORD}), default=0),
        enabled=service.get("UnitFileState") == "enabled",
        theirs=_theirs(packages, texts),
    )


def apply(wanted: Wanted, plan: Plan) -> None:
    """Take the plan's steps. Raises FleetError."""
    for folder in (FOLDER, os.path.dirname(_registry.DROP_IN)):
        os.makedirs(folder, exist_ok=True)
    _make_data(wanted.data)
    for path, text in plan.files.items():
        _write(path, text)
    if "password" in plan.make:
        _write(PASSWORD, secrets.token_urlsafe(24))
    if "login" in plan.make:
        _write(HTPASSWD, f"{wanted.username}:{_hashed(read(PASSWORD) or '')}\n")
    if "ca" in plan.make:
        _make_ca(wanted.names[0])
    if "certificate" in plan.make:
        _make_certificate(wanted)
    if plan.enable:
        _must(["systemctl", "enable", "--quiet", SERVICE])
    if plan.start:
        _must(["systemctl", "daemon-reload"])
        _must(["systemctl", "restart", SERVICE])
        _wait(wanted)


def read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None


def _make_data(path: str) -> None:
    """The directory of the images, the registry's own. Raises InvalidInput for one that holds things of others."""
    os.makedirs(path, exist_ok=True)
    if os.stat(path).st_uid != 0:
        return
    if os.listdir(path):
        raise InvalidInput("data", path, "belongs to root and is not empty: name a directory of the registry's own.")
    os.chown(path, pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid)


def _given(wanted: Wanted) -> dict[str, str]:
    texts = {option: read(getattr(wanted, option)) or "" for option in ("certificate", "key", "ca")}
    return {option: text for option, text in texts.items() if "-----BEGIN " in text}


def _theirs(packages: frozenset[str], texts: dict[str, str]) -> str:
    """What tells that the registry of this host is not ours to set up; nothing for one that a package just brought."""
    if SERVICE not in packages or _registry.DROP_IN in texts:
        return ""
    if os.path.isdir("/var/lib/docker-registry/docker/registry"):
        return "it holds images in /var/lib/docker-registry"
    listed = _run(["dpkg-query", "-W", "-f", "${Conffiles}", SERVICE])[1].split()
    path = "/etc/docker/registry/config.yml"
    digest = _run(["md5sum", path])[1].partition(" ")[0]
    changed = path in listed and os.path.exists(path) and listed[listed.index(path) + 1] != digest
    return f"{path} was written by hand" if changed else ""


def _installed(name: str) -> bool:
    return _run(["dpkg-query", "-W", "-f", "${db:Status-Status}", name])[1] == "installed"


def _service() -> dict[str, str]:
    asked = "--property=ActiveState,ActiveEnterTimestampMonotonic,UnitFileState"
    lines = _run(["systemctl", "show", SERVICE, asked])[1].splitlines()
    return {name: value for name, _equals, value in (line.partition("=") for line in lines)}


def _started(service: dict[str, str]) -> float:
    """When the service started, in seconds since 1970."""
    since_boot = int(service.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    return time.time() - time.clock_gettime(time.CLOCK_MONOTONIC) + since_boot


def _names(certificate: str) -> frozenset[str]:
    said = _run(["openssl", "x509", "-noout", "-ext", "subjectAltName"], certificate)[1]
    return frozenset(map(_registry.plain, re.findall(r"(?:DNS|IP Address):([^\s,]+)", said)))


def _days_left(certificate: str) -> float:
    status, said = _run(["openssl", "x509", "-noout", "-enddate"], certificate)
    if status:
        return 0
    # strptime would want the month's name in the language of the host.
    return (ssl.cert_time_to_seconds(said.partition("=")[2].strip()) - time.time()) // 86400


def _make_ca(name: str) -> None:
    """A CA that can sign for hosts and nothing else."""
    with _scratch(CA_KEY, CA) as (key, certificate):
        _must(["openssl", "req", "-x509", *_new_key(key), "-subj", f"/CN=myjupyter registry {name[:40]}",
               "-days", str(CA_DAYS), "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
               "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", certificate])  # fmt: skip


def _make_certificate(wanted: Wanted) -> None:
    alternatives = ",".join(f"{'IP' if _registry.is_address(name) else 'DNS'}:{name}" for name in wanted.names)
    extensions = f"{FOLDER}/tls.ext"
    _write(extensions, f"subjectAltName={alternatives}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    with _scratch(KEY, CERTIFICATE) as (key, certificate):
        request = f"{key}.csr"
        try:
            _must(["openssl", "req", "-new", *_new_key(key), "-subj", "/CN=registry", "-out", request])
            serial = f"0x{secrets.token_hex(16)}"
            _must(["openssl", "x509", "-req", "-in", request, "-CA", CA, "-CAkey", CA_KEY, "-set_serial", serial,
                   "-days", str(DAYS), "-extfile", extensions, "-out", certificate])  # fmt: skip
        finally:
            for path in (request, extensions):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)


def _new_key(path: str) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]


@contextlib.contextmanager
def _scratch(key: str, certificate: str):
    """Where a pair is made; it takes its place as a whole, or not at all."""
    before = os.umask(0o077)
    new = (f"{key}.new", f"{certificate}.new")
    try:
        yield new
        for path, place in zip(new, (key, certificate)):
            _own(path, place)
            os.replace(path, place)
    finally:
        os.umask(before)


def _write(path: str, text: str) -> None:
    with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    _own(f"{path}.new", path)
    os.replace(f"{path}.new", path)


def _own(path: str, place: str) -> None:
    group, mode = SECRET.get(place, ("root", 0o644))
    os.chown(path, 0, grp.getgrnam(group).gr_gid)
    os.chmod(path, mode)


def _hashed(password: str, salt: str = "") -> str:
    """bcrypt, by the C library: Python no longer has it. The password is on no command line."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    salt = salt or "$2b$10$" + "".join(secrets.choice(alphabet) for _number in range(21)) + secrets.choice(".Oeu")
    found = library.crypt(password.encode(), salt.encode()) or b"*"
    return found.decode()


def _fits(htpasswd: str, username: str, password: str) -> bool:
    name, _colon, digest = htpasswd.strip().partition(":")
    return bool(password and digest) and name == username and _hashed(password, digest) == digest


def _wait(wanted: Wanted) -> None:
    """Until it listens; its last words where it does not."""
    any_of_them = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and _service().get("ActiveState") in ("active", "activating"):
        try:
            socket.create_connection((any_of_them.get(wanted.address, wanted.address), wanted.port), 2).close()
            return
        except OSError:
            time.sleep(0.2)
    said = _run(["journalctl", "--unit", SERVICE, "--lines", "5", "--output", "cat", "--no-pager"])[1]
    raise FleetError(f"The registry does not come up at {wanted.address}:{wanted.port}: {said or 'it says nothing'}")


def _must(command: list[str]) -> None:
    status, said = _run(command)
    if status:
        raise FleetError(f"`{' '.join(command[:3])} ...` failed: {said}")


def _run(command: list[str], given: str = "") -> tuple[int, str]:
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function  # no AnsibleModule comes down here
            command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except FileNotFoundError:
        return 127, f"{command[0]} is not installed"
    return done.returncode, done.stdout.strip()
