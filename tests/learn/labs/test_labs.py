"""Every lab, at small size: it runs, it is seeded, and its claim is the one that is measured."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from foveal.errors import UsageError
from foveal.evaluation.evidence import Interval
from foveal.learn.labs import LABS, load_lab
from foveal.learn.labs.chart import describe_chart, draw_chart, draw_text
from foveal.learn.labs.lab import Chart, LabResult, Point, Series, Settings
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


def _small(name: str, **given: object) -> LabResult:
    return load_lab(name).run(Settings(num_seeds=2, is_small=True, **given))  # type: ignore[arg-type]


def test_deeper_plain_networks_train_worse_and_residual_ones_do_not() -> None:
    result = _small("degradation")
    assert result.chart is not None
    plain, residual = (
        [point.value.estimate or 0.0 for point in series.points] for series in result.chart.series
    )
    assert plain[-1] > plain[0]
    assert plain[-1] > residual[-1] + 0.2


def test_a_large_rate_destroys_the_old_classes() -> None:
    result = load_lab("learning-rates").run(Settings(num_seeds=3, is_small=True))
    assert result.answer == "forgets"


def test_grad_cam_by_hand_is_the_engines_and_cam_by_a_factor() -> None:
    result = _small("grad-cam")
    assert result.answer == "factor"
    told = dict(result.rows)
    for row in ("against foveal.explain", "against CAM / positions"):
        assert float(told[row].split()[2]) < 1e-5


def test_grad_cam_looks_at_the_learners_network_and_picture(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "mine.png")
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    result = _small(
        "grad-cam",
        model=network,
        model_name="mine",
        input_shape=(3, 32, 32),
        data=tmp_path / "mine.png",
    )
    assert "mine scores class" in result.sentence
    assert result.answer == "factor"
    assert [one.data_uri[:14] for one in result.pictures] == ["data:image/png"] * 3
    assert all(one.requires_grad and one.grad is None for one in network.parameters())


def test_grad_cam_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="this lab looks at one image"):
        _small("grad-cam", data=tmp_path)


def test_a_lab_on_a_folder_refuses_one_picture(tmp_path: Path) -> None:
    (tmp_path / "one.png").touch()
    with pytest.raises(UsageError, match="needs a labelled folder"):
        _small("augmentation", data=tmp_path / "one.png")


def test_augmentation_takes_a_labelled_folder(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, level in (("dark", 60), ("light", 190)):
        (tmp_path / name).mkdir()
        for number in range(10):
            pixels = random.integers(level - 50, level + 50, (20, 20), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    result = _small("augmentation", data=tmp_path)
    assert "20 images of 2 classes" in result.notes[0]


def test_the_field_of_a_given_network_is_measured_on_an_input_that_it_fits_into() -> None:
    layers = [nn.Conv2d(1, 2, 7, padding=3, stride=2), *(nn.Conv2d(2, 2, 7, padding=3),) * 3]
    result = _small(
        "receptive-field",
        model=nn.Sequential(*layers),
        model_name="mine",
        input_shape=(1, 16, 16),
    )
    # 7 + 3 layers · (7 − 1) · stride 2 = 43, which 16 px do not hold.
    assert result.rows[0][1] == "43"
    assert result.notes == ("Measured on white noise of 64×64 px, which its field fits into.",)


def test_shuffled_tiles_are_the_same_pixels() -> None:
    from foveal.learn.labs.maximisation import _shuffled

    images = torch.rand(2, 3, 64, 64)
    cut = _shuffled(images, 0)
    assert not torch.equal(cut, images)
    for each in (images, cut):
        assert each.shape == (2, 3, 64, 64)
    assert torch.equal(cut.flatten(2).sort().values, images.flatten(2).sort().values)


def test_a_bar_begins_at_zero_where_an_interval_reaches_below() -> None:
    values = (("a", Interval(0.5, 0.4, 0.6)), ("b", Interval(0.0, -0.5, 0.5)))
    series = Series("s", tuple(Point(name, value) for name, value in values))
    lines = draw_text(Chart("t", "x", "y", (series,))).splitlines()
    assert lines[2].split() == ["b", "0"]
    assert 'x="50%"' in draw_chart(Chart("t", "x", "y", (series,)))
