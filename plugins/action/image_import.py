# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin image_import: has a host's engine load or pull the image that another host has.

All is decided here, on the controller. On the host runs only the courier, which goes along with each question, and the
layers with it if they are small.
"""

from __future__ import annotations

import ast
import json
import os
import shlex
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError, InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils._module import ENGINE_OPTIONS
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _arrival, _courier, _layers
from ansible_collections.myjupyter.fleet.plugins.module_utils.image._arrival import Expected

# In the remote user's own home, where it stays when a run is interrupted, for the next one to go on from. Many hosts
# may share a home, so each has its own.
FOLDER = "~/.cache/myjupyter/layers"
# Up to so many bytes go along with the order; what is larger is put on the host first, and resumed.
SMALL = 8 << 20
PATIENCE = 1800
PAIR = [("client_cert", "client_key")]
OPTIONS = {
    **ENGINE_OPTIONS,
    "name": {"type": "str", "required": True},
    "image": {"type": "dict", "required": True},
    "parcel": {"type": "dict", "default": {}},
    "lacking": {"type": "list", "elements": "str"},
    "src": {"type": "path"},
    "reference": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "registry": {"type": "str"},
    "ca": {"type": "str"},
    "keep": {"type": "int", "default": 3},
}


class CourierAction(ActionBase):
    """An action that sends the courier to the host, and decides on the controller."""

    _supports_check_mode = True
    programs: Sequence[ModuleType] = (_courier,)
    entry = "main"
    variables: Mapping[str, Any]

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        self.variables = task_vars or {}
        if self._task.delegate_to:  # the host of the task is another one than the one that is asked
            self.variables = self.variables["ansible_delegated_vars"][self._task.delegate_to]
        return result

    def tell(self, order: Mapping[str, Any], bulk: bytes = b"") -> Any:
        """What the courier on the host replies to an order; ``bulk`` are the bytes that go along."""
        text = f"{_program(self.programs)}\n{self.entry}(json.loads({json.dumps(order)!r}))"
        program = zlib.compress(text.encode(), 9)
        start = f"import sys,zlib;exec(zlib.decompress(sys.stdin.buffer.read({len(program)})))"
        python = self._python()
        command = f"{self._compute_environment_string()} {python} -c {shlex.quote(start)}".strip()
        if self._is_pipelining_enabled("new"):
            done = self._low_level_execute_command(command, in_data=program + bulk)
        else:
            path = f"{self._make_tmp_path()}order"
            self._transfer_data(path, program + bulk)
            done = self._low_level_execute_command(f"{command} < {shlex.quote(path)}")
            self._remove_tmp_path(self._connection._shell.tmpdir)
        try:
            return json.loads(done["stdout"].strip().splitlines()[-1])
        except (IndexError, ValueError):
            said = (done["stderr"] or done["stdout"]).strip() or "nothing"
            raise AnsibleActionFail(f"{python} on the host did not answer, but said: {said}") from None

    def engine(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Where the engine is, for the courier: what is not as usual."""
        usual = {"tls": False, "validate_certs": True, "engine_timeout": 60}
        return {key: options[key] for key in ENGINE_OPTIONS if options[key] != usual.get(key)}

    def _python(self) -> str:
        """The host's Python: the one that was named, or that Ansible found, else the usual one."""
        named = self._templar.template(self.variables.get("ansible_python_interpreter", ""))
        found = (self.variables.get("ansible_facts") or {}).get("discovered_interpreter_python") or ""
        return next((path for path in (named, found) if path.startswith("/")), "/usr/bin/python3")


class ActionModule(CourierAction):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(OPTIONS, required_together=PAIR)
        try:
            arrival = Arrival(self, options, (task_vars or {}).get("inventory_hostname", ""))
            done = arrival.run(self._task.check_mode)
        except FleetError as error:
            raise AnsibleActionFail(str(error)) from error
        return {**result, **done}

    def folder(self, place: str, host: str) -> tuple[str, set[str]]:
        """A folder of the remote user's for what comes to ``host``, and what was brought to it before."""
        folder = f"{place}/{shlex.quote(host)}"
        said = self.as_remote_user(f"mkdir -p -m 700 {folder} && cd {folder} && pwd && ls").splitlines()
        return said[0].strip(), {name.strip() for name in said[1:]}

    def put(self, path: str, place: str) -> None:
        """Put a file on the host; it has its name there when it is whole."""
        self._connection.put_file(path, f"{place}.part")
        self.as_remote_user(f"mv {shlex.quote(f'{place}.part')} {shlex.quote(place)}")

    def as_remote_user(self, command: str) -> str:
        """What a command prints that runs as the user who logs in: it is he who puts files on the host."""
        done = self._low_level_execute_command(command, sudoable=False)
        if done["rc"]:
            raise AnsibleActionFail(f"{command}: {done['stderr'] or done['stdout']}")
        return done["stdout"].strip()


class Arrival:
    """One image, coming to one host."""

    def __init__(self, action: ActionModule, options: Mapping[str, Any], host: str) -> None:
        self._action, self._host = action, host
        self._expected = _arrival.parse(options)
        self._src, self._lacking = os.path.expanduser(options["src"] or "."), options["lacking"]
        self._engine = action.engine(options)
        self._timeout = options["engine_timeout"]

    def run(self, check: bool) -> dict[str, Any]:
        expected = self._expected
        steps = [f"bring {expected.name}"]
        lacking = self._lacking
        if check or lacking is None:
            reply = self._ask()
            if check and _arrival.absent(reply):
                warning = f"No Docker Engine listens at {reply['engine']}. This check assumes one with nothing in it."
                return {"changed": True, "steps": steps, "lacking": expected.layers, "warnings": [warning]}
            found = _arrival.here(reply)
            image = _arrival.same(found, expected)
            if image:
                gone = self._prune(found, image.id, check)
                return {"changed": bool(gone), "steps": gone, "lacking": []}
            lacking = _arrival.lacking(found, expected)
        if check:
            return {"changed": True, "steps": steps, "lacking": lacking}
        found = _arrival.here(self._bring(expected, lacking))
        image = _arrival.verify(found, expected, self._host)
        return {"changed": True, "steps": steps + self._prune(found, image.id, check), "lacking": []}

    def _bring(self, expected: Expected, lacking: Sequence[str]) -> dict[str, Any]:
        if expected.reference:
            reply = self._ask(_arrival.pulling(expected), texts=expected.trust)
        elif expected.parcel is None:
            wanted = "is what myjupyter.fleet.image_export returned; without it only a check runs."
            raise InvalidInput("parcel", None, wanted)
        else:
            reply = self._load(expected, expected.parcel, lacking)
        if reply["broken"]:
            raise AnsibleActionFail(f"{reply['broken'][0]} is not whole: run again, and it is brought once more.")
        errors = [why for _status, why in reply["said"] if why]
        if errors:
            raise _arrival.refused(expected, errors[0])
        return reply

    def _load(self, expected: Expected, parcel: _layers.Parcel, lacking: Sequence[str]) -> dict[str, Any]:
        paths = {digest: self._path(digest) for digest in parcel.needed(lacking)}
        sizes = {digest: path.stat().st_size for digest, path in paths.items()}
        folder, along = "", _layers.NOTHING
        if sum(sizes.values()) <= SMALL:
            along = _layers.along([path.read_bytes() for path in paths.values()])
            sizes = dict(zip(paths, along.sizes))
            places: dict[str, _layers.Part] = dict(sizes)
        else:
            folder = self._put(paths)
            places = {digest: [f"{folder}/{path.name}"] for digest, path in paths.items()}
        if parcel.archive:
            parts = [places[parcel.archive]]
        else:
            config = self._path(parcel.config).read_bytes().decode("latin-1")
            files = {digest: (sizes[digest], places[digest]) for digest in paths}
            parts = _layers.archive(parcel, expected.tags, config, files)
        whole = {place[0]: digest for digest, place in places.items() if isinstance(place, list)}
        return self._ask(_arrival.loading(expected, parts), along, whole, folder)

    def _put(self, paths: Mapping[str, Path]) -> str:
        """Put the files that are not on the host there; the folder in which they are."""
        folder, there = self._action.folder(FOLDER, self._host)
        for path in paths.values():
            if path.name not in there:
                self._action.put(str(path), f"{folder}/{path.name}")
        return folder

    def _path(self, digest: str) -> Path:
        path = Path(self._src, digest.replace(":", "-"))
        if not path.exists():
            raise AnsibleActionFail(f"src: {path} is not there: run again, so that image_export fetches it.")
        return path

    def _prune(self, found: _arrival.Here, after: str, check: bool) -> list[str]:
        names = _arrival.stale(found, self._expected, after)
        if names and not check:
            self._ask(_arrival.removing(names))
        return [f"remove {name}" for name in names]

    def _ask(
        self,
        requests: Sequence[Any] = (),
        along: _layers.Along = _layers.NOTHING,
        files: Any = None,
        folder: str = "",
        texts: Any = None,
    ) -> Any:
        order = {
            "engine": self._engine,
            "timeout": PATIENCE if requests else self._timeout,
            "labels": _arrival.LABELS,
            "requests": requests,
            "texts": texts or {},
            "files": files or {},
            "folder": folder,
            "slim": along.slim,
        }
        return self._action.tell(order, along.content)


def _program(modules: Sequence[ModuleType]) -> str:
    """Files of the collection as one program, without what only their readers and their checkers need."""
    body: list[ast.stmt] = []
    for module in modules:
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node):
                node.body = node.body[1:] or [ast.Pass()]
        body += [node for node in tree.body if not _is_of_the_collection(node)]
    future = "from __future__ import annotations\n"
    return future + ast.unparse(ast.Module(body, []))


def _is_of_the_collection(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.level > 0 or node.module == "__future__")
