"""Which backend is fastest here: measured on real images, checked, and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import math
import platform
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from foveal.errors import BackendError, ModelError, SchemaError
from foveal.features.backends import (
    BACKEND_PACKAGES,
    BACKENDS,
    MIN_COSINE,
    Backend,
    BackendSpec,
    find_backend,
    num_cores,
)
from foveal.files import write_atomically
from foveal.schema import stamped, unstamped

if TYPE_CHECKING:
    from foveal.models import Backbone

# A slow set-up (compilation, about 30 s) pays when it can win back its time.
_SLOW_SETUP_WORTH_SECONDS = 180.0
_TOO_FEW = "too few images to repay its set-up"
_NUM_ROUNDS = 3
# After a round below this share of the best, no luck of the clock can make a winner.
_HOPELESS_SHARE = 0.6
_PROBE_VERSION = 2


@dataclass(frozen=True, slots=True)
class ProbeRow:
    """One backend in the probe.

    ``cosine`` is the lowest over the probe's images, to PyTorch's fp32 features in the
    default layout. ``images_per_second`` is ``None`` for a backend that was asked for by
    name, which needs no race. ``reason`` says why a backend was not timed or not accepted.
    """

    backend: str
    images_per_second: float | None
    cosine: float | None
    reason: str | None


class ProbeMemory(TypedDict):
    """What is remembered of a probe on one machine."""

    rows: tuple[ProbeRow, ...]


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """The outcome: which backend was chosen and what each one did.

    ``origin`` tells whether the rows were measured now, remembered from an earlier run on
    this machine, or absent because the user named the backend.
    """

    chosen: str
    origin: Literal["measured", "remembered", "requested"]
    rows: tuple[ProbeRow, ...]


def choose_backend(
    backbone: Backbone,
    images: NDArray[np.float32],
    *,
    num_images: int,
    cache: Path,
    requested: str | None = None,
) -> tuple[Backend, ProbeReport]:
    """Opens the fastest backend whose features agree with PyTorch's fp32.

    Args:
        backbone: The network to run.
        images: A few preprocessed real images ``[n, 3, H, W]``.
        num_images: How many images wait: decides whether compiling can pay.
        cache: The folder that remembers the outcome per machine, model and input size.
        requested: A backend's name, to skip the choice; its agreement is still checked.

    Raises:
        UsageError: ``requested`` is unknown or cannot run here.
        BackendError: ``requested`` disagrees with the reference.
        ModelError: The network cannot take images of this size.
    """
    size = (images.shape[2], images.shape[3])
    if requested is not None:
        spec = find_backend(requested)
        trial = _Trial(backbone, images, size, cache)
        backend, row = trial.try_out(spec, to_beat=math.inf)
        if backend is None:
            raise BackendError(
                f"The backend {requested} cannot be used with {backbone.name}: {row.reason}.",
                next_step="Leave --backend out to have the fastest one chosen.",
            )
        return backend, ProbeReport(requested, "requested", (row,))

    memory = cache / "probe" / f"{_memory_key(backbone, size)}.json"
    rows = _recall(memory)
    chosen = None if rows is None else _choose(rows, num_images)
    if rows is not None and chosen is not None:
        with contextlib.suppress(Exception):  # what ran then and fails now is measured anew
            backend = find_backend(chosen).open(backbone, size, cache)
            return backend, ProbeReport(chosen, "remembered", rows)

    trial = _Trial(backbone, images, size, cache)
    measured: list[ProbeRow] = []
    opened: dict[str, Backend] = {}
    best = 0.0
    for spec in BACKENDS:
        if obstacle := spec.obstacle():
            measured.append(ProbeRow(spec.name, None, None, obstacle))
        elif spec.setup == "slow" and not _repays_setup(num_images, best):
            measured.append(ProbeRow(spec.name, None, None, _TOO_FEW))
        else:
            tried, row = trial.try_out(spec, to_beat=best)
            measured.append(row)
            if tried is not None:
                opened[spec.name] = tried
                best = max(best, row.images_per_second or 0.0)
    rows = tuple(measured)
    chosen = _choose(rows, num_images)
    if chosen is None:
        raise BackendError(
            f"No backend could run {backbone.name}: "
            + "; ".join(f"{row.backend}: {row.reason}" for row in rows),
        )
    _remember(memory, rows)
    return opened[chosen], ProbeReport(chosen, "measured", rows)


def _repays_setup(num_images: int, images_per_second: float) -> bool:
    return num_images >= _SLOW_SETUP_WORTH_SECONDS * images_per_second


def _choose(rows: Sequence[ProbeRow], num_images: int) -> str | None:
    """Returns the fastest accepted backend; ``None`` where the rows cannot tell.

    The answer depends on how much work waits: a backend that is slow to set up is passed
    over for a few images, and for many images rows that left it out do not suffice.
    """
    slow = {spec.name for spec in BACKENDS if spec.setup == "slow"}
    speeds = {row.backend: row.images_per_second or 0.0 for row in rows if row.reason is None}
    quick = {name: speed for name, speed in speeds.items() if name not in slow}
    if _repays_setup(num_images, max(quick.values(), default=0.0)):
        if any(row.reason == _TOO_FEW for row in rows):
            return None
        quick = speeds
    return max(quick, key=quick.__getitem__, default=None)


class _Trial:
    """One network on a few images, with PyTorch's fp32 features to compare with."""

    def __init__(
        self,
        backbone: Backbone,
        images: NDArray[np.float32],
        size: tuple[int, int],
        cache: Path,
    ) -> None:
        import torch

        self.backbone, self.images, self.size, self.cache = backbone, images, size, cache
        network = backbone.feature_network()
        try:
            with torch.inference_mode():
                self.reference = network(torch.from_numpy(images)).float().numpy()
        except Exception as error:  # every family objects to a size in its own way
            raise ModelError(
                f"{backbone.name} cannot take images of {size[1]}×{size[0]} pixels "
                f"({_describe(error)}).",
                next_step="Leave --size out to use the size the weights were trained for.",
            ) from error

    def try_out(self, spec: BackendSpec, *, to_beat: float) -> tuple[Backend | None, ProbeRow]:
        """Opens a backend, compares its features and times it while it may still win.

        Args:
            spec: The backend.
            to_beat: Images a second of the best so far; infinite to skip the timing.
        """
        try:
            backend = spec.open(self.backbone, self.size, self.cache)
            cosine = _lowest_cosine(backend.run(self.images), self.reference)  # also warms up
            if not cosine >= MIN_COSINE[spec.precision]:
                least = MIN_COSINE[spec.precision]
                reason = f"features differ (cosine {cosine:.6f}, at least {least})"
                return None, ProbeRow(spec.name, None, cosine, reason)
            speed = None if math.isinf(to_beat) else _speed(backend, self.images, to_beat)
        except Exception as error:  # a backend may fail in any way on a network it cannot run
            return None, ProbeRow(spec.name, None, None, f"failed ({_describe(error)})")
        return backend, ProbeRow(spec.name, speed, cosine, None)


def _describe(error: Exception) -> str:
    """Returns the kind of an error and the first line of what it says, if anything."""
    first = str(error).strip().partition("\n")[0][:120]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _speed(backend: Backend, images: NDArray[np.float32], to_beat: float) -> float:
    """Returns images a second at the backend's own concurrency, the best of up to three rounds."""
    best = 0.0
    with ThreadPoolExecutor(backend.num_concurrent) as pool:
        for _ in range(_NUM_ROUNDS):
            start = time.perf_counter()
            list(pool.map(lambda _: backend.run(images), range(backend.num_concurrent)))
            elapsed = time.perf_counter() - start
            best = max(best, backend.num_concurrent * len(images) / elapsed)
            if best < _HOPELESS_SHARE * to_beat:
                break
    return best


def _lowest_cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Returns the least cosine of a row [D] of ``a`` with its row of ``b``."""
    if a.shape != b.shape:
        raise ValueError(f"got features of shape {a.shape}, expected {b.shape}")
    norm_a, norm_b = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
    norms = norm_a * norm_b
    cosines = (a * b).sum(1) / np.where(norms > 0, norms, 1.0)
    # A network may give a zero vector for a blank image; two zero vectors agree.
    return float(np.min(np.where((norm_a == 0) & (norm_b == 0), 1.0, cosines)))


def _memory_key(backbone: Backbone, size: Sequence[int]) -> str:
    import torch

    versions = [spec.name + ("" if spec.obstacle() is None else "-") for spec in BACKENDS]
    parts = [
        str(_PROBE_VERSION),
        platform.node(),
        platform.processor() or platform.machine(),
        str(num_cores()),
        torch.__version__,
        backbone.name,
        backbone.weights.digest,
        *map(str, size),
        *versions,
        # An upgrade may change speeds and, in principle, answers.
        *map(_version, BACKEND_PACKAGES),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _recall(memory: Path) -> tuple[ProbeRow, ...] | None:
    """Returns the remembered rows; ``None`` where there are none that can be read."""
    known = {spec.name for spec in BACKENDS}
    try:
        content = unstamped("probe", json.loads(memory.read_text("utf-8")))
        rows = tuple(ProbeRow(**row) for row in content["rows"])
        for row in rows:
            numbers = (row.images_per_second, row.cosine)
            if row.backend not in known or not all(
                number is None or isinstance(number, float) for number in numbers
            ):
                return None
    except (OSError, ValueError, KeyError, TypeError, SchemaError):
        return None  # nothing remembered, or by another version: measure again
    return rows or None


def _remember(memory: Path, rows: Sequence[ProbeRow]) -> None:
    content = stamped("probe", {"rows": [asdict(row) for row in rows]})
    with contextlib.suppress(OSError):  # then the next run measures again
        write_atomically(memory, json.dumps(content, indent=1).encode())
