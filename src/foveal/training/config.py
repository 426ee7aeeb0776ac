"""What can be chosen about a training, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from foveal.dataset import DataOptions, GroupOptions
from foveal.dataset.scan import FrameRule
from foveal.errors import UsageError
from foveal.evaluation.operating_rule import Rule
from foveal.finetuning.settings import (
    DEFAULT_HEAD_RATE,
    OptimizerName,
    Recipe,
    from_scratch,
    read_budget,
)
from foveal.images import VIEWS, Fit, FrameChoice, View, check_window_choice
from foveal.images.augmentation import find_policy
from foveal.images.frames import check_frame_choice
from foveal.models import DEFAULT_BACKBONE
from foveal.models.backbone import NoWeights, starts_at_random
from foveal.text import near_names
from foveal.training.operating_choice import read_choice

ClassWeights = Literal["auto", "balanced", "none"]
Conditional = Literal["marginal", "class"]
HeadChoice = Literal["auto", "linear", "stages", "kernel", "kernel-flips"]
FineTune = Literal["none", "auto", "always"]


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """The choices of one training; every one of them is written into the run.

    Attributes:
        backbone: A timm model whose classifier is linear over a pooled vector, or one of Foveal's
            catalogue, such as ``"foveal:resnet20"``.
        weights: A local checkpoint for it; ``"none"`` for a random start; by default, packaged or
            hub weights. A network of Foveal's catalogue always starts at random.
        size_px: Height and width of the network's input; by default, what the weights expect.
        fit: How an image that is not square meets a square input.
        window: How grey levels of more than 8 bits, and of DICOM, become the network's [0, 1]:
            a word of ``foveal.images.WindowChoice``, or two levels such as ``"-160:240"``.
        frames: Which frame stands for a file that holds several (DICOM, TIFF, GIF …): "middle",
            a number from 1 on, or "each" to make every frame an image of one group.
        views: Views whose features are averaged, at training and at prediction.
        num_folds: Folds of the cross-validation.
        test_size: A share to hold out instead of cross-validating.
        seed: Fixes folds, bootstraps and subsamples.
        alpha: Share of true labels that prediction sets may miss.
        conditional: Whether coverage is promised over all images or for each class.
        class_weights: ``"balanced"`` makes every class count the same; ``"auto"`` does so
            when the commonest class has over five times the images of the rarest. Weights
            shift the probabilities towards rare classes, so mild imbalance is left alone.
        head: What is fitted over the frozen network: ``"linear"`` (one linear layer over its last
            pooled vector), ``"stages"`` (one over the pooled results of all stages), ``"kernel"``
            (an RBF kernel a stage), ``"kernel-flips"`` (the same on the mean over four flips, four
            passes an image), or ``"auto"``: the simplest of them that none beats, by a paired test
            over groups. The flips are among them where fine-tuning has a budget that allows it.
        backend: A feature backend by name, instead of the fastest.
        features: A folder of parts with features, by ``foveal predict --shards --features``; what
            it holds is not computed. Needs a linear head, one view and the backend onnxruntime.
        num_workers: Threads that decode; by default, one a core.
        groups: Where groups come from.
        anonymous_paths: Whether files and groups appear under numbers everywhere in the run;
            which is which is written to a private table beside it.
        reading: How the data are read where their form leaves a choice.
        fine_tune: Whether the last part of the network is trained too: ``"none"``; ``"auto"``
            keeps that only where it is better out of fold; ``"always"``.
        budget: Time for fine-tuning, such as ``"5m"``: chooses cut, views and epochs.
        unfreeze: What is trained instead: ``"2-stages"``, a layer and all after it, ``"all"``.
        augment: How images are changed to train on: a policy of ``foveal.images.augmentation``, or
            several joined by ``+``. One that mixes images trains the whole network.
        resume: The checkpoints of a fine-tuning that was stopped, to go on with.
        remove_bank: Whether the bank of activations is deleted in the end.
        train_batchnorm: Whether batch norms of the trained part learn statistics of their own.
        optimizer: ``"adamw"`` or ``"sgd"`` (Nesterov momentum 0.9).
        head_rate: Learning rate of the classifier; that of the network's first layer is a
            hundredth of it.
        tuning_seeds: Trainings from one start in every fold, whose weights are averaged.
        soft_labels: Columns of the table with shares of the classes, each as ``"COLUMN=CLASS"``,
            for every class or all but one. Fine-tuning learns these shares; frozen heads and all
            evidence go by the label, which must be the likeliest class.
        subgroups: Columns of the table whose values part the images into subgroups that get
            figures of their own, beside those that the images part into by themselves.
        ordered: The classes from lowest to highest, as ``"mild<moderate<severe"``; ``"none"``
            where they have no order; by default, the order that their numbers tell, if any.
        operate: What an operating point should do, such as ``"sensitivity>=0.95 for defective"``:
            the label is that class from a probability on that is chosen so.
        costs: What mistakes cost instead, such as ``"missed=10,false=1 for defective"``, or a CSV
            file of two classes; kept as the text that it stands for.
        prevalence: A share in (0, 1) of images of that class at which PPV and NPV are told too.
    """

    backbone: str = DEFAULT_BACKBONE
    weights: Path | NoWeights | None = None
    size_px: int | None = None
    fit: Fit = "squash"
    window: str = "set"
    frames: FrameRule = "middle"
    views: tuple[View, ...] = ("identity",)
    num_folds: int = 5
    test_size: float | None = None
    seed: int = 0
    alpha: float = 0.1
    conditional: Conditional = "marginal"
    class_weights: ClassWeights = "auto"
    head: HeadChoice = "auto"
    backend: str | None = None
    features: Path | None = None
    num_workers: int | None = None
    groups: GroupOptions = field(default_factory=GroupOptions)
    anonymous_paths: bool = False
    reading: DataOptions = field(default_factory=DataOptions)
    fine_tune: FineTune = "none"
    budget: str | None = None
    unfreeze: str | None = None
    augment: str = "light"
    resume: Path | None = None
    remove_bank: bool = False
    train_batchnorm: bool = False
    optimizer: OptimizerName = "adamw"
    head_rate: float = DEFAULT_HEAD_RATE
    tuning_seeds: int = 1
    soft_labels: tuple[str, ...] = ()
    subgroups: tuple[str, ...] = ()
    ordered: str | None = None
    operate: str | None = None
    costs: str | None = None
    prevalence: float | None = None

    def __post_init__(self) -> None:
        if self.features is not None:
            self._require_parts_to_fit()
        if not 0 < self.alpha < 1:
            raise UsageError(
                f"alpha is the share of true labels that prediction sets may miss: "
                f"got {self.alpha:g}, expected a number between 0 and 1.",
                next_step="Use 0.1 for sets that hold the true label in 90% of images.",
            )
        if self.size_px is not None and not 16 <= self.size_px <= 4096:
            raise UsageError(
                f"input size: got {self.size_px} pixels, expected 16 to 4096.",
                next_step="Leave --size out to use the size the weights were trained for.",
            )
        for name, value, least in (
            ("number of folds", self.num_folds, 2),
            ("number of workers", self.num_workers, 1),
            ("seed", self.seed, 0),
        ):
            if value is not None and value < least:
                raise UsageError(
                    f"{name}: got {value}, expected at least {least}.",
                    next_step="Leave it out to use the default.",
                )
        if self.test_size is not None and not 0 < self.test_size < 1:
            raise UsageError(
                f"test share: got {self.test_size:g}, expected a number between 0 and 1.",
                next_step="Use 0.2 to set a fifth of the images aside.",
            )
        _require_known("fit", self.fit, get_args(Fit))
        _require_known("class weighting", self.class_weights, get_args(ClassWeights))
        _require_known("head", self.head, get_args(HeadChoice))
        _require_known("kind of coverage", self.conditional, get_args(Conditional))
        check_window_choice(self.window)
        if self.frames != "each":
            check_frame_choice(self.frames)
        if not self.views:
            raise UsageError("At least one view is needed.", next_step="Use --views identity.")
        for view in self.views:
            _require_known("view", view, VIEWS)
        _require_known("choice of fine-tuning", self.fine_tune, get_args(FineTune))
        find_policy(self.augment)
        if self.head == "kernel-flips" and self.views != ("identity",):
            raise UsageError(
                "--head kernel-flips reads four views of its own; "
                f"got --views {','.join(self.views)}.",
                next_step="Leave --views out, or use --head kernel.",
            )
        self._check_fine_tuning()
        if self.costs is not None and (rule := self.rule) is not None:
            object.__setattr__(self, "costs", rule.text)  # no file is read a second time
        else:
            _ = self.rule

    def recipe(self) -> Recipe:
        """Returns how the trained part is trained, but for what the budget decides.

        Raises:
            UsageError: A choice is out of range.
        """
        mixings = find_policy(self.augment).mixings
        recipe = Recipe(
            seed=self.seed,
            precision="auto",
            train_batchnorm=self.train_batchnorm,
            optimizer=self.optimizer,
            head_rate=self.head_rate,
            first_rate=self.head_rate / 100,
            num_seeds=self.tuning_seeds,
        )
        if self.is_from_scratch:
            recipe = from_scratch(recipe)
        if not mixings:
            return recipe
        return replace(recipe, mixup=float("mixup" in mixings), cutmix=float("cutmix" in mixings))

    def _check_fine_tuning(self) -> None:
        if self.budget is not None:
            read_budget(self.budget)
        self.recipe()
        if self.is_from_scratch:
            if self.fine_tune == "none":
                raise UsageError(
                    f"{self.backbone} starts at random: a backbone that knows nothing gives "
                    "features that say nothing.",
                    next_step="Add --fine-tune always to train all of it, or take a backbone with "
                    "pretrained weights.",
                )
            if self.unfreeze not in (None, "all"):
                raise UsageError(
                    f"{self.backbone} starts at random, so all of it must be trained; got "
                    f"--unfreeze {self.unfreeze}.",
                    next_step="Use --unfreeze all, or leave it out.",
                )
        if self.fine_tune == "none":
            for option, value in (
                ("--budget", self.budget),
                ("--unfreeze", self.unfreeze),
                ("--soft-labels", self.soft_labels or None),
                ("--resume", self.resume),
                ("--train-batchnorm", self.train_batchnorm or None),
                ("--optimizer", None if self.optimizer == "adamw" else self.optimizer),
                ("--head-rate", None if self.head_rate == DEFAULT_HEAD_RATE else self.head_rate),
                ("--tuning-seeds", None if self.tuning_seeds == 1 else self.tuning_seeds),
            ):
                if value is not None:
                    raise UsageError(
                        f"{option} is about fine-tuning, which is not asked for.",
                        next_step="Add --fine-tune auto.",
                    )
        elif find_policy(self.augment).mixings and self.unfreeze not in (None, "all"):
            raise UsageError(
                f"--augment {self.augment} mixes images, so the whole network must be trained on "
                f"them; got --unfreeze {self.unfreeze}.",
                next_step="Use --unfreeze all, or a policy without mixup and cutmix.",
            )
        elif self.views != ("identity",):
            raise UsageError(
                "Views that are averaged at prediction and fine-tuning do not go together yet; "
                f"got --views {','.join(self.views)}.",
                next_step="Leave --views out, and choose the views that are trained on with "
                "--augment.",
            )

    @property
    def is_from_scratch(self) -> bool:
        """Whether the network starts at random."""
        return starts_at_random(self.backbone, self.weights)

    @property
    def rule(self) -> Rule | None:
        """What an operating point should do, if one was asked for."""
        return read_choice(self.operate, self.costs, self.prevalence)

    @property
    def frame(self) -> FrameChoice:
        """The frame that stands for a file whose path names none."""
        return "middle" if self.frames == "each" else self.frames

    def _require_parts_to_fit(self) -> None:
        """Refuses choices under which features of parts would not be what is read."""
        wrong = [
            f"{name} {value!r}, expected {wanted!r}"
            for name, value, wanted in (
                ("head", self.head, "linear"),
                ("backend", self.backend or "onnxruntime", "onnxruntime"),
                ("views", ",".join(self.views), "identity"),
            )
            if value != wanted
        ]
        if wrong:
            raise UsageError(
                f"features: parts hold the last pooled vector of one view, but got {wrong[0]}.",
                next_step="Add --head linear, or leave --features out to compute what is read.",
            )


def _require_known(noun: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        near = near_names(word, known)
        raise UsageError(
            f"There is no {noun} named {word!r}.",
            next_step=f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}.",
        )
