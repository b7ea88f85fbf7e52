"""The plot `throughput`: examples and steps per second of every run, by batch size."""

from kerasbatch.analysis.loading.load import Loaded
from kerasbatch.analysis.plots.by_batch_size import (
    Panels,
    draw_panels,
    measured_panels,
    panels_content,
)
from kerasbatch.analysis.plots.kind import PlotKind

COLUMNS = {
    "examples_per_second": "examples per second",
    "steps_per_second": "steps per second",
}


def throughput_panels(loaded: Loaded) -> Panels:
    """Return examples and steps per second of every run, by batch size."""
    return measured_panels(loaded, "throughput", "Speed by batch size", COLUMNS)


KIND = PlotKind(
    figure=lambda request: draw_panels(throughput_panels(request.loaded)),
    content=lambda request: panels_content(throughput_panels(request.loaded), "every run is a dot"),
)
