"""A user's own table in a CSV file: every column by its name, every fault by its line.

Errors name columns and lines, never the contents of a file.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasbatch.errors import Fault, SpecError
from kerasbatch.shared_types import Array
from kerasbatch.spec import keras_names
from kerasbatch.spec.data_keys import CsvData
from kerasbatch.workload.built_in_data import DataSet

if TYPE_CHECKING:
    import pandas as pd

MAX_COLUMNS = 100_000
MAX_HEADER = 10_000_000
"""Characters that the first line of a file may have."""


def read(data: CsvData, path: Path) -> DataSet:
    """Return the columns of a CSV file as examples and the target.

    Raises:
        SpecError: if it is no table of numbers with a target; all faults at once.
    """
    table = _table(path)
    columns = list(data.columns or [name for name in table.columns if name != data.target])
    faults = [
        Fault(location, f"the file has no column {keras_names.show(name)}{_columns(name, table)}")
        for name, location in [
            (data.target, ("data", "target")),
            *((name, ("data", "columns", i)) for i, name in enumerate(columns)),
        ]
        if name not in table.columns
    ]
    if twice := [name for name in dict.fromkeys(columns) if columns.count(name) > 1]:
        faults.append(Fault(("data", "columns"), f"{', '.join(twice)} stands here twice"))
    if data.target in columns:
        faults.append(Fault(("data", "columns"), f"{data.target} is the target; leave it out here"))
    if not faults and not columns:
        faults.append(Fault(("data", "csv"), "the file has no column beside the target"))
    if faults:
        raise SpecError(faults)
    return DataSet(_numbers(table, columns), _target(table, data.target), columns=tuple(columns))


def _columns(name: str, table: "pd.DataFrame") -> str:
    if len(table.columns) == 1 and ";" in table.columns[0]:
        return "; its columns are separated by semicolons: write commas, and points in numbers"
    hint = keras_names.nearest(name, table.columns)
    return hint or f"; it has {keras_names.shorten(', '.join(table.columns))}"


def _table(path: Path) -> "pd.DataFrame":
    """Read a CSV file as text cells, every row as long as the header."""
    import pandas as pd

    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            _check_header(stream.readline(MAX_HEADER + 1))
            stream.seek(0)
            table = pd.read_csv(
                stream,
                dtype=str,
                keep_default_na=False,
                index_col=False,
                header=None,
                skip_blank_lines=False,
            )
    except pd.errors.EmptyDataError:
        raise SpecError.at(("data", "csv"), "the file is empty") from None
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        reason = str(error).strip().replace("Error tokenizing data. C error: ", "")
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else reason
        raise SpecError.at(("data", "csv"), f"is not a table with a header: {reason}") from None
    filled = (table.fillna("") != "").any(axis=1).to_numpy()
    last = int(np.max(np.nonzero(filled)[0], initial=0))  # blank lines at the end are no rows
    header = [str(name).strip() for name in table.iloc[0]]
    table = table.iloc[1 : last + 1].set_axis(header, axis=1)
    if not len(table):
        raise SpecError.at(("data", "csv"), "the file has a header but no rows")
    if len(set(header)) < len(header):
        raise SpecError.at(("data", "csv"), "two columns of the file have the same name")
    return table


def _check_header(line: str) -> None:
    """Refuse a first line that is no header, before the whole file is read."""
    problem = None
    if len(line) > MAX_HEADER or line.count(",") >= MAX_COLUMNS:
        problem = f"has more than {MAX_COLUMNS:,} columns, or no end of its first line"
    elif line and not line.strip():
        problem = "begins with a blank line; the first line must name the columns"
    if problem:
        raise SpecError.at(("data", "csv"), problem)


def _line(table: "pd.DataFrame", row: int) -> int:
    """Return the line of the file in which a row (from 0) begins; cells may hold line ends."""
    above = table.iloc[:row]
    inside = sum(int(above[name].str.count("\n").sum()) for name in above.columns)
    return row + 2 + inside + sum(name.count("\n") for name in table.columns)


def _numbers(table: "pd.DataFrame", columns: list[str]) -> Array:
    import pandas as pd

    found, faults = [], []
    for name in columns:
        cells = table[name].str.strip()
        values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            first = int(np.argmax(bad))
            what = "an empty cell" if cells.iloc[first] == "" else "no number"
            message = f"column {keras_names.show(name)} has {what} in line {_line(table, first)}"
            advice = "fill it in, or list the columns to use: columns: [...]"
            faults.append(Fault(("data", "csv"), f"{message} ({int(bad.sum())} such); {advice}"))
        found.append(values)
    if faults:
        raise SpecError(faults)
    return np.stack(found, axis=1)


def _target(table: "pd.DataFrame", name: str) -> Array:
    import pandas as pd

    cells = table[name].str.strip()
    empty = (cells == "").to_numpy()
    if empty.any():
        line = _line(table, int(np.argmax(empty)))
        message = f"the target column {keras_names.show(name)} has an empty cell in line {line}"
        raise SpecError.at(("data", "target"), message)
    values = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    if np.isnan(values).all():
        return cells.to_numpy(dtype=str)  # labels as text
    if not np.isfinite(values).all():
        line = _line(table, int(np.argmax(~np.isfinite(values))))
        message = (
            f"the target column {keras_names.show(name)} has numbers and, in line {line}, none"
        )
        raise SpecError.at(("data", "target"), message)
    whole = bool((values == np.round(values)).all() and np.abs(values).max() < 2**53)
    return values.astype(np.int64) if whole else values
