"""How many published classifiers Foveal can follow: a Markdown table by family.

    python -m benchmarks.trace_survey [--library timm] [--sample 100] [--limit 50] [--write]

Every model is built on the meta device (no weights, no memory), traced at its own input size
in evaluation mode, and checked: the parameter count against the model's own, the shape of the
output against a forward pass without Foveal, every parameter that received no user. The last
columns say for how many the receptive field is known or global at the end of the network, and
in how many some operation has an unknown cost. ``--write`` surveys both libraries, whole, and
puts the tables into docs/trace-survey.md (about half an hour).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils import _pytree as pytree

from foveal.errors import FovealError
from foveal.graph import Graph, cut, cut_points, head, receptive_fields, trace

PAGE = Path(__file__).parents[1] / "docs" / "trace-survey.md"

# Families without convolutions beyond patch embeddings; surveyed, but in a row of their own.
TRANSFORMERS_AND_MLPS = frozenset(
    [
        "beit",
        "cait",
        "convit",
        "crossvit",
        "deit",
        "eva",
        "gcvit",
        "hiera",
        "hieradet_sam2",
        "mlp_mixer",
        "mvitv2",
        "naflexvit",
        "pit",
        "sequencer",
        "shvit",
        "swin_transformer",
        "swin_transformer_v2",
        "tnt",
        "twins",
        "visformer",
        "vision_transformer",
        "vision_transformer_relpos",
        "vision_transformer_sam",
        "volo",
        "xcit",
        "nest",
        "pvt_v2",
        "davit",
        "csatv2",
        "dinov3",
        "vision_transformer_hybrid",
    ]
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one model."""

    name: str
    family: str
    problem: str | None
    seconds: float
    has_all_macs: bool = False
    has_field: bool = False
    has_head: bool = False
    num_cuts: int = 0


def timm_models() -> Iterator[tuple[str, str]]:
    """Yields name and family of every model in timm."""
    import timm

    for name in timm.list_models():
        module = timm.model_entrypoint(name).__module__
        yield name, module.rpartition(".")[2]


def torchvision_models() -> Iterator[tuple[str, str]]:
    """Yields name and family of every classifier in torchvision."""
    import torchvision

    for name in torchvision.models.list_models(module=torchvision.models):
        module = torchvision.models.get_model_builder(name).__module__
        yield name, module.rpartition(".")[2]


def build(
    library: str, name: str, *, device: str = "meta"
) -> tuple[torch.nn.Module, tuple[int, ...]]:
    """Returns the model on ``device``, in evaluation mode, and its input shape."""
    if library == "timm":
        import timm

        with torch.device(device):
            model = timm.create_model(name, pretrained=False).eval()
        return model, tuple(model.default_cfg["input_size"])
    import torchvision

    settings = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    # RegNet reads the values of tensors while it is built.
    with torch.device("cpu" if name.startswith("regnet") else device):
        model = torchvision.models.get_model(name, weights=None, **settings).eval()
    builder = torchvision.models.get_model_weights(name)
    sizes = [weights.transforms().crop_size[0] for weights in builder]
    return model.to(device), (3, min(sizes), min(sizes))


def survey_one(library: str, name: str, family: str, *, check_cuts: bool = False) -> Answer:
    """Builds, traces and checks one model."""
    try:
        model, shape = build(library, name, device="cpu" if check_cuts else "meta")
    except Exception as error:
        return Answer(name, family, f"not built: {type(error).__name__}: {error}", 0.0)
    began = time.perf_counter()
    try:
        graph = trace(model, shape)
    except FovealError as error:
        return Answer(name, family, f"refused: {error.message}", time.perf_counter() - began)
    seconds = time.perf_counter() - began
    problem = check(model, graph, shape)
    if problem is None and check_cuts:
        problem = check_halves(model, graph, shape)
    if problem is not None:
        return Answer(name, family, problem, seconds)
    last = receptive_fields(graph)[-1]
    return Answer(
        name,
        family,
        None,
        seconds,
        has_all_macs=graph.macs.status == "complete",
        has_field=last.status == "complete",
        has_head=head(graph).kind != "other",
        num_cuts=len(cut_points(graph)),
    )


def check(model: torch.nn.Module, graph: Graph, shape: tuple[int, ...]) -> str | None:
    """Returns what is wrong with the graph, or None."""
    if graph.status != "complete":
        return graph.reason
    if graph.parameter_count != sum(parameter.numel() for parameter in model.parameters()):
        return "parameters are missing"
    with torch.no_grad():
        device = next(model.parameters()).device
        expected = model(torch.zeros(1, *shape, device=device))
    first = expected[0] if isinstance(expected, (tuple, list)) else expected
    if tuple(first.shape) != graph.outputs[0].shape:
        return f"output shape {graph.outputs[0].shape}, expected {tuple(first.shape)}"
    return None


def check_halves(model: torch.nn.Module, graph: Graph, shape: tuple[int, ...]) -> str | None:
    """Returns at which of three cut points the halves do not equal the whole, or None."""
    points = cut_points(graph)
    images = torch.rand(2, *shape)
    expected = model(images)
    leaves = [p for p in model.parameters() if p.requires_grad]
    wanted = gradients(expected, leaves)
    for point in {points[len(points) * part // 4].op_index: None for part in (1, 2, 3)}:
        chosen = next(item for item in points if item.op_index == point)
        try:
            prefix, suffix = cut(model, graph, chosen)
            found = suffix(prefix(images))
        except Exception as error:
            return f"cut at {chosen.name}: {type(error).__name__}: {error}"
        if not equal(found, expected):
            return f"cut at {chosen.name}: the output differs"
        if not equal(gradients(found, leaves), wanted):
            return f"cut at {chosen.name}: the gradients differ"
    return None


def gradients(output: object, leaves: list[torch.Tensor]) -> list[torch.Tensor | None]:
    """Returns the gradients of the sum of squares of the output."""
    # The graph is kept: some models (LeViT) cache what they compute from their weights.
    return list(torch.autograd.grad(total(output), leaves, allow_unused=True, retain_graph=True))


def total(output: object) -> torch.Tensor:
    """Returns the sum of squares of all tensors in the output."""
    leaves = [leaf for leaf in pytree.tree_leaves(output) if isinstance(leaf, torch.Tensor)]
    return torch.stack([leaf.square().sum() for leaf in leaves]).sum()


def equal(left: object, right: object) -> bool:
    """Whether two structures hold the same tensors, bit for bit."""
    pairs = zip(pytree.tree_leaves(left), pytree.tree_leaves(right), strict=True)
    return all(a is b is None or torch.equal(a, b) for a, b in pairs)


def table(answers: list[Answer]) -> str:
    """Returns one row a family, the totals, and what went wrong, as Markdown."""
    families: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        families[answer.family].append(answer)
    convolutional = [a for a in answers if a.family not in TRANSFORMERS_AND_MLPS]
    seconds = sorted(answer.seconds for answer in answers)
    return "\n".join(
        [
            "| family | models | followed | all MACs | field known | head known | with cuts |",
            "|---|--:|--:|--:|--:|--:|--:|",
            *(row(family, families[family]) for family in sorted(families)),
            row("**convolutional**", convolutional),
            row("**all**", answers),
            "",
            f"Median time of one trace {seconds[len(seconds) // 2]:.2f} s, longest "
            f"{seconds[-1]:.2f} s.",
            "",
            *(
                f"- `{answer.name}`: {answer.problem.splitlines()[0]}"
                for answer in answers
                if answer.problem is not None
            ),
        ]
    )


def row(label: str, answers: list[Answer]) -> str:
    """Returns one row of the table."""
    followed = [answer for answer in answers if answer.problem is None]
    share = f" ({len(followed) / len(answers):.1%})" if answers and label[0] == "*" else ""
    return (
        f"| {label} | {len(answers)} | {len(followed)}{share} "
        f"| {sum(a.has_all_macs for a in followed)} | {sum(a.has_field for a in followed)} "
        f"| {sum(a.has_head for a in followed)} | {sum(a.num_cuts > 0 for a in followed)} |"
    )


def survey(library: str, chosen: list[tuple[str, str]], *, check_cuts: bool) -> list[Answer]:
    """Surveys the models chosen; progress on a terminal."""
    answers = []
    for index, (name, family) in enumerate(chosen):
        answers.append(survey_one(library, name, family, check_cuts=check_cuts))
        if sys.stderr.isatty():
            print(f"\r{index + 1}/{len(chosen)} {name:50}", end="", file=sys.stderr)
    return answers


def page() -> str:
    """Surveys both libraries and returns the page."""
    import timm
    import torchvision

    parts = [
        "# Tracing: published classifiers that Foveal can follow",
        "Made by `python -m benchmarks.trace_survey --write`. Each model is built on the meta "
        "device and traced at its own input size, in evaluation mode. *Followed*: the graph is "
        "complete, no parameter is missing, and the output's shape is that of a forward pass "
        "without Foveal. *Field known*: the receptive field at the end is a number; after global "
        "pooling it is none. *Convolutional* leaves out the families that are transformers or "
        "MLPs but for their patch embedding.",
    ]
    for library, version, models in (
        ("torchvision", torchvision.__version__, torchvision_models()),
        ("timm", timm.__version__, timm_models()),
    ):
        found = survey(library, list(models), check_cuts=False)
        parts += [f"## {library} {version.partition('+')[0]}", table(found)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Reads the arguments and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--library", choices=["timm", "torchvision"], default="timm")
    parser.add_argument("--sample", type=int, help="so many models, drawn by chance")
    parser.add_argument("--limit", type=int, help="the first so many models of each family")
    parser.add_argument("--check-cuts", action="store_true", help="run the halves, on the CPU")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    if options.write:
        PAGE.write_text(page(), encoding="utf-8")
        return
    chosen = list(timm_models() if options.library == "timm" else torchvision_models())
    if options.limit is not None:
        kept: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for name, family in chosen:
            kept[family].append((name, family))
        chosen = [item for family in kept.values() for item in family[: options.limit]]
    if options.sample is not None and options.sample < len(chosen):
        chosen = sorted(random.Random(options.seed).sample(chosen, options.sample))
    print(table(survey(options.library, chosen, check_cuts=options.check_cuts)))


if __name__ == "__main__":
    main()
