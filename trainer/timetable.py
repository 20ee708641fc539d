"""When a run validates, saves and ends, as all of its processes agree."""

import time
from typing import Final, NamedTuple

from lightning.fabric import Fabric

from trainer.config import RunConfig
from trainer.parallel import agree
from trainer.progress import RunState

SECONDS_IN_MINUTE: Final = 60


class Interval:
    """Something that is done every so many iterations or, without such a number, seconds."""

    def __init__(self, iterations: int | None, seconds: float) -> None:
        """Start the first interval now."""
        self._iterations = iterations
        self._seconds = seconds
        self._done_s = time.monotonic()

    def is_due(self, iteration: int) -> bool:
        """Say whether it is time after `iteration`."""
        if self._iterations is not None:
            return self.falls_on(iteration)
        return time.monotonic() - self._done_s >= self._seconds

    def falls_on(self, iteration: int) -> bool:
        """Say whether it is time whatever the clock says."""
        return self._iterations is not None and iteration % self._iterations == 0

    def restart(self) -> None:
        """Begin the next interval."""
        self._done_s = time.monotonic()


class Due(NamedTuple):
    """Actions that are due at an iteration."""

    stop: bool
    """Some process was asked to."""
    validate: bool
    save: bool


class Timetable:
    """Keeps the clock of a run and the intervals of its validations and checkpoints."""

    def __init__(self, run: RunConfig, fabric: Fabric, state: RunState, every: int) -> None:
        """Start the clock where `state` has it.

        Parameters
        ----------
        run
            Length and intervals.
        fabric
            Fabric of the run: its processes.
        state
            State of the run; its `trained_s` and `fraction` are kept up to date.
        every
            So many steps several processes may take without agreeing.
        """
        self._run = run
        self._fabric = fabric
        self._state = state
        self._every = every
        self._began_s = time.monotonic() - state.trained_s
        self.validating = Interval(run.validate_every, run.validate_every_s)
        self.saving = Interval(run.checkpoint_every, run.checkpoint_every_s)

    def look(self, stop_asked: bool) -> Due:
        """Say what it is time for after the present iteration, the same in all processes.

        The first one's clock decides.  Several processes agree only every so many steps and where
        a number of iterations says so, which all of them know: a GPU has to be waited for.

        Parameters
        ----------
        stop_asked
            Whether this process was asked to stop.
        """
        state, run = self._state, self._run
        due = Due(stop=False, validate=False, save=False)
        if self._is_meeting():
            trained_s = time.monotonic() - self._began_s
            wanted = self.validating.is_due(state.iteration), self.saving.is_due(state.iteration)
            stop, (state.trained_s, validate, save) = agree(
                self._fabric, stop_asked, trained_s, *wanted
            )
            due = Due(stop, bool(validate), bool(save))
        if run.iterations is not None:
            state.fraction = state.iteration / run.iterations
        elif run.minutes is not None:
            state.fraction = min(state.trained_s / (SECONDS_IN_MINUTE * run.minutes), 1.0)
        return due

    def _is_meeting(self) -> bool:
        iteration = self._state.iteration
        return (
            self._fabric.world_size == 1
            or iteration % self._every == 0
            or self.validating.falls_on(iteration)
            or self.saving.falls_on(iteration)
        )
