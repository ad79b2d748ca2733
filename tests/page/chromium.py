"""A headless Chromium, driven through the pipe that it opens for DevTools: no port, no driver.

The protocol is JSON, one message a NUL byte: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
PATIENCE = 60  # seconds without an answer; two cores may be busy with other tests
_WORDS = (
    "--headless",
    "--no-sandbox",  # root has none; the only pages are the tests' own
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # nothing leaves this machine
    "--remote-debugging-pipe",
)
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36}
_KEYS |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
_TYPED = {"Enter": "\r", " ": " "}
_SHIFT = 8


class PageError(AssertionError):
    """What the browser refused, or what a script threw."""


def find() -> str | None:
    """Return the path of the first Chromium on PATH, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Chromium:
    """A running browser; a context manager that ends it. `profile` is an empty folder."""

    def __init__(self, program: str, profile: Path) -> None:
        """Start the program, which reads commands on descriptor 3 and answers on 4."""
        self._sent, self._rest = 0, b""
        self._events: dict[str, list[dict[str, Any]]] = defaultdict(list)
        theirs_in, self._commands = os.pipe()
        self._answers, theirs_out = os.pipe()
        # A shell moves the pipes to 3 and 4: `preexec_fn` is unsafe beside threads.
        moved = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        words = ["bash", "-c", moved, "-", program, *_WORDS, f"--user-data-dir={profile}"]
        with (profile / "stderr").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the tests' own words
                words, pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the browser and its children, which end when the pipe does."""
        os.close(self._commands)
        os.close(self._answers)
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def call(self, method: str, session: str = "", **params: Any) -> dict[str, Any]:  # noqa: ANN401
        """Carry out a command, in a page's session or the browser's; return its result."""
        self._sent += 1
        asked = {"id": self._sent, "method": method, "params": params}
        asked |= {"sessionId": session} if session else {}
        self._write(json.dumps(asked).encode() + b"\0")
        while (told := self._read()).get("id") != self._sent:
            self._keep(told)
        if "error" in told:
            raise PageError(f"{method}: {told['error']}")
        return dict(told["result"])

    def events(self, session: str) -> list[dict[str, Any]]:
        """Return what a page's session has told so far, in order."""
        return self._events[session]

    def wait(self, session: str, event: str) -> None:
        """Read what the browser tells until a page's session has told of an event."""
        told = self._events[session]
        while not any(each.get("method") == event for each in told):
            self._keep(self._read())

    def tab(self) -> Tab:
        """Open an empty page that shares nothing with another one but the clipboard."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        words = {"url": "about:blank", "browserContextId": context}
        target = self.call("Target.createTarget", **words)["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        return Tab(self, context, attached["sessionId"])

    def _keep(self, told: dict[str, Any]) -> None:
        self._events[told.get("sessionId", "")].append(told)

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._commands, data) :]

    def _read(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._answers], [], [], max(0, until - time.monotonic()))
            read = os.read(self._answers, 1 << 20) if ready else b""
            if not read:
                raise PageError(f"Chromium is {'silent' if not ready else 'gone'}")
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))


@dataclass(frozen=True)
class Tab:
    """One page, and all that it does from its first byte on."""

    browser: Chromium
    context: str
    session: str

    def __post_init__(self) -> None:
        """Listen before anything is loaded, and let scripts use the clipboard."""
        for domain in ("Page", "Runtime", "Log", "Network", "DOM"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        allowed = ["clipboardReadWrite", "clipboardSanitizedWrite"]
        words: dict[str, Any] = {"permissions": allowed, "browserContextId": self.context}
        self.browser.call("Browser.grantPermissions", **words)

    def call(self, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401
        """Carry out a command of the protocol in this page."""
        return self.browser.call(method, self.session, **params)

    def show(self, width: int = 1280, *, dark: bool = False, media: str = "screen") -> None:
        """Give the page a width in CSS pixels, a colour scheme and a medium; touch a narrow one."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setTouchEmulationEnabled", enabled=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme, still])

    def open(self, path: Path, fragment: str = "") -> None:
        """Load a file and wait until all of it has run."""
        self._load("about:blank")  # else a fragment alone loads nothing
        self._load(path.as_uri() + fragment)

    def _load(self, url: str) -> None:
        self.browser.events(self.session).clear()
        if failed := self.call("Page.navigate", url=url).get("errorText"):
            raise PageError(f"{url}: {failed}")
        self.browser.wait(self.session, "Page.loadEventFired")

    def run(self, script: str) -> Any:  # noqa: ANN401 - a value of JSON
        """Return the value of a script, awaited; raise PageError for what it throws."""
        words = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        done = self.call("Runtime.evaluate", expression=script, **words)
        if "exceptionDetails" in done:
            told = done["exceptionDetails"]
            raise PageError(told.get("exception", {}).get("description", told["text"]))
        return done["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until the value of a script is true; raise PageError if it is not in ten seconds."""
        self.run(f"""(async () => {{
            for (const end = Date.now() + 10000; !({script});) {{
                if (Date.now() > end) throw Error("it never came true");
                await new Promise(done => setTimeout(done, 10));
            }}
        }})()""")

    def press(self, *keys: str, shift: bool = False) -> None:
        """Press keys, one after the other: Tab, Enter, ArrowLeft, or a character."""
        for key in keys:
            typed = _TYPED.get(key, key if len(key) == 1 else "")
            words = {"key": key, "windowsVirtualKeyCode": _KEYS.get(key, 0)}
            words |= {"modifiers": _SHIFT * shift, "code": "Space" if key == " " else key}
            kind = "keyDown" if typed else "rawKeyDown"
            self.call("Input.dispatchKeyEvent", type=kind, text=typed, **words)
            self.call("Input.dispatchKeyEvent", type="keyUp", **words)

    def click(self, selector: str) -> None:
        """Click in the middle of an element with the mouse, where a person would find it."""
        at = self._middle(selector)
        for kind in ("mousePressed", "mouseReleased"):
            words = {"button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, **at, **words)

    def touch(self, selector: str) -> None:
        """Tap the middle of an element with a finger."""
        self.call(
            "Input.dispatchTouchEvent", type="touchStart", touchPoints=[self._middle(selector)]
        )
        self.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def picture(self, path: Path) -> None:
        """Write a PNG of the whole page, from top to bottom."""
        taken = self.call(
            "Page.captureScreenshot", captureBeyondViewport=True, optimizeForSpeed=True
        )
        path.write_bytes(base64.b64decode(taken["data"]))

    def pdf(self) -> bytes:
        """Return the page as a printer would get it."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])

    @property
    def clipboard(self) -> str:
        """The text on the clipboard."""
        return str(self.run("navigator.clipboard.readText()"))

    @property
    def complaints(self) -> list[str]:
        """What the console shows as an error or a warning, exceptions included."""
        return [said for event in self._told() if (said := _complaint(event))]

    @property
    def requests(self) -> list[str]:
        """The addresses that the page has asked for; what stands in the page itself is none."""
        sent = [e["params"] for e in self._told() if e["method"] == "Network.requestWillBeSent"]
        return [url for each in sent if not (url := each["request"]["url"]).startswith("data:")]

    @property
    def dialogs(self) -> list[str]:
        """The messages that scripts put before the person."""
        told = [e for e in self._told() if e["method"] == "Page.javascriptDialogOpening"]
        return [event["params"]["message"] for event in told]

    def _told(self) -> list[dict[str, Any]]:
        self.call("Runtime.evaluate", expression="0")  # what came before has arrived with it
        return self.browser.events(self.session)

    def _middle(self, selector: str) -> dict[str, float]:
        """Return the middle of the part of an element that is seen; it must be on top there."""
        found = self.run(_MIDDLE % json.dumps(selector))
        if not found:
            raise PageError(f"{selector}: not to be seen, or below something else")
        return dict(found)


_MIDDLE = """(() => {
  const one = document.querySelector(%s);
  if (!one) return null;
  one.scrollIntoView({block: "center", inline: "center"});
  const box = one.getBoundingClientRect();
  const at = {x: box.x + box.width / 2, y: box.y + box.height / 2};
  const top = document.elementFromPoint(at.x, at.y);
  return one.contains(top) || top?.contains(one) && top.closest("label") ? at : null;
})()"""


def _complaint(event: dict[str, Any]) -> str:
    told = event.get("params", {})
    if event["method"] == "Runtime.exceptionThrown":
        details = told["exceptionDetails"]
        return str(details.get("exception", {}).get("description", details["text"]))
    if event["method"] == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
        return " ".join(str(each.get("value", each.get("description"))) for each in told["args"])
    if event["method"] == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
        return str(told["entry"]["text"])
    return ""
