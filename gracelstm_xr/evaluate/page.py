"""Pieces of an HTML page that stands alone, on screen and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from gracelstm_xr.files import PROGRAM

__all__ = ["badge", "page", "paragraph", "section", "table"]

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff;
  margin: 0 auto; padding: 1.5rem; max-width: 78rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; border-bottom: 1px solid #bbb; margin: 2rem 0 .8rem; }
.badge { display: inline-block; padding: .15rem .6rem; border: 2px solid #222;
  font-weight: 600; }
.warning { border-left: 5px solid #d55e00; padding: .4rem .8rem; font-weight: 600; }
.wide { overflow-x: auto; margin: 0 0 1.4rem; }
table { border-collapse: collapse; font-size: .82rem; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { border: 1px solid #ccc; padding: .15rem .45rem; text-align: right;
  font-variant-numeric: tabular-nums; white-space: nowrap; }
th { background: #f2f2f2; }
th:first-child, td:first-child, td.word { text-align: left; }
figure { margin: 0 0 1.4rem; }
figure svg { max-width: 100%; height: auto; }
@media print { body { padding: 0; max-width: none; font-size: 10px; }
  .wide { overflow: visible; } table { font-size: 7px; }
  tr, figure { break-inside: avoid; } h2 { break-after: avoid; } }
"""


def page(title: str, body: str) -> str:
    """A whole page; ``body`` is HTML, ``title`` is text."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="generator" content="{PROGRAM}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def badge(text: str) -> str:
    """Words that must not be overlooked."""
    return f'<p><span class="badge">{escape(text)}</span></p>'


def paragraph(text: str, *, kind: str = "") -> str:
    """A paragraph, of class ``kind`` where given."""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape(text)}</p>"


def section(title: str, body: str) -> str:
    """A heading and what belongs to it; ``body`` is HTML."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str) -> str:
    """A table of texts with a caption; nothing without rows."""
    if not rows:
        return ""
    cells = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join(
        "<tr>" + "".join(_cell(text) for text in row) + "</tr>" for row in rows
    )
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(text: str) -> str:
    kind = ' class="word"' if text[:1].isalpha() else ""
    return f"<td{kind}>{escape(text)}</td>"
