"""Create, modify, recreate, delete: each in check mode and for real, each twice, against a real engine."""

from __future__ import annotations

import os

import pytest

from tests.conftest import ModuleFailed


def actions(result):
    return [step["action"] for step in result["steps"]]


def twice(host, expected, *labs, **options):
    """The check foretells, twice; the run does it; the second run has nothing to do. The first run's result."""
    for _again in range(2):
        foretold = host.labs(*labs, check=True, **options)
        assert (actions(foretold), foretold["changed"]) == (expected, True)
    done = host.labs(*labs, **options)
    assert (actions(done), done["changed"]) == (expected, True)
    assert shape(foretold["diff"]) == shape(done["diff"])
    again = host.labs(*labs, **options)
    assert (actions(again), again["changed"], again["diff"]) == ([], False, {"before": "", "after": ""})
    assert not host.labs(*labs, check=True, **options)["changed"]
    return done


def shape(diff):
    """A generated token is known only once it is made."""
    return {side: [line for line in text.splitlines() if "token_digest" not in line] for side, text in diff.items()}


def test_create_and_delete(host):
    lab = host.lab()
    assert not host.exists()
    done = twice(host, ["make work directory", "create", "start"], lab)
    assert host.server().ask("api/status")["kernels"] == 0
    assert done["labs"][0]["url"] == f"http://127.0.0.1:{done['labs'][0]['port']}/lab"
    work = host.path / "work" / host.name()
    (work / "kept.txt").write_text("work")
    twice(host, ["remove"], {**lab, "state": "absent"})
    assert not host.exists()
    assert (work / "kept.txt").read_text() == "work"


def test_check_of_creation_touches_nothing(host):
    host.labs(host.lab(), check=True)
    assert not host.exists()
    assert not (host.path / "work").exists()
    assert not (host.path / "state").exists()


def test_delete_what_is_not_there(host):
    result = host.labs(host.lab(state="absent"))
    assert not result["changed"]


LIVE = [
    ("memory", "256m", "512m", lambda about: about["HostConfig"]["Memory"], 512 * 1024**2),
    ("cpus", 0.5, 1.5, lambda about: about["HostConfig"]["CpuQuota"], 150_000),
    ("pids_limit", 200, 300, lambda about: about["HostConfig"]["PidsLimit"], 300),
    (
        "restart_policy",
        "unless-stopped",
        "always",
        lambda about: about["HostConfig"]["RestartPolicy"]["Name"],
        "always",
    ),
]


@pytest.mark.parametrize(("option", "before", "after", "read", "seen"), LIVE, ids=[row[0] for row in LIVE])
def test_modify_while_it_runs(host, option, before, after, read, seen):
    host.labs(host.lab(**{option: before}))
    server, container = host.server(), host.inspect()["Id"]
    kernel = server.start_kernel()
    server.execute(kernel, "x = 41")
    twice(host, ["update"], host.lab(**{option: after}))
    assert read(host.inspect()) == seen
    assert host.inspect()["Id"] == container
    assert server.execute(kernel, "print(x + 1)") == "42\n"


def test_recreate_for_a_new_image(host, other_image):
    host.labs(host.lab())
    before = host.inspect()["Id"]
    (host.path / "work" / host.name() / "kept.txt").write_text("work")
    port, token = host.labs(host.lab())["labs"][0]["port"], host.token()
    done = twice(host, ["replace"], host.lab(image=other_image))
    assert host.inspect()["Id"] != before
    assert host.inspect()["Config"]["Image"] == other_image
    assert (done["labs"][0]["port"], host.token()) == (port, token)
    assert [item["name"] for item in host.server().ask("api/contents")["content"]] == ["kept.txt"]
    assert len(host.engine.containers(all=True, filters={"name": host.prefix})) == 1


def test_stop_and_start(host):
    host.labs(host.lab())
    container = host.inspect()["Id"]
    twice(host, ["stop"], host.lab(state="stopped"))
    assert host.inspect()["State"]["Status"] == "exited"
    twice(host, ["start"], host.lab())
    assert host.inspect()["Id"] == container
    assert host.server().ask("api")["version"]


def test_restart_each_time(host):
    host.labs(host.lab())
    started = host.inspect()["State"]["StartedAt"]
    assert actions(host.labs(host.lab(state="restarted"), check=True)) == ["restart"]
    assert host.inspect()["State"]["StartedAt"] == started
    assert actions(host.labs(host.lab(state="restarted"))) == ["restart"]
    assert host.inspect()["State"]["StartedAt"] != started


def test_create_stopped(host):
    twice(host, ["make work directory", "create"], host.lab(state="stopped"))
    assert host.inspect()["State"]["Status"] == "created"


def test_resume_a_paused_lab(host):
    host.labs(host.lab())
    host.engine.pause(host.name())
    twice(host, ["resume"], host.lab())


def test_ephemeral_is_gone_when_stopped(host):
    lab = host.lab(ephemeral=True)
    twice(host, ["create", "start"], lab)
    assert host.inspect()["HostConfig"]["AutoRemove"]
    assert host.server().ask("api/contents")["content"] == []
    twice(host, ["remove"], {**lab, "state": "stopped"})
    assert not host.exists()
    assert not (host.path / "state" / "labs" / host.name()).exists()


def test_restart_an_ephemeral_lab(host):
    host.labs(host.lab(ephemeral=True))
    before = host.inspect()["Id"]
    assert [step["action"] for step in host.labs(host.lab(ephemeral=True, state="restarted"))["steps"]] == ["restart"]
    assert host.inspect()["Id"] != before
    assert host.server().ask("api/status")


def test_replace_an_ephemeral_lab(host):
    host.labs(host.lab(ephemeral=True))
    twice(host, ["replace"], host.lab(ephemeral=True, env={"COLOUR": "red"}))
    assert host.server().ask("api")["version"]


def test_cpus_change_also_after_a_change_by_hand(host):
    host.labs(host.lab())
    api = host.engine
    address = api._url("/containers/{0}/update", host.name())
    api._raise_for_status(api._post_json(address, data={"NanoCpus": 600_000_000}))
    twice(host, ["update"], host.lab(cpus=0.7))
    assert host.info()["labs"][0]["cpu"]["allowed"] == 0.7


def test_drift_by_hand_is_mended(host):
    host.labs(host.lab(memory="512m"))
    host.engine.update_container(host.name(), mem_limit=256 * 1024**2, memswap_limit=256 * 1024**2)
    done = twice(host, ["update"], host.lab(memory="512m"))
    assert done["steps"][0]["reason"] == "memory 268435456 -> 536870912"


def test_killed_lab_is_started(host):
    host.labs(host.lab(restart_policy="no"))
    host.engine.kill(host.name())
    twice(host, ["start"], host.lab(restart_policy="no"))


def test_work_directory_belongs_to_its_owner(host):
    work = host.path / "work" / host.name()
    host.labs(host.lab(owner="4321:100"))
    assert (work.stat().st_uid, work.stat().st_gid) == (4321, 100)
    server = host.server()
    server.ask("api/contents/made.txt", "PUT", {"type": "file", "format": "text", "content": "x"})
    assert (work / "made.txt").stat().st_uid == 4321
    twice(host, ["own work directory", "replace"], host.lab(owner="4322:100"))
    assert (work / "made.txt").stat().st_uid == 4322


def test_owner_of_an_existing_directory_is_kept(host):
    work = host.path / "mine"
    work.mkdir()
    os.chown(work, 4321, 100)
    done = host.labs(host.lab(work_dir=str(work)))
    assert done["labs"][0]["owner"] == "4321:100"
    assert host.inspect()["Config"]["User"] == "4321:100"


def test_purge_takes_undeclared_labs_and_nothing_else(host, other_image):
    host.labs(host.lab("a"), host.lab("b"))
    stranger = host.engine.create_container(
        other_image, name=host.name("stranger"), labels={"fleet.myjupyter.lab": "somebody-else"}
    )["Id"]
    done = twice(host, ["remove"], host.lab("a"), purge=True)
    assert done["steps"][0]["lab"] == host.name("b")
    assert host.exists("a") and not host.exists("b")
    assert host.engine.inspect_container(stranger)
    assert (host.path / "work" / host.name("b")).is_dir()


def test_labs_of_another_state_directory_are_another_user_s(host):
    elsewhere = {"state_dir": str(host.path / "state-of-another")}
    host.labs(host.lab("a"), **elsewhere)
    before = host.inspect("a")
    host.labs(host.lab("b"), purge=True)
    for wanted in (host.lab("a"), host.lab("a", state="absent")):
        with pytest.raises(ModuleFailed, match="is a lab that is kept in .*/state-of-another, .* as state_dir"):
            host.labs(wanted)
    assert host.inspect("a")["State"]["StartedAt"] == before["State"]["StartedAt"] and host.exists("b")
    (host.path / "linked").symlink_to(host.path / "state-of-another")
    assert not host.labs(host.lab("a"), state_dir=str(host.path / "linked"))["changed"]


def test_a_check_knows_of_images_that_the_run_makes_first(host):
    host.labs(host.lab())
    images = {"images_to_come": [host.image]}
    assert [step["action"] for step in host.labs(host.lab(), check=True, **images)["steps"]] == ["replace"]
    assert not host.labs(host.lab(), **images)["changed"]
    assert not host.labs(host.lab(), check=True, images_to_come=["other"])["changed"]


def test_ten_at_once_all_come_up(host):
    labs = [host.lab(f"n{number}") for number in range(10)]
    done = host.labs(*labs)
    assert len({lab["port"] for lab in done["labs"]}) == 10
    assert all(host.server(f"n{number}").ask("api")["version"] for number in range(10))
    assert not host.labs(*labs)["changed"]
