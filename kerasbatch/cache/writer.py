"""Writes the arrays of an entry: of a known length, or row by row."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import DTypeLike

from kerasbatch.atomic_files import sync
from kerasbatch.cache.errors import cannot_write
from kerasbatch.types import Array


class EntryWriter:
    """Writes npy files into the folder of an entry that is not complete.

    Args:
        folder: the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: list[RowWriter] = []

    def file(self, name: str) -> Path:
        """Return the npy file of an array."""
        return self.folder / f"{name}.npy"

    def array(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> Array:
        """Return a new array, mapped from its file; all of it is to be filled."""
        with self._writing():
            return np.lib.format.open_memmap(self.file(name), "w+", np.dtype(dtype), tuple(shape))

    def save(self, name: str, array: Array) -> None:
        """Write an array that is in memory."""
        with self._writing():
            np.save(self.file(name), array, allow_pickle=False)

    def rows(self, name: str, shape: Sequence[int], dtype: DTypeLike) -> "RowWriter":
        """Return a writer of rows, whose number is unknown.

        Args:
            name: the name of the array.
            shape: the shape of a row.
            dtype: the type of its values.
        """
        with self._writing():
            writer = RowWriter(self.file(name), tuple(shape), np.dtype(dtype))
        self._tables.append(writer)
        return writer

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write(self.folder.parent, error) from error

    def close(self) -> None:
        """Complete the files of rows; they may be read then."""
        for table in self._tables:
            table.close()

    def sync(self) -> None:
        """Flush all files to the disk."""
        for file in self.folder.iterdir():
            sync(file)
        sync(self.folder)


class RowWriter:
    """Writes rows one after the other into an npy file.

    NumPy pads a header, so that the number of rows can be set at the end.
    """

    def __init__(self, file: Path, shape: tuple[int, ...], dtype: "np.dtype[np.generic]") -> None:
        self._file, self._shape, self._dtype, self.count = file, shape, dtype, 0
        self._stream: BinaryIO = file.open("wb")
        self._write_header()
        self._begin = self._stream.tell()

    def append(self, rows: Array) -> None:
        """Append rows, shape (rows, ...), of the type of the file."""
        if rows.shape[1:] != self._shape or rows.dtype != self._dtype:
            raise ValueError(f"rows of {rows.dtype} and shape {rows.shape} in another file")
        try:
            self._stream.write(np.ascontiguousarray(rows).tobytes())
        except OSError as error:
            raise cannot_write(self._file.parent, error) from error
        self.count += len(rows)

    def close(self) -> None:
        """Set the number of rows, and close the file."""
        if self._stream.closed:
            return
        self._stream.seek(0)
        self._write_header()
        assert self._stream.tell() == self._begin  # noqa: S101  # NumPy's padding
        self._stream.close()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self.count, *self._shape),
        }
        np.lib.format.write_array_header_1_0(self._stream, header)
