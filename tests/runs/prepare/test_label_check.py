"""Labels, loss and model must fit each other."""

from pathlib import Path
from typing import Any

import pytest

import kerasbatch as kb

DENSE_1 = {"layers": [{"Dense": {"units": 1}}]}


DENSE_5 = {"layers": [{"Dense": {"units": 5, "activation": "softmax"}}]}


DENSE_2 = {"layers": [{"Dense": {"units": 2, "activation": "softmax"}}]}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"model": DENSE_2}, "the labels go from 0 to 2, and the model has 2 outputs"),
        ({"loss": "mse"}, "gives 3 numbers for an example and the target is one number"),
        ({"loss": "binary_crossentropy"}, "needs labels 0 and 1, and the target holds others"),
        ({"data": "breast_cancer", "loss": "binary_crossentropy"}, "compares one output"),
        ({"loss": "categorical_crossentropy"}, "write sparse_categorical_crossentropy"),
        ({"data": "line"}, "write mse for a regression"),
        ({"data": "diabetes", "model": DENSE_5, "loss": "mse"}, r"end the model with Dense: \{un"),
        ({"data": "digits", "model": "linear", "loss": "mse"}, "gives 8 x 1 numbers"),
        ({"metrics": [{"name": "AUC", "curve": "XY"}]}, r"metrics\[0\]: Keras refuses this"),
        (
            {"data": "diabetes", "model": DENSE_1, "loss": {"name": "huber", "delta": "abc"}},
            r"loss\.delta: found 'abc'; must be a number, like 1\.0",
        ),
        ({"optimizer": {"name": "sgd", "momentum": "abc"}}, r"momentum: found 'abc'; must be a nu"),
        ({"optimizer": {"name": "adamw", "weight_decay": "abc"}}, "weight_decay: found 'abc'; mu"),
        ({"optimizer": {"name": "sgd", "momentum": 7}}, "optimizer: Keras refuses this"),
        (
            {
                "model": {
                    "layers": ["Flatten", "Flatten", {"Conv2D": {"filters": 1, "kernel_size": 1}}]
                }
            },
            r"model\.layers\[2\]\.Conv2D: Keras refuses this",
        ),
    ],
)
def test_labels_loss_and_model_must_fit(
    small: dict[str, Any], tmp_path: Path, keys: dict[str, Any], words: str
) -> None:
    """Said before a directory is made, with what to write instead."""
    with pytest.raises(kb.SpecError, match=words):
        kb.run(small | keys, results=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data_name", "layers", "loss"),
    [
        (
            "breast_cancer",
            [{"Dense": {"units": 1, "activation": "sigmoid"}}],
            "binary_crossentropy",
        ),
        ("diabetes", [{"Dense": {"units": 1}}], {"name": "huber", "delta": 2.0}),
        (
            "wine",
            [{"Dense": {"units": 3}}],
            {"name": "SparseCategoricalCrossentropy", "from_logits": True},
        ),
        (
            "digits",
            [
                {"LSTM": {"units": 4, "return_sequences": True}},
                {"MultiHeadAttention": {"num_heads": 2, "key_dim": 2}},
                "LayerNormalization",
                {"Bidirectional": {"layer": {"GRU": {"units": 3}}}},
                {
                    "Dense": {
                        "units": 10,
                        "activation": "softmax",
                        "kernel_regularizer": {"name": "L2", "l2": 0.01},
                    }
                },
            ],
            "sparse_categorical_crossentropy",
        ),
        (
            "digits",
            [
                {"Reshape": {"target_shape": [64]}},
                {"Embedding": {"input_dim": 17, "output_dim": 4}},
                "GlobalAveragePooling1D",
                {"Dense": {"units": 10, "activation": "softmax"}},
            ],
            "sparse_categorical_crossentropy",
        ),
    ],
)
def test_models_of_all_kinds_train(
    tmp_path: Path, data_name: str, layers: list[Any], loss: Any
) -> None:
    """Binary, regression, logits, recurrent, attention, embedding; with a schedule."""
    schedule = {"name": "CosineDecay", "initial_learning_rate": 0.01, "decay_steps": 100}
    spec = {
        "data": data_name,
        "model": {"layers": layers},
        "optimizer": {"name": "adamw", "learning_rate": schedule, "clipnorm": 1.0},
        "loss": loss,
        "steps": 3,
        "batch_size": 32,
    }
    result = kb.run(spec, results=tmp_path)
    assert (result.status, result.row["step_check"]) == ("done", "ok")
    assert result.row["learning_rate"] is None
