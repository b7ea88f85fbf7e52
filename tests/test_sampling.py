"""The order of examples: seeded, fresh in every epoch, each example once."""

import numpy as np
import pytest

from kerasbatch.sampling import example_order, stratified_sample


def test_each_example_exactly_once() -> None:
    """A shuffled epoch is a permutation."""
    for epoch in (1, 2, 50):
        assert sorted(example_order(101, seed=3, epoch=epoch)) == list(range(101))


def test_every_epoch_and_every_seed_has_its_own_order() -> None:
    """This is where Keras' own seeded shuffle repeats itself."""
    orders = {
        example_order(50, seed=seed, epoch=epoch).tobytes()
        for seed in (0, 1)
        for epoch in (1, 2, 3)
    }
    assert len(orders) == 6


def test_the_order_is_a_function_of_its_arguments() -> None:
    """Nothing is remembered between calls, and the global seed does not matter."""
    np.random.seed(1)
    first = example_order(30, seed=7, epoch=4)
    np.random.seed(2)
    assert (example_order(30, seed=7, epoch=4) == first).all()


def test_the_order_is_the_same_everywhere() -> None:
    """A seed means the same order on every machine and with every version of NumPy."""
    assert example_order(10, seed=0, epoch=1).tolist() == [9, 1, 3, 8, 7, 6, 0, 4, 2, 5]
    drawn = example_order(10, seed=0, epoch=1, sampling="replacement")
    assert drawn.tolist() == [5, 2, 8, 8, 6, 2, 3, 2, 7, 9]


def test_replacement_draws_independently() -> None:
    """With replacement about 1/e of the examples are missed, and each is drawn once on average."""
    counts = np.bincount(
        np.concatenate(
            [example_order(1000, seed=1, epoch=e, sampling="replacement") for e in range(1, 21)]
        ),
        minlength=1000,
    )
    assert counts.sum() == 20_000
    one = example_order(1000, seed=1, epoch=1, sampling="replacement")
    assert 0.3 < 1 - len(set(one.tolist())) / 1000 < 0.44
    assert 18 < counts.var() < 22  # Poisson: the variance is the mean


def test_sequential_is_the_order_of_the_data() -> None:
    """Seed and epoch do not matter."""
    assert example_order(4, seed=9, epoch=9, sampling="sequential").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("wrong", [{"n": 0}, {"epoch": 0}, {"seed": -1}])
def test_wrong_arguments_are_refused(wrong: dict[str, int]) -> None:
    """Epochs count from 1."""
    arguments = {"n": 5, "seed": 0, "epoch": 1} | wrong
    with pytest.raises(ValueError, match="example_order needs"):
        example_order(arguments["n"], seed=arguments["seed"], epoch=arguments["epoch"])


def test_an_unknown_sampling_is_refused() -> None:
    """The legal words are named."""
    with pytest.raises(ValueError, match="'shuffle', 'replacement' or 'sequential'"):
        example_order(5, seed=0, epoch=1, sampling="suffle")  # type: ignore[arg-type]


def test_a_stratified_sample_keeps_the_shares() -> None:
    """Each class gets its share up to one example, whatever the size."""
    classes = np.array([0] * 70 + [1] * 20 + [2] * 10)
    for size in (1, 10, 33, 99, 100):
        chosen = stratified_sample(100, size, key=1, classes=classes)
        assert len(set(chosen.tolist())) == size
        shares = np.bincount(classes[chosen], minlength=3)
        assert np.abs(shares - size * np.array([0.7, 0.2, 0.1])).max() <= 1


def test_a_sample_depends_on_its_key_only() -> None:
    """The same key, the same examples; another key, others."""
    first = stratified_sample(100, 20, key=1)
    assert (first == stratified_sample(100, 20, key=1)).all()
    assert (first != stratified_sample(100, 20, key=2)).any()
