"""Banks: what goes in comes out, damage is found, the disk is respected."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foveal.errors import BackendError, DataError
from foveal.features import Backend, ImageSource
from foveal.features import bank as bank_module
from foveal.features.bank import Bank
from foveal.features.frozen_part import FrozenPart, ViewPlan, fill_bank, frozen_part, open_bank
from foveal.graph import cut, trace
from foveal.images import Preprocessing
from foveal.images.augmentation import find_policy
from foveal.models import Backbone
from foveal.models.surgery.changed_copy import own_copy

KEY = {"weights": "abc"}
Pictures = NDArray[np.float32]


def values_of(number: int) -> Pictures:
    return np.arange(6, dtype=np.float32).reshape(2, 3) + number


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path, key=KEY, shape=(2, 3))


def test_rows_come_back_in_the_order_asked_for(bank: Bank) -> None:
    for number in range(5):
        bank.add(("aa", number), values_of(number))
    bank.flush()
    taken = bank.take([("aa", 3), ("aa", 0), ("aa", 3)])
    np.testing.assert_array_equal(taken, [values_of(3), values_of(0), values_of(3)])
    assert taken.dtype == np.float16


def test_a_bank_goes_on_where_it_was_left(bank: Bank, tmp_path: Path) -> None:
    bank.add(("aa", 0), values_of(0))
    bank.flush()
    bank.add(("aa", 1), values_of(1))  # never flushed: a crash
    again = Bank(tmp_path, key=KEY, shape=(2, 3))
    assert again.missing([("aa", 0), ("aa", 1), ("bb", 0), ("bb", 0)]) == [("aa", 1), ("bb", 0)]
    np.testing.assert_array_equal(again.take([("aa", 0)]), [values_of(0)])


def test_another_key_or_shape_is_another_bank(bank: Bank, tmp_path: Path) -> None:
    bank.add(("aa", 0), values_of(0))
    bank.flush()
    assert len(Bank(tmp_path, key={"weights": "abd"}, shape=(2, 3))) == 0
    assert len(Bank(tmp_path, key=KEY, shape=(3, 2))) == 0


def _flip_a_byte(folder: Path) -> None:
    file = next(folder.glob("*.npy"))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def _cut_short(folder: Path) -> None:
    file = next(folder.glob("*.npy"))
    file.write_bytes(file.read_bytes()[:-2])


def _take_away(folder: Path) -> None:
    next(folder.glob("*.npy")).unlink()


def _spoil_the_list(folder: Path) -> None:
    next(one for one in folder.glob("*.json") if one.name != "key.json").write_text("{")


def _list_of_another_form(folder: Path) -> None:
    next(one for one in folder.glob("*.json") if one.name != "key.json").write_text("[1]")


@pytest.mark.parametrize(
    "damage", [_flip_a_byte, _cut_short, _take_away, _spoil_the_list, _list_of_another_form]
)
def test_damage_is_found_and_computed_anew(
    bank: Bank, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    bank.add(("aa", 0), values_of(0))
    bank.flush()
    damage(bank.folder)
    again = Bank(tmp_path, key=KEY, shape=(2, 3))
    assert (len(again), again.num_damaged) == (0, 1)
    again.add(("aa", 0), values_of(0))
    again.flush()
    assert len(Bank(tmp_path, key=KEY, shape=(2, 3))) == 1


def test_a_bank_larger_than_the_free_disk_is_refused(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**12, 0, 600_000_000))
    assert bank.require_space(1000) == 1000 * 12
    with pytest.raises(DataError, match=r"needs 1\.20 GB.* has 600 MB free"):
        bank.require_space(100_000_000)


@pytest.mark.parametrize("value", [np.nan, np.inf, 70_000.0, -70_000.0])
def test_what_half_precision_cannot_hold_is_refused(bank: Bank, value: float) -> None:
    with pytest.raises(BackendError, match="half precision cannot hold"):
        bank.add(("aa", 0), np.array([[0, 1, 2], [3, 4, value]], np.float32))


def test_a_removed_bank_leaves_nothing(bank: Bank) -> None:
    bank.add(("aa", 0), values_of(0))
    bank.flush()
    bank.remove()
    assert not bank.folder.exists()
    assert len(bank) == 0


@settings(max_examples=20)
@given(rows=st.lists(st.tuples(st.sampled_from(["aa", "bb"]), st.integers(0, 5)), unique=True))
def test_many_small_files_hold_what_one_would(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("banks")
    one = Bank(folder, key=KEY, shape=(2, 3))
    for number, row in enumerate(rows):
        one.add(row, values_of(number))
        one.flush()
    again = Bank(folder, key=KEY, shape=(2, 3))
    np.testing.assert_array_equal(
        again.take(rows), np.array([values_of(n) for n in range(len(rows))]).reshape(-1, 2, 3)
    )


# --- filling ---------------------------------------------------------------------------------


@pytest.fixture
def part(tiny: Backbone) -> FrozenPart:
    model = own_copy(tiny.network)
    graph = trace(model, (3, 32, 32), mode="eval")
    prefix, _ = cut(model, graph, "layer3")
    return frozen_part(tiny, prefix, cut="layer3", shape=(192, 2, 2))


def _fill(
    folder: Path, part: FrozenPart, sources: list[ImageSource], preprocessing: Preprocessing
) -> tuple[Bank, int]:
    policy = find_policy("light")
    bank = open_bank(
        folder, part, preprocessing=preprocessing, policy=policy, seed=0, backend="torch"
    )
    network = part.feature_network()

    def run(images: Pictures) -> Pictures:
        import torch

        with torch.inference_mode():
            return network(torch.from_numpy(images)).numpy()

    computed = fill_bank(
        bank,
        sources,
        Backend("torch", "fp32", run),
        preprocessing=preprocessing,
        views=ViewPlan(policy, 3, 0),
        num_workers=2,
    )
    return bank, computed


def test_a_bank_holds_every_view_once_and_is_continued(
    tmp_path: Path, part: FrozenPart, sources: list[ImageSource], preprocessing: Preprocessing
) -> None:
    first, computed = _fill(tmp_path, part, sources[:10], preprocessing)
    assert computed == len(first) == 30
    listing = next(one for one in first.folder.glob("*.json") if one.name != "key.json")
    assert json.loads(listing.read_text())["digest"].startswith(listing.stem)
    more, computed = _fill(tmp_path, part, sources[:12], preprocessing)
    assert (computed, len(more)) == (6, 36)
    rows = [(source.digest, view) for source in sources[:10] for view in range(3)]
    np.testing.assert_array_equal(more.take(rows), first.take(rows))


def test_view_0_is_what_the_network_gives_for_the_picture(
    tmp_path: Path, part: FrozenPart, sources: list[ImageSource], preprocessing: Preprocessing
) -> None:
    import torch

    bank, _ = _fill(tmp_path, part, sources[:3], preprocessing)
    pictures = np.stack([preprocessing.apply(source.path) for source in sources[:3]])
    with torch.inference_mode():
        expected = part.network(torch.from_numpy(pictures)).numpy()
    found = bank.take([(source.digest, 0) for source in sources[:3]]).astype(np.float32)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-3)


def test_what_came_before_an_error_is_kept(
    tmp_path: Path, part: FrozenPart, sources: list[ImageSource], preprocessing: Preprocessing
) -> None:
    changed = [*sources[:8], ImageSource(sources[8].path, "00" * 32)]
    with pytest.raises(DataError, match="its bytes changed"):
        _fill(tmp_path, part, changed, preprocessing)
    bank, computed = _fill(tmp_path, part, sources[:8], preprocessing)
    assert (len(bank), computed) == (24, 0)


def test_the_limit_of_a_file_is_kept(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_module, "_SHARD_BYTES", 24)
    for number in range(5):
        bank.add(("aa", number), values_of(number))
    bank.flush()
    assert len(list(bank.folder.glob("*.npy"))) == 3
