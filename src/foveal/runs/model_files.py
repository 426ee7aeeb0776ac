"""The classifier as files that others can load: timm layout, and one ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from foveal.errors import RunError
from foveal.evaluation.operating_point import OperatingPoint
from foveal.features import export_onnx
from foveal.runs.folder import CONFIG_NAME, ONNX_NAME, WEIGHTS_NAME
from foveal.schema import stamped

if TYPE_CHECKING:
    from torch import Tensor, nn

    from foveal.models import Backbone
    from foveal.training import FoldModel, TrainedClassifier

# Two implementations of fp32 differ by the order of their sums, a few units in the fifth
# digit after fifty layers.
_MAX_ONNX_DIFFERENCE = 1e-2


@dataclass(frozen=True, slots=True)
class Parity:
    """How far ``model.onnx`` is from PyTorch on ``num_images`` real images."""

    num_images: int
    max_logit_difference: float
    max_probability_difference: float
    same_labels: int


def write_timm_files(folder: Path, network: nn.Module, trained: TrainedClassifier) -> None:
    """Writes ``config.json`` and ``model.safetensors`` as timm's hub layout wants them."""
    from safetensors.torch import save

    from foveal.models.stacked import classifier_settings

    names = list(trained.evidence.data.class_names)
    preprocessing = trained.preprocessing
    config = {
        key: value
        for key, value in trained.backbone.pretrained_config.items()
        if value is None or isinstance(value, (str, int, float, bool, list, tuple))
    }
    # Where a new head stands, the old one's classes and its place on the hub are wrong.
    for key in ("architecture", "hf_hub_id", "hf_hub_filename", "url", "file", "source", "tag"):
        config.pop(key, None)
    config |= {
        "num_classes": len(names),
        "input_size": [3, preprocessing.height_px, preprocessing.width_px],
        "mean": list(preprocessing.mean),
        "std": list(preprocessing.std),
        "interpolation": preprocessing.interpolation,
        "crop_pct": preprocessing.crop_fraction,
        "crop_mode": {"squash": "squash", "crop": "center", "pad": "border"}[preprocessing.fit],
        "custom_load": False,
        "label_names": names,
    }
    content = {
        "architecture": trained.backbone.name.split(".", 1)[0],
        "num_classes": len(names),
        "num_features": trained.backbone.num_features,
        "label_names": names,
        "pretrained_cfg": config,
    }
    settings = classifier_settings(network)
    if settings is not None:  # not timm's own: foveal.models.over_stages
        content["foveal_head"] = settings
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    (folder / CONFIG_NAME).write_text(text, "utf-8")
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    # Not save_file: it makes a file for its owner alone, and dies of a full disk in its own way.
    (folder / WEIGHTS_NAME).write_bytes(save(tensors, metadata={"format": "pt"}))


class OnnxMetadata(TypedDict):
    """What ``model.onnx`` says of itself under ``foveal``.

    ``set_thresholds`` are the prediction sets' by class; null where a run has none.
    """

    class_names: list[str]
    preprocessing: dict[str, Any]
    views: list[str]
    temperature: float
    set_thresholds: list[float] | None
    backbone: str
    created: str
    operating_point: NotRequired[OperatingPoint]


def write_onnx(
    folder: Path,
    trained: TrainedClassifier,
    *,
    metadata: Mapping[str, Any],
    samples: NDArray[np.float32],
) -> Parity:
    """Writes ``model.onnx`` and measures it against PyTorch on ``samples [n, 3, H, W]``.

    Outputs: ``probabilities`` and ``logits`` [N, K], ``features`` [N, D]. The views are
    averaged and the temperature applied inside.

    Raises:
        RunError: It disagrees with PyTorch.
    """
    import onnx
    import onnxruntime
    import torch

    calibration = trained.evidence.calibration
    temperature = 1.0 if calibration is None else calibration.temperature
    size = trained.preprocessing.height_px, trained.preprocessing.width_px
    whole = _build_whole(trained.backbone, trained.model, temperature, size)
    exported = export_onnx(whole, size, output_names=["probabilities", "logits", "features"])
    model = onnx.load_from_string(exported)
    model.producer_name = "foveal"
    onnx.helper.set_model_props(
        model, {"foveal": json.dumps(stamped("onnx", metadata), ensure_ascii=False, sort_keys=True)}
    )
    content = model.SerializeToString()
    (folder / ONNX_NAME).write_bytes(content)

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    probabilities, logits = session.run(["probabilities", "logits"], {"images": samples})
    with torch.inference_mode():
        expected_probabilities, expected_logits, _ = whole(torch.from_numpy(samples))
    parity = Parity(
        num_images=len(samples),
        max_logit_difference=float(np.abs(logits - expected_logits.numpy()).max()),
        max_probability_difference=float(
            np.abs(probabilities - expected_probabilities.numpy()).max()
        ),
        same_labels=int((logits.argmax(1) == expected_logits.numpy().argmax(1)).sum()),
    )
    if not parity.max_probability_difference <= _MAX_ONNX_DIFFERENCE:
        raise RunError(
            f"The exported ONNX file disagrees with PyTorch by "
            f"{parity.max_probability_difference:.3g} in a probability.",
            next_step="Report this with the backbone's name; another backbone will work.",
        )
    return parity


def _build_whole(
    backbone: Backbone, model: FoldModel, temperature: float, size: tuple[int, int]
) -> nn.Module:
    import torch
    from torch import nn

    from foveal.explanation.averaged_views import turn_batch
    from foveal.features.reading import ReadingNetwork

    views = model.reading.views

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reading = ReadingNetwork(backbone, model.reading, size)
            self.model = model.module()

        def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            turned = [self.reading(turn_batch(images, view)) for view in views]
            features, read = turned[0]
            if len(turned) > 1:
                features, read = (
                    torch.stack(of_views).mean(0) for of_views in zip(*turned, strict=True)
                )
            logits = self.model(read)
            return (logits / temperature).softmax(1), logits, features

    return Whole().eval()
