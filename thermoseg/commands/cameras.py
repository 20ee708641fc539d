"""`thermoseg cameras`: what can be opened now, and what comes and goes."""

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from thermoseg.exit_codes import INTERRUPTED, OK
from thermoseg.terminal import printable

if TYPE_CHECKING:
    from thermoseg.cameras import CameraListing


WATCH_S: Final = 0.25
"""One wait for a camera to come or go; the end of the program is looked for between two."""


def add_cameras(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `cameras` to the parser."""
    parser = commands.add_parser(
        "cameras",
        help="list the cameras that can be opened now",
        description="List every camera that is there by the address that opens it, and every kind "
        "of camera that cannot be used with what it lacks.",
    )
    parser.add_argument("--json", action="store_true", help="a list in JSON, one line each time")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="go on and tell what is plugged in (+) or out (-), until Ctrl-C",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from thermoseg.discovery import list_cameras

    if arguments.watch:
        return _watch_cameras(arguments.json)
    listings = list_cameras()
    if arguments.json:
        print(json.dumps([asdict(listing) for listing in listings], ensure_ascii=False))
        return OK
    for listing in listings:
        print(_camera_line(listing))
    return OK


def _watch_cameras(as_json: bool) -> int:
    """Print what is there, then what changes, until interrupted."""
    from thermoseg.hotplug import CameraWatch, came_and_went
    from thermoseg.interruption import noting_interruption

    known: list[CameraListing] = []
    with noting_interruption() as interrupted, CameraWatch() as watch:
        while not interrupted.is_set():
            found = watch.next_change(WATCH_S)
            if found is None:
                continue
            if as_json:
                print(json.dumps([asdict(listing) for listing in found], ensure_ascii=False))
            else:
                for sign, listing in came_and_went(known, found):
                    print(f"{sign} {_camera_line(listing)}")
            sys.stdout.flush()
            known = found
    return INTERRUPTED


def _camera_line(listing: "CameraListing") -> str:
    return printable(f"{listing.address:<32} {listing.problem or listing.title}")
