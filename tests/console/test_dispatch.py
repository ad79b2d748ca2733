"""scripts.console.dispatch: one front door to all commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts import completion
from scripts.console import dispatch
from tests.console.test_command import python
from tests.world.clones import REPOSITORY, TestClone

if TYPE_CHECKING:
    from pathlib import Path

Capture = pytest.CaptureFixture[str]
SCRIPTS = sorted(
    p.stem for each in ("scripts", "paper") for p in (REPOSITORY / each).glob("[!_]*.py")
)


def test_a_word_names_a_command(clone: TestClone, capsys: Capture) -> None:
    """It gets the other words, and its exit code is that of the whole; - and _ are one."""
    assert dispatch.main(["bom", "--output", "bom.json"]) == 0
    assert (clone.root / "bom.json").exists()
    assert dispatch.main(["verify", "sam_vit_b"]) == 1
    for name in ("import-url", "import_url"):
        with pytest.raises(SystemExit) as caught:
            dispatch.main([name])
        assert caught.value.code == 2
    assert "import_url: error: give URL and models/PATH, or --from LIST" in capsys.readouterr().err


def test_no_other_command_is_imported(clone: TestClone) -> None:
    """So that help and the smallest command start at once."""
    code = "import sys; from scripts.console import dispatch; dispatch.main(['--help']); "
    code += "print([n for n in sys.modules if n.split('.')[0] in ('scripts', 'dvc', 'rich')])"

    loaded = clone.run(sys.executable, "-c", code).stdout.splitlines()[-1]

    assert "dispatch" in loaded
    assert re.findall(r"'(?:dvc|rich|scripts\.(?!console)\w+)", loaded) == []


@pytest.mark.parametrize(
    ("word", "meant"),
    [("fetsh", "fetch"), ("importurl", "import-url"), ("im_port", "import-url"), ("xyz", "")],
)
def test_an_unknown_word_is_answered_with_near_ones(word: str, meant: str, capsys: Capture) -> None:
    """Exit code 2, and where all names stand."""
    assert dispatch.main([word]) == 2

    err = capsys.readouterr().err
    assert err.startswith(f"error: there is no command {word}\n")
    other = f"If it names files, type: ./checkpoints fetch {word}\n"
    assert (f"Did you mean: {meant}" if meant else other) in err
    assert err.endswith("  Next: ./checkpoints --help\n")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_lists_every_command(words: list[str], capsys: Capture) -> None:
    """With the first line of its docstring; those that stages use stand apart."""
    assert dispatch.main(words) == 0

    front, _, apart = capsys.readouterr().out.partition("Seldom typed")
    assert "  fetch " in front
    assert "tree" in re.findall(r"^  ([\w-]+)  ", apart, re.MULTILINE)
    listed = set(re.findall(r"^  ([\w-]+) ", front + apart, re.MULTILINE))
    assert listed == {name.replace("_", "-") for name in SCRIPTS} - {"overview"} | {"dvc"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_has_examples_and_exit_codes(name: str) -> None:
    """Two or three examples, which the parser takes; every exit code that all commands have."""
    parser = dispatch.parser_of(name)

    text = parser.format_help()
    examples = re.findall(r"^  \./checkpoints (\S+) ?(.*?)  +\S", text, re.MULTILINE)

    assert 2 <= len(examples) <= 3
    assert {word for word, _ in examples} == {name.replace("_", "-")}
    for _, words in examples:
        if not re.search("[&>]", words):
            parser.parse_args(shlex.split(words))
    assert re.findall(r"^  (\d+) ", text.partition("exit codes:")[2], re.MULTILINE) == [
        "0", "1", "2", "130",
    ]  # fmt: skip


def test_the_help_of_a_word_is_that_of_the_command(capsys: Capture) -> None:
    """`help NAME` is `NAME --help`."""
    with pytest.raises(SystemExit) as caught:
        dispatch.main(["help", "verify"])

    assert caught.value.code == 0
    assert "Hash every file" in capsys.readouterr().out


def test_usage_shows_the_words_that_were_typed(clone: TestClone) -> None:
    """By stages and by people."""
    assert clone.root.exists()
    one = python(clone.root, "-m", "scripts", "verify", "--help").stdout
    other = python(clone.root, "-m", "scripts.import_url", "--help").stdout

    assert one.startswith("usage: ./checkpoints verify ")
    assert other.startswith("usage: python -m scripts.import_url ")


@pytest.mark.parametrize("words", [["--quiet", "fetch"], ["fetch", "-q"]])
def test_quiet_is_taken_before_and_after_the_command(
    words: list[str], clone: TestClone, capsys: Capture
) -> None:
    """And ends with it."""
    assert dispatch.main([*words, "sam_vit_b"]) == 0

    assert capsys.readouterr() == ("", "")
    assert "CHECKPOINTS_QUIET" not in os.environ
    assert len(clone.tree()) == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_options_and_names(
    shell: str, clone: TestClone, capsys: Capture
) -> None:
    """The names are those of the catalogue, as it is today."""
    assert completion.main([shell]) == 0

    printed = capsys.readouterr().out
    assert all(word in printed for word in ("import-url", "repair", "publish", "sam_vit_b"))
    assert clone.root.exists()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("./checkpoints ver", {"verify"}),
        ("./checkpoints verify sam_vit_", {"sam_vit_b", "sam_vit_l"}),
        ("./checkpoints team check --re", {"--remote", "--read", "--repair"}),
    ],
)
def test_bash_offers_what_fits(
    typed: str, offered: set[str], clone: TestClone, capsys: Capture
) -> None:
    """By the line that the help tells to put into ~/.bashrc."""
    completion.main(["bash"])
    script = capsys.readouterr().out
    ask = f"COMP_WORDS=({typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _shtab_checkpoints"

    done = clone.run("bash", "-c", f'eval "$0"; {ask}; echo "${{COMPREPLY[@]}}"', script)

    assert set(done.stdout.split()) == offered


def test_another_folder_or_python_is_one_line(tmp_path: Path) -> None:
    """It says what to type."""
    elsewhere = python(tmp_path, "-m", "scripts")
    bare, damaged = (
        subprocess.run(
            [sys.executable, "-S", "-m", "scripts.fetch"],
            cwd=REPOSITORY, env=more, capture_output=True, text=True, check=False,
        )
        for more in ({}, {"CHECKPOINTS_FROM": "/"})
    )  # fmt: skip

    assert (elsewhere.returncode, elsewhere.stdout) == (2, "")
    assert elsewhere.stderr.splitlines()[1:] == [
        "  Next: call the clone's ./checkpoints, from any folder."
    ]
    assert (bare.returncode, bare.stdout) == (1, "")
    assert re.fullmatch(r"error: \S+ has no \w+\. Next: \./checkpoints, .*\n", bare.stderr)
    assert re.fullmatch(r"error: \S+ has no \w+\. Next: remove \S+, and .*\n", damaged.stderr)
