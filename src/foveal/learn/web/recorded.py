"""What the labs measured once on a named machine, for those who only read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from foveal.evaluation.evidence import Interval
from foveal.learn.labs import LABS, Lab, load_lab
from foveal.learn.labs.lab import Chart, LabResult, Point, Series


@dataclass(frozen=True, slots=True)
class RecordedLab:
    """One run of a lab that is part of the package.

    Attributes:
        lab: The experiment.
        result: What it gave.
        machine: Where it ran.
        command: What repeats it.
    """

    lab: Lab
    result: LabResult
    machine: str
    command: str


def recorded_labs() -> tuple[RecordedLab, ...]:
    """Returns the labs that were recorded, in their order; the others are left out."""
    found = []
    for name, _ in LABS:
        file = files("foveal.learn.web") / "recorded" / f"{name}.json"
        if file.is_file():
            content = json.loads(file.read_text("utf-8"))
            found.append(
                RecordedLab(
                    load_lab(name), _result(content), content["machine"], content["command"]
                )
            )
    return tuple(found)


def _result(content: Mapping[str, Any]) -> LabResult:
    return LabResult(
        header=tuple(content["header"]),
        rows=tuple(tuple(row) for row in content["rows"]),
        chart=None if content["chart"] is None else _chart(content["chart"]),
        finding=content["finding"],
        sentence=content["sentence"],
        answer=content["answer"],
        notes=tuple(content["notes"]),
    )


def _chart(content: Mapping[str, Any]) -> Chart:
    series = tuple(
        Series(
            each["name"],
            tuple(Point(point["x"], Interval(**point["value"])) for point in each["points"]),
        )
        for each in content["series"]
    )
    return Chart(**{**content, "series": series})
