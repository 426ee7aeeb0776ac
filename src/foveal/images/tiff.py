"""The directory of a TIFF page by page, read with care: TIFF 6.0 and BigTIFF.

Counts and offsets in a damaged file may be anything, so nothing is believed: what lies beyond
the file is an error, what has an unknown type is passed over as readers must, and the number of
entries, values and pages looked at is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from foveal.errors import ImageError
from foveal.images.faults import corrupt, truncated

# By type code; 0 where there is no such type.
_NUM_BYTES_OF_TYPES: Final = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)
# Types that a reader turns into one number each, not into a run of bytes.
_NUMBER_TYPES: Final = frozenset({3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18})
_MAX_VALUES: Final = 1 << 18
_MAX_ENTRIES: Final = 1 << 12
_MAX_PAGES: Final = 1 << 14
_MAX_ENTRIES_OF_ALL_PAGES: Final = 1 << 18

_SUBFILE_TYPE: Final = 254
_REDUCED_OR_MASK: Final = 0b101
_SHAPE_TAGS: Final = (256, 257, 258, 262, 277)
"""Width, height, bits, photometric interpretation, samples: what pages of one stack share."""
_TAGS_READ: Final = frozenset({_SUBFILE_TYPE, *_SHAPE_TAGS, 259, 273, 279, 324, 325, 50706})

Tags = dict[int, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Layout:
    """The widths that differ between TIFF and BigTIFF."""

    count_bytes: int
    entry_bytes: int
    value_bytes: int
    first_at: int


_CLASSIC: Final = _Layout(count_bytes=2, entry_bytes=12, value_bytes=4, first_at=4)
_BIG: Final = _Layout(count_bytes=8, entry_bytes=20, value_bytes=8, first_at=8)


def read_tags(data: bytes) -> Tags:
    """Returns the integer tags of the first page; every value lies within the file.

    Raises:
        ImageError: ``truncated`` or ``corrupt``.
    """
    reader = _Reader(data)
    return reader.read(reader.first)[0]


def stack_pages(data: bytes) -> tuple[list[int], int]:
    """Returns where the pages of the largest size begin, and how many others there are.

    Pages of one stack share size and form; of several forms with as many pixels, the first counts.
    Thumbnails and masks that are marked as such are not counted; one that stands first without
    a mark, as some scanners write it, is smaller. A page that cannot be read ends the search; a
    loop of pages is walked once.
    """
    reader = _Reader(data)
    tags, following, num_entries = reader.read(reader.first)
    stacks = {_form(tags): [reader.first]}
    seen = {reader.first}
    while following and following not in seen and len(seen) < _MAX_PAGES:
        seen.add(following)
        try:
            tags, after, more = reader.read(following)
        except ImageError:
            break
        num_entries += more
        if num_entries > _MAX_ENTRIES_OF_ALL_PAGES:
            break
        is_part = not int(tags.get(_SUBFILE_TYPE, _ZERO)[0]) & _REDUCED_OR_MASK
        if is_part:
            stacks.setdefault(_form(tags), []).append(following)
        following = after
    largest = max(stacks, key=_num_pixels)
    return stacks[largest], sum(map(len, stacks.values())) - len(stacks[largest])


def with_first_page(data: bytes, offset: int) -> bytes:
    """Returns the file with another page as its first, so that no other has to be walked."""
    reader = _Reader(data)
    at, width = reader.layout.first_at, reader.layout.value_bytes
    return data[:at] + offset.to_bytes(width, reader.order) + data[at + width :]


_ZERO: Final = np.zeros(1, np.int64)


def _form(tags: Tags) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(tags.get(tag, _ZERO)[:8].tolist()) for tag in _SHAPE_TAGS)


def _num_pixels(form: tuple[tuple[int, ...], ...]) -> int:
    width_px, height_px = form[:2]
    return sum(width_px[:1]) * sum(height_px[:1])


class _Reader:
    """Reads directories of one file."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order: Any = "little" if data[:2] == b"II" else "big"
        self.layout = _BIG if self.number(2, 2) == 43 else _CLASSIC
        self.first = self.number(self.layout.first_at, self.layout.value_bytes)

    def number(self, position: int, num_bytes: int) -> int:
        if position + num_bytes > len(self.data):
            raise truncated("a TIFF that ends within its directory")
        return int.from_bytes(self.data[position : position + num_bytes], self.order)

    def read(self, directory: int) -> tuple[Tags, int, int]:
        """Returns the tags, where the next directory begins, and the number of entries."""
        layout = self.layout
        num_entries = self.number(directory, layout.count_bytes)
        if num_entries > _MAX_ENTRIES:
            raise corrupt(f"a TIFF directory of {num_entries:,} entries")
        tags: Tags = {}
        num_values = 0
        entry = directory + layout.count_bytes
        for _ in range(num_entries):
            tag, kind = self.number(entry, 2), self.number(entry + 2, 2)
            count = self.number(entry + 4, layout.value_bytes)
            where = entry + 4 + layout.value_bytes
            width = _NUM_BYTES_OF_TYPES[kind] if kind < len(_NUM_BYTES_OF_TYPES) else 0
            entry += layout.entry_bytes
            if not width:
                continue  # readers skip unknown types
            if count * width > layout.value_bytes:
                where = self.number(where, layout.value_bytes)
            if where + count * width > len(self.data):
                raise truncated("a TIFF whose directory points beyond its end")
            if kind in _NUMBER_TYPES:
                num_values += count
                if num_values > _MAX_VALUES:
                    raise corrupt(f"a TIFF directory of {num_values:,} numbers and more")
            if tag in _TAGS_READ and tag not in tags and count:
                unsigned = f"{'<' if self.order == 'little' else '>'}u{width}"
                tags[tag] = np.frombuffer(self.data, unsigned, count, where).astype(np.uint64)
        following = entry + layout.value_bytes <= len(self.data)
        return tags, self.number(entry, layout.value_bytes) if following else 0, num_entries
