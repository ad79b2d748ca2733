"""Print what lets a shell complete commands, options and names: bash, zsh or fish.

In ~/.bashrc or ~/.zshrc (after compinit), with the path of this clone:
  eval "$(CLONE/checkpoints completion bash)"
In ~/.config/fish/config.fish:
  CLONE/checkpoints completion fish | source
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import shtab

from scripts.catalogue import params
from scripts.console import dispatch
from scripts.console.command import command, parser
from scripts.console.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXAMPLES = {
    "bash": "print it, for eval",
    "zsh > ~/.zfunc/_checkpoints": "for a folder of fpath",
}
_NAMED = {"NAME", "SELECT"}  # what stands for an entry of params.yaml in the commands' help


@command
def main(argv: Sequence[str] | None) -> None:
    """Print the completion of all commands for one shell."""
    words = parser("completion", __doc__, examples=_EXAMPLES)
    words.add_argument("shell", metavar="SHELL", choices=["bash", "zsh", "fish"], help="which one")
    shell = words.parse_args(argv).shell
    say(shtab.complete(_every([*params.read(Path("params.yaml")).published]), shell))


def _every(names: list[str]) -> argparse.ArgumentParser:
    """Return one parser of all commands, which offers the names of the catalogue."""
    every = argparse.ArgumentParser(prog="checkpoints")
    commands = every.add_subparsers()
    commands.add_parser("dvc", help="Run this environment's DVC")
    for name in dispatch.names():
        own = dispatch.parser_of(name)
        for action in own._actions:  # noqa: SLF001 - argparse has no other way to list them
            if action.metavar in _NAMED and not action.option_strings:
                action.choices = names
        commands.add_parser(name, parents=[own], add_help=False, help=dispatch.summary(name))
    return every


if __name__ == "__main__":
    sys.exit(main())
