"""What `python -m benchmarks.gpu` found out, as JSON for programs and as Markdown for people."""

import json
import math
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

from thermoseg.whole_file import write_whole

FORMAT: Final = 1
"""Version of the JSON's layout."""
STEM: Final = "gpu-report"
"""Name of both files, without the ending."""

State = Literal["passed", "failed", "not run"]


class CheckError(Exception):
    """Something computes, but not what it should."""


@dataclass(frozen=True, slots=True)
class Options:
    """How the sections are to be run."""

    device: str = "cuda"
    """Or "cpu", which shows that everything works, and no speed worth knowing."""
    quick: bool = False
    """Small pictures and few repetitions."""
    faces: str = ""
    """Folder of labelled faces; empty for phantoms."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, or one fact in words."""

    name: str
    value: float | str
    unit: str = ""

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return self.value
        digits = f"{self.value:.4g}" if abs(self.value) < 1000 else f"{self.value:.0f}"
        return f"{digits} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Aim:
    """A number that is wanted; missing it is told and fails nothing."""

    name: str
    found: float
    wanted: float
    unit: str
    at_most: bool
    """Whether `wanted` is the most or the least."""

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        return self.found <= self.wanted if self.at_most else self.found >= self.wanted


@dataclass(slots=True)
class Findings:
    """What a section has to tell; it adds to it while it works."""

    figures: list[Figure] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)

    def add(self, name: str, value: float | str, unit: str = "") -> None:
        """Note a figure."""
        self.figures.append(Figure(name, value, unit))

    def aim(self, name: str, found: float, wanted: float, unit: str, *, at_most: bool) -> None:
        """Note a figure that something is wanted of."""
        self.aims.append(Aim(name, found, wanted, unit, at_most))


@dataclass(slots=True)
class Outcome:
    """How one section ended."""

    name: str
    title: str
    state: State
    seconds: float = 0.0
    findings: Findings = field(default_factory=Findings)
    error: str = ""
    """One sentence, empty if it passed."""
    trace: str = ""
    """Python's, empty if it passed."""

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """Read what `as_json` made."""
        findings = Findings(
            [Figure(**figure) for figure in content["figures"]],
            [
                Aim(**{key: value for key, value in aim.items() if key != "met"})
                for aim in content["aims"]
            ],
        )
        rest = {key: value for key, value in content.items() if key not in ("figures", "aims")}
        return cls(findings=findings, **rest)

    def as_json(self) -> dict[str, Any]:
        """Return it in what JSON can hold."""
        return {
            "name": self.name,
            "title": self.title,
            "state": self.state,
            "seconds": round(self.seconds, 2),
            "figures": [asdict(figure) for figure in self.findings.figures],
            "aims": [{**asdict(aim), "met": aim.met} for aim in self.findings.aims],
            "error": self.error,
            "trace": self.trace,
        }


def run_guarded(
    name: str, title: str, body: Callable[[Findings], None], clock: Callable[[], float]
) -> Outcome:
    """Run one section and keep what it told before it failed, if it did.

    Whatever goes wrong in one section, the others are to be heard, so this catches everything.
    """
    findings, began_s = Findings(), clock()
    try:
        body(findings)
    except Exception as error:  # noqa: BLE001 - the report is where it is told
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        kind = "" if isinstance(error, CheckError) else f"{type(error).__name__}: "
        told = f"{kind}{said}"
        trace = traceback.format_exc()
        return Outcome(name, title, "failed", clock() - began_s, findings, told, trace)
    return Outcome(name, title, "passed", clock() - began_s, findings)


@dataclass(slots=True)
class Report:
    """All sections so far."""

    options: Options
    began_utc: str
    missing: list[str]
    """One sentence for each package that is not installed."""
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """How many sections failed."""
        return sum(outcome.state == "failed" for outcome in self.outcomes)

    def write(self, folder: Path) -> None:
        """Write both files anew, so that a run that is cut off leaves what it has."""
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_finite(self._as_json()), indent=1, ensure_ascii=False, allow_nan=False)
        for suffix, content in ((".json", text + "\n"), (".md", self.as_markdown())):
            write_whole(folder / f"{STEM}{suffix}", content.encode())

    def _as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "device": self.options.device,
            "quick": self.options.quick,
            "labelled_faces": bool(self.options.faces),
            "began_utc": self.began_utc,
            "seconds": round(self.seconds, 1),
            "missing": self.missing,
            "sections": [outcome.as_json() for outcome in self.outcomes],
        }

    def as_markdown(self) -> str:
        """Return the report as a page: what is wanted first, then each section."""
        on = f"on {self.options.device}" + (", quick" if self.options.quick else "")
        lines = [
            "# GPU report",
            "",
            f"Run {on}, begun {self.began_utc}, {self.seconds:.0f} s.",
        ]
        if self.options.device != "cuda":
            lines.append("It was run without a GPU: it shows that everything works, and no speed.")
        lines += ["", *self.missing, *([""] if self.missing else [])]
        lines += ["| Section | State | Seconds |", "|---|---|---:|"]
        lines += [f"| {o.title} | {o.state} | {o.seconds:.1f} |" for o in self.outcomes]
        aims = [aim for outcome in self.outcomes for aim in outcome.findings.aims]
        if aims and self.options.device == "cuda":
            lines += ["", "| Aim | Found | Wanted | |", "|---|---:|---:|---|"]
            lines += [_aim_row(aim) for aim in aims]
        for outcome in self.outcomes:
            lines += _section_lines(outcome)
        return "\n".join(lines) + "\n"


def _aim_row(aim: Aim) -> str:
    found, wanted = Figure("", aim.found, aim.unit), Figure("", aim.wanted, aim.unit)
    sign = "≤" if aim.at_most else "≥"
    return f"| {aim.name} | {found} | {sign} {wanted} | {'met' if aim.met else 'missed'} |"


def _section_lines(outcome: Outcome) -> list[str]:
    lines = ["", f"## {outcome.title}", ""]
    if outcome.error:
        lines += [f"{outcome.state.capitalize()}: {outcome.error}", ""]
    if outcome.findings.figures:
        lines += ["| | |", "|---|---:|"]
        lines += [f"| {figure.name} | {figure} |" for figure in outcome.findings.figures]
    return lines


def _finite(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Replace numbers that JSON does not know by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_finite(part) for part in value]
    return value
