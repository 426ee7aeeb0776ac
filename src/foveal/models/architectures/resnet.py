"""Residual networks, and the plain networks they are compared with.

He, Zhang, Ren and Sun (CVPR 2016, arXiv:1512.03385). A block learns what to add to its input,
``y = F(x) + x``, so that doing nothing is easy and the gradient has a path of its own. Without
the shortcuts the same layers are the paper's *plain* network, which learns worse the deeper it
is, on the training data too (section 4). As in torchvision, whose names of tensors these are,
the bottleneck's stride sits in its 3×3 convolution; the paper has it in the first 1×1.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor, nn
from torch.nn.functional import pad

from foveal.arithmetic.checks import require_at_least
from foveal.errors import UsageError
from foveal.models.architectures.paper import Paper, require_one_of

PAPER = Paper(
    authors="He, Zhang, Ren, Sun",
    title="Deep Residual Learning for Image Recognition",
    year=2016,
    identifier="arXiv:1512.03385",
)

# Where a block changes the shape, its shortcut must too. Section 3.3: option A pads with zero
# channels, option B projects by a 1×1 convolution. "none": no block has a shortcut.
Shortcut = Literal["projection", "padding", "none"]
_SHORTCUTS = ("projection", "padding", "none")


class Step(NamedTuple):
    """A block's stride, and the dilation before and after it."""

    stride: int
    dilation_before: int = 1
    dilation_after: int = 1


_KEEP = Step(stride=1)
_HALVE = Step(stride=2)


class PaddingShortcut(nn.Module):
    """Option A: every second position, and channels of zeros behind; no parameters."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.num_new_channels = out_channels - in_channels

    def forward(self, maps: Tensor) -> Tensor:
        """Returns ``[N, out_channels, H / stride, W / stride]``."""
        kept = maps[:, :, :: self.stride, :: self.stride]
        return pad(kept, (0, 0, 0, 0, 0, self.num_new_channels))


def make_shortcut(
    kind: Shortcut, in_channels: int, out_channels: int, *, stride: int
) -> nn.Module | None:
    """Returns what goes around a block: nothing, the input itself, or a change of shape."""
    if kind == "none":
        return None
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if kind == "padding":
        return PaddingShortcut(in_channels, out_channels, stride=stride)
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel_size=1, stride=stride, bias=False),
        nn.BatchNorm2d(out_channels),
    )


def _conv3x3(in_channels: int, out_channels: int, stride: int, dilation: int) -> nn.Conv2d:
    """Keeps the size, but for the stride."""
    return nn.Conv2d(
        in_channels, out_channels, 3, stride, padding=dilation, dilation=dilation, bias=False
    )


class BasicBlock(nn.Module):
    """Two 3×3 convolutions. Figure 5, left."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, *, step: Step, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, width, step.stride, step.dilation_before)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, 1, step.dilation_after)
        self.bn2 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = make_shortcut(shortcut, in_channels, width, stride=step.stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Adds the shortcut before the last ReLU."""
        residual = self.relu(self.bn1(self.conv1(maps)))
        residual = self.bn2(self.conv2(residual))
        if self.downsample is not None:
            residual = residual + self.downsample(maps)
        rectified: Tensor = self.relu(residual)
        return rectified


class Bottleneck(nn.Module):
    """1×1 down to ``width``, 3×3, 1×1 up to four times that. Figure 5, right."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, *, step: Step, shortcut: Shortcut) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, step.stride, step.dilation_before)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = make_shortcut(shortcut, in_channels, out_channels, stride=step.stride)

    def forward(self, maps: Tensor) -> Tensor:
        """Adds the shortcut before the last ReLU."""
        residual = self.relu(self.bn1(self.conv1(maps)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        if self.downsample is not None:
            residual = residual + self.downsample(maps)
        rectified: Tensor = self.relu(residual)
        return rectified


Block = type[BasicBlock] | type[Bottleneck]

# Table 1: the block and how many of them each of the four stages has.
_STAGES: dict[int, tuple[Block, tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}

# How the last two stages begin, by output stride. Dilated, the first block still reads the grid
# of the stage before it, the others one that is twice as coarse.
_LAST_STEPS = {
    32: (_HALVE, _HALVE),
    16: (_HALVE, Step(1, 1, 2)),
    8: (Step(1, 1, 2), Step(1, 2, 4)),
}


def make_stage(
    block: Block,
    in_channels: int,
    width: int,
    num_blocks: int,
    *,
    step: Step = _KEEP,
    shortcut: Shortcut,
) -> nn.Sequential:
    """Returns blocks of one width, of which the first makes the step."""
    rest = Step(1, step.dilation_after, step.dilation_after)
    wide = width * block.expansion
    return nn.Sequential(
        block(in_channels, width, step=step, shortcut=shortcut),
        *(block(wide, width, step=rest, shortcut=shortcut) for _ in range(num_blocks - 1)),
    )


class ResNet(nn.Module):
    """For ImageNet: four stages of blocks, halved in size and doubled in width between.

    Takes ``[N, C, H, W]`` and returns logits ``[N, num_classes]``.

    Args:
        depth: 18 or 34 (basic blocks), 50, 101 or 152 (bottlenecks).
        num_classes: K.
        in_channels: C.
        output_stride: Input pixels a position of the last map stands for. With 16 or 8 the last
            one or two stages dilate instead of striding, as torchvision's
            ``replace_stride_with_dilation``: a finer map of the same receptive field, for
            segmentation (Yu, Koltun and Funkhouser 2017, arXiv:1705.09914).
        shortcut: ``"none"`` gives the plain network.

    Raises:
        UsageError: Another depth, output stride or shortcut; a count below 1.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 1000,
        *,
        in_channels: int = 3,
        output_stride: Literal[8, 16, 32] = 32,
        shortcut: Shortcut = "projection",
    ) -> None:
        super().__init__()
        require_at_least(1, operation="ResNet", num_classes=num_classes, in_channels=in_channels)
        require_one_of(_STAGES, architecture="ResNet", depth=depth)
        require_one_of((8, 16, 32), architecture="ResNet", output_stride=output_stride)
        require_one_of(_SHORTCUTS, architecture="ResNet", shortcut=shortcut)
        block, (first, second, third, fourth) = _STAGES[depth]
        wide = block.expansion
        # [N, C, 224, 224]
        self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        # [N, 64, 56, 56]
        self.layer1 = make_stage(block, 64, 64, first, shortcut=shortcut)
        # [N, 64 · wide, 56, 56]
        self.layer2 = make_stage(block, 64 * wide, 128, second, step=_HALVE, shortcut=shortcut)
        # [N, 128 · wide, 28, 28]
        step3, step4 = _LAST_STEPS[output_stride]
        self.layer3 = make_stage(block, 128 * wide, 256, third, step=step3, shortcut=shortcut)
        # [N, 256 · wide, 14, 14], or 28×28 for output stride 8
        self.layer4 = make_stage(block, 256 * wide, 512, fourth, step=step4, shortcut=shortcut)
        # [N, 512 · wide, 7, 7], or 14×14 for 16 and 28×28 for 8
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * wide, num_classes)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits."""
        maps = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        logits: Tensor = self.fc(self.avgpool(maps).flatten(1))
        return logits


class CifarResNet(nn.Module):
    """For CIFAR-10 (section 4.2): three stages of n basic blocks, so 6n + 2 layers.

    Takes ``[N, C, H, W]`` and returns logits ``[N, num_classes]``.

    Args:
        depth: 6n + 2 layers with weights; the paper has 20, 32, 44, 56, 110 and 1202.
        num_classes: K.
        in_channels: C.
        shortcut: ``"padding"`` as in the paper; ``"none"`` gives the plain network.

    Raises:
        UsageError: A depth that is not 6n + 2, another shortcut, or a count below 1.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 10,
        *,
        in_channels: int = 3,
        shortcut: Shortcut = "padding",
    ) -> None:
        super().__init__()
        require_at_least(1, operation="ResNet", num_classes=num_classes, in_channels=in_channels)
        require_one_of(_SHORTCUTS, architecture="ResNet", shortcut=shortcut)
        num_blocks = _blocks_for_depth(depth)
        # [N, C, 32, 32]
        self.conv1 = nn.Conv2d(in_channels, 16, kernel_size=3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = make_stage(BasicBlock, 16, 16, num_blocks, shortcut=shortcut)
        # [N, 16, 32, 32]
        self.layer2 = make_stage(BasicBlock, 16, 32, num_blocks, step=_HALVE, shortcut=shortcut)
        # [N, 32, 16, 16]
        self.layer3 = make_stage(BasicBlock, 32, 64, num_blocks, step=_HALVE, shortcut=shortcut)
        # [N, 64, 8, 8]
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(64, num_classes)
        _initialise(self)

    def forward(self, images: Tensor) -> Tensor:
        """Returns the logits."""
        maps = self.relu(self.bn1(self.conv1(images)))
        maps = self.layer3(self.layer2(self.layer1(maps)))
        logits: Tensor = self.fc(self.avgpool(maps).flatten(1))
        return logits


def _blocks_for_depth(depth: int) -> int:
    num_blocks, rest = divmod(depth - 2, 6)
    if rest or num_blocks < 1:
        near = f"depths are {depth - rest} and {depth - rest + 6}" if depth > 8 else "depth is 8"
        raise UsageError(
            f"CIFAR ResNet: depth is {depth}, expected 6n + 2 with n at least 1.",
            next_step=f"The nearest {near}; the paper has 20, 32, 44, 56 and 110.",
        )
    return num_blocks


def _initialise(network: nn.Module) -> None:
    """He et al. (arXiv:1502.01852), by fan-out as torchvision."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
