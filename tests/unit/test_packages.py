"""Which packages make an engine, for what /etc/os-release says."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.myjupyter.fleet.plugins.module_utils.dockerd import _packages

BOOKWORM = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'
TRIXIE = "ID=debian\nVERSION_CODENAME=trixie\n"
NOBLE = 'ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\nUBUNTU_CODENAME=noble\nVERSION_ID="24.04"\n'
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n'
ROCKY = 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n'
RHEL = 'ID="rhel"\nID_LIKE="fedora"\n'
FEDORA = "ID=fedora\nVERSION_ID=41\n# a comment = not a field\n"
AMAZON = 'ID="amzn"\nID_LIKE="fedora"\nPRETTY_NAME="Amazon Linux 2023"\n'
SUSE = 'ID="opensuse-leap"\nPRETTY_NAME="openSUSE Leap 15.6"\n'


@pytest.mark.parametrize(
    "text, family, upstream, codename",
    [
        (BOOKWORM, "debian", "debian", "bookworm"),
        (NOBLE, "debian", "ubuntu", "noble"),
        (MINT, "debian", "ubuntu", "noble"),
        (ROCKY, "redhat", "centos", ""),
        (RHEL, "redhat", "rhel", ""),
        (FEDORA, "redhat", "fedora", ""),
        (AMAZON, "", "", ""),
        (SUSE, "", "", ""),
        ("", "", "", ""),
    ],
)
def test_release(text, family, upstream, codename):
    found = _packages.release(text)
    assert (found.family, found.upstream, found.codename) == (family, upstream, codename)


@pytest.mark.parametrize(
    "text, wanted, installed, origin",
    [
        (BOOKWORM, "auto", {}, "distribution"),
        (BOOKWORM, "auto", {"docker-ce": "5:27"}, "docker"),
        (BOOKWORM, "docker", {"docker.io": "20"}, "docker"),
        (NOBLE, "auto", {"docker.io": "27"}, "distribution"),
        (ROCKY, "auto", {}, "docker"),
        (FEDORA, "auto", {}, "distribution"),
    ],
)
def test_source(text, wanted, installed, origin):
    assert _packages.source(_packages.release(text), wanted, installed) == origin


def test_what_has_no_engine_is_refused_by_name():
    with pytest.raises(FleetError, match="openSUSE Leap 15.6"):
        _packages.source(_packages.release(SUSE), "auto", {})
    with pytest.raises(FleetError, match="use docker"):
        _packages.source(_packages.release(ROCKY), "distribution", {})


@pytest.mark.parametrize(
    "text, origin, some",
    [
        (BOOKWORM, "distribution", {"docker.io"}),
        (TRIXIE, "distribution", {"docker.io", "docker-cli", "docker-buildx"}),
        (NOBLE, "distribution", {"docker.io", "docker-buildx"}),
        (FEDORA, "distribution", {"moby-engine", "docker-cli", "docker-buildx"}),
        (ROCKY, "docker", {"docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin"}),
        (BOOKWORM, "docker", {"docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin"}),
    ],
)
def test_engine(text, origin, some):
    packages = set(_packages.engine(_packages.release(text), origin))
    assert packages - {"iptables", "ca-certificates"} == some


def test_every_package_is_asked_for():
    for text in (BOOKWORM, TRIXIE, NOBLE, ROCKY, FEDORA):
        for origin in ("distribution", "docker"):
            assert set(_packages.engine(_packages.release(text), origin)) <= set(_packages.KNOWN)


@pytest.mark.parametrize(
    "installed, wanted, same",
    [
        ("5:27.3.1-1~debian.12~bookworm", "27.3.1", True),
        ("5:27.3.1-1~debian.12~bookworm", "27.3", True),
        ("5:27.3.1-1~debian.12~bookworm", "27", True),
        ("5:27.31.0-1", "27.3", False),
        ("20.10.24+dfsg1-1", "20.10.2", False),
        ("20.10.24+dfsg1-1", "20.10.24+dfsg1-1", True),
        ("20.10.24+dfsg1-1", "", True),
        ("26.1.5", "27", False),
    ],
)
def test_is_version(installed, wanted, same):
    assert _packages.is_version(installed, wanted) is same


@pytest.mark.parametrize(
    "packages, version, installed, family, told",
    [
        (("docker.io", "iptables"), "", {}, "debian", ["docker.io", "iptables"]),
        (("docker.io", "iptables"), "", {"docker.io": "20", "iptables": "1"}, "debian", []),
        (("docker.io",), "", {"docker.io": ""}, "debian", ["docker.io"]),
        (("docker.io", "iptables"), "20.10", {}, "debian", ["docker.io=20.10*", "iptables"]),
        (("docker-ce", "containerd.io"), "27.3", {}, "debian", ["docker-ce=5:27.3*", "containerd.io"]),
        (("docker-ce",), "27.3", {"docker-ce": "5:26.1.4-1"}, "debian", ["docker-ce=5:27.3*"]),
        (("docker-ce",), "27.3", {}, "redhat", ["docker-ce-27.3*"]),
    ],
)
def test_missing(packages, version, installed, family, told):
    assert _packages.missing(packages, version, installed, family) == told


@pytest.mark.parametrize(
    "docker, requests, works",
    [("7.1.0", "2.32.3", True), ("5.0.3", "2.28.1", True), ("6.1.3", "2.32.0", False), ("4.1.0", "2.22.0", False)],
)
def test_fits(docker, requests, works):
    assert _packages.fits(docker, requests) is works
