"""The mistakes that are known by name.

What a mistake makes of an instance is computed where the instance is made: each is a formula
that is followed to its end, wrong step and all (``sheet.Sheet.blank``).
"""

from __future__ import annotations

from dataclasses import dataclass

from foveal.errors import UsageError


@dataclass(frozen=True, slots=True)
class MistakeKind:
    """A wrong way that learners take.

    Attributes:
        code: Stable name.
        title: What was done, in a few words; completes "It looks like ...".
        sentence: What is so instead.
    """

    code: str
    title: str
    sentence: str


MISTAKES: tuple[MistakeKind, ...] = (
    # Sizes
    MistakeKind(
        "no-floor",
        "nothing was rounded down",
        "A window that does not fit whole is left out, so the division is rounded down.",
    ),
    MistakeKind(
        "rounded-up",
        "the division was rounded up",
        "A window that does not fit whole is left out, so the division is rounded down.",
    ),
    MistakeKind(
        "rounded-down",
        "the division was rounded down in ceil mode",
        "With ceil_mode=True a last window that hangs over the edge counts too.",
    ),
    MistakeKind(
        "no-plus-one",
        "the + 1 was dropped",
        "The first window counts too: the division counts the moves, and + 1 the windows.",
    ),
    MistakeKind(
        "one-short",
        "one position was lost",
        "Either the + 1 was dropped (the first window counts too), or the padding was counted on "
        "one side only (it is there on both).",
    ),
    MistakeKind(
        "padding-once",
        "the padding was added on one side only",
        "Padding is added on both sides of an axis, so it counts twice.",
    ),
    MistakeKind(
        "padding-forgotten",
        "the padding was left out",
        "The padding makes the input larger before the kernel slides over it.",
    ),
    MistakeKind(
        "full-padding",
        "the whole growth of the kernel was padded on each side",
        "Both sides share it: each side gets half of what the kernel takes away.",
    ),
    MistakeKind(
        "dilation-ignored",
        "the dilation was ignored",
        "Dilation d spreads the kernel: it spans d(k − 1) + 1 positions.",
    ),
    MistakeKind(
        "dilated-kernel",
        "the kernel was multiplied by the dilation",
        "Only the k − 1 gaps grow, so the span is d(k − 1) + 1 and not d·k.",
    ),
    MistakeKind(
        "end-not-counted",
        "the distance from the first tap to the last was taken",
        "Both ends are part of the span: d(k − 1) + 1.",
    ),
    MistakeKind(
        "dilation-off-by-one",
        "the holes were taken for the dilation",
        "Dilation d leaves d − 1 holes between neighbouring taps; d = 1 is no dilation.",
    ),
    MistakeKind(
        "kernel-as-padding",
        "one position too many was padded",
        "An odd kernel reaches (k − 1) / 2 positions to each side of its middle.",
    ),
    MistakeKind(
        "size-by-size",
        "one size was divided by the other",
        "Windows are counted, not pixels: (out − 1) moves of s and one kernel fill the map.",
    ),
    MistakeKind(
        "stride-ignored",
        "the stride was ignored",
        "The window moves by the stride, so there are fewer positions for it.",
    ),
    MistakeKind(
        "channels-kept",
        "the input's channels were kept",
        "A convolution has one output channel for each of its kernels: out_channels.",
    ),
    MistakeKind(
        "axes-swapped",
        "height and width were swapped",
        "PyTorch writes the height before the width, in shapes and in pairs.",
    ),
    MistakeKind(
        "channels-last",
        "the channels were put last",
        "PyTorch writes the channels first: C×H×W.",
    ),
    MistakeKind(
        "as-convolution",
        "the formula of a convolution was used",
        "A transposed convolution enlarges: (H − 1)·s − 2p + k.",
    ),
    MistakeKind(
        "padding-enlarges",
        "the padding was added to the result",
        "In a transposed convolution padding removes positions from the result.",
    ),
    MistakeKind(
        "size-times-stride",
        "the size was only multiplied by the stride",
        "The windows lie (H − 1) strides apart and the last one still spans the whole kernel.",
    ),
    MistakeKind(
        "output-padding-forgotten",
        "the output padding was left out",
        "output_padding adds positions at the end of the result.",
    ),
    # Counts
    MistakeKind(
        "bias-forgotten",
        "the bias was forgotten",
        "The bias is one more number for each output.",
    ),
    MistakeKind(
        "bias-counted",
        "a bias was counted that is not there",
        "bias=False: only the weights are left.",
    ),
    MistakeKind(
        "bias-per-input",
        "the bias was counted for each input channel too",
        "The bias belongs to the output channel: one number for each, whatever the input has.",
    ),
    MistakeKind(
        "in-channels-forgotten",
        "the input channels were forgotten",
        "Each kernel reaches through all input channels of its group.",
    ),
    MistakeKind(
        "out-channels-forgotten",
        "only one kernel was counted",
        "There is one kernel for each output channel.",
    ),
    MistakeKind(
        "kernel-side-once",
        "one side of the kernel was counted",
        "A kernel has height times width taps.",
    ),
    MistakeKind(
        "groups-ignored",
        "the groups were ignored",
        "With g groups each kernel sees only C_in / g input channels.",
    ),
    MistakeKind(
        "groups-twice",
        "both channel counts were divided by the groups",
        "Only the input channels are divided: all C_out kernels are still there.",
    ),
    MistakeKind(
        "groups-of-channels",
        "the channels of one group were taken for the number of groups",
        "groups is how many groups there are, not how many channels one group has.",
    ),
    MistakeKind(
        "weight-turned",
        "the two channel axes were swapped",
        "PyTorch stores the output channels first: C_out × C_in/g × k × k.",
    ),
    MistakeKind(
        "running-statistics",
        "the running statistics were counted as parameters",
        "Running mean and variance are buffers: they are stored, but not learned.",
    ),
    MistakeKind(
        "scale-only",
        "one number a channel was counted for batch norm",
        "Batch norm learns two numbers a channel: the scale γ and the shift β.",
    ),
    MistakeKind(
        "norms-forgotten",
        "the batch norms were left out",
        "Each batch norm adds a scale and a shift for every channel.",
    ),
    MistakeKind(
        "shortcut-forgotten",
        "the shortcut was left out",
        "Where the shape changes, the shortcut is a 1×1 convolution with weights of its own.",
    ),
    MistakeKind(
        "shortcut-counted",
        "a shortcut with weights was counted",
        "Where the shape stays, the shortcut is the identity and has no weights.",
    ),
    MistakeKind(
        "input-area",
        "the input's area was used",
        "A kernel is applied once for each position of the output.",
    ),
    MistakeKind(
        "area-forgotten",
        "the positions were left out",
        "The kernel's weights are used again at every position of the output.",
    ),
    MistakeKind(
        "area-counted",
        "the positions were counted as parameters",
        "The same weights serve every position: parameters do not depend on the image size.",
    ),
    MistakeKind(
        "flops-for-macs",
        "multiplications and additions were counted apart",
        "One MAC is a multiplication together with its addition.",
    ),
    MistakeKind(
        "positions-forgotten",
        "the positions were lost when flattening",
        "Flattening keeps every number: C·H·W features.",
    ),
    MistakeKind(
        "one-side-only",
        "only one side of the map was counted when flattening",
        "Flattening keeps every number: C·H·W features.",
    ),
    MistakeKind(
        "pool-forgotten",
        "the pooling was forgotten",
        "Pooling makes the map smaller.",
    ),
    MistakeKind(
        "depthwise-as-dense",
        "the depthwise part was counted as an ordinary convolution",
        "A depthwise kernel sees one channel: k·k weights for each channel.",
    ),
    MistakeKind(
        "pointwise-with-kernel",
        "the 1×1 convolution was given the large kernel",
        "A 1×1 kernel has one tap for each input channel.",
    ),
    MistakeKind(
        "no-groups",
        "the channels were not kept apart",
        "Depthwise means one group and one kernel for each channel.",
    ),
    MistakeKind(
        "kernel-as-groups",
        "the kernel size was taken for the groups",
        "Depthwise means as many groups as channels.",
    ),
    MistakeKind(
        "out-channels-early",
        "the channels were changed too early",
        "The depthwise part keeps the channels; the pointwise part changes their number.",
    ),
    MistakeKind(
        "reduction-ignored",
        "the reduction was ignored",
        "After the 1×1 convolution the large kernel sees only the reduced channels.",
    ),
    MistakeKind(
        "area-root",
        "both channel counts were taken as equal",
        "The 1×1 goes from the full to the reduced width: C·w weights.",
    ),
    MistakeKind(
        "channels-not-weighted",
        "the channels were added without weights",
        "Each channel is multiplied by its own weight first.",
    ),
    MistakeKind(
        "pointwise-forgotten",
        "the pointwise part was left out",
        "The 1×1 convolution that mixes the channels holds most of the weights.",
    ),
    MistakeKind(
        "depthwise-forgotten",
        "the depthwise part was left out",
        "The depthwise part adds k·k weights for each channel.",
    ),
    MistakeKind(
        "ratio-turned",
        "the ratio was turned upside down",
        "Divide in the order that is asked for.",
    ),
    MistakeKind(
        "only-kernel-term",
        "1 / C_out was left out",
        "The ratio has two parts: 1 / C_out from the depthwise and 1 / k² from the pointwise part.",
    ),
    MistakeKind(
        "one-side-term",
        "k was not squared",
        "The kernel has k² taps, so the pointwise part gives 1 / k².",
    ),
    MistakeKind(
        "last-layer-forgotten",
        "the last layer was left out",
        "The last layer counts too.",
    ),
    MistakeKind(
        "middle-at-full-width",
        "the middle layer was counted at full width",
        "Between the two 1×1 convolutions the map has the reduced width.",
    ),
    MistakeKind(
        "first-layer-forgotten",
        "the first layer was left out",
        "The first layer counts too.",
    ),
    MistakeKind(
        "one-layer-only",
        "only one of the layers was counted",
        "Every layer counts, each with its own share.",
    ),
    MistakeKind(
        "root-not-taken",
        "the root was not taken",
        "What was found is the square of what is asked: take its root.",
    ),
    MistakeKind(
        "expansion-forgotten",
        "the expansion was forgotten",
        "A bottleneck block ends with four times its width.",
    ),
    # Receptive fields
    MistakeKind(
        "strides-added",
        "the strides were added",
        "Strides multiply: a step after strides 2 and 2 is 4 pixels of the input.",
    ),
    MistakeKind(
        "own-stride",
        "the layer's own stride was taken into its own field",
        "A layer's stride moves its windows apart; it widens only the layers after it.",
    ),
    MistakeKind(
        "strides-ignored",
        "the strides before were ignored",
        "After strides, neighbouring units are several pixels apart in the input.",
    ),
    MistakeKind(
        "full-kernel",
        "the whole kernel was added",
        "A kernel of k adds k − 1 steps: it already stands on one unit.",
    ),
    MistakeKind(
        "kernels-multiplied",
        "the kernels were multiplied",
        "Fields grow by addition: each layer adds (k − 1) steps.",
    ),
    MistakeKind(
        "field-as-last-kernel",
        "only the last kernel was taken",
        "Each layer before it adds to the field too.",
    ),
    MistakeKind(
        "field-over-kernel",
        "the field was divided by the kernel",
        "The first layer gives k and each further one adds k − 1.",
    ),
    MistakeKind(
        "one-too-many",
        "one layer too many was counted",
        "The input itself is a field of 1; count only what has to be added to it.",
    ),
    MistakeKind(
        "depth-for-field",
        "the number of layers was taken for the field",
        "Kernels, strides and dilations decide; few layers may see more than many.",
    ),
    MistakeKind(
        "branches-added",
        "the branches' fields were added",
        "Branches run side by side, so the field is that of the widest one.",
    ),
    MistakeKind(
        "narrow-branch",
        "the narrowest branch was taken",
        "The result sees what any of its branches sees, so the widest one counts.",
    ),
    MistakeKind(
        "holes-counted",
        "the holes were counted as seen",
        "The field spans them, but no path leads to them.",
    ),
    MistakeKind(
        "read-for-missed",
        "the pixels that are read were counted",
        "Asked are the others: those that the field spans and no path reaches.",
    ),
    MistakeKind(
        "one-gap-only",
        "the holes of a single gap were counted",
        "There are holes between every two neighbours among the pixels that are read.",
    ),
    MistakeKind(
        "last-holes-missed",
        "the holes of the last kernel were counted",
        "The last kernel skips those positions of its own map, but the layers before it read "
        "there.",
    ),
    MistakeKind(
        "taps-multiplied",
        "the taps were multiplied",
        "Different paths meet at the same pixel; it is seen once.",
    ),
    # Values
    MistakeKind(
        "kernel-flipped",
        "the kernel was flipped",
        "PyTorch does not flip: what it calls convolution is cross-correlation.",
    ),
    MistakeKind(
        "kernel-not-flipped",
        "the kernel was not flipped",
        "A true convolution turns the kernel by half a turn first.",
    ),
    MistakeKind(
        "kernel-transposed",
        "rows and columns of the kernel were swapped",
        "Row i of the kernel lies on row i of the window.",
    ),
    MistakeKind(
        "flipped-one-way",
        "the kernel was flipped in one direction only",
        "Both axes are reversed.",
    ),
    MistakeKind(
        "window-misplaced",
        "the window was placed at another corner",
        "Output (i, j) reads the window whose top left corner is at (i·s, j·s).",
    ),
    MistakeKind(
        "sum-for-mean",
        "the sum was taken for the mean",
        "The mean divides by the number of values.",
    ),
    MistakeKind(
        "mean-for-max",
        "the mean was taken",
        "Max pooling keeps the largest value of the window.",
    ),
    MistakeKind(
        "max-for-mean",
        "the largest value was taken",
        "The mean is the sum of the values divided by their number.",
    ),
    MistakeKind(
        "no-relu",
        "the ReLU was left out",
        "Grad-CAM keeps only what speaks for the class: negative values become 0.",
    ),
    MistakeKind(
        "gradients-unused",
        "the maps were added without weights",
        "Each map is multiplied by its weight, the mean of its gradients.",
    ),
    MistakeKind(
        "maps-for-gradients",
        "the maps were averaged in place of their gradients",
        "The weight of a map is the mean of the gradients, not of the map.",
    ),
    MistakeKind(
        "relu-too-early",
        "the weights were cut at zero",
        "Weights may be negative; the ReLU comes after the weighted sum.",
    ),
    MistakeKind(
        "variance-for-deviation",
        "the variance was taken for the standard deviation",
        "Batch norm divides by the root of the variance.",
    ),
    MistakeKind(
        "mean-not-scaled",
        "the mean was not scaled",
        "x − μ is divided and multiplied as a whole, so μ is scaled as well.",
    ),
    MistakeKind(
        "mean-added",
        "the mean was added",
        "The mean is subtracted.",
    ),
    MistakeKind(
        "shift-forgotten",
        "the shift β was left out",
        "β is added at the end.",
    ),
    MistakeKind(
        "scale-forgotten",
        "the scale γ was left out",
        "The normalised value is multiplied by γ.",
    ),
    MistakeKind(
        "batch-statistics",
        "the batch's own statistics were used",
        "In evaluation batch norm uses its running statistics, whatever the batch is.",
    ),
    MistakeKind(
        "bias-not-folded",
        "the convolution's bias was not scaled",
        "The bias passes through batch norm too: (b − μ) is scaled, then β is added.",
    ),
    MistakeKind(
        "sum-for-max",
        "the sum was taken",
        "Max pooling keeps the largest value of the window.",
    ),
    MistakeKind(
        "positions-swapped",
        "row and column were swapped",
        "y[i][j] is row i, column j.",
    ),
    MistakeKind(
        "identity-forgotten",
        "the identity was left out",
        "The block is x + F(x), so its slope is 1 + F'(x).",
    ),
    MistakeKind(
        "identity-added",
        "an identity was added that is not there",
        "A plain block is F(x) alone, so its slope is F'(x).",
    ),
    MistakeKind(
        "gradients-added",
        "the slopes were added",
        "The chain rule multiplies the slopes of blocks that follow one another.",
    ),
    # Whole networks
    MistakeKind(
        "channels-averaged",
        "the mean was taken over the channels",
        "Global average pooling averages over the positions and keeps the channels.",
    ),
    MistakeKind(
        "average-ignored",
        "the average was left out",
        "After global average pooling there is one value for each channel.",
    ),
    MistakeKind(
        "channels-of-image",
        "the channels from before were taken",
        "A layer's input channels are the output channels of the layer just before it.",
    ),
    MistakeKind(
        "channels-of-next",
        "the output channels were taken",
        "What a layer reads is what arrives, not what it gives.",
    ),
    MistakeKind(
        "shortcut-with-kernel",
        "the shortcut was given a 3×3 kernel",
        "The shortcut only changes the shape; a 1×1 convolution is enough.",
    ),
    MistakeKind(
        "size-fixed",
        "the size was taken as fixed",
        "What reaches the linear layer depends on the map only where it is flattened.",
    ),
    MistakeKind(
        "size-free",
        "the size was taken as free",
        "A flattened map has another number of values when its size changes.",
    ),
    MistakeKind(
        "does-not-run",
        "the error was overlooked",
        "One of the lines is given something that it does not expect.",
    ),
    MistakeKind(
        "other-reason",
        "another reason was given",
        "Compare what arrives with what the line expects.",
    ),
    MistakeKind(
        "shape-fits-there",
        "this line still fits",
        "What it is given has the shape that it expects.",
    ),
    MistakeKind(
        "earlier-line-raises",
        "an earlier line fails first",
        "The program never reaches this line.",
    ),
)

_BY_CODE = {kind.code: kind for kind in MISTAKES}


def mistake_kind(code: str) -> MistakeKind:
    """Returns the mistake of that name.

    Raises:
        UsageError: There is none.

    >>> mistake_kind("padding-once").title
    'the padding was added on one side only'
    """
    try:
        return _BY_CODE[code]
    except KeyError:
        raise UsageError(f"There is no mistake named {code!r}.") from None
