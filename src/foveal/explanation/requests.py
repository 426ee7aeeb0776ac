"""What a caller asks for, checked: images, classes, and how they are explained."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from foveal.errors import UsageError
from foveal.layers.logits import ClassKind, Labels
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


Effort = Literal["quick", "full"]
"""How much a verdict tries."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to make of images.

    Attributes:
        classes: Names or numbers, or ``"all"``; each image's likeliest class if None.
        method: A name of ``foveal.explanation.methods.list_methods()``.
        layer: An operation or module; the method's own choice if None.
        effort: How much the verdict tries.
        seed: Of its random choices.
        labels: Whether several classes exclude one another, where the network does not say.
    """

    classes: tuple[int | str, ...] | None = None
    method: str = "auto"
    layer: str | None = None
    effort: Effort = "quick"
    seed: int = 0
    labels: Labels = "auto"


def requested_classes(
    classes: Sequence[str | int] | str | int | None,
) -> tuple[int | str, ...] | None:
    """Returns one class or several as a row of them; None stands for each image's likeliest.

    Raises:
        UsageError: There is no class among them.
    """
    if classes is None:
        return None
    found = (classes,) if isinstance(classes, (str, int)) else tuple(classes)
    if not found:
        raise UsageError(
            "classes: got none, expected names or numbers.",
            next_step="Leave it out for each image's likeliest class.",
        )
    return found


def checked_images(images: Images) -> torch.Tensor:
    """Returns the images as a tensor [N, C, H, W] that may be differentiated.

    Raises:
        UsageError: They are no batch of images, no floating-point numbers or not finite.
    """
    if isinstance(images, np.ndarray):
        tensor = torch.from_numpy(np.array(images))
    elif isinstance(images, torch.Tensor):
        tensor = images.detach()
    else:
        raise UsageError(
            f"got images as {type(images).__name__}, expected a tensor or array [N, C, H, W]."
        )
    if tensor.dim() != 4 or 0 in tensor.shape[1:]:
        raise UsageError(
            f"got images of shape {tuple(tensor.shape)}, expected [N, C, H, W].",
            next_step="Give one image as images[None]." if tensor.dim() == 3 else None,
        )
    if not tensor.is_floating_point():
        raise UsageError(
            f"got images of {str(tensor.dtype).removeprefix('torch.')}, expected floating-point "
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
    """Returns the images checked, on the model's device and in its precision."""
    images = checked_images(images)
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return images.to(device=parameter.device, dtype=parameter.dtype)
    return images


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
            f"got classes={classes!r}, expected indices from 0 to {num_classes - 1}, 'all' or "
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
        raise UsageError("got no class, expected at least one; None stands for the predicted one.")
    for index in found:
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise UsageError(f"got class {index!r}, expected a whole number.")
        if not 0 <= index < num_classes:
            raise UsageError(
                f"got class {index}, expected 0 to {num_classes - 1}: the network has "
                f"{num_classes} classes."
            )
    return tuple(int(index) for index in found)


def classes_of_each(
    logits: NDArray[np.float64] | torch.Tensor, classes: Classes
) -> tuple[tuple[int, ...], ...]:
    """Returns which classes to explain for each image.

    Args:
        logits: [N, K].
        classes: One or several for every image; a row of several for each; ``"all"``; or None
            for each image's likeliest.

    Raises:
        UsageError: There is no such class, none is asked for, or not one row an image came.
    """
    if classes is None:
        return tuple((int(index),) for index in logits.argmax(1))
    return checked_classes(classes, int(logits.shape[1]), int(logits.shape[0]))


def names_of_classes(
    names: Sequence[str] | None, kind: ClassKind, num_classes: int
) -> tuple[str, ...] | None:
    """Returns a printable name for each class; None where there are none.

    Two names for one output are those of "no" and of "yes", in the order of labels 0 and 1.

    >>> names_of_classes(["cancer"], "yes or no", 2), names_of_classes(None, "yes or no", 2)
    (('cancer', 'not cancer'), ('yes', 'no'))
    >>> names_of_classes(["healthy", "cancer"], "yes or no", 2)
    ('cancer', 'healthy')

    Raises:
        UsageError: There are more or fewer names than classes.
    """
    if kind == "yes or no":
        if not names:
            return "yes", "no"
        if len(names) == 1:
            return printable(names[0]), f"not {printable(names[0])}"
        if len(names) == 2:
            return printable(names[1]), printable(names[0])
    if not names:
        return None
    if len(names) != num_classes:
        raise UsageError(
            f"got {len(names)} class names, expected {num_classes}: the network has "
            + ("one output." if kind == "yes or no" else f"{num_classes} outputs."),
            next_step="Give one name for each output, in their order."
            if kind != "yes or no"
            else "Give two names, that of 'no' first, or the name of 'yes' alone.",
        )
    return tuple(map(printable, names))


def class_indices(
    words: Sequence[str | int], class_names: Sequence[str] | None, num_classes: int | None = None
) -> tuple[int, ...]:
    """Returns the indices of classes given by name or by number, or of all by ``"all"``.

    A name wins over a number and over ``"all"``, since a class may be called "3".

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
        if word == "all":
            found.extend(range(num_classes))
            continue
        try:
            index = int(word) if isinstance(word, str) else operator.index(word)
        except (TypeError, ValueError):
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


def batch_size_for(images: torch.Tensor, most: int) -> int:
    """Returns how many images [..., H, W] a pass takes: ``most`` at 224 px, fewer when larger.

    >>> batch_size_for(torch.empty(1, 3, 224, 224), 32), batch_size_for(
    ...     torch.empty(1, 3, 1024, 1024), 32
    ... )
    (32, 1)
    """
    pixels = int(images.shape[-1]) * int(images.shape[-2])
    return max(1, min(most, most * 224 * 224 // pixels))
