"""B302: input statistics that contradict the first normalisation's running statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foveal.graph.borrowing import fully_borrowed
from foveal.lint.behaviour.input_hypotheses import Candidate, Form, candidates, expected_form
from foveal.lint.behaviour.passes import (
    batch_norms,
    has_learned_statistics,
    images_of,
    reason_not_to_run,
)
from foveal.lint.context import LintContext
from foveal.lint.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined
from foveal.lint.rule import Rule

# Below this the statistics agree as well as those of other pictures of the same kind do.
GOOD_FIT = 0.3
# From here on nobody would take the batch for what the network was trained on; unusual
# pictures, rightly prepared, stay below.
BAD_FIT = 1.5
# How many times better the winner must fit than the batch as it is, and than the next form.
# Strange but rightly prepared pictures (dark, pale, inverted, tinted) reach 1.35 on a
# pretrained EfficientNet-Lite0; wrongly prepared ordinary ones begin at 1.55.
CLEARLY_BETTER = 1.5
# The order of channels needs more, since a tint of the pictures does what turning it does.
ORDER_FIT, ORDER_BETTER = 0.6, 2.5


class _ReachedError(Exception):
    """Ends a forward pass at the first batch norm."""


@dataclass(frozen=True, slots=True)
class _Scored:
    candidate: Candidate
    misfit: float


def check(context: LintContext) -> Outcome:
    """Compares the batch, as it is and corrected, with what the first batch norm remembers."""
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    images = images_of(context)
    if not images.is_floating_point():
        return Undetermined(f"the batch holds {images.dtype} values, not floating-point ones")
    if not bool(torch.isfinite(images).all()):
        return Undetermined("the batch holds values that are not finite")
    norms = batch_norms(context.model)
    if not norms:
        return Undetermined(
            "the model has no batch norm, so it remembers no statistics of its input"
        )
    if not any(has_learned_statistics(norm) for _, norm in norms):
        return NotApplicable("no batch norm has learned statistics yet")
    with fully_borrowed(context.model) as model:
        for module in model.modules():
            module.training = False
        tried: list[_Scored] = []
        place = ""
        for candidate in candidates(images, expected_form(context.expected_input)):
            reached = _first_norm(model, norms, candidate.values)
            if reached is None:
                return Undetermined("no batch norm with learned statistics runs")
            place, norm, values = reached
            tried.append(_Scored(candidate, misfit(values, norm)))
    return _judge(tried, place, expected_form(context.expected_input))


def _first_norm(
    model: nn.Module, norms: list[tuple[str, nn.Module]], images: Tensor
) -> tuple[str, nn.Module, Tensor] | None:
    """Returns path, module and input of the first batch norm that runs and has learned."""
    reached: list[tuple[str, nn.Module, Tensor]] = []
    handles = []
    for path, norm in norms:

        def stop(module: nn.Module, arguments: tuple[Any, ...], path: str = path) -> None:
            if has_learned_statistics(module):
                reached.append((path, module, arguments[0].detach().float()))
                raise _ReachedError

        handles.append(norm.register_forward_pre_hook(stop))
    try:
        with torch.no_grad():
            model(images.clone())
    except _ReachedError:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return reached[0] if reached else None


def misfit(values: Tensor, norm: nn.Module) -> float:
    """Returns how far the channels of ``values [N, C, ...]`` are from a norm's memory.

    Two parts, each a mean over channels: log(1 + KL divergence) between the normal
    distributions of the batch and of the memory, and the distance of the means in standard
    deviations. The first sees scale, but also the contrast of the pictures; the second
    hardly sees contrast. 0 is a perfect fit.
    """
    axes = [axis for axis in range(values.dim()) if axis != 1]
    mean, variance = values.mean(axes), values.var(axes, unbiased=False)
    memory_mean, memory_variance = norm.running_mean, norm.running_var
    assert isinstance(memory_mean, Tensor)
    assert isinstance(memory_variance, Tensor)
    epsilon = float(getattr(norm, "eps", 1e-5))
    expected = memory_variance.float() + epsilon
    share = (variance + epsilon) / expected
    shift = (mean - memory_mean.float()).square() / expected
    divergence = 0.5 * (share + shift - 1 - share.log())
    return float(divergence.clamp_min(0).log1p().mean() + shift.sqrt().mean())


def _judge(tried: list[_Scored], place: str, expected: Form | None) -> Outcome:
    as_is = next(scored for scored in tried if scored.candidate.is_identity)
    best = min(tried, key=lambda scored: scored.misfit)
    if as_is.misfit <= GOOD_FIT or best is as_is:
        if as_is.misfit > BAD_FIT and best is as_is:
            return Undetermined(
                f"the statistics at {place!r} differ from its memory (misfit "
                f"{as_is.misfit:.2f}), and no usual correction fits better"
            )
        return Checked()
    own, form = as_is.candidate, best.candidate
    same_form = [s for s in tried if _form(s.candidate) == _form(form)]
    in_order = next((s for s in same_form if not s.candidate.flips_channels), best)
    others = [s for s in tried if _form(s.candidate) != _form(form)]
    margin = min((s.misfit for s in others), default=float("inf")) / max(best.misfit, 1e-9)
    gain = as_is.misfit / max(best.misfit, 1e-9)
    if _form(form) == _form(own):
        if gain >= ORDER_BETTER and best.misfit <= ORDER_FIT:
            return Checked((_finding(as_is, best, place, expected),))
        return Checked() if as_is.misfit <= BAD_FIT else _unclear(as_is, best, place)
    if gain < CLEARLY_BETTER:
        return _unclear(as_is, best, place)
    if margin >= CLEARLY_BETTER:
        order_matters = in_order.misfit >= ORDER_BETTER * best.misfit
        winner = best if order_matters and best.misfit <= ORDER_FIT else in_order
        return Checked((_finding(as_is, winner, place, expected),))
    rivals = [s for s in tried if s.misfit < CLEARLY_BETTER * best.misfit]
    if all(s.candidate.is_off_scale for s in rivals):
        return Checked((_finding(as_is, in_order, place, expected, is_sure="only of scale"),))
    return _unclear(as_is, best, place)


def _form(candidate: Candidate) -> tuple[str, str]:
    return candidate.source, candidate.target


def _unclear(as_is: _Scored, best: _Scored, place: str) -> Undetermined:
    return Undetermined(
        f"the statistics at {place!r} differ from its memory (misfit {as_is.misfit:.2f}); "
        f"{_text(best.candidate)} would fit best ({best.misfit:.2f}), but not clearly"
    )


def _text(candidate: Candidate) -> str:
    order = ", channels in the other order (BGR/RGB)" if candidate.flips_channels else ""
    return f"{candidate.target}{order}"


def _finding(
    as_is: _Scored,
    winner: _Scored,
    place: str,
    expected: Form | None,
    *,
    is_sure: str = "of form",
) -> Finding:
    candidate = winner.candidate
    severity: Severity = "error" if candidate.is_off_scale else "warning"
    if _form(candidate) == _form(as_is.candidate):
        fix = "Turn the order of the channels round (BGR to RGB, or back)."
    elif is_sure == "only of scale":
        severity = "error"
        other = "[0, 1]" if "255" in as_is.candidate.source else "[0, 255]"
        fix = f"Bring the pixels to {other}, then normalise as for the training of the weights."
    else:
        fix = f"Prepare the images with {_text(candidate)}."
    stated = " (as the makers of the weights state)" if expected is not None else ""
    return Finding(
        code="B302",
        severity=severity,
        place=place,
        evidence=(
            f"The batch looks like {as_is.candidate.source}; its statistics at {place!r} miss "
            f"the running mean and variance by {as_is.misfit:.2f}. With {_text(candidate)}"
            f"{stated} they miss by {winner.misfit:.2f}."
        ),
        fix=fix,
        data={
            "given": as_is.candidate.source,
            "fitting": candidate.target,
            "flips_channels": candidate.flips_channels,
            "misfit": as_is.misfit,
            "misfit_corrected": winner.misfit,
        },
    )


RULE = Rule(
    "B302",
    "input statistics that contradict the first batch norm",
    "error",
    check,
    topics=(16,),
)
