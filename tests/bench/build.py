"""Builds side by side: the article's Dockerfile and the module `image`, on the same base, turn and turn about.

    python -m tests.bench.build [--base IMAGE] [--rounds 3]

Cold: neither has anything in a cache, uv included. Then one small package is added, then there is nothing to do.
Each round starts from a base of its own, so that no layer of an earlier round can serve. Exits 1 when a target is
missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _build, _dockerfile
from tests import ROOT
from tests.base import base as made_base

PACKAGES = ["pandas", "scikit-learn", "matplotlib", "seaborn"]
ADDED = "humanize"
# Times faster than the article; the size is to be at most the same.
TARGETS = {"cold": 4, "one added": 8}
# The article's, with what a host behind an inspecting proxy needs. The name of the base is all that differs.
ARTICLE = """\
FROM {base}
WORKDIR /home/jovyan/work
COPY ./requirements.txt /home/jovyan/work
RUN --mount=type=secret,id=ca,mode=0444 PIP_CERT=/run/secrets/ca python -m pip install --no-cache -r requirements.txt
"""
FRESH_BASE = "FROM {base}\nLABEL bench={nonce}\nUSER root\nRUN echo {nonce} > /etc/bench\nUSER {user}\n"
EMPTY_CACHE = f"FROM {{base}}\nUSER root\nRUN {_dockerfile.CACHE} echo {{nonce}}; rm -rf /var/cache/myjupyter/*\n"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def docker(*words: str, text: str = "") -> str:
    """The output of a docker command that can build with BuildKit."""
    command = _build.find()
    environ = {**os.environ, **command.environ}
    done = subprocess.run(
        [command.program, *words], input=text, capture_output=True, text=True, env=environ, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip()


def build(name: str, text: str, **files: str) -> None:
    words = [word for word in _build.find().words if word != "--load"]
    with tempfile.TemporaryDirectory() as folder:
        for file, content in {"Dockerfile": text, **files}.items():
            Path(folder, file.replace("_txt", ".txt")).write_text(content)
        docker(*words, "--quiet", "--tag", name, "--secret", f"id=ca,src={CERTIFICATES}", folder)


def article(base: str, packages: list[str]) -> None:
    build("bench-article", ARTICLE.format(base=base), requirements_txt="\n".join(packages) + "\n")


def ours(base: str, packages: list[str]) -> dict:
    """One run of the module, its process included."""
    options = {"name": "bench-ours", "base": base, "requirements": packages, "keep": 0, "_ansible_diff": False}
    done = subprocess.run(
        [sys.executable, ROOT / "tests/run_module.py", "image"],
        input=json.dumps(options),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / ".collections")},
        check=False,
    )
    result = json.loads(done.stdout)
    if result.get("failed"):
        sys.exit(result["msg"])
    return result


def seconds(work, *arguments) -> float:
    begun = time.monotonic()
    work(*arguments)
    return time.monotonic() - begun


def ratio(both: dict[str, list[float]]) -> float:
    return statistics.median(both["article"]) / statistics.median(both["ours"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="the tests' own where none is named")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ground = options.base or made_base()
    user = docker("inspect", "--format", "{{.Config.User}}", ground) or "root"
    took: dict[str, dict[str, list[float]]] = {}

    def note(row: str, who: str, spent: float) -> None:
        took.setdefault(row, {}).setdefault(who, []).append(spent)

    for number in range(options.rounds):
        nonce = f"{os.getpid()}-{number}"
        base = f"bench-base:{nonce}"
        build(base, FRESH_BASE.format(base=ground, nonce=nonce, user=user))
        build("bench-empty", EMPTY_CACHE.format(base=ground, nonce=nonce))
        for row, packages in {"cold": PACKAGES, "one added": [*PACKAGES, ADDED]}.items():
            note(row, "article", seconds(article, base, packages))
            note(row, "ours", seconds(ours, base, packages))
        note("nothing to do", "article", seconds(article, base, [*PACKAGES, ADDED]))
        note("nothing to do", "ours", seconds(ours, base, [*PACKAGES, ADDED]))
        assert not ours(base, [*PACKAGES, ADDED])["changed"]
        sizes = {name: int(docker("inspect", "--format", "{{.Size}}", f"bench-{name}")) for name in ("article", "ours")}
        for name in ("bench-article", "bench-ours", "bench-empty", base):
            tags = docker("images", "--format", "{{.Repository}}:{{.Tag}}", name).split()
            docker("rmi", *tags)
    for row, both in took.items():
        mid = {who: statistics.median(spent) for who, spent in both.items()}
        target = f" (target {TARGETS[row]})" if row in TARGETS else ""
        print(f"{row:14} article {mid['article']:6.1f} s   ours {mid['ours']:6.1f} s   "
              f"ratio {ratio(both):.1f}{target}")  # fmt: skip
        print(f"{'':14} {[round(x, 1) for x in both['article']]} {[round(x, 1) for x in both['ours']]}")
    print(f"{'size':14} article {sizes['article'] / 1e6:6.0f} MB  ours {sizes['ours'] / 1e6:6.0f} MB  "
          f"ratio {sizes['ours'] / sizes['article']:.3f} (target at most 1)")  # fmt: skip
    reached = all(ratio(took[row]) >= target for row, target in TARGETS.items())
    return 0 if reached and sizes["ours"] <= sizes["article"] else 1


if __name__ == "__main__":
    sys.exit(main())
