"""The page in Chromium, opened from a file: by keyboard alone, and without any request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foveal.learn.answers import spell
from foveal.learn.drills import template
from foveal.learn.labs import load_lab
from foveal.learn.marking import mark
from foveal.learn.mistakes import mistake_kind
from foveal.learn.progress import dump_progress, parse_progress
from foveal.learn.quiz import QUESTIONS
from foveal.learn.rechecking import recheck
from foveal.learn.topics import TOPICS
from foveal.learn.web.content import recorded_labs

Violations = Callable[[Any], list[str]]
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@pytest.fixture
def tab(browser: Any, site: Path) -> Iterator[Any]:
    """A tab that opens pages of the site, always takes the first variant, and asks for nothing."""
    context = browser.new_context(viewport=DESK, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.add_init_script("Math.random = () => 0")
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))  # also what a policy refuses
    page.on("pageerror", lambda error: said.append(str(error)))
    page.open_page = lambda route: open_page(page, site, route)
    yield page
    assert [url for url in asked if not url.startswith((site.as_uri(), "blob:"))] == []
    assert said == []
    context.close()


def open_page(page: Any, site: Path, route: str) -> None:
    page.goto(f"{site.as_uri()}{route}")
    page.wait_for_function("route => document.body.dataset.shown === route", arg=route)


def tab_to(page: Any, text: str, *, key: str = "Tab") -> None:
    """Presses the key until what has the focus says the text."""
    for _ in range(80):
        page.keyboard.press(key)
        if page.evaluate("document.activeElement.textContent.trim()") == text:
            return
    raise AssertionError(f"{text!r} is not reached by {key}")


def test_from_the_map_to_a_named_mistake_and_on_by_keyboard_alone(tab: Any) -> None:
    first = template("convolution-shape").exercise(0, 1)
    (field,) = first.fields
    mistake = next(each for each in field.mistakes if each.code == "no-plus-one")
    tab.open_page("#/")
    tab_to(tab, "2output shape")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("h1:has-text('2. Output shape')")
    tab_to(tab, "Drill it")
    tab.keyboard.press("Enter")
    tab.wait_for_selector("form.exercise")
    while tab.evaluate("document.activeElement.tagName") != "INPUT":
        tab.keyboard.press("Tab")

    tab.keyboard.type("about so much")
    tab.keyboard.press("Enter")
    assert "no wrong answer" in tab.inner_text(".verdict-box")

    tab.keyboard.press("Control+a")
    tab.keyboard.type(spell(mistake.value))
    tab.keyboard.press("Enter")
    told = tab.inner_text(".verdict-box")
    assert f"Not yet: {mistake_kind('no-plus-one').title}." in told
    assert mistake.feedback in told
    assert tab.get_attribute("form input", "aria-invalid") == "true"

    assert tab.evaluate("document.activeElement.tagName") == "INPUT"
    tab.keyboard.press("Control+a")
    tab.keyboard.type(f"(1, {', '.join(map(str, field.answer))})")
    tab.keyboard.press("Enter")
    assert "Now it is right." in tab.inner_text(".verdict-box")
    assert tab.evaluate("document.activeElement.textContent") == "Next variant"

    tab_to(tab, "Worked solution")
    tab.keyboard.press("Enter")
    solution = tab.inner_text(".solution")
    assert spell(field.answer) in solution
    assert len(first.steps) == tab.locator(".solution ol.steps > li").count()
    tab_to(tab, "Next variant", key="Shift+Tab")
    question = tab.inner_text(".question")
    tab.keyboard.press("Enter")
    tab.wait_for_function(
        "before => document.querySelector('.question').innerText !== before", arg=question
    )
    assert tab.evaluate("document.activeElement.tagName") == "INPUT"


def put(page: Any, exercise: Any, answers: dict[str, str]) -> None:
    """Fills the blanks of the exercise that is shown."""
    for node, field in zip(page.locator(".blank").all(), exercise.fields, strict=True):
        if field.kind in ("choice", "boolean"):
            node.locator(f"input[value={answers[field.key]}]").check()
        elif field.kind in ("order", "match"):
            for select, key in zip(
                node.locator("select").all(), answers[field.key].split(), strict=True
            ):
                select.select_option(key)
        else:
            node.locator("input, textarea").fill(answers[field.key])


def test_the_first_wrong_step_is_told_and_later_ones_follow(tab: Any) -> None:
    exercise = template("network-shapes").exercise(0, 1)
    wrong = {field.key: spell(field.answer) for field in exercise.fields}
    first, second = exercise.fields[:2]
    wrong[first.key] = spell(first.mistakes[0].value)
    wrong[second.key] = spell(mark(exercise, wrong).fields[1].expected_here)
    tab.open_page("#/drill/19/network-shapes")
    put(tab, exercise, wrong)
    tab.keyboard.press("Enter")
    told = tab.inner_text(".verdict-box")
    assert "It first goes wrong at after conv1" in told
    assert "follows rightly from your own value" in told


KINDS = sorted({field.kind for question in QUESTIONS for field in question.fields} - {"open"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_of_each_kind_is_answered(tab: Any, kind: str) -> None:
    question = next(each for each in QUESTIONS if each.fields[0].kind == kind)
    tab.open_page(f"#/quiz/{question.topic}")
    for _ in range(20):
        if question.question.split("\n")[0].split("`")[0][:30] in tab.inner_text(".question"):
            break
        tab.get_by_role("button", name="Skip, give me another").click()
    put(tab, question, {field.key: spell(field.answer) for field in question.fields})
    tab.get_by_role("button", name="Check").click()
    assert tab.inner_text(".verdict-box .told") == "Right."


def test_an_open_answer_is_marked_by_its_checklist_and_exchanged_with_the_terminal(
    tab: Any, tmp_path: Path
) -> None:
    question = next(each for each in QUESTIONS if each.fields[0].kind == "open")
    (field,) = question.fields
    tab.open_page(f"#/quiz/{question.topic}")
    while not tab.locator("textarea").count():
        tab.get_by_role("button", name="Skip, give me another").click()
    tab.fill("textarea", "In my own words.")
    tab.get_by_role("button", name="Check").click()
    for box in tab.locator("input[type=checkbox]").all()[1:]:
        box.check()
    tab.get_by_role("button", name="Keep my marks").click()

    tab.open_page("#/drill/4/convolution-parameters")
    exercise = template("convolution-parameters").exercise(0, 1)
    put(tab, exercise, {exercise.fields[0].key: spell(exercise.fields[0].mistakes[0].value)})
    tab.keyboard.press("Enter")

    tab.open_page("#/progress")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Export my answers").click()
    download.value.save_as(tmp_path / "mine.json")
    reviews = parse_progress((tmp_path / "mine.json").read_bytes())
    assert [(each.template, each.grade) for each in reviews] == [
        (question.template, "again"),
        ("convolution-parameters", "again"),
    ]
    assert reviews[0].answer["checked"] == "n" + "y" * (len(field.checklist) - 1)
    assert reviews[1].mistakes == (exercise.fields[0].mistakes[0].code,)
    assert recheck(reviews).num_same == 2


def test_answers_of_the_terminal_are_read_once_and_damaged_ones_are_refused(
    tab: Any, tmp_path: Path
) -> None:
    from datetime import UTC, datetime

    from foveal.learn.progress import Review

    review = Review(
        id="terminal-1",
        skill="output-size",
        template="convolution-shape",
        seed=7,
        level=1,
        grade="again",
        hinted=False,
        answer={"size": "63.5"},
        mistakes=("no-floor",),
        at_utc=datetime(2026, 11, 28, 18, tzinfo=UTC),
    )
    content = dump_progress([review])
    hostile = json.loads(content)
    hostile["reviews"][0]["skill"] = "<img src=x onerror=alert(1)>\u202e"
    (tmp_path / "good.json").write_bytes(content)
    (tmp_path / "hostile.json").write_text(json.dumps(hostile), encoding="utf-8")
    (tmp_path / "other.json").write_text("[]", encoding="utf-8")
    tab.open_page("#/progress")

    def told(name: str) -> str:
        before = tab.inner_text("[role=status]")
        tab.set_input_files("#import", tmp_path / name)
        tab.wait_for_function(
            "before => document.querySelector('[role=status]').innerText !== before", arg=before
        )
        return str(tab.inner_text("[role=status]"))

    assert told("good.json") == "1 answer added."
    assert told("good.json") == "0 answers added."
    assert told("hostile.json") == ("Review 1 of this file is damaged: its 'skill' cannot be read.")
    assert told("other.json") == "This file is not of the kind foveal.learn.progress."
    kept = tab.evaluate("localStorage.getItem('foveal.learn.progress')")
    assert parse_progress(kept.encode()) == (review,)


def test_a_test_says_nothing_until_its_end(tab: Any) -> None:
    tab.open_page("#/drill/2/convolution-shape")
    tab.evaluate("let n = 0; Math.random = () => ((n += 0.137) % 1)")
    tab.get_by_role("link", name="Test", exact=True).click()
    tab.wait_for_selector("text=Exercise 1 of 10")
    for index in range(10):
        tab.wait_for_selector(f"text=Exercise {index + 1} of 10")
        assert tab.locator("text=Hint").count() == 0
        for node in tab.locator(".blank").all():
            if node.locator("input[type=radio]").count():
                node.locator("input").first.check()
            elif node.locator("select").count():
                for position, select in enumerate(node.locator("select").all()):
                    select.select_option(index=position + 1)
            else:
                node.locator("input").fill("3")
        tab.keyboard.press("Enter")
        if (
            tab.locator("form.exercise").count()
            and tab.locator(f"text=Exercise {index + 1} of 10").count()
        ):
            tab.get_by_role("button", name="Skip, give me another").click()
    tab.wait_for_selector("h1:has-text('Your result')")
    assert "right at the first try" in tab.inner_text(".lead")


def test_a_lab_asks_for_a_guess_and_shows_what_was_recorded(tab: Any) -> None:
    recorded = next(each for each in recorded_labs() if each.result.answer)
    lab = load_lab(recorded.lab.name)
    tab.open_page(f"#/lab/{lab.name}")
    assert recorded.result.sentence not in tab.inner_text("main")
    tab.locator(f"input[value='{recorded.result.answer}']").check()
    tab.get_by_role("button", name="Show what was measured").click()
    shown = tab.inner_text("main")
    assert "That is what was measured." in shown
    assert recorded.result.sentence in shown
    assert recorded.machine in shown
    assert recorded.command in shown


def test_the_explorer_says_what_the_engine_says_over_the_learners_own_picture(
    tab: Any, tmp_path: Path
) -> None:
    from PIL import Image

    from foveal.inspection import inspect
    from foveal.models import build

    tab.open_page("#/network")
    Image.new("RGB", (300, 200), (255, 0, 0)).save(tmp_path / "red.png")
    tab.set_input_files("#picture", tmp_path / "red.png")
    tab.wait_for_function("""() => {
      const canvas = document.querySelector('canvas.coarse');
      const copy = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
      copy.drawImage(canvas, -5, -5);
      const [r, g] = copy.getImageData(0, 0, 1, 1).data;
      return r > 250 && g < 5;
    }""")
    table = inspect(build("cifar_net"), (3, 32, 32))
    tab.get_by_role("button", name="features.3", exact=True).click()
    row = next(row for row in table.ops if row.name == "features.3")
    words = tab.get_attribute("canvas.seen", "aria-label")
    height, width = row.receptive_field.size
    assert f"sees {height}×{width} pixels" in words
    assert "row 9 of 16 and column 9 of 16" in words
    tab.focus("canvas.seen")
    tab.keyboard.press("ArrowLeft")
    assert "column 8 of 16" in tab.get_attribute("canvas.seen", "aria-label")
    for _ in range(12):
        tab.keyboard.press("ArrowLeft")
    assert "the rest of its field is padding" in tab.get_attribute("canvas.seen", "aria-label")
    (tmp_path / "no.png").write_bytes(b"no image")
    tab.set_input_files("#picture", tmp_path / "no.png")
    tab.wait_for_selector("text=could not be shown as an image")


def test_a_box_of_the_drawing_leads_to_its_layer_and_a_layer_to_its_box(tab: Any) -> None:
    tab.open_page("#/network")
    tab.locator(".fvp-boxes .fvp-n", has_text="features.3").first.click()
    assert tab.inner_text("p.layer") == "5 of 11. features.4: activation"
    tab.get_by_role("button", name="classifier", exact=True).click()
    assert "classifier" in tab.locator(".fvp-chosen").text_content()
    tab.select_option("#network", "ResNet-18, 2015")
    tab.locator(".fvp-boxes .fvp-n", has_text="+").first.click()
    assert "conv2" in tab.locator(".fvp-boxes").text_content()


@pytest.mark.parametrize(
    "route", ["#/topic/99", "#/nonsense", "#/drill/2/nothing", "#/lab/%E0%A4%A"]
)
def test_a_wrong_address_is_answered(tab: Any, route: str) -> None:
    tab.open_page(route)
    assert tab.inner_text("h1") == "There is no such page"


ROUTES = (
    *(f"#/quiz/{topic.number}" for topic in TOPICS if topic.number in (3, 14, 25)),
    *("#/", "#/drill", "#/quiz", "#/test", "#/wrong", "#/labs", "#/network", "#/progress"),
    *(f"#/topic/{topic.number}" for topic in TOPICS),
    *(f"#/drill/19/{name}" for name in ("network-shapes", "which-line-raises")),
    *("#/drill/15/order-by-field", "#/drill/12/gridding", "#/drill/14/grad-cam", "#/nowhere"),
    *(f"#/lab/{each.lab.name}" for each in recorded_labs()),
)


def test_nothing_is_wider_than_a_phone(tab: Any) -> None:
    tab.set_viewport_size(PHONE)
    wide = []
    for route in ROUTES:
        tab.open_page(route)
        if route.startswith("#/lab/"):
            tab.get_by_role("button", name="Show what was measured").click()
        if tab.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(route)
    assert wide == []


@pytest.mark.slow
def test_axe_finds_nothing_on_any_page(tab: Any, violations: Violations) -> None:
    found = {}
    tab.open_page("#/")
    for route in ROUTES:
        tab.evaluate("route => { location.hash = route }", route)
        tab.wait_for_function("route => document.body.dataset.shown === route", arg=route)
        if route.startswith("#/lab/"):
            tab.get_by_role("button", name="Show what was measured").click()
        faults = violations(tab)
        if faults:
            found[route] = faults
    assert found == {}


@pytest.mark.slow
def test_axe_finds_nothing_while_an_exercise_is_answered(tab: Any, violations: Violations) -> None:
    exercise = template("gridding").exercise(0, 1)
    tab.open_page("#/drill/12/gridding")
    tab.get_by_role("button", name="Hint").click()
    put(tab, exercise, {field.key: spell(field.mistakes[0].value) for field in exercise.fields})
    tab.get_by_role("button", name="Check").click()
    assert violations(tab) == []
    put(tab, exercise, {field.key: spell(field.answer) for field in exercise.fields})
    tab.get_by_role("button", name="Check").click()
    tab.get_by_role("button", name="Worked solution").click()
    tab.get_by_role("button", name="Proof in PyTorch").click()
    assert violations(tab) == []
    images = tab.locator("[role=img]")
    assert images.count() > 0
    assert all(len(each.get_attribute("aria-label")) > 20 for each in images.all())
