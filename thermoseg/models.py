"""The model file: weights and what must be known of them, in one `.safetensors` file.

Nothing in a model file is ever executed: safetensors holds numbers only, the network's class
comes from our own table, and the checkpoints of others are read with PyTorch's restricted
unpickler or not at all.  Two SHA-256 sums inside the file guard header and weights, because
neither format notices a flipped bit; the SHA-256 of the whole file names it in recordings.

An `.onnx` file carries the same header in its metadata, and the network itself in place of its
name.  It runs with OpenVINO only, and never has its weights elsewhere.

PyTorch is loaded only when a network is built; listing models does not need it.
"""

import hashlib
import logging
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
import platformdirs
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save

from thermoseg.assets import asset
from thermoseg.errors import ModelError
from thermoseg.labels import Region
from thermoseg.onnx_file import OnnxContent, read_content, with_metadata
from thermoseg.preprocess import Normalisation
from thermoseg.whole_file import write_whole

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger(__name__)

SUFFIX: Final = ".safetensors"
ONNX_SUFFIX: Final = ".onnx"
CHECKPOINT_SUFFIXES: Final = (".pth", ".pt")
"""Suffixes of PyTorch checkpoints, which `import_authors_checkpoint` reads."""
MAX_FILE_BYTES: Final = 2 * 1024**3
"""Larger files are refused unread; the largest network of the paper has 0.3 GB."""
MAX_ONNX_BYTES: Final = 1024**3
"""The same for ONNX, which is read into memory whole."""

_HEADER_KEY: Final = "thermoseg"
"""The only metadata: safetensors writes several in random order, and equal models must be equal."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

_UNPICKLING_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    UnpicklingError,
    ValueError,
    zipfile.BadZipFile,
)
"""Exceptions that `torch.load` has been seen to raise on damaged or hostile files."""


class ModelHeader(BaseModel):
    """Everything that must be known of a model besides its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    """Version of this layout."""
    name: str = Field(pattern=rf"^{_NAME.pattern}$")
    """Name of the model, such as `face-compact`."""
    network: str
    """Name of the network in `thermoseg.networks.build`; `own` in the ONNX file of a user's own."""
    width: int = Field(ge=2, le=512)
    """Channels of the network's first level."""
    num_classes: int = Field(default=len(Region), ge=1, le=255)
    labels: tuple[str, ...] = tuple(region.label for region in Region)
    """Name of each class, in the order of the network's channels."""
    input_height: int = Field(default=256, ge=32, le=2048)
    """Pixels the network was trained for."""
    input_width: int = Field(default=320, ge=32, le=2048)
    """Pixels the network was trained for."""
    normalisation: Normalisation = "percentile"
    command: str = ""
    """Command line that trained the model."""
    seed: int = 0
    iterations: int = 0
    phantom_version: str = ""
    """Empty if no phantom was used."""
    data: str = ""
    """Training data, in words."""
    licence: str = ""
    notes: str = ""
    """Scope and known failures of the model, in words."""
    trained_utc: str = ""
    """ISO 8601; empty if unknown."""
    tensors_sha256: str = ""
    """Digest of the weights (ONNX: of all but the metadata); filled in when saving, checked
    when loading."""

    @model_validator(mode="after")
    def _one_label_per_class(self) -> Self:
        if len(self.labels) != self.num_classes:
            raise ValueError(f"{self.num_classes} classes but {len(self.labels)} labels")
        return self


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on disk."""

    path: Path
    sha256: str
    """Hex digest of the whole file."""
    header: ModelHeader


def save_model(path: Path, network: "nn.Module", header: ModelHeader, *, half: bool = False) -> str:
    """Write a network and its header to one file, whole or not at all.

    Parameters
    ----------
    path
        Ends in `.safetensors`; replaced if it exists.
    half
        Store the weights in float16: half the size, labels all but unchanged.

    Returns
    -------
    SHA-256 of the file, which names the model.

    Raises
    ------
    ModelError
        If a weight is not finite, or the file cannot be written.
    ValueError
        If `path` has another suffix.
    """
    if path.suffix != SUFFIX:
        raise ValueError(f"a model file ends in {SUFFIX}, got {path.name!r}")
    tensors = {name: _as_stored(tensor, half) for name, tensor in network.state_dict().items()}
    _refuse_unfinite(path, tensors)
    content = save(tensors, {_HEADER_KEY: _as_text(header, _sum_of_tensors(tensors))})
    _write(path, content)
    return _sha256(content)


def save_onnx(path: Path, network: "nn.Module", header: ModelHeader) -> str:
    """Write a network as ONNX with the header in its metadata, whole or not at all.

    Parameters
    ----------
    path
        Ends in `.onnx`; replaced if it exists.
    network
        Maps (n, 1, h, w) to logits (n, classes, h, w).  It need not be one of ours, because the
        file holds all of it.
    header
        Its input size becomes that of the file.

    Returns
    -------
    SHA-256 of the file, which names the model.

    Raises
    ------
    ModelError
        If a weight is not finite, the network cannot be converted, packages for it are not
        installed, or the file cannot be written.
    ValueError
        If `path` has another suffix.
    """
    if path.suffix != ONNX_SUFFIX:
        raise ValueError(f"an ONNX file ends in {ONNX_SUFFIX}, got {path.name!r}")
    _refuse_unfinite(
        path, {name: _as_stored(value, half=False) for name, value in network.state_dict().items()}
    )
    from thermoseg.networks.onnx_export import to_onnx

    content = to_onnx(network, (header.input_height, header.input_width))
    text = _as_text(header, read_content(content).rest_sha256)
    content = with_metadata(content, _HEADER_KEY, text)
    _write(path, content)
    return _sha256(content)


def _as_text(header: ModelHeader, weights_sha256: str) -> str:
    """Return what is stored of a header: its digest, a space, and its JSON."""
    text = header.model_copy(update={"tensors_sha256": weights_sha256}).model_dump_json()
    return f"{_sha256(text.encode())} {text}"


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise ModelError(
            f"the model {path} cannot be written ({error.strerror}); choose another folder or "
            "free some space"
        ) from error


def read_header(path: Path) -> ModelHeader:
    """Read what a model file says of itself, without PyTorch and without its weights.

    Raises
    ------
    ModelError
        If it is missing, damaged, or not a model of ours.
    """
    if path.suffix == ONNX_SUFFIX:
        return _checked_header(path, _read_onnx(path)[1].metadata)
    _refuse_oversized(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
    except FileNotFoundError as error:
        raise _missing(path) from error
    except (OSError, SafetensorError) as error:
        raise _damaged(path, error) from error
    return _checked_header(path, metadata)


def _checked_header(path: Path, metadata: Mapping[str, str]) -> ModelHeader:
    """Take the header out of the metadata; its digest is of the text as it is stored."""
    if _HEADER_KEY not in metadata:
        raise ModelError(
            f"{path} has no ThermoSeg header, so its network is unknown; use a file made by "
            "thermoseg-train export"
        )
    digest, _, text = metadata[_HEADER_KEY].partition(" ")
    if digest != _sha256(text.encode()):
        raise _damaged(path, "its header was altered")
    try:
        return ModelHeader.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "header"
        raise ModelError(
            f"the header of {path} cannot be used ({place}: {first['msg']}); it may come from a "
            "newer ThermoSeg, so update, or export the model again"
        ) from error


def load_model(path: Path) -> tuple["nn.Module", ModelHeader]:
    """Build the network of a model file and fill it with the file's weights.

    Returns
    -------
    The network in evaluation mode, float32, on the CPU; and the header.

    Raises
    ------
    ModelError
        If the file is missing, damaged, hostile, of another network, or holds weights that are not
        finite.
    """
    if path.suffix == ONNX_SUFFIX:
        raise ModelError(
            f"{path} cannot be loaded into PyTorch; use the backend openvino, or the model's "
            f"{SUFFIX} file"
        )
    header = read_header(path)
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise _damaged(path, error) from error
    if _sum_of_tensors(tensors) != header.tensors_sha256:
        raise _damaged(path, "its weights were altered")
    _refuse_unfinite(path, tensors)
    return _filled_network(path, header, tensors), header


def load_onnx(path: Path) -> tuple[bytes, ModelHeader]:
    """Read an ONNX file that `save_onnx` wrote.

    Returns
    -------
    The ONNX model, for pictures of the header's size; and the header.

    Raises
    ------
    ModelError
        If the file is missing, damaged, without our header, or has its weights in other files.
    """
    content, found = _read_onnx(path)
    header = _checked_header(path, found.metadata)
    if found.rest_sha256 != header.tensors_sha256:
        raise _damaged(path, "its network was altered")
    return content, header


def import_authors_checkpoint(path: Path) -> tuple["nn.Module", ModelHeader]:
    """Read an Attention U-Net checkpoint in the layout that the SAM-CL authors released.

    Weights may lie at the top, under `state_dict` or under `model`, with or without the prefix
    `module.`; width and classes follow from their shapes.

    Returns
    -------
    The network in evaluation mode, float32, on the CPU; and a header that says where it is from.

    Raises
    ------
    ModelError
        If the file is missing, damaged, hostile or of another network.
    """
    tensors = {name: _as_stored(tensor, half=False) for name, tensor in _unpickle(path).items()}
    first, last = tensors.get("Conv1.conv.0.weight"), tensors.get("Conv_1x1.weight")
    if first is None or last is None or first.ndim != 4 or last.ndim != 4:
        raise ModelError(
            f"{path} is not an Attention U-Net checkpoint (no Conv1 or Conv_1x1 weights); only "
            "that network of the authors can be imported"
        )
    if first.shape[1] != 1 or last.shape[0] != len(Region):
        raise ModelError(
            f"{path} maps {first.shape[1]} channels to {last.shape[0]} classes; a thermal face "
            f"model maps 1 to {len(Region)}"
        )
    try:
        header = ModelHeader(
            name=re.sub(r"[^A-Za-z0-9._-]", "-", path.stem).strip("-._")[:100] or "imported",
            network="attention_unet",
            width=first.shape[0],
            normalisation="minmax",
            data=f"unknown; imported from {path.name}",
            licence="as its owner says",
        )
    except ValidationError as error:
        raise ModelError(f"{path} has a first level of {first.shape[0]} channels; use 2-512") from (
            error
        )
    for name in list(tensors):
        counter = name.removesuffix("running_mean") + "num_batches_tracked"
        if name.endswith("running_mean"):
            tensors.setdefault(counter, np.array(0, np.int64))
    _refuse_unfinite(path, tensors)
    return _filled_network(path, header, tensors), header


def user_models_folder() -> Path:
    """Return the folder in which the user's own models are found by name."""
    return platformdirs.user_data_path("thermoseg", appauthor=False) / "models"


def find_model(model: str | Path) -> Path:
    """Return the file of a model given by name or by path.

    Parameters
    ----------
    model
        A path, recognised by its suffix or a separator; else a name, looked up among the bundled
        models first and then in the user's folder.

    Raises
    ------
    ModelError
        If there is none; the message lists the names that exist.
    """
    path = Path(model).expanduser()
    known_suffix = path.suffix in (SUFFIX, ONNX_SUFFIX, *CHECKPOINT_SUFFIXES)
    if known_suffix or len(path.parts) > 1:
        if not path.is_file():
            raise _missing(path)
        if not known_suffix:
            raise _foreign(path)
        return path
    name = str(model)
    if _NAME.fullmatch(name):
        for path in _model_files():
            if path.stem == name:
                return path
        if Path(name).is_file():
            raise _foreign(Path(name))
    known = sorted({path.stem for path in _model_files()})
    raise ModelError(
        f"no model is called “{name}”; known are {', '.join(known) or 'none'}, or give the path "
        f"of a {SUFFIX} or {ONNX_SUFFIX} file"
    )


def describe_model(path: Path) -> ModelFile:
    """Read header and digest of one model file, without PyTorch.

    Raises
    ------
    ModelError
        If it is missing, damaged, or not a model of ours.
    """
    header = read_header(path)
    return ModelFile(path, file_sha256(path), header)


def list_models() -> list[ModelFile]:
    """List the bundled models and the user's own; a damaged one is logged and left out."""
    models: dict[str, ModelFile] = {}
    for path in _model_files():
        try:
            models.setdefault(path.stem, describe_model(path))
        except ModelError as error:
            log.warning("%s", error)
    return list(models.values())


def file_sha256(path: Path) -> str:
    """Return the hex digest of a file.

    Raises
    ------
    ModelError
        If it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _missing(path) from error


def _model_files() -> list[Path]:
    """List files that look like models, those that are preferred for a name first."""
    return [
        path
        for folder in (asset("models"), user_models_folder())
        for suffix in (SUFFIX, ONNX_SUFFIX)
        for path in sorted(folder.glob(f"*{suffix}"))
        if path.is_file()
    ]


def _read_onnx(path: Path) -> tuple[bytes, OnnxContent]:
    _refuse_oversized(path, MAX_ONNX_BYTES)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _missing(path) from error
    try:
        return content, read_content(content)
    except ValueError as error:
        raise ModelError(
            f"{path} cannot be used as a model ({error}); use a file made by thermoseg-train export"
        ) from error


def _filled_network(
    path: Path, header: ModelHeader, tensors: Mapping[str, NDArray[Any]]
) -> "nn.Module":
    """Build the network without memory, compare shapes, then give it the file's arrays."""
    import torch

    from thermoseg.networks import build

    try:
        with torch.device("meta"):
            network = build(header.network, header.num_classes, header.width)
    except ValueError as error:
        raise ModelError(
            f"{path} needs a network that this ThermoSeg does not have ({error}); update it"
        ) from error
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: array.shape for name, array in tensors.items()}
    if expected != found:
        differing = sorted(name for name, _ in set(expected.items()) ^ set(found.items()))
        raise ModelError(
            f"{path} does not hold a {header.network} of width {header.width} "
            f"({len(differing)} differences, first {differing[0]}); it belongs to another network"
        )
    state = {
        name: torch.from_numpy(np.ascontiguousarray(array))
        if array.dtype == np.int64
        else torch.from_numpy(array.astype(np.float32))
        for name, array in tensors.items()
    }
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval()


def _unpickle(path: Path) -> "dict[str, Tensor]":
    """Read the weights of a PyTorch checkpoint with the restricted unpickler."""
    import torch

    _refuse_oversized(path)
    _refuse_compressed(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd pickles, which are refused anyway
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise _missing(path) from error
    except _UNPICKLING_FAULTS as error:
        raise ModelError(
            f"{path} is damaged or holds more than weights, so it was not loaded; ask its author "
            "for a file with the weights only"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{path} holds no table of weights; export it as a state_dict")
    weights = {str(name).removeprefix("module."): value for name, value in content.items()}
    for name, value in weights.items():
        if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
            raise ModelError(f"{path}: “{name}” is not a plain tensor; export it as a state_dict")
        if value.numel() * value.element_size() > MAX_FILE_BYTES:
            raise ModelError(f"{path}: “{name}” is absurdly large; the file was not loaded")
    return weights


def _refuse_compressed(path: Path) -> None:
    """PyTorch never compresses its archives; one that is may unpack to any size."""
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _damaged(path, error) from error
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise ModelError(f"{path} is compressed, which no checkpoint is; it was not unpacked")


def _refuse_oversized(path: Path, most_bytes: int = MAX_FILE_BYTES) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise _missing(path) from error
    if not path.is_file():
        raise ModelError(f"{path} is not a file; give the path of a {SUFFIX} file")
    if size > most_bytes:
        raise ModelError(
            f"{path} has {size} bytes, more than the {most_bytes} a model may have; choose another "
            "file"
        )


def _refuse_unfinite(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    for name, array in tensors.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelError(
                f"{path}: the weights “{name}” are not finite numbers, as after a training that "
                "diverged; use an earlier checkpoint"
            )


def _as_stored(tensor: "Tensor", half: bool) -> NDArray[Any]:
    """Return a tensor as a numpy array: float32 or float16, integers as int64."""
    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return np.array(tensor.long().numpy())
    array = np.array(tensor.float().numpy())
    if not half:
        return array
    with np.errstate(over="ignore"):
        return array.astype(np.float16)


def _sum_of_tensors(tensors: Mapping[str, NDArray[Any]]) -> str:
    """Digest names, types, shapes and numbers, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _missing(path: Path) -> ModelError:
    return ModelError(f"the model file {path} cannot be opened; check its name and place")


def _foreign(path: Path) -> ModelError:
    return ModelError(
        f"{path} is no model file; give one that ends in {SUFFIX} or {ONNX_SUFFIX}, as "
        "“thermoseg-train export” makes of a run or its checkpoint"
    )


def _damaged(path: Path, reason: object) -> ModelError:
    return ModelError(
        f"the model file {path} is damaged or not a model ({reason}); copy or export it again"
    )
