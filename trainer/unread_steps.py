"""The losses of the newest steps, left on the device and read together.

Reading one number from a GPU waits until it has done all that was asked of it.  A loop that reads
its loss at each step therefore never has the next step ready when the GPU has finished with one.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

GRADIENT: Final = "gradient"
"""Name of the norm of the gradient among the values of a step; it is looked at but not shown."""


@dataclass(frozen=True, slots=True)
class Step:
    """Values of a step that are kept on the device until they are read."""

    iteration: int
    """Batches learnt from before it."""
    values: dict[str, Tensor]
    """Scalars on the device, by name."""
    images: Tensor
    """(n, 1, h, w), as the loader gave them, which costs the device nothing."""
    labels: Tensor
    """(n, h, w)."""


@dataclass(frozen=True, slots=True)
class NotFinite:
    """A step with a value that is not finite."""

    names: tuple[str, ...]
    """Names of the values that are not finite: losses, or the gradient if all losses are finite."""
    step: Step
    previous: Step | None
    """The step before, whose weights it had; None for the first."""


class UnreadSteps:
    """Keeps the steps since the last reading, and one before them."""

    def __init__(self, every: int) -> None:
        """Prepare.

        Parameters
        ----------
        every
            So many steps are read together.
        """
        self.every = every
        self._steps: deque[Step] = deque(maxlen=every)
        self._before: Step | None = None

    def add(self, step: Step) -> None:
        """Keep a step; there is room for `every`."""
        self._steps.append(step)

    def is_full(self) -> bool:
        """Say whether it is time to read."""
        return len(self._steps) == self.every

    def read(
        self, average: Callable[[list[Tensor]], None] | None = None
    ) -> tuple[list[dict[str, float]], NotFinite | None]:
        """Fetch the values of all steps at once, and forget them but the last.

        Parameters
        ----------
        average
            Makes tensors the mean of those of all processes, in place, where each has its own;
            then all processes must read together.

        Returns
        -------
        The losses of each step by name, and the first step with a value that is not finite.
        """
        steps = list(self._steps)
        self._steps.clear()
        if not steps:
            return [], None
        flat = torch.stack([value.float() for step in steps for value in step.values.values()])
        if average is not None:
            average([flat])
        numbers = iter(flat.tolist())
        found: NotFinite | None = None
        losses: list[dict[str, float]] = []
        previous = self._before
        for step in steps:
            values = {name: next(numbers) for name in step.values}
            gradient = values.pop(GRADIENT, 0.0)
            losses.append(values)
            wrong = tuple(name for name, value in values.items() if not math.isfinite(value))
            if not wrong and not math.isfinite(gradient):
                wrong = (GRADIENT,)
            if wrong and found is None:
                found = NotFinite(wrong, step, previous)
            previous = step
        self._before = previous
        return losses, found
