# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin image_export: has a host's engine give layers out, and brings them to the controller."""

from __future__ import annotations

import base64
import getpass
import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.myjupyter.fleet.plugins.action.image_import import PAIR, PATIENCE, SMALL
from ansible_collections.myjupyter.fleet.plugins.module_utils import _errors, _settings
from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.myjupyter.fleet.plugins.module_utils._module import ENGINE_OPTIONS
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import (
    _arrival,
    _courier,
    _delivery,
    _layers,
    _receiver,
    _recipe,
)
from ansible_collections.myjupyter.fleet.plugins.plugin_utils._courier_action import CourierAction, program_of

# The name of a layer's file, and while it comes.
LAYER = re.compile(r"sha256-[0-9a-f]{64}(\.part)?")
OPTIONS = {
    **ENGINE_OPTIONS,
    "name": {"type": "str", "required": True},
    "layers": {"type": "list", "elements": "str", "default": []},
    "configuration": {"type": "bool", "default": False},
    "dest": {"type": "path", "required": True},
    "all": {"type": "bool", "default": False},
    "clear": {"type": "bool", "default": True},
    "whole": {"type": "bool", "default": False},
}


class ActionModule(CourierAction):
    program = program_of(_errors, _settings, _courier, _receiver, _delivery)
    entry = "give"

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _valid, options = self.validate_argument_spec(OPTIONS, required_together=PAIR)
        dest = os.path.expanduser(options["dest"])
        try:
            reply = self._ask(options, dest)
            if _spoilt(dest, reply, options):
                reply = self._ask(options, dest)
        except FleetError as error:
            raise AnsibleActionFail(str(error)) from error
        files = self._fetch(reply, dest)
        if reply["parcel"] and options["clear"] and not self._task.check_mode:
            _clear_but(dest, _digests(reply["parcel"]))
        said: dict[str, Any] = {key: reply[key] for key in ("changed", "parcel", "packed", "warnings") if key in reply}
        return {**result, **said, "files": files}

    def _ask(self, options: Mapping[str, Any], dest: str) -> dict[str, Any]:
        order = {
            "engine": self.engine(options),
            "timeout": PATIENCE,
            "name": _recipe.full_name(options["name"]),
            "layers": None if options["all"] else options["layers"],
            "configuration": options["configuration"],
            "whole": options["whole"],
            "there": _names(dest),
            "check": bool(self._task.check_mode),
            "small": SMALL,
            "owner": self._get_remote_user() or getpass.getuser(),
        }
        reply = self.tell(order)
        if order["check"] and _arrival.absent(reply):
            warning = f"No Docker Engine listens at {reply['engine']}. This check assumes one with nothing in it."
            return {**_delivery.foretold(order), "warnings": [warning]}
        if "failed" in reply:
            raise _arrival.unreachable(reply)
        if "error" in reply:
            raise FleetError(reply["error"])
        return reply

    def _fetch(self, reply: Mapping[str, Any], dest: str) -> dict[str, str]:
        """Bring the files to the controller; where they are there, by their digests."""
        brought = {}
        try:
            for digest, path in reply.get("files", {}).items():
                os.makedirs(dest, mode=0o700, exist_ok=True)
                brought[digest] = there = os.path.join(dest, os.path.basename(path))
                if "contents" in reply:
                    with open(f"{there}.part", "wb") as file:
                        file.write(base64.b64decode(reply["contents"][digest]))
                else:
                    self._connection.fetch_file(path, f"{there}.part")
                if _receiver.digest_of(f"{there}.part") != digest:
                    raise AnsibleActionFail(f"{path} did not come whole from the host: run again.")
                os.replace(f"{there}.part", there)
        except OSError as error:
            raise AnsibleActionFail(f"dest: {dest} cannot be written on the controller: {error.strerror}.") from error
        finally:
            if "folder" in reply:
                self._low_level_execute_command(f"rm -rf {shlex.quote(reply['folder'])}")
        return brought


def _names(dest: str) -> list[str]:
    """The digests of the files that are there; one gets its name when it is whole."""
    names = os.listdir(dest) if os.path.isdir(dest) else []
    return [name.replace("-", ":") for name in names if name.startswith("sha256-") and not name.endswith(".part")]


def _spoilt(dest: str, reply: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    """Whether a file that lay here and is needed is not what its name says; it is removed."""
    if not reply["parcel"]:
        return False
    parcel = _layers.parcel(reply["parcel"])
    lacking = parcel.layers if options["all"] else options["layers"]
    needed = {*parcel.needed(lacking), *([parcel.config] if parcel.config else [])} - reply["files"].keys()
    paths = {digest: os.path.join(dest, digest.replace(":", "-")) for digest in needed}
    spoilt = [path for digest, path in paths.items() if _receiver.digest_of(path) != digest]
    for path in spoilt:
        os.unlink(path)
    return bool(spoilt)


def _digests(parcel: Mapping[str, Any]) -> set[str]:
    """The files that a parcel is made of."""
    return {parcel["archive"]} if "archive" in parcel else {parcel["config"], *parcel["blobs"].values()}


def _clear_but(dest: str, digests: set[str]) -> None:
    """Remove layers that the image needs no more, and what was cut off of one; nothing that is not a layer."""
    for name in os.listdir(dest):
        if LAYER.fullmatch(name) and name.replace("-", ":") not in digests:
            os.unlink(os.path.join(dest, name))
