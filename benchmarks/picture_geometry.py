"""What is wrong with the arrangement of a picture: overlaps, and wires through boxes."""

from __future__ import annotations

from collections import defaultdict

from foveal.inspection.picture.arrangement import Arrangement, Box, Path, Point

SLACK = 0.01
_CELL = 200.0
_SAMPLES = 12


def faults(arrangement: Arrangement) -> list[str]:
    """Returns a sentence for each fault; none is what a picture must have."""
    found = []
    near: dict[tuple[int, int], list[Box]] = defaultdict(list)
    for box in arrangement.boxes:
        if not (box.x >= 0 and box.x + box.width <= arrangement.width + SLACK):
            found.append(f"{box.node.title} is outside of the picture")
        if not (box.y >= 0 and box.y + box.height <= arrangement.height + SLACK):
            found.append(f"{box.node.title} is outside of the picture")
        for cell in _cells(box.x, box.y, box.x + box.width, box.y + box.height):
            near[cell].append(box)
    for boxes in near.values():
        for index, one in enumerate(boxes):
            found += [
                f"{one.node.title} and {two.node.title} overlap"
                for two in boxes[index + 1 :]
                if _overlap(one, two) and not (_holds(one, two) or _holds(two, one))
            ]
    for path in arrangement.paths:
        for x, y in sampled(path):
            for box in near[int(x // _CELL), int(y // _CELL)]:
                if _crosses(box, x, y):
                    found.append(f"a wire crosses {box.node.title}")
                    break
    return sorted(set(found))


def sampled(path: Path) -> list[Point]:
    """Returns points along a wire: its ends, and points on its curves and straight pieces."""
    points: list[Point] = []
    pairs = zip(path.points, path.points[1:], strict=False)
    for number, ((x0, y0), (x1, y1)) in enumerate(pairs):
        for step in range(_SAMPLES + 1):
            t = step / _SAMPLES
            if number % 2 == 0:
                points.append((x0 + (x1 - x0) * t, y0 + (y1 - y0) * t))
                continue
            # The cubic of the drawing: both handles half-way down.
            half = (y0 + y1) / 2
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            points.append(((a + b) * x0 + (c + d) * x1, a * y0 + (b + c) * half + d * y1))
    return points


def _crosses(box: Box, x: float, y: float) -> bool:
    """A closed box is solid; of an open group the bar with its title is."""
    from foveal.inspection.picture.arrangement import BAR

    bottom = box.y + (BAR if box.is_open else box.height)
    return box.x + SLACK < x < box.x + box.width - SLACK and box.y + SLACK < y < bottom - SLACK


def _cells(left: float, top: float, right: float, bottom: float) -> list[tuple[int, int]]:
    return [
        (column, row)
        for column in range(int(left // _CELL), int(right // _CELL) + 1)
        for row in range(int(top // _CELL), int(bottom // _CELL) + 1)
    ]


def _overlap(one: Box, two: Box) -> bool:
    return (
        one.x + SLACK < two.x + two.width
        and two.x + SLACK < one.x + one.width
        and one.y + SLACK < two.y + two.height
        and two.y + SLACK < one.y + one.height
    )


def _holds(outer: Box, inner: Box) -> bool:
    return (
        outer.is_open
        and outer.depth < inner.depth
        and outer.x <= inner.x + SLACK
        and inner.x + inner.width <= outer.x + outer.width + SLACK
        and outer.y <= inner.y + SLACK
        and inner.y + inner.height <= outer.y + outer.height + SLACK
    )
