"""Input statistics that contradict those of the first batch norm: B302."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from foveal.layers import first_reached, fully_borrowed
from foveal.linting.behaviour.input_forms import (
    Candidate,
    Form,
    candidates,
    doubt_about,
    stated_form,
)
from foveal.linting.behaviour.passes import (
    batch_norms,
    has_learned_statistics,
    images_of,
    reason_not_to_run,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome, Severity, Undetermined


@dataclass(frozen=True, slots=True)
class Misfit:
    """The distance between the statistics of a batch and those of a norm; 0 is a perfect fit.

    Attributes:
        usual: The median over channels of log(1 + KL divergence) between the normal
            distributions of batch and memory. What is said of the form of a batch rests on
            it: images unlike those of training move a few channels far, a wrong form moves
            all of them.
        mean: The mean over channels of the same, plus that of the distance of the means in
            standard deviations. Only a few channels see colour, so the order of the three
            shows here and not in the median.
    """

    usual: float
    mean: float


def reach_first_norm(
    model: nn.Module, norms: list[tuple[str, nn.Module]], images: Tensor
) -> tuple[str, nn.Module, Tensor] | None:
    """Returns path, module and input of the first batch norm that runs and has learned."""
    learned = {path: norm for path, norm in norms if has_learned_statistics(norm)}
    with torch.no_grad():
        found = first_reached(model, learned, images.clone())
    if found is None:
        return None
    path, given = found
    return path, learned[path], given.detach().float()


def misfit(values: Tensor, norm: nn.Module) -> Misfit:
    """Returns how far the channels of ``values [N, C, ...]`` are from a norm's memory."""
    axes = [axis for axis in range(values.dim()) if axis != 1]
    mean, variance = values.mean(axes), values.var(axes, unbiased=False)
    memory_mean, memory_variance = norm.running_mean, norm.running_var
    assert isinstance(memory_mean, Tensor)
    assert isinstance(memory_variance, Tensor)
    epsilon = float(getattr(norm, "eps", 1e-5))
    expected = memory_variance.float() + epsilon
    share = (variance + epsilon) / expected
    shift = (mean - memory_mean.float()).square() / expected
    divergence = (0.5 * (share + shift - 1 - share.log())).clamp_min(0).log1p()
    return Misfit(
        usual=float(divergence.quantile(0.5)),
        mean=float(divergence.mean() + shift.sqrt().mean()),
    )


# What follows is measured by ``python -m benchmarks lint-trained`` (docs/lint-trained.md), on
# networks that were trained on photographs and on solar cells. Rightly prepared images of
# the kind that a network knows fit to 0.13; wrongly prepared ones miss by 0.2 and more.
GOOD_FIT = 0.15
# A form is named only when it fits nearly as well as that, and how many times better than the
# batch as it is and than the next form.
NAMED_FIT = 0.2
CLEARLY_BETTER = 2.5
# How many times better the form must fit that the makers of the weights state.
BETTER_AS_STATED = 1.5
# From here on the batch is like nothing that the network knows, in whatever form.
BAD_FIT = 0.5
# The order of channels is told from the mean over channels; inverted images reach 2.5.
ORDER_FIT, ORDER_BETTER = 0.5, 3.5


@dataclass(frozen=True, slots=True)
class _Scored:
    candidate: Candidate
    misfit: Misfit

    @property
    def form(self) -> tuple[str, str]:
        """What the candidate brings the batch from and to, whatever the order of channels."""
        return self.candidate.source, self.candidate.target


def input_statistics(context: LintContext) -> Outcome:
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
    expected, given = stated_form(context.expected_input), stated_form(context.given_input)
    with fully_borrowed(context.model) as model:
        for module in model.modules():
            module.training = False
        tried: list[_Scored] = []
        location = ""
        for candidate in candidates(images, expected=expected, given=given):
            reached = reach_first_norm(model, norms, candidate.values)
            if reached is None:
                return Undetermined("no batch norm with learned statistics runs")
            location, norm, values = reached
            tried.append(_Scored(candidate, misfit(values, norm)))
    doubt = None if given is not None else doubt_about(images)
    return _Judge(tuple(tried), location, expected, given, doubt).outcome()


@dataclass(frozen=True, slots=True)
class _Judge:
    """Decides between the candidates.

    Attributes:
        tried: Every candidate with its misfit.
        location: Path of the first batch norm.
        expected: The form that the weights' makers state, if they do.
        given: The form that the caller says the batch has, if said.
        doubt: Why the range of the values does not tell the form that the batch has.
    """

    tried: tuple[_Scored, ...]
    location: str
    expected: Form | None
    given: Form | None
    doubt: str | None

    def outcome(self) -> Outcome:
        """Returns the finding, silence, or why neither can be had."""
        as_is = next(scored for scored in self.tried if scored.candidate.is_identity)
        best = min(self.tried, key=lambda scored: scored.misfit.usual)
        if best.form == as_is.form or as_is.misfit.usual <= GOOD_FIT:
            return self._in_this_form(as_is, best)
        gain = as_is.misfit.usual / max(best.misfit.usual, 1e-9)
        others = [s for s in self.tried if s.form not in {best.form, as_is.form}]
        next_best = min((scored.misfit.usual for scored in others), default=float("inf"))
        if gain < (CLEARLY_BETTER if self.expected is None else BETTER_AS_STATED):
            return self._unclear(as_is, best, "but not clearly")
        if next_best < CLEARLY_BETTER * best.misfit.usual:
            rivals = [s for s in others if s.misfit.usual < CLEARLY_BETTER * best.misfit.usual]
            if best.candidate.is_off_scale and all(s.candidate.is_off_scale for s in rivals):
                return Checked((self._only_scale(as_is, best),))
            return self._unclear(as_is, best, "but not clearly")
        if not best.candidate.is_off_scale:
            if best.misfit.usual > NAMED_FIT and self.expected is None:
                return self._unclear(as_is, best, "but not well")
            if self.doubt is not None:
                return self._unclear(as_is, best, f"but {self.doubt}")
        same_form = [scored for scored in self.tried if scored.form == best.form]
        return Checked((self._finding(as_is, self._in_its_order(same_form, best)),))

    def _in_this_form(self, as_is: _Scored, best: _Scored) -> Outcome:
        """Judges the order of channels alone."""
        same_form = [scored for scored in self.tried if scored.form == as_is.form]
        winner = self._in_its_order(same_form, as_is)
        if winner.candidate.flips_channels:
            return Checked((self._finding(as_is, winner),))
        if as_is.misfit.usual > BAD_FIT:
            return Undetermined(
                f"the statistics at {self.location!r} differ from its memory (misfit "
                f"{as_is.misfit.usual:.2f}), and no usual correction fits better"
            )
        return Checked()

    def _in_its_order(self, same_form: list[_Scored], otherwise: _Scored) -> _Scored:
        """Returns the turned order where it clearly fits better, else the order as it is."""
        kept = next((s for s in same_form if not s.candidate.flips_channels), otherwise)
        turned = next((s for s in same_form if s.candidate.flips_channels), None)
        if turned is None or turned.misfit.mean > ORDER_FIT:
            return kept
        is_better = kept.misfit.mean >= ORDER_BETTER * turned.misfit.mean
        return turned if is_better else kept

    def _unclear(self, as_is: _Scored, best: _Scored, why: str) -> Undetermined:
        return Undetermined(
            f"the statistics at {self.location!r} differ from its memory (misfit "
            f"{as_is.misfit.usual:.2f}); {_text(best.candidate)} would fit best "
            f"({best.misfit.usual:.2f}), {why}"
        )

    def _only_scale(self, as_is: _Scored, best: _Scored) -> Finding:
        other = "[0, 1]" if "255" in as_is.candidate.source else "[0, 255]"
        fix = f"Bring the pixels to {other}, then normalise as for the training of the weights."
        return self._finding(as_is, best, fix=fix)

    def _finding(self, as_is: _Scored, winner: _Scored, *, fix: str | None = None) -> Finding:
        candidate = winner.candidate
        turns = winner.form == as_is.form
        severity: Severity = "error" if candidate.is_off_scale else "warning"
        if turns:
            fix = "Turn the order of the channels round (BGR to RGB, or back)."
        before, after = (
            (as_is.misfit.mean, winner.misfit.mean)
            if turns
            else (as_is.misfit.usual, winner.misfit.usual)
        )
        is_said = "is" if self.given is not None else "looks like"
        stated = " (as the makers of the weights state)" if self.expected is not None else ""
        return Finding(
            code="B302",
            severity=severity,
            location=self.location,
            evidence=(
                f"The batch {is_said} {as_is.candidate.source}; its statistics at "
                f"{self.location!r} miss the running mean and variance by {before:.2f}. With "
                f"{_text(candidate)}{stated} they miss by {after:.2f}."
            ),
            fix=fix or f"Prepare the images with {_text(candidate)}.",
            data={
                "given": as_is.candidate.source,
                "fitting": candidate.target,
                "flips_channels": candidate.flips_channels,
                "misfit": before,
                "misfit_corrected": after,
            },
        )


def _text(candidate: Candidate) -> str:
    order = ", channels in the other order (BGR/RGB)" if candidate.flips_channels else ""
    return f"{candidate.target}{order}"
