"""Inspecting a network: time and peak memory against torchinfo and fvcore, as ratios in one run.

    python benchmarks/inspect_speed.py
    python benchmarks/inspect_speed.py --models resnet50 --sizes 224

Every measurement has a process of its own: it builds the model with random weights, takes the
resident memory, and inspects. The time is the best of a few runs in that process (one where a
run takes longer than five seconds); the memory is what the process's peak
rose by. CPU seconds are those of all threads together: on a machine that others use too they
are the steadier figure. A peer that is not installed, or fails, is a line with its reason.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

MODELS = ("resnet50", "resnet152", "efficientnet_b0", "convnext_tiny")
SIZES = (224, 2048)
TOOLS = ("foveal", "torchinfo", "fvcore")
_REPEATS = 5
_LONG_SECONDS = 5.0


def _foveal(model: Any, size: int) -> int:
    from foveal.inspection import inspect

    return int(inspect(model, (3, size, size)).totals.macs.value or 0)


def _torchinfo(model: Any, size: int) -> int:
    import torchinfo

    summary = torchinfo.summary(model, input_size=(1, 3, size, size), verbose=0, device="cpu")
    return int(summary.total_mult_adds)


def _fvcore(model: Any, size: int) -> int:
    import torch
    from fvcore.nn import FlopCountAnalysis

    counted = FlopCountAnalysis(model, torch.zeros(1, 3, size, size))
    counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return int(counted.total())


_RUN: dict[str, Callable[[Any, int], int]] = {
    "foveal": _foveal,
    "torchinfo": _torchinfo,
    "fvcore": _fvcore,
}


def _measure_here(tool: str, name: str, size: int) -> dict[str, Any]:
    import torchvision

    model = torchvision.models.get_model(name, weights=None).eval()
    run = _RUN[tool]
    run(model, 64)  # imports and first-use costs are nobody's
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    best = best_cpu = float("inf")
    macs = 0
    for _ in range(_REPEATS):
        start, start_cpu = time.perf_counter(), time.process_time()
        macs = run(model, size)
        best = min(best, time.perf_counter() - start)
        best_cpu = min(best_cpu, time.process_time() - start_cpu)
        if best > _LONG_SECONDS:
            break
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": best,
        "cpu_seconds": best_cpu,
        "peak_mb": (after - before) / 1000,
        "macs": macs,
    }


def measure(tool: str, name: str, size: int, *, timeout_seconds: float = 600) -> dict[str, Any]:
    """Measures in a fresh process; ``{"reason": ...}`` where it did not work."""
    command = [sys.executable, __file__, "--one", tool, name, str(size)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return {"reason": f"more than {timeout_seconds:.0f} s"}
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return {"reason": last[:80]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(models: tuple[str, ...] = MODELS, sizes: tuple[int, ...] = SIZES) -> str:
    """Returns the Markdown table."""
    lines = [
        "| model | input | tool | seconds | CPU seconds | times foveal | peak, MB | MACs |",
        "|---|---:|---|---:|---:|---:|---:|---:|",
    ]
    for name in models:
        for size in sizes:
            base: float | None = None
            for tool in TOOLS:
                found = measure(tool, name, size)
                if "reason" in found:
                    lines.append(f"| {name} | {size} | {tool} | {found['reason']} | | | | |")
                    continue
                base = found["seconds"] if tool == "foveal" else base
                ratio = "1" if base is None else f"{found['seconds'] / base:.1f}"
                lines.append(
                    f"| {name} | {size} | {tool} | {found['seconds']:.3f} | "
                    f"{found['cpu_seconds']:.3f} | {ratio} | "
                    f"{found['peak_mb']:.0f} | {found['macs']:,} |"
                )
                print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--one", nargs=3, metavar=("TOOL", "MODEL", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        tool, name, size = options.one
        print(json.dumps(_measure_here(tool, name, int(size))))
        return
    print(table(tuple(options.models), tuple(options.sizes)))


if __name__ == "__main__":
    main()
