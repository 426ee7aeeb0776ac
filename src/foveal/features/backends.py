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
from functools import partial
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


Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """One way to run a backbone: a row of :data:`BACKENDS`.

    Attributes:
        name: As ``--backend`` takes it.
        precision: Of the arithmetic.
        opener: Takes the row, the backbone, the input size (height, width) and a cache folder.
        package: What must be installed beside PyTorch; ``None`` for nothing.
        device: Where it runs.
        setup: ``"slow"`` where opening takes tens of seconds (compilation), so that the
            probe tries it only when there is enough work to pay for it.
        needs: Each returns why it cannot run here, or ``None``.
    """

    name: str
    precision: Precision
    opener: Callable[[BackendSpec, Backbone, tuple[int, int], Path], Backend]
    package: str | None = None
    device: Device = "cpu"
    setup: Literal["quick", "slow"] = "quick"
    needs: tuple[Callable[[], str | None], ...] = ()

    def obstacle(self) -> str | None:
        """Returns why it cannot run here, or ``None``."""
        if self.package is not None and importlib.util.find_spec(self.package) is None:
            return f"the package {self.package} is not installed (pip install {self.package})"
        if self.device == "cuda" and (reason := _needs_cuda()):
            return reason
        return next((reason for need in self.needs if (reason := need())), None)

    def open(self, backbone: Backbone, size: tuple[int, int], cache: Path) -> Backend:
        """Returns the backbone opened for inputs of ``size`` (height, width)."""
        return self.opener(self, backbone, size, cache)


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


def _open_torch(
    spec: BackendSpec,
    backbone: Backbone,
    size: tuple[int, int],
    cache: Path,
    *,
    layout: Literal["default", "channels_last"] = "channels_last",
    compiled: bool = False,
) -> Backend:
    import copy

    import torch

    # A copy, because moving or re-laying a module changes the caller's parameters.
    device, precision = spec.device, spec.precision
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

    return Backend(spec.name, precision, _in_full_batches(run) if compiled else run)


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


def _open_onnxruntime(
    spec: BackendSpec, backbone: Backbone, size: tuple[int, int], cache: Path
) -> Backend:
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

    return Backend(spec.name, spec.precision, run, num_concurrent=num_cores())


def _open_openvino(
    spec: BackendSpec, backbone: Backbone, size: tuple[int, int], cache: Path
) -> Backend:
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

    return Backend(spec.name, spec.precision, run)


def _needs_cuda() -> str | None:
    import torch

    return None if torch.cuda.is_available() else "no CUDA device is present"


def why_no_bf16() -> str | None:
    """Returns why bf16 is no use on this processor; ``None`` where it is."""
    import torch

    # Without these instructions bf16 is emulated, many times slower than fp32.
    supported = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return None if supported else "this processor has no bf16 instructions"


def _needs_compiler() -> str | None:
    import shutil

    found = any(shutil.which(name) for name in ("c++", "g++", "clang++"))
    return None if found else "torch.compile needs a C++ compiler (apt-get install g++)"


# The likely winners come first, so that the probe can soon give up on the others. Those that are
# slow to set up come last: the probe must know what there is to be won back.
BACKENDS: tuple[BackendSpec, ...] = (
    BackendSpec("cuda-fp16", "fp16", _open_torch, device="cuda"),
    BackendSpec("cuda", "fp32", _open_torch, device="cuda"),
    BackendSpec("onnxruntime", "fp32", _open_onnxruntime, package="onnxruntime"),
    BackendSpec("openvino", "fp32", _open_openvino, package="openvino"),
    BackendSpec("torch-bf16", "bf16", _open_torch, needs=(why_no_bf16,)),
    BackendSpec("torch-channels-last", "fp32", _open_torch),
    BackendSpec("torch", "fp32", partial(_open_torch, layout="default")),
    BackendSpec(
        "torch-compiled",
        "fp32",
        partial(_open_torch, layout="default", compiled=True),
        setup="slow",
        needs=(_needs_compiler,),
    ),
    BackendSpec(
        "torch-compiled-bf16",
        "bf16",
        partial(_open_torch, compiled=True),
        setup="slow",
        needs=(why_no_bf16, _needs_compiler),
    ),
)
"""The ways to run a backbone. A new one is one more row and the function that opens it."""

BACKEND_PACKAGES: tuple[str, ...] = tuple(
    dict.fromkeys(spec.package for spec in BACKENDS if spec.package is not None)
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
