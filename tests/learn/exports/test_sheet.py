from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

from foveal.learn.answers import spell
from foveal.learn.drills import template
from foveal.learn.exercise import Exercise
from foveal.learn.exports.sheet import make_sheet
from foveal.learn.exports.variants import variants_html, variants_of, variants_text
from foveal.learn.quiz import find_question


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_sheet_asks_and_only_the_key_answers(exercises: tuple[Exercise, ...]) -> None:
    pages = make_sheet(exercises)
    assert pages.sheet_html.count('<article class="asked') == len(exercises)
    assert "Worked solution" not in pages.sheet_html
    for exercise in exercises:
        for field in exercise.fields:
            for mistake in field.mistakes:
                assert mistake.feedback not in pages.sheet_html
                assert mistake.code in pages.key_html


def test_the_key_says_every_right_answer_with_its_tolerance() -> None:
    drawn = [template("convolution-shape").exercise(1, 2), template("grad-cam").exercise(1, 1)]
    key = make_sheet(drawn).key_html
    for exercise in drawn:
        for field in exercise.fields:
            reach = f" ± {field.tolerance:g}" if field.tolerance else ""
            shown = (
                f'<tr class="right"><th scope="row">{spell(field.answer, field.unit)}{reach}</th>'
            )
            assert shown in key


def test_sheet_and_key_share_a_code_that_another_sheet_has_not() -> None:
    first = make_sheet([template("field-growth").exercise(0, 1)])
    second = make_sheet([template("field-growth").exercise(1, 1)])
    assert first.code in first.sheet_html
    assert first.code in first.key_html
    assert first.code != second.code


def test_the_title_is_the_topics_own_or_the_teachers() -> None:
    one = [find_question("quiz:15-1")]
    assert re.search("<h1>.*[Ff]ield.*</h1>", make_sheet(one).sheet_html)
    assert "<h1>Week &lt;3&gt;</h1>" in make_sheet(one, title="Week <3>").sheet_html


def test_the_pages_are_whole_and_run_nothing(hostile: Exercise, exercises: Any) -> None:
    pages = make_sheet([*exercises, hostile], title="</h1><script>")
    for page in (pages.sheet_html, pages.key_html):
        tags = Tags(page)
        assert tags.open == []
        assert not {"script", "img", "link", "iframe"} & set(tags.seen)
        assert "http" not in page.replace("http-equiv", "")
        assert "default-src 'none'" in unescape(page)
        assert "\x00" not in page


def test_variants_show_each_trap_and_every_mistake_at_80_columns() -> None:
    drill = template("convolution-shape")
    shown = variants_of(drill, levels=(1, 3), count=len(drill.traps), first_seed=0)
    assert {trap for each in shown for trap in each.traps or {"plain"}} == set(drill.traps)
    text = variants_text(drill, shown)
    assert max(map(len, text.split("\n"))) <= 80
    page = variants_html(drill, shown)
    assert Tags(page).open == []
    assert page.count("<section>") == 2
    for exercise in shown:
        for field in exercise.fields:
            for mistake in field.mistakes:
                assert f"[{mistake.code}]" in text
                assert mistake.code in page
