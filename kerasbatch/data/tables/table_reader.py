"""The reader of a user's table, in up to three files: the columns of the spec as arrays."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.table_format import TableFormat
from kerasbatch.data.tables.column_roles import ColumnRoles, index_columns, roles
from kerasbatch.data.tables.conversion import (
    ADVICE,
    ADVICE_FOR_SERIES,
    Words,
    matrix,
    numbers,
    targets,
    words_of,
)
from kerasbatch.data.tables.dates import tables_with_dates
from kerasbatch.data.tables.passed_tables import passed_tables, with_columns
from kerasbatch.data.tables.series import in_order
from kerasbatch.data.tables.side_columns import groups_of, texts_of, window_of
from kerasbatch.data.tables.table import Table
from kerasbatch.data.tables.table_files import tables_of
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec import data_schema
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted
from kerasbatch.types import Array


def read_table(data: data_schema.TableData, access: Access, groups: str | None = None) -> RawArrays:
    """Return the columns of a table as examples, target and weights.

    Args:
        data: the keys of the spec.
        access: the files that the spec may read.
        groups: the column of the groups that validation keeps together, or None.

    Raises:
        SpecError: if a file is not a table with these columns; all faults at once.
    """
    if isinstance(data, data_schema.ObjectData):
        data = with_columns(data, access)
        tables = dict(passed_tables(data, access))
    else:
        tables = dict(tables_of(data, access))
    index, notices = index_columns(data, tables["train"])
    notices = [*tables["train"].notices, *notices]
    tables = tables_with_dates(data, tables)
    columns = _columns(data, tables["train"], index, groups)
    _check(data, tables, columns, groups)
    if data.time is not None:
        for part, table in tables.items():
            tables[part], part_notices = in_order(table, data.time)
            notices += part_notices
    orders = {name: words for name, words in (data.order or {}).items() if name in columns}
    tables = {part: table.ordered(orders) for part, table in tables.items()}
    column_roles = roles(data, tables["train"], columns)
    notices += column_roles.notices
    if column_roles.faults:
        raise SpecError(_all_faults(data, tables["train"], column_roles))
    numbers_columns = [name for name in columns if name not in column_roles.words]
    _check_units(tables, column_roles.units, numbers_columns)
    words = words_of(tables.values(), column_roles.words)
    if data.missing == "drop":
        for part, table in tables.items():
            tables[part], part_notices = _drop_incomplete_rows(data, table, columns, words)
            notices += part_notices
    arrays = _arrays(data, tables, columns, words)
    train = tables["train"]
    return replace(
        arrays,
        texts={} if data.text is None else texts_of(tables, data.text.column),
        groups=None if groups is None else groups_of(train, groups),
        window=window_of(data),
        day_first=train.day_first,
        orders=orders,
        units=column_roles.units,
        table_format=TableFormat.of(data).found(train.separator, train.decimal),
        notice="; ".join(notices) or None,
    )


def _check_units(tables: Mapping[str, Table], units: Mapping[str, str], names: list[str]) -> None:
    """Raise an error for columns of validation or test with other units than in training."""
    faults = []
    for part, table in tables.items():
        if part != "train":
            faults += table.check_units(units, names)
    if faults:
        raise SpecError(faults)


def _columns(
    data: data_schema.TableData, table: Table, index: list[str], groups: str | None
) -> list[str]:
    """Return the columns to learn from."""
    if data.columns:
        return list(data.columns)
    others = {data.weight, data.time, groups, *index, *(data.exclude or ())}
    if data.text is not None:
        others.add(data.text.column)
    if data.window is None:  # of a series, the past of the target is known
        others |= {*data.targets}
    names = dict.fromkeys(str(name) for name in table.cells.columns)
    return [name for name in names if name not in others]


def _all_faults(data: data_schema.TableData, table: Table, found: ColumnRoles) -> list[Fault]:
    """Return the faults of columns of words, and those of columns of numbers."""
    faults, bad, has_gaps = list(found.faults), list(found.bad), False
    for name in found.names:
        if name not in found.words:
            try:
                numbers(table, name, allow_missing=data.missing is not None, advice=_advice(data))
            except SpecError as error:
                faults += error.faults
                if table.filled(name).all():
                    bad.append(name)
        if name not in bad:
            has_gaps = has_gaps or not table.filled(name, text=name in found.words).all()
    if len(bad) + (has_gaps and data.missing is None) > 1:
        exclude = [*(data.exclude or ()), *bad]
        gaps = " and missing: mean" if has_gaps and data.missing is None else ""
        message = f"to train on the other columns, write exclude: [{', '.join(exclude)}]{gaps}"
        faults.append(Fault(("data",), message))
    return faults


def _check(
    data: data_schema.TableData, tables: dict[str, Table], columns: list[str], groups: str | None
) -> None:
    """Raise an error for columns that are missing, listed twice, or have two roles."""
    named = dict.fromkeys(data.targets, "target")
    named |= {data.weight: "weight"} if data.weight and data.weight not in named else {}
    others = _other_columns(data)
    places = _places(data, columns, named) | others
    if groups is not None:
        places[groups] = ("validation", "groups")
    faults = tables["train"].check_columns(places)
    for part, table in tables.items():
        if part != "train":  # only training examples have weights
            names = dict.fromkeys([*data.targets, *others, *columns], table.where)
            faults += table.check_columns(names)
    if twice := [name for name in dict.fromkeys(columns) if columns.count(name) > 1]:
        faults.append(Fault(("data", "columns"), f"{', '.join(twice)} is listed twice"))
    faults += [
        Fault(("data", "columns"), f"{name} is the {role}; leave it out here")
        for name, role in named.items()
        if name in columns and not (role == "target" and data.window is not None)
    ]
    if data.columns and data.exclude:
        faults.append(Fault(("data", "exclude"), "columns lists the columns already"))
    if data.weight in data.targets:
        faults.append(Fault(("data", "weight"), f"{data.weight} is the target already"))
    if len(set(data.targets)) < len(data.targets):
        faults.append(Fault(("data", "target"), "a column is listed twice"))
    if not faults and not columns and data.text is None:
        faults.append(Fault(("data", data.kind), "the file has no column beside the target"))
    if faults:
        raise SpecError(faults)


def _other_columns(data: data_schema.TableData) -> dict[str, Location]:
    """Return the columns of text and of time, with their places in the spec."""
    places: dict[str, Location] = {}
    if data.text is not None:
        places[data.text.column] = ("data", "text", "column")
    if data.time is not None:
        places[data.time] = ("data", "time")
    return places


def _places(
    data: data_schema.TableData, columns: list[str], named: Mapping[str, str]
) -> dict[str, Location]:
    """Return the place in the spec of every column that it needs."""
    places: dict[str, Location] = dict.fromkeys(columns, ("data", data.kind))
    if data.columns:
        places = {name: ("data", "columns", number) for number, name in enumerate(columns)}
    for key in ("exclude", "categorical", "order"):
        for number, name in enumerate(getattr(data, key) or ()):
            places[name] = ("data", key, name if key == "order" else number)
    if isinstance(data.index, str):
        places[data.index] = ("data", "index")
    return places | {name: ("data", role) for name, role in named.items()}


def _drop_incomplete_rows(
    data: data_schema.TableData, table: Table, columns: list[str], words: Words
) -> tuple[Table, list[str]]:
    """Return a table without the rows that lack a value, and the notices about them."""
    text = {*words, *filter(table.is_text, data.targets)}
    used = [*columns, *data.targets]
    if data.weight and table.where == ("data", data.kind):
        used.append(data.weight)
    lacking = ~np.all([table.filled(name, text=name in text) for name in used], axis=0)
    if lacking.all():
        raise SpecError.at(table.where, "every row lacks a value, so missing: drop leaves none")
    if not lacking.any():
        return table, []
    part = "" if table.where == ("data", data.kind) else f" for {table.where[-1]}"
    count = counted(int(lacking.sum()), "row")
    return table.without(lacking), [f"missing: drop leaves out {count} of {len(table):,}{part}"]


def _advice(data: data_schema.TableData) -> str:
    """Return the advice for an empty cell."""
    return ADVICE if data.window is None else ADVICE_FOR_SERIES


def _arrays(
    data: data_schema.TableData, tables: dict[str, Table], columns: list[str], words: Words
) -> RawArrays:
    arrays, faults, weight = {}, list[Fault](), None
    for part, table in tables.items():
        place: Location = ("data", "target") if part == "train" else table.where
        try:
            allow_missing, advice = data.missing == "mean", _advice(data)
            x = matrix(table, columns, words, allow_missing=allow_missing, advice=advice)
            arrays[part] = x, targets(table, data.targets, place)
            if part == "train" and data.weight:
                weight = numbers(table, data.weight, allow_missing=False, advice="write a number")
        except SpecError as error:
            faults += error.faults
    if faults:
        raise SpecError(faults)
    x, y = arrays["train"]
    _check_not_empty(data, x, columns)
    x_val, y_val = arrays.get("validation", (None, None))
    x_test, y_test = arrays.get("test", (None, None))
    return RawArrays(x, y, x_test, y_test, tuple(columns), x_val, y_val, weight, words)


def _check_not_empty(data: data_schema.TableData, x: Array, columns: list[str]) -> None:
    """Raise an error for a column without any value, because it has no mean."""
    empty = [name for name, column in zip(columns, x.T, strict=True) if np.isnan(column).all()]
    if empty:
        names = ", ".join(empty)
        message = f"{names} has no value at all; leave it out: exclude: [{names}]"
        raise SpecError.at(("data", data.kind), message)
