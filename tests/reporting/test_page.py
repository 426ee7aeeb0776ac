from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foveal.reporting import MAX_PAGE_BYTES, ReportInput, render_html
from foveal.reporting.sections import SECTIONS
from foveal.text import printable

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></svg><svg onload=alert(1)>",
    "line\nbreak\x00\x1b[31m",
    "\u202egnp.exe",
    "caf\udce9",
    "{{ 7 * 7 }}{% raw %}",
    "👩‍🔬 emoji",
    "javascript:alert(1)",
)
VOID = {"meta", "img", "br", "wbr", "link", "input", "hr", "base", "source", "embed"}
ELEMENTS = {
    *[
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "div",
        "nav",
        "p",
        "ol",
        "ul",
        "li",
        "main",
        "header",
        "h1",
        "h2",
        "h3",
        "section",
    ],
    *[
        "span",
        "b",
        "bdi",
        "br",
        "wbr",
        "code",
        "pre",
        "small",
        "dl",
        "dt",
        "dd",
        "details",
        "summary",
        "figure",
        "figcaption",
    ],
    *[
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "img",
        "footer",
        "svg",
        "g",
        "desc",
        "line",
        "rect",
        "circle",
        "path",
    ],
    *["polygon", "polyline", "text"],
}
ATTRIBUTES_THAT_LOAD = {"src", "href", "xlink:href", "data", "action", "srcset", "poster"}


class Page(HTMLParser):
    """Elements with their attributes, text by section, and whether tags close properly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.mismatches: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mismatches.append(tag)

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def test_every_element_closes_where_it_should(report: ReportInput) -> None:
    page = Page(render_html(report))
    assert (page.mismatches, page.open) == ([], [])


def test_nothing_outside_the_page_is_referenced(report: ReportInput) -> None:
    page = Page(render_html(report))
    targets = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ATTRIBUTES_THAT_LOAD and value is not None
    ]
    assert targets
    assert [t for t in targets if not t.startswith(("#", "data:image/"))] == []


def test_no_address_stands_in_the_page(report: ReportInput) -> None:
    assert re.findall(r"https?://|//\w+\.|url\(|@import", render_html(report)) == []


def test_the_policy_allows_exactly_the_style_that_is_there(cells: ReportInput) -> None:
    text = render_html(cells)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = next(
        meta["content"]
        for meta in Page(text).named("meta")
        if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_every_contents_link_has_its_place(report: ReportInput) -> None:
    page = Page(render_html(report))
    places = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = [a["href"] for a in page.named("a")]
    shown = [one for one in SECTIONS if one.absent or one.view(report) is not None]
    assert len(links) == 2 + len(shown)
    assert {str(link)[1:] for link in links} <= places


def test_identifiers_are_unique(report: ReportInput) -> None:
    page = Page(render_html(report))
    found = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(found) == len(set(found))


def test_every_drawing_has_a_name_and_a_description(report: ReportInput) -> None:
    text = render_html(report)
    drawings = re.findall(r'<svg class="drawing"[^>]*>.{0,300}', text)
    assert len(drawings) >= 3
    for drawing in drawings:
        assert 'role="img"' in drawing
        assert 'aria-label="' in drawing
        assert re.search(r"<title>[^<]+</title><desc>[^<]+", drawing)


def test_every_drawing_has_its_numbers_in_a_table(cells: ReportInput) -> None:
    pieces = render_html(cells).split('<figure class="plot">')[1:]
    assert len(pieces) == 14 + 1 + 3 * 2 + 3  # flow, two curves and a decision curve a class
    # The table stands inside the figure or right below it, before the next one.
    assert [piece for piece in pieces if "<table" not in piece] == []


def test_pictures_have_words_beside_them(cells: ReportInput, jpeg: Callable[..., bytes]) -> None:
    pictures = dict.fromkeys(range(500), jpeg())
    images = Page(render_html(replace(cells, pictures=pictures))).named("img")
    assert len(images) == 50 + 24
    assert all(image["alt"] for image in images)


def test_the_page_has_language_landmarks_and_a_way_past_the_contents(cells: ReportInput) -> None:
    page = Page(render_html(cells))
    assert page.named("html")[0]["lang"] == "en"
    assert [len(page.named(tag)) for tag in ("nav", "main", "footer", "h1")] == [1, 1, 1, 1]
    assert page.named("a")[0] == {"class": "skip", "href": "#main"}


def test_headings_never_skip_a_level(report: ReportInput) -> None:
    levels = [
        int(tag[1]) for tag, _ in Page(render_html(report)).elements if re.match(r"h\d$", tag)
    ]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_headline_is_in_the_page_with_interval_and_baseline(cells: ReportInput) -> None:
    text = Page(render_html(cells)).text
    accuracy = cells.evidence.metrics.accuracy
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert f"{100 * (accuracy.estimate or 0):.1f}%" in text
    assert f"95% interval: {100 * accuracy.low:.1f}% to {100 * accuracy.high:.1f}%" in text
    assert "Better than always answering 'functional' (57.6%)" in text
    assert cells.evidence.protocol.sentence in text


def test_missing_parts_are_explained_in_a_line(welds: ReportInput) -> None:
    text = Page(render_html(welds)).text
    for line in (
        "Not measured: calibration",
        "Not measured: prediction sets",
        "Not measured: a learning curve",
        "Not measured: it takes the classifier itself",
        "Not measured: there was no reference",
        "Not examined: this report was made without an audit",
        "Not recorded: this report was made from the evidence alone",
        "None: no label contradicts",
    ):
        assert line in text


def test_small_shifts_are_shown_with_what_limits_them(cells: ReportInput) -> None:
    text = Page(render_html(cells)).text
    for words in (
        "How stable is the answer when the image moves by a few pixels?",
        "90.6% (95% interval 83.5 to 97.7%) when moved by 8 px",
        "8 px 90.6% 83.5–97.7% 7.7 points 5.4–10.0",
        "It was trained on these images, so answers for new images may be less stable.",
        "filled by mirroring the image",
    ):
        assert words in text


def test_findings_come_gravest_first_with_their_fix(cells: ReportInput) -> None:
    assert isinstance(cells.audit, dict)
    backwards = {**cells.audit, "findings": cells.audit["findings"][::-1]}
    text = Page(render_html(replace(cells, audit=backwards))).text
    order = [text.index(word) for word in ("Error 2 images", "Warning 3 files", "Note Classes")]
    assert order == sorted(order)
    assert "What to do: Decide on one label and delete the other file." in text


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_class_name_stays_text(renamed: Callable[..., ReportInput], name: str) -> None:
    page = Page(render_html(renamed("good", name, title=name)))
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert [a for _, attrs in page.elements for a in attrs if a.startswith(("on", "style"))] == []
    assert page.mismatches == []
    assert " ".join(printable(name).split()) in page.text


def test_hostile_text_everywhere_else_stays_text(cells: ReportInput) -> None:
    bad = "<script>x</script>\u202e"
    evidence = cells.evidence
    assert cells.provenance is not None
    page = Page(
        render_html(
            ReportInput(
                title=bad,
                evidence=replace(
                    evidence,
                    protocol=replace(evidence.protocol, sentence=bad, notes=(bad,)),
                    grouping=replace(evidence.grouping, source=bad),
                    metrics=replace(evidence.metrics, interval_method=bad),
                    baseline=replace(evidence.baseline, class_name=bad),
                    label_review=(replace(evidence.label_review[0], path=bad, suggested=bad),),
                    mistakes=(replace(evidence.mistakes[0], path=bad, predicted=bad),),
                    timing=replace(evidence.timing, steps_seconds={bad: 1.0}),
                ),
                audit={
                    "findings": [
                        dict.fromkeys(("code", "severity", "title", "detail", "fix"), bad)
                        | {"paths": [bad]}
                    ],
                    "sizes": {bad: 1},
                },
                provenance=replace(
                    cells.provenance,
                    backbone=bad,
                    command=bad,
                    hardware=bad,
                    preprocessing={bad: {bad: [bad]}},
                    versions={bad: bad},
                    notes=(bad,),
                ),
            )
        )
    )
    assert page.named("script") == []
    assert "\u202e" not in page.text
    assert page.text.count("<script>x</script>\\u202e") > 15


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.text(st.characters(codec=None), min_size=1, max_size=60))
def test_any_class_name_survives(renamed: Callable[..., ReportInput], name: str) -> None:
    text = render_html(renamed(name, "other"))
    text.encode()
    page = Page(text)
    assert {tag for tag, _ in page.elements} <= ELEMENTS
    assert page.mismatches == []


def test_a_full_report_stays_small(cells: ReportInput, jpeg: Callable[..., bytes]) -> None:
    pictures = {index: jpeg(index, size_px=160) for index in range(500)}
    examples = {name: tuple(range(6)) for name in cells.evidence.data.class_names}
    text = render_html(replace(cells, pictures=pictures, examples=examples))
    assert len(Page(text).named("img")) == 50 + 24 + 18
    assert len(text.encode()) < MAX_PAGE_BYTES


def test_pictures_over_the_budget_are_left_out_and_counted(cells: ReportInput) -> None:
    large = b"\xff\xd8\xff" + bytes(200_000)
    text = render_html(replace(cells, pictures=dict.fromkeys(range(500), large)))
    shown = len(Page(text).named("img"))
    assert 0 < shown < 74
    assert len(text.encode()) < MAX_PAGE_BYTES
    assert f"{74 - shown} of its images were left out" in text


def test_a_picture_of_another_format_becomes_a_placeholder(cells: ReportInput) -> None:
    text = render_html(replace(cells, pictures=dict.fromkeys(range(500), b"<svg onload=x>")))
    assert Page(text).named("img") == []
    assert text.count('class="placeholder"') == 74


def test_very_many_classes_still_fit(renamed: Callable[..., ReportInput]) -> None:
    text = render_html(renamed(*(f"class {k}" for k in range(200))))
    assert len(text.encode()) < MAX_PAGE_BYTES
    assert "A matrix of 200 classes cannot be read on a page" in text


def test_figures_that_are_undefined_are_said_to_be(welds: ReportInput) -> None:
    none = replace(welds.evidence.metrics.accuracy, estimate=None, low=None, high=None)
    metrics = replace(
        welds.evidence.metrics,
        auroc=none,
        balanced_accuracy=replace(none, estimate=0.5),
        per_class=tuple(
            replace(item, precision=none, auroc=none) for item in welds.evidence.metrics.per_class
        ),
    )
    text = Page(render_html(replace(welds, evidence=replace(welds.evidence, metrics=metrics)))).text
    assert "50.0% (no interval)" in text
    assert "n/a" in text
