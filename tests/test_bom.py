"""scripts.bom and scripts.artifacts: where each byte came from, for programs, and licences."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import bom
from scripts.catalogue import artifacts, bill, licences, params, pins, sources
from tests.world.checkpoints import PAPER, files

if TYPE_CHECKING:
    from tests.world.clones import TestClone

HOLDS = params.read(PAPER / "params.yaml")
THINGS = "models/raft_ckpts/raft-things.pth"
MAGIC_LEAP = "LicenseRef-MagicLeap-noncommercial-research"
NOTE = "non-commercial research only; may not be redistributed"
GLUE = "models/superglue_ckpts/superglue_outdoor.pth"


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in the paper's repository, with no time set."""
    monkeypatch.chdir(PAPER)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def components(text: str) -> dict[str, Any]:
    """Return the components of a bill by their name."""
    return {row["name"]: row for row in json.loads(text)["components"]}


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("time", [None, "1970-01-01T00:00:00Z", "2023-11-14T22:13:20Z"])
def test_the_bill_is_valid(time: str | None) -> None:
    """By the strict schema of CycloneDX 1.6, formats and SPDX identifiers included."""
    text = bill.render(PAPER, time=time)

    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)

    assert fault is None
    assert ("timestamp" in json.loads(text)["metadata"]) == (time is not None)


@pytest.mark.usefixtures("real")
def test_every_file_has_its_component() -> None:
    """Name, version, md5 and sha256, size, licence, source repository and address."""
    pinned, words = pins.read(PAPER / "dvc.lock"), artifacts.read(PAPER / "dvc.yaml")

    rows = components(bill.render(PAPER))

    assert list(rows) == sorted(HOLDS.files)
    for entry in HOLDS.published.values():
        url = sources.read(PAPER / "sources", entry.name).url
        for file in entry.files:
            row = rows[file.path]
            hashes = {item["alg"]: item["content"] for item in row["hashes"]}
            found = {item["type"]: item for item in row["externalReferences"]}
            about = {item["name"].partition(":")[2]: item["value"] for item in row["properties"]}
            size = pinned[file.path].size
            assert row["version"] == hashes["MD5"] == pinned[file.path].md5
            assert hashes.get("SHA-256") == file.sha256
            assert about.get("size") == (str(size) if size else None)
            assert about["family"] == words[file.path].family
            assert found["distribution"]["url"] == url
            assert found["vcs"]["url"] == words[file.path].source
            assert (file.member or "") in found["distribution"].get("comment", "")


def test_licences_are_of_spdx_or_named(clone: TestClone) -> None:
    """SuperGlue's is no licence of SPDX's list; an archive's hash stands with its address."""
    rows = components(bill.render(clone.root))
    raft = params.read(clone.root / "params.yaml").published["raft"]

    assert rows[GLUE]["licenses"] == [{"license": {"name": MAGIC_LEAP}}]
    assert rows[THINGS]["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    (address,) = (r for r in rows[THINGS]["externalReferences"] if r["type"] == "distribution")
    assert address["hashes"] == [{"alg": "SHA-256", "content": raft.sha256}]


LICENCES: dict[str, dict[str, Any] | None] = {
    "": None,
    "NOASSERTION": None,
    "my licence": {"license": {"name": "my licence"}},
    "mit": {"license": {"name": "mit"}},
    "MIT OR Apache-2.0": {"expression": "MIT OR Apache-2.0"},
    "MIT OR mine": {"license": {"name": "MIT OR mine"}},
    "MIT AND ": {"license": {"name": "MIT AND "}},
    **{name: {"license": {"id": name}} for name in licences.TERMS if licences.TERMS[name].spdx},
}


@pytest.mark.parametrize("words", [[*LICENCES], [*LICENCES][::-1]], ids=["first", "last"])
def test_every_word_for_a_licence_makes_a_valid_bill(words: list[str], clone: TestClone) -> None:
    """An identifier of SPDX's, two of them, or a name; what nobody asserts is left out."""
    text, left = (clone.root / "dvc.yaml").read_text(), iter(words)
    changed = re.sub(r"license: .*", lambda _: f"license: '{next(left)}'", text)
    (clone.root / "dvc.yaml").write_text(changed)

    made = bill.render(clone.root)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made) is None
    for path, artifact in artifacts.read(clone.root / "dvc.yaml").items():
        told = LICENCES[str(artifact.license)]
        assert components(made)[path].get("licenses") == (told and [told])


@pytest.mark.usefixtures("real")
def test_the_same_repository_gives_the_same_bill(capsys: pytest.CaptureFixture[str]) -> None:
    """No time and no chance: the serial number is made of the content."""
    codes = [bom.main([]) for _ in range(2)]

    first, _, second = capsys.readouterr().out.partition("}\n{")
    serial = json.loads(bill.render(PAPER))["serialNumber"]
    assert codes == [0, 0]
    assert (first + "}\n", "{" + second) == (bill.render(PAPER),) * 2
    assert uuid.UUID(serial).version == 5
    assert serial != json.loads(bill.render(PAPER, time="1970-01-01T00:00:01Z"))["serialNumber"]


@pytest.mark.usefixtures("real")
def test_the_bill_is_written_where_it_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the time that a build gives; stdout stays empty."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    code = bom.main(["--output", str(tmp_path / "bom.json")])

    assert (code, capsys.readouterr().out) == (0, "")
    made = bill.render(PAPER, time="2023-11-14T22:13:20Z")
    assert (tmp_path / "bom.json").read_text() == made
    assert '"timestamp": "2023-11-14T22:13:20Z"' in made


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("text", ["", "soon", "1e9", "9" * 30, "9" * 5000])
def test_a_time_that_is_none_is_told(
    text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", text)

    code = bom.main([])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "error: SOURCE_DATE_EPOCH is " in err


@pytest.mark.usefixtures("real")
def test_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    """What is written in one step takes the place of a plain file alone."""
    (tmp_path / "link").symlink_to("bom.json")

    codes = [bom.main(["--output", str(place)]) for place in (tmp_path / "link", "/dev/null")]

    assert codes == [0, 0]
    assert (tmp_path / "link").readlink() == Path("bom.json")
    assert (tmp_path / "bom.json").read_text() == bill.render(PAPER)
    assert Path("/dev/null").is_char_device()


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize("name", ["n" * 5000, "no/folder"])
def test_a_place_that_is_none_is_told(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too long a name, and a folder that is not there."""
    assert bom.main(["--output", str(tmp_path / name)]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("real")
def test_a_place_that_refuses_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder stands there."""
    assert bom.main(["--output", str(tmp_path)]) == 1
    assert "is a directory" in capsys.readouterr().err


def test_what_is_not_known_is_left_out(clone: TestClone) -> None:
    """No pin, no word: the file is listed with its address, and the bill is still valid."""
    (clone.root / "dvc.yaml").write_text("stages: {}\n")
    (clone.root / "dvc.lock").unlink()

    text = bill.render(clone.root)

    rows = components(text)
    glue = rows["models/cotracker_ckpts/cotracker_stride_4_wind_8.pth"]
    assert len(rows) == 16
    assert set(glue) == {"type", "bom-ref", "name", "externalReferences"}
    assert [item["type"] for item in glue["externalReferences"]] == ["distribution"]
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "dvc.lock", "sources/raft.dvc"])
def test_a_malformed_file_is_told(name: str, clone: TestClone) -> None:
    """By its name, and without half a bill."""
    (clone.root / name).write_text("- a\n")

    done = clone.run("python", "-m", "scripts.bom")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {name}: ")


def test_a_restricted_licence_is_told_once_for_a_family(clone: TestClone) -> None:
    """SuperGlue's and CoTracker's; whoever may be used by everybody is not mentioned."""
    lines = artifacts.notices(clone.root, [*sorted(files(10_000)), "models/unknown"])

    assert [line.partition(" (https://github.com/")[0] for line in lines] == [
        "licence of cotracker: CC-BY-NC-4.0, non-commercial use only",
        f"licence of superglue: {MAGIC_LEAP}, {NOTE}",
    ]
    assert all("(https://github.com/" in line for line in lines)
    assert artifacts.notices(clone.root, [THINGS]) == []


def test_few_words_are_enough_for_a_notice(tmp_path: Path) -> None:
    """Neither label nor source need be there."""
    (tmp_path / "dvc.yaml").write_text(
        "artifacts: {a: {path: p, meta: {license: X, license_note: non-commercial}}}\n"
    )

    assert artifacts.notices(tmp_path, ["p"]) == ["licence of p: X, non-commercial"]
