"""Libraries that are imported when a camera is wanted, by all drivers at once."""

import subprocess
import sys

import pytest

from drivers import vendor_library
from drivers.vendor_library import load_library
from thermoseg.errors import DriverMissingError

RUSH = """
import sys, threading
from drivers.vendor_library import load_library

names = ["usb.util", "usb.core", "usb.backend.libusb1", "usb.control", "usb"] * 4
gate, faults = threading.Barrier(len(names)), []

def load(name):
    gate.wait()
    try:
        load_library(name, "a camera")
    except Exception as error:
        faults.append(f"{name}: {error!r}")

threads = [threading.Thread(target=load, args=(name,)) for name in names]
sys.setswitchinterval(1e-6)  # as unlucky as can be
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*faults, sep="\\n")
"""


@pytest.mark.parametrize("attempt", range(5))
def test_a_library_that_imports_itself_in_circles_can_be_entered_from_all_sides(
    attempt: int,
) -> None:
    """Without a lock some of these threads find pyusb half loaded at each attempt."""
    done = subprocess.run([sys.executable, "-c", RUSH], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("module", "package"),
    [("usb.core", "pyusb"), ("serial.tools.list_ports", "pyserial"), ("pyftdi.ftdi", "pyftdi")],
)
def test_a_library_that_is_missing_is_named_as_pip_names_it(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    def refuse(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(vendor_library, "import_module", refuse)
    with pytest.raises(DriverMissingError, match=f"a Boson needs {package}; pip install {package}"):
        load_library(module, "a Boson")
