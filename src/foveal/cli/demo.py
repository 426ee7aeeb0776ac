"""``foveal demo``: the whole main job on real data."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from foveal.cli.options import noun, typed_command

_NUM_IMAGES = 500
_SEED = 0


@click.command("demo", epilog="\b\nExample:\n  foveal demo --out demo")
@click.option("--full", is_flag=True, help="All 2,624 images instead of 500.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("foveal-demo"),
    show_default=True,
    metavar="FOLDER",
    help="Where the images and the run go.",
)
@noun("json")
def command(full: bool, out: Path, as_json: bool) -> None:
    """Train on images of solar cells and show the evidence.

    The images are ELPV (Deitsch et al. 2019): three classes, in groups by the module they
    were cut from. They are written out as an ordinary folder, and then this is what
    `foveal train` does with any folder.
    """
    from foveal.api import make_run
    from foveal.cli.train import show_finished
    from foveal.demo import ELPV_LICENCE, choose_cells, read_elpv, write_folder
    from foveal.progress import ProgressDisplay
    from foveal.training import TrainConfig

    cells = read_elpv()
    chosen = cells if full else choose_cells(cells, _NUM_IMAGES, seed=_SEED)
    data = out / ("elpv-full" if full else "elpv-500")
    write_folder(chosen, data)
    click.echo(
        f"{len(chosen):,} solar cells in {data}, three classes, grouped by module (approximate:\n"
        f"by file order). Images: ELPV, Deitsch et al. 2019, {ELPV_LICENCE}.",
        err=True,
    )
    with ProgressDisplay() as display:
        finished = make_run(
            data,
            out / ("run-full" if full else "run"),
            config=TrainConfig(seed=_SEED),
            overwrite=True,
            command=typed_command(),
            listener=display,
            title="Solar cells: functional, uncertain or defective",
            data_licence=ELPV_LICENCE,
        )
    show_finished(
        finished,
        as_json=as_json,
        next_commands=(
            shlex.join(["foveal", "predict", str(finished.folder), f"{data}/defective"]),
        ),
    )
