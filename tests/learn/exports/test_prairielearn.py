"""The question folders, run as PrairieLearn runs them: generate, render, parse, grade."""

from __future__ import annotations

import json
import uuid
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import chevron
import pytest

from foveal.learn.drills import TEMPLATES
from foveal.learn.exercise import Exercise
from foveal.learn.exports import prairielearn
from foveal.learn.exports.prairielearn import question_folders
from foveal.learn.marking import mark
from foveal.learn.quiz import QUESTIONS
from foveal.learn.skills import find_exercise


def fresh(seed: int) -> dict[str, Any]:
    return {
        "variant_seed": seed,
        "params": {},
        "correct_answers": {},
        "submitted_answers": {},
        "format_errors": {},
        "partial_scores": {},
        "feedback": {},
        "score": 0.0,
    }


def served(name: str, level: int) -> tuple[Any, str]:
    """Returns the functions of a folder's server.py, and its question.html."""
    (folder,), _ = question_folders([(name, level)])
    functions: dict[str, Any] = {}
    exec(compile(folder.files["server.py"], "server.py", "exec"), functions)
    return SimpleNamespace(**functions), folder.files["question.html"]


def graded(server: Any, seed: int, answers: dict[str, str]) -> dict[str, Any]:
    data = fresh(seed)
    server.generate(data)
    data["submitted_answers"].update(answers)
    server.parse(data)
    if not data["format_errors"]:
        server.grade(data)
    json.dumps(data)  # PrairieLearn keeps it as JSON
    return data


def every_mistake_in_turn(exercise: Exercise) -> Any:
    right = {field.key: typed(field.answer) for field in exercise.fields}
    yield right
    for field in exercise.fields:
        for mistake in field.mistakes:
            yield {**right, field.key: typed(mistake.value)}
    if exercise.fields[0].kind == "integer":
        yield {**right, exercise.fields[0].key: "987654321"}


def typed(value: Any) -> str:
    if isinstance(value, tuple):
        return ("x" if isinstance(value[0], int) else " ").join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    ("name", "level"),
    [(each.name, index % 3 + 1) for index, each in enumerate(TEMPLATES)]
    + [(each.template, 1) for each in QUESTIONS if each.fields[0].kind != "open"],
)
def test_an_answer_is_marked_there_as_it_is_here(name: str, level: int) -> None:
    server, _ = served(name, level)
    for answers in every_mistake_in_turn(find_exercise(name, seed=4711, level=level)):
        data = graded(server, 4711, answers)
        here = mark(find_exercise(name, seed=4711, level=level), answers)
        assert data["format_errors"] == {}
        assert data["score"] == here.score
        assert data["feedback"]["mistakes"] == list(here.mistakes)
        for found in here.fields:
            partial = data["partial_scores"][found.key]
            assert partial["score"] == float(found.verdict in ("right", "follows"))
            assert partial["feedback"]


def test_a_later_blank_is_marked_from_the_students_own_earlier_value() -> None:
    # 32 in, kernel 3, no padding: the first is 30; from a wrong 32 the second still follows.
    server, _ = served("field-growth", 2)
    exercise = find_exercise("field-growth", seed=1, level=2)
    wrong = exercise.fields[0].mistakes[0]
    answers = {field.key: typed(field.answer) for field in exercise.fields}
    answers[exercise.fields[0].key] = typed(wrong.value)
    moved = next(m for m in mark(exercise, answers).fields if m.expected_here != m.expected)
    answers[moved.key] = typed(moved.expected_here)
    data = graded(server, 1, answers)
    assert data["partial_scores"][exercise.fields[0].key]["score"] == 0
    assert data["partial_scores"][moved.key]["score"] == 1
    assert "your own earlier value" in data["partial_scores"][moved.key]["feedback"]


def test_what_cannot_be_read_is_a_format_error_and_is_not_graded() -> None:
    server, _ = served("convolution-parameters", 1)
    key = find_exercise("convolution-parameters", seed=3, level=1).fields[0].key
    data = graded(server, 3, {key: "<b>about 74k"})
    assert "&lt;b&gt;about 74k&#x27; is no number" in data["format_errors"][key]
    assert data["partial_scores"] == {}


def test_each_seed_is_another_variant() -> None:
    server, _ = served("convolution-shape", 1)
    asked = {graded(server, seed, {})["params"]["question"] for seed in range(8)}
    assert len(asked) == 8


class Inputs(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "pl-string-input":
            self.names.append(dict(attrs)["answers-name"])


def test_the_page_has_one_input_for_each_blank() -> None:
    server, page = served("network-shapes", 3)
    exercise = find_exercise("network-shapes", seed=7, level=3)
    inputs = Inputs(chevron.render(page, graded(server, 7, {})))
    assert inputs.names == [field.key for field in exercise.fields]


def test_hostile_names_stay_text(hostile: Exercise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prairielearn, "find_exercise", lambda name, seed, level: hostile)
    server, page = served("quiz:2-1", 1)
    data = graded(server, 0, {"n": "3", "c": "b"})
    assert data["score"] == 0
    inputs = Inputs(chevron.render(page, data))
    assert "script" not in inputs.tags
    assert inputs.names == ["n", "c"]


def test_a_folder_keeps_its_identity_and_names_its_topic() -> None:
    (folder, other), _ = question_folders([("convolution-shape", 1), ("convolution-shape", 2)])
    info = json.loads(folder.files["info.json"])
    assert set(folder.files) == {"info.json", "question.html", "server.py"}
    assert info["uuid"] == str(uuid.UUID(info["uuid"]))
    assert info["uuid"] != json.loads(other.files["info.json"])["uuid"]
    assert question_folders([("convolution-shape", 1)])[0][0] == folder
    assert info["topic"].startswith("2 ")


def test_a_question_in_words_is_left_out_with_the_reason() -> None:
    folders, left_out = question_folders([("quiz:1-3", 1), ("quiz:2-1", 1)])
    assert [folder.name for folder in folders] == ["foveal-quiz-2-1"]
    assert [(each.template, why) for each, why in left_out] == [
        ("quiz:1-3", "it is answered in words, which grade() cannot mark")
    ]


def test_the_files_import_nothing_but_foveal(tmp_path: Path) -> None:
    (folder,), _ = question_folders([("quiz:2-1", 1)])
    imports = [line for line in folder.files["server.py"].split("\n") if "import" in line]
    assert imports == ["from foveal.learn.exports import prairielearn"]
