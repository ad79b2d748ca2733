"""python -m scripts.upstream: the state of every publisher, from headers only."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from scripts import fetch, upstream
from scripts.catalogue import sources
from scripts.checkout import looks
from scripts.curation import drift
from scripts.download import headers
from tests.download.transfers import HOST, NAME, PATH, URL, md5, pin
from tests.world import Fault
from tests.world.checkpoints import ARCHIVES, DRIVE, FBAI, HQ_67AB, PAPER, TAPNET, files

if TYPE_CHECKING:
    from tests.world import Request, World
    from tests.world.clones import TestClone
    from tests.world.reply import Reply

    Capture = pytest.CaptureFixture[str]

FILES = files(10_000)
BUCKET = f"{TAPNET}/checkpoint.npy"
TAPIR = "tapnet_checkpoint"
WO_OPTSTATE = "models/tapnet_ckpts/open_source_ckpt/checkpoint_wo_optstate.npy"
PROVEN = {
    "sam_hq_vit_h", "sam_mobile_vit_t", TAPIR, "superglue_outdoor", "superpoint_v1", "raft",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """What one run of the command gave."""

    code: int
    rows: dict[str, dict[str, Any]]
    err: str

    @property
    def states(self) -> dict[str, str]:
        """Return name -> state."""
        return {name: row["state"] for name, row in self.rows.items()}


def look(capsys: Capture, *words: str) -> Look:
    """Run the command in this very process."""
    capsys.readouterr()
    code = upstream.main([*words, "--json"])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    rows = json.loads(printed.out) if printed.out else []
    return Look(code, {row["name"]: row for row in rows}, printed.err)


def test_headers_alone_tell_what_is_known(clone: TestClone, world: World, capsys: Capture) -> None:
    """A stated hash proves the content at once; of the rest nothing is recorded yet: exit 2."""
    before = clone.run("git", "status", "--short").stdout

    seen = look(capsys)

    assert seen.code == 2
    assert len(seen.rows) == 12
    assert {name for name, state in seen.states.items() if state == "same"} == PROVEN
    assert set(seen.states.values()) == {"same", "unknown"}
    assert {request.method for request in world.requests} == {"HEAD"}
    assert (world.served(), world.refused) == (0, [])
    assert clone.run("git", "status", "--short").stdout == before
    remembered = {url: look.state for url, look in looks.recall(clone.root).items()}
    assert remembered == {row["recorded"]["url"]: row["state"] for row in seen.rows.values()}


def test_what_was_recorded_is_compared(clone: TestClone, capsys: Capture) -> None:
    """The first --record is news and ends well; the next finds nothing to write."""
    first, second = look(capsys, "--record"), look(capsys, "--record")
    sources = clone.run("git", "status", "--short", "sources").stdout

    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert {row["written"] for row in first.rows.values()} == {True}
    assert {row["written"] for row in second.rows.values()} == {False}
    assert set(second.states.values()) == {"same", "unchanged"}
    assert len(sources.splitlines()) == 12


def test_a_verified_download_is_something_to_compare_with(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Its ETag and size were those of the pinned bytes; git does not learn of it."""
    before = clone.run("git", "status", "--short").stdout
    assert fetch.main([NAME, "pips"]) == 0

    same = look(capsys, NAME, "pips")
    world.publish(URL, FILES[PATH], etag='"later"')
    later = look(capsys, NAME)

    assert (same.code, same.states) == (0, {NAME: "unchanged", "pips": "unchanged"})
    assert same.rows[NAME]["why"].endswith(" as downloaded, with the pinned bytes")
    assert (later.code, later.states) == (1, {NAME: "changed"})
    assert later.rows[NAME]["why"].endswith(', served "later"')
    assert clone.run("git", "status", "--short").stdout == before


def test_whoever_has_fetched_everything_can_compare_everything(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """From ranges, from an archive, and from Google Drive, which gdown reads in one stream."""
    assert (fetch.main(["complete"]), len(clone.tree())) == (0, len(FILES))
    same = look(capsys)
    world.publish(DRIVE, FILES[WO_OPTSTATE][:-1] + b"?")
    later = look(capsys)

    assert (same.code, set(same.states.values())) == (0, {"same", "unchanged"})
    assert (later.code, later.states) == (
        1,
        same.states | {"tapnet_checkpoint_wo_optstate": "changed"},
    )


def test_another_size_than_the_downloaded_is_a_change(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Where the lock has no size, and the ETag is the same."""
    pin(clone, FILES[PATH], size=False)
    world.publish(URL, FILES[PATH], etag='"first"')
    assert fetch.main([NAME]) == 0
    world.publish(URL, FILES[PATH] + b"?", etag='"first"')

    seen = look(capsys, NAME)

    assert (seen.code, seen.rows[NAME]["why"].split()[:2]) == (1, ["size", "downloaded"])


def test_a_download_that_is_no_longer_pinned_proves_nothing(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Nor does one whose ETag is sent no longer."""
    world.publish(URL, FILES[PATH], etag='"first"')
    assert fetch.main([NAME]) == 0
    world.fault(URL, Fault.without("ETag"), times=1)

    silent = look(capsys, NAME)
    pin(clone, FILES[PATH] + b"?", size=False)

    assert (silent.code, silent.states) == (2, {NAME: "unknown"})
    assert look(capsys, NAME).rows[NAME]["why"] == drift.NOTHING


def test_a_download_that_noted_no_etag_is_not_called_none(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Neither reason nor advice says that the file was never downloaded."""
    name = "tapnet_checkpoint_wo_optstate"
    world.fault("*", Fault.without("ETag", "Last-Modified"))
    assert fetch.main([name]) == 0

    seen = look(capsys, name)

    assert (seen.code, seen.rows[name]["why"]) == (2, drift.NOTHING)
    assert "never" not in seen.rows[name]["why"] + seen.err
    assert "--record" in seen.err
    assert clone.tree()


def test_all_publishers_are_asked_at_once(clone: TestClone, world: World, capsys: Capture) -> None:
    """None is answered before the last has been asked."""
    del clone
    together = threading.Barrier(3)

    def wait(_: Request, reply: Reply) -> Reply:
        together.wait(60)
        return reply

    world.fault(f"{FBAI}/*", Fault("together", wait), times=3)

    assert len(look(capsys).rows) == 12
    assert not together.broken


def test_a_table_is_for_people(clone: TestClone, world: World, capsys: Capture) -> None:
    """A line a source on stdout, the sum and the next step on stderr."""
    del clone
    world.publish(BUCKET, b"another release")

    code = upstream.main([TAPIR, "raft", "--record"])

    printed = capsys.readouterr()
    assert code == 1
    assert [line.split()[:2] for line in printed.out.splitlines()] == [
        [TAPIR, "changed"],
        ["raft", "same"],
    ]
    assert printed.out.count("(recorded)") == 2
    assert printed.err.startswith("1 same, 1 changed\n")
    assert f"error: changed or gone at the publisher: {TAPIR}" in printed.err
    assert "./checkpoints repin" in printed.err


@pytest.mark.parametrize(
    ("url", "name"), [(BUCKET, TAPIR), (f"{HQ_67AB}/sam_hq_vit_h.pth", "sam_hq_vit_h")]
)
def test_another_hash_than_the_pinned_is_a_change(
    url: str, name: str, clone: TestClone, world: World, capsys: Capture
) -> None:
    """Of the same size, and still after it was recorded: the pin is what counts."""
    path = next(p for p in FILES if name.removesuffix("_checkpoint") in p)
    world.publish(url, FILES[path][:-1] + b"?")

    seen = [look(capsys, name), look(capsys, name, "--record"), look(capsys, name)]

    assert [run.code for run in seen] == [1, 1, 1]
    assert seen[0].rows[name]["why"].startswith(("md5 pinned ", "sha256 pinned "))
    assert clone.tree() == {}


def test_another_size_than_the_pinned_is_a_change(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Where the publisher states no hash."""
    pin(clone, FILES[PATH])
    world.publish(URL, b"shorter")

    seen = look(capsys, NAME)

    assert (seen.code, seen.states) == (1, {NAME: "changed"})
    assert seen.rows[NAME]["why"] == f"size pinned {len(FILES[PATH]):,} bytes, served 7 bytes"


def test_another_version_than_the_recorded_is_a_change(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Old and new are shown; recorded, it is no change any more."""
    pin(clone, FILES[PATH], size=False)
    world.publish(URL, b"first", etag='"first"')
    look(capsys, NAME, "--record")
    world.publish(URL, b"later", etag='"later"')
    etag = look(capsys, NAME)
    world.publish(URL, b"longer", etag='"first"')
    size = look(capsys, NAME, "--record")

    assert (etag.code, size.code, look(capsys, NAME).code) == (1, 1, 0)
    assert etag.rows[NAME]["why"] == 'ETag recorded "first", served "later"'
    assert size.rows[NAME]["why"] == "size recorded 5 bytes, served 6 bytes"


def test_an_etag_that_is_the_pinned_md5_proves_the_content(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """From any server: that is no accident."""
    del clone
    world.publish(URL, FILES[PATH], etag=f'"{md5(FILES[PATH])}"')
    world.fault(URL, Fault.without("Server"))

    seen = look(capsys, NAME)

    assert (seen.code, seen.states) == (0, {NAME: "same"})


def test_an_etag_that_is_sent_no_longer_tells_nothing(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Of the same size: that is no proof."""
    del clone
    look(capsys, NAME, "--record")
    world.fault(URL, Fault.without("ETag"))

    seen = look(capsys, NAME)

    assert (seen.code, seen.states) == (2, {NAME: "unknown"})
    assert "the publisher sends none any more" in seen.rows[NAME]["why"]


def test_an_entry_without_a_pin_is_compared_with_its_record(
    clone: TestClone, capsys: Capture
) -> None:
    """As before its first use, or an archive whose own hash is not known."""
    lock = clone.root / "dvc.lock"
    lock.unlink()

    look(capsys, TAPIR, "pips", "--record")

    assert look(capsys, TAPIR, "pips").states == {TAPIR: "unchanged", "pips": "unchanged"}


def test_a_move_is_shown_with_what_is_known_of_the_content(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The new address, for sources/; a change of content is the greater news."""
    pin(clone, FILES[PATH])
    target = f"https://{HOST}/elsewhere.pth"
    world.publish(target, FILES[PATH], etag=f'"{md5(FILES[PATH])}"')
    world.fault(URL, Fault.redirect(target, status=301))
    moved = look(capsys, NAME)
    world.publish(target, b"another release")

    assert (moved.code, moved.states) == (0, {NAME: "moved"})
    assert moved.rows[NAME]["why"].startswith(f"to {target}; same: ")
    assert moved.rows[NAME]["head"]["moved"] == target
    assert look(capsys, NAME).states == {NAME: "changed"}


def test_a_move_of_which_nothing_is_known_is_no_good_news(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Whether the content is the same is not known: 2, until it is recorded."""
    del clone
    target = f"https://{HOST}/elsewhere.pth"
    world.publish(target, FILES[PATH])
    world.fault(URL, Fault.redirect(target, status=301), times=3)

    first, recorded, later = (look(capsys, NAME, *more) for more in ([], ["--record"], []))

    assert [seen.code for seen in (first, recorded, later)] == [2, 0, 0]
    assert (first.states, later.states) == ({NAME: "unknown"}, {NAME: "moved"})
    assert first.rows[NAME]["why"].startswith(f"moved to {target}; {drift.NOTHING}")


def test_gone_blocked_and_unknown_differ(clone: TestClone, world: World, capsys: Capture) -> None:
    """Gone counts as changed; of the other two nothing is known."""
    del clone
    world.remove(ARCHIVES["raft"])
    world.remove(URL)  # S3 says 403 of what is missing
    world.fault("https://drive.usercontent.google.com/*", Fault.quota())
    world.fault(BUCKET, Fault.status(503))

    seen = look(capsys, "raft", NAME, "tapnet_checkpoint_wo_optstate", TAPIR)

    assert list(seen.states.values()) == ["gone", "blocked", "blocked", "unknown"]
    assert {row["head"] for row in seen.rows.values()} == {None}
    assert (seen.code, look(capsys, NAME, TAPIR).code) == (1, 2)


def test_without_a_network_nothing_is_known(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """A row for each, its cause in it, and nothing is recorded."""
    world.stop_proxy()

    seen = look(capsys, "--record")

    assert (seen.code, set(seen.states.values())) == (2, {"unknown"})
    assert all("no connection through the proxy" in row["why"] for row in seen.rows.values())
    assert clone.run("git", "status", "--short", "sources").stdout == ""


def test_an_unknown_name_is_a_usage_error(clone: TestClone, world: World, capsys: Capture) -> None:
    """All of them are named, with near ones; nothing is requested."""
    del clone

    seen = look(capsys, "sam_vit_b", "sam_vit_x", "sam_vit_y")

    assert (seen.code, seen.rows) == (2, {})
    assert seen.err.startswith("error: unknown names: sam_vit_x, sam_vit_y\n")
    assert "sam_vit_x: did you mean sam_vit_" in seen.err
    assert world.requests == []


def test_publishers_that_may_not_be_asked_are_not(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site that must not leave its network says so once for all commands."""
    del clone
    monkeypatch.setenv("CHECKPOINTS_SOURCES", "cache,team")

    seen = look(capsys)

    assert (seen.code, world.requests, world.tunnels) == (2, [], [])
    assert seen.err.startswith("error: CHECKPOINTS_SOURCES=cache,team leaves out the publisher")


def test_a_malformed_source_is_a_usage_error(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """It is named; nothing is requested."""
    (clone.root / "sources/raft.dvc").write_text("deps: [")

    seen = look(capsys)

    assert (seen.code, world.requests) == (2, [])
    assert "sources/raft.dvc" in seen.err


def test_a_bundle_without_certificates_is_named(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without trusted authorities nothing can be requested."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(clone.root / "params.yaml"))

    seen = look(capsys)

    assert (seen.code, world.requests) == (2, [])
    assert "cannot be read as CA certificates" in seen.err


def test_ctrl_c_ends_the_questions(
    clone: TestClone, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a traceback, and without a thread that is left."""
    del clone

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(headers.HeadRequest, "head", interrupted)

    assert look(capsys).code == 130
    assert not [t for t in threading.enumerate() if "ThreadPool" in t.name]


def test_help_teaches_states_and_exit_codes(capsys: Capture) -> None:
    """What a cron job has to know."""
    with pytest.raises(SystemExit):
        upstream.main(["--help"])

    printed = capsys.readouterr().out
    assert all(f"  {state} " in printed for state in drift.STATES)
    assert "  0    nothing changed\n  1    something changed or is gone\n" in printed


RELEASE = "https://github.com/Sanster/models/releases/download/MobileSAM/mobile_sam.pt"
MIRRORS = [m.url for m in sources.read(PAPER / "sources", "sam_mobile_vit_t").mirrors]
MOBILE = FILES["models/sam_mobile_ckpts/sam_mobile_vit_t.pth"]


def test_mirrors_are_looked_at_on_request(clone: TestClone, world: World, capsys: Capture) -> None:
    """A row for each after its publisher's; nothing of them is recorded."""
    hub = "https://huggingface.co/dhkim2810/MobileSAM/resolve/main/mobile_sam.pt"
    world.publish(RELEASE, MOBILE, etag='"1"')
    world.publish(hub, MOBILE)
    before = clone.read("sources/sam_mobile_vit_t.dvc")
    printed = [line.split() for line in table(capsys, "sam_mobile_vit_t", "--mirrors")]

    states = [(line[1], line[3] if line[2] == "mirror" else "") for line in printed]

    assert states[:2] == [("same", ""), ("unknown", "github.com:")]
    assert ("same", "huggingface.co:") in states
    assert len(states) == 6
    assert "states no hash, and no other size than the pinned one" in " ".join(printed[1])
    assert clone.read("sources/sam_mobile_vit_t.dvc") == before
    assert world.served() < len(MOBILE)


def table(capsys: Capture, *words: str) -> list[str]:
    """Run the command and return the lines of its table."""
    upstream.main(list(words))
    return capsys.readouterr().out.splitlines()


def test_a_mirror_with_another_file_is_named(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """By its URL, to be removed from sources/; of one that states nothing nothing is said."""
    del clone
    for url in MIRRORS:
        world.publish(url, MOBILE)
    fine = look(capsys, "sam_mobile_vit_t", "--mirrors", "--record")
    world.publish(RELEASE, b"another")

    seen = look(capsys, "sam_mobile_vit_t", "--mirrors")

    assert (fine.code, seen.code) == (0, 1)
    assert seen.err.startswith(f"error: mirrors changed or gone:\n  sam_mobile_vit_t: {RELEASE}\n")
    assert "Next: remove them from sources/NAME.dvc" in seen.err


def test_a_mirror_of_a_member_is_compared_with_the_pin_of_the_member(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Not with that of the archive."""
    del clone
    hub = "https://huggingface.co/GSean/GIMM-VFI/resolve/"
    hub += "ab7735cdcfbd2e03c1bf2819380a25e8a4f321d1/raft-things.pth"
    world.publish(hub, FILES["models/raft_ckpts/raft-things.pth"])

    lines = table(capsys, "raft", "--mirrors")

    assert any("same" in line and "mirror huggingface.co: " in line for line in lines)


def test_mirrors_that_may_not_be_asked_are_not(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHECKPOINTS_SOURCES allows the publisher alone."""
    del clone
    monkeypatch.setenv("CHECKPOINTS_SOURCES", "publisher")

    seen = look(capsys, "--mirrors")

    assert (seen.code, world.requests) == (2, [])
    assert "CHECKPOINTS_SOURCES=publisher leaves out the mirrors" in seen.err
