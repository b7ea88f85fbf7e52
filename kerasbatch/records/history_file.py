"""Reads the rows of history.csv as numbers, without pandas."""

import csv
import io
from pathlib import Path

from kerasbatch.records.stored_files import StoredFileError, read_stored
from kerasbatch.types import Row


def read_history(file: Path) -> list[Row]:
    """Return the rows of history.csv as numbers, without empty cells; none without a file.

    Raises:
        StoredFileError: if it is not a table of numbers; the message names the file.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_stored(file).decode("utf-8"))))
        return [{key: float(cell) for key, cell in row.items() if cell} for row in rows]
    except FileNotFoundError:
        return []
    except StoredFileError as error:
        raise StoredFileError(f"its {file.name} {error}") from error
    except (ValueError, TypeError, csv.Error) as error:  # of a cell
        raise StoredFileError(f"its {file.name} is no table of numbers") from error
