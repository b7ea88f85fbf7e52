"""Tables that Python code passed, with their targets."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kerasbatch.data.tables.binary_tables import typed_cells
from kerasbatch.data.tables.table import Table
from kerasbatch.errors import Location, SpecError
from kerasbatch.spec.data_schema import ObjectData
from kerasbatch.spec.trust import Access

PLACE: Location = ("data",)
WEIGHT = "sample_weight"
"""The name of a column of weights that were passed as an array."""


def is_table(data: ObjectData, access: Access) -> bool:
    """Return whether the passed examples are a table of named columns."""
    return hasattr(passed_parts(data, access)["x"], "columns")


def with_columns(data: ObjectData, access: Access) -> ObjectData:
    """Return the keys of a passed table, with the names of its target and its weights."""
    parts = passed_parts(data, access)
    weight = parts.get("weight")
    weight_name = weight if isinstance(weight, str) or weight is None else WEIGHT
    return data.model_copy(update={"target": _target_name(parts), "weight": weight_name})


def passed_tables(data: ObjectData, access: Access) -> Iterator[tuple[str, Table]]:
    """Yield the tables of all parts: train, validation, test; targets and weights are columns.

    Raises:
        SpecError: if the parts of a table do not fit each other.
    """
    parts = passed_parts(data, access)
    weight = parts.get("weight")
    extra = {} if weight is None or isinstance(weight, str) else {WEIGHT: weight}
    yield "train", _table(parts["x"], parts["y"], data.targets[0], (*PLACE, "object"), extra)
    for name in ("validation", "test"):
        if parts.get(name) is not None:
            value = parts[name]
            is_frame, target = hasattr(value, "columns"), data.targets[0]
            x, y = (value, target) if is_frame else pair_of(parts, name)
            yield name, _table(x, y, target, (*PLACE, name), {})


def passed_parts(data: ObjectData, access: Access) -> Mapping[str, Any]:
    """Return the passed arrays or tables by their names: x, y and others."""
    parts: Mapping[str, Any] = access.objects.get(data.object, PLACE)
    return parts


def pair_of(parts: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    """Return the x and y of a part, or None for both if there is none."""
    value = parts.get(name)
    if value is None:
        return None, None
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise SpecError.at((*PLACE, name), f"found {type(value).__name__}; must be (x, y)")
    return value[0], value[1]


def _target_name(parts: Mapping[str, Any]) -> str:
    """Return the name of the target: the column of x that y names, or the name of y."""
    y, columns = parts["y"], [str(name) for name in parts["x"].columns]
    if isinstance(y, str):
        return y
    names = [str(name) for name in getattr(y, "columns", [getattr(y, "name", None) or "y"])]
    free = (f"{name}{'_' * number}" for number in range(len(columns) + 1) for name in names[:1])
    return next(name for name in free if name not in columns)


def _table(x: Any, y: Any, target: str, where: Location, extra: Mapping[str, Any]) -> Table:
    """Return a table with its target as a column; rows belong together by their positions."""
    if not hasattr(x, "columns"):
        raise SpecError.at(where, f"found {type(x).__name__}; must be a DataFrame, as x is")
    frame = x.reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    if isinstance(y, str) and frame[y].dtype == bool:
        frame[y] = frame[y].astype(np.int64)
    added = extra if isinstance(y, str) else {target: y, **extra}
    for name, column in added.items():
        if isinstance(column, np.ma.MaskedArray):
            raise SpecError.at(where, f"{name} is a masked array; fill it, or leave the rows out")
        _check_same_order(x, column, name, where)
        values = np.asarray(column)
        values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        if values.shape != (len(frame),):
            message = f"x has {len(frame):,} rows, and {name} has shape {values.shape}; a table "
            message += "has one number or label for each row"
            raise SpecError.at(where, message)
        frame[name] = values.astype(np.int64) if values.dtype.kind == "b" else values
    cells = typed_cells(frame, where, list(frame.columns))
    return Table(cells, where, lambda row: f"row {row}", "the DataFrame")


def _check_same_order(x: Any, y: Any, name: str, where: Location) -> None:
    """Raise an error if x and y have the same index in another order."""
    if not hasattr(y, "iloc") or len(y) != len(x) or x.index.equals(y.index):
        return
    if x.index.is_unique and set(x.index) == set(y.index):
        message = f"x and {name} have the same index in another order; write {name}.loc[x.index]"
        raise SpecError.at(where, message)
