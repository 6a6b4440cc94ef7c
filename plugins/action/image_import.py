# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module image_import: brings the layers that the host lacks from the controller to it."""

from __future__ import annotations

import os
import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

# In the remote user's own home, where it stays when a run is interrupted, for the next one to go on from. Many hosts
# may share a home, so each has its own.
FOLDER = "~/.cache/myjupyter/layers"


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if not self._task.check_mode and arguments.get("parcel"):
            if arguments.get("lacking") is None:
                said = self._asked(arguments, task_vars)
                if said.get("failed") or not said["steps"]:
                    return {**result, **said}
                arguments["lacking"] = said["lacking"]
            arguments["folder"] = self._bring(arguments, (task_vars or {}).get("inventory_hostname", ""))
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        if arguments.get("folder") and not result.get("failed"):
            self._as_remote_user(f"rm -rf {shlex.quote(arguments['folder'])}")
        return result

    def _asked(self, arguments: dict[str, Any], task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """What the module says in check mode: which layers are lacking."""
        self._task.check_mode = True
        try:
            return self._execute_module(module_args=arguments, task_vars=task_vars)
        finally:
            self._task.check_mode = False

    def _bring(self, arguments: dict[str, Any], host: str) -> str:
        """Put the files of the lacking layers on the host; the folder in which they are."""
        parcel, src, lacking = arguments["parcel"], arguments.get("src"), arguments.get("lacking") or []
        folder, there = self._folder(FOLDER, host)
        digests = dict.fromkeys([parcel["config"], *(parcel["blobs"][layer] for layer in lacking)])
        names = [digest.replace(":", "-") for digest in digests]
        src = os.path.expanduser(str(src))
        self._put({name: os.path.join(src, name) for name in names if name not in there}, folder)
        return folder

    def _folder(self, place: str, host: str) -> tuple[str, set[str]]:
        """A folder of the remote user's for what comes to ``host``, and what was brought to it before."""
        folder = f"{place}/{shlex.quote(host)}"
        said = self._as_remote_user(f"mkdir -p -m 700 {folder} && cd {folder} && pwd && ls").splitlines()
        return said[0].strip(), {name.strip() for name in said[1:]}

    def _put(self, files: dict[str, str], folder: str) -> None:
        """Put files of the controller, by their names, into a folder; one gets its name when it is whole."""
        for name, path in files.items():
            if not os.path.exists(path):
                raise AnsibleActionFail(f"src: {path} is not there: run again, so that it is fetched.")
            self._connection.put_file(path, f"{folder}/{name}.part")
            self._as_remote_user(f"mv {shlex.quote(f'{folder}/{name}.part')} {shlex.quote(f'{folder}/{name}')}")

    def _as_remote_user(self, command: str) -> str:
        """What a command prints that runs as the user who logs in: it is he who puts files on the host."""
        done = self._low_level_execute_command(command, sudoable=False)
        if done["rc"]:
            raise AnsibleActionFail(f"{command}: {done['stderr'] or done['stdout']}")
        return done["stdout"].strip()
