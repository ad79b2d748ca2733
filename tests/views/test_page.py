"""scripts.page: one file that shows every checkpoint, whatever its clone and its catalogue are."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shlex
import shutil
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from dvc.repo import Repo

from scripts import fetch, page
from scripts.catalogue import history
from scripts.catalogue.params import TREE
from scripts.catalogue.stages import Stage
from scripts.checkout import looks
from scripts.checkout.clone import Clone
from scripts.checkout.state import Place
from scripts.console import dispatch
from scripts.views.page import data, html, picture, pipeline, repository, treemap
from scripts.views.rows import Row
from tests.world.clones import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.world.clones import TestClone

Capture = pytest.CaptureFixture[str]
PATH = "models/sam_ckpts/sam_vit_b_01ec64.pth"
PAGE = Path("site/index.html")
HOSTILE = "</script><script>alert(1)</script><!--\u2028'\"&<img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Reads the elements of a page: tag and attributes, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        """Read it."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text, and the element before it."""
        self.texts.append((self.elements[-1][0] if self.elements else "", data))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of each element of a tag."""
        return [attributes for name, attributes in self.elements if name == tag]

    def document(self) -> Any:  # noqa: ANN401 - any data
        """Return the embedded document."""
        held: dict[str, str | None] = {"type": "application/json", "id": "data"}
        at = [tag for tag in self.elements if tag[0] == "script"].index(("script", held))
        return json.loads([text for tag, text in self.texts if tag == "script"][at])


def made(*words: str, code: int = 0) -> Reader:
    """Make the page in the current folder, and read it."""
    assert page.main(list(words)) == code
    return Reader(PAGE.read_text(encoding="utf-8"))


def document(clone: TestClone, *, public: bool = False) -> dict[str, Any]:
    """Return the document of a sound clone."""
    found = data.collect(*Clone.examined(clone.root), public=public)
    assert found.faults == []
    return found.document


def rendered(clone: TestClone) -> str:
    """Return the page of a clone."""
    found = data.collect(*Clone.examined(clone.root))
    return html.render(found.document, found.stages)


def edit(clone: TestClone, name: str, old: str, new: str) -> None:
    """Replace a text in a file of a clone."""
    text = (clone.root / name).read_text(encoding="utf-8")
    assert old in text
    (clone.root / name).write_text(text.replace(old, new), encoding="utf-8")


def test_the_page_has_every_file(clone: TestClone, capsys: Capture) -> None:
    """A row, two cells and a map in the document for each; the page says where it was written."""
    read = made()

    paths = set(Clone.at(clone.root).catalogue.files)
    assert {row["data-path"] for row in read.of("tr") if "data-path" in row} == paths
    cells = [cell["data-path"] for cell in read.of("a") if "data-path" in cell]
    assert Counter(cells) == Counter([*paths, *paths])
    assert {file["path"] for file in read.document()["files"]} == paths
    assert capsys.readouterr().err == "wrote site/index.html\n"


def test_no_request_can_leave_the_page(clone: TestClone) -> None:
    """Its policy allows this script and style by their hashes, and no address at all."""
    assert clone.root.exists()
    text = rendered(clone)
    read = Reader(text)

    policy = read.of("meta")[1]["content"] or ""
    for tag, kind in (("script", "script-src"), ("style", "style-src")):
        inline = text.rpartition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert [a for _, each in read.elements for a in each if a in ("src", "style", "onclick")] == []
    assert all(each["href"].startswith("data:") for each in read.of("link") if each["href"])


def test_hostile_names_and_licences_stay_text(clone: TestClone) -> None:
    """Neither ends the embedded document, and neither becomes an element."""
    before = len(made().of("script"))
    edit(clone, "dvc.yaml", "license: Apache-2.0", f"license: {json.dumps(HOSTILE)}")
    edit(clone, "dvc.yaml", "desc: SAM, ViT-B", f"desc: {json.dumps(HOSTILE)}")
    edit(clone, "dvc.yaml", "https://github.com/facebookresearch/segment-anything",
         "javascript:alert(1)")  # fmt: skip

    read = made()

    assert len(read.of("script")) == before
    assert read.of("img") == []
    file = next(file for file in read.document()["files"] if file["path"] == PATH)
    assert (file["license"], file["desc"]) == (HOSTILE, HOSTILE)
    assert "\u2028" not in html.embedded({"a": HOSTILE})
    assert "javascript:" not in {(a["href"] or "")[:11] for a in read.of("a")}


def test_a_stray_name_that_is_not_utf8_is_shown(clone: TestClone) -> None:
    """As far as a page can."""
    folder = clone.root / TREE
    folder.mkdir()
    with (folder / "bad\udcff<b>.pth").open("wb") as file:
        file.write(b"x")

    read = made()

    assert read.document()["files"][-1]["path"] == "models/bad?<b>.pth"
    assert read.document()["files"][-1]["place"] == "stray"
    assert read.of("b") == []


def test_a_file_that_is_here_was_scanned(clone: TestClone) -> None:
    """In place or in the cache; its download was a look at the publisher, too."""
    assert fetch.main(["sam_vit_b", "superpoint_v1", "--quiet"]) == 0
    (clone.root / PATH).unlink()

    found = document(clone)

    files = {file["entry"]: file for file in found["files"]}
    assert files["sam_vit_b"]["place"] == "cache"
    assert files["sam_vit_b"]["scan"]["verdict"] == "fine"
    assert files["superpoint_v1"]["scan"]["imports"]
    assert files["sam_vit_l"]["scan"] is None
    seen = {each["entry"]: each["seen"] for each in found["sources"]}
    assert seen["sam_vit_b"]["why"] == "downloaded here, with the pinned bytes"
    assert seen["sam_vit_l"] is None
    assert found["sum"]["here"] == 1


def test_the_newest_look_at_a_publisher_is_shown(clone: TestClone) -> None:
    """What changed or is gone stands out; mirrors were looked at, too."""
    here = Clone.at(clone.root)
    urls = [each["url"] for each in document(clone)["sources"]]
    looks.remember(here.root, {urls[0]: ("same", "as before"), urls[1]: ("unknown", "-")})
    looks.remember(here.root, {urls[1]: ("gone", "404")})

    rows = {row["data-entry"]: row for row in made().of("tr") if "data-entry" in row}

    assert [name for name, row in rows.items() if row.get("class") == "drifted"] == ["sam_vit_l"]
    assert looks.recall(here.root).keys() == set(urls[:2])
    (here.root / ".dvc/tmp/looks.json").write_text("[1]")
    assert looks.recall(here.root) == {}


def test_a_public_page_has_nothing_of_this_machine(clone: TestClone) -> None:
    """No state, no free room and no stray file; sizes as they are pinned or estimated."""
    before = document(clone, public=True)
    assert fetch.main(["tapnet_checkpoint", "--quiet"]) == 0  # the lock has no size of it
    (clone.root / TREE / "stray").write_bytes(b"x")

    after = document(clone, public=True)

    assert [(f["size"], f["place"]) for f in before["files"]] == [
        (f["size"], None) for f in after["files"]
    ]
    assert after["free"] is None
    text = PAGE.read_text() if made("--public") else ""
    assert str(clone.root) not in text
    assert picture.render(before) == picture.render(after)


def test_the_picture_shows_the_first_fetch(clone: TestClone) -> None:
    """Files of the first set are in place; without such a set, all are."""
    found = document(clone, public=True)

    assert page.main(["--picture", "page.svg"]) == 0

    drawn = (clone.root / "page.svg").read_text()
    assert drawn.count("cell state-in-place") == 2
    assert "after `./checkpoints fetch minimal`, 2 are in place" in drawn
    assert " href=" not in drawn
    for file in found["files"]:
        file["sets"] = []
    assert "after `./checkpoints fetch complete`, 16 are in place" in picture.render(found)


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("dvc.lock", None, "dvc.lock: 16 of 16 files have no pin"),
        ("dvc.lock", "stages: [\n", "dvc.lock: line "),
        ("dvc.yaml", "stages: 1\n", "dvc.yaml: no map of stages"),
        ("models.dvc", "deps: []\n", "models.dvc: it records no hash"),
        ("imports.yaml", "- 1\n", "imports.yaml: not a map"),
        ("sources/sam_vit_b.dvc", None, "sources/sam_vit_b.dvc: the file is missing"),
    ],
)
def test_a_page_of_a_broken_clone_says_what_is_wrong(
    clone: TestClone, capsys: Capture, name: str, text: str | None, fault: str
) -> None:
    """It shows the rest; exit code 2, and the same words on the terminal."""
    (clone.root / name).unlink()
    if text:
        (clone.root / name).write_text(text)

    read = made(code=2)

    err = capsys.readouterr().err
    assert err.startswith("error: the page is not complete: ")
    assert f"  {fault}" in err
    assert "site/index.html was written, and says so." in err
    assert any(words.startswith(fault) for tag, words in read.texts if tag == "li")
    assert len(read.document()["files"]) == 16


def test_what_is_no_file_is_not_scanned(clone: TestClone) -> None:
    """A FIFO in the place of a file would make a reader wait."""
    (clone.root / PATH).parent.mkdir(parents=True)
    os.mkfifo(clone.root / PATH)

    file = document(clone)["files"][0]

    assert (file["path"], file["place"], file["scan"]) == (PATH, "modified", None)


def test_without_a_catalogue_no_page_is_written(clone: TestClone, capsys: Capture) -> None:
    """An earlier one stays as it was."""
    made()
    before = PAGE.read_bytes()
    edit(clone, "params.yaml", "checkpoints:", "checkpoints: [")

    assert page.main([]) == 2

    assert PAGE.read_bytes() == before
    assert "params.yaml: 1 fault" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_a_fault(clone: TestClone, capsys: Capture) -> None:
    """Exit code 1, and why; a device stays one."""
    assert page.main(["--output", "/dev/null"]) == 0
    assert Path("/dev/null").is_char_device()
    capsys.readouterr()
    assert page.main(["--output", "params.yaml/page.html"]) == 1
    assert page.main(["--output", str(clone.root)]) == 1
    assert capsys.readouterr().err.count("error: ") == 2


def test_a_page_can_be_made_again(clone: TestClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same commit at the same time gives the same bytes."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = rendered(clone)

    assert '"made":"2023-11-14T22:13:20Z"' in first
    assert rendered(clone) == first


def test_the_page_says_which_commit_it_is_of(clone: TestClone) -> None:
    """That, the seal and the commit that wrote it; what is not committed is said."""
    found = document(clone)
    head = clone.run("git", "rev-parse", "HEAD").stdout.strip()
    assert (found["commit"]["id"], found["seal"]["commit"]["id"]) == (head, head)
    assert found["changed"] is False
    edit(clone, "params.yaml", "# SAM\n", "# SAM!\n")

    assert document(clone)["changed"] is True
    shutil.rmtree(clone.root / ".git")
    assert document(clone)["commit"] is None


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://github.com/owner/name", "https://github.com/owner/name"),
        ("https://user:password@github.com/owner/name", None),
        ("git@github.com:owner/name.git", None),
        ("https://127.0.0.1/name", None),
        ("/srv/name", None),
    ],
)
def test_only_a_public_address_is_told(tmp_path: Path, origin: str, expected: str | None) -> None:
    """Whatever else origin is, others cannot or should not use it."""
    history.git(tmp_path, "init", "-q", "--template=")
    assert repository.address(tmp_path) is None
    history.git(tmp_path, "remote", "add", "origin", origin)

    assert repository.address(tmp_path) == expected


def test_commands_can_be_pasted_into_a_shell() -> None:
    """Whatever the file is called; without an address there is a word for one."""
    row = Row("models/a/it's $HOME.pth", "it", Place.MISSING)

    found = repository.commands(row, None)

    words = ["dvc", "get", "ADDRESS", row.path, "-o", "it's $HOME.pth"]
    assert shlex.split(found["Copy it, with DVC"]) == words
    assert found["In this clone"] == "./checkpoints fetch it"
    assert repository.commands(replace(row, entry=""), "https://a.b/c") == {}
    other = repository.commands(replace(row, path="models/b"), "https://a.b/c")
    assert other["Track it, with DVC"] == "dvc import https://a.b/c models/b"


def test_the_heading_is_the_one_of_the_readme(clone: TestClone) -> None:
    """As text."""
    (clone.root / "README.md").write_text("text\n# The <models>\n")

    assert "<h1>The &lt;models&gt;</h1>" in rendered(clone)


def test_every_state_has_its_colour() -> None:
    """Those of the one vocabulary, in both schemes."""
    style = html.part("colours.css")

    for place in Place:
        assert f".state-{place.option} {{ --state: var(--{place.colour}); }}" in style
        assert style.count(f"--{place.colour}: #") == 2


def box(x: float, y: float, width: float, height: float) -> treemap.Box:
    """Return a box."""
    return treemap.Box(x, y, width, height)


@pytest.mark.parametrize("weights", [[1], [6, 6, 4, 3, 2, 2, 1], [100, *[1] * 50], [5, 5]])
def test_areas_are_as_sizes(weights: Sequence[float]) -> None:
    """They fill the box, and none lies over another."""
    whole = box(10, 20, 600, 400)

    boxes = treemap.squarified(weights, whole)

    for weight, each in zip(weights, boxes, strict=True):
        assert each.area == pytest.approx(whole.area * weight / sum(weights))
        assert each.x >= 10 - 1e-6
        assert each.x + each.width <= 610 + 1e-6
        assert each.y + each.height <= 420 + 1e-6
    for at, one in enumerate(boxes):
        for other in boxes[at + 1 :]:
            across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert min(across, down) < 1e-6
    assert treemap.squarified([], whole) == []


def test_files_too_small_to_be_seen_share_a_cell() -> None:
    """Thousands of them do not make thousands of cells."""
    sizes = {"large": 10**9, **{f"small{number}": 10 for number in range(2000)}, "unknown": None}
    files = [
        {"path": f"models/a/{name}", "name": name, "family": "a", "size": size, "shown": "",
         "place": "missing"}
        for name, size in sizes.items()
    ]  # fmt: skip

    drawn = treemap.svg(files, "wide", {"a": 0})

    assert len(drawn.findall(".//a")) == 1
    assert drawn.find(".//g[@class='rest']").attrib["aria-label"] == "2001 smaller files"  # type: ignore[union-attr]
    assert list(treemap.svg([], "tall", {})) == []


@pytest.mark.filterwarnings("ignore:_NoneStep")
def test_the_pipeline_is_dvc_s_own(clone: TestClone) -> None:
    """Stages and edges are those of `dvc dag`; the picture names every stage."""
    found = data.collect(Clone.at(clone.root)).stages

    with Repo(str(clone.root)) as repo:
        graph = repo.index.graph
        known = {(needs.addressing, stage.addressing) for stage, needs in graph.edges}
        nodes = {stage.addressing for stage in graph.nodes}
    ours = pipeline.edges(found)
    assert {(name, to) for name, after in ours.items() for to in after} == known
    assert set(ours) == nodes
    texts = {each.text for each in pipeline.svg(found).iter("text")}
    assert texts > {stage.name for stage in found}


def test_an_arrow_that_others_imply_is_left_out() -> None:
    """Of a -> b -> c, and a -> c, the last."""
    graph = {"a": {"b", "c"}, "b": {"c"}, "c": set[str]()}

    assert pipeline.reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": set()}


def test_a_family_of_many_stages_names_the_first() -> None:
    """And counts the others; an arrow of one stage alone starts there."""
    fetches = [Stage(f"fetch@{at}", "", (), (f"models/a/{at}",)) for at in range(20)]
    last = Stage("use", "", ("models/a/19", "models/a/0"), ("made/x",))

    drawn = pipeline.svg([*fetches, last, Stage("more", "", ("made",))])

    texts = [each.text for each in drawn.iter("text")]
    assert texts[:3] == ["a", "fetch@0", "fetch@1"]
    assert "and 14 more" in texts
    assert len(drawn.findall(".//path[@class='edge']")) == 2
    listed = [each.text for each in pipeline.outline([*fetches, last]).iter("li")]
    assert listed[0] is not None
    assert listed[0].endswith("fetch@5, and 14 more → use")
    assert len(list(pipeline.svg([]).iter("text"))) == 0


def test_the_workflow_that_publishes_is_pinned() -> None:
    """Every action by its commit; every command is one that there is."""
    text = (REPOSITORY / "docs/publish-page.md").read_text(encoding="utf-8")
    workflow = text.partition("```yaml\n")[2].partition("```")[0]
    steps = [step for job in yaml.safe_load(workflow)["jobs"].values() for step in job["steps"]]

    uses = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", each) for each in uses)
    assert all(f"{each} # v" in workflow for each in uses)
    for words in (step["run"].split() for step in steps if "run" in step):
        assert words[0] == "./checkpoints"
        dispatch.parser_of(words[1]).parse_args(words[2:])


def test_an_empty_catalogue_has_a_page(clone: TestClone) -> None:
    """Of no files."""
    (clone.root / "params.yaml").write_text("checkpoints: {}\n")
    (clone.root / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    (clone.root / "dvc.yaml").write_text("stages: {}\n")

    read = made(code=2)  # the seal is still that of the files

    assert read.document()["files"] == []
    assert ("span", "0 of 0 files, 0 B") in read.texts
    assert ">0 files, 0 B<" in picture.render(read.document())
