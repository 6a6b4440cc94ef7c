"""Runs that end in the middle, as by a power cut: the next one finds every lab as it should be, or brings it there."""

from __future__ import annotations

import os
import time

import pytest

from tests.conftest import ModuleFailed

BROKEN = {"DOCKER_STACKS_JUPYTER_CMD": "nonsense"}
# Where a replacement may end: a function, before or after it.
CUTS = [
    ("_containers.create", "after"),
    ("_containers.stop", "after"),
    ("_state.StateDir.write", "after"),
    ("_containers.start", "before"),
    ("_run.Run._wait", "after"),
]


def generation(host):
    return next(item for item in host.inspect()["Config"]["Env"] if item.startswith("GENERATION="))


@pytest.mark.parametrize(("where", "when"), CUTS)
def test_a_replacement_may_end_anywhere(host, where, when):
    first, second = (host.lab(env={"GENERATION": str(number)}) for number in (1, 2))
    host.labs(first)
    token = host.token()
    (host.path / "work" / host.name() / "mine").write_text("work")
    host.cut(where, when, second)

    with pytest.raises(ModuleFailed, match="The lab is back on what it ran on before"):
        host.labs(host.lab(env={"GENERATION": "3", **BROKEN}))
    assert generation(host) in ("GENERATION=1", "GENERATION=2") and host.server().ask("api/status")

    assert not host.labs(second)["deferred"]
    assert generation(host) == "GENERATION=2" and host.server().ask("api/status")
    assert not host.labs(second)["changed"]
    assert len(host.engine.containers(all=True, filters={"name": f"^/{host.name()}"})) == 1
    assert host.token() == token and (host.path / "work" / host.name() / "mine").read_text() == "work"
    host.labs(second, generation="previous")
    assert generation(host) == "GENERATION=1"


def test_who_works_in_the_new_lab_of_a_cut_run_is_not_disturbed(host):
    first, second = (host.lab(env={"GENERATION": str(number)}) for number in (1, 2))
    host.labs(first)
    host.cut("_run.Run._wait", "after", second)
    server = host.server()
    kernel = server.start_kernel()
    server.execute(kernel, "import time; time.sleep(120)", wait=False)
    before = host.inspect()["State"]["StartedAt"]
    assert "a kernel is executing" in host.labs(second, wait_for="kernel")["deferred"][0]["reason"]
    assert host.inspect()["State"]["StartedAt"] == before
    server.ask(f"api/kernels/{kernel}", "DELETE")
    host.labs(host.lab(env={"GENERATION": "3"}))
    host.labs(host.lab(env={"GENERATION": "3"}), generation="previous")
    assert generation(host) == "GENERATION=2"


def test_what_was_cut_while_it_did_not_come_up_gives_the_old_lab_back(host):
    host.labs(host.lab())
    before = host.inspect()["Id"]
    broken = host.lab(env=BROKEN)
    host.cut("_run.Run._wait", "before", broken)
    until = time.monotonic() + 30
    while host.inspect()["RestartCount"] < 3 and time.monotonic() < until:
        time.sleep(0.2)
    assert [step["action"] for step in host.labs(broken, check=True)["steps"]] == ["clear away"]
    with pytest.raises(ModuleFailed, match="The lab is back on what it ran on before"):
        host.labs(broken)
    assert host.inspect()["Id"] == before and host.server().ask("api/status")
    assert not host.labs(host.lab())["changed"]


def test_a_cut_change_of_the_token_leaves_one_that_lets_in(host):
    old, new = (host.lab(token=f"the-{which}-token") for which in ("old", "new"))
    host.labs(old)
    host.cut("_state.StateDir.write", "after", new)
    host.labs(old)
    assert host.token() == "the-old-token" and host.server().ask("api/status")
    host.cut("_state.StateDir.write", "after", new)
    assert not host.labs(new)["deferred"]
    assert host.token() == "the-new-token" and host.server().ask("api/status")


def test_purge_takes_what_a_cut_run_left(host):
    host.labs(host.lab(), host.lab("b"))
    host.cut("_run.Run._wait", "before", host.lab(env={"A": "b"}), host.lab("b"))
    host.labs(host.lab("b"), purge=True)
    assert host.engine.containers(all=True, filters={"name": f"^/{host.name()}"}) == []
    assert not host.labs(host.lab("b"), purge=True)["changed"]


def test_a_token_file_that_somebody_edited_is_written_again(host):
    """Else the server would take another token when it starts the next time."""
    lab = host.lab(token="the-only-token")
    host.labs(lab)
    before = host.inspect()["State"]["StartedAt"]
    file = host.path / "state/labs" / host.name() / "token"
    file.chmod(0o600)
    file.write_text("somebody-else-s")
    assert [step["action"] for step in host.labs(lab, check=True)["steps"]] == ["write token"]
    assert [step["action"] for step in host.labs(lab)["steps"]] == ["write token"]
    assert not host.labs(lab)["changed"] and host.token() == "the-only-token"
    assert host.inspect()["State"]["StartedAt"] == before and file.stat().st_mode & 0o777 == 0o400


def test_a_lab_whose_token_is_gone_gets_another_one(host):
    host.labs(host.lab())
    before = host.token()
    host.engine.stop(host.name())
    (host.path / "state/labs" / host.name() / "token").unlink()
    host.labs(host.lab())
    assert host.token() != before and host.server().ask("api/status")
    assert not host.labs(host.lab())["changed"]


def test_a_work_directory_that_was_moved_away_is_not_passed_over(host):
    """A lab goes on in the directory that it was started with, wherever that is now."""
    host.labs(host.lab())
    work = host.path / "work" / host.name()
    work.rename(work.with_suffix(".kept"))
    work.mkdir()
    os.chown(work, 1000, 100)
    (work / "here").touch()
    [step] = host.labs(host.lab(), check=True)["steps"]
    assert step["action"] == "restart" and "it still works in the one that was there" in step["reason"]
    host.labs(host.lab())
    assert [item["name"] for item in host.server().ask("api/contents")["content"]] == ["here"]
    assert not host.labs(host.lab())["changed"]


@pytest.mark.parametrize("goes", [False, True])
def test_files_beside_work_that_was_moved_are_brought_over(host, goes):
    host.labs(host.lab())
    command = "echo x > ~/stray; ln -s stray ~/link; mkdir ~/deep; ln -s ../stray ~/deep/link"
    host.engine.exec_start(host.engine.exec_create(host.name(), ["sh", "-c", command])["Id"])
    work = host.path / "work" / host.name()
    work.rename(host.path / "work/moved")
    host.labs(host.lab(state="absent") if goes else host.lab(work_dir="moved"))
    (rescued,) = (work if goes else host.path / "work/moved").glob("rescued-*")
    assert {path.name for path in rescued.iterdir()} == {"stray", "link", "deep"}
    assert os.readlink(rescued / "link") == "stray" and (rescued / "deep/link").read_text() == "x\n"
    assert goes or not work.exists()


def test_mounted_data_is_no_stray_file_however_its_place_is_written(host):
    data = host.path / "data"
    data.mkdir()
    (data / "large").touch()
    mount = {"source": str(data), "target": "//home/jovyan/./datasets//"}
    host.labs(host.lab(mounts=[mount]))
    assert [step["action"] for step in host.labs(host.lab(mounts=[mount], env={"A": "b"}))["steps"]] == ["replace"]


def test_a_renamed_container_is_not_doubled(host):
    host.labs(host.lab())
    host.engine.rename(host.name(), f"{host.name()}-mine")
    with pytest.raises(ModuleFailed, match=f"`docker rename {host.name()}-mine {host.name()}`"):
        host.labs(host.lab())
    host.engine.rename(f"{host.name()}-mine", host.name())
    assert not host.labs(host.lab())["changed"]


def test_a_container_that_only_bears_our_labels_is_none_of_ours(host):
    labels = {"fleet.myjupyter.lab": host.name(), "fleet.myjupyter.spec": "{}"}
    host.engine.create_container(host.image, name=host.name(), labels=labels)
    with pytest.raises(ModuleFailed, match="is the name of a container that is no lab of ours"):
        host.labs(host.lab())
    assert host.name() not in [lab["name"] for lab in host.info()["labs"]]


def test_a_lab_of_a_network_that_was_made_anew_starts(host):
    network = host.name("net")
    host.engine.create_network(network)
    try:
        host.labs(host.lab(networks=[network], state="stopped"))
        assert not host.labs(host.lab(networks=[network], state="stopped"))["changed"]
        host.labs(host.lab(networks=[network]))
        host.labs(host.lab(networks=[network], state="stopped"))
        host.engine.remove_network(network)
        host.engine.create_network(network)
        host.labs(host.lab(networks=[network]))
        assert host.server().ask("api/status")
        assert not host.labs(host.lab(networks=[network]))["changed"]
        host.labs(host.lab(state="absent"))
    finally:
        until = time.monotonic() + 10
        while host.exists() and time.monotonic() < until:
            time.sleep(0.1)
        host.engine.remove_network(network)
