"""What a maintainer asks for first, to be copied beside an error."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from PyQt6.QtCore import PYQT_VERSION_STR, QT_VERSION_STR

from thermoseg.log_file import log_path, log_tail
from ui.live.session_controller import SessionController

PACKAGES: Final = ("thermoseg", "numpy", "h5py", "torch", "openvino", "pyqtgraph", "superqt")
TAIL_LINES: Final = 40


def describe_details(sentence: str, controller: SessionController) -> str:
    """Return `sentence` with versions, system, camera, model and the end of the log, as text."""
    info, choice = controller.view.info, controller.models.choice
    camera = "none" if info is None else f"{info.model} {info.width}x{info.height}"
    return "\n".join(
        [
            sentence,
            "",
            ", ".join(f"{name} {_version_of(name)}" for name in PACKAGES),
            f"Python {platform.python_version()}, Qt {QT_VERSION_STR}, PyQt {PYQT_VERSION_STR}",
            platform.platform(),
            f"address: {controller.address or 'none'}; camera: {camera}",
            f"model: {choice.name} ({choice.state.value})",
            f"log: {log_path()}",
            "",
            log_tail(TAIL_LINES),
        ]
    )


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
