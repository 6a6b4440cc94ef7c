# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin of the module image_export: brings what the engine gave out to the controller."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.hashing import secure_hash


class ActionModule(ActionBase):
    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        dest = os.path.expanduser(str(arguments.get("dest") or "."))
        arguments["there"] = _whole(dest)
        if not self._task.check_mode:
            # The remote user's own, so that its files can be fetched; nobody else can look into it.
            arguments["folder"] = f"{self._make_tmp_path()}layers"
            self._low_level_execute_command(f"mkdir -m 700 {arguments['folder']}", sudoable=False)
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        if result.get("parcel") and not result.get("failed"):
            self._fetch(result["files"], dest)
            if boolean(arguments.get("clear", True)):
                _clear_but(dest, {result["parcel"]["config"], *result["parcel"]["blobs"].values()})
        return result

    def _fetch(self, files: dict[str, str], dest: str) -> None:
        try:
            os.makedirs(dest, mode=0o700, exist_ok=True)
            for digest, path in files.items():
                there = os.path.join(dest, os.path.basename(path))
                self._connection.fetch_file(path, f"{there}.part")
                if f"sha256:{secure_hash(f'{there}.part', hashlib.sha256)}" != digest:
                    raise AnsibleActionFail(f"{path} did not come whole from the host: run again.")
                os.replace(f"{there}.part", there)
        except OSError as error:
            raise AnsibleActionFail(f"dest: {dest} cannot be written on the controller: {error.strerror}.") from error


def _whole(dest: str) -> list[str]:
    """The digests of the files that are there and whole."""
    names = os.listdir(dest) if os.path.isdir(dest) else []
    digests = {name: secure_hash(os.path.join(dest, name), hashlib.sha256) for name in names}
    return [f"sha256:{digest}" for name, digest in digests.items() if name == f"sha256-{digest}"]


def _clear_but(dest: str, digests: set[str]) -> None:
    """Remove what no layer of the image needs any more."""
    for name in os.listdir(dest):
        if name.replace("-", ":") not in digests:
            os.unlink(os.path.join(dest, name))
