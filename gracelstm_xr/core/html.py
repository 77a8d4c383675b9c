"""Summaries as HTML, for notebooks."""

from __future__ import annotations

import html


def facts(text: str) -> str:
    """Lines of ``name: what it is`` as a table, the first line as its caption.

    Parameters
    ----------
    text : str
        As a ``repr`` or a summary has them; everything is escaped. A line without a
        colon stands alone.

    Returns
    -------
    str
    """
    caption, *lines = (html.escape(line.strip()) for line in text.splitlines())
    rows = []
    for line in lines:
        name, colon, what = line.partition(": ")
        cells = (
            f"<th style='text-align:left'>{name}</th>"
            f"<td style='text-align:left'>{what.strip()}</td>"
            if colon
            else f"<th colspan='2' style='text-align:left'>{line}</th>"
        )
        rows.append(f"<tr>{cells}</tr>")
    return (
        f"<table><caption style='text-align:left'>{caption}</caption>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
