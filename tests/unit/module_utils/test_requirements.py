"""The grammar of requirements, in tables."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.image import _requirements

GOOD = {
    "pandas": "pandas",
    "  Pandas_X  ": "pandas-x",
    "zope.interface": "zope-interface",
    "pandas>=2.2,<3": "pandas<3,>=2.2",
    "pandas >= 2.2 , < 3": "pandas<3,>=2.2",
    "pandas (>=2)": "pandas>=2",
    "pandas>=2,": "pandas>=2",
    "pandas==2.*": "pandas==2.*",
    "pandas~=2.1": "pandas~=2.1",
    "pandas===2.1-local": "pandas===2.1-local",
    "torch==2.5.1+cpu": "torch==2.5.1+cpu",
    "a==1!2.0rc1.post1.dev2": "a==1!2.0rc1.post1.dev2",
    "jupyter[B_c, a]": "jupyter[a,b-c]",
    "jupyter[]": "jupyter",
    "a ; python_version<'3.12'": 'a ; python_version < "3.12"',
    "a;(os_name=='nt' or sys_platform not  in 'win32 cygwin') and extra=='x'": (
        'a ; ( os_name == "nt" or sys_platform not in "win32 cygwin" ) and extra == "x"'
    ),
    "a; sys.platform == 'linux' and python_implementation == 'CPython'": (
        'a ; sys_platform == "linux" and platform_python_implementation == "CPython"'
    ),
    "a @ https://example.org/a-1.0-py3-none-any.whl": "a @ https://example.org/a-1.0-py3-none-any.whl",
    "a @ https://example.org/a.zip\t; os_name == 'nt'": 'a @ https://example.org/a.zip ; os_name == "nt"',
    "a[x]@git+https://example.org/a@v1 ; os_name == 'posix'": (
        'a[x] @ git+https://example.org/a@v1 ; os_name == "posix"'
    ),
}
BAD = {
    "panda s": "'s' after its name",
    "pandas 2.0": "'2.0' after its name",
    "pandas=2": "a single '='",
    "pandas=>2": "it is written '>='",
    "pandas=<2": "it is written '<='",
    "pandas>2 <3": "a comma between the parts",
    "pandas>=two": "'two', which is no version",
    "pandas>=2.*": "no version that can follow '>='",
    "pandas~=2": "needs two parts",
    "pandas~=2.post1": "needs two parts",
    "pandas>=2.0+cu118": "no version that can follow '>='",
    "pandas==2.0.dev1.*": "no version that can follow '=='",
    "pandas==2.0.post1.*": "no version that can follow '=='",
    "pandas!=2a1.*": "no version that can follow '!='",
    "pandas==\u0664": "no version that can follow '=='",
    "pandas>=1,,": "after its name",
    "pandas==1 -f https://a/": "the option '-f'",
    "a --hash=sha256:abz": "--hash=sha256:..., with hexadecimal digits",
    "a==4 --hash=sha256:aa.9": "--hash=sha256:..., with hexadecimal digits",
    "a --hash=md5:aa": "--hash=sha256:..., with hexadecimal digits",
    "file:///tmp/a": "wants its name before the address",
    "wheels/mine-1.0-py3-none-any.whl": "is a file, which a build cannot reach",
    "mine/": "wants its name before the address",
    "a @ hg+https://example.org/a": "a build can reach https://... and git+https://...",
    "a @ ftp://example.org/a.zip": "a build can reach https://... and git+https://...",
    "--pre=no": "the option '--pre'",
    'a ; os_name == "C:\\"': "makes no sense at",
    "pandas==2.0+cu118.*": "no version that can follow '=='",
    "--no-binary": "wants names after it",
    "mine-1.0-py3-none-any.whl": "is a file, which a build cannot reach",
    "mine-1.0.tar.gz": "is a file, which a build cannot reach",
    "requirements.txt": "is the name of a file: write -r requirements.txt",
    "pandas>=1,,<2": "after its name",
    ">=2": "is no requirement",
    "a[b": "'[b' after its name",
    "a[b c]": "the extra 'b c'",
    "a;": "has the marker ''",
    "a ; python > '3'": "'python' is neither a known variable nor quoted",
    "a ; python_version >": "one reads python_version",
    "a ; (os_name == 'x'": "lacks a ')'",
    "a ; os_name == 'x' 'y'": "makes no sense at",
    "a ; os_name == 'x": "makes no sense at",
    "./wheel.whl": "wants its name before the address",
    "https://example.org/a.whl": "wants its name before the address",
    "a @ file:///tmp/a.whl": "a build can reach",
    "a @ https://example.org/a.whl; os_name == 'x'": "a space before ';'",
    "a @ https://example.org/a.whl os_name": "'os_name' after its address",
    "a --global-option=x": "the option '--global-option'",
    "-i https://a/${TEAM}/simple": "has a variable, which nothing replaces",
    "a @ git+https://a/${TEAM}": "has a variable, which nothing replaces",
    "--pre x": "has 'x', which belongs to no option",
    "-r 'x": "No closing quotation",
    "-e .": "an editable install",
    "--editable=.": "an editable install",
    "-f /opt/wheels": "use an index",
    "--trusted-host x": "the option ca_bundle",
    "--unheard-of": "the option '--unheard-of'",
    "--index-url /opt/pypi": "an address that a build can reach",
    "-r other.txt": "names a file that is not there",
}


@pytest.mark.parametrize("line", GOOD)
def test_a_good_line_has_one_normal_form(line):
    assert _requirements.parse(line, "requirements").lines == (GOOD[line],)
    assert _requirements.parse(GOOD[line], "requirements").lines == (GOOD[line],)


@pytest.mark.parametrize("line", BAD)
def test_a_bad_line_is_named_with_what_would_be_right(line):
    with pytest.raises(InvalidInput) as refused:
        _requirements.parse(f"fine\n\n{line}\n", "course/requirements.txt")
    said = str(refused.value)
    assert said.startswith(f"course/requirements.txt line 3: {line!r} ")
    assert BAD[line] in said and said.endswith(".")


def test_of_several_indexes_the_last_one_counts():
    text = "-i https://a/simple\n--index-url https://b/simple\n"
    assert _requirements.parse(text, "requirements").index_url == "https://b/simple"


def test_comments_continuations_and_hashes():
    text = "\ufeff# all\na==1 \\\n  --hash=sha256:AB \\\n  --hash sha256:cd\n\nb   # why\n"
    found = _requirements.parse(text, "requirements")
    assert found.lines == ("a==1", "b")
    assert found.hashes == (("a", ("sha256:ab", "sha256:cd")),)
    assert _requirements.parse("a --hash='sha256:ab'", "x").hashes == (("a", ("sha256:ab",)),)
    with pytest.raises(InvalidInput, match="requirements line 2: 'b c' "):
        _requirements.parse("a\nb \\\nc", "requirements")
    assert _requirements.parse("num\\\npy\na # \\\nb\nc \\\n# that is all\nd", "x").lines == ("a", "c", "d", "numpy")


def test_options_for_the_resolver():
    text = "-i https://a/simple\n--extra-index-url=https://b/simple\n--pre\n--no-binary :all:\n--only-binary B_b,a\nx"
    found = _requirements.parse(text, "requirements")
    assert found.index_url == "https://a/simple"
    assert found.extra_index_urls == ("https://b/simple",)
    assert found.prerelease and found.no_binary == (":all:",) and found.only_binary == ("a", "b-b")


def test_several_options_on_a_line():
    text = "--index-url https://a/simple --extra-index-url 'https://b/simple' --no-binary=a --only-binary=b,c --pre"
    assert _requirements.parse(text, "x") == _requirements.Requirements(
        index_url="https://a/simple", extra_index_urls=("https://b/simple",), prerelease=True,
        no_binary=("a",), only_binary=("b", "c"),
    )  # fmt: skip


def test_a_package_that_stands_twice_may_be_of_either_line():
    text = 'a==1 ; python_version < "3.12" --hash=sha256:aa\na==2 ; python_version >= "3.12" --hash=sha256:bb'
    assert _requirements.parse(text, "x").hashes == (("a", ("sha256:aa", "sha256:bb")),)


def test_other_files_are_found_beside_this_one():
    files = {"binder/more.txt": "b\n-c limits.txt", "binder/limits.txt": "b<2", "binder/loop.txt": "-r loop.txt"}
    found = _requirements.parse("a\n-r more.txt", "binder/requirements.txt", files.get)
    assert found.lines == ("a", "b") and found.constraints == ("b<2",)
    with pytest.raises(InvalidInput, match="binder/loop.txt line 1: .* which includes this file"):
        _requirements.parse("-rloop.txt", "binder/requirements.txt", files.get)


def test_a_password_is_never_said():
    with pytest.raises(InvalidInput) as refused:
        _requirements.parse("a @ https://me:secret@example.org/a.whl; x", "requirements")
    assert "secret" not in str(refused.value)


def test_the_order_of_lines_does_not_matter():
    assert _requirements.parse("b\na", "x") == _requirements.parse("a\nb\na", "x")
