"""A closed site: a bundle made here, and hosts that reach nothing but this machine, which get all from it."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ModuleFailed

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hosts"))

import hosts  # noqa: E402

HOSTS = ["debian12=debian12", "debian13=debian13"]
NAMES = [name.partition("=")[0] for name in HOSTS]
RELEASES = {"bundle_releases": ["bookworm", "trixie"], "bundle_recommends": False}
TOKEN = "a-token-for-tests-only"
# No packages at hand, no indexes, no way out: not by a route, and on the bridge to nobody but this machine.
CLOSE = """
apt-get clean; rm -rf /var/lib/apt/lists/*
gateway=$(ip route show default | cut -d' ' -f3); test -n "$gateway"
iptables --insert OUTPUT --out-interface eth0 ! --destination "$gateway" --jump REJECT
ip route del default
"""
REACH = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
STATE = "cat /etc/apt/sources.list.d/* /etc/apt/sources.list; ls /var/lib/apt/lists /var/cache/apt/archives"
ASK = f"python3 -c \"from urllib.request import urlopen as u; print(u('http://127.0.0.1:10000/api/status?token={TOKEN}').status)\""


class Site:
    """The closed hosts, the bundle for them, and the playbooks that make and use it."""

    def __init__(self, directory, playbook, image):
        self.directory, self._playbook, self.image = directory, playbook, image
        self.inventory, self.bundle = directory / "inventory.yml", directory / "bundle"
        self.recipe = directory / "recipe.yml"
        lab = {"name": "first", "image": image, "token": TOKEN}
        declared = {"jupyter_image_name": image, "jupyter_image_requirements": ["tabulate"], "jupyter_labs": [lab]}
        self.recipe.write_text(json.dumps({"all": {"vars": declared}}))

    def play(self, name, *flags, bundle=None, ok=True, **variables):
        """Run a playbook of the collection; what it printed, without line breaks within messages."""
        extra = json.dumps({"bundle": str(bundle or self.bundle), **variables})
        inventories = ["-i", self.inventory, "-i", self.recipe]
        done = self._playbook(*inventories, f"playbooks/{name}.yml", "-e", extra, *flags, check=ok)
        assert ok or done.returncode, done.stdout
        return done.stdout + done.stderr

    def on(self, name, command, ok=True):
        """What a command prints on a host, as root."""
        fleet = (self.directory / "fleet").read_text()
        shell = ["docker", "exec", f"{fleet}-{name}", "sh", "-ec", command]
        done = subprocess.run(shell, capture_output=True, text=True, check=False)
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip() if ok else done.stdout + done.stderr

    def copy(self, name):
        """The bundle once more, without its data being there twice; what is changed in it is replaced, not written."""
        there = self.directory / name
        shutil.copytree(self.bundle, there, copy_function=os.link)
        return there


def changed(said):
    """The sums of the changes that ansible-playbook told of its hosts."""
    return [int(number) for number in re.findall(r"changed=(\d+)", said)]


def flat(said):
    return " ".join(said.split())


def replace(path, text):
    path.unlink()
    path.write_text(text)


def parts(bundle):
    """The checksums of what does not change with the checkout."""
    lines = (bundle / "SHA256SUMS").read_text().splitlines()
    return [line for line in lines if line.split()[1].startswith(("images/", "packages/", "wheels/"))]


@pytest.fixture(scope="module")
def site(playbook, base, engine, tmp_path_factory):
    """Hosts that are closed, and a bundle that has been made for them."""
    directory = tmp_path_factory.mktemp("closed")
    image = f"myjupyter-test-{secrets.token_hex(4)}"
    site = Site(directory, playbook, image)
    try:
        hosts.up(directory, [hosts.Host.parse(text) for text in HOSTS])
        for name in NAMES:
            site.on(name, CLOSE)
        site.said = site.play("bundle", **RELEASES)
        yield site
    finally:
        hosts.down(directory)
        for item in engine.images(image):
            engine.remove_image(item["Id"], force=True)


def test_the_hosts_are_closed(site):
    for name in NAMES:
        assert "Network is unreachable" in site.on(name, f'python3 -c "{REACH}"', ok=False)
        assert "Temporary failure resolving" in site.on(name, "apt-get -o Acquire::Retries=0 update", ok=False)
        assert site.on(name, "ip -o route show default") == ""


def test_a_bundle_is_whole_and_says_what_it_is(site):
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=site.bundle, check=True)
    said = json.loads((site.bundle / "MANIFEST.json").read_text())
    assert said["releases"] == ["bookworm", "trixie"] and said["machine"] == os.uname().machine
    assert [image["hosts"] for image in said["images"].values()] == [NAMES]
    for release, engine in (("bookworm", "docker.io_20.10"), ("trixie", "docker.io_26.1")):
        assert any(path.name.startswith(engine) for path in (site.bundle / "packages" / release).glob("*.deb"))
    readme = (site.bundle / "README.md").read_text()
    assert f"`{site.image}` for debian12, debian13" in readme and "-e bundle=" in readme
    beside = {path.name for path in site.bundle.iterdir()}
    assert beside == {"README.md", "MANIFEST.json", "SHA256SUMS", "collection", "images", "packages", "wheels"}


def test_a_second_run_refreshes_only_what_differs(site):
    before = parts(site.bundle)
    damaged = next((site.bundle / "packages/trixie").glob("tini_*.deb"))
    replace(damaged, "no package")
    layer = max(site.bundle.glob("images/*/sha256-*"), key=lambda path: path.stat().st_size)
    replace(layer, "no layer")
    said = site.play("bundle", "--diff", **RELEASES)
    packed = re.findall(r"(changed|ok): \[debian12\] => \(item=", said.partition("Pack the image")[2])
    assert packed == ["changed", "ok"], "the base has no layer of its own"
    steps = re.findall(r"^(?:replace|remove|fetch|write|build) .*", said.partition("Complete the bundle")[2], re.M)
    assert steps[0] == f"replace packages/trixie/{damaged.name}, which was damaged"
    assert steps[1].startswith("fetch 1 packages for trixie") and steps[2:] == []
    assert parts(site.bundle) == before


def test_what_cannot_be_meant_is_refused(site, run_module):
    there = {"path": str(site.directory / "no"), "collection": str(ROOT)}
    with pytest.raises(ModuleFailed, match="releases: 'sid' cannot be bundled: packages are taken for bookworm"):
        run_module("bundle", images={}, releases=["sid"], **there)
    with pytest.raises(ModuleFailed, match="bundle_releases: 'noble' cannot be had on this machine"):
        run_module("bundle", images={"k": {}}, releases=["noble"], check=True, **there)
    with pytest.raises(ModuleFailed, match="images: {} has none: the inventory names no host"):
        run_module("bundle", images={}, **there)
    with pytest.raises(ModuleFailed, match="contents.json is missing: pack the image myjupyter first"):
        run_module("bundle", images={"k": {"name": "myjupyter"}}, **there)
    with pytest.raises(ModuleFailed, match="is no directory on the controller"):
        run_module("bundle_info", path=there["path"])
    assert not os.path.exists(there["path"])


def test_what_is_not_whole_is_refused_before_a_host_is_touched(site):
    damaged, incomplete, unfinished = (site.copy(name) for name in ("damaged", "incomplete", "unfinished"))
    deb = next((damaged / "packages/bookworm").glob("docker.io_*.deb"))
    replace(deb, "no package")
    layer = next(incomplete.glob("images/*/sha256-*"))
    layer.unlink()
    (unfinished / "SHA256SUMS").unlink()
    for bundle, sentence in (
        (damaged, f"bundle: {deb} is damaged: copy it again, or make the bundle again."),
        (incomplete, f"bundle: {layer} is missing: copy it again, or make the bundle again."),
        (unfinished, f"bundle: {unfinished}/SHA256SUMS is missing: {unfinished} is no bundle"),
        (site.directory / "none", f"bundle: '{site.directory}/none' is no directory on the controller"),
    ):
        said = site.play("site", bundle=bundle, ok=False)
        assert sentence in flat(said) and "Look at the host" not in said


def test_what_does_not_fit_is_refused_by_name(site):
    other = site.copy("other")
    said = json.loads((other / "MANIFEST.json").read_text())
    replace(other / "MANIFEST.json", json.dumps({**said, "releases": ["trixie"]}))
    names = [path.relative_to(other) for path in other.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    sums = subprocess.run(["sha256sum", *names], cwd=other, check=True, capture_output=True, text=True)
    replace(other / "SHA256SUMS", sums.stdout)
    printed = flat(site.play("site", "--check", bundle=other, ok=False))
    assert (
        "it has packages for trixie, and debian12 runs Debian bookworm: make it again with bundle_releases" in printed
    )
    assert "and debian13" not in printed

    printed = flat(site.play("site", ok=False, jupyter_image_requirements=["six"]))
    assert "bundle: jupyter_image_requirements of debian12 is not what the bundle was made with" in printed
    for name in NAMES:
        assert site.on(name, "command -v docker || echo untouched") == "untouched"


def test_closed_hosts_get_their_labs(site):
    before = {name: site.on(name, STATE) for name in NAMES}
    foretold = site.play("site", "--check")
    assert all(changed(foretold))
    site.play("site")
    for name in NAMES:
        assert site.on(name, ASK) == "200"
        assert site.on(name, "docker exec first python -c 'import tabulate; print(1)'") == "1"
        assert site.on(name, "docker image inspect --format 1 myjupyter-base") == "1"
        assert site.on(name, STATE) == before[name]
        assert site.on(name, "find /home/admin/.cache/myjupyter -type f") == ""
    layers = f"docker image inspect --format '{{{{.RootFS.Layers}}}}' {site.image}"
    assert len({site.on(name, layers) for name in NAMES}) == 1
    again = site.play("site")
    assert changed(again) == [0, 0], again


def test_the_image_is_known_again_by_its_recipe(site):
    """Without the bundle, too: nothing is resolved, and nothing built."""
    module = {"name": site.image, "requirements": ["tabulate"]}
    play = [{"hosts": "all", "gather_facts": False, "become": True, "tasks": [{"myjupyter.fleet.image": module}]}]
    path = site.directory / "known.yml"
    path.write_text(json.dumps(play))
    assert changed(site._playbook("-i", site.inventory, path).stdout) == [0, 0]


def test_only_lacking_layers_are_brought(site):
    """An image that has lost its name, on a host that has its base: one layer comes, and no package."""
    site.on("debian12", f"docker rm -f first >&2; docker rmi $(docker images -q {site.image}) -f >&2")
    received = "cat /sys/class/net/eth0/statistics/rx_bytes"
    before = int(site.on("debian12", received))
    site.play("site", "--limit", "debian12")
    assert site.on("debian12", ASK) == "200"
    assert int(site.on("debian12", received)) - before < 10_000_000


def test_a_closed_controller_is_set_up_from_it(site, tmp_path):
    """The commands of the README, without an index; and the installed collection finds nothing to do."""
    readme = (site.bundle / "README.md").read_text()
    inventories = f"{site.inventory} -i {site.recipe}"
    commands = [
        line.strip().replace("~/fleet", str(tmp_path / "fleet")).replace("INVENTORY", inventories)
        for line in re.findall(r"^    .*fleet.*", readme, re.M)
        if "CHECKOUT" not in line
    ]
    assert len(commands) == 4
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin:/usr/sbin", "LC_ALL": "C.UTF-8", "PIP_NO_CACHE_DIR": "1"}
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=site.bundle, env=environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, command + done.stdout + done.stderr
    assert changed(done.stdout) == [0, 0]
