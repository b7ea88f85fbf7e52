"""The columns that a model learns from: numbers, words, and what must be named."""

from pathlib import Path
from typing import Any

import pytest
from own_support import REGRESSION, load

from kerasbatch.errors import SpecError

ROWS = 60


def table(folder: Path, columns: dict[str, list[Any]], **keys: Any) -> Any:
    columns = columns | {"y": [i / 2 for i in range(ROWS)]}
    lines = [
        ",".join(columns),
        *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True)),
    ]
    (folder / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    data = {"csv": "t.csv", "target": "y", "standardize": False} | keys
    return load(folder, REGRESSION | {"data": data, "validation": "none"})


NUMBERS = [i % 7 for i in range(ROWS)]
NAMES = [f"Person {i}" for i in range(ROWS)]
MANY = [f"word {i % 40}" for i in range(ROWS)]
TICKETS = [f"PC {i}" if i % 3 else str(i) for i in range(ROWS)]
SIZES = [("S", "M", "L")[i % 3] for i in range(ROWS)]


def test_all_faults_at_once_with_the_one_mend(tmp_path: Path) -> None:
    """Names, many words, mixed columns: and then the table trains."""
    columns = {"a": NUMBERS, "Name": NAMES, "Many": MANY, "Ticket": TICKETS}
    with pytest.raises(SpecError) as caught:
        table(tmp_path, columns)
    text = str(caught.value)
    assert "'Name' has different words in every row (60 words)" in text
    assert "'Many' has 40 different words" in text
    assert (
        "'Ticket' holds numbers and, in 40 rows, none: 'PC 1' in line 3, 'PC 2' in line 4" in text
    )
    assert "write exclude: [Name, Many, Ticket]" in text
    assert table(tmp_path, columns, exclude=["Name", "Many", "Ticket"]).input_shape == (1,)
    loaded = table(tmp_path, columns, exclude=["Name"], categorical=["Many", "Ticket"])
    assert loaded.input_shape == (1 + 40 + 60,)


def test_numbers_that_are_names(tmp_path: Path) -> None:
    """A column for each."""
    assert table(tmp_path, {"zip": NUMBERS}, categorical=["zip"]).input_shape == (7,)


def test_words_in_an_order(tmp_path: Path) -> None:
    """Their positions are the numbers."""
    loaded = table(tmp_path, {"size": SIZES}, order={"size": ["S", "M", "L"]})
    assert loaded.x_train[:4, 0].tolist() == [0, 1, 2, 0]
    with pytest.raises(SpecError, match="'size' holds 'L' in line 4, which is none of S, M"):
        table(tmp_path, {"size": SIZES}, order={"size": ["S", "M"]})


def test_texts_that_stand_for_missing_values(tmp_path: Path) -> None:
    """The fault names them."""
    columns = {"hours": ["?" if i % 9 == 4 else i for i in range(ROWS)]}
    with pytest.raises(SpecError, match=r'missing_values: \["\?"\]'):
        table(tmp_path, columns)
    loaded = table(tmp_path, columns, missing_values=["?"], missing="mean")
    known = [i for i in range(ROWS) if i % 9 != 4]
    assert loaded.x_train[4, 0] == pytest.approx(sum(known) / len(known))


def test_row_numbers(tmp_path: Path) -> None:
    """Without a name they are the index; with one, a notice asks."""
    loaded = table(tmp_path, {"": list(range(ROWS)), "a": NUMBERS})
    assert loaded.input_shape == (1,)
    assert "left out as the index" in loaded.notice
    loaded = table(tmp_path, {"Id": list(range(5, ROWS + 5)), "a": NUMBERS})
    assert loaded.input_shape == (2,)
    assert "Id counts the rows; if it is an id, write exclude: [Id]" in loaded.notice
    for index in (0, "Id"):
        loaded = table(tmp_path, {"Id": list(range(ROWS)), "a": NUMBERS}, index=index)
        assert loaded.input_shape == (1,)


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    """Only a column that is used must be the only one of its name."""
    text = "x,x,a,y\n" + "".join(f"1,2,{i},{i}.5\n" for i in range(10))
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    spec = REGRESSION | {"data": {"csv": "t.csv", "target": "y", "columns": ["a"]}}
    assert load(tmp_path, spec).input_shape == (1,)
    with pytest.raises(SpecError, match="'x' stands twice: columns 1 and 2 of the file"):
        load(tmp_path, spec | {"data": {"csv": "t.csv", "target": "y"}})


def test_units_are_said(tmp_path: Path) -> None:
    """Once for all columns."""
    loaded = table(
        tmp_path,
        {"Income": [f"${i}.50" for i in range(ROWS)], "Share": [f"{i} %" for i in range(ROWS)]},
    )
    assert "read as numbers: Income ($), Share (%)" in loaded.notice
