"""``foveal.inspect``, ``lint`` and ``fix``: what a network is made of, and what is wrong."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from foveal.api.opening import PathLike, open_network, read_batch
from foveal.errors import FovealWarning, UsageError
from foveal.text import count_noun

if TYPE_CHECKING:
    import torch
    from torch import nn

    from foveal.api.opening import Model
    from foveal.graph.inputs import InputShape
    from foveal.graph.tracing import Mode
    from foveal.images import Preprocessing
    from foveal.inspection import Inspection
    from foveal.linting import Finding, LintReport
    from foveal.models import Network


def inspect(
    model: Model,
    input_shape: InputShape | None = None,
    *,
    mode: Mode = "eval",
    weights: PathLike | None = None,
) -> Inspection:
    """Returns a network layer by layer: shape, parameters, MACs, memory, receptive field.

    Nothing is computed, and the model is left as found.

    >>> table = foveal.inspect("torchvision:resnet18", (3, 224, 224))   # doctest: +SKIP
    >>> table.totals.parameters                                         # doctest: +SKIP

    Args:
        model: See this module; any module that is called with tensors alone.
        input_shape: ``(C, H, W)`` of one image, or a whole shape with the batch first; several
            as a sequence, by name as a mapping. What the network is made for if None.
        mode: ``"eval"`` looks at the network that predicts, ``"train"`` at the one that trains.
        weights: ``"random"``, ``"pretrained"`` or a checkpoint; shapes alone if None.

    Returns:
        The table; every figure says whether it is exact, a lower bound or unavailable. Memory is
        in bytes, sizes and receptive fields are in pixels.

    Raises:
        ModelError: There is no such network, or it refuses the input; the layer is named.
        UsageError: The shape is none.
    """
    from foveal.inspection import inspect as look

    is_text = isinstance(model, (str, os.PathLike))
    network = open_network(model, weights=weights or ("none" if is_text else None))
    table = look(
        network.module,
        network.input_shape if input_shape is None else input_shape,
        name=network.name,
        mode=mode,
        sizes="any",
    )
    notes = network.notes
    if input_shape is None and network.input_origin == "assumed":
        size = "x".join(map(str, network.input_shape))
        notes = (*notes, f"The input {size} is assumed; give another with --input.")
    return replace(table, notes=(*table.notes, *notes))


def lint(
    model: Model,
    *,
    images: Any = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    weights: PathLike | None = None,
    input_shape: InputShape | None = None,
    batch: torch.Tensor | Sequence[Any] | Mapping[str, Any] | None = None,
    labels: torch.Tensor | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    loss: Any = None,
    is_pretrained: bool | None = None,
    expected_input: Mapping[str, Any] | None = None,
    given_input: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] = (),
) -> LintReport:
    """Returns what is wrong with a network, each finding with its evidence and a fix.

    The model may be on any device, the meta device included (rules that need values then do
    not apply), and is left exactly as it was found.

    >>> foveal.lint("torchvision:vgg16_bn").findings                    # doctest: +SKIP
    >>> foveal.lint(network, batch=images, labels=labels, optimizer=optimizer, loss=loss)
    ... # doctest: +SKIP

    Args:
        model: See this module.
        images: Image files or folders of them, for the rules over behaviour; up to 16 are read,
            spread evenly. One that cannot be read is a warning.
        mean: Feed ``images`` with this mean: one number or one a channel, of values in [0, 1].
        std: The same for the standard deviation.
        weights: ``"none"``, ``"random"``, ``"pretrained"`` or a checkpoint, for a network that
            is named.
        input_shape: Of one image, ``(C, H, W)``; any that ``foveal.graph.trace`` takes. If None
            the batch, the network or its first convolution at 224 by 224 says it.
        batch: Images ``(N, C, H, W)``, prepared as for training, in place of ``images``.
            Anything else the model takes (several tensors, a dictionary, whole numbers) says
            what its input is, and rules over behaviour do not apply.
        labels: Class indices ``(N,)`` of the batch.
        optimizer: What the model is to be trained with; training rules need it.
        loss: The loss it is to be trained with.
        is_pretrained: Whether the weights are meant to be trained ones; None if unknown.
        expected_input: What the weights' makers say about their input (mean, std, ...).
        given_input: How the batch was prepared, in the same words; read from the range of its
            values if None.
        settings: Further facts about the planned training, such as ``batch_size``.
        select: Codes, beginnings of codes or families to run; all if None.
        ignore: The same, to leave out.

    Raises:
        ModelError: There is no such network, or its weights cannot be had.
        UsageError: The input shape is none, the batch has no batch dimension, a code names no
            rule, or no image could be read.
    """
    from foveal.linting import lint as look

    network = open_network(model, weights=weights)
    if images is None and (mean is not None or std is not None):
        raise UsageError(
            "mean and std say how images are fed, and there are none.",
            next_step="Give images too, or leave mean and std out.",
        )
    shape = input_shape
    if shape is None and network.source != "object":
        shape = network.input_shape
    if images is not None:
        if batch is not None:
            raise UsageError("Give either images or a batch, not both.")
        batch, fed = _fed_images(network, images, shape, mean, std)
        given_input = {"mean": fed.mean, "std": fed.std}
        made_for = network.preprocessing
        if expected_input is None and made_for is not None and not network.assumes_normalisation:
            expected_input = {"mean": made_for.mean, "std": made_for.std}
    if is_pretrained is None and network.has_weights:
        brings_own = network.source in ("run", "folder")
        is_pretrained = True if brings_own or weights not in (None, "none", "random") else None
    return look(
        network.module,
        input_shape=shape,
        batch=batch,
        labels=labels,
        optimizer=optimizer,
        loss=loss,
        is_pretrained=is_pretrained,
        expected_input=expected_input,
        given_input=given_input,
        settings=settings,
        select=select,
        ignore=ignore,
    )


def fix(model: nn.Module, finding: Finding) -> nn.Module:
    """Returns a copy of a module in which a finding of :func:`lint` is repaired.

    The module itself is left as it is. What the copy promises, such as the same outputs, is in
    the fix's ``promise``: see ``foveal.linting.FIXES``.

    >>> report = foveal.lint(network)                                   # doctest: +SKIP
    >>> repaired = foveal.fix(network, report.findings[0])              # doctest: +SKIP

    Args:
        model: The module that was looked at.
        finding: One with a ``fix_id``.

    Raises:
        UsageError: The finding has no mechanical fix, or does not belong to this model.
    """
    from foveal.linting import fix as repair

    return repair(model, finding)


def _fed_images(
    network: Network,
    images: Any,
    shape: Any,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
) -> tuple[torch.Tensor, Preprocessing]:
    """Returns the batch, and the preprocessing that it was fed with."""
    import torch

    if not network.has_weights:
        raise UsageError(
            "Images are run through the network, which needs weights.",
            next_step="Add --weights pretrained or --weights random (in Python, "
            "weights='pretrained').",
        )
    shape = network.input_shape if shape is None else shape
    if not (isinstance(shape, tuple) and len(shape) == 3 and isinstance(shape[0], int)):
        raise UsageError(
            f"input_shape: got {shape}, expected one image's, as 3x224x224: images are fed so."
        )
    fed = network.stating(input_shape=shape, mean=mean, std=std)
    batch = torch.from_numpy(read_batch(fed, images))
    if fed.assumes_normalisation:
        fed_with = f"fed with the mean and std {fed.preprocessing_origin}."
        warnings.warn(f"{count_noun(len(batch), 'image')} {fed_with}", FovealWarning, stacklevel=3)
    return batch, fed.prepared()
