"""Which request meets which fault."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.world.faults import Fault

if TYPE_CHECKING:
    from tests.world.records import Request
    from tests.world.reply import Reply


@dataclass
class Rule:
    """Faults for the requests that match a pattern, and how many they met so far."""

    pattern: str
    faults: tuple[Fault, ...]
    times: int | None
    met: int = 0

    def next(self) -> Fault | None:
        """Return the fault of the next matching request, None when the rule is used up."""
        if self.times is not None and self.met >= self.times:
            return None
        self.met += 1
        return self.faults[min(self.met, len(self.faults)) - 1]


class Script:
    """The rules in force; every rule that matches a request applies, the oldest first."""

    def __init__(self) -> None:
        """Start with normal service."""
        self._lock = threading.Lock()
        self._rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        """Append a rule."""
        with self._lock:
            self._rules.append(rule)

    def clear(self) -> None:
        """Return to normal service."""
        with self._lock:
            self._rules.clear()

    def fault(self, request: Request) -> Fault:
        """Return what the rules do to the reply, all in one; each has met the request by then."""
        with self._lock:
            faults = [rule.next() for rule in self._rules if request.matches(rule.pattern)]
        whole = Fault.none()
        for fault in filter(None, faults):
            whole |= fault
        return whole

    def apply(self, request: Request, reply: Reply) -> Reply:
        """Return the reply as the rules change it."""
        return self.fault(request).change(request, reply)
