"""What a trial of a few training steps shows: T415."""

from __future__ import annotations

import math

from foveal.linting.behaviour.passes import (
    images_of,
    reason_not_to_run,
)
from foveal.linting.context import LintContext
from foveal.linting.finding import (
    CannotTellError,
    Checked,
    Finding,
    NotApplicable,
    Outcome,
    Severity,
)
from foveal.linting.training.optimizer_groups import NO_OPTIMIZER
from foveal.linting.training.trial import (
    MAX_IMAGES,
    MAX_WEIGHTS,
    SAME,
    BackwardError,
    Trial,
    run_trial,
)
from foveal.linting.weights.stored import has_signs_of_training
from foveal.text import count_noun

# Below it a step is lost in the rounding of single precision (2⁻²³ = 1.2e-7).
LOST_RATIO = 1e-7


# A loss that is so many times the first has diverged.
DIVERGED = 10.0


SMALLER_RATE = 1e-2


def failing_trial(context: LintContext) -> Outcome:
    """Takes a few steps with a copy of the optimizer, always on the same images.

    Steps down the gradient of one batch lower the loss of that batch, unless the rate is too
    large or nothing is learned at all. Chance is switched off (dropout, stochastic depth).
    """
    if (reason := _reason_not_to_try(context)) is not None:
        return reason
    try:
        trial = run_trial(context)
    except BackwardError as error:
        return Checked((_no_way_back(error),))
    if trial is None:
        return NotApplicable("the loss does not take this batch (T410)")
    first = trial.losses[0]
    if not math.isfinite(first):
        return NotApplicable("the loss is not finite before the first step (B305, T410)")
    if not any(ratio > 0 for ratio in trial.ratios.values()):
        return Checked((_nothing_moves(trial),))
    broken = next((i for i, loss in enumerate(trial.losses) if not math.isfinite(loss)), None)
    if broken is not None or trial.losses[-1] > DIVERGED * max(abs(first), 0.1):
        return Checked((_diverges(trial, broken),))
    if first == 0:
        return Checked()
    if not trial.falls:
        slower = run_trial(context, rate_factor=SMALLER_RATE)
        if slower is not None and slower.falls:
            return Checked((_too_fast(trial, slower),))
    if trial.unlearns and trial.losses[-1] < first:
        return Checked((_wrong_way(trial),))
    if trial.typical_ratio < LOST_RATIO and not _is_trained(context):
        return Checked((_too_slow(trial),))
    if trial.spread <= SAME and trial.num_images > 1 and _images_differ(context):
        return Checked((_collapsed(trial),))
    if not trial.falls:
        raise CannotTellError(
            f"in {trial.num_steps} steps the loss did not fall below {first:.4g}, at a hundredth "
            "of the rate neither; what the model returns may depend on chance"
        )
    return Checked()


def _reason_not_to_try(context: LintContext) -> NotApplicable | None:
    if context.optimizer is None:
        return NO_OPTIMIZER
    if (reason := reason_not_to_run(context)) is not None:
        return reason
    if context.labels is None:
        return NotApplicable("no labels were given")
    if context.loss is None and (context.labels.is_floating_point() or context.labels.dim() != 1):
        return NotApplicable("no loss was given")
    if sum(parameter.numel() for parameter in context.model.parameters()) > MAX_WEIGHTS:
        raise CannotTellError(f"a trial copies the model, and this has more than {MAX_WEIGHTS:,}")
    return None


def _images_differ(context: LintContext) -> bool:
    images = images_of(context, at_most=MAX_IMAGES)
    return bool((images != images[:1]).any())


def _is_trained(context: LintContext) -> bool:
    return bool(context.is_pretrained) or has_signs_of_training(context)


def _course(trial: Trial) -> str:
    shown = [trial.losses[0], *trial.losses[1:][-3:]]
    words = [f"{loss:.4g}" for loss in shown]
    gap = " … " if len(trial.losses) > 4 else ", "
    return f"{words[0]}{gap}{', '.join(words[1:])}"


def _finding(
    trial: Trial, severity: Severity, evidence: str, fix: str, *, location: str = ""
) -> Finding:
    return Finding(
        "T415",
        severity,
        location,
        f"In a trial of {count_noun(trial.num_steps, 'step')} on "
        f"{count_noun(trial.num_images, 'image')} {evidence}",
        fix,
        data={
            "losses": [loss if math.isfinite(loss) else None for loss in trial.losses],
            "typical_update_ratio": trial.typical_ratio,
        },
    )


def _no_way_back(error: BackwardError) -> Finding:
    return Finding(
        "T415",
        "error",
        "",
        f"The backward pass fails: {error}",
        "Look for values that are overwritten in place (+=, relu_) after they were used, and for "
        "functions without a derivative; torch.autograd.set_detect_anomaly(True) names the line.",
    )


def _nothing_moves(trial: Trial) -> Finding:
    return _finding(
        trial,
        "error",
        "no weight changed at all.",
        "Look for a cut in the forward pass (B307), a rate of zero (T409) or "
        "frozen weights (T408).",
    )


def _diverges(trial: Trial, broken: int | None) -> Finding:
    fastest = max(trial.ratios, key=lambda name: trial.ratios[name])
    what = (
        f"the loss became {trial.losses[broken]} at step {broken}"
        if broken is not None
        else f"the loss rose from {trial.losses[0]:.4g} to {trial.losses[-1]:.4g}"
    )
    return _finding(
        trial,
        "error",
        f"{what} ({_course(trial)}). The first step changed weights by "
        f"{trial.typical_ratio:.2g} of their size (median of the layers).",
        "Lower the learning rate by ten or more; look at the scale of images and first weights.",
        location=fastest,
    )


def _too_fast(trial: Trial, slower: Trial) -> Finding:
    severity: Severity = "error" if min(trial.losses[1:]) > 2 * abs(trial.losses[0]) else "warning"
    return _finding(
        trial,
        severity,
        f"the loss never fell below its first value ({_course(trial)}); at a hundredth of the rate "
        f"it falls ({_course(slower)}). The first step changed weights by "
        f"{trial.typical_ratio:.2g} of their size (median of the layers).",
        "Lower the learning rate.",
    )


def _wrong_way(trial: Trial) -> Finding:
    return _finding(
        trial,
        "error",
        f"the loss fell ({_course(trial)}) while the right classes became less likely with every "
        f"step (their cross-entropy rose from {trial.cross_entropies[0]:.4g} to "
        f"{trial.cross_entropies[-1]:.4g}).",
        "Look at the sign of the loss and at how labels reach it.",
    )


def _too_slow(trial: Trial) -> Finding:
    return _finding(
        trial,
        "warning",
        f"weights changed by {trial.typical_ratio:.1e} of their size a step (median of the "
        "layers), less than the rounding of single precision.",
        "Raise the learning rate; a step of about 0.001 of the weights is usual.",
    )


def _collapsed(trial: Trial) -> Finding:
    return _finding(
        trial,
        "error",
        f"the answers to all images are the same in the end (the loss went {_course(trial)}): "
        "what the network says does not depend on the image.",
        "Look for dead units (B303), a layer that saturates, or a learning rate too high.",
    )
