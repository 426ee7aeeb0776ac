"""The report as one HTML file that needs neither network nor script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from foveal.draw.numbers import percent
from foveal.reporting.report_input import ReportInput
from foveal.reporting.sections.calibration import calibration_section
from foveal.reporting.sections.classes import classes_drawings, confusion_section
from foveal.reporting.sections.data import data_section
from foveal.reporting.sections.headline import headline
from foveal.reporting.sections.heat_maps import NUM_IN_SIGHT, heat_maps_section, wanted_heat_maps
from foveal.reporting.sections.leak import leak_section
from foveal.reporting.sections.learning_curve import learning_curve_section
from foveal.reporting.sections.making import making_section
from foveal.reporting.sections.meaning import meaning
from foveal.reporting.sections.prediction_sets import sets_section
from foveal.reporting.sections.review import label_gallery, mistake_gallery, wanted_pictures
from foveal.reporting.sections.stability import stability_section
from foveal.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment


_MIME_BY_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)


def data_uri(picture: bytes) -> str | None:
    """Returns the picture as a data URI; ``None`` where it is no JPEG, PNG or WebP.

    The type is read from the bytes, so nothing that a browser would run gets in.
    """
    mime = next((mime for magic, mime in _MIME_BY_MAGIC if picture.startswith(magic)), None)
    if mime is None and picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        mime = "image/webp"
    if mime is None:
        return None
    return f"data:{mime};base64,{base64.b64encode(picture).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Album:
    """The pictures that go into the page, as data URIs by place.

    ``num_left_out`` had to stay outside to keep the page small.
    """

    uris: Mapping[str, str]
    num_left_out: int

    def get(self, place: str) -> str | None:
        """Returns the picture at ``place``; ``None`` where there is none."""
        return self.uris.get(place)


def choose_pictures(
    wanted: Iterable[tuple[str, int]], pictures: Mapping[int, bytes], *, budget_bytes: int
) -> Album:
    """Returns the pictures that fit, taking the wanted ones in order.

    Args:
        wanted: Pairs of a place in the page and the picture's index, dearest first.
        pictures: Encoded thumbnails by index.
        budget_bytes: Bytes that all data URIs together may take.
    """
    uris: dict[str, str] = {}
    left, num_left_out = budget_bytes, 0
    for place, index in wanted:
        picture = pictures.get(index)
        # Base64 makes four bytes of three; the rest is the URI's head.
        if picture is not None and len(picture) * 4 // 3 + 32 > left:
            num_left_out += 1
            continue
        uri = None if picture is None else data_uri(picture)
        if uri is not None:
            uris[place] = uri
            left -= len(uri)
    return Album(uris, num_left_out)


MAX_PAGE_BYTES = 5_000_000
# Room for the note that says pictures were left out.
_RESERVE_BYTES = 20_000
# Mistakes and suspicious labels need their pictures too.
_MAX_HEAT_MAP_BYTES = 2_000_000


def render_html(report: ReportInput) -> str:
    """Returns the report as one self-contained page of less than 5 MB.

    Where the pictures do not fit, the least important ones are left out and the page says how
    many. Names and paths may be hostile: all text is made printable and escaped, and the
    page's own policy forbids scripts, foreign styles and any request.
    """
    bare = _render(report, Album({}, 0), Album({}, 0))
    room = max(0, MAX_PAGE_BYTES - _RESERVE_BYTES - len(bare.encode()))
    heat = _choose_heat_maps(report, min(room, _MAX_HEAT_MAP_BYTES))
    room -= sum(map(len, heat.uris.values()))
    album = choose_pictures(wanted_pictures(report), report.pictures, budget_bytes=room)
    return _render(report, album, heat)


def _choose_heat_maps(report: ReportInput, budget_bytes: int) -> Album:
    if report.explanations is None:
        return Album({}, 0)
    places = wanted_heat_maps(report.explanations)
    pictures = dict(enumerate(report.explanations.pictures[place] for place in places))
    wanted = ((place, number) for number, place in enumerate(places))
    return choose_pictures(wanted, pictures, budget_bytes=budget_bytes)


def _render(report: ReportInput, album: Album, heat: Album) -> str:
    from markupsafe import Markup

    evidence = report.evidence
    environment = _environment()
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    return environment.get_template("report.html.j2").render(
        report=report,
        evidence=evidence,
        album=album,
        heat=heat,
        style=Markup(style),  # our own file
        style_digest=digest,
        headline=headline(evidence),
        meaning=meaning(evidence),
        data=data_section(report),
        classes=classes_drawings(evidence.metrics),
        confusion=confusion_section(evidence.metrics),
        looks=None if report.explanations is None else heat_maps_section(report.explanations),
        num_in_sight=NUM_IN_SIGHT,
        calibration=None
        if evidence.calibration is None
        else calibration_section(evidence.calibration),
        sets=None
        if evidence.prediction_sets is None
        else sets_section(evidence, evidence.prediction_sets),
        stability=None if evidence.stability is None else stability_section(evidence.stability),
        leak=leak_section(evidence.grouping),
        curve=None
        if evidence.learning_curve is None
        else learning_curve_section(evidence.learning_curve, evidence.baseline),
        labels=label_gallery(report),
        mistakes=mistake_gallery(report),
        making=None if report.making is None else making_section(report.making, evidence),
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finalize(value: Any) -> Any:
        return printable(value) if type(value) is str else value

    environment = Environment(
        loader=PackageLoader("foveal.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    environment.filters["percent"] = percent
    # Only markup from foveal.reporting.figures, which escapes what it is given, passes here.
    environment.filters["drawn"] = Markup
    return environment


@cache
def _style() -> str:
    from importlib.resources import files

    return (files("foveal.reporting") / "templates" / "report.css").read_text("utf-8")
