from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from foveal.draw.page import packed
from foveal.learn.drills import TEMPLATES
from foveal.learn.web import content

FEW = TEMPLATES[:2]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "TEMPLATES", FEW)
    monkeypatch.setattr(content, "NUM_VARIANTS", 6)


def kept_file(cache_folder: Path) -> Path:
    (file,) = (cache_folder / "learn").iterdir()
    return file


def test_a_pack_holds_the_exercises_and_is_the_same_each_time() -> None:
    content = [{"question": "3×3?"}]
    assert json.loads(gzip.decompress(base64.b64decode(packed(content)))) == content
    assert packed(content) == packed(content)


@pytest.mark.usefixtures("few")
def test_what_was_made_once_is_kept(cache_folder: Path) -> None:
    told: list[tuple[int, int]] = []
    made = content.packed_drills(lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2)]
    assert content.packed_drills(lambda done, total: told.append((done, total))) == made
    assert len(told) == 2
    assert kept_file(cache_folder).exists()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("damage", ["", "[]", "{}", "no json", '{"convolution-shape": "AAAA"}'])
def test_a_damaged_cache_costs_only_time(cache_folder: Path, damage: str) -> None:
    made = content.packed_drills()
    kept_file(cache_folder).write_text(damage, encoding="utf-8")
    assert content.packed_drills() == made


@pytest.mark.usefixtures("few")
def test_one_changed_letter_is_noticed(cache_folder: Path) -> None:
    made = content.packed_drills()
    file = kept_file(cache_folder)
    name = FEW[0].name
    middle = len(made[name]) // 2
    letter = "A" if made[name][middle] != "A" else "B"
    spoilt = {**made, name: made[name][:middle] + letter + made[name][middle + 1 :]}
    file.write_text(json.dumps(spoilt), encoding="utf-8")
    assert content.packed_drills() == made


@pytest.mark.usefixtures("few")
def test_a_cache_that_cannot_be_written_costs_only_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("FOVEAL_CACHE", str(tmp_path / "file" / "below"))
    assert list(content.packed_drills()) == [each.name for each in FEW]
