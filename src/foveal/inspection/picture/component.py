"""The picture as a part of a page: drawing, switches, what is told of a box, and the text.

Without its scripts it is a drawing and a tree of text. With them groups open in place, the
last line of every box is chosen, and what a unit sees is drawn on an image of the reader's
own, which never leaves the page.

The text is a tree that a screen reader walks, and that needs no script.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib.resources import files

from foveal.draw.page import packed
from foveal.draw.svg import element, number
from foveal.inspection.picture.arrangement import LEAST_OPEN, arrange
from foveal.inspection.picture.drawing import Pencil, draw_svg, style
from foveal.inspection.picture.facts import FAMILY_WORDS, OVERLAYS, says
from foveal.inspection.picture.marks import Mark
from foveal.inspection.picture.page_data import page_data
from foveal.inspection.picture.picture import Node, Picture, View
from foveal.text import printable


def text_tree(picture: Picture) -> str:
    """Returns nested lists; groups open with the browser's own means."""
    return _list(picture, picture.top)


def _list(picture: Picture, view: View) -> str:
    names = {
        k: node.title for k, node in enumerate(view.nodes) if node.role not in ("enter", "leave")
    }
    items = []
    for k, node in enumerate(view.nodes):
        if node.role in ("enter", "leave"):
            continue
        sources = [names.get(wire.source, "outside") for wire in view.wires if wire.target == k]
        # In a plain chain the order says it.
        before = names.get(k - 1, "outside")
        reads = "" if sources in ([], [before]) else f"; reads {', '.join(dict.fromkeys(sources))}"
        items.append(f"<li>{_item(picture, node, reads)}</li>")
    return f"<ul>{''.join(items)}</ul>"


def _item(picture: Picture, node: Node, reads: str) -> str:
    text = escape(printable(says(picture, node) + reads))
    if node.inside is None:
        return text
    inner = _list(picture, node.inside)
    return f"<details><summary>{text}</summary>{inner}</details>"


SCRIPTS = ("packed.js", "arrangement.js", "field.js", "picture.js", "begin.js")


@dataclass(frozen=True)
class Layers:
    """What is laid over a picture besides the table's own figures.

    Attributes:
        marks: Findings, shown as badges.
        states: For each node's number, how it compares with another network.
        twins: For each node's number, that of the equal one in the other picture.
        activations: For operations by index, a picture of their result as a data address.
        image: The user's image as a data address; ``""`` for none.
        heat_map: A heat map over that image, likewise.
        image_note: What the two are, as a sentence.
    """

    marks: Sequence[Mark] = ()
    states: Mapping[int, str] = field(default_factory=dict)
    twins: Mapping[int, int] = field(default_factory=dict)
    activations: Mapping[int, str] = field(default_factory=dict)
    image: str = ""
    heat_map: str = ""
    image_note: str = ""


def component(picture: Picture, *, layers: Layers | None = None, name: str = "picture") -> str:
    """Returns the markup; ``page_scripts`` and ``page_style`` make it work.

    Args:
        picture: What is shown.
        layers: What is laid over it.
        name: Sets it apart from other pictures of the page: letters, digits and dashes.
    """
    over = layers or Layers()
    arrangement = arrange(picture)
    pencil = Pencil(picture, over.marks, states=over.states)
    title = f"{picture.table.name}, drawn"
    drawing = element(
        "svg",
        pencil.layers(arrangement),
        class_="fvp-svg",
        viewBox=f"0 0 {number(arrangement.width)} {number(arrangement.height)}",
        width=arrangement.width,
        height=arrangement.height,
        role="group",
        aria_label=printable(title),
        data_fvp="drawing",
    )
    shown = {(box.node.number, box.is_open) for box in arrangement.boxes}
    kept = []
    later = Pencil(picture, over.marks, states=over.states, words_for="a script")
    for node in picture.nodes():
        if node.role not in ("enter", "leave") and (node.number, False) not in shown:
            kept.append(later.box(node))
        if node.inside is not None and (node.number, True) not in shown:
            kept.append(later.frame(node, LEAST_OPEN, 100.0))
    data = page_data(
        picture,
        marks=over.marks,
        states=over.states,
        twins=over.twins,
        activations=over.activations,
    )
    return (
        f'<div class="fvp" role="group" data-picture="{name}" aria-label="{_text(title)}">'
        f"{_tools(name, over, picture)}"
        '<p class="fvp-status" role="status" data-fvp="status"></p>'
        '<div class="fvp-both"><div class="fvp-scroll" tabindex="0" role="region" '
        f'aria-label="{_text(title)}: the drawing" data-fvp="scroll">{drawing}</div>'
        f"{_side(name, over)}</div>"
        f"{_legend()}{_general_marks(over.marks, picture)}"
        '<details class="fvp-text"><summary>The same as text</summary>'
        f"{text_tree(picture)}</details>"
        f'<script type="text/plain" data-fvp="packed">'
        f"{packed({'data': data, 'kept': ''.join(kept)})}</script></div>"
    )


def still(picture: Picture, *, layers: Layers | None = None) -> str:
    """Returns the drawing and its text alone, for where no script runs."""
    over = layers or Layers()
    drawing = draw_svg(picture, marks=over.marks, states=over.states, paper="the page's")
    return (
        f'<div class="fvp"><div class="fvp-scroll" tabindex="0" role="region" '
        f'aria-label="{_text(picture.table.name)}, drawn">{drawing}</div>{_legend()}'
        f'<details class="fvp-text"><summary>The same as text</summary>{text_tree(picture)}'
        "</details></div>"
    )


def page_scripts() -> tuple[str, ...]:
    """Returns the scripts of a page that holds pictures, in order."""
    return tuple(map(page_script, SCRIPTS))


@cache
def page_script(name: str) -> str:
    """Returns one of the scripts."""
    return (files("foveal.inspection.picture") / "page" / name).read_text("utf-8")


@cache
def page_style() -> str:
    """Returns the style of the component and of the drawing."""
    own = (files("foveal.inspection.picture") / "page" / "picture.css").read_text("utf-8")
    return own + style()


def _tools(name: str, over: Layers, picture: Picture) -> str:
    overlays: list[tuple[str, str]] = list(OVERLAYS)
    if over.activations:
        overlays.append(("activations", "Activations"))
    radios = "".join(
        f'<label><input type="radio" name="{name}-overlay" value="{key}"'
        f"{' checked' if key == 'shape' else ''}> {text}</label>"
        for key, text in overlays
    )
    buttons = "".join(
        f'<button type="button" data-fvp="{key}"{more}>{text}</button>'
        for key, text, more in (
            ("first", "First view", ""),
            ("open", "Open all", ""),
            ("close", "Close all", ""),
            ("out", "−", ' aria-label="Smaller"'),
            ("in", "+", ' aria-label="Larger"'),
            ("fit", "Fit", ' aria-label="Fit to the width"'),
        )
    )
    return (
        f'<div class="fvp-tools"><fieldset><legend>Each box says</legend>{radios}</fieldset>'
        f'<div class="fvp-buttons">{buttons}<label>Find a layer '
        f'<input type="search" data-fvp="find" aria-describedby="{name}-keys"></label></div>'
        f'<p class="fvp-keys" id="{name}-keys">Click a box with + to open it, any box to read its '
        "figures. Keys: arrows walk, Enter opens and closes.</p></div>"
    )


def _side(name: str, over: Layers) -> str:
    pictures = ""
    if over.image:
        pictures = (
            f'<p>{_text(over.image_note)}</p><p><button type="button" data-fvp="use-image">'
            "The image</button>"
            + (
                '<button type="button" data-fvp="use-heat">Its heat map</button>'
                if over.heat_map
                else ""
            )
            + "</p>"
            f'<img src="{_text(over.image)}" alt="" hidden data-fvp="image">'
            + (
                f'<img src="{_text(over.heat_map)}" alt="" hidden data-fvp="heat">'
                if over.heat_map
                else ""
            )
        )
    return (
        '<div class="fvp-side" data-fvp="side"><h3 data-fvp="title">Choose a box</h3>'
        '<div data-fvp="facts"><p>Its figures are shown here, and what one of its units sees '
        "of an image.</p></div>"
        '<div data-fvp="seen" hidden><figure><canvas width="448" height="448" tabindex="0" '
        'role="img" aria-label="What a unit sees" data-fvp="canvas"></canvas>'
        '<figcaption data-fvp="told"></figcaption></figure>'
        f'{pictures}<label for="{name}-file">On an image of yours (it stays in this page)</label>'
        f'<input type="file" id="{name}-file" accept="image/*" data-fvp="file"></div></div>'
    )


def _legend() -> str:
    keys = "".join(
        f'<li><svg class="fvp-svg" width="10" height="12" aria-hidden="true">'
        f'<rect class="fvp-k-{kind}" width="6" height="12"/></svg> {text}</li>'
        for kind, text in FAMILY_WORDS
    )
    return (
        f'<ul class="fvp-legend">{keys}<li><svg class="fvp-svg" width="22" height="12" '
        'aria-hidden="true"><path class="fvp-wire fvp-shortcut" d="M0 6L22 6"/></svg> shortcut</li>'
        "<li>×N: N equal parts in a row</li></ul>"
    )


def _general_marks(marks: Sequence[Mark], picture: Picture) -> str:
    """Returns the findings that lie at no part of the drawing."""
    from foveal.inspection.picture.marks import marked_nodes

    placed = {k for found in marked_nodes(picture, marks).values() for k in found}
    items = "".join(
        f"<li><strong>{_text(mark.code)} {_text(mark.title)}</strong> ({mark.severity}) "
        f"{_text(mark.text)}</li>"
        for k, mark in enumerate(marks)
        if k not in placed
    )
    return f'<p>Of the whole network:</p><ul class="fvp-general">{items}</ul>' if items else ""


def _text(value: str) -> str:
    return escape(printable(value), quote=True)
