"""An engine that is reached over TCP with TLS: options, environment, and what is said where they do not fit."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time

import pytest

from tests import session
from tests.conftest import ModuleFailed

from .images import action

PATIENCE = 30  # seconds
AUTHORITY = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={0} -keyout {0}-key.pem -out {0}.pem\n"
ISSUED = """\
openssl req -newkey rsa:2048 -nodes -subj /CN={0} -keyout {0}-key.pem -out {0}.csr
printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' > {0}.ext
openssl x509 -req -in {0}.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile {0}.ext -out {0}.pem
"""
SCRIPT = AUTHORITY.format("ca") + AUTHORITY.format("other") + ISSUED.format("server") + ISSUED.format("cert")


@pytest.fixture(scope="module")
def bridge():
    """A network bridge for one more engine: without one of its own it would take the first one's, or remove it."""
    with session.bridge() as name:
        yield name


@pytest.fixture(scope="module")
def secured(tmp_path_factory, bridge):
    """A second engine of this machine, which asks for a client's certificate; its address and the certificates."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["sh", "-ec", SCRIPT], cwd=folder, check=True, capture_output=True)
    (folder / "key.pem").symlink_to("cert-key.pem")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    command = [
        "dockerd", "--host", address, "--tlsverify", "--tlscacert", folder / "ca.pem",
        "--tlscert", folder / "server.pem", "--tlskey", folder / "server-key.pem",
        "--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid",
        "--bridge", bridge, "--iptables=false", "--config-file", folder / "none.json",
    ]  # fmt: skip
    (folder / "none.json").write_text("{}")
    with (folder / "log").open("w") as log:
        engine = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + PATIENCE
        while "API listen on" not in (folder / "log").read_text():
            assert time.monotonic() < until and engine.poll() is None, (folder / "log").read_text()[-2000:]
            time.sleep(0.2)
        yield address, folder
    finally:
        os.kill(engine.pid, signal.SIGTERM)
        engine.wait(PATIENCE)


@pytest.fixture
def options(secured):
    address, folder = secured
    return {
        "docker_host": address,
        "tls": True,
        "ca_path": str(folder / "ca.pem"),
        "client_cert": str(folder / "cert.pem"),
        "client_key": str(folder / "key.pem"),
    }


def test_an_engine_over_tls_is_asked(run_module, options):
    assert run_module("labs_info", **options)["labs"] == []
    assert run_module("image_info", **options)["images"] == []


def test_an_image_is_built_and_removed_over_tls(run_module, options, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    wanted = {"name": "over-tls", "path": str(tmp_path), **options}
    assert run_module("image", check=True, **wanted)["changed"]
    assert run_module("image", **wanted)["changed"]
    assert not run_module("image", **wanted)["changed"]
    assert [item["name"] for item in run_module("image_info", **options)["images"]] == ["over-tls"]
    assert run_module("image", state="absent", **wanted)["changed"]


def test_an_image_is_given_out_and_loaded_over_tls(run_module, options, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    built = run_module("image", name="over-tls", path=str(tmp_path), **options)["image"]
    packed = action("image_export", name="over-tls", layers=built["layers"], dest=str(tmp_path / "layers"), **options)
    run_module("image", name="over-tls", state="absent", **options)
    wanted = {
        "name": "over-tls",
        "image": built,
        "parcel": packed["parcel"],
        "src": str(tmp_path / "layers"),
        **options,
    }
    assert action("image_import", check=True, **wanted)["lacking"] == built["layers"]
    assert action("image_import", **wanted)["changed"]
    assert run_module("image_info", **options)["images"][0]["id"] == built["id"]
    run_module("image", name="over-tls", state="absent", **options)


def test_the_environment_of_dockers_own_command_serves(run_module, options, secured, monkeypatch):
    address, folder = secured
    monkeypatch.setenv("DOCKER_HOST", address)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(folder))
    assert run_module("labs_info")["labs"] == []
    wrong = {**options, "ca_path": str(folder / "other.pem")}
    with pytest.raises(ModuleFailed, match="certificate verify failed"):
        run_module("labs_info", **wrong)


def test_without_checking_whose_certificate_it_is(run_module, options, secured):
    wrong = {**options, "ca_path": str(secured[1] / "other.pem"), "validate_certs": False}
    assert run_module("labs_info", **wrong)["labs"] == []


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"tls": False}, "It speaks TLS: set tls: true"),
        ({"client_cert": None, "client_key": None}, "certificate.*client_cert and client_key a pair"),
        ({"client_key": None}, "client_key"),
        ({"ca_path": "/no/such.pem"}, "ca_path: '/no/such.pem' is no file"),
    ],
)
def test_what_does_not_fit_is_said(run_module, options, change, sentence):
    with pytest.raises(ModuleFailed, match=sentence):
        run_module("labs_info", **{key: value for key, value in {**options, **change}.items() if value is not None})
