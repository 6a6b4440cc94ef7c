# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin labs: looks whether all is as declared before it sends the module, which takes longer.

The look is the module's own, carried to the host without Ansible. Where it finds something to do, or anything that it
cannot tell, the module runs as any other.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.myjupyter.fleet.plugins.module_utils import _carried, _engine, _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _look
from ansible_collections.myjupyter.fleet.plugins.modules.labs import OPTIONS
from ansible_collections.myjupyter.fleet.plugins.plugin_utils._courier_action import CourierAction, program_of


def _sources() -> dict[str, str]:
    """What tells of labs: the files beside `_look`, and those above them that need no Ansible."""
    beside, above = _package(_look), _package(_engine)
    files = {f"{above}.{path.stem}": path for path in Path(str(_engine.__file__)).parent.glob("*.py")}
    files |= {f"{beside}.{path.stem}": path for path in Path(str(_look.__file__)).parent.glob("*.py")}
    del files[_module.__name__]
    return {name: path.read_text(encoding="utf-8") for name, path in files.items()}


def _package(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[0]


# Once for all hosts, as the program is.
FILES = _carried.packed(_sources())


class ActionModule(CourierAction):
    _supports_async = True
    program = program_of(_carried)

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        asynchronous = bool(self._task.async_val)
        settled = None if asynchronous else self._settled()
        return {**result, **(settled or self._execute_module(task_vars=task_vars, wrap_async=asynchronous))}

    def _settled(self) -> dict[str, Any] | None:
        """The result where all is as declared; None leaves it to the module."""
        options = self.options({**_module.ENGINE_OPTIONS, **OPTIONS})
        if options is None:
            return None
        order = {"call": [_look.__name__, _look.settled.__name__], "arguments": [options, self._task.check_mode]}
        try:
            result = self.tell(order, FILES)
        except (AnsibleActionFail, TypeError):  # a date, say, which Ansible knows how to send
            return None
        if result and not self._task.diff:
            del result["diff"]
        return remove_values(result, {lab["token"] for lab in options["labs"] if lab["token"]})
