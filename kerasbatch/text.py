"""Values, counts and names as text for messages and tables."""

import difflib
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

_FOLDERS = re.compile(r"(?<![\w.~])~?/(?:[^/\s\"':]+/)+")


def shortened(text: str, max_length: int) -> str:
    """Return a text, cut to a number of characters."""
    return text if len(text) <= max_length else f"{text[: max_length - 3]}..."


def error_text(error: BaseException) -> str:
    """Return the type and the message of an error on one line."""
    return f"{type(error).__name__}: {shortened(' '.join(str(error).split()), 300)}"


def without_folders(text: str) -> str:
    """Return a text in which files are named without their folders."""
    return _FOLDERS.sub("", text)


def counted(number: float, noun: str, plural: str = "") -> str:
    """Return a number with its noun: 1 step, 2 steps, 1,000 steps."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {plural or noun + 's'}"


def format_number(value: object) -> str:
    """Return a measured number as text: 0.9709, 1,234.57, 2.13e+11; None is empty."""
    if value is None:
        return ""
    number = float(str(value))  # inf and nan are texts in a record
    if number != 0 and not 1e-4 <= abs(number) < 1e6:
        return f"{number:.4g}"
    return f"{number:,.4f}" if abs(number) < 1000 else f"{number:,.2f}"


def significant(value: float) -> str:
    """Return a measured number with three significant digits: 0.971, 7.38, 1,235, 2.13e+11."""
    number = float(value)
    if 1000 <= abs(number) < 1e9:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def suggestion(word: str, legal: Iterable[str]) -> str:
    """Return `; did you mean X?` for the legal word nearest to `word`, or nothing."""
    by_lower = {name.lower(): name for name in sorted(legal)}
    matches = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[matches[0]]}?" if matches else ""


def show_value(value: Any) -> str:
    """Return a value from a spec as an error names it, shortened to one line."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, list | tuple):
        simple = value and not any(isinstance(part, dict | list | tuple) for part in value)
        short = short_name(f"[{', '.join(map(str, value))}]") if simple else "a list"
        return short if value else "an empty list"
    return short_name(repr(value) if isinstance(value, str) else str(value))


def short_name(text: str) -> str:
    """Return a name of at most 60 characters."""
    return shortened(text, 60)


def value_label(value: Any) -> str:
    """Return a swept value as text for run names and tables."""
    if isinstance(value, dict) and "object" in value:
        return str(value["object"])
    if isinstance(value, dict):
        return "-".join(f"{key}={value_label(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return "-".join(map(value_label, value))
    return str(value)


_ALLOWED = frozenset("\n\t")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Unicode's categories of control, format, surrogate, private and line-ending characters."""


def clean(text: str) -> str:
    """Return a text with its invisible characters written as escape codes."""
    return "".join(
        character if _is_visible(character) else _escape(character) for character in text
    )


def _is_visible(character: str) -> bool:
    return character in _ALLOWED or unicodedata.category(character) not in _HIDDEN


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"


def escape_formula(value: Any) -> Any:
    """Return a text that a spreadsheet would run as a formula with a `'` before it."""
    is_formula = isinstance(value, str) and value.lstrip()[:1] in tuple("=+-@")
    return f"'{value}" if is_formula and not _is_number(value) else value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
