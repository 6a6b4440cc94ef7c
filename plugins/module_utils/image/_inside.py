# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside a build, with the base's own Python: resolve, install, compile. Standard library only.

``resolve REQUEST ANSWER`` writes what was found, or why nothing was, as JSON. ``install FOLDER`` installs its locks.
"""

# pylint: disable=ansible-bad-function  # this is a program inside a build, not a module: it prints, runs and exits

from __future__ import annotations

import concurrent.futures
import contextlib
import datetime
import gc
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import pwd
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.parse
import urllib.request
import zipfile

CACHE = "/var/cache/myjupyter"
UV = "uv>=0.8"
PYPI = "https://pypi.org/simple"
SITE = sysconfig.get_paths()["purelib"]
SITES = sorted({SITE, sysconfig.get_paths()["platlib"]})
# What uv says of an extra that a package does not have, and installs without it.
EXTRA = re.compile(r"^warning: (.* does not have an extra named .*)$", re.M)
# Bytecode of tests is a third of all, and nobody imports them.
UNCOMPILED = frozenset(["test", "tests"])


def resolve(request_path, answer_path):
    """Answer a request (JSON) with the base's facts and the packages that satisfy it, or with the reason why not."""
    with open(request_path) as file:
        request = json.load(file)
    answer = {"error": "", "base": facts(request["user"]), "entries": [], "warnings": []}
    wanted, there = request["python"], answer["base"]["python"]
    if wanted and not f"{there}.".startswith(f"{wanted}."):
        answer["error"] = f"runtime.txt asks for Python {wanted}, and the base has {there}: take another base."
    elif request["lines"]:
        answer.update(compile_requirements(request, answer["base"]["installed"]))
        answer["error"] = answer["error"] or conflict(answer["entries"], answer["base"]["installed"])
    os.makedirs(os.path.dirname(answer_path), exist_ok=True)
    with open(answer_path, "w") as file:
        json.dump(answer, file)


def facts(user):
    """What the host has to know of the base; ``user`` is that of its configuration."""
    owner = os.stat(SITE)
    name, _colon, group = (user or "root").partition(":")
    known = next((entry for entry in pwd.getpwall() if name in (entry.pw_name, str(entry.pw_uid))), None)
    uid = known.pw_uid if known else int(name)
    gid = int(group) if group.isdigit() else known.pw_gid if known else 0
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "owner": [owner.st_uid, owner.st_gid],
        "user": [uid, gid],
        "home": known.pw_dir if known else "/",
        "installed": installed(),
        "conda": shutil.which("mamba") or shutil.which("conda") or "",
    }


def installed():
    """Names and versions of what the base's Python has."""
    found = [(item.metadata["Name"], item.version) for item in importlib.metadata.distributions()]
    return {canonical(name): version for name, version in sorted(found, key=str) if name}


def compile_requirements(request, there):
    """The ``entries`` that satisfy the request, and an empty ``error``, or none, and why not; and ``warnings``.

    What the base has, or the image before had, is preferred, except what is to be newer.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, constraints, lock = (os.path.join(folder, name) for name in ("asked.in", "limits.in", "pylock.toml"))
        write(asked, "\n".join(request["lines"]))
        write(constraints, "\n".join(request["constraints"]))
        preferred = {**there, **request["preferred"]}
        write(lock, preferences({name: preferred[name] for name in preferred if name not in request["newer"]}))
        options = ["--no-header", "--constraint", constraints, "--output-file", lock, *request["options"]]
        shown = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        done = uv(["pip", "compile", asked, *options], os.path.join(CACHE, "uv"), **shown)
        if done.returncode:
            return {"entries": [], "error": reason(done.stderr, folder)}
        with open(lock, encoding="utf-8") as file:
            entries = plain(toml().loads(file.read()).get("packages", []))
        return {"entries": entries, "error": "", "warnings": EXTRA.findall(done.stderr)}


def conflict(entries, there):
    """What of the base could not go on beside the packages that were found, and so far could; empty where all can."""
    versions = {canonical(entry["name"]): entry.get("version") for entry in entries}
    replaced = {name for name, version in versions.items() if version and there.get(name, version) != version}
    for item in importlib.metadata.distributions() if replaced else ():
        if canonical(item.metadata["Name"]) in versions:
            continue
        for need in needs(item):
            name = canonical(need.name)
            if name in replaced and fits(need, there[name]) and not fits(need, versions[name]):
                other = item.metadata["Name"]
                return (
                    f"requirements: they lead to {name} {versions[name]}, and {other} {item.version} of the base needs "
                    f"{need}: allow such a version, or write {other} into the requirements too, so that versions of "
                    "both are found which go together."
                )
    return ""


def needs(item):
    """What a distribution asks for, on this Python and without extras."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        from pip._vendor.packaging.requirements import Requirement
    found = []
    for text in item.requires or ():
        with contextlib.suppress(ValueError):  # what was never a requirement binds nobody
            need = Requirement(text)
            found += [need] if need.marker is None or need.marker.evaluate({"extra": ""}) else []
    return found


def fits(need, version):
    with contextlib.suppress(ValueError):  # what is no version fits nothing
        return need.specifier.contains(version, prereleases=True)
    return False


def plain(value):
    """A value of TOML as JSON can have it: without times, which no installation needs."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if not isinstance(item, datetime.datetime)}
    return [plain(item) for item in value] if isinstance(value, list) else value


def preferences(versions):
    """A pylock.toml of versions: what the resolver stays with where it can."""
    items = [f'[[packages]]\nname = "{name}"\nversion = "{versions[name]}"\n' for name in sorted(versions)]
    return 'lock-version = "1.0"\ncreated-by = "myjupyter.fleet"\n' + ("".join(items) or "packages = []\n")


def install(folder):
    """Install the pylock.toml files of a folder as the owner of what the base has, so that a notebook's pip can go on.

    The cache lies in the layer while this runs: what is unpacked there is linked, not copied, into its place.
    What one file has brought is compiled while the next one is fetched.
    """
    program = uv_program()
    become(os.stat(SITE))
    cache = tempfile.mkdtemp(prefix=".cache-", dir=SITE)
    there = records()
    try:
        with concurrent.futures.ProcessPoolExecutor(initializer=gc.disable) as pool:
            for name in sorted(os.listdir(folder)):
                lock = os.path.join(folder, name)
                command = ["pip", "install", "--no-deps", "--break-system-packages", "--requirement", lock]
                if uv(command, cache, program).returncode:
                    sys.exit(1)
                before, there = there, records()
                pool.map(compile_one, sources(there - before), chunksize=16)
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def records():
    """The folders that say what is installed; each has the package's name and version in its own."""
    return {os.path.join(site, name) for site in SITES for name in os.listdir(site) if name.endswith(".dist-info")}


def sources(found):
    """The files of some packages that are worth compiling: else each first import in a new container pays for it."""
    for path in sorted(found):
        item = importlib.metadata.Distribution.at(path)
        for file in item.files or []:
            if file.suffix == ".py" and not UNCOMPILED & set(file.parts):
                yield str(item.locate_file(file))


def compile_one(path):
    # A file that this Python cannot compile is its package's way to support another one.
    py_compile.compile(path, quiet=2)


def canonical(name):
    return re.sub(r"[-_.]+", "-", name or "").lower()


def become(owner):
    """Go on as the owner of the installed packages; group-writable where they are."""
    os.umask(0o002 if owner.st_mode & 0o020 else 0o022)
    if os.getuid() == 0 and owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def uv(arguments, cache, program=None, **shown):
    """A finished process of uv for the base's Python. ``shown``: where what it says goes."""
    environ = {
        **os.environ,
        "HOME": "/tmp",
        "UV_CACHE_DIR": cache,
        "UV_LINK_MODE": "hardlink",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_NO_CONFIG": "1",
        "UV_PREVIEW_FEATURES": "pylock",
        "UV_PYTHON_DOWNLOADS": "never",
        "NO_COLOR": "1",
    }
    command = [program or uv_program(), *arguments, "--python", sys.executable]
    return subprocess.run(command, env=environ, text=True, check=False, **shown)


def uv_program():
    """The path of uv, which is fetched into the build's cache: it is in no image."""
    home = os.path.join(CACHE, f"{re.sub(r'[^a-z0-9]', '', UV)}-{platform.machine()}")
    program = os.path.join(home, "bin", "uv")
    if not os.path.exists(program):
        os.makedirs(CACHE, exist_ok=True)
        fresh = tempfile.mkdtemp(dir=CACHE)
        print("Fetching uv", flush=True)
        try:
            fetch_uv(os.path.join(fresh, "bin"))
        except (OSError, ValueError, LookupError, zipfile.BadZipFile):
            # An index of another kind, with a password, or with nothing but its owner's packages.
            fetch_uv_by_pip(fresh)
        os.chmod(fresh, 0o755)
        shutil.rmtree(home, ignore_errors=True)
        os.rename(fresh, home)
    return program


def fetch_uv(folder):
    """Take uv out of its newest wheel. pip needs two seconds more for that, which is a fifth of a whole build."""
    index = os.environ.get("PIP_INDEX_URL", PYPI).rstrip("/")
    ask = urllib.request.Request(f"{index}/uv/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    opener = urllib.request.build_opener()
    with opener.open(ask, timeout=30) as answer:
        files = json.load(answer)["files"]
    fits = re.compile(rf"uv-(\d+)\.(\d+)\.(\d+)-py3-none-manylinux\w*_{platform.machine()}[.\w]*\.whl")
    known = [(fits.fullmatch(file["filename"]), file) for file in files if not file.get("yanked")]
    usable = [(tuple(map(int, match.groups())), file) for match, file in known if match and platform.libc_ver()[0]]
    file = max(usable, key=lambda item: item[0])[1]
    with opener.open(urllib.parse.urljoin(f"{index}/uv/", file["url"]), timeout=60) as answer:
        wheel = answer.read()
    if hashlib.sha256(wheel).hexdigest() != file["hashes"]["sha256"]:
        raise ValueError("not the file that the index names")
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        member = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
        os.mkdir(folder)
        with open(os.path.join(folder, "uv"), "wb") as out:
            out.write(archive.read(member))
    os.chmod(folder, 0o755)
    os.chmod(os.path.join(folder, "uv"), 0o755)


def fetch_uv_by_pip(folder):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    command = [*pip, "--no-deps", "--no-compile", "--target", folder, UV]
    if subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode:
        subprocess.run([*command, "--index-url", PYPI], check=True)


def reason(stderr, folder):
    """What the resolver says, as one paragraph without its drawing."""
    lines = [line for line in stderr.replace(folder + "/", "").splitlines() if not line.startswith("warning:")]
    text = " ".join(re.sub(r"^[\s\u00d7\u2570\u2500\u25b6\u2502\u251c>-]+", "", line) for line in lines)
    return "requirements: they cannot be resolved. " + re.sub(r"\s+", " ", text).strip()


def toml():
    """A module that reads TOML: the standard library's from Python 3.11 on, pip's own before."""
    try:
        import tomllib
    except ImportError:
        from pip._vendor import tomli as tomllib
    return tomllib


def write(path, text):
    with open(path, "w") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    if sys.argv[1] == "resolve":
        resolve(*sys.argv[2:])
    else:
        install(*sys.argv[2:])
