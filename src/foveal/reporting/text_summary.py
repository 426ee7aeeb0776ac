"""The evidence for the terminal: details first, the headline last, where the eye is."""

from __future__ import annotations

from collections.abc import Sequence

from foveal.draw.numbers import MISSING, percent, percent_span
from foveal.draw.text_layout import Style, columns_table, facts, plain, wrap
from foveal.evaluation.evidence import Evidence, Interval
from foveal.evaluation.external import ExternalTest
from foveal.evaluation.metrics import HEADLINE_METRICS
from foveal.evaluation.wording import (
    describe_against_baseline,
    describe_interval,
    describe_judged,
)
from foveal.reporting.audit import finding_line, read_audit
from foveal.reporting.numbers import count, seconds
from foveal.reporting.report_input import AuditLike
from foveal.reporting.sections import SECTIONS
from foveal.reporting.text_external import external_blocks
from foveal.text import count_noun, printable

MAX_CLASSES = 12
MAX_WARNINGS = 3
NAME_COLUMNS = max(len(one.label) for one in HEADLINE_METRICS)


def render_text(
    evidence: Evidence,
    audit: AuditLike | None = None,
    *,
    cautions: Sequence[str] = (),
    report_path: str | None = None,
    next_commands: Sequence[str] = (),
    style: Style = plain,
) -> str:
    """Returns what ``foveal train`` says at the end, at most 80 columns wide.

    Args:
        evidence: The measurements.
        audit: What is wrong with the data, for the warnings.
        cautions: What else casts doubt on the figures, a sentence or two each.
        report_path: Where the HTML report lies; given in full on a line of its own, however
            long, because it is there to be copied. So are the commands.
        next_commands: What one may type next.
        style: Adds colour to finished pieces; the layout does not depend on it.
    """
    blocks = [
        facts(
            [("Data", _data(evidence)), ("Protocol", evidence.protocol.sentence)],
            style=style,
            name_columns=NAME_COLUMNS,
        ),
        _classes(evidence),
        facts(_figures(evidence), style=style, name_columns=NAME_COLUMNS),
        facts(_findings(evidence), style=style, name_columns=NAME_COLUMNS),
        _headline(evidence, style),
    ]
    warnings = [
        *(_caution(text, style) for text in cautions),
        *_warnings(evidence, audit, style, rest="in the report"),
    ]
    if warnings:
        blocks.append("\n".join(warnings))
    blocks += _whereabouts(report_path, next_commands, style)
    return "\n\n".join(block for block in blocks if block)


def render_evaluation_text(
    evidence: Evidence,
    audit: AuditLike | None = None,
    *,
    run_name: str | None = None,
    trained_accuracy: Interval | None = None,
    external: ExternalTest | None = None,
    report_path: str | None = None,
    style: Style = plain,
) -> str:
    """Returns what ``foveal evaluate`` says: the same figures on new data.

    Args:
        evidence: The measurements on the new data.
        audit: What is wrong with the new data.
        run_name: The run that was measured, where it should be named.
        trained_accuracy: The run's own held-out accuracy, to set beside the new one.
        external: What is new about the data.
        report_path: Where the HTML report lies.
        style: Adds colour to finished pieces.
    """
    pairs = [] if run_name is None else [("Run", run_name)]
    pairs.append(("New data", _data(evidence)))
    if trained_accuracy is not None:
        pairs.append(("In training", f"{describe_interval(trained_accuracy)} held-out accuracy"))
    blocks = [
        facts(pairs, style=style, name_columns=NAME_COLUMNS),
        _classes(evidence),
        facts(_figures(evidence), style=style, name_columns=NAME_COLUMNS),
        facts(_findings(evidence), style=style, name_columns=NAME_COLUMNS),
        *(() if external is None else external_blocks(external, style=style)),
        _headline(evidence, style),
    ]
    rest = "(foveal audit shows all)" if report_path is None else "in the report"
    warnings = _warnings(evidence, audit, style, rest=rest)
    if warnings:
        blocks.append("\n".join(warnings))
    blocks += _whereabouts(report_path, (), style)
    return "\n\n".join(block for block in blocks if block)


def _data(evidence: Evidence) -> str:
    data = evidence.data
    text = (
        f"{count_noun(data.num_images, 'image')} in "
        f"{count_noun(data.num_classes, 'class', 'classes')}"
    )
    if data.num_groups < data.num_images:
        text += f", {count_noun(data.num_groups, 'group')}"
        if evidence.grouping.source is not None:
            text += f" ({printable(evidence.grouping.source)})"
    if data.num_bad:
        text += f"; {count_noun(data.num_bad, 'file')} could not be used"
    return f"{text}."


def _classes(evidence: Evidence) -> str:
    ordered = sorted(
        evidence.metrics.per_class,
        key=lambda item: 2.0 if item.recall.estimate is None else item.recall.estimate,
    )
    rows = [
        (printable(item.name), count(item.num_images), _rate(item.recall), _rate(item.precision))
        for item in ordered[:MAX_CLASSES]
    ]
    table = columns_table(("Class", "images", "recall", "precision"), rows)
    more = len(ordered) - len(rows)
    if not more:
        return table
    return f"{table}\nand {count_noun(more, 'stronger class', 'stronger classes')}"


def _rate(interval: Interval) -> str:
    if interval.estimate is None:
        return MISSING
    if interval.low is None or interval.high is None:
        return percent(interval.estimate, digits=1)
    span = percent_span(interval.low, interval.high)
    return f"{percent(interval.estimate, digits=1)} ({span})"


def _figures(evidence: Evidence) -> list[tuple[str, str]]:
    metrics = evidence.metrics
    return [
        (
            one.label,
            describe_interval(one.of(metrics), percent=one.unit == "share", digits=one.digits),
        )
        for one in HEADLINE_METRICS
        if one.key != "accuracy"  # it is the last line by itself
    ]


def _findings(evidence: Evidence) -> list[tuple[str, str]]:
    pairs = [
        (one.text_name or one.contents, text)
        for one in SECTIONS
        if (text := one.text(evidence)) is not None
    ]
    return [*pairs, ("Time", seconds(evidence.timing.total_seconds))]


def _headline(evidence: Evidence, style: Style) -> str:
    metrics = evidence.metrics
    verdict = describe_against_baseline(metrics, evidence.baseline)
    low = evidence.baseline.gain.low
    good = low is not None and round(low, 3) > 0.0
    good = good and evidence.protocol.measured_on == "unseen"
    first = f"Accuracy {describe_interval(metrics.accuracy)} on {describe_judged(evidence)}"
    return "\n".join(
        (
            style(wrap(first), "number"),
            style(wrap(f"{verdict[:1].upper()}{verdict[1:]}."), "good" if good else "warning"),
        )
    )


def _warnings(evidence: Evidence, audit: AuditLike | None, style: Style, *, rest: str) -> list[str]:
    findings = (
        []
        if audit is None
        else [item for item in read_audit(audit).findings if item.severity != "info"]
    )
    lines = [finding_line(item, style=style) for item in findings[:MAX_WARNINGS]]
    if len(findings) > MAX_WARNINGS:
        more = count_noun(len(findings) - MAX_WARNINGS, "more finding")
        lines.append(f"and {more} {rest}")
    lines += [_note(note, style) for note in evidence.protocol.notes]
    if evidence.grouping.source is None:
        # On new data nothing was trained, so nothing leaks; copies still count as independent.
        risk = (
            "the interval may be too narrow"
            if evidence.protocol.kind == "evaluation"
            else "the accuracy may be too high"
        )
        lines.append(
            _note(
                "No groups were given. If several images show one patient, part or plant, name "
                f"what they share (--group-regex or a group column), or {risk}.",
                style,
            )
        )
    return lines


def _caution(text: str, style: Style) -> str:
    word = "WARNING  "
    return style(word, "warning") + wrap(text, indent="  ", first=word)[len(word) :]


def _note(text: str, style: Style) -> str:
    word = "NOTE  "
    return style(word, "info") + wrap(text, indent="  ", first=word)[len(word) :]


def _whereabouts(report_path: str | None, next_commands: Sequence[str], style: Style) -> list[str]:
    lines = []
    if report_path is not None:
        lines.append(style("Report  ", "quiet") + printable(report_path))
    for index, command in enumerate(next_commands):
        head = "Next    " if index == 0 else " " * 8
        lines.append(style(head, "quiet") + printable(command))
    return ["\n".join(lines)] if lines else []
