"""What the server answers, as types; docs/schemas and the OpenAPI description are made of them."""

from __future__ import annotations

from typing import TypedDict

from foveal.evaluation.operating_point import OperatingPoint


class ServedAnswer(TypedDict):
    """What a run says of one image: the row of ``foveal predict``, by what and of what it is."""

    run: str
    run_version: str
    sha256: str
    label: str
    probability: float
    prediction_set: list[str]
    unsure: bool
    unlike_training: bool
    novelty: float
    probabilities: dict[str, float]


_Map = TypedDict("_Map", {"class": str})


class ServedMap(_Map):
    """Where an image speaks for a class: the mean of the values, plus the bias, is its logit."""

    values: list[list[float]]


class ServedCentres(TypedDict):
    """Where the cells of a map lie in the network's input, in pixels."""

    rows: list[float]
    columns: list[float]


class ServedExplanation(ServedAnswer):
    """The answer, with the class activation maps that were asked for."""

    maps: list[ServedMap]
    cell_centres_px: ServedCentres
    input_size_px: list[int]


class RunListed(TypedDict):
    """One run that answers now.

    ``accuracy`` is null where it was not measured; ``operating_point`` says from which probability
    on a class is the label, and is null where the likeliest class is it; ``problem`` says why a
    newer version of the folder was not taken up, and is null where none was refused.
    """

    name: str
    version: str
    class_names: list[str]
    accuracy: dict[str, float | None]
    judged_on: str
    operating_point: OperatingPoint | None
    notes: list[str]
    problem: str | None


class RunsListed(TypedDict):
    """The runs that answer now."""

    runs: list[RunListed]
