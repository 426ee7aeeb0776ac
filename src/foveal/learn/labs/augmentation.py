"""Augmentation: the gap between training and validation with each policy, and without any."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from foveal.learn.labs.digits import load_digits
from foveal.learn.labs.lab import (
    Chart,
    Lab,
    LabResult,
    Point,
    Series,
    Settings,
    difference_interval,
    find,
    mean_interval,
    spoken,
)
from foveal.learn.labs.real_images import load_real_images
from foveal.learn.labs.training import Augment, accuracy, fit, log_loss, seeded

_NUM_TRAIN, _NUM_TEST = 100, 600
_RATE = 0.02
_SIDE_PX = 32


def run(settings: Settings) -> LabResult:
    """Trains one small network with each policy and measures it on both parts, unchanged."""
    num_epochs = 20 if settings.is_small else 60
    policies = tuple(policy for policy in _POLICIES if not settings.is_small or policy[0] in _SMALL)
    names = tuple(name for name, _ in policies)
    gaps: dict[str, list[float]] = {name: [] for name in names}
    trained: dict[str, list[float]] = {name: [] for name in names}
    validated: dict[str, list[float]] = {name: [] for name in names}
    images, labels, num_classes, source = _pool(settings)
    num_train = min(_NUM_TRAIN, len(images) // 2)
    for done, seed in enumerate(settings.seeds):
        order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
        train, test = order[:num_train], order[num_train : num_train + _NUM_TEST]
        for name, make in policies:
            network = seeded(partial(_network, tuple(images.shape[1:]), num_classes), seed)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                fit(
                    network,
                    images[train],
                    labels[train],
                    num_epochs=num_epochs,
                    seed=seed,
                    rate=_RATE,
                    augment=make(images.shape[2], num_classes),
                    batch_size=25,
                    last_share=0.05,
                )
            trained[name].append(accuracy(network, images[train], labels[train]))
            validated[name].append(accuracy(network, images[test], labels[test]))
            gaps[name].append(
                log_loss(network, images[test], labels[test])
                - log_loss(network, images[train], labels[train])
            )
        settings.progress(done + 1, settings.num_seeds)
    shown = {name: mean_interval(values) for name, values in gaps.items()}
    shrunk = difference_interval(gaps[_NONE], gaps[_CROP])
    flipped = difference_interval(gaps[_FLIP], gaps[_NONE])
    finding = find(shrunk)
    is_worse = settings.data is None and find(flipped) == "shown"
    return LabResult(
        header=("policy", "accuracy: training", "validation", "gap in loss (nats)"),
        rows=tuple(
            (
                name,
                f"{mean_interval(trained[name]).estimate:.3f}",
                spoken(mean_interval(validated[name])),
                spoken(shown[name], digits=2),
            )
            for name in names
        ),
        chart=Chart(
            title="The gap that is left with each policy",
            x_label="policy",
            y_label="validation loss minus training loss, in nats",
            series=(Series("gap", tuple(Point(name, one) for name, one in shown.items())),),
        ),
        finding=finding,
        sentence=f"Without augmentation the validation loss is {spoken(shown[_NONE], digits=2)} "
        f"above the training loss; with padded crops {spoken(shown[_CROP], digits=2)}. The gap "
        f"shrinks by {spoken(shrunk, digits=2)}."
        + (
            " Flips make it larger: most digits flipped are no digits."
            if is_worse
            else f" Flips change it by {spoken(flipped, digits=2)}."
        ),
        answer="shrinks" if finding == "shown" else "",
        notes=(
            f"Data: {source}; {num_train} to train on, {min(_NUM_TEST, len(images) - num_train)} "
            f"to validate, {num_epochs} epochs. Both losses are measured on unchanged images.",
            "The policies are those of torchvision.transforms.v2, one draw for each image and "
            "epoch; a rotation is at most 15°, AutoAugment is the policy found for CIFAR-10. "
            "Mixup and CutMix also make the network less sure of itself, which narrows the loss "
            "more than the accuracy.",
        ),
    )


def _pool(settings: Settings) -> tuple[Tensor, Tensor, int, str]:
    """Returns images [N, C, H, W] in 0..1, labels [N], K and what they are."""
    num_images = _NUM_TRAIN + _NUM_TEST
    if settings.data is not None:
        real = load_real_images(settings.data, num_images=num_images, size_px=_SIDE_PX)
        return real.images, real.labels, real.num_classes, f"{real.source}, {_SIDE_PX} px"
    digits = load_digits(num_train=num_images, num_test=0, seed=settings.seed)
    images = digits.images - digits.images.min()
    return images / images.max(), digits.labels, 10, "handwritten digits of 8×8 pixels"


def _network(shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Returns a network without batch norm, whose statistics augmentation would shift."""
    stride = 1 if shape[1] <= 8 else 2
    return nn.Sequential(
        nn.Conv2d(shape[0], 16, 3, padding=1, stride=stride),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(64 * 16, num_classes),
    )


def _each(transform: Callable[[Tensor], Tensor]) -> Augment:
    """Returns a policy that draws anew for every image; labels stay."""

    def augment(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return torch.stack([transform(image) for image in images]), labels

    return augment


def _nothing(_side_px: int, _num_classes: int) -> Augment | None:
    return None


def _flip(_side_px: int, _num_classes: int) -> Augment:
    from torchvision.transforms import v2

    return _each(v2.RandomHorizontalFlip())


def _crop(side_px: int, _num_classes: int) -> Augment:
    from torchvision.transforms import v2

    return _each(v2.RandomCrop(side_px, padding=side_px // 8))


def _jitter(_side_px: int, _num_classes: int) -> Augment:
    from torchvision.transforms import v2

    return _each(v2.ColorJitter(brightness=0.4, contrast=0.4))


def _rotation(_side_px: int, _num_classes: int) -> Augment:
    from torchvision.transforms import v2

    return _each(v2.RandomRotation(15, interpolation=v2.InterpolationMode.BILINEAR))


def _cutout(_side_px: int, _num_classes: int) -> Augment:
    from torchvision.transforms import v2

    return _each(v2.RandomErasing(p=1.0, scale=(0.1, 0.1), ratio=(1.0, 1.0)))


def _mixup(_side_px: int, num_classes: int) -> Augment:
    from torchvision.transforms import v2

    mix: Augment = v2.MixUp(num_classes=num_classes)
    return mix


def _cutmix(_side_px: int, num_classes: int) -> Augment:
    from torchvision.transforms import v2

    mix: Augment = v2.CutMix(num_classes=num_classes)
    return mix


def _auto(_side_px: int, _num_classes: int) -> Augment:
    from torchvision.transforms import v2

    return _each(v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10))


_NONE, _CROP, _FLIP = "none", "padded crop", "flip"
_SMALL = (_NONE, _FLIP, _CROP)

# Name, and how it is made for a side in pixels and a number of classes.
_POLICIES: tuple[tuple[str, Callable[[int, int], Augment | None]], ...] = (
    (_NONE, _nothing),
    (_FLIP, _flip),
    (_CROP, _crop),
    ("jitter", _jitter),
    ("rotation", _rotation),
    ("Cutout", _cutout),
    ("Mixup", _mixup),
    ("CutMix", _cutmix),
    ("AutoAugment", _auto),
)


LAB = Lab(
    name="augmentation",
    title="Augmentation: the gap between training and validation",
    topics=(22,),
    question="A network learns handwritten digits from 100 images. It is trained again with "
    "randomly shifted crops. What happens to the gap between its training and validation loss?",
    choices=(
        ("same", "Nothing: they are still the same 100 images"),
        ("shrinks", "It shrinks: shifted digits are new examples with the same label"),
        ("grows", "It grows: the validation images are not shifted"),
    ),
    explanation="Without augmentation the network can learn the training images by heart. Every "
    "change that keeps the label makes that harder and tells it what does not matter: it "
    "regularises. A change that does not keep the label teaches something false: a flipped 2 "
    "is no 2. Which changes are allowed is a fact about your images, not about augmentation "
    "(Shorten and Khoshgoftaar 2019). Cutout: DeVries and Taylor 2017; Mixup: Zhang et al. 2018; "
    "CutMix: Yun et al. 2019; AutoAugment: Cubuk et al. 2019.",
    run=run,
    seconds=90,
    takes_data=True,
)
