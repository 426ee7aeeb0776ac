"""Runs rules over a model; a rule that fails is reported and does not stop the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from foveal.errors import UsageError
from foveal.graph.inputs import InputShape as GivenShape
from foveal.graph.inputs import shapes_given
from foveal.layers import fully_borrowed
from foveal.linting.context import LintContext, infer_input_shape
from foveal.linting.finding import (
    SEVERITIES,
    CannotTellError,
    Checked,
    Finding,
    LintReport,
    Outcome,
    RefusedInputError,
    Undetermined,
)
from foveal.linting.rules import Rule, choose_rules


def lint(
    model: nn.Module,
    *,
    input_shape: GivenShape | None = None,
    batch: torch.Tensor | Sequence[Any] | Mapping[str, Any] | None = None,
    labels: torch.Tensor | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Any = None,
    is_pretrained: bool | None = None,
    expected_input: Mapping[str, Any] | None = None,
    given_input: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
) -> LintReport:
    """Returns what is wrong with ``model``, each finding with its evidence and a fix.

    The model may be on any device, the meta device included (rules that need values then do
    not apply), and is left exactly as it was found.

    Args:
        model: Any module that is called with a batch of images, or of sequences, volumes,
            tokens, or with several tensors.
        input_shape: Of one image, ``(C, H, W)``; any that ``foveal.graph.trace`` takes. If
            None it is taken from the batch, from what timm notes about its models, or from the
            first convolution at 224 by 224.
        batch: Images ``(N, C, H, W)``, prepared as for training; behaviour rules need them.
            Anything else the model takes (several tensors, a dictionary, whole numbers) says
            what its input is, and rules over behaviour do not apply.
        labels: Class indices ``(N,)`` of the batch.
        optimizer: What the model is to be trained with; training rules need it.
        loss: The loss it is to be trained with.
        is_pretrained: Whether the weights are meant to be trained ones; None if unknown.
        expected_input: What the weights' makers say about their input (mean, std, ...).
        given_input: How the batch was prepared, in the same words; read from the range of its
            values if None.
        settings: Further facts about the planned training, such as ``batch_size``.
        select: Codes, beginnings of codes or families to run; all if None.
        ignore: The same, to leave out.

    Raises:
        UsageError: The input shape is none, the batch has no batch dimension, or a code names
            no rule.
    """
    rules = choose_rules(select=select, ignore=ignore)
    images = batch if isinstance(batch, torch.Tensor) and _are_images(batch) else None
    if images is not None and images.dim() != 4:
        if any(isinstance(module, nn.Conv2d) for module in model.modules()):
            raise UsageError(
                f"the batch has shape {tuple(images.shape)}, expected (N, C, H, W).",
                next_step="Add the batch dimension with batch[None] if it is one image.",
            )
        images = None
    source, example = "given", input_shape
    if input_shape is None and batch is not None and images is None:
        source, example = "the batch", batch
    if example is None:
        try:
            example, source = infer_input_shape(model, images)
        except CannotTellError as error:
            example, source = (), error.reason
    shapes = [] if isinstance(example, tuple) and not example else shapes_given(model, example)
    context = LintContext(
        model=model,
        input_shape=shapes[0][1:] if shapes else (),
        input_source=source,
        example=None if _is_one_image(example) else example,
        batch=images,
        labels=labels,
        optimizer=optimizer,
        loss=loss,
        is_pretrained=is_pretrained,
        expected_input=expected_input,
        given_input=given_input,
        settings=settings,
    )
    return run_rules(rules, context)


def _is_one_image(example: Any) -> bool:
    return not isinstance(example, torch.Size | torch.Tensor | Mapping) and (
        len(example) in {0, 3} and all(isinstance(size, int) for size in example)
    )


def _are_images(batch: torch.Tensor) -> bool:
    """Whether rules over images look at it; whole numbers count if they look like pixels."""
    return batch.is_floating_point() or (
        batch.dim() == 4 and not {1, 3, 4}.isdisjoint({batch.shape[1], batch.shape[-1]})
    )


def run_rules(rules: Iterable[Rule], context: LintContext) -> LintReport:
    """Returns the report of these rules over one context."""
    # Saved and restored once for all rules, since that costs more than most rules do.
    with fully_borrowed(context.model):
        outcomes = {rule.code: _outcome(rule, context) for rule in rules}
    found = [
        (SEVERITIES.index(finding.severity), code, position, finding)
        for code, outcome in outcomes.items()
        if isinstance(outcome, Checked)
        for position, finding in enumerate(outcome.findings)
    ]
    findings: tuple[Finding, ...] = tuple(row[3] for row in sorted(found, key=lambda row: row[:3]))
    return LintReport(
        model_type=type(context.model).__name__,
        input_shape=context.input_shape or None,
        input_source=context.input_source,
        findings=findings,
        outcomes=outcomes,
    )


def _outcome(rule: Rule, context: LintContext) -> Outcome:
    try:
        return rule.check(context)
    except CannotTellError as error:
        return Undetermined(error.reason, isinstance(error, RefusedInputError))
    except Exception as error:
        # An error of a rule does not end the run: it is reported under the rule's code.
        return Undetermined(f"the rule failed with {type(error).__name__}: {error}")
