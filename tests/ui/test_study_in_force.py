"""Settings of a study that are saved while one works: only what was altered takes effect."""

import threading
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from tests.ui.window_parts import FaultyCamera, Hands, MakeWindow
from thermoseg.drawn_rois import DrawnRoi
from thermoseg.radiometry import LinearRadiometry, ObjectParameters
from thermoseg.recording.reader import Recording
from thermoseg.study_file import StudyFile, read_study, write_study
from ui.forms import ModelForm
from ui.live.recording_control import RecordState
from ui.live.session_controller import CameraState
from ui.shell.eliding import WrappingLabel
from ui.shell.rail import PageName
from ui.texts import live as texts

CORNERS = ((2.0, 2.0), (12.0, 2.0), (12.0, 12.0))
SPOT = DrawnRoi.spot("tip", 9, 9)


def open_study(hands: Hands, folder: Path, **settings: Any) -> None:
    write_study(folder, StudyFile(name="rest", **settings))
    study = hands.live.desk.study
    study.open(folder)
    hands.wait(lambda: study.folder == folder)
    for name, value in (("participant", "07"), ("session", "01"), ("task", "rest")):
        study.set_field(name, value)


def form_of(hands: Hands) -> ModelForm[StudyFile]:
    """Open the settings of the study."""
    hands.live.desk.panel.settings_requested.emit()
    form = hands.live.side.study.findChild(ModelForm)
    assert form is not None
    return form


def enter(hands: Hands, **settings: Any) -> None:
    """Alter settings in the form."""
    form = form_of(hands)
    form.set_value(form.value().model_copy(update=settings))


def save(hands: Hands) -> None:
    """Save the form, and wait until it is in force."""
    study = hands.live.desk.study
    with hands.qtbot.waitSignal(study.changed):
        hands.button(texts.SAVE_STUDY, hands.live.side).click()


@pytest.fixture
def camera() -> FaultyCamera:
    """A camera whose °C can be made anew for another emissivity."""
    scene = ObjectParameters(emissivity=1.0, reflected_c=20.0)
    return FaultyCamera(radiometry=LinearRadiometry(0.01, scene=scene))


@pytest.fixture
def sitting(qtbot: QtBot, make_window: MakeWindow, camera: FaultyCamera, tmp_path: Path) -> Hands:
    """A window with a camera and a study."""
    hands = Hands(qtbot, make_window(lambda _: camera))
    hands.window.show_page(PageName.LIVE)
    hands.wait_active()
    hands.open_camera()
    open_study(hands, tmp_path / "rest", rois=(SPOT,), markers=("cough",))
    return hands


def test_what_was_drawn_stays_and_is_recorded_on_when_a_marker_is_named(
    sitting: Hands, tmp_path: Path
) -> None:
    sitting.live.pane.view.drawn.add_outline(CORNERS)
    drawn = sitting.live.pane.drawn
    assert len(drawn) == 2
    sitting.record()
    enter(sitting, markers=("cough", "sigh"))
    save(sitting)
    assert sitting.live.pane.drawn == drawn
    assert sitting.live.desk.study.markers == ("cough", "sigh")

    control = sitting.window.controller.recording
    before = control.status
    assert before is not None
    sitting.wait(lambda: control.status and control.status.recorded > before.recorded + 30)
    control.stop()
    sitting.wait(lambda: control.state is RecordState.OFF)
    (path,) = tmp_path.rglob("*.h5")
    with Recording(path) as file:
        area = file.samples(drawn[1].name)
        assert len(area) > 0.5 * len(file), "its trace goes on"


def test_what_was_set_by_hand_stays_unless_that_setting_is_altered(
    sitting: Hands, tmp_path: Path
) -> None:
    live = sitting.live
    live.pane.hold_span(31.0, 35.0)
    live.side.scene.chosen.emit(0.9, 20.0)
    live.source.set_address("simulated:?seed=5")
    enter(sitting, markers=("cough", "sigh"))
    save(sitting)
    assert live.pane.span.limits == (31.0, 35.0)
    assert live.source.address == "simulated:?seed=5"
    sitting.wait(lambda: emissivity_in_force(sitting) == pytest.approx(0.9))

    enter(sitting, span_c=(20.0, 40.0), emissivity=0.95, rois=())
    save(sitting)
    assert live.pane.span.limits == (20.0, 40.0)
    assert live.pane.drawn == ()
    sitting.wait(lambda: emissivity_in_force(sitting) == pytest.approx(0.95))


def emissivity_in_force(hands: Hands) -> float:
    frame = hands.window.controller.view.frame
    scene = None if frame is None else frame.scene
    return 0.0 if scene is None else scene.emissivity


def test_a_setting_that_is_saved_lets_nobody_be_recorded_with_pictures(
    sitting: Hands, tmp_path: Path
) -> None:
    panel = sitting.live.desk.panel
    sitting.button(texts.TRACES_ONLY, panel).click()
    panel.show_pre_record(10.0)
    enter(sitting, markers=("cough", "sigh"))
    save(sitting)
    assert not panel.pictures
    assert panel.pre_record_s == 10.0

    enter(sitting, pre_record_s=5.0)
    save(sitting)
    assert not panel.pictures
    assert panel.pre_record_s == 5.0


def test_another_study_takes_effect_as_a_whole(sitting: Hands, tmp_path: Path) -> None:
    sitting.button(texts.TRACES_ONLY, sitting.live.desk.panel).click()
    sitting.live.pane.view.drawn.add_outline(CORNERS)
    enter(sitting, markers=("cough", "sigh"))
    open_study(sitting, tmp_path / "other", rois=(SPOT,), markers=("cough",))

    assert form_of(sitting).value().markers == ("cough",)
    assert sitting.live.pane.drawn == (SPOT,)
    assert sitting.live.desk.panel.pictures


def test_a_camera_that_comes_back_keeps_the_emissivity_that_was_set(
    sitting: Hands, camera: FaultyCamera
) -> None:
    sitting.live.side.scene.chosen.emit(0.9, 20.0)
    sitting.wait(lambda: emissivity_in_force(sitting) == pytest.approx(0.9))
    controller = sitting.window.controller
    camera.silent = True
    sitting.wait(lambda: controller.state is CameraState.LOST)
    camera.silent = False
    sitting.wait(lambda: controller.state is CameraState.RUNNING)
    frame = controller.view.frame
    sitting.wait(lambda: controller.view.frame is not frame)

    assert emissivity_in_force(sitting) == pytest.approx(0.9)


def test_a_field_that_is_taken_out_is_not_asked_for_any_more(
    sitting: Hands, tmp_path: Path
) -> None:
    enter(sitting, fields=("age", "hand"))
    save(sitting)
    study = sitting.live.desk.study
    study.set_field("age", "31")
    study.set_field("hand", "left")
    enter(sitting, fields=("age",))
    save(sitting)

    assert study.complaints == {}
    assert study.sitting.values == {"age": "31"}


def test_taking_over_saves_what_the_form_holds_as_well(sitting: Hands, tmp_path: Path) -> None:
    live = sitting.live
    live.pane.view.drawn.add_outline(CORNERS)
    enter(sitting, markers=("cough", "sigh"))
    with sitting.qtbot.waitSignal(live.desk.study.changed):
        sitting.button(texts.TAKE_OVER, live.side).click()

    study = read_study(tmp_path / "rest")
    assert study.markers == ("cough", "sigh")
    assert study.rois == live.pane.drawn
    assert form_of(sitting).value() == study


def test_taking_over_fills_in_its_own_fields_of_a_form_that_does_not_fit(
    sitting: Hands, tmp_path: Path
) -> None:
    live = sitting.live
    live.pane.view.drawn.add_outline(CORNERS)
    form = form_of(sitting)
    form.set_fields({"name": "", "markers": ("cough", "sigh")})
    before = live.desk.study.study
    sitting.button(texts.TAKE_OVER, live.side).click()
    assert form.problems().keys() == {"name"}
    form.set_fields({"name": "rest"})

    assert form.value().rois == live.pane.drawn
    assert form.value().markers == ("cough", "sigh")
    live.desk.study.close()
    assert live.desk.study.study == before == read_study(tmp_path / "rest")


def test_what_is_drawn_while_the_study_is_saved_stays(
    sitting: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = threading.Event()

    def write_slowly(folder: Path, study: StudyFile) -> None:
        slow.wait(10)
        write_study(folder, study)

    monkeypatch.setattr("ui.live.study_control.write_study", write_slowly)
    live = sitting.live
    form_of(sitting)
    sitting.button(texts.TAKE_OVER, live.side).click()
    enter(sitting, markers=("cough", "sigh"))
    live.pane.view.drawn.add_outline(CORNERS)
    drawn = live.pane.drawn
    with sitting.qtbot.waitSignal(live.desk.study.changed):
        slow.set()

    assert live.pane.drawn == drawn
    assert form_of(sitting).value().markers == ("cough", "sigh")


def test_another_setting_that_is_saved_leaves_the_edits_in_the_form(sitting: Hands) -> None:
    live = sitting.live
    enter(sitting, markers=("cough", "sigh"))
    with sitting.qtbot.waitSignal(live.desk.study.changed):
        live.source.corrections_chosen.emit(True)
    sitting.show(PageName.REPLAY)
    study = live.desk.study.study
    assert study is not None
    with sitting.qtbot.waitSignal(live.desk.study.changed):
        live.desk.study.save(study.model_copy(update={"emissivity": 0.95}))
    entered = form_of(sitting).value()

    assert entered.markers == ("cough", "sigh")
    assert entered.corrections == "between trials"
    assert entered.emissivity == 0.95


def path_in_sight(hands: Hands, name: str) -> str:
    """Return the path that the panel shows under this name, empty if none."""
    labels = hands.live.desk.panel.findChildren(WrappingLabel)
    shown = [each.text() for each in labels if each.accessibleName() == name]
    return shown[0] if shown else ""


def test_the_path_is_that_of_the_file_while_it_records_and_then_the_next(
    sitting: Hands, tmp_path: Path
) -> None:
    folder = "sourcedata/sub-07/ses-01"
    runs = [f"{folder}/sub-07_ses-01_task-rest_run-0{run}_thermal.h5" for run in range(4)]
    sitting.wait(lambda: path_in_sight(sitting, texts.PLANNED_PATH) == runs[1])
    somebody = tmp_path / "rest" / runs[1]
    somebody.parent.mkdir(parents=True)
    somebody.touch()
    sitting.record()
    assert path_in_sight(sitting, texts.PATH) == runs[2]

    enter(sitting, markers=("cough", "sigh"))
    save(sitting)
    study = sitting.live.desk.study
    with sitting.qtbot.waitSignal(study.planned):
        study.plan_again()
    assert path_in_sight(sitting, texts.PATH) == runs[2], "whatever is planned meanwhile"

    control = sitting.window.controller.recording
    control.stop()
    sitting.wait(lambda: control.state is RecordState.OFF)
    assert path_in_sight(sitting, texts.PLANNED_PATH) == runs[3]
