"""Networks with every kind of head, whose true logits are known."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Named = namedtuple("Named", "features logits")


@dataclass
class Result:
    """What some libraries return."""

    loss: Tensor | None
    logits: Tensor
    hidden: Tensor


class Body(nn.Module):
    """Three stages of convolutions, an average and a linear layer with large weights."""

    def __init__(self, num_outputs: int, end: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.maps = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU(inplace=True)
        )
        self.fc = nn.Linear(12, num_outputs)
        self.aux = nn.Linear(12, num_outputs)
        self.end = end
        with torch.no_grad():
            self.fc.weight.mul_(8)

    def logits(self, x: Tensor) -> Tensor:
        return self.fc(self.maps(x).mean((2, 3)))

    def forward(self, x: Tensor) -> Any:
        features = self.maps(x).mean((2, 3))
        return self.end(features, self.fc(features))


def _ensemble(_: Tensor, z: Tensor) -> Tensor:
    return torch.stack([z.sigmoid(), z.sigmoid()]).mean(0)


# Name, number of outputs, what is returned of features and logits, and the kind of the classes.
HEADS: tuple[tuple[str, int, Callable[[Tensor, Tensor], Any], str], ...] = (
    ("logits", 3, lambda f, z: z, "exclusive"),
    ("softmax", 3, lambda f, z: z.softmax(1), "exclusive"),
    ("log_softmax", 3, lambda f, z: nn.functional.log_softmax(z, dim=-1), "exclusive"),
    ("log of softmax", 3, lambda f, z: torch.softmax(z, 1).log(), "exclusive"),
    ("softmax in half precision", 3, lambda f, z: z.softmax(1).float(), "exclusive"),
    ("sigmoid", 4, lambda f, z: torch.sigmoid(z), "independent"),
    ("sigmoid of 14", 14, lambda f, z: z.sigmoid(), "independent"),
    ("logsigmoid", 4, lambda f, z: nn.functional.logsigmoid(z), "independent"),
    ("mean of sigmoids", 4, _ensemble, "independent"),
    ("one output", 1, lambda f, z: z, "yes or no"),
    ("one output, flat", 1, lambda f, z: z.squeeze(1), "yes or no"),
    ("one sigmoid", 1, lambda f, z: z.sigmoid(), "yes or no"),
    ("one sigmoid, flat", 1, lambda f, z: z.sigmoid().flatten(), "yes or no"),
    ("sigmoid in place", 1, lambda f, z: z.clone().sigmoid_(), "yes or no"),
    ("one mean of sigmoids", 1, _ensemble, "yes or no"),
    ("(logits, features)", 3, lambda f, z: (z, f), "exclusive"),
    ("(features, logits)", 3, lambda f, z: (f, z), "exclusive"),
    ("features first by name", 3, lambda f, z: {"features": f, "logits": z}, "exclusive"),
    ("(logits, probabilities)", 3, lambda f, z: (z, z.softmax(1)), "exclusive"),
    ("out", 3, lambda f, z: {"aux": f[:, :3], "out": z}, "exclusive"),
    ("named tuple", 3, lambda f, z: Named(f, z), "exclusive"),
    ("dataclass", 3, lambda f, z: Result(None, z, f), "exclusive"),
    ("nested", 3, lambda f, z: {"net": (f, z.sigmoid())}, "independent"),
    ("positions of one", 3, lambda f, z: z[:, :, None, None], "exclusive"),
)
METHODS = ("cam", "grad-cam", "hirescam", "ablation-cam", "occlusion", "input-gradients")


def make_head(name: str) -> tuple[Body, str]:
    """Returns a network in evaluation mode, and the kind of its classes."""
    _, num_outputs, end, kind = next(row for row in HEADS if row[0] == name)
    return Body(num_outputs, end).eval(), kind


def true_logits(net: Body, images: Tensor) -> Tensor:
    """Returns [N, K]; of one output, of "yes" and of "no"."""
    with torch.no_grad():
        z = net.logits(images)
    return torch.cat([z, -z], 1) if z.shape[1] == 1 else z


def true_probabilities(net: Body, kind: str, images: Tensor) -> Tensor:
    """Returns [N, K] by the definition."""
    z = true_logits(net, images)
    return z.softmax(1) if kind == "exclusive" else z.sigmoid()
