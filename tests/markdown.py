"""Blocks of code in Markdown pages, and how a reader runs them.

Python blocks of a page share one namespace; in shell blocks every line is a command of
``gracelstm``. A block under ``<!-- not run: reason -->`` is left out.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n)?"
    r"^```(?P<kind>\S*)[^\n]*\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code: its page, first line, language, text, and why it is not run."""

    page: Path
    line: int
    kind: str
    code: str
    why: str | None

    def run(self, names: dict[str, Any]) -> None:
        """Run it in the working directory; `names` are those of the page so far."""
        if self.kind == "python":
            # errors then name the line of the page
            code = "\n" * self.line + self.code
            exec(compile(code, str(self.page), "exec"), names)
        else:
            for line in self.code.replace("\\\n", " ").splitlines():
                self._command(shlex.split(line, comments=True))

    def _command(self, words: list[str]) -> None:
        from gracelstm_xr.cli import main

        if words:
            place = f"{self.page}:{self.line}: {shlex.join(words)}"
            assert words[0] == "gracelstm", place
            assert main([words[1], "--quiet", *words[2:]]) == 0, place


def blocks(page: Path) -> list[Block]:
    """Blocks in Python and, without a language, of the shell, in order."""
    text = page.read_text()
    return [
        Block(
            page, text.count("\n", 0, m.start("code")), m["kind"], m["code"], m["why"]
        )
        for m in BLOCK.finditer(text)
        if m["kind"] in ("", "python")
    ]
