"""What a section of the report is: how the page, the terminal and the model card tell it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from foveal.evaluation.evidence import Evidence
from foveal.reporting.report_input import ReportInput


def _no_text(evidence: Evidence) -> str | None:
    return None


def _no_sentences(report: ReportInput) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Section:
    """One section. ``foveal.reporting.sections`` lists them all.

    Attributes:
        anchor: Its id on the page, which links lead to.
        contents: Its name in the list of contents.
        heading: Its heading on the page.
        view: Returns what ``html`` shows; ``None`` where it was not measured.
        html: Jinja source of what stands below the heading. It knows ``view``, ``report``,
            ``evidence``, the images (``album``, ``heat``) and the macros ``m``.
        absent: What the page says where ``view`` is ``None``; where this is empty too, the
            section is left out.
        text: Returns what the terminal says, in a sentence or two, if anything.
        text_name: What the terminal calls it, where that is not ``contents``.
        card: Returns the sentences for the model card's evidence.
    """

    anchor: str
    contents: str
    heading: str
    view: Callable[[ReportInput], Any]
    html: str
    absent: str = ""
    text: Callable[[Evidence], str | None] = _no_text
    text_name: str | None = None
    card: Callable[[ReportInput], Sequence[str]] = _no_sentences
