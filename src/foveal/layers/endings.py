"""Watches a forward pass for its last softmax or sigmoid, and for what is made of what.

The logits are what such a function is given. What is watched are PyTorch's functions, so nothing
need be traced, and gradients flow.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from foveal.graph.nested_tensors import tensors_in
from foveal.graph.vocabulary import function_name

Ending = Literal["softmax", "log_softmax", "sigmoid", "logsigmoid", "probabilities"]
_ENDINGS: dict[str, Ending] = {
    "softmax": "softmax",
    "special_softmax": "softmax",
    "log_softmax": "log_softmax",
    "special_log_softmax": "log_softmax",
    "sigmoid": "sigmoid",
    "expit": "sigmoid",
    "special_expit": "sigmoid",
    "logsigmoid": "logsigmoid",
    "log_sigmoid": "logsigmoid",
}
_LOGARITHMS: dict[Ending, Ending] = {"softmax": "log_softmax", "sigmoid": "logsigmoid"}
_POWERS: dict[Ending, Ending] = {"log_softmax": "softmax", "logsigmoid": "sigmoid"}
# What makes probabilities without a softmax or sigmoid whose logits could be had: a hard sigmoid,
# and 1 / (1 + exp(-z)) written out.
_OF_PROBABILITIES = frozenset(
    [torch.nn.functional.hardsigmoid, torch.reciprocal, Tensor.reciprocal, Tensor.__rdiv__]
)
# What moves scores about and changes none of them.
_MOVES = frozenset(
    [
        "flatten",
        "reshape",
        "view",
        "squeeze",
        "unsqueeze",
        "contiguous",
        "clone",
        "to",
        "float",
        "double",
        "half",
        "bfloat16",
        "type_as",
        "dropout",
        "detach",
        "movedim",
        "permute",
        "transpose",
        "alias",
    ]
)
# What may make probabilities of probabilities, such as the mean of several networks'.
_MIXES = _MOVES | frozenset(
    [
        "mean",
        "stack",
        "cat",
        "concat",
        "add",
        "sub",
        "rsub",
        "mul",
        "div",
        "true_divide",
        "prod",
        "sum",
        "clamp",
        "clip",
        "max",
        "amax",
        "getitem",
        "select",
        "index_select",
        "narrow",
        "chunk",
        "split",
        "unbind",
        "lerp",
        "avg_pool2d",
        "max_pool2d",
        "adaptive_avg_pool2d",
        "adaptive_max_pool2d",
    ]
)


def is_scores(tensor: Tensor, num_images: int) -> bool:
    """Whether a tensor has the shape of class scores: [N, K], or [N, K, 1, ...]."""
    shape = tuple(tensor.shape)
    return (
        tensor.is_floating_point()
        and shape[:1] == (num_images,)
        and 0 not in shape
        and all(size == 1 for size in shape[2:])
    )


@dataclass(frozen=True, slots=True, eq=False)
class Note:
    """What is known of a tensor.

    Attributes:
        tensor: Which.
        ending: Whether it holds probabilities, or their logarithms.
        given: Their logits.
        made: The numbers of the tensors like scores that it was made of.
        number: Its own, if it is like scores.
    """

    tensor: weakref.ref[Tensor]
    ending: Ending | None
    given: Tensor | None
    made: frozenset[int]
    number: int | None


class EndingWatch(TorchFunctionMode):
    """Watches a forward pass for probabilities, and for which outputs come from which.

    Holds no activation alive but the logits themselves.
    """

    def __init__(self, num_images: int) -> None:
        super().__init__()
        self._num_images = num_images
        self._notes: dict[int, Note] = {}
        self._count = 0

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Runs the function as it is, and notes what it made."""
        kwargs = kwargs or {}
        name = function_name(func)
        given = _first(args, kwargs)
        ending = _ENDINGS.get(name) if given is not None else None
        tensors = tensors_in((args, kwargs))
        if ending is not None and given is not None:
            # In place, the function would overwrite what it is given.
            kept = given.clone() if is_scores(given, self._num_images) else None
            made = self._made(tensors)
            result = func(*args, **kwargs)
            self._note(result, ending, kept, made)
            return result
        sources = [self.note_of(tensor) for tensor in tensors]
        result = func(*args, **kwargs)
        made = self._made(tensors)
        known = [note.ending for note in sources if note is not None and note.ending is not None]
        if func in _OF_PROBABILITIES:
            self._note(result, "probabilities", None, made)
            return result
        if not isinstance(result, Tensor):
            for one in tensors_in(result):
                # Such as the parts of a split; what size() gives holds no tensors.
                self._note(one, _mixed(name, known, len(tensors)), None, made)
            return result
        follows = _followed(name, sources[0]) if len(known) == 1 == len(tensors) else None
        if follows is None or sources[0] is None:
            self._note(result, _mixed(name, known, len(tensors)), None, made)
            return result
        moved = sources[0].given
        if moved is not None and name not in ("log", "exp"):
            moved = func(moved, *args[1:], **kwargs)
        self._note(result, follows, moved, made)
        return result

    def note_of(self, tensor: Tensor) -> Note | None:
        """Returns what is known of a tensor."""
        note = self._notes.get(id(tensor))
        return note if note is not None and note.tensor() is tensor else None

    def comes_from(self, tensor: Tensor, source: Tensor) -> bool:
        """Whether one output was computed from another."""
        note, other = self.note_of(tensor), self.note_of(source)
        return note is not None and other is not None and other.number in note.made

    def _made(self, tensors: list[Tensor]) -> frozenset[int]:
        found: set[int] = set()
        for tensor in tensors:
            note = self.note_of(tensor)
            if note is not None:
                found |= note.made
                if note.number is not None:
                    found.add(note.number)
        return frozenset(found)

    def _note(
        self, result: Any, ending: Ending | None, given: Tensor | None, made: frozenset[int]
    ) -> None:
        if not isinstance(result, Tensor):
            return
        number = None
        if is_scores(result, self._num_images):
            self._count += 1
            number = self._count
        if number is not None or made or ending is not None:
            self._notes[id(result)] = Note(weakref.ref(result), ending, given, made, number)
        else:
            self._notes.pop(id(result), None)


def _followed(name: str, source: Note | None) -> Ending | None:
    """Returns what a function makes of probabilities whose logits stay as they are."""
    if source is None or source.ending is None:
        return None
    if name in ("log", "exp"):
        return (_LOGARITHMS if name == "log" else _POWERS).get(source.ending)
    takes_apart = name == "getitem" and source.ending in ("sigmoid", "logsigmoid")
    return source.ending if name in _MOVES or takes_apart else None


def _mixed(name: str, known: list[Ending], num_tensors: int) -> Ending | None:
    """Returns what a function makes of several probabilities, or of parts of them."""
    if not known or name not in _MIXES or len(known) != num_tensors:
        return None
    if any(one not in ("softmax", "sigmoid", "probabilities") for one in known):
        return None
    return "probabilities"


def _first(args: Any, kwargs: dict[str, Any]) -> Tensor | None:
    first = args[0] if args else kwargs.get("input")
    return first if isinstance(first, Tensor) else None
