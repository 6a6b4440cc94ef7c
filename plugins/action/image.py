# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the modules image and base: shows how far a build is while it runs.

The module runs as any other. Beside it, over a connection of the same kind, the file is followed to which it
writes its lines. Where nothing is built within the first seconds, nothing else happens.
"""

from __future__ import annotations

import copy
import secrets
import shlex
import threading
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

SECONDS = 2


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        if self._task.check_mode or self._task.async_val:
            plain = self._execute_module(
                module_args=arguments, task_vars=task_vars, wrap_async=bool(self._task.async_val)
            )
            return {**result, **plain}
        own = arguments.get("log")
        log = arguments.setdefault("log", f"/tmp/myjupyter-{secrets.token_hex(8)}.log")
        with Follower(self._beside(), log, task_vars["inventory_hostname"] if task_vars else ""):
            result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        if result.get("log") and not own and not result.get("failed"):
            self._low_level_execute_command(f"rm -f {shlex.quote(log)}")
            del result["log"]
        return result

    def _beside(self) -> ActionModule:
        """This plugin on a connection of its own: the state of a running command is kept in the connection."""
        connection = copy.copy(self._connection)
        connection.become = copy.copy(connection.become)
        loader, templar, shared = self._loader, self._templar, self._shared_loader_obj
        return type(self)(self._task, connection, self._play_context, loader, templar, shared)

    def read_from(self, path: str, offset: int) -> str:
        """What a file on the host has after ``offset`` bytes; empty where there is no file."""
        command = f"tail -c +{offset + 1} {shlex.quote(path)} 2>/dev/null || true"
        # A terminal, which some ways to become root need, ends lines its own way.
        return self._low_level_execute_command(command)["stdout"].replace("\r\n", "\n")


class Follower:
    """Shows the lines of a file on a host as they come, from the first seconds on until it is left."""

    def __init__(self, action: ActionModule, path: str, host: str) -> None:
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
