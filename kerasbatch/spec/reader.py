"""YAML text, or a dict, -> a spec; with file, line and column for every fault.

The source is kept beside the spec, so that a fault that shows later (Keras refuses a value, the
data do not fit the loss) still names its line.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.spec import yaml_tree
from kerasbatch.spec.overrides import override, respell
from kerasbatch.spec.rules import check_rules, names_and_arguments
from kerasbatch.spec.schema import BUDGETS, Spec, legal_keys
from kerasbatch.spec.yaml_tree import Tree
from kerasbatch.text import short_name, show_value, suggestion


@dataclass(frozen=True)
class SpecSource:
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


def resolve_spec(
    spec: "str | Path | Mapping[str, Any] | SpecSource", overrides: Iterable[str] = ()
) -> SpecSource:
    """Return the spec that is meant: a file's, a dict's, or one that was read already.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec, overridden already.
        overrides: `key=value` texts that replace keys of the spec.

    Raises:
        SpecError: if the spec is wrong.
    """
    if isinstance(spec, SpecSource):
        return spec
    if isinstance(spec, str | Path):
        return load_spec(spec, overrides)
    return spec_from_dict(spec, overrides)


def load_spec(path: str | Path, overrides: Iterable[str] = ()) -> SpecSource:
    """Read a spec from a YAML file.

    Args:
        path: the file.
        overrides: `key=value` texts, as `--set` takes them; keys are dotted, values are YAML.

    Raises:
        SpecError: with every fault of the file.
    """
    file = Path(path)
    text = _read_text(file)
    tree = yaml_tree.parse(text, str(path))
    if tree.value is None:
        hint = "write at least data, model, optimizer, loss, epochs and batch_size"
        raise SpecError([Fault((), f"the file holds no spec; {hint}", str(path))])
    respell(tree)
    override(tree, overrides)
    return SpecSource(check_spec(tree, default_name=file.stem), tree, file.resolve().parent, text)


def spec_from_dict(value: Mapping[str, Any], overrides: Iterable[str] = ()) -> SpecSource:
    """Make a spec from a dict of the same shape as the YAML file; paths start from here.

    Raises:
        SpecError: with every fault.
    """
    tree = Tree(_plain_lists(dict(value)))
    respell(tree)
    override(tree, overrides)
    return SpecSource(check_spec(tree, default_name="experiment"), tree, Path.cwd())


def _plain_lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str | int)]:
            raise SpecError([Fault((), f"the key {show_value(odd[0])} is not text")])
        return {str(key): _plain_lists(inner) for key, inner in value.items()}
    return [_plain_lists(inner) for inner in value] if isinstance(value, list | tuple) else value


def _read_text(path: Path) -> str:
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


# Harmless values for keys that are missing or wrong, so that the rest can still be checked.
_PLACEHOLDERS: dict[str, Any] = {
    "data": "digits",
    "model": "mlp",
    "optimizer": "adam",
    "loss": "mse",
    "batch_size": 1,
}


def check_spec(tree: Tree, default_name: str) -> Spec:
    """Check the plain values of a spec and return the spec.

    Raises:
        SpecError: with every fault, each at its place in the tree.
    """
    raw = tree.value
    if not isinstance(raw, dict):
        message = f"found {show_value(raw)}; a spec is a mapping with keys such as data and model"
        raise SpecError([Fault((), message, tree.file)])
    raw = {"name": default_name} | fill_swept(raw)
    certain = [*_null_faults(raw), *names_and_arguments(raw)]
    known = {fault.location for fault in certain}
    spec, found = None, list(certain)
    try:
        spec = Spec.model_validate(raw)
    except ValidationError as error:
        details = [_translate(each, tree) for each in error.errors(include_url=False)]
        found += [fault for fault in details if fault and fault.location not in known]
    wrong = frozenset(str(fault.location[0]) for fault in found if fault.location)
    healthy = spec or Spec.model_validate(_healthy(raw, wrong))
    found += check_rules(healthy, wrong)
    if found or spec is None:
        faults = [tree.place(fault) for fault in found]
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
        if len(location) == 1 and suggestion(str(location[-1]), siblings):
            return None  # it is there, misspelt; the unknown key says so
        return Fault(location, f"is missing; add {location[-1]}: ...")
    if kind == "extra_forbidden":
        legal = legal_keys(details["loc"][:-1])
        hint = suggestion(str(location[-1]), legal)
        message = f"unknown key{hint or '; the keys here are ' + ', '.join(legal)}"
        return Fault(location, message, at_key=True)
    mark = tree.found(location)
    found = short_name(mark.text) if mark and mark.text else show_value(value)
    must = details.get("ctx", {}).get("be") or _mapping_words(kind, details)
    return Fault(location, f"found {found}; must be {must}{_hint(value, must)}")


def _hint(value: Any, must: str) -> str:
    if isinstance(value, str) and re.fullmatch(r"[-+]?[0-9]+(\.[0-9]+)?", value):
        return f"; write {value} without quotes"
    if isinstance(value, float) and value.is_integer() and 0 < value < 1e15:
        return f"; write {int(value)}"
    words = re.findall(r"[a-z0-9_]+", must)
    if must.startswith("a list") and value in words:
        return f"; write [{value}]"
    return suggestion(value, words) if isinstance(value, str) else ""


def _mapping_words(kind: str, details: Mapping[str, Any]) -> str:
    if kind in ("model_type", "dict_type"):
        return "a mapping, like {key: value}"
    if kind in ("tuple_type", "list_type"):
        return "a list, like [...]"
    return str(details["msg"]).lower()
