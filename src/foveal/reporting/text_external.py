"""An external test for the terminal: the case mix side by side, then what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from foveal.draw.numbers import MISSING, percent, percent_span
from foveal.draw.text_layout import Style, columns_table, facts, plain, wrap
from foveal.evaluation.external import CaseMix, ExternalTest, Quantiles, Share
from foveal.evaluation.external_wording import (
    describe_accuracy_change,
    describe_drift,
    describe_external_calibration,
    describe_label_budget,
    describe_recalibration,
    describe_unlike,
)
from foveal.evaluation.intervals import Interval
from foveal.text import count_noun, printable

MAX_SHARES = 8
_NAME_COLUMNS = 13


def external_blocks(found: ExternalTest, *, style: Style = plain) -> list[str]:
    """Returns the case mix and the findings, at most 80 columns wide.

    Args:
        found: The external test.
        style: Adds colour to finished pieces.
    """
    pairs = [("Drift", describe_drift(found.drift)), ("Novelty", describe_unlike(found))]
    if found.accuracy_change is not None:
        pairs.append(("Change", describe_accuracy_change(found.accuracy_change)))
    if found.calibration is not None:
        pairs.append(("Slope", describe_external_calibration(found.calibration)))
        pairs.append(("Recalibration", describe_recalibration(found.calibration)))
    if found.label_budget is not None:
        pairs.append(("Labels needed", describe_label_budget(found.label_budget)))
    notes = [wrap(note, indent="  ", first="NOTE  ") for note in found.notes]
    return [
        _case_mix(found.case_mix),
        facts(pairs, style=style, name_columns=_NAME_COLUMNS),
        *notes,
    ]


def render_unlabelled_text(found: ExternalTest, *, run_name: str, style: Style = plain) -> str:
    """Returns what ``foveal evaluate`` says of images without labels.

    Args:
        found: The external test.
        run_name: The run that was measured.
        style: Adds colour to finished pieces.
    """
    images = count_noun(found.num_images, "image")
    if found.num_groups < found.num_images:
        images += f" in {count_noun(found.num_groups, 'group')}"
    if found.num_seen:
        images += f"; {found.num_seen:,} more had been in the training data and are not counted"
    head = facts(
        [("Run", printable(run_name)), ("New images", f"{images}. They have no labels.")],
        style=style,
        name_columns=_NAME_COLUMNS,
    )
    return "\n\n".join([head, *external_blocks(found, style=style)])


def _case_mix(mix: CaseMix) -> str:
    rows: list[tuple[str, str, str]] = [
        ("images", f"{mix.num_training:,}", f"{mix.num_new:,}"),
        ("groups", f"{mix.num_training_groups:,}", f"{mix.num_new_groups:,}"),
    ]
    rows += _shares("class", mix.classes)
    rows += _shares("predicted", mix.predicted)
    rows += [
        (
            f"{one.name}, {one.unit}" if one.unit == "px" else one.name,
            _quantile(one.unit, one.training),
            _quantile(one.unit, one.new),
        )
        for one in mix.spreads
    ]
    rows += _shares("mode", mix.modes)
    rows += _shares("format", mix.formats)
    table = columns_table(("Case mix", "training", "new data"), rows)
    return f"{table}\nWith 95% intervals; of sizes and brightness the median and 5 to 95%."


def _shares(kind: str, shares: Sequence[Share]) -> list[tuple[str, str, str]]:
    ordered = sorted(shares, key=lambda one: -max(one.num_training, one.num_new))[:MAX_SHARES]
    kept = [one for one in shares if one in ordered]
    rows = [(f"{kind} {one.name}", _share(one.training), _share(one.new)) for one in kept]
    if len(shares) > len(kept):
        rows.append((f"and {len(shares) - len(kept):,} more, with --json", "", ""))
    return rows


def _share(interval: Interval) -> str:
    if interval.estimate is None:
        return MISSING
    if interval.low is None or interval.high is None:
        return percent(interval.estimate, digits=1)
    return f"{percent(interval.estimate, digits=1)} ({percent_span(interval.low, interval.high)})"


def _quantile(unit: str, one: Quantiles | None) -> str:
    if one is None:
        return MISSING
    if unit == "px":
        return f"{one.median:,.0f} ({one.low:,.0f} to {one.high:,.0f})"
    return f"{percent(one.median)} ({percent_span(one.low, one.high)})"
