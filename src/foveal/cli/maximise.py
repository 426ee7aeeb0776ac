"""``foveal explain RUN --maximise``: pictures of what a network is excited by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foveal.cli.options import echo_json
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.cli.explained_network import Subject
    from foveal.explain.maximisation import Maximised, Objective

_DEPTH, _CLASSES = "depth", "classes"


def draw_maximised_pictures(
    run: str, words: Sequence[str], *, pretrained: bool, out: Path, as_json: bool
) -> None:
    """Says what it will take, makes the pictures, and writes them as one PNG.

    Args:
        run: A run or a network, as typed.
        words: ``classes``, ``depth``, classes, or layers with channels.
        pretrained: Whether weights may be downloaded.
        out: The PNG.
        as_json: Whether the figures go to stdout as JSON.
    """
    from foveal.cli.explained_network import open_subject
    from foveal.explain.maximisation import (
        ClassLogit,
        PixelScale,
        estimate_seconds,
        maximise_each,
    )
    from foveal.explain.maximisation.class_pictures import CLASS_ASCENT
    from foveal.files import write_atomically
    from foveal.progress import ProgressDisplay
    from foveal.report.explaining.maximised_sheet import draw_maximised
    from foveal.report.numbers import seconds

    subject = open_subject(run, pretrained=pretrained)
    scale = PixelScale.of(subject.preprocessing)
    if list(words) == [_DEPTH] and _DEPTH not in subject.class_names:
        _draw_depth(subject, scale, out, as_json=as_json)
        return
    objectives = _objectives(subject, words)
    # A mark's colour matters more than a natural look where whole classes are sought.
    ascent = CLASS_ASCENT if all(isinstance(one, ClassLogit) for one in objectives) else None
    expected = estimate_seconds(subject.network, objectives, ascent=ascent, scale=scale)
    click.echo(
        f"{count_noun(len(objectives), 'picture')}, about {seconds(expected)} on this machine.",
        err=True,
    )
    with ProgressDisplay() as display, display.step("Maximising"):
        pictures = maximise_each(
            subject.network, objectives, ascent=ascent, scale=scale, progress=display.advance
        )
    write_atomically(out, draw_maximised(pictures))
    _tell(pictures, out, as_json=as_json)


def _draw_depth(subject: Subject, scale: Any, out: Path, *, as_json: bool) -> None:
    from foveal.explain.maximisation import estimate_sheet_seconds, plan_sheet, sheet_by_depth
    from foveal.files import write_atomically
    from foveal.progress import ProgressDisplay
    from foveal.report.explaining.maximised_sheet import draw_depth_sheet
    from foveal.report.numbers import seconds

    plan = plan_sheet(subject.network, class_names=subject.class_names or None)
    expected = estimate_sheet_seconds(subject.network, plan, scale=scale)
    click.echo(f"A sheet by depth, about {seconds(expected)} on this machine.", err=True)
    with ProgressDisplay() as display, display.step("Maximising"):
        sheet = sheet_by_depth(subject.network, plan=plan, scale=scale, progress=display.advance)
    write_atomically(out, draw_depth_sheet(sheet))
    _tell([one for row in sheet.rows for one in row.pictures], out, as_json=as_json)


def _objectives(subject: Subject, words: Sequence[str]) -> tuple[Objective, ...]:
    """Returns what is sought; a class's name wins over every other reading."""
    from foveal.explain.maximisation import Channel, ClassLogit

    names = subject.class_names
    found: list[Objective] = []
    for word in words:
        if word == _CLASSES and word not in names and names:
            found += [ClassLogit(index, name) for index, name in enumerate(names)]
            continue
        layer, colon, channel = word.rpartition(":")
        if colon and channel.isdecimal() and word not in names:
            found.append(Channel(layer, int(channel)))
            continue
        for index in subject.indices([word]):
            found.append(ClassLogit(index, names[index] if names else None))
    return tuple(found)


def _tell(pictures: Sequence[Maximised], out: Path, *, as_json: bool) -> None:
    if as_json:
        echo_json("maximise", 
            {
                "file": printable(str(out)),
                "pictures": [
                    {
                        "objective": printable(one.objective.description),
                        "target": one.target,
                        "first": one.first,
                        "last": one.last,
                        "reason": one.reason,
                        "seconds": one.seconds,
                    }
                    for one in pictures
                ],
            }
        )
    else:
        for one in pictures:
            change = one.reason or f"{one.first:.3g} became {one.last:.3g}"
            click.echo(f"{printable(one.objective.description)}: {change}")
    click.echo(f"Drawn: {printable(str(out))}", err=True)
