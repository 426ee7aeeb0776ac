"""Why each error and warning of the survey is true: by rule and family."""

from __future__ import annotations

EXPLANATIONS: dict[tuple[str, str], str] = {
    ("S102", "torchvision alexnet"): (
        "6×6 positions of 256 channels are flattened into 4,096 units: 37.8 of 61.1 million "
        "parameters in one layer, which average pooling makes needless, as its successors show."
    ),
    ("S102", "torchvision vgg"): (
        "7×7 positions of 512 channels are flattened into 4,096 units: 102.8 of 133 to 144 million "
        "parameters in one layer."
    ),
    ("S102", "vgg"): (
        "The same network with its first fully connected layer written as a 7×7 convolution."
    ),
    ("S114", "cpubone"): (
        "Each of its 2×2 convolutions of stride 1 is padded at the left and top alone (timm: "
        "ZeroPad2d((1, 0, 1, 0))), so it shifts its map by half a unit; five do, all one way."
    ),
}
