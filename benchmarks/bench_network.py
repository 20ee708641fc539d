"""One 640×512 frame through the authors' network and through ours, in one run."""

import argparse
import sys

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks.reference import FRAME_MS, FRAME_OPENVINO_MS
from benchmarks.timing import median_ms
from thermoseg.cameras import make_camera
from thermoseg.errors import ThermoSegError
from thermoseg.frames import Frame
from thermoseg.inference.choose import DEFAULT_MODEL, choose_segmenter
from thermoseg.networks import build
from thermoseg.silent_openvino import openvino

HEIGHT, WIDTH = 512, 640
CAMERA = f"simulated:?width={WIDTH}&height={HEIGHT}&realtime=false&shutter_every_s=0"


def simulated_frames(count: int) -> list[Frame]:
    camera = make_camera(CAMERA)
    camera.open()
    try:
        return [camera.read(1.0) for _ in range(count)]
    finally:
        camera.close()


def full_size_ms() -> tuple[float, float]:
    """Time the authors' architecture at full width: PyTorch and OpenVINO, milliseconds."""
    torch.manual_seed(0)
    network = build("attention_unet", width=64).eval()
    image = torch.randn(1, 1, HEIGHT, WIDTH)
    with torch.inference_mode():
        in_torch = median_ms(lambda: network(image), 2)
    model = openvino.convert_model(network, example_input=image)
    request = (
        openvino.Core()
        .compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        .create_infer_request()
    )
    pixels = image.numpy()
    return in_torch, median_ms(lambda: request.infer({0: pixels}), 2)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_network", description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    arguments = parser.parse_args()
    try:
        live = choose_segmenter(arguments.model)
        best = choose_segmenter(arguments.model, mode="best")
    except ThermoSegError as error:
        sys.stderr.write(f"bench_network: {error}\n")
        return 1
    frames = simulated_frames(30)
    upcoming = iter([*frames, *frames])
    live_ms = median_ms(lambda: live.segment(next(upcoming)), 29)
    best_ms = median_ms(lambda: best.segment(frames[0]), 3)
    torch_ms, openvino_ms = full_size_ms()

    table = Table(
        title=f"Network: one frame of {WIDTH}×{HEIGHT}, {torch.get_num_threads()} threads",
        title_justify="left",
    )
    for column in ("", "here", "ratio", "card"):
        table.add_column(column, justify="left" if not column else "right")
    rows = (
        ("authors' Attention U-Net, PyTorch", torch_ms, f"{FRAME_MS:.0f} ms"),
        ("the same, OpenVINO", openvino_ms, f"{FRAME_OPENVINO_MS:.0f} ms"),
        (f"{live.model_name}, {live.backend}, live", live_ms, ""),
        (f"{best.model_name}, {best.backend}, best", best_ms, ""),
    )
    for name, here_ms, card in rows:
        table.add_row(name, f"{here_ms:.1f} ms", f"{torch_ms / here_ms:.1f} ×", card)
    Console().print(table)
    Console().print(
        f"“card”: measured once on 2 cores of a shared machine; {np.__name__} {np.__version__}, "
        f"torch {torch.__version__}, openvino {openvino.__version__.split('-')[0]}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
