"""The base keeps the contract of the Jupyter Docker Stacks: every row of it, in real containers."""

from __future__ import annotations

import re
from typing import NamedTuple

import docker
import pytest

WARNING = re.compile(r"^WARNING\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] (.*)", re.M)
SHOW = ["bash", "-c", 'id; echo "HOME=$HOME PWD=$PWD"; umask; stat -c "%n:%u:%g" "$HOME" "$HOME/work" "$HOME/.bashrc"']


class Done(NamedTuple):
    code: int
    out: str
    log: str


@pytest.fixture(scope="module")
def client():
    return docker.from_env()


@pytest.fixture
def run(client, base):
    """Run a command in the base to its end."""

    def to_the_end(*command, **options):
        container = client.containers.create(base, list(command), **options)
        try:
            container.start()
            code = container.wait(timeout=60)["StatusCode"]
            out, log = (container.logs(**{"stdout": n == 0, "stderr": n == 1}).decode() for n in range(2))
            return Done(code, out, log)
        finally:
            container.remove(force=True)

    return to_the_end


# who, docker's options, what the command prints, what start.sh warns of (one warning a row's string)
USERS = {
    "jovyan": ({}, ["uid=1000(jovyan) gid=100(users) groups=100(users)", "HOME=/home/jovyan PWD=/home/jovyan"], []),
    "NB_UID": (
        {"user": "root", "environment": {"NB_UID": "1010"}},
        ["uid=1010(jovyan) gid=100(users)", "/home/jovyan:1000:100"],
        [],
    ),
    "NB_GID": (
        {"user": "root", "environment": {"NB_GID": "110"}},
        ["uid=1000(jovyan) gid=110(jovyan) groups=110(jovyan),100(users)"],
        [],
    ),
    "NB_GROUP": (
        {"user": "root", "environment": {"NB_GID": "110", "NB_GROUP": "cats"}},
        ["gid=110(cats) groups=110(cats),100(users)"],
        [],
    ),
    "NB_USER": (
        {"user": "root", "environment": {"NB_USER": "kitten", "CHOWN_HOME": "yes"}},
        ["uid=1000(kitten) gid=100(users)", "HOME=/home/kitten PWD=/home/kitten", "/home/kitten/work:1000:100"],
        [],
    ),
    "NB_USER in work": (
        {"user": "root", "environment": {"NB_USER": "kitten"}, "working_dir": "/home/jovyan/work"},
        ["PWD=/home/kitten/work"],
        [],
    ),
    "CHOWN_HOME": (
        {
            "user": "root",
            "environment": {"NB_USER": "kitten", "NB_UID": "1010", "NB_GID": "101"}
            | {"CHOWN_HOME": "1", "CHOWN_HOME_OPTS": "-R"},
        },
        ["/home/kitten:1010:101", "/home/kitten/.bashrc:1010:101"],
        [],
    ),
    "CHOWN_EXTRA": (
        {
            "user": "root",
            "environment": {"NB_UID": "1010", "NB_GID": "101", "CHOWN_EXTRA_OPTS": "-R"}
            | {"CHOWN_EXTRA": "/home/jovyan/work,/home/jovyan/.bashrc"},
        },
        ["/home/jovyan:1000:100", "/home/jovyan/work:1010:101", "/home/jovyan/.bashrc:1010:101"],
        [],
    ),
    "root stays root": (
        {"user": "root", "environment": {"NB_USER": "root", "NB_UID": "0", "NB_GID": "0"}},
        ["uid=0(root) gid=0(root) groups=0(root)", "HOME=/home/root PWD=/home/root"],
        [],
    ),
    "any UID of the group users": (
        {"user": "1010:1010", "group_add": ["users"]},
        ["uid=1010 gid=1010 groups=1010,100(users)", "HOME=/home/jovyan"],
        ["Try setting gid=0"],
    ),
    "any UID": ({"user": "1010"}, ["uid=1010(jovyan) gid=0(root)"], ["--group-add=users"]),
    "any UID and NB_USER": (
        {"user": "1010", "group_add": ["users"], "environment": {"NB_USER": "kitten"}},
        ["uid=1010(kitten) gid=0(root)", "HOME=/home/jovyan"],
        ["user is kitten but home is /home/jovyan"],
    ),
    "what only root can do": (
        {"environment": {"NB_USER": "kitten", "NB_UID": "1010", "NB_GID": "101", "GRANT_SUDO": "yes"}},
        ["uid=1000(jovyan) gid=100(users)"],
        ["grant sudo", 'NB_USER="kitten"', 'NB_UID="1010"', 'NB_GID="101"'],
    ),
}


@pytest.mark.parametrize("case", USERS)
def test_user(run, case):
    options, printed, warned = USERS[case]
    done = run(*SHOW, **options)
    assert done.code == 0, done
    for text in printed:
        assert text in done.out
    found = WARNING.findall(done.log)
    assert len(found) == len(warned), done.log
    assert all(text in line for text, line in zip(warned, found))
    assert "ERROR" not in done.log


def test_a_changed_user_can_install_packages(run):
    done = run(
        "bash",
        "-c",
        "cd $CONDA_DIR/lib/python3.*/site-packages && touch x && python -c 'import sys; print(sys.prefix)'",
        user="root",
        environment={"NB_UID": "1010", "NB_GID": "1010"},
    )
    assert done.code == 0 and done.out.endswith("/opt/conda\n")


def test_home_of_root_is_in_passwd(run):
    done = run("getent", "passwd", "root", user="root", environment={"NB_USER": "root", "NB_UID": "0", "NB_GID": "0"})
    assert done.out == "root:x:0:0:root:/home/root:/bin/bash\n"


@pytest.mark.parametrize("options", [{}, {"working_dir": "/home/root"}])
def test_root_stays_root_without_any_capability(run, options):
    """As in the user namespace of a rootless engine that gives none."""
    root = {"NB_USER": "root", "NB_UID": "0", "NB_GID": "0"}
    done = run("stat", "-c", "%U:%G", "/home/root", user="root", environment=root, cap_drop=["ALL"], **options)
    assert (done.code, done.out) == (0, "root:root\n"), done.log


def test_root_has_its_own_numbers(run):
    done = run("true", user="root", environment={"NB_USER": "root"})
    assert done.code == 1 and "NB_USER=root has the numbers 0:0, not 1000:100" in done.log


def test_a_login_shell_finds_python(run):
    """As JupyterLab's terminals are."""
    assert run("env", "-i", "bash", "-lc", "command -v python jupyter").out.split() == [
        "/opt/conda/bin/python", "/opt/conda/bin/jupyter",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "granted", "out"),
    [
        (["sudo", "-n", "id", "-u"], {"GRANT_SUDO": "yes"}, "0"),
        (["sudo", "-n", "which", "jupyter"], {"GRANT_SUDO": "1"}, "/opt/conda/bin/jupyter"),
        (["which", "python"], {}, "/opt/conda/bin/python"),
        (["sudo", "-n", "id", "-u"], {}, ""),
    ],
)
def test_sudo(run, command, granted, out):
    assert run(*command, user="root", environment=granted).out.strip() == out


@pytest.mark.parametrize("user", ["root", "1000"])
def test_variables_to_unset(run, user):
    done = run(
        "env",
        user=user,
        environment={"JUPYTER_ENV_VARS_TO_UNSET": "CAT,NONE,DOG", "CAT": "secret", "DOG": "secret", "COW": "moo"},
    )
    assert done.code == 0
    assert "secret" not in done.out and "COW=moo" in done.out and "TO_UNSET" not in done.out


def test_no_variable_of_another_program(run):
    assert "SUDO_" not in run("env", user="root").out


def test_logs_go_to_stderr(run):
    done = run("echo", "only this")
    assert done.out == "only this\n"
    assert re.search(r"^INFO\[[-0-9: ]+\] Entered start\.sh with args: echo only this$", done.log, re.M)
    assert "Executing the command: echo only this" in done.log
    assert "Running as jovyan: true" in run("true", user="root").log


def test_quiet(run):
    quiet = {"JUPYTER_DOCKER_STACKS_QUIET": "1", "GRANT_SUDO": "1"}
    assert WARNING.sub("", run("true", environment=quiet).log).strip() == ""


def test_warnings_and_errors_have_colours_at_a_terminal(run):
    script = "source _docker_stacks_log.sh; _log_warn a; _log ERROR b; _log DEBUG c; NO_COLOR=1 _log_error d"
    said = re.sub(r"\[\d{4}-.*?\] ", " ", run("bash", "-c", script, tty=True, entrypoint=["tini", "--"]).out)
    assert said.splitlines() == ["\x1b[33mWARNING a\x1b[0m", "\x1b[31mERROR b\x1b[0m", "DEBUG c", "ERROR d"]


@pytest.mark.parametrize("name", ["notebook", "singleuser"])
def test_former_names_say_so(run, name):
    done = run(f"start-{name}.sh", "--version")
    assert f"WARNING: Use start-{name}.py instead" in done.log


def test_start_sh_twice(run):
    done = run("start.sh", "sudo", "id", user="root", environment={"GRANT_SUDO": "yes"})
    assert "uid=0(root)" in done.out
    assert WARNING.findall(done.log) == ["start.sh is the default ENTRYPOINT, do not include it in CMD"]


def test_no_command_is_a_shell(client, base):
    container = client.containers.create(base, entrypoint=["start.sh"], command=[], stdin_open=True, tty=True)
    try:
        container.start()
        assert container.exec_run("id -un").output == b"jovyan\n"
        container.attach_socket(params={"stdin": 1, "stream": 1})._sock.send(b"echo $0; exit 3\n")
        assert container.wait(timeout=20)["StatusCode"] in (0, 3)
    finally:
        container.remove(force=True)


def test_a_bind_mount_below_an_old_home_stays(run, tmp_path):
    (tmp_path / "kept.txt").write_text("here")
    run(
        "true",
        user="root",
        environment={"NB_USER": "kitten", "CHOWN_HOME": "yes"},
        volumes={str(tmp_path): {"bind": "/home/jovyan/data"}},
    )
    assert (tmp_path / "kept.txt").read_text() == "here"


HOOKS = {
    "10-first.sh": ("export FROM_HOOK=cat; set -e", 0o644),
    "20-fails.sh": ("false", 0o644),
    "30-runs": ("#!/bin/bash\necho ran as $(id -u)", 0o755),
    "40-fails.py": ("#!/usr/bin/env python\nraise SystemExit(3)", 0o755),
    "50-is-no-program": ("nothing", 0o644),
    "60-last.sh": ("FROM_HOOK=${FROM_HOOK}s", 0o644),
}


@pytest.mark.parametrize("where", ["start-notebook.d", "before-notebook.d"])
@pytest.mark.parametrize(("user", "uid"), [("root", 0), ("1000", 1000)])
def test_hooks(run, tmp_path, where, user, uid):
    for name, (text, mode) in HOOKS.items():
        (tmp_path / name).write_text(text + "\n")
        (tmp_path / name).chmod(mode)
    tmp_path.chmod(0o755)
    directory = f"/usr/local/bin/{where}"
    done = run("bash", "-c", "echo $FROM_HOOK", user=user, volumes={str(tmp_path): {"bind": directory}})
    assert done.code == 0
    assert done.out == f"ran as {uid}\ncats\n"
    assert f"Running hooks in: {directory} as uid: {uid}" in done.log
    for name in HOOKS:
        failed = f"{directory}/{name} has failed, continuing execution" in done.log
        assert failed == ("fails" in name)
    assert f"Ignoring non-executable: {directory}/50-is-no-program" in done.log


@pytest.mark.parametrize("where", ["start-notebook.d", "before-notebook.d"])
def test_a_hook_may_run_other_hooks(run, tmp_path, where):
    (tmp_path / "more").mkdir()
    (tmp_path / "more/one.sh").write_text("echo inner; set -- other words")
    (tmp_path / "ten.sh").write_text(f"source /usr/local/bin/run-hooks.sh /usr/local/bin/{where}/more; set -- x; false")
    tmp_path.chmod(0o755)
    done = run("echo", "hello", volumes={str(tmp_path): {"bind": f"/usr/local/bin/{where}"}})
    assert (done.code, done.out) == (0, "inner\nhello\n"), done.log


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "Should pass exactly one directory"),
        ("one two", "Should pass exactly one directory"),
        ("/tmp/missing/", "Directory /tmp/missing/ doesn't exist or is not a directory"),
        ("/etc/passwd", "Directory /etc/passwd doesn't exist or is not a directory"),
    ],
)
def test_hooks_by_hand(run, arguments, said):
    done = run("bash", "-c", f"source /usr/local/bin/run-hooks.sh {arguments}")
    assert done.code == 1 and said in done.log


def test_fix_permissions(run):
    done = run(
        "bash",
        "-c",
        "mkdir -p /tmp/d/e && touch /tmp/d/e/f && chmod 600 /tmp/d/e/f && chown -R 7:7 /tmp/d"
        " && fix-permissions /tmp/d && stat -c '%g %a' /tmp/d/e /tmp/d/e/f",
        user="root",
        environment={"NB_USER": "root", "NB_UID": "0", "NB_GID": "0"},
    )
    assert done.out == "0 6775\n0 660\n"


@pytest.mark.parametrize(
    ("command", "out"),
    [
        ("locale -a | LC_ALL=C sort | xargs", "C C.utf8 POSIX en_US.utf8\n"),
        ("echo $LANG $LC_ALL $SHELL $CONDA_DIR", "C.UTF-8 C.UTF-8 /bin/bash /opt/conda\n"),
        ("echo '**bold**' | pandoc", "<p><strong>bold</strong></p>\n"),
        ("touch /etc/jupyter/mine && ls /etc/jupyter/mine", "/etc/jupyter/mine\n"),
        ("stat -c %a ~/.bashrc /opt/default-home/.bashrc | xargs", "664 664\n"),
        ('jupyter kernelspec list --json | grep -c \'"language": "python"\'', "1\n"),
        ("pip check", "No broken requirements found.\n"),
        ("cat /etc/pip.conf ~/.config/pip/* /run/secrets/* 2> /dev/null", ""),
        ("find ~/.cache /root/.cache /var/cache/myjupyter -type f 2> /dev/null", ""),
    ],
)
def test_what_is_in_it(run, command, out):
    assert run("bash", "-c", command).out == out


def test_formats_are_still_checked(run):
    """The package that stands in for the slow one knows the same rules."""
    script = (
        "from jsonschema import Draft202012Validator as V, FormatChecker; import sys\n"
        "ok = lambda f, v: V({'format': f}, format_checker=V.FORMAT_CHECKER).is_valid(v)\n"
        "print(ok('iri', 'http://exämple.org/ä'), ok('iri', 'no iri'))\n"
        "print(ok('uri', 'http://a.org/'), ok('uri', '\\\\x'))\n"
        "print('rfc3987_syntax' in sys.modules)"
    )
    assert run("python", "-c", script).out == "True False\nTrue False\nFalse\n"


def test_image(client, base):
    config = client.images.get(base).attrs["Config"]
    assert config["Entrypoint"] == ["tini", "-g", "--", "start.sh"]
    assert config["Cmd"] == ["start-notebook.py"]
    assert config["User"] == "1000" and config["WorkingDir"] == "/home/jovyan"
    assert config["ExposedPorts"] == {"8888/tcp": {}}
    assert {"NB_USER=jovyan", "NB_UID=1000", "NB_GID=100", "JUPYTER_PORT=8888"} <= set(config["Env"])


@pytest.mark.parametrize(
    ("options", "home", "owner"),
    [
        ({"user": "root"}, "/home/jovyan", "1000:100"),
        ({"user": "root", "environment": {"NB_USER": "kitten", "NB_UID": "1010"}}, "/home/kitten", "1010:100"),
        ({}, "/home/jovyan", "1000:100"),
    ],
)
def test_a_mounted_home_is_filled(run, tmp_path, options, home, owner):
    (tmp_path / ".profile").write_text("mine")
    tmp_path.chmod(0o777)
    files = [f"{home}/.bashrc", f"{home}/.bash_logout"]
    done = run("stat", "-c", "%n:%u:%g", *files, volumes={str(tmp_path): {"bind": home}}, **options)
    assert done.out.splitlines() == [f"{file}:{owner}" for file in files]
    assert f"Populating missing {home}/.bashrc" in done.log
    assert f"Skipping {home}/.profile, it already exists" in done.log
    assert (tmp_path / ".profile").read_text() == "mine"


@pytest.mark.parametrize("user", ["root", "1010"])
def test_a_mounted_home_that_cannot_be_written(run, tmp_path, user):
    done = run("ls", "-A", "/home/jovyan", user=user, volumes={str(tmp_path): {"bind": "/home/jovyan", "mode": "ro"}})
    assert done.out == "" and "Populating" not in done.log
    assert [line for line in WARNING.findall(done.log) if "o write access to /home/jovyan" in line]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("populate-home-dir.sh", "Usage: populate-home-dir.sh <target_home> [<owner>]"),
        ("rm -r /opt/default-home; populate-home-dir.sh /tmp", "Backup directory /opt/default-home doesn't exist"),
        ("mkdir /tmp/t; ln -s /none /tmp/t/.bashrc; populate-home-dir.sh /tmp/t", "Skipping /tmp/t/.bashrc"),
        ("mkdir /tmp/t; populate-home-dir.sh /tmp/t 7:8; stat -c %u:%g /tmp/t/.bashrc >&2", "7:8"),
    ],
)
def test_filling_by_hand(run, command, said):
    root = {"NB_USER": "root", "NB_UID": "0", "NB_GID": "0"}
    assert said in run("bash", "-c", command, user="root", environment=root).log
