"""Files of tables as programs write them: separators, encodings, compression, Excel."""

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from own_support import REGRESSION, load

from kerasbatch.errors import SpecError

ROWS = [(f"{i % 7},{i % 3}", "ja" if i % 2 else "nein", i * 100) for i in range(40)]
GERMAN = "Größe;Balkon;Preis\r\n" + "".join(f"{a};{b};{c},50\r\n" for a, b, c in ROWS)
ENGLISH = GERMAN.replace(",", ".").replace(";", ",")
KOREAN = "면적;난방;가격\n" + "".join(
    f"{a};{'온돌' if i % 2 else '없음'};{c},5\n" for i, (a, _, c) in enumerate(ROWS)
)


def read(folder: Path, name: str, content: bytes, **keys: Any) -> Any:
    (folder / name).write_bytes(content)
    target = keys.pop("target", "Preis")
    spec = REGRESSION | {"data": {"csv": name, "target": target} | keys}
    return load(folder, spec)


DIALECTS: dict[str, tuple[bytes, str | None]] = {
    "commas": (ENGLISH.encode(), None),
    "semicolons": (GERMAN.encode(), 'with ";" and decimal ","'),
    "a mark of UTF-8": (GERMAN.encode("utf-8-sig"), 'with ";" and decimal ","'),
    "Windows": (GERMAN.encode("cp1252"), 'with ";" and decimal "," and encoding cp1252'),
    "UTF-16": (GERMAN.encode("utf-16"), 'decimal "," and encoding utf-16'),
    "tabs": (GERMAN.replace(";", "\t").encode(), 'with "tab" and decimal ","'),
    "bars": (ENGLISH.replace(",", "|").encode(), 'with "|"'),
    "named by Excel": (b"sep=;\r\n" + GERMAN.encode(), 'with ";" and decimal ","'),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_same_table_in_any_dialect(tmp_path: Path, name: str) -> None:
    """Numbers are the same, and what was guessed is said."""
    expected = read(tmp_path, "e.csv", ENGLISH.encode())
    content, notice = DIALECTS[name]
    loaded = read(tmp_path, "t.csv", content)
    assert (loaded.x_train == expected.x_train).all()
    assert (loaded.y_train == expected.y_train).all()
    assert (notice or "None") in str(loaded.notice)


def test_korean_of_windows(tmp_path: Path) -> None:
    """By its bytes."""
    loaded = read(tmp_path, "k.csv", KOREAN.encode("cp949"), target="가격")
    assert loaded.preprocessing["words"]["난방"] == ("없음", "온돌")
    assert "encoding cp949" in loaded.notice


def _zipped(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("t.csv", content)


COMPRESSED: dict[str, Callable[[Path, bytes], Any]] = {
    "t.csv.gz": lambda path, content: path.write_bytes(gzip.compress(content)),
    "t.csv.bz2": lambda path, content: path.write_bytes(bz2.compress(content)),
    "t.csv.xz": lambda path, content: path.write_bytes(lzma.compress(content)),
    "t.zip": _zipped,
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_compressed_files(tmp_path: Path, name: str) -> None:
    """By their endings."""
    COMPRESSED[name](tmp_path / name, ENGLISH.encode())
    spec = REGRESSION | {"data": {"csv": name, "target": "Preis"}}
    expected = read(tmp_path, "e.csv", ENGLISH.encode())
    assert (load(tmp_path, spec).x_train == expected.x_train).all()
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(SpecError, match="cannot be read"):
        load(tmp_path, spec)


def test_an_excel_file(tmp_path: Path) -> None:
    """The first sheet, without the empty columns at its end."""
    frame = pd.DataFrame({"a": range(20), "b": ["x", "y"] * 10, "y": [i / 2 for i in range(20)]})
    frame.to_excel(tmp_path / "t.xlsx", index=False)
    loaded = load(tmp_path, REGRESSION | {"data": {"csv": "t.xlsx", "target": "y"}})
    assert loaded.input_shape == (3,)
    (tmp_path / "t.xlsx").write_bytes(b"PK" + b"0" * 100)
    with pytest.raises(SpecError, match="not a readable Excel file"):
        load(tmp_path, REGRESSION | {"data": {"csv": "t.xlsx", "target": "y"}})


def test_keys_of_the_format(tmp_path: Path) -> None:
    """What the spec says is not guessed; a file may have no header."""
    text = "".join(f"{i % 5} 1.{i:03},0 ?\n" for i in range(20)) + "7 1.000,5 3\n"
    keys = {"separator": " ", "decimal": ",", "thousands": ".", "header": ["a", "y", "c"]}
    loaded = read(tmp_path, "t.data", text.encode(), **keys, target="y", exclude=["c"])
    assert loaded.y_train.max() == pytest.approx(1019)
    assert loaded.input_shape == (1,)
    with pytest.raises(SpecError, match="names 2 columns, and the file has 3"):
        read(tmp_path, "t.data", text.encode(), **keys | {"header": ["a", "y"]}, target="y")


def test_the_empty_end_of_an_export(tmp_path: Path) -> None:
    """Rows and columns without a value are left out, with a note."""
    text = ENGLISH.replace("\r\n", ",,\r\n") + ",,,,\r\n" * 3
    loaded = read(tmp_path, "t.csv", text.encode())
    assert "3 empty rows and 2 empty columns at the end of the file left out" in loaded.notice
