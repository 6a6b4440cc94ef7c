#!/usr/bin/python
# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: engine
short_description: Configure and run the Docker Engine of a host
version_added: 0.1.0
author:
  - The myjupyter.fleet maintainers (@myjupyter)
description:
  - Merges C(/etc/docker/daemon.json) with what is declared, has dockerd heed it by a reload where that is enough
    and by a restart only where it must be, and starts a dockerd that is down; under systemd, under an init script,
    and where no service manager runs.
  - Installs nothing. It tells in RV(missing) what is to be installed; the role P(myjupyter.fleet.docker_engine#role)
    does that.
  - No running container ends by it. Live-restore is loaded before a restart, and where it is switched off,
    a restart under running containers is refused.
  - A configuration that dockerd refuses is taken back.
  - Needs neither the Docker SDK for Python nor a running engine.
options:
  manage:
    description:
      - Whose the engine is. With V(auto), one that answers and that comes from no known package, or that somebody
        started by hand, or that is rootless, Docker Desktop's or elsewhere, is used and left alone.
      - V(always) takes over an engine that was started by hand, V(never) leaves every engine alone.
    type: str
    choices: [auto, always, never]
    default: auto
  source:
    description:
      - Where missing packages come from, the distribution or Docker's own repository.
      - V(auto) keeps to what is installed, and otherwise takes the distribution's where it has an engine
        (Debian, Ubuntu, Fedora), else Docker's.
    type: str
    choices: [auto, distribution, docker]
    default: auto
  version:
    description: Version of the engine to have, in full or its first parts, such as V(27.3); empty for any.
    type: str
    default: ""
  hold:
    description: Whether the engine's packages are to be held at their version.
    type: bool
    default: false
  sdk:
    description:
      - Where the Docker SDK for Python comes from when no Python of the host has a usable one.
      - V(auto) is the distribution's package where there is one, else a virtual environment in C(/opt/myjupyter/venv).
    type: str
    choices: [auto, distribution, venv, none]
    default: auto
  users:
    description: Accounts of the host that are to be in the group C(docker). Whoever is in it can become root.
    type: list
    elements: str
    default: []
  daemon:
    description:
      - Keys that C(daemon.json) is to have, in Docker's own words. Objects are merged, other values replaced,
        V(null) takes a key away, and keys that are not named stay as they are.
      - Where neither the file nor this option speaks of them, C(live-restore) is switched on (not in a swarm) and
        logs are rotated (C(log-opts) with a C(max-size) of 10m and a C(max-file) of 3). Rotation comes with an engine
        that is started; one that runs is not restarted for it.
    type: dict
    default: {}
  proxies:
    description:
      - Proxies that the engine uses to reach registries, under the keys V(http), V(https) and V(no).
      - Kept in C(/etc/docker/myjupyter.env), readable by root only.
    type: dict
    default: {}
  registry_certificates:
    description: CA certificates (PEM text) by registry (C(HOST) or C(HOST:PORT)), for C(/etc/docker/certs.d).
    type: dict
    default: {}
  free_space:
    description: Room that must be free where the engine keeps its data before anything is installed or started.
    type: str
    default: 2G
  gpus:
    description:
      - Whether the engine is to give GPUs to containers, which takes NVIDIA's container toolkit. With V(auto) it is
        where NVIDIA's driver shows a GPU, with V(always) everywhere, with V(none) nowhere.
      - The toolkit's runtime is registered in C(daemon.json), once the toolkit is there, and the engine restarted,
        as it looks for the toolkit only when it starts.
      - A GPU without a driver is warned of. Drivers are not installed.
    type: str
    choices: [auto, always, none]
    default: auto
  state:
    description: V(configured) writes files and has a running engine heed them; V(started) also starts one that is down.
    type: str
    choices: [configured, started]
    default: started
extends_documentation_fragment:
  - myjupyter.fleet.attributes
seealso:
  - name: Docker's reference of daemon.json
    description: Every key that the engine knows.
    link: https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
"""

EXAMPLES = r"""
- name: Run the engine with a registry mirror of our own
  myjupyter.fleet.engine:
    daemon:
      registry-mirrors:
        - https://mirror.example.com

- name: Let the engine trust a registry
  myjupyter.fleet.engine:
    registry_certificates:
      registry.example.com:5000: "{{ lookup('ansible.builtin.file', 'registry-ca.crt') }}"

- name: See what this host lacks, and change nothing
  myjupyter.fleet.engine:
  check_mode: true
  register: engine
"""

RETURN = r"""
managed:
  description: Whether this engine is configured and run by this module, or used and left alone.
  type: bool
  returned: success
decision:
  description: What was found and decided, in a sentence.
  type: str
  returned: success
  sample: "Engine 26.1.5 at unix:///var/run/docker.sock, docker.io, is kept by systemd."
steps:
  description: All that brings the host to what is wanted, in order, with what is left to others (RV(missing)).
  type: list
  elements: str
  returned: success
missing:
  description: What the module does not bring itself. Empty once a host is complete.
  type: dict
  returned: success
  contains:
    packages:
      description: What to tell the package manager to install, with a version where one is wanted.
      type: list
      elements: str
    repository:
      description: Whether Docker's own repository is needed for them.
      type: bool
    toolkit_repository:
      description: Whether NVIDIA's container toolkit is among them.
      type: bool
    hold:
      description: Packages to hold at their version.
      type: list
      elements: str
    sdk_venv:
      description: Whether a virtual environment with the SDK is to be made in C(/opt/myjupyter/venv).
      type: bool
    users:
      description: Accounts to add to the group C(docker).
      type: list
      elements: str
host:
  description: The host's kind.
  type: dict
  returned: success
  contains:
    family:
      description: V(debian), V(redhat), or empty for others.
      type: str
    upstream:
      description: What Docker's repository calls the distribution.
      type: str
    codename:
      description: The release's codename, for distributions that have one.
      type: str
    services:
      description: What runs services, V(systemd), V(sysv) or V(none).
      type: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import EngineAbsent
from ansible_collections.myjupyter.fleet.plugins.module_utils.dockerd import _decide, _dockerd, _machine, _setup

OPTIONS = {
    "manage": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "source": {"type": "str", "choices": ["auto", "distribution", "docker"], "default": "auto"},
    "version": {"type": "str", "default": ""},
    "hold": {"type": "bool", "default": False},
    "sdk": {"type": "str", "choices": ["auto", "distribution", "venv", "none"], "default": "auto"},
    "users": {"type": "list", "elements": "str", "default": []},
    "daemon": {"type": "dict", "default": {}},
    "proxies": {"type": "dict", "default": {}, "no_log": True},
    "registry_certificates": {"type": "dict", "default": {}},
    "free_space": {"type": "str", "default": "2G"},
    "gpus": {"type": "str", "choices": ["auto", "always", "none"], "default": "auto"},
    "state": {"type": "str", "choices": ["configured", "started"], "default": "started"},
}


def act(wanted, check):
    """Plan, apply unless ``check``, and tell."""
    found = _machine.observe(wanted)
    plan = _decide.plan(wanted, found, foretold=check)
    warnings = list(plan.warnings)
    if not check and plan.changes:
        if plan.then == "start" and not found.dockerd:
            raise EngineAbsent(
                f"There is no dockerd to start: {plan.steps[0]} first, as the role myjupyter.fleet.docker_engine does."
            )
        warnings += _dockerd.apply(plan, found)
    return {**_setup.result(plan, found), "warnings": warnings}


def main():
    _module.run_on_host(OPTIONS, _setup.parse, act)


if __name__ == "__main__":
    main()
