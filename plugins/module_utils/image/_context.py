# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's files for a build: reading what a recipe names, writing what the build is given."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from .._errors import InvalidInput
from . import _binder, _dockerfile, _trust
from ._recipe import Directory, File, Recipe, Wanted, with_directory

# What no build needs of a directory, and what changes without anything having changed.
SKIPPED = frozenset([".git", "__pycache__", ".ipynb_checkpoints", ".DS_Store"])
# The longest marks first: one begins with another.
ENCODINGS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
MOST_SECRET = 500 * 1024  # bytes, BuildKit's limit


@dataclass(frozen=True)
class Context:
    """A build's folders on the host, which are gone after it. ``secrets`` maps ids to files."""

    folder: str
    output: str
    secrets: Mapping[str, str]


def complete(wanted: Wanted) -> Wanted:
    """What is wanted, with what the host's files say: those of ``path``, and the digests of ``files``."""
    recipe = replace(wanted.recipe, files=tuple(_read(file) for file in wanted.recipe.files))
    if wanted.path:
        recipe = with_directory(recipe, directory(wanted.path))
    return replace(wanted, recipe=recipe)


def directory(path: str) -> Directory:
    """What a directory on the host asks for."""
    if not os.path.isdir(path):
        raise InvalidInput("path", path, "is no directory on the host.")
    for folder in _binder.FOLDERS:
        if os.path.islink(os.path.join(path, folder)):
            raise InvalidInput("path", os.path.join(path, folder), "is a link: make it a folder of its own.")
    try:
        files = _tree(path)
    except OSError as error:
        raise _unreadable(error.filename or path, error) from error
    if not files:
        raise InvalidInput("path", path, "is an empty directory.")
    said = _binder.interpret(path, files, lambda name: text(Directory(path), name))
    return replace(said, digest=_digest(files))


@contextlib.contextmanager
def opened(wanted: Wanted) -> Iterator[Context]:
    """Folders for a build of ``wanted``: tools and files, and the host's trust as secrets."""
    with tempfile.TemporaryDirectory(prefix="myjupyter-image-") as root:
        folder, output, secrets = (os.path.join(root, name) for name in ("context", "output", "secrets"))
        for made in (folder, output, secrets):
            os.mkdir(made)
        if not wanted.recipe.dockerfile:
            _fill(folder, wanted.recipe)
        yield Context(folder, output, _secrets(secrets, wanted))


def write(folder: str, name: str, content: str, mode: int = 0o644) -> str:
    """Write a file of a build, its folders included; its path."""
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content)
    os.chmod(path, mode)
    return path


def text(said: Directory, name: str) -> str:
    """A file of a directory, in UTF-8, or in UTF-16 or UTF-32 as PowerShell writes. Raises InvalidInput for others."""
    path = os.path.join(said.path, name)
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise _unreadable(path, error) from error
    encoding = next((name for mark, name in ENCODINGS.items() if content.startswith(mark)), "utf-8-sig")
    try:
        return content.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise InvalidInput("path", path, f"is no text in UTF-8, at byte {error.start}: save it as such.") from error


def _fill(folder: str, recipe: Recipe) -> None:
    # Only a build loads this, and most runs build nothing.
    import inspect

    from . import _inside

    write(folder, "tools/inside.py", inspect.getsource(_inside))
    write(folder, "tools/environment.sh", _dockerfile.ENVIRONMENT)
    for number, file in enumerate(recipe.files):
        path = write(folder, f"files/{number}", file.content)
        if file.src:
            shutil.copyfile(file.src, path)
        os.chmod(path, int(file.mode, 8))
    for number, hook in enumerate(_dockerfile.commands(recipe.post_build)):
        write(folder, f"hook-{number}", hook, 0o755)
    if recipe.directory:
        _fill_directory(folder, recipe.directory)


def _fill_directory(folder: str, said: Directory) -> None:
    """Copy a directory, and make what in it has a role of its own ready for that."""
    ignored = shutil.ignore_patterns(*SKIPPED)
    shutil.copytree(said.path, os.path.join(folder, "directory"), symlinks=True, ignore=ignored)
    if said.conda:
        shutil.copyfile(os.path.join(said.path, said.conda), os.path.join(folder, "conda.yml"))
    scripts = [name for name in (said.post_build, said.start) if name]
    for name in scripts:
        copy = os.path.join(folder, "directory", name)
        os.unlink(copy)  # where it is a link, what that leads to is not ours
        write(folder, f"directory/{name}", _dockerfile.script(text(said, name)), 0o755)
    if said.ignore:
        write(folder, ".dockerignore", _dockerfile.ignored(text(said, said.ignore), "directory", scripts))


def _secrets(folder: str, wanted: Wanted) -> dict[str, str]:
    """The files of a build's secrets: `ca`, the certificates, and `build_env`, indexes and proxies."""
    environ = dict(os.environ)
    files = {path: _if_there(os.path.expanduser(path)) for path in _trust.PIP_FILES}
    pip = _trust.pip_settings(files, environ)
    needs = wanted.recipe.requirements
    variables = _trust.variables(pip, environ, needs.index_url, needs.extra_index_urls, wanted.proxy)
    return {
        "ca": write(folder, "ca", _certificates(wanted, pip, environ), 0o600),
        "build_env": write(folder, "build_env", _trust.script(variables), 0o600),
    }


def _certificates(wanted: Wanted, pip: Mapping[str, str], environ: Mapping[str, str]) -> str:
    paths = _trust.bundles(wanted.ca_bundle, pip, environ)
    path = next((path for path in paths if os.path.isfile(path)), "")
    if wanted.ca_bundle and not path:
        raise InvalidInput("ca_bundle", wanted.ca_bundle, "is no file on the host.")
    found = _trust.certificates(_if_there(path)) if path else "\n"
    if wanted.ca_bundle and "CERTIFICATE" not in found:
        raise InvalidInput("ca_bundle", wanted.ca_bundle, "holds no certificate in PEM format.")
    if len(found) > MOST_SECRET:
        raise InvalidInput(
            "ca_bundle", path, "is larger than the 500 KiB that a build takes: name a file with those needed."
        )
    return found


def _read(file: File) -> File:
    if not file.src:
        return file
    if not os.path.isfile(file.src):
        raise InvalidInput("files.src", file.src, "is no file on the host.")
    return replace(file, digest=_hash(file.src))


def _tree(path: str) -> dict[str, str]:
    """The files below a directory, by relative path, each with what decides whether it changed."""
    found = {}
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted(set(names) - SKIPPED) + links:
            whole = os.path.join(folder, name)
            found[os.path.relpath(whole, path)] = _mark(whole)
    return found


def _mark(path: str) -> str:
    if os.path.islink(path):
        # What a build reads, as a postBuild, it reads from where the link leads.
        return f"link {os.readlink(path)} {_hash(path) if os.path.isfile(path) else ''}"
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        raise InvalidInput("path", path, "is neither a file nor a folder nor a link: take it out of the directory.")
    return f"{about.st_mode & 0o111:o} {_hash(path)}"


def _unreadable(path: str, error: OSError) -> InvalidInput:
    return InvalidInput("path", path, f"cannot be read: {error.strerror}.")


def _digest(files: Mapping[str, str]) -> str:
    return hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()


def _hash(path: str) -> str:
    whole = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            whole.update(block)
    return whole.hexdigest()


def _if_there(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
