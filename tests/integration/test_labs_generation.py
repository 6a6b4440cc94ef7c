"""What a lab ran on before, and going back to it; how well a lab has to be to count as one that came up."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ModuleFailed
from tests.integration.test_labs import actions, twice

KERNEL = "/opt/conda/share/jupyter/kernels/python3/kernel.json"


def test_a_lab_goes_back_to_what_it_ran_on(host, other_image):
    old = host.lab(env={"AGE": "old"}, memory="512m")
    new = host.lab(image=other_image, env={"AGE": "new"}, memory="512m")
    host.labs(old)
    was, token = host.inspect(), host.token()
    assert not host.kept_images()
    host.labs(new)
    assert host.inspect()["Image"] != was["Image"] and len(host.kept_images()) == 1
    (host.path / "work" / host.name() / "mine.txt").write_text("work")

    twice(host, ["replace"], new, generation="previous")
    now = host.inspect()
    assert now["Image"] == was["Image"] and "AGE=old" in now["Config"]["Env"]
    assert now["HostConfig"]["PortBindings"] == was["HostConfig"]["PortBindings"] and host.token() == token
    assert (host.path / "work" / host.name() / "mine.txt").read_text() == "work"
    assert host.info(names=[host.name()])["labs"][0]["drift"] == {}

    assert actions(host.labs(new)) == ["replace"]
    assert host.inspect()["Image"] != was["Image"] and len(host.kept_images()) == 1
    gone = host.labs(host.lab(state="absent"))
    assert actions(gone) == ["remove"], gone["deferred"]
    assert not host.kept_images(), "nothing could go back any more"


def test_a_change_under_a_running_lab_is_gone_back_on_under_it(host):
    host.labs(host.lab(memory="512m"))
    host.labs(host.lab(memory="1g"))
    container = host.inspect()["Id"]
    twice(host, ["update"], host.lab(memory="1g"), generation="previous", when_busy="force")
    assert host.inspect()["HostConfig"]["Memory"] == 512 * 1024**2 and host.inspect()["Id"] == container


def test_what_never_changed_stays_as_it_is(host):
    host.labs(host.lab())
    said = host.labs(host.lab(memory="1g"), host.lab("b"), generation="previous")
    assert not said["changed"] and not host.exists("b")
    assert "has not changed since it was made" in str(said["warnings"])


def test_an_image_that_is_gone_cannot_be_gone_back_to(host, other_image):
    host.labs(host.lab(image=other_image))
    host.labs(host.lab())
    for name in host.kept_images():
        host.engine.remove_image(name)
    with pytest.raises(ModuleFailed, match="was removed from this host, so the lab cannot go back to it"):
        host.labs(host.lab(), generation="previous")


def test_a_lab_in_which_no_kernel_calculates_is_taken_back(host):
    kernel = host.path / "kernel.json"
    kernel.write_text(json.dumps({"argv": ["/nonexistent/kernel"], "language": "python", "display_name": "none"}))
    sick = host.lab(mounts=[{"source": str(kernel), "target": KERNEL}])
    host.labs(host.lab(), wait_for="kernel")
    before = host.inspect()
    with pytest.raises(ModuleFailed, match="no kernel calculates in it.*is back on what it ran on before"):
        host.labs(sick, wait_for="kernel")
    assert host.inspect()["Id"] == before["Id"]
    assert host.server().ask("api/kernels") == [], "it answers as soon as the run has ended"
    assert host.labs(sick)["changed"], "an answer is enough where no more is asked for"


def test_health_is_the_engines_and_the_tokens(host):
    sick = host.path / "healthcheck"
    sick.write_text("#!/bin/sh\necho ill\nexit 1\n")
    sick.chmod(0o755)
    mount = {"source": str(sick), "target": "/etc/jupyter/docker_healthcheck.py"}
    token = host.path / "token.json"
    token.write_text(json.dumps({"IdentityProvider": {"token": "another-one"}}))
    other_token = {"source": str(token), "target": "/home/jovyan/.jupyter/jupyter_server_config.json"}
    often = {"interval": 1, "retries": 1, "start_period": 1}
    host.labs(host.lab(), wait_for="health")
    assert host.inspect()["State"]["Health"]["Status"] == "healthy"
    with pytest.raises(ModuleFailed, match="its health check says unhealthy: ill.*is back on what it ran on before"):
        host.labs(host.lab(healthcheck=often, mounts=[mount]), wait_for="health")
    with pytest.raises(ModuleFailed, match="not to its token"):
        host.labs(host.lab(mounts=[other_token]), wait_for="health")
    assert actions(host.labs(host.lab(), wait_for="health")) == []


def test_no_kernel_is_started_in_a_lab_that_runs_on(host):
    host.labs(host.lab(memory="512m"))
    since = host.server().ask("api/status?no_track_activity=1")["started"]
    done = host.labs(host.lab(memory="1g"), wait_for="kernel")
    status = host.server().ask("api/status?no_track_activity=1")
    assert actions(done) == ["update"]
    assert (status["started"], status["kernels"]) == (since, 0)
    assert json.dumps(host.server().ask("api/kernels")) == "[]"
