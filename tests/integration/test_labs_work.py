"""No running kernel killed, no work lost, and the old lab back when the new one does not serve."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time

import pytest

from tests.conftest import ModuleFailed

CLOSES = """
import atexit, time
def leave():
    time.sleep(1)
    open('/home/jovyan/work/closed.txt', 'w').write('kernel closed in order')
atexit.register(leave)
"""


def busy_kernel(server):
    kernel = server.start_kernel()
    server.execute(kernel, "import time; time.sleep(120)", wait=False)
    return kernel


def closed(host):
    """A mount of configuration that lets nobody in who comes from outside of the container."""
    (host.path / "closed.py").write_text("c.ServerApp.ip = '127.0.0.1'")
    return {"source": str(host.path / "closed.py"), "target": "/home/jovyan/.jupyter/jupyter_server_config.py"}


def test_stop_lets_kernels_close(host):
    host.labs(host.lab())
    server = host.server()
    server.execute(server.start_kernel(), CLOSES)
    host.labs(host.lab(state="stopped"))
    assert (host.path / "work" / host.name() / "closed.txt").read_text() == "kernel closed in order"
    assert host.inspect()["State"]["ExitCode"] == 0


@pytest.mark.parametrize(
    ("change", "action"),
    [({"env": {"A": "b"}}, "replace"), ({"state": "stopped"}, "stop"), ({"state": "restarted"}, "restart"),
     ({"state": "absent"}, "remove"), ({"memory": "1g"}, "update")],
    ids=["replace", "stop", "restart", "remove", "less-memory"],
)  # fmt: skip
def test_busy_lab_is_left_alone_until_it_is_idle(host, change, action):
    declared = {"memory": "2g"} if "memory" in change else {}
    host.labs(host.lab(**declared))
    server, before = host.server(), host.inspect()
    kernel = busy_kernel(server)
    wanted = host.lab(**{**declared, **change})
    for check in (True, False):
        put_off = host.labs(wanted, check=check)
        assert not put_off["changed"] and put_off["steps"] == []
        assert put_off["deferred"][0]["steps"] == [action]
        assert "executing" in put_off["deferred"][0]["reason"]
    assert host.inspect()["State"]["StartedAt"] == before["State"]["StartedAt"]
    assert server.ask(f"api/kernels/{kernel}")["execution_state"] == "busy"
    server.ask(f"api/kernels/{kernel}", "DELETE")
    assert [step["action"] for step in host.labs(wanted)["steps"]] == [action]


def test_a_kernel_that_executes_is_busy_whatever_its_server_says(host):
    """What is answered beside its work, as a widget's messages are, makes a server call a kernel idle."""
    host.labs(host.lab())
    server = host.server()
    kernel = busy_kernel(server)
    next(said for said in server.replies(kernel, "usage_request", {}, "control") if said["msg_type"] == "usage_reply")
    until = time.monotonic() + 10
    while server.ask(f"api/kernels/{kernel}")["execution_state"] != "idle" and time.monotonic() < until:
        time.sleep(0.1)
    assert server.ask(f"api/kernels/{kernel}")["execution_state"] == "idle"
    put_off = host.labs(host.lab(env={"A": "b"}))
    assert not put_off["changed"] and "a kernel is executing" in put_off["deferred"][0]["reason"]
    server.ask(f"api/kernels/{kernel}/interrupt", "POST")
    assert host.labs(host.lab(env={"A": "b"}))["changed"]


def test_a_kernel_that_a_terminal_started_may_be_executing(host):
    host.labs(host.lab())
    host.server().start_kernel()
    cell = {"cell_type": "code", "id": "a", "source": "import time; time.sleep(90)", "outputs": [], "metadata": {}}
    notebook = {"cells": [{**cell, "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (host.path / "work" / host.name() / "long.ipynb").write_text(json.dumps(notebook))
    task = host.engine.exec_create(host.name(), ["jupyter", "execute", "work/long.ipynb"])["Id"]
    host.engine.exec_start(task, detach=True)
    until = time.monotonic() + 30
    while "ipykernel_launcher -f /tmp/" not in str(host.engine.top(host.name())) and time.monotonic() < until:
        time.sleep(0.2)
    for check in (True, False):
        put_off = host.labs(host.lab(env={"A": "b"}), check=check)
        assert "a kernel runs that its server did not start" in put_off["deferred"][0]["reason"]
    os.kill(host.engine.exec_inspect(task)["Pid"], signal.SIGINT)
    while "ipykernel_launcher -f /tmp/" in str(host.engine.top(host.name())) and time.monotonic() < until:
        time.sleep(0.2)
    assert host.labs(host.lab(env={"A": "b"}))["changed"]


def test_a_server_that_takes_another_token_counts_as_busy(host):
    host.labs(host.lab())
    (host.path / "state/labs" / host.name() / "token").unlink()
    put_off = host.labs(host.lab())
    assert "does not take the token that is kept for it" in put_off["deferred"][0]["reason"]


@pytest.mark.parametrize("wanted", [{}, {"state": "absent"}])
def test_a_lab_that_never_served_has_nothing_to_lose(host, wanted):
    """A mistake is mended by the next run, and not put off for ever."""
    with pytest.raises(ModuleFailed, match="did not answer"):
        host.labs(host.lab(mounts=[closed(host)]), wait_timeout=4)
    assert host.inspect()["State"]["Running"]
    assert not host.labs(host.lab(**wanted))["deferred"]
    assert host.exists() != bool(wanted)


@pytest.mark.parametrize("change", [{"env": {"A": "b"}}, {"state": "absent"}], ids=["replace", "remove"])
def test_files_saved_beside_the_work_directory_are_brought_over(host, change):
    host.labs(host.lab())
    server = host.server()
    server.execute(
        server.start_kernel(),
        "import os; os.makedirs('/home/jovyan/deep'); open('/home/jovyan/deep/model.bin', 'w').write('weights');"
        "open('/home/jovyan/stray.txt', 'w').write('stray'); open('/home/jovyan/.hidden', 'w').write('no work')",
    )
    done = host.labs(host.lab(**change))
    assert [step["action"] for step in done["steps"]][0] == "rescue"
    assert done["steps"][0]["reason"].startswith("deep, stray.txt would go with the container")
    work = host.path / "work" / host.name()
    (rescued,) = work.glob("rescued-*")
    assert sorted(path.name for path in rescued.rglob("*")) == ["deep", "model.bin", "stray.txt"]
    assert (rescued / "deep" / "model.bin").read_text() == "weights"
    assert {path.stat().st_uid for path in (rescued, *rescued.rglob("*"))} == {1000}


def test_a_work_directory_made_as_a_copy(host):
    source = host.path / "course"
    source.mkdir()
    (source / "lesson.ipynb").write_text("{}")
    link = host.path / "current"
    link.symlink_to("course")
    neighbour = host.path / "work" / f"{host.name()}.part"
    neighbour.mkdir(parents=True)
    (neighbour / "thesis.ipynb").write_text("{}")
    lab = host.lab(work_from=str(link))
    host.labs(lab)
    copy = host.path / "work" / host.name() / "lesson.ipynb"
    assert copy.stat().st_uid == 1000
    copy.write_text("mine")
    host.labs({**lab, "env": {"A": "b"}})
    assert (copy.read_text(), (source / "lesson.ipynb").read_text()) == ("mine", "{}")
    assert (neighbour / "thesis.ipynb").exists()
    assert {path.name for path in neighbour.parent.iterdir()} == {neighbour.name, host.name()}, "and nothing half made"
    assert source.stat().st_uid == 0 and not (host.path / "work" / host.name()).is_symlink()


def test_a_work_directory_that_is_a_link_is_given_to_its_owner(host):
    disk = host.path / "work" / "disk2" / "a"
    disk.mkdir(parents=True)
    (host.path / "work" / host.name()).symlink_to(disk)
    host.labs(host.lab())
    assert disk.stat().st_uid == 1000
    assert not host.labs(host.lab())["changed"]


def test_force_ends_a_busy_lab(host):
    host.labs(host.lab())
    busy_kernel(host.server())
    assert host.labs(host.lab(env={"A": "b"}), when_busy="force", stop_timeout=5)["steps"][0]["action"] == "replace"


def test_more_memory_is_given_to_a_busy_lab_at_once(host):
    host.labs(host.lab(memory="512m"))
    kernel = busy_kernel(host.server())
    assert host.labs(host.lab(memory="1g"))["steps"][0]["action"] == "update"
    assert host.server().ask(f"api/kernels/{kernel}")["execution_state"] == "busy"


def test_a_lab_that_cannot_be_asked_counts_as_busy(host):
    host.labs(host.lab())
    server_pid = host.inspect()["State"]["Pid"]
    host.engine.pause(host.name())
    put_off = host.labs(host.lab(env={"A": "b"}))
    assert "cannot" not in put_off["deferred"][0]["reason"] and "does not answer" in put_off["deferred"][0]["reason"]
    assert host.inspect()["State"]["Pid"] == server_pid


def test_asking_does_not_reset_the_idle_clock(host):
    host.labs(host.lab())
    server = host.server()
    server.execute(server.start_kernel(), "pass")
    time.sleep(1)
    before = server.ask("api/status?no_track_activity=1")["last_activity"]
    host.labs(host.lab(state="restarted"), check=True)
    host.info()
    assert server.ask("api/status?no_track_activity=1")["last_activity"] == before


def test_the_old_lab_is_back_when_the_new_one_does_not_come_up(host):
    host.labs(host.lab())
    token, before = host.token(), host.inspect()["Id"]
    with pytest.raises(ModuleFailed, match="back on what it ran on before") as failure:
        host.labs(host.lab(env={"NOTEBOOK_ARGS": "--no-such-option=1", "DOCKER_STACKS_JUPYTER_CMD": "nonsense"}))
    assert failure.value.result["log"]
    assert host.inspect()["Id"] == before
    assert host.token() == token
    host.labs(host.lab())
    assert host.server().ask("api/status")
    assert len(host.engine.containers(all=True, filters={"name": host.prefix})) == 1


def test_what_a_server_said_instead_of_answering_is_told(host):
    """And its log's last words, which are not our own questions."""
    host.labs(host.lab())
    mount = {"source": str(host.path / "hook.sh"), "target": "/usr/local/bin/before-notebook.d/hook.sh"}
    (host.path / "hook.sh").write_text("export NOTEBOOK_ARGS=--ServerApp.base_url=/elsewhere")
    with pytest.raises(ModuleFailed, match=r"did not answer at .* within 15 s \(404 Not Found\)") as failure:
        host.labs(host.lab(mounts=[mount]), wait_timeout=15)
    log = failure.value.result["log"]
    assert "docker logs" not in str(failure.value) and len(log) > 5 and " GET /api (" not in str(log)


def test_the_old_lab_is_back_though_the_new_one_left_nothing(host):
    host.labs(host.lab())
    before = host.inspect()["Id"]
    with pytest.raises(ModuleFailed, match="back on what it ran on before"):
        host.labs(host.lab(ephemeral=True, env={"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}))
    assert host.inspect()["Id"] == before
    assert host.server().ask("api/status")
    assert len(host.engine.containers(all=True, filters={"name": host.prefix})) == 1


def test_a_lab_that_still_does_not_come_up_fails_again(host):
    broken = host.lab(env={"DOCKER_STACKS_JUPYTER_CMD": "nonsense"})
    for _run in range(2):
        with pytest.raises(ModuleFailed, match="instead of serving|did not answer"):
            host.labs(broken, wait_timeout=20)
    host.labs(host.lab())
    assert host.server().ask("api/status")


def test_a_kernel_that_begins_while_others_are_changed_is_left_alone(host):
    """Labs are judged first, then changed by turns: the second one here gets to work in between."""
    slow, quick = host.lab("a"), host.lab("b")
    host.labs(slow, quick)
    changed = [{**lab, "env": {"A": "b"}} for lab in (slow, quick)]
    changed[0]["env"] = {"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}  # takes its time to be given up on
    server = host.server("b")
    kernel = server.start_kernel()
    begin = threading.Timer(4, server.execute, (kernel, "import time; time.sleep(60)", False))
    begin.start()
    with pytest.raises(ModuleFailed) as failure:
        host.labs(*changed, at_once=1, wait_timeout=15)
    begin.join()
    assert [item["lab"] for item in failure.value.result["deferred"]] == [host.name("b")]
    assert server.ask(f"api/kernels/{kernel}")["execution_state"] == "busy"


def test_the_old_lab_is_back_when_the_new_one_cannot_start(host, seen_gpus):
    """The engine started without NVIDIA's container toolkit: it makes such a container, and does not start it."""
    host.labs(host.lab())
    before = host.inspect()["Id"]
    with pytest.raises(ModuleFailed, match="did not find NVIDIA's container toolkit when it started|device"):
        host.labs(host.lab(gpus="all"))
    assert host.inspect()["Id"] == before
    assert host.inspect()["State"]["Running"]
    assert not host.labs(host.lab())["changed"]


def test_a_new_lab_that_does_not_come_up_tells_why(host):
    with pytest.raises(ModuleFailed, match="instead of serving|did not answer") as failure:
        host.labs(host.lab(env={"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}))
    assert "nonsense" in " ".join(failure.value.result["log"])


def test_an_ephemeral_lab_that_ends_at_once_says_what_became_of_its_log(host):
    with pytest.raises(ModuleFailed, match="ended instead of serving, and its log went with it: without ephemeral"):
        host.labs(host.lab(ephemeral=True, env={"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}))


def test_a_lab_that_ends_again_and_again_is_not_busy(host):
    with pytest.raises(ModuleFailed):
        host.labs(host.lab(env={"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}))
    for _moment in range(5):
        assert not host.labs(host.lab(), check=True)["deferred"]
        time.sleep(0.3)
    host.labs(host.lab())
    assert host.server().ask("api/status")


def test_a_slow_lab_is_given_up_on_in_time(host):
    with pytest.raises(ModuleFailed, match="within 1 s.*wait_timeout") as failure:
        host.labs(host.lab(cpus=0.05), wait_timeout=1)
    assert "log" in failure.value.result
    assert host.labs(host.lab(cpus=2))["steps"][0]["action"] == "update"


def test_a_lab_that_serves_nobody_is_not_passed_over(host):
    """A server that hangs: it runs, and answers neither people nor the engine."""
    lab = host.lab(healthcheck={"interval": 1, "timeout": 1, "start_period": 1, "retries": 1})
    host.labs(lab)
    server = int(next(row[1] for row in host.engine.top(host.name())["Processes"] if "jupyter-lab" in row[-1]))
    os.kill(server, signal.SIGSTOP)
    until = time.monotonic() + 30
    while host.inspect()["State"]["Health"]["Status"] != "unhealthy" and time.monotonic() < until:
        time.sleep(0.2)
    try:
        with pytest.raises(ModuleFailed, match="did not answer at .* within 2 s"):
            host.labs(lab, wait_timeout=2)
    finally:
        os.kill(server, signal.SIGCONT)
    assert not host.labs(lab, wait_for="health")["changed"]
    assert host.inspect()["State"]["Health"]["Status"] == "healthy"


def test_one_failure_does_not_hold_up_the_others(host):
    with pytest.raises(ModuleFailed):
        host.labs(host.lab("bad", env={"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}), host.lab("good"))
    assert host.server("good").ask("api/status")


@pytest.mark.parametrize("left", ["put aside", "renamed", "made"])
def test_an_interrupted_replacement_is_finished(host, left):
    """What a run leaves that is cut off between two steps."""
    host.labs(host.lab())
    name, engine = host.name(), host.engine
    if left == "put aside":
        engine.stop(name)
        engine.rename(name, f"{name}.previous")
        expected = ["put back", "start"]
    else:
        host.labs(host.lab("other", env={"A": "b"}))
        config = engine.inspect_container(host.name("other"))["Config"]
        labels = {key: value.replace(host.name("other"), name) for key, value in config["Labels"].items()}
        suffix = "next" if left == "made" else "previous"
        engine.create_container(host.image, name=f"{name}.{suffix}", labels=labels)
        expected = ["clear away"]
    assert [step["action"] for step in host.labs(host.lab(), check=True)["steps"]] == expected
    assert [step["action"] for step in host.labs(host.lab())["steps"]] == expected
    assert not host.labs(host.lab())["changed"]
    assert host.server().ask("api/status")
    assert len(engine.containers(all=True, filters={"name": f"^/{name}"})) == 1


@pytest.mark.parametrize("suffix", ["next", "previous"])
def test_an_interrupted_replacement_is_finished_though_more_is_to_change(host, suffix):
    host.labs(host.lab(), host.lab("other"))
    name, engine = host.name(), host.engine
    labels = engine.inspect_container(host.name("other"))["Config"]["Labels"]
    labels = {key: value.replace(host.name("other"), name) for key, value in labels.items()}
    engine.create_container(host.image, name=f"{name}.{suffix}", labels=labels)
    done = host.labs(host.lab(env={"A": "b"}))
    assert [step["action"] for step in done["steps"]] == ["replace", "clear away"]
    assert not host.labs(host.lab(env={"A": "b"}))["changed"]
    assert len(engine.containers(all=True, filters={"name": f"^/{name}"})) == 1


def test_the_work_is_its_owner_s_again_when_the_new_lab_does_not_come_up(host):
    host.labs(host.lab())
    work = host.path / "work" / host.name()
    (work / "mine.txt").write_text("work")
    os.chown(work / "mine.txt", 1000, 100)
    with pytest.raises(ModuleFailed, match="back on what it ran on before"):
        host.labs(host.lab(owner="2000:100", env={"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}))
    assert (work.stat().st_uid, (work / "mine.txt").stat().st_uid) == (1000, 1000)
    assert not host.labs(host.lab())["changed"]


def test_a_lab_whose_work_is_gone_is_no_new_lab(host):
    host.labs(host.lab())
    before, work = host.inspect()["State"]["StartedAt"], host.path / "work" / host.name()
    work.rename(work.with_suffix(".elsewhere"))
    for check in (True, False):
        with pytest.raises(ModuleFailed, match="is where the lab has its work, and is not there any more: mount its"):
            host.labs(host.lab(), check=check)
    assert not work.exists()
    work.with_suffix(".elsewhere").rename(work)
    assert not host.labs(host.lab())["changed"] and host.inspect()["State"]["StartedAt"] == before


def test_what_a_server_saves_as_it_stops_is_brought_over(host):
    host.labs(host.lab())
    server = host.server()
    work = host.path / "work" / host.name()
    server.execute(
        server.start_kernel(),
        "import atexit, pathlib; atexit.register(lambda: [pathlib.Path('/home/jovyan', name).write_text('x') "
        "for name in ('late.txt', 'work/late.txt')])",
    )
    host.labs(host.lab(owner="4321:100", env={"A": "b"}))
    (rescued,) = work.glob("rescued-*")
    assert [path.name for path in rescued.iterdir()] == ["late.txt"]
    assert {path.stat().st_uid for path in (work, work / "late.txt", rescued, rescued / "late.txt")} == {4321}


def test_a_failed_replacement_leaves_no_copies(host):
    host.labs(host.lab())
    host.server().ask("api/contents", "GET")
    container = host.engine.exec_create(host.name(), ["touch", "/home/jovyan/stray.txt"])
    host.engine.exec_start(container)
    for _run in range(2):
        with pytest.raises(ModuleFailed, match="back on what it ran on before"):
            host.labs(host.lab(env={"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}))
    assert not list((host.path / "work" / host.name()).glob("rescued-*"))


def test_a_lab_that_an_interrupted_run_had_stopped_is_started_again_on_failure(host):
    host.labs(host.lab())
    host.engine.stop(host.name())
    host.engine.rename(host.name(), f"{host.name()}.previous")
    with pytest.raises(ModuleFailed, match="back on what it ran on before"):
        host.labs(host.lab(env={"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}))
    assert host.server().ask("api/status")


def test_an_image_may_be_named_by_its_id(host):
    image = host.engine.inspect_image(host.image)["Id"]
    host.labs(host.lab(image=image))
    assert host.labs(host.lab(image=image, memory="1g"))["changed"]
    assert not host.labs(host.lab(image=image, memory="1g"))["changed"]


def test_nobody_else_listens_on_the_port_meanwhile(host):
    done = host.labs(host.lab())
    with socket.socket() as probe, pytest.raises(OSError, match="in use"):
        probe.bind(("127.0.0.1", done["labs"][0]["port"]))
