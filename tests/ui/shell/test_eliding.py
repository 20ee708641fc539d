"""Whatever name is in a text, it asks for no wider window."""

import pytest
from pytestqt.qtbot import QtBot

from ui.shell.eliding import HERE, WrappingLabel, breakable

NAME = "/media/lab/sub-07_task-" + "observation" * 9 + ".h5"


def test_a_label_is_as_narrow_with_any_name_and_gives_it_back(qtbot: QtBot) -> None:
    label, short = WrappingLabel(f"Saved {NAME} with 24 frames"), WrappingLabel("recommendations")
    for each in (label, short):
        qtbot.addWidget(each)

    assert label.minimumSizeHint().width() <= short.minimumSizeHint().width()
    assert label.text() == f"Saved {NAME} with 24 frames"
    assert label.heightForWidth(120) > 3 * label.fontMetrics().height()


@pytest.mark.parametrize("text", ["", "It goes on in a moment.", "no segmentation"])
def test_sentences_break_where_they_always_do(text: str) -> None:
    assert breakable(text) == text


def test_a_path_breaks_after_its_parts_first() -> None:
    assert breakable("/a/sub-07_run-1") == f"/{HERE}a/{HERE}sub-07_{HERE}run-1"
