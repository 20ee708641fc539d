"""What a recovery has saved and lost, as its process tells it and the copy keeps it."""

import json
from dataclasses import asdict, dataclass, field
from typing import Final, Self

RECOVERY: Final = "recovery"
"""Attribute of a recovered file: its `Account` as JSON."""


@dataclass(slots=True)
class TableAccount:
    """What became of the rows of one table, or of its pictures."""

    recovered: int = 0
    discarded: int = 0


@dataclass(slots=True)
class Account:
    """What a recovery has saved and lost."""

    tables: dict[str, TableAccount] = field(default_factory=dict)
    losses: list[str] = field(default_factory=list)
    """What was in the file and is not in the copy, a clause each."""
    notes: list[str] = field(default_factory=list)
    """What a crash had never brought to the disk as a whole, a clause each."""

    def lose(self, name: str, number: int, what: str) -> None:
        """Note that `number` rows of a table are lost, and why."""
        if number:
            rows = "row" if number == 1 else "rows"
            self.losses.append(f"{number} {rows} of {name} {what}")

    def to_json(self) -> str:
        """Return one line."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read the text of `to_json`.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is another text.
        """
        fields = json.loads(text)
        tables = {name: TableAccount(**counts) for name, counts in fields["tables"].items()}
        return cls(tables, list(map(str, fields["losses"])), list(map(str, fields["notes"])))
