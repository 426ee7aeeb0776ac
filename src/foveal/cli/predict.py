"""``foveal predict``: answers for new images."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from foveal.cli.options import FILE_TO_WRITE, echo_json, echo_notes, noun
from foveal.schema import stamped
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.runs import Classifier
    from foveal.sharding.engines import EngineName

_FORMATS = (".json", ".csv", ".parquet")
_FORMATS_TOLD = ".csv, .json or .parquet"
_NUM_WITH_PROGRESS = 32


@click.command(
    "predict",
    epilog="\b\nExample:\n  foveal predict runs/photos new/ --out answers.csv",
)
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("paths", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--out",
    type=FILE_TO_WRITE,
    metavar="FILE",
    help="Write to a .csv, .json or .parquet file instead of a table.",
)
@click.option(
    "--shards",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="For very many images: write Parquet parts into a folder, and go on where it stopped. "
    "IMAGE is then one folder, table or URL, or tar archives.",
)
@click.option(
    "--engine",
    type=click.Choice(["threads", "ray"]),
    help="Of --shards: threads (the default), or the workers of a Ray cluster.",
)
@click.option("--address", metavar="ADDRESS", help="Of a Ray cluster (default: one begun here).")
@click.option(
    "--shard-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images in a part of --shards (default 4096).",
)
@click.option(
    "--features", is_flag=True, help="Keep digest, logits and features in the parts of --shards."
)
@click.option(
    "--keep-listing",
    is_flag=True,
    help="Go on with the images that --shards listed, without listing the source again.",
)
@click.option("--path-column", metavar="NAME", help="Column of the table with the files.")
@click.option("--encoding", metavar="NAME", help="Of a table that is not UTF-8.")
@noun("json")
@noun("workers")
def command(
    run: Path,
    paths: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    num_workers: int | None,
    shards: Path | None,
    **values: Any,
) -> None:
    """Answer for new images: label, calibrated probability, prediction set.

    IMAGE is an image, a folder (searched through) or a glob. A file that cannot be read is a
    row with its error, and the command then exits with 1.
    """
    if shards is not None:
        if out is not None:
            raise click.UsageError("--shards writes a folder and --out a file: give one of them.")
        _predict_shards(run, paths, shards, as_json=as_json, num_workers=num_workers, **values)
        return
    for name, value in values.items():
        if value:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --shards FOLDER.")
    from foveal.api import load, predict
    from foveal.cli.streams import terminal_style
    from foveal.files import write_atomically
    from foveal.progress import ProgressDisplay
    from foveal.reporting import render_predictions_text
    from foveal.runs.named_images import name_images
    from foveal.runs.prediction_rows import describe, predictions_json

    if out is not None and as_json:
        raise click.UsageError("--json writes to stdout and --out to a file: give one of them.")
    if out is not None and out.suffix.lower() not in _FORMATS:
        raise click.UsageError(f"--out: got {out.name!r}, expected an end of {_FORMATS_TOLD}.")
    images = name_images(paths)
    classifier = load(run)
    echo_notes(classifier.notes)
    # A step that took no time is not worth a line.
    mode: Literal["auto", "quiet"] = "quiet" if len(images) < _NUM_WITH_PROGRESS else "auto"
    with ProgressDisplay(mode) as display, display.step("Predicting"):
        predictions = predict(classifier, images, num_workers=num_workers, progress=display.advance)
    rows = [describe(one, classifier.class_names) for one in predictions]
    if out is not None:
        write_atomically(out, _encode(rows, classifier, out.suffix.lower()))
        click.echo(f"{count_noun(len(rows), 'row')} in {printable(str(out))}", err=True)
    elif as_json:
        echo_json("predict", predictions_json(rows, classifier.operating_point))
    else:
        click.echo(
            render_predictions_text(
                predictions, point=classifier.operating_point, style=terminal_style()
            )
        )
    num_failed = sum(one.error is not None for one in predictions)
    if num_failed:
        click.echo(
            f"{num_failed:,} of {count_noun(len(rows), 'file')} could not be used.", err=True
        )
        sys.exit(1)


def _predict_shards(
    run: Path,
    paths: tuple[str, ...],
    shards: Path,
    *,
    as_json: bool,
    num_workers: int | None,
    engine: EngineName | None,
    address: str | None,
    shard_size: int | None,
    features: bool,
    keep_listing: bool,
    path_column: str | None,
    encoding: str | None,
) -> None:
    from foveal.api import load, predict_shards
    from foveal.progress import ProgressDisplay
    from foveal.sharding import ShardOptions
    from foveal.sharding.sources import TableColumns
    from foveal.sharding.text import render_text

    options = ShardOptions(
        engine=engine or "threads",
        address=address,
        contents="features" if features else "answers",
        per_shard=shard_size,
        lists_again=not keep_listing,
        num_workers=num_workers,
        columns=TableColumns(path_column, encoding),
    )
    classifier = load(run)
    echo_notes(classifier.notes)
    with ProgressDisplay() as display, display.step("Predicting"):
        done = predict_shards(classifier, paths, shards, options=options, progress=display.advance)
    echo_notes(done.notes)
    if as_json:
        content = {
            "folder": printable(str(done.folder)),
            "num_parts": done.num_parts,
            "num_found": done.num_found,
            "num_rows": done.num_rows,
            "num_bad": done.num_bad,
            "reasons": dict(done.reasons),
            "notes": list(done.notes),
        }
        echo_json("predict.shards", content)
    else:
        click.echo(render_text(done))
    if done.num_bad:
        sys.exit(1)


def _encode(rows: Sequence[dict[str, Any]], classifier: Classifier, suffix: str) -> bytes:
    from foveal.runs.prediction_rows import flatten, predictions_json

    class_names = classifier.class_names
    if suffix == ".json":
        import json

        content = stamped("predict", predictions_json(rows, classifier.operating_point))
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()
    flat = [flatten(row) for row in rows]
    if suffix == ".parquet":
        return _encode_parquet(flat, class_names)
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=[_no_formula(name) for name in flat[0]])
    writer.writeheader()
    # Labels and file names come from outside, and the first reader is a spreadsheet.
    writer.writerows({key: _no_formula(value) for key, value in row.items()} for row in flat)
    return text.getvalue().encode()


def _no_formula(value: Any) -> Any:
    """Returns text that a spreadsheet would compute with an apostrophe in front.

    OWASP, "CSV Injection": what begins with one of these may start a program.

    >>> _no_formula("=cmd|'/c calc'!A0"), _no_formula("cell.png"), _no_formula(-0.5)
    ("'=cmd|'/c calc'!A0", 'cell.png', -0.5)
    """
    if isinstance(value, str) and value.lstrip().startswith(("=", "+", "-", "@")):
        return f"'{value}"
    return value


def _encode_parquet(flat: Sequence[dict[str, Any]], class_names: Sequence[str]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    from foveal.runs.prediction_rows import arrow_schema

    table = pa.Table.from_pylist(list(flat), schema=arrow_schema(class_names))
    buffer = pa.BufferOutputStream()
    parquet.write_table(table, buffer)
    return bytes(buffer.getvalue())
