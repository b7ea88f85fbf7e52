"""Models that do harm in the middle of a training; read by specs, in processes of their own."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import connection
from typing import Any

import keras
import tensorflow as tf

AT_STEP = 2000


class Harmful(keras.Model):
    """Does something when its optimizer has taken so many steps."""

    def __init__(self, harm: Callable[[], Any], classes: int) -> None:
        super().__init__()
        self.out = keras.layers.Dense(classes, "softmax")
        self.harm = harm

    def call(self, inputs: Any) -> Any:
        return self.out(inputs)

    def train_step(self, data: Any) -> Any:
        def look(step: Any) -> Any:
            if int(step) == AT_STEP:
                self.harm()
            return step

        step = self.optimizer.iterations.value
        with tf.control_dependencies([tf.py_function(look, [step], step.dtype)]):
            return super().train_step(data)


def _with(harm: Callable[[], Any]) -> Callable[..., keras.Model]:
    return lambda input_shape, classes: Harmful(harm, classes)


def _print_much() -> None:
    sys.stdout.write("x" * 2_000_000 + "\n")
    sys.stderr.write("y" * 2_000_000 + "\n")


def _raise() -> None:
    raise ValueError("the cat sat on the keyboard")


segfault = _with(lambda: ctypes.string_at(0))
abort = _with(os.abort)
leave = _with(lambda: os._exit(3))
leave_quietly = _with(lambda: os._exit(0))
leave_by_exception = _with(lambda: sys.exit(4))
killed = _with(lambda: os.kill(os.getpid(), 9))
hang = _with(lambda: time.sleep(3600))


def _stop_in_the_next_large_message() -> None:
    """Write a part of a message, and stop."""
    send = connection.Connection._send  # type: ignore[attr-defined]  # as the attack does it

    def slow(self: Any, content: Any, write: Any = os.write) -> None:
        if len(content) > 100_000:
            write(self._handle, bytes(content[:50_000]))
            os.kill(os.getpid(), signal.SIGSTOP)
        send(self, content, write)

    connection.Connection._send = slow  # type: ignore[attr-defined]


loud = _with(_print_much)
wrong = _with(_raise)
honest = _with(lambda: None)


def stops_in_a_message(input_shape: Any, classes: int) -> keras.Model:
    _stop_in_the_next_large_message()
    return keras.Sequential([keras.layers.Dense(30_000), keras.layers.Dense(classes, "softmax")])


def dies_while_it_is_built(input_shape: Any, classes: int) -> keras.Model:
    os._exit(5)
