from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

CSS = (files("foveal.reporting") / "templates" / "report.css").read_text("utf-8")
SCHEMES = {
    "light": re.search(r":root \{(.*?)\n\}", CSS, re.DOTALL),
    "dark": re.search(r"prefers-color-scheme: dark\) \{\s*:root \{(.*?)\}", CSS, re.DOTALL),
}
WORDS = ("ink", "soft", "link", "error", "warning")


def colours(scheme: str) -> dict[str, str]:
    match = SCHEMES[scheme]
    assert match is not None
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", match[1]))


def contrast(first: str, second: str) -> float:
    """WCAG 2.2 contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_contrast_formula_knows_black_and_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("ground", ["paper", "raised"])
def test_words_can_be_read(scheme: str, word: str, ground: str) -> None:
    found = colours(scheme)
    assert contrast(found[word], found[ground]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("mark", ["a", "b", "reference"])
def test_marks_stand_out(scheme: str, mark: str) -> None:
    found = colours(scheme)
    assert contrast(found[mark], found["paper"]) >= 3.0


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shade", range(11))
def test_numbers_can_be_read_on_every_shade(scheme: str, shade: int) -> None:
    found = colours(scheme)
    weak = shade <= (5 if scheme == "light" else 4)
    over = "on-light" if (scheme == "light") == weak else "on-dark"
    assert contrast(found[over], found[f"s{shade}"]) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
def test_shades_are_ordered_in_grey(scheme: str) -> None:
    found = colours(scheme)
    steps = [contrast(found[f"s{k}"], found["paper"]) for k in range(11)]
    assert steps == sorted(steps)


def test_a_shade_takes_the_words_that_were_checked() -> None:
    light = re.search(r"\n(\.t0.*?) \{ color: var\(--on-light\)", CSS)
    dark = re.search(r"dark\) \{\s*(\.t0.*?) \{ color: var\(--on-dark\)", CSS)
    assert light is not None
    assert dark is not None
    assert light[1] == ", ".join(f".t{k}" for k in range(6))
    assert dark[1] == ", ".join(f".t{k}" for k in range(5))


def test_dark_is_for_screens_alone() -> None:
    # Paper is white: a drawing in dark colours on it would be the one dark part of the page.
    root = Path(str(files("foveal")))
    styles = [one for kind in ("*.css", "*.py") for one in root.rglob(kind)]
    asked = {
        path.name: condition.strip()
        for path in styles
        for condition in re.findall(
            r"@media\s*([^{\n]*prefers-color-scheme[^{\n]*)\{", path.read_text("utf-8")
        )
    }

    assert asked.keys() >= {"report.css", "drawing.css", "inspection.css"}
    assert [one for one in asked.items() if not one[1].startswith("screen and ")] == []


def test_captions_wrap_where_a_table_is_wider_than_the_screen() -> None:
    assert re.search(r"\ncaption \{[^}]*max-width: min\(40rem, calc\(100vw", CSS)


def test_the_head_of_a_table_is_ruled_over_its_empty_corner_too() -> None:
    assert re.search(r"thead th, thead td \{ border-bottom-color: var\(--soft\); \}", CSS)


def test_the_style_loads_nothing() -> None:
    assert re.findall(r"url\(|@import|@font-face|</", CSS) == []
