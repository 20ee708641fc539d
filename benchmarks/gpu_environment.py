"""On what a report was made: versions, graphics card and driver."""

import os
import platform
import shutil
import subprocess
from importlib import metadata
from typing import Final

import torch

from benchmarks.gpu_report import CheckError, Findings, Options

PACKAGES: Final = (
    "torch",
    "numpy",
    "h5py",
    "lightning",
    "safetensors",
    "opencv-python-headless",
    "pydantic",
    "hdf5plugin",
)
DRIVER_TIMEOUT_S: Final = 20.0


def describe(options: Options, findings: Findings) -> None:
    """Note versions and devices.

    Raises
    ------
    CheckError
        If a GPU is wanted and PyTorch finds none.
    """
    findings.add("Python", platform.python_version())
    findings.add("system", f"{platform.system()} {platform.release()} {platform.machine()}")
    findings.add("cores", float(os.cpu_count() or 0))
    for package in PACKAGES:
        try:
            findings.add(package, metadata.version(package))
        except metadata.PackageNotFoundError:
            findings.add(package, "not installed")
    if options.device != "cuda":
        return
    if not torch.cuda.is_available():
        raise CheckError("PyTorch finds no CUDA device; install its driver, or use --device cpu")
    card = torch.cuda.get_device_properties(0)
    findings.add("GPU", card.name)
    findings.add("memory", card.total_memory / 1e9, "GB")
    findings.add("compute capability", f"{card.major}.{card.minor}")
    findings.add("CUDA", str(torch.version.cuda))
    findings.add("cuDNN", str(torch.backends.cudnn.version()))  # type: ignore[no-untyped-call]  # torch's
    findings.add("driver", driver_version())


def driver_version() -> str:
    """Return the version of the graphics driver, or why it is not known."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "unknown: there is no nvidia-smi"
    command = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, timeout=DRIVER_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"unknown: {str(error).splitlines()[0]}"
    return (asked.stdout.splitlines() or ["unknown: nvidia-smi says nothing"])[0]
