"""The decimal mark of a file: shown by its numbers, or asked for."""

from pathlib import Path

import pandas as pd
import pytest

from kerasbatch.data.table_format import TableFormat
from kerasbatch.data.tables.number_format import parse
from kerasbatch.data.tables.table import Table
from kerasbatch.data.tables.text_table import read_text
from kerasbatch.errors import SpecError

WHERE = ("data", "csv")


def table(folder: Path, text: str, **keys: str) -> Table:
    file = folder / "t.csv"
    file.write_text(text, encoding="utf-8")
    return read_text(file, WHERE, TableFormat(**keys))


def test_a_leading_zero_begins_no_thousands() -> None:
    """0,500 is not 500, and 00,123 not 123."""
    cells = pd.Series(["0,500", "00,123", "1,234"])
    assert parse(cells, (cells != "").to_numpy()).is_number.tolist() == [False, False, True]


def test_versions_and_dates_show_no_mark(tmp_path: Path) -> None:
    """Only columns of numbers do."""
    text = "price;version;day\n3,5;1.2.0;24.12.\n4,25;1.2.1;25.12.\n"
    assert table(tmp_path, text).decimal == ","


def test_a_mark_that_stands_twice_is_that_of_thousands(tmp_path: Path) -> None:
    """1.234.567 has a decimal comma, if any."""
    found = table(tmp_path, "a;b\n1.234.567;1.000\n2.345.678;2.000\n")
    assert found.number_column("b").values.tolist() == [1000, 2000]


def test_both_marks_are_a_question(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r'decimal: "," or decimal: "."'):
        table(tmp_path, "a;b\n3,5;3.5\n4,5;4.5\n")


def test_thousands_or_decimals(tmp_path: Path) -> None:
    """Between semicolons a comma may be either; a point is read as a decimal one, and told."""
    with pytest.raises(SpecError, match="like 1,234, which may be thousands or decimals"):
        table(tmp_path, "a;b\n1,234;2\n999;3\n")
    answered = table(tmp_path, "a;b\n1,234;2\n999;3\n", decimal=",")
    assert answered.number_column("a").values.tolist() == [1.234, 999]
    points = table(tmp_path, "a,b\n1.601,2\n937,3\n")
    assert "1.601 is read with a decimal point" in points.notices[0]
    thousands = table(tmp_path, "a,b\n1.601,2\n937,3\n", thousands=".")
    assert thousands.number_column("a").values.tolist() == [1601, 937]
