"""Checks that labels fit the loss and the model fits the data, before anything is trained.

Keras detects some of these faults late, in a failed training, and some never: a squared error
between outputs of shape (n, 10) and labels of shape (n,) is broadcast silently.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from kerasbatch import array_trees
from kerasbatch.data.run_data import RunData
from kerasbatch.engine.backend import backend
from kerasbatch.engine.model_state import build_optimizer
from kerasbatch.engine.sources.example_stream import scale_inputs
from kerasbatch.errors import Location, SpecError
from kerasbatch.models.output_names import output_names
from kerasbatch.models.own_parts import part_errors
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.runs.prepare.label_problems import label_problem
from kerasbatch.spec.compile_part import CompilePart
from kerasbatch.spec.keras_registry import SIGNED_LOSSES, LabelKind, class_name
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.trust import Access
from kerasbatch.types import Array

FIRST_EXAMPLES, MAX_TRIED_CLASSES = 64, 200
"""The examples on which loss and metrics are tried: the first ones, and one of each class."""


def check_labels(spec: Spec, model: keras.Model, data: RunData, access: Access) -> None:
    """Compare labels with the loss, and try all parts on examples of all classes.

    The metrics and the optimizer of the model change.

    Args:
        spec: a single-run spec.
        model: its compiled model.
        data: its data.
        access: the files and code that the spec may use.

    Raises:
        SpecError: if labels, loss, metrics and model do not fit together.
    """
    _check_embeddings(model, data)
    rows = _rows_of_all_classes(data)
    x = scale_inputs(array_trees.rows(data.x_train, rows), data.scale)
    y = array_trees.rows(data.y_train, rows)
    with keras_refusals(("model",)):
        predicted = model(x)
    for output in _named_outputs(spec, model, data, predicted):
        for targets in (data.y_train, data.y_val, data.y_test):
            if targets is not None:
                labels = array_trees.named(targets)[output.target]
                shape = tuple(output.values.shape[1:])
                if problem := label_problem(output.loss.name, output.kind, shape, labels):
                    raise SpecError.at(output.place, problem)
        _check_outputs(output)
    labels = array_trees.mapped(keras.ops.convert_to_tensor, y)
    with part_errors(spec.loss, access, ("loss",)):
        _check_loss(spec, model, x, labels, predicted, is_weighted=len(data.train) > 2)
    place, metric = _own_metric(spec)
    with part_errors(metric, access, place):
        model.compute_metrics(x, labels, predicted)
    with part_errors(spec.optimizer, access, ("optimizer",)):
        build_optimizer(model)
        backend().try_call(lambda: _apply_no_gradient(model))


def _apply_no_gradient(model: keras.Model) -> None:
    weights = model.trainable_variables
    model.optimizer.apply([keras.ops.zeros_like(weight.value) for weight in weights], weights)


def _own_metric(spec: Spec) -> tuple[Location, CompilePart]:
    """Return the first metric of own code with its place, to which errors of metrics belong."""
    own = (n for n, metric in enumerate(spec.metrics) if metric.python is not None)
    number = next(own, None)
    return (
        (("metrics",), CompilePart())
        if number is None
        else (("metrics", number), spec.metrics[number])
    )


def _check_loss(
    spec: Spec, model: keras.Model, x: Any, labels: Any, predicted: Any, *, is_weighted: bool
) -> None:
    """Raise an error for a loss that fails, and for one of own code with wrong values.

    Args:
        spec: a single-run spec.
        model: its compiled model.
        x: some examples.
        labels: their labels.
        predicted: the outputs of the model for them.
        is_weighted: whether examples or classes have weights.
    """
    if model.loss is None:
        return  # a train_step of the user computes it
    value = float(model.compute_loss(x, labels, predicted))
    if spec.label_kind != "any" or isinstance(labels, dict):
        return
    values = _loss_values(model.loss, labels, predicted)
    place = ("model",) if spec.loss.is_of_model else ("loss",)
    shape, name = tuple(values.shape), spec.loss.name or "the loss of the model"
    if shape and shape[0] != len(labels):
        message = f"{name} gives values of shape {shape} for {len(labels)} examples"
        raise SpecError.at(place, f"{message}; return one for each example, or their mean")
    if is_weighted and not shape and callable(model.loss):
        message = f"{name} gives one value for all examples, which have weights"
        raise SpecError.at(place, f"{message}; return one for each example, not their mean")
    if not np.isfinite(value):
        message = f"the loss of the untrained model is {value:g}"
        raise SpecError.at(place, f"{message}; {name} must return finite numbers")


class _Output(NamedTuple):
    """An output of a model, with its loss.

    Args:
        target: the name of its target; empty if there is one alone.
        values: its values for some examples.
        loss: its loss.
        kind: the kind of labels that the loss compares.
    """

    target: str
    values: Any
    loss: CompilePart
    kind: LabelKind

    @property
    def place(self) -> Location:
        """The place of its loss in the spec."""
        return ("loss", self.target) if self.target else ("loss",)


def _named_outputs(
    spec: Spec, model: keras.Model, data: RunData, predicted: Any
) -> Iterator[_Output]:
    """Yield the outputs of a model that have targets.

    Raises:
        SpecError: if the data have one target, and the model several outputs, or the other way.
    """
    is_single = not isinstance(predicted, list | tuple | dict)
    if is_single and not isinstance(data.y_train, dict):
        yield _Output("", predicted, spec.loss, spec.label_kind)
        return
    if is_single or not isinstance(data.y_train, dict):
        names = " and ".join(array_trees.named(data.y_train))
        targets = f"the targets {names}" if is_single else "one target"
        outputs = "one output" if is_single else f"{len(predicted)} outputs"
        message = (
            f"the model has {outputs}, and the data {targets}; give a target for each output, "
        )
        raise SpecError.at(("model",), f"{message}as a mapping by their names")
    values = (
        predicted
        if isinstance(predicted, dict)
        else dict(zip(output_names(model, len(predicted)), predicted, strict=True))
    )
    for name in data.y_train:
        loss = spec.loss.outputs.get(name, CompilePart())
        yield _Output(name, values[name], loss, spec.label_kind_of(name))


def _loss_values(loss: Any, labels: Any, predicted: Any) -> Any:
    """Return the values of a loss of own code, of which `fit` takes the mean."""
    if isinstance(loss, keras.Loss):
        return loss.call(labels, predicted)
    if not callable(loss):
        return np.zeros(())  # a name of Keras, or losses by output
    is_flat = len(labels.shape) == 1 and tuple(predicted.shape[1:]) == (1,)
    return loss(labels[:, None] if is_flat else labels, predicted)  # as Keras calls a function


def _check_embeddings(model: keras.Model, data: RunData) -> None:
    """Raise an error for an Embedding with fewer rows than texts have different words.

    On a GPU, TensorFlow reads a row of zeros beyond the last one, and says nothing.
    """
    words = data.preprocessing.get("vocabulary")
    if words is None:
        return
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Embedding) and layer.input_dim < len(words):
            message = f"the texts have the numbers of {len(words):,} words, and the Embedding has "
            message += f"{layer.input_dim:,} rows; write input_dim: {len(words)}, or fewer words"
            raise SpecError.at(("model",), message)


def _rows_of_all_classes(data: RunData) -> Array:
    """Return the positions of an example of each class, and of the first ones."""
    first = np.arange(min(FIRST_EXAMPLES, array_trees.length(data.y_train)))
    if data.classes is None or isinstance(data.y_train, dict | tuple) or data.y_train.ndim != 1:
        return first
    _, of_class = np.unique(np.asarray(data.y_train), return_index=True)
    return np.union1d(first, of_class[:MAX_TRIED_CLASSES])


def _check_outputs(output: _Output) -> None:
    """Raise an error for outputs that are no probabilities where the loss expects them, or are.

    Keras computes with both: the loss of clipped numbers, or probabilities of probabilities.
    """
    loss, kind, outputs = output.loss, output.kind, np.asarray(output.values)
    from_logits = loss.arguments.get("from_logits")
    is_signed = class_name("losses", loss.name) in (*SIGNED_LOSSES, "CategoricalHinge")
    if kind in ("number", "any") or is_signed or outputs.ndim > 2 or not np.isfinite(outputs).all():
        return
    single, low, high = outputs.shape[1:] in ((), (1,)), float(outputs.min()), float(outputs.max())
    activation = "sigmoid" if single else "softmax"
    if not from_logits and (low < 0 or high > 1):
        message = f"expects probabilities, and the model gives numbers from {low:.3g} to {high:.3g}"
        advice = f"end it with activation: {activation}, or write from_logits: true"
        raise SpecError.at(output.place, f"{loss.name} {message}; {advice}")
    are_probabilities = (
        low > 0 and high < 1 and (single or np.allclose(outputs.sum(-1), 1, atol=1e-3))
    )
    if from_logits and are_probabilities:
        message = "from_logits: true expects logits, and the model gives probabilities already"
        advice = f"leave from_logits out, or the activation {activation}"
        raise SpecError.at(output.place, f"{message}; {advice}")
