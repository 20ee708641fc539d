"""Running a network with OpenVINO on the CPU: four to eight times faster than PyTorch there.

The converted network is kept in the user's cache under the model's digest and the versions that
made it, so that PyTorch is loaded once per model and not at every start.
"""

import functools
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import platformdirs
from numpy.typing import NDArray

from thermoseg.errors import ModelError
from thermoseg.silent_openvino import openvino, opset13
from thermoseg.whole_file import replacing

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger(__name__)

Precision = Literal["f32", "bf16"]
"""bf16 is faster on CPUs that have it and changes some labels along the borders of regions."""

LAYOUT: Final = 1
"""Raised when the form of the cached network changes, so that old caches are left alone."""


@functools.cache
def _core() -> openvino.Core:
    """Return the one core of this process, which lives as long as it.

    Its CPU plugin replaces the stack on which the thread that first compiles handles signals.  If
    the last network that needs the plugin dies in another thread, that stack is unmapped and not
    given back, and the next Ctrl-C or SIGTERM is a segmentation fault.
    """
    return openvino.Core()


class OpenVinoRunner:
    """A network compiled for the CPU, for one picture at a time."""

    def __init__(
        self, model: openvino.Model, threads: int | None = None, precision: Precision = "f32"
    ) -> None:
        """Compile the network.

        Parameters
        ----------
        model
            Maps (1, 1, h, w) to probabilities (1, classes, h, w).
        threads
            To compute with; None leaves one core to capture, recording and window.

        Raises
        ------
        ModelError
            If OpenVINO cannot compile it for this CPU.
        """
        self._threads = threads or max(1, _cores() - 1)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": self._threads,
            "INFERENCE_PRECISION_HINT": precision,
        }
        try:
            compiled = _core().compile_model(model, "CPU", settings)
            self._request = compiled.create_infer_request()
        except RuntimeError as error:
            raise ModelError(
                f"OpenVINO cannot compile the network for this CPU ({error}); use the torch backend"
            ) from error

    @property
    def backend(self) -> str:
        """Always `openvino CPU`."""
        return "openvino CPU"

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network; see `thermoseg.inference.runner.Runner`."""
        answers = []
        for image in images:
            self._request.infer({0: image[np.newaxis]}, share_inputs=True)
            answers.append(np.array(self._request.get_output_tensor(0).data))
        return np.concatenate(answers)


def converted(
    sha256: str,
    size: tuple[int, int],
    load_network: "Callable[[], nn.Module]",
    folder: Path | None = None,
) -> openvino.Model:
    """Return the OpenVINO form of a model, from the cache or by converting it now.

    Parameters
    ----------
    sha256
        Digest of the model file; names the cache entry.
    size
        Height and width of the network's input, pixels.
    load_network
        Called only if the cache has no usable entry; this is what loads PyTorch.
    folder
        Folder of the cache; None for the user's.

    Raises
    ------
    ModelError
        From `load_network`, if the model cannot be loaded.
    """
    folder = folder or platformdirs.user_cache_path("thermoseg", appauthor=False) / "openvino"
    build = openvino.get_version().split("-")[0]
    path = folder / f"{sha256[:32]}-{size[0]}x{size[1]}-{build}-{LAYOUT}.xml"
    cached = _read(path)
    if cached is not None:
        return cached
    log.info("converting the model for OpenVINO; later starts are faster")
    network = load_network()

    from thermoseg.networks.convert import to_openvino

    model = to_openvino(network, size)
    _keep(model, path)
    return model


def from_onnx(content: bytes, size: tuple[int, int], num_classes: int) -> openvino.Model:
    """Read an ONNX model and put the softmax behind it.

    Parameters
    ----------
    content
        Bytes of the file; its network must map (n, 1, h, w) to logits (n, classes, h, w).
    size
        Height and width of the network's input, pixels.
    num_classes
        Number of classes that the network must give.

    Raises
    ------
    ModelError
        If OpenVINO cannot read it, or it maps something else.
    """
    shape = [1, 1, *size]
    expected = [1, num_classes, *size]
    try:
        model = _core().read_model(content)
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ModelError(
                f"the ONNX network has {len(model.inputs)} inputs and {len(model.outputs)} "
                "outputs; it must have one of each"
            )
        taken = model.input(0).get_partial_shape()
        if not taken.compatible(openvino.PartialShape(shape)):
            raise ModelError(
                f"the ONNX network takes pictures of shape {taken}, but its header promises "
                f"{shape}; export it again"
            )
        model.reshape(shape)
        result = model.get_results()[0].input(0)
        given = result.get_source_output()
        if given.get_partial_shape() != openvino.PartialShape(expected):
            raise ModelError(
                f"the ONNX network maps {shape} to {given.get_partial_shape()}, expected "
                f"{expected}; export it again"
            )
        result.replace_source_output(opset13.softmax(given, axis=1).output(0))
        model.validate_nodes_and_infer_types()
        return model
    except RuntimeError as error:
        raise ModelError(
            f"OpenVINO cannot read the ONNX network ({_reason(error)}); export it again"
        ) from error


def _reason(error: RuntimeError) -> str:
    """Return the line of OpenVINO's many that says most."""
    lines = str(error).strip().splitlines()
    unknown = [line for line in lines if "No conversion rule" in line]
    return (unknown or lines or [""])[-1].removeprefix("-- ").strip()


def _read(path: Path) -> openvino.Model | None:
    """Read a cached network; None if there is none or it is unusable."""
    if not path.is_file():
        return None
    try:
        return _core().read_model(path)
    except RuntimeError as error:
        log.warning("the cached network %s is damaged and is made anew (%s)", path, error)
        return None


def _keep(model: openvino.Model, path: Path) -> None:
    """Write the network to the cache; the .xml comes last, so that it vouches for the .bin."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with (
            replacing(path, suffix=".xml") as network,
            replacing(path.with_suffix(".bin"), suffix=".bin") as weights,
        ):
            openvino.serialize(model, network, weights)
    except (OSError, RuntimeError) as error:
        log.warning("the converted network is not kept for the next start (%s)", error)


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
