"""``statement.toml``: what only the owner of a run knows, one question a key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from foveal.errors import DataError, UsageError
from foveal.reporting.checklists.item import Checklist
from foveal.text import near_names, printable

STATEMENT_NAME = "statement.toml"

QUESTIONS: dict[str, str] = {
    "title": "Under which title is this reported? It should name the method (a convolutional "
    "network), the purpose, who or what is examined, and a measure of accuracy.",
    "abstract": "What is the summary: design, data, method, main figures with intervals, "
    "conclusion?",
    "background": "Which problem in practice is this for, and what is known and done today?",
    "intended_use": "What is it meant for, at which step of the work, and who uses it on whom?",
    "inequalities": "Which groups of people are known to be served worse in this field?",
    "objectives": "What was to be found out, and which hypothesis was stated before?",
    "design": "Were the data collected for this study (prospective) or before it (retrospective)?",
    "goal": "What kind of study is it: making a classifier, a feasibility study, a trial?",
    "data_source": "Where do the images come from; routine, study, or a public collection? With a "
    "link if there is one.",
    "dates": "From when to when were the images taken?",
    "setting": "Where were they taken: kind, number and place of the sites?",
    "eligibility": "Who or what was included and excluded, in which order?",
    "identification": "How were they found: symptoms, earlier results, a registry?",
    "series": "Is it a consecutive series, a random sample, or what was at hand?",
    "treatments": "Which treatments were given before the image or between image and outcome?",
    "deidentification": "How were names and numbers removed from images and headers?",
    "acquisition": "How were the images taken: devices, settings, protocol?",
    "reference": "How was the true label of an image found, so that others can repeat it?",
    "reference_reason": "Why this way of finding the label, and which others are there?",
    "reference_cutoffs": "Which cut-offs or categories make a label, and were they set before?",
    "annotators": "Who gave the labels, with which training and experience?",
    "annotation": "How were labels given: tools, instructions, in the work or afterwards?",
    "agreement": "How well do annotators agree with each other and with themselves, and how were "
    "differences settled?",
    "reference_blinding": "Did those who gave the labels know the classifier's answers?",
    "sample_size": "How was the number of images decided on?",
    "fairness": "Which groups of people were looked at for fairness, and why these?",
    "characteristics": "Age, sex, severity and the like of those examined, for every part of the "
    "data?",
    "severity": "How severe is the condition in those that have it?",
    "alternatives": "What do those without the condition have instead?",
    "interval_between": "How long lies between the image and the label's finding, and what "
    "happened in between?",
    "representative": "Is the share of each class that of the people or parts it is meant for?",
    "external": "Was it tested on data from elsewhere? If not, why not?",
    "external_differences": "How do the data from elsewhere differ in setting, people and labels?",
    "trial_registration": "Under which number, in which registry, is the study registered?",
    "protocol": "Where can the study's protocol be read?",
    "ethics": "Which committee approved it, or why was that not needed?",
    "adverse_events": "Did the examination or the finding of the label harm anyone?",
    "interpretation": "What do the results mean, compared with others and for fairness?",
    "limitations": "Which limits does the study have that the report's own list does not name?",
    "implications": "What follows for practice?",
    "next_steps": "What comes next, and for whom do the results not hold?",
    "users": "Which training do users need, and what do they see and decide?",
    "ethics_of_use": "Which ethical questions does its use raise, and how are they met?",
    "involvement": "How did patients, users or the public take part?",
    "availability": "Who can get the images, the model and the code, where and on which terms?",
    "data_sharing": "Are the data shared: where, with whom, on which terms?",
    "code_sharing": "Is the code of the analysis shared: where, on which terms?",
    "funding": "Who paid for it, and which part did they have in it?",
    "interests": "Which interests do the authors have, also commercial ones?",
}
"""What is asked, by key; one answer serves every checklist that asks it."""


def read_statement(path: Path) -> dict[str, str]:
    """Returns the answers of a statement by key; those that are empty are left out.

    Raises:
        DataError: The file cannot be read, or is no TOML.
        UsageError: A key is unknown, or an answer is no text.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise DataError(
            f"The statement '{printable(str(path))}' cannot be read: {error.strerror}.",
            next_step="Write one with --write-statement.",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(
            f"The statement '{printable(str(path))}' is no TOML in UTF-8: {printable(str(error))}.",
            next_step='Put every answer between quotes: funding = "…"; three quotes on each side '
            "for several lines.",
        ) from error
    answers = {}
    for key, value in content.items():
        if key not in QUESTIONS:
            near = near_names(key, QUESTIONS)
            raise UsageError(
                f"The statement '{printable(str(path))}' answers '{printable(key)}', which nobody "
                "asks.",
                next_step=f"Did you mean '{near[0]}'?"
                if near
                else "Write a template with --write-statement to see the questions.",
            )
        if not isinstance(value, str):
            raise UsageError(
                f"The statement '{printable(str(path))}': got {printable(repr(value))[:40]} for "
                f"'{key}', expected a text.",
                next_step=f'Write it between quotes: {key} = "…".',
            )
        if value.strip():
            answers[key] = " ".join(value.split())
    return answers


def template(checklists: Sequence[Checklist]) -> str:
    """Returns a statement without answers: every question with the items that ask it."""
    lines = [
        "# What only you know of this run, for its reporting checklists. Write each answer between",
        "# the quotes, or three quotes on each side for several lines. Leave empty what is open.",
    ]
    for key, question in QUESTIONS.items():
        asked = [
            f"{checklist.name} {', '.join(numbers)}"
            for checklist in checklists
            if (numbers := [item.number for item in checklist.items if item.owner == key])
        ]
        lines += ["", f"# {question}", f"# Asked by {'; '.join(asked)}.", f'{key} = ""']
    return "\n".join(lines) + "\n"


def answers_of(statement: Mapping[str, str] | None, key: str | None) -> str:
    """Returns the owner's answer to a question; empty where there is none."""
    return "" if statement is None or key is None else statement.get(key, "")
