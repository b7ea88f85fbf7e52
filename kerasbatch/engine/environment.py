"""Loads TensorFlow without its log, with the settings that kerasbatch needs.

Only the command line sets variables and threads: a library must not change the environment of its
caller.
"""

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
"""Environment variables that make Keras cut a training short, with only a warning."""
UNUSED = ("sklearn", "matplotlib")
"""Optional imports of Keras for wrappers and image galleries: a third of its loading time."""


def set_variables(*, verbose: bool) -> list[str]:
    """Set environment variables that Keras reads at its import; return notices for the user."""
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


def load_tensorflow(*, verbose: bool, load_optional: bool = False) -> None:
    """Import TensorFlow and Keras; their output while loading is shown only if they fail.

    Args:
        verbose: whether to show their output at once.
        load_optional: whether to import the optional packages too, which only user code may need.
    """
    with contextlib.nullcontext() if load_optional else _hidden_packages(UNUSED):
        if verbose:
            import keras  # imported for its effect

            return
        with captured_stderr():
            import keras  # noqa: F401  # imported for its effect
        import tensorflow as tf
    tf.get_logger().setLevel("ERROR")


@contextmanager
def _hidden_packages(names: tuple[str, ...]) -> Iterator[None]:
    """Make imports of packages fail that are not loaded yet; restore them afterwards."""
    hidden: dict[str, None] = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]  # None makes an import fail
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def thread_count() -> int:
    """Return the number of threads between which TensorFlow divides a sum."""
    import tensorflow as tf

    return int(tf.config.threading.get_intra_op_parallelism_threads()) or os.cpu_count() or 1


def set_threads(threads: int) -> None:
    """Set the number of threads of TensorFlow before its first computation; 0: the default."""
    if threads == 0:
        return
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


_CAPTURE = threading.RLock()
"""Held while standard error is captured: two threads must not exchange their copies of it."""


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


@contextmanager
def captured_stderr() -> Iterator[None]:
    """Capture the standard error of C++ code; write it out after an exception.

    TensorFlow logs some lines before it reads its own log level, TF_CPP_MIN_LOG_LEVEL.
    """
    if sys.stderr is None or not _is_open(2):
        yield
        return
    sys.stderr.flush()
    with _CAPTURE, tempfile.TemporaryFile() as captured:
        original = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except Exception:
            captured.seek(0)
            os.write(original, captured.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


def first_log_lines_hidden() -> AbstractContextManager[None]:
    """Return a context for an import that may load TensorFlow, for a caller who wants no log.

    TF_CPP_MIN_LOG_LEVEL=3 says so; TensorFlow logs some lines before it reads the variable.
    """
    is_wanted = os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "3" and "tensorflow" not in sys.modules
    return captured_stderr() if is_wanted else contextlib.nullcontext()
