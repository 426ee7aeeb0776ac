"""S113: batch norm on the logits."""

from __future__ import annotations

from foveal.graph.wiring import SAME_NUMBERS, WEIGHTED, output_op, producer_through
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.losses import is_classifying
from foveal.linting.rule import Rule


def check(context: LintContext) -> Outcome:
    """Finds a batch norm that stands between the last weighted layer and the output.

    Embeddings that are compared end so on purpose (Luo et al. 2019, "Bag of Tricks", section
    3.5), and a graph cannot tell them from logits: without a softmax behind it, a loss or
    labels of classes the finding is an information.
    """
    graph = context.graph
    if not any(op.kind == "batch_norm" for op in graph.ops):
        return NotApplicable("there is no batch norm")
    norm = output_op(graph, through=SAME_NUMBERS | {"softmax"})
    if norm is None or norm.kind != "batch_norm" or len(graph.outputs[0].shape) != 2:
        return Checked()
    layer = producer_through(graph, norm, SAME_NUMBERS | {"global_pool"})
    if layer is None or layer.kind not in WEIGHTED:
        return Checked()
    num_outputs = norm.output_shape[1]
    last = output_op(graph, through=SAME_NUMBERS)
    is_of_classes = is_classifying(context) or (last is not None and last.kind == "softmax")
    return Checked(
        (
            Finding(
                "S113",
                "warning" if is_of_classes else "info",
                norm.name,
                f"{norm.name} normalises the {num_outputs:,} outputs of {layer.name}: in training "
                "every logit is forced to the same mean and spread within a batch, whatever the "
                "batch holds.",
                "End with the linear layer. (Embeddings that are compared, not classified, are "
                "normalised on purpose: then ignore S113.)",
                data={"outputs": num_outputs, "layer": layer.name},
            ),
        )
    )


RULE = Rule("S113", "batch norm after the last layer", "warning", check, (27,))
