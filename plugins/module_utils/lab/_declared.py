# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may declare of labs: every option checked, with one sentence for each mistake."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

from .._errors import InvalidInput
from ._container import CPU_DIGITS, DEFAULT_NETWORK, RUN_DIR, RUNTIME_DIR, work_target
from ._lab import Lab, plain_path, same_place, same_port
from ._plan import NEXT, PREVIOUS

STATES = ("started", "stopped", "restarted", "absent")
RESTART_POLICIES = ("no", "always", "unless-stopped", "on-failure")
SMALLEST_MEMORY = 6 * 1024**2  # the engine's own floor
SMALLEST_CPUS = 0.01  # the same
LARGEST_SIZE = 2**62  # bytes; more than there is
LARGEST_NUMBER = 2**31 - 1
LARGEST_ID = 2**32 - 2  # the last number stands for no user

# Names that Docker takes; the length is that of a DNS label, because the name is also the host name inside.
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,62}")
IMAGE = re.compile(r"(?:\[[0-9a-fA-F:]+\]:\d+/)?\w[\w./:@+-]*", re.ASCII)
SHOWN = "would show the token to everyone"
# What of a server's configuration its container has to know too: the values that it knows, and how to say another.
OWN_OPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "base_url": ((), "the lab's base_url"),
    "port": (("8888",), "the lab's port, which is where people come in; inside it stays as it is"),
    "ip": (("", "*", "0.0.0.0", "::"), "the lab's bind_address; inside, the server listens everywhere"),
    "sock": (("",), "the lab's port: nobody comes in by a socket"),
}
# The same of its arguments, and how they are written.
OWN_ARGUMENTS = {**OWN_OPTIONS, "certfile": ((), "config: {ServerApp: {certfile: ...}}")}
ARGUMENT = re.compile(r"--(?:\w+\.)?(\w+)(?=[=\s]\s*[\"']?([^\s\"']*))")
# Variables that are the lab's own, and what to do instead.
OWN_VARIABLES = {
    "NVIDIA_VISIBLE_DEVICES": "would reach for GPUs of other labs: use gpus.",
    "JUPYTER_CONFIG_PATH": "is where the lab's own configuration is: use config, or mount a file in /etc/jupyter.",
    "JUPYTER_RUNTIME_DIR": "is kept in memory, so that old sessions end with the server: leave it out.",
}
SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
OWNER = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10}))?")
PORT = re.compile(r"[0-9]{1,5}")
NUMBER = re.compile(r"[0-9]{1,4}")
GPU = re.compile(r"(GPU|MIG)-[0-9A-Za-z/-]+")
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}


def parse_labs(declared: Iterable[Mapping[str, Any]], work_root: str) -> list[Lab]:
    """The labs that a user declares, checked one by one and against each other.

    Raises InvalidInput with the option, the value and what would be right.
    """
    labs = [_parse(raw, work_root) for raw in declared]
    refuse_twins(labs)
    return labs


def _parse(raw: Mapping[str, Any], work_root: str) -> Lab:
    name = _name(raw.get("name"))
    at = f"labs[{name}]"
    gpus = gpus_of(f"{at}.gpus", raw.get("gpus"))
    lab = Lab(
        name=name,
        image=_text(at, "image", raw.get("image") or "myjupyter"),
        state=_one_of(at, "state", raw.get("state") or "started", STATES),
        port=_port(at, raw.get("port")),
        bind_address=_ip(at, raw.get("bind_address") or "127.0.0.1"),
        work_dir=_work_dir(at, raw, name, work_root),
        work_from=_absolute(at, "work_from", raw.get("work_from")),
        owner=_owner(at, raw.get("owner")),
        token=_token(at, raw),
        token_file=_absolute(at, "token_file", raw.get("token_file")),
        env={str(key): _env_value(at, key, value) for key, value in (raw.get("env") or {}).items()},
        memory=_size(at, "memory", raw.get("memory"), SMALLEST_MEMORY),
        cpus=_cpus(at, raw.get("cpus")),
        shm_size=_size(at, "shm_size", raw.get("shm_size"), 1),
        gpus=gpus,
        gpus_shared=bool(gpus and raw.get("gpus_shared")),
        pids_limit=_positive(at, "pids_limit", raw.get("pids_limit"), int),
        networks=_networks(at, raw.get("networks") or []),
        mounts=[_mount(at, mount) for mount in raw.get("mounts") or []],
        base_url=_base_url(at, raw.get("base_url") or "/"),
        config=_config(at, raw.get("config") or {}),
        restart_policy=_one_of(at, "restart_policy", raw.get("restart_policy") or "unless-stopped", RESTART_POLICIES),
        labels={str(key): _plain(at, "labels", key, value) for key, value in (raw.get("labels") or {}).items()},
        healthcheck=_healthcheck(at, raw.get("healthcheck")),
        ephemeral=bool(raw.get("ephemeral")),
        start_as_root=bool(raw.get("start_as_root")),
    )
    _refuse_mounts(at, lab)
    _refuse_root(at, lab)
    # An ephemeral container is removed by the engine when it stops: it cannot come back by itself.
    return replace(lab, restart_policy="no") if lab.ephemeral else lab


def refuse_twins(labs: list[Lab]) -> None:
    """Two labs of one host with the same name, port or work directory cannot both be meant. An absent one has but its
    name."""
    for one, other in combinations(labs, 2):
        if one.name == other.name:
            raise _twins("name", one.name, one, other)
        if "absent" in (one.state, other.state):
            continue
        if same_port(one, other):
            raise _twins("port", one.port, one, other)
        if one.work_dir == other.work_dir != "":
            raise _twins("work_dir", one.work_dir, one, other)
        if same_place(one.work_dir, other.work_dir):
            outer, inner = sorted((one, other), key=lambda lab: len(lab.work_dir))
            raise InvalidInput(
                f"labs[{inner.name}].work_dir", inner.work_dir,
                f"is inside that of the lab {outer.name}, {outer.work_dir}: each needs a directory of its own.",
            )  # fmt: skip


def _twins(option: str, value: Any, one: Lab, other: Lab) -> InvalidInput:
    return InvalidInput(
        f"labs.{option}", value, f"is given to two labs, {one.name} and {other.name}: each needs its own."
    )


def _name(value: Any) -> str:
    name = str(value or "")
    if not NAME.fullmatch(name):
        raise InvalidInput(
            "labs.name", name, "is no name for a container: letters, digits, '_', '.', '-', 2 to 63 of them, "
            "the first a letter or a digit."
        )  # fmt: skip
    if name.endswith((PREVIOUS, NEXT)):
        raise InvalidInput(
            "labs.name", name, f"ends as the container of a lab that is being replaced: end it neither in {PREVIOUS} "
            f"nor in {NEXT}."
        )  # fmt: skip
    return name


def _text(at: str, option: str, value: Any) -> str:
    text = str(value)
    if not IMAGE.fullmatch(text):
        raise InvalidInput(f"{at}.{option}", value, "is no name of an image, such as myjupyter or team/lab:2024.")
    return text


def _one_of(at: str, option: str, value: Any, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InvalidInput(f"{at}.{option}", value, f"should be one of {', '.join(allowed)}.")
    return str(value)


def _port(at: str, value: Any) -> int:
    if value in (None, "", "auto"):
        return 0
    if not PORT.fullmatch(str(value)) or not 1 <= int(value) <= 65535:
        raise InvalidInput(f"{at}.port", value, "should be a number from 1 to 65535, or auto.")
    return int(value)


def _ip(at: str, value: str) -> str:
    if "%" in value:
        raise InvalidInput(
            f"{at}.bind_address", value, "names a zone, which the engine drops to listen everywhere: give an address "
            "without '%'."
        )  # fmt: skip
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise InvalidInput(
            f"{at}.bind_address", value, "should be an IP address: 127.0.0.1 for this host only, 0.0.0.0 for all."
        ) from None


def _work_dir(at: str, raw: Mapping[str, Any], name: str, work_root: str) -> str:
    if raw.get("ephemeral"):
        if raw.get("work_dir"):
            raise InvalidInput(
                f"{at}.work_dir", raw["work_dir"], "goes with a persistent lab; leave it out, or set ephemeral: false."
            )
        return ""
    path = str(raw.get("work_dir") or name)
    if path.startswith("~"):
        raise InvalidInput(f"{at}.work_dir", path, "should be an absolute path, or one below work_root, without '~'.")
    path = path if path.startswith("/") else f"{work_root.rstrip('/')}/{path}"
    if ".." in path.split("/"):
        raise InvalidInput(f"{at}.work_dir", path, "should be a plain path, without '..'.")
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _absolute(at: str, option: str, value: Any) -> str:
    if value and not str(value).startswith("/"):
        raise InvalidInput(f"{at}.{option}", value, "should be an absolute path on the host.")
    return str(value or "")


def _owner(at: str, value: Any) -> str:
    """``UID:GID`` where numbers are given (the group is users, 100, as in the base), else the name as it is."""
    if value in (None, ""):
        return ""
    numbers = OWNER.fullmatch(str(value))
    if numbers:
        uid, gid = int(numbers.group(1)), int(numbers.group(2) or 100)
        if max(uid, gid) > LARGEST_ID:
            raise InvalidInput(f"{at}.owner", value, f"should be UID:GID, each at most {LARGEST_ID}.")
        return f"{uid}:{gid}"
    if not re.fullmatch(r"[a-z_][a-z0-9_.-]*\$?", str(value), re.IGNORECASE):
        raise InvalidInput(f"{at}.owner", value, "should be UID:GID, a UID, or the name of a user of the host.")
    return str(value)


def _token(at: str, raw: Mapping[str, Any]) -> str:
    token = raw.get("token")
    if token is None:
        return ""
    if raw.get("token_file"):
        raise InvalidInput(f"{at}.token_file", raw["token_file"], "and token exclude each other: give one of them.")
    check_token(f"{at}.token", token)
    return str(token)


def check_token(option: str, token: str) -> None:
    """Raise InvalidInput for a token that would let everybody in or that no address can carry."""
    if not re.fullmatch(r"[A-Za-z0-9._~-]{8,}", token):
        raise InvalidInput(
            option,
            "(hidden)",
            "should be 8 or more of letters, digits, '.', '_', '~' and '-': an empty token lets everybody in.",
        )


def _env_value(at: str, key: Any, value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(key)):
        raise InvalidInput(f"{at}.env", key, "is no name for an environment variable.")
    if str(key).startswith("JUPYTER_TOKEN") or (key == "NOTEBOOK_ARGS" and ".token" in str(value)):
        raise InvalidInput(f"{at}.env", key, f"{SHOWN}: use token or token_file.")
    if key == "JUPYTER_PORT" and not (PORT.fullmatch(str(value)) and 1 <= int(value) <= 65535):
        raise InvalidInput(f"{at}.env.JUPYTER_PORT", value, "should be a number from 1 to 65535.")
    if key in OWN_VARIABLES:
        raise InvalidInput(f"{at}.env", key, OWN_VARIABLES[key])
    for option, said in ARGUMENT.findall(str(value)) if key == "NOTEBOOK_ARGS" else ():
        _refuse_own(f"{at}.env.NOTEBOOK_ARGS.{option}", option, said, OWN_ARGUMENTS)
    return _plain(at, "env", key, value)


def _plain(at: str, option: str, key: Any, value: Any) -> str:
    """What a variable or a label holds. Null and what has parts would be a Python expression in there."""
    if value is None or isinstance(value, (list, Mapping)):
        raise InvalidInput(f"{at}.{option}.{key}", value, "should be text, a number, true or false; '' is empty.")
    if "\0" in str(value):
        raise InvalidInput(f"{at}.{option}.{key}", value, "has a NUL in it, which nothing can hold.")
    return str(value).lower() if isinstance(value, bool) else str(value)


def _size(at: str, option: str, value: Any, smallest: int) -> int:
    if value in (None, "", 0, "0"):
        return 0
    size = bytes_of(str(value))
    if size < smallest:
        raise InvalidInput(f"{at}.{option}", value, "should be a size such as 512m or 4g (at least 6m for memory).")
    return size


def bytes_of(text: str) -> int:
    """Bytes of 4g or 512m; 0 for what is no size."""
    match = SIZE.fullmatch(text.strip())
    size = int(float(match.group(1)) * UNITS[match.group(2).lower()]) if match else 0
    return size if size <= LARGEST_SIZE else 0


def _positive(at: str, option: str, value: Any, kind: type) -> Any:
    if value in (None, "", 0):
        return kind(0)
    try:
        number = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = -1
    if number <= 0 or not math.isfinite(number) or number > LARGEST_NUMBER:
        raise InvalidInput(f"{at}.{option}", value, "should be a number above 0, or left out for no limit.")
    return number


def _cpus(at: str, value: Any) -> float:
    """As many digits as the engine counts, or what is found would differ from what is declared for ever."""
    cpus = _positive(at, "cpus", value, float)
    if 0 < cpus < SMALLEST_CPUS:
        raise InvalidInput(f"{at}.cpus", value, f"should be at least {SMALLEST_CPUS}, or left out for no limit.")
    return round(cpus, CPU_DIGITS)


def gpus_of(option: str, value: Any) -> list[str]:
    """['all'], ['2'] (any two) or UUIDs. Raises InvalidInput."""
    alone = not isinstance(value, list)
    given = [value] if alone else value
    wanted = sorted({str(item) for item in given if item not in (None, "")})
    if wanted == ["all"]:
        return wanted
    if alone and wanted and NUMBER.fullmatch(wanted[0]):
        return wanted if int(wanted[0]) else []
    for item in wanted:
        if not GPU.fullmatch(item):
            raise InvalidInput(
                option, item, "should be all, a number that is in no list, or a list of UUIDs as nvidia-smi -L prints "
                "them."
            )  # fmt: skip
    return wanted


def _networks(at: str, value: list[Any]) -> list[str]:
    for item in value:
        if item in ("host", "none"):
            raise InvalidInput(f"{at}.networks", item, "has no ports to publish: name a bridge network.")
    names = sorted({str(item) for item in value})
    return [] if names == [DEFAULT_NETWORK] else names


def _config(at: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """A class of the server with nothing below it is one without options."""
    for key, options in value.items():
        if options is not None and not isinstance(options, Mapping):
            raise InvalidInput(f"{at}.config.{key}", options, "should be a mapping, such as {allow_origin: '*'}.")
        for option, said in (options or {}).items() if key == "ServerApp" else ():
            _refuse_own(f"{at}.config.ServerApp.{option}", option, said, OWN_OPTIONS)
        if "token" in (options or {}):
            raise InvalidInput(f"{at}.config.{key}.token", "(hidden)", f"{SHOWN}: use token or token_file.")
    return {key: options or {} for key, options in value.items()}


def _refuse_own(where: str, option: str, said: Any, own: Mapping[str, tuple[tuple[str, ...], str]]) -> None:
    harmless, instead = own.get(option, ((), ""))
    if instead and said is not None and str(said) not in harmless:
        raise InvalidInput(where, said, f"is said by {instead}.")


def _mount(at: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    source = _absolute(at, "mounts.source", raw.get("source"))
    target = _absolute(at, "mounts.target", raw.get("target"))
    target = plain_path(target) if target else ""
    if not source or not target or target == "/":
        raise InvalidInput(f"{at}.mounts", dict(raw), "needs source and target, both absolute paths, target not /.")
    return {"source": source, "target": target, "read_only": bool(raw.get("read_only", True))}


def _refuse_mounts(at: str, lab: Lab) -> None:
    """Each place in a lab holds one thing, and some are the lab's own."""
    taken = {*([work_target(lab)] if lab.work_dir else [])}
    for mount in lab.mounts:
        target = mount["target"]
        if target in taken or any(same_place(target, own) for own in (RUN_DIR, RUNTIME_DIR)):
            raise InvalidInput(
                f"{at}.mounts.target", target, "is taken by the lab itself or another mount: choose another place."
            )
        taken.add(target)


def _refuse_root(at: str, lab: Lab) -> None:
    """A server ends at once when it finds itself to be root, unless it is told otherwise."""
    told = lab.config.get("ServerApp", {}).get("allow_root") or re.search(
        "allow[-_]root", lab.env.get("NOTEBOOK_ARGS", "")
    )
    if lab.state != "absent" and lab.owner.partition(":")[0] in ("0", "root") and not told:
        raise InvalidInput(
            f"{at}.owner", lab.owner, "is root, as whom a server runs only with config: {ServerApp: {allow_root: "
            "true}}: name another user."
        )  # fmt: skip


def _base_url(at: str, value: str) -> str:
    plain = re.fullmatch(r"/?(?:[A-Za-z0-9._~@-]+(?:/[A-Za-z0-9._~@-]+)*/?)?", value)
    if not plain or {".", ".."} & set(value.split("/")):
        raise InvalidInput(f"{at}.base_url", value, "should be a path such as /alice/.")
    middle = value.strip("/")
    return f"/{middle}/" if middle else "/"


def _healthcheck(at: str, value: Any) -> dict[str, Any]:
    """Empty: the image's own. Durations in seconds."""
    raw = dict(value or {})
    unknown = set(raw) - {"disable", "interval", "timeout", "retries", "start_period"}
    if unknown:
        raise InvalidInput(
            f"{at}.healthcheck", sorted(unknown)[0], "is unknown: disable, interval, timeout, retries, start_period."
        )
    return {key: (bool(val) if key == "disable" else _positive(at, f"healthcheck.{key}", val, int))
            for key, val in sorted(raw.items()) if val is not None and val is not False}  # fmt: skip


def check_run(params: Mapping[str, Any]) -> None:
    """The module's own options: numbers that can be meant, and a root for work that is one."""
    for option in ("wait_timeout", "stop_timeout", "at_once", "first_port"):
        if not 0 < params[option] < 65536:
            raise InvalidInput(option, params[option], "should be a number from 1 to 65535.")
    if not params["work_root"].startswith("/") or params["work_root"].strip("/") == "":
        raise InvalidInput("work_root", params["work_root"], "should be an absolute path other than /.")
    if params.get("state_dir") and not params["state_dir"].startswith("/"):
        raise InvalidInput("state_dir", params["state_dir"], "should be an absolute path.")
