"""Google Drive: the share page, the redirect, the page that asks to confirm, the file."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from tests.world.reply import Reply, page, redirect
from tests.world.stored import stored

if TYPE_CHECKING:
    from tests.world.records import Request
    from tests.world.shelf import Item, Shelf

CONTENT_HOST = "drive.usercontent.google.com"


def answer(_: Shelf, request: Request, item: Item | None) -> Reply:
    """Answer as Drive does; an item of kind "drive-direct" needs no confirming."""
    if request.host == "accounts.google.com":
        return page("Sign in - Google Accounts")
    if item is None:
        return page("Error 404 (Not Found)!!1", status=404)
    if request.path.startswith("/file/d/"):
        return page(f"{item.name} - Google Drive")
    if request.host != CONTENT_HOST:
        identity = request.query["id"]
        return redirect(f"https://{CONTENT_HOST}/download?id={identity}&export=download", 303)
    if item.kind == "drive-direct" or request.query.get("confirm"):
        reply = stored(item, f'"{item.sha256[:32]}"')
        return reply.having(Content_Disposition=f'attachment; filename="{item.name}"')
    return _confirm(request.query["id"], item)


def _confirm(identity: str, item: Item) -> Reply:
    """Return the page that stands before a large file; the form is on one line, as Drive's is."""
    hidden = {"id": identity, "export": "download", "confirm": "t", "uuid": str(uuid.uuid4())}
    inputs = "".join(
        f'<input type="hidden" name="{name}" value="{value}">' for name, value in hidden.items()
    )
    text = (
        '<p class="uc-warning-caption">Google Drive can\'t scan this file for viruses.</p>\n'
        f'<p class="uc-warning-subcaption"><a href="/open?id={identity}">{item.name}</a> '
        f"({len(item.data)}) is too large for Google to scan for viruses.</p>\n"
        f'<form id="download-form" action="https://{CONTENT_HOST}/download" method="get">'
        f'<input type="submit" value="Download anyway"/>{inputs}</form>\n'
    )
    return page("Google Drive - Virus scan warning", text)
