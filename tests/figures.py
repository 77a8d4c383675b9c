"""Checks of what a figure looks like, without comparing pixels."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from matplotlib.colors import to_rgb

#: Machado et al. (2009), deuteranopia at full strength, on linear RGB.
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)


def lab(colour: Any, *, colour_blind: bool) -> np.ndarray:
    """CIE L*a*b* of a colour as a reader with or without deuteranopia sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    if colour_blind:
        linear = np.clip(DEUTERANOPIA @ linear, 0, 1)
    scaled = TO_XYZ @ linear / (TO_XYZ @ np.ones(3))
    f = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def check_colours(looks: list[tuple[Any, Any, Any]]) -> None:
    """Lines (colour, marker, style) differ by more than 12 in L*a*b*, or in form."""
    for (a, *form_a), (b, *form_b) in itertools.combinations(looks, 2):
        if form_a != form_b:
            continue
        for blind in (False, True):
            apart = np.linalg.norm(
                lab(a, colour_blind=blind) - lab(b, colour_blind=blind)
            )
            assert apart > 12, (a, b, blind)


def check_layout(figure: Any) -> None:
    """No text or legend leaves the figure, no tick label touches its neighbour."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    frame = figure.bbox.padded(1)
    for ax in figure.axes:
        texts = [
            ax.xaxis.label,
            ax.yaxis.label,
            ax.title,
            ax._left_title,
            ax._right_title,
        ]
        boxes = [t.get_window_extent(renderer) for t in texts if t.get_text()]
        if ax.get_legend() is not None:
            boxes.append(ax.get_legend().get_window_extent(renderer))
        for box in boxes:
            assert frame.contains(box.x0, box.y0), box
            assert frame.contains(box.x1, box.y1), box
        for axis, low, high in ((ax.xaxis, "x0", "x1"), (ax.yaxis, "y0", "y1")):
            limits = sorted(axis.get_view_interval())
            found = [
                t.label1.get_window_extent(renderer)
                for t in axis.get_major_ticks()
                if t.label1.get_visible()
                and t.label1.get_text()
                and limits[0] <= t.get_loc() <= limits[1]
            ]
            found.sort(key=lambda box: getattr(box, low))
            for one, following in itertools.pairwise(found):
                assert getattr(one, high) <= getattr(following, low) + 1
            offset = axis.get_offset_text().get_text()
            assert "e" not in offset.replace("Dec", "").replace("Sep", "").replace(
                "Feb", ""
            ), offset


def lines_by_label(ax: Any) -> dict[str, Any]:
    """Lines that the legend names."""
    named = {str(line.get_label()): line for line in ax.get_lines()}
    return {k: v for k, v in named.items() if not k.startswith("_")}
