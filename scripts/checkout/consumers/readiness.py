"""Which configurations of params.yaml find their files, and what the others lack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts.checkout import state

if TYPE_CHECKING:
    from scripts.checkout.clone import Clone
    from scripts.checkout.consumers.link import Linked
    from scripts.checkout.state import Total


@dataclass(frozen=True)
class Readiness:
    """What a configuration lacks, by paths: files to fetch and their size, and wrong files."""

    name: str
    missing: tuple[str, ...]
    wrong: tuple[str, ...]
    size: Total

    @property
    def is_ready(self) -> bool:
        """Tell whether every path that it loads is the pinned file."""
        return not self.missing and not self.wrong


def check(clone: Clone, linked: Linked) -> list[Readiness]:
    """Return the state of each configuration in a consumer that was linked."""
    states = {each.path: each for each in state.read(clone, clone.catalogue.published.values())}
    return [
        Readiness(
            name,
            missing := tuple(p for p in paths if p not in linked.right and p not in linked.wrong),
            tuple(path for path in paths if path in linked.wrong),
            state.total(states[path] for path in missing),
        )
        for name, paths in clone.catalogue.configurations.items()
    ]
