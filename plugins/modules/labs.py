# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: the JupyterLabs of a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: labs
short_description: Run the JupyterLabs of a host, all in one task
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Takes the list of the JupyterLabs that a host should have and makes it so, several side by side.
  - A lab is a container with a work directory of the host, a token of its own and a port.
    The work directory outlives stop, restart, removal and re-creation of the container.
  - Nothing is ended under a kernel that is executing, unless O(when_busy=force). No work directory is ever deleted.
  - A new container that does not come up is taken back, and the old one serves on.
extends_documentation_fragment:
  - myjupyter.fleet.engine
  - myjupyter.fleet.attributes
options:
  labs:
    description: The labs of this host.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the lab, of its container, and of the host inside it.
          - It has 2 to 63 letters, digits, C(_), C(.) and C(-), and ends neither in C(.previous) nor in C(.next).
        type: str
        required: true
      state:
        description:
          - V(started) runs it and waits until it answers. V(stopped) keeps its container.
          - V(restarted) restarts it in every run. V(absent) removes the container; work directory and token stay.
        type: str
        choices: [started, stopped, restarted, absent]
        default: started
      image:
        description:
          - Image to run. It must keep the contract of the Jupyter Docker Stacks.
          - An image with a registry or a namespace in its name is pulled where it is missing.
        type: str
        default: myjupyter
      port:
        description:
          - Port on the host, or V(auto) for the first free one from O(first_port) up, kept as long as the lab unless
            somebody takes it while the lab is down.
          - Labs that listen on different addresses may have the same one.
          - A lab that gets the port of one that gives it up in the same run is changed after that one.
        type: str
        default: auto
      bind_address:
        description: Address of the host to listen on, without a zone. V(0.0.0.0) lets other machines in.
        type: str
        default: 127.0.0.1
      work_dir:
        description:
          - Directory of the host that is C(/home/jovyan/work) in the lab. Made, with its owner, where it is missing.
          - A relative path is below O(work_root); without one the lab's name is taken.
          - It is one lab's alone, so that none is inside that of another lab.
        type: str
      work_from:
        description: Directory of the host that a work directory is a copy of when it is made. Never copied again.
        type: str
      owner:
        description:
          - Who owns the work directory and runs the lab, as C(UID:GID), C(UID) or the name of a user of the host.
          - By default who owns the work directory already, else C(1000:100), the base's jovyan.
        type: str
      token:
        description:
          - Token that lets a person in. By default one is made once and kept on the host in a file for root alone.
          - It never shows in C(docker inspect), in the environment of a notebook or in a log.
        type: str
      token_file:
        description: File on the host with the token in it.
        type: path
      env:
        description:
          - Environment variables, among them those of the Docker Stacks such as C(NOTEBOOK_ARGS).
          - Each is text, a number, or true or false; an empty one is V('').
          - What the lab itself has to know is said here or not at all. An image's own C(JUPYTER_PORT), C(GEN_CERT),
            C(JUPYTER_CONFIG_PATH) and C(JUPYTER_RUNTIME_DIR) do not count, and the latter two are refused here.
        type: dict
      memory:
        description: Most memory it may use, such as V(4g). Changed while it runs. No limit by default.
        type: str
      cpus:
        description:
          - Most processors it may use, such as V(1.5), at least 0.01. Changed while it runs. No limit by default.
        type: float
      shm_size:
        description: Size of C(/dev/shm), such as V(1g). The engine's 64 MB are too few for PyTorch's loaders.
        type: str
      gpus:
        description:
          - V(all), a number of GPUs, or a list of their UUIDs as C(nvidia-smi -L) prints them, parts of GPUs (MIG) too.
          - For a number, the first that are free are chosen, and kept as long as the lab, also while it is stopped.
          - A GPU is one lab's alone, unless all labs that have it are O(labs[].gpus_shared). One that another lab, or
            a container that named it, has is refused.
          - The host needs NVIDIA's driver and container toolkit; P(myjupyter.fleet.docker_engine#role) installs the
            latter.
        type: raw
      gpus_shared:
        description: Whether the lab shares its GPUs with other labs that share theirs, and with other containers.
        type: bool
        default: false
      pids_limit:
        description: Most processes it may have. Changed while it runs.
        type: int
      networks:
        description:
          - Networks to be connected to instead of the default one. Changed while it runs.
          - At least one of them is none that was made with C(--internal), which would give the lab no port.
        type: list
        elements: str
      mounts:
        description: More directories or files of the host, read only unless said otherwise.
        type: list
        elements: dict
        suboptions:
          source:
            description: Path on the host. It must exist.
            type: str
            required: true
          target:
            description:
              - Path in the lab, where neither its work nor another mount is.
              - Directories that lead to it in the home directory or in the work are the owner's.
            type: str
            required: true
          read_only:
            description: Whether the lab may only read it.
            type: bool
            default: true
      base_url:
        description: Path under which it serves, for a proxy in front.
        type: str
        default: /
      config:
        description:
          - Configuration of the Jupyter Server by class, as in C(jupyter_server_config.json).
          - As O(labs[].env), it can be read in the container's label. A file with secrets is one of O(labs[].mounts).
        type: dict
      restart_policy:
        description: What the engine does when it ends by itself or the host restarts. Changed while it runs.
        type: str
        choices: ["no", always, unless-stopped, on-failure]
        default: unless-stopped
      labels:
        description: More labels for the container, each with text, a number, or true or false.
        type: dict
      healthcheck:
        description: The engine's check of the lab's health, where it is to differ from the image's.
        type: dict
        suboptions:
          disable:
            description: Check nothing.
            type: bool
            default: false
          interval:
            description: Seconds between two checks.
            type: int
          timeout:
            description: Seconds until a check has failed.
            type: int
          retries:
            description: Failed checks in a row that make a lab unhealthy.
            type: int
          start_period:
            description: Seconds from the start in which failed checks do not count.
            type: int
      ephemeral:
        description: Has no work directory and is gone with all its data when it is stopped.
        type: bool
        default: false
      start_as_root:
        description:
          - Start the container as root, which then becomes the owner's UID and GID.
          - The Docker Stacks' C(NB_USER), C(GRANT_SUDO), C(CHOWN_EXTRA) and the like need this.
        type: bool
        default: false
  purge:
    description:
      - Remove labs of this collection that are not in O(labs). Their work directories stay.
      - Labs that are kept in another O(state_dir), as another user's are, stay too.
      - So do labs of a roster; they come and go with it, as the role P(myjupyter.fleet.jupyter_roster#role) tells.
    type: bool
    default: false
  images_to_come:
    description:
      - In a check, the images that the run makes anew before it comes to the labs. Labs that use one are foretold to be
        replaced.
      - The role P(myjupyter.fleet.jupyter_labs#role) names what a check of the role
        P(myjupyter.fleet.jupyter_image#role) found to be built.
    type: list
    elements: str
    default: []
  when_busy:
    description:
      - What to do with a change that would end processes of a lab in which a kernel is executing.
      - V(defer) leaves that lab as it is, says so in RV(deferred), and a later run does it.
      - A lab that runs but cannot be asked counts as busy, and so does one with a kernel that its server did not start.
    type: str
    choices: [defer, force]
    default: defer
  wait:
    description: Wait until every started lab answers.
    type: bool
    default: true
  wait_for:
    description:
      - How well a started lab has to be before it counts as one that came up; a new container that does not is taken
        back.
      - V(answer) - its server answers.
      - V(health) - its token lets in, too, and the engine's check of its health passes, where the image has one.
      - V(kernel) - in a lab that this run started, a kernel calculates and prints, too.
      - A lab that runs on is looked at so too where the engine finds it unhealthy.
    type: str
    choices: [answer, health, kernel]
    default: answer
  generation:
    description:
      - What the labs are to be. V(declared) is what O(labs) says.
      - V(previous) is what each ran on before its last change, image and options; of O(labs) only the names, states
        and tokens count. A lab that has not changed yet stays as it is, and a second run changes nothing.
    type: str
    choices: [declared, previous]
    default: declared
  wait_timeout:
    description: Seconds to wait for one lab, and for another run that changes labs of this host.
    type: int
    default: 120
  stop_timeout:
    description: Seconds that a server gets to shut down its kernels before it is killed.
    type: int
    default: 30
  work_root:
    description: Directory below which work directories are by default. A link that leads out of it is refused.
    type: str
    default: /srv/myjupyter
  state_dir:
    description:
      - Directory for the tokens, closed to all others.
      - By default C(/var/lib/myjupyter) for root, C(~/.local/share/myjupyter) for another user.
    type: path
  first_port:
    description: Where V(auto) ports begin.
    type: int
    default: 10000
  hostname:
    description: Name by which people reach this host, for RV(labs[].url). By default the host's own name.
    type: str
    default: ""
  show_tokens:
    description: Give RV(labs[].url) with the token, ready to be opened. A token given as an option stays hidden.
    type: bool
    default: false
  at_once:
    description: How many labs are worked on side by side.
    type: int
    default: 4
seealso:
  - module: myjupyter.fleet.labs_info
  - module: myjupyter.fleet.image
"""

EXAMPLES = r"""
- name: Run one lab with the work in a directory of its own
  myjupyter.fleet.labs:
    labs:
      - name: myjupyter
        work_dir: /srv/myjupyter/work

- name: Run the labs of a class, and nothing else of ours
  myjupyter.fleet.labs:
    purge: true
    hostname: lab.example.edu
    labs:
      - {name: ana, memory: 4g, cpus: 2, bind_address: 0.0.0.0}
      - {name: ben, memory: 4g, cpus: 2, bind_address: 0.0.0.0}
      - name: demo
        image: quay.io/jupyter/scipy-notebook
        ephemeral: true
        port: "10100"
        mounts:
          - {source: /srv/datasets, target: /home/jovyan/datasets}

- name: Give one GPU to ana alone, and let ben and chi share another
  myjupyter.fleet.labs:
    labs:
      - {name: ana, gpus: 1}
      - {name: ben, gpus: 1, gpus_shared: true}
      - {name: chi, gpus: 1, gpus_shared: true}
"""

RETURN = r"""
steps:
  description: What was done (under check mode would be done), in order.
  returned: always
  type: list
  elements: dict
  contains:
    lab: {description: Name of the lab., type: str}
    action: {description: What was done., type: str}
    reason: {description: Why., type: str}
  sample: [{lab: ana, action: update, reason: "memory 2147483648 -> 4294967296"}]
deferred:
  description: Labs that were left as they are because a kernel is executing.
  returned: always
  type: list
  elements: dict
  contains:
    lab: {description: Name of the lab., type: str}
    reason: {description: What goes on in it., type: str}
    steps: {description: What a later run will do., type: list, elements: str}
labs:
  description: The labs as they now are.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name of the lab., type: str}
    state: {description: "C(started), C(stopped) or C(absent).", type: str}
    url: {description: Address to open; with the token where O(show_tokens) asks for it., type: str}
    port: {description: Port on the host., type: int}
    bind_address: {description: Address of the host that it listens on., type: str}
    work_dir: {description: Work directory on the host., type: str}
    owner: {description: UID and GID., type: str}
    gpus: {description: UUIDs of its GPUs., type: list, elements: str}
    image: {description: Image that it runs., type: str}
    changed: {description: Whether it was changed., type: bool}
    failed: {description: Whether it could not be brought to what was wanted., type: bool}
    deferred: {description: Whether a change was put off., type: bool}
log:
  description: Last lines of the log of a lab that did not come up.
  returned: failure
  type: list
  elements: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _declared

MOUNT = {
    "source": {"type": "str", "required": True},
    "target": {"type": "str", "required": True},
    "read_only": {"type": "bool", "default": True},
}
HEALTHCHECK = {
    "disable": {"type": "bool", "default": False},
    **{key: {"type": "int"} for key in ("interval", "timeout", "retries", "start_period")},
}
LAB = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "default": "started", "choices": list(_declared.STATES)},
    "image": {"type": "str", "default": "myjupyter"},
    "port": {"type": "str", "default": "auto"},
    "bind_address": {"type": "str", "default": "127.0.0.1"},
    "work_dir": {"type": "str"},
    "work_from": {"type": "str"},
    "owner": {"type": "str"},
    "token": {"type": "str", "no_log": True},
    "token_file": {"type": "path", "no_log": False},
    "env": {"type": "dict"},
    "memory": {"type": "str"},
    "cpus": {"type": "float"},
    "shm_size": {"type": "str"},
    "gpus": {"type": "raw"},
    "gpus_shared": {"type": "bool", "default": False},
    "pids_limit": {"type": "int"},
    "networks": {"type": "list", "elements": "str"},
    "mounts": {"type": "list", "elements": "dict", "options": MOUNT},
    "base_url": {"type": "str", "default": "/"},
    "config": {"type": "dict"},
    "restart_policy": {"type": "str", "default": "unless-stopped", "choices": list(_declared.RESTART_POLICIES)},
    "labels": {"type": "dict"},
    "healthcheck": {"type": "dict", "options": HEALTHCHECK},
    "ephemeral": {"type": "bool", "default": False},
    "start_as_root": {"type": "bool", "default": False},
}
OPTIONS = {
    "labs": {"type": "list", "elements": "dict", "required": True, "options": LAB},
    "purge": {"type": "bool", "default": False},
    "images_to_come": {"type": "list", "elements": "str", "default": []},
    "when_busy": {"type": "str", "default": "defer", "choices": ["defer", "force"]},
    "wait": {"type": "bool", "default": True},
    "wait_for": {"type": "str", "default": "answer", "choices": ["answer", "health", "kernel"]},
    "generation": {"type": "str", "default": "declared", "choices": ["declared", "previous"]},
    "wait_timeout": {"type": "int", "default": 120},
    "stop_timeout": {"type": "int", "default": 30},
    "work_root": {"type": "str", "default": "/srv/myjupyter"},
    "state_dir": {"type": "path"},
    "first_port": {"type": "int", "default": 10000},
    "hostname": {"type": "str", "default": ""},
    "at_once": {"type": "int", "default": 4},
    "show_tokens": {"type": "bool", "default": False, "no_log": False},
}


def parse(params):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _options

    return _options.parse(params)


def act(engine, wanted, check):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _labs

    return _labs.make_so(engine, *wanted, check)


def without_engine(wanted):
    from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _labs

    return _labs.without_engine(*wanted)


def main():
    _module.run(OPTIONS, parse, act, without_engine=without_engine)


if __name__ == "__main__":
    main()
