"""How °C of a session were made, frame by frame: the header's radiometry and its changes."""

import logging
from bisect import bisect_right
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from thermoseg.errors import ConfigError
from thermoseg.radiometry import Radiometry
from thermoseg.scene import Scene, in_scene

log = logging.getLogger(__name__)


class SceneChanges:
    """The scenes of one session, in order of time."""

    def __init__(self, rows: NDArray[Any], radiometry: Radiometry, path: Path) -> None:
        """Read the rows of the table `scenes`; those that cannot be are left out.

        Parameters
        ----------
        rows
            (n,) of the table `scenes`.
        radiometry
            That of the header.
        path
            Named in messages.
        """
        self._times_s: list[float] = []
        self._scenes: list[Scene] = []
        self._radiometries = [radiometry]
        for row in rows:
            try:
                scene = Scene(float(row["emissivity"]), float(row["reflected_c"]))
                self._radiometries.append(in_scene(radiometry, scene))
            except (ValueError, ConfigError) as error:
                log.info("%s: a change of the scene is left out: %s", path, error)
                continue
            self._times_s.append(float(row["time_s"]))
            self._scenes.append(scene)

    @property
    def changes(self) -> tuple[tuple[float, Scene], ...]:
        """Time of the first frame of each scene, and the scene."""
        return tuple(zip(self._times_s, self._scenes, strict=True))

    def radiometry_at(self, time_s: float) -> Radiometry:
        """Return what made °C of the frame of this time."""
        return self._radiometries[bisect_right(self._times_s, time_s)]
