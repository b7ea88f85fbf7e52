"""What a spec may reach: files in its own folder, others and Python code only with trust.

A spec from a stranger can neither run code nor read files elsewhere. Symbolic links are followed
before a path is judged, so a link in the folder leads nowhere else.
"""

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from kerasbatch.errors import Location, SpecError, shortened


@dataclass(frozen=True)
class Access:
    """The rights of one spec.

    Args:
        folder: the folder of the spec; relative paths start here.
        trusted: whether the spec may run Python code and read files anywhere.
    """

    folder: Path
    trusted: bool = False

    def file(self, name: str, location: Location) -> Path:
        """Return the path of a file that the spec names.

        Raises:
            SpecError: if it is not there, no file, or outside of what the spec may read.
        """
        path = self.absolute(name)
        if not self.trusted and not any(path.is_relative_to(home) for home in self._homes()):
            message = (
                f"{name} lies outside the spec's folder; copy it there, or add --trust "
                f"if you trust this spec"
            )
            raise SpecError.at(location, message)
        if not path.exists():
            raise SpecError.at(
                location, f"there is no file {name} (relative paths start at the spec)"
            )
        if not path.is_file():
            raise SpecError.at(location, f"{name} is not a file")
        return path

    def absolute(self, name: str) -> Path:
        """Return a path of the spec as an absolute one, links followed."""
        return (self.folder / Path(name).expanduser()).resolve()

    def _homes(self) -> Iterator[Path]:
        yield self.folder.resolve()
        if data := os.environ.get("KERASBATCH_DATA"):
            yield Path(data).expanduser().resolve()

    def function(self, name: str, location: Location) -> Callable[..., Any]:
        """Load the function of `file.py:function`.

        Raises:
            SpecError: without trust, or if the file fails or has no such function.
        """
        if not self.trusted:
            message = f"{name} runs Python code; add --trust if you trust this spec"
            raise SpecError.at(location, message)
        file, _, function = name.rpartition(":")
        path = self.file(file, location)
        module = self._module(path, location)
        found = getattr(module, function, None)
        if not callable(found):
            defined = [key for key, value in vars(module).items() if _is_own(value, module)]
            listing = f"; it has {', '.join(defined)}" if defined else ""
            raise SpecError.at(location, f"{path.name} has no function {function}{listing}")
        return found  # type: ignore[no-any-return]  # callable, and whatever its author made it

    def _module(self, path: Path, location: Location) -> ModuleType:
        name = f"kerasbatch_own_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
        specification = importlib.util.spec_from_file_location(name, path)
        if specification is None or specification.loader is None:
            raise SpecError.at(location, f"{path.name} is not a Python file")
        module = importlib.util.module_from_spec(specification)
        # Keras looks a class up by its module when it saves a model.
        sys.modules[name] = module
        with own_code(path, location):
            specification.loader.exec_module(module)
        return module


def _is_own(value: Any, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def code_hash(path: Path) -> str:
    """Return a hash of a Python file's text."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@contextmanager
def own_code(path: Path, location: Location) -> Iterator[None]:
    """Run a user's code; its folder is importable, its errors are shown by its own lines.

    Raises:
        SpecError: for whatever the code raises.
    """
    sys.path.insert(0, str(path.parent))
    try:
        yield
    except SpecError:
        raise
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if Path(frame.filename).parent == path.parent]
        text = "".join(_trace(own))
        raise SpecError.at(location, f"{path.name} failed: {_short(error)}{text}") from error
    finally:
        sys.path.remove(str(path.parent))


def _trace(frames: Sequence[traceback.FrameSummary]) -> Iterator[str]:
    for frame in frames:
        yield f"\n    {Path(frame.filename).name}:{frame.lineno}, in {frame.name}: {frame.line}"


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {shortened(text, 300)}"
