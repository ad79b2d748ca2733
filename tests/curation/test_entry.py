"""scripts.curation.entry: what the user's words describe, and what each file says with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.catalogue import documents
from scripts.console.errors import UsageError
from scripts.curation.entry import Entry, File, described
from scripts.curation.lists import Faults, Row
from scripts.curation.render import render, source
from tests.curation.changing import dvc

if TYPE_CHECKING:
    from tests.world.clones import TestClone

URL = "https://weights.example/release/New-V2.pth"
PATH = "models/new_ckpts/New-V2.pth"


def of(url: str = URL, path: str = PATH, **words: str) -> Entry:
    """Return the entry that these words describe."""
    faults = Faults()
    found = described([Row(0, (url,), {"path": path, **words})], faults, ())
    faults.check()
    return found[0]


def test_name_and_family_come_from_the_path() -> None:
    """Each can be given instead; a file right under models/ has its name as family."""
    assert of() == Entry("new_v2", URL, (File(PATH, "new"),))
    assert of(path="models/A_B.npy").files[0].family == "a-b"
    assert of(name="x", family="raft") == Entry("x", URL, (File(PATH, "raft"),))


@pytest.mark.parametrize(
    "path",
    ["../models/x.pth", "models/../x.pth", "/models/x.pth", "models", "models/x/",
     "models/x/.gitignore", "models/${x}.pth", "scripts/x.pth"],
)  # fmt: skip
def test_a_path_outside_models_is_refused(path: str) -> None:
    """So is a hidden file, or a sign that DVC or a shell reads otherwise."""
    with pytest.raises(UsageError, match=r"is not a path models/FOLDER/FILE\n"):
        of(path=path)


@pytest.mark.parametrize("name", ["new.v2", "New", "on", "1", ""])
def test_a_name_that_yaml_or_dvc_reads_otherwise_is_refused(name: str) -> None:
    """A dot is a level of params to DVC; `on` and 1 are no texts to yaml."""
    with pytest.raises(UsageError, match="cannot be a name"):
        of(path="models/1.pth") if not name else of(name=name)


def test_an_archive_needs_a_member() -> None:
    """Unless the archive itself is the file."""
    with pytest.raises(UsageError, match=r"^URL is a .zip archive, and models/new_ckpts/New-V2"):
        of(f"{URL}.zip?dl=1")
    assert not of(f"{URL}.zip", "models/new.zip").archive
    assert of(f"{URL}.zip", member="w.pth").archive


@pytest.mark.parametrize(
    "url", [URL, f"https://weights.example/{'long/' * 20}a%20b,c.pth?k=1%232&x=y:z"]
)
def test_a_source_is_what_dvc_writes(
    url: str, clone: TestClone, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is DVC's own, byte by byte; a long URL is folded. A pattern ignores what DVC downloads."""
    text, ignored = source(of(url)), clone.read("sources/.gitignore")

    dvc(capsys, "--cd", "sources", "import-url", "--no-exec", url, "new_v2")

    assert clone.read("sources/new_v2.dvc").decode() == text
    dvc(capsys, "remove", "new_v2.dvc")  # in sources/, where DVC has gone
    assert clone.read("sources/.gitignore") == ignored
    (clone.root / "sources/new_v2").write_text("downloaded")
    assert clone.run("git", "status", "--porcelain").stdout == ""


def test_lines_are_added_and_none_changes(clone: TestClone) -> None:
    """In what people write."""
    texts = render(clone.root, [of(member="inner/w.pth", url=f"{URL}.zip")])

    for name in ("params.yaml", "dvc.yaml"):
        new = iter(texts[name].splitlines())
        assert all(line in new for line in clone.read(name).decode().splitlines())
    stages = texts["dvc.yaml"]
    assert stages.index("unpack_raft:") < stages.index("unpack_new_v2:") < stages.index("  tree:")


def test_a_family_lends_its_licence(clone: TestClone) -> None:
    """Where all its files agree; the user's own words go before."""
    known = documents.load(clone.root / "dvc.yaml")["artifacts"]
    mine = of(family="raft", license="MIT", desc="RAFT: another", name="x_")

    texts = [render(clone.root, [each]) for each in (of(family="raft"), mine, of())]

    lent, stated, alone = (documents.data(text["dvc.yaml"])["artifacts"] for text in texts)
    assert lent["new-v2"]["meta"] == known["raft-small"]["meta"]
    assert stated["x"]["meta"] == {
        "license": "MIT",
        "source": "https://github.com/princeton-vl/RAFT",
    }
    assert stated["x"]["desc"] == "RAFT: another"
    assert alone["new-v2"]["meta"]["license"] == "NOASSERTION"


def test_a_sha256_is_kept_with_its_file(clone: TestClone) -> None:
    """In quotes: sixty-four digits would be a number to yaml."""
    sha256 = "1" * 64

    for each in (of(sha256=sha256), of(f"{URL}.zip", sha256=sha256, member="w")):
        assert f'sha256: "{sha256}"\n' in render(clone.root, [each])["params.yaml"]
