"""./checkpoints list: every file at a glance, whatever is wrong, and nothing is hashed or asked."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from scripts import fetch
from scripts import list as listing
from scripts.catalogue.params import read
from scripts.checkout.state import Place
from scripts.console import dispatch
from scripts.files import digests
from tests.console.screens import terminal

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

Capture = pytest.CaptureFixture[str]
SAM, SMALL = "models/sam_ckpts/sam_vit_b_01ec64.pth", "models/raft_ckpts/raft-small.pth"
TAPNET = "models/tapnet_ckpts/open_source_ckpt/checkpoint.npy"  # nobody knows its size


class Listed(NamedTuple):
    """What the command printed where there is no terminal, by path and title."""

    code: int
    rows: dict[str, dict[str, str]]
    err: str


def ran(capsys: Capture, *words: str) -> Listed:
    """Run the command in this process."""
    capsys.readouterr()
    code = dispatch.main(["list", *words])
    out, err = capsys.readouterr()
    titles, *lines = [line.split("\t") for line in out.splitlines()] or [[]]
    rows = [dict(zip(titles, cells, strict=True)) for cells in lines]
    return Listed(code, {row["file"]: row for row in rows}, err)


def drawn(monkeypatch: pytest.MonkeyPatch, columns: int, *words: str) -> tuple[list[str], str]:
    """Return the lines that a terminal of so many columns shows, and what was written to it."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    with terminal(columns) as screen, monkeypatch.context() as context:
        context.setattr(sys, "stdout", screen.stream)
        assert dispatch.main(["list", *words]) == 0
        screen.read()
        return screen.lines, screen.raw


def test_without_a_terminal_each_file_is_a_line(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tab-separated, with whole paths and bytes; sum and advice are on stderr."""
    assert fetch.main(["sam_vit_b"]) == 0
    asked = len(world.requests)
    monkeypatch.setattr(digests, "of_file", None)

    found = ran(capsys)

    assert found.code == 0
    assert found.rows.keys() == read(clone.root / "params.yaml").files.keys()
    assert found.rows[SAM] == {
        "file": SAM,
        "bytes": str((clone.root / SAM).stat().st_size),
        "state": "in place",
        "sets": "",
        "configurations": "",
        "licence": "Apache-2.0",
        "host": "dl.fbaipublicfiles.com",
    }
    assert (found.rows[TAPNET]["bytes"], found.rows[TAPNET]["state"]) == ("", "missing")
    whole, step = found.err.splitlines()
    size = r"~?[\d.]+ .?B"
    here = rf"1 of \d+ files, [\d.]+ of {size} here"
    assert re.fullmatch(rf"{here}; {size} to fetch; {size} free", whole)
    assert step.startswith("Next: ./checkpoints fetch minimal  (")
    assert ran(capsys, "--quiet").err == ""
    assert len(world.requests) == asked


def test_files_are_selected_filtered_and_sorted(clone: TestClone, capsys: Capture) -> None:
    """As for fetch; the largest, the name or the gravest state comes first."""
    assert fetch.main(["raft"]) == 0
    (clone.root / SMALL).unlink()
    (clone.root / SMALL).write_bytes(b"wrong")
    (clone.root / SMALL).with_name("a.pth").write_bytes(b"")

    raft = list(ran(capsys, "raft").rows)
    assert len(raft) == 6
    assert list(ran(capsys, "raft", "--state", "modified", "--state", "stray").rows) == [
        SMALL,
        raft[-1],
    ]
    assert next(iter(ran(capsys, "raft", "--sort", "name").rows)).endswith("/a.pth")
    assert list(ran(capsys, "raft", "--sort", "size").rows)[-1].endswith("/a.pth")
    assert next(iter(ran(capsys, "raft", "--sort", "state").rows)) == SMALL
    assert list(ran(capsys, "raft-small.pth").rows) == [SMALL]
    loaded = ran(capsys, "--for", "raft")
    assert [path.rpartition("/")[2] for path in loaded.rows] == ["raft-things.pth"]
    assert "1 of 1 file, " in loaded.err


def test_what_does_not_exist_is_a_slip(clone: TestClone, capsys: Capture) -> None:
    """With names like it."""
    found = ran(capsys, "sam_vit_x")

    assert (found.code, found.rows) == (2, {})
    assert "unknown name: sam_vit_x" in found.err
    assert clone.root.exists()


def test_advice_is_about_what_was_asked_for(clone: TestClone, capsys: Capture) -> None:
    """A wrong file first, then what is missing of it, then what nobody has hashed."""
    assert "Next: ./checkpoints fetch raft  (" in ran(capsys, "raft").err
    assert "Next: ./checkpoints fetch --for raft  (" in ran(capsys, "--for", "raft").err
    (clone.root / SAM).parent.mkdir(parents=True)
    (clone.root / SAM).write_bytes(bytes(int(ran(capsys, "sam_vit_b").rows[SAM]["bytes"])))
    assert "Next: ./checkpoints verify sam_vit_b  (" in ran(capsys, "sam_vit_b").err
    (clone.root / SAM).write_bytes(b"wrong")
    assert "Next: ./checkpoints verify --repair sam_vit_b  (" in ran(capsys, "sam_vit_b").err


def test_hashes_are_shown_on_request(clone: TestClone, capsys: Capture) -> None:
    """The pinned ones; a sha256 that nobody has confirmed is empty."""
    rows = ran(capsys, "--hash").rows

    assert clone.root.exists()
    assert all(re.fullmatch("[0-9a-f]{32}", row["md5"]) for row in rows.values())
    assert re.fullmatch("[0-9a-f]{64}", rows[SAM]["sha256"])
    assert rows[TAPNET]["sha256"] == ""


def test_a_program_gets_one_document(clone: TestClone, capsys: Capture) -> None:
    """Of the same rows; docs/json.md describes it."""
    capsys.readouterr()
    assert listing.main(["raft", "--json", "--state", "missing", "--sort", "name"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["version"] == 1
    assert found["files"][0]["path"].endswith("raft-chairs.pth")
    assert {row["on_remote"] for row in found["files"]} == {None}
    assert clone.root.exists()


def test_the_team_s_remote_is_asked_on_request_alone(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Then each file says whether it is there; a remote that cannot be asked is a fault."""
    assert fetch.main(["sam_vit_b", "superpoint_v1"]) == 0
    lost = ran(capsys, "sam_vit_b", "--remote")
    assert lost.code == 2
    assert lost.rows[SAM]["state"] == "in place"
    assert "does not exist yet" in lost.err
    pushed = clone.remote / "files"
    pushed.parent.mkdir()
    shutil.copytree(clone.root / ".dvc/cache/files", pushed)
    asked = len(world.requests)

    found = ran(capsys, "--remote")

    assert found.code == 0
    assert {row["file"] for row in found.rows.values() if row["remote"] == "yes"} == {
        SAM,
        "models/superglue_ckpts/superpoint_v1.pth",
    }
    assert found.rows[SMALL]["remote"] == "no"
    assert len(world.requests) == asked


@pytest.mark.parametrize("hidden", ["dvc.lock", "dvc.yaml", "sources"])
def test_half_a_clone_is_listed_with_what_it_lacks(
    hidden: str, clone: TestClone, capsys: Capture
) -> None:
    """The table has what is known; the exit code tells a script."""
    (clone.root / hidden).rename(clone.root / f"{hidden}.away")

    found = ran(capsys)

    assert found.code == 2
    assert len(found.rows) == len(read(clone.root / "params.yaml").files)
    assert f"error: {'this clone' if hidden == 'sources' else hidden}" in found.err
    assert "Traceback" not in found.err


def test_without_pins_the_remote_has_nothing(clone: TestClone, capsys: Capture) -> None:
    """It is asked for no object."""
    (clone.root / "dvc.lock").unlink()
    clone.remote.mkdir()

    found = ran(capsys, "--remote")

    assert found.code == 2
    assert {row["remote"] for row in found.rows.values()} == {"no"}
    assert "error: dvc.lock: 1 fault" in found.err


@pytest.mark.parametrize("name", ["params.yaml", "dvc.lock"])
def test_a_broken_file_is_named(name: str, clone: TestClone, capsys: Capture) -> None:
    """Without a catalogue there is nothing to list; without pins the files still have names."""
    (clone.root / name).write_text("stages: [\n")

    found = ran(capsys)

    assert found.code == 2
    assert f"error: {name}: 1 fault" in found.err
    assert bool(found.rows) == (name == "dvc.lock")


def test_a_file_that_may_not_be_read_is_named(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By permission, or because its path leads nowhere."""
    assert fetch.main(["sam_vit_b"]) == 0
    (clone.root / SMALL).parent.mkdir(parents=True)
    (clone.root / SMALL).symlink_to(SMALL.rpartition("/")[2])
    monkeypatch.setattr(os, "access", lambda *_: False)

    found = ran(capsys)

    assert found.code == 2
    assert f"{SAM}: permission denied" in found.err
    assert f"{SMALL}: too many levels of symbolic links" in found.err
    assert found.rows[SAM]["state"] == "in place"


def test_a_terminal_of_80_columns_has_a_table_for_each_family(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the size, the state, who needs it and the licence; sum and advice come last."""
    lines, _ = drawn(monkeypatch, 80)

    assert clone.root.exists()
    table, end = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert max(map(len, table)) <= 80
    assert re.fullmatch(r"  file +size +state +needed by +licence", table[0])
    assert any(re.fullmatch(r"raft  0 of 5 files, 0 B of [\d.]+ kB", line) for line in table)
    default = r"- sam_hq_vit_h\.pth +[\d.]+ kB  missing  minimal.* \+\d +Apache-2\.0"
    assert any(re.fullmatch(default, line) for line in table)
    assert re.fullmatch(r"0 of \d+ files, .* free", end[0])
    assert end[1].startswith("Next: ./checkpoints fetch minimal  (")


def test_a_terminal_of_40_columns_has_names_and_states(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is too long loses its middle."""
    lines, _ = drawn(monkeypatch, 40)
    narrow, _ = drawn(monkeypatch, 24)

    rows = [line for line in lines if line.startswith("- ")]
    assert len(rows) == len(read(clone.root / "params.yaml").files)
    assert max(map(len, lines[: lines.index("")])) <= 40
    assert all(row.endswith("  missing") for row in rows)
    assert any(re.match(r"- cot\S*\.\.\S+_8\.pth  missing", row) for row in narrow)


def test_a_wide_terminal_has_hosts_and_hashes(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash is never cut: it stands on a line of its own."""
    lines, _ = drawn(monkeypatch, 140, "sam_vit_b", "--hash")

    assert clone.root.exists()
    assert lines[2].endswith("dl.fbaipublicfiles.com")
    assert re.fullmatch("    md5    [0-9a-f]{32}", lines[3])
    assert re.fullmatch("    sha256 [0-9a-f]{64}", lines[4])


def test_a_state_has_its_colour(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its mark and word, for those who see none."""
    monkeypatch.delenv("NO_COLOR")
    assert fetch.main(["sam_vit_b"]) == 0

    _, raw = drawn(monkeypatch, 80, "sam_vit_b")

    assert "\x1b[32m= \x1b[0m" in raw
    assert "\x1b[32min place" in raw
    assert clone.root.exists()


def test_nothing_to_list_is_no_error(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sum still says how much is here."""
    lines, _ = drawn(monkeypatch, 80, "--state", "in-place")

    assert re.match(r"0 of \d+ files, ", lines[1])
    assert clone.root.exists()


EVIL = "\x1b]0;owned\x07\x1b[31m\u202e"


def hostile(clone: TestClone) -> None:
    """Give a licence and a stray file control characters."""
    text = clone.read("dvc.yaml").decode()
    evil = "\\e]0;owned\\a\\e[31m\\u202e"
    (clone.root / "dvc.yaml").write_text(text.replace("Apache-2.0", f'"{evil}\\tMIT"', 1))
    (clone.root / "models").mkdir()
    (clone.root / f"models/{EVIL}\n.pth").write_bytes(b"")
    (clone.root / "models" / os.fsdecode(b"\xff.pth")).write_bytes(b"")


@pytest.mark.parametrize("columns", [40, 200])
def test_a_hostile_name_or_licence_does_not_reach_a_terminal(
    columns: int, clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its control characters are shown as escapes."""
    hostile(clone)

    _, raw = drawn(monkeypatch, columns)

    assert not {"\x07", "\u202e"} & set(raw)
    assert "\x1b]" not in raw
    assert "\x1b[31m" not in raw
    assert ("owned" in raw) == (columns > 80)


def test_nor_a_pipe(clone: TestClone, capsys: Capture) -> None:
    """A tab or a line break would make a row of its own."""
    hostile(clone)

    found = ran(capsys)

    assert found.code == 0
    text = str(found.rows.values()) + "".join(found.rows)
    assert not {"\x1b", "\x07", "\u202e", "\n"} & set("".join(found.rows))
    assert "owned" in text
    assert sum(row["state"] == "stray" for row in found.rows.values()) == 2


def test_a_shell_knows_its_options() -> None:
    """Those that completion offers, with the states as they are typed."""
    words = dispatch.parser_of("list")

    actions = words._actions  # noqa: SLF001 - as completion does
    options = {option: action for action in actions for option in action.option_strings}
    assert {"--json", "--hash", "--sort", "--state", "--remote", "--for"} <= options.keys()
    assert list(options["--state"].choices or ()) == [place.option for place in Place]
    assert "list" in dispatch.names()
