"""A finished run, loaded to answer for new images."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ImageError, RunAlteredError
from foveal.evaluation import Evidence, NoveltyReference, predict_sets, score_novelty
from foveal.evaluation.drift import project
from foveal.evaluation.operating_point import OperatingPoint, decide
from foveal.evaluation.wording import describe_interval, describe_judged
from foveal.features import num_cores, stream_batches
from foveal.images import Preprocessing, View, version_differences
from foveal.runs.folder import (
    CONFIG_NAME,
    EVALUATION_NAME,
    EXPLANATIONS_NAME,
    NOVELTY_NAME,
    ONNX_NAME,
    OUT_OF_FOLD_NAME,
    PREPROCESSING_NAME,
    WEIGHTS_NAME,
    read_manifest,
    verify_files,
)
from foveal.runs.named_images import NamedImage, name_images
from foveal.runs.notebook import columns, overview
from foveal.runs.reading import read_evidence, read_explanations, read_run
from foveal.text import count_noun, printable

if TYPE_CHECKING:
    from foveal.dataset import Audit
    from foveal.dataset.scan import FrameRule
    from foveal.explanation.images import ExplainedImage
    from foveal.models import Network
    from foveal.shortcuts.explained_run import ExplainedRun

FILES_FOR_PREDICTION = (
    CONFIG_NAME,
    ONNX_NAME,
    EVALUATION_NAME,
    PREPROCESSING_NAME,
    NOVELTY_NAME,
)
"""What a run's folder must hold, beside its manifest, to answer for images."""

# A run that is replaced again and again while it is read is given up.
_NUM_READINGS = 5

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one image, or why there is none.

    Attributes:
        path: As given, printable.
        label: The likeliest class, or the one by the run's operating point; ``None`` where the
            image could not be read.
        probability: Its calibrated probability.
        probabilities: One a class, calibrated, adding up to 1.
        prediction_set: The classes that cannot be ruled out.
        is_unsure: Whether the set holds more, or less, than one class.
        is_unlike_training: Whether the image is unlike those trained on.
        novelty: How unlike; about 1 for an ordinary image.
        error: Why there is no answer.
        logits: One a class, before calibration.
        projected: Its features under the fixed projection of ``foveal.evaluation.drift``, [64].
    """

    path: str
    label: str | None = None
    probability: float | None = None
    probabilities: tuple[float, ...] = ()
    prediction_set: tuple[str, ...] = ()
    is_unsure: bool | None = None
    is_unlike_training: bool | None = None
    novelty: float | None = None
    error: str | None = None
    logits: tuple[float, ...] = field(default=(), repr=False)
    projected: NDArray[np.float16] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """One image with its answer, and the features [D] that were read of it, if it was read."""

    image: NamedImage
    prediction: Prediction
    features: NDArray[np.float32] | None


@dataclass(slots=True)
class _Kept:
    """What is built once, when it is first needed."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    network: Network | None = None


@dataclass(frozen=True, repr=False)
class Classifier:
    """A run's classifier.

    Attributes:
        folder: The run.
        class_names: K names, in the order of every array.
        preprocessing: The one way images enter.
        evidence: What was measured when it was trained; ``evaluation.json`` as values.
        temperature: Applied to the logits.
        set_thresholds: [K], the probability at which a class enters the prediction set.
        novelty: Tells unlike images.
        notes: What a reader of its answers should know, one sentence each: that images are
            decoded by other versions here than where the run was made.
        manifest: ``manifest.json``, as it was when the run was loaded.
        views: Whose features are averaged.
    """

    folder: Path
    class_names: tuple[str, ...]
    preprocessing: Preprocessing
    evidence: Evidence
    temperature: float
    set_thresholds: NDArray[np.float64]
    novelty: NoveltyReference
    notes: tuple[str, ...]
    manifest: dict[str, Any]
    views: tuple[View, ...]
    _session: Any
    _kept: _Kept = field(default_factory=_Kept, init=False, compare=False)

    @property
    def operating_point(self) -> OperatingPoint | None:
        """From which probability on a class is the label; ``None`` where the likeliest is it."""
        operating = self.evidence.operating
        return None if operating is None or operating.chosen is None else operating.chosen.point

    @property
    def frames(self) -> FrameRule:
        """Which frame of a file that holds several it was trained on."""
        config = self.manifest.get("config")
        is_each = isinstance(config, dict) and config.get("frames") == "each"
        return "each" if is_each else self.preprocessing.frame

    @property
    def audit(self) -> Audit:
        """What is wrong with the data that it was trained on."""
        self.verify_files(EVALUATION_NAME)
        return read_evidence(self.folder)[1]

    @property
    def explanations(self) -> ExplainedRun:
        """Where its held-out answers come from, with every map."""
        self.verify_files(EXPLANATIONS_NAME)
        return read_explanations(self.folder)

    def verify_files(self, *names: str) -> None:
        """Checks further files of the run against the manifest that it was loaded with.

        Raises:
            RunAlteredError: The run was replaced since it was loaded, or one is altered.
        """
        if read_manifest(self.folder) != self.manifest:
            raise RunAlteredError(
                f"{printable(str(self.folder))} was replaced since it was loaded.",
                next_step="Load it again.",
            )
        verify_files(self.folder, self.manifest, names)

    def predict(
        self,
        images: Any,
        *,
        num_workers: int | None = None,
        progress: Progress | None = None,
    ) -> tuple[Prediction, ...]:
        """Answers for images, in order; one that cannot be read is a row with an error.

        Args:
            images: One image or several: paths of files and folders, patterns such as
                ``"day*/*.png"``, bytes of a file, open binary files, PIL images, or arrays
                ``uint8`` [H, W], [H, W, 3], [H, W, 4] and ``uint16`` [H, W]; also one
                array of several, ``uint8`` [N, H, W, 3].
            num_workers: Threads; by default one a core.
            progress: Called with (done, total).

        Raises:
            UsageError: Something among them is no image, or the folders hold none.
        """
        return self.answer(name_images(images), num_workers=num_workers, progress=progress)

    def answer(
        self,
        images: Sequence[NamedImage],
        *,
        num_workers: int | None = None,
        progress: Progress | None = None,
    ) -> tuple[Prediction, ...]:
        """Answers for images that have names; what :meth:`predict` calls."""
        predictions: list[Prediction] = []
        for batch in self.stream(images, num_workers=num_workers):
            predictions += [one.prediction for one in batch]
            if progress is not None:
                progress(len(predictions), len(images))
        return tuple(predictions)

    def stream(
        self, images: Iterable[NamedImage], *, num_workers: int | None = None
    ) -> Generator[tuple[Answered, ...]]:
        """Yields answers batch by batch, in order; few batches are in memory at a time."""
        for batch, outcomes in self._stream(images, num_workers):
            yield tuple(
                Answered(one, Prediction(one.name, error=outcome.message), None)
                if isinstance(outcome, ImageError)
                else Answered(one, replace(outcome[0], path=one.name), outcome[1])
                for one, outcome in zip(batch, outcomes, strict=True)
            )

    def classify(self, inputs: NDArray[np.float32]) -> list[Prediction]:
        """Answers for images that are prepared already, without names.

        An answer does not depend on the images beside it. Safe to call from several threads.

        Args:
            inputs: [n, 3, H, W], as :attr:`preprocessing` gives them.
        """
        return [prediction for prediction, _ in self._run(inputs)]

    def network(self) -> Network:
        """Returns the run's network in PyTorch; its weights are read and checked once.

        Safe to call from several threads.

        Raises:
            RunAlteredError: The weights are not as they were written, or the run was replaced
                since it was loaded.
        """
        from foveal.models import open_network

        with self._kept.lock:
            if self._kept.network is None:
                self.verify_files(WEIGHTS_NAME)
                self._kept.network = replace(
                    open_network(self.folder),
                    source="run",
                    preprocessing=self.preprocessing,
                    class_names=self.class_names,
                    views=self.views,
                    temperature=self.temperature,
                    digest=self.manifest["files"][WEIGHTS_NAME]["sha256"],
                    notes=self.notes,
                )
            return self._kept.network

    def explain(
        self,
        images: Any,
        *,
        classes: Sequence[str | int] | str | int | None = None,
        method: str = "auto",
        layer: str | None = None,
        effort: Literal["quick", "full"] = "quick",
        labels: Literal["auto", "exclusive", "independent"] = "auto",
        progress: Progress | None = None,
    ) -> tuple[ExplainedImage, ...]:
        """Shows where in images the answers come from, with a verdict on every map.

        Args:
            images: As for :meth:`predict`; one that cannot be read is a row with an error.
            classes: Names or indices, or ``"all"``; each image's likeliest class if None.
            method: See ``foveal.explanation.methods.list_methods()``; ``"auto"`` suits every run.
            layer: An operation or module of the network; the method's own choice if None.
            effort: How much the verdict tries.
            labels: Whether the classes exclude one another; ``"auto"`` finds it in the network.
            progress: Called with (done, total).

        Raises:
            UsageError: Class, method or layer do not exist.
            RunAlteredError: The weights have another digest than recorded, or the run was
                replaced since it was loaded.
        """
        from foveal.explanation.requests import Request, requested_classes
        from foveal.runs.explaining import explain_run

        return explain_run(
            self,
            name_images(images),
            request=Request(requested_classes(classes), method, layer, effort, labels=labels),
            progress=progress,
        )

    def table(self, name: Literal["classes", "images"] | str) -> dict[str, list[Any]]:
        """Returns held-out results as columns; ``pandas.DataFrame`` takes them as they are.

        Args:
            name: ``"classes"``: one row a class, with precision, recall, F1 and AUROC and the
                ends of their 95% intervals. ``"images"``: one row a judged image, with its
                label, group, fold, the class predicted out of fold, and a logit a class.

        Raises:
            UsageError: There is no such table.
            RunAlteredError: The file of the images is not as it was written.
        """
        if name == "images":
            self.verify_files(OUT_OF_FOLD_NAME)
        return columns(self.evidence, self.folder, name)

    def _repr_html_(self) -> str:
        """Returns the headline and the classes, for notebooks."""
        size_px = (self.preprocessing.height_px, self.preprocessing.width_px)
        return overview(self.evidence, self.folder, size_px=size_px)

    def __repr__(self) -> str:
        """Returns what it is and how well it does, in a few lines."""
        size = f"{self.preprocessing.height_px}×{self.preprocessing.width_px}"
        names = ", ".join(self.class_names[:6])
        more = len(self.class_names) - 6
        return (
            f"Classifier({str(self.folder)!r})\n"
            f"  {count_noun(len(self.class_names), 'class', 'classes')}: {names}"
            f"{f' and {more} more' if more > 0 else ''}\n"
            f"  accuracy {describe_interval(self.evidence.metrics.accuracy)}\n"
            f"  on {describe_judged(self.evidence)}\n"
            f"  input {size}, temperature {self.temperature:.3g}"
        )

    def _stream(self, named: Iterable[NamedImage], num_workers: int | None) -> Iterator[Any]:
        def load_image(one: NamedImage) -> NDArray[np.float32] | ImageError:
            try:
                return self.preprocessing.apply(one.source())
            except ImageError as error:
                return error

        return stream_batches(
            named,
            load_image,
            self._run,
            num_concurrent=num_cores(),
            num_workers=num_workers or max(2, num_cores()),
        )

    def _run(self, inputs: NDArray[np.float32]) -> list[tuple[Prediction, NDArray[np.float32]]]:
        """Returns answers without names, each with its features [D]."""
        names = ["probabilities", "logits", "features"]
        outputs = self._session.run(names, {"images": inputs})
        return [(self._describe(*one), one[2]) for one in zip(*outputs, strict=True)]

    def _describe(
        self,
        probabilities: NDArray[np.float32],
        logits: NDArray[np.float32],
        features: NDArray[np.float32],
    ) -> Prediction:
        members = predict_sets(probabilities[None].astype(np.float64), self.set_thresholds)[0]
        novelty = float(score_novelty(self.novelty, features[None])[0])
        best = int(decide(probabilities[None], self.operating_point)[0])
        return Prediction(
            path="",
            label=self.class_names[best],
            probability=float(probabilities[best]),
            probabilities=tuple(map(float, probabilities)),
            prediction_set=tuple(
                name for name, inside in zip(self.class_names, members, strict=True) if inside
            ),
            is_unsure=int(members.sum()) != 1,
            is_unlike_training=novelty > self.novelty.threshold,
            novelty=novelty,
            logits=tuple(map(float, logits)),
            projected=project(features[None])[0],
        )


def load(run: str | os.PathLike[str]) -> Classifier:
    """Loads a run for prediction, after checking that its files are as they were written.

    Raises:
        RunIncompleteError: The folder is missing, unfinished or no run.
        RunAlteredError: A file has another digest than recorded, or a field that cannot be.
    """
    folder = Path(run)
    for _ in range(_NUM_READINGS - 1):
        manifest = read_manifest(folder)
        with contextlib.suppress(RunAlteredError):
            classifier = _read(folder, manifest)
            if read_manifest(folder) == manifest:
                return classifier
        if read_manifest(folder) == manifest:
            break  # nobody replaced it meanwhile, so that it is the run itself
    return _read(folder, read_manifest(folder))


def _read(folder: Path, manifest: dict[str, Any]) -> Classifier:
    verify_files(folder, manifest, FILES_FOR_PREDICTION)
    stored = read_run(folder)
    return Classifier(
        folder=folder,
        class_names=stored.class_names,
        preprocessing=stored.preprocessing,
        evidence=stored.evidence,
        temperature=stored.temperature,
        set_thresholds=stored.set_thresholds,
        novelty=stored.novelty,
        notes=_version_notes(stored.decoders),
        manifest=manifest,
        views=stored.views,
        _session=stored.session,
    )


def _version_notes(recorded: Mapping[str, str]) -> tuple[str, ...]:
    differing = version_differences(recorded)
    if not differing:
        return ()
    return (
        "Other versions of what decodes images are installed here than where this run was made, "
        "so pixels of JPEG, WebP, AVIF and DICOM files may differ slightly: "
        f"{printable('; '.join(differing))}.",
    )
