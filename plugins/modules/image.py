# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: the image of a JupyterLab."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Build, pull, load or remove the image of a JupyterLab
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Makes an image from a recipe, which is a base, Python packages, system packages, files, variables and commands.
    The same recipe on the same base is built once, and found again by its digest without anything being sent.
  - All packages are resolved together, with the Python and the platform of the base. What the base has stays where
    it satisfies the requirements, and so does what the image before had.
  - The outcome has the name that is asked for and one of its own, which never moves, such as
    C(myjupyter:latest) and C(myjupyter:1f0c2ab34d5e).
  - Builds trust what the host trusts, which is its certificates, pip's indexes and the proxies. None of it stays
    in the image.
extends_documentation_fragment:
  - myjupyter.fleet.engine
  - myjupyter.fleet.attributes
options:
  name:
    description:
      - Name of the image, without a tag for the tag V(latest).
      - With O(state=absent) and no tag, all images of that name are meant.
      - With V(pulled) and V(absent) it may be a digest, such as C(quay.io/jupyter/base-notebook@sha256:...).
    type: str
    default: myjupyter
  state:
    description:
      - V(present) builds the recipe. V(pulled) has it from its registry, V(loaded) from O(archive).
      - V(absent) removes it, and fails where a container is made of it.
    type: str
    choices: [present, absent, pulled, loaded]
    default: present
  base:
    description: Image to build on, by name or by id. It is pulled where the host does not have it.
    type: str
    default: myjupyter-base
  requirements:
    description:
      - Python packages, as the text of a requirements.txt or as a list of its lines.
      - Names with extras, versions and markers, C(NAME @ https://...), C(--hash), C(--index-url), C(--extra-index-url),
        C(--pre), C(--no-binary) and C(--only-binary) are understood. Everything else is refused.
    type: raw
    default: []
  constraints:
    description: Versions that packages must keep to if they are installed, as text or as a list of lines.
    type: raw
    default: []
  packages:
    description: System packages (APT), each with C(=VERSION) where it matters.
    type: list
    elements: str
    default: []
  files:
    description: Files to put into the image. Those below the user's home are the user's, all others are root's.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: Path of the file on the host. One of this and O(files[].content) is needed.
        type: path
      content:
        description: What is in the file.
        type: str
      dest:
        description: Absolute path in the image.
        type: str
        required: true
      mode:
        description: Permissions in octal, with quotes, as YAML takes C(0644) for another number.
        type: raw
        default: '0644'
  environment:
    description: Environment variables of the image.
    type: dict
    default: {}
  post_build:
    description:
      - Commands to run at the end of the build, as the base's user, each on its own.
      - C(sh) runs them and stops at the first error. One that begins with C(#!) names its own interpreter.
    type: list
    elements: str
    default: []
  build_args:
    description: Build arguments, which O(post_build) sees as variables. They show in the image's history.
    type: dict
    default: {}
  index_url:
    description:
      - Package index, in place of the one that pip on the host is set up for. A user and password in it stay out of
        the image.
    type: str
  extra_index_urls:
    description: Further package indexes. The best version of all indexes is taken, as pip does.
    type: list
    elements: str
    default: []
  ca_bundle:
    description:
      - File on the host with the certificates to trust in the build. By default all that the host trusts.
    type: path
  proxy:
    description: Proxies of the build. By default those in the remote user's environment.
    type: dict
    suboptions:
      http_proxy:
        description: Address of the proxy for HTTP.
        type: str
      https_proxy:
        description: Address of the proxy for HTTPS.
        type: str
      no_proxy:
        description: Names that are reached without a proxy, with commas between them.
        type: str
  platform:
    description:
      - Platform of the image, such as V(linux/arm64). By default the engine's.
      - An archive or a registry that has the image for another one only is refused.
    type: str
  labels:
    description: Labels of the image.
    type: dict
    default: {}
  path:
    description:
      - Directory on the host in repo2docker's convention. C(requirements.txt), C(apt.txt), C(postBuild), C(start),
        C(runtime.txt) and, with a base that has conda or mamba, C(environment.yml) are followed, at the top or in
        C(binder/) or C(.binder/), and added to what the other options say. All files are copied to the user's home, but
        for what Git and editors keep for themselves.
      - With a C(Dockerfile) in it, that is built as it is. Its steps can mount the secrets C(ca), a file of
        certificates, and C(build_env), a file of C(export) lines for indexes and proxies.
      - What repo2docker knows and this does not is refused by name.
    type: path
  refresh:
    description:
      - When to look for newer versions of Python packages that are not pinned. V(always), V(never), or once the image
        has an age, such as V(7d) or V(12h). Nothing is built where nothing is newer. The base and system packages stay
        as they are.
      - With O(state=pulled), when to ask the registry whether it has another image by that name.
      - A C(Dockerfile) is then built without the engine's cache.
    type: str
    default: never
  keep:
    description:
      - How many older images of that name stay with O(state=present), first the one that had the name before, then
        those that were named last. One that a container is made of always does.
      - What V(pulled) or V(loaded) replaces has no name any more. It stays until C(docker image prune) removes it.
    type: int
    default: 3
  archive:
    description:
      - File on the host that C(docker save) wrote, for O(state=loaded). It may be compressed, but not with zstd.
      - Where it holds several images, the one of O(name) is meant. That name and the image's own are given; all other
        names in it stay as they are on the host.
    type: path
  log:
    description:
      - File on the host to which the progress of a build is written, line by line, and where it stays.
      - Ansible shows the lines while the build runs. Without this option, their file is gone after it.
    type: path
seealso:
  - module: myjupyter.fleet.image_info
  - module: myjupyter.fleet.labs
"""

EXAMPLES = r"""
- name: Build myjupyter from a requirements.txt
  myjupyter.fleet.image:
    requirements: "{{ lookup('ansible.builtin.file', 'requirements.txt') }}"

- name: Build an image for a course, and look for newer packages when it is a week old
  myjupyter.fleet.image:
    name: statistics
    base: quay.io/jupyter/base-notebook
    requirements:
      - pandas>=2.2
      - seaborn
    packages: [graphviz]
    post_build:
      - jupyter labextension disable "@jupyterlab/apputils-extension:announcements"
    refresh: 7d

- name: Use an image of the Jupyter Docker Stacks as it is
  myjupyter.fleet.image:
    name: quay.io/jupyter/scipy-notebook:2024-11-19
    state: pulled

- name: Load an image where no registry can be reached
  myjupyter.fleet.image:
    name: myjupyter
    state: loaded
    archive: /srv/images/myjupyter.tar

- name: Build a repository that Binder can build
  myjupyter.fleet.image:
    name: lecture
    path: /srv/lecture
"""

RETURN = r"""
image:
  description: The image. In a check, what is known of it.
  returned: always
  type: dict
  contains:
    name: {description: Name that was asked for., type: str}
    id: {description: Id in the engine. Empty where it is not built yet., type: str}
    tags: {description: All its names., type: list, elements: str}
    size: {description: Bytes., type: int}
    layers: {description: Digests of its layers. Missing where it is not built yet., type: list, elements: str}
    digest:
      description: Tells it from all others, whichever engine numbers it. Missing where it is not built yet.
      type: str
    platform: {description: Its system and processor. Missing where it is not built yet., type: str}
    base: {description: What it was built on., type: str}
    recipe: {description: Digest of its recipe., type: str}
    python: {description: Version of Python., type: str}
    jupyterlab: {description: Version of JupyterLab., type: str}
    packages: {description: Versions of all Python packages by name., type: dict}
packages:
  description: How the Python packages differ from those of the image before.
  returned: always
  type: dict
  contains:
    added: {description: Packages that are new., type: list, elements: str}
    removed: {description: Packages that are gone., type: list, elements: str}
    changed: {description: Packages with another version., type: list, elements: str}
steps:
  description: What was done, or would be, in order.
  returned: always
  type: list
  elements: str
log:
  description: File on the host with the lines of the build.
  returned: when something was built, and O(log) was given or the build failed
  type: str
output:
  description: The last lines of a build that failed.
  returned: when a build fails
  type: list
  elements: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _image, _recipe

FILE = {
    "src": {"type": "path"},
    "content": {"type": "str"},
    "dest": {"type": "str", "required": True},
    "mode": {"type": "raw", "default": "0644"},
}
PROXY = {"http_proxy": {"type": "str"}, "https_proxy": {"type": "str"}, "no_proxy": {"type": "str"}}
OPTIONS = {
    "name": {"type": "str", "default": "myjupyter"},
    "state": {"type": "str", "choices": ["present", "absent", "pulled", "loaded"], "default": "present"},
    "base": {"type": "str", "default": "myjupyter-base"},
    "requirements": {"type": "raw", "default": []},
    "constraints": {"type": "raw", "default": []},
    "packages": {"type": "list", "elements": "str", "default": []},
    "files": {"type": "list", "elements": "dict", "options": FILE, "default": []},
    "environment": {"type": "dict", "default": {}},
    "post_build": {"type": "list", "elements": "str", "default": []},
    "build_args": {"type": "dict", "default": {}},
    "index_url": {"type": "str"},
    "extra_index_urls": {"type": "list", "elements": "str", "default": []},
    "ca_bundle": {"type": "path"},
    "proxy": {"type": "dict", "options": PROXY},
    "platform": {"type": "str"},
    "labels": {"type": "dict", "default": {}},
    "path": {"type": "path"},
    "refresh": {"type": "str", "default": "never"},
    "keep": {"type": "int", "default": 3},
    "archive": {"type": "path"},
    "log": {"type": "path"},
}


def main() -> None:
    _module.run(
        OPTIONS,
        _recipe.parse,
        _image.act,
        without_engine=_image.without_engine,
        required_if=[("state", "loaded", ["archive"])],
    )


if __name__ == "__main__":
    main()
