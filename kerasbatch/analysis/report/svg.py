"""Figures as inline SVG of a page: CSS can change the colours, a script can show the values.

matplotlib writes `style` attributes, which a strict Content-Security-Policy forbids, and ids that
clash when a page holds several figures. This module turns the styles into presentation attributes
and prefixes the ids.
"""

import io
import re
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np

from kerasbatch.analysis.plots.hover import HoverPoints

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
POINTS_PER_INCH = 72
DIGITS = 6
NOT_DRAWN = {f"{SVG}metadata", f"{SVG}style"}
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_LONG = re.compile(r"\d+\.\d{3,}")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")


def figure_svg(figure: "Figure", name: str, alternative: str) -> str:
    """Return a figure as an `svg` element.

    Args:
        figure: the figure.
        name: an identifier that is unique on the page, of letters, digits and dashes.
        alternative: a description of the figure for screen readers.
    """
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}), warnings.catch_warnings():
        # Texts stay texts: the browser draws them with its own fonts.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # the layout is done; savefig would repeat it
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = _NOT_IN_XML.sub("\ufffd", file.getvalue().decode("utf-8", "replace"))
    root = ElementTree.fromstring(text)  # noqa: S314  # written by matplotlib above
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in NOT_DRAWN]:
            parent.remove(child)
    for element in root.iter():
        _adapt(element, name)
    for size in ("width", "height"):
        root.attrib.pop(size)
    root.attrib |= {"stroke-linejoin": "round", "role": "img"}
    root.attrib["aria-label"] = _NOT_IN_XML.sub("\ufffd", alternative)
    ElementTree.register_namespace("", SVG.strip("{}"))
    return ElementTree.tostring(root, encoding="unicode")


def _adapt(element: ElementTree.Element, name: str) -> None:
    """Turn styles into attributes, set the colour of texts, and prefix the ids."""
    attributes = element.attrib
    for declaration in attributes.pop("style", "").split(";"):
        key, _, value = declaration.partition(":")
        if key.strip() and key.strip() != "font-family":  # the page sets the font
            attributes[key.strip()] = value.strip()
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    if HREF in attributes:
        attributes["href"] = f"#{name}-{attributes.pop(HREF).removeprefix('#')}"
    if element.tag == f"{SVG}text":
        attributes.setdefault("fill", "#000000")
    for key in {"d", "x", "y"} & set(attributes):
        attributes[key] = _LONG.sub(_short, attributes[key])
    for key, value in attributes.items():
        attributes[key] = _REFERENCE.sub(rf"url(#{name}-\1)", value)


def _short(number: re.Match[str]) -> str:
    """Return a coordinate rounded to a hundredth of a point, too little to see."""
    return f"{float(number[0]):.2f}"


def hover_data(figure: "Figure", lines: Iterable[HoverPoints]) -> dict[str, Any]:
    """Return the data of the tooltips of a figure with one panel, after `figure_svg` drew it.

    Args:
        figure: the figure.
        lines: the points of its lines and dots.

    Returns:
        `x` and `y`: the labels of the axes; `lines`: the label of each line, and its points as
        [left, top, x, y], with left and top in the units of the SVG.
    """
    (axes,) = figure.axes
    return {
        "x": axes.get_xlabel(),
        "y": axes.get_ylabel(),
        "lines": [_line_data(axes, line) for line in lines],
    }


def _line_data(axes: "Axes", line: HoverPoints) -> dict[str, Any]:
    figure: Any = axes.figure
    scale, height = POINTS_PER_INCH / figure.dpi, figure.get_figheight() * POINTS_PER_INCH
    values = np.column_stack([line.x, line.y])
    positions = axes.transData.transform(values)
    low, high = axes.bbox.padded(1).get_points()
    # The logarithm of 0 has no position.
    drawn = ((low <= positions) & (positions <= high)).all(axis=1)
    positions = positions * scale * [1, -1] + [0, height]
    points = np.column_stack([positions.round(1), values])[drawn]
    return {
        "label": line.label,
        "points": [[float(f"{number:.{DIGITS}g}") for number in point] for point in points],
    }
