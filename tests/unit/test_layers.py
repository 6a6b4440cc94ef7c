"""The rules of the house, read off the code: which files are pure, which may talk, and who may import whom."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent.parent.parent / "plugins"
UTILS = "ansible_collections.myjupyter.fleet.plugins.module_utils"

# Files of module_utils that talk to something, and to what. Each one that is not named here is pure.
SHELL = {
    "_alone": "a host's lock",
    "_archive": "a host's files, packed",
    "_bring": "an engine, about bases",
    "_build": "the build commands of an engine",
    "_change": "all that a lab stands on",
    "_carried": "whatever the files talk to that it runs, where it runs as a program of its own",
    "_cells": "a kernel, inside a container, where it runs as a program of its own",
    "_classic": "an engine, about builds",
    "_containers": "an engine, about containers",
    "_context": "a host's files, for a build",
    "_controller": "pip and ansible-galaxy",
    "_courier": "an engine, for the controller, where it runs as a program of its own",
    "_delivery": "an engine, about the layers of an image, where it runs as a program of its own",
    "_dockerd": "an engine's process and service",
    "_engine": "an engine",
    "_fetch": "a machine's mirrors",
    "_files": "a bundle's files",
    "_folder": "a directory of the controller",
    "_generation": "all that a lab stands on",
    "_given": "a host's GPUs, and an engine about who has them",
    "_health": "all that a lab stands on",
    "_host": "a host's disk and ports",
    "_image": "all that an image stands on",
    "_image_info": "an engine, about images",
    "_images": "an engine, about images",
    "_inside": "the inside of a build, where it runs as a program of its own",
    "_jupyter": "a Jupyter Server",
    "_keep": "a host's files, openssl and systemd, about a registry",
    "_kernel": "a kernel, by way of its Jupyter Server",
    "_labs": "all that a lab stands on",
    "_labs_info": "all that a lab stands on",
    "_local": "a host's APT",
    "_look": "all that a lab stands on",
    "_machine": "a host's packages, users and files",
    "_make": "all that an image stands on",
    "_module": "Ansible",
    "_notebook_run": "an engine, about a notebook's container",
    "_nvidia": "a host's GPUs",
    "_options": "a host's tokens",
    "_pack": "all that a bundle stands on",
    "_push": "an engine, about registries",
    "_receiver": "an engine that pushes",
    "_refusals": "a host's disk and addresses",
    "_report": "a host's name",
    "_rescue": "a container's files and the host's",
    "_rootfs": "mmdebstrap",
    "_roster_info": "all that a lab stands on",
    "_run": "all that a lab stands on",
    "_saved": "a host's archive of images",
    "_state": "a host's tokens and declarations",
    "_ways": "a host's disk, and an engine about a container's files",
}
# Programs with surroundings of their own.
INSIDE = ("_inside", "_cells")
# What only one of them may import.
OWNED = {"docker": "_engine", "requests": "_engine", "urllib": "_jupyter", "ansible": "_module"}
# A part of such a package that reads and writes text alone.
TEXT = frozenset({"urllib.parse"})
# What no pure file may import: clock, network, disk, processes, chance.
IMPURE = frozenset({
    "asyncio", "concurrent", "ctypes", "fcntl", "glob", "grp", "http", "importlib", "locale", "logging", "mmap",
    "multiprocessing", "os", "pathlib", "platform", "pty", "pwd", "random", "resource", "secrets", "select", "shutil",
    "signal", "socket", "sqlite3", "ssl", "stat", "subprocess", "sys", "syslog", "tempfile", "termios", "threading",
    "time", "tty", "urllib", "uuid",
})  # fmt: skip
# The rooms of module_utils, and into which others each may look.
ROOMS = {
    "lab": set(), "image": set(), "dockerd": set(), "registry": set(),
    "base": {"image", "dockerd"}, "bundle": {"base", "dockerd"}, "roster": {"lab"},
}  # fmt: skip
CONTROLLERS = sorted((PLUGINS / "plugin_utils").glob("*.py"))
# The one of them that talks: what actions that send programs to a host have in common.
SENDING = "_courier_action"
UTIL_FILES = sorted((PLUGINS / "module_utils").rglob("*.py"))
MODULE_FILES = sorted((PLUGINS / "modules").glob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> set[str]:
    """The names of the modules that a file imports anywhere; a file of module_utils is ``._name``."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = node.module or ""
            last = package.rpartition(".")[2]
            if not node.level and package != UTILS and not package.startswith(UTILS + "."):
                found.add(package)
            elif last.startswith("_"):
                found.add("." + last)
            else:
                found |= {f".{name.name}" for name in node.names}
    return found


def tops(path: Path) -> set[str]:
    """The top-level packages that a file imports from outside the collection."""
    return {name.partition(".")[0] for name in imports(path) - TEXT if not name.startswith(".")}


@pytest.mark.parametrize("path", [p for p in UTIL_FILES if p.stem not in SHELL], ids=lambda path: path.stem)
def test_pure_files_import_the_standard_library_and_pure_files(path):
    assert not tops(path) & IMPURE, "a clock, the network, the disk, a process or chance"
    assert "open" not in {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}, "the disk"
    assert tops(path) <= sys.stdlib_module_names, "not in the standard library"
    assert not {name[1:] for name in imports(path) if name.startswith(".")} & set(SHELL), "a file that talks"


@pytest.mark.parametrize("path", [p for p in CONTROLLERS if p.stem != SENDING], ids=lambda path: path.stem)
def test_what_plugins_of_the_controller_share_is_pure_too(path):
    assert not tops(path) & IMPURE
    assert tops(path) <= set(sys.stdlib_module_names) | {"jmespath", "yaml"}


@pytest.mark.parametrize("path", [p for p in UTIL_FILES if p.stem not in INSIDE], ids=lambda path: path.stem)
def test_each_outside_has_one_file_that_speaks_to_it(path):
    foreign = {name for name in tops(path) if OWNED.get(name, path.stem) != path.stem}
    assert not foreign
    assert tops(path) <= set(sys.stdlib_module_names) | set(OWNED)


@pytest.mark.parametrize("path", [p for p in UTIL_FILES if p.stem != "_module"], ids=lambda path: path.stem)
def test_nothing_below_module_sees_the_module_or_its_check_mode(path):
    names = {node.id for node in ast.walk(tree(path)) if isinstance(node, ast.Name)}
    names |= {node.arg for node in ast.walk(tree(path)) if isinstance(node, ast.arg)}
    names |= {node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)}
    assert not names & {"module", "AnsibleModule", "fail_json", "exit_json", "check_mode"}


@pytest.mark.parametrize("path", UTIL_FILES, ids=lambda path: path.stem)
def test_no_state_lives_in_a_file(path):
    assert not [node.names for node in ast.walk(tree(path)) if isinstance(node, ast.Global)]


@pytest.mark.parametrize("path", MODULE_FILES, ids=lambda path: path.stem)
def test_modules_import_module_utils_and_never_each_other(path):
    assert tops(path) <= sys.stdlib_module_names
    assert not tops(path) & (IMPURE - {"os"})
    assert {name[1:] for name in imports(path) if name.startswith(".")} <= {p.stem for p in UTIL_FILES}


@pytest.mark.parametrize("path", UTIL_FILES, ids=lambda path: path.stem)
def test_helpers_are_private(path):
    assert path.stem.startswith("_")


@pytest.mark.parametrize("path", UTIL_FILES, ids=lambda path: path.stem)
def test_rooms_look_only_where_they_may(path):
    room_of = {file.stem: file.parent.name for file in UTIL_FILES}
    into = {room_of[name[1:]] for name in imports(path) if name.startswith(".")} - {"module_utils", path.parent.name}
    assert into <= ROOMS.get(path.parent.name, set())


def test_the_rooms_are_there():
    assert {path.parent.name for path in UTIL_FILES} == {"module_utils", *ROOMS}


def test_the_table_names_files_that_exist():
    assert set(SHELL) <= {path.stem for path in UTIL_FILES}
