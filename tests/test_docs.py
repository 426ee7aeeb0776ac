"""What the documentation names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
]
_SOURCE = re.compile(r"`(?:src/)?(?:foveal/)?([a-z_]+(?:/[a-z_]+)*(?:\.py|/))[`:]")
_MODULE = re.compile(r"`(foveal(?:\.[a-z_]+)+)[`(]")
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# Folders and files of a user's own, in examples.
_EXAMPLES = {"file.py", "model.py", "net.py", "photos/", "train/", "val/", "test/", "runs/"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    places = (ROOT, ROOT / "src", ROOT / "src" / "foveal", page.parent)
    named = {*_SOURCE.findall(text)} - _EXAMPLES
    gone = [name for name in named if not any((place / name).exists() for place in places)]
    gone += [link for link in _LINK.findall(text) if not (page.parent / link.strip()).exists()]

    assert gone == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_a_page_names_are_there(page: Path) -> None:
    import foveal

    gone = []
    for name in _MODULE.findall(page.read_text(encoding="utf-8")):
        parts = name.split(".")[1:]
        path = ROOT / "src" / "foveal" / "/".join(parts)
        is_module = path.is_dir() or path.with_suffix(".py").exists()
        owner = path.parent if len(parts) > 1 else None
        is_member = len(parts) == 1 and parts[0] in foveal.__all__
        if owner is not None and not is_module:
            source = owner / "__init__.py" if owner.is_dir() else owner.with_suffix(".py")
            is_member = source.exists() and bool(
                re.search(rf"\b{parts[-1]}\b", source.read_text("utf-8"))
            )
        if not (is_module or is_member):
            gone.append(name)

    assert gone == []
