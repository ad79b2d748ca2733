"""Rebuild TAPNet's checkpoint without optimizer state from the one that has it."""

from __future__ import annotations

import os
from itertools import islice
from typing import TYPE_CHECKING, Any

from paper.tapnet import ndarrays
from paper.tapnet.ndarrays import Array
from scripts.checkout.leftovers import drop_begun, key
from scripts.checkout.local import reuse_local
from scripts.checkout.workspace import Origin, as_pin, place, quarantine
from scripts.console.errors import CheckpointError, DiskError, PickleError
from scripts.files import digests
from scripts.files.disk import disk_errors, is_file, replace, special

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.catalogue.params import Checkpoint
    from scripts.catalogue.pins import Pin
    from scripts.checkout.clone import Clone
    from scripts.checkout.workspace import Outcome
    from scripts.files.digests import Digest

INPUT = "tapnet_checkpoint"
OUTPUT = "tapnet_checkpoint_wo_optstate"
KEPT = ("params", "state")
_LARGEST = 1 << 30  # bytes; the real file has about 32 million, and is read as a whole
_MOST = 100_000  # leaves to compare; the real file has some hundreds
_SCREEN = 20  # lines


def rebuild(clone: Clone, source: Path | None, output: Path | None) -> Outcome | str:
    """Rebuild the file in its place, or as a new file `output`; return what to tell the user.

    Raises CheckpointError if the result is not the pinned file and `output` is not given.
    """
    (theirs,) = clone.catalogue.find([INPUT])[0].files
    (file,) = clone.catalogue.find([OUTPUT])[0].files
    data = _clean_file(source or clone.root / theirs.path)
    if output and output.absolute() != clone.root / file.path:
        return _write(output, data, clone.pin(file))
    return _install(clone, file, data)


def clean(data: bytes) -> bytes:
    """Return an npy file with `params` and `state` of `data` alone; raise PickleError."""
    content, reader = ndarrays.load(data), ndarrays.Reader()
    if missing := [key for key in KEPT if key not in content]:
        raise PickleError(f"it has no {' and no '.join(missing)}")
    return ndarrays.dump({key: reader.value(content[key], key) for key in KEPT})


def differences(ours: bytes, pinned: bytes) -> list[str]:
    """Return a line for every leaf that differs between two files; raise PickleError."""
    one, other = _leaves(ours), _leaves(pinned)
    lines = [f"only in the pinned file   {path}" for path in other.keys() - one.keys()]
    lines += [f"only in the rebuilt file  {path}" for path in one.keys() - other.keys()]
    both = one.keys() & other.keys()
    lines += [f"different in value        {path}" for path in both if one[path] != other[path]]
    return sorted(lines)


def _leaves(data: bytes) -> dict[str, Any]:
    content, reader = ndarrays.load(data), ndarrays.Reader()
    found = ndarrays.leaves({key: reader.value(item, str(key)) for key, item in content.items()})
    leaves = {path: _comparable(value) for path, value in islice(found, _MOST)}
    if next(found, None):
        raise PickleError(f"more than {_MOST:,} leaves")
    return leaves


def _comparable(value: Any) -> Any:  # noqa: ANN401 - any leaf
    if isinstance(value, Array):
        return value.dtype.code, value.dtype.order, value.shape, value.fortran, value.data
    return repr(value)  # nan equals nan, and 1 is not True


def _clean_file(path: Path) -> bytes:
    if not is_file(path):
        with disk_errors(path):
            what = special(path)
        step = "Next: move it away." if what else f"Next: ./checkpoints dvc repro fetch@{INPUT}"
        raise CheckpointError(f"{path} is {what or 'missing'}", step)
    try:
        with disk_errors(path):
            if path.stat().st_size > _LARGEST:
                raise PickleError(f"larger than {_LARGEST:,} bytes")  # noqa: TRY301 - shown alike
            return clean(path.read_bytes())
    except PickleError as error:
        unchanged = "None of its code was run, and nothing was written."
        raise PickleError(f"{path}: {error.what}", unchanged) from error


def _install(clone: Clone, file: Checkpoint, data: bytes) -> Outcome:
    """Put the file in its place if it is the pinned one; otherwise raise CheckpointError."""
    pin = clone.pin(file)
    (entry,) = clone.catalogue.find([OUTPUT])
    with clone.alone(key(clone, entry), name=entry.name):
        made = clone.cache.temporary / f"{key(clone, entry)}.rebuilt"
        with disk_errors(made):
            made.write_bytes(data)
            digest = digests.of_file(made)
        if not pin or not pin.matches(digest):
            raise _mismatch(clone, file, digest, quarantine(clone.root, made, file.path))
        clone.cache.add(made, digest.md5)
        drop_begun(clone, entry, key(clone, entry))
        if _matches(clone.root / file.path, pin) and (kept := reuse_local(clone, file)):
            return kept
        return place(clone, file, as_pin(digest), Origin.REBUILT)


def _matches(path: Path, pin: Pin) -> bool:
    with disk_errors(path):
        return path.is_file() and pin.matches(digests.of_file(path))


def _mismatch(clone: Clone, file: Checkpoint, digest: Digest, aside: Path) -> CheckpointError:
    """Return the error that shows how the rebuilt file differs, and the user's next step."""
    pin, name = clone.pin(file), aside.relative_to(clone.root)
    return CheckpointError(
        f"{OUTPUT}: the rebuilt file is not the pinned one",
        f"pinned   md5 {pin.md5 if pin else None}   (dvc.lock)",
        f"rebuilt  md5 {digest.md5}   {digest.size:,} bytes",
        *_comparison(clone, file, aside),
        f"The rebuilt file is {name}; models/ and the cache are as they were.",
        "Next: to accept it nevertheless, run",
        f"`./checkpoints repin {OUTPUT} --from {name}`.",
    )


def _comparison(clone: Clone, file: Checkpoint, aside: Path) -> list[str]:
    pin, path = clone.pin(file), clone.root / file.path
    if pin and not _matches(path, pin):
        path = clone.cache.object(str(pin.md5))  # without an md5 there is none
    if not pin or not path.exists():
        return ["The pinned file is not on this disk, so the two were not compared."]
    try:
        lines = differences(aside.read_bytes(), path.read_bytes())
    except PickleError as error:
        return [f"The two could not be compared: {error.what}"]
    if not lines:
        return ["Both have the same arrays, bit for bit; only the form of their pickles differs."]
    more = [f"and {len(lines) - _SCREEN} more"] if len(lines) > _SCREEN else []
    return [f"{len(lines)} leaves differ:", *lines[:_SCREEN], *more]


def _write(output: Path, data: bytes, pin: Pin | None) -> str:
    """Write a new file; return a line that says whether it is the pinned one."""
    if os.path.lexists(output):
        raise DiskError(f"{output} exists already", "Next: move it away.")
    replace(output, data)
    with disk_errors(output):
        digest = digests.of_file(output)
    same = "the pinned file" if pin and pin.matches(digest) else "not the pinned file"
    return f"{output}  {same}: md5 {digest.md5}, {digest.size:,} bytes"
