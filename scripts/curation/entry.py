"""A new checkpoint: what the user's words say of it, and what it adds to each file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from scripts.catalogue import documents, params
from scripts.console.errors import UsageError
from scripts.curation import transaction, yaml_lines
from scripts.download import addresses

if TYPE_CHECKING:
    from pathlib import Path

EDITED = ("params.yaml", "dvc.yaml")  # by add and by remove
UNKNOWN = "NOASSERTION"  # SPDX's word for a licence that is not stated
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.+-]*"
_ARCHIVE = re.compile(r"\.(?:zip|tgz|tar(?:\.\w+)?)$")


@dataclass(frozen=True)
class Entry:
    """A new checkpoint: its address, its path under models/, its description."""

    url: str
    path: str
    name: str
    family: str
    member: str | None = None
    sha256: str | None = None
    desc: str | None = None
    license: str | None = None

    @property
    def stage(self) -> str:
        """The stage that downloads it."""
        return f"unpack_{self.name}" if self.member else f"fetch@{self.name}"

    @property
    def artifact(self) -> str:
        """Its name in artifacts:, where names have hyphens."""
        return self.name.replace("_", "-").strip("-")


def refusal(what: str, *details: str) -> UsageError:
    """Return the error for an entry that cannot be added."""
    return UsageError(what, *details, "Nothing was changed.")


def described(url: str, place: str, **words: str | None) -> Entry:
    """Return the entry that a user's words describe; raise UsageError.

    `words` are other fields of Entry. The default name comes from the file's name, the default
    family from its folder.
    """
    path = _path(place)
    suffix = _ARCHIVE.search(url.partition("?")[0])
    if suffix and not words.get("member") and not str(path).endswith(suffix[0]):
        raise refusal(
            f"URL is a {suffix[0]} archive, and {path} is not",
            "Next: name the file in the archive with --member.",
        )
    default = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")
    name = _name(words.pop("name", None) or default)
    folder = path.parent.parts[1:2] or (name,)
    family = words.pop("family", None) or folder[0].removesuffix("_ckpts").lower().replace("_", "-")
    return Entry(url, str(path), name, family, **words)


def _path(text: str) -> PurePosixPath:
    if not re.fullmatch(rf"(?:\./)?{params.TREE}(?:/{_PART})+", text):
        raise refusal(
            f"{text!r} is not a path {params.TREE}/FOLDER/FILE",
            "in letters, digits and . _ + -, each part starting with a letter, a digit or _",
        )
    path = PurePosixPath(text)
    if path.suffix == ".dvc" or path.name in ("dvc.yaml", "dvc.lock"):
        raise refusal(f"{path.name} is the name of a file of DVC", "Next: give another path.")
    return path


def _name(text: str) -> str:
    if not re.fullmatch("[a-z0-9][a-z0-9_]*", text) or documents.data(text) != text:
        raise refusal(
            f"{text!r} cannot be a name",
            "a name has lower-case letters, digits and _, and is not a number or a word of yaml",
            "Next: give another one with --name.",
        )
    return text


def render(root: Path, entry: Entry) -> dict[str, str]:
    """Return what each file says with the entry, by file name; the lock is not among them."""
    checkpoints, stages = (transaction.read(root, name) for name in EDITED)
    document = documents.data(stages)
    if entry.member:
        last = [name for name in document["stages"] if name.startswith("unpack_")][-1:]
        stages = yaml_lines.add(stages, "stages", {entry.stage: _stage(entry)}, after="".join(last))
    artifact = _artifact(entry, document.get("artifacts", {}))
    section = "archives" if entry.member else "checkpoints"
    return {
        f"sources/{entry.name}.dvc": _source(entry),
        "params.yaml": yaml_lines.add(checkpoints, section, {entry.name: _params(entry)}),
        "dvc.yaml": yaml_lines.add(stages, "artifacts", {entry.artifact: artifact}),
    }


def _source(entry: Entry) -> str:
    """Return the import-url file that `dvc import-url --no-exec` writes for this address."""
    dep, out = {"hash": "md5", "path": entry.url}, {"hash": "md5", "path": entry.name}
    return documents.dumped({"frozen": True, "deps": [dep], "outs": [out]})


def _params(entry: Entry) -> dict[str, Any]:
    sha256 = {"sha256": DoubleQuotedScalarString(entry.sha256)} if entry.sha256 else {}
    file = {"path": entry.path, **sha256}
    return {"members": [{"member": entry.member, **file}]} if entry.member else file


def _stage(entry: Entry) -> dict[str, Any]:
    return {
        "desc": f"{_title(entry)}, out of its archive",
        "cmd": f"python -m scripts.fetch {entry.name}",
        "params": [f"archives.{entry.name}"],
        "outs": [{entry.path: {"persist": True}}],
    }


def _artifact(entry: Entry, artifacts: dict[str, Any]) -> dict[str, Any]:
    """Return the artifact of the file: licence and source are its family's, if that has one."""
    family = [each["meta"] for each in artifacts.values() if entry.family in each.get("labels", [])]
    meta = dict(family[0]) if family and all(other == family[0] for other in family) else {}
    if entry.license:
        meta.pop("license_note", None)
        meta["license"] = entry.license
    meta = {"license": UNKNOWN, "source": addresses.repository(entry.url)} | meta
    words = {"path": entry.path, "type": "model", "desc": _title(entry)}
    return {**words, "labels": [entry.family], "meta": meta}


def _title(entry: Entry) -> str:
    return entry.desc or PurePosixPath(entry.path).stem
