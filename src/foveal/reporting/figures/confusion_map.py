"""The confusion matrix of many classes, as a map of squares."""

from __future__ import annotations

from collections.abc import Sequence

from foveal.draw.svg import Scale, element, figure, name_label, words

ROW_PX = 22.0
NUM_SHADES = 11


def shade_index(value: int, total: int) -> int:
    """Returns 0 for nothing, else 1 to 10 by the share of the row, ten per cent a step.

    >>> shade_index(0, 50), shade_index(1, 50), shade_index(25, 50), shade_index(50, 50)
    (0, 1, 5, 10)
    """
    if value <= 0 or total <= 0:
        return 0
    return max(1, min(NUM_SHADES - 1, -(-10 * value // total)))


def draw_confusion_map(confusion: Sequence[Sequence[int]], class_names: Sequence[str]) -> str:
    """Returns one square a pair of classes, darker with its share of the row.

    Columns carry the number of their class, rows number and name.
    """
    num_classes = len(class_names)
    columns = Scale(0.0, float(num_classes))
    parts = []
    for j in range(num_classes):
        kind = "tick" if j % 2 == 0 else "tick wide"
        parts.append(
            words(str(j + 1), class_=kind, x=columns.x(j + 0.5), y=12, text_anchor="middle")
        )
    for i, row in enumerate(confusion):
        y = 18 + ROW_PX * i
        total = sum(row)
        parts.append(name_label(f"{class_names[i]} {i + 1}", y=y + 15))
        for j, value in enumerate(row):
            shade = shade_index(value, total)
            if value == 0 and i != j:
                continue
            kind = f"cell s{shade} diagonal" if i == j else f"cell s{shade}"
            parts.append(
                element(
                    "rect",
                    class_=kind,
                    x=columns.x(j),
                    y=y,
                    width=columns.x(1),
                    height=ROW_PX,
                )
            )
            parts.append(
                words(
                    str(value),
                    class_=f"count wide t{shade}",
                    x=columns.x(j + 0.5),
                    y=y + 15,
                    text_anchor="middle",
                )
            )
    return figure(
        parts,
        title=f"Confusion matrix of {num_classes} classes",
        description="Rows are the given classes, columns the predicted ones, in the same order; "
        "the stronger a square's shade, the larger its share of the row.",
        height_px=18 + ROW_PX * num_classes + 2,
    )
