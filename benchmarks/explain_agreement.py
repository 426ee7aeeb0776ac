"""Where Foveal's heat maps and its peers' disagree, and who is right.

    python -m benchmarks.explain_agreement [--write]

Maps of published networks with random weights, by Foveal, pytorch-grad-cam and captum. The
judge is none of them: the definition of each paper, position by position in double precision, from
activations and gradients of the whole network by plain autograd. Compared are the signed maps at
the layer's own resolution, before any tool scales, cuts or enlarges them. Then situations that
people ask for, one by one. Every disagreement of more than 1e-4 of the largest value is
explained below; one that is not, or one of Foveal's, ends the command with exit code 1. The
peers are in ``benchmarks/peers/requirements.txt``.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.explain_tools import TOOLS, Tool, judged, lively

PAGE = Path(__file__).parents[1] / "docs" / "explain-agreement.md"
TOLERANCE = 1e-4
METHODS = ("grad-cam", "grad-cam++", "hirescam", "layercam")
# Network and the module whose result is its last map.
PUBLISHED = (
    ("resnet18", "layer4"),
    ("resnet50", "layer4"),
    ("mobilenet_v2", "features"),
    ("mobilenet_v3_small", "features"),
    ("convnext_tiny", "features"),
    ("squeezenet1_1", "features"),
    ("alexnet", "features.11"),
)
_SIZE_PX = 96


class Small(nn.Module):
    """Two convolutions with in-place ReLUs, dropout, pooling and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.linear = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.first(x))
        x = self.relu(self.norm(self.second(x)))
        return self.linear(self.dropout(x).amax((2, 3)))


@dataclass(frozen=True, slots=True)
class Situation:
    """One thing that people ask for."""

    name: str
    layer: str
    change: Callable[[nn.Module], object] = lambda model: None
    around: Callable[[], Any] = torch.enable_grad
    dtype: torch.dtype = torch.float32


SITUATIONS = (
    Situation("nothing special", "dropout"),
    Situation("in-place ReLU behind the layer", "norm"),
    Situation("one ReLU used twice", "relu"),
    Situation("model in training mode", "dropout", lambda model: model.train()),
    Situation("frozen model", "dropout", lambda model: model.requires_grad_(False)),
    Situation("inside torch.no_grad()", "dropout", around=torch.no_grad),
    Situation("inside torch.inference_mode()", "dropout", around=torch.inference_mode),
    Situation("bfloat16 model", "dropout", lambda model: model.bfloat16(), dtype=torch.bfloat16),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one tool says: a difference, a reason, or nothing (None) where it has no such method."""

    difference: float | None
    error: str | None = None
    leaves_changed: bool = False

    def agrees(self, tolerance: float) -> bool:
        """Whether it is right, and leaves the model alone."""
        fine = self.difference is None or self.difference <= tolerance
        return fine and self.error is None and not self.leaves_changed


def ask(tool: Tool, model: nn.Module, case: Situation, images: torch.Tensor, method: str) -> Cell:
    """Compares one tool with the judge, on a copy of the model of its own."""
    truth = judged(model, case.layer, images, method)
    own = copy.deepcopy(model)
    case.change(own)
    before = _state(own)
    try:
        torch.manual_seed(0)
        with case.around():
            found = tool(own, case.layer, images.to(case.dtype), method)
    except Exception as error:
        return Cell(None, type(error).__name__)
    if found is None:
        return Cell(None)
    difference = float(np.abs(found - truth).max() / np.abs(truth).max())
    return Cell(difference, leaves_changed=_state(own) != before)


def _state(model: nn.Module) -> list[object]:
    modes: list[object] = [module.training for module in model.modules()]
    return modes + [parameter.grad is None for parameter in model.parameters()]


@dataclass(frozen=True, slots=True)
class Row:
    """What everybody says."""

    subject: str
    method: str
    cells: dict[str, Cell]
    tolerance: float = TOLERANCE


def rows() -> tuple[list[Row], list[Row]]:
    """Returns the table of networks and the table of situations."""
    import torchvision

    images = torch.randn(2, 3, _SIZE_PX, _SIZE_PX, generator=torch.Generator().manual_seed(0))
    networks = []
    for name, layer in PUBLISHED:
        model = lively(torchvision.models.get_model(name, weights=None, num_classes=10))
        for method in METHODS:
            cells = {
                tool: ask(run, model, Situation(name, layer), images, method)
                for tool, _, run in TOOLS
            }
            # How a peer leaves the model is a matter of the second table.
            shown = {tool: Cell(cell.difference, cell.error) for tool, cell in cells.items()}
            networks.append(Row(name, method, shown))
    model = lively(Small())
    small = images[:, :, :16, :16]
    situations = []
    for case in SITUATIONS:
        cells = {tool: ask(run, model, case, small, "grad-cam") for tool, _, run in TOOLS}
        tolerance = 0.05 if case.dtype == torch.bfloat16 else TOLERANCE
        situations.append(Row(case.name, "grad-cam", cells, tolerance))
    return networks, situations


_EPSILON = (
    "Adds 1e-6 to the denominator of equation 19, beside 2 g², which weakens channels whose "
    "gradients are about 1e-3 or less: behind an average they are w / hw. With that term Foveal's "
    "map would be its map to 1e-6. The paper has no such term; Foveal cancels g² and needs none."
)
_OVERWRITTEN = (
    "Keeps the layer's result itself, which the ReLU behind it then overwrites: the map is made "
    "of activations after the ReLU and gradients before it. Foveal lets a copy go on."
)
_LEAVES = (
    "The map is right, but the model is not as it was: the peer calls `backward()`, which fills "
    "the `.grad` of every parameter, and leaves the model in evaluation mode."
)
_TRAINING = (
    "Runs the model in the mode it is found in, so that dropout and batch statistics explain a "
    "network that never predicts. Foveal explains the predicting one and restores each mode."
)
_NO_GRADIENTS = "Needs gradients that the caller has switched off; Foveal switches its own on."
_NO_BFLOAT16 = "Turns tensors into arrays, which have no bfloat16."
_FROZEN = (
    "Lets the gradients begin at the parameters, so that none is left when all are frozen. "
    "Foveal's begin at the layer."
)
_FIRST_CALL = (
    "Keeps the results of all calls and explains the first. Foveal names the calls apart "
    "(`relu`, `relu#2`); the judge takes the last, which is the map before pooling."
)
# By peer, and by the method of the first table or the situation of the second.
EXPLANATIONS: dict[tuple[str, str], str] = {
    ("pytorch-grad-cam", "grad-cam++"): _EPSILON,
    ("pytorch-grad-cam", "nothing special"): _LEAVES,
    ("pytorch-grad-cam", "in-place ReLU behind the layer"): _OVERWRITTEN,
    ("pytorch-grad-cam", "one ReLU used twice"): _FIRST_CALL,
    ("pytorch-grad-cam", "model in training mode"): _LEAVES,
    ("pytorch-grad-cam", "frozen model"): _FROZEN,
    ("pytorch-grad-cam", "inside torch.no_grad()"): _NO_GRADIENTS,
    ("pytorch-grad-cam", "inside torch.inference_mode()"): _NO_GRADIENTS,
    ("pytorch-grad-cam", "bfloat16 model"): _NO_BFLOAT16,
    ("captum", "model in training mode"): _TRAINING,
    ("captum", "inside torch.inference_mode()"): _NO_GRADIENTS,
}


def page(networks: list[Row], situations: list[Row]) -> str:
    """Returns the tables as Markdown."""
    tools = [name for name, _, _ in TOOLS]
    lines = [
        "# Explaining: agreement with the peers",
        "",
        "Made by `python -m benchmarks.explain_agreement --write`. The largest difference from the "
        "papers' definitions, computed by plain autograd in double precision, as a share of the "
        "map's largest value; signed maps at the layer's resolution, before any tool scales, cuts "
        "or enlarges them. Random weights, images of 96 px. In bold: more than 1e-4. A dash: the "
        "tool has no such method.",
        "",
        f"| network | method | {' | '.join(tools)} |",
        f"|---|---|{'--:|' * len(tools)}",
    ]
    lines += [
        f"| {row.subject} | {row.method} | {' | '.join(map(_cell(row), tools))} |"
        for row in networks
    ]
    lines += [
        "",
        "Scaled and enlarged maps differ besides, each tool having its own: pytorch-grad-cam "
        "subtracts the minimum, divides by the maximum plus 1e-7 and enlarges with OpenCV, captum "
        "returns raw signed maps, Foveal the raw positive part with the signed one beside it.",
        "",
        "## Situations",
        "",
        "Grad-CAM of a small network with in-place ReLUs, dropout and maximum pooling. *Changed* "
        "means that modes or gradients of the model are not what they were. For bfloat16 up to 5% "
        "is rounding.",
        "",
        f"| situation | {' | '.join(tools)} |",
        f"|---|{'--:|' * len(tools)}",
    ]
    lines += [f"| {row.subject} | {' | '.join(map(_cell(row), tools))} |" for row in situations]
    lines += ["", "## Who is right, and why", "", "| peer | where | why |", "|---|---|---|"]
    reasons: dict[tuple[str, str], list[str]] = {}
    for tool, row in disagreements([*networks, *situations]):
        reason = explanation(tool, row) or "**not explained**"
        where = f"{row.method}, {row.subject}" if row in networks else row.subject
        reasons.setdefault((tool, reason), []).append(where)
    lines += [
        f"| {tool} | {'; '.join(titles)} | {reason} |" for (tool, reason), titles in reasons.items()
    ]
    return "\n".join([*lines, ""])


def _cell(row: Row) -> Callable[[str], str]:
    def text(tool: str) -> str:
        cell = row.cells[tool]
        if cell.error is not None:
            return f"**{cell.error}**"
        if cell.difference is None:
            return "–"
        shown = f"{cell.difference:.0e}"
        shown = shown if cell.difference <= row.tolerance else f"**{shown}**"
        return f"{shown}, **changed**" if cell.leaves_changed else shown

    return text


def disagreements(measured: list[Row]) -> list[tuple[str, Row]]:
    """Returns every tool and row where it is not right."""
    return [
        (tool, row)
        for row in measured
        for tool, cell in row.cells.items()
        if not cell.agrees(row.tolerance)
    ]


def explanation(tool: str, row: Row) -> str | None:
    """Returns why a tool disagrees; None where that is not known."""
    return EXPLANATIONS.get((tool, row.subject)) or EXPLANATIONS.get((tool, row.method))


def main() -> None:
    """Prints the page; exits with 1 where Foveal is off or a disagreement is unexplained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    for name, package, _ in TOOLS:
        if importlib.util.find_spec(package) is None:
            sys.exit(f"{name} is not installed: pip install -r benchmarks/peers/requirements.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        networks, situations = rows()
    text = page(networks, situations)
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    unexplained = [
        (tool, row)
        for tool, row in disagreements([*networks, *situations])
        if tool == "Foveal" or explanation(tool, row) is None
    ]
    for tool, row in unexplained:
        print(f"unexplained: {tool}, {row.subject}, {row.method}", file=sys.stderr)
    if unexplained:
        sys.exit(1)


if __name__ == "__main__":
    main()
