"""``foveal inspect``: a network, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foveal.cli.options import echo_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foveal.inspection import EffectiveField, Inspection
    from foveal.models.sources import ResolvedModel

_EPILOG = """\b
Example:
  foveal inspect timm:resnet18
  foveal inspect net.py:make_net --input 1x28x28 --by stage
  foveal inspect foveal:plain56 --against foveal:resnet56
  foveal inspect torchvision:resnet18 --against torchvision:resnet50
"""


@click.command("inspect", epilog=_EPILOG)
@click.argument("model")
@click.option(
    "--input",
    "input_spec",
    metavar="CxHxW",
    help="Input, e.g. 3x224x224; commas for several, NAME= and :int64 before and after one.",
)
@click.option(
    "--by",
    type=click.Choice(["op", "stage"]),
    default="op",
    show_default=True,
    help="A row for each layer or for each stage.",
)
@click.option("--against", metavar="MODEL", help="Compare with a second network.")
@click.option(
    "--mode",
    type=click.Choice(["eval", "train"]),
    default="eval",
    show_default=True,
    help="The network that predicts, or the one that trains.",
)
@click.option(
    "--effective", is_flag=True, help="Measure the effective receptive field from gradients."
)
@click.option("--at", metavar="LAYER", help="Where to measure it (default: the last map).")
@click.option(
    "--image",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Measure on this image instead of noise.",
)
@click.option("--pretrained", is_flag=True, help="Measure with pretrained weights.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with drawings."
)
@click.option("--json", "as_json", is_flag=True, help="The whole table as JSON.")
def command(
    model: str,
    input_spec: str | None,
    by: str,
    against: str | None,
    mode: str,
    html: Path | None,
    as_json: bool,
    **values: Any,
) -> None:
    """Show a network layer by layer: shape, parameters, MACs, memory, receptive field.

    MODEL is timm:NAME, torchvision:NAME, foveal:NAME, a bare name, file.py:factory or a run
    folder. Nothing is computed and no weights are needed, except for --effective.
    """
    from foveal.inspection import (
        compare,
        comparison_json,
        effective_json,
        effective_receptive_field,
        inspection_json,
        render_comparison_text,
        render_effective_text,
        render_inspection_html,
        render_inspection_text,
    )

    _require_effective(values)
    resolved = _resolve(model, values)
    table = _inspect(resolved, input_spec, mode)
    second = None if against is None else _resolve(against, {})
    comparison = None
    if second is not None:
        comparison = compare(table, _inspect(second, input_spec, mode))
    effective: EffectiveField | None = None
    background: Any = None
    if values["effective"]:
        images = None
        if values["image"] is not None:
            images, background = _read_image(values["image"], table, resolved)
        effective = effective_receptive_field(
            resolved.network, table, at=values["at"], images=images
        )
    if html is not None:
        from foveal.files import write_atomically

        page = render_inspection_html(
            table, effective=effective, background=background, comparison=comparison
        )
        write_atomically(html, page.encode("utf-8"))
        click.echo(f"The page is {html}", err=True)
    if as_json:
        content = inspection_json(table) if comparison is None else comparison_json(comparison)
        if effective is not None:
            content["effective"] = effective_json(effective)
        echo_json("inspect" if comparison is None else "inspect.comparison", content)
        return
    shown = [render_inspection_text(table, by="stage" if by == "stage" else "op")]
    if comparison is not None:
        shown.append(
            render_inspection_text(comparison.second, by="stage" if by == "stage" else "op")
        )
        shown.append(render_comparison_text(comparison))
    if effective is not None:
        shown.append(render_effective_text(effective))
    click.echo("\n\n".join(shown))


def _require_effective(values: dict[str, Any]) -> None:
    for name in ("at", "image", "pretrained"):
        if values[name] and not values["effective"]:
            raise click.UsageError(f"--{name} says how --effective measures; give that too.")


def _resolve(spec: str, values: dict[str, Any]) -> ResolvedModel:
    from foveal.models.sources import resolve_model

    if not values.get("effective"):
        return resolve_model(spec)
    return resolve_model(spec, weights="pretrained" if values["pretrained"] else "random")


def _inspect(resolved: ResolvedModel, input_spec: str | None, mode: str) -> Inspection:
    from dataclasses import replace

    from foveal.inspection import inspect, parse_input

    shape = resolved.input_shape if input_spec is None else parse_input(input_spec)
    table = inspect(
        resolved.network,
        shape,
        name=resolved.name,
        mode="train" if mode == "train" else "eval",
        sizes="any",
    )
    notes = resolved.notes
    if input_spec is None and resolved.input_origin == "assumed":
        size = "x".join(map(str, resolved.input_shape))
        notes = (*notes, f"The input {size} is assumed; give another with --input.")
    return replace(table, notes=(*table.notes, *notes))


def _read_image(
    path: Path, table: Inspection, resolved: ResolvedModel
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Returns the image as network input [1, 3, H, W], and as grey levels [H, W] to draw on."""
    import numpy as np

    from foveal.cli.network_images import preprocessing_of, read_network_images

    preprocessing, _ = preprocessing_of(resolved, table.inputs[0].shape[1:])
    pictures, _ = read_network_images([str(path)], preprocessing)
    low, high = float(pictures.min()), float(pictures.max())
    grey = (pictures[0].mean(axis=0) - low) / max(high - low, 1e-6)
    return pictures, (255 * grey).clip(0, 255).astype(np.uint8)
