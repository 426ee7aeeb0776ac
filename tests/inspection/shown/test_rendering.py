from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from torch import nn

from foveal.inspection import (
    compare,
    effective_receptive_field,
    inspect,
    render_comparison_text,
    render_inspection_fragment,
    render_inspection_html,
    render_inspection_text,
)
from foveal.models.sources import open_network

HOSTILE = "<script>alert(1)</script>\n\u202eevil"


@pytest.fixture(scope="module")
def resnet():
    resolved = open_network("torchvision:resnet18")
    return inspect(resolved.module, (3, 224, 224), name=resolved.name, sizes="any")


class _Balance(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = []
        self.wrong = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "input", "br", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def foreign_scripts(page):
    """Returns the scripts of a page that are neither data nor ours, allowed by their digests."""
    policy = re.search(r"script-src ([^;]*);", page)[1]
    return [
        script
        for kind, script in re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
        if "text/plain" not in kind
        and base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() not in policy
    ]


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "convnext_tiny", "densenet121"])
@pytest.mark.parametrize("by", ["op", "stage"])
def test_text_fits_80_columns(name, by):
    table = inspect(open_network(f"torchvision:{name}").module, (3, 224, 224), name=name)
    lines = render_inspection_text(table, by=by).splitlines()
    assert max(len(line) for line in lines) <= 80


def test_wide_numbers_take_columns_away_and_stay_within_80():
    model = nn.Sequential(*(nn.Conv3d(1, 1, (3, 7, 5), stride=2, padding=3) for _ in range(3)))
    for by in ("op", "stage"):
        text = render_inspection_text(inspect(model, (1, 1, 112, 224, 160)), by=by)
        assert max(len(line) for line in text.splitlines()) <= 80
        assert "15×43×29" in text


def test_text_shows_the_exact_totals(resnet):
    text = render_inspection_text(resnet)
    assert "11,689,512" in text
    assert "1,814,073,344" in text
    assert "435 px at layer4.1.relu#2, stride 32, start −217" in text
    assert "Any H, W divisible by 32" in text


def test_text_folds_repeats(resnet):
    assert "layer1.0–1   × 2, each" in render_inspection_text(resnet)


def test_a_lower_bound_is_marked_and_explained():
    class Odd(nn.Module):
        def forward(self, x):
            import torch

            return torch.linalg.svdvals(x)

    text = render_inspection_text(inspect(nn.Sequential(nn.Conv2d(1, 1, 3), Odd()), (1, 8, 8)))
    assert "at least 324" in text
    assert "lower bounds" in text


def test_comparison_shows_the_ratio():
    first = inspect(nn.Conv2d(8, 8, 3, bias=False), (8, 16, 16))
    second = inspect(nn.Conv2d(8, 8, 6, bias=False), (8, 16, 16))
    assert re.search(r"parameters +576 +2,304 +× 4", render_comparison_text(compare(first, second)))


def test_the_page_is_whole_and_asks_for_nothing(resnet):
    page = render_inspection_html(resnet)
    parser = _Balance()
    parser.feed(page.removeprefix("<!doctype html>"))
    assert parser.wrong == []
    assert parser.open == []
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert foreign_scripts(page) == []


def test_hostile_names_are_text(resnet):
    table = inspect(nn.Conv2d(3, 4, 3), (3, 8, 8), name=HOSTILE)
    page = render_inspection_html(table)
    assert foreign_scripts(page) == []
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "\u202e" not in render_inspection_text(table)


def test_the_page_shows_every_operation(resnet):
    page = render_inspection_html(resnet)
    assert all(f">{row.name}<" in page for row in resnet.ops)


def test_the_effective_field_is_drawn():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    table = inspect(model, (3, 16, 16))
    measured = effective_receptive_field(model, table)
    assert "data:image/png;base64," in render_inspection_html(table, effective=measured)


def test_a_notebook_shows_the_same(resnet):
    assert resnet._repr_html_() == render_inspection_fragment(resnet)
    assert str(resnet) == render_inspection_text(resnet)
