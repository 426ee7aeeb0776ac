"""Questions on sizes, parameters and cost: topics 2, 4, 7, 9, 19 and 23."""

from __future__ import annotations

from foveal.arithmetic import (
    convolution_macs,
    convolution_parameters,
    convolution_size,
    effective_kernel,
    linear_parameters,
    pooling_size,
)
from foveal.learn.exercise import Exercise
from foveal.learn.quiz.building import choose, compute, decide, number, shape


def _odd_room() -> Exercise:
    size, kernel, stride, padding, channels = 150, 9, 2, 4, 32
    room = size + 2 * padding - (kernel - 1) - 1
    out = convolution_size(size, kernel=kernel, stride=stride, padding=padding)
    once = (size + padding - kernel) // stride + 1
    return compute(
        "2-1",
        f"An image of {size}×{size} goes through `Conv2d(3, {channels}, {kernel}, "
        f"stride={stride}, padding={padding})`. How high is the output?",
        number(
            "size",
            "Height",
            out,
            ("no-floor", room / stride + 1, "There is no half position: round the steps down."),
            (
                "rounded-up",
                room // stride + 2,
                f"{room}/{stride} was rounded up. A step that does not fit whole is not taken.",
            ),
            (
                "no-plus-one",
                room // stride,
                "That is the number of steps. The position where the walk begins counts too: +1.",
            ),
            (
                "padding-once",
                once,
                f"Padding {padding} is added on each side: {2 * padding} in all.",
            ),
        ),
        steps=(
            f"Room: {size} + 2·{padding} − ({kernel}−1) − 1 = {room}.",
            f"Whole steps of {stride}: floor({room}/{stride}) = {room // stride}.",
            f"Positions: {room // stride} + 1 = {out}.",
        ),
        proof=(
            "import torch\n"
            f"layer = torch.nn.Conv2d(3, {channels}, {kernel}, stride={stride}, "
            f"padding={padding})\n"
            f"print(layer(torch.zeros(1, 3, {size}, {size})).shape[2])"
        ),
        reasons="A convolution counts positions where the kernel fits, and there are no half "
        "positions.",
        hint="How far can the kernel move inside the padded image, and in steps of what?",
    )


def _padding_that_keeps() -> Exercise:
    kernel, dilation = 5, 2
    span = effective_kernel(kernel, dilation)
    keep, plain = (span - 1) // 2, (kernel - 1) // 2
    return choose(
        "2-2",
        f"Which padding keeps height and width in `Conv2d(C, C, {kernel}, "
        f"dilation={dilation})`, with stride 1?",
        f"{keep}",
        (
            f"{plain}",
            f"That is right for dilation 1. With dilation {dilation} the {kernel} taps span "
            f"{span} pixels, so more is lost at each border.",
        ),
        (
            f"{span - 1}",
            f"{span - 1} is what the layer takes away in all. Padding is given for one side, so "
            "half of it.",
        ),
        (
            f"{kernel}",
            "The padding has to make up for what the kernel takes away, which is its span minus "
            "one, split over two sides; the number of taps alone does not say it.",
        ),
        reasons=f"The kernel spans {dilation}·({kernel}−1) + 1 = {span} pixels. It takes away "
        f"{span} − 1 = {span - 1}; on each side {keep}.",
        hint="How many pixels does the dilated kernel span?",
    )


def _two_inputs_one_size() -> Exercise:
    kernel, stride, padding, small, large = 3, 2, 1, 223, 224
    sizes = [
        convolution_size(size, kernel=kernel, stride=stride, padding=padding)
        for size in (small, large)
    ]
    return decide(
        "2-3",
        f"`Conv2d(3, 8, {kernel}, stride={stride}, padding={padding})` gives maps of the same "
        f"size for images of {small}×{small} and of {large}×{large}.",
        sizes[0] == sizes[1],
        otherwise="With a stride, sizes come in groups: the floor maps several inputs to one "
        "output. Work out both.",
        reasons=f"Both give {sizes[0]}: the extra pixel makes room for half a step, which is "
        "dropped. This is why a decoder needs `output_padding`: the input size cannot be read "
        "from the output size.",
        hint="Work out both sizes, with the floor.",
    )


def _parameters() -> Exercise:
    before, after, kernel = 32, 64, 5
    full = convolution_parameters(before, after, kernel=(kernel, kernel))
    bare = convolution_parameters(before, after, kernel=(kernel, kernel), bias="no bias")
    return compute(
        "4-1",
        f"How many parameters has `Conv2d({before}, {after}, {kernel})`?",
        number(
            "parameters",
            "Parameters",
            full,
            ("bias-forgotten", bare, f"The weights are right. Add {after} biases."),
            (
                "in-channels-forgotten",
                after * kernel**2 + after,
                f"Each filter reads all {before} input channels, so it is {before} deep.",
            ),
            (
                "kernel-side-once",
                after * before * kernel + after,
                f"The kernel has two sides: {kernel}·{kernel} = {kernel**2}.",
            ),
            (
                "bias-per-weight-map",
                bare + after * before,
                "One bias for each output channel, not for each pair of channels.",
            ),
        ),
        steps=(
            f"One filter: {before}·{kernel}·{kernel} = {before * kernel**2:,} weights.",
            f"{after} filters: {bare:,} weights.",
            f"With {after} biases: {full:,}.",
        ),
        proof=(
            "import torch\n"
            f"layer = torch.nn.Conv2d({before}, {after}, {kernel})\n"
            "print(sum(p.numel() for p in layer.parameters()))"
        ),
        reasons="A filter is as deep as its input, and there is one for each output channel.",
        hint="Begin with the weights of a single filter.",
    )


def _larger_image() -> Exercise:
    before, after, kernel, size = 16, 32, 3, 64
    macs = [
        convolution_macs(before, after, kernel=(kernel, kernel), output_size=(side, side))
        for side in (size, 2 * size)
    ]
    ratio = macs[1] // macs[0]
    return choose(
        "4-2",
        f"A `Conv2d({before}, {after}, {kernel}, padding=1)` was used on {size}×{size} images. "
        f"Now they are {2 * size}×{2 * size}. What happens to its parameters and its "
        "multiply-accumulates?",
        f"Parameters stay, multiply-accumulates times {ratio}",
        (
            f"Both times {ratio}",
            "The filter is shared by all positions, so it need not grow with them; only the number "
            "of positions grows.",
        ),
        (
            "Parameters stay, multiply-accumulates times 2",
            "Both sides double, so there are twice as many rows **and** twice as many columns.",
        ),
        (
            "Both stay",
            "The filter stays, but it has to be applied at every position, and there are more of "
            "them.",
        ),
        reasons="Weights are shared over positions. The work is weights times positions: "
        f"{macs[0]:,} before, {macs[1]:,} now.",
        hint="Where in `C_out · C_in · k² + C_out` is the size of the image?",
    )


def _twice_the_channels() -> Exercise:
    before, after, kernel = 64, 128, 3
    ratio = convolution_parameters(
        2 * before, 2 * after, kernel=(kernel, kernel), bias="no bias"
    ) // convolution_parameters(before, after, kernel=(kernel, kernel), bias="no bias")
    return choose(
        "4-3",
        "You double the width of a network: every layer has twice the input channels and twice "
        "the output channels. The weights of an inner convolution become …",
        f"{ratio} times as many",
        (
            "2 times as many",
            "There are twice as many filters, and each is twice as deep as well.",
        ),
        (
            f"{2 * ratio} times as many",
            "Two factors double, in and out. The kernel keeps its size.",
        ),
        ("as many as before", "Channels are exactly what the weights are counted by."),
        reasons="Weights are C_out · C_in · k²; both channel counts double.",
        hint="Which factors of C_out · C_in · k² change?",
    )


def _what_it_is() -> Exercise:
    before, after = 256, 64
    parameters = convolution_parameters(before, after, kernel=(1, 1))
    return choose(
        "7-1",
        f"`Conv2d({before}, {after}, 1)` has {parameters:,} parameters. What does it compute?",
        "A linear layer over the channels of a pixel",
        (
            "Each pixel times one learned number",
            "That would be the case with one channel in and one out. Here every output channel "
            f"is a weighted sum of {before} input channels.",
        ),
        (
            "An average over neighbouring pixels",
            "A window of one pixel has no neighbours in it.",
        ),
        (
            f"A choice of {after} of the {before} channels",
            "It could learn to choose, with weights 0 and 1; in general it mixes.",
        ),
        reasons=f"`Linear({before}, {after})` has the same {linear_parameters(before, after):,} "
        "parameters and does the same to the channels of one pixel.",
        hint="What lies under a window of one pixel? Count the channels.",
    )


def _reduce_first() -> Exercise:
    before, narrow, after, kernel, size = 192, 16, 32, 5, 28
    output_size = (size, size)
    direct = convolution_macs(before, after, kernel=(kernel, kernel), output_size=output_size)
    reduced = convolution_macs(before, narrow, kernel=(1, 1), output_size=output_size)
    reduced += convolution_macs(narrow, after, kernel=(kernel, kernel), output_size=output_size)
    without = convolution_macs(narrow, after, kernel=(kernel, kernel), output_size=output_size)
    return choose(
        "7-2",
        f"In an Inception module a {kernel}×{kernel} convolution takes {before} channels to "
        f"{after}. A 1×1 layer that first reduces to {narrow} channels makes the whole about how "
        "many times cheaper, in multiply-accumulates?",
        f"{direct / reduced:.1f} times",
        (
            f"{direct / without:.1f} times",
            "That leaves out the 1×1 layer itself. It is cheap, not free.",
        ),
        (
            f"{kernel**2} times",
            "That compares one tap with the whole kernel; the large kernel is still there, on "
            "fewer channels.",
        ),
        (
            "It gets dearer: one layer was added",
            "The number of layers says nothing about cost. Count weights times positions.",
        ),
        reasons=f"On a map of {size}×{size}: {direct:,} directly, {reduced:,} with the reduction. "
        "Both grow alike with the map, so the ratio is the same for any size.",
        hint="Cost is C_in · C_out · k² at every pixel. Add up two layers.",
    )


def _separable_share() -> Exercise:
    channels, kernel = 128, 5
    full = convolution_parameters(channels, channels, kernel=(kernel, kernel), bias="no bias")
    depthwise = convolution_parameters(
        channels, channels, kernel=(kernel, kernel), groups=channels, bias="no bias"
    )
    pointwise = convolution_parameters(channels, channels, kernel=(1, 1), bias="no bias")
    share = (depthwise + pointwise) / full
    return compute(
        "9-1",
        f"A {kernel}×{kernel} convolution from {channels} to {channels} channels is replaced by "
        "a depthwise and a pointwise one, all without bias. Which share of the weights is left, "
        "as a fraction or to three decimals?",
        number(
            "share",
            "Share",
            round(share, 4),
            (
                "pointwise-forgotten",
                round(depthwise / full, 4),
                "That is the depthwise part alone. The pointwise layer mixes the channels.",
            ),
            (
                "depthwise-forgotten",
                round(pointwise / full, 4),
                f"That is the pointwise part alone. Add the {kernel}×{kernel} filters.",
            ),
            (
                "ratio-turned",
                round(full / (depthwise + pointwise), 1),
                "That is how many times fewer.",
            ),
            tolerance=0.0005,
        ),
        steps=(
            f"Depthwise: {channels}·{kernel}² = {depthwise:,}.",
            f"Pointwise: {channels}·{channels} = {pointwise:,}.",
            f"Ordinary: {channels}·{channels}·{kernel}² = {full:,}.",
            f"Share: {depthwise + pointwise:,} / {full:,} = {share:.4f} "
            f"= 1/{channels} + 1/{kernel}².",
        ),
        proof=(
            "from torch import nn\n"
            "count = lambda layer: sum(p.numel() for p in layer.parameters())\n"
            f"depthwise = nn.Conv2d({channels}, {channels}, {kernel}, groups={channels}, "
            "bias=False)\n"
            f"pointwise = nn.Conv2d({channels}, {channels}, 1, bias=False)\n"
            f"ordinary = nn.Conv2d({channels}, {channels}, {kernel}, bias=False)\n"
            "print(round((count(depthwise) + count(pointwise)) / count(ordinary), 4))"
        ),
        reasons="The larger the kernel, the more is saved; the pointwise layer is what remains.",
        hint="Two layers, each over the ordinary one: 1/C_out and 1/k².",
    )


def _unpadded_network() -> Exercise:
    size, kernel, first, second = 32, 5, 16, 32
    one = convolution_size(size, kernel=kernel)
    two = pooling_size(one, kernel=2)
    three = convolution_size(two, kernel=kernel)
    four = pooling_size(three, kernel=2)
    flat = second * four * four
    return compute(
        "19-1",
        f"A 3×{size}×{size} image goes through `Conv2d(3, {first}, {kernel})`, `MaxPool2d(2)`, "
        f"`Conv2d({first}, {second}, {kernel})`, `MaxPool2d(2)`. Give the shape after each "
        "pooling, and the length after `Flatten`.",
        shape(
            "first",
            "After the first pooling",
            (first, two, two),
            (
                "same-padding-assumed",
                (first, size // 2, size // 2),
                f"Without padding a {kernel}×{kernel} convolution takes {kernel - 1} pixels away "
                "first.",
            ),
            (
                "pool-forgotten",
                (first, one, one),
                "That is the shape before pooling; pooling halves it.",
            ),
            ("channels-kept", (3, two, two), f"The convolution makes {first} channels."),
        ),
        shape(
            "second",
            "After the second pooling",
            (second, four, four),
            (
                "pool-forgotten",
                (second, three, three),
                "That is the shape before pooling; pooling halves it.",
            ),
            follow=f"({second}, floor((first[1] - {kernel - 1})/2), "
            f"floor((first[2] - {kernel - 1})/2))",
        ),
        number(
            "flat",
            "After Flatten",
            flat,
            (
                "channels-forgotten",
                four * four,
                f"Flatten keeps all {second} channels: multiply all three sizes.",
            ),
            follow="second[0]*second[1]*second[2]",
        ),
        steps=(
            f"{size} − {kernel} + 1 = {one}; halved {two}: {first}×{two}×{two}.",
            f"{two} − {kernel} + 1 = {three}; halved {four}: {second}×{four}×{four}.",
            f"{second}·{four}·{four} = {flat}.",
        ),
        proof=(
            "import torch\nfrom torch import nn\n"
            f"first = nn.Sequential(nn.Conv2d(3, {first}, {kernel}), nn.MaxPool2d(2))\n"
            f"second = nn.Sequential(nn.Conv2d({first}, {second}, {kernel}), nn.MaxPool2d(2))\n"
            f"one = first(torch.zeros(1, 3, {size}, {size}))\ntwo = second(one)\n"
            "print(tuple(one.shape[1:]))\nprint(tuple(two.shape[1:]))\n"
            "print(two.flatten(1).shape[1])"
        ),
        reasons="One layer at a time, and the channels are those of the last convolution.",
        hint="No padding: what does each convolution take away?",
    )


def _wrong_linear() -> Exercise:
    batch, right, wrong, classes = 64, 800, 1024, 10
    return choose(
        "19-3",
        f"`RuntimeError: mat1 and mat2 shapes cannot be multiplied ({batch}x{right} and "
        f"{wrong}x{classes})`. The network ends with `Flatten()` and `Linear({wrong}, "
        f"{classes})`; batches hold {batch} images. What mends it?",
        f"`Linear({right}, {classes})`",
        (
            f"`Linear({batch}, {classes})`",
            f"{batch} is the batch. A linear layer is told how many features one image has.",
        ),
        (
            "Leave `Flatten` out",
            "Then a linear layer would work on the last axis of the map alone, which is its width.",
        ),
        (
            f"Batches of {wrong} images",
            "The batch size never has to match anything in the network.",
        ),
        reasons=f"mat1 is what arrives: {batch} rows of {right} features. mat2 is the weight: it "
        f"wants {wrong}. Somebody computed the last map for another input, or forgot a padding.",
        hint="Which of the two matrices is the data, and which number is the batch?",
    )


def _grouped_parameters() -> Exercise:
    before, after, kernel, groups = 96, 192, 3, 4
    full = convolution_parameters(before, after, kernel=(kernel, kernel), groups=groups)
    bare = convolution_parameters(
        before, after, kernel=(kernel, kernel), groups=groups, bias="no bias"
    )
    ungrouped = convolution_parameters(before, after, kernel=(kernel, kernel))
    return compute(
        "23-1",
        f"How many parameters has `Conv2d({before}, {after}, {kernel}, groups={groups})`?",
        number(
            "parameters",
            "Parameters",
            full,
            (
                "groups-ignored",
                ungrouped,
                f"With {groups} groups a filter reads {before}/{groups} = {before // groups} "
                "channels, not all.",
            ),
            ("bias-forgotten", bare, f"The weights are right. Add {after} biases."),
            (
                "groups-twice",
                bare // groups + after,
                f"Divided by {groups} twice. There are still {after} filters; each is shorter.",
            ),
            (
                "bias-divided",
                bare + after // groups,
                "Biases belong to output channels, and all of those are still there.",
            ),
        ),
        steps=(
            f"One filter reads {before}/{groups} = {before // groups} channels: "
            f"{before // groups * kernel**2} weights.",
            f"{after} filters: {bare:,}.",
            f"With {after} biases: {full:,}.",
        ),
        proof=(
            "import torch\n"
            f"layer = torch.nn.Conv2d({before}, {after}, {kernel}, groups={groups})\n"
            "print(sum(p.numel() for p in layer.parameters()))"
        ),
        reasons="Groups shorten each filter. They do not remove any.",
        hint="How many channels does one filter read?",
    )


def _impossible_groups() -> Exercise:
    before, after = 48, 64
    possible = [g for g in (2, 4, 16) if before % g == 0 and after % g == 0]
    bad = 3
    return choose(
        "23-2",
        f"Which number of groups is impossible for `Conv2d({before}, {after}, 3, groups=g)`?",
        f"{bad}",
        *(
            (
                f"{groups}",
                f"{before}/{groups} = {before // groups} and {after}/{groups} = "
                f"{after // groups}: both are whole, so it works.",
            )
            for groups in possible
        ),
        reasons=f"Groups must divide input **and** output channels. {bad} divides {before} but "
        f"not {after}.",
        hint="Both channel counts are cut into g equal parts.",
    )


def _channel_multiplier() -> Exercise:
    channels, kernel = 32, 3
    weights = convolution_parameters(
        channels, 2 * channels, kernel=(kernel, kernel), groups=channels, bias="no bias"
    )
    return decide(
        "23-3",
        f"`Conv2d({channels}, {2 * channels}, {kernel}, groups={channels})` is allowed: each "
        "input channel gets two filters of its own.",
        True,
        otherwise="A depthwise layer may have more output channels than input channels, as long "
        "as the groups divide both.",
        reasons=f"It is a depthwise layer with a multiplier of 2, and has {weights} weights.",
        hint="Do the groups divide both channel counts?",
    )


COUNTING: tuple[Exercise, ...] = (
    _odd_room(),
    _padding_that_keeps(),
    _two_inputs_one_size(),
    _parameters(),
    _larger_image(),
    _twice_the_channels(),
    _what_it_is(),
    _reduce_first(),
    choose(
        "7-3",
        "Two 1×1 convolutions follow each other with nothing between. What can they do that one "
        "cannot?",
        "Nothing: together they are one",
        (
            "See a larger neighbourhood",
            "The field of a 1×1 layer is one pixel, however many are stacked.",
        ),
        (
            "Model a nonlinear mix of channels",
            "Both are linear, and a linear map of a linear map is linear. Put an activation "
            "between.",
        ),
        (
            "Use fewer parameters for the same function",
            "With a narrow middle they do, but then they do **less**: the mix has lower rank.",
        ),
        reasons="W₂(W₁x) = (W₂W₁)x. The linter says so too (S110).",
        hint="What is the product of two matrices?",
    ),
    _separable_share(),
    choose(
        "9-2",
        "A network with depthwise separable layers has a ninth of the multiply-accumulates, and "
        "runs only twice as fast on your CPU. Why?",
        "The depthwise layers wait for memory, not for arithmetic",
        (
            "The multiply-accumulates were counted wrongly",
            "The count is right. It counts arithmetic; time is also spent on moving numbers.",
        ),
        (
            "The pointwise layers are slow because they have no neighbours to reuse",
            "Pointwise layers are plain matrix products, the fastest thing there is. It is the "
            "depthwise ones.",
        ),
        (
            "Two layers in place of one double the work",
            "Both layers are in the count already: a ninth is what the two take together.",
        ),
        reasons="A depthwise layer does little arithmetic for each number that it reads. Cost in "
        "operations and cost in time are two measurements. Measure the time.",
        hint="How many times is each number used once it has been read?",
    ),
    choose(
        "9-3",
        "In a depthwise separable block, where does information pass from one channel to another?",
        "Only in the pointwise layer",
        (
            "Only in the depthwise layer",
            "There each channel has its own filter and sees no other channel.",
        ),
        (
            "In both",
            "The depthwise layer has as many groups as channels: they never meet there.",
        ),
        (
            "In the batch norm between them",
            "Batch norm treats each channel alone.",
        ),
        reasons="Depthwise looks around within a channel; pointwise mixes channels at a pixel.",
        hint="How many input channels does one depthwise filter read?",
    ),
    _unpadded_network(),
    choose(
        "19-2",
        "A network ends with `nn.Softmax(dim=1)` and is trained with `nn.CrossEntropyLoss()`. "
        "What happens?",
        "It trains, but slowly: softmax is applied twice",
        (
            "PyTorch raises an error, because probabilities are no logits",
            "The loss takes any real numbers, so nothing is noticed. That makes it dangerous.",
        ),
        (
            "Nothing changes: softmax of a softmax is the same softmax",
            "It is not. Values between 0 and 1 go in as logits, and the second softmax makes "
            "them nearly equal.",
        ),
        (
            "It trains better, because the outputs are bounded",
            "The bound is the harm: even a perfectly sure network cannot get its loss near 0.",
        ),
        reasons="`CrossEntropyLoss` applies log-softmax itself. Give it logits (linter: S111).",
        hint="What does `CrossEntropyLoss` do with what it is given?",
    ),
    _wrong_linear(),
    _grouped_parameters(),
    _impossible_groups(),
    _channel_multiplier(),
)
