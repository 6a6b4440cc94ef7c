# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What actions have in common that send a program to a host, where a module would take longer than what it is for."""

from __future__ import annotations

import ast
import json
import shlex
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

from ansible_collections.myjupyter.fleet.plugins.module_utils._module import ENGINE_OPTIONS
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _courier


def program_of(*modules: ModuleType) -> str:
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


class CourierAction(ActionBase):
    """An action that sends the courier to the host, and decides on the controller."""

    _supports_check_mode = True
    # Written once for all hosts: Ansible loads a plugin before it forks.
    program = program_of(_courier)
    entry = "main"
    variables: Mapping[str, Any]

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        self.variables = task_vars or {}
        if self._task.delegate_to:  # the host of the task is another one than the one that is asked
            self.variables = self.variables["ansible_delegated_vars"][self._task.delegate_to]
        return result

    def options(self, spec: Mapping[str, Any]) -> dict[str, Any] | None:
        """The task's options, checked as a module would; None leaves it to the module to refuse them, and to expand
        paths that begin at a home or with a variable: those of the host.
        """
        told = ArgumentSpecValidator(_as_text(spec)).validate(self._task.args)
        found = told.validated_parameters
        if told.error_messages or any(path[:1] == "~" or "$" in path for path in _paths(spec, found)):
            return None
        return found

    def tell(self, order: Mapping[str, Any], bulk: bytes = b"") -> Any:
        """What the courier on the host replies to an order; ``bulk`` are the bytes that go along."""
        text = f"{self.program}\n{self.entry}(json.loads({json.dumps(order)!r}))"
        program = zlib.compress(text.encode(), 9)
        start = f"import sys,zlib;exec(zlib.decompress(sys.stdin.buffer.read({len(program)})))"
        python = self._python()
        # Without -I, files of the directory that one logs into would be taken for modules, by root too.
        command = f"{self._compute_environment_string()} {python} -I -c {shlex.quote(start)}".strip()
        if self._is_pipelining_enabled("new"):
            done = self._low_level_execute_command(command, in_data=program + bulk)
        else:
            folder = self._make_tmp_path()
            path = f"{folder}order"
            self._transfer_data(path, program + bulk)
            self._fixup_perms2([folder, path], execute=False)
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


def _as_text(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a module without paths, which would be expanded on the controller."""
    return {
        name: {
            **rule,
            **({"type": "str"} if rule.get("type") == "path" else {}),
            **({"options": _as_text(rule["options"])} if "options" in rule else {}),
        }
        for name, rule in spec.items()
    }


def _paths(spec: Mapping[str, Any], options: Mapping[str, Any]) -> Iterator[str]:
    for name, rule in spec.items():
        value = options.get(name)
        if value and rule.get("type") == "path":
            yield value
        if value and "options" in rule:
            for inner in value if isinstance(value, list) else [value]:
                yield from _paths(rule["options"], inner)
