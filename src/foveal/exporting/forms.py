"""The forms that a run is handed on in: a literal table, one row a form."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from foveal.errors import FovealError, UsageError
from foveal.files import require_writable
from foveal.runs import Classifier, claim_folder, load
from foveal.text import near_names, printable

FormName = Literal["page", "onnx", "onnx-int8", "timm", "hub"]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        form: Of :data:`FORMS`.
        path: The file or the folder.
        num_bytes: In all.
        notes: What a reader should know, one sentence each.
        next_step: What to do with it.
    """

    form: FormName
    path: Path
    num_bytes: int
    notes: tuple[str, ...]
    next_step: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a folder by name, with what there is to say about them."""

    files: Mapping[str, bytes]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """One row: a name, what it is for, its folder's files (none for the page), what is next."""

    name: FormName
    summary: str
    make: Callable[[Classifier], Contents] | None
    next_step: str


def _onnx(classifier: Classifier) -> Contents:
    from foveal.exporting.onnx_folder import onnx_files

    return Contents(onnx_files(classifier))


def _int8(classifier: Classifier) -> Contents:
    from foveal.exporting.int8 import int8_files

    return int8_files(classifier)


def _timm(classifier: Classifier) -> Contents:
    from foveal.exporting.timm_folder import timm_files

    found = timm_files(classifier)
    return Contents(
        found.files,
        (f"timm's logits differ from the run's by at most {found.max_logit_difference:.2g}.",),
    )


def _hub(classifier: Classifier) -> Contents:
    from foveal.exporting.timm_folder import hub_files

    files, note = hub_files(classifier)
    return Contents(files, (note,))


FORMS: Final[tuple[Form, ...]] = (
    Form(
        "page",
        "one HTML file that classifies in the browser, offline",
        None,
        "Open it in a browser, with the network off if you like, and drop images on it.",
    ),
    Form(
        "onnx",
        "a folder with the ONNX file, its inputs and outputs, and two examples",
        _onnx,
        "Its README.md says how to use it from Python and JavaScript.",
    ),
    Form(
        "onnx-int8",
        "the same in 8 bits, where that costs little accuracy",
        _int8,
        "Its README.md says how to use it from Python and JavaScript.",
    ),
    Form(
        "timm",
        "a folder that timm.create_model opens",
        _timm,
        'Open it with: timm.create_model("local-dir:FOLDER", pretrained=True)',
    ),
    Form(
        "hub",
        "a folder ready for the Hugging Face Hub, with its card",
        _hub,
        "Read its README.md first, since it names your data; then: hf upload NAME FOLDER",
    ),
)


def export(run: Path, form: str, out: Path | None = None) -> Exported:
    """Hands a run on in another form.

    Args:
        run: The run folder.
        form: Of :data:`FORMS`.
        out: The file of a page, else a folder that is not there yet; by default beside the run.

    Raises:
        RunError: The run is incomplete or altered.
        UsageError: There is no such form, the run cannot take it (and why), or the path is
            taken.
        FovealError: It cannot be written, or what was made does not agree with the run.
    """
    row = find_form(form)
    if row.make is None:
        from foveal.exporting.page import export_page

        if out is not None and not out.is_dir():  # it says itself what it does with a folder
            with _named_as_unwritable(out):
                require_writable(out)
        page = export_page(run, out)
        return Exported(row.name, page.file, page.num_bytes, page.notes, row.next_step)
    here = run.resolve()
    folder = out if out is not None else here.with_name(f"{here.name}-{row.name}")
    if folder.exists():
        raise UsageError(
            f"{printable(str(folder))} is there already.",
            next_step="Choose another folder with --out, or remove it.",
        )
    with _named_as_unwritable(folder):
        require_writable(folder, kind="folder")  # before the work
    contents = row.make(load(run))
    with _named_as_unwritable(folder), claim_folder(folder, overwrite=False) as partial:
        for name, content in contents.files.items():
            (partial / name).write_bytes(content)
    num_bytes = sum(map(len, contents.files.values()))
    return Exported(row.name, folder, num_bytes, contents.notes, row.next_step)


@contextlib.contextmanager
def _named_as_unwritable(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FovealError(
            f"{printable(str(place))} could not be written: {error.strerror or error}.",
            next_step="Choose a path you may write to with --out.",
        ) from error


def find_form(name: str) -> Form:
    """Returns the row of a form.

    Raises:
        UsageError: There is none of that name.
    """
    for row in FORMS:
        if row.name == name:
            return row
    names = [row.name for row in FORMS]
    near = near_names(name, names)
    raise UsageError(
        f"There is no form named {name!r}.",
        next_step=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(names)}.",
    )
