"""Loads Keras and its backend without their log, with the settings that kerasbatch needs.

Only the command line sets variables and threads: a library must not change the environment of its
caller.
"""

import contextlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

LIMITS = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH")
"""Environment variables that make Keras cut a training short, with only a warning."""
UNUSED = ("sklearn", "matplotlib")
"""Optional imports of Keras for wrappers and image galleries: a third of its loading time."""


def configured_backend() -> str:
    """Return the backend that Keras has, or will have when it is imported.

    Keras takes it from KERAS_BACKEND, or else from keras.json in KERAS_HOME.
    """
    if "keras" in sys.modules:
        import keras

        return str(keras.backend.backend())
    if name := os.environ.get("KERAS_BACKEND"):
        return name
    file = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "keras.json"
    try:
        return str(json.loads(file.read_text(encoding="utf-8")).get("backend", "tensorflow"))
    except (OSError, ValueError, AttributeError):  # Keras passes over such a file, too
        return "tensorflow"


def set_variables(
    *, verbose: bool, backend: str = "tensorflow", threads: int = 0, compiled: Path | None = None
) -> list[str]:
    """Set environment variables that Keras reads at its import; return notices for the user.

    Args:
        verbose: whether the log of the backend is shown.
        backend: the backend of Keras.
        threads: the number of threads of JAX, which it reads when it is imported; 0: all cores.
        compiled: the folder of what JAX compiles, so that the next process need not.
    """
    notices = []
    for name in LIMITS:
        if name in os.environ:
            value = os.environ.pop(name)
            notices.append(f"{name}={value} is ignored: it would cut the training short")
    asked = os.environ.get("KERAS_BACKEND", backend)
    if asked != backend:
        notices.append(f"KERAS_BACKEND={asked} is ignored: this command uses {backend}")
    os.environ["KERAS_BACKEND"] = backend
    if not verbose:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if threads:
        os.environ["NPROC"] = str(threads)
    if backend == "jax" and compiled is not None:
        os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(compiled))
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    return notices


def load_keras(*, verbose: bool, load_optional: bool = False) -> None:
    """Import Keras and its backend; their output while loading is shown only if they fail.

    Args:
        verbose: whether to show their output at once.
        load_optional: whether to import the optional packages too, which only user code may need.
    """
    with contextlib.nullcontext() if load_optional else _hidden_packages(UNUSED):
        with contextlib.nullcontext() if verbose else captured_stderr():
            import keras
        if keras.backend.backend() == "tensorflow" and not verbose:
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
    """Return the number of threads between which the backend divides a sum."""
    import keras

    if keras.backend.backend() == "jax":
        return int(os.environ.get("NPROC") or os.cpu_count() or 1)
    import tensorflow as tf

    return int(tf.config.threading.get_intra_op_parallelism_threads()) or os.cpu_count() or 1


def set_threads(threads: int) -> None:
    """Set the number of threads of TensorFlow before its first computation; 0: the default.

    JAX reads a variable, which `set_variables` sets.
    """
    if threads == 0 or os.environ.get("KERAS_BACKEND") == "jax":
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
