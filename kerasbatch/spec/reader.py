"""Reads a spec from YAML text or a dict; faults have a file, line and column.

The source is kept with the spec, so that a later fault (Keras refuses a value, the data do not fit
the loss) also names its line.
"""

import contextlib
import copy
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from kerasbatch.errors import Fault, SpecError
from kerasbatch.spec.check import check_spec
from kerasbatch.spec.document import yaml_tree
from kerasbatch.spec.document.yaml_tree import Tree
from kerasbatch.spec.overrides import move_auto_rate, outer_first, override, respell, set_value
from kerasbatch.spec.passed.objects import PassedObjects
from kerasbatch.spec.passed.references import with_references
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.types import Backend


@dataclass(frozen=True)
class SpecSource:
    """A spec and its source.

    Args:
        spec: the checked spec.
        tree: the plain values and their places.
        folder: the folder that relative paths start from.
        text: the original text, or None for a dict.
        overrides: the `key=value` texts that replaced keys.
        unchanged: the plain values without the overrides; None if they are those of the tree.
        objects: the objects that Python code passed beside the spec.
    """

    spec: Spec
    tree: Tree
    folder: Path
    text: str | None = None
    overrides: tuple[str, ...] = ()
    unchanged: Any = None
    objects: PassedObjects = field(default_factory=PassedObjects)

    def access(self, *, trust: bool = False, results: Path | None = None) -> Access:
        """Return the files, code and objects that the spec may use.

        Args:
            trust: whether it may run Python code and read files anywhere.
            results: the folder of the experiments of this command; by default that of `run`.
        """
        return Access(self.folder, trust, self.objects, (results or Path("results")).absolute())

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Add the place in the file to the faults of errors inside the context."""
        try:
            yield
        except SpecError as error:
            raise self.tree.locate(error) from error.__cause__


def resolve_spec(
    spec: "str | Path | Mapping[str, Any] | SpecSource",
    overrides: Iterable[str] = (),
    backend: str = "tensorflow",
) -> SpecSource:
    """Return the spec of a file or a dict, or a spec that is already read.

    Args:
        spec: the path of a YAML file, a dict of the same shape, or a spec with its overrides.
        overrides: `key=value` texts that replace keys of a file or a dict.
        backend: the backend that Keras is configured for; as in `with_backend`.

    Raises:
        SpecError: if the spec is wrong.
    """
    if isinstance(spec, SpecSource):
        source = spec
    elif isinstance(spec, str | Path):
        source = load_spec(spec, overrides)
    else:
        source = spec_from_dict(spec, overrides)
    return with_backend(source, backend)


def load_spec(path: str | Path, overrides: Iterable[str] = ()) -> SpecSource:
    """Read a spec from a YAML file.

    Args:
        path: the file.
        overrides: `key=value` texts like those of `--set`; keys are dotted, values are YAML.

    Raises:
        SpecError: with every fault of the file.
    """
    file = Path(path)
    return parse_spec(_read_bytes(file), file, overrides)


def parse_spec(content: bytes, path: Path, overrides: Iterable[str] = ()) -> SpecSource:
    """Return the spec of the content of a file; arguments and errors as in `load_spec`."""
    text = _decode(content, path)
    tree = yaml_tree.parse(text, str(path))
    if tree.value is None:
        hint = "write at least data, model, optimizer, loss, epochs and batch_size"
        raise SpecError([Fault((), f"the file holds no spec; {hint}", str(path))])
    folder = Path(os.path.realpath(path)).parent
    return _checked(tree, path.stem, folder, tuple(overrides), text)


def spec_from_dict(value: Mapping[str, Any], overrides: Iterable[str] = ()) -> SpecSource:
    """Make a spec from a dict of the shape of a YAML file; paths start at the working directory.

    Data, model, optimizer, loss, metrics and callbacks may be objects; numbers, lists and text
    those of NumPy and the like. A dotted key sets a value inside another key.

    Raises:
        SpecError: with every fault.
    """
    plain, objects = with_references(value)
    for key in outer_first(key for key in plain if "." in key):
        set_value(plain, key, plain.pop(key))
    source = _checked(Tree(plain), "experiment", Path.cwd(), tuple(overrides))
    return replace(source, objects=objects)


def with_keys(source: SpecSource, keys: Mapping[str, Any]) -> SpecSource:
    """Return a spec with other values for some of its keys, dotted or not; objects included.

    Raises:
        SpecError: with every fault.
    """
    plain, objects = with_references(keys)
    tree = copy.deepcopy(source.tree)
    for key in outer_first(plain):
        location = set_value(tree.value, key, plain[key])
        tree.overrides[location] = f"{key}="
    move_auto_rate(tree)
    spec = check_spec(tree, default_name=source.spec.name)
    unchanged = source.tree.value if source.unchanged is None else source.unchanged
    given = (*source.overrides, *(f"{key}={value}" for key, value in plain.items()))
    values = {**source.objects.values, **objects.values}
    return replace(
        source,
        spec=spec,
        tree=tree,
        overrides=given,
        unchanged=unchanged,
        objects=PassedObjects(values),
    )


def with_backend(source: SpecSource, configured: str) -> SpecSource:
    """Return a spec for the backend that Keras is configured for, if it names none.

    Args:
        source: the spec.
        configured: the backend, as KERAS_BACKEND or keras.json says; of others than ours, the spec
            keeps its default.
    """
    is_named = "backend" in source.tree.value
    if is_named or configured not in get_args(Backend) or configured == source.spec.backend:
        return source
    return with_keys(source, {"backend": configured})


def checked_spec(plain: Mapping[str, Any]) -> Spec:
    """Return the spec of plain values.

    Raises:
        SpecError: with every fault.
    """
    tree = Tree(copy.deepcopy(dict(plain)))
    move_auto_rate(tree)
    return check_spec(tree, "experiment")


def _checked(
    tree: Tree, name: str, folder: Path, overrides: tuple[str, ...], text: str | None = None
) -> SpecSource:
    respell(tree)
    unchanged = copy.deepcopy(tree.value) if overrides else None
    override(tree, overrides)
    move_auto_rate(tree)
    spec = check_spec(tree, default_name=name)
    return SpecSource(spec, tree, folder, text, overrides, unchanged)


def _read_bytes(path: Path) -> bytes:
    try:
        if not path.exists():
            raise SpecError([Fault((), "there is no such file", str(path))])
        if not path.is_file():
            raise SpecError([Fault((), "is not a file; give the path of a YAML file", str(path))])
        raw = path.read_bytes() if path.stat().st_size <= yaml_tree.MAX_BYTES else None
    except OSError as error:
        raise SpecError([Fault((), f"cannot be read: {error.strerror}", str(path))]) from None
    if raw is None:
        raise SpecError([Fault((), "is larger than 1 MB; a spec is one page of YAML", str(path))])
    return raw


def _decode(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8; save the file as UTF-8 text"
        raise SpecError([Fault((), message, str(path), line, column)]) from None
