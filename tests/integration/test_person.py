"""A person's path in a real browser: a notebook made, run and saved is there after the lab's image was changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
OUTPUT = Path(__file__).parent.parent / "output"
PATIENCE = 60_000  # milliseconds, on two busy cores


@pytest.fixture
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        yield page
        browser.close()


def screenshot(page, name):
    OUTPUT.mkdir(exist_ok=True)
    page.screenshot(path=OUTPUT / f"{name}.png")
    assert os.path.getsize(OUTPUT / f"{name}.png") > 20_000


def open_lab(page, address):
    page.goto(address)
    expect(page.locator("#jp-main-dock-panel")).to_be_visible()
    expect(page.get_by_role("menuitem", name="File")).to_be_visible()


def printed_address(host, lab):
    return host.labs(lab, show_tokens=True)["labs"][0]["url"]


def test_a_notebook_outlives_its_container(host, page, other_image):
    open_lab(page, printed_address(host, host.lab()))
    page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
    expect(page.get_by_text("Python 3 (ipykernel) | Idle")).to_be_visible()
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").first
    cell.click()
    page.keyboard.type("print('six times seven is', 6 * 7)")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text("six times seven is 42")
    page.keyboard.press("Control+s")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    screenshot(page, "made")
    notebook = host.path / "work" / host.name() / "Untitled.ipynb"
    assert "six times seven is 42" in json.dumps(json.loads(notebook.read_text()))
    page.goto("about:blank")

    before = host.inspect()["Id"]
    address = printed_address(host, host.lab(image=other_image))
    assert host.inspect()["Id"] != before
    open_lab(page, address)
    page.locator(".jp-DirListing-item", has_text="Untitled.ipynb").dblclick()
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text("six times seven is 42")
    screenshot(page, "opened-again")


def test_without_the_token_nobody_comes_in(host, page):
    host.labs(host.lab())
    page.goto(host.server().address + "/lab")
    expect(page.locator("#password_input")).to_be_visible()
