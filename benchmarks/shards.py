"""What ``foveal predict --shards`` promises, measured: kills, resuming, memory and throughput.

``KILLS`` (default 100) is how often the driver is killed on threads, ``RAY_KILLS`` (default 100)
how often a worker or the driver of a Ray cluster, for ``RAY_SECONDS`` at most; ``ROWS`` (default
10000,100000,1000000) how many rows memory is measured at. ``ONLY`` names some of: threads, ray,
resume, memory, throughput.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.measuring import FOVEAL, print_table
from benchmarks.ray_cluster import task_workers, two_nodes

_NUM_IMAGES = 400
_PER_SHARD = 8
_SIDE_PX = 48
_FINISHED = ("ledgers finished", "of them bit-equal")


def main() -> None:
    wanted = os.environ.get("ONLY", "threads,ray,resume,memory,throughput").split(",")
    with tempfile.TemporaryDirectory(prefix="foveal-shards-") as name:
        root = Path(name)
        images, run = write_images(root / "images"), make_run(root)
        whole = root / "whole"
        subprocess.run(_command(run, images, whole), check=False, capture_output=True)
        for part in wanted:
            rows = _PARTS[part](root, run, images, whole)
            print_table(rows[0], rows[1:])
            print(flush=True)


def write_images(folder: Path, count: int = _NUM_IMAGES) -> Path:
    """Noise, and one file in forty that is no image."""
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(count):
        file = folder / f"{number}.png"
        if number % 40 == 39:
            file.write_text("no image")
        else:
            pixels = noise.integers(0, 255, (_SIDE_PX, _SIDE_PX, 3), np.uint8)
            Image.fromarray(pixels).save(file)
    return folder


def make_run(root: Path) -> Path:
    """A run over timm's smallest ResNet with random weights, so that a shard takes no time."""
    import torch

    import foveal

    data = root / "data"
    noise = np.random.default_rng(1)
    for name, mean in (("dark", 60), ("light", 190)):
        (data / name).mkdir(parents=True)
        for number in range(24):
            pixels = np.clip(noise.normal(mean, 30, (32, 32)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(data / name / f"{number}.png")
    import timm

    torch.manual_seed(0)
    network = timm.create_model("test_resnet", num_classes=10)
    torch.save(network.state_dict(), root / "weights.pth")
    return foveal.train(
        data,
        root / "run",
        backbone="test_resnet",
        weights=root / "weights.pth",
        size_px=32,
        head="linear",
        backend="onnxruntime",
    ).folder


def _command(run: Path, images: Path, out: Path, *more: str) -> list[str]:
    size = ("--shard-size", str(_PER_SHARD), "--workers", "2")
    return [*FOVEAL, "predict", str(run), str(images), "--shards", str(out), *size, *more]


def _parts(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("part-*"))}


def kill_driver(root: Path, run: Path, images: Path, whole: Path) -> list[tuple[str, ...]]:
    """Kills the whole process at random moments; what is begun again goes on from there."""
    num_kills = int(os.environ.get("KILLS", "100"))
    out, chance = root / "killed", random.Random(0)
    expected = _parts(whole)
    start = time.perf_counter()
    subprocess.run(_command(run, images, root / "timed"), check=False, capture_output=True)
    seconds = time.perf_counter() - start
    done = amid = finished = equal = 0
    while done < num_kills:
        process = subprocess.Popen(
            _command(run, images, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0.3 * seconds, seconds))
        was_killed = process.poll() is None
        process.kill()
        process.wait()
        parts = _parts(out)
        done += was_killed
        amid += was_killed and 0 < len(parts) < len(expected)
        assert all(expected[name] == content for name, content in parts.items())
        if len(parts) == len(expected):
            finished, equal = finished + 1, equal + (parts == expected)
            shutil.rmtree(out)
    subprocess.run(_command(run, images, out), check=False, capture_output=True)
    finished, equal = finished + 1, equal + (_parts(out) == expected)
    return [
        ("engine", "killed", "times", "with some parts there", *_FINISHED),
        ("threads", "driver", str(done), str(amid), str(finished), str(equal)),
    ]


def kill_on_ray(root: Path, run: Path, images: Path, whole: Path) -> list[tuple[str, ...]]:
    """Kills a worker for each part that is made, and the driver after every fifth."""
    num_kills = int(os.environ.get("RAY_KILLS", "100"))
    end = time.monotonic() + float(os.environ.get("RAY_SECONDS", "inf"))
    chance, expected = random.Random(1), _parts(whole)
    out = root / "on-ray"
    counts = {"worker": 0, "driver": 0}
    finished = equal = 0
    with two_nodes() as address:
        more = ("--engine", "ray", "--address", address)
        while True:
            kills = sum(counts.values()) < num_kills and time.monotonic() < end
            process = subprocess.Popen(
                _command(run, images, out, *more), stdout=subprocess.DEVNULL, stderr=sys.stderr
            )
            num_seen = len(list(out.glob("part-*")))
            while kills and process.poll() is None:
                # A worker takes a while to begin, so that one dies for each part that is made.
                num_parts = len(list(out.glob("part-*")))
                if num_parts > num_seen:
                    num_seen = num_parts
                    time.sleep(chance.uniform(0, 0.3))
                    for worker in chance.sample(found := task_workers(), min(1, len(found))):
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(worker, signal.SIGKILL)
                            counts["worker"] += 1
                            if counts["worker"] % 5 == 0:
                                process.kill()
                                counts["driver"] += 1
                kills = sum(counts.values()) < num_kills and time.monotonic() < end
                time.sleep(0.05)
            process.wait()
            parts = _parts(out)
            print(f"{counts}: {len(parts)} of {len(expected)} parts", file=sys.stderr, flush=True)
            assert all(expected[name] == content for name, content in parts.items())
            if len(parts) == len(expected):
                finished, equal = finished + 1, equal + (parts == expected)
                shutil.rmtree(out)
                if not kills:
                    break
    rows = [
        ("ray, two nodes", what, str(number), str(finished), str(equal))
        for what, number in counts.items()
    ]
    return [("engine", "killed", "times", *_FINISHED), *rows]


def resume(root: Path, run: Path, images: Path, whole: Path) -> list[tuple[str, ...]]:
    """Counts the images that are opened when one part in a hundred is missing."""
    from foveal.api import load
    from foveal.sharding import ShardOptions, predict_shards
    from foveal.sharding.storage import LocalStorage

    many = write_images(root / "more", 800)
    out, opened, read = root / "resumed", [0], LocalStorage.read

    def count(self: LocalStorage, name: str, *, max_pixels: int) -> bytes:
        opened[0] += 1
        return read(self, name, max_pixels=max_pixels)

    LocalStorage.read = count  # type: ignore[method-assign]
    try:
        rows = [("parts there", "images", "images opened", "share")]
        for missing in (100, 1, 0):
            for file in sorted(out.glob("part-*"))[: missing if out.exists() else 0]:
                file.unlink()
            before = len(_parts(out)) if out.exists() else 0
            opened[0] = 0
            predict_shards(load(run), [many], out, options=ShardOptions(per_shard=8))
            share = f"{opened[0] / 800:.2%}"
            rows.append((f"{before} of 100", "800", str(opened[0]), share))
    finally:
        LocalStorage.read = read  # type: ignore[method-assign]
    return rows


def memory(root: Path, run: Path, images: Path, whole: Path) -> list[tuple[str, ...]]:
    """The largest resident size by the number of rows, decoding and network replaced by stubs."""
    rows = [("rows", "peak memory", "wall", "rows a second")]
    for count in os.environ.get("ROWS", "10000,100000,1000000").split(","):
        code = f"from benchmarks.shards import many_rows; many_rows({str(run)!r}, {count})"
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
        seconds = time.perf_counter() - start
        peak = f"{int(done.stdout) / 1024:,.0f} MiB"
        rows.append((f"{int(count):,}", peak, f"{seconds:.0f} s", f"{int(count) / seconds:,.0f}"))
    return rows


def many_rows(run: str, count: int) -> None:
    """Runs a ledger over names that are made up; every image has the same input and answer."""
    from foveal.api import load
    from foveal.images import Preprocessing
    from foveal.runs import Classifier
    from foveal.sharding import predict_shards
    from foveal.sharding.storage import Entry, LocalStorage

    prepared = np.zeros((3, 32, 32), np.float32)
    classifier = load(run)
    answer = classifier._run(prepared[None])[0]

    def walk(self: LocalStorage) -> Iterator[Entry]:
        # In no order, as folders are listed.
        return (Entry(f"{n % 97}/image-{n}.png", 1) for n in range(count))

    replaced: Any = (
        (LocalStorage, "walk", walk),
        (LocalStorage, "read", lambda self, name, max_pixels: b"x"),
        (Preprocessing, "apply", lambda self, source, view="identity": prepared),
        (Classifier, "_run", lambda self, inputs: [answer] * len(inputs)),
    )
    for owner, name, function in replaced:
        setattr(owner, name, function)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "images").mkdir()
        done = predict_shards(classifier, [f"{folder}/images"], Path(folder) / "parts")
        assert done.num_rows == count
    # Of this program alone: what wait4 gives counts the program that it was forked from, too.
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    print(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def throughput(root: Path, run: Path, images: Path, whole: Path) -> list[tuple[str, ...]]:
    """Plain predict and a ledger over the same images, taking turns in one process."""
    from foveal.api import load
    from foveal.sharding import ShardOptions, predict_shards

    classifier = load(Path(os.environ.get("RUN", run)))
    many = Path(os.environ["IMAGES"]) if "IMAGES" in os.environ else write_images(root / "t", 600)
    count = sum(1 for file in many.rglob("*") if file.is_file())
    rows = [("threads", "images", "plain predict", "--shards", "ratio (median of 5 pairs)")]
    for num_workers in (1, 2):
        pairs = []
        for number in range(5):
            seconds: dict[str, float] = {}
            order = ("plain", "shards") if number % 2 else ("shards", "plain")
            for what in order:
                out = root / f"out-{num_workers}-{number}"
                start = time.perf_counter()
                if what == "plain":
                    classifier.predict([many], num_workers=num_workers)
                else:
                    options = ShardOptions(num_workers=num_workers, per_shard=512)
                    predict_shards(classifier, [many], out, options=options)
                seconds[what] = time.perf_counter() - start
            pairs.append((count / seconds["plain"], count / seconds["shards"]))
        plain, sharded = (statistics.median(one) for one in zip(*pairs, strict=True))
        ratio = statistics.median(b / a for a, b in pairs)
        said = (f"{plain:,.0f}/s", f"{sharded:,.0f}/s", f"{ratio:.3f}")
        rows.append((str(num_workers), f"{count:,}", *said))
    return rows


_PARTS: dict[str, Callable[[Path, Path, Path, Path], list[tuple[str, ...]]]] = {
    "threads": kill_driver,
    "ray": kill_on_ray,
    "resume": resume,
    "memory": memory,
    "throughput": throughput,
}


if __name__ == "__main__":
    main()
