"""How much memory a forward pass needs, and what autograd would keep of it.

Nothing is run. Views and in-place results share the memory of what they came from; a result
dies when nothing reads it any more and no caller holds it. What is kept for the backward
pass follows the derivative of each operation (PyTorch's ``derivatives.yaml``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from foveal.graph.graph import Graph, Op, Source
from foveal.graph.quantity import Quantity, total
from foveal.graph.vocabulary import words
from foveal.inspection.saved_for_backward import INDEX_BYTES, Saved, saved_by

_BYTES = {
    "float64": 8, "int64": 8, "complex64": 8, "complex128": 16, "float32": 4, "int32": 4,
    "float16": 2, "bfloat16": 2, "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip

_ALWAYS_VIEWS = words(
    "view view_as squeeze unsqueeze unflatten permute transpose movedim moveaxis swapaxes "
    "swapdims t T mT H mH adjoint expand expand_as broadcast_to narrow select diagonal split "
    "chunk unbind tensor_split split_with_sizes detach alias data real identity"
)
# A view of what lies in order, else a copy.
_VIEWS_IN_ORDER = words("reshape reshape_as flatten ravel contiguous")
_KEEPS_ORDER = words("activation dropout batch_norm elementwise add sub mul div copy softmax")


_MAY_HOLD = "a forward function may hold on to tensors that it no longer uses"


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes by operation and in total, as ``OpRow`` and ``Totals`` define them."""

    activation_bytes: tuple[int, ...]
    kept_bytes: tuple[Quantity[int], ...]
    total_activation_bytes: Quantity[int]
    peak_bytes: Quantity[int]
    total_kept_bytes: Quantity[int]


def dtype_bytes(dtype: str) -> int:
    """Returns the size of one element; 4 for a type that is not known."""
    return _BYTES.get(dtype, 4)


def measure_memory(graph: Graph) -> Memory:
    """Returns what a forward pass of ``graph`` needs."""
    blocks = _Blocks(graph)
    activation = tuple(blocks.made_by[op.index] for op in graph.ops)
    kept = _kept(graph, blocks)
    return Memory(
        activation,
        kept,
        _bounded(graph, Quantity(sum(activation))),
        _bounded(graph, Quantity.partial(_peak(graph, blocks), _MAY_HOLD)),
        _bounded(graph, total(kept)),
    )


def _bounded(graph: Graph, quantity: Quantity[int]) -> Quantity[int]:
    if graph.status == "complete" or graph.reason is None:
        return quantity
    if graph.status == "unavailable":
        return Quantity.unavailable(graph.reason)
    return Quantity.partial(quantity.value or 0, graph.reason)


class _Blocks:
    """Which memory each tensor lives in: views and in-place results share one block."""

    def __init__(self, graph: Graph) -> None:
        self.sizes: list[int] = []
        self.born: list[int] = []
        self.made_by = [0] * len(graph.ops)
        self._block_of: dict[Source, int] = {}
        self._permuted: set[Source] = set()
        for index, item in enumerate(graph.inputs):
            block = self._add(prod(item.shape) * dtype_bytes(item.dtype), born=-1)
            self._block_of[Source("input", index)] = block
        for op in graph.ops:
            self._put(op)

    def of(self, source: Source) -> int:
        """The block that a tensor lives in; weights count as none, they are no activations."""
        if source.kind == "weights" and source not in self._block_of:
            self._block_of[source] = self._add(0, born=-1)
        return self._block_of[source]

    def _add(self, size: int, *, born: int) -> int:
        self.sizes.append(size)
        self.born.append(born)
        return len(self.sizes) - 1

    def _put(self, op: Op) -> None:
        first = op.inputs[0] if op.inputs else None
        is_permuted = first in self._permuted
        shares = first is not None and self._shares(op, is_permuted)
        stays_permuted = (shares and op.function != "contiguous") or op.kind in _KEEPS_ORDER
        now_permuted = (is_permuted and stays_permuted) or op.kind == "permute"
        for slot, shape in enumerate(op.output_shapes):
            source = Source("op", op.index, slot)
            if shares and first is not None:
                self._block_of[source] = self.of(first)
            else:
                size = prod(shape) * dtype_bytes(op.dtype)
                self.made_by[op.index] += size
                self._block_of[source] = self._add(size, born=op.index)
            if now_permuted:
                self._permuted.add(source)

    @staticmethod
    def _shares(op: Op, is_permuted: bool) -> bool:
        if op.is_inplace or op.function in _ALWAYS_VIEWS:
            return True
        if op.function in _VIEWS_IN_ORDER:
            return not is_permuted
        if op.function == "getitem":
            index = op.attributes.get("index")
            return not (isinstance(index, tuple) and "tensor" in index)
        is_idle = not op.attributes.get("training", False) or op.attributes.get("p") == 0
        return op.kind == "dropout" and is_idle


def _peak(graph: Graph, blocks: _Blocks) -> int:
    end = len(graph.ops)
    last_use = list(blocks.born)
    for index in range(len(graph.inputs)):
        last_use[blocks.of(Source("input", index))] = end
    for output in graph.outputs:
        if output.source is not None:
            last_use[blocks.of(output.source)] = end
    calls = _ModuleCalls(graph)
    for op in graph.ops:
        for source in op.inputs:
            block = blocks.of(source)
            made = source.index if source.kind == "op" else -1
            last_use[block] = max(last_use[block], calls.held_until(op, made))
    # Step i + 1 is operation i; step 0 is before the first.
    change = [0] * (end + 3)
    for size, born, last in zip(blocks.sizes, blocks.born, last_use, strict=True):
        change[born + 1] += size
        change[min(last, end) + 2] -= size
    alive = most = change[0]
    for op, step in zip(graph.ops, change[1:], strict=False):
        alive += step
        most = max(most, alive + _scratch(op))
    return most


def _scratch(op: Op) -> int:
    """Max pooling makes its indices even where nobody asked for them."""
    is_max = op.kind == "max_pool" or op.function.startswith("adaptive_max")
    return INDEX_BYTES * prod(op.output_shape) if is_max else 0


class _ModuleCalls:
    """Whoever calls a module holds its arguments until it returns."""

    def __init__(self, graph: Graph) -> None:
        self._spans: list[dict[str, tuple[int, int]]] = [{} for _ in graph.ops]
        open_since: dict[str, int] = {}
        for op in graph.ops:
            paths = set(_prefixes(op.module_path))
            for path in [path for path in open_since if path not in paths]:
                self._close(path, open_since.pop(path), op.index - 1)
            for path in paths:
                open_since.setdefault(path, op.index)
        for path, since in open_since.items():
            self._close(path, since, len(graph.ops) - 1)

    def _close(self, path: str, first: int, last: int) -> None:
        for index in range(first, last + 1):
            self._spans[index][path] = (first, last)

    def held_until(self, op: Op, made: int) -> int:
        """Index of the last operation during which a tensor made at ``made`` is held for ``op``."""
        held = op.index
        for first, last in self._spans[op.index].values():
            if made < first:
                held = max(held, last)
        return held


def _prefixes(path: str) -> Iterable[str]:
    parts = path.split(".") if path else []
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _kept(graph: Graph, blocks: _Blocks) -> tuple[Quantity[int], ...]:
    needs_gradient: set[Source] = set()
    already: set[int] = set()
    found = []
    for op in graph.ops:
        trainable = [name for name in op.parameters if graph.parameter(name).is_trainable]
        needing = [source in needs_gradient for source in op.inputs]
        if not trainable and not any(needing):
            found.append(Quantity(0))
            continue
        if op.dtype.startswith(("float", "bfloat", "complex")):
            needs_gradient |= {Source("op", op.index, s) for s in range(len(op.output_shapes))}
        saved = saved_by(op, has_trainable_weight=bool(trainable), needing=needing)
        found.append(_price(op, saved, blocks, already))
    return tuple(found)


def _price(op: Op, saved: Saved, blocks: _Blocks, already: set[int]) -> Quantity[int]:
    kept = {blocks.of(op.inputs[i]) for i in saved.inputs if i < len(op.inputs)}
    if saved.output:
        kept |= {blocks.of(Source("op", op.index, 0))}
    size = sum(blocks.sizes[block] for block in kept - already) + saved.extra_bytes
    already |= kept
    return Quantity(size) if saved.unknown is None else Quantity.partial(size, saved.unknown)
