"""How a fleet is: asked by the playbook in all formats, and the page in a real browser."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect, sync_playwright

from ansible_collections.myjupyter.fleet.plugins.filter.fleet_status import fleet_status
from tests import ROOT
from tests.integration.test_person import CHROMIUM, FLAGS, screenshot
from tests.unit.test_status import ANA, BEN


@pytest.fixture
def inventory(host):
    """This machine with a lab, one that nobody can reach, and one without an engine."""
    here = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "jupyter_labs_state_dir": str(host.path / "state"),
    }
    nowhere = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_ssh_common_args": "-o ConnectTimeout=2"}
    bare = {**here, "ansible_connection": "local", "fleet_become": False}
    path = host.path / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": {"here": here, "nowhere": nowhere, "other": bare}}}))
    return path


def test_the_fleet_is_told_in_all_formats(host, inventory, playbook):
    host.labs(host.lab())

    def status(*arguments, **options):
        return playbook("-i", inventory, ROOT / "playbooks/status.yml", *arguments, **options).stdout

    shown = status("--limit", "here,nowhere")
    assert re.search(r"nowhere +- +unreachable", shown) and "nowhere: Failed to connect" in shown
    assert re.search(rf"here +{host.name()} +healthy", shown)
    assert "2 hosts, 1 unreachable" in shown and "unreachable=0" in shown

    told = {}
    chosen = {"select": "sort_by(labs[?starts_with(host, 'her') && length(kernels) == `0`], &name)"}
    for name in ("json", "prometheus", "html", "table"):
        path = host.path / f"labs.{name}"
        output = f"output={path.name if name == 'json' else path}"
        said = status("-e", f"format={name}", "-e", output, "-e", json.dumps(chosen), cwd=host.path)
        assert "changed=1" not in said
        assert path.stat().st_mode & 0o777 == (0o644 if name == "prometheus" else 0o600)
        told[name] = path.read_text()
    assert host.name() in {lab["name"] for lab in json.loads(told["json"])["labs"]}
    assert f'myjupyter_lab_healthy{{host="here",lab="{host.name()}"}} 1' in told["prometheus"]
    assert f">{host.name()}</a>" in told["html"]
    assert told["table"].startswith("HOST")
    assert host.token() not in "".join(told.values())


@pytest.mark.parametrize(
    "variables, sentence",
    [
        ({"format": "xml"}, "format: 'xml' is none of table, json, prometheus, html"),
        ({"select": "labs[?"}, "is no JMESPath expression"),
        ({"select": "labs[::0]"}, "select: 'labs[::0]' cannot be evaluated: slice step cannot be zero"),
        ({"format": "html"}, "say which file it is to be, -e output=labs.html"),
    ],
)
def test_what_cannot_be_told_is_refused_before_a_host_is_asked(inventory, playbook, variables, sentence):
    done = playbook("-i", inventory, "playbooks/status.yml", "-e", json.dumps(variables), check=False)
    assert done.returncode and sentence in " ".join((done.stdout + done.stderr).split())
    assert "Look at all labs" not in done.stdout


@pytest.fixture
def page(tmp_path):
    """A page of forty labs on four hosts, in a browser."""
    said = {f"host{number}": {"labs": []} for number in range(4)}
    for number in range(40):
        lab = {**(BEN if number % 10 == 3 else ANA), "name": f"lab{number}", "busy": number % 4 == 0}
        said[f"host{number % 4}"]["labs"].append(lab)
    said["gone"] = {"unreachable": True, "msg": "Failed to connect"}
    path = tmp_path / "labs.html"
    path.write_text(fleet_status(said, format="html", now="2026-01-02 03:04 UTC"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri())
        yield page
        assert requests == [path.as_uri()], "it needs nothing else"
        browser.close()


def names(page):
    return page.locator("tbody tr:visible td:nth-child(3)").all_inner_texts()


def test_trouble_is_seen_first_and_labs_are_found(page):
    assert set(names(page)[:4]) == {"lab3", "lab13", "lab23", "lab33"}
    expect(page.get_by_text("gone")).to_be_visible()
    expect(page.get_by_text("5 hosts, 1 unreachable, 40 labs, 4 in trouble, 4 drifted, 10 busy")).to_be_visible()
    screenshot(page, "fleet")

    page.get_by_label("Find").fill("host1 LAB1")
    assert set(names(page)) == {"lab1", "lab13", "lab17"}
    expect(page.get_by_role("status")).to_have_text("3 of 40 shown")
    page.get_by_label("in trouble").check()
    assert names(page) == ["lab13"]
    page.get_by_label("Find").fill("")
    page.get_by_label("in trouble").uncheck()
    page.get_by_label("busy").check()
    assert len(names(page)) == 10


def test_columns_sort_both_ways(page):
    lab = page.get_by_role("columnheader", name="Lab", exact=True)
    lab.get_by_role("button").click()
    assert names(page)[:3] == ["lab0", "lab1", "lab2"] and lab.get_attribute("aria-sort") == "ascending"
    lab.get_by_role("button").click()
    assert names(page)[:3] == ["lab39", "lab38", "lab37"] and lab.get_attribute("aria-sort") == "descending"


def test_a_phone_shows_a_card_a_lab(page):
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    screenshot(page, "fleet-phone")
    page.get_by_role("button", name="Lab", exact=True).click()
    assert names(page)[:3] == ["lab0", "lab1", "lab2"]
