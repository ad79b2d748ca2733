"""scripts.doctor: a line for each check, whatever is broken, and never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from scripts import doctor, fetch
from scripts.checkout.checks import condition, machine, sources
from scripts.checkout.clone import Clone
from scripts.checkout.doctor import CHECKS
from scripts.checkout.journal import DONE, Journal, locked
from scripts.console.errors import CheckpointError
from scripts.download import headers
from scripts.storage.cache import Cache
from scripts.storage.remote import Remote
from tests.curation.changing import run
from tests.world import Fault
from tests.world.checkpoints import files
from tests.world.teams import spoil

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.clones import TestClone

    Capture = pytest.CaptureFixture[str]

NAME, PATH = "sam_vit_b", "models/sam_ckpts/sam_vit_b_01ec64.pth"
DATA = files(10_000)[PATH]
LOCK = """\
# via nothing
requests[socks]=={} \\
    --hash=sha256:00
win32=={} ; sys_platform == 'win32'
"""


@pytest.fixture(autouse=True)
def lock(clone: TestClone) -> Path:
    """The lock of an environment that is as it must be."""
    path = clone.root / "requirements.txt"
    path.write_text(LOCK.format(metadata.version("requests"), 1))
    return path


def lines(capsys: Capture) -> dict[str, dict[str, str]]:
    """Return what doctor tells a program, by check; it exits as it says."""
    done = run(doctor.main, capsys, "--json")
    found = {line["name"]: line for line in json.loads(done.out)}
    assert list(found) == list(CHECKS)
    assert done.code == int(not all(line["ok"] for line in found.values()))
    assert all(line["ok"] == (line["step"] == "") for line in found.values())
    return found


def faults(capsys: Capture) -> dict[str, str]:
    """Return what is wrong, and what to type, by check."""
    return {n: f"{x['text']} -> {x['step']}" for n, x in lines(capsys).items() if not x["ok"]}


def fault(check: str, root: Path) -> tuple[str, ...]:
    """Return what one check finds wrong."""
    name = CHECKS[check][0]
    modules = {"machine": machine, "condition": condition, "sources": sources}
    with pytest.raises(CheckpointError) as caught:
        getattr(modules[name], check)(root)
    return caught.value.what, *caught.value.details


def test_a_new_clone_is_well(clone: TestClone, world: World, capsys: Capture) -> None:
    """Nothing is fetched yet, and nobody has pushed: both are no faults. Nothing is written."""
    before = clone.run("git", "status", "--porcelain").stdout

    done = run(doctor.main, capsys)

    assert (done.code, done.err) == (0, "")
    told = done.out.splitlines()
    assert [line.split()[:2] for line in told] == [["ok", name] for name in CHECKS]
    assert f"0 of {len(files(10_000))} in place" in done.out
    assert f"have all {len(Clone.at(clone.root).catalogue.published)} files" in done.out
    assert "does not exist yet; the first `./checkpoints dvc push` makes it" in done.out
    assert world.proxy in done.out
    assert {request.method for request in world.requests} <= {"HEAD", "GET"}
    assert world.served() < 100_000
    assert clone.run("git", "status", "--porcelain").stdout == before


@pytest.mark.parametrize("text", ["", '{"models/x": {"wri'])
def test_what_a_kill_of_dvc_has_torn_is_named(clone: TestClone, text: str) -> None:
    """DVC then refuses every command; without the file it works."""
    name = ".dvc/tmp/rwlock"
    (clone.root / name).parent.mkdir(exist_ok=True)
    (clone.root / name).write_text(text)

    refused = clone.run("dvc", "repro", "fetch_minimal")
    told = fault("dvc", clone.root)

    assert refused.returncode == 255
    assert f"Unable to read RWLock-file '{name}'" in refused.stderr
    assert told == (f"{name} is half written: DVC was killed", f"Next: rm {name}")
    (clone.root / name).unlink()
    assert condition.dvc(clone.root)


def test_each_fault_says_what_to_type(clone: TestClone, world: World, capsys: Capture) -> None:
    """A wrong file, a lost link, an old download, quarantine, a cut change, a dead publisher."""
    assert fetch.main([NAME]) == 0
    (clone.root / PATH).unlink()
    (clone.root / PATH).write_bytes(b"wrong")
    old = clone.root / ".dvc/tmp/fetch/raft.part"
    old.write_bytes(b"begun")
    os.utime(old, (0, 0))
    (clone.root / ".dvc/tmp/fetch/a_former_name.part").write_bytes(b"begun")
    aside = clone.root / "quarantine/2026" / PATH
    aside.parent.mkdir(parents=True)
    aside.write_bytes(b"wrong")
    Journal("import_url new", {}).save(clone.root)
    world.fault("*sam_vit_l*", Fault.status(404))

    assert faults(capsys) == {
        "change": "import_url new was cut short"
        " -> ./checkpoints tidy --dry-run: each command but this one undoes it",
        "files": f"1 not the pinned file: {PATH} -> ./checkpoints verify --repair {NAME}",
        "begun": "2, 10 B begun more than 7 days ago, or of another pin: a_former_name, raft"
        " -> ./checkpoints tidy",
        "quarantine": f"1, 5 B: 2026: {PATH} -> ./checkpoints tidy removes it; look into it first",
        "publishers": "1 do not answer: sam_vit_l: dl.fbaipublicfiles.com: 404 Not Found"
        " -> check the network and HTTPS_PROXY, then ./checkpoints upstream",
    }


def test_begun_downloads_and_living_changes_are_no_faults(clone: TestClone) -> None:
    """The next fetch resumes them; the change is that of a process that runs, or complete."""
    well = "no change of the catalogue was cut short"
    folder = clone.root / ".dvc/tmp/fetch"
    folder.mkdir(parents=True)
    (folder / f"{NAME}.new.part").write_bytes(b"begun")
    Journal("import_url new", {}).save(clone.root)

    with locked(clone.root):
        assert condition.change(clone.root) == well
    Journal("import_url new", {}, DONE).save(clone.root)
    assert condition.change(clone.root) == well
    assert condition.begun(clone.root) == "1, 5 B; the next fetch resumes them"


def test_a_lost_link_is_told(clone: TestClone) -> None:
    """The object is gone from the cache."""
    (clone.root / PATH).parent.mkdir(parents=True)
    (clone.root / PATH).symlink_to(Cache(clone.root).object("0" * 32))

    assert fault("files", clone.root) == (
        f"1 a link to an object that is gone: {PATH}",
        f"Next: ./checkpoints fetch {NAME}",
    )


def test_a_file_that_nobody_hashed_is_told(clone: TestClone) -> None:
    """It may be the right one: that is no fault."""
    (clone.root / PATH).parent.mkdir(parents=True)
    (clone.root / PATH).write_bytes(DATA)

    assert condition.files(clone.root).endswith(
        "in place, 1 not verified yet: ./checkpoints verify"
    )


@pytest.mark.parametrize("name", ["params.yaml", "dvc.lock", ".git", ".dvc/config", "models.dvc"])
@pytest.mark.parametrize("how", ["missing", "torn"])
def test_a_broken_clone_is_told_in_lines(
    clone: TestClone, capsys: Capture, name: str, how: str
) -> None:
    """Every check still gives its line, and each fault a step."""
    path = clone.root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if how == "torn":
        path.write_bytes(b"torn: [\xff")

    found = lines(capsys)

    assert not all(line["ok"] for line in found.values())
    assert found["python"]["ok"]
    assert found["environment"]["ok"]
    assert "Traceback" not in str(found)


def test_a_folder_that_is_no_clone_is_told_in_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Nothing at all is there, and nothing is after it."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    found = lines(capsys)

    assert [name for name, line in found.items() if line["ok"]][:2] == ["python", "network"]
    assert list((tmp_path / "empty").iterdir()) == []
    assert found["git"]["text"].startswith("git cannot read this clone: fatal: not a git repo")


def test_checks_that_need_the_catalogue_say_so(clone: TestClone, capsys: Capture) -> None:
    """Its faults are told once."""
    (clone.root / "params.yaml").write_text("checkpoints: 1\n")

    found = faults(capsys)

    assert found["catalogue"].startswith("params.yaml: 1 fault: line 1: checkpoints: not a map")
    assert found["files"] == "not checked: params.yaml: 1 fault -> first mend the catalogue"
    assert set(found) == {"catalogue", "files", "begun", "quarantine", "publishers", "remote"}


def test_a_library_that_is_missing_or_raises_is_told(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The checks without it still run."""

    def fail(_: Path) -> str:
        raise RuntimeError("what\nno one\nexpected")

    monkeypatch.setattr(condition, "disk", fail)
    monkeypatch.setitem(sys.modules, "scripts.checkout.checks.sources", None)

    found = faults(capsys)

    assert (
        found["disk"]
        == "not checked: RuntimeError: what no one expected -> see the path that is named"
    )
    assert found["remote"].endswith("-> first mend the environment")
    assert set(found) == {"disk", "publishers", "remote"}
    assert clone.root.exists()


def test_another_environment_than_the_lock_is_told(
    clone: TestClone, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other versions and missing packages, those of other machines not; the stamp goes first."""
    monkeypatch.setattr(sys, "prefix", str(clone.root))
    lock.write_text(LOCK.format("0.1", 1) + "".join(f"not-there-{n}==1 \\\n" for n in range(3)))
    found = f"requests {metadata.version('requests')} (locked 0.1)"

    what, step = fault("environment", clone.root)

    assert what == (
        f"not what requirements.txt locks: {found}, not-there-0 is missing,"
        " not-there-1 is missing and 1 more"
    )
    assert step == "Next: ./checkpoints doctor: it makes the environment"
    (clone.root / "installed").touch()
    assert fault("environment", clone.root)[1].startswith(f"Next: rm {clone.root}/installed && ./")


def test_an_old_python_is_told(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of conda, in which a module may still be started by hand."""
    monkeypatch.setattr(sys, "version_info", (3, 8, 18))

    assert fault("python", clone.root)[0].endswith("is older than 3.10")


def test_a_file_that_was_deleted_is_told(clone: TestClone) -> None:
    """DVC would say of a lost seal only that it does not exist."""
    for name in ("models.dvc", "dvc.yaml", f"sources/{NAME}.dvc"):
        (clone.root / name).unlink()

    assert fault("git", clone.root) == (
        "2 files of the last commit are missing, such as dvc.yaml",
        "Next: git checkout -- dvc.yaml models.dvc",
    )
    shutil.rmtree(clone.root / "scripts/files")
    assert fault("git", clone.root)[1] == "Next: git ls-files -dz | xargs -0 git checkout --"


def test_certificates_that_are_missing_are_told(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is named; without any, those of requests count."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    assert fault("network", clone.root) == (
        "REQUESTS_CA_BUNDLE names a file that does not exist: /none.pem",
        "Next: set it to your CA file, or unset it.",
    )

    for name in (
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
        "HTTPS_PROXY",
        "https_proxy",
    ):
        monkeypatch.delenv(name)
    assert machine.network(clone.root) == "no proxy, certificates of the package certifi"


def test_a_disk_that_takes_every_byte_twice_is_told(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On two disks there is a remedy; on one that cannot link there is none."""
    monkeypatch.setattr(Cache, "linking", lambda _: "copy")
    assert "by copy: every file takes its room twice; " in condition.disk(clone.root)
    assert condition.disk(clone.root).endswith(" free; to fetch: 16 files, ~491.3 kB")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Mock(free=1))
    assert condition.disk(clone.root).endswith(", more than fit")

    memory = Path("/dev/shm")  # noqa: S108 - not for its being temporary
    if not os.access(memory, os.W_OK) or memory.stat().st_dev == clone.root.stat().st_dev:
        pytest.skip(f"{memory} is no other file system that may be written")
    (clone.root / ".dvc/config.local").write_text(f"[cache]\n    dir = {memory}/none\n")
    what, step = fault("disk", clone.root)
    assert (
        what == f"models/ and the cache {memory} are on two disks: every file takes its room twice"
    )
    assert step.startswith("Next: `./checkpoints dvc cache dir --local DIR`")


def test_a_disk_that_may_not_be_written_is_told(
    clone: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tree of another user."""
    real = os.access
    (clone.root / "models").mkdir()
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path).name != "models" and real(path, mode)
    )

    assert fault("disk", clone.root) == (
        f"may not write {clone.root}/models",
        "Next: get write permission there",
    )


def test_publishers_that_no_one_may_ask_are_not_asked(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CHECKPOINTS_SOURCES leaves them out."""
    monkeypatch.setenv("CHECKPOINTS_SOURCES", "cache,team")

    assert sources.publishers(clone.root) == "not asked: CHECKPOINTS_SOURCES=cache,team"
    assert world.requests == []


def test_the_network_is_waited_for_some_seconds_only(
    clone: TestClone, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher stalls, and so does the remote."""
    monkeypatch.setattr(sources, "_WITHIN", 0.3)
    monkeypatch.setattr(headers, "_TRIES", 1)  # no second request, which the next test would see
    late = threading.Event()
    monkeypatch.setattr(sources, "_seen", lambda _: late.wait(60))
    world.fault("*", Fault.delay(60))

    assert fault("publishers", clone.root)[1] == "no answer within 0 s"
    assert fault("remote", clone.root) == ("team: no answer within 0 s",)
    late.set()


def test_what_the_remote_has_is_told(local: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """All, a damaged file, no permission, none configured."""
    root, count = local.root, len(files(10_000))
    for name, value in local.env.items():
        monkeypatch.setenv(name, value)
    assert sources.remote(root).endswith(f" has {count} of {count} files")

    spoil(local, PATH, b"damaged")
    assert fault("remote", root) == (f"team: 1 damaged: {PATH}",)

    monkeypatch.setattr(Remote, "rights", lambda _: (False, False))
    assert fault("remote", root)[0].startswith("team: no permission to read all of ")

    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    assert sources.remote(root) == "none is configured"
