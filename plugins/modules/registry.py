# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible module: run a registry for images on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry
short_description: Run a registry for the images of a fleet
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Configures and starts Debian's package C(docker-registry) with TLS and a password. Installs nothing; it tells in
    RV(missing) what is to be installed, and the role P(myjupyter.fleet.jupyter_registry#role) does that.
  - Without a certificate of the user's, it makes a CA and a certificate, keeps both and renews them in time.
  - Without a password of the user's, it makes one. It is kept in C(/etc/myjupyter/registry/password), readable by root
    alone, and is in no output and on no command line.
  - A registry that somebody else set up on the host is left alone, and the task fails.
  - Needs systemd.
extends_documentation_fragment:
  - myjupyter.fleet.attributes
options:
  names:
    description:
      - What hosts call this one, names or addresses, all of which the certificate is for. The first is that in the
        names of images.
    type: list
    elements: str
    required: true
  address:
    description: Address to listen at.
    type: str
    default: 0.0.0.0
  port:
    description: Port to listen at.
    type: int
    default: 5000
  data:
    description: Directory for the images.
    type: str
    default: /var/lib/docker-registry
  username:
    description: The user.
    type: str
    default: fleet
  password:
    description: The user's password, in place of one that is made.
    type: str
  certificate:
    description: File on the host with a certificate of your own, and those between it and its CA.
    type: path
  key:
    description: File on the host with the key of O(certificate).
    type: path
  ca:
    description: File on the host with the CA of O(certificate). Not needed where engines trust that anyway.
    type: path
  renew_days:
    description: So many days before it ends a certificate that was made here is made anew.
    type: int
    default: 30
seealso:
  - module: myjupyter.fleet.image_push
"""

EXAMPLES = r"""
- name: Run a registry
  myjupyter.fleet.registry:
    names: [registry.example.edu, 192.0.2.7]

- name: Run a registry with a certificate of our own
  myjupyter.fleet.registry:
    names: [registry.example.edu]
    port: 443
    certificate: /etc/ssl/certs/registry.pem
    key: /etc/ssl/private/registry.key
"""

RETURN = r"""
registry:
  description: The registry as it is in the names of images.
  returned: success
  type: str
  sample: registry.example.edu:5000
username:
  description: The user.
  returned: success
  type: str
missing:
  description: Packages to install first.
  returned: success
  type: list
  elements: str
steps:
  description: What was done, or would be, in order.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.myjupyter.fleet.plugins.module_utils import _module
from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.myjupyter.fleet.plugins.module_utils.registry import _keep, _registry

OPTIONS = {
    "names": {"type": "list", "elements": "str", "required": True},
    "address": {"type": "str", "default": "0.0.0.0"},
    "port": {"type": "int", "default": 5000},
    "data": {"type": "str", "default": "/var/lib/docker-registry"},
    "username": {"type": "str", "default": "fleet"},
    "password": {"type": "str", "no_log": True},
    "certificate": {"type": "path"},
    "key": {"type": "path", "no_log": False},
    "ca": {"type": "path"},
    "renew_days": {"type": "int", "default": 30},
}


def act(wanted, check):
    """Plan, apply unless ``check``, and tell."""
    plan = _registry.plan(wanted, _keep.observe(wanted))
    if not check and plan.packages:
        raise FleetError(
            f"{', '.join(plan.packages)} must be installed first, as the role myjupyter.fleet.jupyter_registry does."
        )
    if not check and plan.changes:
        _keep.apply(wanted, plan)
    return _registry.result(wanted, plan)


def main() -> None:
    _module.run_on_host(OPTIONS, _registry.parse, act)


if __name__ == "__main__":
    main()
