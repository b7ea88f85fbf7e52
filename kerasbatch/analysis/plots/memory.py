"""The plot `memory`: the peak memory of every run, by batch size."""

from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots.by_batch_size import (
    Panels,
    draw_panels,
    measured_panels,
    panels_content,
)
from kerasbatch.analysis.plots.kind import PlotKind

COLUMNS = {"peak_memory_mb": "peak memory of the process, MB"}


def memory_panels(loaded: Loaded) -> Panels:
    """Return the peak memory of every run, by batch size."""
    return measured_panels(loaded, "memory", "Memory by batch size", COLUMNS, from_zero=True)


KIND = PlotKind(
    figure=lambda request: draw_panels(memory_panels(request.loaded)),
    content=lambda request: panels_content(memory_panels(request.loaded), "every run is a dot"),
)
