"""Input gradients: how strongly the score reacts to a small change of each pixel.

Gradients of the input (Simonyan, Vedaldi and Zisserman, arXiv 1312.6034, section 3), smoothed
by averaging over noisy copies of the image (Smilkov, Thorat, Kim, Viegas and Wattenberg,
"SmoothGrad", arXiv 1706.03825, equation 1).

The map is the largest absolute value over the channels, not gradient times input: that
product is zero wherever the normalised image is, and so its meaning hangs on which grey
level the normalisation happens to call zero. A dark crack would vanish, a bright scratch of
the same weight would not. The sign of a gradient says which way a pixel would have to move,
not whether it speaks for the class, so there is no signed map.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foveal.errors import UsageError
from foveal.explanation.heat_map import HeatMap
from foveal.explanation.requests import (
    Classes,
    Images,
    batch_size_for,
    classes_of_each,
    ready_images,
)
from foveal.layers import logits_of, predicting, stream_logits
from foveal.layers.logits import Progress

_BATCH_SIZE = 8


def input_gradients(
    model: nn.Module,
    images: Images,
    *,
    classes: Classes = None,
    num_samples: int = 16,
    noise: float = 0.15,
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> tuple[tuple[HeatMap, ...], ...]:
    """Returns the smoothed gradient of a logit by each pixel.

    Args:
        model: A classifier; used in evaluation mode and left as found: no parameter gets a
            gradient.
        images: [N, C, H, W], as the network takes them.
        classes: One or several for every image, ``"all"``, or None for each image's likeliest.
        num_samples: Noisy copies an image; each costs a forward pass, and a backward pass for
            each class. With 1 and no noise it is the plain gradient.
        noise: Standard deviation of the noise as a share of the image's range, largest minus
            smallest value. Smilkov et al. recommend 0.1 to 0.2.
        generator: On the CPU, so that every device draws the same; by default one with
            seed 0, so that the same call gives the same map.
        progress: Called as ``progress(done, total)``, with ``total = N * num_samples``.

    Returns:
        ``result[n][j]``, the map of image n for its j-th class, of the image's own size and in
        logits per unit of the normalised input.

    Raises:
        UsageError: ``num_samples`` or ``noise`` is out of range, or there is no such class.
    """
    if num_samples < 1 or not 0.0 <= noise < float("inf"):
        raise UsageError(
            f"got num_samples={num_samples} and noise={noise}, expected at least 1 and 0.0.",
            next_step="Leave both out for 16 copies with a noise of 0.15 of the range.",
        )
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    maps = []
    with predicting(model) as copied:
        images = ready_images(images, copied)
        batch_size = batch_size_for(images, _BATCH_SIZE)
        logits = stream_logits(
            copied, iter(images), batch_size=batch_size, total=len(images)
        ).values
        chosen = classes_of_each(logits, classes)
        for index, (image, wanted) in enumerate(zip(images, chosen, strict=True)):
            gradient = torch.zeros((len(wanted), *image.shape), dtype=torch.float64)
            scale = noise * float(image.max() - image.min())
            for start in range(0, num_samples, batch_size):
                count = min(batch_size, num_samples - start)
                draws = torch.randn((count, *image.shape), generator=generator)
                gradient += _gradients(copied, image + (scale * draws).to(image), wanted)
                if progress is not None:
                    progress(index * num_samples + start + count, len(images) * num_samples)
            values = (gradient / num_samples).abs().amax(1).float()
            maps.append(_heat_maps(values, wanted, logits[index].tolist()))
    return tuple(maps)


def _gradients(model: nn.Module, copies: Tensor, wanted: tuple[int, ...]) -> Tensor:
    """Returns the gradients of each wanted logit, summed over copies: float64 [J, C, H, W]."""
    with torch.enable_grad():
        leaf = copies.detach().requires_grad_(True)
        # A network may begin with an operation in place, which a leaf does not allow.
        scores = logits_of(model, leaf.clone()).values.double().sum(0)
        if not scores.requires_grad:
            return torch.zeros((len(wanted), *copies.shape[1:]), dtype=torch.float64)
        found = [
            torch.autograd.grad(scores[index], leaf, retain_graph=True, materialize_grads=True)[0]
            for index in wanted
        ]
    return torch.stack([gradient.detach().double().cpu().sum(0) for gradient in found])


def _heat_maps(values: Tensor, wanted: tuple[int, ...], logits: list[float]) -> tuple[HeatMap, ...]:
    size = (int(values.shape[1]), int(values.shape[2]))
    return tuple(
        HeatMap(
            method="input-gradients",
            layer="input",
            layer_reason="The gradient is taken by the pixels themselves.",
            class_index=index,
            logit=logits[index],
            values=value.numpy(),
            signed=None,
            bias=None,
            image_size_px=size,
        )
        for value, index in zip(values, wanted, strict=True)
    )
