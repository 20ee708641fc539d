"""What a camera is asked for besides frames: given by any thread, obeyed in the camera's own."""

import queue
import time
from collections.abc import Callable

from thermoseg.cameras import FLAT_FIELD, ActingCamera, Camera, CorrectingCamera
from thermoseg.errors import CameraError
from thermoseg.frames import Frame
from thermoseg.shutter_watch import ShutterWatch


class CameraOrders:
    """Orders to one camera, and what has come of its corrections."""

    def __init__(self, camera: Camera, note: Callable[[str], None]) -> None:
        """Ask for nothing yet.

        Parameters
        ----------
        note
            Called in the camera's thread with what was done and what was refused.
        """
        self.actions: tuple[str, ...] = ()
        """Actions that an open camera offers, such as a flat-field correction."""
        self.automatic = True
        """Whether the camera may correct itself when it likes; set by any thread, obeyed soon."""
        self.corrected_s = 0.0
        """When the camera was opened or corrected last, monotonic clock."""
        self.refused = 0
        """How many actions the camera has refused."""
        self.shutter = ShutterWatch()
        """Shutter of the camera since it was opened."""
        self._camera = camera
        self._note = note
        self._asked: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._automatic = True
        """What the camera was told of `automatic`."""

    @property
    def can_wait(self) -> bool:
        """Whether the camera can be told to correct itself only when it is asked to."""
        return isinstance(self._camera, CorrectingCamera)

    def begin(self) -> None:
        """Expect a camera that was just opened; cameras correct themselves when they start."""
        camera = self._camera
        self.actions = tuple(camera.actions) if isinstance(camera, ActingCamera) else ()
        self.shutter, self._automatic = ShutterWatch(), True
        self.corrected_s = time.monotonic()

    def ask(self, action: str, why: str = "") -> None:
        """Ask for one of the `actions`; from any thread.

        Parameters
        ----------
        why
            Occasion that is noted with it.

        Raises
        ------
        ValueError
            If the camera has no such action.
        """
        if action not in self.actions:
            raise ValueError(f"“{action}” is none of the camera's actions: {self.actions}")
        self._asked.put((action, f"{action} {why}".rstrip()))

    def obey(self) -> None:
        """Let the camera do what was asked for; that it was done, or why not, is noted."""
        while not self._asked.empty() and isinstance(self._camera, ActingCamera):
            action, text = self._asked.get()
            try:
                self._camera.actions[action]()
            except CameraError as error:
                self.refused += 1
                self._note(f"{text} failed: {error}")
            else:
                if action == FLAT_FIELD:
                    self.corrected_s = time.monotonic()
                self._note(text)
        self._tell_automatic()

    def look(self, frame: Frame) -> None:
        """Note what the next frame tells of the shutter, if it is news."""
        told = self.shutter.look(frame)
        if told:
            self.corrected_s = time.monotonic()
            self._note(told)

    def _tell_automatic(self) -> None:
        """Let the camera know of `automatic` if it has changed; a refusal is noted once."""
        wanted = self.automatic
        if wanted is self._automatic or not isinstance(self._camera, CorrectingCamera):
            return
        self._automatic = wanted
        try:
            self._camera.set_automatic_correction(wanted)
        except CameraError as error:
            end = "may not correct itself again" if wanted else "goes on correcting itself"
            self._note(f"the camera {end}: {error}")
        else:
            self._note(f"automatic flat-field correction {'on' if wanted else 'off'}")
