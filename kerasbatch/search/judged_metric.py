"""The metric by which runs are judged, and the direction in which it improves."""

from collections.abc import Mapping
from typing import Any

from kerasbatch.spec import keras_registry
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import Target


def judged_metric(spec: Spec, columns: Mapping[str, Any]) -> str:
    """Return the column of the metric by which runs are judged.

    It is that of the target, else the first metric at fixed weights, else the loss.

    Args:
        spec: the spec of a run.
        columns: a mapping with the columns of its row.
    """
    if spec.target is not None:
        return spec.target.metric
    names = list(spec.logged_metrics())[1:]
    prefix = "val_" if "val_loss" in columns else "train_"
    known = (prefix + name for name in names if keras_registry.better_direction(name) is not None)
    return next((column for column in known if column in columns), f"{prefix}loss")


def lower_is_better(target: Target | None, metric: str) -> bool:
    """Return whether lower values of the metric that decides are better.

    Of a metric of own code, only a target says it.

    Args:
        target: the target, which has the metric; or None.
        metric: the metric.
    """
    return keras_registry.lower_is_better(metric) if target is None else target.lower_is_better
