"""The fastest segmenter that works on this machine."""

import ctypes.util
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
import platformdirs

from thermoseg.errors import ConfigError, ModelError
from thermoseg.inference.face_segmenter import FaceSegmenter, Mode
from thermoseg.inference.runner import Runner
from thermoseg.labels import Region
from thermoseg.models import (
    CHECKPOINT_SUFFIXES,
    ONNX_SUFFIX,
    SUFFIX,
    ModelFile,
    describe_model,
    file_sha256,
    find_model,
    import_authors_checkpoint,
    load_model,
    load_onnx,
    save_model,
)

log = logging.getLogger(__name__)

DEFAULT_MODEL: Final = "face-compact"

Backend = Literal["auto", "cuda", "openvino", "torch"]


def choose_segmenter(
    model: str | Path = DEFAULT_MODEL,
    backend: str = "auto",
    mode: Mode = "live",
    threads: int | None = None,
) -> FaceSegmenter:
    """Load a model on the fastest backend that works here: CUDA, then OpenVINO, then PyTorch.

    Parameters
    ----------
    model
        Name of a bundled model or of one in the user's folder, or the path of a model file, of an
        ONNX file of ours, which OpenVINO runs, or of a checkpoint in the authors' layout.
    backend
        "auto", or one of "cuda", "openvino" and "torch" (CPU), which then has no substitute.
    mode
        "live" for streams, one network run per frame; "best" for pictures, some ten to sixty.
    threads
        For OpenVINO; None leaves one core free.

    Raises
    ------
    ConfigError
        If no backend has this name.
    ModelError
        If the model cannot be loaded, or no backend runs it.
    """
    if backend not in get_args(Backend):
        raise ConfigError(f"no backend is called “{backend}”; use one of {get_args(Backend)}")
    path = find_model(model)
    if path.suffix in CHECKPOINT_SUFFIXES:
        path = _imported(path)
    described = describe_model(path)
    runner = _first_that_works(described, backend, threads)
    log.info("model %s runs on %s", described.header.name, runner.backend)
    try:
        return FaceSegmenter(runner, described, mode)
    except ValueError as error:
        raise ModelError(f"{path} is not a face model ({error}); choose another") from error


def _first_that_works(model: ModelFile, backend: str, threads: int | None) -> Runner:
    makers: dict[str, Callable[[], Runner]] = {
        "cuda": lambda: _cuda(model),
        "openvino": lambda: _openvino(model, threads),
        "torch": lambda: _torch(model),
    }
    if backend != "auto":
        return _tried(makers[backend], model)
    if model.path.suffix == ONNX_SUFFIX:
        return _tried(makers["openvino"], model)
    if not _has_nvidia_driver():
        del makers["cuda"]
    reasons = []
    for name, make in makers.items():
        try:
            return _tried(make, model)
        except (ImportError, RuntimeError, OSError, ModelError) as error:
            log.warning("backend %s is not used: %s", name, error)
            reasons.append(f"{name}: {error}")
    raise ModelError(f"no backend runs {model.path} ({'; '.join(reasons)})")


def _tried(make: Callable[[], Runner], model: ModelFile) -> Runner:
    """Make a runner and see it answer once; this also warms it up."""
    runner = make()
    header = model.header
    shape = (header.input_height, header.input_width)
    ramp = np.linspace(-1, 1, shape[0] * shape[1], dtype=np.float32).reshape(1, 1, *shape)
    answer = runner.probabilities(ramp)
    if answer.shape != (1, len(Region), *shape) or not np.isfinite(answer).all():
        raise ModelError(
            f"{model.path} gives no usable probabilities on {runner.backend}; choose another "
            "backend or model"
        )
    return runner


def _cuda(model: ModelFile) -> Runner:
    from thermoseg.inference.torch_backend import TorchCudaRunner

    return TorchCudaRunner(load_model(model.path)[0])


def _openvino(model: ModelFile, threads: int | None) -> Runner:
    from thermoseg.inference.openvino_backend import OpenVinoRunner, converted, from_onnx

    header = model.header
    size = (header.input_height, header.input_width)
    if model.path.suffix == ONNX_SUFFIX:
        content, _ = load_onnx(model.path)
        return OpenVinoRunner(from_onnx(content, size, header.num_classes), threads)
    network = converted(model.sha256, size, lambda: load_model(model.path)[0])
    return OpenVinoRunner(network, threads)


def _torch(model: ModelFile) -> Runner:
    from thermoseg.inference.torch_backend import TorchCpuRunner

    return TorchCpuRunner(load_model(model.path)[0])


def _imported(checkpoint: Path) -> Path:
    """Return the model file made of a checkpoint, from the cache or by importing it now."""
    folder = platformdirs.user_cache_path("thermoseg", appauthor=False) / "imported"
    path = folder / f"{file_sha256(checkpoint)[:32]}{SUFFIX}"
    if not path.is_file():
        save_model(path, *import_authors_checkpoint(checkpoint))
    return path


def _has_nvidia_driver() -> bool:
    """Whether it is worth loading PyTorch to ask for a GPU."""
    return bool(
        shutil.which("nvidia-smi")
        or ctypes.util.find_library("cuda")
        or ctypes.util.find_library("nvcuda")
    )
