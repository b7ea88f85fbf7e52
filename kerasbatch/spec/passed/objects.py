"""The objects that Python code passed beside a spec, by the names that the spec has for them."""

import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasbatch.errors import Location, SpecError
from kerasbatch.spec.passed.installed import own_modules
from kerasbatch.text import shortened

_LOCK = threading.Lock()
"""Held while cloudpickle's list of modules, which is global, holds the user's own."""


@dataclass(frozen=True)
class PassedObjects:
    """Objects by their names, in this process or in files for others.

    Args:
        values: the objects themselves.
        files: their pickles in files, for other processes of this machine.
        pickles: their pickles, for other machines.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)
    pickles: Mapping[str, bytes] = field(default_factory=dict)

    def get(self, name: str, location: Location) -> Any:
        """Return an object; a new copy if it comes from a pickle.

        Raises:
            SpecError: if there is none of this name, or its pickle cannot be read here.
        """
        if name in self.values:
            return self.values[name]
        if not self.holds(name):
            key = str(location[0])
            message = f"{name} was passed from Python and is not in this spec; pass it again, like "
            raise SpecError.at(location, f"{message}kerasbatch.run(spec, {key}=...)")
        try:
            content = self.pickles.get(name) or self.files[name].read_bytes()
            return pickle.loads(content)  # noqa: S301  # of this session's own objects
        except Exception as error:  # the code of an object may raise any type
            message = f"{name} cannot be made again in another process: {_reason(error)}"
            advice = "pass its class, or a function that makes it"
            raise SpecError.at(location, f"{message}; {advice}") from error

    def holds(self, name: str) -> bool:
        """Return whether there is an object of this name."""
        return name in self.values or name in self.files or name in self.pickles

    def copy(self, name: str, location: Location) -> Any:
        """Return a new copy of an object, so that the caller's is not changed.

        Raises:
            SpecError: if there is none of this name, or it cannot be copied.
        """
        value = self.get(name, location)
        if name not in self.values:
            return value
        try:
            return pickle.loads(pickled(name, value, location))  # noqa: S301  # of this process
        except SpecError:
            raise
        except Exception as error:  # the code of an object may raise any type
            message = f"{name} cannot be copied: {_reason(error)}; pass a function that builds it"
            raise SpecError.at(location, message) from error

    def stored(self, folder: Path) -> "PassedObjects":
        """Return the same objects as files in a folder, for other processes.

        Raises:
            SpecError: if an object cannot be pickled.
        """
        if not self.values:
            return self
        folder.mkdir(parents=True, exist_ok=True)
        files = dict(self.files)
        for number, (name, value) in enumerate(self.values.items()):
            files[name] = folder / f"{number}.pickle"
            files[name].write_bytes(pickled(name, value, ()))
        return PassedObjects(files=files)

    def portable_code(self) -> "PassedObjects":
        """Return the same models and callbacks for other machines; data are sent apart.

        Raises:
            SpecError: if an object cannot be pickled.
        """
        data = {name for name, value in self.values.items() if isinstance(value, Mapping)}
        code = {name: value for name, value in self.values.items() if name not in data}
        return PassedObjects(
            pickles={name: pickled(name, value, ()) for name, value in code.items()}
        )


def pickled(name: str, value: Any, location: Location) -> bytes:
    """Return the pickle of an object, with the code that is not installed.

    Raises:
        SpecError: if it cannot be pickled.
    """
    import cloudpickle

    with _LOCK:
        registered = cloudpickle.list_registry_pickle_by_value()
        modules = [module for module in own_modules() if module.__name__ not in registered]
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
        try:
            content: bytes = cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # the objects inside may raise any type
            message = f"{name} cannot be sent to another process: {_reason(error)}"
            raise SpecError.at(location, message) from error
        finally:
            for module in modules:
                cloudpickle.unregister_pickle_by_value(module)
    return content


def _reason(error: Exception) -> str:
    return shortened(f"{type(error).__name__}: {' '.join(str(error).split())}", 300)
