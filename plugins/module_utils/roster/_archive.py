# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of people who left, packed into a file that is known to be whole; and work brought back from one.

Nothing here removes a work directory or an archive.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from .._errors import InvalidInput, LabError
from ..lab._alone import alone
from ..lab._declared import NAME

CHUNK = 1 << 20
RECORD = "archive.json"  # beside the archives of a lab: what the newest is of


@dataclass(frozen=True)
class Wish:
    """Whose work, from where to where."""

    names: tuple[str, ...]
    work_dir: str
    archive_dir: str
    state_dir: str
    restore: bool = False
    wait_timeout: int = 120


def make_so(wish: Wish, check: bool) -> dict[str, Any]:
    """Have an archive of each lab's work as it is now; or the work, where only an archive is left of it."""
    act = _to_restore if wish.restore else _to_archive
    steps = [step for step in (act(wish, name) for name in wish.names) if step]
    done = []
    if steps and not check:
        with alone(wish.state_dir, wish.wait_timeout):
            done = [(_restore if wish.restore else _archive)(wish, step["lab"]) for step in steps]
    return {"changed": bool(steps), "steps": steps, "archives": done}


def archived(directory: str) -> dict[str, Any]:
    """What is told of the newest archive of a lab; empty where there is none."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        record = json.loads(Path(directory, RECORD).read_text())
        if os.path.isfile(os.path.join(directory, record["file"])):
            return dict(record)
    return {}


def _to_archive(wish: Wish, name: str) -> dict[str, Any] | None:
    work = os.path.join(wish.work_dir, name)
    if not os.path.isdir(work):
        return None
    if archived(os.path.join(wish.archive_dir, name)).get("fingerprint") == fingerprint(work):
        return None
    return {"lab": name, "action": "archive", "reason": f"{work} has no archive as it is now"}


def _to_restore(wish: Wish, name: str) -> dict[str, Any] | None:
    work = os.path.join(wish.work_dir, name)
    if os.path.lexists(work) or not archived(os.path.join(wish.archive_dir, name)):
        return None
    return {"lab": name, "action": "restore", "reason": f"{work} is not there, and an archive of it is"}


def _archive(wish: Wish, name: str) -> dict[str, Any]:
    """Pack, read it all again, compare, and only then give the file its name."""
    work, folder = os.path.join(wish.work_dir, name), os.path.join(wish.archive_dir, name)
    ending = "tar.zst" if shutil.which("zstd") else "tar.gz"
    file = time.strftime(f"{name}-%Y%m%d-%H%M%S.{ending}")
    part = os.path.join(folder, f"{file}.part")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        before = fingerprint(work)
        packed = _pack(work, name, part)
        if _unpacked(part, packed) != packed or fingerprint(work) != before:
            raise LabError(f"{name}: {work} changed while it was being archived: run again; the work is where it was.")
        os.replace(part, os.path.join(folder, file))
        record = {"file": file, "fingerprint": before, "entries": len(packed), "bytes": sum(_sizes(packed))}
        _write(os.path.join(folder, RECORD), json.dumps(record, indent=2) + "\n")
    except (OSError, tarfile.TarError, subprocess.SubprocessError) as error:
        why = _reason(error).rstrip(". ")
        raise LabError(f"{name}: {work} could not be archived to {folder}: {why}. The work is where it was.") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    return {"lab": name, "path": os.path.join(folder, file), "size": os.path.getsize(os.path.join(folder, file))}


def _restore(wish: Wish, name: str) -> dict[str, Any]:
    """The work appears under its name when all of it is there."""
    work, folder = os.path.join(wish.work_dir, name), os.path.join(wish.archive_dir, name)
    path = os.path.join(folder, archived(folder)["file"])
    if path.endswith(".zst") and not shutil.which("zstd"):
        raise LabError(f"{name}: zstd, by which {path} was packed, is not on this host: install that package.")
    part = os.path.join(wish.work_dir, f".{name}.part")  # no lab's name begins with a dot
    try:
        shutil.rmtree(part, ignore_errors=True)
        os.makedirs(part, mode=0o700)
        with _reading(path) as tar:
            for member in tar:
                if member.name.split("/")[0] != name or ".." in member.name.split("/"):
                    raise LabError(f"{name}: {path} holds {member.name!r}, which is not of this lab: look into it.")
                tar.extract(member, part, numeric_owner=True)
        os.rename(os.path.join(part, name), work)
        os.rmdir(part)
    except (OSError, tarfile.TarError, subprocess.SubprocessError) as error:
        why = _reason(error).rstrip(". ")
        raise LabError(f"{name}: its work could not be brought back from {path}: {why}.") from error
    return {"lab": name, "path": path, "size": os.path.getsize(path)}


def fingerprint(top: str) -> str:
    """What a directory holds, told by names, kinds, sizes, owners and times, without reading the files."""
    lines = []
    for path in _walk(top):
        about = os.lstat(path)
        link = os.readlink(path) if os.path.islink(path) else ""
        size = 0 if os.path.isdir(path) else about.st_size
        # An archive has times as decimal fractions, which do not come back to the nanosecond.
        times = "" if os.path.isdir(path) else round(about.st_mtime, 2)
        lines.append(repr((os.path.relpath(path, top), about.st_mode, about.st_uid, about.st_gid, size, times, link)))
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def _walk(top: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise error

    yield top
    for folder, dirs, files in os.walk(top, onerror=refuse):
        for name in (*dirs, *files):
            yield os.path.join(folder, name)


def _pack(work: str, name: str, path: str) -> dict[str, str]:
    """Write the archive; what went into it: the name of each entry -> what it is."""
    entries: dict[str, str] = {}
    with _writing(path) as tar:
        for item in sorted(_walk(work)):
            inside = os.path.normpath(os.path.join(name, os.path.relpath(item, work)))
            member = tar.gettarinfo(item, inside)
            if member is None:  # a socket: nothing that could be kept
                continue
            if not member.isreg():
                tar.addfile(member)
                entries[inside] = _told(member)
                continue
            with open(item, "rb") as file:
                reader = _Digesting(file)
                tar.addfile(member, reader)  # type: ignore[arg-type]
            entries[inside] = f"{_told(member)} {reader.digest.hexdigest()}"
    return entries


def _unpacked(path: str, expected: dict[str, str]) -> dict[str, str]:
    """What an archive holds, read from its first byte to its last."""
    entries = {}
    with _reading(path) as tar:
        for member in tar:
            entries[member.name] = _told(member)
            file = tar.extractfile(member) if member.isreg() else None
            if file:
                reader = _Digesting(file)
                while reader.read(CHUNK):
                    pass
                entries[member.name] += f" {reader.digest.hexdigest()}"
    return entries


class _Digesting:
    """A file whose reading leaves a digest of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def _told(member: tarfile.TarInfo) -> str:
    size, mode = member.size if member.isreg() else 0, member.mode & 0o7777
    return f"{member.type!r} {size} {mode:o} {member.uid}:{member.gid} {member.linkname}"


def _sizes(packed: dict[str, str]) -> Iterator[int]:
    return (int(told.split(" ")[1]) for told in packed.values())


@contextlib.contextmanager
def _writing(path: str) -> Iterator[tarfile.TarFile]:
    """A new archive for its owner alone, on the disk when the block has ended."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as out:
        if path.endswith(".zst.part"):
            with _zstd(["-q", "-T0"], stdin=subprocess.PIPE, stdout=out) as process, _streamed(process, "w|") as tar:
                yield tar
        else:
            with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT, compresslevel=6) as tar:
                yield tar
        os.fsync(out.fileno())


@contextlib.contextmanager
def _reading(path: str) -> Iterator[tarfile.TarFile]:
    if ".tar.zst" not in path:
        with tarfile.open(path, "r:gz") as tar:
            yield _trusted(tar)
        return
    with open(path, "rb") as file, _zstd(["-q", "-d", "-c"], stdin=file, stdout=subprocess.PIPE) as process, \
            _streamed(process, "r|") as tar:  # fmt: skip
        yield _trusted(tar)


def _streamed(process: subprocess.Popen[bytes], mode: Literal["r|", "w|"]) -> tarfile.TarFile:
    pipe = process.stdin if mode == "w|" else process.stdout
    return tarfile.open(fileobj=pipe, mode=mode, format=tarfile.PAX_FORMAT)


def _trusted(tar: tarfile.TarFile) -> tarfile.TarFile:
    """Owners and modes come back as they were; newer Pythons would leave them out unless told."""
    tar.extraction_filter = lambda member, _path: member  # type: ignore[assignment,method-assign]
    return tar


@contextlib.contextmanager
def _zstd(arguments: list[str], **pipes: Any) -> Iterator[subprocess.Popen[bytes]]:
    """The program zstd in a pipe. Raises CalledProcessError where it did not end well, with what it said."""
    command = ["zstd", *arguments]
    # There is no AnsibleModule below _module, by design.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, **pipes)  # pylint: disable=ansible-bad-function
    try:
        with contextlib.suppress(BrokenPipeError):  # it has ended, and says why
            yield process
            if process.stdin:
                process.stdin.close()
        while process.stdout and process.stdout.read(CHUNK):
            pass
    finally:
        said = _ended(process)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=said)


def _ended(process: subprocess.Popen[bytes]) -> str:
    """Close what is open of a program's pipes and wait for it; what it said last."""
    if process.stdin:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    if process.stdout:
        process.stdout.close()
    said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
    if process.stderr:
        process.stderr.close()
    process.wait()
    return said.splitlines()[-1] if said else ""


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError) and error.stderr:
        return str(error.stderr)
    return getattr(error, "strerror", None) or str(error)


def _write(path: str, text: str) -> None:
    temporary = f"{path}.new"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
        file.write(text)
    os.replace(temporary, path)


def check_wish(wish: Wish) -> Wish:
    """Raise InvalidInput for what cannot be meant."""
    for option, path in (("work_dir", wish.work_dir), ("archive_dir", wish.archive_dir)):
        if not path.startswith("/") or ".." in path.split("/") or path.strip("/") == "":
            raise InvalidInput(option, path, "should be an absolute path, without '..'.")
    for name in wish.names:
        if not NAME.fullmatch(name):
            raise InvalidInput("names", name, "is no name of a lab.")
    work = os.path.normpath(wish.work_dir)
    if os.path.commonpath([work, os.path.normpath(wish.archive_dir)]) == work:
        raise InvalidInput("archive_dir", wish.archive_dir, "should not be among the work that is archived there.")
    return wish
