"""The order of the training examples: seeded, stateless, the same on every machine.

Keras shuffles too, but with `keras.utils.set_random_seed` it repeats one permutation in every
epoch. An experiment about batches needs a new order in every epoch. It comes from NumPy's
`RandomState`, whose streams NumPy promises never to change, so a seed means the same order on
every machine and with every version.
"""

import numpy as np
from numpy.typing import NDArray

from kerasbatch.types import Sampling


def example_order(
    n: int, *, seed: int, epoch: int, sampling: Sampling = "shuffle"
) -> NDArray[np.int64]:
    """Return the order of the examples in an epoch.

    Args:
        n: the number of training examples.
        seed: the seed of the run, 0 or more.
        epoch: the epoch, counted from 1.
        sampling: `shuffle` for a fresh permutation in every epoch, `replacement` for n independent
            draws, `sequential` for the order of the data.

    Returns:
        An array of shape (n,) with values from 0 to n - 1.

    Raises:
        ValueError: if n or epoch is below 1, or seed is negative.

    Example:
        >>> example_order(5, seed=0, epoch=1).tolist()
        [1, 4, 3, 0, 2]
    """
    if n < 1 or epoch < 1 or seed < 0:
        raise ValueError(
            f"example_order needs n >= 1, epoch >= 1 and seed >= 0; got n={n}, epoch={epoch}, "
            f"seed={seed}. Epochs count from 1."
        )
    if sampling == "sequential":
        return np.arange(n, dtype=np.int64)
    generator = _generator(seed, epoch)
    if sampling == "replacement":
        return generator.randint(0, n, size=n, dtype=np.int64)
    if sampling == "shuffle":
        return generator.permutation(n).astype(np.int64, copy=False)
    raise ValueError(
        f"sampling is {sampling!r}; it must be 'shuffle', 'replacement' or 'sequential'"
    )


def stratified_sample(
    n: int, size: int, *, key: int, classes: NDArray[np.integer] | None = None
) -> NDArray[np.int64]:
    """Return `size` of n examples, the same ones every time.

    The examples are shuffled, grouped by class and taken at even distances, so that each class
    gets its share up to one example, for every size.

    Args:
        n: the number of examples.
        size: the number of examples to choose, from 0 to n.
        key: the seed of the sample; another key gives another sample.
        classes: the class of each example, shape (n,), or None for a sample that is not stratified.

    Returns:
        The sorted positions of the chosen examples, shape (size,).
    """
    shuffled = _generator(key, 0).permutation(n)
    if classes is not None:
        shuffled = shuffled[np.argsort(classes[shuffled], kind="stable")]
    # The k-th choice is the middle of the k-th of `size` equal sections.
    places = ((2 * np.arange(size, dtype=np.int64) + 1) * n) // (2 * max(size, 1))
    return np.sort(shuffled[places]).astype(np.int64, copy=False)


def _generator(seed: int, epoch: int) -> np.random.RandomState:
    return np.random.RandomState(np.random.PCG64(np.random.SeedSequence([seed, epoch])))
