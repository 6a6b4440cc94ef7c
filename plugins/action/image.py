# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin image: asks the engine first, and shows how far a build is while it runs.

Where the engine's answers tell that there is nothing to do, that is all: a module takes three times as long. Else the
module runs as any other. Beside it, over a connection of the same kind, the file is followed to which it writes its
lines. Where nothing is built within the first seconds, nothing else happens.
"""

from __future__ import annotations

import copy
import secrets
import shlex
import threading
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.myjupyter.fleet.plugins.module_utils._module import ENGINE_OPTIONS
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _image, _recipe
from ansible_collections.myjupyter.fleet.plugins.modules.image import OPTIONS
from ansible_collections.myjupyter.fleet.plugins.plugin_utils._courier_action import CourierAction

SECONDS = 2
BEGIN = "=== myjupyter"


class FollowedAction(ActionBase):
    """An action that runs a module which says in a file how far it is."""

    _supports_async = True

    def followed(self, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """The module's result, after its lines were shown."""
        arguments = dict(self._task.args)
        if self._task.check_mode or self._task.async_val:
            return self._execute_module(
                module_args=arguments, task_vars=task_vars, wrap_async=bool(self._task.async_val)
            )
        own = arguments.get("log")
        log = arguments.setdefault("log", f"/tmp/myjupyter-{secrets.token_hex(8)}.log")
        with Follower(self._beside(), log, task_vars["inventory_hostname"] if task_vars else ""):
            result = self._execute_module(module_args=arguments, task_vars=task_vars)
        if result.get("log") and not own and not result.get("failed"):
            self._low_level_execute_command(f"rm -f {shlex.quote(log)}")
            del result["log"]
        return result

    def _beside(self) -> FollowedAction:
        """This plugin on a connection of its own: the state of a running command is kept in the connection."""
        connection = copy.copy(self._connection)
        connection.become = copy.copy(connection.become)
        loader, templar, shared = self._loader, self._templar, self._shared_loader_obj
        return type(self)(self._task, connection, self._play_context, loader, templar, shared)

    def read_from(self, path: str, offset: int) -> str:
        """What a file on the host has after ``offset`` bytes; empty where there is no file."""
        command = f"echo {BEGIN}; tail -c +{offset + 1} {shlex.quote(path)} 2>/dev/null || true"
        # A terminal, which some ways to become root need, ends lines its own way; and sudo says something of its own.
        said = self._low_level_execute_command(command)["stdout"].replace("\r\n", "\n")
        return said.partition(f"{BEGIN}\n")[2]


class ActionModule(CourierAction, FollowedAction):
    entry = "answers"

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        return {**result, **(self._settled() or self.followed(task_vars))}

    def _settled(self) -> dict[str, Any] | None:
        """The result where the engine has what is wanted; None leaves it to the module."""
        options = self.options({**ENGINE_OPTIONS, **OPTIONS})
        if options is None or self._task.async_val:
            return None
        try:
            wanted = _recipe.parse(options)
            order = {"engine": self.engine(options), "timeout": options["engine_timeout"]}
            asked = _image.questions(wanted)
            result = _image.settled(wanted, self.tell({**order, "questions": asked})) if asked else None
        except (FleetError, AnsibleActionFail):
            return None
        if result and not self._task.diff:
            del result["diff"]
        return result


class Follower:
    """Shows the lines of a file on a host as they come, from the first seconds on until it is left."""

    def __init__(self, action: FollowedAction, path: str, host: str) -> None:
        self._action, self._path, self._host = action, path, host
        self._display = Display()
        self._offset = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Follower:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._ended.wait(SECONDS):
            self._show()
        if self._offset:
            self._show()

    def _show(self) -> None:
        text = self._action.read_from(self._path, self._offset)
        whole = text[: text.rfind("\n") + 1]
        self._offset += len(whole.encode("utf-8", "surrogateescape"))
        for line in whole.splitlines():
            self._display.display(f"[{self._host}] {line}")
