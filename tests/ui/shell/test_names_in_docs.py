"""docs/window.md calls what stands in the window by the words that stand there."""

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import ui.texts
from ui.picture.span import SpanMode
from ui.texts import live

DOCUMENT = Path(__file__).parents[3] / "docs" / "window.md"


def strings_in(value: object) -> Iterator[str]:
    """List the strings of a constant."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings_in(tuple(value.values()))
    elif isinstance(value, tuple | list):
        for each in value:
            yield from strings_in(each)


def words_of_the_window() -> set[str]:
    modules = [
        import_module(f"ui.texts.{each.name}") for each in pkgutil.iter_modules(ui.texts.__path__)
    ]
    words = {text for module in modules for text in strings_in(list(vars(module).values()))}
    return words | {mode.value for mode in SpanMode}


def test_the_document_names_what_stands_in_the_window() -> None:
    named = re.findall(r"(?<![*\w])\*([^*\n]+)\*(?![*\w])", DOCUMENT.read_text(encoding="utf-8"))
    assert len(named) > 30
    counted = live.lacking(2).removeprefix("2").removesuffix("…").strip()
    words = words_of_the_window() | {f"… {counted}"}

    assert [name for name in named if name not in words] == []
