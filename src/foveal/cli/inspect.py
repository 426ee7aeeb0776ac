"""``foveal inspect``: a network, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from foveal.cli.inspect_picture import (
    PictureFiles,
    find_layers,
    write_pictures,
    write_what_was_seen,
)
from foveal.cli.options import FILE_TO_WRITE, echo_json, noun, read_input
from foveal.errors import TraceError

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
  foveal inspect timm:convnext_tiny --html convnext.html --svg convnext.svg
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
@noun(
    "images",
    help="Images that --effective measures on, instead of noise; --html shows what the network "
    "makes of the first.",
)
@noun(
    "weights",
    help="Weights for --effective and --images: random (the default), pretrained, or a "
    "checkpoint file (.safetensors, .pth). A run brings its own.",
)
@noun(
    "html",
    help="Write a page with the network as a picture that opens, with the findings of the linter.",
)
@click.option(
    "--svg",
    type=FILE_TO_WRITE,
    metavar="FILE",
    help="Write the picture alone, for papers.",
)
@click.option(
    "--png",
    type=FILE_TO_WRITE,
    metavar="FILE",
    help="The same drawing as PNG; it needs the package resvg-py.",
)
@click.option(
    "--overlay",
    type=click.Choice(["shape", "parameters", "macs", "memory", "field"]),
    default="shape",
    show_default=True,
    help="What each box of --svg and --png says.",
)
@noun("json")
def command(
    model: str,
    input_text: str | None,
    by: Literal["op", "stage"],
    against: str | None,
    mode: Literal["eval", "train"],
    as_json: bool,
    **values: Any,
) -> None:
    """Show a network layer by layer: shape, parameters, MACs, memory, receptive field.

    MODEL is a run folder, timm:NAME, torchvision:NAME, foveal:NAME, a bare name or
    file.py:factory. Nothing is computed and no weights are needed, except for --effective and
    --images.
    """
    from foveal.api import inspect
    from foveal.inspection import (
        compare,
        comparison_json,
        effective_json,
        inspection_json,
        render_comparison_text,
        render_effective_text,
        render_inspection_text,
    )

    files = PictureFiles(*(values.pop(name) for name in ("html", "svg", "png", "overlay")))
    _refuse_what_does_nothing(values, files)
    files.check()
    shape = read_input(input_text)
    is_run = values["effective"] or values["images"]
    network = _opened(model, values) if is_run else None

    def look(at: str | Network) -> Inspection:
        try:
            return inspect(at, shape, mode=mode)
        except TraceError as error:
            write_what_was_seen(error, str(at if at == against else model), files)
            raise

    table = look(network or model)
    comparison = None if against is None else compare(table, look(against))
    effective, background = None, None
    if network is not None and values["effective"]:
        effective, background = _measure(network, table, values)
    if files:
        images, second_layers = values["images"], None
        layers = find_layers(model, shape, network, table, images)
        if comparison is not None and against is not None:
            other = _opened(against, values) if images else None
            second_layers = find_layers(against, shape, other, comparison.second, images)
        write_pictures(
            files,
            table,
            layers=layers,
            second_layers=second_layers,
            effective=effective,
            background=background,
            comparison=comparison,
        )
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


def _refuse_what_does_nothing(values: dict[str, Any], files: PictureFiles) -> None:
    if values["layer"] and not values["effective"]:
        raise click.UsageError("--layer says how --effective measures; give that too.")
    if values["images"] and not values["effective"] and files.html is None:
        raise click.UsageError(
            "--images are what --effective measures on and --html shows; give one of these too."
        )
    if values["weights"] and not values["effective"] and not values["images"]:
        raise click.UsageError(
            "--weights are for what is computed: --effective, or --images with --html."
        )
    if files.overlay != "shape" and files.svg is None and files.png is None:
        raise click.UsageError(
            "--overlay says what the boxes of --svg and --png say; give one of these too."
        )


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
