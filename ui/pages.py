"""Which pages there are and what is opened on which: the one place that knows them all."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from thermoseg.models import ONNX_SUFFIX, SUFFIX
from ui.live.page import LivePage
from ui.replay.page import ReplayPage
from ui.shell.page import Page
from ui.shell.rail import PageName

if TYPE_CHECKING:
    from ui.shell.window import MainWindow, PageMaker

PAGES: "Final[dict[PageName, PageMaker]]" = {
    PageName.LIVE: LivePage,
    PageName.REPLAY: ReplayPage,
}


def open_file(window: "MainWindow", name: str) -> None:
    """Open a file where it belongs: a model segments from now on, everything else is replayed."""
    path = Path(name)
    if path.suffix in (SUFFIX, ONNX_SUFFIX):
        window.controller.models.choose(name)
        return
    page = window.show_page(PageName.REPLAY)
    if isinstance(page, ReplayPage):
        page.open(path)


def open_address(window: "MainWindow", address: str, record_to: Path | None = None) -> Page:
    """Open a camera on the live page, and record it from the beginning if that is wanted."""
    page = window.show_page(PageName.LIVE)
    if isinstance(page, LivePage):
        page.open(address, record_to)
    return page
