"""The page reads and marks as Python does, on the same cases."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

from foveal.learn.answers import Unreadable, read, spell
from foveal.learn.drills import TEMPLATES
from foveal.learn.exercise import Choice, Exercise, Field, to_json
from foveal.learn.formula import FormulaError, evaluate
from foveal.learn.marking import mark
from foveal.learn.quiz import QUESTIONS
from foveal.learn.web.site import mistake_titles

CASES = json.loads((Path(__file__).parents[1] / "reading_cases.json").read_text(encoding="utf-8"))
# What learners type that is no clean number.
_ODD = (
    *(
        "",
        " ",
        "about 7",
        "1,234",
        "1.234",
        "12,5",
        "2^6*9 + 1",
        "64 x 9",
        "64×64",
        "-3",
        "½",
        "٣٢",
        "1e3",
    ),
    *("a", "b)", "C.", "true", "No", "b a c", "3×32", "32x32x3", "(1, 3, 32, 32)", "N,3,32,32"),
    *("torch.Size([3, 32, 32])", "7/2", "33.3333", "0.006", "12 %", "nonsense", "__proto__", "∞"),
)

_READ = """(cases) => cases.map(([field, text]) => {
  const found = answers.read(field, text);
  return found instanceof answers.Unreadable ? {reason: found.reason} : {value: found};
})"""

_MARK = """([kinds, cases]) => cases.map(([exercise, typed]) =>
  marking.mark(exercise, typed, kinds).map((m) => ({
  key: m.key, verdict: m.verdict, step: m.step ?? null, message: m.message,
  mistake: m.mistake ? m.mistake.code : null, here: m.expectedHere,
})))"""


def blank(case: dict[str, Any]) -> dict[str, Any]:
    return {
        "key": "x",
        "kind": case["kind"],
        "answer": list(range(case["axes"])) if case["kind"] == "shape" else 0,
        "choices": [{"key": k, "text": t} for k, t in case.get("choices", {}).items()],
        "items": case.get("items", []),
        "unit": case.get("unit", ""),
    }


def same(value: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        return math.isclose(value, expected)
    return bool(value == expected)


def test_every_spelling_of_the_shared_cases_is_read_alike(run_script: Callable[..., Any]) -> None:
    asked = [(case, typed) for case in CASES for typed in case["typed"]]
    found = run_script(_READ, [(blank(case), typed) for case, typed in asked])
    wrong = [
        (typed, result)
        for (case, typed), result in zip(asked, found, strict=True)
        if (case["value"] is None) != ("reason" in result)
        or (case["value"] is not None and not same(result["value"], case["value"]))
    ]
    assert wrong == []


def test_odd_texts_are_read_alike_by_every_kind_of_blank(run_script: Callable[..., Any]) -> None:
    choices = tuple(Choice(key, f"choice {key}") for key in "abc")
    fields = [
        Field("x", "x", "integer", 5),
        Field("x", "x", "number", 5.0, unit="times"),
        Field("x", "x", "number", 5.0, unit="%"),
        Field("x", "x", "shape", (3, 32, 32)),
        Field("x", "x", "choice", "a", choices=choices),
        Field("x", "x", "boolean", True),
        Field("x", "x", "order", ("a", "b", "c"), choices=choices),
        Field("x", "x", "match", ("a", "b"), choices=choices, items=("one", "two")),
    ]
    asked = [(field, text) for field in fields for text in _ODD]
    plain = [
        (to_json(Exercise("t", 0, 1, 1, "s", "", (field,), (), ""))["fields"][0], text)
        for field, text in asked
    ]
    for (field, text), result in zip(asked, run_script(_READ, plain), strict=True):
        value = read(field, text)
        if isinstance(value, Unreadable):
            assert "reason" in result, (field.kind, text, result)
        else:
            assert result.get("value") == (list(value) if isinstance(value, tuple) else value), (
                field.kind,
                text,
            )


def test_formulas_have_the_same_values(run_script: Callable[..., Any]) -> None:
    texts = (
        *("floor((h + 2*1 - 3)/2) + 1", "(64, c[1]/2, c[2]//2)", "127/2", "-7//2", "ceil(-7/2)"),
        *("sqrt(49/4)", "sqrt(2)", "max(1, h, 3)", "min(h/100, 1/3)", "2^10 - 1", "c", "c[3]"),
        *("1/(h - 56)", "h[0]", "x", "2^65", "((1)", "1 2", "r + 0.1", "r*3", "10^20", "1/3 + 1/3"),
    )
    values = {"h": 56, "c": (3, 56, 57), "r": 0.1}

    def here(text: str) -> Any:
        try:
            found = evaluate(text, values)
        except FormulaError:
            return None
        return list(found) if isinstance(found, tuple) else found

    script = """([texts, values]) => texts.map((text) => {
      try {
        const found = formula.evaluate(text, new Map(Object.entries(values)));
        return typeof found === "bigint" ? Number(found) : found;
      } catch (error) { return null; }
    })"""
    assert run_script(script, (texts, values)) == [here(text) for text in texts]


def typed_answers(exercise: Exercise) -> Iterator[dict[str, str]]:
    """Yields the right answers, each mistake of each blank, and what follows from each."""
    right = {field.key: spell(field.answer, field.unit) for field in exercise.fields}
    yield right
    yield {}
    for index, field in enumerate(exercise.fields):
        wrong = [spell(each.value, field.unit) for each in field.mistakes]
        wrong += [str(Fraction(m.value)) for m in field.mistakes if isinstance(m.value, float)]
        wrong += [choice.key for choice in field.choices if field.kind == "choice"]
        wrong += ["7", "12.5", "3×5×7", "what"]
        for text in wrong:
            strayed = {**right, field.key: text}
            yield strayed
            # Going on from the own value, rightly and with each mistake of the next blank.
            for mark_here in mark(exercise, strayed).fields[index + 1 : index + 2]:
                yield {**strayed, mark_here.key: spell(mark_here.expected_here)}
            for later in exercise.fields[index + 1 : index + 2]:
                for mistake in later.mistakes:
                    yield {**strayed, later.key: spell(mistake.value)}


def test_every_mistake_of_every_drill_and_question_is_marked_alike(
    run_script: Callable[..., Any],
) -> None:
    drills = [
        template.exercise(seed, level)
        for template in TEMPLATES
        for seed, level in ((0, 1), (1, 2), (2, 3))
    ]
    asked = [(each, typed) for each in (*drills, *QUESTIONS) for typed in typed_answers(each)]
    assert len(asked) > 200
    plain = {id(each): to_json(each) for each, _ in asked}
    found = run_script(
        _MARK, (mistake_titles(), [(plain[id(each)], typed) for each, typed in asked])
    )
    reached = set()
    for (exercise, typed), marks in zip(asked, found, strict=True):
        for here, there in zip(mark(exercise, typed).fields, marks, strict=True):
            where = (exercise.template, exercise.seed, typed, here.key)
            assert there["verdict"] == here.verdict, where
            assert there["mistake"] == (here.mistake and here.mistake.code), where
            assert there["step"] == here.step, where
            if here.verdict != "unreadable":
                assert there["message"] == here.message, where
            reached.add((exercise.template, here.key, there["mistake"]))
    known = {
        (each.template, field.key, mistake.code)
        for each in (*drills, *QUESTIONS)
        for field in each.fields
        for mistake in field.mistakes
    }
    assert known <= reached
