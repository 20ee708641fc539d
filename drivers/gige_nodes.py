"""The nodes of a GenICam camera by name, each of which may be missing, and what FLIR made of them.

Sources: FLIR, “GenICam ICD FLIR Ax5” (T559775) and “Ax5 series user's manual”, flir.com “How do I
configure my camera to stream a temperature linear signal”, and lists of the nodes of an A70.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from thermoseg.errors import CameraError
from thermoseg.radiometry import KELVIN, ObjectParameters

log = logging.getLogger(__name__)

IR_FORMATS: Final = {"fine": "TemperatureLinear10mK", "coarse": "TemperatureLinear100mK"}
IR_FORMAT_K: Final = {"TemperatureLinear10mK": 0.01, "TemperatureLinear100mK": 0.1}
"""A3xx, A6xx, A50, A70, A400, A500, A700: kelvin per count."""
LINEAR_RESOLUTIONS: Final = {"fine": "High", "coarse": "Low"}
LINEAR_RESOLUTION_K: Final = {"High": 0.04, "Low": 0.4}
"""Ax5: kelvin per count."""
ON: Final = ("On", "true", "True", "1")
"""Values of TemperatureLinearMode that mean on; it is a choice or a truth value."""

PARAMETERS: Final[dict[str, tuple[str, ...]]] = {
    "emissivity": ("ObjectEmissivity",),
    "distance_m": ("ObjectDistance",),
    "reflected_c": ("ReflectedTemperature",),
    "atmosphere_c": ("AtmosphericTemperature",),
    "humidity": ("RelativeHumidity",),
    "window_c": ("ExtOpticsTemperature", "WindowTemperature"),
    "window_transmission": ("ExtOpticsTransmission", "WindowTransmission"),
}
"""Fields of `ObjectParameters`, and which nodes hold them: A-series first, then Ax5."""
TEMPERATURES: Final = ("reflected_c", "atmosphere_c", "window_c")
COLDEST_KELVIN: Final = 150.0
"""A temperature above, in a node that tells no unit, is one in kelvin."""
LARGEST_RATIO: Final = 1.5
"""A humidity that may be larger is one in per cent."""
TAKEN: Final = 0.005
"""A camera that rounds what it is told by more has not taken it: relative, or absolute below 1."""

MODES: Final = (
    ("AcquisitionMode", "Continuous"),
    ("TriggerMode", "Off"),
    ("ImageMode", "Thermal"),
    ("CMOSBitDepth", "bit14bit"),
)
"""Further nodes of a stream of temperatures: of all cameras, A-series, Ax5."""

_RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*hz", re.IGNORECASE)


class Nodes:
    """GenICam nodes of a camera; used by the thread that has it open."""

    def __init__(self, device: Any, error: type[Exception], name: str) -> None:  # noqa: ANN401
        """Wrap an opened device.

        Parameters
        ----------
        device
            Aravis's device.
        error
            What Aravis raises.
        name
            Name of the camera, for messages.
        """
        self._device = device
        self._error = error
        self._name = name

    def release(self) -> None:
        """Let the device go; nothing may be asked afterwards."""
        self._device = None

    def has(self, name: str) -> bool:
        """Whether the camera has a node of that name that may be used now."""
        if self._device.get_feature(name) is None:
            return False
        try:
            return bool(self._device.is_feature_available(name))
        except self._error as error:
            self._raise_if_silent(error)
            return False

    def text(self, name: str) -> str:
        """Return what a node says, as text; empty where it is missing or does not tell."""
        if not self.has(name):
            return ""
        try:
            return str(self._device.get_feature(name).get_value_as_string() or "")
        except self._error as error:
            self._raise_if_silent(error)
            log.info("%s does not tell its %s: %s", self._name, name, error)
            return ""

    def number(self, name: str) -> float | None:
        """Return what a node says, as a number; None where it is missing or does not tell."""
        try:
            return float(self.text(name))
        except ValueError:
            return None

    def choices(self, name: str) -> list[str]:
        """Return what a node can be set to now; empty where it is no choice."""
        if not self.has(name):
            return []
        try:
            return list(self._device.dup_available_enumeration_feature_values_as_strings(name))
        except self._error as error:
            self._raise_if_silent(error)
            return []

    def unit(self, name: str) -> str:
        """Return the unit of a number, empty if the camera does not tell."""
        get_unit = getattr(self._device.get_feature(name), "get_unit", None)
        return str(get_unit() or "") if get_unit is not None else ""

    def largest(self, name: str) -> float:
        """Return the largest value of a number, infinite if the camera does not tell."""
        try:
            return float(self._device.get_float_feature_bounds(name)[1])
        except self._error as error:
            self._raise_if_silent(error)
            return float("inf")

    def write(self, name: str, value: str) -> str:
        """Set a node; return what it says then, whether the camera took the value or not."""
        if self.has(name):
            try:
                self._device.get_feature(name).set_value_from_string(value)
            except self._error as error:
                self._raise_if_silent(error)
                log.info("%s does not set its %s to %s: %s", self._name, name, value, error)
        return self.text(name)

    def run(self, name: str) -> None:
        """Execute a command.

        Raises
        ------
        CameraError
            If the camera refuses.
        """
        try:
            self._device.execute_command(name)
        except self._error as error:
            raise CameraError(
                f"{self._name} refuses {name} ({error}); wait until it has warmed up, and try again"
            ) from error

    def _raise_if_silent(self, error: Exception) -> None:
        """Raise if the camera did not answer at all: each further question would take 2.5 s."""
        if "timeout" in str(error).lower():
            raise CameraError(
                f"{self._name} does not answer ({error}); check its cable and its power"
            ) from error


@dataclass(frozen=True, slots=True)
class Scale:
    """Scale of a camera's counts, as its nodes tell it."""

    step_k: float | None
    """Kelvin per count; None if they are no temperatures."""
    said: str
    """Node that told the scale, or the reason for there being none."""


def set_modes(nodes: Nodes) -> None:
    """Undo what another program may have left: single pictures, a trigger, the visual image.

    Which pixel formats there are depends on it.
    """
    for name, value in MODES:
        if value in nodes.choices(name):
            nodes.write(name, value)


def set_scale(nodes: Nodes, wanted: str) -> Scale:
    """Ask for counts that are temperatures; return what the camera says they are then.

    Parameters
    ----------
    wanted
        fine, coarse, off, or keep.
    """
    if nodes.has("IRFormat"):
        if wanted != "keep":
            nodes.write("IRFormat", IR_FORMATS.get(wanted, "Radiometric"))
        said = nodes.text("IRFormat")
        return Scale(IR_FORMAT_K.get(said), f"IRFormat is {said}")
    if nodes.has("TemperatureLinearMode"):
        return _set_linear_mode(nodes, wanted)
    return Scale(None, "it has neither of the nodes IRFormat and TemperatureLinearMode")


def _set_linear_mode(nodes: Nodes, wanted: str) -> Scale:
    is_choice = bool(nodes.choices("TemperatureLinearMode"))
    if wanted in LINEAR_RESOLUTIONS:
        nodes.write("TemperatureLinearMode", "On" if is_choice else "true")
        nodes.write("TemperatureLinearResolution", LINEAR_RESOLUTIONS[wanted])
    elif wanted == "off":
        nodes.write("TemperatureLinearMode", "Off" if is_choice else "false")
    mode, resolution = (
        nodes.text(name) for name in ("TemperatureLinearMode", "TemperatureLinearResolution")
    )
    if mode not in ON:
        return Scale(None, f"TemperatureLinearMode is {mode}")
    said = f"TemperatureLinearResolution is {resolution or 'missing'}"
    return Scale(LINEAR_RESOLUTION_K.get(resolution), said)


def set_parameters(nodes: Nodes, wanted: Mapping[str, float]) -> None:
    """Set what lies between surface and camera, which it needs to compute temperatures.

    Parameters
    ----------
    wanted
        By field of `ObjectParameters`.

    Raises
    ------
    CameraError
        If the camera has no such node, or takes another value.
    """
    for field, value in wanted.items():
        name = next((name for name in PARAMETERS[field] if nodes.has(name)), "")
        if not name:
            raise CameraError(
                f"this camera has no node for {field} ({' or '.join(PARAMETERS[field])}); leave "
                "the option away"
            )
        scale, offset = _unit_of(nodes, field, name)
        nodes.write(name, f"{(value - offset) / scale:.6g}")
        taken = _read(nodes, field, name)
        if taken is None or abs(taken - value) > TAKEN * max(abs(value), 1.0):
            raise CameraError(
                f"this camera did not take {field}={value:g} but has {taken}; give a value that it "
                "can take"
            )


def read_parameters(nodes: Nodes) -> ObjectParameters | None:
    """Return what the camera computes its temperatures with, None if it does not tell."""
    found: dict[str, float] = {}
    for field, names in PARAMETERS.items():
        for name in names:
            value = _read(nodes, field, name)
            if value is not None and field not in found:
                found[field] = round(value, 3)
    if "emissivity" not in found:
        return None
    try:
        return ObjectParameters(**found)
    except ValueError as error:
        log.warning("the camera's object parameters cannot be: %s", error)
        return None


def _read(nodes: Nodes, field: str, name: str) -> float | None:
    value = nodes.number(name)
    if value is None:
        return None
    scale, offset = _unit_of(nodes, field, name)
    return value * scale + offset


def _unit_of(nodes: Nodes, field: str, name: str) -> tuple[float, float]:
    """Return factor and offset that turn a node's number into ours."""
    if field == "humidity":
        return (0.01 if LARGEST_RATIO < nodes.largest(name) <= 100 else 1.0), 0.0
    if field in TEMPERATURES:
        unit = nodes.unit(name).strip().lstrip("°")
        kelvin = unit.startswith(("K", "k")) or (
            not unit and (nodes.number(name) or 0.0) > COLDEST_KELVIN
        )
        return 1.0, -KELVIN if kelvin else 0.0
    return 1.0, 0.0


def set_rate(nodes: Nodes, wanted_hz: float | None) -> float:
    """Set the frame rate if it is given; return the camera's, 0 if it does not tell.

    Raises
    ------
    CameraError
        If it cannot be set, or not to that.
    """
    if nodes.has("AcquisitionFrameRate"):
        if wanted_hz is not None:
            nodes.write("AcquisitionFrameRateEnable", "true")
            nodes.write("AcquisitionFrameRate", f"{wanted_hz:g}")
        rate_hz, offered = nodes.number("AcquisitionFrameRate") or 0.0, "another one"
    else:
        name = next((n for n in ("IRFrameRate", "SensorVideoStandard") if nodes.has(n)), "")
        rates = {rate: text for text in nodes.choices(name) if (rate := _rate_in(text))}
        if wanted_hz in rates:
            nodes.write(name, rates[wanted_hz])
        rate_hz = _rate_in(nodes.text(name))
        offered = ", ".join(f"{rate:g}" for rate in sorted(rates))
    if wanted_hz is not None and abs(rate_hz - wanted_hz) > 0.02 * wanted_hz:
        raise CameraError(
            f"this camera cannot send {wanted_hz:g} frames per second"
            + (f"; give rate_hz one of {offered}" if offered else "; leave rate_hz away")
        )
    return rate_hz


def _rate_in(text: str) -> float:
    """Return the rate that the name of a choice holds, such as Rate30Hz; 0 if none."""
    found = _RATE.search(text)
    return float(found.group(1)) if found else 0.0
