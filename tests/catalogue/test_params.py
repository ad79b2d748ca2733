"""scripts.catalogue: params.yaml is checked whole before it is used, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts import fetch, tree
from scripts.catalogue import params
from scripts.catalogue.params import Checkpoint, Network, Published
from scripts.console.errors import CatalogueError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world import World
    from tests.world.clones import TestClone

SHA = "0123456789abcdef" * 4
GOOD = f"""checkpoints:
  sam:
    path: models/sam/b.pth
    sha256: "{SHA}"
archives:
  raft:
    members:
      - member: m/a.pth
        path: models/raft/a.pth
network:
  retries: 2
  timeout: 0.5
"""
KNOWN_ROOT = "(known: archives, checkpoints, configurations, network, sets)"


def read(tmp_path: Path, text: str) -> params.Catalogue:
    """Return the catalogue that a params.yaml of this text holds."""
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    return params.read(tmp_path / "params.yaml")


def faults(tmp_path: Path, text: str) -> list[str]:
    """Return every fault of a params.yaml of this text."""
    with pytest.raises(CatalogueError) as caught:
        read(tmp_path, text)
    return list(caught.value.faults)


def test_a_catalogue_is_what_params_yaml_says(tmp_path: Path) -> None:
    """Names, paths, members, hashes; what network: leaves out has its default."""
    holds = read(tmp_path, GOOD)

    sam, member = Checkpoint("models/sam/b.pth", SHA), Checkpoint("models/raft/a.pth", None)
    raft = Checkpoint(member.path, None, "m/a.pth")
    assert holds.published == {
        "sam": Published("sam", (sam,)),
        "raft": Published("raft", (raft,), archive=True),
    }
    assert holds.files == {sam.path: sam, raft.path: raft}
    assert holds.network == Network(retries=2, timeout=0.5)


def test_a_set_is_a_list_of_names_of_files(tmp_path: Path) -> None:
    """Each is a word that selects files; a configuration may also name a set."""
    text = (
        f"{GOOD}sets:\n  least: [b.pth, sam]\nconfigurations:\n  all: [least, 'raft*']\n  x: [a]\n"
    )

    holds = read(tmp_path, text)

    assert holds.sets == {"least": ("models/sam/b.pth",)}
    both = ("models/sam/b.pth", "models/raft/a.pth")
    assert holds.configurations == {"all": both, "x": both[1:]}
    assert (read(tmp_path, GOOD).sets, read(tmp_path, GOOD + "sets: {}\n").sets) == ({}, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sets: [sam]\n", "line 13: sets: not a map of names"),
        ("sets:\n  a: sam\n", "line 14: sets.a: not a list of names"),
        ("sets:\n  a: []\n", "line 14: sets.a: not a list of names"),
        ("sets:\n  complete: [sam]\n", "line 14: sets.complete: not a name that a set can have"),
        ("sets:\n  A b: [sam]\n", "line 14: sets.A b: not a name that a set can have"),
        ("sets:\n  a: [sam, c]\n", "line 14: sets.a: no file has the name 'c'"),
        ("sets:\n  a: [[sam]]\n", "line 14: sets.a: no file has the name a list or map"),
        ("sets:\n  a: [sam]\n  b: [a*]\n", None),
        ("configurations:\n  a: ['x*']\n", "line 14: configurations.a: no file has the name 'x*'"),
    ],
)
def test_a_slip_in_a_set_is_named(text: str, expected: str | None, tmp_path: Path) -> None:
    """What selects nothing would fetch nothing."""
    if expected:
        assert faults(tmp_path, GOOD + text) == [expected]
    else:
        assert read(tmp_path, GOOD + text).sets["b"] == ("models/raft/a.pth",)


def test_archives_and_network_may_be_left_out(tmp_path: Path) -> None:
    """A repository of single files that is content with the defaults."""
    holds = read(tmp_path, "checkpoints:\n  sam:\n    path: models/a\n")

    assert list(holds.published) == ["sam"]
    assert holds.network == Network()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/etc/passwd", "/etc/passwd is absolute; paths start with models/"),
        ("models/../.git/config", "models/../.git/config is outside models/"),
        ("../models/a", "../models/a is outside models/"),
        ("Models/a", "Models/a is outside models/"),
        ("models", "models is outside models/"),
        ("scripts/fetch.py", "scripts/fetch.py is outside models/"),
        ("models//a", "'models//a' is not a plain path"),
        ("models/./a", "'models/./a' is not a plain path"),
        ("models/a/", "'models/a/' is not a plain path"),
        (r"models\a/b", r"models\a/b is outside models/"),
        (r"models/a\b", r"'models/a\\b' is not a plain path"),
        ('"models/a\\nb"', r"'models/a\nb' is not a plain path"),
        ('"models/a\\0b"', r"'models/a\x00b' is not a plain path"),
        (f"models/{'a' * 201}", f"models/{'a' * 33}... is too long for a file system"),
        (f"models/{'é' * 101}", f"models/{'é' * 33}... is too long for a file system"),
        (f"models/{'abc/' * 124}a", "models/abc/abc/abc/abc/abc/abc/abc/abc/a... is too long"),
        ("models/raft/a.pth", "models/raft/a.pth is also in line 3"),
        ("models/RAFT/a.pth", "models/RAFT differs only in case from models/raft, line 3"),
        ("models/raft/A.pth", "models/raft/A.pth differs only in case from models/raft/a.pth,"),
        ("models/raft", "models/raft is a file here, a folder in line 3"),
        ("models/raft/a.pth/b", "models/raft/a.pth is a folder here, a file in line 3"),
        ("12", "not a text"),
        ("[models/a]", "not a text"),
        ('""', "not a text"),
    ],
)
def test_a_path_is_a_plain_new_one_under_models(path: str, expected: str, tmp_path: Path) -> None:
    """What would write elsewhere, or where another entry writes on some file system."""
    text = f"checkpoints:\n  first:\n    path: models/raft/a.pth\n  new:\n    path: {path}\n"

    found = faults(tmp_path, text)

    assert found[0].startswith(f"line 5: new.path: {expected}")


@pytest.mark.parametrize(
    "name", ["sam.b", "Sam", "sam-b", "_sam", "säm", "'sam b'", "''", "n" * 101]
)
def test_a_name_is_one_that_dvc_can_address(name: str, tmp_path: Path) -> None:
    """DVC reads a dot in a key as a level; the rest is for shells and people."""
    (only,) = faults(tmp_path, f"checkpoints:\n  {name}:\n    path: models/a\n")

    plain = name.strip("'")
    assert only == f"line 2: {plain!r}: a name is 1 to 100 lower-case letters, digits and _"


@pytest.mark.parametrize("key", ["123", "null", "yes", "[a, b]", "{a: b}"])
def test_a_name_is_a_text(key: str, tmp_path: Path) -> None:
    """A key that yaml reads as a number, a list or nothing names no checkpoint."""
    (only,) = faults(tmp_path, f"checkpoints:\n  {key}: {{path: models/a}}\n")

    shown = "a list or map" if key[0] in "[{" else repr(key)
    assert only == f"line 2: checkpoints: the key {shown} is not a text"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  sam:\n", "  sam: {path: models/c}\n  sam:\n", "line 3: checkpoints: duplicate key sam"),
        ("  raft:\n", "  sam:\n", "line 6: sam: the name is also in line 2"),
        ("    sha256:", "    path: models/c\n    sha256:", "line 4: sam: duplicate key path"),
        ("    path: models/sam/b.pth\n", "", "line 3: sam.path: missing"),
        ("    sha256:", "    sha: x\n    sha256:", "line 4: sam: unknown key sha (known: path, s"),
        ("    members:", "    path: a\n    members:", "line 7: raft: unknown key path (known: mem"),
        ("      - member: m/a.pth\n        path", "      - path", "line 8: raft.members[0].member"),
        ("network:", "networks: 1\nnetwork:", f"params.yaml: unknown key networks {KNOWN_ROOT}"),
        ("  retries:", "  retry: 1\n  retries:", "line 11: network: unknown key retry (known: bac"),
        ("checkpoints:\n  sam:\n    p", "sam:\n    p", "line 1: params.yaml: unknown key sam"),
        ("  sam:\n    path: models/sam/b.pth\n", "  sam: x\n  s:\n", "line 2: sam: not a map of n"),
    ],
)
def test_a_slip_in_a_good_catalogue_is_named_with_its_line(
    old: str, new: str, expected: str, tmp_path: Path
) -> None:
    """Keys that are unknown, missing, or stand twice; names that are taken."""
    assert old in GOOD

    found = faults(tmp_path, GOOD.replace(old, new, 1))

    assert any(expected in fault for fault in found), found


@pytest.mark.parametrize(
    "value", [SHA[:-1], f'"{SHA[:-1]}"', f'"{SHA.upper()}"', "1" * 64, "null", f'["{SHA}"]', '""']
)
@pytest.mark.parametrize("owner", ["sam", "raft", "raft.members[0]"])
def test_a_sha256_is_64_digits_in_quotes(value: str, owner: str, tmp_path: Path) -> None:
    """Unquoted, 64 decimal digits are a number; and a short one matches nothing."""
    text = GOOD.replace(f'    sha256: "{SHA}"\n', "")
    before = {"sam": "    path: models/sam", "raft": "    members:", "raft.members[0]": "        p"}
    indent = " " * (8 if "[" in owner else 4)
    text = text.replace(before[owner], f"{indent}sha256: {value}\n{before[owner]}", 1)

    (only,) = faults(tmp_path, text)

    assert only.endswith(f"{owner}.sha256: not 64 lower-case hex digits in quotes")


@pytest.mark.parametrize("members", ["[]", "", "x", "{a: b}"])
def test_an_archive_has_members(members: str, tmp_path: Path) -> None:
    """An archive without a list of members brings nothing; its other faults are told, too."""
    text = f"checkpoints: {{}}\narchives:\n  raft:\n    sha256: x\n    members: {members}\n"

    assert faults(tmp_path, text) == [
        "line 4: raft.sha256: not 64 lower-case hex digits in quotes",
        "line 5: raft.members: not a list of members",
    ]


def test_an_archive_gives_each_member_once(tmp_path: Path) -> None:
    """On one line, too; two members without a name are not the same member."""
    rows = "{member: m, path: models/a}, {member: m, path: models/b}, {path: models/b}, {}"
    text = f"checkpoints: {{}}\narchives:\n  raft:\n    members: [{rows}]\n"

    assert faults(tmp_path, text) == [
        "line 4: raft.members[2].member: missing",
        "line 4: raft.members[2].path: models/b is also in line 4",
        "line 4: raft.members[3].member: missing",
        "line 4: raft.members[3].path: missing",
        "line 4: raft: duplicate member m",
    ]


@pytest.mark.parametrize(
    ("name", "value", "shown", "wanted"),
    [
        ("connections", "0", "'0'", "whole number from 1 to 64"),
        ("connections", "8.5", "'8.5'", "whole number from 1 to 64"),
        ("connections", "many", "'many'", "whole number from 1 to 64"),
        ("connections", "true", "'true'", "whole number from 1 to 64"),
        ("connections", "", "''", "whole number from 1 to 64"),
        ("connections", "&a [*a]", "a list or map", "whole number from 1 to 64"),
        ("retries", "-1", "'-1'", "whole number from 0 to 100"),
        ("backoff", "nan", "'nan'", "number from 0 to 60"),
        ("backoff", "61", "'61'", "number from 0 to 60"),
        ("timeout", "0", "'0'", "number from 0.1 to 600"),
        ("timeout", "1e999", "'1e999'", "number from 0.1 to 600"),
    ],
)
def test_network_values_are_numbers_within_limits(
    name: str, value: str, shown: str, wanted: str, tmp_path: Path
) -> None:
    """A timeout of nothing or a thousand connections help nobody."""
    text = f"checkpoints: {{}}\nnetwork:\n  {name}: {value}\n"

    assert faults(tmp_path, text) == [f"line 3: network.{name}: {shown} is not a {wanted}"]


@pytest.mark.parametrize(
    "text", ["\n", "# nothing\n", "[]\n", "text\n", "checkpoints: []\n", "&a [*a]\n"]
)
def test_what_is_no_map_is_no_catalogue(text: str, tmp_path: Path) -> None:
    """An empty file is one, too: a catalogue of nothing would pass every check."""
    assert "line 1: checkpoints: not a map of names" in faults(tmp_path, text)


def test_all_faults_are_told_at_once_by_line(tmp_path: Path) -> None:
    """Nobody runs a command ten times to hear ten faults; an alias is what it stands for."""
    text = GOOD.replace("models/sam", "/sam").replace("m/a.pth", "1").replace(SHA, SHA[1:])
    text = text.replace("archives:", "  b: &b {path: models/b}\n  c: *b\narchives:")

    assert faults(tmp_path, text) == [
        "line 3: sam.path: /sam/b.pth is absolute; paths start with models/",
        "line 4: sam.sha256: not 64 lower-case hex digits in quotes",
        "line 5: c.path: models/b is also in line 5",
        "line 10: raft.members[0].member: not a text",
    ]


@pytest.mark.parametrize(
    "broken",
    [
        b"checkpoints:\n  sam_vit_b:\n    path: ../sam.pth\n    extra: 1\n",
        b"checkpoints: [\n",
        b"\xff\xfe",
        b"",
        b"[" * 200_000,
    ],
)
@pytest.mark.parametrize("main", [fetch.main, tree.main])
def test_a_malformed_catalogue_changes_nothing(
    broken: bytes, main: object, clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, a message, no request; models/, the cache and the lock stay as they were."""
    (clone.root / "params.yaml").write_bytes(broken)
    lock = clone.read("dvc.lock")

    code = main([] if main is tree.main else ["sam_vit_b"])  # type: ignore[operator]

    out, err = capsys.readouterr()
    assert (code, out, world.requests) == (2, "", [])
    assert err.startswith("error: params.yaml: ")
    assert err.endswith("  Nothing was fetched or changed.\n")
    assert "Traceback" not in err
    assert (clone.tree(), clone.objects(), clone.read("dvc.lock")) == ({}, {}, lock)


def test_a_missing_catalogue_is_told(clone: TestClone, capsys: pytest.CaptureFixture[str]) -> None:
    """The file is what a command looks for first."""
    (clone.root / "params.yaml").unlink()

    code = fetch.main(["sam_vit_b"])

    assert code == 2
    assert "error: params.yaml: 1 fault\n  the file is missing\n" in capsys.readouterr().err


def test_an_unknown_name_is_told_with_near_ones(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is fetched if one of several names is wrong."""
    code = fetch.main(["sam_vit_b", "sam_vit_x", "same"])

    err = capsys.readouterr().err
    assert code == 2
    assert err.startswith(
        "error: unknown names: sam_vit_x, same\n  sam_vit_x: did you mean sam_vit_"
    )
    assert (clone.tree(), clone.objects(), world.requests) == ({}, {}, [])


def test_entries_are_found_by_name(tmp_path: Path) -> None:
    """Files and archives, in the order of the names; every unknown name is an error."""
    holds = read(tmp_path, GOOD)

    assert [entry.stage for entry in holds.find(["raft", "sam"])] == ["unpack_raft", "fetch@sam"]
    assert holds.stages == {"models/sam/b.pth": "fetch@sam", "models/raft/a.pth": "unpack_raft"}
    with pytest.raises(UsageError, match="unknown names: a, b"):
        holds.find(["a", "sam", "b"])


def test_a_command_runs_at_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Elsewhere it says so, and makes nothing there."""
    monkeypatch.chdir(tmp_path)

    code = fetch.main(["sam_vit_b"])

    assert code == 2
    assert "is not the root of the repository" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_mirrors_of_the_site_are_addresses_or_directories(tmp_path: Path) -> None:
    """In the order in which they are asked."""
    given = ["https://near.example/paper", "http://127.0.0.1:80/x", "/shared/models", "../old"]
    text = "checkpoints: {}\nnetwork:\n  mirrors:\n" + "".join(f"  - {base}\n" for base in given)
    (tmp_path / "params.yaml").write_text(text)

    assert params.read(tmp_path / "params.yaml").network.mirrors == tuple(given)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("7", "line 3: network.mirrors: not a list of URLs and directories"),
        ("[7]", "line 3: network.mirrors: '7' is neither an https URL nor a directory"),
        ("[http://h/]", "line 3: network.mirrors: 'http://h/' is neither an https URL nor"),
        ("[[]]", "line 3: network.mirrors: a list or map is neither an https URL nor"),
    ],
)
def test_a_mirror_that_is_neither_is_a_fault(value: str, fault: str, tmp_path: Path) -> None:
    """Plain http to another machine is no mirror."""
    (told,) = faults(tmp_path, f"checkpoints: {{}}\nnetwork:\n  mirrors: {value}\n")

    assert told.startswith(fault)
