"""Variants of a drill on one page, each with its answers, its mistakes and their feedback."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from foveal.draw.text_layout import Style, plain, wrap
from foveal.learn.answers import spell
from foveal.learn.drills import Template
from foveal.learn.exercise import Exercise
from foveal.learn.exports.sheet import answers_html, paper, worked_html
from foveal.learn.markup import figure_html, plain_text, to_html
from foveal.learn.terminal.markup import render
from foveal.text import count_noun


def variants_of(
    template: Template, *, levels: Sequence[int], count: int, first_seed: int
) -> tuple[Exercise, ...]:
    """Returns ``count`` variants of each level, levels in their order."""
    seeds = range(first_seed, first_seed + count)
    return tuple(template.exercise(seed, level) for level in levels for seed in seeds)


def variants_text(template: Template, variants: Sequence[Exercise], *, style: Style = plain) -> str:
    """Returns the variants at 80 columns."""
    parts = [wrap(_head(template, variants))]
    for exercise in variants:
        parts.append(style(_name(exercise), "heading"))
        parts.append(render(exercise.question, style=style, indent="  "))
        if exercise.figure is not None:
            parts.append("\n".join(f"  {line}" for line in exercise.figure.text.split("\n")))
        for field in exercise.fields:
            tolerance = f" ± {field.tolerance:g}" if field.tolerance else ""
            right = f"{plain_text(field.label)}: {spell(field.answer, field.unit)}{tolerance}"
            lines = [f"     {choice.key}) {plain_text(choice.text)}" for choice in field.choices]
            lines.append(style(wrap(right, indent="    ", first="  = "), "good"))
            for mistake in field.mistakes:
                told = f"{spell(mistake.value, field.unit)}  [{mistake.code}] {mistake.feedback}"
                lines.append(wrap(plain_text(told), indent="    ", first="  x "))
            parts.append("\n".join(lines))
    return "\n\n".join(parts)


def variants_html(template: Template, variants: Sequence[Exercise]) -> str:
    """Returns the variants as one page that also prints, a section for each level."""
    sections = []
    for level in dict.fromkeys(exercise.level for exercise in variants):
        articles = "".join(
            f'<article class="long"><h2>{escape(_name(each))}</h2>{to_html(each.question)}'
            f"{figure_html(each.figure)}{answers_html(each)}{worked_html(each)}</article>"
            for each in variants
            if each.level == level
        )
        sections.append(f"<section>{articles}</section>")
    head = (
        f"<header><h1>{escape(template.title)}</h1>"
        f'<p class="quiet">{escape(_head(template, variants))}</p></header>'
    )
    return paper(template.title, head + "".join(sections))


def _head(template: Template, variants: Sequence[Exercise]) -> str:
    traps = ", ".join(template.traps)
    return (
        f"{template.name}, topic {template.topic}: {count_noun(len(variants), 'variant')}. "
        f"Traps take turns: {traps}."
    )


def _name(exercise: Exercise) -> str:
    traps = ", ".join(sorted(exercise.traps)) or "no trap"
    return f"Level {exercise.level}, variant {exercise.seed}: {traps}"
