"""python -m scripts.import_url: one command from a URL to a commit, or nothing at all."""

from __future__ import annotations

import hashlib
import re
import shutil
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from scripts import import_url
from scripts.catalogue import lock, params, pins
from scripts.checkout import obtain, parallel
from scripts.checkout.journal import Journal
from tests.curation.changing import CLEAN, Ran, dvc, files, folders, keep, missing, run, undo
from tests.download.transfers import md5, noise, pin
from tests.pickles.pickling import RUN, torch
from tests.world import Fault, World, clones
from tests.world.clones import TestClone
from tests.world.formats import tar_gz_of, zip_of
from tests.world.processes import started
from tests.world.publishers import BRANCH_HEAD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.world.records import Request
    from tests.world.reply import Reply

    Capture = pytest.CaptureFixture[str]

DATA = noise(40_000, seed=5)
SHA256 = hashlib.sha256(DATA).hexdigest()
URL = "https://weights.example/release/New-V2.pth"
PATH = "models/new_ckpts/New-V2.pth"
ZIP = "https://weights.example/all.zip"
HERE = "127.0.0.1"
HF = "https://huggingface.co/o/r"


@pytest.fixture(scope="module")
def once(template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A clone with nothing fetched, into which a file was imported, and what was printed."""
    folder = tmp_path_factory.mktemp("imported")
    shutil.copytree(template, folder / "clone", symlinks=True)
    with World() as running:
        running.publish(URL, DATA)
        clone = TestClone(folder / "clone", clones.isolated(folder / "isolated") | running.env)
        done = clone.run(sys.executable, "-m", "scripts.import_url", URL, PATH)
    assert done.returncode == 0, done.stderr
    return clone.root, Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def imported(clone: TestClone, once: tuple[Path, Ran]) -> Ran:
    """The test's own copy of that clone."""
    clone.run("cp", "-a", f"{once[0]}/.", ".", check=True)
    return once[1]


def refused(clone: TestClone, capsys: Capture, code: int, *argv: str) -> str:
    """Run a command that must fail; return its message once every file is as it was."""
    before = files(clone), folders(clone), clone.objects()
    done = run(import_url.main, capsys, *argv)
    assert (done.code, done.out) == (code, ""), done.err
    assert (files(clone), folders(clone), clone.objects()) == before
    return done.err


def test_an_imported_file_is_downloaded_pinned_and_linked(clone: TestClone, imported: Ran) -> None:
    """The bytes stand under models/ and in the cache; lock, seal and inventory have them."""
    assert clone.tree() == {PATH: DATA}
    assert clone.objects()[md5(DATA)] == DATA
    assert pins.read(clone.root / "dvc.lock")[PATH] == pins.Pin(md5(DATA), len(DATA))
    assert lock.write(clone.root) == []
    assert f'"path": "{PATH}"' in clone.read("models.json").decode()
    assert "first use: no pin yet" in imported.out


def test_the_printed_lines_keep_all_of_it(clone: TestClone, imported: Ran) -> None:
    """`git apply` takes the diff back; after the line to keep it, git has nothing to say."""
    (clone.root / "diff").write_text(imported.out)
    clone.run("git", "apply", "--check", "--reverse", "diff", check=True)
    (clone.root / "diff").unlink()

    keep(clone, imported.err)

    assert clone.run("git", "status", "--porcelain").stdout == ""
    log = clone.run("git", "log", "-1", "--format=%s", "--name-only").stdout.split("\n")
    assert log[0] == "Add new_v2"
    assert {"sources/new_v2.dvc", "models.json", "dvc.lock", "models.dvc"} <= set(log)


@pytest.mark.usefixtures("imported")
def test_dvc_finds_nothing_to_do(clone: TestClone, capsys: Capture) -> None:
    """The stage is up to date, `dvc repro` writes nothing; the others miss their files."""
    before = files(clone)

    assert dvc(capsys, "status", "fetch@new_v2") == CLEAN
    assert "didn't change, skipping" in clone.run("dvc", "repro", "fetch@new_v2").stdout
    assert files(clone) == before
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
    capsys: Capture,
) -> None:
    """Every file and folder, models.json included, by one line; the cache keeps the bytes."""
    world.publish(URL, DATA)
    before = files(complete), folders(complete)
    done = run(import_url.main, capsys, URL, path)
    assert files(complete)["models.json"] != before[0]["models.json"]

    undo(complete, done.err)

    assert (files(complete), folders(complete)) == before
    assert complete.run("git", "status", "--porcelain").stdout == ""
    assert md5(DATA) in complete.objects()
    assert ("find" in done.err) == emptied


def test_a_whole_tree_stays_whole(complete: TestClone, world: World, capsys: Capture) -> None:
    """DVC has nothing to run, and would write nothing."""
    world.publish(URL, DATA)

    assert run(import_url.main, capsys, URL, PATH).code == 0

    after = files(complete)
    assert dvc(capsys, "status") == CLEAN
    assert "Running" not in complete.run("dvc", "repro", "models.dvc", check=True).stdout
    assert files(complete) == after


PACKED = {
    "tar.gz": tar_gz_of({"inner/": b"", "inner/w.pth": DATA, "inner/other": b"1"}),
    "zip": zip_of({"inner/w.pth": DATA, "inner/other": b"1"}),
}


@pytest.mark.parametrize("kind", PACKED)
def test_a_member_of_an_archive_gets_a_stage_of_its_own(
    kind: str, clone: TestClone, world: World, capsys: Capture
) -> None:
    """One member, with both hashes; the rest of the archive is dropped."""
    url = f"https://weights.example/all.{kind}"
    world.publish(url, PACKED[kind])

    done = run(import_url.main, capsys, url, PATH, "--member", "inner/w.pth",
               "--sha256", SHA256, "--md5", md5(DATA).upper())  # fmt: skip

    assert done.code == 0, done.err
    assert clone.tree() == {PATH: DATA}
    assert dvc(capsys, "status", "unpack_new_v2") == CLEAN
    entry = params.read(clone.root / "params.yaml").published["new_v2"]
    assert [(file.member, file.sha256) for file in entry.files] == [("inner/w.pth", SHA256)]


DRIVE = "https://drive.google.com/file/d/1AbCdEfGhIjKlMnOpQrStUvWxYz012345/view?usp=sharing"
DROPBOX = "https://www.dropbox.com/scl/fi/ab/w.pth?rlkey=k1"
COMMITTED = f"{HF}/resolve/{BRANCH_HEAD}/sub/w.pth"


@pytest.mark.parametrize(
    ("given", "recorded"),
    [(DRIVE, DRIVE), (f"{DROPBOX}&dl=0", f"{DROPBOX}&dl=1"),
     (f"{HF}/blob/main/sub/w.pth?download=true#x", COMMITTED)],
)  # fmt: skip
def test_a_page_is_recorded_as_its_file(
    given: str, recorded: str, clone: TestClone, world: World, capsys: Capture
) -> None:
    """A share link as it is, Dropbox with dl=1, a branch as its commit: of it, only the headers."""
    branch = f"{HF}/resolve/main/sub/w.pth"
    world.publish(branch, b"of the branch")
    world.publish(recorded, DATA, name="w.pth")

    done = run(import_url.main, capsys, given, PATH)

    assert done.code == 0, done.err
    assert f" {recorded}\n" in clone.read("sources/new_v2.dvc").decode()
    assert {r.method for r in world.requests if r.url.startswith(branch)} <= {"HEAD"}
    assert clone.tree() == {PATH: DATA}


@pytest.mark.parametrize("words", [["--md5", md5(DATA)], ["--sha256", SHA256]])
def test_a_known_hash_is_checked_and_a_sha256_kept(
    words: list[str], clone: TestClone, world: World, capsys: Capture
) -> None:
    """Nothing is taken on trust then."""
    world.publish(URL, DATA)

    done = run(import_url.main, capsys, URL, PATH, *words)

    assert done.code == 0, done.err
    assert "first use" not in done.out
    file = params.read(clone.root / "params.yaml").files[PATH]
    assert file.sha256 == (SHA256 if "--sha256" in words else None)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (URL, ["--md5", "0" * 32]),
        (DRIVE, ["--sha256", "0" * 64]),
        (ZIP, ["--member", "inner/w.pth", "--sha256", "0" * 64]),
    ],
)
def test_a_file_that_is_not_the_stated_one_is_refused(
    url: str, words: list[str], clone: TestClone, world: World, capsys: Capture
) -> None:
    """Neither models/ nor the cache ever has it."""
    world.publish(url, PACKED["zip"] if url == ZIP else DATA)

    message = refused(clone, capsys, 1, url, PATH, *words)

    assert "do not match the pin" in message
    assert words[-1] in message
    assert "The catalogue is unchanged." in message


REFUSED = [
    ([URL, PATH, "--name", "raft"], "the name raft is taken: models/raft_ckpts/raft-chairs"),
    ([URL, PATH, "--name", "raft_chairs"], "the name raft-chairs is taken: models/raft_ckpts"),
    ([URL, "models/raft_ckpts/raft-small.pth"], "raft-small.pth is in the catalogue already"),
    ([URL, "models/raft_ckpts/RAFT-small.pth", "--name", "x"], "differs only in case from models/"),
    ([URL, "models/raft_ckpts"], "models/raft_ckpts is a folder here, a file in line"),
    ([URL, "models/raft_ckpts/raft-small.pth/x"], "raft-small.pth is a file here, a folder in"),
    ([URL, f"models/x/{'a' * 300}.pth", "--name", "long"], "is too long for a file system"),
    ([URL, f"models/{'d/' * 300}x.pth", "--name", "deep"], "is too long for a file system"),
    ([URL, PATH, "--name", "n" * 300], "a name is 1 to 100 lower-case"),
    ([URL, "models/x/"], "is not a path models/FOLDER/FILE"),
    ([URL, "models/x/a.dvc"], "a.dvc is the name of a file of DVC"),
    ([URL, "models/x/dvc.yaml"], "dvc.yaml is the name of a file of DVC"),
    ([URL, "models/x/dvc.lock"], "dvc.lock is the name of a file of DVC"),
    (["http://weights.example/x.pth", PATH], "altered in transit; use https"),
    (["weights.example/x.pth", PATH], "expected https://HOST/PATH"),
    (["https://[bad/x.pth", PATH], "expected https://HOST/PATH"),
    (["gs://bucket/x.pth", PATH], "expected https://HOST/PATH"),
    (["https://weights.example/a b.pth", PATH], "percent-encode spaces"),
    (["https://weights.example/é.pth", PATH], "percent-encode spaces"),
    (["https://u:p@weights.example/x.pth", PATH], "contains a password, and sources/ is public"),
    ([f"{URL}?X-Amz-Signature=tell", PATH], "contains the secret parameter X-Amz-Signature, and"),
    ([f"{URL}?v=1&token=tell", PATH], "contains the secret parameter token, and sources/ is pub"),
    ([f"{DROPBOX}&access_token=tell", PATH], "contains the secret parameter access_token, and"),
    ([f"http{URL[5:]}?sig=tell", PATH], "altered in transit; use https"),
    (["https://weights.example/", PATH], "it names a host, but no file"),
    ([f"{HF}/tree/main", PATH], "it is not the page of a file: .../blob/REVISION/FILE"),
    (["https://drive.google.com/drive/folders/1", PATH], "it is not the share link of a file"),
]


def test_words_that_mean_nothing_here_are_refused(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Exit code 2, before the first request."""
    for words, expected in REFUSED:
        message = refused(clone, capsys, 2, *words)
        assert expected in message, words
        assert "Nothing was changed." in message
        assert "tell" not in message
    assert (world.requests, world.tunnels) == ([], [])


OPTIONS = ["--name", "--family", "--member", "--desc", "--license"]
TEXTS = ["", "a\nb: c", "\x1b[2J", "\x00", "\u2028", "\udcff", "${x}"]


@pytest.mark.parametrize(
    ("option", "text"),
    [*((option, "a\nb") for option in OPTIONS), *(("--desc", text) for text in TEXTS)],
)
def test_words_that_dvc_could_not_read_are_a_usage_error(
    option: str, text: str, capsys: Capture
) -> None:
    """Nothing, a line's end, what a terminal obeys, or what DVC would put a value for."""
    with pytest.raises(SystemExit) as caught:
        import_url.main([URL, PATH, f"{option}={text}"])

    assert caught.value.code == 2
    assert re.search(rf"argument {option}: .* (printable|variable)", capsys.readouterr().err)


@pytest.mark.parametrize("words", [["--md5", "0" * 31], ["--sha256", "g" * 64]])
def test_a_malformed_hash_is_a_usage_error(words: list[str], capsys: Capture) -> None:
    """Argparse's own exit code, 2."""
    with pytest.raises(SystemExit) as caught:
        import_url.main([URL, PATH, *words])

    assert caught.value.code == 2
    assert "hex digits" in capsys.readouterr().err


def test_a_file_in_place_does_not_become_the_pin(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """It may be anything."""
    world.publish(URL, DATA)
    (clone.root / PATH).parent.mkdir(parents=True)
    (clone.root / PATH).write_bytes(b"anything")

    message = refused(clone, capsys, 2, URL, PATH)

    assert f"{PATH} exists already, and is not in the catalogue" in message


@pytest.mark.parametrize("name", ["params.yaml", "models.json"])
def test_a_dirty_file_is_left_alone(
    name: str, clone: TestClone, world: World, capsys: Capture
) -> None:
    """The undo would take the user's own change with it."""
    world.publish(URL, DATA)
    with (clone.root / name).open("a") as file:
        file.write("# mine\n")

    message = refused(clone, capsys, 2, URL, PATH)

    assert f"the files to change have uncommitted changes\n   M {name}\n" in message
    assert world.requests == []


@pytest.mark.parametrize("url", [URL, DRIVE])
def test_a_redirect_to_this_machine_is_refused(
    url: str, clone: TestClone, world: World, capsys: Capture
) -> None:
    """The bytes of a local service would become the pin; it gets no request."""
    local = f"{world.http}/x.pth"
    world.publish(local, DATA)
    world.publish(url, DATA)
    world.fault(f"{url.partition('/file/')[0]}*", Fault.redirect(local))

    message = refused(clone, capsys, 1, url, PATH)

    assert "redirects to http://127.0.0.1, a private address" in message
    assert "The catalogue is unchanged." in message
    assert not [request for request in world.requests if request.url == local]


def test_a_name_of_this_machine_is_refused_without_a_hash(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash decides whose bytes they are; without one, no byte is sent there."""
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "weights.example")
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *more, **how: resolve(HERE, *more, **how))
    port = urlsplit(world.http).port
    url = URL.replace(".example", f".example:{port}")

    message = refused(clone, capsys, 1, url, PATH)
    stated = refused(clone, capsys, 1, url, PATH, "--sha256", SHA256)

    assert "weights.example: resolves to 127.0.0.1, a private address, and no hash" in message
    assert "`import_url --sha256` gives the hash" in message
    assert "the TLS connection was interrupted" in stated
    assert world.requests == []


@pytest.mark.parametrize("url", [URL, f"{HF}/blob/main/x.pth"])
def test_an_unreachable_host_changes_nothing(
    url: str, clone: TestClone, world: World, capsys: Capture
) -> None:
    """Exit code 1."""
    world.publish(url, DATA)
    world.stop_proxy()

    message = refused(clone, capsys, 1, url, PATH)

    assert "no connection" in message
    assert re.search("The catalogue is unchanged|Nothing was changed", message)


def test_a_missing_file_changes_nothing(clone: TestClone, world: World, capsys: Capture) -> None:
    """404 at the URL, on Hugging Face in its own words; or no such member."""
    world.publish(URL, DATA)
    world.publish(ZIP, PACKED["zip"])

    plain = refused(clone, capsys, 1, "https://weights.example/other.pth", PATH)
    page = refused(clone, capsys, 1, f"{HF}/blob/main/x.pth", PATH)
    member = refused(clone, capsys, 1, ZIP, PATH, "--member", "w")

    assert "404" in plain
    assert "It reports EntryNotFound." in page
    assert "it has no 'w'" in member


def test_an_interrupted_download_is_resumed(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """By the same command; until then nothing is changed."""
    world.publish(URL, noise(3 << 20, seed=6))
    world.fault(URL, Fault.cut(after=2 << 20), Fault.status(404))

    refused(clone, capsys, 1, URL, PATH)
    world.clear()
    again = run(import_url.main, capsys, URL, PATH)

    assert again.code == 0, again.err
    assert len(clone.tree()[PATH]) == 3 << 20


def test_what_dvc_would_refuse_is_refused_before_the_download(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """DVC itself reads the new dvc.yaml, aside: a key it does not know, a path it ignores."""
    world.publish(URL, DATA)
    cases = [
        (".dvcignore", "\n/models/new_ckpts\n", f"DVC: Path '{PATH}' is ignored by .dvcignore"),
        ("dvc.yaml", "\nno_such_key: 1\n", "DVC: 'dvc.yaml' validation failed"),
    ]
    for name, more, said in cases:
        with (clone.root / name).open("a") as file:
            file.write(more)
        clone.run("git", "commit", "-qam", "edited", check=True)

        assert said in refused(clone, capsys, 2, URL, PATH)

    assert world.requests == []
    assert not list((clone.root / ".dvc/tmp").glob("draft.*"))


def test_ctrl_c_restores_everything(
    clone: TestClone, world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the last step, with every other done."""
    world.publish(URL, DATA)
    before = files(clone), folders(clone)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "done", interrupted)

    assert run(import_url.main, capsys, URL, PATH).code == 130
    assert (files(clone), folders(clone)) == before


EVIL = torch(RUN)
STATED = [["--md5", md5(EVIL)], ["--sha256", hashlib.sha256(EVIL).hexdigest()], []]


@pytest.mark.parametrize("words", STATED, ids=["md5", "sha256", "no hash"])
def test_a_stated_hash_does_not_replace_the_scan(
    words: list[str], clone: TestClone, world: World, capsys: Capture
) -> None:
    """It identifies the bytes; who stated it need not have read them. In an archive, too."""
    world.publish(URL, EVIL)
    world.publish(ZIP, zip_of({"w.pth": EVIL}))

    plain = refused(clone, capsys, 1, URL, PATH, *words)
    member = refused(clone, capsys, 1, ZIP, PATH, "--member", "w.pth", *words)

    assert plain == member
    assert "imports    os.system" in plain
    assert "No pin of this repository has these bytes" in plain
    assert "Next: if you know why the file needs it, add the name to imports.yaml" in plain


def test_a_file_of_the_cache_is_scanned_too(clone: TestClone, capsys: Capture) -> None:
    """It may be there for another project that shares the cache."""
    held = clone.root / ".dvc/cache/files/md5" / md5(EVIL)[:2] / md5(EVIL)[2:]
    held.parent.mkdir(parents=True)
    held.write_bytes(EVIL)

    message = refused(clone, capsys, 1, URL, PATH, "--md5", md5(EVIL))

    assert "imports    os.system" in message


def test_a_pin_of_the_repository_is_trusted(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """The same bytes are in the tree already, under another name."""
    world.publish(URL, EVIL)
    pin(clone, EVIL)
    lock.write(clone.root)
    clone.run("git", "commit", "-qam", "pinned", check=True)

    done = run(import_url.main, capsys, URL, PATH, "--md5", md5(EVIL))

    assert done.code == 0, done.err


@pytest.fixture
def edited(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> Iterator[bytes]:
    """The user adds a line to params.yaml during the download."""
    text, obtained = clone.root / "params.yaml", obtain.obtain
    mine = text.read_bytes() + b"# mine\n"

    def editing(*words: Any, **more: Any) -> Any:  # noqa: ANN401 - what obtain takes and gives
        text.write_bytes(mine)
        return obtained(*words, **more)

    monkeypatch.setattr(parallel, "obtain", editing)
    yield mine
    assert b"# mine\n" in text.read_bytes()


@pytest.mark.usefixtures("edited")
def test_an_edit_during_the_download_stays(clone: TestClone, world: World, capsys: Capture) -> None:
    """And the entry comes beside it; the diff contains both."""
    world.publish(URL, DATA)

    done = run(import_url.main, capsys, URL, PATH)

    assert done.code == 0, done.err
    assert "params.yaml: edited during the download" in done.err
    assert "+# mine\n" in done.out
    assert PATH in params.read(clone.root / "params.yaml").files


def test_a_download_that_fails_leaves_an_edit(
    clone: TestClone, edited: bytes, capsys: Capture
) -> None:
    """Restored is only what the command itself has written."""
    done = run(import_url.main, capsys, "https://weights.example/none.pth", PATH)

    assert (done.code, done.out) == (1, "")
    assert clone.read("params.yaml") == edited
    assert clone.run("git", "status", "--porcelain").stdout == " M params.yaml\n"


def test_of_two_imports_at_once_none_is_lost(clone: TestClone, world: World) -> None:
    """The second waits; then it names what the first has left to commit."""
    urls = [f"https://weights.example/{name}.pth" for name in ("one", "two")]
    words = [(sys.executable, "-m", "scripts.import_url", url, f"models/new/{url[-7:]}")
             for url in urls]  # fmt: skip
    asked, waiting = threading.Event(), threading.Event()

    def hold(_: Request, reply: Reply) -> Reply:
        asked.set()
        assert waiting.wait(60)
        return reply

    for url in urls:
        world.publish(url, DATA)
    world.fault(urls[0], Fault("hold", hold), times=1)

    with started(clone, *words[0]) as first:
        assert asked.wait(60)
        with started(clone, *words[1]) as second:
            line = second.stderr.readline() if second.stderr else ""
            waiting.set()
            kept, refused = first.communicate()[1], second.communicate()[1]

    assert line == "another command is changing the catalogue; waiting\n"
    assert (first.returncode, second.returncode) == (0, 2), (kept, refused)
    assert "have uncommitted changes" in refused
    keep(clone, kept)
    assert clone.run(*words[1]).returncode == 0
    assert clone.tree() == {"models/new/one.pth": DATA, "models/new/two.pth": DATA}


def test_a_file_in_place_of_a_folder_is_named(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """Nothing is put there."""
    world.publish(URL, DATA)
    (clone.root / "models").write_text("mine")

    message = refused(clone, capsys, 1, URL, PATH)

    assert "Next: move it away." in message


def test_a_file_that_was_available_is_not_downloaded(
    clone: TestClone, world: World, capsys: Capture
) -> None:
    """With a hash the cache may serve it; then the URL is not proven to work."""
    world.publish(URL, DATA)
    undo(clone, run(import_url.main, capsys, URL, PATH).err)

    again = run(import_url.main, capsys, "https://nowhere.example/x.pth", PATH, "--md5", md5(DATA))

    assert again.code == 0, again.err
    assert "linked from the cache" in again.out
    assert "URL was not requested" in again.err
