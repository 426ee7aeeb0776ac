"""A network written as ONNX is one file that answers alike, and its cached copy is checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from foveal.features import export_onnx
from foveal.features.onnx_file import export_backbone
from foveal.models import Backbone


def test_exported_network_answers_alike_for_any_batch() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Flatten()).eval()
    content = export_onnx(network, (9, 7), output_names=["features"])
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for count in (1, 5):
        images = torch.randn(count, 3, 9, 7)
        (answer,) = session.run(["features"], {"images": images.numpy()})
        np.testing.assert_allclose(answer, network(images).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_export_leaves_the_network_in_evaluation_mode(tiny: Backbone) -> None:
    export_onnx(tiny.feature_network(), (32, 32), output_names=["features"])
    assert not any(module.training for module in tiny.network.modules())


def test_failed_export_leaves_stdout_to_results(capfd: pytest.CaptureFixture[str]) -> None:
    class Unknown(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(images.flatten(2))

    with pytest.raises(torch.onnx.errors.OnnxExporterError):
        export_onnx(Unknown().eval(), (8, 8), output_names=["features"])
    assert capfd.readouterr().out == ""


def test_second_export_comes_from_the_cache(tiny: Backbone, tmp_path: Path) -> None:
    first = export_backbone(tiny, (32, 32), tmp_path)
    (file,) = (tmp_path / "onnx").iterdir()
    changed = file.stat().st_mtime_ns
    assert export_backbone(tiny, (32, 32), tmp_path) == first
    assert file.stat().st_mtime_ns == changed


def test_other_size_is_another_file(tiny: Backbone, tmp_path: Path) -> None:
    export_backbone(tiny, (32, 32), tmp_path)
    export_backbone(tiny, (32, 64), tmp_path)
    assert len(list((tmp_path / "onnx").iterdir())) == 2


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: content[:-9], lambda content: content + b"x"],
    ids=["emptied", "cut", "extended"],
)
def test_damaged_cached_file_is_exported_anew(
    tiny: Backbone, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    first = export_backbone(tiny, (32, 32), tmp_path)
    (file,) = (tmp_path / "onnx").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert export_backbone(tiny, (32, 32), tmp_path) == first


def test_cache_that_cannot_be_written_is_done_without(tiny: Backbone, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert export_backbone(tiny, (32, 32), tmp_path / "file")[:1]
