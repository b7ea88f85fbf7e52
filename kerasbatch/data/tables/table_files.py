"""The files of a table: text, Excel or Parquet, one for each part."""

from collections.abc import Iterator
from pathlib import Path

from kerasbatch.data.table_format import TableFormat
from kerasbatch.data.tables.binary_tables import is_excel, read_excel, read_parquet
from kerasbatch.data.tables.table import Table
from kerasbatch.data.tables.text_table import read_text
from kerasbatch.errors import Location
from kerasbatch.spec.data_schema import TableData
from kerasbatch.spec.trust import Access


def open_table(path: Path, where: Location, given: TableFormat, *, parquet: bool = False) -> Table:
    """Read a table from a file of text, of Excel, or a Parquet file."""
    if parquet:
        return read_parquet(path, where, given)
    return (read_excel if is_excel(path) else read_text)(path, where, given)


def tables_of(data: TableData, access: Access) -> Iterator[tuple[str, Table]]:
    """Yield the tables of all parts: train, validation, test."""
    names = {
        "train": str(getattr(data, data.kind)),
        "validation": data.validation,
        "test": data.test,
    }
    given, is_parquet = TableFormat.of(data), data.kind == "parquet"
    for part, name in names.items():
        if name is not None:
            where: Location = ("data", data.kind if part == "train" else part)
            yield part, open_table(access.file(name, where), where, given, parquet=is_parquet)
