# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The GPUs of a host: given to its labs, and told of. A run whose labs have none does not load this."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import _nvidia
from .._engine import Engine
from .._errors import InvalidInput
from .._gpu import Device, Usage
from . import _containers
from ._container import Found, gpus_of
from ._gpus import Taker, assign_gpus, uuids_of
from ._lab import Lab


@dataclass(frozen=True)
class Gpus:
    """The GPUs of the host, and how busy they are."""

    devices: tuple[Device, ...] = ()
    usage: Mapping[str, Usage] = field(default_factory=dict)

    def there(self, uuids: Iterable[str]) -> list[str]:
        """Those that are not gone."""
        known = {device.uuid for device in self.devices}
        return [uuid for uuid in uuids if uuid in known]

    def told(self, uuid: str, shared: bool) -> dict[str, Any]:
        """A part of a GPU (MIG) has no figures of its own here; one that is gone has no name either."""
        name = next((device.name for device in self.devices if device.uuid == uuid), None)
        usage = self.usage.get(uuid, Usage())
        memory = {"used": usage.used, "total": usage.total}
        return {"uuid": uuid, "name": name, "shared": shared, "utilization": usage.utilization, "memory": memory}


def look() -> Gpus:
    return Gpus(_nvidia.devices(), _nvidia.usage())


def assigned(
    engine: Engine, labs: list[Lab], found: Mapping[str, Found], going: Collection[str], others: Iterable[str]
) -> list[Lab]:  # fmt: skip
    """The labs with their GPUs by UUID. ``going`` are labs that this run removes, ``others`` containers of others.

    Raises InvalidInput for GPUs that are not to be had.
    """
    devices = _nvidia.devices()
    return assign_gpus(labs, found, going, _takers(engine, others, devices), devices)


def assigned_without_engine(labs: list[Lab]) -> list[Lab]:
    """The same for a host on which no engine runs yet."""
    return assign_gpus(labs, {}, (), (), _nvidia.devices())


def refuse_without_toolkit(labs: Iterable[Lab]) -> None:
    """Raise InvalidInput for labs with GPUs where no engine could give them any."""
    for lab in labs:
        if lab.gpus and not _nvidia.has_toolkit():
            raise InvalidInput(
                f"labs[{lab.name}].gpus", lab.gpus[0], "needs NVIDIA's container toolkit on this host: the role "
                "myjupyter.fleet.docker_engine installs it.",
            )  # fmt: skip


def _takers(engine: Engine, others: Iterable[str], devices: Sequence[Device]) -> Iterator[Taker]:
    for container in others:
        about = _containers.inspected(engine, container)
        if about:
            who = f"the container {about['Name'].lstrip('/')}"
            yield from (Taker(uuid, who, shared=True) for uuid in uuids_of(gpus_of(about), devices))
