# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lab containers on an engine: seen as they are, and changed one thing at a time."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from .._engine import Engine, is_absent, is_conflict, patient, translated, with_login
from .._errors import BuildError, EngineError, LabError
from .._settings import image_digest
from ._container import RUN_DIR, Found, container_config, found_from, limits
from ._lab import LAB_LABEL, SPEC_LABEL, Lab, name_and_tag
from ._plan import NEXT, PREVIOUS, Taken

LOG_LINES = 20
# How many to look through: a server that does not answer as it should writes a line for each time that it is asked.
LOG_LINES_READ = 5000
NO_PS = '"ps": executable file not found'
ASKED = re.compile(r" GET \S*/api \(")
ASK_VERSIONS = "import platform, importlib.metadata as m; print(platform.python_version(), m.version('jupyterlab'))"
SETTLED = 60  # seconds that a lab has to live before its restarts are history
CRASHES = 3  # restarts by the engine after which a lab is known not to come up


@dataclass(frozen=True)
class Seen:
    """What is on an engine: our labs (with what an interrupted run left), and what others hold."""

    labs: list[Found]
    taken: list[Taken]
    strangers: set[str]
    renamed: Mapping[str, str] = field(default_factory=dict)  # a lab -> what somebody called its container
    others: tuple[str, ...] = ()  # ids of the containers that run and are no labs of ours


@dataclass(frozen=True)
class Network:
    """A network of an engine; through an ``internal`` one nobody comes in, for it publishes no ports."""

    id: str
    internal: bool


def observe(engine: Engine) -> Seen:
    with translated("list the containers"):
        every = engine.api.containers(all=True)
    ours = [inspected(engine, item["Id"]) for item in every if _is_ours(item)]
    labs = [found for found in map(_readable, ours) if found]
    own_ids = {found.container for found in labs}
    others = [item for item in every if item["Id"] not in own_ids]
    taken = [
        Taken(port["PublicPort"], port.get("IP", ""), f"the container {_names(item)[0]}")
        for item in others
        for port in item.get("Ports") or []
        if port.get("PublicPort") and port.get("Type") == "tcp"
    ]
    running = tuple(item["Id"] for item in others if item.get("State") == "running")
    strangers = {name for item in others for name in _names(item)}
    renamed = {item["Labels"][LAB_LABEL]: _names(item)[0] for item in others if _is_renamed(item)}
    return Seen(labs, taken, strangers, renamed, running)


def inspected(engine: Engine, container: str) -> Mapping[str, Any] | None:
    """All of a container; None where it has gone since the list was made, as an ephemeral one does by itself."""
    try:
        with translated("list the containers"):
            return engine.api.inspect_container(container)
    except EngineError as error:
        if not is_absent(error):
            raise
        return None


def digests(engine: Engine, images: Iterable[str]) -> dict[str, str]:
    """Image name -> digest of what it is; an image that is not on the engine is left out."""
    result = {}
    for name in set(images):
        try:
            with translated(f"inspect the image {name}"):
                result[name] = image_digest(engine.api.inspect_image(name))
        except EngineError as error:
            if not is_absent(error):
                raise
    return result


def name_image(engine: Engine, found: Found, name: str) -> None:
    """Give the image of a container one more name, which keeps it from being pruned."""
    repository, _colon, tag = name.rpartition(":")
    with translated(f"name the image of {found.lab.name} {name}"):
        engine.api.tag(found.image_id, repository, tag)


def unname_image(engine: Engine, name: str) -> None:
    """Take a name from an image; one without another name goes, unless a container needs it."""
    try:
        with translated(f"remove the image name {name}"):
            engine.api.remove_image(name)
    except EngineError as error:
        if not is_absent(error) and not is_conflict(error):
            raise


def image_names(engine: Engine) -> list[str]:
    with translated("list the images"):
        return [name for item in engine.api.images() for name in item["RepoTags"] or []]


def pull(engine: Engine, image: str) -> None:
    """Fetch an image from its registry. Raises BuildError."""
    name, tag = name_and_tag(image)

    def ask(login: dict[str, str] | None) -> None:
        with translated(f"pull {image}"), patient(engine) as api:
            for line in api.pull(name, tag=tag or None, stream=True, decode=True, auth_config=login):
                if "error" in line:
                    raise EngineError(f"Could not pull {image}: {line['error']}")

    try:
        with_login(ask)
    except EngineError as error:
        raise BuildError(
            f"{str(error).rstrip('.')}. Bring the image first, for instance with the role "
            "myjupyter.fleet.jupyter_image."
        ) from error


def networks(engine: Engine) -> dict[str, Network]:
    """By name."""
    with translated("list the networks"):
        return {item["Name"]: Network(item["Id"], item.get("Internal", False)) for item in engine.api.networks()}


def create(engine: Engine, lab: Lab, name: str, private_dir: str, stop_timeout: int) -> str:
    """A new container called ``name``, not started; its id."""
    from . import _ways

    with translated(f"create the lab {lab.name}"):
        config = container_config(lab, private_dir, stop_timeout)
        container = engine.api.create_container_from_config(config, name)["Id"]
        try:
            for network in lab.networks[1:]:
                engine.api.connect_container_to_network(container, network)
            _ways.at_home(engine, container, lab)
        except Exception:
            engine.api.remove_container(container)
            raise
    return container


def start(engine: Engine, container: str, lab: Lab) -> None:
    with translated(f"start the lab {lab.name}"):
        engine.api.start(container)


def resume(engine: Engine, container: str, lab: Lab) -> None:
    with translated(f"resume the lab {lab.name}"):
        engine.api.unpause(container)


def stop(engine: Engine, found: Found, seconds: int) -> None:
    """SIGTERM, on which the server shuts its kernels down; SIGKILL for what is left after ``seconds``."""
    with translated(f"stop the lab {found.lab.name}"):
        if found.status == "paused":
            engine.api.unpause(found.container)
        engine.api.stop(found.container, timeout=seconds)
    if found.lab.ephemeral:
        _wait_until_gone(engine, found.container)


def _wait_until_gone(engine: Engine, container: str) -> None:
    """The engine removes an ephemeral container by itself, a moment after it has stopped."""
    try:
        with translated("wait for a container to be gone"):
            engine.api.wait(container, condition="removed")
    except EngineError as error:
        if not is_absent(error):
            raise


def remove(engine: Engine, container: str, lab: Lab) -> None:
    """Remove a container; one that the engine has removed by itself is fine."""
    try:
        with translated(f"remove the lab {lab.name}"):
            engine.api.remove_container(container, v=True, force=True)
    except EngineError as error:
        if not is_absent(error) and "already in progress" not in str(error):
            raise


def rename(engine: Engine, container: str, name: str) -> None:
    with translated(f"rename a container to {name}"):
        engine.api.rename(container, name)


def update(engine: Engine, found: Found, lab: Lab) -> None:
    """New limits and restart policy while it runs. The SDK's own call knows only some of them."""
    api = engine.api
    with translated(f"change the limits of the lab {lab.name}"):
        address = f"{api.base_url}/v{api.api_version}/containers/{found.container}/update"
        api._raise_for_status(api.post(address, json=limits(lab, found.nano_cpus), timeout=engine.address.timeout))


def reconnect(engine: Engine, found: Found, lab: Lab) -> None:
    """To the wanted networks first, then off the others, so that it is never without one."""
    wanted = set(lab.networks) or {"bridge"}
    with translated(f"connect the lab {lab.name} to its networks"):
        for network in sorted(wanted - set(found.lab.networks or ["bridge"])):
            if network in found.networks:
                engine.api.disconnect_container_from_network(found.container, network, force=True)
            engine.api.connect_container_to_network(found.container, network)
        for network in sorted(set(found.networks) - wanted):
            engine.api.disconnect_container_from_network(found.container, network)


def ends_again_and_again(found: Found) -> bool:
    """Whether the engine restarts it over and over: nobody works in such a lab, though it may be up for a moment."""
    if found.status == "restarting" or found.restarts < CRASHES:
        return found.status == "restarting"
    started = datetime.strptime(found.started_at[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - started).total_seconds() < SETTLED


def processes(engine: Engine, found: Found) -> list[dict[str, str]] | None:
    """What runs in a lab, as `ps -ef` tells it; nothing in one that has just ended. None where nobody can tell, as on a
    host without ps."""
    try:
        with translated(f"list the processes of {found.lab.name}"):
            table = engine.api.top(found.container)
    except EngineError as error:
        if NO_PS in str(error):
            return None
        if not is_conflict(error) and not is_absent(error):
            raise
        return []
    return [dict(zip(table["Titles"], row)) for row in table.get("Processes") or []]


def log_tail(engine: Engine, container: str) -> list[str]:
    """The last lines, without those of our own questions whether it answers; none of a container that is gone, or whose
    log driver gives none back."""
    try:
        with translated("read the log"):
            lines = engine.api.logs(container, tail=LOG_LINES_READ).decode(errors="replace").splitlines()
    except EngineError:
        return []
    return [line for line in lines if not ASKED.search(line)][-LOG_LINES:]


def health(engine: Engine, container: str, lab: Lab) -> tuple[str, str]:
    """What the engine's own check of a container says: healthy, starting, unhealthy or '', and its last words."""
    with translated(f"inspect the lab {lab.name}"):
        found = engine.api.inspect_container(container)["State"].get("Health") or {}
    words = [item.get("Output", "").strip() for item in found.get("Log") or []]
    status = found.get("Status", "")
    return "" if status == "none" else status, words[-1] if words else ""


def check_alive(engine: Engine, container: str, lab: Lab) -> None:
    """Raise LabError, with the log's last lines, for a container that ended or that ends again and again."""
    about = inspected(engine, container)
    if about is None:
        raise LabError(f"{lab.name} ended instead of serving, and its log went with it: without ephemeral, it stays.")
    state = about["State"]
    ended = state["Status"] in ("exited", "dead") or about.get("RestartCount", 0) >= CRASHES
    if ended:
        tail = log_tail(engine, container)
        why = "was killed for want of memory" if state.get("OOMKilled") else f"ended with exit code {state['ExitCode']}"
        last = tail[-1] if tail else "nothing was logged"
        raise LabError(f"{lab.name} {why} instead of serving: {last}", log=tail)


def _is_ours(item: dict[str, Any]) -> bool:
    """By label and by name: a container made from a committed lab inherits the label, not the name."""
    lab = (item.get("Labels") or {}).get(LAB_LABEL, "")
    return bool(lab) and any(name in (lab, lab + PREVIOUS, lab + NEXT) for name in _names(item))


def _is_renamed(item: dict[str, Any]) -> bool:
    """A lab's container is known by its mounts, which none has that was made from a committed lab."""
    ours = (item.get("Labels") or {}).get(LAB_LABEL) and SPEC_LABEL in item["Labels"]
    return bool(ours) and any(mount.get("Destination") == RUN_DIR for mount in item.get("Mounts") or [])


def _readable(about: Mapping[str, Any] | None) -> Found | None:
    """None also for a container that has a lab's name and label, and no specification that is one."""
    try:
        return found_from(about) if about else None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _names(item: dict[str, Any]) -> list[str]:
    return [name.lstrip("/") for name in item.get("Names") or ["?"]]


def versions(engine: Engine, found: Found) -> dict[str, str | None]:
    """The lab's Python and JupyterLab, asked of its own interpreter; None where it ends meanwhile."""
    answer: list[str] = []
    with contextlib.suppress(EngineError), translated(f"ask the lab {found.lab.name} for its versions"):
        task = engine.api.exec_create(found.container, ["python3", "-c", ASK_VERSIONS], stderr=False)["Id"]
        answer = engine.api.exec_start(task).decode(errors="replace").split()
    python, jupyterlab = answer if len(answer) == 2 else (None, None)
    return {"python_version": python, "jupyterlab_version": jupyterlab}


def usage(engine: Engine, found: Found) -> dict[str, dict[str, float | None]]:
    """Memory in bytes and processors: used (None where the engine cannot tell) and allowed (0: no limit)."""
    stats: dict[str, Any] = {}
    # A busy engine now and then answers with nothing at all.
    with contextlib.suppress(EngineError), translated(f"measure the lab {found.lab.name}"):
        stats = engine.api.stats(found.container, stream=False)
    cpu = _cpu_used(stats.get("precpu_stats", {}), stats.get("cpu_stats", {}))
    return {
        "memory": {"used": _memory_used(stats.get("memory_stats", {})), "allowed": found.lab.memory},
        "cpu": {"used": cpu, "allowed": found.lab.cpus},
    }


def _memory_used(memory: Mapping[str, Any]) -> int | None:
    """Without the pages of files that can be dropped at once, as `docker stats` counts."""
    if "usage" not in memory:
        return None
    details = memory.get("stats", {})
    return memory["usage"] - details.get("total_inactive_file", details.get("inactive_file", 0))


def _cpu_used(before: Mapping[str, Any], now: Mapping[str, Any]) -> float | None:
    passed = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    if passed <= 0:
        return None
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    return round(used / passed * now.get("online_cpus", 1), 3)
