"""Every tensor object that was met while watching, and what it is.

Real tensors never take part in a traced call. Each has a *shadow*: a tensor on the meta
device with its shape, strides and dtype, and no memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from foveal.graph.borrowing import tensors_held
from foveal.graph.graph import Shape, Source
from foveal.graph.nested_tensors import map_tensors
from foveal.graph.records import Ref, TensorRef, UnfollowableError


@dataclass(slots=True)
class Known:
    """What is known about one tensor object.

    Attributes:
        tensor: The object; held, so that its ``id`` is not given to another.
        ref: What stands for the object in recorded arguments.
        source: What computed its present value. None for weights and constants.
        parameters: Names of the parameters that it is or was computed from.
        buffers: The same for buffers.
        work: The calls on weights alone that it was computed by and that cost something.
        is_computed: Whether a call made it, rather than the model holding it.
        is_constant: Whether it is a small constant that forward made, with real values.
    """

    tensor: torch.Tensor
    ref: Ref
    source: Source | None = None
    parameters: tuple[str, ...] = ()
    buffers: tuple[str, ...] = ()
    work: tuple[int, ...] = ()
    is_computed: bool = False
    is_constant: bool = False


class SeenTensors:
    """Looks tensor objects up by identity."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._names: dict[int, tuple[str, str]] = {}
        self._known: dict[int, Known] = {}
        self._shadows: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._by_ref: dict[Ref, torch.Tensor] = {}
        self._by_memory: dict[int, list[int]] = {}
        # A write through one view must reach all others, real or shadow, met or not yet met.
        self._shadow_memories: dict[int, torch.Tensor] = {}
        self._real_memories: dict[int, int] = {}
        self._constants: dict[int, list[Known]] = {}
        self._written: dict[int, Source] = {}
        for name, tensor in model.named_buffers(remove_duplicate=False):
            self._names.setdefault(id(tensor), ("buffer", name))
        for name, parameter in model.named_parameters(remove_duplicate=False):
            self._names.setdefault(id(parameter), ("parameter", name))
        # On the meta device the model's own tensors look like what a function returned.
        is_meta = any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
        self._held = {id(t) for t in tensors_held(model) if t.is_meta} if is_meta else set()

    def known(self, tensor: torch.Tensor) -> Known | None:
        """Returns what is known about a tensor, if anything is."""
        return self._known.get(id(tensor))

    def remember(self, known: Known) -> None:
        """Adds a tensor, or replaces what was known about it."""
        self._known[id(known.tensor)] = known
        self._by_ref.setdefault(known.ref, known.tensor)
        memory = _memory(known.tensor)
        if known.is_constant:
            self._constants.setdefault(memory, []).append(known)
        elif known.source is not None or memory in self._written:
            self._by_memory.setdefault(memory, []).append(id(known.tensor))

    def are_constants(self, tensors: list[torch.Tensor]) -> bool:
        """Whether all are constants with real values."""
        found = [self.known(tensor) for tensor in tensors]
        return all(known is not None and known.is_constant for known in found)

    def own_names(self, module: torch.nn.Module) -> set[str]:
        """Returns the names of the tensors that the module holds itself."""
        stores = (*module._parameters.values(), *module._buffers.values())
        return {self._names[id(t)][1] for t in stores if t is not None and id(t) in self._names}

    # --- refs -----------------------------------------------------------------------------

    def ref(self, tensor: torch.Tensor) -> Ref:
        """Returns what stands for this tensor object in recorded arguments."""
        known = self.known(tensor)
        if known is not None:
            return known.ref
        return TensorRef(tensor, self._names.get(id(tensor), ("", None))[1])

    def refs(self, value: Any) -> Any:
        """Returns ``value`` with every tensor replaced by its ref."""
        return map_tensors(value, self.ref)

    def tensor_of(self, ref: Ref) -> torch.Tensor:
        """Returns the tensor that a ref stands for."""
        return ref.tensor if isinstance(ref, TensorRef) else self._by_ref[ref]

    def memory_of(self, ref: Ref) -> int:
        """Returns a number that all views of one memory have in common."""
        return _memory(self.tensor_of(ref))

    # --- shadows --------------------------------------------------------------------------

    def shadow(self, tensor: torch.Tensor) -> torch.Tensor:
        """Returns the tensor itself if it is on the meta device, else its shadow.

        Raises:
            UnfollowableError: No shadow can be made of a tensor of that kind.
        """
        known = self.known(tensor)
        if tensor.device.type == "meta":
            if known is None:
                if id(tensor) not in self._held:
                    raise UnfollowableError("it reads a tensor that no recorded function made")
                self.remember(self._described(tensor, tensor))
            return tensor
        found = self._shadows.get(id(tensor))
        if found is None:
            found = (tensor, self._make_shadow(tensor))
            self._shadows[id(tensor)] = found
            described = self._described(tensor, found[1])
            if known is not None:
                described.ref = known.ref
            described.source = self._written.get(_memory(found[1]))
            self.remember(described)
        return found[1]

    def shadow_of_index(self, tensor: torch.Tensor) -> torch.Tensor:
        """As ``shadow``, but a real mask stays real, because it decides the result's shape."""
        if tensor.device.type == "cpu" and tensor.dtype in {torch.bool, torch.uint8}:
            if self.known(tensor) is None:
                self.remember(self._described(tensor, tensor))
            return tensor
        return self.shadow(tensor)

    def _make_shadow(self, tensor: torch.Tensor) -> torch.Tensor:
        try:
            if self.known(tensor) is None:
                if tensor.is_contiguous():  # empty_like takes ten times as long
                    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")
                return torch.empty_like(tensor, device="meta", requires_grad=False)
            # A constant that forward made, which it may write to: views of one memory get
            # shadows that are views of one memory.
            memory = _memory(tensor)
            if memory not in self._shadow_memories:
                size = tensor.untyped_storage().nbytes() // tensor.element_size()
                whole = torch.empty(size, dtype=tensor.dtype, device="meta")
                self._shadow_memories[memory] = whole
                self._real_memories[_memory(whole)] = memory
            whole = self._shadow_memories[memory]
            return whole.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
        except Exception as error:
            raise UnfollowableError(
                f"a {type(tensor).__name__} of layout {tensor.layout} has no shadow"
            ) from error

    def _described(self, original: torch.Tensor, shadow: torch.Tensor) -> Known:
        kind, name = self._names.get(id(original), ("", None))
        names = (name,) if name is not None else ()
        ref = TensorRef(original, name)
        if kind == "parameter":
            return Known(shadow, ref, parameters=names)
        return Known(shadow, ref, buffers=names)

    # --- overwriting ----------------------------------------------------------------------

    def other_views(
        self, tensor: torch.Tensor, sources: list[Source]
    ) -> list[tuple[Source, Shape]]:
        """Returns what other shapes of the same memory hold: part of it outlives a write."""
        found = []
        for alias in self._aliases(tensor):
            is_new = alias.source is not None and alias.source not in sources
            if is_new and alias.tensor.shape != tensor.shape and alias.source is not None:
                sources = [*sources, alias.source]
                found.append((alias.source, tuple(alias.tensor.shape)))
        return found

    def overwrite(self, tensor: torch.Tensor, source: Source) -> None:
        """Lets every view of the tensor's memory come from ``source`` from now on."""
        memory = _memory(tensor)
        self._written[memory] = source
        self._by_memory.setdefault(memory, []).append(id(tensor))
        for alias in self._aliases(tensor):
            alias.source = source
        real = self._real_memories.get(memory)
        if real is None:
            return
        for known in self._constants.pop(real, []):
            known.is_constant = False
        for original, shadow in self._shadows.values():
            if _memory(original) == real:
                self._known[id(shadow)].source = source

    def _aliases(self, tensor: torch.Tensor) -> list[Known]:
        keys = dict.fromkeys(self._by_memory.get(_memory(tensor), []))
        return [self._known[key] for key in keys]


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
