"""python -m scripts.team: what a remote holds, repairs, publishing, permissions."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from scripts import fetch
from scripts.catalogue import artifacts
from scripts.checkout.clone import Clone
from scripts.storage.publish import withheld
from scripts.storage.remote import Remote
from tests.world import Fault
from tests.world.bucket import READING
from tests.world.processes import without_root
from tests.world.reply import Reply
from tests.world.teams import FILES, KEPT, SAM, URL, Team, beside, command, place, spoil, spoiled

if TYPE_CHECKING:
    from tests.world.bucket import Bucket
    from tests.world.clones import TestClone


def test_a_complete_remote_is_said_in_one_screen(local: TestClone) -> None:
    """Rights, verify, what it holds, how a pull would be linked and what it would transfer."""
    told = command(local, "check")

    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines()[1:] == [
        "rights   read yes, write yes",
        "verify   on",
        "holds    16 of 16 pinned files; --read checks their content, too",
        "link     hardlink",
        "pull     would transfer 0 files",
    ]
    assert told.stdout.startswith("remote   team: ")
    assert str(local.root.parent) in told.stdout


def test_a_clone_without_files_learns_what_a_pull_transfers(local: TestClone, team: Team) -> None:
    """Bytes of the objects that its cache lacks, without one of them transferred."""
    done = command(team.colleague(url=""), "check", "--json")

    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert told["pull"] == {"files": 16, "bytes": sum(map(len, local.objects().values()))}
    assert {file["state"] for file in told["files"]} == {"held"}
    assert not any(file["cached"] for file in told["files"])
    stages = {file["path"]: file["stage"] for file in told["files"]}
    assert stages[SAM] == "fetch@sam_vit_b"
    assert stages["models/raft_ckpts/raft-things.pth"] == "unpack_raft"
    assert "models.json" not in stages


@pytest.mark.parametrize("data", [spoiled(SAM), FILES[SAM][:-1]])
def test_damage_in_a_folder_is_found_and_mended(local: TestClone, data: bytes) -> None:
    """Another size shows at once, other bytes when they are read; both are replaced."""
    spoil(local, SAM, data)

    found = command(local, "check", "--read")
    mended = command(local, "check", "--read", "--repair")

    assert (found.returncode, f"damaged  {SAM}" in found.stdout) == (1, True)
    assert SAM in found.stderr
    assert mended.returncode == 0, mended.stderr
    assert "the content of 16 proved" in mended.stdout
    assert beside(local, SAM).read_bytes() == FILES[SAM]


@pytest.mark.parametrize("data", [None, b"not the pinned bytes"])
def test_what_the_cache_has_not_is_not_mended(local: TestClone, data: bytes | None) -> None:
    """Nothing is removed from the remote that cannot be replaced by the pinned bytes."""
    spoil(local, SAM, b"damaged")
    cached = local.root / ".dvc/cache" / place(SAM).removeprefix("checkpoints/")
    cached.unlink()
    if data:
        cached.write_bytes(data)

    told = command(local, "check", "--repair")

    assert (told.returncode, f"{SAM}: not replaced" in told.stderr) == (1, True)
    assert beside(local, SAM).read_bytes() == b"damaged"


def test_what_is_missing_comes_with_the_next_step(local: TestClone) -> None:
    """A push from whoever has it, or the publishers."""
    beside(local, SAM).unlink()

    told = command(local, "check")

    assert (told.returncode, f"missing  {SAM}" in told.stdout) == (1, True)
    assert told.stderr.startswith("error: team: a pull would lack 1 of 16 files\n")
    assert "`./checkpoints dvc push -r team`" in told.stderr
    assert "`./checkpoints fetch complete`" in told.stderr


def test_a_remote_nobody_may_write_is_said(local: TestClone) -> None:
    """The permissions of the folder are checked; nothing is written."""
    folder = local.remote / "files/md5"
    folder.chmod(0o555)

    done = local.run(*without_root(), "python", "-m", "scripts.team", "check")

    folder.chmod(0o755)
    assert "rights   read yes, write no" in done.stdout, done.stderr


def test_a_folder_has_an_owner_and_no_roles(local: TestClone) -> None:
    """Whether reading or writing is forbidden: a bucket's roles would help nobody."""
    folder = local.remote / "files/md5"
    words = (*without_root(), "python", "-m", "scripts.team")

    folder.chmod(0o000)
    unread = local.run(*words, "check")
    folder.chmod(0o555)
    unwritten = local.run(*words, "publish", "team")
    folder.chmod(0o755)

    assert (unread.returncode, unwritten.returncode) == (2, 1), unwritten.stderr
    for done, verb in ((unread, "read"), (unwritten, "write")):
        assert f"Next: ask the owner of the folder for permission to {verb} it" in done.stderr
        assert "roles/" not in done.stderr


@pytest.mark.parametrize("types", ["hardlink,symlink,copy", "hardlink", "symlink", "copy"])
def test_check_says_what_fetch_does_on_another_disk(
    local: TestClone, monkeypatch: pytest.MonkeyPatch, types: str
) -> None:
    """Between cache and models/ a hard link is impossible, whatever .dvc/tmp allows."""
    with TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == local.root.stat().st_dev:
            pytest.skip("no second file system here")
        (local.root / ".dvc/config.local").write_text(f'[cache]\n    type = "{types}"\n')
        (local.root / "models").symlink_to(other)
        told = command(local, "check")
        monkeypatch.chdir(local.root)

        assert fetch.main(["sam_vit_b"]) == 0

        kind = "symlink" if (local.root / SAM).is_symlink() else "copy"
        assert (local.root / SAM).read_bytes() == FILES[SAM]
        assert f"link     {kind}" in told.stdout
        assert kind == ("symlink" if "symlink" in types else "copy")
        assert len([path for path in Path(other).rglob("*") if not path.is_dir()]) == 1


def test_a_cache_that_cannot_be_written_leaves_the_link_open(local: TestClone) -> None:
    """The rest of the report is given all the same."""
    (local.root / ".dvc/config.local").write_text("[cache]\n    dir = /proc/cache\n")

    told = command(local, "check")

    assert told.returncode == 0, told.stderr
    assert "link     unknown: " in told.stdout
    assert "holds    16 of 16" in told.stdout


def test_a_cache_that_can_only_copy_says_what_that_costs(local: TestClone) -> None:
    """Every file stands in the cache and under models/."""
    (local.root / ".dvc/config.local").write_text('[cache]\n    type = "copy"\n')

    told = command(local, "check")

    assert "link     copy: every file takes its space twice" in told.stdout


def test_publish_leaves_out_what_may_not_be_passed_on(team: Team, bucket: Bucket) -> None:
    """14 of 16 objects; the two are named with their licence."""
    owner = team.owner()

    done = command(owner, "publish", "team")

    assert done.returncode == 0, done.stderr
    assert "team: 14 files pushed to gs://lab/checkpoints\n" in done.stdout
    assert [line.split()[2] for line in done.stdout.splitlines() if "left out" in line] == KEPT
    assert len(bucket.objects()) == 14
    assert not {place(path) for path in KEPT} & bucket.objects().keys()


def test_publish_mends_on_its_way(team: Team, bucket: Bucket) -> None:
    """What is damaged there is sent with the rest."""
    owner = team.owner()
    bucket.put(place(SAM), spoiled(SAM))

    done = command(owner, "publish", "team")

    assert "team: 14 files pushed" in done.stdout, done.stderr
    assert bucket.objects()[place(SAM)] == FILES[SAM]


def test_publish_finds_what_somebody_pushed_before(team: Team, bucket: Bucket) -> None:
    """A `dvc push` knows no licences: its objects are named, and where they are."""
    owner = team.owner()
    bucket.put(place(KEPT[0]), FILES[KEPT[0]])

    done = command(owner, "publish", "team")

    assert done.returncode == 1
    assert "team holds 1 file that may not be redistributed" in done.stderr
    assert KEPT[0] in done.stderr


def test_publish_wants_the_files_first(team: Team, bucket: Bucket) -> None:
    """An empty clone pushes nothing and says where they come from."""
    done = command(team.colleague(), "publish", "team")

    assert done.returncode == 1
    assert "nothing was pushed: 14 files to push are not in the cache" in done.stderr
    assert bucket.objects() == {}


def test_publish_says_what_did_not_arrive(
    local: TestClone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever DVC reports, the remote is checked afterwards."""
    beside(local, SAM).unlink()
    monkeypatch.setattr(Remote, "send", lambda *_: None)

    told = command(local, "publish", "team")

    assert told.returncode == 1
    assert "1 of 14 files did not arrive" in told.stderr


def test_a_licence_that_is_not_known_is_kept_back(local: TestClone) -> None:
    """Without a word in dvc.yaml nothing is published."""
    text = local.read("dvc.yaml").decode()
    entry = text[text.index("  sam-vit-b:\n") : text.index("  sam-vit-l:\n")]
    (local.root / "dvc.yaml").write_text(text.replace(entry, ""))

    known = Clone.at(local.root)

    kept = withheld(known.pins, known.catalogue, artifacts.read(local.root / "dvc.yaml"))

    assert sorted(kept) == sorted([*KEPT, SAM])
    assert kept[SAM] == "no licence in dvc.yaml"


def test_a_reader_of_the_bucket_may_not_write(team: Team, bucket: Bucket) -> None:
    """What the bucket itself says of the caller's permissions."""
    owner = team.owner()
    owner.run("dvc", "push", check=True)
    bucket.allow(*READING)

    told = command(owner, "check")
    refused = command(owner, "publish", "team")

    assert (told.returncode, "rights   read yes, write no" in told.stdout) == (0, True)
    assert (refused.returncode, "roles/storage.objectUser" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    ("fault", "cause", "step"),
    [
        (
            Fault.status(401),
            "does not recognise your account",
            "gcloud auth application-default login",
        ),
        (Fault.status(403), "no permission to read", "roles/storage.objectViewer"),
        (Fault.status(418), "cannot be used", "dvc config --list"),
    ],
)
def test_a_bucket_that_refuses_says_why(
    team: Team, bucket: Bucket, fault: Fault, cause: str, step: str
) -> None:
    """Exit code 2: the cause, and the next step; nothing on stdout."""
    bucket.fault("*", fault)

    done = command(team.colleague(), "check", "--json")

    assert (done.returncode, done.stdout) == (2, "")
    assert cause in done.stderr
    assert step in done.stderr


def test_a_server_that_says_little_is_believed_what_it_says(team: Team, bucket: Bucket) -> None:
    """Plain http: an ETag proves a file if it is its md5, and nothing else; reading does."""
    team.owner().run("dvc", "push", check=True)
    bucket.remove(place(SAM))
    reader = team.colleague(url=f"{bucket.url}/lab/checkpoints")
    md5 = place(KEPT[0]).removeprefix("checkpoints/files/md5/").replace("/", "")
    bucket.fault(f"*{place(KEPT[0])}", Fault.header("ETag", f'"{md5}"'))

    told = command(reader, "check")
    read = command(reader, "check", "--read")
    bucket.fault("*", Fault.status(403))
    refused = command(reader, "check")

    assert "rights   read yes, write no" in told.stdout
    some = (
        "holds    15 of 16 pinned files, the content of 1 proved; --read checks that of the others"
    )
    assert some in told.stdout
    assert "holds    15 of 16 pinned files, the content of 15 proved" in read.stdout
    assert (refused.returncode, "no permission to read" in refused.stderr) == (2, True)


def test_without_a_network_check_says_so(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cause, and what works without one; the client's half minute of pauses is left out."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0))
    lost = {**team.env, "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"}

    done = command(replace(team, env=lost).colleague(), "check")

    assert done.returncode == 2
    assert "no connection to" in done.stderr
    assert "`./checkpoints dvc checkout`" in done.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check", "-r", "nosuch"), "remote 'nosuch' doesn't exist"),
        (("publish", "nosuch"), "dvc remote list"),
        (("publish",), "required: REMOTE"),
        ((), "required: what"),
    ],
)
def test_words_that_mean_nothing_are_answered(
    local: TestClone, words: tuple[str, ...], says: str
) -> None:
    """Exit code 2 and the way on."""
    done = command(local, *words)

    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("['remote \"team\"']\n    url = s3://lab/checkpoints\n", "cannot be used"),
        (
            f"['remote \"team\"']\n    url = {URL}\n    credentialpath = /no/key.json\n",
            "is missing",
        ),
        ("[core]\n    remote = nosuch\n", "nosuch"),
        ("['remote \"team\"']\n    url = https://lab\n    auth = basic\n", "password"),
        ("['remote \"team\"']\n    url = nosuch://lab\n", "Unsupported URL type nosuch://"),
    ],
)
def test_a_configuration_that_cannot_work_is_answered(
    local: TestClone, text: str, says: str
) -> None:
    """A plugin that is not installed, a key that is not there, a name, a scheme."""
    (local.root / ".dvc/config.local").write_text(text)

    done = command(local, "check")

    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_a_clone_without_any_remote_is_answered(local: TestClone) -> None:
    """No default, no name given."""
    (local.root / ".dvc/config").write_text("[core]\n    analytics = false\n")

    done = command(local, "check")

    assert (done.returncode, "no remote" in done.stderr) == (2, True), done.stderr


def test_a_service_account_file_is_used(team: Team, bucket: Bucket, tmp_path: Path) -> None:
    """Its key gets a token, and the token opens the bucket."""
    token = Reply(200, {}, b'{"access_token": "opened", "expires_in": 3600}')
    bucket.fault("*/token", Fault("token", lambda *_: token))
    key = tmp_path / "key.json"
    key.write_text(json.dumps(service_account(f"{bucket.url}/token")))
    clone = team.owner(more=f"    credentialpath = {key}\n")

    push = clone.run("dvc", "push", "fetch@sam_vit_b")
    told = command(clone, "check")

    assert push.returncode == 0, push.stderr
    assert "holds    1 of 16" in told.stdout
    tokens = {r.headers.get("authorization") for r in bucket.requests if "/storage/" in r.url}
    assert tokens == {"Bearer opened"}


def service_account(token: str) -> dict[str, str]:
    """Return what Google's key file of a service account holds."""
    from cryptography.hazmat.primitives import serialization as form  # noqa: PLC0415 - slow
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    return {
        "type": "service_account",
        "client_email": "writer@lab.iam.gserviceaccount.com",
        "private_key": pem.decode(),
        "token_uri": token,
    }
