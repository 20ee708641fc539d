"""The session file grows: old files open in new programs, new files in old ones."""

import gzip
import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from thermoseg.errors import FormatError, RecordingError
from thermoseg.frames import FrameFlag
from thermoseg.recording.layout import MARKER, TABLES, append
from thermoseg.recording.reader import Recording
from thermoseg.recording.recorder import DiskLimits, Recorder
from thermoseg.recording.recovery import recover

VERSION_1 = Path(__file__).parent / "data" / "version-1.h5.gz"
"""Made once by the program of 21 November 2026, format 1.0; never to be made again."""


@pytest.fixture
def version_1(tmp_path):
    path = tmp_path / "version-1.h5"
    path.write_bytes(gzip.decompress(VERSION_1.read_bytes()))
    return path


def test_a_file_of_version_1_0_opens_with_all_that_it_holds(made, version_1):
    info = made.made_info(32, 40)
    with Recording(version_1) as recording:
        assert recording.format_version == "1.0"
        assert recording.indices.tolist() == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
        assert recording.counts.missed == 2
        assert recording.gaps[0].frames == 2
        assert recording.model.name == "face-compact"
        assert [event.text for event in recording.events] == ["flat-field correction – Größe"]
        assert FrameFlag(int(recording.flags[7])) == FrameFlag.AFTER_SHUTTER
        nostrils = recording.samples("nostrils")
        assert nostrils["mean_c"].tolist() == [34.5] * 10
        assert nostrils["reason"].tolist() == [""] * 6 + ["motion"] + [""] * 3
        for position, index in enumerate((0, 1, 2, 3, 4, 7, 8, 9, 10, 11)):
            np.testing.assert_array_equal(
                recording.frame(position).counts, made.made_counts(index, info)
            )
            np.testing.assert_array_equal(recording.labels(position), made.made_labels(index, info))


def test_what_version_1_0_lacks_is_empty(version_1):
    with Recording(version_1) as recording:
        assert recording.study == {}
        assert recording.markers == ()
        assert len(recording.table("breathing")) == 0
        assert np.isnan(recording.clock("frames/monotonic_s")).all()
        assert recording.regions == (
            *("chin", "mouth", "eyes", "eyebrows", "nose"),
            *("nostrils", "nostril_right", "nostril_left", "perinasal"),
        )


def test_a_file_of_version_1_0_can_be_recovered(version_1):
    with Recording(recover(version_1).path) as recording:
        assert len(recording) == 10
        assert len(recording.samples("nostrils")) == 10


def test_one_more_region_field_and_table_open_in_a_program_that_does_not_know_them(recorded):
    """What a later minor version may write."""
    path = recorded(6)
    with h5py.File(path, "r+") as file:
        rows = file["samples/nostrils"][:]
        kinds = [*rows.dtype.descr, ("skewness", "<f4"), ("note", "S3")]
        wider = np.zeros(len(rows), kinds)
        for name in rows.dtype.names:
            wider[name] = rows[name]
        del file["samples/nostrils"]
        for name in ("samples/nostrils", "samples/forehead"):
            table = file.create_dataset(
                name, (0,), wider.dtype, maxshape=(None,), chunks=(256,), fletcher32=True
            )
            append(table, wider)
        file.create_dataset("heartbeats", (0,), "<f8", maxshape=(None,), chunks=(256,))
        file.attrs["regions"] = json.dumps([*json.loads(file.attrs["regions"]), "forehead"])
        file.attrs["format_minor"] = np.int64(7)
        file.attrs["moon"] = "waxing"

    with Recording(path) as recording:
        assert recording.format_version == "1.7"
        assert recording.regions[-1] == "forehead"
        assert len(recording) == 6
        for region in ("nostrils", "forehead"):
            samples = recording.samples(region)
            assert samples["mean_c"].tolist() == [34.5] * 6
            assert "skewness" not in samples.dtype.names


def test_a_missing_field_of_a_sample_is_absent(recorded):
    path = recorded(4)
    with h5py.File(path, "r+") as file:
        rows = file["samples/nostrils"][:]
        kept = [name for name in rows.dtype.names if name != "sd_k"]
        del file["samples/nostrils"]
        table = file.create_dataset(
            "samples/nostrils",
            (0,),
            np.dtype([(name, rows.dtype[name]) for name in kept]),
            maxshape=(None,),
            chunks=(256,),
        )
        table.resize(len(rows), axis=0)
        table[:] = rows[kept]

    with Recording(path) as recording:
        samples = recording.samples("nostrils")
    assert np.isnan(samples["sd_k"]).all()
    assert samples["mean_c"].tolist() == [34.5] * 4


@pytest.mark.parametrize("name", [name for name in TABLES if name.partition("/")[0] != "frames"])
def test_a_missing_table_is_empty(recorded, name):
    path = recorded(3)
    with h5py.File(path, "r+") as file:
        del file[name]

    with Recording(path) as recording:
        assert len(recording) == 3
        assert len(recording.table(name)) == 0


def test_another_major_version_is_refused_with_the_program_that_reads_it(recorded):
    path = recorded(1)
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = np.int64(2)
        file.attrs["program"] = "thermoseg 3.1"

    with pytest.raises(FormatError, match=r"version 2 .* reads 1; open it with thermoseg 3\.1 or"):
        Recording(path)


def test_study_fields_and_clocks_are_in_the_file(made, tmp_path):
    info = made.made_info()
    recorder = Recorder(
        tmp_path / "a.h5",
        info,
        "made:",
        None,
        DiskLimits(0, 0, 0, 0),
        study={"participant": "sub-07", "age": 31},
    )
    recorder.start()
    for index in range(3):
        recorder.offer(made.made_frame(index, info))
    with Recording(recorder.stop().path) as recording:
        assert recording.study == {"participant": "sub-07", "age": 31}
        assert np.all(np.diff(recording.clock("frames/monotonic_s")) > 0)
        assert np.isnan(recording.clock("frames/lsl_s")).all()


def test_study_fields_that_do_not_fit_are_refused(made, tmp_path):
    with pytest.raises(RecordingError, match="study fields take 40"):
        Recorder(tmp_path / "a.h5", made.made_info(), "made:", None, study={"notes": "x" * 40_000})


def test_other_regions_are_recorded_under_their_names(made, tmp_path):
    info = made.made_info()
    recorder = Recorder(
        tmp_path / "a.h5", info, "made:", None, DiskLimits(0, 0, 0, 0), regions=("mouth", "hand")
    )
    recorder.start()
    frame = made.made_frame(0, info)
    recorder.offer(frame)
    recorder.offer_result(made.made_result(frame, info, region="hand"))
    with Recording(recorder.stop().path) as recording:
        assert recording.regions == ("mouth", "hand")
        assert recording.samples("hand")["mean_c"].tolist() == [34.5]
        with pytest.raises(ValueError, match="known are mouth, hand"):
            recording.samples("nostrils")


@pytest.mark.parametrize(
    "regions", ["{}", '["../x"]', '["a/b"]', '["a", "a"]', "[1]", "nonsense", "[" * 5000]
)
def test_region_names_that_are_none_are_refused(recorded, regions):
    path = recorded(1)
    with h5py.File(path, "r+") as file:
        file.attrs["regions"] = regions

    with pytest.raises(FormatError, match="regions"):
        Recording(path)


def test_markers_are_read(recorded):
    path = recorded(2)
    row = np.array((1.5, 20.0, 1.7e9, b"trial", "Kältereiz".encode(), b"key 1"), MARKER)
    with h5py.File(path, "r+") as file:
        append(file["markers"], [row])

    with Recording(path) as recording:
        (marker,) = recording.markers
    assert (marker.begin_s, marker.duration_s) == (1.5, 20.0)
    assert (marker.kind, marker.label, marker.source) == ("trial", "Kältereiz", "key 1")
