"""Every option of a lab, seen in its container or by its server."""

from __future__ import annotations

import secrets
import socket
import urllib.error

import pytest

from tests.conftest import ModuleFailed

HOST_CONFIG = [
    ("memory", "300m", lambda about: about["HostConfig"]["Memory"] == 300 * 1024**2),
    ("cpus", 0.5, lambda about: about["HostConfig"]["CpuQuota"] == 50_000),
    ("shm_size", "128m", lambda about: about["HostConfig"]["ShmSize"] == 128 * 1024**2),
    ("pids_limit", 150, lambda about: about["HostConfig"]["PidsLimit"] == 150),
    ("restart_policy", "on-failure", lambda about: about["HostConfig"]["RestartPolicy"]["Name"] == "on-failure"),
    ("labels", {"course": "ml1"}, lambda about: about["Config"]["Labels"]["course"] == "ml1"),
    (
        "env",
        {"COLOUR": "red", "DEBUG": True},
        lambda about: {"COLOUR=red", "DEBUG=true"} <= set(about["Config"]["Env"]),
    ),
    ("bind_address", "127.0.0.5", lambda about: bound(about)["HostIp"] == "127.0.0.5"),
    ("healthcheck", {"disable": True}, lambda about: about["Config"]["Healthcheck"]["Test"] == ["NONE"]),
    (
        "healthcheck",
        {"interval": 7, "timeout": 3, "retries": 2, "start_period": 5},
        lambda about: (
            about["Config"]["Healthcheck"]["Interval"] == 7 * 10**9 and about["Config"]["Healthcheck"]["Retries"] == 2
        ),
    ),
]


def bound(about):
    return about["HostConfig"]["PortBindings"]["8888/tcp"][0]


@pytest.mark.parametrize(("option", "value", "holds"), HOST_CONFIG, ids=[row[0] for row in HOST_CONFIG])
def test_in_the_container(host, option, value, holds):
    lab = host.lab(**{option: value})
    host.labs(lab)
    assert holds(host.inspect())
    assert not host.labs(lab)["changed"]


def test_gpus_are_asked_of_the_engine_by_uuid(host, seen_gpus):
    """Each foretold, done, and done again. The engine here has no GPU to give to a lab that starts."""

    def gpus():
        requests = host.inspect()["HostConfig"]["DeviceRequests"]
        return [uuid for request in requests for uuid in request["DeviceIDs"]]

    for wanted, given in [(1, seen_gpus[:1]), ("all", seen_gpus), ([seen_gpus[1]], seen_gpus[1:]), (1, seen_gpus[1:])]:
        lab = host.lab(gpus=wanted, state="stopped")
        foretold = host.labs(lab, check=True)
        done = host.labs(lab)
        for result in (foretold, done):
            assert result["labs"][0]["gpus"] == given
        assert foretold["steps"] == done["steps"] and foretold["diff"] == done["diff"]
        assert gpus() == given
        for check in (True, False):
            assert not host.labs(lab, check=check)["changed"]
    host.labs(host.lab(state="stopped"))
    assert not host.inspect()["HostConfig"]["DeviceRequests"]
    assert "NVIDIA_VISIBLE_DEVICES=void" in host.inspect()["Config"]["Env"]


def test_port_given_and_auto(host):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    done = host.labs(host.lab("a", port=free), host.lab("b"), first_port=free)
    assert [lab["port"] for lab in done["labs"]][0] == free
    automatic = done["labs"][1]["port"]
    assert automatic > free
    host.labs(host.lab("a", port=free, state="absent"))
    kept = host.labs(host.lab("b"), first_port=free)
    assert (kept["changed"], kept["labs"][0]["port"]) == (False, automatic)


def test_auto_port_passes_over_what_others_hold(host):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        done = host.labs(host.lab(), first_port=port)
    assert done["labs"][0]["port"] > port


def test_auto_port_is_another_where_it_was_taken_meanwhile(host):
    host.labs(host.lab())
    host.engine.stop(host.name(), timeout=5)
    with socket.socket() as busy:
        busy.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        busy.bind(("127.0.0.1", host.first_port))
        busy.listen()
        with pytest.raises(ModuleFailed, match=rf"port: {host.first_port} is taken by the process \w+"):
            host.labs(host.lab(port=host.first_port))
        foretold, done = host.labs(host.lab(), check=True), host.labs(host.lab())
        assert foretold["steps"] == done["steps"]
        assert done["labs"][0]["port"] > host.first_port
        assert not host.labs(host.lab())["changed"]


def test_token_given(host):
    token = secrets.token_hex(12)
    host.labs(host.lab(token=token))
    assert host.token() == token
    assert host.server().ask("api/status")


def test_token_file_and_rotation(host):
    secret = host.path / "secret"
    secret.write_text("first-token-of-two\n")
    host.labs(host.lab(token_file=str(secret)))
    assert host.server().token == "first-token-of-two"
    secret.write_text("second-token-of-two\n")
    assert host.labs(host.lab(token_file=str(secret)))["steps"][0]["reason"] == "token changed"
    assert host.server().ask("api/status")
    old = host.server()
    old.token = "first-token-of-two"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        old.ask("api/status")


def test_token_is_nowhere_to_be_seen(host):
    done = host.labs(host.lab())
    token, about = host.token(), str(host.inspect())
    assert token not in about
    assert token not in str(done)
    assert token in host.labs(host.lab(), show_tokens=True)["labs"][0]["url"]
    assert token not in host.engine.logs(host.name()).decode()
    server = host.server()
    printed = server.execute(server.start_kernel(), "import os; print(dict(os.environ))")
    assert token not in printed
    assert (host.path / "state").stat().st_mode & 0o777 == 0o700
    assert (host.path / "state" / "labs" / host.name() / "token").stat().st_mode & 0o777 == 0o400


def test_work_dir_relative_to_its_root_and_absolute(host):
    host.labs(host.lab("a", work_dir="team/one"), host.lab("b", work_dir=str(host.path / "elsewhere")))
    assert (host.path / "work" / "team" / "one").is_dir()
    assert (host.path / "elsewhere").is_dir()


def test_mounts_read_only_unless_said_otherwise(host):
    for name in ("data", "scratch"):
        (host.path / name).mkdir()
        (host.path / name).chmod(0o777)
    host.labs(
        host.lab(
            mounts=[
                {"source": str(host.path / "data"), "target": "/home/jovyan/data"},
                {"source": str(host.path / "scratch"), "target": "/home/jovyan/scratch", "read_only": False},
            ]
        )
    )
    server = host.server()
    kernel = server.start_kernel()
    server.execute(kernel, "open('/home/jovyan/scratch/x', 'w').write('x')")
    with pytest.raises(AssertionError, match="Read-only"):
        server.execute(kernel, "open('/home/jovyan/data/x', 'w')")


def test_base_url(host):
    done = host.labs(host.lab(base_url="/alice"))
    assert done["labs"][0]["url"].endswith("/alice/lab")
    server = host.server()
    server.base_url = "/alice/"
    assert server.ask("api")["version"]


def test_server_configuration(host):
    host.labs(host.lab(config={"ServerApp": {"terminals_enabled": False}}))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        host.server().ask("api/terminals")
    assert host.labs(host.lab(config={}))["steps"][0]["reason"] == "config changed"


def test_networks_change_while_it_runs(host):
    network = host.name("net")
    host.engine.create_network(network, driver="bridge")
    try:
        host.labs(host.lab())
        server, container = host.server(), host.inspect()["Id"]
        kernel = server.start_kernel()
        for wanted, seen in (([network], {network}), (["bridge", network], {"bridge", network}), ([], {"bridge"})):
            assert [step["action"] for step in host.labs(host.lab(networks=wanted))["steps"]] == ["reconnect"]
            assert set(host.inspect()["NetworkSettings"]["Networks"]) == seen
            assert host.server().execute(kernel, "print(7)") == "7\n"
            assert not host.labs(host.lab(networks=wanted))["changed"]
        assert host.inspect()["Id"] == container
        host.labs(host.lab("b", networks=[network]))
        assert set(host.inspect("b")["NetworkSettings"]["Networks"]) == {network}
    finally:
        host.clean()
        host.engine.remove_network(network)


def test_start_as_root_becomes_the_owner(host):
    host.labs(host.lab(start_as_root=True, owner="4321:4321", env={"NB_USER": "alice", "CHOWN_HOME": "yes"}))
    server = host.server()
    printed = server.execute(server.start_kernel(), "import os; print(os.getuid(), os.environ['HOME'])")
    assert printed.split() == ["4321", "/home/alice"]
    server.ask("api/contents/made.txt", "PUT", {"type": "file", "format": "text", "content": "x"})
    assert (host.path / "work" / host.name() / "made.txt").stat().st_uid == 4321


def test_gen_cert_serves_https(host):
    done = host.labs(host.lab(env={"GEN_CERT": "yes"}))
    assert done["labs"][0]["url"].startswith("https://")


def test_what_an_image_says_of_the_port_and_of_https_is_the_labs_to_say(host):
    image = f"{host.name()}-image"
    container = host.engine.create_container(host.image)["Id"]
    host.engine.commit(container, image, changes=["ENV JUPYTER_PORT=9999", "ENV GEN_CERT=yes"])
    host.engine.remove_container(container)
    try:
        done = host.labs({**host.lab(), "image": image}, wait_for="health")
        assert done["labs"][0]["url"].startswith("http://")
        assert host.labs({**host.lab(env={"GEN_CERT": ""}), "image": image})["labs"][0]["url"].startswith("https://")
    finally:
        host.clean()
        host.engine.remove_image(image)


def test_url_bears_the_hostname_where_others_may_come_in(host):
    done = host.labs(host.lab("a", bind_address="0.0.0.0"), host.lab("b"), hostname="lab.example.edu")
    assert done["labs"][0]["url"].startswith("http://lab.example.edu:")
    assert done["labs"][1]["url"].startswith("http://127.0.0.1:")


def test_no_waiting(host):
    host.labs(host.lab(), wait=False)
    assert host.inspect()["State"]["Running"]


def test_side_by_side_or_one_by_one(host):
    labs = [host.lab("a"), host.lab("b")]
    assert host.labs(*labs, at_once=1, stop_timeout=5, wait_timeout=60)["changed"]
    assert host.inspect()["Config"]["StopTimeout"] == 5
    assert not host.labs(*labs)["changed"]
