"""``foveal inspect``: a network, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from foveal.cli.options import echo_json, noun, read_input

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from foveal.inspection import EffectiveField, Inspection
    from foveal.models import Network

_EPILOG = """\b
Example:
  foveal inspect timm:resnet18
  foveal inspect net.py:make_net --input 1x28x28 --by stage
  foveal inspect foveal:plain56 --against foveal:resnet56
  foveal inspect torchvision:resnet18 --against torchvision:resnet50
"""


@click.command("inspect", epilog=_EPILOG)
@click.argument("model")
@noun(
    "input",
    help="Input of the network, as 3x224x224; commas for several, NAME= and :int64 before and "
    "after one (default: its own).",
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
@noun("layer", help="Where --effective measures (default: the last map).")
@noun("images", help="Images that --effective measures on, instead of noise.")
@noun(
    "weights",
    help="Weights that --effective measures with: random (the default), pretrained, or a "
    "checkpoint file (.safetensors, .pth). A run brings its own.",
)
@noun("html", help="Write a page with drawings.")
@noun("json")
def command(
    model: str,
    input_text: str | None,
    by: Literal["op", "stage"],
    against: str | None,
    mode: Literal["eval", "train"],
    html: Path | None,
    as_json: bool,
    **values: Any,
) -> None:
    """Show a network layer by layer: shape, parameters, MACs, memory, receptive field.

    MODEL is a run folder, timm:NAME, torchvision:NAME, foveal:NAME, a bare name or
    file.py:factory. Nothing is computed and no weights are needed, except for --effective.
    """
    from foveal.api import inspect
    from foveal.inspection import (
        compare,
        comparison_json,
        effective_json,
        inspection_json,
        render_comparison_text,
        render_effective_text,
        render_inspection_html,
        render_inspection_text,
    )

    for name in ("layer", "images", "weights"):
        if values[name] and not values["effective"]:
            raise click.UsageError(f"--{name} says how --effective measures; give that too.")
    shape = read_input(input_text)
    network = _opened(model, values) if values["effective"] else None
    table = inspect(network or model, shape, mode=mode)
    comparison = None if against is None else compare(table, inspect(against, shape, mode=mode))
    effective, background = None, None
    if network is not None:
        effective, background = _measure(network, table, values)
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
    shown = [render_inspection_text(table, by=by)]
    if comparison is not None:
        shown.append(render_inspection_text(comparison.second, by=by))
        shown.append(render_comparison_text(comparison))
    if effective is not None:
        shown.append(render_effective_text(effective))
    click.echo("\n\n".join(shown))


def _opened(model: str, values: dict[str, Any]) -> Network:
    from foveal.api import open_network

    brings_own = Path(model).is_dir()
    return open_network(model, weights=values["weights"] or (None if brings_own else "random"))


def _measure(
    network: Network, table: Inspection, values: dict[str, Any]
) -> tuple[EffectiveField, NDArray[np.uint8] | None]:
    """Returns the effective field, and the first image in grey levels [H, W] to draw it on."""
    import numpy as np

    from foveal.api import read_batch
    from foveal.inspection import effective_receptive_field

    images, background = None, None
    if values["images"]:
        _, channels, height_px, width_px = table.inputs[0].shape
        stated = network.stating(input_shape=(channels, height_px, width_px))
        images = read_batch(stated, values["images"])
        low, high = float(images[0].min()), float(images[0].max())
        grey = (images[0].mean(axis=0) - low) / max(high - low, 1e-6)
        background = (255 * grey).clip(0, 255).astype(np.uint8)
    field = effective_receptive_field(network.module, table, at=values["layer"], images=images)
    return field, background
