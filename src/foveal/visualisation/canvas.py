"""The picture while it is sought: free numbers, and the way from them to 0..1."""

from __future__ import annotations

import torch
from torch import Tensor

from foveal.visualisation.colour import colour_root
from foveal.visualisation.settings import Ascent
from foveal.visualisation.spectrum import amplitudes, to_field

# The sigmoid rises by a quarter at its middle, so four times the natural covariance goes in
# for the natural covariance to come out where contrast is low.
_SLOPE = 4.0


class Canvas:
    """N pictures of one size, as free numbers that gradient ascent may change.

    All of them begin alike, so that one does not depend on how many others there are.
    """

    def __init__(
        self, num_pictures: int, num_channels: int, ascent: Ascent, random: torch.Generator
    ) -> None:
        self._ascent = ascent
        height, width = ascent.height_px, ascent.width_px
        self._strength = amplitudes(height, width, decay=ascent.decay)
        self._root = torch.from_numpy(colour_root(num_channels, decay=ascent.colour_decay)).float()
        shape = (1, num_channels, height, width // 2 + 1, 2)
        start = torch.randn(shape, generator=random) * ascent.contrast
        self.free = start.repeat(num_pictures, *(1 for _ in shape[1:]))

    def to(self, device: torch.device) -> Canvas:
        """Moves to another device, in place; drawn on the CPU, so the same on any."""
        self._strength, self._root = self._strength.to(device), self._root.to(device)
        self.free = self.free.to(device)
        return self

    def pictures(self) -> Tensor:
        """Returns the pictures, float32 [N, C, H, W] in 0..1."""
        field = to_field(self.free, self._strength, width_px=self._ascent.width_px)
        mixed = torch.einsum("rc,nchw->nrhw", self._root, field)
        return torch.sigmoid(_SLOPE * mixed)
