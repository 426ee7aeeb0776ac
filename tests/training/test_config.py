"""A choice that makes no sense is refused before any work is done."""

from __future__ import annotations

import pytest

from foveal.errors import UsageError
from foveal.images import VIEWS
from foveal.training import TrainConfig


def test_defaults_are_accepted() -> None:
    config = TrainConfig()
    assert config.views == ("identity",)
    assert config.num_folds == 5


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"alpha": 0.0}, "got 0, expected a number between 0 and 1"),
        ({"alpha": 1.0}, "got 1, expected a number between 0 and 1"),
        ({"size_px": 15}, "got 15 pixels, expected 16 to 4096"),
        ({"size_px": 4097}, "got 4097 pixels, expected 16 to 4096"),
        ({"num_folds": 1}, "number of folds: got 1, expected at least 2"),
        ({"num_workers": 0}, "number of workers: got 0, expected at least 1"),
        ({"seed": -1}, "seed: got -1, expected at least 0"),
        ({"test_size": 0.0}, "test share: got 0, expected a number between 0 and 1"),
        ({"test_size": 1.0}, "test share: got 1, expected a number between 0 and 1"),
        ({"views": ()}, "At least one view is needed"),
        ({"views": ("identity", "hflp")}, r"no view named 'hflp'.\nDid you mean hflip\?"),
        ({"fit": "sqash"}, r"no fit named 'sqash'.\nDid you mean squash\?"),
        ({"class_weights": "balance"}, r"no class weighting named 'balance'(.|\n)*balanced"),
        ({"augment": "crop+cutmux"}, r"no augmentation named 'cutmux'.\nDid you mean cutmix\?"),
        (
            {"augment": "flip+cutmix", "fine_tune": "auto", "unfreeze": "2-stages"},
            "mixes images, so the whole network must be trained on them; got --unfreeze 2-stages",
        ),
        ({"conditional": "zzz"}, "no kind of coverage named 'zzz'.\nKnown: marginal, class."),
    ],
)
def test_senseless_choice_is_refused(choice: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainConfig(**choice)  # type: ignore[arg-type]


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_accepted(view: str) -> None:
    assert TrainConfig(views=(view,)).views == (view,)  # type: ignore[arg-type]


def test_mixing_policies_decide_how_batches_are_mixed() -> None:
    usual = TrainConfig().recipe()
    assert usual.cutmix == 0
    assert TrainConfig(augment="crop+cutout").recipe() == usual
    cut = TrainConfig(augment="crop+cutmix", fine_tune="auto", unfreeze="all").recipe()
    assert (cut.mixup, cut.cutmix) == (0, 1)
    both = TrainConfig(augment="mixup+cutmix", fine_tune="auto").recipe()
    assert (both.mixup, both.cutmix) == (1, 1)
