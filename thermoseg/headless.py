"""Recording without a window: the same session, run for a while and accounted for."""

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from thermoseg.cameras import make_camera
from thermoseg.control import ControlServer
from thermoseg.correction_policy import CorrectionPolicy
from thermoseg.errors import ConfigError, ThermoSegError
from thermoseg.events import SessionEvent, events_after
from thermoseg.inference.segmenter import Segmenter
from thermoseg.interruption import noting_interruption
from thermoseg.recording_plan import RecordingPlan
from thermoseg.session import Session
from thermoseg.session_commands import SessionCommands
from thermoseg.session_view import SessionView
from thermoseg.study_file import Sitting, StudyFile, read_study
from thermoseg.tally import SessionCounts
from thermoseg.telemetry import Telemetry

TICK_S: Final = 0.1
"""Interval of looking for the end of the recording, and of progress lines."""

OPENING_TICK_S: Final = 0.01
"""Interval of looking whether the camera is open, which starts the clock of the recording."""

OPEN_TIMEOUT_S: Final = 30.0
"""The longest wait for a camera to open; some set themselves up for 10 s."""


@dataclass(frozen=True, slots=True)
class RecordingReport:
    """Outcome of a recording without a window."""

    path: Path
    counts: SessionCounts
    model: str
    """Name of the model that segmented, empty if none did."""
    backend: str
    """Library and device that ran the network; empty if none did."""
    interrupted: bool
    """Whether it was stopped before its time, by Ctrl-C, SIGTERM or a closed terminal."""
    temperatures: str
    """“°C”, or “none: ” and why; empty if the camera did not open."""
    telemetry: Telemetry
    """Last telemetry of the camera; empty if it has none or was away at the end."""
    problem: str
    """Why it ended by itself, one sentence; empty if it did not, or its source was at its end."""
    paths: tuple[Path, ...] = ()
    """All files of a session that was controlled by another program, which may be none."""


@dataclass(frozen=True, slots=True)
class RecordingOrder:
    """What a command asks for, with what its study says where the command says nothing."""

    plan: RecordingPlan
    study: StudyFile | None = None
    """None without a study."""

    @property
    def model(self) -> str:
        """Model that the study names; empty if none."""
        return "" if self.study is None else self.study.model

    def settle(self, address: str | None, duration_s: float | None) -> tuple[str, float]:
        """Return camera and seconds, those of the study where the command names none.

        Raises
        ------
        ConfigError
            If the study names none either.
        """
        address = address or ("" if self.study is None else self.study.camera)
        if not address:
            raise ConfigError("the study names no camera; give its address as well")
        duration_s = duration_s or (0.0 if self.study is None else self.study.sitting_s)
        if not duration_s:
            raise ConfigError("the study names no conditions; give --duration as well")
        return address, duration_s


def plan_file(path: Path, *, pictures: bool) -> RecordingOrder:
    """Order a recording into the new file `path`, with or without pictures."""
    return RecordingOrder(RecordingPlan.to_file(path, pictures=pictures))


def plan_sitting(
    folder: Path,
    participant: str,
    session: str,
    task: str,
    values: Mapping[str, str],
    *,
    traces_only: bool,
) -> RecordingOrder:
    """Order a recording of a sitting of the study in `folder`.

    Parameters
    ----------
    values
        Values of the study's own fields, by name.
    traces_only
        Whether to store no pictures, whatever the study says.

    Raises
    ------
    ConfigError
        If the study cannot be read, or a field is missing or unfit; each is named.
    """
    study = read_study(folder)
    sitting = Sitting(participant, session, task, values)
    pictures = False if traces_only else None
    return RecordingOrder(RecordingPlan.in_study(folder, study, sitting, pictures=pictures), study)


def record(
    address: str,
    plan: RecordingPlan | Path,
    duration_s: float,
    segmenter: Segmenter | None,
    tell: Callable[[float, SessionCounts], None] = lambda _seconds, _counts: None,
    report_event: Callable[[SessionEvent], None] = lambda _event: None,
) -> RecordingReport:
    """Record `address` as planned for `duration_s`, segmenting if there is a segmenter.

    Ends early, with everything written that came, when the source ends, the disk is full, the
    camera fails or the user interrupts.

    Parameters
    ----------
    plan
        What to record and where, or the new file.
    tell
        Called ten times a second with the seconds recorded and the counts so far.
    report_event
        Called once for each loss, gap, refused frame and so on, soon after it happened.

    Raises
    ------
    RecordingError
        If there is a file of this name already, or it cannot be written.
    CameraError, ConfigError
        If the address cannot be opened.
    """
    study = plan.study if isinstance(plan, RecordingPlan) else None
    session = _make_session(address, segmenter, study)
    planned = session.start_recording(plan)
    news = _News(report_event)
    with noting_interruption() as interrupted:
        session.start()
        try:
            _wait_opened(session, interrupted)
            _watch(session, duration_s, interrupted, _failure, news, tell)
        finally:
            before = session.look()
            problem = _stop(session)
            after = session.look()
            news.pass_on(after)
    if before.lost and not problem and not after.counts.recorded:
        problem = f"nothing was recorded: {before.lost}"
    return _report(planned, segmenter, before, after, problem, interrupted.is_set())


def record_on_command(
    address: str,
    plan: RecordingPlan,
    segmenter: Segmenter | None,
    port: int,
    duration_s: float = math.inf,
    tell_ready: Callable[[int], None] = lambda _port: None,
    report_event: Callable[[SessionEvent], None] = lambda _event: None,
) -> RecordingReport:
    """Run `address` and record when another program says so, through the control socket.

    Ends when the source ends, the camera fails, the user interrupts or the time is over; a
    recording that ends by itself is told to the client and can be started anew.

    Parameters
    ----------
    plan
        Of each recording.  The runs of a sitting count up; to a file's name _2, _3 … is added if
        there is one already.
    port
        Of the socket; 0 for any that is free.
    duration_s
        Of everything, from the opening of the camera.
    tell_ready
        Called with the number of the port once the camera is open and clients are answered.
    report_event
        As in `record`.

    Raises
    ------
    ConfigError
        If the port cannot be used, or the address is wrong.
    CameraError
        If the camera cannot be opened.
    """
    session = _make_session(address, segmenter, plan.study)
    commands = SessionCommands(session, replace(plan, counted=True))
    server = ControlServer(port, commands.by_name())
    news = _News(report_event)
    with noting_interruption() as interrupted, closing(server):
        session.start()
        try:
            if _wait_opened(session, interrupted).info is not None:
                server.start()
                tell_ready(server.port)
            _watch(session, duration_s, interrupted, lambda _view: "", news)
        finally:
            server.close()
            before = session.look()
            problem = commands.finish()
            problem = _stop(session) or problem
            after = session.look()
            news.pass_on(after)
    report = _report(plan.path, segmenter, before, after, problem, interrupted.is_set())
    return replace(report, paths=commands.paths)


def _make_session(address: str, segmenter: Segmenter | None, study: StudyFile | None) -> Session:
    """Return a session that measures as its study says."""
    session = Session(make_camera(address), segmenter, address=address)
    if study is not None:
        session.set_rois(study.rois)
        session.set_scene(study.emissivity, study.reflected_c)
        session.set_corrections(CorrectionPolicy(study.corrections))
    return session


class _News:
    """Passes on each event of a session once."""

    def __init__(self, report_event: Callable[[SessionEvent], None]) -> None:
        self._report_event = report_event
        self._last: SessionEvent | None = None

    def pass_on(self, view: SessionView) -> None:
        for event in events_after(view.events, self._last):
            self._last = event
            self._report_event(event)


def _wait_opened(session: Session, interrupted: threading.Event) -> SessionView:
    began_s = time.monotonic()
    view = session.look()
    while view.info is None and not view.ended and not interrupted.wait(OPENING_TICK_S):
        if time.monotonic() - began_s > OPEN_TIMEOUT_S:
            session.wait_opened(0)
        view = session.look()
    return view


def _watch(
    session: Session,
    duration_s: float,
    interrupted: threading.Event,
    failure: Callable[[SessionView], str],
    news: "_News",
    tell: Callable[[float, SessionCounts], None] = lambda _seconds, _counts: None,
) -> None:
    """Wait until the session ends, its time is over or something fails."""
    began_s = time.monotonic()
    view = session.look()
    while not view.ended and not interrupted.is_set() and not failure(view):
        elapsed_s = time.monotonic() - began_s
        if elapsed_s >= duration_s:
            return
        news.pass_on(view)
        tell(elapsed_s, view.counts)
        interrupted.wait(min(TICK_S, duration_s - elapsed_s))
        view = session.look()


def _report(
    path: Path,
    segmenter: Segmenter | None,
    before: SessionView,
    after: SessionView,
    problem: str,
    interrupted: bool,
) -> RecordingReport:
    return RecordingReport(
        path=after.recording_path or path,
        counts=after.counts,
        model=segmenter.model_name if segmenter else "",
        backend=segmenter.backend if segmenter else "",
        interrupted=interrupted,
        temperatures=after.info.temperatures if after.info else "",
        telemetry=before.telemetry,
        problem=problem,
    )


def _stop(session: Session) -> str:
    """Stop; what ended the session is raised if no frame was recorded, else returned."""
    try:
        session.stop()
    except ThermoSegError as error:
        if not session.look().counts.recorded:
            raise
        return str(error)
    return _failure(session.look())


def _failure(view: SessionView) -> str:
    return view.recorder.failed if view.recorder else ""
