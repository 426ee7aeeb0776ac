"""``Network``: a module, and all that is known of what it takes and answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from foveal.errors import DataError, UsageError
from foveal.images import Preprocessing, View
from foveal.text import printable

if TYPE_CHECKING:
    from torch import nn

Source = Literal["run", "folder", "timm", "torchvision", "foveal", "file", "object"]
Shape = tuple[int, int, int]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
# Of networks for grey images, which no published weights describe.
_GREY = (0.5, 0.5, 0.5)
_ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Network:
    """A network, how it wants its images, and what its outputs are called.

    Attributes:
        name: As it was asked for, such as ``"timm:resnet18"``, or the class of a module.
        module: The network itself. In evaluation mode, except for a module that was handed in,
            which is left as it was. On the meta device where it was built without weights.
        source: Where it comes from.
        input_shape: ``(C, H, W)`` of one image.
        input_origin: Where that shape comes from, as a phrase; ``"assumed"`` where nobody says.
        preprocessing: How an image becomes its input; of three channels also where it takes one,
            with one mean and std for all of them. None where it takes neither one nor three, or
            where its configuration cannot be followed.
        preprocessing_origin: Whose mean and std these are, as a phrase.
        class_names: Printable, in the order of its outputs; empty where nobody named them.
        views: Whose logits are averaged; of a run.
        temperature: Divides the logits before they become probabilities; of a run.
        digest: SHA-256 of the file of its weights, where that was checked against a record.
        notes: What a reader of its answers should know, one sentence each.
    """

    name: str
    module: nn.Module = field(repr=False)
    source: Source
    input_shape: Shape
    input_origin: str
    preprocessing: Preprocessing | None
    preprocessing_origin: str
    class_names: tuple[str, ...] = ()
    views: tuple[View, ...] = ("identity",)
    temperature: float = 1.0
    digest: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def has_weights(self) -> bool:
        """Whether its weights have values; a network on the meta device has only shapes."""
        return not any(parameter.is_meta for parameter in self.module.parameters())

    @property
    def channels(self) -> Literal[1, 3]:
        """The channels of its images: 3 in colour, 1 in grey.

        Raises:
            UsageError: It takes another number, so that no image file can be fed.
        """
        if self.input_shape[0] == 1:
            return 1
        if self.input_shape[0] == 3:
            return 3
        raise UsageError(
            f"Images are fed in colour or in grey, and {self.name} takes {self.input_shape[0]} "
            "channels.",
            next_step="From Python, foveal.explain and foveal.lint take any batch of numbers.",
        )

    @property
    def assumes_normalisation(self) -> bool:
        """Whether nobody says its mean and std."""
        return self.preprocessing_origin.endswith(_ASSUMED)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What was assumed of its images because nobody says it, one sentence each."""
        found = []
        if self.assumes_normalisation:
            found.append(f"Images are fed with the mean and std {self.preprocessing_origin}.")
        if self.input_origin == _ASSUMED:
            size = " x ".join(map(str, self.input_shape[1:]))
            found.append(f"Images are fed at {size} px, assumed; --input says another.")
        return tuple(found)

    def prepared(self) -> Preprocessing:
        """Returns how an image becomes its input.

        Raises:
            UsageError: It takes neither one channel nor three, or its configuration cannot be.
        """
        if self.preprocessing is None:
            _ = self.channels  # refuses another number than one or three
            raise UsageError(
                f"How {self.name} wants its images is {self.preprocessing_origin}",
                next_step="State mean and std.",
            )
        return self.preprocessing

    def num_classes(self) -> int:
        """Returns how many outputs it has."""
        if self.class_names:
            return len(self.class_names)
        from foveal.graph import trace

        return int(trace(self.module, self.input_shape, mode="eval").outputs[0].shape[1])

    def stating(
        self,
        *,
        input_shape: tuple[int | None, int, int] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        class_names: Sequence[str] = (),
    ) -> Network:
        """Returns the network with what its user says of it in place of what was known.

        Args:
            input_shape: ``(C, H, W)``; C is None where it stays.
            mean: One number, or one a channel; of values in [0, 1].
            std: Likewise.
            class_names: In the order of its outputs.

        Raises:
            UsageError: Mean or std is neither one number nor three, or std is not positive.
        """
        shape = self.input_shape
        changed: dict[str, Any] = {}
        if input_shape is not None:
            shape = (input_shape[0] or shape[0], *input_shape[1:])
            changed |= {"input_shape": shape, "input_origin": "stated"}
        stated = {
            name: _triple(name, value)
            for name, value in (("mean", mean), ("std", std))
            if value is not None
        }
        if stated or shape != self.input_shape:
            base = None if shape[0] != self.input_shape[0] else self.preprocessing
            prepared, origin = _preprocessing(shape, self.module, base, stated)
            changed["preprocessing"] = prepared
            changed["preprocessing_origin"] = origin or self.preprocessing_origin
        if class_names:
            changed["class_names"] = tuple(map(printable, class_names))
        return replace(self, **changed)


def describe_network(
    name: str,
    module: nn.Module,
    source: Source,
    input_shape: Shape,
    input_origin: str,
    *,
    config: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> Network:
    """Returns the network with what its configuration says of its images and classes.

    Args:
        name: As it is shown.
        module: The network.
        source: Where it comes from.
        input_shape: ``(C, H, W)``.
        input_origin: Where that comes from.
        config: In timm's form, with ``mean``, ``std`` and ``label_names`` where they are known;
            the module's own ``pretrained_cfg`` if None.
        notes: What a reader should know.
    """
    prepared, origin = _preprocessing(input_shape, module, None, {}, config)
    return Network(
        name=name,
        module=module,
        source=source,
        input_shape=input_shape,
        input_origin=input_origin,
        preprocessing=prepared,
        preprocessing_origin=origin,
        class_names=_class_names(module, config),
        notes=notes,
    )


def _preprocessing(
    shape: Shape,
    module: nn.Module,
    base: Preprocessing | None,
    stated: Mapping[str, Any],
    config: Mapping[str, Any] | None = None,
) -> tuple[Preprocessing | None, str]:
    """Returns how images enter, and whose word the mean and std are; empty if ``base``'s."""
    channels, height_px, width_px = shape
    if channels not in (1, 3):
        return None, "unknown"
    config = _config_of(module) if config is None else config
    if base is not None:
        prepared, origin = replace(base, height_px=height_px, width_px=width_px), ""
    elif channels == 1:
        # One number for all three, so that grey of the normalised is the normalised grey.
        prepared = Preprocessing(height_px=height_px, width_px=width_px, mean=_GREY, std=_GREY)
        origin = f"of 0.5 each, {_ASSUMED}"
    elif config.get("mean") is not None and config.get("std") is not None:
        settings = {**config, **stated, "input_size": (3, height_px, width_px)}
        try:
            prepared = Preprocessing.from_pretrained(settings)
        except (DataError, UsageError) as error:
            return None, f"unknown: {printable(error.message)}"
        origin = "that timm states for these weights"
    else:
        prepared = Preprocessing(
            height_px=height_px, width_px=width_px, mean=_IMAGENET_MEAN, std=_IMAGENET_STD
        )
        origin = f"of ImageNet, {_ASSUMED}"
    if stated:
        prepared = replace(prepared, **stated)
        if len(stated) == 2 or channels == 3:
            origin = "as given"
    return prepared, origin


def _config_of(module: nn.Module) -> Mapping[str, Any]:
    """Returns what timm notes about its models; empty for all others."""
    for name in ("pretrained_cfg", "default_cfg"):
        config = getattr(module, name, None)
        if config is not None and hasattr(config, "get"):
            found: Mapping[str, Any] = config
            return found
    return {}


def _class_names(module: nn.Module, config: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Returns the names that are stated, where they are those of this network's outputs."""
    names = (_config_of(module) if config is None else config).get("label_names") or ()
    fits = len(names) == getattr(module, "num_classes", len(names))
    return tuple(map(printable, names)) if fits else ()


def _triple(name: str, value: Any) -> tuple[float, ...]:
    numbers: tuple[Any, ...] = (value,)
    if isinstance(value, Iterable) and not isinstance(value, str):
        numbers = tuple(value)
    if len(numbers) not in (1, 3) or not all(
        isinstance(one, Real) and math.isfinite(one) and (name == "mean" or float(one) > 0)
        for one in numbers
    ):
        raise UsageError(
            f"{name}: got {printable(str(value))}, expected one number or three, as 0.5 or "
            "0.485,0.456,0.406" + ("; above 0." if name == "std" else ".")
        )
    return tuple(map(float, numbers * 3 if len(numbers) == 1 else numbers))
