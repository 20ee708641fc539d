"""OpenVINO without its reports: every import of it would else tell its maker over the network.

OpenVINO looks for the package `openvino_telemetry` and does without it where it is missing.
Import OpenVINO from here, so that a laboratory's computer sends nothing.
"""

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # taken as missing

import openvino as openvino  # noqa: E402
from openvino import opset13 as opset13  # noqa: E402
from openvino.frontend import FrontEndManager as FrontEndManager  # noqa: E402
