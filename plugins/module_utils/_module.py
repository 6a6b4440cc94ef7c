# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module does alike: options, the SDK, and errors that become a failed task.

The only file that knows AnsibleModule.
"""

from __future__ import annotations

import errno
import importlib.util
import os
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common import respawn

from ._errors import EngineAbsent, FleetError

# Where docker_engine puts the SDK on hosts whose distribution has none, and the distributions' own place.
INTERPRETERS = ("/opt/myjupyter/venv/bin/python", "/usr/bin/python3", "/usr/libexec/platform-python")

# What helps where a host's disk refuses something, and nobody below has a sentence of its own for it.
ROOM = "free some room; `df -h` on the host shows which disk is full"
REMEDIES: dict[int | None, str] = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EROFS: "mount that file system for writing",
    errno.EACCES: "become root for this task",
    errno.EPERM: "become root for this task",
}

ENGINE_OPTIONS = {
    "docker_host": {"type": "str"},
    "tls": {"type": "bool", "default": False},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "client_cert": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "engine_timeout": {"type": "int", "default": 60},
}


def run(
    options: dict[str, Any],
    parse: Callable[[dict[str, Any]], Any],
    act: Callable[[Any, Any, bool], dict[str, Any]],
    *,
    without_engine: Callable[[Any], dict[str, Any]] | None = None,
    **rules: Any,
) -> None:
    """Run a module: ``act(engine, parse(params), check) -> result``, or the task's failure.

    ``parse`` is pure and refuses bad input before the engine is looked for. ``check`` (bool): find out
    and say everything, change nothing. ``without_engine(wanted)`` answers in check mode for a host that
    has no engine yet. ``rules`` go to AnsibleModule (required_if and the like). A result's ``warnings``
    are shown as such, its ``diff`` only where one was asked for.
    """
    rules.setdefault("required_together", []).append(("client_cert", "client_key"))
    module = AnsibleModule({**ENGINE_OPTIONS, **options}, supports_check_mode=True, **rules)
    _finish(module, parse, lambda wanted: _act(module, wanted, act, without_engine))


def run_on_host(
    options: dict[str, Any],
    parse: Callable[[dict[str, Any]], Any],
    act: Callable[[Any, bool], dict[str, Any]],
    **rules: Any,
) -> None:
    """Run a module that needs neither an engine nor the SDK: ``act(parse(params), check) -> result``."""
    module = AnsibleModule(options, supports_check_mode=True, **rules)
    _finish(module, parse, lambda wanted: act(wanted, module.check_mode))


def _finish(module: AnsibleModule, parse: Any, act: Callable[[Any], dict[str, Any]]) -> None:
    # What builds and labs are to read does not hang on the umask of whoever logs in; secrets have modes of their own.
    os.umask(0o022)
    try:
        result = act(parse(module.params))
    except FleetError as error:
        if not module._diff:
            error.details.pop("diff", None)
        _warn(module, error.details)
        module.fail_json(msg=str(error), **error.details)
    except OSError as error:
        remedy = REMEDIES.get(error.errno)
        if not remedy:
            raise
        module.fail_json(msg=f"{error.filename or 'A file that was being written'}: {error.strerror}: {remedy}.")
    _warn(module, result)
    if not module._diff:
        result.pop("diff", None)
    module.exit_json(**result)


def _warn(module: AnsibleModule, result: dict[str, Any]) -> None:
    for warning in result.pop("warnings", []):
        module.warn(warning)


def _act(module: AnsibleModule, wanted: Any, act: Any, without_engine: Any) -> dict[str, Any]:
    try:
        _need_sdk()
        from . import _engine

        engine = _engine.connect(_engine.find(module.params))
    except EngineAbsent as absent:
        if not (module.check_mode and without_engine):
            raise
        result = without_engine(wanted)
        result.setdefault("warnings", []).append(f"{absent} This check assumes an engine with nothing in it.")
        return result
    return act(engine, wanted, module.check_mode)


def _need_sdk() -> None:
    if importlib.util.find_spec("docker") is not None:
        return
    if not respawn.has_respawned():
        interpreter = respawn.probe_interpreters_for_module(INTERPRETERS, "docker")
        if interpreter:
            respawn.respawn_module(interpreter)
    raise EngineAbsent(
        "The Docker SDK for Python is not installed for this host's Python: the role "
        "myjupyter.fleet.docker_engine brings it, or install the distribution's python3-docker."
    )
