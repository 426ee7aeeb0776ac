"""MODEL as people type it after ``foveal explain`` or ``visualise``: a run, or a network."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from foveal.errors import UsageError
from foveal.text import printable

if TYPE_CHECKING:
    from torch import nn

    from foveal.explanation.pictures import Asked, ExplainedPicture
    from foveal.images import Preprocessing
    from foveal.runs import Classifier

Progress = Callable[[int, int], None]

_GREY = {"mean": (0.5,), "std": (0.5,)}


@dataclass(frozen=True)
class Subject:
    """What is explained.

    Attributes:
        network: With weights.
        preprocessing: How it wants its pictures.
        class_names: Printable; empty where nobody named them.
        notes: What the reader should know.
        run: The run, where it is one.
        channels: How many the network takes: 3, or 1 for pictures in grey.
    """

    network: nn.Module
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    run: Classifier | None
    channels: Literal[1, 3] = 3

    def indices(self, words: Sequence[str]) -> tuple[int, ...]:
        """Returns the classes that are meant.

        Raises:
            UsageError: There is no such class.
        """
        from foveal.explanation.requests import class_indices

        if self.class_names:
            return class_indices(words, self.class_names)
        wrong = next((word for word in words if not word.isdecimal()), None)
        if wrong is not None:
            raise UsageError(
                f"The class {printable(wrong)!r} came, but this network's classes have no names.",
                next_step="Give the class by its number, from 0.",
            )
        return tuple(map(int, words))

    def num_classes(self) -> int:
        """Returns how many outputs the network has."""
        if self.class_names:
            return len(self.class_names)
        from foveal.graph import trace

        shape = (self.channels, self.preprocessing.height_px, self.preprocessing.width_px)
        return int(trace(self.network, shape, mode="eval").outputs[0].shape[1])

    def explain(
        self, files: Sequence[Path], asked_for: Asked, progress: Progress
    ) -> tuple[ExplainedPicture, ...]:
        """Explains picture files."""
        if self.run is not None:
            from foveal.runs.explaining import explain_run

            return explain_run(
                self.run, files, asked_for=asked_for, network=self.network, progress=progress
            )
        from foveal.explanation.pictures import explain_pictures

        return explain_pictures(
            self.network,
            files,
            preprocessing=self.preprocessing,
            class_names=self.class_names,
            asked_for=asked_for,
            channels=self.channels,
            progress=progress,
        )


@dataclass(frozen=True)
class Stated:
    """What the user says of a network that does not say it itself.

    Attributes:
        shape: (C, H, W) of what it takes; C is None where only the size was said.
        normalisation: ``mean`` and ``std``.
        class_names: Printable, in the order of its outputs.
    """

    shape: tuple[int | None, int, int] | None = None
    normalisation: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    class_names: tuple[str, ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """Returns what was said, as options of the command."""
        said = [] if self.shape is None else ["--input"]
        said += [f"--{name}" for name in self.normalisation]
        return (*said, *(["--classes"] if self.class_names else []))


def read_stated(
    shape: str | None, mean: str | None, std: str | None, classes: str | None
) -> Stated:
    """Returns what the options say.

    Args:
        shape: As 3x224x224, 224x224 or 224.
        mean: One number, or one a channel.
        std: Likewise.
        classes: Names with commas between them, or a text file with one a line.

    Raises:
        click.BadParameter: One of them cannot be read so.
    """
    from foveal.cli.network_images import read_normalisation

    names = () if classes is None else _read_names(classes)
    return Stated(
        None if shape is None else _read_shape(shape), read_normalisation(mean, std), names
    )


def _read_shape(text: str) -> tuple[int | None, int, int]:
    import click

    match = re.fullmatch(r"(?:(\d+)[x×,])?(?:(\d+)[x×,])?(\d+)", text.strip().lower())
    sizes = [int(part) for part in match.groups() if part is not None] if match else []
    if not sizes or min(sizes) < 1:
        raise click.BadParameter(
            f"got {text!r}, expected a size as 224 or 224x160, or channels, height and width as "
            "3x224x224.",
            param_hint="--input",
        )
    if len(sizes) == 3:
        return sizes[0], sizes[1], sizes[2]
    return None, sizes[0], sizes[-1]


def _read_names(text: str) -> tuple[str, ...]:
    import click

    if not Path(text).is_file():
        names = tuple(part.strip() for part in text.split(","))
    else:
        try:
            names = tuple(Path(text).read_text("utf-8-sig").splitlines())
        except (OSError, UnicodeDecodeError) as error:
            raise click.BadParameter(
                f"{printable(text)} cannot be read as UTF-8 text: {printable(str(error))}.",
                param_hint="--classes",
            ) from error
        names = tuple(name.strip() for name in names if name.strip())
    if not all(names) or not names or (len(names) == 1 and Path(names[0]).suffix):
        raise click.BadParameter(
            f"got {printable(text)!r}, expected names with commas between them, or a text file "
            "with one name a line.",
            param_hint="--classes",
        )
    return tuple(map(printable, names))


def open_subject(spec: str, *, pretrained: bool, stated: Stated | None = None) -> Subject:
    """Returns the run or network that ``spec`` names.

    Raises:
        RunError: It is a folder, but no sound run.
        ModelError: There is no such network, or it has no weights.
        UsageError: Something was said of a run, which knows it.
    """
    stated = stated or Stated()
    folder = Path(spec)
    is_timm_folder = (folder / "config.json").is_file() and not (folder / "manifest.json").exists()
    if folder.is_dir() and not is_timm_folder:
        from foveal.runs import load
        from foveal.runs.explaining import load_network

        if stated.options:
            raise UsageError(
                f"A run knows how its images are prepared and its classes' names; got "
                f"{', '.join(stated.options)}.",
                next_step="Leave them out.",
            )
        run = load(spec)
        return Subject(load_network(run.folder), run.preprocessing, run.class_names, run.notes, run)
    return _open_network(spec, stated, has_weights=pretrained or folder.is_dir())


def _open_network(spec: str, stated: Stated, *, has_weights: bool) -> Subject:
    from foveal.cli.network_images import preprocessing_of
    from foveal.graph import trace
    from foveal.models.sources import resolve_model

    resolved = resolve_model(spec, weights="pretrained" if has_weights else "none")
    if any(parameter.is_meta for parameter in resolved.network.parameters()):
        raise UsageError(
            f"{resolved.name} has no weights, so it answers nothing that could be explained.",
            next_step="Add --pretrained, or give a run folder or file.py:factory.",
        )
    shape = resolved.input_shape
    if stated.shape is not None:
        shape = (stated.shape[0] or shape[0], *stated.shape[1:])
    if shape[0] not in (1, 3):
        raise UsageError(
            f"Pictures are fed in colour or in grey, and {resolved.name} takes {shape[0]} "
            "channels.",
            next_step="From Python, foveal.explain(model, images) takes any batch.",
        )
    trace(resolved.network, shape, mode="eval")  # a size that it refuses is told before the work
    normalisation = dict(stated.normalisation)
    if shape[0] == 1:
        # One number for all three, so that grey of the normalised is the normalised grey.
        normalisation = {
            name: (numbers[0],) * 3 for name, numbers in {**_GREY, **normalisation}.items()
        }
    preprocessing, origin = preprocessing_of(resolved, (3, *shape[1:]), stated=normalisation)
    if len(normalisation) != len(stated.normalisation):
        origin = f"of {', '.join(map(str, _GREY['mean']))} each, assumed"
    notes = [f"Pictures are fed with the mean and std {origin}."]
    if stated.shape is None and resolved.input_origin == "assumed":
        notes.append(f"They are fed at {shape[1]} x {shape[2]} px, assumed; --input says another.")
    return Subject(
        resolved.network,
        preprocessing,
        stated.class_names or _own_names(resolved.network),
        (*notes, *resolved.notes),
        None,
        1 if shape[0] == 1 else 3,
    )


def _own_names(network: nn.Module) -> tuple[str, ...]:
    """Returns the names that timm states, where they are those of this network's outputs."""
    config = getattr(network, "pretrained_cfg", None) or {}
    names = tuple(config.get("label_names") or ()) if hasattr(config, "get") else ()
    fits = len(names) == getattr(network, "num_classes", len(names))
    return tuple(map(printable, names)) if fits else ()
