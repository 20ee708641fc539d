"""Words about analyses of the recording that is replayed."""

from collections.abc import Sequence
from typing import Final

from ui.texts.replay import as_sentence

ANALYSE: Final = "Analyse again"
ANALYSE_TIP: Final = "Segment every frame anew; the recording stays as it is"
STORED: Final = "Stored with the recording"
RESULTS: Final = "Masks and traces shown"
MODEL_FILE: Final = "Model file…"
CHOSEN_MODEL: Final = "The model in use ({name})"
NO_MODEL: Final = "There is no model in use; choose a model file."
MODEL_FILTER: Final = "Models (*.safetensors *.onnx *.pth *.pt *.ckpt);;All files (*)"
ANALYSING: Final = "Analysing {name}"
NOTHING_TO_ANALYSE: Final = "Only finished recordings with pictures can be analysed again."


def analysed(name: str, frames: int, remarks: Sequence[str]) -> str:
    """Return what an analysis has made."""
    return " ".join((f"Analysed {frames} frames into {name}.", *map(as_sentence, remarks)))


def analysis_entry(number: str, model: str, mode: str, emissivity: float | None) -> str:
    """Return the line of one analysis."""
    of = "" if emissivity is None else f" · ε {emissivity:g}"
    return f"{number} · {model} · {mode}{of}"
