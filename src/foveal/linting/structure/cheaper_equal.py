"""S115 and S116: convolutions that others do the work of for less."""

from __future__ import annotations

from foveal.draw.numbers import percent
from foveal.graph import Op
from foveal.graph.wiring import dimensions, is_spatial, number, sizes
from foveal.linting.context import LintContext
from foveal.linting.finding import Checked, Finding, NotApplicable, Outcome
from foveal.linting.rule import Rule

MIN_SAVING = 1.2
MIN_CHANNELS = 32
MIN_SHARE = 0.5


def check_large_kernels(context: LintContext) -> Outcome:
    """Finds dense kernels of 5×5 and more that a stack of 3×3 covers with fewer parameters.

    Simonyan and Zisserman 2014 (VGG): n layers of 3×3 see 2 n + 1 pixels.
    """
    dense = [op for op in context.graph.ops if _is_dense(op)]
    if not dense:
        return NotApplicable("there is no dense 2-d convolution that reads more than one place")
    found = []
    for op in dense:
        kernel = sizes(op, "kernel")
        if kernel[0] != kernel[1] or kernel[0] < 5 or kernel[0] % 2 == 0:
            continue
        if set(sizes(op, "stride")) != {1} or set(sizes(op, "dilation")) != {1}:
            continue
        before, after = number(op, "in_channels"), number(op, "out_channels")
        layers = (kernel[0] - 1) // 2
        now = kernel[0] ** 2 * before * after
        stacked = 9 * before * after + (layers - 1) * 9 * after * after
        if now < MIN_SAVING * stacked:
            continue
        found.append(
            Finding(
                "S115",
                "info",
                op.name,
                f"{op.name} ({dimensions(kernel)}, {before} to {after} channels) has {now:,} "
                f"weights; {layers} layers of 3×3 see the same {dimensions(kernel)} with "
                f"{stacked:,}, {now / stacked:.1f} times fewer, and {layers} activations.",
                f"Try {layers} layers of 3×3 with activations between them.",
                data={"weights": now, "weights_stacked": stacked},
            )
        )
    return Checked(tuple(found))


def check_dense_share(context: LintContext) -> Outcome:
    """Says what depthwise separable convolutions would cost in the place of dense ones.

    Howard et al. 2017 (MobileNet): the ratio of costs is 1 / C_out + 1 / k².
    """
    graph = context.graph
    dense = [
        op
        for op in graph.ops
        if _is_dense(op)
        and min(number(op, "in_channels"), number(op, "out_channels")) >= MIN_CHANNELS
    ]
    if not dense:
        return NotApplicable(
            f"no dense spatial convolution has {MIN_CHANNELS} channels or more on both sides"
        )
    total = graph.macs.value or 0
    now = sum(op.macs.value or 0 for op in dense)
    if total == 0 or now < MIN_SHARE * total:
        return Checked()
    after = sum(_separable_macs(op) for op in dense)
    return Checked(
        (
            Finding(
                "S116",
                "info",
                "",
                f"{len(dense)} dense spatial convolutions do {percent(now / total)} of the "
                f"{total:,} MACs. Depthwise and pointwise pairs of the same shapes would do "
                f"{after:,} instead of {now:,}, {now / after:.1f} times fewer.",
                "Where speed or size matters try depthwise separable convolutions; they compute "
                "less, not the same, and are usually made wider to make up for it.",
                data={"macs": now, "macs_separable": after, "num_layers": len(dense)},
            ),
        )
    )


def _is_dense(op: Op) -> bool:
    return (
        op.kind == "conv"
        and is_spatial(op)
        and number(op, "groups") == 1
        and len(op.output_shape) == 4
    )


def _separable_macs(op: Op) -> int:
    places = op.output_shape[2] * op.output_shape[3]
    kernel = sizes(op, "kernel")
    before, after = number(op, "in_channels"), number(op, "out_channels")
    return places * before * (kernel[0] * kernel[1] + after)


LARGE_KERNEL = Rule("S115", "large kernel with a cheaper equal", "info", check_large_kernels, (5,))
DENSE_SHARE = Rule(
    "S116", "dense convolutions with a cheaper relative", "info", check_dense_share, (9, 23)
)
