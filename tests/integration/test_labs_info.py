"""Every fact that labs_info tells, of real labs in every state."""

from __future__ import annotations

import time


def one(host, short="a", **options):
    return host.info(names=[host.name(short)], **options)["labs"][0]


def test_a_running_lab(host):
    host.labs(host.lab(memory="512m", cpus=1))
    (host.path / "work" / host.name() / "data.bin").write_bytes(b"x" * 100_000)
    server = host.server()
    kernel = server.start_kernel()
    server.execute(kernel, "import time; time.sleep(60)", wait=False)
    server.ask("api/terminals", "POST")
    about = one(host)
    assert (about["state"], about["healthy"], about["reason"], about["busy"]) == ("running", True, "", True)
    assert about["jupyterlab_version"].startswith("4.") and about["python_version"].startswith("3.")
    assert (about["kernels"][0]["state"], about["kernels"][0]["name"], about["terminals"]) == ("busy", "python3", 1)
    assert about["kernels"][0]["last_activity"].startswith("20")
    assert (about["memory"]["allowed"], about["cpu"]["allowed"]) == (512 * 1024**2, 1)
    assert about["work_dir"]["owner"] == "1000:100" and about["work_dir"]["size"] > 100_000
    assert about["since"].startswith("20") and about["image"] == host.image and about["drift"] == {}
    assert about["bind_address"] == "127.0.0.1" and str(about["port"]) in about["url"]


def test_use_is_what_the_engine_measures(host):
    """An engine whose cgroups are not all mounted measures nothing: then nothing is claimed."""
    host.labs(host.lab(memory="512m"))
    measured = host.engine.stats(host.name(), stream=False)["memory_stats"].get("usage")
    about = one(host)
    if measured is None:
        assert about["memory"]["used"] is None
    else:
        assert 0 < about["memory"]["used"] <= 512 * 1024**2 and about["cpu"]["used"] >= 0


def test_the_notebook_of_a_kernel(host):
    host.labs(host.lab())
    body = {"path": "a.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    host.server().ask("api/sessions", "POST", body)
    assert one(host)["kernels"][0]["notebook"] == "a.ipynb"
    host.server().ask("api/sessions", "POST", {**body, "path": "RTC:b.ipynb"})
    assert {kernel["notebook"] for kernel in one(host)["kernels"]} == {"a.ipynb", "b.ipynb"}


def test_a_stopped_lab(host):
    host.labs(host.lab())
    host.labs(host.lab(state="stopped"))
    about = one(host)
    assert (about["state"], about["healthy"], about["reason"]) == ("exited", False, "it is exited")
    assert about["memory"] is None and about["drift"] == {} and about["declared_state"] == "stopped"
    host.engine.start(host.name())
    assert one(host, sizes=False)["drift"] == {"state": {"declared": "stopped", "found": "started"}}


def test_a_lab_whose_container_was_removed_is_told_of(host):
    host.labs(host.lab(), host.lab("b", ephemeral=True))
    for short in "ab":
        host.engine.remove_container(host.name(short), force=True)
    about = one(host)
    assert (about["state"], about["declared_state"], about["healthy"]) == ("missing", "started", False)
    assert about["reason"].startswith("its container was removed") and about["work_dir"]["owner"]
    host.labs(host.lab(state="absent"))
    assert host.info()["labs"] == []


def test_a_note_that_was_cut_off_is_passed_over(host):
    host.labs(host.lab())
    (host.path / f"state/declared/{host.name()}.json").write_text("")
    assert one(host)["drift"] == {} and not host.labs(host.lab())["changed"]


def test_a_server_that_does_not_answer(host):
    host.labs(host.lab())
    server = host.server()
    stop = "threading.Timer(1, os.kill, (os.getppid(), signal.SIGSTOP)).start()"
    server.execute(server.start_kernel(), f"import os, signal, threading; {stop}")
    time.sleep(2)  # it has answered by then, and is stopped
    about = one(host, sizes=False)
    assert (about["healthy"], about["busy"], about["work_dir"]["size"]) == (False, True, None)
    assert "does not answer" in about["reason"]


def test_drift(host, other_image):
    host.labs(host.lab(memory="512m"))
    host.engine.update_container(host.name(), mem_limit=256 * 1024**2, memswap_limit=256 * 1024**2)
    assert one(host)["drift"] == {"memory": {"declared": 512 * 1024**2, "found": 256 * 1024**2}}
    host.labs(host.lab(memory="256m"))
    assert one(host)["drift"] == {}


def test_a_change_that_was_put_off_is_drift(host):
    host.labs(host.lab())
    server = host.server()
    server.execute(server.start_kernel(), "import time; time.sleep(60)", wait=False)
    host.labs(host.lab(env={"A": "b"}))
    assert one(host)["drift"] == {"env": {"declared": {"A": "b"}, "found": {}}}


def test_token_only_when_asked_for(host):
    host.labs(host.lab())
    assert host.token() not in str(one(host))
    assert host.token() in one(host, show_tokens=True)["url"]
    host.labs(host.lab("b", bind_address="0.0.0.0"))
    assert "//lab.example.edu:" in one(host, "b", hostname="lab.example.edu")["url"]


def test_names_choose(host):
    host.labs(host.lab("a"), host.lab("b"))
    assert [lab["name"] for lab in host.info(names=[host.name("b")])["labs"]] == [host.name("b")]
    assert host.info(names=["no-such-lab"])["labs"] == []


def test_it_changes_nothing_in_check_mode_too(host):
    host.labs(host.lab())
    assert host.info(check=True, names=[host.name()])["changed"] is False
