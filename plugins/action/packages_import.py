# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module packages_import: brings the packages that the host lacks from the controller to it."""

from __future__ import annotations

import os
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.myjupyter.fleet.plugins.action.image_import import ActionModule as Bringing

# Apart for each host, as many may share a home.
FOLDER = "~/.cache/myjupyter/packages"


class ActionModule(Bringing):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super(Bringing, self).run(tmp, task_vars)
        arguments = dict(self._task.args)
        src = os.path.expanduser(str(arguments.get("src") or ""))
        arguments["index"] = _read(os.path.join(src, "Packages"))
        if not self._task.check_mode:
            host = (task_vars or {}).get("inventory_hostname", "")
            arguments["folder"], there = self._folder(FOLDER, host)
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        if arguments.get("folder") and not result.get("failed"):
            files = {name: os.path.join(src, name) for name in result["lacking"] if name not in there}
            self._put(files, arguments["folder"])
        return result


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise AnsibleActionFail(f"src: {path} cannot be read on the controller: {error.strerror}.") from error
