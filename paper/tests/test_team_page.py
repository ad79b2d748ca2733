"""docs/team.md: every command on the page is run, and prints the lines under it."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paper.tests.guide import of_its_files
from scripts.catalogue import sources
from scripts.checkout.clone import Clone
from scripts.views import exports
from tests import pages
from tests.pages import pattern, shell
from tests.world.checkpoints import files
from tests.world.clones import REPOSITORY, TestClone
from tests.world.teams import SAM, SCALE, URL, Team, fill, place, spoiled

if TYPE_CHECKING:
    from tests.world import World
    from tests.world.bucket import Bucket

pytestmark = of_its_files
FILES = files(SCALE, REPOSITORY)
KEPT = [  # what Magic Leap's licence keeps back
    f"models/superglue_ckpts/{name}.pth"
    for name in ("superglue_indoor", "superglue_outdoor", "superpoint_v1")
]
THINGS = "models/raft_ckpts/raft-things.pth"
PAGE = pages.text("docs/team.md")
SECTIONS = pages.sections(PAGE)
PUBLIC = "https://storage.googleapis.com/lab/checkpoints"


def commands(section: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a section, each with the lines under it."""
    return pages.commands(SECTIONS[section])


def run(clone: TestClone, pair: tuple[str, list[str]], **places: str) -> None:
    """Run a command of the page, with `places` replaced; it must print every line under it."""
    places = {"BUCKET/PREFIX": "lab/checkpoints", **places}
    command, *lines = [_put(text, places) for text in (pair[0], *pair[1])]
    printed = shell(clone, command, clone.root)
    for line in lines:
        assert re.search(f"^{pattern(line)}$", printed, re.MULTILINE), (line, printed)


def _put(text: str, places: dict[str, str]) -> str:
    for old, new in places.items():
        text = text.replace(old, new)
    return text


@pytest.mark.slow
def test_four_commands_lead_from_a_clone_to_a_colleagues_pull(team: Team) -> None:
    """Name the bucket, fetch, push; then pull in the colleague's clone."""
    mine = team.colleague("mine", url="")
    mine.run("python", "-m", "scripts.fetch", "complete", check=True)  # all at once, for speed
    theirs = TestClone(team.folder / "work/theirs", team.env)

    *ours, last = commands("Four commands with a bucket")
    for pair in ours:
        run(mine, pair)
    shell(mine, f"git commit -qam state && git clone -q {mine.root} {theirs.root}", mine.root)
    run(theirs, last)

    assert len(ours) == 3
    assert all("&" not in command and ";" not in command for command, _ in [*ours, last])
    assert theirs.tree() == mine.tree() == FILES


def test_a_key_file_is_configured_in_this_clone_alone(team: Team) -> None:
    """Git shows no change."""
    clone = team.colleague()

    (pair,) = commands("Who may do what")
    run(clone, pair)

    assert "credentialpath = " in clone.read(".dvc/config.local").decode()
    assert clone.run("git", "status", "--porcelain").stdout == ""


def test_check_reports_and_repairs(team: Team, bucket: Bucket) -> None:
    """The report of the page, line by line; then a damaged object is replaced."""
    clone = team.owner()
    fill(bucket, FILES)

    report, repair = commands("Is everything there?")
    run(clone, report)
    bucket.put(place(SAM), spoiled(SAM))
    run(clone, repair)

    assert bucket.objects()[place(SAM)] == FILES[SAM]


def test_readers_get_all_files_without_an_account(team: Team, world: World, bucket: Bucket) -> None:
    """They are published as the page says, and read over https with the committed lines."""
    owner, reader = team.owner(url=""), team.colleague("reader", url="")
    pairs = commands("Readers without an account")

    for pair in pairs[:4]:
        run(owner, pair)
    for name, data in bucket.objects().items():
        world.publish(f"https://storage.googleapis.com/lab/{name}", data)
    shutil.copy(owner.root / ".dvc/config", reader.root / ".dvc/config")
    printed = shell(
        reader,
        _put(
            pairs[4][0],
            {"./checkpoints": "python -m scripts", "check -r public": "check -r public; true"},
        ),
        reader.root,
    )
    run(reader, pairs[5])

    for line in pairs[4][1]:
        assert re.search(f"^{pattern(line)}$", printed, re.MULTILINE), (line, printed)
    assert len(bucket.objects()) == len(FILES) - len(KEPT)
    assert f"url = {PUBLIC}\n" in owner.read(".dvc/config").decode()
    assert reader.tree() == {path: FILES[path] for path in FILES}
    assert not {place(path, FILES) for path in KEPT} & bucket.objects().keys()


def test_nodes_link_the_tree_from_the_clusters_cache(
    team: Team, bucket: Bucket, tmp_path: Path
) -> None:
    """Three commands of the page on a node; the fourth on a node that reaches no bucket."""
    fill(bucket, FILES)
    node, far = team.colleague("node"), team.colleague("far")
    lost = TestClone(far.root, {**team.env, "STORAGE_EMULATOR_HOST": "http://127.0.0.1:9"})
    *setting, pull, checkout = commands("One cache for a cluster")

    for clone, last in ((node, pull), (lost, checkout)):
        for pair in (*setting, last):
            run(clone, pair, **{"/shared/cache": str(tmp_path / "cache")})

    assert (pull[0], checkout[0]) == ("dvc pull", "dvc checkout")
    assert node.tree() == lost.tree() == FILES
    assert node.objects() == lost.objects() == {}
    assert (tmp_path / "cache/files/md5").is_dir()


def test_a_disk_serves_a_clone_without_a_network(team: Team, tmp_path: Path) -> None:
    """Two commands with a network, one without, in a clone beside the folder."""
    owner, beyond = team.owner(), team.colleague("beyond", url="")
    disk = str(tmp_path / "disk")
    *here, there = commands("Without a network")

    for pair in here:
        run(owner, pair, **{"/media/disk": disk})
    shutil.copytree(f"{disk}/sam-pt-checkpoints.team", tmp_path / "work/sam-pt-checkpoints.team")
    offline = {name: value for name, value in team.env.items() if "PROXY" not in name.upper()}
    run(TestClone(beyond.root, {**offline, "STORAGE_EMULATOR_HOST": ""}), there)

    assert (len(here), beyond.tree()) == (2, FILES)


def shared(team: Team, bucket: Bucket) -> TestClone:
    """Return a full clone whose remote is committed and filled, and whose cache is moved away."""
    owner = team.owner(url="")
    owner.run("dvc", "remote", "modify", "team", "url", URL, check=True)
    owner.run("git", "commit", "-qam", "state", check=True)
    fill(bucket, FILES)
    owner.run("dvc", "checkout", "-q", check=True)
    (owner.root / ".dvc/cache").rename(owner.root.parent / "elsewhere")
    return owner


def test_without_the_address_committed_other_projects_get_nothing(
    team: Team, bucket: Bucket, tmp_path: Path
) -> None:
    """The reason for that advice: config.local is not in the commit that they clone."""
    fill(bucket, FILES)
    owner, project = team.colleague(), TestClone(tmp_path / "project", team.env)
    project.root.mkdir()
    (command, _), *_ = commands("In other projects")

    done = project.run("bash", "-c", command.replace("ADDRESS", f"file://{owner.root}"))

    assert done.returncode != 0
    assert "without `--local`" in SECTIONS["In other projects"]


def test_other_projects_get_import_and_link(team: Team, bucket: Bucket, tmp_path: Path) -> None:
    """Every command of the page works; the imported tree has the hash that models.dvc seals."""
    owner = shared(team, bucket)
    project, sam_pt = TestClone(tmp_path / "project", team.env), tmp_path / "work/sam-pt"
    for folder in (project.root, sam_pt):
        folder.mkdir()
    project.run("bash", "-c", "git init -q && dvc init -q", check=True)
    *others, last, tag, artifact, link = commands("In other projects")

    for pair in others:
        run(project, pair, ADDRESS=f"file://{owner.root}")
    family = {path.name for path in (project.root / "raft").iterdir()}
    one = (project.root / "sam_hq_vit_h.pth").read_bytes()
    run(project, last, ADDRESS=f"file://{owner.root}")
    run(owner, tag)
    run(project, artifact, ADDRESS=f"file://{owner.root}")
    run(owner, link)

    seal = re.search(r"md5: (\w+\.dir)", owner.read("models.dvc").decode())
    assert seal
    assert seal[1] in project.read("models.dvc").decode()
    assert project.tree() == FILES
    assert (len(family), one) == (5, FILES["models/samhq_ckpts/sam_hq_vit_h.pth"])
    assert (sam_pt / SAM).read_bytes() == FILES[SAM]
    assert (project.root / "sam_vit_b.pth").read_bytes() == FILES[SAM]


def test_a_program_gets_a_family(team: Team, bucket: Bucket, tmp_path: Path) -> None:
    """The Python example of the page, unchanged."""
    owner = shared(team, bucket)
    (example,) = pages.blocks(SECTIONS["In other projects"], "python")

    done = TestClone(tmp_path, team.env).run(
        sys.executable, "-c", example.replace("ADDRESS", f"file://{owner.root}")
    )

    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "raft_ckpts").iterdir())) == 5


def printed_into_files(clone: TestClone, pair: tuple[str, list[str]]) -> None:
    """Run a command of the page that the launcher would start, in a shell."""
    run(clone, (pair[0].replace("./checkpoints", "python -m scripts"), pair[1]))


def test_tools_without_dvc_read_the_lists(clone: TestClone) -> None:
    """The commands of the page: the hashes of all files are right, and aria2c keeps these."""
    for path, data in FILES.items():
        (clone.root / path).parent.mkdir(parents=True, exist_ok=True)
        (clone.root / path).write_bytes(data)
    sums, check, listed, download = commands("Without DVC")

    printed_into_files(clone, sums)
    run(clone, check)
    printed_into_files(clone, listed)
    if shutil.which("aria2c"):
        settings = Path(clone.env["HOME"]) / ".aria2/aria2.conf"
        settings.parent.mkdir()
        settings.write_text(f"ca-certificate={clone.env['SSL_CERT_FILE']}\n")
        run(clone, (download[0], ["(OK):download completed."]))

    assert clone.read("models.md5").count(b"\n") == len(FILES)
    assert clone.tree() == FILES


def test_a_program_without_dvc_gets_a_file(
    clone: TestClone, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The example for pooch, unchanged: from a mirror, as the publisher has an archive."""
    (example,) = pages.blocks(SECTIONS["Without DVC"], "python")
    (mirror, *_) = (m for m in sources.read(clone.root / "sources", "raft").mirrors
                    if m.member == "models/raft-things.pth")  # fmt: skip
    world.publish(mirror.url, FILES[THINGS])
    listed = exports.render(Clone.at(clone.root), [THINGS], "pooch").text
    (tmp_path / "registry.txt").write_text(listed)
    monkeypatch.chdir(tmp_path)

    exec(example)  # noqa: S102 - three lines of our own page

    assert TestClone(tmp_path, {}).tree() == {THINGS: FILES[THINGS]}


def test_no_section_is_left_untested() -> None:
    """A new section needs its own test here."""
    assert list(SECTIONS) == [
        "Four commands with a bucket", "Who may do what", "Is everything there?",
        "Readers without an account", "One cache for a cluster", "Without a network",
        "In other projects", "Without DVC",
    ]  # fmt: skip
