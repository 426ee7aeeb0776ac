"""What the heat maps of a run's held-out images show, as values: part of evaluation.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.schema import from_json, to_json
from foveal.shortcuts.border import MARGIN_SHARE, BorderReliance, describe_border
from foveal.shortcuts.marks import Shortcut
from foveal.shortcuts.separation import ClassSeparation
from foveal.shortcuts.simple_classifiers import NOT_LOOKED_FOR, SimpleResult, describe_simple


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedExample:
    """One held-out image with the map of the head that had not seen it.

    Attributes:
        row: Among the usable images.
        path: Printable.
        label_index: The class it is labelled with.
        predicted_index: The class that the head answered.
        probability: Of that answer, calibrated.
        fold: Whose head.
        predicted_map: [h, w], signed, for the class answered.
        label_map: The same for the class labelled.
    """

    row: int
    path: str
    label_index: int
    predicted_index: int
    probability: float
    fold: int
    predicted_map: NDArray[np.float32]
    label_map: NDArray[np.float32]

    @property
    def is_right(self) -> bool:
        """Whether the answer is the label."""
        return self.label_index == self.predicted_index


@dataclass(frozen=True, slots=True)
class ExplainedRun:
    """What was found.

    Attributes:
        class_names: Printable, in the order of every index.
        grid: (rows, columns) of the maps; None where there are none.
        num_images: Held-out images that the averages rest on.
        max_completeness_error: The largest difference, in logits, between a map's mean plus
            bias and the held-out logit that the run recorded; None where the maps are made of
            gradients, which are exact nowhere.
        separations: One a class that was looked at.
        shortcuts: The regions that give a class away.
        borders: The classes whose answers rest on what runs along the border; not looked for
            where a region was found.
        untested: Why the search for such regions was not made, or not for every class.
        examples: Right and wrong answers.
        simple: What classifiers reach that see nothing of what the images show.
        simple_reason: Why none was tried.
        reason: Why there are no maps at all.
    """

    class_names: tuple[str, ...]
    grid: tuple[int, int] | None = None
    num_images: int = 0
    max_completeness_error: float | None = None
    separations: tuple[ClassSeparation, ...] = ()
    shortcuts: tuple[Shortcut, ...] = ()
    borders: tuple[BorderReliance, ...] = ()
    untested: str | None = None
    examples: tuple[ExplainedExample, ...] = ()
    simple: tuple[SimpleResult, ...] = ()
    simple_reason: str | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns every value as JSON; :meth:`from_json` reads it."""
        content: dict[str, Any] = to_json(self)
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ExplainedRun:
        """Reads what :meth:`to_json` wrote, and nothing else.

        Raises:
            SchemaError: A field is missing, unknown, or cannot be; it is named.
        """
        return from_json(cls, content)

    def summary_json(self) -> dict[str, Any]:
        """Returns what a reader wants, in names and sentences; maps have four decimals."""
        from foveal.shortcuts.marks import describe_shortcut

        names = self.class_names
        return {
            "status": "complete" if self.reason is None else "unavailable",
            "reason": self.reason,
            # Without a closed form there is no such error.
            "method": "gradient" if self.grid and self.max_completeness_error is None else "cam",
            "grid": None if self.grid is None else list(self.grid),
            "num_images": self.num_images,
            "max_completeness_error": self.max_completeness_error,
            "shortcuts": [
                {
                    "class": names[one.suspicion.class_index],
                    "region": one.box.name,
                    "box": asdict(one.box),
                    "share": one.suspicion.share,
                    "area_share": one.box.area_share,
                    "covering": {
                        "num_images": one.trial.num_images,
                        "num_right": one.trial.num_right,
                        "num_changed": one.trial.num_changed,
                        "num_changed_elsewhere": one.trial.num_changed_elsewhere,
                        "lost_logits": one.trial.loss,
                        "lost_logits_elsewhere": one.trial.loss_elsewhere,
                    },
                    "sentence": describe_shortcut(one, class_name=names[one.suspicion.class_index]),
                }
                for one in self.shortcuts
            ]
            + [self._border_json(one) for one in self.borders],
            "untested": self.untested,
            "simple_classifiers": [
                {
                    **asdict(one),
                    "reaches_the_network": one.reaches_the_network,
                    "sentence": describe_simple(one) if one.reaches_the_network else None,
                }
                for one in self.simple
            ],
            "simple_classifiers_reason": self.simple_reason,
            "not_looked_for": NOT_LOOKED_FOR,
            "classes": [
                {
                    "class": names[one.class_index],
                    "num_images": one.num_images,
                    "gap_logits": one.gap,
                    "outside_centre_share": one.outside_share,
                    "outside_centre_area": one.outside_area,
                    "separation_map": _rounded(one.values),
                }
                for one in self.separations
            ],
            "examples": [
                {
                    "path": one.path,
                    "label": names[one.label_index],
                    "predicted": names[one.predicted_index],
                    "probability": one.probability,
                    "fold": one.fold,
                    "map": _rounded(one.predicted_map),
                }
                for one in self.examples
            ],
        }

    def _border_json(self, one: BorderReliance) -> dict[str, Any]:
        name = self.class_names[one.class_index]
        return {
            "class": name,
            "region": "border all around",
            "box": None,
            "share": next(
                item.outside_share
                for item in self.separations
                if item.class_index == one.class_index
            ),
            "area_share": 1 - (1 - 2 * MARGIN_SHARE) ** 2,
            "covering": {
                "num_images": one.num_images,
                "num_right": one.num_right,
                "num_changed": one.num_changed,
                "num_changed_elsewhere": None,
                "lost_logits": one.loss,
                "lost_logits_elsewhere": None,
            },
            "sentence": describe_border(one, class_name=name),
        }


def _rounded(values: NDArray[Any]) -> list[list[float]]:
    rows: list[list[float]] = np.round(values.astype(np.float64), 4).tolist()
    return rows
