"""The scene that a user sets while frames come: asked for by any thread, kept by one camera."""

import threading
from collections.abc import Callable
from dataclasses import replace

from thermoseg.errors import ConfigError
from thermoseg.frames import CameraInfo, Frame
from thermoseg.radiometry import ObjectParameters, Radiometry
from thermoseg.scene import Scene, scene_of, with_scene


class SceneSetting:
    """Gives the frames of one camera the °C of the scene that was set; counts never change."""

    def __init__(self, note: Callable[[str], None]) -> None:
        """Leave °C as the camera makes them.

        Parameters
        ----------
        note
            Called in the capture thread with each change, from its first frame on.
        """
        self._note = note
        self._lock = threading.Lock()
        self._camera: Radiometry | None = None
        """Radiometry of the camera; None until it is open."""
        self._emissivity: float | None = None
        self._reflected_c: float | None = None
        self._wanted: Radiometry | None = None
        """What makes °C in place of the camera; None for what the camera says."""
        self._used: Radiometry | None = None

    def ask(self, emissivity: float | None, reflected_c: float | None) -> None:
        """Set what is not None from the next frame on; from any thread.

        Raises
        ------
        ConfigError
            If a value cannot be, or the °C of an open camera cannot be made anew.
        """
        try:
            ObjectParameters(
                emissivity=1.0 if emissivity is None else emissivity,
                reflected_c=0.0 if reflected_c is None else reflected_c,
            )
        except ValueError as error:
            raise ConfigError(f"{error}; correct it") from error
        with self._lock:
            before = self._emissivity, self._reflected_c
            self._emissivity = self._emissivity if emissivity is None else emissivity
            self._reflected_c = self._reflected_c if reflected_c is None else reflected_c
            if self._camera is None:
                return
            try:
                self._wanted = self._make(self._camera)
            except ConfigError:
                self._emissivity, self._reflected_c = before
                raise

    def open(self, info: CameraInfo) -> None:
        """Begin with this camera; that it cannot have what was set before is noted."""
        with self._lock:
            self._camera = info.radiometry
            if self._emissivity is None and self._reflected_c is None:
                return
            try:
                self._wanted = self._make(info.radiometry)
            except ConfigError as error:
                self._emissivity = self._reflected_c = None
                refusal = str(error)
            else:
                return
        self._note(f"emissivity not set: {refusal}")

    def apply(self, frame: Frame) -> Frame:
        """Return `frame` with the °C of the scene; a change is noted."""
        wanted = self._wanted
        if wanted is None:
            return frame
        if wanted != self._used:
            self._used = wanted
            self._note(str(scene_of(wanted)))
        return frame.converted(wanted)

    def describe(self, info: CameraInfo) -> CameraInfo:
        """Return the camera with the radiometry that its frames have now."""
        wanted = self._wanted
        return info if wanted is None else replace(info, radiometry=wanted)

    def _make(self, camera: Radiometry) -> Radiometry:
        own = scene_of(camera) or Scene(1.0, 20.0)
        emissivity = own.emissivity if self._emissivity is None else self._emissivity
        reflected_c = own.reflected_c if self._reflected_c is None else self._reflected_c
        return with_scene(camera, Scene(emissivity, reflected_c))
