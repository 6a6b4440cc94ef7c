"""Run the tests from whatever is on this machine, and leave the machine as it was.

Without a PART: all but the benchmark. Options after the parts go to pytest. What the parts need and the machine
lacks is installed by apt; an engine that answers is used, else one is started for the time of the run. Afterwards
nothing may be left that was not there before: it is named, and the run has failed.
"""

from __future__ import annotations

import argparse
import contextlib
import ipaddress
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
PARTS = {
    "unit": "pure code and the rules of the house, in seconds",
    "gates": "sanity, lint, documentation, types: what a release has to pass",
    "integration": "modules and roles against a real engine, a real Jupyter Server, a real browser",
    "molecule": "roles and playbooks on real hosts",
    "up": "./up on a bare host, from nothing",
    "bench": "how fast, peers and this side by side",
}
NEED_ENGINE = {"integration", "molecule", "up", "bench"}
INTERRUPTED = 2  # pytest's exit status after Ctrl-C
TIMED = "up"  # has the machine to itself
PATHS = {"gates": "tests/test_gates.py", "molecule": "tests/test_molecule.py", "up": "tests/test_up.py"}
# Debian's package for each command that a part runs.
PACKAGES = {"git": "git"}
PACKAGES_FOR_ENGINE = {
    "dockerd": "docker.io",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "chromium": "chromium",
    "docker-registry": "docker-registry",
    "ssh": "openssh-client",
    "ip": "iproute2",
    "rootlesskit": "rootlesskit",
    "slirp4netns": "slirp4netns",
    "newuidmap": "uidmap",
}
SOCKET = "/var/run/docker.sock"
MARK = "MYJUPYTER_TEST_SESSION"  # in the environment of everything that a run starts
SESSION_LABEL = "fleet.myjupyter.test-session"  # of the test hosts of a run
LIMIT = 80 * 60  # seconds; a run that takes longer hangs


class NotPossible(Exception):
    """The tests cannot run here, and why."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def bring(commands: dict[str, str]) -> None:
    """Install the packages of the commands that this machine lacks. Raises NotPossible."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = sorted({package for command, package in commands.items() if not shutil.which(command, path=path)})
    if not missing:
        return
    say(f"Installing {', '.join(missing)}.")
    if not shutil.which("apt-get"):
        raise NotPossible(f"No apt-get here: install the commands that these packages of Debian hold: {missing}")
    root = [] if os.getuid() == 0 else ["sudo"]
    environ = ["env", "DEBIAN_FRONTEND=noninteractive"]
    for arguments in (["update"], ["-y", "--no-install-recommends", "install", *missing]):
        command = [*root, *environ, "apt-get", "-qq", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotPossible(f"apt-get {arguments[0]} failed:\n{done.stdout}{done.stderr}")


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The engine at the default socket, asked by its command line."""
    command = ["docker", "--host", f"unix://{SOCKET}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def answers() -> bool:
    return docker("version", "--format", "{{.Server.Version}}").returncode == 0


@contextlib.contextmanager
def engine() -> Iterator[None]:
    """The engine that answers; else one that runs until the block ends, with a data directory of its own."""
    if answers():
        yield
        return
    if os.getuid() != 0:
        raise NotPossible("No engine answers and starting one takes root: run ./test from a root shell.")
    say("Starting an engine for this run.")
    folder = os.environ.get("TMPDIR", "/var/tmp")
    with (
        tempfile.TemporaryDirectory(prefix="engine-", dir=folder) as data,
        tempfile.TemporaryDirectory(prefix="engine-", dir="/run") as state,
        bridge() as name,
    ):
        process = start_engine(Path(data), Path(state), name)
        try:
            yield
        finally:
            stop(process)


@contextlib.contextmanager
def bridge() -> Iterator[str]:
    """A bridge of this run's own. On docker0 the containers of an engine that was killed still hold their addresses.

    Its hardware address is fixed: else it is the lowest of those of the containers, and when that one goes, the
    answers of the others go astray until they ask anew, which takes up to a minute.
    """
    name, mark = f"test-{secrets.token_hex(3)}", secrets.token_bytes(4)
    address = f"02:42:{mark.hex(':')}"
    subprocess.run(["ip", "link", "add", name, "address", address, "type", "bridge"], check=True)
    try:
        subprocess.run(["ip", "address", "add", free_network(), "dev", name], check=True)
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "delete", name], check=True)


def free_network() -> str:
    """The first address, with its prefix, of a private network that no route of this machine leads into.

    Below the networks that Docker takes by itself (172.17.0.0/16 and up), which hosts inside use.
    """
    printed = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True).stdout
    words = [word for line in printed.splitlines() for word in line.split()[:2] if word[0].isdigit()]
    routes = [ipaddress.ip_network(word, strict=False) for word in words]
    for network in ipaddress.ip_network("10.208.0.0/12").subnets(new_prefix=20):
        if not any(network.overlaps(route) for route in routes):
            return f"{network[1]}/{network.prefixlen}"
    raise NotPossible("No private network is free here: every one of 10.208.0.0/12 has a route.")


def start_engine(data: Path, state: Path, bridge_name: str) -> subprocess.Popen:
    """dockerd, answering, that shares nothing but the socket with one that was here before. Raises NotPossible."""
    log = state / "dockerd.log"
    command = ["dockerd", "--data-root", data, "--exec-root", state, "--pidfile", state / "docker.pid"]
    command += ["--bridge", bridge_name, "--host", f"unix://{SOCKET}"]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if answers():
            return process
        time.sleep(0.2)
    stop(process)
    raise NotPossible(f"dockerd does not start:\n{log.read_text()[-3000:]}")


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def found(with_engine: bool) -> dict[tuple[str, str], str]:
    """What a run could leave behind: (kind, key) -> how a person would name it. Raises NotPossible."""
    namespaces = os.listdir("/run/netns") if os.path.isdir("/run/netns") else []
    things = {("network namespace", name): name for name in namespaces}
    asked = {
        "container": ["container", "ls", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}} {{.Image}}"],
        "network": ["network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}"],
        "volume": ["volume", "ls", "--format", "{{.Name}} {{.Name}}"],
    }
    for kind, command in asked.items() if with_engine else ():
        listed = docker(*command)
        if listed.returncode:
            raise NotPossible(f"The engine went away, so what is left on it cannot be told: {listed.stderr.strip()}")
        for line in listed.stdout.splitlines():
            key, _space, name = line.partition(" ")
            things[kind, key] = name
    return things


def processes(mark: str) -> dict[int, str]:
    """The processes that this run started and that still live, by their environment."""
    alive = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(entry.name) != os.getpid() and f"{MARK}={mark}\0".encode() in (entry / "environ").read_bytes():
                alive[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return alive


def run_all(turns: list[list[str]], mark: str, scratch: str) -> int:
    """Turn by turn, then what they came to together; the first exit status that is not 0."""
    statuses, reports = [], []
    for number, turn in enumerate(turns):
        reports.append(Path(scratch, f"turn-{number}.xml"))
        statuses.append(run_pytest([*turn, f"--junitxml={reports[-1]}"], mark, scratch))
        if statuses[-1] == INTERRUPTED:
            break
    if len(turns) > 1:
        print(summary(reports), flush=True)
    return next((status for status in statuses if status), 0)


def summary(reports: list[Path]) -> str:
    """What several runs of pytest came to, read off their reports."""
    suites = [suite for report in reports if report.exists() for suite in ElementTree.parse(report).iter("testsuite")]
    count = {
        kind: sum(int(suite.get(kind, 0)) for suite in suites) for kind in ("tests", "failures", "errors", "skipped")
    }
    failed = count["failures"] + count["errors"]
    return f"{count['tests'] - failed - count['skipped']} passed, {failed} failed, {count['skipped']} skipped"


def run_pytest(arguments: list[str], mark: str, scratch: str) -> int:
    """pytest's exit status. A signal that ends this run ends pytest as Ctrl-C would, so that tests clean up."""
    command = [sys.executable, "-m", "pytest", *arguments]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, MARK: mark, "TMPDIR": scratch},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )

    def interrupt(_number=0, _frame=None):
        os.killpg(process.pid, signal.SIGINT)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        say(f"The tests did not end within {LIMIT // 60} minutes.")
        interrupt()
        return process.wait()


def is_of(mark: str, container: str, name: str) -> bool:
    """Whether this very run made a container: somebody else may have made labs on the same engine meanwhile."""
    label = docker("inspect", "--format", f'{{{{index .Config.Labels "{SESSION_LABEL}"}}}}', container).stdout.strip()
    return label == mark or name.startswith(f"t{mark}")


def leftovers(with_engine: bool, before: dict[tuple[str, str], str], mark: str) -> list[str]:
    """What is there now and was not before, one line each; what this run made is gone afterwards."""
    left = []
    for (kind, key), name in found(with_engine).items():
        if (kind, key) not in before:
            left.append(f"{kind} {name}")
            if kind == "container" and is_of(mark, key, name):
                docker("rm", "--force", "--volumes", key)
    for pid, command in processes(mark).items():
        left.append(f"process {pid}: {command}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    return left


def turns(parts: list[str], options: list[str]) -> list[list[str]]:
    """pytest's arguments, one turn after the other: of all that is not timed, one worker takes what shares the
    engine while the other takes gates and what has hosts of its own."""
    together = [part for part in parts if part not in (TIMED, "bench")]
    aside = ["-n", "2", "--dist", "loadgroup"] if set(together) & NEED_ENGINE else []
    chosen = [[*aside, *(PATHS.get(part, f"tests/{part}") for part in together)]] if together else []
    return [[*turn, *options] for turn in (*chosen, *([PATHS[TIMED]] for part in parts if part == TIMED))]


def run_benchmarks(scratch: str) -> int:
    """Each prints what it measured; 1 where one did not reach what it is to reach."""
    missed = []
    for path in sorted((ROOT / "tests/bench").glob("*.py")):
        print(f"== {path.relative_to(ROOT)}", flush=True)
        command = [sys.executable, "-m", f"tests.bench.{path.stem}"]
        if subprocess.run(command, cwd=ROOT, env={**os.environ, "TMPDIR": scratch}, check=False).returncode:
            missed.append(path.stem)
    print(f"Not reached: {', '.join(missed)}." if missed else "All reached.", flush=True)
    return int(bool(missed))


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./test",
        usage="./test [PART ...] [option of pytest ...]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {name:13}{about}" for name, about in PARTS.items()),
    )
    _known, given = parser.parse_known_args()
    first_option = next((n for n, text in enumerate(given) if text not in PARTS), len(given))
    parts = given[:first_option] or [part for part in PARTS if part != "bench"]
    needs_engine = bool(set(parts) & NEED_ENGINE)
    mark = secrets.token_hex(3)
    try:
        bring({**PACKAGES, **(PACKAGES_FOR_ENGINE if needs_engine else {})})
        with engine() if needs_engine else contextlib.nullcontext():
            before = found(needs_engine)
            with tempfile.TemporaryDirectory(prefix="test-", ignore_cleanup_errors=True) as scratch:
                status = run_all(turns(parts, given[first_option:]), mark, scratch)
                status = run_benchmarks(scratch) or status if "bench" in parts else status
            left = leftovers(needs_engine, before, mark)
    except NotPossible as why:
        say(str(why))
        return 1
    if left:
        say("The tests left behind what was not there before:\n  " + "\n  ".join(left))
    return status or bool(left)


if __name__ == "__main__":
    sys.exit(main())
