"""What a caller asks for, checked: pictures and classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.text import near_names, printable

Images = torch.Tensor | NDArray[np.float32]
Classes = (
    int
    | Sequence[int]
    | Sequence[Sequence[int]]
    | NDArray[np.integer]
    | torch.Tensor
    | Literal["all"]
    | None
)


def checked_images(images: Images) -> torch.Tensor:
    """Returns the pictures as a tensor [N, C, H, W] that may be differentiated.

    Raises:
        UsageError: They are no batch of pictures, no floating-point numbers or not finite.
    """
    if isinstance(images, np.ndarray):
        tensor = torch.from_numpy(np.array(images))
    elif isinstance(images, torch.Tensor):
        tensor = images.detach()
    else:
        raise UsageError(
            f"images came as {type(images).__name__}, expected a tensor or array [N, C, H, W]."
        )
    if tensor.dim() != 4 or 0 in tensor.shape[1:]:
        raise UsageError(
            f"images of shape {tuple(tensor.shape)} came, expected [N, C, H, W].",
            next_step="Give one picture as images[None]." if tensor.dim() == 3 else None,
        )
    if not tensor.is_floating_point():
        raise UsageError(
            f"images of {str(tensor.dtype).removeprefix('torch.')} came, expected floating-point "
            "numbers as the network was trained on.",
            next_step="Resize and normalise them first, with the preprocessing of the network.",
        )
    if tensor.is_inference():
        tensor = tensor.clone()  # made in inference mode, it could not be differentiated
    finite = tensor.isfinite().flatten(1).all(1)
    if not bool(finite.all()):
        bad = [index for index, is_finite in enumerate(finite.tolist()) if not is_finite]
        raise UsageError(
            f"image {bad[0]} of {len(tensor)} holds NaN or infinity.",
            next_step="Check how it was read and normalised.",
        )
    return tensor


def ready_images(images: Images, model: torch.nn.Module) -> torch.Tensor:
    """Returns the pictures checked, on the model's device and in its precision."""
    pictures = checked_images(images)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return pictures.to(device=parameter.device, dtype=parameter.dtype)
    return pictures


def checked_classes(
    classes: Classes, num_classes: int, num_images: int
) -> tuple[tuple[int, ...], ...]:
    """Returns the indices asked for, for each image.

    Args:
        classes: One or several for every image, ``"all"``, or a row of them for each image:
            lists in a list, or an array or tensor of shape [N, J].
        num_classes: K.
        num_images: N.

    Raises:
        UsageError: One is no index or out of range, there is none, or not a row an image.
    """
    if isinstance(classes, (torch.Tensor, np.ndarray)):
        if isinstance(classes, torch.Tensor) and classes.ndim == 1 and len(classes) > 1:
            raise UsageError(
                f"got classes as a tensor of shape {tuple(classes.shape)}; expected [N, J].",
                next_step="Give classes[:, None] for one class an image, or a list of numbers for "
                "several of every image.",
            )
        classes = cast("Sequence[int]", classes.tolist())
    if isinstance(classes, str):
        if classes == "all":
            return (tuple(range(num_classes)),) * num_images
        raise UsageError(
            f"classes={classes!r} came, expected indices from 0 to {num_classes - 1}, 'all' or "
            "None.",
            next_step="Look a class's name up in the classifier's list of names first.",
        )
    found = list(classes) if isinstance(classes, Sequence) else [classes]
    if any(isinstance(item, Sequence) and not isinstance(item, str) for item in found):
        if len(found) != num_images or not all(isinstance(item, Sequence) for item in found):
            raise UsageError(
                f"got {len(found)} rows of classes for {num_images} images; expected one an image.",
                next_step="Give a list of classes for each image, such as [[0], [2]].",
            )
        return tuple(_checked_row(list(cast("Sequence[int]", row)), num_classes) for row in found)
    return (_checked_row(cast("list[int]", found), num_classes),) * num_images


def _checked_row(found: list[int], num_classes: int) -> tuple[int, ...]:
    if not found:
        raise UsageError("no class was asked for; None stands for the predicted one.")
    for index in found:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise UsageError(f"class {index!r} came, expected a whole number.")
        if not 0 <= index < num_classes:
            raise UsageError(
                f"class {index} came, but the network has {num_classes} classes: 0 to "
                f"{num_classes - 1}."
            )
    return tuple(int(index) for index in found)


def class_indices(
    words: Sequence[str | int], class_names: Sequence[str] | None, num_classes: int | None = None
) -> tuple[int, ...]:
    """Returns the indices of classes given by name or by number.

    A name wins over a number, since a class may be called "3".

    Args:
        words: What was asked for.
        class_names: None where the classes have none; then numbers do.
        num_classes: As many as there are names if None.

    Raises:
        UsageError: There is no such class; near names are offered.
    """
    found = []
    names = class_names or ()
    if num_classes is None:
        num_classes = len(names)
    for word in words:
        if isinstance(word, str) and word in names:
            found.append(names.index(word))
            continue
        try:
            index = int(word)
        except ValueError:
            index = -1
        if not 0 <= index < num_classes:
            near = near_names(str(word), names)
            known = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
            if not names:
                known = f"numbers from 0 to {num_classes - 1}; the classes have no names"
            raise UsageError(
                f"There is no class {printable(str(word))!r}.",
                next_step=f"Did you mean {' or '.join(near)}?" if near else f"Known: {known}.",
            )
        found.append(index)
    return tuple(dict.fromkeys(found))
