"""What every kind of classifier over a frozen network can do, and what makes such classifiers.

Everything above this room (maps, run folder, report) works with :class:`FoldModel` alone and
does not know which kind it has.

To add a kind:

1. Write a class with the members of :class:`FoldModel`. ``reading`` says what it needs of the
   frozen network; a result that nothing gives yet (activations at a cut) is one more field of
   :class:`foveal.features.reading.Reading`, with what computes it.
2. Write its maker, :class:`FoldModelMaker`. ``fit_folds`` chooses every setting without the fold
   that is judged, by the groups of the problem. ``refit`` is used for the learning curve and for
   the comparison with random folds.
3. Enter the maker in ``foveal.training.makers.MAKERS``, the simplest first. Of several kinds the
   simplest is kept that none beats, by a paired test over groups.

``tests/training/test_fold_models.py`` runs over every row of that table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from foveal.evaluation import ModelDescription
from foveal.features.reading import Reading

if TYPE_CHECKING:
    from torch import nn

    from foveal.training.problem import Problem

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ExactMap:
    """Logits as a linear function of what is read: ``logits = read @ weight.T + bias``.

    What is read are means over positions, so the same weights give a class activation map at
    every position, whose mean plus bias is the logit (Zhou et al. 2016, equation 2).

    Attributes:
        weight: [K, D], float32.
        bias: [K], float32.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


class FoldModel(Protocol):
    """One fitted classifier over a frozen network. Frozen: nothing about it changes."""

    @property
    def reading(self) -> Reading:
        """What it is given of the frozen network."""
        ...

    def logits(self, read: NDArray[np.float32]) -> Floats:
        """Returns logits [N, K], float64, for what was read, [N, ...]."""
        ...

    def module(self) -> nn.Module:
        """Returns it as a module, [N, ...] → logits [N, K], to be exported behind the reading.

        In evaluation mode, differentiable in its input, with parameters of its own.
        """
        ...

    def exact_map(self) -> ExactMap | None:
        """Returns the weights of its class activation maps; ``None`` where it is not linear."""
        ...

    def whole_network(self, network: nn.Module) -> nn.Module | None:
        """Returns it as a network of the same kind as the frozen one, ``network``.

        That is the one file that other programs read. The network is left as it is, and the
        result is in evaluation mode. ``None`` where it is no such network.
        """
        ...

    def describe(self) -> ModelDescription:
        """Returns what it is, in words and as values."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FoldFits:
    """What a maker gives for all folds of a problem.

    Attributes:
        logits: [M, K], of the judged images in order, each from its fold's model.
        fold_models: By fold, the model that gave its logits and saw none of its images.
        model: The one that is kept: fitted on all images; for a hold-out, the fold's.
        detail: What there is to say when the step is over.
        facts: For the history, as JSON values.
    """

    logits: Floats
    fold_models: tuple[FoldModel, ...]
    model: FoldModel
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Images to fit on and images to answer, of one problem.

    Attributes:
        trained: [N], whether each image is fitted on.
        tested: [n], rows of the problem.
    """

    trained: NDArray[np.bool_]
    tested: NDArray[np.int64]


class FoldModelMaker(Protocol):
    """Fits one kind of classifier for every fold of a problem at once."""

    @property
    def kind(self) -> str:
        """One word, the same as in its models' descriptions."""
        ...

    def fit_folds(self, problem: Problem) -> FoldFits:
        """Returns out-of-fold logits and models.

        Settings for a fold are chosen without its images and without their groups. Of a
        hold-out (``problem.is_holdout``), images of fold 0 are judged by the one model, which
        is fitted on the others.
        """
        ...

    def refit(
        self,
        problem: Problem,
        splits: Sequence[Split],
        *,
        like: FoldModel,
        num_rows: int | None = None,
    ) -> list[NDArray[np.floating]]:
        """Returns, for each split, logits [n, K] of its tested images.

        Args:
            problem: The images.
            splits: Who is fitted on and who is answered.
            like: A model of this maker, whose settings are used as they are.
            num_rows: How many images those settings were chosen for: with fewer images the
                prior is kept, not the penalty on the mean loss, and a rough answer will do.
        """
        ...
