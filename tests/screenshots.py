"""Pictures of every page and empty state of the window: `python -m tests.screenshots [FOLDER]`.

What is shown is made up (`tests.ui.staged`), so that the pictures are the same on every machine.
Each is made dark and light, small, large and with large text; and once more with two pixels per
point, for which Qt wants a process of its own.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PyQt6.QtCore import QSettings, QSize, Qt
from PyQt6.QtGui import QColor, QImage
from PyQt6.QtWidgets import QApplication, QDialog

from tests.ui.staged import Film, StagedSession, film_of_phantom, make_staged_window, record_film
from thermoseg.errors import CameraError, ModelError
from thermoseg.models import list_models
from thermoseg.study_file import Condition, StudyFile, write_study
from ui.live.page import LivePage
from ui.live.session_controller import CameraState
from ui.replay.page import ReplayPage
from ui.shell.notices import Remedy, Severity
from ui.shell.places import RECORDINGS
from ui.shell.preferences import Preferences
from ui.shell.rail import PageName
from ui.shell.theme import THEMES
from ui.shell.window import MainWindow

PATIENCE_S: Final = 60.0
SETTLED_S: Final = 1.0
"""Time in which numbers and plots are drawn anew after the window has another size."""
SMALL: Final = QSize(1280, 660)
"""A screen of 1280×720 less frame and panel."""
LARGE: Final = QSize(2560, 1440)
LARGE_TEXT: Final = 1.61
LONG_NAME: Final = f"sub-07_ses-01_task-{'observation' * 9}_thermal"
"""120 characters with its suffix."""
FOR_DOCS: Final = {
    "live-recording-dark": "screenshot-live.png",
    "replay-open-light": "screenshot-replay.png",
}
"""Pictures that the documentation shows, and their names there."""
DOCS_COLOURS: Final = 250


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to show a scene."""

    name: str
    theme: str
    size: QSize
    zoom: float = 1.0


PLAIN: Final = (Variant("dark", "dark", SMALL), Variant("light", "light", SMALL))
VARIANTS: Final = (
    *PLAIN,
    Variant("dark-large", "dark", LARGE),
    Variant("light-large", "light", LARGE),
    Variant("dark-text161", "dark", SMALL, LARGE_TEXT),
    Variant("light-text161", "light", SMALL, LARGE_TEXT),
)


class Stage:
    """A window, the film that is shown in it, and a folder for files."""

    def __init__(self, film: Film, folder: Path) -> None:
        settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
        Preferences(settings).set(RECORDINGS, "/home/lab/Documents/ThermoSeg")
        self.film, self.folder = film, folder
        self.session = StagedSession(film)
        self.window: MainWindow = make_staged_window(settings, self._open, self._load, list_models)
        self.model_problem = self.camera_problem = ""
        self.window.show()

    def live(self) -> LivePage:
        """Show the live page."""
        page = self.window.show_page(PageName.LIVE)
        if not isinstance(page, LivePage):
            raise TypeError(f"this is no live page but {page}")
        return page

    def replay(self) -> ReplayPage:
        """Show the page that replays."""
        page = self.window.show_page(PageName.REPLAY)
        if not isinstance(page, ReplayPage):
            raise TypeError(f"this is no page that replays but {page}")
        return page

    def run(self, address: str = "simulated:") -> LivePage:
        """Show the live page with a camera that runs."""
        page = self.live()
        self.window.controller.models.find()
        self.window.choose_first_model("face-compact")
        page.open(address)
        self.wait(lambda: self.window.controller.state is CameraState.RUNNING)
        self.wait(lambda: page.settled)
        return page

    def wait(self, condition: Callable[[], bool]) -> None:
        """Let the window work until `condition` holds.

        Raises
        ------
        TimeoutError
            If it never does.
        """
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            QApplication.processEvents()
            if time.monotonic() > deadline_s:
                raise TimeoutError("the window does not come to show what it should")

    def let(self, seconds: float) -> None:
        """Let the window work for so long."""
        end_s = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end_s)

    def _open(self, _: str) -> StagedSession:
        if self.camera_problem:
            raise CameraError(self.camera_problem)
        return self.session

    def _load(self, name: str) -> object:
        if self.model_problem:
            raise ModelError(self.model_problem)
        return name


def live_empty(stage: Stage) -> None:
    stage.live()
    stage.window.controller.models.find()
    stage.window.choose_first_model("face-compact")


def live_running(stage: Stage) -> None:
    stage.run()


def live_recording(stage: Stage) -> None:
    study = stage.folder / "warmth"
    study.mkdir()
    write_study(
        study,
        StudyFile(
            name="Warmth and breath",
            markers=("Baseline", "Stimulus", "Answer", "Pause"),
            conditions=(Condition(name="rest", duration_s=300.0),),
            fields=("handedness",),
            pre_record_s=5.0,
        ),
    )
    page = stage.run()
    page.desk.study.open(study)
    stage.wait(lambda: page.desk.study.study is not None)
    for name, text in (("participant", "07"), ("session", "01"), ("task", "rest")):
        page.desk.study.set_field(name, text)
        page.desk.panel._lines[name].setText(text)
    stage.window.controller.record(study / "sub-07_ses-01_task-rest_run-02_thermal.h5")
    stage.wait(lambda: stage.window.controller.recording.status is not None)
    page.desk.mark(1)


def live_lost(stage: Stage) -> None:
    stage.run()
    stage.session.playing = False
    stage.session.lost = "the camera was unplugged; plug it in again"
    stage.session.lost_seconds = 7.0
    stage.wait(lambda: stage.window.controller.state is CameraState.LOST)


def live_notices(stage: Stage) -> None:
    stage.run()
    notices = stage.window.notices
    notices.tell("The camera delivers 8.7/s, asked for 30/s.", Severity.WARNING)
    notices.tell(
        "The disk of /media/lab/study has 0.5 GB left, which is 4 minutes of this recording; "
        "make space there, or record into another folder.",
        Severity.WARNING,
        [Remedy("Choose a folder", lambda: None)],
    )
    notices.tell(
        "Saved /home/lab/Documents/ThermoSeg/sub-07_ses-01_task-rest_run-02_thermal.h5 · 5.0 s · "
        "24 frames, 127 missed",
        Severity.INFO,
        [Remedy(word, lambda: None) for word in ("Replay", "Show in folder", "To the trash")],
        lasting=True,
    )


def live_model_failed(stage: Stage) -> None:
    stage.model_problem = "face-lab.safetensors is damaged; copy it again, or choose another model"
    page = stage.live()
    stage.window.choose_first_model("face-lab")
    stage.session.model = None
    stage.session.result = None
    page.open("simulated:")
    stage.wait(lambda: stage.window.controller.state is CameraState.RUNNING)


def live_failed(stage: Stage) -> None:
    stage.camera_problem = (
        "no GigE camera has the serial number “00:11:1c:f5:64:42”; check its cable and its power, "
        "and that “thermoseg cameras” lists it"
    )
    stage.live().open("gige:00:11:1c:f5:64:42")
    stage.wait(lambda: stage.window.controller.state is CameraState.FAILED)


def replay_empty(stage: Stage) -> None:
    stage.replay()


def replay_list(stage: Stage) -> None:
    whole = record_film(stage.film, stage.folder / "sub-07_ses-01_task-rest_thermal.h5", [])
    for name in ("sub-07_ses-01_task-count_run-01", "sub-08_ses-01_task-rest_run-01", LONG_NAME):
        shutil.copyfile(whole, stage.folder / f"{name.removesuffix('_thermal')}_thermal.h5")
    crashed = whole.read_bytes()[: whole.stat().st_size * 2 // 3]
    (stage.folder / "sub-08_ses-01_task-count_run-01_thermal.h5").write_bytes(crashed)
    stage.window.preferences.set(RECORDINGS, str(stage.folder))
    page = stage.replay()
    stage.wait(lambda: page.settled)
    page.list.view.selectRow(1)


def replay_open(stage: Stage) -> None:
    _replay(stage, "sub-07_ses-01_task-rest_run-02_thermal")


def replay_long_name(stage: Stage) -> None:
    _replay(stage, LONG_NAME)


def replay_failed(stage: Stage) -> None:
    path = stage.folder / "sub-08_ses-01_task-rest_run-01_thermal.h5"
    path.write_bytes(b"no session")
    page = stage.replay()
    page.open(path)
    stage.wait(lambda: page.settled)


def live_long_name(stage: Stage) -> None:
    page = stage.run(f"file:/media/lab/studies/{LONG_NAME}.h5")
    page.desk.study.record_into(stage.folder / LONG_NAME)
    stage.window.controller.record(stage.folder / f"{LONG_NAME}.h5")
    stage.wait(lambda: stage.window.controller.recording.status is not None)


def keys(stage: Stage) -> None:
    stage.run()
    stage.replay()
    stage.live()
    stage.window.show_keys()


def _replay(stage: Stage, name: str) -> None:
    markers = [(2.0, "Baseline"), (6.0, "Stimulus"), (9.5, "Answer")]
    path = record_film(stage.film, stage.folder / f"{name}.h5", markers)
    page = stage.replay()
    page.open(path)
    stage.wait(lambda: page.settled and page.controller.shown is not None)
    page.controller.seek_time(6.5)
    stage.wait(lambda: page.settled)


SCENES: Final[dict[str, Callable[[Stage], None]]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        *(live_empty, live_running, live_recording, live_lost, live_notices, live_model_failed),
        *(live_failed, live_long_name, replay_empty, replay_list, replay_open, replay_long_name),
        *(replay_failed, keys),
    )
}


def main() -> int:
    arguments = _parser().parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    twice = os.environ.get("QT_SCALE_FACTOR") == "2"
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QApplication.instance() or QApplication(sys.argv[:1])
    film = film_of_phantom(120)
    for name, act in SCENES.items():
        if fnmatch(name, arguments.only):
            with _stage(film) as stage:
                act(stage)
                _take(stage, name, PLAIN if twice else VARIANTS, arguments, twice=twice)
    app.quit()
    if not twice:
        again = os.environ | {"QT_SCALE_FACTOR": "2"}
        return subprocess.run(
            [sys.executable, "-m", __spec__.name, *sys.argv[1:]], env=again
        ).returncode
    return 0


def _take(
    stage: Stage,
    name: str,
    variants: tuple[Variant, ...],
    arguments: argparse.Namespace,
    *,
    twice: bool,
) -> None:
    window = stage.window
    for variant in variants:
        window.resize(variant.size)
        window.look.zoom_to(variant.zoom)
        window.look.set_theme(THEMES[variant.theme])
        stage.let(SETTLED_S)
        dialog = next(iter(window.findChildren(QDialog)), None)
        image = (dialog or window).grab().toImage()
        title = f"{name}-{variant.name}"
        image.save(str(arguments.folder / f"{title}{'-twice' if twice else ''}.png"))
        if title in FOR_DOCS and not twice and arguments.docs is not None:
            _with_few_colours(image).save(str(arguments.docs / FOR_DOCS[title]))


@contextmanager
def _stage(film: Film) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(film, Path(folder))
        try:
            yield stage
        finally:
            stage.window.end()


def _with_few_colours(image: QImage) -> QImage:
    """Reduce a picture to a palette of its own, which takes a third of the file."""
    image = image.convertToFormat(QImage.Format.Format_RGB32)
    bits = image.constBits()
    if bits is None:
        raise ValueError("an empty picture has no colours")
    pixels = np.frombuffer(bits.asstring(image.sizeInBytes()), np.uint8).reshape(-1, 4)
    colours = np.unique(pixels[:, :3], axis=0).astype(np.float32)
    places = np.zeros((len(colours), 1), np.int32)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 10, 0.0)
    cv2.setRNGSeed(0)
    _, _, centres = cv2.kmeans(colours, DOCS_COLOURS, places, criteria, 1, cv2.KMEANS_PP_CENTERS)
    table = [QColor(*each[::-1]).rgb() for each in np.rint(centres).astype(int).tolist()]
    return image.convertToFormat(
        QImage.Format.Format_Indexed8, table, Qt.ImageConversionFlag.AvoidDither
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out/screenshots"))
    parser.add_argument("--only", default="*", metavar="PATTERN", help="scenes to show, as live-*")
    parser.add_argument("--docs", type=Path, metavar="FOLDER", help="where those for docs go, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
