"""Which pages there are and what is opened on which: the one place that knows them all."""

from pathlib import Path
from typing import Final

from PyQt6.QtCore import QSettings

from thermoseg.inference.face_segmenter import Mode
from thermoseg.inference.segmenter import Segmenter
from thermoseg.models import ONNX_SUFFIX, SUFFIX
from ui.live.model_shelf import NO_MODEL, ModelLoader, ModelShelf
from ui.live.page import LivePage
from ui.live.session_controller import SessionController, make_session
from ui.replay.page import ReplayPage
from ui.shell.rail import PageName
from ui.shell.window import MainWindow, PageMaker

PAGES: Final[dict[PageName, PageMaker]] = {
    PageName.LIVE: LivePage,
    PageName.REPLAY: lambda _, surroundings: ReplayPage(surroundings),
}


class PageOpener:
    """Opens files and cameras where they belong."""

    def __init__(self, loader: ModelLoader) -> None:
        self._loader = loader

    def open_file(self, window: MainWindow, name: str) -> None:
        """Open a file: a model segments from now on, everything else is replayed."""
        path = Path(name)
        if path.suffix in (SUFFIX, ONNX_SUFFIX):
            window.controller.models.choose(name)
            return
        page = window.show_page(PageName.REPLAY)
        if isinstance(page, ReplayPage):
            page.open(path)

    def open_address(self, window: MainWindow, address: str, record_to: Path | None = None) -> None:
        """Open a camera, or a file as one, and record it from the beginning if that is wanted."""
        page = window.show_page(PageName.LIVE)
        if isinstance(page, LivePage):
            page.open(address, record_to)

    def make_segmenter(self, model: str) -> Segmenter | None:
        """Load a model for another stream than the camera's; None for no model.

        Raises
        ------
        ModelError
            As `ModelLoader`.
        """
        return None if model == NO_MODEL else self._loader.another(model)

    def load_segmenter(self, model: str, mode: Mode) -> Segmenter:
        """Load a model for an analysis.

        Raises
        ------
        ModelError
            As `ModelLoader`.
        """
        return self._loader.another(model, mode)


def make_window(settings: QSettings, backend: str = "auto") -> MainWindow:
    """Build the window with all its pages; nothing is opened yet.

    Parameters
    ----------
    settings
        Where it keeps what the user sets.
    backend
        Library that runs the networks, as `thermoseg.inference.choose` takes it.
    """
    loader = ModelLoader(backend)
    controller = SessionController(make_session, ModelShelf(loader))
    return MainWindow(controller, settings, PAGES, PageOpener(loader))
