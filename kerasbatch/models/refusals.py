"""Exceptions of Keras as faults of the spec."""

import contextlib
from collections.abc import Iterator

from kerasbatch.errors import Location, SpecError
from kerasbatch.text import error_text, shortened


@contextlib.contextmanager
def passed_code_errors(name: str, location: Location) -> Iterator[None]:
    """Turn an exception of code that was passed from Python into a fault."""
    try:
        yield
    except SpecError:
        raise
    except Exception as error:  # the code of the user may raise any type
        raise SpecError.at(location, f"{name} failed: {error_text(error)}") from error


@contextlib.contextmanager
def keras_refusals(location: Location, advice: str = "") -> Iterator[None]:
    """Turn an exception of Keras into a fault at its place in the spec, with advice."""
    try:
        yield
    except SpecError:
        raise
    except Exception as error:  # the checks of Keras and TensorFlow raise many types
        text = " ".join(str(error).split()) or type(error).__name__
        raise SpecError.at(
            location, f"Keras refuses this: {shortened(text, 400)}{advice}"
        ) from error
