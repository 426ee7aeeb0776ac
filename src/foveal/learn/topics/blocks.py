"""Blocks and whole networks: topics 5, 6, 17, 18, 20 and 24."""

from __future__ import annotations

from foveal.arithmetic import AxisField, convolution_parameters, linear_parameters
from foveal.learn.drills.diagrams import field_through
from foveal.learn.drills.window import Window
from foveal.learn.exercise import Figure
from foveal.learn.topics.known_networks import (
    IMAGENET_CLASSES,
    VGG16_FEATURES,
    bottleneck_weights,
    vgg16_convolutions,
    vgg16_linear_layers,
)
from foveal.learn.topics.topic import Topic


def _three_small() -> str:
    channels, layers, small, large = 256, 3, 3, 7
    field = AxisField.of_input()
    for _ in range(layers):
        field = field.through_convolution(kernel=small)
    one = convolution_parameters(channels, channels, kernel=(large, large), bias="no bias")
    stack = layers * convolution_parameters(
        channels, channels, kernel=(small, small), bias="no bias"
    )
    return (
        f"{channels} channels throughout, no bias:\n"
        "```\n"
        f"one {large}×{large}      field {large}   {large**2}C² = {one:>9,}   1 nonlinearity\n"
        f"three {small}×{small}    field {field.size}   {layers * small**2}C² = {stack:>9,}   "
        f"{layers} nonlinearities\n"
        "```\n"
        f"The stack has {1 - stack / one:.0%} fewer weights."
    )


def _three_small_drawn() -> Figure | None:
    return field_through([(f"layer {index}", Window(3)) for index in (1, 2, 3)])


def _skip_connection() -> str:
    layers, slope = 20, 0.1
    return (
        f"{layers} layers, each with the slope ∂F/∂x = {slope}:\n"
        "```\n"
        f"plain       {slope}^{layers}  = {slope**layers:.0e}\n"
        f"residual    {1 + slope}^{layers}  = {(1 + slope) ** layers:.1f}\n"
        "```\n"
        "The plain chain multiplies small numbers and the signal is gone. In the residual chain "
        "one path, the identity, passes the gradient on untouched, whatever the layers do."
    )


def _bottleneck() -> str:
    outer, inner = 256, 64
    direct = convolution_parameters(outer, outer, kernel=(3, 3), bias="no bias")
    reduce, middle, expand = bottleneck_weights(outer, inner)
    total = reduce + middle + expand
    return (
        f"{outer} channels in and out, no bias:\n"
        "```\n"
        f"one 3×3          {outer}·{outer}·{3 * 3} = {direct:,}\n"
        f"1×1 reduce       {outer}·{inner}    = {reduce:,}\n"
        f"3×3              {inner}·{inner}·{3 * 3}   = {middle:,}\n"
        f"1×1 expand       {inner}·{outer}    = {expand:,}\n"
        f"bottleneck       together   = {total:,}\n"
        "```\n"
        f"{direct / total:.1f} times fewer weights."
    )


def _global_average_pooling() -> str:
    linear = vgg16_linear_layers()
    total = vgg16_convolutions() + sum(linear)
    replaced = linear_parameters(VGG16_FEATURES, IMAGENET_CLASSES)
    return (
        f"VGG-16 on {IMAGENET_CLASSES:,} classes:\n"
        "```\n"
        f"all convolutions             {vgg16_convolutions():>11,}\n"
        f"first linear layer           {linear[0]:>11,}\n"
        f"all three linear layers      {sum(linear):>11,}\n"
        f"together                     {total:>11,}\n"
        "```\n"
        f"{sum(linear) / total:.0%} of the network is its head. Global average pooling and one "
        f"linear layer in its place need {replaced:,}."
    )


def _residual_blocks() -> str:
    narrow, wide = 64, 256
    basic = 2 * convolution_parameters(narrow, narrow, kernel=(3, 3), bias="no bias")
    bottleneck = sum(bottleneck_weights(wide, narrow))
    return (
        "Weights of the first stage's blocks, without batch norm:\n"
        "```\n"
        f"basic        3×3, 3×3         on {narrow:>3} channels   {basic:,}\n"
        f"bottleneck   1×1, 3×3, 1×1    on {wide:>3} channels   {bottleneck:,}\n"
        "```\n"
        f"For about the same price the bottleneck carries {wide // narrow} times the channels."
    )


def _degradation() -> str:
    channels, kernel = 64, 3
    weights = convolution_parameters(channels, channels, kernel=(kernel, kernel), bias="no bias")
    return (
        f"What must a 3×3 layer of {channels} channels learn to pass its input on unchanged?\n"
        "```\n"
        f"plain       {weights:,} weights: {channels} of them exactly 1, the other "
        f"{weights - channels:,} exactly 0\n"
        "residual    F = 0: all weights 0, where weight decay pulls them anyway\n"
        "```\n"
        "A deeper plain network **could** copy a shallower one and do no worse. Gradient descent "
        "does not find that. In the residual form, small weights are close to it from the start."
    )


BLOCKS: tuple[Topic, ...] = (
    Topic(
        number=5,
        title="three 3×3 instead of one 7×7",
        chapter="Blocks",
        fact=(
            "A stack of three 3×3 convolutions with stride 1 sees 7×7 pixels, as one 7×7 does. "
            "With C channels throughout it has 3·9·C² = 27C² weights instead of 49C², and three "
            "nonlinearities instead of one. This is VGG's idea.\n\n"
            "It has a price: in training the stack keeps three maps in memory instead of one."
        ),
        example=_three_small,
        figure=_three_small_drawn,
        misconceptions=(
            "“Three times 3 is a field of 9.” Neighbouring windows overlap: each layer adds only "
            "k−1.",
            "“The stack computes the same function.” Same field, different function: only without "
            "the activations between would it be one (restricted) 7×7 kernel.",
        ),
        engine=("foveal.arithmetic.AxisField", "foveal.inspection.compare"),
        activities=("engine", "drill", "quiz"),
        lab="three-3x3",
        rules=("S103", "S110", "S115"),
        paper="Simonyan and Zisserman, Very Deep Convolutional Networks, arXiv:1409.1556",
    ),
    Topic(
        number=6,
        title="skip connections",
        chapter="Blocks",
        fact=(
            "With `y = x + F(x)` the gradient is `∂L/∂x = ∂L/∂y · (1 + ∂F/∂x)`. The 1 is the "
            "identity path: whatever F does, the gradient of the layers above arrives below as it "
            "was, plus a correction.\n\n"
            "Through many blocks this is a product of terms near 1 instead of a product of small "
            "or large ones. Shapes must agree; where they do not, a 1×1 convolution on the "
            "shortcut makes them."
        ),
        example=_skip_connection,
        misconceptions=(
            "“The shortcut is there to save computation.” It costs almost nothing and saves "
            "nothing; it carries the gradient.",
            "“The gradient is at least that of the top.” `∂F/∂x` may be near −1 and cancel it. "
            "In practice it rarely does.",
            "“Concatenation is the same.” DenseNet concatenates; ResNet adds, and channels stay "
            "as many.",
        ),
        engine=("foveal.inspection.gradient_flow",),
        activities=("engine", "lab", "quiz"),
        lab="skip-gradient",
        rules=("B304", "B307", "S109"),
        paper="He et al., Identity Mappings in Deep Residual Networks, arXiv:1603.05027",
    ),
    Topic(
        number=17,
        title="bottleneck",
        chapter="Blocks",
        fact=(
            "The expensive part of a block is the 3×3 layer, and its cost grows with C². So a 1×1 "
            "layer reduces the channels first, the 3×3 works on few, and another 1×1 expands them "
            "again: `C·c + 9c² + c·C` weights instead of `9C²`.\n\n"
            "The block keeps many channels for the shortcut and does its looking around in few."
        ),
        example=_bottleneck,
        misconceptions=(
            "“The bottleneck is narrow in space.” It is narrow in channels; height and width stay.",
            "“The 1×1 layers are free.” Together they hold about as much as the 3×3 between.",
        ),
        engine=("foveal.arithmetic.convolution_parameters", "foveal.models.build"),
        activities=("engine", "drill", "quiz"),
        lab="costs",
        rules=("S125",),
        paper="He et al., Deep Residual Learning, arXiv:1512.03385, figure 5",
    ),
    Topic(
        number=18,
        title="global average pooling",
        chapter="Blocks",
        fact=(
            "Averages each channel's whole map: N×C×H×W becomes N×C×1×1. It has no parameters, "
            "accepts any input size, and leaves one number a channel to a single linear layer.\n\n"
            "Flattening the map instead makes the first linear layer huge, ties it to one input "
            "size and invites overfitting. And since average and linear layer can change places, "
            "the class weights applied to the maps show where the class is seen: class activation "
            "maps."
        ),
        example=_global_average_pooling,
        misconceptions=(
            "“It averages over channels.” Over space. C stays.",
            "“It averages over the batch.” Each image has its own average.",
            "“Any input size, so any size is as good.” The network runs on all; it is accurate "
            "near those that it was trained on.",
        ),
        engine=("foveal.explanation.class_activation_maps", "foveal.inspection.find_size_law"),
        activities=("engine", "lab", "drill", "quiz"),
        lab="pooling",
        rules=("S102",),
        paper="Lin, Chen and Yan, Network In Network, arXiv:1312.4400, section 3.2",
    ),
    Topic(
        number=20,
        title="basic and bottleneck blocks",
        chapter="Blocks",
        fact=(
            "**Basic** (ResNet-18, ResNet-34): 3×3, BN, ReLU, 3×3, BN, add the shortcut, ReLU. "
            "**Bottleneck** (ResNet-50, ResNet-101, ResNet-152): 1×1, BN, ReLU, 3×3, BN, ReLU, "
            "1×1, BN, add, ReLU; the last 1×1 has four times the channels.\n\n"
            "The addition comes **before** the last ReLU: a branch that had already been rectified "
            "could only add, never take away."
        ),
        example=_residual_blocks,
        misconceptions=(
            "“Every convolution has its ReLU right after it.” Not the last of the block: its ReLU "
            "waits for the addition.",
            "“The shortcut is always the identity.” Where stride or channels change it is a 1×1 "
            "convolution with batch norm.",
        ),
        engine=("foveal.models.build", "foveal.inspection.fold_blocks"),
        activities=("engine", "drill", "quiz"),
        lab="costs",
        paper="He et al., Deep Residual Learning, arXiv:1512.03385",
    ),
    Topic(
        number=24,
        title="degradation",
        chapter="Blocks",
        fact=(
            "Make a plain network deeper and, from some depth on, its error rises: not only on new "
            "images but **on the training images themselves**. So it is not overfitting, which "
            "would lower the training error. It is a failure to optimise.\n\n"
            "With `y = F(x) + x` a block that has nothing to add needs F = 0, and the deeper "
            "network is at least easy to make as good as the shallow one."
        ),
        example=_degradation,
        misconceptions=(
            "“The deeper network overfits.” Then its training error would be low. Look at the "
            "training curve first.",
            "“It cannot represent the solution.” It can: copy the shallow network and pass the "
            "rest on. It does not find it.",
            "“Batch norm solved it.” The plain networks of the paper had batch norm.",
        ),
        engine=("foveal.inspection.gradient_flow", "foveal.models.build"),
        activities=("engine", "lab", "quiz"),
        lab="degradation",
        rules=("B304", "S109", "T415"),
        paper="He et al., Deep Residual Learning, arXiv:1512.03385, figures 1 and 4",
    ),
)
