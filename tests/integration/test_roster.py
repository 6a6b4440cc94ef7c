"""The modules of rosters: what a host tells, work archived and brought back, handouts on the controller's disk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import pytest
from playwright.sync_api import sync_playwright

from ansible_collections.myjupyter.fleet.plugins.module_utils.roster._handouts import Person
from ansible_collections.myjupyter.fleet.plugins.module_utils.roster._handouts import handouts as sheets
from tests import ROOT
from tests.conftest import ModuleFailed
from tests.integration.test_person import CHROMIUM, FLAGS, screenshot

ROSTER = {"fleet.myjupyter.roster": "class"}


@pytest.fixture
def archive(run_module, tmp_path):
    """Archive, or restore, the work of ana."""

    def run(**options):
        given = {"names": ["ana"], "work_dir": str(tmp_path / "work"), "archive_dir": str(tmp_path / "kept")}
        return run_module("archive", **{**given, "state_dir": str(tmp_path / "state"), **options})

    return run


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work/ana"
    (folder / "sub dir").mkdir(parents=True)
    (folder / "a.ipynb").write_text("{}")
    (folder / "sub dir/größe.bin").write_bytes(os.urandom(300_000))
    (folder / "link").symlink_to("/nowhere")
    os.link(folder / "a.ipynb", folder / "same")
    (folder / os.fsdecode(b"latin-\xfc")).write_text("x")
    os.chown(folder / "a.ipynb", 1000, 100)
    (folder / "sub dir").chmod(0o500)
    return folder


def state_of(folder):
    """Names, modes, owners and contents of all below a directory."""
    return sorted(
        (os.path.relpath(path, folder), os.lstat(path).st_mode, os.lstat(path).st_uid,
         os.readlink(path) if os.path.islink(path) else open(path, "rb").read() if os.path.isfile(path) else b"")
        for path in (os.path.join(top, name) for top, dirs, files in os.walk(folder) for name in (*dirs, *files))
    )  # fmt: skip


@pytest.mark.parametrize("with_zstd", [True, False], ids=["zst", "gz"])
def test_work_is_archived_once_and_comes_back_whole(archive, work, tmp_path, monkeypatch, with_zstd):
    if not with_zstd:
        monkeypatch.setenv("PATH", "/nonexistent")
    elif not shutil.which("zstd"):
        pytest.skip("this machine has no zstd")
    before = state_of(work)
    foretold = archive(check=True)
    assert foretold["changed"] and not (tmp_path / "kept").exists()
    done = archive()
    assert done["steps"] == foretold["steps"] and state_of(work) == before, "the work stays"
    (made,) = done["archives"]
    assert made["path"].endswith(".tar.zst" if with_zstd else ".tar.gz")
    assert os.stat(made["path"]).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(made["path"])).st_mode & 0o777 == 0o700
    for check in (True, False):
        assert not archive(check=check)["changed"]
        assert not archive(state="restored", check=check)["changed"], "there is work"

    shutil.rmtree(work)
    assert not archive()["changed"], "nothing to archive, and what there is stays"
    assert archive(state="restored", check=True)["changed"] and not work.exists()
    assert archive(state="restored")["steps"][0]["action"] == "restore"
    assert state_of(work) == before and os.listdir(tmp_path / "work") == ["ana"]
    assert not archive(state="restored")["changed"]


def test_work_comes_back_beside_a_lab_that_is_called_as_if_it_were_a_part(archive, work, tmp_path):
    archive()
    shutil.rmtree(work)
    (tmp_path / "work/ana.part").mkdir()
    (tmp_path / "work/ana.part/kept.txt").write_text("work of another")
    archive(state="restored")
    assert sorted(os.listdir(tmp_path / "work")) == ["ana", "ana.part"]
    assert (tmp_path / "work/ana.part/kept.txt").read_text() == "work of another"


def test_changed_work_gets_another_archive(archive, work, tmp_path):
    first = archive()["archives"][0]["path"]
    (work / "more.txt").write_text("more")
    second = archive()["archives"][0]["path"]
    assert os.path.exists(first) and os.path.exists(second)
    shutil.rmtree(work)
    archive(state="restored")
    assert (work / "more.txt").exists(), "the newest"


@pytest.mark.parametrize("with_zstd", [True, False], ids=["zst", "gz"])
def test_an_archive_that_cannot_be_written_leaves_nothing_half(archive, work, tmp_path, monkeypatch, with_zstd):
    (tmp_path / "kept").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", tmp_path / "kept"], check=True)
    if not with_zstd:
        monkeypatch.setenv("PATH", "/nonexistent")
    try:
        with pytest.raises(ModuleFailed, match="could not be archived .*No space left on device. The work is where it"):
            archive()
        assert os.listdir(tmp_path / "kept/ana") == []
    finally:
        monkeypatch.undo()
        subprocess.run(["umount", tmp_path / "kept"], check=True)


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"names": ["../ben"]}, "names: '../ben' is no name of a lab."),
        ({"names": [".ana.part"]}, "names: '.ana.part' is no name of a lab."),
        ({"work_dir": "work"}, "work_dir: 'work' should be an absolute path"),
        ({"archive_dir": "/"}, "archive_dir: '/' should be an absolute path"),
        ({"work_dir": "/srv/x", "archive_dir": "/srv/x/kept"}, "should not be among the work"),
    ],
)
def test_what_cannot_be_archived(archive, options, sentence):
    with pytest.raises(ModuleFailed, match=sentence):
        archive(**options)


PEOPLE = [{"person": "Ana", "lab": "ana", "host": "one"}, {"person": "Ben", "lab": "ben", "host": "two"}]
ADDRESSES = {
    # What the first host has beside it is an older lab of Ben's, which is not his any more.
    "one": {"ana": "http://one:1/lab?token=secret-of-ana", "ben": "http://one:2/lab?token=old-secret-of-ben"},
    "two": {"ben": "http://two:1/lab?token=secret-of-ben"},
}


def test_handouts_are_for_their_owner_and_follow_the_roster(run_module, tmp_path):
    dest = tmp_path / "class-handouts"

    def handouts(people, addresses, **options):
        return run_module("handouts", dest=str(dest), roster="class", people=people, addresses=addresses, **options)

    assert handouts(PEOPLE, ADDRESSES, check=True)["changed"] and not dest.exists()
    done = handouts(PEOPLE, ADDRESSES)
    assert done["changed"] and "secret-of" not in str(done)
    assert dest.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in dest.iterdir()} == {0o600}
    for check in (True, False):
        assert not handouts(PEOPLE, ADDRESSES, check=check)["changed"]
    assert not handouts(PEOPLE, {"one": ADDRESSES["one"]})["changed"], "two was not reached"

    (dest / "ana.txt").chmod(0o644)
    (dest / "mine.txt").write_text("notes")
    assert handouts(PEOPLE, ADDRESSES)["written"] == ["ana.txt"]
    left = handouts(PEOPLE[:1], ADDRESSES)
    assert left["removed"] == ["ben.txt"] and not (dest / "ben.txt").exists() and (dest / "mine.txt").exists()
    assert "ben" not in (dest / "sheet.csv").read_text()
    dest.chmod(0o755)
    assert handouts(PEOPLE[:1], ADDRESSES)["changed"] and dest.stat().st_mode & 0o777 == 0o700


def test_the_sheet_prints_a_class_on_one_page(tmp_path):
    address = "http://gpu12.example.edu:10000/lab?token=" + "0123456789abcdef" * 3
    people = [Person(f"Ana Müller {number}", f"ana{number}", "one", address, "2030-07-31") for number in range(30)]
    (tmp_path / "sheet.html").write_text(sheets("klasse-7b", people)["sheet.html"], encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1000, "height": 800})
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto((tmp_path / "sheet.html").as_uri())
        assert page.locator("tbody tr").count() == 30 and len(requests) == 1, "it needs nothing else"
        screenshot(page, "sheet")
        printed = page.pdf(prefer_css_page_size=True)
        browser.close()
    assert len(re.findall(rb"/Type /Page\b", printed)) == 1


def test_handouts_go_into_a_directory_of_their_own(run_module, tmp_path):
    (tmp_path / "mine.txt").write_text("notes")
    wrong = ((tmp_path, "holds other things than handouts"), (tmp_path / "mine.txt", "is not a directory"))
    for dest, sentence in wrong:
        with pytest.raises(ModuleFailed, match=sentence):
            run_module("handouts", dest=str(dest), roster="class", people=PEOPLE)


def test_a_host_tells_what_it_has_and_whose_labs_are_on_it(host, run_module):
    def ask(**options):
        given = {"roster": "class", "state_dir": str(host.path / "state"), "work_root": str(host.path / "work")}
        return run_module("roster_info", **{**given, "archive_dir": str(host.path / "kept"), **options})

    def ours(**options):
        return {lab["name"]: lab for lab in ask(**options)["labs"] if lab["name"].startswith(host.prefix)}

    host.labs(host.lab("a", memory="512m", labels=ROSTER, work_dir=f"class/{host.name('a')}"), host.lab("b"))
    said = ask(capacity={"memory": "64g", "gpus": 2}, reserve="4g", defaults={"memory": "1g", "bind_address": "::"})
    assert said["capacity"]["memory"] == 60 * 2**30 and said["capacity"]["gpus"] == 2 and said["capacity"]["cpus"] >= 1
    assert said["defaults"] == {"memory": 2**30, "gpus": [], "labels": {}, "bind_address": "::"}
    assert said["works"] == [host.name("a")] and said["archives"] == [] and not said["changed"]
    labs = ours()
    assert (labs[host.name("a")]["roster"], labs[host.name("a")]["memory"]) == ("class", 512 * 2**20)
    assert (labs[host.name("b")]["roster"], labs[host.name("b")]["memory"]) == ("", 0)
    assert "token=" not in str(labs)
    shown = ours(show_tokens=True)
    assert host.token("a") in shown[host.name("a")]["url"] and host.token("b") not in str(shown), "of its roster alone"

    kernel = host.server("a").start_kernel()
    host.server("a").execute(kernel, "import time; time.sleep(30)", wait=False)
    assert ours()[host.name("a")]["busy"] and not ours(names=[host.name("a")])[host.name("a")]["busy"]
    assert ask(check=True, docker_host="unix:///no/such.sock")["labs"] == []


def test_a_host_without_an_engine_tells_whose_work_it_has(run_module, tmp_path):
    for name in ("ana", "ana.part", ".ben.part"):
        (tmp_path / "class" / name).mkdir(parents=True)
    given = {"work_root": str(tmp_path), "state_dir": str(tmp_path), "docker_host": "unix:///no/such.sock"}
    assert run_module("roster_info", check=True, roster="class", **given)["works"] == ["ana", "ana.part"]
    with pytest.raises(ModuleFailed, match="roster: '../class' should be letters, digits, '_', '.' or '-', 2 to 63"):
        run_module("roster_info", check=True, roster="../class", **given)


@pytest.fixture
def nobody(tmp_path, playbook):
    """Run the playbook of a roster, of which the only person has left, in the roster's directory."""
    (tmp_path / "class.csv").write_text("person;until\nana;2020-01-01\n")
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "jupyter_labs_state_dir": str(tmp_path / "state"),
        "jupyter_labs_work_root": str(tmp_path / "work"),
        "jupyter_roster_archive_dir": str(tmp_path / "kept"),
    }
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"hosts": {"here": variables}}}))

    def run(*flags, check=True, **options):
        given = json.dumps({"roster": "class.csv", **options})
        play = ("-i", tmp_path / "inventory.json", ROOT / "playbooks/roster.yml", "-e", given, *flags)
        return playbook(*play, check=check, cwd=tmp_path)

    return run


def test_a_check_names_no_directory_as_if_it_were_there(nobody, tmp_path):
    said = " ".join(nobody("--check").stdout.split())
    assert f"0 people: {tmp_path}/class-handouts (a check writes nothing)" in said
    assert {path.name for path in tmp_path.iterdir()} == {"class.csv", "inventory.json"}


def test_relative_paths_begin_where_the_user_is(nobody, tmp_path):
    (tmp_path / "where.json").write_text('{"roster": "class", "number": 7, "people": {}}')
    options = {"jupyter_roster_placement": "where.json", "jupyter_roster_handouts": "texts"}
    nobody(**options)
    assert json.loads((tmp_path / "where.json").read_text())["number"] == 7, "it was read too"
    assert (tmp_path / "texts/sheet.csv").exists()
    assert not (ROOT / "playbooks/where.json").exists() and not (ROOT / "playbooks/texts").exists()
    assert "changed=0" in nobody(**options).stdout


@pytest.mark.parametrize("how", [{"serial": 1}, {"strategy": "free"}])
def test_a_roster_needs_all_its_hosts_at_once(nobody, playbook, tmp_path, how):
    inventory = json.loads((tmp_path / "inventory.json").read_text())
    inventory["all"]["hosts"]["there"] = inventory["all"]["hosts"]["here"]
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    play = {"hosts": "all", "gather_facts": False, "roles": ["myjupyter.fleet.jupyter_roster"], **how}
    (tmp_path / "play.json").write_text(json.dumps([play]))
    done = playbook("-i", tmp_path / "inventory.json", tmp_path / "play.json", "-e", "jupyter_roster_file=class.csv",
                    check=False, cwd=tmp_path)  # fmt: skip
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode and "The roster needs what all its hosts have, and has not heard of" in said


def test_a_name_that_would_lead_elsewhere_is_refused(nobody, playbook, tmp_path):
    done = nobody(check=False, jupyter_roster_name="Stats/101")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode and "name: 'Stats/101' should be letters, digits, '_', '.' or '-', 2 to 63" in said
    assert "Ask the hosts" not in done.stdout

    plan = {"myjupyter.fleet.roster_plan": {"roster": "../class", "people": [], "said": {}, "hosts": []}}
    (tmp_path / "play.json").write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [plan]}]))
    done = playbook("-i", "localhost,", tmp_path / "play.json", check=False)
    assert done.returncode and "roster: '../class' should be" in " ".join((done.stdout + done.stderr).split())


def test_declared_labs_and_those_of_rosters_leave_each_other_alone(host):
    of_roster = host.lab("a", labels=ROSTER)
    host.labs(of_roster)
    before = host.inspect("a")["Id"]
    host.labs(host.lab("b"), purge=True)
    assert host.inspect("a")["Id"] == before
    for wanted in (host.lab("a"), host.lab("a", state="absent")):
        with pytest.raises(ModuleFailed, match="is a lab of the roster class: choose another name"):
            host.labs(wanted)
    host.labs(host.lab("a", labels=ROSTER, state="absent"))
    assert not host.exists("a") and host.exists("b")
