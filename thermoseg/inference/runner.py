"""A runner: one network on one device, without knowledge of frames or faces."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Runner(Protocol):
    """A network ready to run; used by one thread."""

    @property
    def backend(self) -> str:
        """Library and device that run the network, such as `openvino CPU` or `torch cuda:0`."""
        ...

    def probabilities(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network.

        Parameters
        ----------
        images
            (n, 1, height, width) in [-1, 1], height and width as the model's header says.

        Returns
        -------
        (n, classes, height, width), 0-1, summing to 1 over the classes; the caller's own.
        """
        ...
