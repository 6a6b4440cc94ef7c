# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labs as hosts of an inventory, in groups, for plays of one's own."""

from __future__ import annotations

DOCUMENTATION = r"""
name: labs
short_description: Labs as hosts, in groups by state, image and host
version_added: 0.1.0
author: The myjupyter.fleet maintainers (@myjupyter)
description:
  - Reads what the playbook C(status) wrote as JSON, and makes a host C(LAB.HOST) of every lab of the fleet.
  - All are in the group C(labs), and in those of their state (C(lab_state_running), C(lab_healthy),
    C(lab_in_trouble), C(lab_busy)), their image (C(lab_image_myjupyter)) and their host (C(lab_on_gpu1)).
  - Each has the variables C(lab_name), C(lab_host), and C(lab) with all keys of
    RV(myjupyter.fleet.labs_info#module:labs).
  - A task for a lab runs on the lab's host, with the connection that an inventory source before this one gives that
    host.
extends_documentation_fragment:
  - ansible.builtin.constructed
options:
  plugin:
    description: The name of this plugin, which shows that the file is meant for it.
    type: str
    required: true
    choices: [myjupyter.fleet.labs]
  status:
    description: File that the playbook C(status) wrote with C(format=json); relative to this one.
    type: str
    default: labs.json
"""

EXAMPLES = r"""
# ansible-playbook -i inventory.yml myjupyter.fleet.status -e format=json -e output=labs.json
# ansible -i inventory.yml -i labs.yml lab_busy --become -m command -a 'docker exec {{ lab_name }} pip list'

# labs.yml
plugin: myjupyter.fleet.labs
status: labs.json
keyed_groups:
  - key: lab.jupyterlab_version
    prefix: jupyterlab
"""

import json
import os

from ansible.errors import AnsibleParserError
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.template import trust_as_template
from ansible.utils.vars import combine_vars
from ansible.vars.plugins import get_vars_from_inventory_sources

from ansible_collections.myjupyter.fleet.plugins.plugin_utils._status import in_trouble


class InventoryModule(BaseInventoryPlugin, Constructable):
    NAME = "myjupyter.fleet.labs"

    def verify_file(self, path):
        return super().verify_file(path) and path.endswith(("labs.yml", "labs.yaml"))

    def parse(self, inventory, loader, path, cache=True):
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        for lab in self._labs(os.path.join(os.path.dirname(path), os.path.expanduser(self.get_option("status")))):
            self._add(lab)

    def _labs(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                labs = json.load(file)["labs"]
            return [lab for lab in labs if groups_of(lab) and lab["name"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AnsibleParserError(
                f"status: {path} is not what the playbook status writes with format=json ({error}): "
                "ansible-playbook myjupyter.fleet.status -e format=json -e output=FILE makes it."
            ) from error

    def _add(self, lab):
        name = f"{lab['name']}.{lab['host']}"
        known = self.inventory.get_host(name)
        if known and (known.vars.get("lab_name"), known.vars.get("lab_host")) != (lab["name"], lab["host"]):
            raise AnsibleParserError(
                f"status: {name} would be the lab {lab['name']} of {lab['host']}, and is another host already: "
                "rename the lab or the host."
            )
        self.inventory.add_host(name)
        for group in groups_of(lab):
            self.inventory.add_host(name, group=self.inventory.add_group(self._sanitize_group_name(group)))
        variables = {"lab": lab, "lab_name": lab["name"], "lab_host": lab["host"], **self._connection(lab["host"])}
        for key, value in variables.items():
            self.inventory.set_variable(name, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)

    def _connection(self, host):
        """How the lab's host is reached, as far as an inventory source before this one says so."""
        known = self.inventory.get_host(host)
        said = self._said_of(known) if known else {}
        own = {key: said[key] for key in said if key.startswith("ansible_")}
        return {"ansible_host": host, **{key: _as_of(host, key, own[key]) for key in own}}

    def _said_of(self, host):
        """The variables of a host and its groups, from inventories and the files beside them."""
        groups, said = sort_groups(host.get_groups()), {}
        for told in (
            get_group_vars(groups),
            get_vars_from_inventory_sources(self.loader, self.inventory.processed_sources, groups, "all"),
            host.get_vars(),
            get_vars_from_inventory_sources(self.loader, self.inventory.processed_sources, [host], "all"),
        ):
            said = combine_vars(said, told)
        return said


def _as_of(host, key, value):
    """A variable of a host for another one: what it is made of, that host knows."""
    if not (isinstance(value, str) and ("{{" in value or "{%" in value)):
        return value
    return trust_as_template(f"{{{{ hostvars[{host!r}][{key!r}] }}}}")


def groups_of(lab):
    """The names of a lab's groups."""
    groups = ["labs", f"lab_state_{lab['state']}"]
    groups += ["lab_healthy"] if lab["healthy"] else []
    groups += ["lab_in_trouble"] if in_trouble(lab) else []
    groups += ["lab_busy"] if lab["busy"] else []
    return [*groups, f"lab_image_{lab['image']}", f"lab_on_{lab['host']}"]
