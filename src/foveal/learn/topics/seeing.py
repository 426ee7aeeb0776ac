"""What a convolution sees and keeps: topics 1, 3, 8, 12, 15 and 21."""

from __future__ import annotations

from foveal.arithmetic import (
    AxisField,
    convolution_parameters,
    effective_kernel,
    linear_parameters,
)
from foveal.learn.drills.diagrams import field_through
from foveal.learn.drills.window import Window
from foveal.learn.exercise import Figure
from foveal.learn.topics.by_hand import correlate, pooled
from foveal.learn.topics.topic import Topic


def _inductive_biases() -> str:
    size, before, after, kernel = 32, 3, 64, 3
    positions = size * size
    dense = linear_parameters(before * positions, after * positions)
    shared = convolution_parameters(before, after, kernel=(kernel, kernel))
    return (
        f"From {before} to {after} channels on a {size}×{size} image:\n"
        "```\n"
        f"every output sees every input     {dense:>11,} parameters\n"
        f"{kernel}×{kernel} windows, own weights each   {shared * positions:>11,}\n"
        f"{kernel}×{kernel} windows, shared weights     {shared:>11,}\n"
        "```\n"
        "The first step down is local connectivity, the second is weight sharing."
    )


def _equivariance() -> str:
    row, kernel = (0, 0, 1, 3, 1, 0, 0, 0), (1, 2, 1)
    moved = (0, *row[:-1])
    return (
        f"A row, and the same row one pixel to the right. Filter {_row(kernel)}:\n"
        "```\n"
        f"input {_row(row)}    convolution {_row(correlate(row, kernel))}\n"
        f"moved {_row(moved)}    convolution {_row(correlate(moved, kernel))}\n"
        "```\n"
        "The result moved along: equivariant. Its maximum over all positions is "
        f"{max(correlate(row, kernel))} and {max(correlate(moved, kernel))}: invariant. Max "
        "pooling of 2 with stride 2 is neither:\n"
        "```\n"
        f"input, pooled   {_row(pooled(row, 2))}\n"
        f"moved, pooled   {_row(pooled(moved, 2))}\n"
        "```"
    )


def _pooling() -> str:
    rare, even = (0, 0, 0, 8), (2, 2, 2, 2)
    lines = "\n".join(
        f"window {_row(window)}   max {max(window)}   average {sum(window) / len(window):g}"
        for window in (rare, even)
    )
    return (
        f"```\n{lines}\n```\n"
        "Average pooling cannot tell the two windows apart. Max pooling can: it reports that the "
        "feature is there, wherever in the window it is. In the backward pass max sends the whole "
        f"gradient to one of {len(rare)} positions; average shares it equally among all "
        f"{len(rare)}."
    )


def _dilation() -> str:
    kernel, rates = 3, (1, 2, 4)
    lines, field = [], AxisField.of_input()
    for rate in rates:
        field = field.through_convolution(kernel=kernel, dilation=rate)
        lines.append(
            f"d = {rate}   spans {effective_kernel(kernel, rate)}   field so far {field.size}"
        )
    bad = AxisField.of_input()
    for _ in rates:
        bad = bad.through_convolution(kernel=kernel, dilation=2)
    return (
        f"Three {kernel}-wide layers, stride 1, dilations {rates[0]}, {rates[1]}, {rates[2]}:\n"
        "```\n" + "\n".join(lines) + "\n```\n"
        f"All {field.pixels_seen} pixels of that field are seen. With dilation 2 in all three, the "
        f"field is {bad.size} but only {bad.pixels_seen} of its pixels are ever read: **gridding**."
    )


def _receptive_field() -> str:
    kernel, layers = 3, 3
    rows = {}
    for first in (1, 2):
        field, sizes = AxisField.of_input(), []
        for index in range(layers):
            stride = first if index == 0 else 1
            field = field.through_convolution(kernel=kernel, stride=stride, padding=1)
            sizes.append(field.size)
        rows[first] = sizes
    return (
        f"Three {kernel}×{kernel} layers:\n"
        "```\n"
        f"stride 1, 1, 1    1 → {' → '.join(map(str, rows[1]))}\n"
        f"stride 2, 1, 1    1 → {' → '.join(map(str, rows[2]))}\n"
        "```\n"
        "The first layer sees the same either way: its own stride counts only from the next layer "
        f"on. After it, each layer adds {kernel - 1} · 2 = {(kernel - 1) * 2} pixels, not "
        f"{kernel - 1}."
    )


def _field_drawn() -> Figure | None:
    return _through(Window(3, stride=2), Window(3), Window(3))


def _gridding_drawn() -> Figure | None:
    return _through(*(Window(3, dilation=2) for _ in range(3)))


def _through(*windows: Window) -> Figure | None:
    return field_through([(f"layer {index}", each) for index, each in enumerate(windows, start=1)])


def _cross_correlation() -> str:
    row, kernel = (0, 0, 1, 2, 4, 4), (1, 0, -1)
    flipped = kernel[::-1]
    return (
        f"Input {_row(row)}, kernel {_row(kernel)}, no padding:\n"
        "```\n"
        f"cross-correlation (what frameworks do)   {_row(correlate(row, kernel))}\n"
        f"convolution (kernel flipped first)       {_row(correlate(row, flipped))}\n"
        "```\n"
        "A network that would need the other one learns the kernel the other way round."
    )


def _row(values: tuple[int, ...]) -> str:
    return "[" + " ".join(f"{value:d}" for value in values) + "]"


SEEING: tuple[Topic, ...] = (
    Topic(
        number=1,
        title="inductive biases",
        chapter="Seeing",
        fact=(
            "A convolution assumes two things about images before it has seen any. **Local "
            "connectivity**: what matters for a pixel is near it, so a unit sees only its "
            "receptive field. **Weight sharing**: what is worth finding in one place is worth "
            "finding in all, so one filter is used everywhere.\n\n"
            "From sharing follows translation equivariance: move the input, and the output moves "
            "along. Where the assumptions hold, fewer images are enough."
        ),
        example=_inductive_biases,
        misconceptions=(
            "“Weight sharing makes the network invariant.” It makes convolution equivariant. "
            "Invariance comes later, from pooling.",
            "“Convolutions are built for rotation and scale too.” They are not; a turned object "
            "is a new pattern, unless augmentation shows it.",
        ),
        engine=("foveal.inspection.measure_equivariance", "foveal.arithmetic.AxisField"),
        activities=("lab", "quiz"),
        lab="equivariance",
        rules=("W206",),
        paper="LeCun et al., Backpropagation Applied to Handwritten Zip Code Recognition, 1989",
    ),
    Topic(
        number=3,
        title="equivariance and invariance",
        chapter="Seeing",
        fact=(
            "**Equivariant**: shifting the input shifts the output, `f(shift(x)) = shift(f(x))`. "
            "Convolution with stride 1 is, up to the border. **Invariant**: shifting the input "
            "changes nothing, `f(shift(x)) = f(x)`. Pooling gives it approximately, global "
            "average pooling most of all.\n\n"
            "Strides break both for shifts that are no multiple of the stride. How much a network "
            "keeps can be measured for any model."
        ),
        example=_equivariance,
        misconceptions=(
            "“CNNs are translation invariant.” Not exactly: stride and border break it, and real "
            "networks change their mind after a shift of one pixel.",
            "“Equivariant means the output stays the same.” That is invariant. Equivariant means "
            "that it moves along.",
        ),
        engine=(
            "foveal.inspection.measure_equivariance",
            "foveal.evaluation.decision_consistency",
        ),
        activities=("engine", "lab", "quiz"),
        lab="equivariance",
        rules=("S114", "S126"),
        paper="Zhang, Making Convolutional Networks Shift-Invariant Again, arXiv:1904.11486",
    ),
    Topic(
        number=8,
        title="max and average pooling",
        chapter="Seeing",
        fact=(
            "**Max pooling** keeps the strongest response of a window: is the feature there, no "
            "matter where? It suits hidden layers, where features are sparse. **Average pooling** "
            "keeps the mean: how much of it is there? It is smooth, every position gets a "
            "gradient, and over the whole map, as global average pooling, it ends most networks "
            "today.\n\nNeither has parameters, and neither mixes channels."
        ),
        example=_pooling,
        misconceptions=(
            "“Max pooling keeps the position.” It drops the position inside the window; that is "
            "its point.",
            "“Pooling learns which pixels matter.” There is nothing in it to learn.",
            "“Average is just a softer max.” One strong response among many zeros is loud in the "
            "one and nearly silent in the other.",
        ),
        engine=("foveal.arithmetic.pooling_size",),
        activities=("lab", "quiz"),
        lab="pooling",
        paper="Boureau, Ponce and LeCun, A Theoretical Analysis of Feature Pooling, ICML 2010",
    ),
    Topic(
        number=12,
        title="dilation",
        chapter="Seeing",
        fact=(
            "Dilation `d` reads every d-th pixel: a kernel of k spans `k + (k−1)(d−1)` pixels with "
            "the same k weights. The field grows without more parameters and without losing "
            "resolution, which is why segmentation uses it.\n\n"
            "Stacked badly, for instance with the same rate above 1 in every layer, some pixels "
            "are never read: gridding. With 3×3 kernels the rates 1, 2, 5 avoid it: no rate is "
            "larger than the field of the layers before it."
        ),
        example=_dilation,
        figure=_gridding_drawn,
        misconceptions=(
            "“Dilation shrinks the map like a stride.” It only needs more padding; with it, the "
            "size stays.",
            "“A dilated kernel has more weights.” It has the same weights, farther apart.",
            "“The span is k·d.” It is `d(k−1) + 1`: gaps lie between taps, not after the last.",
        ),
        engine=("foveal.arithmetic.effective_kernel", "foveal.models.surgery.dilate"),
        activities=("engine", "lab", "drill", "quiz"),
        lab="receptive-field",
        rules=("S106", "S107"),
        paper="Yu and Koltun, Multi-Scale Context Aggregation by Dilated Convolutions, "
        "arXiv:1511.07122",
    ),
    Topic(
        number=15,
        title="receptive field",
        chapter="Seeing",
        fact=(
            "The pixels that can change a unit. Layer by layer: `r_L = r_{L−1} + (k_L − 1) · "
            "∏ s_i` over the layers i **before** L. Begin with r = 1.\n\n"
            "The product is the **jump**: how far apart in the input two neighbours of the current "
            "map are. A stride of 2 doubles what every later layer adds. The effective field, "
            "where most of the influence comes from, is smaller and densest in its middle."
        ),
        example=_receptive_field,
        figure=_field_drawn,
        misconceptions=(
            "“A layer's own stride widens its own field.” It widens the steps of the layers "
            "after it.",
            "“Strides add up.” They multiply.",
            "“Padding widens the field.” It adds zeros at the border; a unit's reach stays the "
            "same.",
        ),
        engine=(
            "foveal.arithmetic.AxisField",
            "foveal.inspection.effective_receptive_field",
        ),
        activities=("engine", "lab", "drill", "quiz"),
        lab="receptive-field",
        rules=("S103", "S105", "S108"),
        paper="Araujo, Norris and Sim, Computing Receptive Fields of CNNs, Distill 2019",
    ),
    Topic(
        number=21,
        title="cross-correlation",
        chapter="Seeing",
        fact=(
            "Mathematics flips the kernel before it slides: that is convolution. Frameworks slide "
            "it as it is: cross-correlation, `y[i] = Σ_j w[j] · x[i + j]`. They call it "
            "convolution all the same.\n\n"
            "For learned weights the name does not matter: training finds the flipped kernel "
            "where it needs one. It matters when you bring a kernel from elsewhere, such as a "
            "filter from a book on signals."
        ),
        example=_cross_correlation,
        misconceptions=(
            "“Frameworks flip the kernel internally.” They do not.",
            "“So CNNs lose something.” Flipping is a renaming of the weights; the set of "
            "functions is the same.",
        ),
        engine=(),
        activities=("lab", "drill", "quiz"),
        lab="cross-correlation",
        paper="Goodfellow, Bengio and Courville, Deep Learning, MIT Press 2016, section 9.1",
    ),
)
