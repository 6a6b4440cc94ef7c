"""How fast the page of a large fleet is in a real browser: opened, and filtered by one keystroke.

    python -m tests.bench.status [--labs 1000] [--limit 1.0]

Seconds, medians of --runs; exits 1 when one of them is above --limit.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from ansible_collections.myjupyter.fleet.plugins.filter.fleet_status import fleet_status
from tests.unit.test_status import ANA, BEN

BROWSER = "/usr/bin/chromium"


def fleet(labs: int) -> dict[str, dict]:
    """What hosts with 25 labs each would say; a tenth of the labs is in trouble."""
    said: dict[str, dict] = {}
    for number in range(labs):
        lab = {**(BEN if number % 10 == 3 else ANA), "name": f"lab{number}", "busy": number % 4 == 0}
        said.setdefault(f"host{number // 25}", {"labs": []})["labs"].append(lab)
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labs", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--limit", type=float, default=1.0)
    given = parser.parse_args()
    times: dict[str, list[float]] = {"written": [], "opened": [], "filtered": [], "sorted": []}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        path = Path(folder) / "labs.html"
        for _run in range(given.runs):
            begun = time.perf_counter()
            path.write_text(fleet_status(fleet(given.labs), format="html", now="now"))
            times["written"].append(time.perf_counter() - begun)
            page = browser.new_page()
            begun = time.perf_counter()
            page.goto(path.as_uri())
            page.locator("tbody tr").nth(given.labs - 1).wait_for()
            times["opened"].append(time.perf_counter() - begun)
            begun = time.perf_counter()
            page.locator("#find").press("7")
            page.locator("#shown:not(:empty)").wait_for()
            page.evaluate("document.body.offsetHeight")
            times["filtered"].append(time.perf_counter() - begun)
            begun = time.perf_counter()
            page.get_by_role("button", name="Lab", exact=True).click()
            page.evaluate("document.body.offsetHeight")
            times["sorted"].append(time.perf_counter() - begun)
            page.close()
        browser.close()
    middle = {name: statistics.median(values) for name, values in times.items()}
    print(f"{given.labs} labs: " + ", ".join(f"{name} in {seconds:.2f} s" for name, seconds in middle.items()))
    return int(max(middle["opened"], middle["filtered"]) > given.limit)


if __name__ == "__main__":
    sys.exit(main())
