"""S102: a feature map flattened into a giant linear layer."""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.graph.wiring import dimensions, producer_through
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule
from foveal.models.surgery.replace_head import norms_in_head

# Below a million parameters, or a fifth of the network, the layer is no giant: LeNet's is
# three quarters of a network of sixty thousand.
MIN_PARAMETERS = 1_000_000
MIN_SHARE = 0.2
WARNING_SHARE = 0.5


def check(context: LintContext) -> Outcome:
    """Finds the linear layer that reads a flattened map and outweighs the network."""
    head = context.head
    if head.kind not in {"flattened linear", "flattened MLP"} or head.features is None:
        return NotApplicable(f"no map is flattened with its places: {head.reason}")
    graph = context.graph
    first = graph.op(head.linear_layers[0])
    parameters = sum(graph.parameter(name).count for name in first.parameters)
    share = parameters / max(1, graph.parameter_count)
    if parameters < MIN_PARAMETERS or share < MIN_SHARE:
        return Checked()
    features = graph.op(head.features)
    num_channels, *places = features.output_shape[1:]
    size = dimensions(places)
    num_classes = head.num_classes or 0
    after = num_channels * num_classes + num_classes
    fixed = producer_through(graph, first, {"flatten", "reshape", "dropout", "copy", "permute"})
    any_size = first.kind == "conv" or (fixed is not None and fixed.kind == "adaptive_pool")
    return Checked(
        (
            Finding(
                "S102",
                "warning" if share >= WARNING_SHARE else "info",
                first.name,
                f"{first.name} reads a flattened map of {num_channels:,}×{size} and holds "
                f"{parameters:,} of {graph.parameter_count:,} parameters ({percent(share)})"
                + ("." if any_size else f"; it works at {_input(context)} pixels only."),
                f"Average over the {size} places (global average pooling) and put one linear "
                f"layer of {after:,} parameters on the {num_channels:,} channels. Keep the "
                "flattening only where the place of things in the picture is what counts.",
                fix_id="pool-head" if first.kind == "linear" else None,
                data={
                    "parameters": parameters,
                    "share": share,
                    "parameters_after": after,
                    "channels": num_channels,
                    "linear_layers": list(head.linear_layers),
                    "num_classes": num_classes,
                    "norms": list(norms_in_head(graph, head)),
                },
            ),
        )
    )


def _input(context: LintContext) -> str:
    return dimensions(context.input_shape[1:])


RULE = Rule("S102", "a map flattened into a giant linear layer", "warning", check, (18,))
