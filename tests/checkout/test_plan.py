"""scripts.checkout.plan: sources, sizes and room, known before the first byte."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.checkout import plan, state
from scripts.checkout.clone import Clone
from scripts.console.errors import RoomError, SourceError
from scripts.download import headers
from scripts.download.headers import at_once
from tests.checkout.test_candidates import DATA, NAME, PATH, THINGS, mirrors, near
from tests.checkout.test_candidates import team as give_to_team
from tests.conftest import SCALE
from tests.download.transfers import md5
from tests.world import Fault
from tests.world.checkpoints import ARCHIVES, files, published
from tests.world.teams import place

if TYPE_CHECKING:
    from scripts.checkout.plan import Plan
    from tests.world import World
    from tests.world.bucket import Bucket
    from tests.world.clones import TestClone
    from tests.world.teams import Team

    Capture = pytest.CaptureFixture[str]

FILES, SERVED = files(SCALE), published(SCALE)
UNSIZED = "tapnet_checkpoint"  # the lock has no size of it
UNSIZED_PATH = "models/tapnet_ckpts/open_source_ckpt/checkpoint.npy"
RAFT = [path for path in FILES if "raft_ckpts" in path]
HTTPS = "https://bucket.test/prefix"


def made(clone: TestClone, *names: str, ask: bool = True) -> Plan:
    """Return the plan for entries, or for all."""
    here = Clone.at(clone.root)
    return plan.make(here, here.catalogue.find(names or list(here.catalogue.published)), ask=ask)


def sources(planned: Plan) -> dict[str, tuple[str, str]]:
    """Return the source of each file, by path."""
    return {file.path: planned.source(file) for file in planned.files}


def test_all_sizes_are_known_before_the_first_byte(clone: TestClone, world: World) -> None:
    """Headers fill the gaps of the lock: totals are exact, and no body is sent."""
    planned = made(clone)

    singles = {path for path in FILES if path not in RAFT and "pips" not in path}
    sent = sum(len(FILES[path]) for path in singles) + sum(
        len(SERVED[u]) for u in ARCHIVES.values()
    )
    assert planned.whole == state.Total(len(FILES), sent)
    assert planned.left == planned.whole
    sizes = {file.path: file.size for file in planned.files if file.path in singles}
    assert sizes == {path: len(FILES[path]) for path in singles}
    assert {request.method for request in world.requests} == {"HEAD"}
    assert len({request.url for request in world.requests if "dropbox" in request.host}) >= 3
    assert (clone.tree(), world.served()) == ({}, 0)


def test_without_a_question_no_request_is_sent(clone: TestClone, world: World) -> None:
    """What nobody knows makes the sum an estimate."""
    planned = made(clone, UNSIZED, "raft", ask=False)

    assert [each.estimated for each in planned.downloads] == [True, True]
    assert all(each.answered for each in planned.downloads)
    assert planned.downloads[1].size == sum(len(FILES[path]) for path in RAFT)
    assert planned.left.estimated
    assert world.requests == []


def test_what_is_here_needs_no_request(complete: TestClone, world: World) -> None:
    """In place, in the cache, or wrong and in the cache."""
    (complete.root / PATH).unlink()
    (complete.root / RAFT[0]).unlink()
    (complete.root / RAFT[0]).write_bytes(b"wrong")

    planned = made(complete)

    found = sources(planned)
    assert found.pop(PATH) == found.pop(RAFT[0]) == ("cache", "cache")
    assert {kind for kind, _ in found.values()} == {"in place"}
    assert {words for _, words in found.values()} <= {"in place", "in place, not verified yet"}
    assert (planned.downloads, planned.needed(), world.requests) == ((), 0, [])
    assert planned.lines()[-1] == f"{state.total(planned.files)}: nothing to download"


def test_each_source_is_named(clone: TestClone, world: World) -> None:
    """The team's folder, a mirror of the site, a publisher; an archive says that it is one."""
    give_to_team(clone)
    near(world, FILES[RAFT[0]], RAFT[0])
    mirrors(clone, "https://near.test/checkpoints")

    found = sources(made(clone, NAME, "raft", "pips", ask=False))

    assert found[PATH] == ("team", "the remote team")
    assert made(clone, NAME, ask=False).downloads[0].size == len(DATA)
    assert found[RAFT[0]][0] == "mirror"
    (clone.root / "params.yaml").write_text(
        clone.read("params.yaml").decode().partition("  mirrors:")[0]
    )
    planned = made(clone, NAME, "raft")
    assert sources(planned)[RAFT[0]] == ("publisher", "www.dropbox.com")
    (line,) = [line for line in planned.lines() if RAFT[0] in line]
    assert "www.dropbox.com, in an archive of " in line


def test_a_team_that_does_not_have_a_file_is_not_its_source(clone: TestClone, world: World) -> None:
    """A remote behind https is asked, even where the size is known."""
    clone.run("dvc", "remote", "modify", "--local", "team", "url", HTTPS)
    world.publish(f"{HTTPS}/files/md5/{md5(DATA)[:2]}/{md5(DATA)[2:]}", DATA)

    found = sources(made(clone, NAME, "sam_vit_b"))

    kinds = sorted(kind for kind, _ in found.values())
    assert (found[PATH][0], kinds) == ("team", ["publisher", "team"])


def test_a_bucket_is_asked_what_it_has(team: Team, bucket: Bucket) -> None:
    """Through DVC: the size of the object, or the next source."""
    bucket.put(place(UNSIZED_PATH), FILES[UNSIZED_PATH])
    words = (UNSIZED, "pips_plus_plus", "--dry-run", "--json")

    done = team.colleague().run(sys.executable, "-m", "scripts.fetch", *words, check=True)

    told = json.loads(done.stdout)["downloads"]
    assert [(each["source"], each["estimated"]) for each in told] == [
        ("team", False), ("publisher", False),
    ]  # fmt: skip
    assert told[0]["size"] == len(FILES[UNSIZED_PATH])


def test_a_source_that_fails_is_passed_over_or_estimated(clone: TestClone, world: World) -> None:
    """A mirror of the file answers in its place; without one the publisher is named after all."""
    world.fault("*dropbox*", Fault.status(404))
    world.fault("*checkpoint.npy", Fault.html())
    copy = "https://github.com/sczhou/ProPainter/releases/download/v0.1.0/raft-things.pth"
    world.publish(copy, FILES[THINGS])

    planned = made(clone, UNSIZED, "raft", "pips")

    first = planned.downloads[0]
    assert (first.entry, first.source, first.estimated) == (UNSIZED, "publisher", True)
    assert "storage.googleapis.com (could not be asked)" in planned.lines()[0]
    of = {path: each.source for each in planned.downloads for path in each.files}
    assert (of[THINGS], of[RAFT[0]]) == ("mirror", "publisher")


@pytest.mark.parametrize("broken", ["proxy", "bundle"])
def test_without_a_network_everything_is_estimated(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """The download itself says what is wrong."""
    if broken == "proxy":
        world.stop_proxy()
    else:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(clone.root / "params.yaml"))

    planned = made(clone, UNSIZED, "raft")

    assert {(each.estimated, each.answered) for each in planned.downloads} == {(True, False)}
    assert len(planned.downloads) == 2


def test_who_does_not_answer_in_time_is_estimated(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are not; and nobody waits longer."""
    monkeypatch.setattr(headers, "_TRIES", 1)  # no second request, which the next test would see
    world.fault("*checkpoint.npy", Fault.delay(600))
    monkeypatch.setattr(plan, "_PATIENCE", 2)
    began = time.monotonic()

    planned = made(clone, UNSIZED, "raft")

    assert time.monotonic() - began < 60
    assert [(each.entry, each.estimated) for each in planned.downloads] == [
        (UNSIZED, True), ("raft", False),
    ]  # fmt: skip
    assert [each.answered for each in planned.downloads] == [False, True]


def test_nobody_may_be_asked(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHECKPOINTS_SOURCES is shown as the reason."""
    monkeypatch.setenv("CHECKPOINTS_SOURCES", "cache")

    planned = made(clone, NAME)

    assert sources(planned) == {PATH: ("nowhere", "nowhere (CHECKPOINTS_SOURCES=cache)")}
    assert (planned.downloads, world.requests) == ((), [])
    assert planned.lines()[-1].endswith(": 1 without an allowed source; nothing to download")


def test_what_an_earlier_run_has_kept_is_not_downloaded_again(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes no more room, either."""
    monkeypatch.setattr(plan, "kept", lambda part: 100 if md5(DATA) in part.name else 0)

    planned = made(clone, NAME)

    assert (planned.whole.size, planned.left.size) == (len(DATA), len(DATA) - 100)
    assert planned.needed() == len(DATA) - 100
    assert "(100 B more are kept from an earlier run)" in planned.lines()[-1]
    assert world.requests == []


def test_room_is_for_the_files_and_one_archive(clone: TestClone) -> None:
    """Archives are unpacked one after another; what is only estimated refuses nothing."""
    planned = made(clone, "sam_vit_b", "raft", "pips")

    inside = [path for path in FILES if "raft" in path or "/pips_ckpts" in path]
    largest = max(len(SERVED[ARCHIVES["raft"]]), len(SERVED[ARCHIVES["pips"]]))
    one = len(FILES["models/sam_ckpts/sam_vit_b_01ec64.pth"])
    assert planned.needed() == one + sum(len(FILES[path]) for path in inside) + largest
    assert planned.needed(at_least=True) == planned.needed() - largest
    guess = made(clone, UNSIZED, ask=False)
    assert guess.needed(at_least=True) == 0


def test_too_little_room_for_all_is_reported_before_the_first_byte(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan shows it, too."""
    usage = shutil._ntuple_diskusage(9**9, 9**9, 50_000)  # noqa: SLF001
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    assert fetch.main(["sam_vit_b", "sam_vit_l"]) == 1

    assert capsys.readouterr().err.startswith("error: 2 files: not enough room in ")
    assert (clone.tree(), world.requests) == ({}, [])
    assert fetch.main(["sam", "--dry-run"]) == 1
    shown = capsys.readouterr()
    assert "50.0 kB free\n" in shown.out
    assert "not enough room" in shown.err
    with pytest.raises(RoomError):
        made(clone, "sam_vit_b", "sam_vit_l").check_room()


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A line per file, and one sum."""
    assert fetch.main(["minimal", "--dry-run"]) == 0

    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out[:-1]] == [
        "models/samhq_ckpts/sam_hq_vit_h.pth",
        "models/cotracker_ckpts/cotracker_stride_4_wind_8.pth",
    ]
    assert out[0].endswith("kB  huggingface.co")
    assert out[-1].startswith("2 files, ")
    assert "to download; room: " in out[-1]
    assert (clone.tree(), clone.objects(), world.served()) == ({}, {}, 0)
    assert clone.run("git", "status", "--porcelain").stdout == ""


@pytest.mark.usefixtures("clone")
def test_a_plan_is_json_for_programs(capsys: Capture) -> None:
    """Sizes in bytes; where each file is, and where it comes from."""
    assert fetch.main(["--for", "raft", "--dry-run", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    first, (download,) = told["files"][0], told["downloads"]
    assert {key: first[key] for key in ("entry", "family", "place", "from", "who")} == {
        "entry": "raft", "family": "raft", "place": "missing", "from": "publisher",
        "who": "www.dropbox.com",
    }  # fmt: skip
    assert (download["size"], download["packed"]) == (len(SERVED[ARCHIVES["raft"]]), True)
    assert told["to_download"] == {"files": 5, "size": download["size"], "estimated": False}
    assert told["room"]["free"] > told["room"]["needed"] > 0


def test_an_estimate_is_marked(clone: TestClone) -> None:
    """And so is every sum with one in it."""
    path = clone.root / f"sources/{UNSIZED}.dvc"
    path.write_text(path.read_text() + "meta:\n  size: 2000\n")
    raft = clone.root / "sources/raft.dvc"
    raft.write_text(raft.read_text().replace("meta:\n", "meta:\n  size: 9000\n", 1))

    planned = made(clone, UNSIZED, "raft", ask=False)

    assert "  ~2.0 kB  storage.googleapis.com" in planned.lines()[0]
    assert "in an archive of ~9.0 kB" in planned.lines()[1]
    assert ": ~11.0 kB to download; room: ~" in planned.lines()[-1]
    recorded = raft.read_text().replace(
        "- hash: md5\n  path: https", "- size: 8000\n  path: https", 1
    )
    raft.write_text(recorded)
    assert made(clone, "raft", ask=False).downloads[0].size == 8000


def test_failing_headers_never_fail_a_fetch(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files themselves are served."""

    def refused(*_: object) -> int:
        raise SourceError("refused")

    monkeypatch.setattr(plan, "_served", refused)

    assert fetch.main([UNSIZED, "raft"]) == 0
    assert len(clone.tree()) == 6
    assert "HEAD" not in {request.method for request in world.requests}
    assert capsys.readouterr().err == ""


def test_at_once_is_in_order_and_raises() -> None:
    """Answers of many threads; one that is late is None; an error is the caller's."""
    late = threading.Event()

    def ask(number: int) -> int:
        if number == 7:
            late.wait(60)
        return number * 2

    assert at_once(ask, range(7)) == [number * 2 for number in range(7)]
    assert at_once(ask, range(6, 9), within=1) == [12, None, 16]
    late.set()
    assert at_once(ask, []) == []
    with pytest.raises(ZeroDivisionError):
        at_once(lambda number: 1 // number, [1, 0])
