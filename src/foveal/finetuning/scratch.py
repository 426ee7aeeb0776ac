"""A network trained from its random start, on images that are changed on the fly."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from foveal.finetuning.averaging import put_weights
from foveal.finetuning.checkpoints import Checkpoints
from foveal.finetuning.epochs import TrainingListener
from foveal.finetuning.loop import Examples, Trained, train_network
from foveal.finetuning.settings import Recipe
from foveal.finetuning.sources import BatchSource

SCRATCH = Recipe(
    num_epochs=60,
    batch_size=128,
    optimizer="sgd",
    first_rate=0.1,
    head_rate=0.1,
    weight_decay=5e-4,
    mixup=0.2,
    smoothing=0.05,
    train_batchnorm=True,
    patience=20,
)
"""Nearly that of He et al. 2016 (section 4.2) for small images: one rate for all layers."""


def train_from_scratch(
    network: nn.Module,
    source: BatchSource,
    examples: Examples,
    recipe: Recipe = SCRATCH,
    *,
    checkpoints: Checkpoints | None = None,
    listener: TrainingListener | None = None,
) -> Trained:
    """Trains every layer of ``network`` in place, batch-norm statistics too.

    It ends in evaluation mode with the weights that are kept, and can be stopped and continued
    like any other training here.

    Args:
        network: Images [N, C, H, W] to logits [N, K], such as ``foveal.models.build("resnet20")``.
        source: Gives images, such as ``foveal.finetuning.sources.FileSource``.
        examples: Targets, and who validates.
        recipe: The choices.
        checkpoints: Where to go on from, and to save to.
        listener: Is told of every step and epoch.

    Raises:
        ModelError: The loss is no finite number; the batch is named.
    """
    network.requires_grad_(True).to(memory_format=torch.channels_last)
    trained = train_network(
        network,
        source,
        examples,
        replace(recipe, train_batchnorm=True),
        depths=dict.fromkeys((name for name, _ in network.named_parameters()), 1.0),
        checkpoints=checkpoints,
        listener=listener,
    )
    put_weights(network, trained.weights)
    network.eval()
    return trained
