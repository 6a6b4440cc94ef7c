"""Roll-outs over several hosts, which are all this machine: a canary, waves, a stop, and the way back."""

from __future__ import annotations

import json

import pytest

# Serves nothing, though each notebook runs in it.
BROKEN = {"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}
UPGRADE, ROLLBACK = "playbooks/upgrade.yml", "playbooks/rollback.yml"


class Fleet:
    """Hosts with one lab each, named as their host, on an image that the first of them builds for all."""

    def __init__(self, host, base, playbook, names):
        self.host, self._playbook = host, playbook
        self.names = {name: host.name(name) for name in names}
        self.variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "jupyter_base_name": base,
            "jupyter_image_name": host.name("image"),
            "jupyter_image_base": base,
            "jupyter_image_delivery": "stream",
            "jupyter_image_builder": names[0],
            "jupyter_labs_wait_timeout": 60,
            "jupyter_labs_work_root": str(host.path / "work"),
        }

    def run(self, play, *arguments, check=True, **variables):
        hosts = {
            name: {
                "jupyter_labs_state_dir": str(self.host.path / f"state-{name}"),
                "jupyter_labs_first_port": self.host.first_port + 10 * number,
                "jupyter_labs": [{"name": lab, "image": self.variables["jupyter_image_name"]}],
            }
            for number, (name, lab) in enumerate(self.names.items())
        }
        for name, about in hosts.items():
            about.update(variables.pop(name, {}))
        inventory = self.host.path / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": {**self.variables, **variables}}}))
        done = self._playbook("-i", inventory, play, *arguments, check=check)
        return done.returncode, " ".join(done.stdout.split())

    def state(self):
        """What would differ for a lab that was touched: container, image, start."""
        return {
            name: (about["Id"], about["Image"], about["State"]["StartedAt"], about["State"]["Running"])
            for name, about in ((name, self.host.inspect(name)) for name in self.names)
        }

    def images(self):
        return {name: image for name, (_container, image, _since, _runs) in self.state().items()}

    def server(self, name):
        token = (self.host.path / f"state-{name}" / "labs" / self.names[name] / "token").read_text()
        return self.host.server_at(name, token)

    def answers(self, name):
        return "kernels" in self.server(name).ask("api/status?no_track_activity=1")


@pytest.fixture
def fleet(host, base, playbook):
    fleet = Fleet(host, base, playbook, ["one", "two", "three"])
    yield fleet
    host.clean()
    for item in host.engine.images(fleet.variables["jupyter_image_name"]):
        host.engine.remove_image(item["Id"], force=True)


def test_a_roll_out_goes_forward_stops_and_goes_back(fleet):
    recipe = {"jupyter_image_requirements": ["tabulate==0.9.0"]}
    fleet.run("site.yml", "--tags", "image,labs")
    first = fleet.state()

    # Nothing is moved where the check notebook fails.
    bad = {"jupyter_image_post_build": ["pip uninstall --yes tabulate"]}
    code, said = fleet.run(UPGRADE, check=False, **recipe, **bad)
    assert code and "check.ipynb failed in" in said and "in cell 3: AssertionError: tabulate is not installed" in said
    assert "not begun, and as they were: two, three" in said
    assert "Stopped, because 1 of 1 in this wave (the canary) failed" in said
    assert fleet.state() == first

    # The canary takes its labs back from an image that does not serve, and the others are not begun.
    code, said = fleet.run(UPGRADE, check=False, jupyter_image_environment=BROKEN)
    assert code and "The lab is back on what it ran on before" in said
    assert "not begun, and as they were: two, three" in said
    after = fleet.state()
    assert after["one"][:2] == first["one"][:2] and fleet.answers("one")
    assert (after["two"], after["three"]) == (first["two"], first["three"])

    # Half of a wave fails: the other half is moved, and stays so.
    code, said = fleet.run(
        UPGRADE, check=False, **recipe, upgrade_waves=["2"], upgrade_max_fail_percentage=20,
        three={"jupyter_labs_defaults": {"env": BROKEN}},
    )  # fmt: skip
    assert code and f"moved: two: {fleet.names['two']}" in said and "failed: three: " in said
    assert "Stopped, because 1 of 2 in this wave failed" in said
    now = fleet.images()
    assert now["one"] == now["two"] != now["three"] == first["three"][1]
    assert all(fleet.answers(name) for name in fleet.names)

    # Run again: it catches up, and touches nobody who is there already.
    moved = fleet.state()
    code, said = fleet.run(UPGRADE, **recipe)
    assert f"moved: three: {fleet.names['three']}" in said and "nothing to move: two" in said
    assert "All hosts have what is declared." in said
    assert {name for name, state in fleet.state().items() if state != moved[name]} == {"three"}

    # One command back. A lab in which a kernel is executing is left for later, and its host has not failed.
    server = fleet.server("two")
    server.execute(server.start_kernel(), "import time; time.sleep(300)", wait=False)
    code, said = fleet.run(ROLLBACK, **recipe)
    assert f"left for later, because busy: two: {fleet.names['two']} (a kernel is executing" in said
    assert "Run again when these kernels are done" in said
    assert fleet.images() == {"one": first["one"][1], "two": moved["two"][1], "three": first["three"][1]}
    assert fleet.state()["two"] == moved["two"]
