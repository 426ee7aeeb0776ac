"""Pictures that excite a network, by depth, and what is left of the answer when they are cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from foveal.learn.labs.lab import (
    Chart,
    Lab,
    LabPicture,
    LabResult,
    Point,
    Series,
    Settings,
    difference_interval,
    find,
    mean_interval,
    spoken,
)
from foveal.learn.labs.pictures import show_picture
from foveal.models import load_timm_network
from foveal.visualisation import (
    Ascent,
    Channel,
    Maximised,
    Objective,
    Robustness,
    maximise_each,
    plan_sheet,
)
from foveal.visualisation.maximising import prepared

_NETWORK = "tf_efficientnet_lite0"
_SIDE_PX, _TILE_PX = 64, 16
# Waves of more than this many cycles a pixel are fine grain: shorter than four pixels.
_FINE = 0.25


def run(settings: Settings) -> LabResult:
    """Maximises channels at several depths, then shuffles the tiles of the pictures."""
    num_rows, num_columns, num_steps = (2, 2, 12) if settings.is_small else (4, 4, 32)
    network = settings.model if settings.model is not None else load_timm_network(_NETWORK).network
    kept: dict[str, list[float]] = {}
    fields: dict[str, str] = {}
    held_back: list[float] = []
    bare: list[float] = []
    pictures: list[LabPicture] = []
    for done, seed in enumerate(settings.seeds):
        ascent = Ascent(size_px=_SIDE_PX, num_steps=num_steps, seed=seed)
        plan = plan_sheet(network, num_rows=num_rows, num_columns=num_columns, ascent=ascent)
        for position, row in enumerate(plan.rows):
            wanted = tuple(_everywhere(one) for one in row.objectives)
            made = maximise_each(network, wanted, ascent=ascent)
            kept.setdefault(row.layer, []).append(_share_kept(network, made, ascent))
            fields[row.layer] = (
                f"{max(row.receptive_field_px)} px" if row.receptive_field_px else "all"
            )
            if done == 0:
                pictures.append(_show(made[0], row.layer))
            if position == len(plan.rows) - 1:
                held_back.append(_fine_share(made))
                free = replace(ascent, decay=0.0, robustness=Robustness.none())
                noise = maximise_each(network, wanted, ascent=free)
                bare.append(_fine_share(noise))
                if done == 0:
                    pictures.append(_show(noise[0], f"{row.layer}, without regularisers"))
        settings.progress(done + 1, settings.num_seeds)
    shown = {layer: mean_interval(values) for layer, values in kept.items()}
    first, last = next(iter(kept)), list(kept)[-1]
    finding = find(difference_interval(kept[first], kept[last]))
    name = settings.model_name or _NETWORK
    return LabResult(
        header=("layer", "one unit sees", "answer kept after shuffling"),
        rows=tuple(
            (layer, fields[layer], spoken(value, digits=2)) for layer, value in shown.items()
        ),
        chart=Chart(
            title=f"What is left of the answer when the picture is cut into {_TILE_PX} px tiles",
            x_label="layer",
            y_label="share of the answer that is kept",
            series=(Series("kept", tuple(Point(layer, one) for layer, one in shown.items())),),
        ),
        finding=finding,
        sentence=f"Of the answer of {first} {spoken(shown[first], digits=2)} is left when the "
        f"tiles of its pictures are shuffled; of that of {last} {spoken(shown[last], digits=2)}.",
        answer="late" if finding == "shown" else "",
        notes=(
            f"{name}, pictures of {_SIDE_PX} px, {num_steps} steps, "
            f"{num_columns} channels a layer and repetition, drawn at random. 1 is the whole "
            "gain over the first noise; below 0 the shuffled picture excites less than noise.",
            f"Without regularisers (all waves free, the picture not moved) waves shorter than "
            f"{1 / _FINE:.0f} px hold {spoken(mean_interval(bare), digits=2)} of the picture's "
            f"power at {last}; with them {spoken(mean_interval(held_back), digits=2)}.",
        ),
        pictures=tuple(pictures),
    )


def _everywhere(objective: Objective) -> Objective:
    """Returns the mean over all positions, so that tiles may change places."""
    return replace(objective, where="mean") if isinstance(objective, Channel) else objective


def _share_kept(network: nn.Module, made: Sequence[Maximised], ascent: Ascent) -> float:
    """Returns what shuffled tiles keep of what the ascent gained, over all pictures."""
    objectives = tuple(one.objective for one in made)
    images = torch.from_numpy(np.stack([one.image for one in made]))
    first = torch.tensor([one.first for one in made])
    with prepared(network, ascent, made[0].scale) as ready, torch.no_grad():
        reader = ready.reader(ready.target(objectives[0]))
        whole = reader.values(images, objectives)
        cut = reader.values(_shuffled(images, ascent.seed), objectives)
    return float((cut - first).sum() / (whole - first).sum())


def _shuffled(images: Tensor, seed: int) -> Tensor:
    """Returns images [N, C, H, W] with their tiles in another order."""
    side = images.shape[-1] // _TILE_PX
    count, channels = images.shape[:2]
    tiles = images.reshape(count, channels, side, _TILE_PX, side, _TILE_PX)
    tiles = tiles.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)
    order = torch.randperm(side * side, generator=torch.Generator().manual_seed(seed))
    back = tiles[:, order].reshape(count, side, side, channels, _TILE_PX, _TILE_PX)
    return back.permute(0, 3, 1, 4, 2, 5).reshape(images.shape)


def _fine_share(made: Sequence[Maximised]) -> float:
    """Returns the share of the power that waves above ``_FINE`` cycles a pixel hold."""
    images = torch.from_numpy(np.stack([one.image for one in made]))
    centred = images - images.mean((2, 3), keepdim=True)
    power = torch.fft.fft2(centred).abs().square().sum((0, 1))
    rows, columns = (torch.fft.fftfreq(size) for size in images.shape[2:])
    is_fine = torch.hypot(rows[:, None], columns[None]) > _FINE
    return float(power[is_fine].sum() / power.sum())


def _show(made: Maximised, layer: str) -> LabPicture:
    return show_picture(
        made.image, caption=layer, description=f"A picture with the {made.objective.description}."
    )


LAB = Lab(
    name="maximisation",
    title="Activation maximisation by depth",
    topics=(26,),
    question="Pictures are made that excite channels of early and of late layers. Then each is "
    f"cut into tiles of {_TILE_PX} px and the tiles are shuffled. Which answers are lost?",
    choices=(
        ("none", "None: the same pixels are still there"),
        ("late", "Those of late layers; early layers answer as before"),
        ("all", "All alike: the picture is destroyed"),
    ),
    explanation="An early unit sees a few pixels and answers to an edge or a colour wherever it "
    "is: tiles hold what it needs. A late unit sees the whole image and answers to how parts "
    "lie to each other, which shuffling destroys. So the pictures go from edges and colours to "
    "textures, to parts and classes (Zeiler and Fergus 2014; Olah et al. 2017). The weights stay "
    "as they are; the ascent changes the picture alone. Without regularisers it ends in fine "
    "grain that excites the network and tells nobody anything.",
    run=run,
    seconds=90,
    takes_model=True,
)
