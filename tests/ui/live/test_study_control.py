"""A study is opened, begun, kept and planned for; disks are asked in another thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PyQt6.QtCore import QSettings
from pytestqt.qtbot import QtBot

from thermoseg.errors import ConfigError
from thermoseg.study_file import STUDY_FILE, StudyFile, read_study, write_study
from ui.live.study_control import StudyControl
from ui.shell.preferences import Preferences


@pytest.fixture
def control(qapp: object, settings: QSettings, tmp_path: Path) -> Iterator[StudyControl]:
    control = StudyControl(Preferences(settings))
    control.record_into(tmp_path / "recordings")
    yield control
    control.close()


def fill(control: StudyControl, **fields: str) -> None:
    for name, value in fields.items():
        control.set_field(name, value)


def test_without_a_study_recordings_go_into_the_folder_under_the_time(
    control: StudyControl, tmp_path: Path
) -> None:
    plan = control.plan(pictures=True, notes="quiet")

    assert plan.path.parent == tmp_path / "recordings"
    assert plan.path.suffix == ".h5"
    assert plan.counted, "two windows in one second get two names"
    assert plan.notes == "quiet"


def test_a_new_study_is_a_folder_with_its_file(
    qtbot: QtBot, control: StudyControl, tmp_path: Path
) -> None:
    with qtbot.waitSignal(control.changed):
        control.create(tmp_path / "rest")

    assert read_study(tmp_path / "rest").name == "rest"
    assert control.folder == tmp_path / "rest"


def test_an_existing_study_is_opened_and_not_begun_anew(
    qtbot: QtBot, control: StudyControl, tmp_path: Path
) -> None:
    write_study(tmp_path, StudyFile(name="old", fields=("age",)))
    with qtbot.waitSignal(control.changed):
        control.create(tmp_path)

    assert control.study == StudyFile(name="old", fields=("age",))


def test_the_path_is_shown_once_the_fields_give_one_and_counts_up(
    qtbot: QtBot, control: StudyControl, tmp_path: Path
) -> None:
    with qtbot.waitSignal(control.changed):
        control.create(tmp_path)
    told: list[str] = []
    control.planned.connect(told.append)
    fill(control, participant="07", session="01")
    assert told[-1] == ""
    fill(control, task="rest")
    folder = tmp_path / "sourcedata" / "sub-07" / "ses-01"
    first = folder / "sub-07_ses-01_task-rest_run-01_thermal.h5"
    qtbot.waitUntil(lambda: told[-1] == str(first))
    folder.mkdir(parents=True)
    first.touch()
    control.plan_again()

    second = folder / "sub-07_ses-01_task-rest_run-02_thermal.h5"
    qtbot.waitUntil(lambda: told[-1] == str(second))


def test_an_unfit_field_is_complained_of_and_gives_no_plan(
    qtbot: QtBot, control: StudyControl, tmp_path: Path
) -> None:
    write_study(tmp_path, StudyFile(name="s", fields=("age",), required=("age",)))
    with qtbot.waitSignal(control.changed):
        control.open(tmp_path)
    fill(control, participant="0 7", session="01", task="rest")

    assert set(control.complaints) == {"participant", "age"}
    with pytest.raises(ConfigError, match="participant"):
        control.plan(pictures=True, notes="")
    fill(control, participant="07", age="31")
    assert control.complaints == {}
    assert control.plan(pictures=False, notes="").pictures is False


def test_the_study_of_the_last_time_is_there_again(
    qtbot: QtBot, control: StudyControl, settings: QSettings, tmp_path: Path
) -> None:
    with qtbot.waitSignal(control.changed):
        control.create(tmp_path / "rest")
    again = StudyControl(Preferences(settings))
    with qtbot.waitSignal(again.changed):
        again.open_last()
    assert again.folder == tmp_path / "rest"
    again.close()


def test_one_that_is_gone_is_told_and_leaves_the_folder_for_recordings(
    qtbot: QtBot, control: StudyControl, settings: QSettings, tmp_path: Path
) -> None:
    with qtbot.waitSignal(control.changed):
        control.create(tmp_path / "rest")
    (tmp_path / "rest" / STUDY_FILE).unlink()
    again = StudyControl(Preferences(settings))
    with qtbot.waitSignal(again.failed) as told:
        again.open_last()

    assert "cannot be read" in str(told.args[0])
    assert again.folder == tmp_path / "recordings"
    again.close()


def test_settings_are_kept_in_the_file(qtbot: QtBot, control: StudyControl, tmp_path: Path) -> None:
    with qtbot.waitSignal(control.changed):
        control.create(tmp_path)
    assert control.study is not None
    with qtbot.waitSignal(control.changed):
        control.save(control.study.model_copy(update={"markers": ("on", "off")}))

    assert read_study(tmp_path).markers == ("on", "off")
    assert control.markers == ("on", "off")
