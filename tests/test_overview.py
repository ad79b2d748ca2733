"""./checkpoints without words: where a clone stands, and what to do next."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from scripts import fetch, overview
from scripts.checkout.clone import Clone
from scripts.console import dispatch
from scripts.storage.cache import Cache

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

Capture = pytest.CaptureFixture[str]
FIRST = "models/cotracker_ckpts/cotracker_stride_4_wind_8.pth"


def shown(capsys: Capture) -> tuple[dict[str, str], list[str]]:
    """Return the lines of the overview by their first words, and the commands to type next."""
    assert dispatch.main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    top, _, rest = out.partition("\n\nNext:\n")
    facts = dict(re.findall(r"^(\S+) +(.*)$", top, re.MULTILINE))
    return facts, re.findall(r"^  \./checkpoints (.*?)  ", rest.partition("\n\n")[0], re.MULTILINE)


def test_a_fresh_clone_is_told_where_to_start(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """What is missing, how much room there is, and the two sets; nobody is asked."""
    facts, steps = shown(capsys)

    whole = r"~?[\d.]+ .B"
    line = rf"0 of \d+ files, 0 B of {whole} here; {whole} to fetch; [\d.]+ .B free"
    assert re.fullmatch(line, facts["models/"])
    assert facts["remote"].endswith("paper.team (nothing was pushed there yet)")
    assert steps == ["fetch minimal", "fetch complete"]
    assert (world.requests, world.refused) == ([], [])
    assert clone.tree() == {}


def test_a_complete_clone_is_ready_to_be_linked(complete: TestClone, capsys: Capture) -> None:
    """Nothing is missing, and nothing is left to fetch."""
    fetch.main(["complete"])  # this machine has not hashed them yet
    capsys.readouterr()

    facts, steps = shown(capsys)

    assert facts.keys() == {"models/", "remote"}
    assert steps == ["link FOLDER"]
    assert complete.tree()


def test_a_wrong_file_is_named_with_its_cure(complete: TestClone, capsys: Capture) -> None:
    """Before anything else."""
    (complete.root / FIRST).unlink()
    (complete.root / FIRST).write_bytes(b"wrong")

    assert dispatch.main([]) == 0

    out = capsys.readouterr().out
    assert "modified: cotracker_stride_4_wind_8.pth\n" in out
    assert "  ./checkpoints verify --repair cotracker_stride_4_wind_8  " in out


def test_a_file_in_the_cache_need_not_be_downloaded(complete: TestClone, capsys: Capture) -> None:
    """The first line says so."""
    size = (complete.root / FIRST).stat().st_size
    (complete.root / FIRST).unlink()

    facts, steps = shown(capsys)

    each = f"{size / 1000:.1f} kB"
    assert f" here; {each} to fetch, {each} from the cache; " in facts["models/"]
    assert steps == ["fetch minimal"]


def test_a_file_of_an_earlier_commit_is_fetched_anew(complete: TestClone, capsys: Capture) -> None:
    """It was right until its pin changed: there is nothing to repair."""
    lock = complete.read("dvc.lock").decode()
    md5 = str(Clone.at(complete.root).pins[FIRST].md5)
    Cache(complete.root).remember(complete.root / FIRST, md5)
    (complete.root / "dvc.lock").write_text(lock.replace(md5, "ab" * 16))

    assert dispatch.main([]) == 0

    out = capsys.readouterr().out
    assert "pinned anew: cotracker_stride_4_wind_8.pth\n" in out
    assert "  ./checkpoints fetch cotracker_stride_4_wind_8  get what is pinned now" in out


def test_a_stray_file_is_told_without_its_control_characters(
    clone: TestClone, capsys: Capture
) -> None:
    """Its name is not ours; the sum does not count it among the files."""
    (clone.root / "models").mkdir()
    (clone.root / "models/\x1b[31m.pth").write_bytes(b"")

    assert dispatch.main([]) == 0

    out = capsys.readouterr().out
    assert "; 1 stray; " in out
    assert "stray: \\x1b[31m.pth\n" in out


def test_files_that_were_never_hashed_are_to_be_verified(
    complete: TestClone, capsys: Capture
) -> None:
    """Such as those of an earlier wget."""
    for path in list(complete.tree()):
        data = complete.read(path)
        (complete.root / path).unlink()
        (complete.root / path).write_bytes(data)

    assert dispatch.main([]) == 0

    out = capsys.readouterr().out
    assert re.search(r"not verified: \S+, \S+, \S+ and \d+ more\n", out)
    assert "  ./checkpoints verify  " in out


def test_a_program_gets_bytes_and_words(clone: TestClone, capsys: Capture) -> None:
    """One JSON document: every file with its place and size, and the next commands."""
    assert dispatch.main(["--json"]) == 0

    read = json.loads(capsys.readouterr().out)
    assert read["next"] == ["./checkpoints fetch minimal", "./checkpoints fetch complete"]
    assert read["remote"]["name"] == "team"
    assert read["free"] > 0
    first = next(file for file in read["files"] if file["path"] == FIRST)
    assert first["place"] == "missing"
    assert first["entry"] == "cotracker_stride_4_wind_8"
    assert clone.root.exists()


def test_without_a_remote_or_a_first_set_it_still_works(clone: TestClone, capsys: Capture) -> None:
    """Another catalogue may have neither."""
    clone.run("dvc", "remote", "remove", "team", check=True)
    catalogue = clone.read("params.yaml").decode()
    (clone.root / "params.yaml").write_text(catalogue.replace("minimal", "least"))

    assert overview.main([]) == 0

    out = capsys.readouterr().out
    assert "remote    none\n" in out
    assert "fetch minimal" not in out
