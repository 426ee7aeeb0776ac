"""Every lab, at small size: it runs, it is seeded, and its claim is the one that is measured."""

from __future__ import annotations

import json
from html import escape

import pytest

from foveal.errors import UsageError
from foveal.learn.labs import LABS, load_lab
from foveal.learn.labs.chart import describe_chart, draw_chart, draw_text
from foveal.learn.labs.lab import LabResult, Settings
from foveal.learn.labs.showing import judge_guess, render_html, render_text, to_json

NAMES = [name for name, _ in LABS]


@pytest.fixture(scope="module", params=NAMES)
def ran(request: pytest.FixtureRequest) -> tuple[str, LabResult]:
    if request.param == "normalisation":
        pytest.importorskip("elpv_dataset", reason="its images are those of elpv-dataset")
    return request.param, load_lab(request.param).run(Settings(num_seeds=3, is_small=True))


def test_the_measured_answer_is_one_of_the_choices(ran: tuple[str, LabResult]) -> None:
    name, result = ran
    assert result.answer in {"", *(key for key, _ in load_lab(name).choices)}


def test_a_lab_that_claims_an_effect_names_the_answer(ran: tuple[str, LabResult]) -> None:
    _, result = ran
    if result.finding == "shown":
        assert result.answer


def test_every_row_fits_its_header(ran: tuple[str, LabResult]) -> None:
    _, result = ran
    assert {len(row) for row in result.rows} == {len(result.header)}


def test_the_text_fits_eighty_columns(ran: tuple[str, LabResult]) -> None:
    name, result = ran
    for is_plain in (False, True):
        text = render_text(load_lab(name), result, is_plain=is_plain)
        assert max(map(len, text.splitlines())) <= 80


def test_the_figure_is_told_to_those_who_do_not_see_it(ran: tuple[str, LabResult]) -> None:
    _, result = ran
    if result.chart is not None:
        assert escape(describe_chart(result.chart)) in draw_chart(result.chart)
        assert "#" in draw_text(result.chart)


def test_page_and_json_hold_what_was_measured(ran: tuple[str, LabResult]) -> None:
    name, result = ran
    lab = load_lab(name)
    page = render_html(lab, result, guess=None, machine="m", command="foveal lab")
    assert "connect-src" not in page
    assert "default-src 'none'" in page
    values = json.loads(json.dumps(to_json(lab, result, guess=None, machine="m")))
    assert values["schema"] == "foveal.lab"
    assert len(values["rows"]) == len(result.rows)


def test_a_wrong_guess_is_met_with_what_was_measured() -> None:
    lab = load_lab("cross-correlation")
    result = lab.run(Settings(num_seeds=3, is_small=True))
    assert "Measured: The kernel turned by 180°" in judge_guess(lab, result, "same")
    assert "That is what was measured" in judge_guess(lab, result, "flipped")


def test_the_flipped_kernel_is_what_a_layer_learns() -> None:
    result = load_lab("cross-correlation").run(Settings(num_seeds=3))
    assert result.finding == "shown"


def test_an_unknown_lab_is_answered_with_the_near_one() -> None:
    with pytest.raises(UsageError, match=r"no lab 'cost'.\nDid you mean costs"):
        load_lab("cost")
