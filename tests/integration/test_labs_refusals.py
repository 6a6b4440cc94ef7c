"""Bad input: one clear sentence that names option and value, before anything on the host is touched."""

from __future__ import annotations

import socket
import subprocess

import pytest

from tests.conftest import ModuleFailed


def refuse(host, sentence, *labs, **options):
    for check in (True, False):
        with pytest.raises(ModuleFailed, match=sentence):
            host.labs(*labs, check=check, **options)
    assert not host.engine.containers(all=True, filters={"name": f"{host.prefix}-a"})
    assert not (host.path / "state").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"memory": "lots"}, r"memory: 'lots' should be a size"),
        ({"name": "bad name"}, r"labs.name: 'bad name' is no name"),
        ({"work_dir": "/"}, "not a directory for one person's work"),
        ({"work_dir": "/home"}, "not a directory for one person's work"),
        ({"work_dir": "/etc"}, "not a directory for one person's work"),
        ({"networks": ["no-such-net"]}, "networks: 'no-such-net' is not on this host.*docker network create"),
        ({"owner": "nosuchuser"}, "owner: 'nosuchuser' is no user of this host"),
        ({"token_file": "/no/such/file"}, "token_file: '/no/such/file' cannot be read"),
        ({"work_from": "/no/such/dir"}, "work_from: '/no/such/dir' is no directory"),
        ({"mounts": [{"source": "/no/such", "target": "/x"}]}, "mounts: '/no/such' does not exist"),
        ({"bind_address": "192.0.2.1"}, "bind_address: '192.0.2.1' is no address of this host"),
        ({"bind_address": "fe80::1"}, "bind_address: 'fe80::1' is no address of this host"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_one_lab(host, options, sentence):
    refuse(host, sentence, host.lab(**options))


def test_a_work_directory_that_has_to_do_with_the_tokens(host):
    for path in (host.path, host.path / "state", host.path / "state/labs"):
        refuse(host, "work_dir: .* has to do with .*/state, where the tokens are", host.lab(work_dir=str(path)))


@pytest.mark.parametrize(
    ("path", "sentence"), [("/tmp", "not a directory for tokens alone"), ("state", "should be an absolute path")]
)
def test_a_state_directory_that_others_need(host, path, sentence):
    refuse(host, f"state_dir: '{path}' .*{sentence}", host.lab(), state_dir=path)


def test_a_lab_of_internal_networks_alone(host):
    network = host.name("net")
    host.engine.create_network(network, driver="bridge", internal=True)
    try:
        refuse(host, f"networks: '{network}' is internal, so the lab would have no port", host.lab(networks=[network]))
        assert host.labs(host.lab(networks=[network, "bridge"]))["changed"]
    finally:
        host.clean()
        host.engine.remove_network(network)


def test_one_work_directory_for_two_by_a_link(host):
    (host.path / "work" / host.name()).mkdir(parents=True)
    (host.path / "work" / "linked").symlink_to(host.path / "work" / host.name())
    refuse(host, "each needs a directory of its own", host.lab(), host.lab("b", work_dir="linked"))


def test_ephemeral_labs_have_no_work_to_dispute(host):
    host.labs(host.lab(ephemeral=True))
    host.labs(host.lab("b", ephemeral=True))
    assert host.exists() and host.exists("b")


def test_a_port_of_a_process_at_another_address(host):
    host.labs(host.lab(port=host.first_port))
    before = host.inspect()["State"]["StartedAt"]
    with socket.socket() as busy:
        busy.bind(("127.0.0.2", host.first_port))
        busy.listen()
        with pytest.raises(ModuleFailed, match=f"port: {host.first_port} is taken by the process"):
            host.labs(host.lab(port=host.first_port, bind_address="0.0.0.0"))
        assert not host.labs(host.lab(port=host.first_port))["changed"]
    assert host.inspect()["State"]["StartedAt"] == before


def test_image_that_is_not_there(host):
    """A check may come before the run that builds it, and says so."""
    foretold = host.labs(host.lab(image="no-such-image"), check=True)
    assert "no-such-image is not on this host" in str(foretold["warnings"])
    with pytest.raises(ModuleFailed, match="image: 'no-such-image' is not on this host.*jupyter_image"):
        host.labs(host.lab(image="no-such-image"))
    assert not host.exists()


def test_image_of_an_unreachable_registry(host):
    with pytest.raises(ModuleFailed, match=r"pull 127\.0\.0\.1:1/nobody/none.*jupyter_image"):
        host.labs(host.lab(image="127.0.0.1:1/nobody/none"))
    assert not host.exists()


def test_port_of_a_process(host):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        refuse(host, rf"port: {port} is taken by the process (python|pytest)\S* \(\d+\)", host.lab(port=port))


def test_port_of_another_container(host):
    stranger = host.engine.create_container(
        host.image, ["sleep", "60"], name=host.name("stranger"), ports=[8888],
        host_config=host.engine.create_host_config(port_bindings={8888: ("127.0.0.1", host.first_port)}),
    )["Id"]  # fmt: skip
    host.engine.start(stranger)
    refuse(host, f"is taken by the container {host.name('stranger')}", host.lab(port=host.first_port))


@pytest.mark.parametrize("option", ["name", "port", "work_dir"])
def test_two_labs_with_the_same(host, option):
    value = {"name": host.name("a"), "port": "10999", "work_dir": "same"}[option]
    refuse(
        host, f"labs.{option}.*is given to two labs", host.lab("a", **{option: value}), host.lab("b", **{option: value})
    )


def test_name_of_a_container_that_is_not_ours(host):
    host.engine.create_container(host.image, name=host.name("stranger"))
    with pytest.raises(ModuleFailed, match="no lab of ours"):
        host.labs(host.lab("stranger"))


def test_work_dir_that_is_a_file(host):
    (host.path / "file").write_text("x")
    refuse(host, "is not a directory", host.lab(work_dir=str(host.path / "file")))
    assert (host.path / "file").read_text() == "x"


def test_work_dir_that_leads_out_of_its_root(host):
    (host.path / "work").mkdir()
    (host.path / "work" / "sly").symlink_to("/var/lib/docker/volumes")
    refuse(host, "leads out of .* to /var/lib/docker/volumes", host.lab(work_dir="sly"))


def test_work_dir_of_a_lab_that_is_not_declared(host):
    host.labs(host.lab(), host.lab("b", work_dir="group/b"))
    for work_dir in (host.name(), "group"):
        with pytest.raises(ModuleFailed, match="where the lab .* is at work, which is not declared here"):
            host.labs(host.lab("c", work_dir=work_dir, owner="1000:100"))
    assert not host.exists("c")
    renamed = host.lab("c", work_dir=host.name())
    assert host.labs({"name": host.name(), "state": "absent"}, renamed)["changed"]


def test_work_dir_of_root_with_things_in_it(host):
    (host.path / "roots").mkdir()
    (host.path / "roots" / "file").write_text("x")
    refuse(host, "belongs to root and is not empty.*owner", host.lab(work_dir=str(host.path / "roots")))


def test_empty_token_file(host):
    (host.path / "secret").write_text("\n")
    refuse(host, "token_file.*lets everybody in", host.lab(token_file=str(host.path / "secret")))


@pytest.mark.parametrize(
    ("docker_host", "sentence"),
    [
        ("unix:///no/such.sock", "No Docker Engine listens at /no/such.sock.*docker_engine"),
        ("tcp://127.0.0.1:1", "Could not reach the engine at tcp://127.0.0.1:1"),
    ],
)
def test_engine_that_is_not_there(host, docker_host, sentence):
    with pytest.raises(ModuleFailed, match=sentence):
        host.labs(host.lab(), docker_host=docker_host)


def test_check_on_a_host_without_an_engine_tells_what_a_run_would_do(host):
    foretold = host.labs(host.lab(), check=True, docker_host="unix:///no/such.sock")
    assert [step["action"] for step in foretold["steps"]] == ["make work directory", "create", "start"]
    assert "assumes an engine with nothing in it" in str(foretold["warnings"])


def test_a_full_disk_is_told_in_a_sentence(host):
    (host.path / "state").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", host.path / "state"], check=True)
    try:
        (host.path / "state/full").write_bytes(bytes(4096))
        with pytest.raises(ModuleFailed, match="No space left on device: free some room; `df -h` on the host shows"):
            host.labs(host.lab())
    finally:
        subprocess.run(["umount", host.path / "state"], check=True)
