"""The package, imported by Anki itself and answered there."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foveal.learn.answers import spell
from foveal.learn.exercise import Exercise
from foveal.learn.exports.anki import anki_package
from foveal.learn.exports.questions import Question, ask_each_blank
from foveal.learn.markup import inline_html

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the package's own dependencies
    from anki.collection import Collection, ImportAnkiPackageRequest


def imported(folder: Path, content: bytes, collection: Any = None) -> Any:
    file = folder / "cards.apkg"
    file.write_bytes(content)
    collection = collection or Collection(str(folder / "collection.anki2"))
    request = ImportAnkiPackageRequest(package_path=str(file))
    request.options.update_notes = 0  # where the export is newer
    collection.import_anki_package(request)
    return collection


@pytest.fixture(scope="module")
def collection(
    tmp_path_factory: pytest.TempPathFactory, questions: tuple[Question, ...]
) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("anki")
    opened = imported(folder, anki_package(questions, at_seconds=1_700_000_000))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def cards(collection: Any) -> dict[str, Any]:
    every = (collection.get_card(card) for card in collection.find_cards(""))
    return {card.note().guid: card for card in every}


def is_right_in_anki(collection: Any, card: Any, case: Any) -> bool:
    """Types the answer where the card lets one, else compares it with what the card says."""
    expected = card.note()["Typed"]
    if expected:
        assert "[[type:Typed]]" in card.render_output(reload=True).question_text
        compared = collection.compare_answer(expected, case.typed)
        return not re.search("typeBad|typeMissed", compared)
    ends = re.search(r'data-low="(\S+)" data-high="(\S+)"', card.note()["Answer"])
    assert ends is not None
    low, high = map(float, ends.groups())
    return low - 1e-9 <= float(case.typed) <= high + 1e-9


def test_an_answer_is_marked_there_as_it_is_here(
    collection: Any, cards: dict[str, Any], cases: Any
) -> None:
    for case in cases:
        card = cards[case.question.identity]
        assert is_right_in_anki(collection, card, case) == case.is_right, case.where


def test_the_back_says_what_each_named_mistake_is(cards: dict[str, Any], cases: Any) -> None:
    for case in cases:
        if case.mark.mistake is not None:
            back = cards[case.question.identity].render_output().answer_text
            mistake = case.mark.mistake
            shown = spell(mistake.value, case.question.field.unit)
            row = (
                f'<tr data-mistake="{mistake.code}"><td>{shown}</td>'
                f"<td>{inline_html(mistake.feedback)}</td></tr>"
            )
            assert row in back, case.where


def test_there_is_one_note_for_each_blank_in_the_deck_of_its_topic(
    collection: Any, cards: dict[str, Any], questions: tuple[Question, ...]
) -> None:
    assert len(cards) == len(questions)
    for question in questions[::20]:
        deck = collection.decks.name(cards[question.identity].did)
        assert deck.startswith(f"Foveal::{question.exercise.topic:02d} ")


def test_a_newer_export_changes_cards_instead_of_doubling_them(
    tmp_path: Path, questions: tuple[Question, ...]
) -> None:
    few = questions[:4]
    opened = imported(tmp_path, anki_package(few, at_seconds=1_700_000_000))
    opened = imported(tmp_path, anki_package(few, at_seconds=1_700_009_000), opened)
    num_notes, num_types = opened.note_count(), len(opened.models.all_names_and_ids())
    opened.close()
    assert num_notes == 4
    fresh = Collection(str(tmp_path / "fresh.anki2"))
    assert num_types == len(fresh.models.all_names_and_ids()) + 1
    fresh.close()


def test_hostile_names_stay_text(tmp_path: Path, hostile: Exercise) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # genanki warns of text that looks like a tag
        content = anki_package(ask_each_blank([hostile]).questions, at_seconds=1_700_000_000)
    opened = imported(tmp_path, content)
    for card in opened.find_cards(""):
        output = opened.get_card(card).render_output()
        assert "<script>" not in output.question_text + output.answer_text
        assert "&lt;script&gt;" in output.question_text
        assert "{{#x}}" in output.answer_text
    opened.close()


def test_without_genanki_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['genanki'] = None\n"
        "from foveal.learn.exports.anki import anki_package\n"
        "try: anki_package([], at_seconds=0)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith(
        "MissingExtraError An Anki package needs the package genanki, which is not installed."
    )
    assert "pip install genanki" in shown.stdout
