"""Sizes, parameters and multiply-accumulates: topics 2, 4, 7, 9, 19 and 23."""

from __future__ import annotations

from foveal.arithmetic import (
    convolution_macs,
    convolution_parameters,
    convolution_size,
    linear_parameters,
    normalisation_parameters,
    pooling_size,
)
from foveal.learn.exercise import Figure, Grid
from foveal.learn.topics.topic import Topic
from foveal.text import count_noun


def _output_shape() -> str:
    size, kernel, stride, padding, channels = 128, 5, 2, 2, 64
    room = size + 2 * padding - (kernel - 1) - 1
    out = convolution_size(size, kernel=kernel, stride=stride, padding=padding)
    return (
        f"`Conv2d(3, {channels}, {kernel}, stride={stride}, padding={padding})` on a batch of "
        f"one image, 1×3×{size}×{size}:\n"
        "```\n"
        f"room     {size} + 2·{padding} − {kernel - 1} − 1 = {room}\n"
        f"steps    floor({room} / {stride}) = {room // stride}\n"
        f"size     {room // stride} + 1 = {out}\n"
        f"shape    1×{channels}×{out}×{out}\n"
        "```\n"
        f"{room} is odd, so the floor matters: the last step does not fit and is dropped."
    )


def _walk_drawn() -> Figure:
    size, kernel, stride, padding = 6, 3, 2, 1
    positions = convolution_size(size, kernel=kernel, stride=stride, padding=padding)
    width = size + 2 * padding
    rows = [tuple("0" if c < padding or c >= width - padding else "·" for c in range(width))]
    rows += [
        tuple("■" if 0 <= c - position * stride < kernel else " " for c in range(width))
        for position in range(positions)
    ]
    labels = ("padded row", *(f"position {position + 1}" for position in range(positions)))
    text = "\n".join(
        f"{label:<12}{' '.join(row)}".rstrip() for label, row in zip(labels, rows, strict=True)
    )
    left = width - ((positions - 1) * stride + kernel)
    alternative = (
        f"A row of {size} pixels with {padding} zero on each side: {width} cells. A kernel of "
        f"{kernel} with stride {stride} stands at {positions} positions, beginning at cells "
        f"{', '.join(str(position * stride + 1) for position in range(positions))}. "
        f"{count_noun(left, 'cell')} at the end is never read."
    )
    marked = tuple(
        (r, c) for r, row in enumerate(rows) for c, cell in enumerate(row) if cell == "■"
    )
    return Figure(
        text, alternative, (Grid("A kernel walks along a row", tuple(rows), labels, marked),)
    )


def _parameter_count() -> str:
    before, after, kernel = 64, 128, 3
    bare = convolution_parameters(before, after, kernel=(kernel, kernel), bias="no bias")
    full = convolution_parameters(before, after, kernel=(kernel, kernel))
    return (
        f"`Conv2d({before}, {after}, {kernel})`:\n"
        "```\n"
        f"weights    {after} · {before} · {kernel}·{kernel} = {bare:,}\n"
        f"biases     {after}\n"
        f"together   {full:,}\n"
        "```\n"
        "The size of the image appears nowhere. A batch norm after it would add "
        f"{normalisation_parameters(after)}: a scale and a shift for each channel."
    )


def _pointwise() -> str:
    before, after, size = 256, 64, 28
    parameters = convolution_parameters(before, after, kernel=(1, 1))
    wide = convolution_macs(before, before, kernel=(3, 3), output_size=(size, size))
    first = convolution_macs(before, after, kernel=(1, 1), output_size=(size, size))
    narrow = convolution_macs(after, before, kernel=(3, 3), output_size=(size, size))
    return (
        f"`Conv2d({before}, {after}, 1)` has {parameters:,} parameters, exactly those of "
        f"`Linear({before}, {after})`: {linear_parameters(before, after):,}. It is that linear "
        "layer, applied to every pixel.\n\n"
        f"Reducing first pays. On a {size}×{size} map, a 3×3 layer from {before} to {before} "
        f"channels takes {wide:,} multiply-accumulates. A 1×1 layer down to {after} channels and "
        f"a 3×3 layer back up take {first + narrow:,} together."
    )


def _separable() -> str:
    channels, kernel = 256, 3
    full = convolution_parameters(channels, channels, kernel=(kernel, kernel), bias="no bias")
    depthwise = convolution_parameters(
        channels, channels, kernel=(kernel, kernel), groups=channels, bias="no bias"
    )
    pointwise = convolution_parameters(channels, channels, kernel=(1, 1), bias="no bias")
    both = depthwise + pointwise
    return (
        f"{channels} channels to {channels}, {kernel}×{kernel}, no bias:\n"
        "```\n"
        f"ordinary     {channels}·{channels}·{kernel}² = {full:,}\n"
        f"depthwise    {channels}·{kernel}²     = {depthwise:,}\n"
        f"pointwise    {channels}·{channels}    = {pointwise:,}\n"
        f"separable    together  = {both:,}\n"
        "```\n"
        f"The ratio is 1/{channels} + 1/{kernel}² = {both / full:.3f}: {full / both:.1f} times "
        "fewer, and the multiply-accumulates shrink by the same factor."
    )


def _cifar_network() -> str:
    size, channels, kernel = 32, 3, 3
    rows = [("input", f"{channels}×{size}×{size}", "")]
    for index, width in enumerate((32, 64, 128)):
        parameters = convolution_parameters(channels, width, kernel=(kernel, kernel))
        size = convolution_size(size, kernel=kernel, padding=1)
        rows.append((f"conv {channels}→{width}", f"{width}×{size}×{size}", f"{parameters:,}"))
        channels = width
        if index < 2:
            size = pooling_size(size, kernel=2)
            rows.append(("max pool 2", f"{channels}×{size}×{size}", "0"))
    rows.append(("average pool", f"{channels}×1×1", "0"))
    rows.append(("flatten", f"{channels}", "0"))
    rows.append((f"linear {channels}→10", "10", f"{linear_parameters(channels, 10):,}"))
    table = "\n".join(f"{name:<16}{shape:<12}{count:>8}" for name, shape, count in rows)
    return f"Layer, shape without the batch axis, parameters:\n```\n{table}\n```"


def _groups() -> str:
    before, after, kernel = 64, 128, 3
    rows = []
    for groups in (1, 2, 4, before):
        weights = convolution_parameters(
            before, after, kernel=(kernel, kernel), groups=groups, bias="no bias"
        )
        rows.append(f"g = {groups:<4}{after} · {before // groups:<2} · {kernel}² = {weights:>7,}")
    table = "\n".join(rows)
    return f"`Conv2d({before}, {after}, {kernel}, groups=g, bias=False)`:\n```\n{table}\n```"


COUNTING: tuple[Topic, ...] = (
    Topic(
        number=2,
        title="output shape",
        chapter="Counting",
        fact=(
            "Along each axis a convolution gives `floor((H + 2p − d(k−1) − 1) / s) + 1` "
            "positions: `k` kernel, `s` stride, `p` padding on each side, `d` dilation.\n\n"
            "Read it as a walk. The kernel spans `d(k−1) + 1` pixels. What the padded input has "
            "beyond that is the **room** to move. Count the whole strides that fit into the room, "
            "and add one for the position where the walk begins. The number of output channels is "
            "the layer's own; it does not depend on the input."
        ),
        example=_output_shape,
        figure=_walk_drawn,
        misconceptions=(
            "“Padding `p` adds `p`.” It adds `p` on **each** side, so 2p.",
            "“The division is exact, or rounded.” It is cut down: half a stride is no position.",
            "“Forget the +1.” Strides are the gaps between positions; there is one position more "
            "than there are gaps.",
        ),
        engine=("foveal.arithmetic.convolution_size", "foveal.inspection.inspect"),
        activities=("engine", "drill", "quiz"),
        rules=("S104", "S105", "S108", "S114", "S118"),
        paper="Dumoulin and Visin, A guide to convolution arithmetic, arXiv:1603.07285",
    ),
    Topic(
        number=4,
        title="parameter count",
        chapter="Counting",
        fact=(
            "Each filter of a convolution reads **all** input channels under its window, so it "
            "holds `C_in · k · k` weights, and one bias. There is one filter for each output "
            "channel: `C_out · C_in · k² + C_out`.\n\n"
            "Height and width of the image do not appear: the same filter is used everywhere."
        ),
        example=_parameter_count,
        misconceptions=(
            "“A filter is k×k.” It is `C_in` × k × k: a stack, as deep as its input.",
            "“One bias for the layer”, or one for each weight. There is one for each output "
            "channel.",
            "“Larger images need more parameters.” They need more arithmetic, not more weights.",
        ),
        engine=("foveal.arithmetic.convolution_parameters", "foveal.inspection.inspect"),
        activities=("engine", "drill", "quiz"),
        lab="costs",
        paper="LeCun et al., Gradient-Based Learning Applied to Document Recognition, 1998",
    ),
    Topic(
        number=7,
        title="1×1 convolution",
        chapter="Counting",
        fact=(
            "A 1×1 convolution looks at one pixel and all its channels. It is a linear layer over "
            "channels, the same at every pixel.\n\n"
            "It changes the number of channels at little cost: down before an expensive layer "
            "(Inception, bottleneck), up after it, or to one channel a class as a head that "
            "answers for every pixel. With an activation after it, it adds a nonlinearity without "
            "widening the receptive field (Network in Network)."
        ),
        example=_pointwise,
        misconceptions=(
            "“It multiplies each pixel by one number.” Only with a single channel in and out. "
            "Otherwise it mixes channels.",
            "“Two 1×1 layers in a row do more than one.” Not without a nonlinearity between: two "
            "linear maps are one linear map.",
        ),
        engine=("foveal.arithmetic.convolution_macs", "foveal.inspection.compare"),
        activities=("engine", "drill", "quiz"),
        lab="costs",
        rules=("S110", "S121"),
        paper="Lin, Chen and Yan, Network In Network, arXiv:1312.4400",
    ),
    Topic(
        number=9,
        title="depthwise separable convolution",
        chapter="Counting",
        fact=(
            "An ordinary convolution looks around and mixes channels at once. The separable one "
            "does it in two steps: **depthwise**, one k×k filter for each channel, then "
            "**pointwise**, a 1×1 layer that mixes channels.\n\n"
            "Parameters and multiply-accumulates fall to `1/C_out + 1/k²` of the ordinary layer. "
            "Measured time falls less: a depthwise layer does little arithmetic for each number "
            "it moves, so memory sets its pace."
        ),
        example=_separable,
        misconceptions=(
            "“The depthwise step mixes channels.” It does not. Without the pointwise step, "
            "channels never meet.",
            "“So many times fewer operations means so many times faster.” Measure it; it is not.",
            "“It computes the same function.” Only where, for each input channel, the kernels of "
            "all output channels are multiples of one filter. It is a smaller family of functions.",
        ),
        engine=("foveal.models.surgery.separate", "foveal.arithmetic.convolution_parameters"),
        activities=("engine", "lab", "drill", "quiz"),
        lab="depthwise",
        rules=("S116",),
        paper="Howard et al., MobileNets, arXiv:1704.04861",
    ),
    Topic(
        number=19,
        title="a network shape by shape",
        chapter="Counting",
        fact=(
            "The usual rhythm: a 3×3 convolution with padding 1 keeps the size and raises the "
            "channels; a pooling layer halves the size. The map gets smaller and deeper. Global "
            "average pooling turns it into one number a channel, and a linear layer turns those "
            "into one logit a class.\n\n"
            "The last layer gives **logits**. Cross-entropy applies the softmax itself."
        ),
        example=_cifar_network,
        misconceptions=(
            "“Pooling changes the channels.” It works on each channel alone and keeps their "
            "number.",
            "“The network ends with a softmax.” Cross-entropy would apply a second one; training "
            "becomes slow and weak.",
            "“Flatten takes all of N×C×H×W.” It keeps the batch axis.",
        ),
        engine=("foveal.models.build", "foveal.inspection.inspect"),
        activities=("engine", "drill", "quiz"),
        rules=("S104", "S111", "S120", "S124", "T410"),
        paper="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
    ),
    Topic(
        number=23,
        title="groups",
        chapter="Counting",
        fact=(
            "With `g` groups, the input channels are cut into g equal parts and the filters too; "
            "each filter reads its own part only. Weights: `C_out · (C_in / g) · k²`. Both channel "
            "counts must be divisible by g.\n\n"
            "`g = 1` is the ordinary layer, `g = C_in` the depthwise one. AlexNet used g = 2 "
            "because the network did not fit into one GPU."
        ),
        example=_groups,
        misconceptions=(
            "“Groups divide the output channels, so the output gets smaller.” The output keeps "
            "all `C_out` channels; each of them reads less.",
            "“Divide by g twice.” There are still `C_out` filters; each of "
            "them reads 1/g of the input channels.",
            "“Biases are divided as well.” There is still one for each output channel.",
        ),
        engine=("foveal.arithmetic.convolution_parameters",),
        activities=("engine", "drill", "quiz"),
        lab="depthwise",
        rules=("S116",),
        paper="Krizhevsky, Sutskever and Hinton, ImageNet Classification with Deep CNNs, 2012",
    ),
)
