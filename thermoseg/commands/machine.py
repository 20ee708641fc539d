"""`thermoseg doctor`, `install-udev` and `models`: what this machine has and lacks."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from thermoseg.exit_codes import FAILED, OK
from thermoseg.terminal import complain, print_facts, printable


def add_doctor(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `doctor` to the parser."""
    parser = commands.add_parser(
        "doctor",
        help="tell what works on this machine and what it lacks",
        description="Look at permissions, libraries, GPU, disk, display, cameras and models; each "
        "line is ok, a warning, or missing, with the remedy.",
        epilog="Exit code 1 if something is missing without which ThermoSeg cannot work.",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where you record; default: your documents"
    )
    parser.add_argument("--json", action="store_true", help="the same as a list in JSON")
    parser.set_defaults(run=_run_doctor)


def add_models(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `models` to the parser."""
    parser = commands.add_parser("models", help="list the models that are installed")
    parser.set_defaults(run=_run_models)


def add_install_udev(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `install-udev` to the parser."""
    parser = commands.add_parser(
        "install-udev",
        help="give yourself leave to use USB cameras (Linux, once, as root)",
        description="Write the udev rules of all USB cameras and have udev read them.  Needs root; "
        "without it, says the command to type.",
    )
    parser.add_argument("--print", action="store_true", help="show the rules, install nothing")
    parser.set_defaults(run=_run_install_udev)


def add_install_desktop(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command `install-desktop` to the parser."""
    parser = commands.add_parser(
        "install-desktop",
        help="put the window into the menu of your desktop (Linux)",
        description="Write an entry that starts thermoseg-ui, and its icon, where your desktop "
        "looks for them (~/.local/share).  Run it again after ThermoSeg was moved.",
    )
    parser.set_defaults(run=_run_install_desktop)


def _run_install_desktop(_arguments: argparse.Namespace) -> int:
    from thermoseg.desktop_entry import install_entry

    print(install_entry())
    return OK


def _run_doctor(arguments: argparse.Namespace) -> int:
    from thermoseg.doctor import Verdict, examine

    findings = []
    topic = ""
    for finding in examine(arguments.folder):
        findings.append(finding)
        if arguments.json:
            continue
        if finding.topic != topic:
            topic = finding.topic
            print(f"{topic}")
        line = f"  {finding.verdict.value:<8} {finding.name:<26} {finding.detail}"
        print(printable(line.rstrip()))
        if finding.remedy:
            print(printable(f"{'':<11}{finding.remedy}"))
        sys.stdout.flush()
    if arguments.json:
        print(json.dumps([asdict(f) | {"verdict": f.verdict.value} for f in findings]))
    broken = any(f.essential and f.verdict is Verdict.MISSING for f in findings)
    return FAILED if broken else OK


def _run_install_udev(arguments: argparse.Namespace) -> int:
    from thermoseg import udev
    from thermoseg.discovery import usb_cameras

    cameras = usb_cameras()
    for reason in cameras.left_out:
        complain(reason)
    if arguments.print:
        print(udev.rules_text(cameras), end="")
    else:
        print(udev.install_rules(cameras))
    return OK


def _run_models(_arguments: argparse.Namespace) -> int:
    from thermoseg.models import list_models

    models = list_models()
    if not models:
        print("no model is installed; name a model file with --model PATH")
    for model in models:
        header = model.header
        print_facts(
            {
                "name": header.name,
                "network": f"{header.network}, width {header.width}, "
                f"{header.input_width} × {header.input_height} pixels",
                "trained on": header.data or "not said",
                "notes": header.notes or "none",
                "licence": header.licence or "not said",
                "sha256": model.sha256,
                "file": model.path,
            }
        )
        print()
    return OK
