"""Where Foveal's inspector and its peers disagree, and who is right.

    python -m benchmarks.inspect_agreement [--write]

Multiply-accumulates of published networks and of small planted ones, from Foveal, torchinfo,
fvcore and torchscan. The judge is none of the four: PyTorch's own ``FlopCounterMode``, halved,
on a real forward pass, or for the planted networks the arithmetic written beside them. Every
disagreement of more than 0.5% is explained below; one that is not ends the command with exit
code 1. Receptive fields follow, as ``field_agreement`` compares them. The peers are in
``benchmarks/peers/requirements.txt``.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from benchmarks import field_agreement
from benchmarks.planted_networks import PLANTED

PAGE = Path(__file__).parents[1] / "docs" / "inspect-agreement.md"
TOLERANCE = 0.005
PUBLISHED = (
    "alexnet", "vgg16", "resnet18", "resnet50", "resnet152", "resnext50_32x4d", "googlenet",
    "inception_v3", "densenet121", "mobilenet_v2", "mobilenet_v3_large", "shufflenet_v2_x1_0",
    "squeezenet1_1", "mnasnet1_0", "efficientnet_b0", "efficientnet_v2_s", "regnet_y_400mf",
    "convnext_tiny", "maxvit_t", "swin_t", "vit_b_16",
)  # fmt: skip


def foveal_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Returns Foveal's total."""
    from foveal.inspection import inspect

    macs = inspect(model, shape).totals.macs
    assert macs.status == "complete", macs.reason
    return int(macs.value)


def torch_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Returns half of what PyTorch counts in a real forward pass."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # It knows the products inside attention only where they are written out.
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            model(torch.zeros(1, *shape))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    return int(counter.get_total_flops()) // 2


def torchinfo_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Returns torchinfo's ``total_mult_adds``."""
    import torchinfo

    return int(torchinfo.summary(model, (1, *shape), verbose=0, device="cpu").total_mult_adds)


def fvcore_macs(model: nn.Module, shape: tuple[int, ...]) -> int:
    """Returns fvcore's total, which it calls flops."""
    from fvcore.nn import FlopCountAnalysis

    counted = FlopCountAnalysis(model, torch.zeros(1, *shape))
    counted.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return int(counted.total())


def torchscan_macs(model: nn.Module, shape: tuple[int, ...]) -> int | str:
    """Returns torchscan's total, in words where it says itself that something is missing."""
    from torchscan import crawl_module

    report = crawl_module(model, args=(torch.zeros(1, *shape),))
    macs = report["totals"]["macs"]
    known = int(macs["known_value"])
    return known if macs["status"] == "complete" else f"at least {known:,}"


PEERS: tuple[tuple[str, Callable[[nn.Module, tuple[int, ...]], int | str]], ...] = (
    ("torchinfo", torchinfo_macs),
    ("fvcore", fvcore_macs),
    ("torchscan", torchscan_macs),
)


@dataclass(frozen=True, slots=True)
class Row:
    """What everybody says about one network."""

    name: str
    truth: int
    foveal: int
    peers: dict[str, int | str]


def measure(name: str, model: nn.Module, shape: tuple[int, ...], truth: int | None) -> Row:
    """Asks everybody; a peer that fails is a word instead of a number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said: dict[str, int | str] = {}
        for peer, count in PEERS:
            model.eval()
            try:
                said[peer] = count(model, shape)
            except Exception as error:
                said[peer] = type(error).__name__
        model.eval()
        if truth is None:
            truth = torch_macs(model, shape)
        return Row(name, truth, foveal_macs(model, shape), said)


def rows() -> list[Row]:
    """Returns the whole table."""
    import torchvision

    measured = []
    for name in PUBLISHED:
        size = torchvision.models.get_model_weights(name)["DEFAULT"].transforms().crop_size[0]
        settings = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
        model = torchvision.models.get_model(name, weights=None, **settings).eval()
        measured.append(measure(name, model, (3, size, size), None))
    return measured + [
        measure(planted.name, planted.make(), planted.shape, planted.macs) for planted in PLANTED
    ]


def _agree(count: int | str, truth: int) -> bool:
    return isinstance(count, int) and abs(count - truth) <= TOLERANCE * truth


def disagreements(measured: list[Row]) -> list[tuple[str, str]]:
    """Returns ``(peer, network)`` for every disagreement with Foveal."""
    return [
        (peer, row.name)
        for row in measured
        for peer, count in row.peers.items()
        if not _agree(count, row.foveal)
    ]


def page(measured: list[Row]) -> str:
    """Returns the tables as Markdown."""
    names = [peer for peer, _ in PEERS]
    lines = [
        "# Inspecting: agreement with the peers",
        "",
        "Made by `python -m benchmarks.inspect_agreement --write`.",
        "",
        "## Multiply-accumulates",
        "",
        "Multiply-accumulates of one "
        "image; the judge is PyTorch's `FlopCounterMode`, halved, on a real forward pass, and "
        "hand arithmetic for the last six. In bold: more than 0.5% away from the judge.",
        "",
        f"| network | judge | Foveal | {' | '.join(names)} |",
        f"|---|--:|--:|{'--:|' * len(names)}",
    ]
    for row in measured:
        cells = [_cell(count, row.truth) for count in (row.foveal, *row.peers.values())]
        lines.append(f"| {row.name} | {row.truth:,} | {' | '.join(cells)} |")
    lines += ["", "### Who is right, and why", "", "| peer | networks | why |", "|---|---|---|"]
    found = disagreements(measured)
    reasons: dict[tuple[str, str], list[str]] = {}
    for peer, network in found:
        reason = EXPLANATIONS.get((peer, network)) or "**not explained**"
        reasons.setdefault((peer, reason), []).append(network)
    for (peer, reason), networks in reasons.items():
        lines.append(f"| {peer} | {', '.join(networks)} | {reason} |")
    return "\n".join([*lines, ""])


def _cell(count: int | str, truth: int) -> str:
    if isinstance(count, str):
        return f"**{count}**"
    return f"{count:,}" if _agree(count, truth) else f"**{count:,}** ({count / truth - 1:+.1%})"


_NORMS = (
    "Adds normalisation and pooling, one to five for each value. "
    "Its figures for convolutions, linear layers and products of activations add up to ours."
)
_BIAS = "Counts the addition of the bias as a product for each output value."
_POSITIONS = (
    "Counts a linear layer once an image, however many positions it is applied to, and no product "
    "of two activations."
)
_TRANSPOSED = (
    "Lets every output value meet every tap. With a stride most taps meet none: an input value "
    "meets each tap once."
)
_NO_MODULE = "Sees modules alone; this product has none."


def _for(peer: str, reason: str, *networks: str) -> dict[tuple[str, str], str]:
    return {(peer, network): reason for network in networks}


EXPLANATIONS: dict[tuple[str, str], str] = {
    **_for(
        "fvcore", _NORMS,
        "resnet50", "resnext50_32x4d", "densenet121", "mobilenet_v2", "mobilenet_v3_large",
        "shufflenet_v2_x1_0", "mnasnet1_0", "efficientnet_b0", "efficientnet_v2_s",
        "regnet_y_400mf", "maxvit_t",
    ),
    **_for(
        "fvcore",
        "Does not know fused attention: 12 layers x 2 products x 197² x 768 are missing.",
        "vit_b_16",
    ),
    **_for(
        "torchscan", _NORMS,
        "resnet50", "resnext50_32x4d", "googlenet", "densenet121", "mobilenet_v2",
        "mobilenet_v3_large", "shufflenet_v2_x1_0", "mnasnet1_0", "efficientnet_b0",
        "efficientnet_v2_s", "regnet_y_400mf",
    ),
    **_for(
        "torchscan",
        "Says so itself: it has formulas for modules, and the products inside attention, like "
        "those of a function, have none. Of ConvNeXt, whose blocks scale their maps, it knows "
        "all products none the less.",
        "convnext_tiny", "maxvit_t", "swin_t", "vit_b_16", "conv2d as a function",
        "product of two maps",
    ),
    **_for("torchscan", _TRANSPOSED, "transposed convolution, stride 2"),
    **_for("torchinfo", _TRANSPOSED, "transposed convolution, stride 2"),
    **_for("torchinfo", _BIAS, "squeezenet1_1", "one layer used twice", "grouped, dilated, oblong"),
    **_for(
        "torchinfo", _POSITIONS,
        "convnext_tiny", "maxvit_t", "swin_t", "vit_b_16", "linear on a sequence",
    ),
    **_for("torchinfo", _NO_MODULE, "conv2d as a function", "product of two maps"),
}  # fmt: skip


def main() -> None:
    """Prints the page; exits with 1 where Foveal is off or a disagreement is unexplained."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    measured = rows()
    fields, problems = field_agreement.section()
    text = f"{page(measured)}\n{fields}\n"
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(text)
    wrong = [row.name for row in measured if not _agree(row.foveal, row.truth)]
    unexplained = [pair for pair in disagreements(measured) if pair not in EXPLANATIONS]
    for name in wrong:
        print(f"Foveal is off on {name}", file=sys.stderr)
    for peer, name in unexplained:
        print(f"unexplained: {peer} on {name}", file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    if wrong or unexplained or problems:
        sys.exit(1)


if __name__ == "__main__":
    main()
