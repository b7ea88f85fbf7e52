"""The table of Keras names: true to the installed Keras, and safe."""

import json
from typing import Any

import pytest
from generate_keras_table import generate_table

from kerasbatch.spec import keras_registry, keras_validation


def test_the_shipped_table_is_that_of_the_installed_keras() -> None:
    """What a spec may name exists, with these arguments. Regenerate it if this fails."""
    installed = json.loads(json.dumps(generate_table()))
    shipped = dict(keras_registry.keras_table())
    if installed.pop("keras") != shipped.pop("keras"):
        for section, classes in shipped.items():
            assert set(classes) <= set(installed[section]), section
    else:
        assert installed == shipped


@pytest.mark.parametrize(
    "layer", ["Lambda", "TFSMLayer", "StringLookup", "TextVectorization", "Normalization", "Input"]
)
def test_unsafe_layers_are_not_in_the_table(layer: str) -> None:
    """A layer that runs code, reads files or needs adapting is refused with the reason."""
    assert layer not in keras_registry.keras_table()["layers"]
    (fault,) = keras_validation.check_layer({layer: {"vocabulary": "/etc/passwd"}}, ())
    assert f"{layer} is not allowed" in fault.message


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ({"Dense": {"unit": 3}}, "did you mean units?"),
        ({"Dense": None}, "needs the argument units"),
        ({"Dense": {"units": 3, "activation": "rleu"}}, "did you mean relu?"),
        ({"Dense": {"units": 3, "kernel_initializer": {"name": "HeNorml"}}}, "HeNormal"),
        ({"Dense": {"units": 3, "kernel_initializer": {"class_name": "x"}}}, "has no name"),
        ({"Dense": {"units": {"a": 1}}}, "found a mapping"),
        ({"Dense": 3}, "must be arguments"),
        ({"Bidirectional": {"layer": {"LSTM": {"unit": 3}}}}, "did you mean units?"),
        ({"Bidirectional": {"layer": "Lambda"}}, "Lambda is not allowed"),
        ({"Dense": {"units": 1}, "Flatten": None}, "must be a layer"),
    ],
)
def test_faults_of_layers(layer: Any, words: str) -> None:
    """Unknown names are met with the nearest legal one, at any depth."""
    assert any(words in str(fault) for fault in keras_validation.check_layer(layer, ("layers", 0)))


def test_keras_spellings_mean_classes() -> None:
    """mse, MSE, mean_squared_error and MeanSquaredError are one; adam and Adam are one."""
    for spelling in ("mse", "MSE", "mean_squared_error", "MeanSquaredError"):
        assert keras_registry.class_name("losses", spelling) == "MeanSquaredError"
    assert keras_registry.class_name("optimizers", "rmsPROP") == "RMSprop"
    assert keras_registry.class_name("losses", "msee") is None
    assert keras_registry.default_learning_rate("sgd") == 0.01


def test_the_direction_of_metrics() -> None:
    """Losses and errors are better low, accuracy and its kin high."""
    low = ["loss", "mse", "mean_absolute_error", "RootMeanSquaredError", "half_mse", "huber"]
    high = ["accuracy", "AUC", "sparse_categorical_accuracy", "Precision", "r2_score"]
    assert [name for name in low + high if keras_registry.lower_is_better(name)] == low
