"""`thermoseg segment`: pictures and recordings of any kind, segmented."""

import argparse
from functools import partial
from pathlib import Path

from thermoseg.arguments import add_model_option, choose_model, name_and_value
from thermoseg.errors import ThermoSegError
from thermoseg.exit_codes import DAMAGED, FAILED, OK
from thermoseg.terminal import complain_above, count, progress_bar


def add_segment(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `segment` to the parser."""
    parser = commands.add_parser(
        "segment",
        help="segment recordings and pictures",
        description="Segment files of any kind that ThermoSeg reads: FLIR FFF, SEQ, CSQ and "
        "radiometric JPEG, TIFF, .bin, .npy in °C, PureThermal .raw.y16.gz, 8-bit pictures, "
        "and ThermoSeg's own sessions.",
        epilog="Writes STEM.png (labels 0-5; STEM_000000.png and on for sequences), "
        "vis/STEM.jpg (overlay) and regions.csv (temperatures of every region).",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder of the results"
    )
    add_model_option(parser)
    parser.add_argument(
        "--fast", action="store_true", help="segment as the live view does: faster, coarser"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        type=name_and_value,
        metavar="NAME=VALUE",
        help="how files are read, such as scale_k=0.04 (kelvin per count), emissivity=0.98, "
        "width=640; may be repeated",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from thermoseg.region_table import RegionTable
    from thermoseg.segment_files import (
        TABLE_NAME,
        plan_jobs,
        prepare_folder,
        say_losses,
        segment_file,
    )

    jobs = plan_jobs(arguments.paths, arguments.out, dict(arguments.option))
    segmenter = choose_model(arguments.model, mode="live" if arguments.fast else "best")
    prepare_folder(arguments.out)
    failed = frames = 0
    losses: list[str] = []
    with progress_bar() as progress, RegionTable(arguments.out / TABLE_NAME) as table:

        def tell(loss: str) -> None:
            losses.append(loss)
            complain_above(progress, loss)

        note = partial(complain_above, progress)
        files_task = progress.add_task("files", total=len(jobs))
        for job in jobs:
            task = progress.add_task(job.path.name, total=None)
            try:
                for done, total in segment_file(job, arguments.out, segmenter, table, tell, note):
                    progress.update(task, completed=done, total=total)
                    frames += 1
                for loss in say_losses(job.path):
                    tell(loss)
            except ThermoSegError as error:
                failed += 1
                complain_above(progress, str(error))
            progress.remove_task(task)
            progress.advance(files_task)
    files = count(len(jobs), "file")
    print(
        f"{count(frames, 'frame')} of {f'{len(jobs) - failed} of {files}' if failed else files} "
        f"segmented with "
        f"{segmenter.model_name} ({segmenter.backend}) into {arguments.out}"
    )
    if failed:
        return FAILED
    return DAMAGED if losses else OK
