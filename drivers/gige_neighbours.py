"""Which GigE cameras are on the networks of this machine."""

import re
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from drivers.gige_library import GigeLibrary


@dataclass(frozen=True, slots=True)
class Found:
    """A camera that answered a look around."""

    name: str
    """Name in addresses: the serial number, or the hardware address if there is none."""
    serial: str
    model: str
    ip: str
    """Address by which Aravis opens the camera, as its own names hold until the next look only."""


class Neighbours:
    """Cameras that answered the last discovery; shared by all callers, from any thread."""

    def __init__(self) -> None:
        # Aravis lists cameras by their place in a list that each look renews.
        self._lock = threading.Lock()
        self._found: list[Found] = []
        self._looked_s = -np.inf

    def look(self, library: GigeLibrary, since_s: float = np.inf) -> list[Found]:
        """Ask all networks who is there, which takes a second.

        Parameters
        ----------
        since_s
            A look that ended after that moment of the monotonic clock will do, as somebody else's
            that is waited for.
        """
        with self._lock:
            if self._looked_s < since_s:
                self._found = _look(library.aravis)
                self._looked_s = time.monotonic()
            return list(self._found)

    def known(self, name: str) -> Found | None:
        """Return what the last look found of the camera with that serial number, without a look."""
        return next((one for one in self._found if name and name == one.serial), None)


def _look(aravis: Any) -> list[Found]:  # noqa: ANN401 - it has no types
    """Ask all networks who is there; takes a second."""
    aravis.update_device_list()
    found = []
    for place in range(aravis.get_n_devices()):
        if aravis.get_device_protocol(place) != "GigEVision":
            continue
        serial = tidy_serial(aravis.get_device_serial_nbr(place))
        hardware = (aravis.get_device_physical_id(place) or "").replace(":", "-")
        found.append(
            Found(
                serial or hardware,
                serial,
                model_name(aravis.get_device_vendor(place), aravis.get_device_model(place)),
                aravis.get_device_address(place),
            )
        )
    return found


def serial_at(library: GigeLibrary, ip: str) -> str | None:
    """Return the serial number of the camera that answers at `ip`, None if none does."""
    pulse = library.pulse(ip)
    try:
        return tidy_serial(pulse.serial) if pulse.answers() else None
    finally:
        pulse.close()


def model_name(vendor: str | None, model: str | None) -> str:
    """Return vendor and model without saying FLIR twice."""
    vendor, model = vendor or "", model or ""
    first = vendor.split(" ")[0]
    return model if first and model.startswith(first) else f"{vendor} {model}".strip()


def tidy_serial(text: str | None) -> str:
    """Return what of a serial number may stand in an address."""
    return re.sub(r"[^\w.-]", "", text or "")
