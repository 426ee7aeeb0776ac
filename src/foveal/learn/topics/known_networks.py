"""Parameters of three published networks, from their layouts and the engine's formulas.

Without torch, so that a page that mentions them opens at once. The tests hold each against the
network itself, built by ``foveal.models.build``.
"""

from __future__ import annotations

from foveal.arithmetic import (
    convolution_parameters,
    linear_parameters,
    normalisation_parameters,
)

# Simonyan and Zisserman 2015, table 1, column D: the width of each 3×3 layer.
_VGG16_WIDTHS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
_VGG16_LAST_MAP = 512 * 7 * 7
_VGG16_HIDDEN = 4096
# He et al. 2016, table 1: width of a stage and its blocks.
_RESNET18_STAGES = ((64, 2), (128, 2), (256, 2), (512, 2))
IMAGENET_CLASSES = 1000
RESNET18_FEATURES = 512
VGG16_FEATURES = 512


def vgg16_convolutions() -> int:
    """Returns the parameters of VGG-16's thirteen convolutions.

    >>> vgg16_convolutions()
    14714688
    """
    total, before = 0, 3
    for width in _VGG16_WIDTHS:
        total += convolution_parameters(before, width, kernel=(3, 3))
        before = width
    return total


def vgg16_linear_layers() -> tuple[int, int, int]:
    """Returns the parameters of VGG-16's three linear layers."""
    return (
        linear_parameters(_VGG16_LAST_MAP, _VGG16_HIDDEN),
        linear_parameters(_VGG16_HIDDEN, _VGG16_HIDDEN),
        linear_parameters(_VGG16_HIDDEN, IMAGENET_CLASSES),
    )


def resnet18_backbone() -> int:
    """Returns the parameters of ResNet-18 without its last linear layer.

    >>> resnet18_backbone()
    11176512
    """
    total = _normalised(3, 64, 7)
    before = 64
    for width, blocks in _RESNET18_STAGES:
        for block in range(blocks):
            total += _normalised(before, width, 3) + _normalised(width, width, 3)
            if block == 0 and before != width:
                total += _normalised(before, width, 1)
            before = width
    return total


def bottleneck_weights(outer: int, inner: int) -> tuple[int, int, int]:
    """Returns the weights of a bottleneck's three convolutions: reduce, 3×3, expand."""
    return (
        convolution_parameters(outer, inner, kernel=(1, 1), bias="no bias"),
        convolution_parameters(inner, inner, kernel=(3, 3), bias="no bias"),
        convolution_parameters(inner, outer, kernel=(1, 1), bias="no bias"),
    )


def _normalised(before: int, after: int, kernel: int) -> int:
    weights = convolution_parameters(before, after, kernel=(kernel, kernel), bias="no bias")
    return weights + normalisation_parameters(after)
