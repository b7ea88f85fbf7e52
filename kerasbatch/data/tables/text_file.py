"""The text of a table in a file: decompression, size and encoding."""

import bz2
import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from kerasbatch.data import memory
from kerasbatch.errors import Location, SpecError

PART_BYTES = 2**24
SAMPLE_BYTES = 2**18
"""The bytes from which an encoding is guessed."""
MAX_HEADER = 10_000_000
"""The maximum number of bytes in the first line of a file."""
BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""The encodings that the first bytes of a file name; a longer mark before its beginning."""
CANDIDATES = ("cp1252", "cp949", "utf_16_le", "utf_16_be")
"""The encodings to tell apart where the bytes are not UTF-8."""
DAMAGED = (
    *(OSError, EOFError, RuntimeError, NotImplementedError),
    *(lzma.LZMAError, zipfile.BadZipFile, zlib.error),
)
"""The errors of a compressed file that cannot be read."""


def _open_zip(path: Path) -> IO[bytes]:
    archive = zipfile.ZipFile(path)
    names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
    if len(names) != 1:
        raise zipfile.BadZipFile(f"it holds {len(names)} files, and must hold one")
    return archive.open(names[0])


OPENERS: Mapping[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zip": _open_zip,
}
"""The functions that open compressed files, by their endings."""


@dataclass(frozen=True)
class TextFile:
    """A file of text.

    Args:
        path: the file.
        encoding: its encoding, as Python names it.
        lines: the number of its line breaks, plus 1.
        size: its bytes after decompression.
    """

    path: Path
    encoding: str
    lines: int
    size: int

    def open(self) -> io.TextIOWrapper:
        """Open the file as text, without translation of line breaks."""
        return io.TextIOWrapper(_open(self.path), encoding=self.encoding, newline="")


def examine(path: Path, where: Location, encoding: str | None = None) -> TextFile:
    """Read a file once, in parts, for its size and encoding.

    Args:
        path: the file.
        where: the place in the spec for errors.
        encoding: its encoding, or None to guess it from the bytes.

    Raises:
        SpecError: if it cannot be read, or is larger than the memory.
    """
    decoder, is_utf8, lines, size, sample = codecs.getincrementaldecoder("utf-8")(), True, 1, 0, b""
    try:
        with _open(path) as stream:
            while part := stream.read(PART_BYTES):
                sample = sample or part[:SAMPLE_BYTES]
                lines += part.count(b"\n")
                size += len(part)
                _check_size(size, where)
                is_utf8 = is_utf8 and _decodes(decoder, part)
            is_utf8 = is_utf8 and _decodes(decoder, b"", final=True)
    except DAMAGED as error:
        reason = getattr(error, "strerror", None) or str(error) or "it ends too early"
        raise SpecError.at(where, f"cannot be read: {reason}") from None
    return TextFile(path, encoding or _encoding(sample, is_utf8), lines, size)


def _open(path: Path) -> Any:
    opener = OPENERS.get(path.suffix.lower())
    return path.open("rb") if opener is None else opener(path)


def _check_size(size: int, where: Location) -> None:
    if problem := memory.excess(2 * size):
        message = f"holds more than {size / 1e9:.1f} GB, which take {problem}"
        raise SpecError.at(
            where, f"{message}; write fewer rows, or npy files, which stay on the disk"
        )


def _decodes(decoder: codecs.IncrementalDecoder, part: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(part, final)
    except UnicodeDecodeError:
        return False
    return True


def _encoding(sample: bytes, is_utf8: bool) -> str:
    """Return the encoding of a file, from its first bytes and whether all of it is UTF-8."""
    for mark, name in BOMS.items():
        if sample.startswith(mark):
            return name
    if is_utf8 and b"\0" not in sample:
        return "utf-8"
    from charset_normalizer import from_bytes

    complete = sample if len(sample) < SAMPLE_BYTES else sample[: sample.rfind(b"\n") + 1]
    best = from_bytes(complete, cp_isolation=list(CANDIDATES)).best()
    return CANDIDATES[0] if best is None else best.encoding
