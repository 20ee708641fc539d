"""The shutter is told of when it closes and opens, and a nervous one does not fill the list."""

from collections.abc import Sequence

from tests.conftest import WaitFor
from tests.session_parts import RADIOMETRY, ScriptedCamera
from thermoseg.frames import Frame, FrameFlag
from thermoseg.session import Session
from thermoseg.shutter_watch import ShutterWatch

OPEN, CLOSED = FrameFlag.NONE, FrameFlag.SHUTTER


def look(flags: Sequence[FrameFlag], step_s: float) -> list[str]:
    watch = ShutterWatch()
    said = [watch.look(each, number * step_s) for number, each in enumerate(flags)]
    return [text for text in said if text]


def test_it_is_told_of_when_it_closes_and_opens() -> None:
    told = look([OPEN, CLOSED, CLOSED, OPEN | FrameFlag.AFTER_SHUTTER, OPEN], step_s=0.25)

    assert told == ["shutter closed", "shutter open after 0.5 s"]


def test_an_open_shutter_is_no_news() -> None:
    assert look([OPEN, FrameFlag.AFTER_SHUTTER, OPEN], step_s=1) == []


def test_one_that_flutters_is_counted() -> None:
    told = look([OPEN, CLOSED] * 40, step_s=0.1)

    assert told == [
        "shutter closed",
        "shutter open after 0.1 s",
        "shutter closed; 24 times more since it was told",
        "shutter open after 0.1 s",
    ]


class Shuttered(ScriptedCamera):
    """Closes its shutter for the frames 5 to 7."""

    def read(self, timeout_s: float) -> Frame:
        frame = super().read(timeout_s)
        flags = CLOSED if 5 <= frame.index <= 7 else OPEN
        return Frame.from_counts(
            frame.counts, RADIOMETRY, frame.index, frame.time_s, frame.wall_time, flags
        )


def test_a_session_has_it_among_its_events(wait_for: WaitFor) -> None:
    with Session(Shuttered(range(20)), None) as session:
        wait_for(lambda: session.look().counts.captured == 20)
        told = [event.text for event in session.look().events]

    assert told[0] == "shutter closed"
    assert told[1].startswith("shutter open after 0.")
