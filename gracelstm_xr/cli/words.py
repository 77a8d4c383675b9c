"""Messages of the Python interface in the language of the shell."""

from __future__ import annotations

import re


class UsageError(ValueError):
    """The command was called in a wrong way: status 2."""


#: What a message says to who calls from Python, and what it says in the shell.
WORDS = (
    (r"mode='w' \((--overwrite)\)", r"\1"),
    (r"(--overwrite) \(overwrite=True\)", r"\1"),
    (r"write it anew with mode='w'", "write it anew with --overwrite"),
    (r"pass span=\(start, stop\)", "give --start and --stop"),
    (r"pass allow_training=True", "give --allow-training"),
    (r"pass clean=False to keep them", "keep them with --no-clean"),
    (r"pass (\w+)=True", r"give --\1"),
    (r"\bmodel\.save\(\)", "gracelstm fit"),
    (r"\bds\.grace\.(clean|fit|fill|gaps|resample|transplant)\(\)", r"gracelstm \1"),
    (r"\bds\.grace\.marks\(\)", "gracelstm clean"),
)


def in_shell(text: str) -> str:
    """Text of an error, a warning or a summary as a user of the command reads it."""
    for python, shell in WORDS:
        text = re.sub(python, shell, text)
    return text
