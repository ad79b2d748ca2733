"""A remote that cannot be opened, read or written: the cause in a line, and nothing secret."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from scripts.catalogue.urls import masked
from tests.world import Fault
from tests.world.bucket import READING
from tests.world.processes import without_root
from tests.world.teams import FILES, SAM, URL, Team, apart, beside, command, place, spoil, spoiled

if TYPE_CHECKING:
    from pathlib import Path

    from tests.world.bucket import Bucket
    from tests.world.clones import TestClone

KEYED = f"['remote \"team\"']\n    url = {URL}\n    credentialpath = ../key.json\n"
TEAM = "['remote \"team\"']\n    url = {}\n"


@pytest.fixture
def clone(team: Team) -> TestClone:
    """A clone with nothing in it, whose remote is a folder that was never made."""
    return team.colleague(url="")


def configure(clone: TestClone, text: str) -> None:
    """Write the configuration that is this clone's alone."""
    (clone.root / ".dvc/config.local").write_text(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET https://bob:pw@host/x?token=T said no", "GET https://host/x said no"),
        ("url=URL('https://host/x?token=T')", "url=URL('https://host/x')"),
        ("https://a:b@c@host/x and gs://lab/x", "https://host/x and gs://lab/x"),
        ("what? ssh://me@host", "what? ssh://host"),
        ("/media/disk?/x@y", "/media/disk?/x@y"),
    ],
)
def test_an_address_is_shown_without_its_secrets(text: str, shown: str) -> None:
    """Neither user, nor password, nor query, wherever in a message it stands."""
    assert masked(text) == shown


@pytest.mark.parametrize("words", [("check",), ("check", "--json"), ("publish", "team")])
def test_a_password_in_an_address_is_not_printed(clone: TestClone, words: tuple[str, ...]) -> None:
    """Nor a token, by whichever library the refusal is worded."""
    configure(clone, TEAM.format("https://bob:hunter2@127.0.0.1:9/x?token=SECRET"))

    done = apart(clone, *words)

    assert done.returncode in (1, 2)
    assert "https://127.0.0.1:9/x" in done.stderr
    assert not {"bob", "hunter2", "SECRET"} & {*done.stdout.split("/"), *done.stderr.split("/")}
    for secret in ("bob", "hunter2", "SECRET"):
        assert secret not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (TEAM.format("azure://box/x"), "team: azure://box/x cannot be used: azure is supported"),
        (TEAM.format("azure://box/x"), "install what it names with `python -m pip install`"),
        (TEAM.format("remote://other/x"), "team: remote 'other' doesn't exist"),
        ("[core]\n    remote = nosuch\n", "nosuch: remote 'nosuch' doesn't exist"),
        (TEAM.format(URL) + "    version_aware = true\n", "team: a version_aware remote keeps"),
        (TEAM.format(URL) + "    worktree = true\n", "team: a worktree remote keeps"),
        (KEYED, "key.json is missing"),
    ],
)
def test_a_remote_that_cannot_be_opened_is_named(clone: TestClone, text: str, says: str) -> None:
    """Its name, its address, what is wrong with it; exit code 2."""
    configure(clone, text)

    done = command(clone, "check")

    assert (done.returncode, done.stdout, says in done.stderr) == (2, "", True), done.stderr


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"no key", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b'{"a": 1}', "is not a key of Google's"),
        (b'{"type": "service_account"}', "is not a key of Google's"),
        (b'{"client_email": "", "private_key": "", "token_uri": ""}', "bucket lab cannot be used"),
        (None, "cannot be read: Is a directory"),
    ],
)
def test_a_key_that_is_none_is_named(clone: TestClone, data: bytes | None, says: str) -> None:
    """Gcsfs alone would say that a value is expected in line 1."""
    configure(clone, KEYED.replace("../key.json", "../../key.json"))
    key = clone.root.parent / "key.json"
    key.write_bytes(data) if data else key.mkdir()

    done = command(clone, "check")

    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_a_remote_below_another_shows_where_it_is(team: Team, bucket: Bucket) -> None:
    """The address of the one it names, and the folder below."""
    bucket.put("checkpoints/x", b"")
    clone = team.colleague(
        url="remote://base/checkpoints", more="['remote \"base\"']\n    url = gs://lab\n"
    )

    done = command(clone, "check")

    assert "remote   team: gs://lab/checkpoints\n" in done.stdout, done.stderr


def test_without_git_the_next_step_is_a_clone(clone: TestClone) -> None:
    """An archive of the repository is not one."""
    shutil.rmtree(clone.root / ".git")

    done = command(clone, "check")

    assert done.returncode == 2
    assert done.stderr.startswith(f"error: this clone: {clone.root} cannot be used: ")
    assert "`git clone` the repository again" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "blamed"),
    [
        ("config.local", "[cache]\n    type = teleport\n", ".dvc/config.local: 1 fault"),
        ("config", "[core\n", ".dvc/config: 1 fault"),
        ("global", "[core\n", "the configuration of this user or machine"),
    ],
)
def test_the_file_at_fault_is_named(clone: TestClone, name: str, text: str, blamed: str) -> None:
    """The clone's own, the committed one, or one outside of the repository."""
    outside = clone.env["DVC_GLOBAL_CONFIG_DIR"] + "/config"
    (clone.root / ".dvc" / (outside if name == "global" else name)).write_text(text)

    done = command(clone, "check")

    assert (done.returncode, blamed in done.stderr) == (2, True), done.stderr


def test_a_secret_in_a_broken_configuration_is_not_printed(clone: TestClone) -> None:
    """The library quotes the line that it cannot read."""
    configure(clone, "url https://bob:hunter2@host/x?token=SECRET\n")

    done = command(clone, "check")

    assert (done.returncode, "https://host/x" in done.stderr) == (2, True)
    assert "hunter2" not in done.stderr
    assert "SECRET" not in done.stderr


def test_a_folder_that_is_not_there_is_no_empty_one(clone: TestClone) -> None:
    """It may be a disk that is not mounted: exit code 2, and both ways on."""
    done = command(clone, "check")

    assert (done.returncode, done.stdout) == (2, "")
    assert "team: the folder " in done.stderr
    assert "mount" in done.stderr
    assert "`./checkpoints dvc push -r team`" in done.stderr


def test_a_reader_who_may_not_list_is_told(team: Team, bucket: Bucket) -> None:
    """`dvc pull` lists: what every object says alone is not enough."""
    owner = team.owner()
    owner.run("dvc", "push", check=True)
    bucket.allow(READING[0])

    done = command(owner, "check")

    assert (done.returncode, "rights   read no, write no" in done.stdout) == (2, True)
    assert f"team: no permission to read all of {URL}" in done.stderr
    assert "roles/storage.objectViewer" in done.stderr


@pytest.mark.parametrize("words", [("check", "--repair"), ("publish", "team")])
def test_a_refused_write_names_the_role_and_removes_nothing(
    team: Team, bucket: Bucket, words: tuple[str, ...]
) -> None:
    """403 of an upload, whatever the bucket says of one's rights: the damaged object stays."""
    owner = team.owner()
    owner.run("dvc", "push", check=True)
    bucket.put(place(SAM), spoiled(SAM))
    bucket.fault("POST */upload/*", Fault.status(403))

    done = command(owner, *words)

    assert done.returncode == 2
    assert f"team: no permission to write {URL}" in done.stderr
    assert "roles/storage.objectUser" in done.stderr
    assert bucket.objects()[place(SAM)] == spoiled(SAM)


def test_who_may_not_delete_mends_all_the_same(team: Team, bucket: Bucket) -> None:
    """The good object takes the place of the damaged one; nothing is deleted first."""
    owner = team.owner()
    owner.run("dvc", "push", check=True)
    bucket.put(place(SAM), spoiled(SAM))
    bucket.clear()
    bucket.fault("DELETE *", Fault.status(403))

    done = command(owner, "check", "--repair")

    assert done.returncode == 0, done.stderr
    assert bucket.objects()[place(SAM)] == FILES[SAM]
    assert not any(request.method == "DELETE" for request in bucket.requests)


def test_a_folder_that_may_not_be_written_keeps_what_it_has(local: TestClone) -> None:
    """The same of a folder, whose owner is asked for the permission."""
    spoil(local, SAM, b"damaged")
    folder = beside(local, SAM).parent
    folder.chmod(0o555)

    done = local.run(*without_root(), "python", "-m", "scripts.team", "check", "--repair")

    folder.chmod(0o755)
    assert (done.returncode, "no permission to write" in done.stderr) == (2, True)
    assert beside(local, SAM).read_bytes() == b"damaged"


def test_what_is_sent_to_a_folder_is_read_only(local: TestClone) -> None:
    """As DVC leaves it."""
    spoil(local, SAM, b"damaged")

    command(local, "check", "--repair")

    assert beside(local, SAM).stat().st_mode & 0o777 == 0o444


def test_json_names_every_missing_file_and_the_screen_a_few(team: Team, bucket: Bucket) -> None:
    """An empty bucket fits a screen of 24 lines, with what is to be done."""
    bucket.clear()
    clone = team.colleague()

    done = command(clone, "check")
    told = command(clone, "check", "--json")

    assert len((done.stdout + done.stderr).splitlines()) <= 24
    assert done.stdout.count("missing  ") == 3
    assert "  and 13 more; --json names all\n" in done.stdout
    states = [file["state"] for file in json.loads(told.stdout)["files"]]
    assert states == ["missing"] * 16


def test_many_damaged_files_fit_a_screen_too(local: TestClone) -> None:
    """Each takes three lines; the first few are shown, the others counted."""
    for path in FILES:
        spoil(local, path, b"damaged")

    done = command(local, "check")

    assert len((done.stdout + done.stderr).splitlines()) <= 24
    assert done.stdout.count("damaged  ") == 3
    assert " and 13 more\n" in done.stderr  # of two the size is not pinned


def test_the_link_is_tried_where_models_lies(local: TestClone, tmp_path: Path) -> None:
    """A disk of its own under models/ cannot be reached by hard links, whatever .dvc/tmp can."""
    configure(local, '[cache]\n    type = "hardlink"\n')
    (local.root / "models").symlink_to("/dev/shm", target_is_directory=True)  # noqa: S108
    if local.root.stat().st_dev == (local.root / "models").stat().st_dev:
        pytest.skip("no second file system here")

    done = command(local, "check")

    assert "link     copy" in done.stdout
    assert not list(tmp_path.rglob("*.link"))
