"""What the files of the catalogue say with new entries: every document is edited once for all."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from scripts.catalogue import documents
from scripts.catalogue.names import Names
from scripts.catalogue.params import TREE
from scripts.curation import transaction, yaml_lines
from scripts.curation.entry import slug
from scripts.download import addresses

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from scripts.curation.entry import Entry, File

EDITED = ("params.yaml", "dvc.yaml")  # by add and by remove
UNKNOWN = "NOASSERTION"  # SPDX's word for a licence that is not stated


def render(root: Path, entries: Sequence[Entry]) -> dict[str, str]:
    """Return what params.yaml and dvc.yaml say with the entries; raise CheckpointError."""
    checkpoints, stages = (transaction.read(root, name) for name in EDITED)
    document = documents.parsed(stages, "dvc.yaml")
    packed = {f"unpack_{each.name}": _stage(each) for each in entries if each.archive}
    last = [name for name in document["stages"] if name.startswith("unpack_")][-1:]
    stages = _added(stages, "stages", packed, after="".join(last) or "fetch")
    known = document.get("artifacts") or {}
    described = {
        name: _artifact(file, entry.url, known.values())
        for name, file, entry in artifacts(known, entries)
    }
    return {
        "params.yaml": _params(checkpoints, entries),
        "dvc.yaml": _added(stages, "artifacts", described),
    }


def source(entry: Entry) -> str:
    """Return the import-url file that `dvc import-url --no-exec` writes for this address."""
    dep, out = {"hash": "md5", "path": entry.url}, {"hash": "md5", "path": entry.name}
    document: dict[str, Any] = {"frozen": True, "deps": [dep], "outs": [out]}
    copies = [{"member": m, "url": url} if m else url for url, m in entry.mirrors]
    return documents.dumped(document | ({"meta": {"mirrors": copies}} if copies else {}))


def artifacts(known: Iterable[str], entries: Iterable[Entry]) -> list[tuple[str, File, Entry]]:
    """Return each file with its name in artifacts:, where names have hyphens.

    One of several files of an archive gets the first of three names that is not `known`.
    """
    taken, found = set(known), []
    for entry in entries:
        own = _hyphened(entry.name)
        for file in entry.files:
            stem = _hyphened(slug(PurePosixPath(file.path).stem))
            path = _hyphened(slug(file.path.removeprefix(f"{TREE}/")))
            names = (stem, f"{own}-{stem}", path) if len(entry.files) > 1 else (own,)
            name = next((name for name in names if name not in taken), names[-1])
            if len(entry.files) > 1:
                taken.add(name)
            found.append((name, file, entry))
    return found


def _hyphened(name: str) -> str:
    return name.replace("_", "-").strip("-")


def _added(text: str, section: str, entries: Mapping[str, Any], *, after: str = "") -> str:
    """Return a document with entries in a section, which may be missing so far."""
    if not entries:
        return text
    if not isinstance(document := documents.parsed(text, section), dict) or section not in document:
        text = f"{text.rstrip()}\n\n{section}: {{}}\n".lstrip()
    return yaml_lines.add(text, section, entries, after=after)


def _params(text: str, entries: Sequence[Entry]) -> str:
    """Return params.yaml with the entries, and with their files in the sets that were named."""
    plain = {each.name: _file(each.files[0]) for each in entries if not each.archive}
    packed = {each.name: _archive(each) for each in entries if each.archive}
    text = _added(_added(text, "checkpoints", plain), "archives", packed)
    document = documents.parsed(text, "params.yaml")
    chosen, known = _sets(entries, _names(document)), document.get("sets") or {}
    for name in chosen.keys() & known.keys():
        text = yaml_lines.extend(text, "sets", name, chosen[name])
    return _added(text, "sets", {name: chosen[name] for name in chosen if name not in known})


def _sets(entries: Iterable[Entry], names: Names) -> dict[str, list[str]]:
    """Return what each set that an entry names gets: its name, or its path if others match it."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        for file in entry.files:
            unique = names.matching(entry.name) == (file.path,)
            for name in file.sets:
                found.setdefault(name, []).append(entry.name if unique else file.path)
    return found


def _names(document: dict[str, Any]) -> Names:
    """Return what the files of a params.yaml are called."""
    plain = {file["path"]: name for name, file in (document.get("checkpoints") or {}).items()}
    packed = (document.get("archives") or {}).items()
    members = {file["path"]: name for name, entry in packed for file in entry["members"]}
    return Names(plain | members)


def _file(file: File) -> dict[str, Any]:
    sha256 = {"sha256": DoubleQuotedScalarString(file.sha256)} if file.sha256 else {}
    return {"path": file.path, **sha256}


def _archive(entry: Entry) -> dict[str, Any]:
    return {"members": [{"member": file.member, **_file(file)} for file in entry.files]}


def _stage(entry: Entry) -> dict[str, Any]:
    first, *others = entry.files
    what = f"{first.title}, out of its archive"
    if others:
        what = f"{len(entry.files)} files out of one archive"
    return {
        "desc": what,
        "cmd": f"python -m scripts.fetch {entry.name}",
        "params": [f"archives.{entry.name}"],
        "outs": [{file.path: {"persist": True}} for file in entry.files],
    }


def _artifact(file: File, url: str, known: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the artifact of a file: licence and source are its family's, if that has one."""
    family = [each["meta"] for each in known if file.family in each.get("labels", [])]
    meta = dict(family[0]) if family and all(other == family[0] for other in family) else {}
    if file.license:
        meta.pop("license_note", None)
        meta["license"] = file.license
    meta = {"license": UNKNOWN, "source": addresses.repository(url)} | meta
    words = {"path": file.path, "type": "model", "desc": file.title}
    return {**words, "labels": [file.family], "meta": meta}
