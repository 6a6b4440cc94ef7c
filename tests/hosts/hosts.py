"""Real hosts for tests: containers with an init, an sshd and room for an engine of their own.

    hosts.py up DIR NAME=RELEASE[:INIT] ...   make them and write DIR/inventory.yml; they see DIR/shared as /shared
    hosts.py restart DIR                      boot them anew, and write DIR/inventory.yml again: addresses may change
    hosts.py down DIR                         take them away, with all that they left
    hosts.py image RELEASE ...                only make (or find) the images
    hosts.py clean                            remove the images kept as a cache

RELEASE is debian12 or debian13; INIT is systemd, sysv or none (a host without a service manager).
Needs Docker and ssh; with mmdebstrap on the machine nothing is pulled, else debian:12 and debian:13 are.
docs/testing-hosts.md tells more.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
IMAGE = "myjupyter-test-host"
FLEET_LABEL = "fleet.myjupyter.test-hosts"
SESSION_LABEL = "fleet.myjupyter.test-session"  # the run of ./test that made them, if one did
CODENAMES = {"debian12": "bookworm", "debian13": "trixie"}
HAS = "systemd systemd-sysv openssh-server python3 sudo iproute2 iptables ca-certificates procps"
SYSV = b"DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes sysvinit-core > /dev/null"
AT_HAND = {
    "debian12": "docker.io python3-docker python3-apt python3-venv gpg gpg-agent",
    "debian13": "docker.io docker-cli docker-buildx python3-docker python3-apt python3-venv",
}
BOOT = {
    "systemd": ["/lib/systemd/systemd"],
    "sysv": ["/sbin/init"],
    "none": ["/bin/sh", "-c", "mkdir -p /run/sshd && exec /usr/sbin/sshd -D"],
}
# All but what lets a container change the kernel itself; a machine need not have more to give.
CAPABILITIES = (
    ("AUDIT_CONTROL", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID")
    + ("IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE")
    + ("NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT")
    + ("SYS_NICE", "SYS_PTRACE", "SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM")
)
BOOT_SECONDS = 60


@dataclass(frozen=True)
class Host:
    """A wanted host: its name in the inventory, its release, its init."""

    name: str
    release: str
    init: str = "systemd"

    @classmethod
    def parse(cls, text: str) -> Host:
        """NAME=RELEASE[:INIT]; raises ValueError."""
        name, _sep, what = text.partition("=")
        release, _sep, init = what.partition(":")
        host = cls(name, release, init or "systemd")
        if not name or host.release not in CODENAMES or host.init not in BOOT:
            raise ValueError(
                f"{text!r}: a host is NAME=RELEASE[:INIT], with a release of {', '.join(CODENAMES)} "
                f"and an init of {', '.join(BOOT)}"
            )
        return host


def up(directory: Path, wanted: list[Host]) -> Path:
    """Make the hosts, side by side, wait until each lets us in, and return the inventory's path."""
    (directory / "shared").mkdir(parents=True, exist_ok=True)
    for image in sorted({(host.release, host.init) for host in wanted}):
        make_image(*image)
    key = directory / "key"
    if not key.exists():
        _run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", _fleet(directory), "-f", str(key)])
    with ThreadPoolExecutor(4) as pool:
        addresses = list(pool.map(lambda host: _start(directory, host, key.with_suffix(".pub").read_text()), wanted))
    return _write_inventory(directory, dict(zip((host.name for host in wanted), addresses)))


def restart(directory: Path) -> Path:
    """Boot all hosts anew, wait until each lets us in, and return the inventory's path.

    While a host is down, its address is free for any container that starts then.
    """
    fleet = _fleet(directory)
    names = list(json.loads((directory / "inventory.yml").read_text())["all"]["hosts"])
    for name in names:
        _docker("restart", f"{fleet}-{name}")
    return _write_inventory(directory, {name: _address(f"{fleet}-{name}") for name in names})


def down(directory: Path) -> None:
    """Remove the hosts of ``directory`` with their volumes, and the directory; no trouble if there are none."""
    if (directory / "fleet").exists():
        fleet = _fleet(directory)
        found = _docker("ps", "--all", "--quiet", "--filter", f"label={FLEET_LABEL}={fleet}").split()
        if found:
            _docker("rm", "--force", "--volumes", *found)
        for master in (directory / "cp").glob("*"):
            subprocess.run(
                ["ssh", "-O", "exit", "-o", f"ControlPath={master}", "gone"], check=False, capture_output=True
            )
    shutil.rmtree(directory, ignore_errors=True)


def make_image(release: str, init: str = "systemd") -> str:
    """The tag of the image for a release and an init, made unless it is there already."""
    kind = "sysv" if init == "sysv" else "systemd"
    tag = f"{IMAGE}:{release}-{kind}-{_fingerprint(release)}"
    if _docker("images", "--quiet", tag):
        return tag
    print(f"Making the image {tag} ...", file=sys.stderr)
    if kind == "sysv":
        _commit(make_image(release), tag, [(SYSV, "/setup.sh")])
    else:
        bare = _bare(release)
        files = [*_machine_files(release), ((HERE / "setup.sh").read_bytes(), "/setup.sh")]
        _commit(bare, tag, files, HAS, AT_HAND[release])
        if bare.startswith(IMAGE):
            _docker("rmi", bare)
    for old in _docker("images", "--format", "{{.Repository}}:{{.Tag}}", f"{IMAGE}:{release}-{kind}-*").split():
        if old != tag:  # one that a host runs on stays
            subprocess.run(["docker", "rmi", old], capture_output=True, check=False)
    return tag


def _commit(base: str, tag: str, files: list[tuple[bytes, str]], *arguments: str) -> None:
    """An image of what /setup.sh, one of the files, leaves behind."""
    box = _docker("create", base, "/bin/sh", "/setup.sh", *arguments).strip()
    try:
        for content, target in files:
            _copy_in(box, content, target)
        _run(["docker", "start", "--attach", box])
        _docker("commit", box, tag)
    finally:
        _docker("rm", "--force", box)


def clean() -> None:
    """Remove every image that make_image made."""
    for tag in _docker("images", "--format", "{{.Repository}}:{{.Tag}}", IMAGE).split():
        _docker("rmi", tag)


def _bare(release: str) -> str:
    """An image of a bare root file system: made by mmdebstrap where that is installed, else pulled."""
    if not shutil.which("mmdebstrap"):
        return f"debian:{release.removeprefix('debian')}"
    tag = f"{IMAGE}:{release}-bare-{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as scratch:
        root, sources = f"{scratch}/root.tar", Path(scratch, "apt.sources")
        archives = _sources(release)
        sources.write_text(archives)
        _run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={HAS.replace(' ', ',')}",
                CODENAMES[release],
                root,
                *([str(sources)] if archives else []),
            ]
        )
        _docker("import", root, tag)
    return tag


def _start(directory: Path, host: Host, public_key: str) -> str:
    """Start one host and return its address, once its sshd answers."""
    fleet = _fleet(directory)
    name = f"{fleet}-{host.name}"
    flags = ["--init"] if host.init == "none" else []
    if host.init == "systemd" and not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        # systemd 257 refuses the first version of control groups unless told twice.
        flags += [
            "--env",
            "SYSTEMD_PROC_CMDLINE=systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1",
        ]
    _docker(
        "run", "--detach", "--name", name, "--hostname", host.name, "--label", f"{FLEET_LABEL}={fleet}",
        "--label", f"{SESSION_LABEL}={os.environ.get('MYJUPYTER_TEST_SESSION', '')}",
        *(f"--cap-add={capability}" for capability in CAPABILITIES),
        *(f"--security-opt={rule}=unconfined" for rule in ("seccomp", "systempaths", "apparmor")),
        "--device-cgroup-rule=a *:* rwm", "--cgroupns=host", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
        "--tmpfs=/run", "--tmpfs=/run/lock", "--volume=/var/lib/docker", "--volume=/var/lib/containerd",
        "--env=container=docker",
        f"--volume={directory / 'shared'}:/shared:ro",
        *flags, make_image(host.release, host.init), *BOOT[host.init],
    )  # fmt: skip
    _docker("exec", "--interactive", name, "sh", "-c", "cat > /home/admin/.ssh/authorized_keys", text=public_key)
    return _address(name)


def _address(name: str) -> str:
    """The address of a host, once its sshd answers."""
    address = _docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name).strip()
    _wait_for_ssh(name, address)
    return address


def _wait_for_ssh(name: str, address: str) -> None:
    end = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < end:
        try:
            with socket.create_connection((address, 22), timeout=2) as line:
                if line.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"{name} did not answer on port 22 within {BOOT_SECONDS} s: docker logs {name}")


def _write_inventory(directory: Path, addresses: dict[str, str]) -> Path:
    """The inventory of hosts by their addresses, and the keys by which ssh knows them."""
    with (directory / "known_hosts").open("a") as lines:
        for name, address in addresses.items():
            public = _docker("exec", f"{_fleet(directory)}-{name}", "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
            lines.write(f"{address} {public.strip()}\n")
    # JSON is YAML, and Ansible reads it as such.
    inventory = {
        "all": {
            "hosts": {name: {"ansible_host": address} for name, address in addresses.items()},
            "vars": {
                "ansible_user": "admin",
                "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_ssh_private_key_file": str(directory / "key"),
                "ansible_control_path_dir": str(directory / "cp"),
                "ansible_ssh_common_args": f"-o UserKnownHostsFile={directory / 'known_hosts'} -o IdentitiesOnly=yes "
                "-o StrictHostKeyChecking=yes",
            },
        }
    }
    path = directory / "inventory.yml"
    path.write_text(json.dumps(inventory, indent=2) + "\n")
    return path


@functools.cache
def _fingerprint(release: str) -> str:
    """What an image is made from, as a short digest: another machine configuration makes another image."""
    parts = [HAS, SYSV.decode(), AT_HAND[release], (HERE / "setup.sh").read_text()]
    parts += [f"{content!r}{target}" for content, target in _machine_files(release)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]


def _machine_files(release: str) -> list[tuple[bytes, str]]:
    """What a host needs to reach what this machine reaches: its CAs, APT's sources and APT's transport settings."""
    files = [(path.read_bytes(), str(path)) for path in sorted(Path("/usr/local/share/ca-certificates").glob("*.crt"))]
    archives = _sources(release)
    if archives:
        files.append((b"", "/etc/apt/sources.list"))
        files.append((archives.encode(), "/etc/apt/sources.list.d/debian.sources"))
        settings = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, check=True).stdout
        files.append((settings, "/etc/apt/apt.conf.d/80-transport"))
    return files


def _machine_codename() -> str:
    """The codename of this machine's release if it is a Debian, else nothing."""
    try:
        about = Path("/etc/os-release").read_text()
    except OSError:
        return ""
    found = re.search(r"^VERSION_CODENAME=(\w+)", about, re.M)
    return found.group(1) if found and re.search(r"^ID=debian$", about, re.M) else ""


def _sources(release: str) -> str:
    """The APT sources for a release, by this machine's own archives of Debian; empty where it has none."""
    codename = _machine_codename()
    if not codename:
        return ""
    shape = "$(CREATED_BY) $(REPO_URI) $(RELEASE) $(COMPONENT)"
    lines = subprocess.run(["apt-get", "indextargets", "--format", shape], capture_output=True, text=True, check=True)
    found = [line.split()[1:] for line in lines.stdout.splitlines() if line.startswith("Packages ")]
    return "\n".join(
        f"Types: deb\nURIs: {uri}\nSuites: {suite.replace(codename, CODENAMES[release])}\n"
        f"Components: {component}\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        for uri, suite, component in found
        if re.search(r"/debian(-security)?/?$", uri) and codename in suite
    )


def _copy_in(box: str, content: bytes, target: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "file.tar")
        with tarfile.open(path, "w") as tar:
            entry = tarfile.TarInfo(target.lstrip("/"))
            entry.size, entry.mode = len(content), 0o644
            with tempfile.TemporaryFile() as data:
                data.write(content)
                data.seek(0)
                tar.addfile(entry, data)
        with path.open("rb") as tar_file:
            subprocess.run(["docker", "cp", "-", f"{box}:/"], stdin=tar_file, check=True, capture_output=True)


def _fleet(directory: Path) -> str:
    path = directory / "fleet"
    if not path.exists():
        path.write_text(f"host-{secrets.token_hex(4)}")
    return path.read_text()


def _docker(*arguments: str, text: str | None = None) -> str:
    return _run(["docker", *arguments], text)


def _run(command: list[str], text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=["up", "restart", "down", "image", "clean"])
    parser.add_argument("what", nargs="*")
    given = parser.parse_args()
    try:
        if given.do == "up":
            print(up(Path(given.what[0]).resolve(), [Host.parse(text) for text in given.what[1:]]))
        elif given.do == "restart":
            print(restart(Path(given.what[0]).resolve()))
        elif given.do == "down":
            down(Path(given.what[0]).resolve())
        elif given.do == "image":
            for release in given.what:
                print(make_image(release))
        else:
            clean()
    except (RuntimeError, ValueError) as error:
        sys.exit(f"hosts.py: {error}")


if __name__ == "__main__":
    main()
