from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveal.text import count_noun, fold, near_names, printable

ANY_TEXT = st.text(st.characters())  # surrogates included


@given(ANY_TEXT)
def test_what_is_printable_is_one_line(text: str) -> None:
    assert len(printable(text).splitlines()) <= 1


@given(ANY_TEXT)
def test_what_is_printable_can_be_stored_as_utf8(text: str) -> None:
    assert printable(text).encode("utf-8").decode("utf-8") == printable(text)


@given(ANY_TEXT)
def test_printing_twice_changes_nothing_more(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.text("abcäöü漢字 .-_/0123456789"))
def test_ordinary_names_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


@given(st.binary(min_size=1, max_size=20))
def test_any_file_name_can_be_printed(name: bytes) -> None:
    printable(os.fsdecode(name)).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines", "two\\nlines"),
        ("\x1b[31mred", "\\x1b[31mred"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("👩‍🔬.png", "👩‍🔬.png"),  # the joiner inside the emoji stays
    ],
)
def test_what_could_mislead_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_near_names_come_nearest_first() -> None:
    assert near_names("resnet1", ["vgg16", "resnet101", "resnet18"])[0].startswith("resnet1")


def test_nothing_is_near_to_nonsense() -> None:
    assert near_names("zzzz", ["resnet18", "vgg16"]) == ()


def test_a_noun_follows_its_number() -> None:
    assert [count_noun(n, "class", "classes") for n in (0, 1, 1000)] == [
        "0 classes",
        "1 class",
        "1,000 classes",
    ]


@pytest.mark.parametrize(
    "row",
    [
        "epoch  train loss / acc.   val. loss / acc.     gap     rate  images/s   s left",
        "    1     1.003   81.2%                              5.0e-04     1,509       1",
        " \u2192 layer3             1     268k         267k       493    442 kB        2 s",
        "fc               291  1.0e-03",
    ],
)
def test_a_row_that_fits_keeps_its_columns(row: str) -> None:
    assert fold(row, 80) == row


def test_a_row_that_is_broken_keeps_the_columns_of_each_part() -> None:
    assert fold("ab   cd  ef     gh   ij", 12, indent="  ") == "ab   cd  ef\n  gh   ij"


@given(st.text("ab  \n"), st.integers(1, 12))
def test_folding_keeps_every_word_in_order(text: str, columns: int) -> None:
    assert fold(text, columns).split() == text.split()
