"""The drawing for papers is read by more than browsers: no named colours, no themes."""

from __future__ import annotations

import re
from collections import OrderedDict

import pytest
from torch import nn

from foveal.inspection import compare, inspect
from foveal.inspection.picture.arrangement import arrange
from foveal.inspection.picture.drawing import draw_svg, style
from foveal.inspection.picture.paper import draw_png, paper_style
from foveal.inspection.picture.picture import picture_of
from foveal.inspection.picture.side_by_side import draw_pair_svg
from foveal.models.surgery import fold_batch_norm


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())


def test_the_style_for_papers_is_plain_and_light():
    plain = paper_style(style())
    assert re.findall(r"var\(|@media|--|:hover|:focus|cursor", plain) == []
    assert ".fvp-k-conv{fill: #0b5a8a;}" in plain


@pytest.mark.parametrize("overlay", ["shape", "parameters", "macs", "memory", "field"])
def test_every_class_of_a_drawing_that_has_a_colour_has_it_on_paper(overlay):
    drawn = draw_svg(picture_of(inspect(small(), (3, 16, 16))), overlay=overlay)
    used = {one for each in re.findall(r'class="([^"]*)"', drawn) for one in each.split()}
    coloured = set(re.findall(r"\.([\w-]+)[^{}]*\{[^{}]*fill", style()))
    plain = drawn[drawn.index("<style>") : drawn.index("</style>")]
    assert [one for one in used & coloured if f".{one}" not in plain] == []


def test_a_network_before_and_after_surgery_shows_what_changed():
    before = small().eval()
    after = fold_batch_norm(before, input_shape=(3, 16, 16))
    comparison = compare(
        inspect(before, (3, 16, 16), name="before"), inspect(after, (3, 16, 16), name="after")
    )
    drawn = draw_pair_svg(comparison)
    assert drawn.count(">before<") == drawn.count(">after<") == 1
    # The convolution has gained a bias and lost its norm; the ReLU that shares its box is equal.
    assert drawn.count("fvp-partly") >= 2
    assert draw_png(drawn).startswith(b"\x89PNG")


def test_the_notebook_shows_two_networks_beside_each_other_without_any_script():
    table = inspect(small(), (3, 16, 16), name="<b>")
    shown = compare(table, table)._repr_html_()
    assert "<script" not in shown
    assert shown.count('<svg xmlns="http://www.w3.org/2000/svg" class="fvp-svg" role="img"') == 2
    assert "<b>" not in shown


def test_a_script_that_some_font_has_is_drawn_with_it():
    """The engine draws empty boxes for a word that begins with a letter of another font."""
    from foveal.draw.lettering import Font

    word = "नमस्ते"
    if Font(12).shown(word) != word:
        pytest.skip("No font of this system has Devanagari.")
    frame = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="120" height="20">'
        '<text x="2" y="15" font-size="12" font-family="DejaVu Sans, sans-serif">{}</text></svg>'
    )
    alone, followed = (inked(draw_png(frame.format(text))) for text in (word, f"{word} x"))
    width = max(x for x, _ in alone)
    assert {(x, y) for x, y in followed if x <= width} == alone


def inked(png: bytes) -> set[tuple[int, int]]:
    import io

    import numpy as np
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        rows, columns = np.nonzero(np.asarray(image.convert("RGBA"))[..., 3])
    return set(zip(columns.tolist(), rows.tolist(), strict=True))


def test_what_no_font_has_is_its_escape_and_stays_in_its_box():
    from foveal.draw.lettering import Font

    letter = "\U0010fffd"
    assert Font(12).shown(letter) == "\\U0010fffd"
    table = inspect(nn.Sequential(OrderedDict({letter * 6: nn.Conv2d(3, 4, 3)})), (3, 16, 16))
    arrangement = arrange(picture_of(table))
    image = inked(draw_png(draw_svg(picture_of(table)).replace('class="fvp-paper"', 'fill="none"')))
    right = 2 * max(box.x + box.width for box in arrangement.boxes)
    assert max(x for x, _ in image) <= right + 2


def test_hostile_names_are_text_on_paper_too():
    from xml.etree import ElementTree

    class Hostile(nn.Module):
        def __init__(self):
            super().__init__()
            self.add_module("</text><script>\u202e\x1b[31m", nn.Conv2d(3, 4, 3))
            self.add_module("한국어 이름 & नमस्ते", nn.Conv2d(4, 4, 3))

        def forward(self, x):
            for one in self.children():
                x = one(x)
            return x

    table = inspect(Hostile(), (3, 16, 16), name="]]>&<a>")
    for drawn in (draw_svg(picture_of(table)), draw_pair_svg(compare(table, table))):
        names = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(drawn).iter()}
        assert names <= {"svg", "title", "style", "rect", "g", "path", "text", "circle"}
        assert draw_png(drawn).startswith(b"\x89PNG")
