"""An external test in sentences that claim no more than its intervals do."""

from __future__ import annotations

from foveal.draw.numbers import percent, signed_points
from foveal.evaluation.drift import Drift, DriftTest
from foveal.evaluation.external import ExternalTest, LabelBudget
from foveal.evaluation.intervals import Interval
from foveal.evaluation.recalibration import ExternalCalibration
from foveal.evaluation.wording import describe_interval, points_span
from foveal.text import count_noun, printable

_WHAT = {
    "features": "what the network sees in them",
    "predicted classes": "the shares of the predicted classes",
}


def describe_drift(drift: Drift) -> str:
    """Returns whether the new images are like the training images, as sentences."""
    rate = percent(drift.false_alarm_rate)
    if drift.verdict == "unavailable":
        reasons = " ".join(dict.fromkeys(one.reason for one in drift.tests if one.reason))
        return f"Whether the images come from elsewhere cannot be told. {reasons}"
    tested = "; ".join(_told(one) for one in drift.tests if one.p_value is not None)
    if drift.verdict == "drift":
        level = drift.false_alarm_rate / 2.0
        alarmed = " and ".join(
            _WHAT[one.name]
            for one in drift.tests
            if one.p_value is not None and one.p_value <= level
        )
        verb = "differ" if " and " in alarmed or alarmed.startswith("the shares") else "differs"
        return (
            f"These are not images like those of training: {alarmed} {verb} ({tested}). Of "
            f"images of the same source, at most {rate} of such sets raise this alarm. Drift says "
            "that they are different, not that the answers are wrong; another mix of classes alone "
            "can be the cause."
        )
    missing = " ".join(one.reason for one in drift.tests if one.p_value is None and one.reason)
    return (
        f"No drift is shown ({tested}; the alarm has a false-alarm rate of at most {rate}). A "
        f"small drift can hide among few images. {missing}".rstrip()
    )


def _told(test: DriftTest) -> str:
    value = test.p_value or 0.0
    shown = "≤ 0.001" if value <= 0.001 else f"= {value:.3f}"
    return f"{test.name} p {shown}"


def describe_external_calibration(found: ExternalCalibration) -> str:
    """Returns how stored probabilities fit the new labels, as sentences."""
    slope = found.slope
    if slope.estimate is None:
        text = f"The calibration slope cannot be given. {found.reason or ''}".rstrip()
    else:
        text = f"Calibration slope {describe_interval(slope, percent=False, digits=2)}: "
        text += _judge_slope(slope)
    off = [
        f"'{printable(one.name)}' {'more' if (one.intercept.estimate or 0.0) > 0.0 else 'less'} "
        f"frequent than stated ({percent(one.observed, digits=1)} against "
        f"{percent(one.mean_probability, digits=1)})"
        for one in found.classes
        if one.intercept.low is not None
        and one.intercept.high is not None
        and not one.intercept.low <= 0.0 <= one.intercept.high
    ]
    if off:
        text += f" In the large: {'; '.join(off[:4])}{'; and more' if len(off) > 4 else ''}."
    elif any(one.intercept.low is not None for one in found.classes):
        text += " In the large, no class is shown to be more or less frequent than stated."
    return text


def _judge_slope(slope: Interval) -> str:
    if slope.low is None or slope.high is None:
        return "one group alone does not tell whether that is chance."
    if slope.high < 1.0:
        return "the probabilities are too extreme for these images."
    if slope.low > 1.0:
        return "the probabilities are not extreme enough for these images."
    return "not distinguishable from 1, as it should be."


def describe_recalibration(found: ExternalCalibration) -> str:
    """Returns whether recalibration on the new data is worth it, as sentences."""
    if found.verdict == "unavailable" or found.recalibrated_log_loss is None:
        return f"Cannot be scored. {found.reason or ''}".rstrip()
    low, high = found.improvement.low, found.improvement.high
    scored = (
        f"log loss {found.log_loss:.3f}, recalibrated {found.recalibrated_log_loss:.3f} on images "
        f"it was not fitted to (improvement {found.improvement.estimate:.3f}, 95% interval "
        f"{low:.3f} to {high:.3f})"
    )
    if found.verdict == "helps" and found.recalibration is not None:
        names = [one.name for one in found.classes]
        terms = ", ".join(
            f"{printable(name)} {value:+.2f}"
            for name, value in list(zip(names, found.recalibration.intercepts, strict=True))[:6]
        )
        more = ", …" if len(names) > 6 else ""
        return (
            f"Helps: {scored}. Multiply log probabilities by {found.recalibration.slope:.2f}, add "
            f"{terms}{more}, and normalise."
        )
    if found.verdict == "harms":
        return f"Harms: {scored}. Keep the probabilities as they are."
    return f"Not shown to help: {scored}. Keep the probabilities as they are."


def describe_accuracy_change(change: Interval) -> str:
    """Returns whether accuracy fell since training, as a sentence."""
    if change.estimate is None or change.low is None or change.high is None:
        return "Whether accuracy differs from that in training cannot be told."
    span = f"95% interval {signed_points(change.low)} to {signed_points(change.high)} points"
    if round(change.high, 3) < 0.0:
        return f"Accuracy is lower than in training, by {points_span(-change.high, -change.low)}."
    if round(change.low, 3) > 0.0:
        return f"Accuracy is higher than in training, by {points_span(change.low, change.high)}."
    return (
        f"No change of accuracy since training is shown: {signed_points(change.estimate)} points "
        f"({span})."
    )


def describe_label_budget(budget: LabelBudget) -> str:
    """Returns how many labelled images would settle the accuracy, as sentences."""
    where = "seen here" if budget.is_measured else "of training"
    wanted = "; ".join(
        f"±{100 * one.half_width:g} points {_number(one.num_images, one.num_at_worst)}"
        for one in budget.needed
    )
    text = f"At the accuracy {where} ({percent(budget.accuracy.estimate, digits=1)}): {wanted}."
    points = f"{100 * budget.drop:g} points"
    if budget.num_for_drop is None:
        return (
            f"{text} A fall of {points} since training could not be shown by any number: the "
            "accuracy in training itself is not known that well."
        )
    return (
        f"{text} A fall of {points} since training would be seen four times in five with "
        f"{count_noun(budget.num_for_drop, 'image')}."
    )


def _number(needed: int | None, at_worst: int) -> str:
    return f"up to {at_worst:,}" if needed is None else f"{needed:,} (at worst {at_worst:,})"


def describe_unlike(found: ExternalTest) -> str:
    """Returns how many images the novelty score flags, as a sentence."""
    return (
        f"{describe_interval(found.unlike_training)} of these images are flagged as unlike the "
        f"training images; of held-out training images, {percent(found.expected_unlike, digits=1)}."
    )
