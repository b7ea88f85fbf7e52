"""Loads TensorFlow without its log, and with the settings that kerasbatch relies on.

Only the command line calls these functions: a library must not change the environment of its
caller.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
"""Variables by which Keras cuts a training short, with no more than a warning."""
UNUSED = ("sklearn", "matplotlib")
"""What Keras imports, where it can, for its wrappers and its galleries: a third of its loading."""


def set_variables(*, verbose: bool) -> list[str]:
    """Set what must be set before Keras is imported; return what a person must know."""
    notices = []
    for name in LIMITS:
        if name in os.environ:
            value = os.environ.pop(name)
            notices.append(f"{name}={value} is ignored: it would cut the training short")
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        notices.append(f"KERAS_BACKEND={backend} is ignored: kerasbatch trains with TensorFlow")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if not verbose:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return notices


def load_tensorflow(*, verbose: bool, whole: bool = False) -> None:
    """Import TensorFlow and Keras; what they write while loading is shown if they fail.

    Args:
        verbose: let what they write appear at once.
        whole: also what nobody but somebody's own code might want of Keras.
    """
    with contextlib.nullcontext() if whole else _hidden_packages(UNUSED):
        if verbose:
            import keras  # imported for its effect

            return
        with _captured_stderr():
            import keras  # noqa: F401  # imported for its effect
        import tensorflow as tf
    tf.get_logger().setLevel("ERROR")


@contextmanager
def _hidden_packages(names: tuple[str, ...]) -> Iterator[None]:
    """Let imports of packages fail that are not loaded yet; afterwards they can be imported."""
    hidden: dict[str, None] = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None is Python's own sign for it
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def set_threads(threads: int) -> None:
    """Let TensorFlow use so many threads, before it computes anything; 0: it chooses."""
    if threads == 0:
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


@contextmanager
def _captured_stderr() -> Iterator[None]:
    """Keep back what C++ code writes to the standard error; hand it on after an exception.

    TensorFlow logs some lines before it reads its own log level.
    """
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except Exception:
            kept.seek(0)
            os.write(original, kept.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)
