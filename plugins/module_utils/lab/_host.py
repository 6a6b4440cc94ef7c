# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host's side of a lab: work directories, owners, and who listens on which port."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import socket
import subprocess
import tempfile
from collections.abc import Container, Iterator
from pathlib import Path

from .._errors import InvalidInput, LabError
from ._container import Found, work_target
from ._lab import Lab, same_place
from ._plan import Step, Taken

JOVYAN = "1000:100"  # jovyan:users, the base's contract
LISTEN = "0A"  # the state of a listening socket in /proc/net/tcp
# Directories that belong to the system or to everybody: nobody's work directory.
SYSTEM = "bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var var/lib var/lib/docker"
FORBIDDEN = frozenset(["/", *(f"/{path}" for path in SYSTEM.split(" "))])


def settle_owner(lab: Lab, rootless_user: str = "") -> str:
    """``UID:GID`` of the lab: declared, else its work directory's, else jovyan:users (or the user who is not root)."""
    if rootless_user:
        if lab.owner not in ("", rootless_user):
            raise InvalidInput(
                f"labs[{lab.name}].owner", lab.owner,
                f"cannot be had from a rootless engine, whose labs are those of {rootless_user}: leave it out.",
            )  # fmt: skip
        return rootless_user
    if ":" in lab.owner:
        return lab.owner
    if lab.owner:
        try:
            user = pwd.getpwnam(lab.owner)
        except KeyError:
            raise InvalidInput(f"labs[{lab.name}].owner", lab.owner, "is no user of this host: give UID:GID.") from None
        return f"{user.pw_uid}:{user.pw_gid}"
    if not lab.work_dir or not os.path.isdir(lab.work_dir):
        return _default_owner()
    about = os.stat(lab.work_dir)
    if about.st_uid:
        return f"{about.st_uid}:{about.st_gid}"
    if os.listdir(lab.work_dir):
        raise InvalidInput(
            f"labs[{lab.name}].work_dir", lab.work_dir,
            "belongs to root and is not empty: say whose it shall be with owner, for instance owner: '1000:100'.",
        )  # fmt: skip
    return _default_owner()


def _default_owner() -> str:
    return JOVYAN if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}"


def keeps(state_dir: str, other: str) -> bool:
    """Whether a state directory is the one that a lab is kept in; of old labs it may not be known."""
    return not other or os.path.realpath(state_dir) == os.path.realpath(other)


def check_state_dir(path: str) -> None:
    """It is closed to all but its owner, so it can be none that others need."""
    if os.path.realpath(path) in FORBIDDEN:
        raise InvalidInput("state_dir", path, "is not a directory for tokens alone: name one below it.")


def check_paths(lab: Lab, work_root: str, state_dir: str) -> None:
    """Refuse what can be no work directory, and mounts of what is not there, before anything is touched."""
    for mount in lab.mounts:
        if not os.path.exists(mount["source"]):
            raise InvalidInput(f"labs[{lab.name}].mounts", mount["source"], "does not exist on this host.")
    if not lab.work_dir:
        return
    if lab.work_from and not os.path.isdir(lab.work_from):
        raise InvalidInput(f"labs[{lab.name}].work_from", lab.work_from, "is no directory of this host.")
    option, path = f"labs[{lab.name}].work_dir", lab.work_dir
    inside = path.startswith(work_root.rstrip("/") + "/")
    root = os.path.realpath(work_root if inside else os.path.dirname(path))
    real = os.path.realpath(path)
    if path in FORBIDDEN or real in FORBIDDEN:
        raise InvalidInput(option, path, "is not a directory for one person's work: name one below it.")
    if same_place(real, os.path.realpath(state_dir)):
        raise InvalidInput(option, path, f"has to do with {state_dir}, where the tokens are: take another directory.")
    if os.path.lexists(path) and not os.path.isdir(path):
        raise InvalidInput(option, path, "is not a directory: name one, or a path that is free.")
    if os.path.commonpath([root, real]) != root:
        raise InvalidInput(option, path, f"leads out of {root}, to {real}: name that path itself if it is meant.")


def astray(found: Found) -> str:
    """Why a running lab works in a directory that is not at the path of its own any more; '' where it does not, or
    where nobody can tell."""
    path = found.as_created.work_dir
    if not path or not found.process:
        return ""
    with contextlib.suppress(OSError):
        # From inside of a container, a process of that number is another one.
        if found.container not in Path(f"/proc/{found.process}/cgroup").read_text():
            return ""
        seen, here = os.stat(f"/proc/{found.process}/root{work_target(found.as_created)}"), os.stat(path)
        if (seen.st_dev, seen.st_ino) != (here.st_dev, here.st_ino):
            return f"another directory is at {path} now, and it still works in the one that was there"
    return ""


def work_dir_step(lab: Lab) -> Step | None:
    """What the work directory needs before its container may have it."""
    if not lab.work_dir or lab.state == "absent":
        return None
    if not os.path.isdir(lab.work_dir):
        source = f", it will be a copy of {lab.work_from}" if lab.work_from else ""
        return Step("make work directory", f"{lab.work_dir} is not there yet{source}")
    about = os.stat(lab.work_dir)
    if (about.st_uid, about.st_gid) != lab.ids:
        return Step("own work directory", f"{lab.work_dir} is owned by {about.st_uid}:{about.st_gid}, not {lab.owner}")
    return None


def make_work_dir(lab: Lab) -> None:
    """Make it, its missing parents as root's and itself as the owner's, so that Docker does not make it as root's.

    It appears under its name only when it is complete. Raises LabError.
    """
    folder = os.path.dirname(lab.work_dir)
    try:
        os.makedirs(folder, mode=0o755, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".myjupyter-", dir=folder) as aside:
            work = os.path.join(aside, "work")
            if lab.work_from:
                command = ["cp", "--archive", "--reflink=auto", "--", os.path.realpath(lab.work_from), work]
                # There is no AnsibleModule below _module, by design.
                subprocess.run(command, check=True, capture_output=True, text=True)  # pylint: disable=ansible-bad-function
            else:
                os.mkdir(work, 0o755)
            own_tree(work, lab.ids)
            os.rename(work, lab.work_dir)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.stderr.strip()
        raise LabError(f"{lab.name}: could not make {lab.work_dir}: {reason}.") from error


def own_work_dir(lab: Lab) -> None:
    """Give to the owner what is not yet the owner's; links in it are changed themselves, never followed."""
    own_tree(os.path.realpath(lab.work_dir), lab.ids)


def own_tree(top: str, ids: tuple[int, int]) -> None:
    """Give all below ``top`` to (UID, GID), where it is not theirs yet.

    Itself last: by its owner a later run tells whether this one came to its end.
    """
    for path in _tree(top):
        with contextlib.suppress(FileNotFoundError):  # people may be at work in it
            about = os.lstat(path)
            if (about.st_uid, about.st_gid) != ids:
                os.lchown(path, *ids)


def owner_of(path: str) -> str | None:
    """``UID:GID`` of a directory; None where there is none."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return f"{about.st_uid}:{about.st_gid}"


def size_of(path: str) -> int:
    """Bytes on disk below a directory; files that go while it is read do not count."""
    total = 0
    for item in _tree(path):
        with contextlib.suppress(OSError):
            total += os.lstat(item).st_blocks * 512
    return total


def has_address(address: str) -> bool:
    """Whether this host has an IP address, and so can listen there."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as attempt:
            attempt.bind((address, 0))
    except OSError as error:
        # The last comes of an address that needs a zone, such as fe80::1.
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL)
    return True


def listeners(to_name: Container[int] = (), known: Container[tuple[int, str]] = ()) -> list[Taken]:
    """Every listening TCP socket of the host but those at the ``known`` ports and addresses; for the ports ``to_name``,
    with the process that holds it.

    Finding a process means looking through all of them, so only what is going to be told is looked for.
    """
    every = (item for path in ("/proc/net/tcp", "/proc/net/tcp6") for item in _listening(path))
    sockets = [item for item in every if item[:2] not in known]
    owners = _socket_owners({inode for port, _address, inode in sockets if port in to_name})
    return [Taken(port, address, owners.get(inode, "another process")) for port, address, inode in sockets]


def _listening(path: str) -> Iterator[tuple[int, str, str]]:
    with contextlib.suppress(OSError):
        for line in Path(path).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[3] == LISTEN:
                address, port = columns[1].split(":")
                yield int(port, 16), _address(address), columns[9]


def _address(text: str) -> str:
    """/proc writes an address as 32-bit words in the machine's byte order."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    packed = b"".join(words)
    if not any(packed):
        return ""
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def _socket_owners(inodes: set[str]) -> dict[str, str]:
    owners: dict[str, str] = {}
    if not inodes:
        return owners
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for fd in os.scandir(f"/proc/{pid}/fd"):
                inode = os.readlink(fd.path).partition("socket:[")[2].rstrip("]")
                if inode in inodes:
                    name = Path(f"/proc/{pid}/comm").read_text().strip()
                    owners[inode] = f"the process {name} ({pid})"
    return owners


def _tree(top: str) -> Iterator[str]:
    """All below a directory, and it itself as the last."""
    for folder, dirs, files in os.walk(top, topdown=False):
        for name in (*dirs, *files):
            yield os.path.join(folder, name)
    yield top
