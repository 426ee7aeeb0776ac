"""Vectors survive crashes, crowds and damage, and a cache that fails never stops a run."""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from foveal.features import FeatureCache, cache_directory

KEY = ("weights", "preprocessing", "identity", "torch")


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def vector(number: int, length: int = 8) -> NDArray[np.float32]:
    return np.full(length, number, np.float32)


def fill(folder: Path, numbers: range) -> Path:
    with FeatureCache(folder, key_parts=KEY, num_features=8) as cache:
        cache.write({digest(number): vector(number) for number in numbers})
        assert cache.problem is None
        return cache.path


def held(folder: Path, numbers: range, **changes: object) -> dict[str, NDArray[np.float32]]:
    options = {"key_parts": KEY, "num_features": 8, **changes}
    with FeatureCache(folder, **options) as cache:  # type: ignore[arg-type]
        return dict(cache.read(digest(number) for number in numbers))


def test_what_was_written_is_read_bit_for_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=8).astype(np.float32)
    with FeatureCache(tmp_path, key_parts=KEY, num_features=8) as cache:
        cache.write({digest(0): values})
        (found,) = cache.read([digest(0)])
    assert found[0] == digest(0)
    np.testing.assert_array_equal(found[1], values)


def test_more_digests_than_one_query_takes(tmp_path: Path) -> None:
    fill(tmp_path, range(1203))
    found = held(tmp_path, range(1300))
    assert len(found) == 1203
    assert found[digest(1202)][0] == 1202


def test_digest_asked_twice_is_given_once(tmp_path: Path) -> None:
    fill(tmp_path, range(1))
    with FeatureCache(tmp_path, key_parts=KEY, num_features=8) as cache:
        assert len(list(cache.read([digest(0), digest(0)]))) == 1


@pytest.mark.parametrize("part", range(4))
def test_other_weights_preprocessing_view_or_backend_share_nothing(
    tmp_path: Path, part: int
) -> None:
    fill(tmp_path, range(3))
    other = [*KEY]
    other[part] += "x"
    assert held(tmp_path, range(3), key_parts=other) == {}


def test_vector_of_another_length_is_not_given_and_can_be_replaced(tmp_path: Path) -> None:
    path = fill(tmp_path, range(1))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE features SET vector = X'00'")
    connection.close()
    assert held(tmp_path, range(1)) == {}
    fill(tmp_path, range(1))
    assert len(held(tmp_path, range(1))) == 1


def change(path: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement, values)
    connection.close()


def test_a_flipped_bit_is_found_whatever_bit_it_is(tmp_path: Path) -> None:
    path = fill(tmp_path, range(1))
    for bit in range(8 * 4 * 8):
        blob = bytearray(vector(0).tobytes())
        blob[bit // 8] ^= 1 << bit % 8
        change(path, "UPDATE features SET vector = ?", bytes(blob))
        assert held(tmp_path, range(1)) == {}


def test_a_number_that_is_none_is_not_given_even_under_its_checksum(tmp_path: Path) -> None:
    broken = vector(1)
    broken[3] = np.nan
    with FeatureCache(tmp_path, key_parts=KEY, num_features=8) as cache:
        cache.write({digest(0): vector(0), digest(1): broken})
        assert dict(cache.read([digest(0), digest(1)])).keys() == {digest(0)}
        assert cache.num_damaged == 1


def test_the_vector_of_another_image_is_not_given(tmp_path: Path) -> None:
    path = fill(tmp_path, range(1))
    change(path, "UPDATE features SET digest = ?", bytes.fromhex(digest(1)))
    assert held(tmp_path, range(2)) == {}


def test_a_file_under_another_name_gives_nothing(tmp_path: Path) -> None:
    path = fill(tmp_path, range(3))
    with FeatureCache(tmp_path, key_parts=("other",), num_features=8) as cache:
        other = cache.path
    for leftover in other.parent.glob(f"{other.name}*"):
        leftover.unlink()
    path.rename(other)
    assert held(tmp_path, range(3), key_parts=("other",)) == {}


@pytest.mark.parametrize("value", [None, 7, 1.5, "text", b""])
def test_a_value_of_another_type_is_not_given(tmp_path: Path, value: object) -> None:
    for column in ("vector", "checksum"):
        path = fill(tmp_path, range(1))
        change(path, f"UPDATE features SET {column} = ?", value)
        assert held(tmp_path, range(1)) == {}


def test_file_that_is_no_database_is_named_and_ignored(tmp_path: Path) -> None:
    path = fill(tmp_path, range(3))
    for leftover in path.parent.iterdir():
        leftover.unlink()
    path.write_bytes(b"This was never a database." * 200)
    with FeatureCache(tmp_path, key_parts=KEY, num_features=8) as cache:
        cache.write({digest(0): vector(0)})
        assert list(cache.read([digest(0)])) == []
    assert cache.problem is not None
    assert str(path) in cache.problem
    assert "delete it" in cache.problem


def test_damage_in_the_middle_is_named_and_ignored(tmp_path: Path) -> None:
    path = fill(tmp_path, range(2000))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    path.write_bytes(content)
    with FeatureCache(tmp_path, key_parts=KEY, num_features=8) as cache:
        assert list(cache.read([digest(number) for number in range(2000)])) == []
    assert cache.problem is not None
    assert "malformed" in cache.problem


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with FeatureCache(tmp_path / "file", key_parts=KEY, num_features=8) as cache:
        cache.write({digest(0): vector(0)})
        assert list(cache.read([digest(0)])) == []
    assert cache.problem is not None
    assert "not usable" in cache.problem


def test_read_only_folder_is_named(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("permissions do not bind root")
    (tmp_path / "features").mkdir(mode=0o555)
    with FeatureCache(tmp_path, key_parts=KEY, num_features=8) as cache:
        cache.write({digest(0): vector(0)})
    assert cache.problem is not None
    assert "unable to open" in cache.problem


_FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from foveal.features import FeatureCache
# A limit on file size stands in for the full disk: writes beyond it fail.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
cache = FeatureCache(Path(sys.argv[1]), key_parts=sys.argv[2:], num_features=8)
for start in range(0, 100_000, 1000):
    cache.write({f"{n:064x}": np.full(8, n, np.float32) for n in range(start, start + 1000)})
print(cache.problem)
"""


def test_full_disk_is_named_and_what_was_written_stays(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(tmp_path), *KEY],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "not usable" in done.stdout
    with FeatureCache(tmp_path, key_parts=KEY, num_features=8) as cache:
        found = dict(cache.read(f"{number:064x}" for number in range(1000)))
    assert cache.problem is None
    assert len(found) == 1000


_WRITER = """
import sys
from pathlib import Path
import numpy as np
from foveal.features import FeatureCache
first = int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
with FeatureCache(Path(sys.argv[1]), key_parts=sys.argv[3:], num_features=8) as cache:
    for start in range(first, first + 2000, 20):
        cache.write({f"{n:064x}": np.full(8, n, np.float32) for n in range(start, start + 20)})
        print(start, flush=True)
    print(cache.problem)
"""


def start_writer(folder: Path, first: int) -> subprocess.Popen[str]:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder), str(first), *KEY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == "ready\n"
    return writer


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    # They overlap by half, and neither finds the file made.
    writers = [start_writer(tmp_path, first) for first in (0, 1000)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        out, _ = writer.communicate(timeout=120)
        assert out.splitlines()[-1] == "None"
    with FeatureCache(tmp_path, key_parts=KEY, num_features=8) as cache:
        found = dict(cache.read(f"{number:064x}" for number in range(3000)))
    assert len(found) == 3000
    assert all((found[f"{number:064x}"] == number).all() for number in range(3000))


def test_killed_writer_leaves_whole_vectors(tmp_path: Path) -> None:
    writer = start_writer(tmp_path, 0)
    assert writer.stdin is not None
    assert writer.stdout is not None
    writer.stdin.write("\n")
    writer.stdin.flush()
    confirmed = [int(writer.stdout.readline()) for _ in range(10)][-1]
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert writer.returncode == -signal.SIGKILL
    with FeatureCache(tmp_path, key_parts=KEY, num_features=8) as cache:
        found = dict(cache.read(f"{number:064x}" for number in range(2000)))
        assert cache.problem is None
    assert len(found) >= confirmed + 20
    assert len(found) % 20 == 0  # transactions are whole
    assert all((found[name] == int(name, 16)).all() for name in found)


def test_cache_lives_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FOVEAL_CACHE", str(tmp_path / "mine"))
    assert cache_directory() == tmp_path / "mine"


def test_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FOVEAL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_directory() == tmp_path / "foveal"


def test_cache_falls_back_to_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FOVEAL_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory() == tmp_path / ".cache" / "foveal"
