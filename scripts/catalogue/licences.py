"""What is known of licences that weights are published under."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Terms:
    """What a licence is and allows.

    `spdx`: SPDX lists its identifier. `shareable`: it was read, and lets anybody redistribute the
    file. `restricted`: not everybody may use the file.
    """

    spdx: bool = True
    shareable: bool = False
    restricted: bool = False


_OTHERS = (
    "AGPL-3.0-only", "AGPL-3.0-or-later", "BSD-2-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0",
    "GPL-2.0-only", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-3.0-only", "MPL-2.0",
    "Unlicense",
)  # fmt: skip
TERMS = {
    **dict.fromkeys(_OTHERS, Terms()),
    **dict.fromkeys(("Apache-2.0", "BSD-3-Clause", "MIT"), Terms(shareable=True)),
    **dict.fromkeys(("CC-BY-NC-ND-4.0", "CC-BY-NC-SA-4.0"), Terms(restricted=True)),
    "CC-BY-NC-4.0": Terms(shareable=True, restricted=True),
    "LicenseRef-MagicLeap-noncommercial-research": Terms(spdx=False, restricted=True),
}
_UNKNOWN = Terms(spdx=False)


def is_shareable(licence: str | None) -> bool:
    """Tell whether anybody may redistribute a file under this licence; an unknown one: no."""
    return TERMS.get(licence or "", _UNKNOWN).shareable


def is_restricted(licence: str | None, note: str) -> bool:
    """Tell whether a licence, or the note beside it, keeps anybody from using a file."""
    return TERMS.get(licence or "", _UNKNOWN).restricted or "non-commercial" in note


def as_cyclonedx(licence: str) -> dict[str, Any]:
    """Return a licence as CycloneDX states it: SPDX's identifier or expression, or else a name."""
    if TERMS.get(licence, _UNKNOWN).spdx:
        return {"license": {"id": licence}}
    parts = re.split(" (?:AND|OR) ", licence)
    if len(parts) > 1 and all(TERMS.get(part, _UNKNOWN).spdx for part in parts):
        return {"expression": licence}
    return {"license": {"name": licence}}
