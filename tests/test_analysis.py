"""A session is analysed again: beside it, whole or not at all, and comparable sample by sample."""

import hashlib
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.conftest import WaitFor
from tests.session_parts import (
    HEIGHT,
    WIDTH,
    FaceSegmenter,
    ListSink,
    ScriptedCamera,
    ended,
    make_frame,
)
from thermoseg.analysis import analyze, list_analyses
from thermoseg.analysis_reading import Analysis, compare_traces, open_analysed, read_analysis
from thermoseg.analysis_settings import AnalysisSettings
from thermoseg.camera_feed import Arrival
from thermoseg.drawn_meter import DrawnMeter
from thermoseg.drawn_rois import DrawnRoi, tell_changes
from thermoseg.errors import (
    AnalysisCancelledError,
    AnalysisError,
    ConfigError,
    FrameRefusedError,
    ThermoSegError,
)
from thermoseg.file_kinds import is_frames_name
from thermoseg.frames import CameraInfo, Frame
from thermoseg.inference.choose import choose_segmenter
from thermoseg.inference.segmenter import Segmentation, Segmenter
from thermoseg.labels import ROI_NAMES, Region
from thermoseg.live_model import LiveModel
from thermoseg.measured_face import FaceFollower
from thermoseg.phantom.head import Phantom, Sitter
from thermoseg.radiometry import (
    LinearRadiometry,
    ObjectParameters,
    PlanckRadiometry,
    Radiometry,
    RelativeCounts,
)
from thermoseg.recording import safe_file
from thermoseg.recording.place import DiskLimits
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import Recorder
from thermoseg.session import Session

FRAMES = 9


def info_of(radiometry: Radiometry, height: int = HEIGHT, width: int = WIDTH) -> CameraInfo:
    return CameraInfo("Made", "7", width, height, 30.0, radiometry, live=False)


def live_model(segmenter: Segmenter) -> LiveModel:
    return LiveModel(segmenter, FaceFollower(), DrawnMeter(), lambda _text: None)


def record_frames(
    path: Path, frames: Iterable[Frame], info: CameraInfo, model: LiveModel | None = None
) -> Path:
    """Record `frames`, each of them segmented by `model` as live."""
    identity = None if model is None else model.identity
    recorder = Recorder(path, info, "made:", identity, DiskLimits(0, 0, 0, 0))
    recorder.start()
    for frame in frames:
        recorder.offer(frame)
        if model is not None:
            recorder.offer_result(model.segment(Arrival(frame, time.monotonic(), 0)))
    summary = recorder.stop()
    assert not summary.dropped
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a session whose every frame was segmented, and one without masks."""
    folder, info = tmp_path_factory.mktemp("recorded"), info_of(LinearRadiometry(0.01))
    frames = [make_frame(index, index / 30) for index in range(FRAMES)]
    record_frames(folder / "talk.h5", frames, info, live_model(FaceSegmenter()))
    record_frames(folder / "bare.h5", frames, info)
    return folder


@pytest.fixture
def session(recorded: Path, tmp_path: Path) -> Path:
    """A session whose every frame was segmented."""
    return Path(shutil.copy(recorded / "talk.h5", tmp_path))


@pytest.fixture
def bare(recorded: Path, tmp_path: Path) -> Path:
    """A session without masks."""
    return Path(shutil.copy(recorded / "bare.h5", tmp_path))


@pytest.fixture
def opened() -> Iterator[Callable[[Path, Path], Analysis]]:
    """Open analyses, which are closed after the test together with their sessions."""
    held: list[Recording | Analysis] = []

    def open_both(analysis: Path, session: Path) -> Analysis:
        recording = Recording(session)
        held.append(recording)
        held.append(read_analysis(analysis, recording))
        assert isinstance(held[-1], Analysis)
        return held[-1]

    yield open_both
    for each in held:
        each.close()


def flip_a_bit(path: Path, dataset: str, row: int) -> None:
    with h5py.File(path) as file:
        chunk = file[dataset].id.get_chunk_info(row)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 0xFF
    path.write_bytes(data)


def same_samples(old: Recording | Analysis, new: Recording | Analysis) -> None:
    for region in ROI_NAMES:
        before, after = old.samples(region), new.samples(region)
        assert before.dtype.names == after.dtype.names
        for name in before.dtype.names or ():
            np.testing.assert_array_equal(before[name], after[name], err_msg=f"{region} {name}")


def test_the_same_model_gives_what_it_gave_live(
    session: Path, opened: Callable[[Path, Path], Analysis]
) -> None:
    report = analyze(session, FaceSegmenter())
    analysis = opened(report.path, session)

    assert report.path == session.with_name("talk.analysis-1.h5")
    assert (report.frames, report.losses, report.notes) == (FRAMES, (), ())
    with Recording(session) as recording:
        same_samples(recording, analysis)
        for position in range(FRAMES):
            np.testing.assert_array_equal(analysis.labels(position), recording.labels(position))
        assert recording.samples("nose")["valid"].all()


def test_the_bundled_model_gives_what_it_gave_live(
    tmp_path: Path, opened: Callable[[Path, Path], Analysis]
) -> None:
    info = info_of(LinearRadiometry(0.01), 96, 128)
    phantom, frames = Phantom(Sitter()), []
    for index in range(5):
        celsius = phantom.picture(index / 10, 96, 128).celsius
        counts = np.rint((celsius + 273.15) * 100).astype(np.uint16)
        frames.append(Frame.from_counts(counts, info.radiometry, index, index / 10, 0.0))
    model = live_model(choose_segmenter(threads=1))
    path = record_frames(tmp_path / "talk.h5", frames, info, model)

    report = analyze(path, choose_segmenter(threads=1))

    analysis = opened(report.path, path)
    with Recording(path) as recording:
        assert np.isfinite(recording.samples("nose")["mean_c"]).all()
        for region in ROI_NAMES:
            np.testing.assert_allclose(
                analysis.samples(region)["mean_c"], recording.samples(region)["mean_c"], rtol=1e-6
            )
    assert (analysis.model.name, analysis.header.settings.mode) == ("face-compact", "live")


def test_frames_that_the_live_network_skipped_are_analysed_too(
    tmp_path: Path, opened: Callable[[Path, Path], Analysis], wait_for: WaitFor
) -> None:
    path, live = tmp_path / "live.h5", FaceSegmenter(seconds=0.03)
    camera = ScriptedCamera([*range(20), ended()], live=False, rate_hz=200)
    session = Session(camera, live, [ListSink()])
    session.start_recording(path)
    session.start()
    wait_for(lambda: session.ended)
    session.stop()

    analysis = opened(analyze(path, FaceSegmenter()).path, path)

    with Recording(path) as recording:
        old, new = recording.samples("nose"), analysis.samples("nose")
    difference = compare_traces(old, new)
    assert new["frame_index"].tolist() == list(range(20))
    assert 0 < len(old) < 20
    assert difference.frame_index.tolist() == old["frame_index"].tolist()
    both = ~np.isnan(difference.difference_k)
    assert both.any()
    assert np.abs(difference.difference_k[both]).max() < 1e-9
    np.testing.assert_array_equal(new["mean_c"][old["frame_index"]], old["mean_c"])


@pytest.mark.parametrize(("raw", "celsius"), [(12000, 21.567), (14000, 32.808), (16000, 43.013)])
def test_another_emissivity_gives_the_published_temperatures(
    tmp_path: Path, opened: Callable[[Path, Path], Analysis], raw: int, celsius: float
) -> None:
    black = PlanckRadiometry(16528.178, 1427.5, 1.0, -1307.0, 0.012258549)
    counts = np.full((HEIGHT, WIDTH), raw, np.uint16)
    frames = [Frame.from_counts(counts, black, index, index / 30, 0.0) for index in range(3)]
    path = record_frames(tmp_path / "talk.h5", frames, info_of(black), live_model(FaceSegmenter()))

    report = analyze(path, FaceSegmenter(), AnalysisSettings(emissivity=0.95))

    analysis = opened(report.path, path)
    with Recording(path) as recording:
        old, new = recording.samples("mouth"), analysis.samples("mouth")
    assert new["mean_c"] == pytest.approx([celsius] * 3, abs=5e-4)
    assert old["mean_c"] == pytest.approx([float(frames[0].celsius[0, 0])] * 3, abs=1e-6)
    assert abs(new["mean_c"] - old["mean_c"]).min() > 0.05
    with closing(open_analysed(path, report.path)) as again:
        assert again.frame(1).celsius[0, 0] == pytest.approx(celsius, abs=5e-4)


def test_temperatures_of_a_camera_that_tells_its_emissivity_are_made_anew(
    tmp_path: Path, opened: Callable[[Path, Path], Analysis]
) -> None:
    camera = LinearRadiometry(0.01, scene=ObjectParameters(emissivity=0.98, reflected_c=22.0))
    counts = np.full((HEIGHT, WIDTH), 30715, np.uint16)
    frames = [Frame.from_counts(counts, camera, 0, 0.0, 0.0)]
    path = record_frames(tmp_path / "talk.h5", frames, info_of(camera))

    def signal_of(celsius: float) -> float:
        return 1 / math.expm1(1439.0 / (celsius + 273.15))

    report = analyze(path, FaceSegmenter(), AnalysisSettings(emissivity=0.95, reflected_c=25.0))

    seen = 0.98 * signal_of(34.0) + 0.02 * signal_of(22.0)
    skin = (seen - 0.05 * signal_of(25.0)) / 0.95
    expected_c = 1439.0 / math.log1p(1 / skin) - 273.15
    analysis = opened(report.path, path)
    assert analysis.samples("nose")["mean_c"] == pytest.approx([expected_c], abs=1e-3)


def test_drawn_rois_are_measured_where_they_lay(
    tmp_path: Path, opened: Callable[[Path, Path], Analysis]
) -> None:
    path, info = tmp_path / "talk.h5", info_of(LinearRadiometry(0.01))
    rows = np.mgrid[:HEIGHT, :WIDTH][0]
    before, after = (DrawnRoi.spot("cheek", x, y, 3) for x, y in ((3.5, 3.5), (20.5, 10.5)))
    drawn = DrawnMeter()
    drawn.set([before])
    model = LiveModel(FaceSegmenter(), FaceFollower(), drawn, lambda _text: None)
    recorder = Recorder(path, info, "made:", model.identity, DiskLimits(0, 0, 0, 0), rois=[before])
    recorder.start()
    for index in range(FRAMES):
        counts = (30_500 + 10 * rows + index).astype(np.uint16)
        frame = Frame.from_counts(counts, info.radiometry, index, index / 30, 0.0)
        if index == 4:
            drawn.set([after])
            (text,) = tell_changes([before], [after])
            recorder.note_event(text, frame.time_s)
        recorder.offer(frame)
        recorder.offer_result(model.segment(Arrival(frame, time.monotonic(), 0)))
    recorder.stop()

    analysis = opened(analyze(path, FaceSegmenter()).path, path)

    with Recording(path) as recording:
        np.testing.assert_array_equal(analysis.samples("cheek"), recording.samples("cheek"))
    assert analysis.samples("cheek")["mean_c"][[3, 5]] == pytest.approx([32.18, 32.90])
    assert analysis.samples("cheek")["reason"].tolist() == [""] * 4 + ["moved"] + [""] * 4


def test_finished_temperatures_keep_their_emissivity(session: Path) -> None:
    with pytest.raises(ConfigError, match=r"talk\.h5 holds finished temperatures.*emissivity"):
        analyze(session, FaceSegmenter(), AnalysisSettings(emissivity=0.9))

    assert list_analyses(session) == ()


def test_a_session_without_masks_gets_them(
    bare: Path, opened: Callable[[Path, Path], Analysis]
) -> None:
    analysis = opened(analyze(bare, FaceSegmenter()).path, bare)

    labels = analysis.labels(4)
    assert labels is not None
    assert labels[10, 15] == Region.NOSE
    assert len(analysis.samples("nose")) == FRAMES


def test_the_file_says_what_was_analysed_and_how(
    session: Path, opened: Callable[[Path, Path], Analysis]
) -> None:
    segmenter = FaceSegmenter(name="other")
    segmenter.model_sha256 = "ab" * 32
    report = analyze(session, segmenter, AnalysisSettings(mode="best"))

    header = opened(report.path, session).header

    with Recording(session) as recording:
        assert header.session_id == recording.session_id
        assert header.radiometry == recording.info.radiometry
    assert header.session_sha256 == hashlib.sha256(session.read_bytes()).hexdigest()
    assert header.session_name == "talk.h5"
    assert (header.model.name, header.model.sha256) == ("other", "ab" * 32)
    assert header.settings == AnalysisSettings(mode="best")


def test_the_session_is_not_changed(session: Path) -> None:
    before = session.read_bytes()

    analyze(session, FaceSegmenter())

    assert session.read_bytes() == before


def test_numbers_count_up_and_nothing_is_overwritten(session: Path) -> None:
    for number in (1, 9):
        session.with_name(f"talk.analysis-{number}.h5").write_text("mine")
    session.with_name("talk.analysis-x.h5").write_text("not one")
    session.with_name("talk2.analysis-1.h5").write_text("of another session")

    report = analyze(session, FaceSegmenter())

    assert report.path.name == "talk.analysis-10.h5"
    assert [path.name for path in list_analyses(session)] == [
        f"talk.analysis-{number}.h5" for number in (1, 9, 10)
    ]
    assert session.with_name("talk.analysis-1.h5").read_text() == "mine"


def test_a_name_that_is_taken_meanwhile_leads_to_the_next(session: Path) -> None:
    taken = session.with_name("talk.analysis-1.h5")

    report = analyze(session, FaceSegmenter(), progress=lambda _d, _t: taken.write_text("mine"))

    assert report.path.name == "talk.analysis-2.h5"
    assert taken.read_text() == "mine"


def test_another_folder_is_made_and_looked_into(session: Path) -> None:
    out = session.parent / "deep" / "er"

    report = analyze(session, FaceSegmenter(), out=out)

    assert report.path == out / "talk.analysis-1.h5"
    assert list_analyses(session, out) == (report.path,)
    assert list_analyses(session) == ()
    assert list_analyses(session, out / "none") == ()


def test_progress_goes_through_every_frame(session: Path) -> None:
    told: list[tuple[int, int]] = []

    analyze(session, FaceSegmenter(), progress=lambda done, total: told.append((done, total)))

    assert told == [(done, FRAMES) for done in range(1, FRAMES + 1)]


@pytest.mark.parametrize("looks", [0, 3])
def test_an_analysis_that_is_cancelled_leaves_nothing(session: Path, looks: int) -> None:
    asked = iter([*[False] * looks, *[True] * 99])

    with pytest.raises(AnalysisCancelledError, match=r"talk\.h5 was ended early"):
        analyze(session, FaceSegmenter(), cancelled=lambda: next(asked))

    assert list(session.parent.iterdir()) == [session]


def test_a_network_that_fails_leaves_nothing(session: Path) -> None:
    with pytest.raises(ThermoSegError, match="gone"):
        analyze(session, FaceSegmenter(error=ThermoSegError("the GPU is gone; restart")))

    assert list(session.parent.iterdir()) == [session]


def test_a_full_disk_is_told_and_leaves_nothing(
    session: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 30_000

    monkeypatch.setattr(safe_file, "open_unbuffered", lambda path: SmallFile(path, limit))

    with pytest.raises(AnalysisError, match=r"cannot be written \(No space left on device\)"):
        analyze(session, FaceSegmenter())

    assert list(session.parent.iterdir()) == [session]


class SmallFile:
    """A file on a disk that takes no more than `limit` bytes."""

    def __init__(self, path: Path, limit: int) -> None:
        self._file = path.open("r+b", buffering=0)
        self._limit = limit

    def write(self, data: memoryview) -> int:
        if self._file.tell() + len(data) > self._limit:
            raise OSError(28, os.strerror(28))
        return self._file.write(data) or 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._file, name)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_kill_leaves_nothing_under_the_name(session: Path, wait_for: WaitFor) -> None:
    program = (
        "import sys, threading; from pathlib import Path\n"
        "from tests.session_parts import FaceSegmenter\n"
        "from thermoseg.analysis import analyze\n"
        "def tell(done, total):\n"
        "    if done == 5: print('five', flush=True); threading.Event().wait(60)\n"
        f"analyze(Path({str(session)!r}), FaceSegmenter(), progress=tell)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"five\n"

    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()

    assert list_analyses(session) == ()
    report = analyze(session, FaceSegmenter())
    assert report.path.name == "talk.analysis-1.h5"


def test_a_damaged_frame_is_told_and_the_others_are_analysed(
    session: Path, opened: Callable[[Path, Path], Analysis]
) -> None:
    flip_a_bit(session, "frames/counts", 4)

    report = analyze(session, FaceSegmenter())

    analysis = opened(report.path, session)
    assert report.frames == FRAMES - 1
    assert len(report.losses) == 1
    assert "frame 4 is damaged" in report.losses[0]
    assert analysis.labels(4) is None
    assert analysis.samples_at(4) == ()
    assert analysis.labels(5) is not None


def test_an_unfinished_session_is_to_be_recovered(session: Path) -> None:
    with h5py.File(session, "r+") as file:
        file.attrs.modify("complete", np.int64(0))

    with pytest.raises(AnalysisError, match=r"was not finished .*thermoseg recover .*talk\.h5"):
        analyze(session, FaceSegmenter())


def test_a_session_that_is_being_recorded_is_left_alone(tmp_path: Path, wait_for: WaitFor) -> None:
    info = info_of(LinearRadiometry(0.01))
    recorder = Recorder(tmp_path / "now.h5", info, "made:", None, DiskLimits(0, 0, 0, 0))
    recorder.start()
    recorder.offer(make_frame(0, 0.0))
    wait_for(lambda: recorder.status().recorded)

    try:
        with pytest.raises(AnalysisError, match=r"now\.h5 is being recorded"):
            analyze(tmp_path / "now.h5", FaceSegmenter())
    finally:
        recorder.stop()


def test_counts_without_temperatures_give_masks_and_a_note(
    tmp_path: Path, opened: Callable[[Path, Path], Analysis]
) -> None:
    relative = RelativeCounts("an 8-bit video carries no temperatures")
    counts = np.full((HEIGHT, WIDTH), 120, np.uint16)
    frames = [Frame.from_counts(counts, relative, index, index / 30, 0.0) for index in range(3)]
    path = record_frames(tmp_path / "grey.h5", frames, info_of(relative))

    report = analyze(path, FaceSegmenter())

    samples = opened(report.path, path).samples("nose")
    assert report.notes == (
        "grey.h5 holds no temperatures (an 8-bit video carries no temperatures), so the analysis "
        "has masks and no °C",
    )
    assert (samples["pixels"] > 0).all()
    assert np.isnan(samples["mean_c"]).all()
    assert set(samples["reason"]) == {"no temperatures"}


def test_a_session_without_pictures_is_refused(tmp_path: Path) -> None:
    path = record_frames(tmp_path / "empty.h5", [], info_of(LinearRadiometry(0.01)))

    with pytest.raises(AnalysisError, match=r"empty\.h5 holds no picture"):
        analyze(path, FaceSegmenter())


def test_what_is_no_session_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((HEIGHT, WIDTH), 30.0))

    with pytest.raises(AnalysisError, match=r"a\.npy is no session.*thermoseg segment"):
        analyze(tmp_path / "a.npy", FaceSegmenter())


def test_a_folder_that_takes_no_file_is_told(session: Path) -> None:
    (session.parent / "file").write_text("no folder")

    with pytest.raises(AnalysisError, match="cannot be written into"):
        analyze(session, FaceSegmenter(), out=session.parent / "file")


def test_an_analysis_of_another_session_is_refused(session: Path, bare: Path) -> None:
    analysis = analyze(session, FaceSegmenter()).path

    with (
        Recording(bare) as recording,
        pytest.raises(
            AnalysisError,
            match=r"talk\.analysis-1\.h5 is an analysis of another session \(talk\.h5\)",
        ),
    ):
        read_analysis(analysis, recording)


def test_an_analysis_is_that_of_a_copy_too(session: Path, tmp_path: Path) -> None:
    analysis = analyze(session, FaceSegmenter()).path
    copy = tmp_path / "renamed.h5"
    copy.write_bytes(session.read_bytes())

    with Recording(copy) as recording, closing(read_analysis(analysis, recording)) as found:
        assert len(found) == FRAMES


def unfinish(file: h5py.File) -> None:
    file.attrs["complete"] = 0


def forget_region(file: h5py.File) -> None:
    del file["samples/nose"]


def go_back(file: h5py.File) -> None:
    times_s = file["samples/nose"][:]
    times_s["time_s"] = times_s["time_s"][::-1]
    file["samples/nose"][:] = times_s


def lose_mask(file: h5py.File) -> None:
    file["labels/labels"].resize(FRAMES - 1, axis=0)


def future(file: h5py.File) -> None:
    file.attrs["format_version"] = 7


def strange_settings(file: h5py.File) -> None:
    file.attrs["settings"] = '{"emissivity": 3}'


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (unfinish, "was not finished"),
        (forget_region, "is missing"),
        (go_back, "is damaged in “samples/nose”"),
        (lose_mask, "has masks without a frame"),
        (future, "has analysis version 7"),
        (strange_settings, "is damaged"),
    ],
)
def test_an_analysis_that_cannot_be_is_refused_in_one_sentence(
    session: Path, change: Callable[[h5py.File], None], words: str
) -> None:
    path = analyze(session, FaceSegmenter()).path
    with h5py.File(path, "r+") as file:
        change(file)

    with Recording(session) as recording, pytest.raises(AnalysisError, match=words) as caught:
        read_analysis(path, recording)

    assert "\n" not in str(caught.value)
    assert "analyse the session again" in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"hello", b"\x89HDF\r\n\x1a\n"])
def test_what_is_no_analysis_is_refused(session: Path, content: bytes | None) -> None:
    path = session.with_name("talk.analysis-1.h5")
    if content is not None:
        path.write_bytes(content)

    with Recording(session) as recording, pytest.raises(AnalysisError, match="cannot be opened"):
        read_analysis(path, recording)


def test_a_session_is_no_analysis(session: Path) -> None:
    with Recording(session) as recording, pytest.raises(AnalysisError, match="is no analysis"):
        read_analysis(session, recording)


def test_a_damaged_mask_is_refused_and_the_others_come(session: Path) -> None:
    path = analyze(session, FaceSegmenter()).path
    flip_a_bit(path, "labels/labels", 2)

    with closing(open_analysed(session, path)) as frames:
        with pytest.raises(FrameRefusedError, match="mask 2 is damaged"):
            frames.labels(2)
        assert frames.labels(3) is not None


def test_the_frames_of_an_analysis_carry_its_masks_and_samples(session: Path) -> None:
    class Elsewhere(FaceSegmenter):
        def segment(self, frame: Frame) -> Segmentation:
            segmentation = super().segment(frame)
            return Segmentation(
                np.roll(segmentation.labels, 1, axis=0), segmentation.confidence, frame.index
            )

    path = analyze(session, Elsewhere()).path

    with closing(open_analysed(session, path)) as frames, Recording(session) as recording:
        old, new = recording.labels(3), frames.labels(3)
        assert old is not None
        assert new is not None
        np.testing.assert_array_equal(new, np.roll(old, 1, axis=0))
        samples = frames.samples(3)
        assert tuple(sample.region for sample in samples) == ROI_NAMES
        assert samples[0].mean_c == frames.analysis.samples(ROI_NAMES[0])["mean_c"][3]
        assert len(frames) == FRAMES
        with pytest.raises(IndexError):
            frames.labels(FRAMES)


def test_traces_are_compared_where_both_are() -> None:
    dtype = [("frame_index", "i8"), ("time_s", "f8"), ("mean_c", "f8"), ("valid", "?")]
    old = np.array([(0, 0.0, 30, True), (2, 0.2, 31, True), (4, 0.4, 32, False)], dtype)
    new = np.array([(1, 0.1, 9, True), (2, 0.2, 31.5, True), (4, 0.4, 33, True)], dtype)

    difference = compare_traces(old, new)

    assert difference.frame_index.tolist() == [2, 4]
    assert difference.time_s.tolist() == [0.2, 0.4]
    np.testing.assert_array_equal(difference.difference_k, [0.5, np.nan])


def test_analyses_are_no_frames_of_a_folder() -> None:
    assert is_frames_name(Path("talk.h5"))
    assert not is_frames_name(Path("talk.analysis-12.h5"))


def test_every_setting_is_checked() -> None:
    for wrong in ({"emissivity": 0}, {"emissivity": 1.2}, {"reflected_c": -300}, {"mode": "fast"}):
        with pytest.raises(ValueError):
            AnalysisSettings.model_validate(wrong)
