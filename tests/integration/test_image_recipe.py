"""Every part of a recipe, as it shows in the image that is built."""

from __future__ import annotations

import base64
import hashlib
import http.server
import io
import ipaddress
import json
import os
import re
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ModuleFailed

SECRET = "s3cr3t-of-the-index"


def test_packages_come_from_apt(images):
    made = images.twice(packages=["less"])
    assert images.run("dpkg-query -W -f '${Status}' less") == "install ok installed"
    assert images.run("find /var/lib/apt /var/cache -name '*Packages*' -o -name '*.deb' 2>/dev/null || true") == ""
    assert made["diff"]["after"]["recipe"]["packages"] == ["less"]
    with pytest.raises(ModuleFailed, match="Installing system packages: nosuchpackage: .*nosuchpackage"):
        images.image(packages=["nosuchpackage"])


def test_files_have_their_content_mode_and_owner(images, tmp_path):
    source = tmp_path / "source"
    source.write_text("one\n")
    files = [
        {"dest": "/etc/jupyter/extra.json", "content": "{}", "mode": "0640"},
        {"dest": "/home/jovyan/.config/tool/settings", "src": str(source)},
    ]
    images.twice(files=files)
    assert images.run("stat -c '%U %a' /home/jovyan/.config/tool /home/jovyan/.config/tool/settings") == (
        "jovyan 2755\njovyan 644"
    )
    assert images.run("stat -c '%U %a' /etc/jupyter/extra.json") == "root 640"
    source.write_text("two\n")
    images.twice(files=files)
    assert images.run("cat /home/jovyan/.config/tool/settings") == "two"
    images.twice(files=[])


def test_the_umask_of_who_logs_in_decides_nothing(images):
    before = os.umask(0o077)
    try:
        images.twice(requirements=["tabulate==0.9.0"], post_build=["echo $B > ~/b"], build_args={"B": "two"})
    finally:
        os.umask(before)
    assert images.run("cat ~/b; python -c 'import tabulate; print(tabulate.__version__)'") == "two\n0.9.0"


def test_environment_is_taken_literally(images):
    odd = "a \"b\" 'c' $HOME \\ # d"
    images.twice(environment={"ODD": odd, "ON": True, "N": 3})
    assert images.run('printf "%s|%s|%s" "$ODD" "$ON" "$N"') == f"{odd}|true|3"
    with pytest.raises(ModuleFailed, match="has a line break"):
        images.image(environment={"A": "b\nc"})


def test_commands_run_last_as_the_user(images):
    commands = [
        "id -un > ~/who; echo $COURSE > ~/course",
        "#!/usr/bin/env python3\nimport cowsay, pathlib\npathlib.Path('python').write_text('seen')",
    ]
    images.twice(requirements=["cowsay==6.0"], post_build=commands, build_args={"COURSE": "statistics"})
    assert images.run("cat ~/who ~/course ~/python") == "jovyan\nstatistics\nseen"
    images.twice(requirements=["cowsay==6.0"], post_build=commands, build_args={"COURSE": "algebra"})
    assert images.run("cat ~/course") == "algebra"
    with pytest.raises(ModuleFailed, match="Running false: .*exit code: 1") as failed:
        images.image(post_build=[f"echo {images.name}", "false"])
    assert f"  {images.name}" in failed.value.result["output"]


def test_what_is_installed_belongs_to_whom_it_belonged(images):
    images.image(requirements=["cowsay==6.0"])
    where = images.run("python -c 'import cowsay; print(cowsay.__path__[0])'")
    assert images.run(f"stat -c %U:%G {where} $(dirname {where})").splitlines()[0] == (
        images.run(f"stat -c %U:%G $(dirname {where})")
    )
    assert images.run(f"ls {where}/__pycache__ | wc -l") != "0", "compiled, so that an import does not have to"
    assert images.run("pip uninstall -qy cowsay 2>&1; python -c 'import cowsay' 2>&1 | tail -1").endswith("'cowsay'")
    assert images.run("ls -A ~ | grep -c cache || true") == "0"


def test_constraints_hold_and_install_nothing(images):
    made = images.twice(requirements=["cowsay"], constraints="cowsay==6.0\nhumanize==4.9.0")
    assert made["packages"]["added"] == ["cowsay==6.0"]


def test_an_extra_that_a_package_does_not_have_is_named(images):
    [said] = images.image(check=True, requirements=["cowsay[nosuch]==6.0"])["warnings"]
    assert re.search("requirements: .*cowsay.* does not have an extra named `nosuch`", str(said))


def test_what_the_base_has_stays(images):
    base = images.image(environment={"A": "1"})["image"]["packages"]
    made = images.image(requirements=["jinja2", "cowsay==6.0"], environment={"A": "1"})
    assert made["packages"] == {"added": ["cowsay==6.0"], "removed": [], "changed": []}
    assert made["image"]["packages"]["jinja2"] == base["jinja2"]
    assert made["image"]["jupyterlab"] == base["jupyterlab"]


def test_one_more_package_leaves_the_layers_below(images):
    images.image(requirements=["cowsay==6.0"])
    before = images.inspect()["RootFS"]["Layers"]
    images.image(requirements=["cowsay==6.0", "humanize==4.9.0"])
    assert images.inspect()["RootFS"]["Layers"][: len(before)] == before


def test_labels_and_platform(images):
    images.twice(labels={"org.example.course": "statistics: 'a' & \"b\""}, platform="linux/amd64")
    assert images.inspect()["Config"]["Labels"]["org.example.course"] == "statistics: 'a' & \"b\""
    assert images.inspect()["Architecture"] == "amd64"


def test_hashes_are_checked(images):
    with pytest.raises(ModuleFailed, match="no file of cowsay 6.0 has one of the hashes"):
        images.image(requirements=f"cowsay==6.0 --hash=sha256:{'0' * 64}")


def test_a_build_trusts_what_its_host_trusts_and_the_image_does_not_know(images, tmp_path):
    pem = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={images.name}",
         "-keyout", tmp_path / "key", "-out", tmp_path / "ca.pem"],
        check=True, capture_output=True,
    ) and (tmp_path / "ca.pem").read_text()  # fmt: skip
    hook = "sha256sum < $SSL_CERT_FILE > ~/sum; echo $http_proxy $HTTPS_PROXY $no_proxy > ~/proxy; test $PIP_CERT"
    hook += f" # {images.name}"
    proxy = {"http_proxy": f"http://me:{SECRET}@proxy.example:3128", "no_proxy": "localhost,.example"}
    images.image(post_build=[hook], ca_bundle=str(tmp_path / "ca.pem"), proxy=proxy)
    assert images.run("cat ~/sum").split()[0] == hashlib.sha256(pem.encode()).hexdigest()
    assert images.run("cat ~/proxy") == f"{proxy['http_proxy']} localhost,.example"
    assert images.run("env | grep -ciE 'proxy|cert' || true") == "0"
    assert images.run("find / -xdev -name ca -path '*secrets*' -size +0 2>/dev/null || true") == ""
    known = json.dumps([images.inspect(), images.engine.history(images.name)])
    assert SECRET not in known and "proxy.example" not in known
    assert not images.image(post_build=[hook], proxy={})["changed"], "how a build gets out does not change its outcome"


@pytest.fixture
def index(engine):
    """An index with one package, for those who know its password, at an address that a build reaches."""
    gateway = str(ipaddress.ip_network(engine.inspect_network("bridge")["IPAM"]["Config"][0]["Subnet"])[1])
    server = http.server.ThreadingHTTPServer((gateway, 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"{gateway}:{server.server_port}"
    server.shutdown()


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = base64.b64encode(f"me:{SECRET}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self.answer(401, b"", ("WWW-Authenticate", 'Basic realm="index"'))
        elif self.path == "/simple/fleet-private/":
            self.answer(200, b'<a href="/fleet_private-1.0-py3-none-any.whl">fleet_private-1.0-py3-none-any.whl</a>')
        elif self.path.endswith(".whl"):
            self.answer(200, WHEEL)
        else:
            self.answer(404, b"")

    def answer(self, status, body, *headers):
        self.send_response(status)
        for name, value in (*headers, ("Content-Type", "text/html"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


def wheel():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("fleet_private.py", "VALUE = 42\n")
        info = "fleet_private-1.0.dist-info"
        file.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: fleet-private\nVersion: 1.0\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", f"fleet_private.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return out.getvalue()


WHEEL = wheel()


@pytest.mark.parametrize("extra", [False, True], ids=["instead", "beside"])
def test_a_private_index_keeps_its_password(images, index, tmp_path, extra):
    url, log = f"http://me:{SECRET}@{index}/simple", tmp_path / "log"
    options = {"extra_index_urls": [url]} if extra else {"index_url": url}
    needs = ["fleet-private", "cowsay==6.0"] if extra else ["fleet-private"]
    made = images.twice(requirements=needs, log=str(log), **options)
    assert "fleet-private==1.0" in made["packages"]["added"]
    assert images.run("python -c 'import fleet_private; print(fleet_private.VALUE)'") == "42"
    known = json.dumps([images.inspect(), images.engine.history(images.name), made["diff"]])
    assert SECRET not in known + log.read_text()
    assert images.run(f"grep -rl {SECRET} /opt /home /run /tmp 2>/dev/null || true") == ""
    with pytest.raises(ModuleFailed) as failed:
        images.image(requirements=["fleet-nothing"], **options)
    assert SECRET not in json.dumps({**failed.value.result, "invocation": None})


def test_the_host_s_own_pip_settings_serve(images, index, monkeypatch):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"http://me:{SECRET}@{index}/simple file:///nowhere")
    made = images.image(requirements=["fleet-private"])
    assert made["packages"]["added"] == ["fleet-private==1.0"]
    assert SECRET not in json.dumps(images.inspect())


def test_the_builds_of_this_test_leave_no_files(images):
    before = set(Path("/tmp").glob("myjupyter-image-*"))
    images.image(environment={"A": "1"})
    with pytest.raises(ModuleFailed):
        images.image(post_build=["false"])
    assert set(Path("/tmp").glob("myjupyter-image-*")) <= before
