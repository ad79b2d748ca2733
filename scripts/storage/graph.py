"""Whether DVC itself accepts a dvc.yaml: its schema, its names, its rules for paths."""

from __future__ import annotations

import re
import shutil
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dvc.exceptions import DvcException

from scripts.console.errors import CatalogueError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONFIG = "[core]\n    no_scm = true\n    site_cache_dir = {}/site\n"
_DRAFT = re.compile(r"[^\s']*/draft\.\w+/")


def check(root: Path, texts: Mapping[str, str]) -> None:
    """Raise CatalogueError if DVC refuses dvc.yaml with these files; it needs no checkpoint."""
    from dvc.repo import Repo  # noqa: PLC0415 - it takes half a second

    with TemporaryDirectory(dir=root / ".dvc/tmp", prefix="draft.") as folder:
        draft = Path(folder)
        (draft / ".dvc").mkdir()
        (draft / ".dvc/config").write_text(_CONFIG.format(folder))
        if (root / ".dvcignore").is_file():
            shutil.copyfile(root / ".dvcignore", draft / ".dvcignore")
        for name in ("params.yaml", "dvc.yaml"):
            (draft / name).write_bytes(texts[name].encode(errors="surrogateescape"))
        try:
            with warnings.catch_warnings(), Repo(folder) as repo:
                warnings.simplefilter("ignore")  # of DVC's own libraries
                repo.index.check_graph()
        except DvcException as error:
            lines = [line for line in str(error).splitlines() if line]
            faults = [f"DVC: {_DRAFT.sub('', line)}" for line in lines]
            raise CatalogueError("dvc.yaml", faults) from error
