"""The reader of a user's table, in up to three files: the columns of the spec as arrays."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kerasbatch.data.arrays import RawArrays
from kerasbatch.data.table import Table, Words, matrix, numbers, target, words_of
from kerasbatch.data.tabular_files import read_csv, read_parquet
from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec import data_schema
from kerasbatch.spec.trust import Access
from kerasbatch.text import counted
from kerasbatch.types import Array


def read_table(data: data_schema.TableData, access: Access) -> RawArrays:
    """Return the columns of a table as examples, target and weights.

    Raises:
        SpecError: if a file is not a table with these columns; all faults at once.
    """
    tables = dict(_tables(data, access))
    columns = _columns(data, tables["train"])
    _check(data, tables, columns)
    words, notices = words_of(tables.values(), columns), []
    if data.missing == "drop":
        for part, table in tables.items():
            tables[part], part_notices = _drop_incomplete_rows(data, table, columns, words)
            notices += part_notices
    return _arrays(data, tables, columns, words, "; ".join(notices) or None)


def open_table(kind: data_schema.TableKind, path: Path, where: Location) -> Table:
    """Read a CSV or Parquet file."""
    return {"csv": read_csv, "parquet": read_parquet}[kind](path, where)


def _tables(data: data_schema.TableData, access: Access) -> Iterator[tuple[str, Table]]:
    """Yield the tables of all parts: train, validation, test."""
    names = {
        "train": str(getattr(data, data.kind)),
        "validation": data.validation,
        "test": data.test,
    }
    for part, name in names.items():
        if name is not None:
            where: Location = ("data", data.kind if part == "train" else part)
            yield part, open_table(data.kind, access.file(name, where), where)


def _columns(data: data_schema.TableData, table: Table) -> list[str]:
    others = (data.target, data.weight)
    return list(data.columns or [name for name in table.cells.columns if name not in others])


def _check(data: data_schema.TableData, tables: dict[str, Table], columns: list[str]) -> None:
    """Raise an error for columns that are missing, listed twice, or have two roles."""
    roles = {"target": data.target} | ({"weight": data.weight} if data.weight else {})
    places: dict[str, Location] = {name: ("data", "columns", i) for i, name in enumerate(columns)}
    places |= {name: ("data", role) for role, name in roles.items()}
    faults = tables["train"].check_columns(places)
    for part, table in tables.items():
        if part != "train":  # only training examples have weights
            names = dict.fromkeys([data.target, *columns], table.where)
            faults += table.check_columns(names)
    if twice := [name for name in dict.fromkeys(columns) if columns.count(name) > 1]:
        faults.append(Fault(("data", "columns"), f"{', '.join(twice)} is listed twice"))
    faults += [
        Fault(("data", "columns"), f"{name} is the {role}; leave it out here")
        for role, name in roles.items()
        if name in columns
    ]
    if data.weight == data.target:
        faults.append(Fault(("data", "weight"), f"{data.weight} is the target already"))
    if not faults and not columns:
        faults.append(Fault(("data", data.kind), "the file has no column beside the target"))
    if faults:
        raise SpecError(faults)


def _drop_incomplete_rows(
    data: data_schema.TableData, table: Table, columns: list[str], words: Words
) -> tuple[Table, list[str]]:
    """Return a table without the rows that lack a value, and the notices about them."""
    text = {*words, *([data.target] if table.is_text(data.target) else [])}
    used = [*columns, data.target]
    if data.weight and table.where == ("data", data.kind):
        used.append(data.weight)
    lacking = np.any([table.empty(name, text=name in text) for name in used], axis=0)
    if lacking.all():
        raise SpecError.at(table.where, "every row lacks a value, so missing: drop leaves none")
    if not lacking.any():
        return table, []
    part = "" if table.where == ("data", data.kind) else f" for {table.where[-1]}"
    count = counted(int(lacking.sum()), "row")
    return table.without(lacking), [f"missing: drop leaves out {count} of {len(table):,}{part}"]


def _arrays(
    data: data_schema.TableData,
    tables: dict[str, Table],
    columns: list[str],
    words: Words,
    notice: str | None,
) -> RawArrays:
    arrays, faults, weight = {}, list[Fault](), None
    for part, table in tables.items():
        place: Location = ("data", "target") if part == "train" else table.where
        try:
            x = matrix(table, columns, words, allow_missing=data.missing == "mean")
            arrays[part] = x, target(table, data.target, place)
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
    return RawArrays(x, y, x_test, y_test, tuple(columns), x_val, y_val, weight, words, notice)


def _check_not_empty(data: data_schema.TableData, x: Array, columns: list[str]) -> None:
    """Raise an error for a column without any value, because it has no mean."""
    empty = [name for name, column in zip(columns, x.T, strict=True) if np.isnan(column).all()]
    if empty:
        message = f"{', '.join(empty)} has no value at all; list the columns to use: columns: [...]"
        raise SpecError.at(("data", data.kind), message)
