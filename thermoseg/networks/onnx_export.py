"""A trained network as ONNX, for programs other than this one, and for networks of the user's."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import torch
from torch import nn

from thermoseg.errors import ModelError

if TYPE_CHECKING:
    import onnx


def to_onnx(network: nn.Module, size: tuple[int, int]) -> bytes:
    """Convert a network for pictures of one size, any number of them at a time.

    Parameters
    ----------
    network
        Maps (n, 1, h, w) to logits (n, classes, h, w).
    size
        Height and width of the pictures, pixels.

    Returns
    -------
    An ONNX model with input `images` (n, 1, height, width) and output `logits` (n, classes,
    height, width), float32, without anything that tells of the machine it was made on.

    Raises
    ------
    ModelError
        If the packages for it are not installed, or the network cannot be converted.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401 - PyTorch's exporter needs it
    except ModuleNotFoundError as error:
        raise ModelError(
            f"ONNX is written with the package “{error.name}”, which is not installed; install "
            "the extra “onnx”: pip install 'thermoseg[onnx]', in a checkout pip install '.[onnx]'"
        ) from error
    from torch.onnx.errors import OnnxExporterError

    # Two pictures: torch.export takes a batch of one for a size that is always one.
    example = torch.zeros(2, 1, *size)
    was_training = network.training
    network.eval()
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("n")},),
                verbose=False,
            )
    except (OnnxExporterError, RuntimeError) as error:
        said = str(error.__cause__ or error).strip().partition("\n")[0]
        raise ModelError(
            f"the network cannot be written as ONNX ({said}); leave out of it what depends on the "
            "values of a picture or on how many there are"
        ) from error
    finally:
        network.train(was_training)
    if program is None:
        raise RuntimeError("torch.onnx.export(dynamo=True) always returns a program")
    model = program.model_proto
    _forget_origin(model)
    content: bytes = model.SerializeToString(deterministic=True)
    onnx.checker.check_model(content)
    return content


def _forget_origin(model: "onnx.ModelProto") -> None:
    """Remove the traces of source files that PyTorch leaves on every node."""
    model.ClearField("metadata_props")
    graph = model.graph
    graph.ClearField("metadata_props")
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, which tells its whole story to the log and to the screen."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
