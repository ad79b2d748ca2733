"""docs/files.md: what it lists is what the catalogue has."""

from __future__ import annotations

import re
from fnmatch import fnmatch

from paper.tests.guide import HOLDS, of_its_files
from scripts.catalogue import sources
from scripts.catalogue.selection import select
from scripts.checkout import state
from scripts.checkout.clone import Clone
from tests import pages
from tests.pages import rows
from tests.world.clones import REPOSITORY

pytestmark = of_its_files
FILES = pages.text("docs/files.md")


def test_every_family_has_a_row_with_its_files_and_size() -> None:
    """`~` marks a size with an estimate in it; publishers are the hosts of the sources."""
    here, found = Clone.checked(REPOSITORY), []
    for _, word, count, size, _, publisher in rows(FILES):
        entries = select(here.catalogue, [word.strip("`")]).entries
        read = state.read(here, entries)
        found += [file.path for file in read]
        number, unit = size.strip("~").split()
        digits = len(number.partition(".")[2])
        total = sum(file.size or 0 for file in read) / {"GB": 1e9, "MB": 1e6}[unit]
        assert (int(count), number) == (len(read), f"{total:.{digits}f}"), word
        assert size.startswith("~") == any(file.estimated for file in read), word
        for entry in entries:
            url = sources.read(REPOSITORY / "sources", entry.name).url
            assert any(host.strip() in url for host in publisher.split(",")), entry.name
    assert sorted(found) == sorted(HOLDS.files)


def test_the_page_says_which_files_have_one_address() -> None:
    """When that fails, nobody else is asked: whoever needs the file keeps a copy."""
    (line,) = re.findall(r"- (`.*) have one address only", FILES)
    said = re.findall(r"`([^`]+)`", line)
    read = [sources.read(REPOSITORY / "sources", name) for name in HOLDS.published]

    single = {source.name for source in read if not source.mirrors}

    assert single == {name for name in HOLDS.published if any(fnmatch(name, p) for p in said)}
