"""The layout of the package: who may import whom, no circles, sizes by room.

``python tests/test_house.py`` prints code lines, modules and definitions per room.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "gracelstm_xr"
SOURCE = Path(__file__).parents[1] / PACKAGE
#: Modules beside the rooms that everyone may import.
GROUND = {"arrays", "errors", "files", "lazy", "missions", "process", "version"}
#: Room to the rooms below it that it may import; ground and itself always.
BELOW: dict[str, set[str]] = {
    "signal": set(),
    "l1b": set(),
    "core": {"l1b"},
    "compute": {"core"},
    "archive": {"l1b", "core"},
    "store": {"l1b", "core", "compute", "archive"},
    "preprocess": {"signal", "core", "compute"},
    "physics": {"signal", "core", "compute"},
    "baselines": {"signal", "core", "compute", "preprocess", "physics"},
    "lstm": {"signal", "core", "compute", "physics", "baselines"},
    "filling": {"signal", "core", "compute", "physics", "baselines", "lstm"},
    "plot": {"signal", "core", "compute", "preprocess", "physics"},
    "evaluate": {"signal", "core", "compute", "physics"}
    | {"baselines", "filling", "plot"},
    "export": {"l1b", "core", "compute", "physics"},
    "simulate": {"signal", "l1b", "core", "compute", "preprocess", "physics"},
}
#: What a user calls. It may import everything, late, so that it opens fast; nobody
#: imports it.
EDGE = {"accessor", "cli", "gaps", "tutorial"}


@dataclass(frozen=True)
class Import:
    """An import of one module of the package by another."""

    source: str
    target: str
    line: int
    late: bool
    typing: bool

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target}"


def modules() -> dict[str, Path]:
    """Dotted names below the package to their files; "" is the package itself."""
    names = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        names[".".join(p for p in parts if p != "__init__")] = path
    return names


MODULES = modules()


def room_of(module: str) -> str:
    """First part of a module's name; ground modules are one room.

    ``python -m gracelstm_xr`` is the command line.
    """
    first = "cli" if module == "__main__" else module.partition(".")[0]
    return "ground" if first in GROUND else first


def imports_of(module: str) -> Iterator[Import]:
    """All imports of the package's own modules in one of them."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))

    def visit(node: ast.AST, late: bool, typing: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            inside = late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            typed = typing or (
                isinstance(child, ast.If)
                and ast.unparse(child.test).endswith("TYPE_CHECKING")
            )
            for name in named(child):
                yield Import(module, name, child.lineno, inside, typed)
            yield from visit(child, inside, typed)

    return visit(tree, False, False)


def named(node: ast.AST) -> Iterator[str]:
    """Modules of the package that an import statement names."""
    if isinstance(node, ast.Import):
        full = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        assert node.level == 0, "imports are absolute"
        full = [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return
    for name in full:
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            inner = name.removeprefix(PACKAGE).removeprefix(".")
            yield inner if inner in MODULES else inner.rpartition(".")[0]


IMPORTS = [i for module in MODULES for i in imports_of(module) if not i.typing]


def test_every_module_is_in_a_room() -> None:
    rooms = {room_of(m) for m in MODULES if m}
    assert rooms == {*BELOW, *EDGE, "ground"}


def test_imports_point_down() -> None:
    wrong = []
    for i in IMPORTS:
        source, target = room_of(i.source), room_of(i.target)
        if source in EDGE or not i.source or source == target or target == "ground":
            continue
        if target not in BELOW.get(source, set()):
            wrong.append(str(i))
    assert not wrong, "\n".join(wrong)


def test_nobody_imports_what_a_user_calls() -> None:
    top = [
        i for i in IMPORTS if i.source and (not i.target or room_of(i.target) in EDGE)
    ]
    wrong = [str(i) for i in top if room_of(i.source) != room_of(i.target)]
    assert not wrong, "\n".join(wrong)


def test_no_late_import_of_own_modules() -> None:
    """A late import hides a circle; only what a user calls defers its own modules."""
    wrong = [
        str(i) for i in IMPORTS if i.late and i.source and room_of(i.source) not in EDGE
    ]
    assert not wrong, "\n".join(wrong)


def test_no_circles() -> None:
    below = defaultdict(set)
    for i in IMPORTS:
        if i.target != i.source:
            below[i.source].add(i.target)
    done: set[str] = set()

    def descend(module: str, path: tuple[str, ...]) -> None:
        if module in path:
            raise AssertionError(" -> ".join((*path[path.index(module) :], module)))
        if module not in done:
            for lower in sorted(below[module]):
                descend(lower, (*path, module))
            done.add(module)

    for module in sorted(MODULES):
        descend(module, ())


def code_lines(path: Path) -> int:
    """Lines that are not blank, comment or docstring."""
    text = path.read_text(encoding="utf-8")
    lines: set[int] = set()
    skip = (
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    )
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skip:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            )
            and ast.get_docstring(node, clean=False) is not None
        ):
            first = node.body[0]
            lines.difference_update(range(first.lineno, (first.end_lineno or 0) + 1))
    return len(lines)


def table() -> str:
    """Code lines, modules and top-level definitions per room."""
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for module, path in MODULES.items():
        body = ast.parse(path.read_text(encoding="utf-8")).body
        defined = sum(
            isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            for n in body
        )
        room = room_of(module) or "package"
        for row in (rows[room], rows["total"]):
            row[0] += code_lines(path)
            row[1] += 1
            row[2] += defined
    order = sorted(rows, key=lambda r: (r == "total", r))
    lines = [f"{'room':12}{'code':>8}{'modules':>9}{'definitions':>13}"]
    lines += [f"{r:12}{rows[r][0]:8}{rows[r][1]:9}{rows[r][2]:13}" for r in order]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
