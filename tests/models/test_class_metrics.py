"""Metrics of classes beside those of scikit-learn, whatever form Keras wants labels in."""

from typing import Any

import keras
import numpy as np
import pytest
from sklearn import metrics

from kerasbatch.models.class_metrics import accuracy, fitted_metric
from kerasbatch.spec.keras_registry import has_logits, label_kind

RANDOM = np.random.RandomState(0)
Y = RANDOM.randint(0, 3, 200)
LOGITS = RANDOM.randn(200, 3) + np.eye(3)[Y]
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
BINARY = (RANDOM.rand(200) < 0.2).astype("int64")
SCORES = RANDOM.randn(200) + 2 * BINARY - 1
CHANCES = 1 / (1 + np.exp(-SCORES))


def value(metric: Any, labels: Any, outputs: Any) -> float:
    for first in range(0, 200, 32):
        rows = slice(first, first + 32)
        metric.update_state(labels[rows], np.float32(outputs[rows]))
    result = float(metric.result())
    metric.reset_state()
    copy = type(metric).from_config(metric.get_config())
    assert copy.name == metric.name
    return result


def of_loss(metric: Any, loss: str, arguments: dict[str, Any], outputs: int) -> Any:
    """Return a metric beside a loss."""
    kind, logits = label_kind(loss), has_logits(loss, arguments)
    return fitted_metric(metric, kind, outputs, has_logits=logits)


def of_three(metric: Any, **loss: Any) -> float:
    outputs = LOGITS if loss.get("from_logits") else SHARES
    fitted = of_loss(metric, "sparse_categorical_crossentropy", loss, 3)
    return value(fitted, Y, outputs)


@pytest.mark.parametrize("from_logits", [False, True])
def test_three_classes(from_logits: bool) -> None:
    """Class numbers beside a column per class, of probabilities or logits."""
    loss, one_hot, best = {"from_logits": from_logits}, np.eye(3)[Y], SHARES.argmax(1)
    assert of_three(keras.metrics.F1Score(), **loss) == pytest.approx(
        metrics.f1_score(Y, best, average="macro"), abs=1e-5
    )
    assert of_three(keras.metrics.F1Score(average="micro"), **loss) == pytest.approx(
        metrics.f1_score(Y, best, average="micro"), abs=1e-5
    )
    assert of_three(keras.metrics.CategoricalAccuracy(), **loss) == pytest.approx(
        metrics.accuracy_score(Y, best), abs=1e-5
    )
    assert of_three(keras.metrics.AUC(num_thresholds=2000), **loss) == pytest.approx(
        metrics.roc_auc_score(one_hot, SHARES, average="micro"), abs=2e-3
    )
    assert of_three(keras.metrics.Precision(thresholds=0.5), **loss) == pytest.approx(
        metrics.precision_score(one_hot, SHARES > 0.5, average="micro"), abs=1e-5
    )
    assert of_three(keras.metrics.MeanSquaredError(), **loss) == pytest.approx(
        metrics.mean_squared_error(one_hot, SHARES), abs=1e-5
    )
    assert of_three(keras.metrics.MeanIoU(num_classes=3), **loss) == pytest.approx(
        metrics.jaccard_score(Y, best, average="macro"), abs=1e-5
    )
    assert of_three(keras.metrics.SparseCategoricalCrossentropy(), **loss) == pytest.approx(
        metrics.log_loss(Y, SHARES), abs=1e-4
    )
    assert of_three(accuracy("index", 3), **loss) == pytest.approx(
        metrics.accuracy_score(Y, best), abs=1e-5
    )


LOSSES = {
    "binary_crossentropy": ({}, CHANCES),
    "binary_focal_crossentropy": ({"from_logits": True}, SCORES),
    "hinge": ({}, np.tanh(SCORES)),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_two_classes(loss: str) -> None:
    """A probability, a logit, or the sign of a hinge loss."""
    arguments, outputs = LOSSES[loss]

    def of_two(metric: Any) -> float:
        return value(of_loss(metric, loss, arguments, 1), BINARY, outputs[:, None])

    decided = SCORES > 0
    assert of_two(accuracy("binary", 1)) == pytest.approx(
        metrics.accuracy_score(BINARY, decided), abs=1e-5
    )
    assert of_two(keras.metrics.F1Score(threshold=0.5)) == pytest.approx(
        metrics.f1_score(BINARY, decided), abs=1e-5
    )
    assert of_two(keras.metrics.Recall()) == pytest.approx(
        metrics.recall_score(BINARY, decided), abs=1e-5
    )
    assert of_two(keras.metrics.AUC(num_thresholds=2000)) == pytest.approx(
        metrics.roc_auc_score(BINARY, SCORES), abs=2e-3
    )
    assert of_two(keras.metrics.MeanIoU(num_classes=2)) == pytest.approx(
        metrics.jaccard_score(BINARY, decided, average="macro"), abs=1e-5
    )


@pytest.mark.parametrize("kind", ["sparse_categorical_crossentropy", "categorical_crossentropy"])
def test_two_outputs_speak_of_class_1(kind: str) -> None:
    """As one output does; an average over both is for who asks for it."""
    both = np.stack([1 - CHANCES, CHANCES], axis=1)
    labels = BINARY if kind.startswith("sparse") else np.eye(2)[BINARY]

    def of_two(metric: Any) -> float:
        return value(of_loss(metric, kind, {}, 2), labels, both)

    decided = CHANCES > 0.5
    for metric, expected in (
        (keras.metrics.Precision(), metrics.precision_score(BINARY, decided)),
        (keras.metrics.Recall(), metrics.recall_score(BINARY, decided)),
        (keras.metrics.F1Score(threshold=0.5), metrics.f1_score(BINARY, decided)),
        (
            keras.metrics.F1Score(average="macro"),
            metrics.f1_score(BINARY, decided, average="macro"),
        ),
    ):
        assert of_two(metric) == pytest.approx(expected, abs=1e-5)
    assert of_two(keras.metrics.AUC(num_thresholds=2000)) == pytest.approx(
        metrics.roc_auc_score(BINARY, CHANCES), abs=2e-3
    )


def test_several_labels_at_a_time() -> None:
    """Columns of 0 and 1 beside as many outputs."""
    labels = (RANDOM.rand(200, 3) < 0.4).astype("float32")
    chances = 0.6 * labels + 0.4 * RANDOM.rand(200, 3)
    metric = keras.metrics.F1Score(threshold=0.5)
    fitted = of_loss(metric, "binary_crossentropy", {}, 3)
    expected = metrics.f1_score(labels, chances > 0.5, average="macro")
    assert value(fitted, labels, chances) == pytest.approx(expected, abs=1e-5)
