"""Loads TensorFlow without its log, and with the settings that kerasbatch relies on.

Only the command line calls these functions: a library must not change the environment of its
caller.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
"""Variables by which Keras cuts a training short, with no more than a warning."""


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


def load_tensorflow(*, verbose: bool) -> None:
    """Import TensorFlow and Keras; what they write while loading is shown if they fail."""
    if verbose:
        import keras  # imported for its effect

        return
    with _stderr_kept_back():
        import keras  # noqa: F401  # imported for its effect
        import tensorflow as tf
    tf.get_logger().setLevel("ERROR")


def compute_with(threads: int) -> None:
    """Let TensorFlow use so many threads, before it computes anything; 0: it chooses."""
    if threads == 0:
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


@contextmanager
def _stderr_kept_back() -> Iterator[None]:
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
