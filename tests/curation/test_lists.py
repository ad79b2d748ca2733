"""scripts.curation.lists: what other programs keep as lists, and every fault with its line."""

from __future__ import annotations

import pytest

from scripts.console.errors import UsageError
from scripts.curation.entry import Entry, described
from scripts.curation.lists import Faults, Row, read

HOST = "https://weights.example"
MD5, SHA256 = "0" * 31 + "a", "f" * 64


def rows(text: str, *, folder: str | None = None, sums: str = "") -> list[Row]:
    """Return the rows of a list without fault."""
    faults = Faults("list")
    found = read(text, faults, folder=folder, sums=sums)
    faults.check()
    return found


def entries(text: str, *taken: str) -> dict[str, Entry]:
    """Return the entries that a list describes, by name."""
    faults = Faults("list")
    found = described(read(text, faults, folder=None), faults, taken)
    faults.check()
    return {entry.name: entry for entry in found}


def faults(text: str, sums: str = "") -> list[str]:
    """Return the faults of a list, a line each."""
    found = Faults("list")
    described(read(text, found, folder=None, sums=sums), found, ())
    with pytest.raises(UsageError) as caught:
        found.check()
    assert caught.value.what.startswith("list: ")
    return [line for line in caught.value.details if line.startswith("line ")]


@pytest.mark.parametrize("text", [
    f"url,path,md5\n{HOST}/w.pth,models/x/w.pth,{MD5}\n",
    f"\ufeffmd5\tURL\tpath\r\n{MD5.upper()}\t{HOST}/w.pth\tmodels/x/w.pth\r\n",
    f"# said\n\n{HOST}/w.pth\n  dir=models/x\n  checksum=md5={MD5}\n  split=5\n",
    f'url,path,md5\n"{HOST}/w.pth", models/x/w.pth ,{MD5}',
])  # fmt: skip
def test_a_list_is_recognised_by_its_content(text: str) -> None:
    """Comma or tab, any order of columns, a mark of its encoding, aria2c's options."""
    (row,) = rows(text)

    assert row.urls == (f"{HOST}/w.pth",)
    assert row.words == {"path": "models/x/w.pth", "md5": MD5}


def test_addresses_alone_go_to_a_folder() -> None:
    """Under the name that the URL has; models/ without one."""
    text = f"{HOST}/a/b%2B.pth?dl=1\n{HOST}/c.pth\n"

    assert [row.words["path"] for row in rows(text)] == ["models/b+.pth", "models/c.pth"]
    assert rows(text, folder="models/x")[1].words["path"] == "models/x/c.pth"


def test_aria2_says_where_a_file_goes_and_what_it_is() -> None:
    """Mirrors with tabs between them; out= below dir=, or as a path of its own."""
    text = (
        f"{HOST}/a.pth\thttps://b.example/a.pth\n out=x.pth\n dir=models/x/\n"
        f"{HOST}/b.pth\n\tout=models/y/b.pth\n\tchecksum=sha-256={SHA256}\n"
        f"{HOST}/c.pth\n out=d.pth\n"
    )
    first, second, third = rows(text)

    assert first.urls == (f"{HOST}/a.pth", "https://b.example/a.pth")
    assert first.words == {"path": "models/x/x.pth"}
    assert second.words == {"path": "models/y/b.pth", "sha256": SHA256}
    assert (third.line, third.words) == (7, {"path": "models/d.pth"})


@pytest.mark.parametrize("line", [
    f"{SHA256}  w.pth", f"{SHA256.upper()} *./sub/w.pth", f"SHA256 (w.pth) = {SHA256}",
    f"{SHA256}  models/w.pth",
])  # fmt: skip
def test_a_checksum_file_is_matched_by_path_or_name(line: str) -> None:
    """As md5sum and sha256sum write it, and BSD; what else is in it does not matter."""
    (row,) = rows(f"{HOST}/w.pth\n", sums=f"{MD5}  other\n{line}\n")

    assert row.words["sha256"] == SHA256
    assert "md5" not in row.words


def test_rows_of_one_url_are_one_archive() -> None:
    """Named as their folder; with a mirror of the whole, and one of a member."""
    text = (
        "url,path,member,desc\n"
        f"{HOST}/m.zip,models/raft_ckpts/a.pth,in/a.pth,A\n"
        f"{HOST}/m.zip,models/raft_ckpts/b.pth,in/b.pth,B\n"
        f"https://b.example/m.zip,models/raft_ckpts/a.pth,in/a.pth,\n"
        f"https://b.example/b.pth,models/raft_ckpts/b.pth,,\n"
    )
    (entry,) = entries(text).values()

    assert (entry.name, entry.url) == ("raft", f"{HOST}/m.zip")
    assert [(file.path[-5:], file.member, file.desc) for file in entry.files] == [
        ("a.pth", "in/a.pth", "A"), ("b.pth", "in/b.pth", "B"),
    ]  # fmt: skip
    assert entry.mirrors == (
        ("https://b.example/m.zip", None),
        ("https://b.example/b.pth", "in/b.pth"),
    )


def test_rows_of_one_path_are_mirrors() -> None:
    """The first is the publisher; what one row leaves out, another may say."""
    text = (
        "url,path,md5,license\n"
        f"{HOST}/w.pth,models/x/w.pth,,MIT\n"
        f"https://b.example/w.pth,models/x/w.pth,{MD5},\n"
    )
    entry = entries(text)["w"]

    assert entry.mirrors == (("https://b.example/w.pth", None),)
    assert (entry.files[0].md5, entry.files[0].license) == (MD5, "MIT")


def test_files_of_one_name_are_named_by_their_paths() -> None:
    """In a list nobody has to invent names; a given one stays."""
    text = "\n".join(["url,path,name", *(f"{HOST}/{x}/m.pth,models/{x}/m.pth," for x in "ab")])

    assert entries(text).keys() == {"a_m", "b_m"}
    assert entries(f"url,path\n{HOST}/w.pth,models/x/w.pth\n", "w").keys() == {"x_w"}
    assert entries(f"url,path,name\n{HOST}/w.pth,models/x/w.pth,mine\n").keys() == {"mine"}


FAULTS = {
    "url,path,md5,colour": "line 1: unknown column 'colour' (known: url, path, name, family,",
    "path,md5": "line 1: not a list of addresses, nor a header with url: path, md5",
    "url,path,path": "line 1: the column path is there twice",
    f"{MD5}  w.pth": "line 1: these are hashes without addresses: give them with --sums",
    "": "line 1: the list names no file",
    "# said": "line 1: the list names no file",
    f'url\n"{HOST}/w.pth': "line 2: not csv: unexpected end of data",
    f"{HOST}/w.pth\n checksum=sha-1=00": "line 2: checksum=sha-1: only md5 and sha-256 are",
    f"{HOST}/w.pth\n checksum=md5=00": "line 1: '00' is not 32 hex digits",
}


@pytest.mark.parametrize("text", FAULTS)
def test_what_is_no_list_is_said(text: str) -> None:
    """With the line, and with what is known."""
    (found,) = faults(text)

    assert found.startswith(FAULTS[text])


def test_every_fault_is_named_with_its_line() -> None:
    """All at once, each in one line; what is right is not named."""
    head = "url,path,name,member,md5,set"
    table = [
        (f"{HOST}/ok.pth,models/x/ok.pth,,,,minimal", ""),
        ("http://weights.example/a.pth,models/x/a.pth,,,,", "plain http can be altered in transit"),
        (f"{HOST}/b.pth,../b.pth,,,,", "'../b.pth' is not a path models/FOLDER/FILE; in letters,"),
        (f"{HOST}/c.pth,models/x/c.pth,,,12,", "'12' is not 32 hex digits"),
        (f"{HOST}/d.pth,models/x/d.pth,D!,,,", "'D!' cannot be a name; a name has lower-case"),
        (f"{HOST}/e.zip,models/x/e.pth,,,,", "URL is a .zip archive, and models/x/e.pth is not"),
        (",models/x/f.pth,,,,", "no url"),
        (f"{HOST}/g.pth,models/x/g.pth,,,,,,", "8 cells under 6 columns"),
        (f"{HOST}/h.pth,models/x/h.pth,,,,Complete", "a set's name has lower-case letters"),
        (f"{HOST}/i.pth,models/x/i.pth,same,,,", ""),
        (f"{HOST}/j.pth,models/x/j.pth,same,,,", "the name same is that of line 11"),
        (f"{HOST}/ok.pth,models/x/ok.pth,,,,", "models/x/ok.pth is in line 2 with this address"),
        (f"{HOST}/k.zip,models/x/k.pth,,in/k,,", ""),
        (f"{HOST}/k.zip,models/x/l.pth,,in/k,,", "in/k is in line 14, too"),
        (f"{HOST}/m.pth,models/x/m.pth,,,{MD5},", ""),
        (f"{HOST}/2.pth,models/x/m.pth,,,{MD5[::-1]},", f"md5 {MD5[::-1]} here, {MD5} in"),
        (f"{HOST}/n.pth?token=tell,models/x/n.pth,,,,", "contains the secret parameter token"),
        (f"{HOST}/p.pth,models/x/p.pth,,,,", ""),
        (f"{HOST}/p.zip,models/x/p.pth,,in/p,,", "member in/p here, none in line 19"),
        ("https://[bad/o.pth,,,,,", "not the URL of a file: "),
    ]  # fmt: skip
    found = faults("\n".join([head, *(row for row, _ in table)]) + "\n")

    expected = [(line, said) for line, (_, said) in enumerate(table, start=2) if said]
    assert [line.partition(":")[0] for line in found] == [f"line {n}" for n, _ in expected]
    assert all(said in line for (_, said), line in zip(expected, found, strict=True)), found
    assert "tell" not in "".join(found)


def test_a_checksum_file_that_contradicts_is_a_fault() -> None:
    """Two hashes for one name, another than the list has, no file of the list."""
    text = f"url,path,md5\n{HOST}/w.pth,models/x/w.pth,{MD5}\n"
    twice = f"{MD5}  a/w.pth\n{MD5[::-1]}  b/w.pth\n"

    assert "2 for this name" in faults(f"{HOST}/w.pth\n", twice)[0]
    assert f"md5 {MD5} here, {MD5[::-1]} in the sums" in faults(text, f"{MD5[::-1]}  w.pth")[0]
    with pytest.raises(UsageError, match="no file of list is in the checksum file"):
        rows(f"{HOST}/w.pth\n", sums=f"{MD5}  other\n")
    with pytest.raises(UsageError, match="not a line of md5sum or sha256sum: what"):
        rows(f"{HOST}/w.pth\n", sums="what\n")
