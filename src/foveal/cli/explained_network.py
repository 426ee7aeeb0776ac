"""RUN as people type it after ``foveal explain``: a run, or any other network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from foveal.errors import UsageError
from foveal.text import printable

if TYPE_CHECKING:
    from torch import nn

    from foveal.explain.pictures import Asked, ExplainedPicture
    from foveal.images import Preprocessing
    from foveal.runs import Classifier

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Subject:
    """What is explained.

    Attributes:
        network: With weights.
        preprocessing: How it wants its pictures.
        class_names: Printable; empty where nobody named them.
        notes: What the reader should know.
        run: The run, where it is one.
    """

    network: nn.Module
    preprocessing: Preprocessing
    class_names: tuple[str, ...]
    notes: tuple[str, ...]
    run: Classifier | None

    def indices(self, words: Sequence[str]) -> tuple[int, ...]:
        """Returns the classes that are meant.

        Raises:
            UsageError: There is no such class.
        """
        from foveal.runs.explaining import class_indices

        if self.class_names:
            return class_indices(words, self.class_names)
        wrong = next((word for word in words if not word.isdecimal()), None)
        if wrong is not None:
            raise UsageError(
                f"The class {printable(wrong)!r} came, but this network's classes have no names.",
                next_step="Give the class by its number, from 0.",
            )
        return tuple(map(int, words))

    def explain(
        self, files: Sequence[Path], asked_for: Asked, progress: Progress
    ) -> tuple[ExplainedPicture, ...]:
        """Explains picture files."""
        if self.run is not None:
            from foveal.runs.explaining import explain_run

            return explain_run(
                self.run, files, asked_for=asked_for, network=self.network, progress=progress
            )
        from foveal.explain.pictures import explain_pictures

        return explain_pictures(
            self.network,
            files,
            preprocessing=self.preprocessing,
            class_names=self.class_names,
            asked_for=asked_for,
            progress=progress,
        )


def open_subject(spec: str, *, pretrained: bool) -> Subject:
    """Returns the run or network that ``spec`` names.

    Raises:
        RunError: It is a folder, but no sound run.
        ModelError: There is no such network, or it has no weights.
    """
    folder = Path(spec)
    is_timm_folder = (folder / "config.json").is_file() and not (folder / "manifest.json").exists()
    if folder.is_dir() and not is_timm_folder:
        from foveal.runs import load
        from foveal.runs.explaining import load_network

        run = load(spec)
        return Subject(load_network(run.folder), run.preprocessing, run.class_names, run.notes, run)
    return _open_network(spec, has_weights=pretrained or folder.is_dir())


def _open_network(spec: str, *, has_weights: bool) -> Subject:
    from foveal.cli.network_images import preprocessing_of
    from foveal.models.sources import resolve_model

    resolved = resolve_model(spec, weights="pretrained" if has_weights else "none")
    if any(parameter.is_meta for parameter in resolved.network.parameters()):
        raise UsageError(
            f"{resolved.name} has no weights, so it answers nothing that could be explained.",
            next_step="Add --pretrained, or give a run folder or file.py:factory.",
        )
    if resolved.input_shape[0] != 3:
        raise UsageError(
            f"Pictures are fed in colour, and {resolved.name} takes {resolved.input_shape[0]} "
            "channels.",
            next_step="From Python, foveal.explain(model, images) takes any batch.",
        )
    preprocessing, origin = preprocessing_of(resolved, resolved.input_shape)
    config = getattr(resolved.network, "pretrained_cfg", None) or {}
    names = config.get("label_names") if hasattr(config, "get") else None
    return Subject(
        resolved.network,
        preprocessing,
        tuple(map(printable, names or ())),
        (f"Pictures are fed with the mean and std {origin}.", *resolved.notes),
        None,
    )
