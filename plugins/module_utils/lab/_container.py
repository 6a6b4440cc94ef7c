# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab as the engine's API spells it: the configuration of its container, and back.

Facts from https://docs.docker.com/reference/api/engine/ (ContainerCreate, ContainerInspect).
"""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ._lab import EVERYWHERE, LAB_LABEL, SPEC_LABEL, Lab, from_label, is_in, plain_path, to_label

RUN_DIR = "/run/myjupyter"  # token and server configuration, read only
RUNTIME_DIR = "/run/jupyter"  # a tmpfs: what the server writes of its token and cookies ends with it
USERS_GROUP = "100"
NVIDIA = "nvidia"
VISIBLE = "NVIDIA_VISIBLE_DEVICES="
IMAGE_HOME = "/home/jovyan"
DEFAULT_NETWORK = "bridge"  # of a lab that names none
DEFAULT_PORT = "8888"  # of a server in its container, whatever its image says
CERTIFICATE = "GEN_CERT"  # has a server make itself a certificate where it is there, whatever it holds
CPU_PERIOD = 100_000  # microseconds
CPU_DIGITS = 5  # a quota is whole microseconds of a period
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Found:
    """A lab's container as it is: what it was made from, with what can change under it read live."""

    lab: Lab
    container: str
    name: str
    status: str
    health: str
    started_at: str
    restarts: int
    networks: Mapping[str, str]  # names and ids
    as_created: Lab
    image_id: str = ""
    state_dir: str = ""  # where its token is kept
    process: int = 0  # its first one, as the host counts; 0 for one that does not run
    nano_cpus: bool = False  # limited by `docker update --cpus`: it takes no quota
    published: frozenset[tuple[int, str]] = frozenset()  # where the engine listens for it; '' is every address

    @property
    def running(self) -> bool:
        return self.status in ("running", "paused", "restarting")


def server_config(lab: Lab) -> dict[str, Any]:
    """The server's configuration: ours, and over it the user's."""
    server = {"root_dir": work_target(lab), "base_url": lab.base_url, **({"allow_root": True} if lab.rootless else {})}
    return _merged({"ServerApp": server}, lab.config)


def work_target(lab: Lab) -> str:
    return f"/home/{lab.env['NB_USER']}/work" if lab.start_as_root and "NB_USER" in lab.env else f"{IMAGE_HOME}/work"


def places(lab: Lab) -> list[str]:
    """Where in the container something of the host's is, the work first."""
    return [*([work_target(lab)] if lab.work_dir else []), *(plain_path(mount["target"]) for mount in lab.mounts)]


def ways_at_home(lab: Lab) -> list[str]:
    """The directories of the container that lead to what is mounted below /home, the outermost first. An engine makes
    them as root's where they are missing, also that of a user of another name than the image's."""
    split = [place.split("/") for place in places(lab)]
    ways = {"/".join(parts[:depth]) for parts in split for depth in range(3, len(parts))}
    own = (way for way in ways if is_in(way, "/home") and way != IMAGE_HOME)
    return sorted(way for way in own if not any(is_in(way, place) for place in places(lab)))


def places_in_work(lab: Lab) -> list[tuple[str, str]]:
    """What is mounted in the work directory itself: its source, and its place as a path below it."""
    work = work_target(lab)
    there = {mount["target"]: mount["source"] for mount in lab.mounts if lab.work_dir and is_in(mount["target"], work)}
    # What is inside another mount is in a directory of its own on the host.
    inside = {target for target in there if any(is_in(target, other) for other in there if other != target)}
    return [(source, target[len(work) + 1 :]) for target, source in there.items() if target not in inside]


def ids_inside(lab: Lab) -> tuple[int, int]:
    """(UID, GID) of the lab's processes as its container counts."""
    return (0, 0) if lab.rootless else lab.ids


def container_config(lab: Lab, private_dir: str, stop_timeout: int) -> dict[str, Any]:
    """The body of ContainerCreate. ``private_dir`` holds the lab's token on the host; ``stop_timeout`` seconds."""
    environment, (uid, gid) = _environment(lab), ids_inside(lab)
    port = f"{environment['JUPYTER_PORT']}/tcp"
    return {
        "Image": lab.image,
        "Hostname": lab.name,
        "User": "0:0" if lab.start_as_root or lab.rootless else lab.owner,
        # A name without a value takes away what the image has of that name: a lab is not https unawares.
        "Env": [*(f"{key}={value}" for key, value in sorted(environment.items())), *({CERTIFICATE} - set(environment))],
        "Labels": {**lab.labels, LAB_LABEL: lab.name, SPEC_LABEL: to_label(lab)},
        "ExposedPorts": {port: {}},
        "StopTimeout": stop_timeout,
        **({"Healthcheck": _healthcheck(lab.healthcheck)} if lab.healthcheck else {}),
        "HostConfig": {
            "PortBindings": {port: [{"HostIp": lab.bind_address, "HostPort": str(lab.port)}]},
            "Mounts": _mounts(lab, private_dir),
            "Tmpfs": {RUNTIME_DIR: f"mode=0700,size=16m,uid={uid},gid={gid}"},
            "GroupAdd": [USERS_GROUP],
            "AutoRemove": lab.ephemeral,
            "NetworkMode": lab.networks[0] if lab.networks else "default",
            "ShmSize": lab.shm_size,
            "DeviceRequests": _device_requests(lab.gpus),
            **limits(lab),
        },
    }


def limits(lab: Lab, nano_cpus: bool = False) -> dict[str, Any]:
    """What the engine can change while a container runs: the body of ContainerUpdate."""
    retries = 5 if lab.restart_policy == "on-failure" else 0
    quota = {"CpuPeriod": CPU_PERIOD if lab.cpus else 0, "CpuQuota": round(lab.cpus * CPU_PERIOD)}
    return {
        "Memory": lab.memory,
        "MemorySwap": lab.memory,
        **({"NanoCpus": round(lab.cpus * NANOSECONDS)} if nano_cpus else quota),
        "PidsLimit": lab.pids_limit or None,
        "RestartPolicy": {"Name": lab.restart_policy, "MaximumRetryCount": retries},
    }


def found_from(inspect: Mapping[str, Any]) -> Found:
    """The lab that a container is, from its inspect."""
    as_created = from_label(inspect["Config"]["Labels"][SPEC_LABEL])
    host, state = inspect["HostConfig"], inspect["State"]
    networks = {
        name: item.get("NetworkID", "") for name, item in sorted(inspect["NetworkSettings"]["Networks"].items())
    }
    live = replace(
        as_created,
        state="started" if state["Status"] in ("running", "restarting") else "stopped",
        memory=host.get("Memory") or 0,
        cpus=_cpus(host),
        pids_limit=max(host.get("PidsLimit") or 0, 0),
        restart_policy=host["RestartPolicy"]["Name"] or "no",
        gpus=sorted(gpus_of(inspect)),
        networks=[] if list(networks) == [DEFAULT_NETWORK] else list(networks),
    )
    return Found(
        lab=live,
        container=inspect["Id"],
        name=inspect["Name"].lstrip("/"),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        started_at=state.get("StartedAt", ""),
        restarts=inspect.get("RestartCount", 0),
        networks=networks,
        as_created=as_created,
        image_id=inspect.get("Image", ""),
        state_dir=_state_dir(host),
        process=state.get("Pid") or 0,
        nano_cpus=bool(host.get("NanoCpus")),
        published=frozenset(_published(inspect["NetworkSettings"].get("Ports") or {})),
    )


def gpus_of(inspect: Mapping[str, Any]) -> list[str]:
    """The GPUs that a container was given by name: UUIDs, or nvidia-smi's indexes. Those of one that asked for a
    number of them, or for all, are not known: it watches them, as a monitor does, or shares them unknowingly."""
    host = inspect["HostConfig"]
    requests = [item for item in host.get("DeviceRequests") or [] if _is_for_gpus(item)]
    named = [name for item in requests for name in item.get("DeviceIDs") or []]
    if host.get("Runtime") == NVIDIA and not requests:
        values = (item.partition("=")[2] for item in inspect["Config"].get("Env") or [] if item.startswith(VISIBLE))
        named = [name for value in values for name in value.split(",")]
    # The Container Device Interface writes nvidia.com/gpu=NAME.
    return [name.rpartition("=")[2] for name in named if name]


def _environment(lab: Lab) -> dict[str, str]:
    return {
        **_identity(lab),
        # Images made for CUDA say "all", which counts where NVIDIA's runtime is the engine's default.
        **({} if lab.gpus else {VISIBLE.rstrip("="): "void"}),
        "JUPYTER_PORT": DEFAULT_PORT,
        **lab.env,
        "JUPYTER_TOKEN_FILE": f"{RUN_DIR}/token",
        "JUPYTER_CONFIG_PATH": RUN_DIR,
        "JUPYTER_RUNTIME_DIR": RUNTIME_DIR,
    }


def _identity(lab: Lab) -> dict[str, str]:
    """Whom start.sh shall become. Under a rootless engine the lab's root is the user of the host, so it stays root."""
    if lab.rootless:
        return {"NB_USER": "root", "NB_UID": "0", "NB_GID": "0"}
    uid, gid = lab.ids
    return {"NB_UID": str(uid), "NB_GID": str(gid)} if lab.start_as_root else {}


def _mounts(lab: Lab, private_dir: str) -> list[dict[str, Any]]:
    """Bind mounts of a kind that the engine refuses, not makes as root, when the source is missing."""
    work = [{"source": lab.work_dir, "target": work_target(lab), "read_only": False}] if lab.work_dir else []
    private = {"source": private_dir, "target": RUN_DIR, "read_only": True}
    return [
        {"Type": "bind", "Source": item["source"], "Target": item["target"], "ReadOnly": item["read_only"]}
        for item in (private, *work, *lab.mounts)
    ]


def _published(ports: Mapping[str, Any]) -> Iterator[tuple[int, str]]:
    for binding in (item for bindings in ports.values() for item in bindings or ()):
        yield int(binding["HostPort"]), "" if binding["HostIp"] in EVERYWHERE else binding["HostIp"]


def _state_dir(host: Mapping[str, Any]) -> str:
    """What the lab's private directory lies in, as STATE/labs/NAME."""
    private = next((item["Source"] for item in host.get("Mounts") or [] if item["Target"] == RUN_DIR), "")
    return posixpath.dirname(posixpath.dirname(private))


def _device_requests(gpus: list[str]) -> list[dict[str, Any]]:
    return [{"Driver": "", "DeviceIDs": gpus, "Capabilities": [["gpu"]]}] if gpus else []


def _is_for_gpus(request: Mapping[str, Any]) -> bool:
    capabilities = {name for names in request.get("Capabilities") or [] for name in names}
    by_interface = any(name.startswith("nvidia.com/") for name in request.get("DeviceIDs") or [])
    return bool(capabilities & {"gpu", NVIDIA}) or request.get("Driver") == NVIDIA or by_interface


def _healthcheck(wanted: Mapping[str, Any]) -> dict[str, Any]:
    if wanted.get("disable"):
        return {"Test": ["NONE"]}
    seconds = {"Interval": "interval", "Timeout": "timeout", "StartPeriod": "start_period"}
    check = {theirs: wanted[ours] * NANOSECONDS for theirs, ours in seconds.items() if ours in wanted}
    return {**check, **({"Retries": wanted["retries"]} if "retries" in wanted else {})}


def _cpus(host: Mapping[str, Any]) -> float:
    if host.get("NanoCpus"):
        return round(host["NanoCpus"] / NANOSECONDS, CPU_DIGITS)
    return round((host.get("CpuQuota") or 0) / (host.get("CpuPeriod") or CPU_PERIOD), CPU_DIGITS)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(dict(under))
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _merged(result[key], value) if both else value
    return result
