"""Each image is run once, ever: across duplicates, runs, failures and interruptions."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveal.errors import BackendError, DataError
from foveal.features import Backend, FeatureCache, ImageSource, extract_features
from foveal.images import Preprocessing

KEY = ("weights",)


@pytest.fixture
def extract(preprocessing: Preprocessing, cache_folder: Path, counting: Any) -> Callable[..., Any]:
    """Extracts three-number features with a cache that is opened anew each time."""

    def call(sources: list[ImageSource], **options: Any) -> Any:
        with FeatureCache(cache_folder, key_parts=KEY, num_features=3) as cache:
            settings = {
                "preprocessing": preprocessing,
                "num_features": 3,
                "cache": cache,
                **options,
            }
            return extract_features(sources, settings.pop("backend", counting.open()), **settings)

    return call


def expected(sources: list[ImageSource], preprocessing: Preprocessing) -> np.ndarray:
    return np.stack([preprocessing.apply(source.path).mean((1, 2)) for source in sources])


def test_features_are_in_the_order_of_the_sources(
    extract: Callable[..., Any], sources: list[ImageSource], preprocessing: Preprocessing
) -> None:
    features, stats = extract(sources[::-1])
    np.testing.assert_allclose(features, expected(sources[::-1], preprocessing), rtol=1e-6)
    assert (stats.num_images, stats.num_computed, stats.num_cached) == (36, 36, 0)


def test_second_run_computes_nothing(
    extract: Callable[..., Any], sources: list[ImageSource], counting: Any
) -> None:
    first, _ = extract(sources)
    again, stats = extract(sources)
    np.testing.assert_array_equal(again, first)
    assert (stats.num_computed, stats.num_cached) == (0, 36)
    assert counting.num_images == 36


def test_ten_added_images_compute_ten(
    extract: Callable[..., Any], sources: list[ImageSource], counting: Any
) -> None:
    extract(sources[:26])
    features, stats = extract(sources)
    assert (stats.num_computed, stats.num_cached) == (10, 26)
    assert counting.num_images == 36
    assert np.isfinite(features).all()


def test_moved_file_is_still_known(
    extract: Callable[..., Any], sources: list[ImageSource], tmp_path: Path
) -> None:
    extract(sources)
    moved = tmp_path / "elsewhere.png"
    shutil.copyfile(sources[5].path, moved)
    _, stats = extract([ImageSource(moved, sources[5].digest)])
    assert stats.num_computed == 0


def test_duplicates_are_computed_once(
    extract: Callable[..., Any], sources: list[ImageSource], counting: Any
) -> None:
    features, stats = extract([sources[0], sources[1], sources[0], sources[0]])
    assert counting.num_images == stats.num_computed == 2
    np.testing.assert_array_equal(features[[0, 0]], features[[2, 3]])
    assert (features[0] != features[1]).any()


def test_without_cache_everything_is_computed(
    extract: Callable[..., Any], sources: list[ImageSource]
) -> None:
    _, stats = extract(sources, cache=None)
    _, stats = extract(sources, cache=None)
    assert stats.num_computed == 36
    assert stats.cache_problem is None


def test_nothing_to_do_is_no_error(extract: Callable[..., Any]) -> None:
    features, stats = extract([])
    assert features.shape == (0, 3)
    assert stats.num_images == 0


def test_cache_that_fails_is_reported_and_done_without(
    extract: Callable[..., Any], sources: list[ImageSource], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = FeatureCache(tmp_path / "file", key_parts=KEY, num_features=3)
    features, stats = extract(sources, cache=cache)
    assert stats.num_computed == 36
    assert "not usable" in stats.cache_problem
    assert np.isfinite(features).all()


def test_progress_counts_every_image_and_ends_at_the_total(
    extract: Callable[..., Any], sources: list[ImageSource]
) -> None:
    extract(sources[:5])
    seen: list[tuple[int, int]] = []
    doubled = [*sources, sources[0]]
    extract(doubled, progress=lambda done, total: seen.append((done, total)))
    assert seen[0] == (6, 37)
    assert seen[-1] == (37, 37)
    assert seen == sorted(seen)


def test_view_reaches_the_picture(
    extract: Callable[..., Any], sources: list[ImageSource], preprocessing: Preprocessing
) -> None:
    corner = Backend("corner", "fp32", lambda images: images[:, :, 0, 0])
    features, _ = extract(sources[:2], backend=corner, view="hflip", cache=None)
    flipped = [preprocessing.apply(source.path)[:, 0, -1] for source in sources[:2]]
    np.testing.assert_allclose(features, flipped, rtol=1e-5)


@pytest.fixture
def own_sources(make_shapes: Callable[..., Path]) -> list[ImageSource]:
    """Images that a test may spoil."""
    return [
        ImageSource(path, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(make_shapes().rglob("*.png"))
    ]


def test_changed_file_is_refused_and_the_rest_kept(
    extract: Callable[..., Any], own_sources: list[ImageSource], counting: Any
) -> None:
    shutil.copyfile(own_sources[0].path, own_sources[30].path)
    with pytest.raises(DataError, match=r"006\.png was fine .* its bytes changed"):
        extract(own_sources)
    computed = counting.num_images
    _, stats = extract(own_sources[:24])
    assert stats.num_computed == 0
    assert counting.num_images == computed


def test_removed_file_is_refused(
    extract: Callable[..., Any], own_sources: list[ImageSource]
) -> None:
    own_sources[3].path.unlink()
    with pytest.raises(DataError, match=r"003\.png was fine .*no such file") as caught:
        extract(own_sources)
    assert "what was computed is kept" in str(caught.value)


def test_number_that_is_not_finite_is_refused_and_never_cached(
    extract: Callable[..., Any], sources: list[ImageSource]
) -> None:
    broken = Backend("half", "fp16", lambda images: images.mean((2, 3)) * np.inf)
    with pytest.raises(BackendError, match=r"half gave features that are not finite for .*000"):
        extract(sources, backend=broken)
    _, stats = extract(sources)
    assert stats.num_cached == 0


def test_interruption_keeps_what_was_computed_and_stops_the_threads(
    extract: Callable[..., Any], sources: list[ImageSource]
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        extract(sources, progress=interrupt)
    assert caught.traceback  # the frames are still held, as they are in a debugger
    names = [thread.name for thread in threading.enumerate()]
    assert not any(name.startswith("foveal-stream") for name in names)
    _, stats = extract(sources)
    assert stats.num_cached == 16


_KILLED = """
import hashlib, os, signal, sys
from pathlib import Path
from foveal.features import Backend, FeatureCache, ImageSource, extract_features
from foveal.features import extract
from foveal.images import Preprocessing
extract._WRITE_EVERY = 8
preprocessing = Preprocessing.from_json(__import__("json").loads(sys.argv[3]))
sources = [
    ImageSource(path, hashlib.sha256(path.read_bytes()).hexdigest())
    for path in sorted(Path(sys.argv[1]).rglob("*.png"))
]
def die(done, total):
    if done >= 24:
        os.kill(os.getpid(), signal.SIGKILL)
with FeatureCache(Path(sys.argv[2]), key_parts=["weights"], num_features=3) as cache:
    extract_features(
        sources, Backend("mean", "fp32", lambda images: images.mean((2, 3))),
        preprocessing=preprocessing, num_features=3, cache=cache, progress=die,
    )
"""


def test_killed_run_goes_on_where_it_was(
    extract: Callable[..., Any],
    shapes: Path,
    sources: list[ImageSource],
    preprocessing: Preprocessing,
    cache_folder: Path,
) -> None:
    settings = json.dumps(preprocessing.to_json())
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(shapes), str(cache_folder), settings], check=False
    )
    assert done.returncode == -signal.SIGKILL
    features, stats = extract(sources)
    assert stats.num_cached == 24
    np.testing.assert_allclose(features, expected(sources, preprocessing), rtol=1e-6)
