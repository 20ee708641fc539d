"""A camera on the network: Aravis's own fake one with a known scene and the nodes of FLIR's.

Run as a program, because it can be killed then, as a cable is pulled:
`python fake_gige_camera.py SERIAL FAMILY [SETTING=VALUE …]`.  It says “ready” and lives until its
input ends.  FAMILY is `a700`, `ax5` or `plain`.

The picture is 22.01 °C with an ellipse of 34.49 °C; its first two pixels tell how many were sent
before, the third how often a NUC was asked for, the next two the number that travels with it.  What
the counts mean follows the registers, as in a real camera.
"""

import ctypes
import os
import sys
import tempfile

import gi
import numpy as np

gi.require_version("Aravis", "0.8")
from gi.repository import Aravis  # noqa: E402

WALL_K, FACE_K = 295.16, 307.64
MONO14 = 0x01100025

NUC, NUC_COUNT, NUC_MODE = 0x3000, 0x3004, 0x3008
MODE, RESOLUTION, FORMAT, RATE, IMAGE, BITS = 0x3010, 0x3014, 0x3018, 0x301C, 0x3020, 0x3024
FLOATS = 0x3100
SETTINGS = {
    "width": 0x100,
    "height": 0x104,
    "period_us": 0x138,
    "acquisition": 0x12C,
    "trigger": 0x300,
}


def register(name: str, address: int, kind: str = "IntReg") -> str:
    """Return a register of four bytes, big-endian as all of the fake camera's."""
    sign = "<Sign>Unsigned</Sign>" if kind == "IntReg" else ""
    return (
        f'<{kind} Name="{name}"><Address>{address:#x}</Address><Length>4</Length>'
        f"<AccessMode>RW</AccessMode><pPort>Device</pPort>{sign}"
        f"<Endianess>BigEndian</Endianess></{kind}>"
    )


def enumeration(name: str, address: int, *entries: str) -> str:
    values = "".join(
        f'<EnumEntry Name="{entry}"><Value>{number}</Value></EnumEntry>'
        for number, entry in enumerate(entries)
    )
    return (
        f'<Enumeration Name="{name}">{values}<pValue>{name}Register</pValue></Enumeration>'
        + register(f"{name}Register", address)
    )


def number(name: str, address: int, unit: str) -> str:
    return (
        f'<Float Name="{name}"><pValue>{name}Register</pValue><Unit>{unit}</Unit></Float>'
        + register(f"{name}Register", address, "FloatReg")
    )


def command(name: str, address: int) -> str:
    return (
        f'<Command Name="{name}"><pValue>{name}Register</pValue>'
        f"<CommandValue>1</CommandValue></Command>" + register(f"{name}Register", address)
    )


OBJECT = {
    "ObjectEmissivity": (FLOATS, "", 0.95),
    "ReflectedTemperature": (FLOATS + 4, "K", 293.15),
    "AtmosphericTemperature": (FLOATS + 8, "K", 295.15),
    "ObjectDistance": (FLOATS + 12, "m", 1.5),
    "RelativeHumidity": (FLOATS + 16, "", 0.4),
}
NODES = {
    "plain": "",
    "a700": "".join(
        (
            enumeration(
                "IRFormat", FORMAT, "Radiometric", "TemperatureLinear100mK", "TemperatureLinear10mK"
            ),
            enumeration("IRFrameRate", RATE, "Rate60Hz", "Rate30Hz", "Rate15Hz"),
            enumeration("ImageMode", IMAGE, "Visual", "Thermal"),
            enumeration("NUCMode", NUC_MODE, "Off", "Automatic"),
            command("NUCAction", NUC),
            *(number(name, address, unit) for name, (address, unit, _) in OBJECT.items()),
        )
    ),
    "ax5": "".join(
        (
            enumeration("TemperatureLinearMode", MODE, "Off", "On"),
            enumeration("TemperatureLinearResolution", RESOLUTION, "Low", "High"),
            enumeration("CMOSBitDepth", BITS, "bit8bit", "bit14bit"),
            command("NUCAction", NUC),
        )
    ),
}


def xml_of(family: str) -> str:
    """Return the library's own description with more nodes."""
    Aravis.enable_interface("Fake")
    text: str = Aravis.Camera.new("Fake_1").get_device().get_genicam_xml()[0]
    Aravis.disable_interface("Fake")
    if family == "ax5":  # which has neither 16 bits nor a node for its rate
        text = text.replace("Mono16", "Mono14").replace(str(0x01100007), str(MONO14))
        text = text.replace('"AcquisitionFrameRate"', '"HiddenFrameRate"')
    if family == "a700":
        text = text.replace('"AcquisitionFrameRate"', '"HiddenFrameRate"')
        thermal_only = f"<Value>{0x01100007}</Value><pIsAvailable>ImageModeRegister</pIsAvailable>"
        text = text.replace(f"<Value>{0x01100007}</Value>", thermal_only)
    return text.replace("</RegisterDescription>", NODES[family] + "</RegisterDescription>")


class Scene:
    """Fills the pictures; Aravis calls it in a thread of its own."""

    def __init__(self, camera: object, family: str) -> None:
        self.library = library = ctypes.CDLL("libaravis-0.8.so.0")
        library.arv_buffer_get_data.restype = ctypes.c_void_p
        library.arv_buffer_get_frame_id.restype = ctypes.c_uint64
        self.camera = ctypes.c_void_p(hash(camera))
        self.family = family
        self.sent = 0
        self.pictures: dict[tuple[float, int, int], np.ndarray] = {}
        kind = ctypes.CFUNCTYPE(
            None,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_uint32,
            ctypes.c_uint32,
            ctypes.c_uint32,
        )
        self.callback = kind(self.fill)
        library.arv_fake_camera_set_fill_pattern(self.camera, self.callback, None)

    def peek(self, address: int) -> int:
        value = ctypes.c_uint32()
        self.library.arv_fake_camera_read_register(
            self.camera, ctypes.c_uint32(address), ctypes.byref(value)
        )
        return value.value

    def poke(self, address: int, value: int) -> None:
        self.library.arv_fake_camera_write_register(
            self.camera, ctypes.c_uint32(address), ctypes.c_uint32(value)
        )

    def name(self, address: int, text: bytes) -> None:
        self.library.arv_fake_camera_write_memory(
            self.camera, ctypes.c_uint32(address), ctypes.c_uint32(len(text)), text
        )

    def counts_per_k(self) -> float:
        if self.family == "a700":
            return (40.0, 10.0, 100.0)[self.peek(FORMAT)]
        if self.family == "ax5":
            return (2.5, 25.0)[self.peek(RESOLUTION)] if self.peek(MODE) else 10.0
        return 30.0

    def fill(self, buffer: int, _data: object, _exposure: int, _gain: int, _format: int) -> None:
        pointer = ctypes.c_void_p(buffer)
        start = self.library.arv_buffer_get_data(pointer, None)
        width, height = self.peek(0x100), self.peek(0x104)
        picture = self.picture(self.counts_per_k(), width, height)
        if self.peek(NUC):
            self.poke(NUC, 0)
            self.poke(NUC_COUNT, self.peek(NUC_COUNT) + 1)
        frame = self.library.arv_buffer_get_frame_id(pointer)
        picture[0, :2] = self.sent & 0x3FFF, self.sent >> 14
        picture[0, 2:5] = self.peek(NUC_COUNT), frame & 0x3FFF, frame >> 14
        self.sent += 1
        ctypes.memmove(start, picture.ctypes.data, picture.nbytes)

    def picture(self, per_k: float, width: int, height: int) -> np.ndarray:
        key = per_k, width, height
        if key not in self.pictures:
            rows, columns = np.mgrid[0:height, 0:width]
            face = ((columns / width - 0.5) / 0.25) ** 2 + ((rows / height - 0.5) / 0.35) ** 2 < 1
            kelvin = np.where(face, FACE_K, WALL_K)
            self.pictures[key] = np.rint(kelvin * per_k).astype("<u2")
        return self.pictures[key]


def main() -> None:
    serial, family, *settings = sys.argv[1:]
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(xml_of(family))
        file.flush()
        network = Aravis.GvFakeCamera.new_full("127.0.0.1", serial, file.name)
        camera = network.get_fake_camera()
        scene = Scene(camera, family)
        if family != "plain":
            scene.name(0x48, b"FLIR Systems AB\0")
            scene.name(0x68, b"FLIR A700\0" if family == "a700" else b"FLIR AX5\0")
        for address, _, value in OBJECT.values():
            (bits,) = np.array([value], "<f4").view("<u4")
            scene.poke(address, int(bits))
        for setting in settings:
            name, _, text = setting.partition("=")
            if name == "lost":
                network.set_property("gvsp-lost-ratio", float(text))
            else:
                scene.poke(SETTINGS[name], int(text))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
    os._exit(0)  # taken down in order, its threads abort


if __name__ == "__main__":
    main()
