"""Objects with the same contents have one fingerprint, and others another one."""

import functools
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from kerasbatch.spec.passed.fingerprint import UnknownContentError, fingerprint

UNITS = 8


def compiled(text: str, **used: Any) -> Callable[..., Any]:
    """Return the function f of a text, as a cell of a notebook defines it."""
    names = {"__name__": "__main__", **used}
    exec(text, names)  # noqa: S102
    function = names["f"]
    assert isinstance(function, FunctionType)
    return function


def test_a_function_is_its_code() -> None:
    """Comments, line numbers and the name of the file do not matter; constants do."""
    plain = compiled("def f(x):\n    return x + 1")
    moved = compiled("\n\n# comment\ndef f(x):\n\n    return x + 1  # one more")
    other = compiled("def f(x):\n    return x + 2")
    assert fingerprint(plain) == fingerprint(moved)
    assert fingerprint(plain) != fingerprint(other)


@pytest.mark.parametrize("text", ["def f():\n    return UNITS", "def f():\n    return g()"])
def test_what_a_function_uses_is_part_of_it(text: str) -> None:
    """Its globals, and the functions that it calls."""
    before = compiled(text, UNITS=8, g=compiled("def f():\n    return 1"))
    same = compiled(text, UNITS=8, g=compiled("def f():\n    return 1"), unused=3)
    after = compiled(text, UNITS=9, g=compiled("def f():\n    return 2"))
    assert fingerprint(before) == fingerprint(same)
    assert fingerprint(before) != fingerprint(after)


def test_closures_defaults_and_partials() -> None:
    """The values that a function keeps are part of it."""

    def adds(number: int) -> Callable[[int], int]:
        return lambda x: x + number

    assert fingerprint(adds(1)) == fingerprint(adds(1))
    assert fingerprint(adds(1)) != fingerprint(adds(2))
    defaults = [compiled(f"def f(x={number}):\n    return x") for number in (1, 2)]
    assert fingerprint(defaults[0]) != fingerprint(defaults[1])
    parts = [fingerprint(functools.partial(adds, number)) for number in (1, 2)]
    assert parts[0] != parts[1]


def test_a_recursive_function() -> None:
    """It uses itself."""
    text = "def f(n):\n    return 1 if n == 0 else f(n - 1)"
    assert fingerprint(compiled(text)) == fingerprint(compiled(text))


ARRAYS = {
    "numbers": lambda: np.arange(6.0),
    "shape": lambda: np.arange(6.0).reshape(2, 3),
    "type": lambda: np.arange(6, dtype="float32"),
    "one other": lambda: np.array([0.0, 1, 2, 3, 4, 6]),
    "text": lambda: np.array(list("abcdef")),
    "objects": lambda: np.array(["a", None, 1], dtype=object),
    "table": lambda: pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
    "other name": lambda: pd.DataFrame({"a": [1, 2], "c": ["x", "y"]}),
    "missing": lambda: pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "series": lambda: pd.Series([1, 2]),
    "tuple": lambda: (1, 2),
    "list": lambda: [1, 2],
}


def test_arrays_and_tables() -> None:
    """Values, types, shapes and names count."""
    prints = {name: fingerprint(make()) for name, make in ARRAYS.items()}
    assert prints == {name: fingerprint(make()) for name, make in ARRAYS.items()}
    assert len(set(prints.values())) == len(ARRAYS)


def test_an_open_file_has_none() -> None:
    """Nothing tells its contents apart."""
    with open(__file__) as file, pytest.raises(UnknownContentError, match="TextIOWrapper"):  # noqa: PTH123
        fingerprint({"log": file})


def test_an_edited_module_is_another_content(tmp_path: Path, monkeypatch: Any) -> None:
    """What a function uses of the user's modules, imported before or inside."""
    monkeypatch.syspath_prepend(tmp_path)
    prints = {}
    for units in (8, 9):
        (tmp_path / "own_helper.py").write_text(f"UNITS = {units}\n\ndef g():\n    return UNITS\n")
        sys.modules.pop("own_helper", None)
        importlib.invalidate_caches()
        module = importlib.import_module("own_helper")
        outside = compiled("def f():\n    return own_helper.g()", own_helper=module)
        inside = compiled("def f():\n    import own_helper\n    return own_helper.UNITS")
        prints[units] = fingerprint(outside), fingerprint(inside)
    sys.modules.pop("own_helper")
    assert prints[8][0] != prints[9][0]
    assert prints[8][1] != prints[9][1]


def test_cached_functions_and_attributes() -> None:
    """A cache hides no code, and an attribute of a function counts."""
    cached = [functools.lru_cache(compiled(f"def f():\n    return {n}")) for n in (1, 2)]
    assert fingerprint(cached[0]) != fingerprint(cached[1])
    plain, marked = compiled("def f(): ..."), compiled("def f(): ...")
    marked.n = 3  # type: ignore[attr-defined]
    assert fingerprint(plain) != fingerprint(marked)


def test_layers_with_other_weights() -> None:
    """Adapted to other data, their configuration is equal."""
    layers = [keras.layers.Normalization(mean=n, variance=1.0) for n in (0.0, 1.0)]
    adapted = [keras.layers.Normalization() for _ in range(2)]
    for number, layer in enumerate(adapted):
        layer.adapt(np.arange(4.0)[:, None] * (number + 1))
    assert len({fingerprint(layer) for layer in [*layers, *adapted]}) == 4


def test_a_trained_callback_is_the_same() -> None:
    """The model that it holds meanwhile is not part of it."""
    stopping = keras.callbacks.EarlyStopping(patience=3)
    before = fingerprint(stopping)
    stopping.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    assert fingerprint(stopping) == before
    assert fingerprint(keras.callbacks.EarlyStopping(patience=4)) != before


def test_types_of_objects_count() -> None:
    """The number 1 is not the text 1."""
    arrays = [np.array([1, "x"], object), np.array(["1", "x"], object)]
    assert fingerprint(arrays[0]) != fingerprint(arrays[1])
