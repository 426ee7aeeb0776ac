"""The logits of a classifier, whatever form its answer has: found here, and only here.

A network may return one tensor or several, logits or probabilities, one score for each of
several classes that exclude one another, one for each of several independent labels, or a
single score for "yes". What it returns and what it computed that from is watched in the
forward pass itself, so nothing need be traced, and gradients flow.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from foveal.errors import ModelError, UsageError
from foveal.explanation.requests import Classes, checked_classes
from foveal.graph import Graph
from foveal.graph.structure import Path, path_text, tensors_in, tensors_with_paths
from foveal.graph.vocabulary import function_name
from foveal.text import printable

Progress = Callable[[int, int], None]
Floats = NDArray[np.float64]
ClassKind = Literal["exclusive", "independent", "yes or no"]
Labels = Literal["auto", "exclusive", "independent"]
"""What a user may say of classes: by default what the network's last function tells."""

_Ending = Literal["softmax", "log_softmax", "sigmoid", "logsigmoid", "probabilities"]
_ENDINGS: dict[str, _Ending] = {
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
_LOGARITHMS: dict[_Ending, _Ending] = {"softmax": "log_softmax", "sigmoid": "logsigmoid"}
_POWERS: dict[_Ending, _Ending] = {"log_softmax": "softmax", "logsigmoid": "sigmoid"}
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
# By which name the scores go among other outputs, the likeliest first.
_NAMES = [
    "logits",
    "logit",
    "class_logits",
    "cls_logits",
    "scores",
    "score",
    "out",
    "output",
    "outputs",
    "pred",
    "preds",
    "prediction",
    "predictions",
    "probs",
    "probabilities",
    "prob",
    "classes",
    "cls",
    "y_hat",
    "y",
]
# How far a row of probabilities may be from a sum of one, in half precision too.
_SUM_TOLERANCE = {32: 1e-3, 64: 1e-3, 16: 1e-2}
_LEAST_PROBABILITY = 1e-7  # single precision tells no smaller distance from one


@dataclass(frozen=True, slots=True, eq=False)
class Logits:
    """The logits of one batch.

    Attributes:
        values: [N, K], at least float32, with their gradients. A network with one output z has
            two classes: 0 is "yes", with the logit z, and 1 is "no", with -z.
        kind: ``"exclusive"``: their softmax is the probabilities. ``"independent"`` and
            ``"yes or no"``: the sigmoid of each.
        is_shifted: Whether they are known only up to a constant a row, being logarithms of
            probabilities.
    """

    values: Tensor
    kind: ClassKind
    is_shifted: bool


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The logits of a stream of images, in float64; the attributes are those of ``Logits``."""

    values: Floats
    kind: ClassKind
    is_shifted: bool

    @property
    def probabilities(self) -> Floats:
        """[N, K]."""
        return probabilities(self.values, self.kind)


@dataclass(frozen=True, slots=True, eq=False)
class _Output:
    """What the network returned for a batch.

    Attributes:
        scores: [N, J].
        given: [N, J], what a last softmax or sigmoid was given; None where there is none.
        ending: Which, or that the scores were made of such probabilities; None otherwise.
        was_seen: Whether the function that made the scores could be watched.
    """

    scores: Tensor
    given: Tensor | None
    ending: _Ending | None
    was_seen: bool


def logits_of(
    model: Callable[[Tensor], object], images: Tensor, *, labels: Labels = "auto"
) -> Logits:
    """Returns the network's logits of a batch, with their gradients.

    Args:
        model: As ``predicting`` lends it, or what follows a layer of it.
        images: What it takes, N of them.
        labels: Whether several classes exclude one another, where the network does not say.

    Raises:
        ModelError: It returns no scores [N, K], or several and it cannot be told which.
    """
    return _read([_ask(model, images)], labels)


def answers(
    model: nn.Module,
    images: Iterable[Tensor],
    *,
    batch_size: int,
    total: int,
    labels: Labels = "auto",
    progress: Progress | None = None,
) -> Answers:
    """Returns the logits of a stream of images; memory holds one batch.

    Args:
        model: As ``predicting`` lends it.
        images: One at a time, each [C, H, W], of what ``requests.ready_images`` returns.
        batch_size: Images a forward pass.
        total: How many will come, for ``progress(done, total)``.
        labels: As for :func:`logits_of`.
        progress: Called after every pass.
    """
    found: list[_Output] = []
    batch: list[Tensor] = []
    done = 0
    with torch.no_grad():
        for image in images:
            batch.append(image)
            if len(batch) + done == total or len(batch) == batch_size:
                # Channels last is what fast kernels want, and changes nothing else.
                found.append(_ask(model, _quick(torch.stack(batch))))
                done += len(batch)
                batch = []
                if progress is not None:
                    progress(done, total)
    # Whether they are probabilities is asked of all rows together: one could look so by chance.
    read = _read(found, labels)
    return Answers(
        np.asarray(read.values.double().cpu().numpy()), read.kind, is_shifted=read.is_shifted
    )


def batch_size_for(images: Tensor, most: int) -> int:
    """Returns how many images [..., H, W] a pass takes: ``most`` at 224 px, fewer when larger.

    >>> batch_size_for(torch.empty(1, 3, 224, 224), 32), batch_size_for(
    ...     torch.empty(1, 3, 1024, 1024), 32
    ... )
    (32, 1)
    """
    pixels = int(images.shape[-1]) * int(images.shape[-2])
    return max(1, min(most, most * 224 * 224 // pixels))


def probabilities(logits: Floats, kind: ClassKind = "exclusive") -> Floats:
    """Returns the probability of each class, [N, K].

    >>> probabilities(np.log([[1.0, 3.0]])), probabilities(np.zeros((1, 1)), "independent")
    (array([[0.25, 0.75]]), array([[0.5]]))
    """
    if kind != "exclusive":
        return np.asarray(0.5 * (1 + np.tanh(logits / 2)))
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def classes_of_each(logits: Floats | Tensor, classes: Classes) -> tuple[tuple[int, ...], ...]:
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


def of_every_class(outputs: Tensor, *, axis: int = 0) -> Tensor:
    """Returns what belongs to each class, given what belongs to each output.

    A network with one output has its weight, its bias and its map for "yes" alone; those of
    "no" are their negatives. With several outputs, classes are outputs.

    >>> of_every_class(torch.tensor([3.0])).tolist()
    [3.0, -3.0]
    """
    return torch.cat([outputs, -outputs], axis) if outputs.shape[axis] == 1 else outputs


def with_scores_alone(graph: Graph, model: nn.Module, images: Tensor) -> Graph:
    """Returns the graph with the class scores as its only output.

    Args:
        graph: Of the model.
        model: As ``predicting`` lends it; run on one image where it has several outputs.
        images: At least one.

    Raises:
        ModelError: It returns no scores [N, K], or several and it cannot be told which.
    """
    if len(graph.outputs) < 2:
        return graph
    watch = _Watch(1)
    with torch.no_grad(), watch:
        result = _call(model, images[:1])
    path = path_text(_choose(model, result, watch, 1)[0])
    return replace(graph, outputs=tuple(one for one in graph.outputs if one.path == path))


def _quick(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last) if images.ndim == 4 else images


def _call(model: Callable[[Tensor], object], given: Tensor) -> Any:
    """Calls the model; weights made in inference mode, which autograd refuses, as copies."""
    if not isinstance(model, nn.Module):
        return model(given)
    tensors = (*model.named_parameters(), *model.named_buffers())
    copies = {name: tensor.clone() for name, tensor in tensors if tensor.is_inference()}
    return functional_call(model, copies, (given,)) if copies else model(given)


def _ask(model: Callable[[Tensor], object], images: Tensor) -> _Output:
    watch = _Watch(len(images))
    with watch:
        result = _call(model, images)
    _, scores = _choose(model, result, watch, len(images))
    note = watch.note_of(scores)
    rows = _rows(scores, len(images))
    if note is None:
        return _Output(rows, None, None, was_seen=False)
    given = note.given
    if given is not None:
        given = _rows(given, len(images)) if given.shape == scores.shape else None
    return _Output(rows, given, note.ending, was_seen=True)


def _rows(scores: Tensor, num_images: int) -> Tensor:
    wide = torch.promote_types(scores.dtype, torch.float32)
    return scores.reshape(num_images, -1).to(wide)


def _read(outputs: Sequence[_Output], labels: Labels) -> Logits:
    """Returns the logits of one or several batches of one network."""
    if labels not in get_args(Labels):
        raise UsageError(f"got labels={labels!r}, expected 'auto', 'exclusive' or 'independent'.")
    scores = torch.cat([one.scores for one in outputs])
    givens = [one.given for one in outputs if one.given is not None]
    endings = {one.ending for one in outputs}
    ending = endings.pop() if len(endings) == 1 else None
    found: Logits | None = None
    if ending is not None and len(givens) == len(outputs):
        found = _behind(ending, torch.cat(givens), scores)
    if found is None:
        found = _from_values(scores, ending)
        if not found.is_shifted and not all(one.was_seen for one in outputs):
            _require_logits(scores)
    if scores.shape[1] == 1:
        return Logits(of_every_class(found.values, axis=1), "yes or no", is_shifted=False)
    stated = found.kind if found.is_shifted or ending is not None else None
    if labels in ("auto", stated):
        return found
    if stated is not None:
        raise UsageError(
            f"got labels={labels!r}, but the network's last function makes {stated} probabilities.",
            next_step="Leave labels out.",
        )
    return Logits(found.values, "independent" if labels == "independent" else "exclusive", False)


def _behind(ending: _Ending, given: Tensor, scores: Tensor) -> Logits | None:
    """Returns what a softmax or sigmoid was given, where the scores are its values by class."""
    is_softmax = ending in ("softmax", "log_softmax")
    with torch.no_grad():
        expected = given.softmax(1) if is_softmax else given.sigmoid()
        shown = scores.exp() if ending in ("log_softmax", "logsigmoid") else scores
        if not torch.allclose(expected, shown, atol=_tolerance(scores), equal_nan=True):
            return None
    if is_softmax and given.shape[1] == 1:
        raise ModelError(
            "the network ends in a softmax over one output, which is 1 for every picture.",
            next_step="Use a sigmoid, or two outputs.",
        )
    return Logits(given, "exclusive" if is_softmax else "independent", is_shifted=False)


def _from_values(scores: Tensor, ending: _Ending | None) -> Logits:
    """Returns the scores as logits, or the logits of probabilities where they are such."""
    sums = scores.detach().double().sum(1)
    within = bool(((scores >= 0) & (scores <= 1)).all())
    if scores.shape[1] > 1 and within and bool(((sums - 1).abs() < _tolerance(scores)).all()):
        least = torch.finfo(scores.dtype).tiny
        return Logits(scores.clamp_min(least).log(), "exclusive", is_shifted=True)
    if ending in ("probabilities", "sigmoid", "softmax") and within:
        inside = scores.double().clamp(_LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
        return Logits(inside.logit(), "independent", is_shifted=False)
    return Logits(scores, "exclusive", is_shifted=False)


def _require_logits(scores: Tensor) -> None:
    if bool(((scores >= 0) & (scores <= 1)).all()):
        raise ModelError(
            "it cannot be told whether the network returns logits or probabilities: every value "
            "is between 0 and 1, and compiled code hides what made them.",
            next_step="Explain the module before it was compiled, or wrap it so that it returns "
            "logits.",
        )


def _tolerance(scores: Tensor) -> float:
    return _SUM_TOLERANCE.get(torch.finfo(scores.dtype).bits, 1e-2)


def _choose(
    model: Callable[[Tensor], object], result: Any, watch: _Watch, num_images: int
) -> tuple[Path, Tensor]:
    """Returns the scores among what the model returned, and the way to them.

    By name; else what no other output is computed from, so that features are passed over; of
    several such the first.
    """
    everything = list(tensors_with_paths(result))
    found = [(path, tensor) for path, tensor in everything if _is_scores(tensor, num_images)]
    if not found:
        raise _no_scores(model, everything, num_images)
    if len(found) == 1:
        return found[0]
    for name in _NAMES:
        for path, tensor in found:
            if path and _field(result, path).lower() == name:
                return path, tensor
    last = [
        (path, tensor)
        for path, tensor in found
        if not any(watch.comes_from(other, tensor) for _, other in found if other is not tensor)
        and "aux" not in _field(result, path).lower()
    ]
    if last:
        return last[0]
    shapes = ", ".join(f"{path_text(path)} {tuple(tensor.shape)}" for path, tensor in found)
    raise ModelError(
        f"{type(model).__name__} returns several tensors that could be the class scores: {shapes}.",
        next_step="Wrap it in a module that returns the class scores alone.",
    )


def _field(result: Any, path: Path) -> str:
    """Returns the name of an output: a key, or the field of a named tuple or dataclass."""
    if not path:
        return ""
    kind, key = path[-1]
    for _, step in path[:-1]:
        result = result[step] if not hasattr(result, str(step)) else getattr(result, str(step))
    names = getattr(result, "_fields", None)
    if kind == "item" and names is not None and isinstance(key, int):
        return str(names[key])
    return str(key)


def _is_scores(tensor: Tensor, num_images: int) -> bool:
    shape = tuple(tensor.shape)
    return (
        tensor.is_floating_point()
        and shape[:1] == (num_images,)
        and 0 not in shape
        and all(size == 1 for size in shape[2:])
    )


def _no_scores(
    model: Callable[[Tensor], object], everything: list[tuple[Path, Tensor]], num_images: int
) -> ModelError:
    shapes = ", ".join(f"{path_text(path)} {tuple(t.shape)}".strip() for path, t in everything)
    what = f"of shape {shapes}" if shapes else "no tensor"
    step = "Explain a classifier, or wrap the model so that it returns class scores."
    if any(t.ndim == 4 and len(t) == num_images for _, t in everything):
        step = (
            "It gives a score for each place: wrap it in a module that averages them, as in "
            "model(x).mean((2, 3)), or that takes one place."
        )
    return ModelError(
        f"{type(model).__name__} returned {what} for {num_images} images; expected one score a "
        f"class: ({num_images}, K).",
        next_step=step,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Note:
    """What is known of a tensor.

    Attributes:
        tensor: Which.
        ending: Whether it holds probabilities, or their logarithms.
        given: Their logits.
        made: The numbers of the tensors like scores that it was made of.
        number: Its own, if it is like scores.
    """

    tensor: weakref.ref[Tensor]
    ending: _Ending | None
    given: Tensor | None
    made: frozenset[int]
    number: int | None


class _Watch(TorchFunctionMode):
    """Watches a forward pass for probabilities, and for which outputs come from which.

    Holds no activation alive but the logits themselves.
    """

    def __init__(self, num_images: int) -> None:
        super().__init__()
        self._num_images = num_images
        self._notes: dict[int, _Note] = {}
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
            kept = given.clone() if _is_scores(given, self._num_images) else None
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

    def note_of(self, tensor: Tensor) -> _Note | None:
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
        self, result: Any, ending: _Ending | None, given: Tensor | None, made: frozenset[int]
    ) -> None:
        if not isinstance(result, Tensor):
            return
        number = None
        if _is_scores(result, self._num_images):
            self._count += 1
            number = self._count
        if number is not None or made or ending is not None:
            self._notes[id(result)] = _Note(weakref.ref(result), ending, given, made, number)
        else:
            self._notes.pop(id(result), None)


def _followed(name: str, source: _Note | None) -> _Ending | None:
    """Returns what a function makes of probabilities whose logits stay as they are."""
    if source is None or source.ending is None:
        return None
    if name in ("log", "exp"):
        return (_LOGARITHMS if name == "log" else _POWERS).get(source.ending)
    takes_apart = name == "getitem" and source.ending in ("sigmoid", "logsigmoid")
    return source.ending if name in _MOVES or takes_apart else None


def _mixed(name: str, known: list[_Ending], num_tensors: int) -> _Ending | None:
    """Returns what a function makes of several probabilities, or of parts of them."""
    if not known or name not in _MIXES or len(known) != num_tensors:
        return None
    if any(one not in ("softmax", "sigmoid", "probabilities") for one in known):
        return None
    return "probabilities"


def _first(args: Any, kwargs: dict[str, Any]) -> Tensor | None:
    first = args[0] if args else kwargs.get("input")
    return first if isinstance(first, Tensor) else None
