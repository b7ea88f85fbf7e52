"""The value of a plain YAML scalar, by YAML 1.2's core rules.

`1e-3` is a number; `on`, `no` and `010` are text.
"""

import re
from typing import Any

MAX_DIGITS = 400
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


def scalar(text: str) -> Any:
    """Return the value of a plain (unquoted) scalar by YAML 1.2's core rules.

    Raises:
        ValueError: for a number of more than MAX_DIGITS characters.
    """
    if text in _SPECIAL:
        return _SPECIAL[text]
    is_int = _INT.fullmatch(text)
    if not is_int and not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} characters; no number here needs so many")
    return int(text) if is_int else float(text)
