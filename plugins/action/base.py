# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module base: shows how far a build is, as that of the module image does."""

from __future__ import annotations

from typing import Any

from ansible_collections.myjupyter.fleet.plugins.action.image import FollowedAction


class ActionModule(FollowedAction):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        return {**super().run(tmp, task_vars), **self.followed(task_vars)}
