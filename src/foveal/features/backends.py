"""Ways to run a frozen backbone, behind one interface.

No backend is fastest everywhere: ONNX Runtime leads on depthwise networks, compiled or
reduced-precision PyTorch on others, and a GPU on all. ``probe`` times them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.features.onnx_file import export_backbone
from foveal.features.stream import BATCH_SIZE
from foveal.text import near_names

if TYPE_CHECKING:
    from foveal.models import Backbone

Precision = Literal["fp32", "bf16", "fp16"]

# The cosine to PyTorch's fp32 features below which a backend is not used. Eight bits of
# mantissa (bf16) cannot agree to four nines after fifty layers, hence the second figure.
MIN_COSINE: dict[Precision, float] = {"fp32": 0.9999, "fp16": 0.999, "bf16": 0.999}


@dataclass(frozen=True, slots=True)
class Backend:
    """A backbone opened by one backend.

    Attributes:
        name: The backend's name.
        precision: Of the arithmetic; results are always float32.
        run: Maps a batch ``[N, 3, H, W]`` float32 to features ``[N, D]`` float32.
        num_concurrent: How many calls of ``run`` may be in progress at once; 1 where a
            single call already uses every core.
    """

    name: str
    precision: Precision
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    num_concurrent: int = 1


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """One way to run a backbone: whether it can work here, and how to open it.

    Attributes:
        setup: ``"slow"`` where opening takes tens of seconds (compilation), so that the
            probe tries it only when there is enough work to pay for it.
        obstacle: Returns why it cannot run here, or ``None``.
        open: Takes the backbone, the input size (height, width) and a cache folder.
    """

    name: str
    precision: Precision
    setup: Literal["quick", "slow"]
    obstacle: Callable[[], str | None]
    open: Callable[[Backbone, tuple[int, int], Path], Backend]


def num_cores(quota_file: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Returns how many cores this process may use, a container's quota included.

    Args:
        quota_file: The quota and its period in microseconds, as Linux control groups (v2) say
            it: ``200000 100000`` for two cores, ``max 100000`` for no limit.
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = quota_file.read_text("ascii").split()
        if quota != "max":
            allowed = min(allowed, max(1, math.ceil(int(quota) / int(period))))
    return allowed


def _torch_backend(
    backbone: Backbone,
    *,
    name: str,
    precision: Precision = "fp32",
    device: str = "cpu",
    layout: Literal["default", "channels_last"] = "channels_last",
    compiled: bool = False,
) -> Backend:
    import copy

    import torch

    # A copy, because moving or re-laying a module changes the caller's parameters.
    network = copy.deepcopy(backbone.feature_network()).to(device)
    memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    network = network.to(memory_format=memory_format)
    forward: Callable[..., Any] = network
    if compiled:
        # As an option, because the global setting is not seen by other threads.
        forward = torch.compile(network, options={"freezing": True})
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        batch = torch.from_numpy(images).to(device).contiguous(memory_format=memory_format)
        autocast: AbstractContextManager[Any] = (
            nullcontext() if precision == "fp32" else torch.autocast(device, dtype=dtype)
        )
        with torch.inference_mode(), autocast:
            features = forward(batch)
        result: NDArray[np.float32] = features.float().cpu().numpy()
        return result

    return Backend(name, precision, _in_full_batches(run) if compiled else run)


def _in_full_batches(
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Fills batches up to ``BATCH_SIZE``: another size would be compiled anew, for seconds."""

    def run_full(images: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(images), BATCH_SIZE):
            part = images[start : start + BATCH_SIZE]
            full = np.zeros((BATCH_SIZE, *images.shape[1:]), np.float32)
            full[: len(part)] = part
            parts.append(run(full)[: len(part)])
        return np.concatenate(parts)

    return run_full


def _onnxruntime_backend(backbone: Backbone, size: tuple[int, int], cache: Path) -> Backend:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # One thread a call and one call a core: no time is lost on waiting for the slower half
    # of each layer, and decoding fills the gaps.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        export_backbone(backbone, size, cache), options, providers=["CPUExecutionProvider"]
    )

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        features: NDArray[np.float32] = session.run(["features"], {"images": images})[0]
        return features

    return Backend("onnxruntime", "fp32", run, num_concurrent=num_cores())


def _openvino_backend(backbone: Backbone, size: tuple[int, int], cache: Path) -> Backend:
    import openvino

    core = openvino.Core()
    hints = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": num_cores(),
    }
    model = core.compile_model(
        core.read_model(export_backbone(backbone, size, cache)), "CPU", hints
    )

    def run(images: NDArray[np.float32]) -> NDArray[np.float32]:
        features: NDArray[np.float32] = np.array(model(images)[0], np.float32)
        return features

    return Backend("openvino", "fp32", run)


def _always() -> str | None:
    return None


def _needs(module: str, package: str) -> Callable[[], str | None]:
    def obstacle() -> str | None:
        found = importlib.util.find_spec(module) is not None
        return None if found else f"the package {package} is not installed (pip install {package})"

    return obstacle


def _needs_cuda() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "no CUDA device is present"


def _needs_bf16() -> str | None:
    import torch

    # Without these instructions bf16 is emulated, many times slower than fp32.
    supported = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return None if supported else "this processor has no bf16 instructions"


def _needs_compiler() -> str | None:
    import shutil

    found = any(shutil.which(name) for name in ("c++", "g++", "clang++"))
    return None if found else "torch.compile needs a C++ compiler (apt-get install g++)"


# The likely winners come first, so that the probe can soon give up on the others.
BACKENDS: tuple[BackendSpec, ...] = (
    BackendSpec(
        "cuda-fp16",
        "fp16",
        "quick",
        _needs_cuda,
        lambda backbone, size, cache: _torch_backend(
            backbone, name="cuda-fp16", device="cuda", precision="fp16"
        ),
    ),
    BackendSpec(
        "cuda",
        "fp32",
        "quick",
        _needs_cuda,
        lambda backbone, size, cache: _torch_backend(backbone, name="cuda", device="cuda"),
    ),
    BackendSpec(
        "onnxruntime", "fp32", "quick", _needs("onnxruntime", "onnxruntime"), _onnxruntime_backend
    ),
    BackendSpec("openvino", "fp32", "quick", _needs("openvino", "openvino"), _openvino_backend),
    BackendSpec(
        "torch-bf16",
        "bf16",
        "quick",
        _needs_bf16,
        lambda backbone, size, cache: _torch_backend(backbone, name="torch-bf16", precision="bf16"),
    ),
    BackendSpec(
        "torch-channels-last",
        "fp32",
        "quick",
        _always,
        lambda backbone, size, cache: _torch_backend(backbone, name="torch-channels-last"),
    ),
    BackendSpec(
        "torch",
        "fp32",
        "quick",
        _always,
        lambda backbone, size, cache: _torch_backend(backbone, name="torch", layout="default"),
    ),
    # Slow to set up, so last: the probe must know what there is to be won back.
    BackendSpec(
        "torch-compiled",
        "fp32",
        "slow",
        _needs_compiler,
        lambda backbone, size, cache: _torch_backend(
            backbone, name="torch-compiled", layout="default", compiled=True
        ),
    ),
    BackendSpec(
        "torch-compiled-bf16",
        "bf16",
        "slow",
        lambda: _needs_bf16() or _needs_compiler(),
        lambda backbone, size, cache: _torch_backend(
            backbone, name="torch-compiled-bf16", precision="bf16", compiled=True
        ),
    ),
)


def find_backend(name: str) -> BackendSpec:
    """Returns the backend called ``name``.

    Raises:
        UsageError: There is none, or it cannot run here.
    """
    for spec in BACKENDS:
        if spec.name == name:
            if obstacle := spec.obstacle():
                raise UsageError(
                    f"The backend {name} cannot run here: {obstacle}.",
                    next_step="Leave --backend out to have the fastest one chosen.",
                )
            return spec
    names = [spec.name for spec in BACKENDS]
    near = near_names(name, names)
    raise UsageError(
        f"There is no backend named {name!r}.",
        next_step=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names)}.",
    )
