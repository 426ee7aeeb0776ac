"""The audit for the terminal."""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.draw.text_layout import COLUMNS, Style, facts, plain, wrap
from foveal.draw.width import display_width, pad, shorten_middle
from foveal.reporting.audit_facts import AuditFacts, FindingFacts, describe_rest, read_audit
from foveal.reporting.many_classes import NUM_WEAKEST, are_many
from foveal.reporting.numbers import count
from foveal.reporting.report_input import AuditLike
from foveal.text import count_noun

MAX_PATHS = 5
BAR_COLUMNS = 30
WORDS = {"error": "ERROR", "warning": "WARNING", "info": "NOTE"}


def render_audit_text(audit: AuditLike, *, style: Style = plain) -> str:
    """Returns classes, kinds of files and findings, then how many errors and warnings.

    Args:
        audit: An ``Audit`` or its JSON values.
        style: Adds colour to finished pieces; the layout does not depend on it.
    """
    values = read_audit(audit)
    blocks = [_summary(values)]
    if values.class_counts:
        blocks.append(_classes(values))
    if values.tallies:
        blocks.append(
            facts(
                [
                    (heading, ", ".join(f"{name} ({count(n)})" for name, n in _top(dict(tally))))
                    for heading, tally in values.tallies
                ],
                style=style,
            )
        )
    blocks += [_finding(item, style) for item in values.findings]
    blocks.append(_verdict(values, style))
    return "\n\n".join(blocks)


def finding_line(finding: FindingFacts, *, style: Style = plain) -> str:
    """Returns a finding and its fix in a few lines, the severity first."""
    word = f"{WORDS[finding.severity]}  "
    text = f"{finding.title.rstrip('.')}. {finding.fix}".strip()
    block = wrap(text, indent="  ", first=word)
    return style(word, finding.severity) + block[len(word) :]


def _summary(values: AuditFacts) -> str:
    text = f"{count_noun(values.num_images, 'image')}"
    if values.class_names:
        text += f" in {count_noun(len(values.class_names), 'class', 'classes')}"
    if values.num_groups is not None and values.num_groups < values.num_images:
        text += f", {count_noun(values.num_groups, 'group')}"
    if values.num_bad:
        text += f"; {count_noun(values.num_bad, 'file')} cannot be used"
    return wrap(f"{text}.")


def _classes(values: AuditFacts) -> str:
    pairs = list(zip(values.class_names, values.class_counts, strict=False))
    shown = pairs
    if are_many(pairs):
        shown = sorted(pairs, key=lambda pair: pair[1])[:NUM_WEAKEST]
    largest, total = max(1, *values.class_counts), max(1, sum(values.class_counts))
    numbers = [count(number) for _, number in shown]
    digits = max(len(text) for text in numbers)
    room = COLUMNS - BAR_COLUMNS - digits - 11
    names = [shorten_middle(name, room) for name, _ in shown]
    width = max(display_width(name) for name in names)
    lines = [
        f"{pad(name, width)}  {pad(text, digits, right=True)}  "
        f"{percent(number / total):>4}  "
        f"{'#' * max(1 if number else 0, round(BAR_COLUMNS * number / largest))}".rstrip()
        for name, text, (_, number) in zip(names, numbers, shown, strict=True)
    ]
    if len(pairs) > len(shown):
        more = count_noun(len(pairs) - len(shown), "class", "classes")
        lines.append(f"and {more} with as many images or more, at most {count(largest)}")
    return "\n".join(lines)


def _finding(finding: FindingFacts, style: Style) -> str:
    word = f"{WORDS[finding.severity]}  "
    head = wrap(finding.title, indent="  ", first=word)
    lines = [style(word, finding.severity) + head[len(word) :]]
    if finding.detail:
        lines.append(wrap(finding.detail, indent="  "))
    lines += [f"    {shorten_middle(path, COLUMNS - 4)}" for path in finding.paths[:MAX_PATHS]]
    rest = describe_rest(finding, num_shown=MAX_PATHS)
    if rest:
        lines.append(f"    {rest}")
    if finding.fix:
        lines.append(wrap(finding.fix, indent="     ", first="  -> "))
    return "\n".join(lines)


def _verdict(values: AuditFacts, style: Style) -> str:
    errors = sum(item.severity == "error" for item in values.findings)
    warnings = sum(item.severity == "warning" for item in values.findings)
    if not errors and not warnings:
        return style("Nothing found that stands in the way of training.", "good")
    text = f"{count_noun(errors, 'error')}, {count_noun(warnings, 'warning')}."
    return style(text, "error" if errors else "warning")


def _top(tally: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(tally.items(), key=lambda item: (-item[1], item[0]))[:6]
