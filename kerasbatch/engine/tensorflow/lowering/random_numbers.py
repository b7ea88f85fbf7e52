"""Random numbers of TensorFlow's stateless generator, from operations that XLA compiles well.

They are Philox 4x32 with 10 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
3"), bit by bit those of TensorFlow's own kernels on CPUs. XLA's expansion of the same operation
draws other numbers, and takes about a hundred times longer, because it calculates all rounds anew
for each of the four words. Here every element calculates all four words, and selects one.
"""

import math
from typing import Any

import tensorflow as tf

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
SMALLEST = 1.0e-7
"""The smallest uniform number from which TensorFlow draws a normal one."""


def uniform(seed: Any, shape: Any) -> Any:
    """Return numbers from 0 to below 1, of type float32.

    Args:
        seed: two numbers from 0 on, of type int32, as Keras draws them; XLA makes another key
            of a negative one.
        shape: the lengths, whole numbers or tensors of run time.
    """
    shape = tf.convert_to_tensor(shape, tf.int32)
    words, position = _words(seed, tf.reduce_prod(shape))
    chosen = words[3]
    for number in (2, 1, 0):
        chosen = tf.where(position == number, words[number], chosen)
    return tf.reshape(_fraction(chosen), shape)


def normal(seed: Any, shape: Any) -> Any:
    """Return standard normal numbers by the method of Box and Muller, of type float32."""
    shape = tf.convert_to_tensor(shape, tf.int32)
    words, position = _words(seed, tf.reduce_prod(shape))
    is_first_pair, is_first = position < 2, tf.bitwise.bitwise_and(position, 1) == 0
    radius = _fraction(tf.where(is_first_pair, words[0], words[2]))
    angle = 2.0 * math.pi * _fraction(tf.where(is_first_pair, words[1], words[3]))
    length = tf.sqrt(-2.0 * tf.math.log(tf.maximum(radius, SMALLEST)))
    return tf.reshape(length * tf.where(is_first, tf.sin(angle), tf.cos(angle)), shape)


def _words(seed: Any, count: Any) -> tuple[list[Any], Any]:
    """Return the four words of the counter of every element, and the position of its own."""
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seed)
    element = tf.range(count)
    group = tf.cast(tf.bitwise.right_shift(element, 2), tf.uint64)
    low = counter[0] + group
    high = counter[1] + tf.cast(low < group, tf.uint64)
    words = [_low(low), _high(low), _low(high), _high(high)]
    return _rounds(words, [_low(key[0]), _high(key[0])]), tf.bitwise.bitwise_and(element, 3)


def _rounds(words: list[Any], key: list[Any]) -> list[Any]:
    for _ in range(ROUNDS):
        one, other = (
            tf.cast(word, tf.uint64) * tf.constant(factor, tf.uint64)
            for word, factor in zip(words[::2], MULTIPLIERS, strict=True)
        )
        words = [
            tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(_high(other), words[1]), key[0]),
            _low(other),
            tf.bitwise.bitwise_xor(tf.bitwise.bitwise_xor(_high(one), words[3]), key[1]),
            _low(one),
        ]
        key = [
            part + tf.constant(step, tf.uint32) for part, step in zip(key, KEY_STEPS, strict=True)
        ]
    return words


def _low(number: Any) -> Any:
    return tf.cast(tf.bitwise.bitwise_and(number, tf.constant(0xFFFFFFFF, tf.uint64)), tf.uint32)


def _high(number: Any) -> Any:
    return tf.cast(tf.bitwise.right_shift(number, tf.constant(32, tf.uint64)), tf.uint32)


def _fraction(bits: Any) -> Any:
    """Return the lowest 23 bits of words as numbers from 0 to below 1."""
    mantissa = tf.bitwise.bitwise_and(bits, tf.constant(0x7FFFFF, tf.uint32))
    one = tf.constant(0x3F800000, tf.uint32)
    return tf.bitcast(tf.bitwise.bitwise_or(mantissa, one), tf.float32) - 1.0
