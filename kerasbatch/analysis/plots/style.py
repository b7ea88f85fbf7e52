"""The style of plots: colours, sizes, axes of batch sizes and of costs."""

import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasbatch.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

COSTS = {"steps": "steps", "examples": "examples seen", "seconds": "seconds of training"}
"""The costs of a training, with the labels of their axes."""
FEW = 7
"""The number of colours that people can distinguish; more lines get shades of one scale."""
# Any two differ by more than 15 in CIELAB, also as people without one of the three cones see them,
# and all have a contrast of 3 to 1 with the page. Lines differ in style, too.
COLOURS = ("#0072B2", "#8E3802", "#0E9F4B", "#92406B", "#B4830A", "#0095FF", "#000000")
ON_DARK = ("#4DA3DC", "#C45400", "#24E179", "#A34B86", "#BCBD15", "#B5D7FF", "#F2F2F2")
"""The same colours on a dark page."""
SHADES, SHADES_ON_DARK = (0.0, 0.64), (0.42, 1.0)
"""The visible part of the scale on a white page, and on a dark one."""
STYLES = ("-", "--", "-.", ":")
DOT = "#0072B2"
GREY = "#8c8c8c"
MANY_DECADES = 2000.0
"""The span from which on an axis has numbers at powers of ten only."""
TEXT = 9
"""The size of all texts in a picture, in points."""
LEGEND_WIDTH = 60
"""The width of a legend below a panel, in characters."""
FEW_NUMBERS = 6.0
"""The span below which an axis needs numbers between powers of ten and their halves."""
SPREAD = 20.0
"""The ratio of the largest to the smallest value above which their axis is logarithmic."""
DECADE = 10.0
"""The ratio of the ends of lines above which their axis is logarithmic."""


def line_styles(count: int) -> list[dict[str, Any]]:
    """Return the colour and line style of `count` ordered lines.

    More than a few lines get plasma, a scale from dark to light whose order colour-blind people
    and grey printers preserve.
    """
    if count <= FEW:
        return [
            {"color": COLOURS[number], "linestyle": STYLES[number % len(STYLES)]}
            for number in range(count)
        ]
    return [{"color": shade, "linestyle": "-"} for shade in _scale(np.linspace(*SHADES, count))]


def _scale(places: Array) -> list[str]:
    """Return the colours at places of the scale, from 0 to 1."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(shade) for shade in colormaps["plasma"](places)]


def dark_color(colour: str) -> str | None:
    """Return the colour on a dark page that replaces a colour, or None if it stays.

    Args:
        colour: a colour such as #0072b2.
    """
    fixed = dict(zip(map(str.lower, COLOURS), ON_DARK, strict=True))
    if colour in fixed:
        return fixed[colour]
    place = _places().get(colour)
    if place is None:
        return None
    return _scale(np.interp([place], SHADES, SHADES_ON_DARK))[0]


@functools.cache
def _places() -> dict[str, float]:
    """Return the place of every colour of the scale."""
    places = np.linspace(0, 1, 256)
    return dict(zip(_scale(places), places.tolist(), strict=True))


def drawing_context() -> AbstractContextManager[None]:
    """Return the context for drawing: equal type sizes, and `$` is no formula."""
    from matplotlib import rc_context

    settings: Any = {"text.parse_math": False, "font.size": TEXT}
    settings |= dict.fromkeys(("axes.titlesize", "figure.titlesize"), "medium")
    context: AbstractContextManager[None] = rc_context(settings)
    return context


def new_figure(
    columns: int, *, width: float = 4.6, height: float = 4.2
) -> tuple["Figure", list["Axes"]]:
    """Return a figure of panels side by side."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height), layout="constrained")
    return figure, [figure.add_subplot(1, columns, number + 1) for number in range(columns)]


def grid_shape(panels: int, most: int) -> tuple[int, int]:
    """Return the rows and columns of a grid of panels with at most `most` columns."""
    columns = min(most, panels)
    return -(-panels // columns), columns


def batch_size_axis(axes: "Axes", sizes: Sequence[int]) -> None:
    """Make the x axis one of batch sizes: logarithmic, with a tick for each."""
    ticks = sorted(set(sizes))
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{size:,}" for size in ticks], minor=False)
    axes.set_xticks([], minor=True)
    axes.tick_params(axis="x", labelrotation=60 if len(ticks) > FEW else 0)
    low, high = ticks[0], ticks[-1]
    axes.set_xlim(low / 1.5, high * 1.5)
    axes.set_xlabel("batch size")
    axes.grid(visible=True, alpha=0.3)


def log_numbers(axes: "Axes") -> None:
    """Make the y axis logarithmic, with numbers written out."""
    from matplotlib.ticker import LogLocator

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    subs: tuple[float, ...] = (1, 2, 5) if high / low <= MANY_DECADES else (1,)
    if high / low < FEW_NUMBERS:
        subs = (1, 1.5, 2, 3, 4, 5, 6, 8)
    axes.yaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
    full_numbers(axes.yaxis)


def spans_decades(values: Array) -> bool:
    """Return whether values need a logarithmic axis: they are positive and far apart."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() > SPREAD * finite.min())


def full_numbers(axis: "Axis") -> None:
    """Write the numbers of an axis out, like 1,000,000."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(lambda value, _: tick_label(value)))
    axis.set_minor_formatter(NullFormatter())


def tick_label(value: float) -> str:
    """Return a number as text, like 1,000,000 and 0.05."""
    plain = f"{value:,.6g}" if value >= 10 else f"{value:g}"
    short = plain.replace("e+0", "e").replace("e-0", "e-")
    return f"{value:,.0f}" if 10 <= value < 1e7 and value % 1 == 0 else short


def cost_axis(axes: "Axes", cost: str, ends: Sequence[float]) -> None:
    """Make the x axis one of a cost; logarithmic if the ends of lines are far apart."""
    positive = [end for end in ends if end > 0]
    if positive and max(positive) / min(positive) > DECADE:
        axes.set_xscale("log")
    else:
        axes.locator_params(axis="x", nbins=6)
    full_numbers(axes.xaxis)
    axes.set_xlabel(COSTS[cost])
    axes.grid(visible=True, alpha=0.3)


def add_legend(figure: "Figure", axes: "Axes", title: str, *, below: bool = False) -> None:
    """Add the legend of an axes beside all panels, or below them."""
    handles, labels = axes.get_legend_handles_labels()
    if handles and below:
        longest = max(map(len, labels))
        columns = max(1, min(len(labels), LEGEND_WIDTH // (longest + 6)))
        figure.legend(
            handles,
            labels,
            title=title,
            loc="outside lower center",
            ncols=columns,
            frameon=False,
        )
    elif handles:
        figure.legend(handles, labels, title=title, loc="outside right upper")
