"""Which dimension of a tensor holds which axis of the image.

Convolutions keep height and width in the last two dimensions. Transformers flatten them to
tokens, windows split them, channel shuffles split the channels. A layout follows all that:
each dimension is a row-major product of atoms, and an atom is a run of positions along one
axis, or of nothing that has a position (channels, batch, heads).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Atom:
    """A factor of a dimension.

    Attributes:
        size: How many values it takes.
        axis: Which axis of the image it runs along; None for channels and the like.
        step: How many units of that axis lie between neighbours; 0 when the order of the
            positions is no longer known (tokens after a class token was put before them).
    """

    size: int
    axis: int | None = None
    step: int = 1


Dim = tuple[Atom, ...]
Layout = tuple[Dim, ...]


def layout_of_input(shape: Shape, num_axes: int) -> Layout:
    """Returns the layout of an image ``(N, C, *axes)``."""
    rank = len(shape)
    return tuple(
        (Atom(size, i - (rank - num_axes)),) if i >= rank - num_axes else plain(size)
        for i, size in enumerate(shape)
    )


def plain(size: int) -> Dim:
    """Returns a dimension without positions."""
    return (Atom(size),) if size > 1 else ()


def axes_in(dims: Iterable[Dim]) -> set[int]:
    """Returns the axes that run through any of the dimensions."""
    return {atom.axis for dim in dims for atom in dim if atom.axis is not None}


def sole_axis(dim: Dim, extents: tuple[int, ...]) -> int | None:
    """Returns the axis that the dimension is, whole and in order, or None."""
    atoms = [atom for atom in dim if atom.axis is not None or atom.size > 1]
    if len(atoms) != 1 or atoms[0].axis is None:
        return None
    atom, axis = atoms[0], atoms[0].axis
    return axis if atom.step == 1 and atom.size == extents[axis] else None


def scrambled(dims: Iterable[Dim], size: int) -> Dim:
    """Returns a dimension of ``size`` with the positions of all ``dims`` in no known order."""
    axes = sorted(axes_in(dims))
    if not axes:
        return plain(size)
    first, *rest = axes
    return (Atom(size, first, 0), *(Atom(1, axis, 0) for axis in rest))


def reshaped(layout: Layout, shape: Shape) -> Layout | None:
    """Returns the layout after a reshape, or None where positions cannot be followed."""
    atoms = [atom for dim in layout for atom in dim]
    dims: list[Dim] = []
    for size in shape:
        taken: list[Atom] = []
        missing = size
        while missing > 1 and atoms:
            atom = atoms.pop(0)
            if missing % atom.size == 0:
                taken.append(atom)
                missing //= atom.size
            elif atom.size % missing == 0 and atom.step:
                inner = atom.size // missing
                step = 1 if atom.axis is None else atom.step * inner
                taken.append(Atom(missing, atom.axis, step))
                atoms.insert(0, replace(atom, size=inner))
                missing = 1
            else:
                return None
        if missing > 1:
            return None
        while atoms and atoms[0].size == 1 and atoms[0].step == 0:
            taken.append(atoms.pop(0))
        # Axes of size 1 cost nothing and may stand anywhere: keep them with a size-1
        # dimension if there is one, else with what came before.
        if size == 1 and atoms and atoms[0].size == 1:
            taken.append(atoms.pop(0))
        dims.append(_joined(taken))
    if any(atom.size > 1 for atom in atoms):
        return None
    if atoms and dims:
        dims[-1] = _joined([*dims[-1], *atoms])
    return tuple(dims)


def _joined(atoms: list[Atom]) -> Dim:
    """Joins neighbouring atoms that together run evenly along one axis."""
    joined: list[Atom] = []
    for atom in atoms:
        last = joined[-1] if joined else None
        if last is not None and last.axis is None and atom.axis is None:
            joined[-1] = Atom(last.size * atom.size)
        elif (
            last is not None
            and last.axis is not None
            and last.axis == atom.axis
            and last.step == atom.size * atom.step
            and atom.step
        ):
            joined[-1] = Atom(last.size * atom.size, atom.axis, atom.step)
        else:
            joined.append(atom)
    return tuple(joined)


def broadcast(left: Layout, right: Layout) -> Layout | None:
    """Returns the layout of a sum of two tensors, or None where their positions disagree."""
    rank = max(len(left), len(right))
    pairs = zip(_filled(left, rank), _filled(right, rank), strict=True)
    dims = [_agreed(a, b) for a, b in pairs]
    return None if any(dim is None for dim in dims) else tuple(d for d in dims if d is not None)


def with_dim(layout: Layout, index: int, dim: Dim) -> Layout:
    """Returns the layout with one dimension replaced."""
    return (*layout[:index], dim, *layout[index + 1 :])


def _filled(layout: Layout, rank: int) -> Layout:
    return ((),) * (rank - len(layout)) + layout


def _agreed(left: Dim, right: Dim) -> Dim | None:
    if left == right:
        return left
    if not axes_in([left]):
        return right if axes_in([right]) or _size(right) >= _size(left) else left
    if not axes_in([right]):
        return left
    # A single position is read by all; otherwise the positions must be the same ones.
    if _size(left) == 1 or _size(right) == 1:
        return left if _size(right) == 1 else right
    return None


def _size(dim: Dim) -> int:
    product = 1
    for atom in dim:
        product *= atom.size
    return product
