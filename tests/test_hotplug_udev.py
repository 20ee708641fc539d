"""The whole way from the kernel's word to a line of the list, on umockdev's make-believe kernel."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SCRIPT = """
    import ctypes, json
    from importlib.metadata import entry_points
    from thermoseg import cameras, hotplug

    wanted = ("lepton", "tc001")
    found = entry_points(group=cameras.ENTRY_POINT_GROUP)
    cameras.entry_points = lambda group: [entry for entry in found if entry.name in wanted]
    hotplug.PERIOD_S = 3600.0  # only what udev tells can be the reason for a look

    library = ctypes.CDLL("libumockdev.so.0")
    library.umockdev_testbed_new.restype = ctypes.c_void_p
    library.umockdev_testbed_add_devicev.restype = ctypes.c_char_p
    bed = ctypes.c_void_p(library.umockdev_testbed_new())

    def texts(**pairs):
        flat = [text.encode() for pair in pairs.items() for text in pair]
        return (ctypes.c_char_p * (len(flat) + 1))(*flat, None)

    def add(subsystem, name, parent, attributes, properties):
        return library.umockdev_testbed_add_devicev(
            bed, subsystem, name, parent, attributes, properties
        )

    told = []

    def look(watch):
        told.append([listing.address for listing in watch.next_change(10) or []])

    with hotplug.CameraWatch() as watch:
        look(watch)
        told.append(type(watch._events).__name__)
        usb = add(
            b"usb", b"1-2", None,
            texts(idVendor="1e4e", idProduct="0100", product="PureThermal (fw:v1.3.0)",
                  serial="8003000b-5113"),
            texts(DEVTYPE="usb_device"),
        )
        video = add(
            b"video4linux", b"video0", usb,
            texts(index="0", name="PureThermal"), texts(DEVNAME="/dev/video0"),
        )
        look(watch)
        for path in (video, usb):
            library.umockdev_testbed_uevent(bed, path, b"remove")
            library.umockdev_testbed_remove_device(bed, path)
        look(watch)
    print(json.dumps(told))
"""


@pytest.mark.skipif(shutil.which("umockdev-wrapper") is None, reason="apt install umockdev")
def test_a_lepton_is_listed_when_udev_tells_of_it_and_gone_when_it_is_out(tmp_path: Path) -> None:
    pytest.importorskip("pyudev")
    done = subprocess.run(
        ["umockdev-wrapper", sys.executable, "-c", textwrap.dedent(SCRIPT)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[1],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[], "UdevEvents", ["lepton:8003000b-5113"], []]
