"""Every drill over many seeds: both truths agree, spellings are read, mistakes are diagnosed.

The first truth is what the exercise says (``foveal.arithmetic``); the second is what PyTorch
prints when the exercise's own proof is run. ``make bench ARGS=drills`` tries 1,000 seeds of
every template; the suite tries a share.
"""

from __future__ import annotations

import io
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, redirect_stdout

from foveal.learn.answers import Unreadable, equal, read, spell
from foveal.learn.drills import TEMPLATES, Template
from foveal.learn.exercise import Exercise, Field, Value, from_json, to_json
from foveal.learn.formula import evaluate
from foveal.learn.marking import mark
from foveal.learn.mistakes import mistake_kind

SEEDS = 1000


def printed(exercise: Exercise, template: Template) -> list[str]:
    """Runs the proof and returns its lines; shapes alone need no memory and no time."""
    import torch

    shown = io.StringIO()
    with ExitStack() as stack:
        if template.proof == "shapes":
            stack.enter_context(torch.device("meta"))
        stack.enter_context(redirect_stdout(shown))
        exec(compile(exercise.proof, exercise.template, "exec"), {"__name__": "__proof__"})
    return shown.getvalue().splitlines()


def disagreements(exercise: Exercise, template: Template) -> Iterator[str]:
    """Yields where PyTorch says something else than the exercise."""
    lines = printed(exercise, template)
    if len(lines) != len(exercise.fields):
        yield f"the proof prints {len(lines)} lines for {len(exercise.fields)} blanks"
        return
    for field, line in zip(exercise.fields, lines, strict=True):
        value = read(field, line)
        if isinstance(value, Unreadable) or not equal(field, value, field.answer):
            yield f"{field.key}: PyTorch says {line}, the engine {field.answer}"


def spellings(field: Field, value: Value) -> Iterator[str]:
    """Yields ways to write a value."""
    yield spell(value)
    if isinstance(value, tuple) and field.kind == "shape":
        inner = ", ".join(map(str, value))
        yield from (f"({inner},)", f"(1, {inner})", f"torch.Size([1, {inner}])")
        if len(value) > 1:
            yield from ("x".join(map(str, value)), " ".join(map(str, value)))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from (f"{value}", f" {value:,} ".replace(",", " "), f"{value:_}", f"2*{value}/2")
        yield from (f"= {value}", f"{value} {field.unit}" if field.unit else f"{value}.")
        if value > 1 and math.log2(value).is_integer():
            yield f"2^{int(math.log2(value))}"


def weaknesses(exercise: Exercise) -> Iterator[str]:
    """Yields what is wrong with an exercise as an exercise."""
    right = {field.key: spell(field.answer) for field in exercise.fields}
    if not mark(exercise, right).is_right:
        yield f"its own answers {right} are not right"
    if from_json(to_json(exercise)) != exercise:
        yield "it does not survive JSON"
    values: dict[str, Value] = {}
    for field in exercise.fields:
        for text in spellings(field, field.answer):
            value = read(field, text)
            if isinstance(value, Unreadable) or not equal(field, value, field.answer):
                yield f"{field.key}: {text!r} is read as {value}"
        if field.follow and not equal(field, evaluate(field.follow, values), field.answer):
            yield f"{field.key}: {field.follow} is not {field.answer}"
        if not field.mistakes:
            yield f"{field.key}: no mistake is known"
        for mistake in field.mistakes:
            mistake_kind(mistake.code)
            found = mark(exercise, {**right, field.key: _typed(mistake.value)})
            first = found.first_wrong
            if first is None or first.key != field.key or first.mistake is None:
                yield f"{field.key}: {mistake.code} ({mistake.value}) is not diagnosed"
            elif first.mistake.code != mistake.code:
                yield f"{field.key}: {mistake.code} is taken for {first.mistake.code}"
            elif not 0 <= mistake.step < len(exercise.steps):
                yield f"{field.key}: {mistake.code} enters at a step that is not there"
        values[field.key] = field.answer
        yield from _degenerate(field)
    for text in (exercise.question, exercise.hint, exercise.reasons, exercise.proof):
        if not text.strip():
            yield "a text is empty"


def _typed(value: Value) -> str:
    """Returns a value as one types it; 9.125 alone might be 9,125."""
    return f"{value:.4f}" if isinstance(value, float) else spell(value)


def _degenerate(field: Field) -> Iterator[str]:
    if field.kind == "integer" and field.answer < 0:  # type: ignore[operator]
        yield f"{field.key}: a count is negative"
    if field.kind == "shape" and min(field.answer) < 1:  # type: ignore[arg-type]
        yield f"{field.key}: an empty shape"


def main() -> None:
    """Prints one row a template."""
    import torch

    torch.set_num_threads(1)
    print("| drill | exercises | both truths differ | other faults | different | ms each |")
    print("|---|--:|--:|--:|--:|--:|")
    for template in TEMPLATES:
        faults: Counter[str] = Counter()
        questions = set()
        seconds = 0.0
        for seed in range(SEEDS):
            level = 1 + seed % 3
            begun = time.perf_counter()
            exercise = template.exercise(seed, level)
            seconds += time.perf_counter() - begun
            questions.add((exercise.question, exercise.fields, exercise.figure))
            faults["truth"] += bool(list(disagreements(exercise, template)))
            faults["other"] += bool(list(weaknesses(exercise)))
        print(
            f"| {template.name} | {SEEDS:,} | {faults['truth']} | {faults['other']} "
            f"| {len(questions):,} | {1000 * seconds / SEEDS:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
