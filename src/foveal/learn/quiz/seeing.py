"""Questions on what a convolution sees and keeps: topics 1, 3, 8, 12, 15 and 21."""

from __future__ import annotations

from collections.abc import Sequence

from foveal.arithmetic import (
    AxisField,
    convolution_parameters,
    convolution_size,
    effective_kernel,
    linear_parameters,
)
from foveal.learn.exercise import Exercise
from foveal.learn.quiz.building import assign, choose, compute, decide, explain, number
from foveal.learn.topics.by_hand import correlate


def _which_saves_more() -> Exercise:
    size, before, after, kernel = 32, 3, 64, 3
    positions = size * size
    dense = linear_parameters(before * positions, after * positions)
    shared = convolution_parameters(before, after, kernel=(kernel, kernel))
    local = shared * positions
    return choose(
        "1-2",
        f"A dense layer from 3×{size}×{size} to {after}×{size}×{size} has {dense:,} parameters, "
        f"a {kernel}×{kernel} convolution {shared:,}. Local connectivity and weight sharing both "
        "help. Which saves by the larger factor here?",
        "Weight sharing, because one filter serves all positions",
        (
            "Local connectivity, because most connections are cut",
            f"It cuts {dense:,} to {local:,}, a factor of {dense / local:.0f}. Sharing then uses "
            f"one filter at all {positions:,} positions.",
        ),
        (
            "Both the same",
            f"Locality leaves {local:,}; from there sharing goes on to {shared:,}. Compare the "
            "two factors.",
        ),
        (
            "Neither: it is the number of channels",
            f"Channels are the same in both layers, {before} in and {after} out.",
        ),
        reasons=f"{dense:,} → {local:,} by locality: {dense / local:.0f} times fewer. From there "
        f"→ {shared:,} by sharing over {positions:,} positions: {local // shared:,} times fewer.",
        hint="What would a layer cost that is local but has its own weights at each position?",
    )


def _shift_by_the_stride() -> Exercise:
    stride, shift = 2, 2
    return decide(
        "3-3",
        f"Away from the border, max pooling of {stride} with stride {stride} is equivariant to "
        f"shifts of {shift} pixels: its output moves by {shift // stride}.",
        shift % stride == 0,
        otherwise="A shift by a multiple of the stride moves every window exactly onto the next "
        "one. It is the shifts in between that break it.",
        reasons="Strides keep equivariance for multiples of the stride, and lose it for all "
        "other shifts.",
        hint="Which pixels are in the first window before the shift, and where are they after?",
    )


def _max_and_average() -> Exercise:
    window = (1, 0, 5, 2)
    mean = sum(window) // len(window)
    shown = "[" + " ".join(map(str, window)) + "]"
    return compute(
        "8-2",
        f"A 2×2 window holds {shown}. What do max pooling and average pooling give?",
        number("max", "Max", max(window), ("mean-for-max", mean, "That is the mean.")),
        number(
            "average",
            "Average",
            mean,
            ("sum-for-mean", sum(window), f"That is the sum; divide by {len(window)}."),
            (
                "zeros-skipped",
                round(sum(window) / sum(value > 0 for value in window), 2),
                "The zero counts: it is one of the values.",
            ),
            ("max-for-mean", max(window), "That is the maximum."),
        ),
        steps=(
            f"Max: {max(window)}.",
            f"Average: {sum(window)} / {len(window)} = {mean}.",
        ),
        proof=(
            "import torch\n"
            f"x = torch.tensor({list(map(float, window))}).reshape(1, 1, 2, 2)\n"
            "print(int(torch.nn.MaxPool2d(2)(x)))\nprint(int(torch.nn.AvgPool2d(2)(x)))"
        ),
        reasons="Max asks whether the feature is there, average how much of it there is.",
        hint="Four values.",
    )


def _dilated_span() -> Exercise:
    kernel, dilation = 5, 3
    span = effective_kernel(kernel, dilation)
    return compute(
        "12-1",
        f"How many pixels does a kernel of {kernel} with dilation {dilation} span along one axis?",
        number(
            "span",
            "Pixels",
            span,
            (
                "dilated-kernel",
                kernel * dilation,
                f"Gaps lie between taps: {kernel} taps have {kernel - 1} gaps, and nothing "
                "follows the last.",
            ),
            ("dilation-ignored", kernel, "Those are the taps. They lie apart."),
            (
                "no-plus-one",
                span - 1,
                "That is the distance from the first tap to the last; both ends count.",
            ),
            (
                "gaps-added",
                kernel + (kernel - 1) * dilation,
                f"Dilation {dilation} leaves {dilation - 1} pixels between taps, not {dilation}.",
            ),
        ),
        steps=(
            f"{kernel} taps have {kernel - 1} gaps of {dilation}: {dilation * (kernel - 1)}.",
            f"Both ends count: {dilation * (kernel - 1)} + 1 = {span}.",
        ),
        proof=(
            "import torch\n"
            f"layer = torch.nn.Conv1d(1, 1, {kernel}, dilation={dilation})\n"
            "# The smallest input that gives one output:\n"
            "size = 1\n"
            f"while (size - {dilation} * ({kernel} - 1) - 1) < 0:\n    size += 1\n"
            "assert layer(torch.zeros(1, 1, size)).shape[2] == 1\nprint(size)"
        ),
        reasons="k + (k − 1)(d − 1), which is d(k − 1) + 1.",
        hint="Draw the taps and count.",
    )


def _rates_without_gridding() -> Exercise:
    def field(rates: Sequence[int]) -> AxisField:
        grown = AxisField.of_input()
        for rate in rates:
            grown = grown.through_convolution(kernel=3, dilation=rate)
        return grown

    good, even, doubled, growing = (1, 2, 5), (2, 2, 2), (2, 4, 8), (3, 3, 3)
    best = field(good)

    def text(rates: Sequence[int]) -> str:
        return ", ".join(map(str, rates))

    def told(rates: Sequence[int]) -> str:
        grown = field(rates)
        return f"It reads {grown.pixels_seen} of the {grown.size} pixels that it spans."

    return choose(
        "12-2",
        "Three 3-wide layers with stride 1. Which dilations let the last unit read **every** "
        "pixel of its field?",
        text(good),
        (text(even), f"All taps stay on even distances. {told(even)}"),
        (
            text(doubled),
            f"All rates share the factor 2, so odd distances are lost. {told(doubled)}",
        ),
        (text(growing), f"All rates share the factor {growing[0]}. {told(growing)}"),
        reasons=f"{best.pixels_seen} of {best.size} pixels are read: no rate is wider than what "
        f"the "
        "layers before it cover, so no hole is left. With a common factor the pixels between are "
        "never seen: gridding.",
        hint="Which distances can you reach by adding one of −d, 0 and +d from each layer?",
    )


def _dilation_keeps() -> Exercise:
    kernel, dilation, size = 3, 2, 56
    out = convolution_size(size, kernel=kernel, dilation=dilation, padding=dilation)
    return decide(
        "12-3",
        f"`Conv2d(C, C, {kernel}, dilation={dilation}, padding={dilation})` keeps a "
        f"{size}×{size} map at {size}×{size}.",
        out == size,
        otherwise=f"The kernel spans {effective_kernel(kernel, dilation)} and takes "
        f"{effective_kernel(kernel, dilation) - 1} away; padding gives as much back.",
        reasons="For k = 3 a padding equal to the dilation keeps the size. The field grows, the "
        "resolution stays: that is what segmentation wants.",
        hint="Span minus one is taken away; twice the padding is given back.",
    )


def _four_strides() -> Exercise:
    kernel, stride, layers = 3, 2, 4
    field, sizes = AxisField.of_input(), [1]
    for _ in range(layers):
        field = field.through_convolution(kernel=kernel, stride=stride, padding=1)
        sizes.append(field.size)
    gain = kernel - 1
    jumps = ", ".join(str(stride**index) for index in range(layers))
    return compute(
        "15-1",
        f"Four {kernel}×{kernel} convolutions, each with stride {stride}. How wide is the "
        "receptive field of a unit after the last?",
        number(
            "field",
            "Pixels",
            field.size,
            (
                "strides-added",
                1 + gain * (1 + sum(stride * index for index in range(1, layers))),
                f"The strides before a layer multiply ({jumps}). They were added.",
            ),
            (
                "own-stride",
                1 + gain * sum(stride**index for index in range(1, layers + 1)),
                "A layer's own stride was counted in its own field. It counts from the next one.",
            ),
            (
                "strides-ignored",
                1 + gain * layers,
                "That holds for stride 1. Strides spread later layers over more pixels.",
            ),
            ("kernels-multiplied", kernel**layers, "Fields grow by adding (k − 1) · jump."),
        ),
        steps=tuple(
            f"Layer {index}: {sizes[index - 1]} + {gain}·{stride ** (index - 1)} = {sizes[index]}."
            for index in range(1, layers + 1)
        ),
        proof=(
            "import torch\nfrom torch import nn\n"
            "net = nn.Sequential(*[nn.Conv1d(1, 1, 3, stride=2, bias=False) "
            f"for _ in range({layers})])\n"
            "for layer in net:\n    nn.init.ones_(layer.weight)\n"
            "x = torch.zeros(1, 1, 101, requires_grad=True)\n"
            "net(x)[0, 0, 0].backward()\nprint(int((x.grad != 0).sum()))"
        ),
        reasons="Each layer adds (k − 1) times the product of the strides **before** it.",
        hint="Write down the jump before each layer: it doubles.",
    )


def _which_grows_most() -> Exercise:
    kernel, layers = 3, 5

    def size(strides: Sequence[int]) -> int:
        field = AxisField.of_input()
        for stride in strides:
            field = field.through_convolution(kernel=kernel, stride=stride, padding=1)
        return field.size

    plain, first, last = (size(s) for s in ((1,) * 5, (2, 1, 1, 1, 1), (1, 1, 1, 1, 2)))
    return choose(
        "15-2",
        f"Five {kernel}×{kernel} layers with stride 1 see {plain}×{plain} pixels. Which change "
        "widens the field of the last unit most?",
        "Stride 2 in the first layer",
        (
            "Stride 2 in the last layer",
            f"Its own stride comes after its own window: the field stays {last}.",
        ),
        (
            "Padding 2 instead of 1 in every layer",
            "Padding adds zeros around the map. How far a unit reaches stays the same.",
        ),
        (
            "Twice the channels in every layer",
            "Channels are not positions. A wide layer sees no more pixels.",
        ),
        reasons=f"After a first stride of 2 each of the other {layers - 1} layers adds "
        f"{2 * (kernel - 1)} pixels instead of {kernel - 1}: {first} instead of {plain}.",
        hint="The jump of a layer is the product of the strides before it.",
    )


def _slide_by_hand() -> Exercise:
    row, kernel = (1, 2, 0, 3), (1, 0, 2)
    out, flipped = correlate(row, kernel), correlate(row, kernel[::-1])
    told = "That is the mathematician's convolution: the kernel was flipped. PyTorch does not."
    return compute(
        "21-1",
        f"What does PyTorch's `conv1d` give for the input [{' '.join(map(str, row))}] and the "
        f"weight [{' '.join(map(str, kernel))}], without padding?",
        number("first", "First value", out[0], ("kernel-flipped", flipped[0], told)),
        number("second", "Second value", out[1], ("kernel-flipped", flipped[1], told)),
        steps=tuple(
            " + ".join(f"{weight}·{row[start + tap]}" for tap, weight in enumerate(kernel))
            + f" = {value}."
            for start, value in enumerate(out)
        ),
        proof=(
            "import torch\n"
            f"x = torch.tensor([[{list(map(float, row))}]])\n"
            f"w = torch.tensor([[{list(map(float, kernel))}]])\n"
            "for value in torch.nn.functional.conv1d(x, w).flatten():\n    print(int(value))"
        ),
        reasons="The kernel is laid on the input as it is, multiplied and summed: "
        "cross-correlation.",
        hint="Lay the kernel on the first three values, unflipped.",
    )


SEEING: tuple[Exercise, ...] = (
    choose(
        "1-1",
        "Which two assumptions about images are built into a convolution?",
        "What belongs together is near, and a pattern means the same everywhere",
        (
            "Objects keep their meaning when turned or resized",
            "Nothing in a convolution handles rotation or scale. Those must be learned, for "
            "instance from augmented images.",
        ),
        (
            "Neighbouring pixels are equal, and far ones independent",
            "Near pixels are looked at together, which does not make them equal: edges, where "
            "they differ, are the first thing that is found.",
        ),
        (
            "Every pixel may depend on every other, with one weight for each pair",
            "That is a dense layer: neither local nor shared.",
        ),
        reasons="Local connectivity and weight sharing. From sharing follows translation "
        "equivariance.",
        hint="What does one unit see, and what do all units of a channel have in common?",
    ),
    _which_saves_more(),
    explain(
        "1-3",
        "Name a kind of image for which sharing the same filters over all positions is a poor "
        "assumption, and say why.",
        model="Aligned images, such as passport photos or chest X-rays in a standard pose: an eye, "
        "or a shadow on the lung, means something else in another position, so different positions "
        "deserve different filters. In a spectrogram the vertical axis is pitch, and the same "
        "pattern an octave higher is another sound. Convolution still works there, because "
        "later layers and the border tell it where it is, but the assumption no longer helps.",
        checklist=(
            "I named images in which the position itself carries meaning.",
            "I said that weight sharing treats a pattern alike in all positions.",
        ),
        hint="Where does it matter **where** something is?",
    ),
    assign(
        "3-1",
        "What happens to the output of each when the input moves by one pixel (away from the "
        "border)?",
        ("it moves along (equivariant)", "it stays (invariant)", "neither"),
        (
            "convolution, stride 1",
            "it moves along (equivariant)",
            "The same filter meets the same pixels, one position further.",
        ),
        (
            "convolution with stride 1, then global average pooling",
            "it stays (invariant)",
            "The same values are averaged, in other positions.",
        ),
        (
            "max pooling 2, stride 2",
            "neither",
            "One pixel is half a stride: the windows now cut the pattern elsewhere.",
        ),
        (
            "flatten, then a linear layer",
            "neither",
            "Every position has its own weights, so the moved pattern meets other ones.",
        ),
        reasons="Sharing gives equivariance, averaging away the position gives invariance, strides "
        "break both for shifts that are no multiple of the stride.",
        hint="Does the operation use one filter everywhere? Does it keep the position?",
    ),
    choose(
        "3-2",
        "A good classifier says “cat”, and after a shift of one pixel “dog”. What in its "
        "architecture makes this possible?",
        "Strides and pooling: a shift changes what they sample",
        (
            "Weight sharing: the filters see the same thing twice",
            "Sharing is what keeps the response the same after a shift. It works against this.",
        ),
        (
            "Global average pooling: it throws the position away",
            "Throwing the position away makes the answer steadier, not less steady.",
        ),
        (
            "The softmax: it exaggerates small differences",
            "Softmax keeps the order of the logits. The answer changed because their order did.",
        ),
        reasons="Subsampling without a low-pass filter aliases. Blurring before the stride helps; "
        "`foveal.inspection.measure_equivariance` measures it.",
        hint="Which layers treat even and odd pixels differently?",
    ),
    _shift_by_the_stride(),
    choose(
        "8-1",
        "In the backward pass, where does the gradient of one output of max pooling go?",
        "All of it to the position of the maximum",
        (
            "An equal share to every position of the window",
            "That is average pooling.",
        ),
        (
            "To every position, in proportion to its value",
            "A small change of a value that is not the maximum does not change the output, so "
            "its gradient is 0.",
        ),
        (
            "Nowhere: the maximum cannot be differentiated",
            "It can wherever one value is largest: there it is just that value.",
        ),
        reasons="Locally, max **is** its largest input.",
        hint="Nudge one input a little. Does the output change?",
    ),
    _max_and_average(),
    choose(
        "8-3",
        "Why do most networks end with global **average** pooling rather than global max?",
        "Because every position of the map gets a gradient",
        (
            "Because max pooling has parameters that overfit",
            "Neither has any parameters.",
        ),
        (
            "Because average pooling keeps the position of the object",
            "Both throw the position away; that is why they accept any size.",
        ),
        (
            "Because the maximum takes longer to compute",
            "Both read every cell once. They differ in what they pass on, and to which cells the "
            "gradient goes.",
        ),
        reasons="So the last map learns the whole object. The average is robust against one odd "
        "cell; in hidden layers, where "
        "features are sparse, the maximum is often the better summary.",
        hint="Which cells of a 7×7 map are trained by one image?",
    ),
    _dilated_span(),
    _rates_without_gridding(),
    _dilation_keeps(),
    _four_strides(),
    _which_grows_most(),
    decide(
        "15-3",
        "The effective receptive field, where nearly all of the influence comes from, is smaller "
        "than the theoretical one.",
        True,
        otherwise="Far more paths lead through the middle of the field than through its border; "
        "with many layers the influence becomes a bell that is narrower than the formula.",
        reasons="The formula says what **can** have influence. How much each pixel has can be "
        "measured: `foveal.inspection.effective_receptive_field`.",
        hint="How many paths lead from a corner pixel to the unit, and how many from the centre?",
    ),
    _slide_by_hand(),
    decide(
        "21-2",
        "Because frameworks do not flip the kernel, a CNN can represent fewer functions than "
        "one with true convolutions.",
        False,
        otherwise="For every network of the one kind there is one of the other with each kernel "
        "stored the other way round, and it computes the same.",
        reasons="Flipping only renames the weights. Training finds them under either name.",
        hint="What if every kernel were stored reversed?",
    ),
    choose(
        "21-3",
        "You copy a kernel for true convolution out of a book on signal processing into "
        "`conv2d.weight`. What must you do?",
        "Flip it along height and width",
        (
            "Nothing: `Conv2d` is a convolution",
            "By name. It slides the kernel unflipped.",
        ),
        (
            "Transpose it",
            "Transposing mirrors along the diagonal and swaps the axes. Flipping is a turn by "
            "half a circle.",
        ),
        (
            "Flip it along height only",
            "Convolution in two dimensions flips both axes.",
        ),
        reasons="Cross-correlation with the flipped kernel is convolution with the original. A "
        "symmetric kernel, such as a Gaussian, needs no care.",
        hint="In x[i − j], which way does the kernel run, and along how many axes?",
    ),
)
