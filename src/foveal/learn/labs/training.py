"""One short training loop for the labs that train a small network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Augment = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Changes images [B, C, H, W] and labels [B], which may become shares [B, K]."""


def seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Returns the network that ``build`` makes under a seed, without touching the caller's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def fit(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    num_epochs: int,
    seed: int,
    rate: float = 0.05,
    groups: Sequence[dict[str, Any]] | None = None,
    augment: Augment | None = None,
    batch_size: int = 64,
    last_share: float = 1.0,
) -> None:
    """Trains by SGD with momentum 0.9.

    Args:
        network: Gives logits [B, K]; stays in training mode.
        images: [N, C, H, W].
        labels: [N].
        num_epochs: Passes over the images.
        seed: Of the order.
        rate: Learning rate.
        groups: Parameter groups with rates of their own, instead of all parameters.
        augment: Changes a batch; of the caller's random state.
        batch_size: Images a step.
        last_share: Of the rates, what is left of them in the last epoch; they fall evenly.
    """
    random = torch.Generator().manual_seed(seed)
    parameters = [one for one in network.parameters() if one.requires_grad]
    optimizer = torch.optim.SGD(groups or parameters, lr=rate, momentum=0.9)
    falling = torch.optim.lr_scheduler.LinearLR(
        optimizer, 1.0, last_share, total_iters=max(1, num_epochs - 1)
    )
    network.train()
    for _ in range(num_epochs):
        order = torch.randperm(len(images), generator=random)
        for rows in torch.split(order, batch_size):
            batch, targets = images[rows], labels[rows]
            if augment is not None:
                batch, targets = augment(batch, targets)
            loss = cross_entropy(network(batch), targets)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        falling.step()


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Returns the share of right answers in evaluation mode."""
    network.eval()
    with torch.no_grad():
        return float((network(images).argmax(1) == labels).float().mean())


def log_loss(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Returns the mean cross-entropy in nats, in evaluation mode."""
    network.eval()
    with torch.no_grad():
        return float(cross_entropy(network(images), labels))
