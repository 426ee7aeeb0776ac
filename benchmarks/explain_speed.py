"""Grad-CAM against pytorch-grad-cam and captum: time and peak memory, as ratios in one run.

    python benchmarks/explain_speed.py
    python benchmarks/explain_speed.py --models resnet18 --batches 1

For each network and batch, all tools live in one process and take turns; the time is the best
of a few turns each, and includes enlarging the maps to the size of the image, for one class a
picture. "foveal, once" traces the network anew, as a single call of ``foveal.explanation.explain``
does; "foveal, all classes" makes the maps of all 1,000, small ones. CPU seconds are those of
all threads together: on a machine that others use too they are the steadier figure. The memory
is what the peak of a process rises by that runs one tool alone (Linux). The maps are compared
in the same run, each peer's own scaling applied to both sides: more than 1e-4 of the largest
value ends the run with exit code 1. The peers are in ``benchmarks/peers/requirements.txt``; one
that is not installed is a line that says so.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

MODELS = ("resnet18", "resnet50", "tf_efficientnet_lite0")
BATCHES = (1, 32)
TOOLS = ("foveal", "foveal, once", "foveal, all classes", "pytorch-grad-cam", "captum")
PACKAGES = {"pytorch-grad-cam": "pytorch_grad_cam", "captum": "captum"}
TOLERANCE = 1e-4
_TURNS = 5
_ENOUGH_SECONDS = 6.0
_CLASS_INDEX = 1  # its map is blank for none of these networks
_SIZE_PX = 224
_THREADS = "FOVEAL_BENCHMARK_THREADS"


def _last_layer(model: Any) -> Any:
    return model.bn2 if hasattr(model, "conv_stem") else model.layer4


def _enlarged(maps: Any) -> Any:
    import torch

    tensor = torch.from_numpy(np.stack(maps))[:, None]
    size = (_SIZE_PX, _SIZE_PX)
    return torch.nn.functional.interpolate(tensor, size, mode="bilinear").numpy()


def _prepare(tool: str, model: Any, images: Any) -> Callable[[], Any]:
    """Returns one turn of a tool; what can be kept between batches is made here."""
    if tool.startswith("foveal"):
        return _prepare_foveal(tool, model, images)
    if tool == "captum":
        from captum.attr import LayerAttribution, LayerGradCam

        captum = LayerGradCam(model, _last_layer(model))
        size = (_SIZE_PX, _SIZE_PX)

        def turn() -> Any:
            raw = captum.attribute(images, target=_CLASS_INDEX).detach()
            return LayerAttribution.interpolate(raw, size, "bilinear").numpy(), raw.numpy()

        return turn
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    targets = [ClassifierOutputTarget(_CLASS_INDEX)] * len(images)

    def peer_turn() -> Any:
        with GradCAM(model, [_last_layer(model)]) as peer:  # its hooks would slow the others
            return (peer(images, targets),)

    return peer_turn


def _prepare_foveal(tool: str, model: Any, images: Any) -> Callable[[], Any]:
    from foveal.explanation import Explainer, explain

    explainer = Explainer(model)
    if tool == "foveal, all classes":
        return lambda: explainer.explain(images, classes="all", method="grad-cam")
    call = partial(explain, model) if tool == "foveal, once" else explainer.explain

    def turn() -> Any:
        maps = call(images, classes=_CLASS_INDEX, method="grad-cam")
        return _enlarged([row[0].values for row in maps]), maps

    return turn


def _model_and_images(name: str, batch: int) -> tuple[Any, Any]:
    import timm
    import torch

    if _THREADS in os.environ:
        torch.set_num_threads(int(os.environ[_THREADS]))
    torch.manual_seed(0)
    return timm.create_model(name).eval(), torch.randn(batch, 3, _SIZE_PX, _SIZE_PX)


def _difference(tool: str, theirs: Any, ours: Any) -> float | None:
    """Returns the largest difference of the maps, as a share of the largest value."""
    if tool == "captum":
        raw = theirs[1][:, 0]
        signed = np.stack([row[0].signed for row in ours])
        return float(np.abs(raw - signed).max() / np.abs(signed).max())
    if tool == "pytorch-grad-cam":
        from pytorch_grad_cam.utils.image import scale_cam_image

        values = np.stack([row[0].values for row in ours])
        if not values.any():
            return float("nan")  # blank maps prove nothing
        scaled = scale_cam_image(scale_cam_image(values, (_SIZE_PX, _SIZE_PX)))
        return float(np.abs(theirs[0] - scaled).max())
    return None


def _time_here(name: str, batch: int, tools: list[str]) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    model, images = _model_and_images(name, batch)
    turns = {tool: _prepare(tool, model, images) for tool in tools}
    results = {tool: turn() for tool, turn in turns.items()}  # first-use costs are nobody's
    ours = results["foveal"][1]
    found: dict[str, Any] = {
        tool: {
            "seconds": float("inf"),
            "cpu_seconds": float("inf"),
            "difference": _difference(tool, results[tool], ours),
        }
        for tool in tools
    }
    del results
    spent = dict.fromkeys(tools, 0.0)
    for _ in range(_TURNS):
        for tool, turn in turns.items():
            if spent[tool] > _ENOUGH_SECONDS:
                continue
            start, start_cpu = time.perf_counter(), time.process_time()
            turn()
            seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
            spent[tool] += seconds
            best = found[tool]
            best["seconds"] = min(best["seconds"], seconds)
            best["cpu_seconds"] = min(best["cpu_seconds"], cpu)
    return found


def _memory_here(name: str, batch: int, tool: str) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    model, images = _model_and_images(name, batch)
    _prepare(tool, model, images[:1])()
    turn = _prepare(tool, model, images)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far, of building the model
    before = _peak_kib()
    turn()
    return {"peak_mb": (_peak_kib() - before) * 1.024 / 1000}


def _peak_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _in_a_process(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(
    models: tuple[str, ...] = MODELS,
    batches: tuple[int, ...] = BATCHES,
    wanted: tuple[str, ...] = TOOLS,
) -> bool:
    """Prints the Markdown table; returns whether all maps agree."""
    missing = [tool for tool, name in PACKAGES.items() if importlib.util.find_spec(name) is None]
    tools = [tool for tool in wanted if tool not in missing]
    print("| model | batch | tool | seconds | CPU seconds | times foveal | peak, MB | difference |")
    print("|---|---:|---|---:|---:|---:|---:|---:|", flush=True)
    agree = True
    for name in models:
        for batch in batches:
            found = _in_a_process("--time", name, str(batch), *tools)
            base = found["foveal"]["cpu_seconds"]
            for tool in tools:
                row = found[tool]
                peak = _in_a_process("--memory", name, str(batch), tool)["peak_mb"]
                difference = row["difference"]
                agree &= difference is None or difference <= TOLERANCE
                print(
                    f"| {name} | {batch} | {tool} | {row['seconds']:.3f} | "
                    f"{row['cpu_seconds']:.3f} | {row['cpu_seconds'] / base:.2f} | {peak:.0f} | "
                    f"{'' if difference is None else f'{difference:.1e}'} |",
                    flush=True,
                )
    for tool in missing:
        print(f"\n{tool} is not installed: pip install -r benchmarks/peers/requirements.txt")
    return agree


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--tools", nargs="+", default=TOOLS, help="'foveal' must be among them")
    parser.add_argument("--time", nargs="+", metavar="ARGUMENT", help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=3, metavar="ARGUMENT", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help="1 is steadier where others use the machine")
    options = parser.parse_args()
    if options.threads:
        os.environ[_THREADS] = str(options.threads)
    if options.time:
        name, batch, *tools = options.time
        print(json.dumps(_time_here(name, int(batch), tools)))
    elif options.memory:
        name, batch, tool = options.memory
        print(json.dumps(_memory_here(name, int(batch), tool)))
    elif not table(tuple(options.models), tuple(options.batches), tuple(options.tools)):
        sys.exit("Some maps differ: see the last column.")


if __name__ == "__main__":
    main()
