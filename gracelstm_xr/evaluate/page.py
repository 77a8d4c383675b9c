"""Pieces of an HTML page that stands alone, from the macros of ``page.html``.

Texts are escaped by the template engine; only what these functions return goes into a
page as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gracelstm_xr.files import PROGRAM

if TYPE_CHECKING:
    from markupsafe import Markup


@functools.cache
def _macros() -> Any:
    from jinja2 import Environment

    source = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return Environment(autoescape=True).from_string(source).module


def _piece(macro: str, *arguments: Any) -> Markup:
    piece: Markup = getattr(_macros(), macro)(*arguments)
    return piece


def joined(pieces: Iterable[Markup]) -> Markup:
    """Pieces of a page one after the other."""
    from markupsafe import Markup

    return Markup("").join(pieces)


def page(title: str, body: Markup) -> str:
    """A whole page."""
    return str(_piece("page", title, body, PROGRAM))


def badge(text: str) -> Markup:
    """Words that must not be overlooked."""
    return _piece("badge", text)


def paragraph(text: str, *, kind: str = "") -> Markup:
    """A paragraph, of class ``kind`` where given."""
    return _piece("paragraph", text, kind)


def bullets(texts: Sequence[str]) -> Markup:
    """A list of sentences."""
    return _piece("bullets", texts)


def section(title: str, body: Markup) -> Markup:
    """A heading and what belongs to it."""
    return _piece("section", title, body)


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str
) -> Markup:
    """A table of texts with a caption; nothing without rows."""
    return _piece("table", head, rows, caption)
