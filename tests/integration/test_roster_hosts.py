"""A class on real hosts: what comes and goes moves nobody who is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest

from tests.hosts import hosts
from tests.integration.conftest import Server

# Two hosts load the base at once, on what may be a busy machine.
PATIENT = {"group/myjupyter.fleet.fleet": {"engine_timeout": 300}}
PLAY = [{"hosts": "all", "become": True, "gather_facts": False, "module_defaults": PATIENT, "roles": [
    {"role": "myjupyter.fleet.docker_engine"},
    {"role": "myjupyter.fleet.jupyter_base", "jupyter_base_archive": "/shared/base.tar"},
]}]  # fmt: skip
pytestmark = pytest.mark.hosts


class School:
    """Two hosts with engines, of which a test says which are in the class, and the class's roster."""

    def __init__(self, folder, playbook):
        self.folder, self._playbook = folder, playbook
        self.addresses = {
            name: about["ansible_host"]
            for name, about in json.loads((folder / "inventory.yml").read_text())["all"]["hosts"].items()
        }
        self.roster = folder / "klasse 7b.csv"

    @property
    def handouts(self):
        return self.folder / "klasse-7b-handouts"

    def inventory(self, *names, silent=()):
        """An inventory of these hosts; the silent ones cannot be reached."""
        inventory = json.loads((self.folder / "inventory.yml").read_text())
        inventory["all"]["hosts"] = {
            name: {"ansible_host": self.addresses[name], "jupyter_labs_hostname": self.addresses[name],
                   **({"ansible_port": 1} if name in silent else {})}
            for name in names
        }  # fmt: skip
        inventory["all"]["vars"] |= {
            "jupyter_roster_capacity": {"memory": "2g"},
            "jupyter_roster_reserve": "0",
            "jupyter_labs_defaults": {"image": "myjupyter-base", "bind_address": "0.0.0.0", "memory": "512m"},
            "jupyter_labs": [{"name": "declared", "state": "absent"}],
            "jupyter_labs_purge": True,
        }
        path = self.folder / "class.yml"
        path.write_text(json.dumps(inventory))
        return path

    def run(self, *people, at=("one", "two"), silent=(), check=True, options=(), play="roster"):
        self.roster.write_bytes("\r\n".join(["Person;until", *people]).encode("utf-8-sig"))
        inventory = self.inventory(*at, silent=silent)
        arguments = ("-i", inventory, f"playbooks/{play}.yml", "-e", json.dumps({"roster": str(self.roster)}), *options)
        return self._playbook(*arguments, check=check)

    def labs(self, name):
        """Lab -> (container, when it was started) on a host."""
        shape = "{{.Name}} {{.Id}} {{.State.StartedAt}}"
        told = self.ssh(name, f"docker ps -q | xargs -r docker inspect -f '{shape}'")
        return {line.split()[0].lstrip("/"): tuple(line.split()[1:]) for line in told.splitlines()}

    def ssh(self, name, command):
        fleet = (self.folder / "fleet").read_text()
        done = subprocess.run(
            ["docker", "exec", f"{fleet}-{name}", "sh", "-c", command], capture_output=True, text=True, check=True
        )
        return done.stdout

    def address(self, lab):
        return re.search(r"http://\S+", (self.handouts / f"{lab}.txt").read_text()).group()

    def token(self, lab):
        return self.address(lab).partition("token=")[2]


@pytest.fixture(scope="module")
def school(playbook, base):
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    try:
        hosts.up(folder, [hosts.Host("one", "debian12"), hosts.Host("two", "debian13")])
        subprocess.run(["docker", "save", "--output", folder / "shared/base.tar", base], check=True)
        (folder / "hosts-play.json").write_text(json.dumps(PLAY))
        playbook("-i", folder / "inventory.yml", folder / "hosts-play.json")
        (folder / "shared/base.tar").unlink()
        yield School(folder, playbook)
    finally:
        hosts.down(folder)
        shutil.rmtree(folder, ignore_errors=True)


def counts(done):
    """Host -> its figures in the recap."""
    lines = re.findall(r"^(\w+) +: (ok=.*)$", done.stdout, re.MULTILINE)
    return {name: dict(pair.split("=") for pair in figures.split()) for name, figures in lines}


def changed(done):
    return {name: int(figures["changed"]) for name, figures in counts(done).items()}


def test_a_class_comes_grows_shrinks_and_comes_back(school):
    # One host, two people: their labs answer at the addresses that they get.
    done = school.run("Jürgen Groß", "ana@example.edu", at=["one"])
    labs = school.labs("one")
    assert set(labs) == {"juergen-gross", "ana-example.edu"}
    with urllib.request.urlopen(school.address("juergen-gross"), timeout=20) as page:
        assert page.status == 200 and "login" not in page.url
    again = school.run("Jürgen Groß", "ana@example.edu", at=["one"], options=["-vvv"])
    assert changed(again) == {"one": 0}
    for lab in labs:
        assert school.token(lab) not in done.stdout + done.stderr + again.stdout + again.stderr
    assert {path.stat().st_mode & 0o777 for path in school.handouts.iterdir()} == {0o600}

    # A second host and two people more, with what was remembered here gone: nobody moves.
    before = {path.name: path.read_text() for path in school.handouts.glob("*.txt")}
    (school.folder / "klasse-7b-placement.json").unlink()
    people = ["chi", "Jürgen Groß", "ana@example.edu", "ben"]
    foretold = school.run(*people, options=["--check"])
    assert changed(foretold)["two"] > 0 and school.labs("two") == {}
    school.run(*people)
    assert school.labs("one") == labs and set(school.labs("two")) == {"ben", "chi"}
    assert {path.name: path.read_text() for path in school.handouts.glob("*.txt") if path.name in before} == before
    assert changed(school.run(*people)) == {"one": 0, "two": 0}


def test_a_host_that_is_not_reached_keeps_its_people(school):
    people = ["Jürgen Groß", "ana@example.edu", "ben", "chi"]
    school.run(*people)
    one, two = school.labs("one"), school.labs("two")
    sheet = (school.handouts / "sheet.csv").read_text()
    (school.folder / "klasse-7b-placement.json").unlink()
    done = school.run(*people, "dora", silent=["one"], check=False)
    assert counts(done)["one"]["unreachable"] == "1" and counts(done)["two"]["failed"] == "0"
    assert "one was not reached: ana-example.edu, juergen-gross stay there" in " ".join(done.stderr.split())
    now = school.labs("two")
    assert set(now) == {*two, "dora"} and {lab: now[lab] for lab in two} == two and school.labs("one") == one
    for line in sheet.splitlines()[1:]:
        assert line in (school.handouts / "sheet.csv").read_text(), "those of the silent host are still on it"


def test_a_roll_out_moves_a_class_and_a_rollback_takes_it_back(school):
    people = ["Jürgen Groß", "ana@example.edu", "ben", "chi"]
    school.run(*people)
    before = {name: school.labs(name) for name in ("one", "two")}
    defaults = {"image": "myjupyter-base", "bind_address": "0.0.0.0", "memory": "512m", "env": {"TERM_": "autumn"}}
    declared = ["-e", json.dumps({"jupyter_labs_defaults": defaults, "upgrade_check": False, "upgrade_waves": 1})]

    def environments():
        return {
            lab: "TERM_=autumn" in school.ssh(name, f"docker exec {lab} env").split()
            for name in before
            for lab in school.labs(name)
        }

    said = school.run(*people, "new", play="upgrade", options=[*declared, "--skip-tags", "image"]).stdout
    assert re.findall("moved: (.*)", said)[-1].startswith("two: ben, chi") and "moved: one: ana-example.edu" in said
    assert environments() == dict.fromkeys(["juergen-gross", "ana-example.edu", "ben", "chi"], True)
    again = school.run(*people, play="upgrade", options=[*declared, "--skip-tags", "image"]).stdout
    assert "All hosts have what is declared" in " ".join(again.split())
    school.run(*people, play="rollback", options=declared)
    assert set(environments().values()) == {False}
    assert {name: set(school.labs(name)) for name in before} == {name: set(labs) for name, labs in before.items()}


def test_what_does_not_fit_is_refused_before_anything_is_touched(school):
    people = ["Jürgen Groß", "ana@example.edu", "ben", "chi", "dora"]
    school.run(*people)
    before = (school.labs("one"), school.labs("two"), (school.handouts / "sheet.csv").read_text())
    done = school.run(*people, *(f"more{number}" for number in range(4)), check=False)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode and "more3 (klasse 7b.csv line 10) needs 512m and fits nowhere; free: one 0 of 2g" in said
    assert "more2" not in said and not any(changed(done).values())
    assert (school.labs("one"), school.labs("two"), (school.handouts / "sheet.csv").read_text()) == before


def test_who_leaves_is_archived_and_finds_the_work_again(school):
    school.run("Jürgen Groß", "ben")
    address, labs = school.address("ben"), school.labs("one")
    work = "/srv/myjupyter/klasse-7b/ben"
    server = Server(address.partition("/lab")[0], school.token("ben"))
    kernel = server.start_kernel()
    server.execute(kernel, "open('/home/jovyan/work/kept.txt', 'w').write('work')")
    server.execute(kernel, "import time; time.sleep(300)", wait=False)

    done = school.run("Jürgen Groß", "ben;1.1.2020")
    assert "ben is left as it is for now (a kernel is executing" in " ".join((done.stdout + done.stderr).split())
    kept = "/srv/myjupyter-archive/klasse-7b/ben"
    assert "ben" in school.labs("two") and school.ssh("two", f"ls -d {kept} 2>/dev/null || true") == ""
    server.ask(f"api/kernels/{kernel}/interrupt", "POST")
    server.execute(kernel, "1")
    assert changed(school.run("Jürgen Groß", "ben;1.1.2020"))["two"] > 0
    assert "ben" not in school.labs("two") and not (school.handouts / "ben.txt").exists()
    assert school.ssh("two", f"cat {work}/kept.txt") == "work", "it stays"
    assert "/ben/ben-" in school.ssh("two", f"ls {kept}/*.tar.*")
    assert changed(school.run("Jürgen Groß")) == {"one": 0, "two": 0}

    school.ssh("two", f"rm -r {work}")
    school.run("Jürgen Groß", "ben")
    assert school.ssh("two", f"cat {work}/kept.txt") == "work", "brought back"
    assert school.token("ben") == address.partition("token=")[2]
    assert school.labs("one") == labs


def test_site_and_roster_live_side_by_side(school, playbook):
    school.run("Jürgen Groß", "ben")
    before = school.labs("one")
    inventory = json.loads(school.inventory("one", "two").read_text())
    inventory["all"]["vars"]["jupyter_labs"] = [{"name": "declared"}]
    path = school.folder / "both.yml"
    path.write_text(json.dumps(inventory))
    playbook("-i", path, "site.yml", "--tags", "labs")
    assert set(school.labs("one")) == {*before, "declared"}
    own = school.folder / "own-play.json"
    role = {"role": "myjupyter.fleet.jupyter_roster", "jupyter_roster_file": "klasse 7b.csv"}
    own.write_text(json.dumps([{"hosts": "all", "become": True, "gather_facts": False, "roles": [role]}]))
    (school.folder / "files").mkdir()
    school.roster.rename(school.folder / "files" / school.roster.name)
    playbook("-i", path, own)
    assert school.labs("one") == {**before, "declared": school.labs("one")["declared"]}


@pytest.mark.parametrize(
    "options, sentence",
    [
        ([], "Say which roster: -e roster=class.csv"),
        (["-e", "roster=none.csv"], "none.csv: the roster cannot be read: No such file or directory."),
    ],
)
def test_what_is_missing_is_told(playbook, options, sentence):
    done = playbook("-i", "inventories/local", "playbooks/roster.yml", *options, check=False)
    assert done.returncode and sentence in " ".join((done.stdout + done.stderr).split())
    assert "Ask the hosts" not in done.stdout
