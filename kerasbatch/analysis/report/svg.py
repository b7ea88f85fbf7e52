"""A figure as SVG that stands inside a page: its colours are the page's, its points can be read.

matplotlib writes styles as attributes that a strict Content-Security-Policy forbids, and names that
two pictures of a page would share; here they become presentation attributes and names of their own.
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
        name: a name that no other picture of the page has; letters, digits and dashes.
        alternative: what is to be seen, in words.
    """
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}), warnings.catch_warnings():
        # Texts stay texts: it is the browser's fonts that draw them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # else it lays everything out once more
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = _NOT_IN_XML.sub("\ufffd", file.getvalue().decode("utf-8", "replace"))
    root = ElementTree.fromstring(text)  # noqa: S314  # matplotlib has just written it
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
    """Make styles attributes, colours the page's, and names of its own."""
    attributes = element.attrib
    for each in attributes.pop("style", "").split(";"):
        key, _, value = each.partition(":")
        if key.strip() and key.strip() != "font-family":  # the page has a font
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
    """Return a place to a hundredth of a point, which nobody can see."""
    return f"{float(number[0]):.2f}"


def hover_data(figure: "Figure", readings: Iterable[HoverPoints]) -> dict[str, Any]:
    """Return what stands under the pointer in a figure of one panel that was written.

    Args:
        figure: the figure.
        readings: what its lines and dots say.

    Returns:
        `x` and `y`: what the axes tell; `lines`: the label of each, and its points as
        [left, top, x, y]; left and top in the units of the SVG.
    """
    (axes,) = figure.axes
    lines = [_line(axes, each) for each in readings]
    return {"x": axes.get_xlabel(), "y": axes.get_ylabel(), "lines": lines}


def _line(axes: "Axes", reading: HoverPoints) -> dict[str, Any]:
    figure: Any = axes.figure
    scale, height = POINTS_PER_INCH / figure.dpi, figure.get_figheight() * POINTS_PER_INCH
    values = np.column_stack([reading.x, reading.y])
    places = axes.transData.transform(values)
    low, high = axes.bbox.padded(1).get_points()
    drawn = ((low <= places) & (places <= high)).all(axis=1)  # the logarithm of 0 is nowhere
    places = places * scale * [1, -1] + [0, height]
    points = np.column_stack([places.round(1), values])[drawn]
    return {
        "label": reading.label,
        "points": [[float(f"{number:.{DIGITS}g}") for number in point] for point in points],
    }
