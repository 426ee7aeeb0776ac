"""Writes the course as one page: everything is in it, and it asks nobody for anything.

The page is a single file so that it opens by a double click, and so that browsers that keep
one store for each file keep one store for the course. Its policy lets our own scripts and
style run, by their digests, and forbids every request.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from foveal.draw.page import packed, source_digest
from foveal.errors import UsageError
from foveal.files import write_atomically
from foveal.inspection.picture.component import page_script, page_style
from foveal.learn.drills import TEMPLATES, Template, templates_of
from foveal.learn.exercise import Figure, to_json
from foveal.learn.labs.showing import result_html
from foveal.learn.mistakes import MISTAKES
from foveal.learn.quiz import QUESTIONS, questions_of
from foveal.learn.rechecking import CHECKED
from foveal.learn.topics import TOPICS, Topic
from foveal.learn.web.content import (
    Progress,
    RecordedLab,
    network_tables,
    packed_drills,
    recorded_labs,
)
from foveal.text import printable

SCRIPTS: Final = (
    "formula.js",
    "answers.js",
    "marking.js",
    "progress.js",
    "drawing.js",
    "exercise.js",
    "explorer.js",
    "app.js",
)


def write_site(
    folder: Path, *, model: str | None = None, progress: Progress = lambda done, total: None
) -> Path:
    """Writes the page into a folder and returns the page's file.

    Args:
        folder: Made if it is missing. A page that Foveal wrote there before is replaced.
        model: A network of one's own for the explorer, as ``foveal inspect`` takes it.
        progress: Called with (done, total).

    Raises:
        UsageError: The folder holds a page that is not ours.
    """
    file = folder / "index.html"
    if file.exists() and _MARK not in file.read_bytes()[:2000]:
        raise UsageError(
            f"{printable(str(file))} is there already and is no course of Foveal.",
            next_step="Choose another folder.",
        )
    content = site_page(model=model, progress=progress)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(file, content)
    return file


_GENERATOR: Final = "Foveal learn"
_MARK: Final = f'<meta name="generator" content="{_GENERATOR}">'.encode()


def site_page(*, model: str | None = None, progress: Progress = lambda done, total: None) -> bytes:
    """Returns the whole page; see ``write_site``."""
    labs = recorded_labs()
    networks = network_tables(model)
    drawings = [network.pop("drawing") for network in networks]
    course = {
        "topics": [_topic(topic, labs) for topic in TOPICS],
        "templates": [_template(template) for template in TEMPLATES],
        "mistakes": mistake_titles(),
        "labs": [_lab(lab) for lab in labs],
        "networks": networks,
        "checked": CHECKED,
    }
    blocks = [
        _data("course", course),
        _packed("quiz", packed([to_json(question) for question in QUESTIONS])),
        *(_packed(f"drill-{name}", text) for name, text in packed_drills(progress).items()),
        *(
            f'<template id="lab-{each.lab.name}">{result_html(each.lab, each.result)}</template>'
            for each in labs
        ),
        *(
            f'<template id="drawn-{number}">{drawing}</template>'
            for number, drawing in enumerate(drawings)
        ),
    ]
    page = files("foveal.learn.web") / "page"
    style = (files("foveal.reporting") / "templates" / "report.css").read_text("utf-8")
    style += (page / "learn.css").read_text("utf-8") + page_style()
    shared = map(page_script, ("packed.js", "arrangement.js", "field.js", "picture.js"))
    scripts = [*shared, *((page / name).read_text("utf-8") for name in SCRIPTS)]
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(source_digest, scripts))}",
            f"style-src {source_digest(style)}",
            "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    frame = (page / "frame.html").read_text("utf-8")
    return (
        frame.replace("{{policy}}", policy)
        .replace("{{generator}}", _GENERATOR)
        .replace("{{version}}", escape(metadata.version("foveal")))
        .replace("{{style}}", style)
        .replace("{{blocks}}", "\n".join(blocks))
        .replace("{{scripts}}", "\n".join(f"<script>{each}</script>" for each in scripts))
        .encode("utf-8")
    )


def mistake_titles() -> dict[str, dict[str, str]]:
    """Returns what the mistakes are called, by their codes."""
    return {each.code: {"title": each.title, "sentence": each.sentence} for each in MISTAKES}


def _topic(topic: Topic, labs: Sequence[RecordedLab]) -> dict[str, Any]:
    names = [each.lab.name for each in labs]
    return {
        "number": topic.number,
        "title": topic.title,
        "chapter": topic.chapter,
        "fact": topic.fact,
        "example": topic.example(),
        "figure": _figure(topic.figure()),
        "misconceptions": topic.misconceptions,
        "engine": topic.engine,
        "rules": topic.rules,
        "paper": topic.paper,
        "lab": topic.lab if topic.lab in names else "",
        "drills": [each.name for each in templates_of(topic.number)],
        "questions": len(questions_of(topic.number)),
    }


def _template(template: Template) -> dict[str, Any]:
    return {
        "name": template.name,
        "title": template.title,
        "topic": template.topic,
        "skill": template.skill,
    }


def _figure(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {
        "alternative": figure.alternative,
        "grids": [
            {
                "title": grid.title,
                "rows": grid.rows,
                "row_labels": grid.row_labels,
                "marked": grid.marked,
            }
            for grid in figure.grids
        ],
    }


def _lab(each: RecordedLab) -> dict[str, Any]:
    return {
        "name": each.lab.name,
        "title": each.lab.title,
        "topics": each.lab.topics,
        "question": each.lab.question,
        "choices": each.lab.choices,
        "answer": each.result.answer,
        "sentence": each.result.sentence,
        "machine": each.machine,
        "command": each.command,
    }


def _data(name: str, content: object) -> str:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    # Inside a script element only "</" and "<!--" would be read.
    text = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _packed(name: str, text: str) -> str:
    return f'<script type="text/plain" id="{name}">{text}</script>'
