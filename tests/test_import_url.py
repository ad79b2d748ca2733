"""scripts.import_url: one command from an address to a commit, or nothing at all."""

from __future__ import annotations

import hashlib
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest

from scripts import import_url
from scripts.catalogue import documents, params, pins
from scripts.checkout import obtain
from scripts.curation import changes
from tests.curation.changing import CLEAN, Ran, files, folders, keep, missing, run, undo
from tests.download.transfers import md5, noise, pin
from tests.pickles.pickling import RUN, torch
from tests.world import Fault
from tests.world.formats import tar_gz_of, zip_of
from tests.world.processes import started
from tests.world.publishers import BRANCH_HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.world import World
    from tests.world.clones import TestClone

DATA = noise(40_000, seed=5)
URL = "https://weights.example/release/New-V2.pth"
PATH = "models/new_ckpts/New-V2.pth"
COMMIT = "0123456789" * 4


@pytest.fixture
def imported(clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]) -> Ran:  # noqa: ARG001 - it works in the clone
    """A file was imported into a clone with nothing fetched."""
    world.publish(URL, DATA)
    done = run(import_url.main, capsys, URL, PATH)
    assert done.code == 0, done.err
    return done


def refused(clone: TestClone, capsys: pytest.CaptureFixture[str], code: int, *argv: str) -> str:
    """Run a command that must fail; return its message once every file is as it was."""
    before, objects = (files(clone), folders(clone)), clone.objects()
    done = run(import_url.main, capsys, *argv)
    assert (done.code, done.out) == (code, ""), done.err
    assert (files(clone), folders(clone)) == before
    assert clone.objects() == objects
    assert clone.run("git", "status", "--porcelain", "sources").stdout == ""
    return done.err


def test_an_imported_file_is_fetched_pinned_and_linked(clone: TestClone, imported: Ran) -> None:
    """The bytes stand under models/ and in the cache; the lock has their hash and size."""
    assert clone.tree() == {PATH: DATA}
    assert clone.objects()[md5(DATA)] == DATA
    assert pins.read(clone.root / "dvc.lock")[PATH] == pins.Pin(md5(DATA), len(DATA))
    assert "first use: no pin yet" in imported.out
    assert re.search(r"nfiles: 26\n", clone.read("models.dvc").decode())


def test_the_diff_is_all_there_is_to_commit(clone: TestClone, imported: Ran) -> None:
    """`git apply` takes it back; the line to keep it leaves nothing over."""
    (clone.root / "diff").write_text(imported.out)
    clone.run("git", "apply", "--check", "--reverse", "diff", check=True)
    (clone.root / "diff").unlink()

    keep(clone, imported.err)

    assert clone.run("git", "status", "--porcelain").stdout == ""
    log = clone.run("git", "log", "-1", "--format=%s", "--stat").stdout
    assert log.startswith("Add new_v2\n")
    assert "sources/new_v2.dvc" in log


@pytest.mark.usefixtures("imported")
def test_dvc_finds_nothing_to_say_of_what_was_imported(clone: TestClone) -> None:
    """The stage is up to date; the others miss their files, as before, and nothing else."""
    status = clone.run("dvc", "status", "fetch@new_v2")

    assert (status.stdout, status.returncode) == (CLEAN, 0)
    assert PATH not in "".join(missing(clone))


@pytest.mark.parametrize(
    ("path", "emptied"),
    [("models/new/deep/w.pth", True), ("models/raft_ckpts/w.pth", False)],
)
def test_an_import_is_undone_to_the_letter(
    path: str,
    emptied: bool,  # noqa: FBT001
    complete: TestClone,
    world: World,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each file and folder is as before, by one line with no step too many; the cache keeps it."""
    world.publish(URL, DATA)
    before = files(complete), folders(complete)
    done = run(import_url.main, capsys, URL, path)

    undo(complete, done.err)

    assert (files(complete), folders(complete)) == before
    assert md5(DATA) in complete.objects()
    assert ("find" in done.err) == emptied


@pytest.mark.usefixtures("imported")
def test_the_source_is_what_dvc_writes(clone: TestClone) -> None:
    """The import-url file and .gitignore are DVC's own, byte by byte."""
    names = ("sources/new_v2.dvc", "sources/.gitignore")
    ours = [clone.read(name) for name in names]
    clone.run("git", "checkout", "-q", ".", check=True)
    (clone.root / names[0]).unlink()

    clone.run("dvc", "--cd", "sources", "import-url", "--no-exec", URL, "new_v2", check=True)

    assert [clone.read(name) for name in names] == ours


def test_a_long_address_is_folded_as_dvc_folds_it(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Signs that yaml knows, and more than 80 columns."""
    url = f"https://weights.example/{'long/' * 20}a%20b,c.pth?key=1%232&x=y:z"
    world.publish(url, DATA)
    assert run(import_url.main, capsys, url, PATH, "--name", "long").code == 0
    ours = clone.read("sources/long.dvc")
    (clone.root / "sources/long.dvc").unlink()

    clone.run("dvc", "--cd", "sources", "import-url", "--no-exec", url, "long", check=True)

    assert clone.read("sources/long.dvc") == ours


@pytest.mark.usefixtures("imported")
def test_a_lock_of_dvc_itself_would_be_the_same(clone: TestClone) -> None:
    """`dvc repro` of what was imported runs nothing, and writes nothing."""
    before = files(clone)

    done = clone.run("dvc", "repro", "fetch@new_v2")

    assert "didn't change, skipping" in done.stdout
    assert files(clone) == before


def test_a_list_without_a_last_line_end_is_gone_on_with(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """An editor left it so."""
    world.publish(URL, DATA)
    ignored = clone.root / "sources/.gitignore"
    ignored.write_text(ignored.read_text().rstrip("\n"))
    clone.run("git", "commit", "-qam", "edited", check=True)

    assert run(import_url.main, capsys, URL, PATH).code == 0
    assert ignored.read_text().endswith("/raft\n/new_v2\n")


@pytest.mark.usefixtures("imported")
def test_no_line_of_another_entry_changes(clone: TestClone) -> None:
    """In what people write, lines are added, and none goes."""
    for name in ("params.yaml", "dvc.yaml", "sources/.gitignore"):
        diff = clone.run("git", "diff", "--numstat", name).stdout.split()
        assert diff[1:] == ["0", name]


def test_a_whole_tree_stays_whole(
    complete: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status is clean, the inventory knows the file, DVC would seal the same, all can be undone."""
    world.publish(URL, DATA)
    before = files(complete)

    done = run(import_url.main, capsys, URL, PATH)

    after = files(complete)
    assert complete.run("dvc", "status").stdout == CLEAN
    assert f'"path": "{PATH}"'.encode() in after["models.json"]
    assert "Running" not in complete.run("dvc", "repro", "models.dvc", check=True).stdout
    complete.run("dvc", "commit", "--force", check=True)
    assert files(complete) == after
    undo(complete, done.err)
    assert files(complete) == before
    assert complete.run("dvc", "status").stdout == CLEAN


def test_the_tests_of_the_repository_hold_after_an_import(clone: TestClone, imported: Ran) -> None:
    """Lock, seal, sources, stages and artifacts are in line, by the repository's own tests."""
    keep(clone, imported.err)

    done = clone.run(sys.executable, "-m", "pytest", "-q", "-n0", "tests/test_repository.py")

    assert done.returncode == 0, done.stdout


PACKED = {
    "tar.gz": tar_gz_of({"inner/": b"", "inner/w.pth": DATA, "inner/other": b"1"}),
    "zip": zip_of({"inner/w.pth": DATA, "inner/other": b"1"}),
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_member_of_an_archive_gets_a_stage_of_its_own(
    kind: str, clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """One member, pinned; the rest of the archive is dropped."""
    url = f"https://weights.example/all.{kind}"
    world.publish(url, PACKED[kind])

    done = run(import_url.main, capsys, url, PATH, "--member", "inner/w.pth", "--sha256",
               hashlib.sha256(DATA).hexdigest(), "--md5", md5(DATA).upper())  # fmt: skip

    assert done.code == 0, done.err
    assert clone.tree() == {PATH: DATA}
    assert clone.run("dvc", "status", "unpack_new_v2").stdout == CLEAN
    entry = params.read(clone.root / "params.yaml").published["new_v2"]
    assert [file.member for file in entry.files] == ["inner/w.pth"]
    stages = clone.read("dvc.yaml").decode()
    assert stages.index("unpack_raft:") < stages.index("unpack_new_v2:") < stages.index("  tree:")
    missing(clone)


def test_a_share_link_of_drive_is_imported(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it was shared."""
    url = "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz012345/view?usp=sharing"
    world.publish(url, DATA, name="w.npy")

    done = run(import_url.main, capsys, url, PATH)

    assert done.code == 0, done.err
    assert f"path: \n    {url}".encode() in clone.read("sources/new_v2.dvc")
    assert clone.tree() == {PATH: DATA}


def test_a_link_of_dropbox_asks_for_the_file(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """dl=1 stands in the source, and the rlkey stays."""
    world.publish("https://www.dropbox.com/scl/fi/ab/w.pth?rlkey=k1", DATA)

    url = "https://www.dropbox.com/scl/fi/ab/w.pth?rlkey=k1&dl=0"
    done = run(import_url.main, capsys, url, PATH)

    assert done.code == 0, done.err
    assert b"w.pth?rlkey=k1&dl=1\n" in clone.read("sources/new_v2.dvc")


def test_a_page_of_hugging_face_is_pinned_to_its_commit(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the header of the file's address on its branch, of which no byte is read."""
    pinned = f"https://huggingface.co/org/repo/resolve/{BRANCH_HEAD}/sub/w.pth"
    branch = "https://huggingface.co/org/repo/resolve/main/sub/w.pth"
    world.publish(branch, b"of the branch")
    world.publish(pinned, DATA)

    page = "https://huggingface.co/org/repo/blob/main/sub/w.pth?download=true#x"
    done = run(import_url.main, capsys, page, PATH)

    assert done.code == 0, done.err
    assert pinned.encode() in clone.read("sources/new_v2.dvc")
    assert "https://huggingface.co/org/repo\n" in clone.read("dvc.yaml").decode()
    assert [r.method for r in world.requests if r.url.startswith(branch)] == ["HEAD"]
    assert clone.tree() == {PATH: DATA}


def test_a_family_lends_its_licence(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where all its files agree; what the command says goes before."""
    world.publish(URL, DATA)
    world.publish(f"{URL}2", DATA + b"2")

    first = run(import_url.main, capsys, URL, "models/superglue_ckpts/a.pth")
    keep(clone, first.err)
    second = run(import_url.main, capsys, f"{URL}2", "models/x.npy", "--family", "raft",
                 "--license", "MIT", "--desc", "RAFT: another", "--name", "x_")  # fmt: skip

    assert (first.code, second.code) == (0, 0), second.err
    artifacts = documents.load(clone.root / "dvc.yaml")["artifacts"]
    assert artifacts["a"]["labels"] == ["superglue"]
    assert artifacts["a"]["meta"] == artifacts["superglue-indoor"]["meta"]
    assert artifacts["x"]["meta"] == {
        "license": "MIT",
        "source": "https://github.com/princeton-vl/RAFT",
    }
    assert artifacts["x"]["desc"] == "RAFT: another"


SHA = hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize(
    "words", [["--md5", md5(DATA)], ["--sha256", SHA], ["--md5", md5(DATA), "--sha256", SHA]]
)
def test_a_known_hash_is_checked_and_a_sha256_kept(
    words: list[str], clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is taken on trust then."""
    world.publish(URL, DATA)

    done = run(import_url.main, capsys, URL, PATH, *words)

    assert done.code == 0, done.err
    assert "first use" not in done.out
    file = params.read(clone.root / "params.yaml").files[PATH]
    assert file.sha256 == (SHA if "--sha256" in words else None)
    assert clone.run("dvc", "status", "fetch@new_v2").stdout == CLEAN


@pytest.mark.parametrize("words", [["--md5", "0" * 32], ["--sha256", "0" * 64]])
@pytest.mark.parametrize("url", [URL, "https://drive.google.com/file/d/1Abc/view"])
def test_a_file_that_is_not_the_stated_one_is_refused(
    url: str, words: list[str], clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither models/ nor the cache ever has it."""
    world.publish(url, DATA)

    message = refused(clone, capsys, 1, url, PATH, *words)

    assert "do not match the pin" in message
    assert words[1] in message
    assert "The catalogue is as it was." in message


@pytest.mark.parametrize("words", [["--md5", "0" * 32], ["--sha256", "0" * 64]])
def test_a_member_that_is_not_the_stated_one_is_refused(
    words: list[str], clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the member that the hashes speak of."""
    world.publish("https://weights.example/all.zip", PACKED["zip"])

    message = refused(clone, capsys, 1, "https://weights.example/all.zip", PATH, "--member",
                      "inner/w.pth", *words)  # fmt: skip

    assert "inner/w.pth in the archive do not match the pin" in message


def test_a_member_that_is_not_there_is_told(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing of the archive is kept."""
    world.publish("https://weights.example/all.zip", PACKED["zip"])

    message = refused(clone, capsys, 1, "https://weights.example/all.zip", PATH, "--member", "w")

    assert "it has no 'w'" in message


HF = "https://huggingface.co/o/r"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([URL, PATH, "--name", "raft"], "the name raft is taken: models/raft_ckpts/raft-chairs"),
        ([URL, PATH, "--name", "raft_chairs"], "the name raft-chairs is taken: models/raft_ckpts"),
        ([URL, "models/raft_ckpts/raft-small.pth"], "raft-small.pth is in the catalogue already"),
        (
            [URL, "models/raft_ckpts/RAFT-small.pth", "--name", "x"],
            "differs only in case from models/",
        ),
        ([URL, "models/raft_ckpts"], "models/raft_ckpts is a folder here, a file\n"),
        ([URL, "models/raft_ckpts/raft-small.pth/x"], "raft-small.pth is a file here, a folder\n"),
        ([URL, "../models/x.pth"], "'../models/x.pth' is no place for a file: models/FOLDER/FILE"),
        ([URL, "models/../x.pth"], "is no place for a file"),
        ([URL, "/models/x.pth"], "is no place for a file"),
        ([URL, "models"], "is no place for a file"),
        ([URL, "models/x/"], "is no place for a file"),
        ([URL, "models/x/.gitignore"], "each part starting with a letter, a digit or _"),
        ([URL, "models/${x}.pth"], "in letters, digits and . _ + -"),
        ([URL, "scripts/x.pth"], "is no place for a file"),
        ([URL, PATH, "--name", "new.v2"], "'new.v2' is no name\n  lower-case letters, digits"),
        ([URL, PATH, "--name", "New"], "'New' is no name"),
        ([URL, PATH, "--name", "on"], "'on' is no name\n"),
        ([URL, "models/1.pth"], "'1' is no name\n"),
        ([f"{URL}.zip", PATH], "the address is that of a .zip, and models/new_ckpts/New-V2.pth is"),
        (["http://weights.example/x.pth", PATH], "give the https address"),
        (["weights.example/x.pth", PATH], "it is no https://HOST/PATH"),
        (["https://[bad/x.pth", PATH], "it is no https://HOST/PATH"),
        (["gs://bucket/x.pth", PATH], "it is no https://HOST/PATH"),
        (["https://weights.example/a b.pth", PATH], "percent-encode what is not a letter"),
        (["https://weights.example/é.pth", PATH], "percent-encode what is not a letter"),
        (["https://u:p@weights.example/x.pth", PATH], "holds a password, and sources/ is public"),
        (["https://weights.example/", PATH], "it names a host, and no file there"),
        ([f"{HF}/tree/main", PATH], "it is no page of one file: .../blob/REVISION/FILE"),
        (["https://drive.google.com/drive/folders/1", PATH], "it is no share link of one file"),
    ],
)
def test_words_that_mean_nothing_here_are_told(
    words: list[str], said: str, clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, before anybody is asked for anything."""
    message = refused(clone, capsys, 2, *words)

    assert said in message
    assert "Nothing was changed." in message
    assert (world.requests, world.tunnels) == ([], [])


@pytest.mark.parametrize("text", ["", "a\nb: c", "\x1b[2J", "\x00", "\u2028", "\udcff", "${x}"])
@pytest.mark.parametrize("option", ["--name", "--family", "--member", "--desc", "--license"])
def test_words_that_dvc_could_not_read_are_a_usage_error(
    option: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing, a line's end, what a terminal obeys, or what DVC would put a value for."""
    with pytest.raises(SystemExit) as caught:
        import_url.main([URL, PATH, f"{option}={text}"])

    assert caught.value.code == 2
    assert re.search(rf"argument {option}: .* (printable|variable)", capsys.readouterr().err)


@pytest.mark.parametrize("words", [["--md5", "0" * 31], ["--sha256", "g" * 64]])
def test_a_hash_that_is_none_is_a_usage_error(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Argparse's own exit code, 2."""
    with pytest.raises(SystemExit) as caught:
        import_url.main([URL, PATH, *words])

    assert caught.value.code == 2
    assert "hex digits" in capsys.readouterr().err


def test_a_file_that_is_there_is_not_taken_for_the_publishers(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be anything."""
    world.publish(URL, DATA)
    (clone.root / PATH).parent.mkdir(parents=True)
    (clone.root / PATH).write_bytes(b"anything")

    message = refused(clone, capsys, 2, URL, PATH)

    assert f"{PATH} is there already, and in no catalogue" in message


@pytest.mark.parametrize("name", ["params.yaml", "dvc.lock", "sources/raft.dvc", "sources/x.dvc"])
def test_a_dirty_file_is_left_alone(
    name: str, clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """The undo would take the user's own change with it."""
    world.publish(URL, DATA)
    with (clone.root / name).open("a") as file:
        file.write("# mine\n")
    before = files(clone)

    done = run(import_url.main, capsys, URL, PATH)

    assert (done.code, done.out) == (2, "")
    assert "has changes already that are in no commit" in done.err
    assert name in done.err
    assert files(clone) == before
    assert world.requests == []


@pytest.mark.parametrize("url", [URL, f"{HF}/blob/main/x.pth"])
def test_a_host_that_cannot_be_reached_is_told(
    url: str, clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1; the name of the host, and that nothing was changed."""
    world.publish(url, DATA)
    world.stop_proxy()

    message = refused(clone, capsys, 1, url, PATH)

    assert "no connection" in message
    assert re.search("The catalogue is as it was|Nothing was changed", message)


def test_a_file_that_is_gone_is_told(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """404 at the address, and on Hugging Face in its own words."""
    world.publish(URL, DATA)

    plain = refused(clone, capsys, 1, "https://weights.example/other.pth", PATH)
    page = refused(clone, capsys, 1, f"{HF}/blob/main/x.pth", PATH)

    assert "404" in plain
    assert "does not say which commit this revision is: 404" in page
    assert "It says EntryNotFound." in page


def test_a_transfer_that_stops_leaves_nothing_and_is_gone_on_with(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """What had arrived is kept for the same command."""
    world.publish(URL, noise(3 << 20, seed=6))
    world.fault(URL, Fault.cut(after=2 << 20), Fault.status(404))

    refused(clone, capsys, 1, URL, PATH)
    world.clear()
    again = run(import_url.main, capsys, URL, PATH)

    assert again.code == 0, again.err
    assert len(clone.tree()[PATH]) == 3 << 20


def test_a_failure_of_dvc_puts_everything_back(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that DVC does not know in dvc.yaml: what DVC said, and the file is gone again."""
    world.publish(URL, DATA)
    stages = clone.root / "dvc.yaml"
    stages.write_text(stages.read_text() + "\nno_such_key: 1\n")
    clone.run("git", "commit", "-qam", "edited", check=True)
    before = files(clone)

    done = run(import_url.main, capsys, URL, PATH)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("error: dvc commit --quiet --force fetch@new_v2 failed\n")
    assert files(clone) == before
    assert folders(clone) == set()


def test_ctrl_c_puts_everything_back(
    clone: TestClone,
    world: World,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the last step, with every other done."""
    world.publish(URL, DATA)
    before = files(clone)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(changes, "reseal", interrupted)

    done = run(import_url.main, capsys, URL, PATH)

    assert done.code == 130
    assert files(clone) == before


EVIL = torch(RUN)
STATED = [["--md5", md5(EVIL)], ["--sha256", hashlib.sha256(EVIL).hexdigest()], []]


@pytest.mark.parametrize("words", STATED, ids=["md5", "sha256", "no hash"])
def test_a_hash_does_not_vouch_for_what_loading_would_run(
    words: list[str], clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says which bytes they are; whoever stated it need not have looked into them."""
    world.publish(URL, EVIL)
    world.publish("https://weights.example/all.zip", zip_of({"w.pth": EVIL}))

    plain = refused(clone, capsys, 1, URL, PATH, *words)
    member = refused(clone, capsys, 1, "https://weights.example/all.zip", PATH, "--member",
                     "w.pth", *words)  # fmt: skip

    assert plain == member
    assert "imports    os.system" in plain
    assert "No pin of this repository has these bytes" in plain
    assert "Next: if you know why it is there, add the name to imports.yaml" in plain


def test_what_the_cache_has_is_looked_into_too(
    clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be there for another project that shares the cache."""
    held = clone.root / ".dvc/cache/files/md5" / md5(EVIL)[:2] / md5(EVIL)[2:]
    held.parent.mkdir(parents=True)
    held.write_bytes(EVIL)

    message = refused(clone, capsys, 1, URL, PATH, "--md5", md5(EVIL))

    assert "imports    os.system" in message


def test_a_pin_of_the_repository_vouches_for_the_same_bytes(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are in the tree already, under another name."""
    world.publish(URL, EVIL)
    pin(clone, EVIL)
    clone.run("python", "-m", "scripts.seal", check=True)
    clone.run("git", "commit", "-qam", "pinned", check=True)

    done = run(import_url.main, capsys, URL, PATH, "--md5", md5(EVIL))

    assert done.code == 0, done.err


@pytest.fixture
def edited(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """Somebody adds a line to params.yaml while bytes are brought."""
    text, bring = clone.root / "params.yaml", obtain.bring
    mine = text.read_bytes() + b"# mine\n"

    def brought(*words: Any) -> Any:  # noqa: ANN401 - what bring takes and gives
        text.write_bytes(mine)
        return bring(*words)

    monkeypatch.setattr(obtain, "bring", brought)
    yield mine
    assert b"# mine\n" in text.read_bytes()


@pytest.mark.usefixtures("edited")
def test_an_edit_during_the_download_stays(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the entry comes beside it; the diff says so."""
    world.publish(URL, DATA)

    done = run(import_url.main, capsys, URL, PATH)

    assert done.code == 0, done.err
    assert "params.yaml: edited during the download" in done.err
    assert "+# mine\n" in done.out
    assert PATH in params.read(clone.root / "params.yaml").files


def test_a_download_that_fails_leaves_an_edit(
    clone: TestClone, edited: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is put back is what the command itself has written."""
    done = run(import_url.main, capsys, "https://weights.example/none.pth", PATH)

    assert (done.code, done.out) == (1, "")
    assert clone.read("params.yaml") == edited
    assert clone.run("git", "status", "--porcelain").stdout == " M params.yaml\n"


def test_of_two_imports_at_once_none_is_lost(clone: TestClone, world: World) -> None:
    """The second waits, and is told what the first one has left to commit."""
    urls = [f"https://weights.example/{name}.pth" for name in ("one", "two")]
    for url in urls:
        world.publish(url, DATA)
        world.fault(url, Fault.delay(1.5), times=1)
    words = [(sys.executable, "-m", "scripts.import_url", url, f"models/new/{url[-7:]}")
             for url in urls]  # fmt: skip

    with started(clone, *words[0]) as first, started(clone, *words[1]) as second:
        told = {first: first.communicate()[1], second: second.communicate()[1]}

    late, early = sorted(told, key=lambda process: -process.returncode)
    assert (early.returncode, late.returncode) == (0, 2), told.values()
    assert "params.yaml: another process is at work on it; waiting\n" in told[late]
    assert "has changes already that are in no commit" in told[late]
    keep(clone, told[early])
    assert clone.run(*words[[first, second].index(late)]).returncode == 0
    assert clone.tree() == {"models/new/one.pth": DATA, "models/new/two.pth": DATA}


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (f"models/x/{'a' * 300}.pth", ["--name", "long"]),
        (f"models/{'d/' * 300}x.pth", ["--name", "deep"]),
        (PATH, ["--name", "n" * 300]),
    ],
)
def test_a_name_that_no_disk_takes_is_told(
    path: str, more: list[str], clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anybody is asked for anything."""
    world.publish(URL, DATA)

    message = refused(clone, capsys, 2, URL, path, *more)

    assert re.search("is too long for a disk|a name is 1 to 100 lower-case", message)
    assert world.requests == []


def test_a_folder_that_may_not_be_written_is_told(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file stands where the folder should be: nothing is put there, and no traceback shown."""
    world.publish(URL, DATA)
    (clone.root / "models").write_text("mine")

    done = run(import_url.main, capsys, URL, PATH)

    assert (done.code, done.out) == (1, "")
    assert "models is no folder, and one is wanted there" in done.err
    assert clone.read("models") == b"mine"


def test_bytes_that_were_here_are_told(
    clone: TestClone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a hash the cache may serve; then nobody knows whether the address does."""
    world.publish(URL, DATA)
    done = run(import_url.main, capsys, URL, PATH)
    undo(clone, done.err)

    again = run(import_url.main, capsys, "https://nowhere.example/x.pth", PATH, "--md5", md5(DATA))

    assert again.code == 0, again.err
    assert "linked from the cache" in again.out
    assert "its address was not asked" in again.err
