"""spec.optimizer + loss + metrics -> a compiled model, or one that its own code compiled."""

from typing import Any

import keras

from kerasbatch.data.encoding.preprocessing import Standardization
from kerasbatch.errors import SpecError
from kerasbatch.models.class_metrics import (
    ONE_OF_EACH_CLASS,
    THRESHOLD,
    accuracy,
    fitted_metric,
    speaks_of_one_class,
)
from kerasbatch.models.keras_objects import named_object
from kerasbatch.models.own_parts import own_loss, own_metric, own_optimizer
from kerasbatch.models.rate_schedule import rate_schedule
from kerasbatch.models.refusals import keras_refusals
from kerasbatch.models.target_scaling import unscale_metric
from kerasbatch.spec import keras_registry
from kerasbatch.spec.compile_part import CompilePart
from kerasbatch.spec.keras_registry import LabelKind
from kerasbatch.spec.learning_rate import LearningRate
from kerasbatch.spec.schema import COMPILE_PARTS, Spec
from kerasbatch.spec.trust import Access


class Compiler:
    """Compiles models of a spec.

    Args:
        spec: a single-run spec.
        rate: the learning rate, by the spec's rule.
        access: the files and code that the spec may use.
        classes: the number of classes, or None where the target is a number.
        units: the standardization of the target, or None; metrics are in its own units.
    """

    def __init__(
        self,
        spec: Spec,
        rate: LearningRate,
        access: Access,
        classes: int | None,
        units: Standardization | None,
    ) -> None:
        self._spec, self._rate, self._access = spec, rate, access
        self._classes, self._units = classes, units

    def compile(self, model: keras.Model, output: tuple[int, ...]) -> None:
        """Compile a model; what the spec leaves out is what its own code compiled it with.

        Args:
            model: the built model.
            output: the shape of its output for one example; empty if there are several.

        Raises:
            SpecError: if Keras refuses an argument, or if a part is missing.
        """
        options = _options(model, self._spec)
        if self._is_compiled_as_written(model):
            _set_rate(model.optimizer, self._rate)
            return
        changes: dict[str, Any] = {}
        if self._spec.optimizer.is_of_model:
            _set_rate(model.optimizer, self._rate)
        else:
            changes["optimizer"] = make_optimizer(self._spec, self._rate, self._access)
        if not self._spec.loss.is_of_model:
            changes["loss"] = _loss(self._spec.loss, self._access)
        if self._spec.metrics or not options:
            changes["metrics"] = [self._metric(n, output) for n in range(len(self._spec.metrics))]
        compiled = options | changes
        if self._units is not None:
            compiled |= _unscaled(compiled, self._units)
        with keras_refusals(("model",)):
            model.compile(**compiled)

    def _is_compiled_as_written(self, model: keras.Model) -> bool:
        """Return whether the model needs no other compilation than that of its own code."""
        spec = self._spec
        of_model = spec.optimizer.is_of_model and spec.loss.is_of_model and not spec.metrics
        return bool(model.compiled) and of_model and self._units is None and not spec.freeze

    def _metric(self, number: int, output: tuple[int, ...]) -> Any:
        """Return a metric of the spec, for a model with outputs of a shape."""
        metric, location = self._spec.metrics[number], ("metrics", number)
        if metric.is_own:
            return own_metric(metric, self._access, location)
        kind = self._label_kind
        outputs = output[-1] if output else 1
        is_list = len(output) <= 1 and kind != "number"
        if metric.name in keras_registry.CHOSEN_METRICS:
            if not is_list:
                return metric.name  # Keras chooses the kind of accuracy by the shape of the labels
            chosen = accuracy(kind, outputs)
        else:
            class_name = str(keras_registry.class_name("metrics", metric.name))
            options = metric.arguments
            single = outputs == 1 or (
                outputs == 2 and kind != "binary" and speaks_of_one_class(class_name, options)
            )
            if class_name in ONE_OF_EACH_CLASS and single and is_list:
                options = {"threshold": THRESHOLD} | options  # Keras takes the largest of one
            arguments = {"name": metric.column} | options
            chosen = named_object("metrics", metric.name, arguments, location)
            if not is_list:
                return chosen
        has_logits = keras_registry.has_logits(self._spec.loss.name, self._spec.loss.arguments)
        return fitted_metric(chosen, kind, outputs, has_logits=has_logits)

    @property
    def _label_kind(self) -> LabelKind:
        """The kind of labels that metrics compare."""
        kind = self._spec.label_kind
        if kind != "any":
            return kind
        return "number" if self._classes is None else "index"


def make_optimizer(spec: Spec, rate: LearningRate, access: Access) -> keras.optimizers.Optimizer:
    """Return the optimizer of a spec with its learning rate."""
    if spec.optimizer.is_own:
        optimizer = own_optimizer(spec.optimizer, access, ("optimizer",))
        _set_rate(optimizer, rate)
        return optimizer
    arguments = spec.optimizer.arguments | rate.arguments
    if rate.value is not None:
        arguments["learning_rate"] = rate_schedule(rate) or rate.value
    return named_object("optimizers", spec.optimizer.name, arguments, ("optimizer",))


def _set_rate(optimizer: keras.optimizers.Optimizer, rate: LearningRate) -> None:
    """Set the learning rate of an optimizer that own code made, if the spec has one."""
    if rate.value is None:
        return
    try:
        optimizer.learning_rate = rate_schedule(rate) or rate.value
    except TypeError as error:
        message = "the optimizer was made with a schedule, which says the rate of every step; "
        place = ("optimizer", "learning_rate")
        raise SpecError.at(place, f"{message}leave learning_rate out") from error


@keras.saving.register_keras_serializable(package="kerasbatch")  # type: ignore[untyped-decorator]  # Keras has no types
def half_mse(y_true: Any, y_pred: Any) -> Any:
    """Return half the mean squared error: 1/(2m) * sum (h(x_i) - y_i)^2."""
    return 0.5 * keras.losses.mean_squared_error(y_true, y_pred)


def _loss(loss: CompilePart, access: Access) -> Any:
    if loss.is_own:
        return own_loss(loss, access, ("loss",))
    if loss.name == "half_mse":
        return half_mse
    return named_object("losses", loss.name, loss.arguments, ("loss",))


def _options(model: keras.Model, spec: Spec) -> dict[str, Any]:
    """Return the arguments with which own code compiled a model; empty if it did not.

    Raises:
        SpecError: if the spec leaves a part out, and the model is not compiled.
    """
    if model.compiled:
        return dict(model._compile_config.config)
    missing = [key for key in COMPILE_PARTS if getattr(spec, key).is_of_model]
    if missing:
        parts = " and ".join(missing)
        advice = ", ".join(f"{key}: ..." for key in missing)
        message = f"the model is not compiled, and the spec has no {parts}; add {advice}"
        raise SpecError.at(("model",), f"{message}, or compile the model")
    return {}


def _unscaled(compiled: dict[str, Any], units: Standardization) -> dict[str, Any]:
    """Return the metrics of `compile` in the target's own units."""
    return {
        key: keras.tree.map_structure(lambda metric: unscale_metric(metric, units), compiled[key])
        for key in ("metrics", "weighted_metrics")
        if compiled.get(key)
    }
