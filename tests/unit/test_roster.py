"""Rosters: files read, every mistake told with file and line, and names that stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _roster


def read(text, file="class.csv", **options):
    return _roster.read(text if isinstance(text, bytes) else text.encode(), file, **options)


ANA = {
    "person": "Ana Rós", "lab": "ana-ros", "group": "gpu", "image": "", "memory": 4 * 2**30, "cpus": 1.5, "gpus": 1,
    "until": "2026-12-31",
}  # fmt: skip
LINES = ["person{0}group{0}memory{0}cpus{0}GPU{0}until", "Ana Rós{0}gpu{0}4g{0}1.5{0}1{0}2026-12-31"]


@pytest.mark.parametrize(
    "raw",
    [
        "\n".join(LINES).format(",").encode(),
        "\r\n".join(LINES).format(";").encode("utf-8-sig"),
        "\n".join(LINES).format("\t").encode("utf-16"),
        "\r\n".join(["sep=;", *LINES]).format(";").encode(),
        "\r\n".join(LINES).format(";").replace("1.5", "1,5").replace("2026-12-31", "31.12.2026").encode(),
        "\r\n".join(["sep=\t", *LINES]).format("\t").encode("utf-16"),
        "\n".join(["", " ", "SEP=|", "", *LINES]).format("|").encode(),
        "\r\n".join(LINES).format(";").replace("4g", "4,0 GB").encode(),
        "\n".join([*LINES, "", ";;;;;", " ;"]).format(";").replace("Ana", " Ana ").encode(),
    ],
    ids=["commas", "spreadsheet", "utf-16", "sep", "decimal comma", "sep by tabulators", "sep after empty lines",
         "decimal comma in memory", "empty lines"],
)  # fmt: skip
def test_tables_as_they_come(raw):
    (ana,) = read(raw)
    assert ana.pop("at").startswith("class.csv line ")
    assert ana == ANA


def test_a_list_in_yaml():
    text = "- ben\n- person: Ana Rós\n  group: gpu\n  memory: 4g\n  cpus: 1.5\n  gpus: 1\n  until: 2026-12-31\n"
    ben, ana = read(text, "team.yml")
    assert (ben["person"], ben["at"], ana["at"]) == ("ben", "team.yml line 1", "team.yml line 2")
    assert {**ana, "at": ""} == {**ANA, "at": ""}


JSON = """[
\t"ben",
\t{
\t\t"person": "Ana Rós", "group": "gpu", "memory": "4g",
\t\t"cpus": 1.5, "gpus": 1, "until": "2026-12-31"
\t}, {"person": "\\ud842\\udfb7", "gpu": null}
]"""


def test_a_list_in_json_may_be_indented_by_tabulators():
    ben, ana, chi = read(JSON, "team.JSON")
    assert (ben["person"], ben["at"]) == ("ben", "team.JSON line 2")
    assert (ana["at"], {**ana, "at": ""}) == ("team.JSON line 3", {**ANA, "at": ""})
    assert (chi["person"], chi["gpus"], chi["at"]) == ("\U00020bb7", None, "team.JSON line 6")


@pytest.mark.parametrize("empty", ["", "~", "null", "Null", "''"])
def test_what_is_empty_in_a_list_is_left_to_the_defaults(empty):
    text = f"- person: ana\n  memory: {empty}\n  cpus: {empty}\n  gpus: {empty}\n  until: {empty}\n  lab: {empty}\n"
    (ana,) = read(text, "team.yml")
    assert (ana["memory"], ana["cpus"], ana["gpus"], ana["until"], ana["lab"]) == (None, None, None, "", "ana")
    assert read("- 'null'", "team.yml")[0]["person"] == "null", "a person, where it is said to be a text"


@pytest.mark.parametrize(
    "person, lab",
    [
        ("ana", "ana"),
        ("Jürgen Groß", "juergen-gross"),
        ("Ju\u0308rgen Groß", "juergen-gross"),
        ("ana@example.edu", "ana-example.edu"),
        ("Žofie Łoś", "zofie-los"),
        ("O'Neil, Ben (jr.)", "o-neil-ben-jr"),
        ("李雷", "3a47328a"),
        ("Ana 李", "ana-bab6fc49"),
        ("-", "3973e022"),
        ("=cmd()", "cmd"),
    ],
)
def test_people_become_names_of_labs(person, lab):
    assert read(f'person\n"{person}"')[0]["lab"] == lab
    assert read(f'person\n"{person}"', prefix="x-")[0]["lab"] == f"x-{lab}"


def test_long_names_are_cut_and_stay_apart():
    one, other = (_roster.lab_name("x" * 80 + end, "math-") for end in "ab")
    assert len(one) == len(other) == 63 and one != other


def test_the_roster_is_called_after_its_file():
    assert _roster.name_of("/srv/Klasse 7b.csv") == "klasse-7b"


@pytest.mark.parametrize(
    "text, file, sentence",
    [
        ("", "class.csv", "class.csv: names nobody: give it a heading (person, ...) and a line for each person."),
        ("person\n\n", "class.csv", "class.csv: names nobody"),
        ("", "team.yml", "team.yml: names nobody"),
        ("name\nana", "class.csv", "class.csv line 1: the column 'name' is unknown: person, group, image, memory,"),
        ("group\ngpu", "class.csv", "class.csv line 1: a heading with the column 'person' is missing."),
        ("person,gpu,GPUs\nana,,", "class.csv", "class.csv line 1: the column 'gpus' is there twice."),
        ("person,group\n,gpu", "class.csv", "class.csv line 2: the person is missing."),
        ("person\nana,gpu", "class.csv", "class.csv line 2: has 2 cells where the heading has 1"),
        ('person\n"ana', "class.csv", "class.csv line 2: cannot be read as CSV (unexpected end of data)."),
        ("person\nana\n\nANA", "class.csv", "class.csv line 4: 'ANA' is there already, in line 2."),
        ("person\nJörg\nJoerg", "class.csv", "class.csv line 3: 'Joerg' becomes the lab joerg, as 'Jörg' of line 2"),
        ("person,lab\nana,ben\nben,", "class.csv", "class.csv line 3: 'ben' becomes the lab ben, as 'ana' of line 2"),
        ("person,lab\nana,-x", "class.csv", "class.csv line 2: lab '-x' is no name for a container"),
        ("person,memory\nana,4 apples", "class.csv", "line 2: memory '4 apples' should be a size such as 512m or 4g."),
        ("person,memory\nana,4", "class.csv", "line 2: memory '4' should be a size such as 512m or 4g."),
        (f"person,memory\nana,{'9' * 400}g", "class.csv", "9g' should be a size such as 512m or 4g."),
        (f"person,cpus\nana,{'9' * 400}", "class.csv", "9' should be a number such as 1.5, at least 0.01."),
        ("person,cpus\nana,0", "class.csv", "line 2: cpus '0' should be a number such as 1.5, at least 0.01."),
        ("person,cpus\nana,0.001", "class.csv", "line 2: cpus '0.001' should be a number such as 1.5, at least 0.01."),
        ('person,memory\nana,"10,240m"', "class.csv", "memory '10,240m' should be a size such as 512m or 4g."),
        ("person,gpus\nana,all", "class.csv", "line 2: gpus 'all' should be how many GPUs the lab has for itself"),
        ("person,until\nana,12/31/26", "class.csv", "line 2: until '12/31/26' should be the last day, such as"),
        ("person,until\nana,2026-02-30", "class.csv", "line 2: until '2026-02-30' should be the last day"),
        ("person,image\nana,my image", "class.csv", "line 2: image 'my image' should be one word without spaces."),
        (b"person\nJ\xfcrgen", "class.csv", "class.csv line 2: is not UTF-8: save it again as CSV (UTF-8)."),
        (b"person\n\0", "class.csv", "class.csv: is no text: save it as CSV (UTF-8)."),
        (b"PK", "class.xlsx", "class.xlsx: should end in .csv, .yml or .yaml; a spreadsheet saves one as CSV (UTF-8)."),
        ("a: [", "team.yml", "team.yml line 1: cannot be read as YAML"),
        ("people: []", "team.yml", "team.yml line 1: should be a list with an item for each person."),
        ("- ana\n- memry: 4g", "team.yml", "team.yml line 2: the column 'memry' is unknown"),
        ("- ana\n- [ben]", "team.yml", "team.yml line 2: should be a person's name, or person: ... with group"),
        ("- person: [ana]", "team.yml", "team.yml line 1: should be a person's name"),
        ("- &a {person: *a}", "team.yml", "team.yml line 1: should be a person's name"),
        ("- ~", "team.yml", "team.yml line 1: the person is missing."),
        ("- ben\n- {person: a, gpu: 1, gpus: 2}", "team.yml", "team.yml line 2: the column 'gpus' is there twice."),
        ("- {person: ana, person: ben}", "team.yml", "team.yml line 1: the column 'person' is there twice."),
        (" \n", "team.json", "team.json: names nobody"),
        ("[]", "team.json", "team.json: names nobody"),
        ('[\n"ana",\nben]', "team.json", "team.json line 3: cannot be read as JSON (Expecting value)."),
        ('{"person": "ana"}', "team.json", "team.json line 1: should be a list with an item for each person."),
        ('["ana",\n["ben"]]', "team.json", "team.json line 2: should be a person's name, or person: ... with group"),
        ('[{"person": "ana", "gpus": {}}]', "team.json", "team.json line 1: should be a person's name"),
        ('[{"person": "ana",\n"person": "ben"}]', "team.json", "team.json line 1: the column 'person' is there twice."),
        ('[{"person": "ana", "gpus": true}]', "team.json", "line 1: gpus 'True' should be how many GPUs"),
    ],
)
def test_mistakes_are_told_with_file_and_line(text, file, sentence):
    with pytest.raises(_roster.WrongRoster) as told:
        read(text, file)
    assert sentence in str(told.value) and "\n" not in str(told.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(_roster.WrongRoster) as told:
        read("person,memory,until\nana,x,y\nben,z,\n")
    assert [line.split(":")[0] for line in str(told.value).splitlines()] == [
        "class.csv line 2", "class.csv line 2", "class.csv line 3",
    ]  # fmt: skip


@pytest.mark.parametrize("size, told", [(512 * 2**20, "512m"), (4 * 2**30, "4g"), (3 * 2**29, "1.5g"), (7, "7")])
def test_sizes_are_told_as_people_write_them(size, told):
    assert _roster.size_told(size) == told


def test_the_example_is_a_roster():
    path = Path(__file__).parent.parent.parent / "inventories/class.csv"
    people = read(path.read_bytes())
    assert [(one["lab"], one["group"], one["gpus"]) for one in people] == [
        ("ana-ros", "", None), ("ben-example.edu", "", 1), ("chi-mueller", "big", None),
    ]  # fmt: skip
