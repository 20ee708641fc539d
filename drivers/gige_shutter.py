"""Who decides when a GigE camera corrects itself (“NUC”): the camera, or whoever asks it."""

import logging
from typing import Final

from drivers.gige_link import GigeLink
from drivers.gige_nodes import Nodes
from thermoseg.errors import CameraError

log = logging.getLogger(__name__)

NUC_COMMANDS: Final = ("NUCAction", "NUCStart", "ShutterNUC")
SHUTTER_MODES: Final = {"auto": ("Automatic", "Auto", "On"), "manual": ("Off", "Manual")}


def run_nuc(nodes: Nodes, name: str) -> None:
    """Close the shutter of the camera `name` and level its picture.

    Raises
    ------
    CameraError
        If it has no such command, or refuses.
    """
    command = next((command for command in NUC_COMMANDS if nodes.has(command)), "")
    if not command:
        raise CameraError(
            f"{name} has no command for a correction; hold a lens cap before it and use its own "
            "program"
        )
    nodes.run(command)


def set_shutter(nodes: Nodes, wanted: str) -> None:
    """Say who decides on flat-field corrections: auto, manual, or keep.

    Raises
    ------
    CameraError
        If the camera cannot be told.
    """
    if wanted == "keep":
        return
    value = _mode(nodes, wanted)
    if not value or nodes.write("NUCMode", value) != value:
        raise CameraError(f"this camera cannot be told shutter={wanted}; leave the option away")


class BorrowedShutter:
    """Takes the decision from a camera, and gives it back as it was."""

    def __init__(self) -> None:
        self._own = ""
        """NUCMode that is to be given back; empty if it was not changed."""

    def set_automatic(self, nodes: Nodes, on: bool) -> None:
        """Let the camera correct itself when asked only, or again as before.

        Raises
        ------
        CameraError
            If it has no such mode, or does not take it.
        """
        if on and self._own:
            _write(nodes, self._own)
            self._own = ""
        elif not on and not self._own:
            before, value = nodes.text("NUCMode"), _mode(nodes, "manual")
            if not value:
                raise CameraError("it has no NUCMode that could be switched off; use its program")
            _write(nodes, value)
            self._own = before

    def give_back(self, link: GigeLink, name: str) -> None:
        """Let the camera `name` correct itself as before, if it is there; else it stays owed."""
        if self._own and link.there:
            try:
                self.set_automatic(link.nodes, on=True)
            except CameraError as error:
                log.info("%s gets its NUCMode back when it is open: %s", name, error)


def _mode(nodes: Nodes, wanted: str) -> str:
    choices = nodes.choices("NUCMode")
    return next((mode for mode in SHUTTER_MODES[wanted] if mode in choices), "")


def _write(nodes: Nodes, mode: str) -> None:
    taken = nodes.write("NUCMode", mode)
    if taken != mode:
        raise CameraError(f"its NUCMode stays {taken} and does not become {mode}; try again")
