"""The report as one HTML file that asks for nothing and can be read without its scripts.

The scripts are those of the network's drawing, which opens; nothing else depends on them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from foveal.draw.numbers import percent
from foveal.draw.page import source_digest
from foveal.reporting.report_input import ReportInput
from foveal.reporting.sections import SECTIONS
from foveal.reporting.sections.headline import headline
from foveal.reporting.sections.heat_maps import first_warning, wanted_heat_maps
from foveal.reporting.sections.review import wanted_pictures
from foveal.text import printable

if TYPE_CHECKING:
    from jinja2 import Environment, Template


_MIME_BY_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)


def data_uri(picture: bytes) -> str | None:
    """Returns the image as a data URI; ``None`` where it is no JPEG, PNG or WebP.

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
    """The images that go into the page, as data URIs by slot.

    ``num_left_out`` had to stay outside to keep the page small.
    """

    uris: Mapping[str, str]
    num_left_out: int

    def get(self, slot: str) -> str | None:
        """Returns the image at ``slot``; ``None`` where there is none."""
        return self.uris.get(slot)


def choose_pictures(
    wanted: Iterable[tuple[str, int]], pictures: Mapping[int, bytes], *, budget_bytes: int
) -> Album:
    """Returns the images that fit, taking the wanted ones in order.

    Args:
        wanted: Pairs of a slot of the page and the image's index, the most important first.
        pictures: Encoded thumbnails by index.
        budget_bytes: Bytes that all data URIs together may take.
    """
    uris: dict[str, str] = {}
    left, num_left_out = budget_bytes, 0
    for slot, index in wanted:
        picture = pictures.get(index)
        # Base64 makes four bytes of three; the rest is the URI's head.
        if picture is not None and len(picture) * 4 // 3 + 32 > left:
            num_left_out += 1
            continue
        uri = None if picture is None else data_uri(picture)
        if uri is not None:
            uris[slot] = uri
            left -= len(uri)
    return Album(uris, num_left_out)


MAX_PAGE_BYTES = 5_000_000
# Room for the note that says images were left out.
_RESERVE_BYTES = 20_000
# Mistakes and suspicious labels need their images too.
_MAX_HEAT_MAP_BYTES = 2_000_000


def render_html(report: ReportInput) -> str:
    """Returns the report as one self-contained page of less than 5 MB.

    Where the images do not fit, the least important ones are left out and the page says how
    many. Names and paths may be hostile: all text is made printable and escaped, and the
    page's own policy forbids scripts and styles other than ours, and any request.
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
    slots = wanted_heat_maps(report.explanations)
    pictures = dict(enumerate(report.explanations.pictures[slot] for slot in slots))
    wanted = ((slot, number) for number, slot in enumerate(slots))
    return choose_pictures(wanted, pictures, budget_bytes=budget_bytes)


_ABOVE = """\
{% import "macros.html.j2" as m %}
<section id="{{ anchor }}" aria-labelledby="h-{{ anchor }}">
<h2 id="h-{{ anchor }}">{{ heading }}</h2>
{% if view is none %}
<p class="absent">{{ absent }}</p>
{% else %}
"""
_BELOW = """\
{% endif %}
</section>
"""


def _render(report: ReportInput, album: Album, heat: Album) -> str:
    from markupsafe import Markup

    from foveal.inspection.picture.component import page_scripts

    style = _style()
    scripts = page_scripts() if report.network is not None else ()
    known = {"report": report, "evidence": report.evidence, "album": album, "heat": heat}
    views = [(one, one.view(report)) for one in SECTIONS]
    shown = [(one, view) for one, view in views if view is not None or one.absent]
    parts = [
        Markup(
            _template(one.html).render(
                known, anchor=one.anchor, heading=one.heading, absent=one.absent, view=view
            )
        )
        for one, view in shown
    ]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            known,
            style=Markup(style),  # our own file
            policy=Markup(_policy(style, scripts)),
            scripts=tuple(map(Markup, scripts)),  # our own files
            headline=headline(report.evidence),
            warning=first_warning(report),
            sections=[one for one, _ in shown],
            parts=parts,
        )
    )


def _policy(style: str, scripts: Sequence[str]) -> str:
    """Returns the page's policy: images in it, our style and these scripts, and no request."""
    allowed = f"script-src {' '.join(map(source_digest, scripts))}; " if scripts else ""
    return (
        f"default-src 'none'; img-src data:; {allowed}style-src {source_digest(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _template(html: str) -> Template:
    """Returns a section's template: a heading, and what stands below it or why nothing does."""
    return _environment().from_string(f"{_ABOVE}{html}{_BELOW}")


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

    from foveal.inspection.picture.component import page_style

    own = (files("foveal.reporting") / "templates" / "report.css").read_text("utf-8")
    return own + page_style()
