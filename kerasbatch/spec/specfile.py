"""YAML text, or a dict, -> a spec; with file, line and column for every fault.

Also applies `--set key=value` and keeps the source beside the spec, so that a fault that shows
later (Keras refuses a value, the data do not fit the loss) still names its line.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec import keras_names, rules, yaml_tree
from kerasbatch.spec.keys import BUDGETS, Spec, legal_keys
from kerasbatch.spec.yaml_tree import Tree

# Harmless values for keys that are missing or wrong, so that the rest can still be checked.
_PLACEHOLDERS: dict[str, Any] = {
    "data": "digits",
    "model": "mlp",
    "optimizer": "adam",
    "loss": "mse",
    "batch_size": 1,
}
_SHORT = {"data": "name", "optimizer": "name", "loss": "name"}


@dataclass(frozen=True)
class Source:
    """A spec and where it came from.

    Args:
        spec: the checked spec.
        tree: the plain values with their places.
        folder: the folder that relative paths start from.
        text: the text as it was given, or None for a dict.
    """

    spec: Spec
    tree: Tree
    folder: Path
    text: str | None = None

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Give faults that arise inside their place in the file."""
        try:
            yield
        except SpecError as error:
            raise self.tree.locate(error) from error.__cause__


def load(path: str | Path, overrides: Iterable[str] = ()) -> Source:
    """Read a spec from a YAML file.

    Args:
        path: the file.
        overrides: `key=value` texts, as `--set` takes them; keys are dotted, values are YAML.

    Raises:
        SpecError: with every fault of the file.
    """
    file = Path(path)
    text = _read(file)
    tree = yaml_tree.parse(text, str(path))
    if tree.value is None:
        hint = "write at least data, model, optimizer, loss, epochs and batch_size"
        raise SpecError([Fault((), f"the file holds no spec; {hint}", str(path))])
    _override(tree, overrides)
    return Source(check(tree, default_name=file.stem), tree, file.resolve().parent, text)


def from_dict(value: Mapping[str, Any], overrides: Iterable[str] = ()) -> Source:
    """Make a spec from a dict of the same shape as the YAML file; paths start from here.

    Raises:
        SpecError: with every fault.
    """
    tree = Tree(_lists(dict(value)))
    _override(tree, overrides)
    return Source(check(tree, default_name="experiment"), tree, Path.cwd())


def _lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise SpecError([Fault((), f"the key {keras_names.show(odd[0])} is not text")])
        return {key: _lists(inner) for key, inner in value.items()}
    return [_lists(inner) for inner in value] if isinstance(value, list | tuple) else value


def _read(path: Path) -> str:
    if not path.exists():
        raise SpecError([Fault((), "there is no such file", str(path))])
    if not path.is_file():
        raise SpecError([Fault((), "is not a file; give the path of a YAML file", str(path))])
    try:
        raw = path.read_bytes() if path.stat().st_size <= yaml_tree.MAX_BYTES else None
    except OSError as error:
        raise SpecError([Fault((), f"cannot be read: {error.strerror}", str(path))]) from None
    if raw is None:
        raise SpecError([Fault((), "is larger than 1 MB; a spec is one page of YAML", str(path))])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8 text"
        raise SpecError([Fault((), message, str(path), line, column)]) from None


def _override(tree: Tree, overrides: Iterable[str]) -> None:
    faults = []
    for text in overrides:
        key, equals, value = text.partition("=")
        try:
            if not equals or not re.fullmatch(r"[^\s.]+(\.[^\s.]+)*", key):
                raise SpecError([Fault((), "must be key=value, like batch_size=32")])
            if not isinstance(tree.value, dict):
                continue
            parsed = yaml_tree.parse(value)
            location = set_value(tree.value, key, parsed.value)
            tree.overrides[location] = f"--set {keras_names.shorten(text)}"
            tree.values[location] = parsed.values.get((), yaml_tree.Mark(1, 1))
        except SpecError as error:
            faults += [Fault((), f"--set {text}: {f.message}") for f in error.faults]
    if faults:
        raise SpecError(faults)


def set_value(spec: dict[str, Any], key: str, value: Any) -> Location:
    """Set a dotted key in a plain spec, in place; setting one budget replaces another.

    Args:
        spec: a spec as plain values.
        key: `batch_size`, `optimizer.learning_rate`, `model.layers.1.Dense.units`.
        value: the new value.

    Returns:
        The location that was set.

    Raises:
        SpecError: if the key leads through something that has no keys.
    """
    *path, last = parts = key.split(".")
    if key in BUDGETS:
        for budget in BUDGETS:
            spec.pop(budget, None)
    inner: Any = spec
    for depth, part in enumerate(path):
        if depth == 0 and part in _SHORT and isinstance(inner.get(part), str):
            inner[part] = {_SHORT[part]: inner[part]}
        if isinstance(inner, dict):
            inner.setdefault(part, {})
        inner = _step(inner, part, parts[: depth + 1])
    if not isinstance(inner, dict | list):
        message = f"{'.'.join(path)} is {keras_names.show(inner)} and has no keys inside it"
        raise SpecError([Fault(tuple(parts), message)])
    if isinstance(inner, list):
        _step(inner, last, parts)  # the position must be there already
        inner[int(last)] = value
    else:
        inner[last] = value
    return _location(parts)


def _location(parts: list[str]) -> Location:
    return tuple(int(part) if part.isdigit() else part for part in parts)


def _step(inner: Any, part: str, parts: list[str]) -> Any:
    if isinstance(inner, dict):
        return inner[part]
    if isinstance(inner, list) and part.isdecimal() and int(part) < len(inner):
        return inner[int(part)]
    raise SpecError([Fault(tuple(parts), f"there is no {'.'.join(parts)} in the spec")])


def check(tree: Tree, default_name: str) -> Spec:
    """Check the plain values of a spec and return the spec.

    Raises:
        SpecError: with every fault, each at its place in the tree.
    """
    raw = tree.value
    if not isinstance(raw, dict):
        message = (
            f"found {keras_names.show(raw)}; a spec is a mapping with keys such as data and model"
        )
        raise SpecError([Fault((), message, tree.file)])
    raw = {"name": default_name} | fill_swept(raw)
    certain = [*_null_faults(raw), *rules.names_and_arguments(raw)]
    known = {fault.location for fault in certain}
    spec, found = None, list(certain)
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        details = [_translate(each, tree) for each in error.errors(include_url=False)]
        found += [fault for fault in details if fault and fault.location not in known]
    wrong = frozenset(str(fault.location[0]) for fault in found)
    healthy = spec or Spec.model_validate(_healthy(raw, wrong))
    found += rules.check(healthy, wrong)
    if found or spec is None:
        faults = [_place(fault, tree) for fault in found]
        raise SpecError(sorted(faults, key=lambda f: (f.line or 0, f.column or 0)))
    return spec


def fill_swept(raw: dict[str, Any]) -> dict[str, Any]:
    """Return a plain spec in which required keys that only the sweep gives hold a placeholder."""
    grid = raw.get("sweep")
    swept = {key.split(".")[0] for key in grid} if isinstance(grid, dict) else set()
    filled = {key: value for key, value in _PLACEHOLDERS.items() if key in swept}
    if swept & set(BUDGETS) and not raw.keys() & set(BUDGETS):
        filled["epochs"] = 1
    return filled | raw


def _place(fault: Fault, tree: Tree) -> Fault:
    """Point at the key where the key is at fault, else at the value."""
    return tree.place(fault, at_key=is_about_its_key(fault))


def is_about_its_key(fault: Fault) -> bool:
    """Tell whether a key is at fault, not its value."""
    return "unknown key" in fault.message or "no argument" in fault.message


def _healthy(raw: dict[str, Any], wrong: frozenset[str]) -> dict[str, Any]:
    rest = {key: value for key, value in raw.items() if key not in wrong}
    if not rest.keys() & set(BUDGETS) and wrong & set(BUDGETS):
        rest["epochs"] = 1
    return _PLACEHOLDERS | rest


def _null_faults(raw: dict[str, Any]) -> list[Fault]:
    """Find keys with nothing behind them: a forgotten value, never a default."""
    locations: list[Location] = [(key,) for key in raw]
    for key in ("data", "validation", "evaluate_every", "target", "learning_rate_rule"):
        if isinstance(raw.get(key), dict):
            locations += [(key, inner) for inner in raw[key]]
    if isinstance(raw.get("optimizer"), dict) and "learning_rate" in raw["optimizer"]:
        locations.append(("optimizer", "learning_rate"))
    empty = [location for location in locations if _at(raw, location) is None]
    return [Fault(location, _empty_words(str(location[-1]))) for location in empty]


def _empty_words(key: str) -> str:
    name, colon, value = key.partition(":")
    if colon:
        return f"found no value; put a blank after the colon, {name}: {value}"
    return "found nothing (null); write a value, or leave the key out"


def _at(raw: Any, location: Location) -> Any:
    for part in location:
        raw = raw[part]
    return raw


def _translate(details: Mapping[str, Any], tree: Tree) -> Fault | None:
    """Turn one of pydantic's errors into a fault in our words; None if another one says it."""
    location = tuple(p for p in details["loc"] if not (isinstance(p, str) and p.startswith("<")))
    kind, value = details["type"], details["input"]
    if kind == "missing":
        siblings = [key for key in value if key not in Spec.model_fields]
        if len(location) == 1 and keras_names.nearest(str(location[-1]), siblings):
            return None  # it is there, misspelt; the unknown key says so
        return Fault(location, f"is missing; add {location[-1]}: ...")
    if kind == "extra_forbidden":
        legal = legal_keys(details["loc"][:-1])
        hint = keras_names.nearest(str(location[-1]), legal)
        return Fault(location, f"unknown key{hint or '; the keys here are ' + ', '.join(legal)}")
    mark = tree.found(location)
    found = keras_names.shorten(mark.text) if mark and mark.text else keras_names.show(value)
    must = details.get("ctx", {}).get("be") or _mapping_words(kind, details)
    return Fault(location, f"found {found}; must be {must}{_hint(value, must)}")


def _hint(value: Any, must: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value):
        return f"; write {value} without quotes"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return f"; write {int(value)}"
    words = re.findall(r"[a-z0-9_]+", must)
    if must.startswith("a list") and value in words:
        return f"; write [{value}]"
    return keras_names.nearest(value, words) if isinstance(value, str) else ""


def _mapping_words(kind: str, details: Mapping[str, Any]) -> str:
    if kind in ("model_type", "dict_type"):
        return "a mapping, like {key: value}"
    if kind in ("tuple_type", "list_type"):
        return "a list, like [...]"
    return str(details["msg"]).lower()
