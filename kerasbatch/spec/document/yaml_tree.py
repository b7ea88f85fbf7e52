"""Parses YAML text into plain values with the line and column of every key and value.

Reads the event stream of PyYAML's pure-Python parser, so that no tag creates an object, no
recursion depends on the text, and a too large document is refused early. Scalars follow YAML 1.2's
core rules: `1e-3` is a number; `on`, `no` and `010` are text. Anchors, aliases, merges and tags are
refused, since a spec of one page does not need them.

Covers syntax only, not the meaning of keys.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from kerasbatch.errors import Fault, Location, SpecError, dotted
from kerasbatch.spec.document.yaml_scalar import scalar

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_NODES = 10_000

# Characters that YAML does not allow: control characters (except tab, line feed, carriage return
# and next line), surrogates and the two non-characters.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Mark:
    """A place in a text: line and column from 1, and the scalar as written."""

    line: int
    column: int
    text: str | None = None


@dataclass
class Tree:
    """A YAML document as plain values, with the place of every key and value.

    Args:
        value: dicts, lists, text, numbers, booleans and None.
        file: the name to show in errors, or None for values that come from Python.
        keys: the place of every mapping key.
        values: the place of every value.
        overrides: the text of every override, by the location that it set.
    """

    value: Any
    file: str | None = None
    keys: dict[Location, Mark] = field(default_factory=dict)
    values: dict[Location, Mark] = field(default_factory=dict)
    overrides: dict[Location, str] = field(default_factory=dict)

    def mark_of(self, location: Location) -> Mark | None:
        """Return the mark of the value at exactly this location, or None."""
        return self.values.get(location)

    def place(self, fault: Fault) -> Fault:
        """Return the fault with file, line and column of the nearest existing place."""
        location = fault.location
        for prefix, text in self.overrides.items():
            if location[: len(prefix)] == prefix:
                return replace(fault, file=text)
        marks = self.keys if fault.at_key else self.values
        mark = marks.get(location)
        while mark is None and location:
            mark = self.keys.get(location) or self.values.get(location)
            location = location[:-1]
        if mark is None:
            return replace(fault, file=self.file)
        return replace(fault, file=self.file, line=mark.line, column=mark.column)

    def locate(self, error: SpecError) -> SpecError:
        """Return the error with every fault placed in this document."""
        return error.with_faults(
            fault if fault.line else self.place(fault) for fault in error.faults
        )


def parse(text: str, file: str | None = None) -> Tree:
    """Read one YAML document.

    Args:
        text: the document.
        file: the name to show in errors.

    Raises:
        SpecError: if it is not one well-formed document within the limits; with every fault that
            can be recognized.
    """
    if bad := _FORBIDDEN.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - text.rfind("\n", 0, bad.start())
        message = f"the character U+{ord(bad.group()):04X} is not allowed in YAML; delete it"
        raise SpecError([Fault((), message, file, line, column)])
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            builder.add(event)
    except yaml.MarkedYAMLError as error:
        builder.faults.append(_syntax_fault(error, file))
    except _FatalError as error:
        builder.faults.append(error.fault)
    if builder.faults:
        raise SpecError(builder.faults)
    return builder.tree


def _syntax_fault(error: yaml.MarkedYAMLError, file: str | None) -> Fault:
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context)
    if "\\t" in problem:
        message = "there is a tab here; YAML is indented with spaces, so write spaces instead"
    else:
        context = f" ({error.context})" if error.context and error.problem else ""
        message = f"this is not YAML: {problem}{context}"
    if mark is None:
        return Fault((), message, file)
    return Fault((), message, file, mark.line + 1, mark.column + 1)


class _FatalError(Exception):
    def __init__(self, fault: Fault) -> None:
        self.fault = fault


@dataclass
class _OpenCollection:
    """A mapping or list that is not complete yet."""

    container: dict[str, Any] | list[Any]
    location: Location
    key: str | None = None


class _Builder:
    """Builds a tree from YAML events, with a stack instead of recursion."""

    def __init__(self, file: str | None) -> None:
        self.tree = Tree(None, file)
        self.faults: list[Fault] = []
        self._stack: list[_OpenCollection] = []
        self._nodes = 0
        self._documents = 0

    def add(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise self._fatal(event, "a second document starts here; a file holds one spec")
        elif isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._stack.pop()

    def _node(self, event: yaml.NodeEvent) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._fatal(event, f"more than {MAX_NODES:,} values; a spec is one page")
        if isinstance(event, yaml.AliasEvent):
            self._fault(event, f"the alias *{event.anchor} is not allowed; write the value out")
        elif event.anchor is not None:
            self._fault(event, f"the anchor &{event.anchor} is not allowed; leave it out")
        if (tag := getattr(event, "tag", None)) is not None:
            self._fault(event, f"the tag {tag[:60]} is not allowed; leave it out")
        top = self._stack[-1] if self._stack else None
        if top and isinstance(top.container, dict) and top.key is None:
            self._key(event, top)
        else:
            self._value(event)

    def _key(self, event: yaml.NodeEvent, top: _OpenCollection) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._fatal(event, "a key must be text, not a list, a mapping or an alias")
        key = self._text(event)
        location = (*top.location, key)
        if key == "<<" and event.implicit[0]:
            self._fault(event, "the merge key << is not allowed; write the keys out")
        elif key in top.container:
            first = self.tree.keys[location]
            message = f"{dotted(location)} is a duplicate key; it is already in line {first.line}"
            self._fault(event, message)
        else:
            self.tree.keys[location] = self._mark(event)
        top.key = key

    def _value(self, event: yaml.NodeEvent) -> None:
        location = self._next_location()
        if len(location) > MAX_DEPTH:
            raise self._fatal(event, f"nested more than {MAX_DEPTH} deep")
        self.tree.values.setdefault(location, self._mark(event))
        if isinstance(event, yaml.MappingStartEvent):
            self._open({}, location)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._open([], location)
        else:
            self._store(self._scalar(event))

    def _open(self, container: dict[str, Any] | list[Any], location: Location) -> None:
        self._store(container)
        self._stack.append(_OpenCollection(container, location))

    def _next_location(self) -> Location:
        if not self._stack:
            return ()
        top = self._stack[-1]
        step = top.key if isinstance(top.container, dict) else len(top.container)
        return (*top.location, step)  # type: ignore[arg-type]  # a value's key was read before it

    def _store(self, value: Any) -> None:
        if not self._stack:
            self.tree.value = value
            return
        top = self._stack[-1]
        if isinstance(top.container, list):
            top.container.append(value)
        else:
            top.container.setdefault(str(top.key), value)
            top.key = None

    def _scalar(self, event: yaml.NodeEvent) -> Any:
        if not isinstance(event, yaml.ScalarEvent):
            return None  # an alias, whose fault is recorded already
        text = self._text(event)
        if event.style is not None:
            return text
        try:
            return scalar(text)
        except ValueError as error:
            self._fault(event, str(error))
            return None

    def _text(self, event: yaml.ScalarEvent) -> str:
        text = str(event.value)
        if bad := re.search("[\ud800-\udfff\x00]", text):
            self._fault(event, f"the escape for U+{ord(bad.group()):04X} is not a character")
            return ""
        return text

    def _mark(self, event: yaml.Event) -> Mark:
        mark = event.start_mark
        assert mark is not None  # noqa: S101  # the parser marks every event
        text = event.value if isinstance(event, yaml.ScalarEvent) and event.style is None else None
        return Mark(mark.line + 1, mark.column + 1, text)

    def _fault(self, event: yaml.Event, message: str) -> None:
        mark = self._mark(event)
        self.faults.append(Fault((), message, self.tree.file, mark.line, mark.column))

    def _fatal(self, event: yaml.Event, message: str) -> _FatalError:
        self._fault(event, message)
        return _FatalError(self.faults.pop())
