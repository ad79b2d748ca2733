"""Make checkpoint_wo_optstate.npy from checkpoint.npy: `params` and `state`, and nothing else.

Needs neither tapnet, haiku, optax, jax, tensorflow nor numpy, and runs nothing of the pickle. The
arrays keep their bytes; the form is NumPy 1's, in which the published file was written. For the
time that Google Drive, its only publisher, has no quota left.

Without names it reads and makes the files of the catalogue. The result takes its place under
models/ only if its hash is the pin's. If it is not, it is put aside and compared with the pinned
file, if that is at hand.
"""

from __future__ import annotations

import argparse
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from scripts.checkout.clone import Clone
from scripts.checkout.outcome import Origin, report
from scripts.checkout.workspace import as_pin, place, quarantine, reuse_local
from scripts.console.command import command
from scripts.console.errors import CheckpointError, DiskError, PickleError
from scripts.console.progress import say
from scripts.files import digests
from scripts.files.disk import disk_errors, is_file
from scripts.pickles import ndarrays
from scripts.pickles.ndarrays import Array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.catalogue.params import Checkpoint
    from scripts.catalogue.pins import Pin
    from scripts.checkout.outcome import Outcome
    from scripts.files.digests import Digest

INPUT = "tapnet_checkpoint"
OUTPUT = "tapnet_checkpoint_wo_optstate"
KEPT = ("params", "state")
_LARGEST = 1 << 30  # bytes; the real file has some 32 million, and is read as a whole
_MOST = 100_000  # leaves that are compared; the real file has some hundred


def clean(data: bytes) -> bytes:
    """Return the npy file with `params` and `state` of this one alone; raise PickleError."""
    held, reader = ndarrays.load(data), ndarrays.Reader()
    if missing := [key for key in KEPT if key not in held]:
        raise PickleError(f"it has no {' and no '.join(missing)}")
    return ndarrays.dump({key: reader.value(held[key], key) for key in KEPT})


def differences(ours: bytes, pinned: bytes) -> list[str]:
    """Return a line for every leaf that is not the same in both files; raise PickleError."""
    one, other = _leaves(ours), _leaves(pinned)
    lines = [f"only in the pinned file   {path}" for path in other.keys() - one.keys()]
    lines += [f"only in the rebuilt file  {path}" for path in one.keys() - other.keys()]
    both = one.keys() & other.keys()
    lines += [f"different in value        {path}" for path in both if one[path] != other[path]]
    return sorted(lines)


def _leaves(data: bytes) -> dict[str, Any]:
    held, reader = ndarrays.load(data), ndarrays.Reader()
    found = ndarrays.leaves({key: reader.value(item, str(key)) for key, item in held.items()})
    told = {path: _comparable(value) for path, value in islice(found, _MOST)}
    if next(found, None):
        raise PickleError(f"more than {_MOST:,} leaves")
    return told


def _comparable(value: Any) -> Any:  # noqa: ANN401 - any leaf
    if isinstance(value, Array):
        return value.dtype.code, value.dtype.order, value.shape, value.fortran, value.data
    return repr(value)  # nan is nan, and 1 is not True


def _settle(clone: Clone, file: Checkpoint, data: bytes) -> None:
    """Give the file its place if it is the pinned one; else raise CheckpointError."""
    pin = clone.pin(file)
    with clone.alone(str(pin.md5) if pin else OUTPUT):  # as fetch does, which makes the same file
        made = clone.cache.temporary / f"{OUTPUT}.rebuilt"
        with disk_errors(made):
            made.write_bytes(data)
            digest = digests.of_file(made)
        if not pin or not pin.matches(digest):
            raise _unlike(clone, file, digest, quarantine(clone.root, made, file.path))
        clone.cache.add(made, digest.md5)
        report(_kept(clone, file, pin) or place(clone, file, as_pin(digest), Origin.REBUILT))


def _kept(clone: Clone, file: Checkpoint, pin: Pin) -> Outcome | None:
    path = clone.root / file.path
    return reuse_local(clone, file) if path.is_file() and _is_pinned(path, pin) else None


def _is_pinned(path: Path, pin: Pin) -> bool:
    with disk_errors(path):
        return pin.matches(digests.of_file(path))


def _unlike(clone: Clone, file: Checkpoint, digest: Digest, aside: Path) -> CheckpointError:
    """Return the error that tells how the rebuilt file differs, and who decides."""
    pin, name = clone.pin(file), aside.relative_to(clone.root)
    return CheckpointError(
        f"{OUTPUT}: the rebuilt file is not the pinned one",
        f"pinned   md5 {pin.md5 if pin else None}   (dvc.lock)",
        f"rebuilt  md5 {digest.md5}   {digest.size:,} bytes",
        *_comparison(clone, file, aside),
        f"The rebuilt file is {name}; models/ and the cache are as they were.",
        "Next: to take it all the same, decide with",
        f"`python -m scripts.repin {OUTPUT} --from {name}`.",
    )


def _comparison(clone: Clone, file: Checkpoint, aside: Path) -> list[str]:
    pin, path = clone.pin(file), clone.root / file.path
    if pin and not (path.is_file() and _is_pinned(path, pin)):
        path = clone.cache.object(str(pin.md5))
    if not pin or not path.exists():
        return ["The pinned file is not here, so the two could not be compared."]
    try:
        lines = differences(aside.read_bytes(), path.read_bytes())
    except PickleError as error:
        return [f"The two could not be compared: {error.what}"]
    if not lines:
        return ["Both hold the same arrays, bit for bit; only their pickles are written otherwise."]
    more = [f"and {len(lines) - 20} more"] if len(lines) > 20 else []  # noqa: PLR2004 - a screen
    return [f"{len(lines)} leaves are not the same:", *lines[:20], *more]


def _write(output: Path, data: bytes, file: Checkpoint, clone: Clone) -> None:
    """Write where the user said, over nothing, and tell whether it is the pinned file."""
    with disk_errors(output):
        try:
            with output.open("xb") as target:
                _fill(target, data)
        except FileExistsError as error:
            raise DiskError(f"{output} is there already", "Next: move it away.") from error
        digest, pin = digests.of_file(output), clone.pin(file)
    same = "the pinned file" if pin and pin.matches(digest) else "not the pinned file"
    say(f"{output}  {same}: md5 {digest.md5}, {digest.size:,} bytes")


def _fill(target: BinaryIO, data: bytes) -> None:
    try:
        target.write(data)
        target.flush()
    except BaseException:
        Path(target.name).unlink()  # half a file would pass for a whole one
        raise


def _cleaned(path: Path) -> bytes:
    if not is_file(path):
        raise CheckpointError(f"{path} is not here", f"Next: dvc repro fetch@{INPUT}")
    try:
        with disk_errors(path):
            if path.stat().st_size > _LARGEST:
                raise PickleError(f"larger than {_LARGEST:,} bytes")  # noqa: TRY301 - told as others
            return clean(path.read_bytes())
    except PickleError as error:
        untouched = "Nothing of it was run, and nothing was written."
        raise PickleError(f"{path}: {error.what}", untouched) from error


@command
def main(argv: Sequence[str] | None) -> None:
    """Read the one file and make the other."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.clean_tapnet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="INPUT", nargs="?", type=Path, help="checkpoint.npy")
    parser.add_argument("output", metavar="OUTPUT", nargs="?", type=Path, help="a new file")
    given = parser.parse_args(argv)
    clone = Clone.at(Path.cwd())
    (source,) = clone.catalogue.find([INPUT])[0].files
    (file,) = clone.catalogue.find([OUTPUT])[0].files
    path = given.input or clone.root / source.path
    data = _cleaned(path)
    if given.output and given.output.absolute() != clone.root / file.path:
        _write(given.output, data, file, clone)
    else:
        _settle(clone, file, data)


if __name__ == "__main__":
    sys.exit(main())
