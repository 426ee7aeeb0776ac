"""The architectures that Foveal has of its own, with their figures.

The figures are those of ``builder()`` at ``input_shape`` in evaluation mode, as
``foveal inspect foveal:NAME`` shows them. Where a paper prints others, the architecture's file
says why.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from foveal.errors import UnknownModelError, UsageError
from foveal.models.architectures import (
    VGG,
    AlexNet,
    AlexNet2012,
    CifarNet,
    CifarResNet,
    DenseNet,
    GoogLeNet,
    MobileNetV1,
    NetworkInNetwork,
    Paper,
    ResNet,
    alexnet,
    cifar_net,
    densenet,
    googlenet,
    mobilenet,
    network_in_network,
    resnet,
    vgg,
)
from foveal.text import near_names, printable

if TYPE_CHECKING:
    from torch import nn

_IMAGENET = (3, 224, 224)
_CIFAR = (3, 32, 32)
_plain = partial(ResNet, shortcut="none")
_cifar_plain = partial(CifarResNet, shortcut="none")


@dataclass(frozen=True, slots=True)
class Architecture:
    """One entry of the catalogue.

    Attributes:
        name: After ``foveal:``. Where torchvision has the network, its name there.
        builder: Called with ``num_classes`` and further options, all of which have defaults.
        paper: Where it was published.
        input_shape: ``(C, H, W)`` that the figures hold for.
        parameters: Elements of all parameters, auxiliary classifiers included.
        macs: Multiply-accumulates of one forward pass.
        receptive_field: Pixels, along each axis, that a unit of the last map sees.
    """

    name: str
    builder: Callable[..., nn.Module]
    paper: Paper
    input_shape: tuple[int, int, int]
    parameters: int
    macs: int
    receptive_field: int

    @property
    def year(self) -> int:
        """Of publication."""
        return self.paper.year


# fmt: off
CATALOGUE: tuple[Architecture, ...] = (
    Architecture("alexnet_2012", AlexNet2012, alexnet.PAPER, _IMAGENET,
                 60_965_224, 724_406_816, 195),
    Architecture("alexnet", AlexNet, alexnet.ONE_COLUMN_PAPER, _IMAGENET,
                 61_100_840, 714_188_480, 195),
    Architecture("nin", NetworkInNetwork, network_in_network.PAPER, _CIFAR,
                 966_986, 222_486_528, 27),
    Architecture("vgg11", partial(VGG, "A"), vgg.PAPER, _IMAGENET,
                 132_863_336, 7_609_090_048, 150),
    Architecture("vgg11_bn", partial(VGG, "A", batch_norm=True), vgg.PAPER, _IMAGENET,
                 132_868_840, 7_609_090_048, 150),
    Architecture("vgg13", partial(VGG, "B"), vgg.PAPER, _IMAGENET,
                 133_047_848, 11_308_466_176, 156),
    Architecture("vgg13_bn", partial(VGG, "B", batch_norm=True), vgg.PAPER, _IMAGENET,
                 133_053_736, 11_308_466_176, 156),
    Architecture("vgg16", partial(VGG, "D"), vgg.PAPER, _IMAGENET,
                 138_357_544, 15_470_264_320, 212),
    Architecture("vgg16_bn", partial(VGG, "D", batch_norm=True), vgg.PAPER, _IMAGENET,
                 138_365_992, 15_470_264_320, 212),
    Architecture("vgg16_c", partial(VGG, "C"), vgg.PAPER, _IMAGENET,
                 133_638_952, 11_770_888_192, 156),
    Architecture("vgg19", partial(VGG, "E"), vgg.PAPER, _IMAGENET,
                 143_667_240, 19_632_062_464, 268),
    Architecture("vgg19_bn", partial(VGG, "E", batch_norm=True), vgg.PAPER, _IMAGENET,
                 143_678_248, 19_632_062_464, 268),
    Architecture("googlenet", GoogLeNet, googlenet.PAPER, _IMAGENET,
                 13_004_888, 1_498_376_192, 379),
    Architecture("googlenet_5x5", partial(GoogLeNet, wide_kernel=5), googlenet.PAPER, _IMAGENET,
                 13_385_816, 1_582_671_872, 699),
    Architecture("resnet18", partial(ResNet, 18), resnet.PAPER, _IMAGENET,
                 11_689_512, 1_814_073_344, 435),
    Architecture("resnet34", partial(ResNet, 34), resnet.PAPER, _IMAGENET,
                 21_797_672, 3_663_761_408, 899),
    Architecture("resnet50", partial(ResNet, 50), resnet.PAPER, _IMAGENET,
                 25_557_032, 4_089_184_256, 427),
    Architecture("resnet101", partial(ResNet, 101), resnet.PAPER, _IMAGENET,
                 44_549_160, 7_801_405_440, 971),
    Architecture("resnet152", partial(ResNet, 152), resnet.PAPER, _IMAGENET,
                 60_192_808, 11_513_626_624, 1_451),
    Architecture("resnet20", partial(CifarResNet, 20), resnet.PAPER, _CIFAR,
                 269_722, 40_551_040, 81),
    Architecture("resnet32", partial(CifarResNet, 32), resnet.PAPER, _CIFAR,
                 464_154, 68_862_592, 137),
    Architecture("resnet44", partial(CifarResNet, 44), resnet.PAPER, _CIFAR,
                 658_586, 97_174_144, 193),
    Architecture("resnet56", partial(CifarResNet, 56), resnet.PAPER, _CIFAR,
                 853_018, 125_485_696, 249),
    Architecture("resnet110", partial(CifarResNet, 110), resnet.PAPER, _CIFAR,
                 1_727_962, 252_887_680, 501),
    Architecture("plain18", partial(_plain, 18), resnet.PAPER, _IMAGENET,
                 11_515_688, 1_794_805_760, 435),
    Architecture("plain34", partial(_plain, 34), resnet.PAPER, _IMAGENET,
                 21_623_848, 3_644_493_824, 899),
    Architecture("plain20", partial(_cifar_plain, 20), resnet.PAPER, _CIFAR,
                 269_722, 40_551_040, 81),
    Architecture("plain32", partial(_cifar_plain, 32), resnet.PAPER, _CIFAR,
                 464_154, 68_862_592, 137),
    Architecture("plain44", partial(_cifar_plain, 44), resnet.PAPER, _CIFAR,
                 658_586, 97_174_144, 193),
    Architecture("plain56", partial(_cifar_plain, 56), resnet.PAPER, _CIFAR,
                 853_018, 125_485_696, 249),
    Architecture("plain110", partial(_cifar_plain, 110), resnet.PAPER, _CIFAR,
                 1_727_962, 252_887_680, 501),
    Architecture("densenet121", partial(DenseNet, 121), densenet.PAPER, _IMAGENET,
                 7_978_856, 2_834_161_664, 2_071),
    Architecture("densenet161", partial(DenseNet, 161), densenet.PAPER, _IMAGENET,
                 28_681_000, 7_727_907_072, 2_967),
    Architecture("densenet169", partial(DenseNet, 169), densenet.PAPER, _IMAGENET,
                 14_149_480, 3_359_843_328, 3_351),
    Architecture("densenet201", partial(DenseNet, 201), densenet.PAPER, _IMAGENET,
                 20_013_928, 4_291_365_888, 3_863),
    Architecture("mobilenet_v1", MobileNetV1, mobilenet.PAPER, _IMAGENET,
                 4_231_976, 568_740_352, 315),
    Architecture("cifar_net", CifarNet, cifar_net.PAPER, _CIFAR,
                 94_538, 10_323_200, 18),
)
# fmt: on


OWN_PREFIX: Final = "foveal:"


def find_architecture(name: str) -> Architecture:
    """Returns the entry of that name, with or without ``foveal:`` before it.

    Raises:
        UnknownModelError: There is none; near names are offered.
    """
    plain_name = name.removeprefix(OWN_PREFIX)
    for entry in CATALOGUE:
        if entry.name == plain_name:
            return entry
    near = near_names(plain_name, [entry.name for entry in CATALOGUE])
    raise UnknownModelError(
        f"Foveal has no model named {printable(plain_name)!r}.",
        next_step=f"Did you mean {' or '.join(near)}?"
        if near
        else "foveal.models.CATALOGUE lists them all.",
    )


def build(name: str, **options: Any) -> nn.Module:
    """Builds a network of the catalogue, freshly initialised and in training mode.

    The tensors have torchvision's names where torchvision has the network, so that a
    checkpoint of its fits::

        network = build("resnet50")
        network.load_state_dict(read_state_dict(Path("resnet50.pth")))

    ``read_state_dict`` runs nothing that is in the file.

    Args:
        name: An entry, such as ``"resnet20"``.
        **options: What its builder takes: ``num_classes``, ``in_channels`` and its own.

    Raises:
        UnknownModelError: No such entry; near names are offered.
        UsageError: The builder has no such option, or the option no such value.
    """
    entry = find_architecture(name)
    # What a partial has settled, such as a depth, is part of the name.
    known = [
        option
        for option in inspect.signature(entry.builder).parameters
        if option not in getattr(entry.builder, "keywords", {})
    ]
    for option in options:
        if option not in known:
            near = near_names(option, known)
            raise UsageError(
                f"{entry.name} has no option {option!r}; it has {', '.join(known)}.",
                next_step=f"Did you mean {' or '.join(near)}?" if near else None,
            )
    return entry.builder(**options)
