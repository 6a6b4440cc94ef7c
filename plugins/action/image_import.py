# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action plugin image_import: has a host's engine load or pull the image that another host has.

All is decided here, on the controller. On the host runs only the courier, which goes along with each question, and the
layers with it if they are small.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError, InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils._module import ENGINE_OPTIONS
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _arrival, _layers, _recipe
from ansible_collections.myjupyter.fleet.plugins.module_utils.image._arrival import Expected
from ansible_collections.myjupyter.fleet.plugins.plugin_utils._courier_action import CourierAction

# In the remote user's own home, where it stays when a run is interrupted, for the next one to go on from. Many hosts
# may share a home, so each has its own.
FOLDER = "~/.cache/myjupyter/layers"
# Beside it, which files an image that was brought is made of: no engine tells, and one that keeps images with
# containerd need not get them again. An image there is named by what it is made of, so a note is never out of date.
NOTES = "~/.cache/myjupyter/images"
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
    "files": {"type": "dict"},
    "src": {"type": "path"},
    "reference": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "registry": {"type": "str"},
    "ca": {"type": "str"},
    "keep": {"type": "int", "default": 3},
}


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
        self._src = os.path.expanduser(options["src"] or ".")
        self._lacking, self._files = options["lacking"], options["files"]
        self._engine = action.engine(options)
        self._timeout = options["engine_timeout"]

    def run(self, check: bool) -> dict[str, Any]:
        expected = self._expected
        steps = [f"bring {expected.name}"]
        lacking, files = self._lacking, self._files
        if check or lacking is None:
            reply = self._ask()
            if check and _arrival.absent(reply):
                warning = f"No Docker Engine listens at {reply['engine']}. This check assumes one with nothing in it."
                bare = {"changed": True, "steps": steps, "lacking": expected.layers, "files": None}
                return {**bare, "warnings": [warning]}
            found = _arrival.here(reply)
            image = _arrival.same(found, expected)
            if image:
                gone = self._prune(found, image.id, check)
                return {"changed": bool(gone), "steps": gone, "lacking": []}
            lacking, files = _arrival.lacking(found, expected), _arrival.kept(found, expected)
        if check:
            return {"changed": True, "steps": steps, "lacking": lacking, "files": files}
        found = _arrival.here(self._bring(expected, lacking, files))
        image = _arrival.verify(found, expected, self._host)
        return {"changed": True, "steps": steps + self._prune(found, image.id, check), "lacking": []}

    def _bring(self, expected: Expected, lacking: Sequence[str], files: Mapping[str, Any] | None) -> dict[str, Any]:
        if expected.reference:
            reply = self._ask(_arrival.pulling(expected), texts=expected.trust)
        elif expected.parcel is None:
            wanted = "is what myjupyter.fleet.image_export returned; without it only a check runs."
            raise InvalidInput("parcel", None, wanted)
        else:
            reply = self._load(expected, expected.parcel, lacking, files)
        if reply["broken"]:
            raise AnsibleActionFail(f"{reply['broken'][0]} is not whole: run again, and it is brought once more.")
        errors = [why for _status, why in reply["said"] if why]
        if errors:
            raise _arrival.refused(expected, errors[0])
        return reply

    def _load(
        self, expected: Expected, parcel: _layers.Parcel, lacking: Sequence[str], kept: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """``kept`` are the files of layers that an engine with containerd has; None for other engines."""
        paths = {digest: self._path(digest) for digest in parcel.needed(lacking)}
        sizes = {digest: path.stat().st_size for digest, path in paths.items()}
        folder, along = "", _layers.NOTHING
        if sum(sizes.values()) <= SMALL:
            along = _layers.along([path.read_bytes() for path in paths.values()], as_they_are=kept is not None)
            sizes = dict(zip(paths, along.sizes))
            places: dict[str, _layers.Part] = dict(sizes)
        else:
            folder = self._put(paths)
            places = {digest: [f"{folder}/{path.name}"] for digest, path in paths.items()}
        files = {digest: (sizes[digest], places[digest]) for digest in paths}
        parts, notes = self._archive(parcel, files, lacking, kept)
        whole = {place[0]: digest for digest, place in places.items() if isinstance(place, list)}
        return self._ask(_arrival.loading(expected, parts), along, whole, folder, notes)

    def _archive(
        self,
        parcel: _layers.Parcel,
        files: Mapping[str, tuple[int, _layers.Part]],
        lacking: Sequence[str],
        kept: Mapping[str, Any] | None,
    ) -> tuple[list[_layers.Part], dict[str, str]]:
        """What the engine loads, and what is noted of it, by the path of a file."""
        if parcel.archive:
            return [files[parcel.archive][1]], {}
        config = self._path(parcel.config).read_bytes().decode("latin-1")
        if kept is None:
            return _layers.archive(parcel, self._expected.tags, config, files), {}
        layers = {**kept, **{layer: self._described(parcel.blobs[layer]) for layer in lacking}}
        manifest = _layers.manifest(parcel, config, layers)
        layout = _layers.layout(parcel, _recipe.in_full(self._expected.name), manifest, config, files)
        return layout, {f"{NOTES}/{_layers.digest(manifest)}": json.dumps(layers)}

    def _described(self, digest: str) -> dict[str, Any]:
        with self._path(digest).open("rb") as file:
            return _layers.described(digest, os.fstat(file.fileno()).st_size, file.read(4))

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
            "notes": NOTES,
            "name": self._expected.name,
            "requests": requests,
            "texts": texts or {},
            "files": files or {},
            "folder": folder,
            "slim": along.slim,
        }
        return self._action.tell(order, along.content)
