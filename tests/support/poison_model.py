"""Own code that changes its process in every way; read by specs, in processes of their own."""

import os
import resource
import sys
from typing import Any

import keras
import tensorflow as tf


def _model(classes: int) -> keras.Model:
    layers = [keras.layers.Flatten(), keras.layers.Dense(classes, "softmax")]
    return keras.Sequential(layers)


def numbers(input_shape: Any, classes: int) -> keras.Model:
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("mixed_bfloat16")
    tf.config.run_functions_eagerly(True)
    return _model(classes)


def environment(input_shape: Any, classes: int) -> keras.Model:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    os.umask(0o777)
    os.environ["KERASBATCH_POISON"] = "1"
    sys.setrecursionlimit(400)
    return _model(classes)


def keras_itself(input_shape: Any, classes: int) -> keras.Model:
    keras.losses.SparseCategoricalCrossentropy.call = lambda *_: keras.ops.zeros((1,))
    return _model(classes)


class Streams(keras.callbacks.Callback):
    def on_train_end(self, logs: Any = None) -> None:
        os.chdir("/")
        sys.stdout.close()
        os.close(1)
        os.close(2)


class Connection(keras.callbacks.Callback):
    def on_train_end(self, logs: Any = None) -> None:
        os.closerange(3, 256)
