"""The table as plain values for other programs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from foveal.graph import Quantity, ReceptiveField
from foveal.inspection.comparison import Comparison
from foveal.inspection.effective import EffectiveField
from foveal.inspection.inspection import Inspection, OpRow, Stage
from foveal.inspection.sizes import SizeLaw

_EVERYTHING = "it sees the whole image"


def inspection_json(table: Inspection) -> dict[str, Any]:
    """Returns the whole table.

    Fields and strides are per axis, ``[h, w]``. Whatever is null or a lower bound has its
    ``reason``, and ``global`` says that the whole image is seen.
    """
    totals = table.totals
    return {
        "model": table.name,
        "model_type": table.model_type,
        "mode": table.mode,
        "inputs": [
            {"name": item.name, "shape": list(item.shape), "dtype": item.dtype}
            for item in table.inputs
        ],
        "outputs": [{"path": item.path, "shape": list(item.shape)} for item in table.outputs],
        "status": table.status,
        "reason": table.reason,
        "ops": [_op_json(row, table.sizes) for row in table.ops],
        "stages": [_stage_json(stage) for stage in table.stages],
        "totals": {
            "parameters": totals.parameters,
            "trainable_parameters": totals.trainable_parameters,
            "unused_parameters": totals.unused_parameters,
            "parameter_bytes": totals.parameter_bytes,
            **_quantity("macs", totals.macs),
            **_quantity("activation_bytes", totals.activation_bytes),
            **_quantity("peak_bytes", totals.peak_bytes),
            **_quantity("kept_bytes", totals.kept_bytes),
            **_last_field(table),
            "receptive_field_of": totals.receptive_field_of,
            "layers_with_weights": totals.num_weighted_layers,
            "nonlinearities": totals.num_nonlinearities,
        },
        "sizes": None if table.sizes is None else _sizes_json(table.sizes),
        "notes": list(table.notes),
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Returns both tables and their contrasts."""
    return {
        "first": inspection_json(comparison.first),
        "second": inspection_json(comparison.second),
        "contrasts": [
            {
                "name": item.name,
                "unit": item.unit,
                "first": item.first.value,
                "second": item.second.value,
                "ratio": item.ratio,
                "status": [item.first.status, item.second.status],
                "reason": item.first.reason or item.second.reason,
            }
            for item in comparison.contrasts
        ],
    }


def effective_json(measured: EffectiveField) -> dict[str, Any]:
    """Returns what was measured, without the map itself."""
    return {
        "op": measured.op_name,
        "unit": list(measured.unit),
        "theoretical_px": measured.theoretical_px and list(measured.theoretical_px),
        "theoretical": measured.theoretical and [list(span) for span in measured.theoretical],
        "luo_px": round(measured.luo_px, 2),
        "mass_95_px": list(measured.mass_px),
        "images": measured.num_images,
    }


def _op_json(row: OpRow, sizes: SizeLaw | None) -> dict[str, Any]:
    op = row.op
    found: dict[str, Any] = {
        "name": row.name,
        "kind": row.kind,
        "function": op.function,
        "module": op.module_path,
        "module_type": op.module_type,
        "output_shape": list(row.output_shape),
        "parameters": row.parameters,
        "trainable_parameters": row.trainable_parameters,
        **_quantity("macs", row.macs),
        "activation_bytes": row.activation_bytes,
        **_quantity("kept_bytes", row.kept_bytes),
        **_field(row.receptive_field),
        "inputs": list(op.input_indices),
        "attributes": {key: _plain(value) for key, value in op.attributes.items()},
    }
    if row.shared_with is not None:
        found["shared_with"] = row.shared_with
    if sizes is not None and sizes.shapes:
        law = sizes.shapes[op.index]
        found["symbolic_shape"] = None if law is None else list(law)
    return found


def _stage_json(stage: Stage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "ops": [stage.first, stage.last],
        "output_shape": list(stage.output_shape),
        "parameters": stage.parameters,
        "trainable_parameters": stage.trainable_parameters,
        **_quantity("macs", stage.macs),
        "activation_bytes": stage.activation_bytes,
        **_quantity("kept_bytes", stage.kept_bytes),
        **_field(stage.receptive_field),
        "share_of_parameters": stage.share_of_parameters,
        "share_of_macs": stage.share_of_macs,
        "share_of_memory": stage.share_of_memory,
    }


def _sizes_json(law: SizeLaw) -> dict[str, Any]:
    return {
        "status": law.status,
        "reason": law.reason,
        "divisor": law.divisor,
        "smallest": law.smallest,
        "other_sizes": law.other_sizes,
        "macs": law.macs,
        "verified_on": [list(shape) for shape in law.verified_on],
    }


def _quantity(name: str, quantity: Quantity[int]) -> dict[str, Any]:
    found: dict[str, Any] = {name: quantity.value}
    if quantity.status != "complete":
        found |= {f"{name}_status": quantity.status, f"{name}_reason": quantity.reason}
    return found


def _field(seen: ReceptiveField) -> dict[str, Any]:
    """Returns field, stride and start, each null as a whole where an axis is missing."""
    is_global = bool(seen.is_global) and all(seen.is_global)
    if not seen.size or any(size is None for size in seen.size):
        reason = seen.reason or (_EVERYTHING if any(seen.is_global) else "it reads no positions")
        return {**_no_field(reason), "global": is_global}
    found: dict[str, Any] = {
        "receptive_field": list(seen.size),
        "effective_stride": [_number(stride) for stride in seen.effective_stride],
        "start": list(seen.start),
        "global": is_global,
    }
    if seen.status != "complete":
        found["reason"] = seen.reason
    return found


def _last_field(table: Inspection) -> dict[str, Any]:
    seen = table.totals.receptive_field
    return _no_field("no operation has positions") if seen is None else _field(seen)


def _no_field(reason: str) -> dict[str, Any]:
    return {
        "receptive_field": None,
        "effective_stride": None,
        "start": None,
        "global": False,
        "reason": reason,
    }


def _number(value: Fraction | None) -> int | float | None:
    if value is None:
        return None
    return int(value) if value.denominator == 1 else float(value)


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
