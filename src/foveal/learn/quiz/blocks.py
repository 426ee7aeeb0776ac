"""Questions on blocks and whole networks: topics 5, 6, 17, 18, 20 and 24."""

from __future__ import annotations

from foveal.arithmetic import AxisField, convolution_parameters, linear_parameters
from foveal.learn.exercise import Exercise
from foveal.learn.quiz.building import (
    arrange,
    assign,
    choose,
    compute,
    decide,
    explain,
    number,
    shape,
)
from foveal.learn.topics.known_networks import bottleneck_weights


def _how_many_small() -> Exercise:
    small, large = 3, 11
    field, layers = AxisField.of_input(), 0
    while field.size < large:
        field, layers = field.through_convolution(kernel=small), layers + 1
    return compute(
        "5-1",
        f"How many {small}×{small} convolutions with stride 1 see what one {large}×{large} "
        "convolution sees?",
        number(
            "layers",
            "Layers",
            layers,
            (
                "kernels-added",
                -(-large // small),
                f"{small} + {small} + … counts overlapping pixels twice. Each layer after the "
                f"first adds {small - 1}.",
            ),
            (
                "no-plus-one",
                layers + 1,
                f"The first layer already sees {small} pixels, not {small - 1}.",
            ),
        ),
        steps=(
            f"Each layer adds {small} − 1 = {small - 1} pixels to the 1 at the beginning.",
            f"({large} − 1) / {small - 1} = {layers}.",
        ),
        proof=(
            "import torch\nfrom torch import nn\n"
            "seen, layers = 1, 0\n"
            f"while seen < {large}:\n"
            "    layers += 1\n"
            f"    net = nn.Sequential(*[nn.Conv1d(1, 1, {small}, bias=False) "
            "for _ in range(layers)])\n"
            "    for layer in net:\n        nn.init.ones_(layer.weight)\n"
            "    x = torch.zeros(1, 1, 31, requires_grad=True)\n"
            "    net(x)[0, 0, 0].backward()\n"
            "    seen = int((x.grad != 0).sum())\n"
            "print(layers)"
        ),
        reasons="Neighbouring windows overlap, so a layer adds only k − 1.",
        hint="What does each further layer add to the field?",
    )


def _what_the_stack_costs() -> Exercise:
    channels = 64
    one = convolution_parameters(channels, channels, kernel=(7, 7), bias="no bias")
    stack = 3 * convolution_parameters(channels, channels, kernel=(3, 3), bias="no bias")
    return choose(
        "5-2",
        f"A 7×7 convolution on {channels} channels has {one:,} weights, three 3×3 have "
        f"{stack:,} and the same field. What does the stack cost that the single layer does not?",
        "Memory in training: three maps to keep, not one",
        (
            "A smaller receptive field in practice",
            "The field is the same 7×7 pixels.",
        ),
        (
            "Expressiveness: it has fewer nonlinearities",
            "It has three instead of one.",
        ),
        (
            "Resolution: each layer shrinks the map",
            "With padding 1 each layer keeps it; and without, both ways lose as many pixels.",
        ),
        reasons=f"Fewer weights ({stack / one:.0%}), more nonlinearities, and more maps to keep "
        "for the backward pass.",
        hint="What does backpropagation need from every layer?",
    )


def _two_slopes() -> Exercise:
    first, second = 0.5, -0.2
    right = round((1 + first) * (1 + second), 4)
    return compute(
        "6-2",
        f"Two residual blocks y = x + F(x) on single numbers follow each other. The slopes of "
        f"their branches at this input are {first} and {second}. By what is the gradient from "
        "above multiplied on its way down?",
        number(
            "factor",
            "Factor",
            right,
            (
                "identity-forgotten",
                round(first * second, 4),
                "That is a plain network. Each block passes on 1 + slope.",
            ),
            (
                "slopes-added",
                round(1 + first + second, 4),
                "Blocks in a row multiply: (1 + a)(1 + b) has the term ab as well.",
            ),
            tolerance=0.001,
        ),
        steps=(
            f"First block: 1 + {first} = {1 + first:g}.",
            f"Second block: 1 + ({second}) = {1 + second:g}.",
            f"In a row: {1 + first:g} · {1 + second:g} = {right:g}.",
        ),
        proof=(
            "import torch\n"
            "x = torch.ones((), requires_grad=True)\n"
            f"y = x + {first} * x\nz = y + ({second}) * y\n"
            "z.backward()\nprint(round(float(x.grad), 4))"
        ),
        reasons="∂L/∂x = ∂L/∂z · (1 + ∂F₂/∂y) · (1 + ∂F₁/∂x).",
        hint="What is the slope of x + F(x)?",
    )


def _bottleneck() -> Exercise:
    outer, inner = 512, 128
    reduce, middle, expand = bottleneck_weights(outer, inner)
    total = reduce + middle + expand
    return compute(
        "17-1",
        f"A bottleneck takes {outer} channels to {inner}, works there with a 3×3, and goes back "
        f"to {outer}. No biases, batch norm not counted. How many weights?",
        number(
            "weights",
            "Weights",
            total,
            ("last-layer-forgotten", reduce + middle, "The second 1×1, back up, is missing."),
            ("middle-only", middle, "That is the 3×3 alone."),
            (
                "middle-at-full-width",
                reduce + expand + 9 * outer * outer,
                f"The 3×3 works between the two 1×1 layers, on {inner} channels.",
            ),
            (
                "kernel-side-once",
                reduce + expand + inner * inner * 3,
                f"A 3×3 kernel has {3 * 3} taps.",
            ),
        ),
        steps=(
            f"Reduce: {outer}·{inner} = {reduce:,}.",
            f"3×3: {inner}·{inner}·{3 * 3} = {middle:,}.",
            f"Expand: {inner}·{outer} = {expand:,}.",
            f"Together {total:,}.",
        ),
        proof=(
            "from torch import nn\n"
            f"block = nn.Sequential(nn.Conv2d({outer}, {inner}, 1, bias=False), "
            f"nn.Conv2d({inner}, {inner}, 3, bias=False), "
            f"nn.Conv2d({inner}, {outer}, 1, bias=False))\n"
            "print(sum(p.numel() for p in block.parameters()))"
        ),
        reasons="The expensive 3×3 works on few channels.",
        hint="Three layers: 1×1, 3×3, 1×1.",
    )


def _bottleneck_ratio() -> Exercise:
    outer, inner = 256, 64
    direct = convolution_parameters(outer, outer, kernel=(3, 3), bias="no bias")
    reduce, middle, expand = bottleneck_weights(outer, inner)
    total = reduce + middle + expand
    return choose(
        "17-3",
        f"A bottleneck {outer} → {inner} → {outer} replaces one 3×3 on {outer} channels "
        f"({direct:,} weights). About how many times fewer weights has it?",
        f"{direct / total:.1f}",
        (
            f"{direct / middle:.0f}",
            "That counts the 3×3 alone. The two 1×1 layers together cost about as much again.",
        ),
        (
            f"{outer // inner}",
            f"Channels shrink {outer // inner}-fold, and the 3×3 feels it twice: in and out.",
        ),
        (
            f"{direct / (middle + 2 * inner * inner):.1f}",
            f"The 1×1 layers go between {outer} and {inner} channels, not {inner} and {inner}.",
        ),
        reasons=f"{reduce:,} + {middle:,} + {expand:,} = {total:,}.",
        hint="Add up three layers.",
    )


def _pooled_shape() -> Exercise:
    channels, side = 512, 7
    return compute(
        "18-1",
        f"`AdaptiveAvgPool2d(1)` gets a map of {channels}×{side}×{side}. What is the shape of "
        "its output (without the batch axis)?",
        shape(
            "shape",
            "Shape",
            (channels, 1, 1),
            (
                "channels-averaged",
                (1, side, side),
                "That averages over channels. It averages over **space**, and channels stay.",
            ),
            ("halved", (channels, side // 2, side // 2), "That is ordinary pooling of 2."),
            (
                "flattened",
                (channels,),
                "The two axes of length 1 are still there; `Flatten` takes them away.",
            ),
        ),
        steps=(f"One number a channel: {channels}×1×1.",),
        proof=(
            "import torch\n"
            f"print(tuple(torch.nn.AdaptiveAvgPool2d(1)(torch.zeros(1, {channels}, {side}, "
            f"{side})).shape[1:]))"
        ),
        reasons="Each channel becomes its own mean; height and width become 1.",
        hint="Which axes are averaged away?",
    )


def _two_heads() -> Exercise:
    channels, side, classes = 512, 7, 10
    flat = linear_parameters(channels * side * side, classes)
    pooled = linear_parameters(channels, classes)
    return compute(
        "18-2",
        f"The last map is {channels}×{side}×{side}, and there are {classes} classes. How many "
        "parameters has one linear layer after flattening, and how many after global average "
        "pooling?",
        number(
            "flat",
            "After flattening",
            flat,
            ("bias-forgotten", flat - classes, f"Add {classes} biases."),
            (
                "one-side",
                linear_parameters(channels * side, classes),
                "The map has height and width: multiply both.",
            ),
        ),
        number(
            "pooled",
            "After pooling",
            pooled,
            ("bias-forgotten", pooled - classes, f"Add {classes} biases."),
        ),
        steps=(
            f"{channels}·{side}·{side}·{classes} + {classes} = {flat:,}.",
            f"{channels}·{classes} + {classes} = {pooled:,}.",
        ),
        proof=(
            "from torch import nn\n"
            f"for features in ({channels} * {side} * {side}, {channels}):\n"
            f"    print(sum(p.numel() for p in nn.Linear(features, {classes}).parameters()))"
        ),
        reasons=f"Flattening costs {side * side} times the weights and ties the network to one "
        "input size.",
        hint="How many numbers arrive at the linear layer?",
    )


BLOCKS: tuple[Exercise, ...] = (
    _how_many_small(),
    _what_the_stack_costs(),
    choose(
        "6-1",
        "With y = x + F(x), what is ∂L/∂x?",
        "∂L/∂y · (1 + ∂F/∂x)",
        (
            "∂L/∂y · ∂F/∂x",
            "That is the plain layer. The identity path contributes as well.",
        ),
        (
            "∂L/∂y + ∂F/∂x",
            "The chain rule multiplies. Only the two **paths** of x are added: 1 and ∂F/∂x.",
        ),
        (
            "∂L/∂y, unchanged",
            "That is the identity path alone. The branch adds its own share.",
        ),
        reasons="x reaches y in two ways, so their slopes are added: 1 for the identity and ∂F/∂x "
        "for the branch.",
        hint="Differentiate x + F(x).",
    ),
    _two_slopes(),
    decide(
        "6-3",
        "A shortcut needs parameters of its own in every residual block.",
        False,
        otherwise="Where input and output have the same shape the shortcut is the identity, which "
        "has none. Only where the shape changes is there a 1×1 convolution.",
        reasons="In ResNet-34 only the three blocks that begin a new stage have a projection.",
        hint="What is there to learn in y = x + …?",
    ),
    _bottleneck(),
    choose(
        "17-2",
        "In what is a ResNet bottleneck narrow?",
        "In channels",
        (
            "In height and width",
            "Its 3×3 has padding 1 and, in most blocks, stride 1: the map keeps its size.",
        ),
        (
            "In the batch",
            "Its convolutions treat each image alone.",
        ),
        (
            "In numerical precision",
            "Nothing in the block changes the type of its numbers.",
        ),
        reasons="A 1×1 reduces the channels, the 3×3 works on few, a 1×1 expands them again.",
        hint="What can a 1×1 convolution change?",
    ),
    _bottleneck_ratio(),
    _pooled_shape(),
    _two_heads(),
    choose(
        "18-3",
        "Why does a network with global average pooling accept images of any size (above a "
        "minimum)?",
        "The linear layer always gets C numbers",
        (
            "It resizes the image to the training size first",
            "Nothing is resized. The map simply becomes larger or smaller.",
        ),
        (
            "Its linear layer grows with the map",
            "The weights of a layer are fixed. That is what breaks when one flattens.",
        ),
        (
            "Because convolutions have no parameters",
            "They do, but none that depend on the size of the image.",
        ),
        reasons="Convolutions slide, averaging reduces any map to C numbers. Accuracy, though, is "
        "best near the size of training.",
        hint="What is the length of what arrives at the linear layer?",
    ),
    arrange(
        "20-1",
        "Put the parts of a basic ResNet block in order, from its input to its output.",
        ("3×3 convolution with the block's stride", "the branch begins, and shrinks if needed"),
        ("batch norm and ReLU", "the first convolution is normalised and rectified"),
        ("second 3×3 convolution", "it keeps size and channels"),
        ("batch norm alone", "no ReLU yet: the branch must be able to subtract"),
        ("add the shortcut", "branch and identity meet while both signs are possible"),
        ("last ReLU", "it acts on the sum"),
        reasons="3×3, BN, ReLU, 3×3, BN, add, ReLU. The second ReLU waits for the addition.",
        hint="Where must the branch still be allowed to be negative?",
    ),
    choose(
        "20-2",
        "Why does a ResNet block add the shortcut **before** its last ReLU?",
        "So that the branch can also subtract from x",
        (
            "So that the addition is cheaper",
            "Adding two maps costs the same before and after.",
        ),
        (
            "So that the gradient of the shortcut is rectified",
            "That is the price, not the purpose: later designs moved the ReLU away for this "
            "very reason.",
        ),
        (
            "Because batch norm must follow the addition",
            "In the original block, batch norm comes before the addition.",
        ),
        reasons="If the branch ended in a ReLU, y could only be larger than x: signals would grow "
        "block by block.",
        hint="What values can a branch have that ends in a ReLU?",
    ),
    assign(
        "20-3",
        "Which block is each network made of?",
        ("basic (3×3, 3×3)", "bottleneck (1×1, 3×3, 1×1)", "neither"),
        ("ResNet-18", "basic (3×3, 3×3)", "eight basic blocks"),
        ("ResNet-34", "basic (3×3, 3×3)", "the same block, more often"),
        ("ResNet-50", "bottleneck (1×1, 3×3, 1×1)", "as many blocks as ResNet-34, of three layers"),
        ("VGG-16", "neither", "a plain stack without any shortcut"),
        reasons="Up to 34 layers the block is basic; from 50 on it is the bottleneck.",
        hint="ResNet-50 has as many blocks as ResNet-34, and more layers.",
    ),
    choose(
        "24-1",
        "A plain network with 56 layers has a higher **test** error than one with 20. What do you "
        "look at to tell overfitting from degradation?",
        "The training error: low when overfitting",
        (
            "The number of parameters: more of them means overfitting",
            "More parameters make overfitting possible. Whether it happened shows in the "
            "training error.",
        ),
        (
            "The test error on more images",
            "That makes the figure more exact and says nothing about its cause.",
        ),
        (
            "The gap between the two test errors",
            "The gap is what is to be explained. The cause shows in training.",
        ),
        reasons="Overfitting lowers the training error; degradation raises it. In He et al.'s "
        "experiment the deeper network was worse **on the training "
        "images**: a failure to optimise.",
        hint="What does a network that overfits do to its training images?",
    ),
    decide(
        "24-2",
        "A deeper plain network cannot represent what a shallower one computes, and that is why "
        "its training error is higher.",
        False,
        otherwise="It can: let the first layers copy the shallow network and the others pass "
        "their input on. The solution exists; gradient descent does not find it.",
        reasons="It is about optimisation, not about capacity. The residual form makes “pass it "
        "on” the easy answer: F = 0.",
        hint="Could the extra layers do nothing?",
    ),
    explain(
        "24-3",
        "Explain to a colleague why y = F(x) + x makes a deep network easier to train than "
        "y = F(x).",
        model="If a block has nothing to add, the residual form needs F = 0, which weights near 0 "
        "(where they start and where weight decay pulls them) nearly give already. The plain form "
        "must learn the identity exactly, through a nonlinearity. And in the backward pass the "
        "gradient is multiplied by 1 + ∂F/∂x instead of ∂F/∂x, so it reaches early layers.",
        checklist=(
            "Doing nothing is easy: F = 0.",
            "A plain block would have to learn the identity.",
            "The gradient has a path of slope 1 past the block.",
        ),
        hint="Think of a block that is not needed, and of the way back.",
    ),
)
