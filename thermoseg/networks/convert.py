"""A trained network in the form that OpenVINO runs."""

import warnings

import torch
from torch import nn

from thermoseg.silent_openvino import FrontEndManager, openvino


def to_openvino(network: nn.Module, size: tuple[int, int]) -> openvino.Model:
    """Convert a network, with the softmax behind it, for pictures of one size.

    The front end is called directly because `openvino.convert_model` reports each use to its maker.

    Parameters
    ----------
    network
        Maps (n, 1, h, w) to logits (n, classes, h, w); in evaluation mode.
    size
        Height and width of the pictures, pixels.

    Returns
    -------
    A model from (1, 1, height, width) to probabilities (1, classes, height, width), float32.
    """
    # Imported here because nothing of OpenVINO may be imported before it is silenced.
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    shape = (1, 1, *size)
    module = nn.Sequential(network, nn.Softmax(dim=1)).eval()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing complains of sizes that are meant to be fixed
        decoder = TorchScriptPythonDecoder(module, example_input=torch.zeros(shape))
        front_end = FrontEndManager().load_by_framework("pytorch")
        model = front_end.convert(front_end.load(decoder))
    model.reshape(list(shape))
    return model
