"""How large things may be: today's worst figures, as bounds that only fall.

A figure above its bound fails, and so does a bound above its figure: whoever makes the longest
file shorter lowers the bound in the same commit.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("thermoseg", "trainer", "ui", "drivers")

LONGEST_FILE = 789
"""Lines."""
LONGEST_FUNCTION = 60
"""Lines from `def` to its end, without docstring."""
MOST_BRANCHES = 19
"""One more than the decisions in a function, those of functions inside it not counted."""
MOST_PUBLIC_NAMES = 44
"""Functions, classes and constants of a module whose name has no underscore in front."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DECISIONS = (
    *(ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.match_case),
    *(ast.comprehension, ast.Assert),
)

Figures = dict[str, int]


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    """Text of every module of the program, by its path from the root."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="module")
def functions(sources: dict[str, str]) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    return {
        f"{path}:{node.lineno} {node.name}": node
        for path, text in sources.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, FUNCTIONS)
    }


def check(figures: Figures, bound: int) -> None:
    """Compare the largest figure with its bound; the message names what has it."""
    worst = max(figures, key=lambda name: figures[name])
    assert figures[worst] <= bound, f"{worst} has {figures[worst]}, more than {bound}: split it"
    assert figures[worst] == bound, f"the worst is {figures[worst]} ({worst}): lower the bound"


def test_no_file_is_longer(sources: dict[str, str]) -> None:
    check({path: len(text.splitlines()) for path, text in sources.items()}, LONGEST_FILE)


def test_no_function_is_longer(functions: dict[str, ast.FunctionDef]) -> None:
    check({name: length(node) for name, node in functions.items()}, LONGEST_FUNCTION)


def test_no_function_has_more_branches(functions: dict[str, ast.FunctionDef]) -> None:
    check({name: branches(node) for name, node in functions.items()}, MOST_BRANCHES)


def test_no_module_has_more_public_names(sources: dict[str, str]) -> None:
    check(
        {path: len(public_names(ast.parse(text))) for path, text in sources.items()},
        MOST_PUBLIC_NAMES,
    )


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count lines of code from `def` on."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is None:
        return lines
    return lines - ((first.end_lineno or first.lineno) - first.lineno + 1)


def branches(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count the ways through a function (McCabe 1976), each operand of `and` and `or` too."""
    ways = 1
    for node in own_nodes(function):
        if isinstance(node, ast.BoolOp):
            ways += len(node.values) - 1
        elif isinstance(node, DECISIONS):
            ways += 1
    return ways


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Walk a function without the functions and classes that are defined in it."""
    for child in ast.iter_child_nodes(function):
        if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            yield child
            yield from own_nodes(child)


def public_names(module: ast.Module) -> set[str]:
    """Names that a module defines for others."""
    names: set[str] = set()
    for node in module.body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_") and name != "log"}


def test_a_branch_and_a_line_are_counted() -> None:
    (function,) = ast.parse(
        'def f(a):\n    """Say."""\n    if a and a > 1:\n        return 1\n    return 2\n'
    ).body
    assert isinstance(function, ast.FunctionDef)

    assert length(function) == 4
    assert branches(function) == 3


def test_public_names_are_those_without_an_underscore() -> None:
    module = ast.parse("A = 1\n_B = 2\nC: int = 3\ndef d(): ...\nclass _E: ...\nlog = 0\n")

    assert public_names(module) == {"A", "C", "d"}
