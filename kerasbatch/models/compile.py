"""spec.optimizer + loss + metrics -> a compiled model, or one that its own code compiled."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import keras

from kerasbatch.data.encoding.preprocessing import Standardization
from kerasbatch.errors import Location, SpecError
from kerasbatch.models.class_metrics import (
    ONE_OF_EACH_CLASS,
    THRESHOLD,
    accuracy,
    fitted_metric,
    speaks_of_one_class,
)
from kerasbatch.models.example_layout import ExampleLayout, OutputShapes
from kerasbatch.models.keras_objects import argument_values, named_object
from kerasbatch.models.logits import losses_by_output, takes_logits
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
        layout: the shapes of an example.
        units: the standardization of the target, or None; metrics are in its own units.
    """

    def __init__(
        self,
        spec: Spec,
        rate: LearningRate,
        access: Access,
        layout: ExampleLayout,
        units: Standardization | None,
    ) -> None:
        self._spec, self._rate, self._access = spec, rate, access
        self._layout, self._units = layout, units
        self._losses: Any = None

    def compile(self, model: keras.Model, shapes: OutputShapes) -> None:
        """Compile a model; what the spec leaves out is what its own code compiled it with.

        Args:
            model: the built model.
            shapes: the shape of its output for one example; of several outputs, by their names.

        Raises:
            SpecError: if Keras refuses an argument, a part is missing, or outputs have other names.
        """
        options = _options(model, self._spec)
        self._check_outputs(shapes)
        if self._is_compiled_as_written(model):
            _set_rate(model.optimizer, self._rate, self._spec)
            return
        changes: dict[str, Any] = {}
        if self._spec.optimizer.is_of_model:
            _set_rate(model.optimizer, self._rate, self._spec)
        else:
            changes["optimizer"] = make_optimizer(self._spec, self._rate, self._access)
        if not self._spec.loss.is_of_model:
            changes["loss"] = _losses(self._spec.loss, self._access)
        self._losses = losses_by_output(model, changes.get("loss", options.get("loss")))
        if self._spec.loss_weights is not None:
            changes["loss_weights"] = dict(self._spec.loss_weights)
        if self._spec.metrics or not options:
            changes["metrics"] = self._metrics(shapes)
        compiled = options | changes
        if self._units is not None:
            compiled |= _unscaled(compiled, self._units)
        with keras_refusals(("model",)):
            model.compile(**compiled)

    def _is_compiled_as_written(self, model: keras.Model) -> bool:
        """Return whether the model needs no other compilation than that of its own code."""
        spec = self._spec
        of_model = spec.optimizer.is_of_model and spec.loss.is_of_model
        of_model = of_model and not spec.metrics and spec.loss_weights is None
        return bool(model.compiled) and of_model and self._units is None and not spec.freeze

    def _check_outputs(self, shapes: OutputShapes) -> None:
        """Raise an error for targets, losses, weights or metrics of no output of the model."""
        if not isinstance(shapes, dict):
            shapes = {}
        targets = self._layout.outputs if isinstance(self._layout.outputs, Mapping) else {}
        of_metrics = [m.output for m in self._spec.metrics if m.output is not None]
        _refuse_others("loss", self._spec.loss.outputs, shapes)
        _refuse_others("loss_weights", self._spec.loss_weights or (), shapes)
        _refuse_others("metrics", of_metrics, shapes)
        _refuse_others("data", targets, shapes)

    def _metrics(self, shapes: OutputShapes) -> Any:
        """Return the metrics of the spec: a list, or lists by output."""
        if not isinstance(shapes, dict):
            return [self._metric(n, shapes) for n in range(len(self._spec.metrics))]
        by_output: dict[str, list[Any]] = {name: [] for name in shapes}
        for number, metric in enumerate(self._spec.metrics):
            if metric.output is None:
                names = ", ".join(shapes)
                message = f"the model has the outputs {names}; write metrics by output, like "
                raise SpecError.at(("metrics", number), f"{message}{{{next(iter(shapes))}: [...]}}")
            by_output[metric.output].append(self._metric(number, shapes[metric.output]))
        return by_output

    def _metric(self, number: int, output: tuple[int, ...]) -> Any:
        """Return a metric of the spec, for an output of a shape."""
        metric, location = self._spec.metrics[number], ("metrics", number)
        if metric.is_own:
            return own_metric(metric, self._access, location)
        kind = self._label_kind(metric.output)
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
            arguments = {"name": metric.metric_name} | options
            chosen = named_object("metrics", metric.name, arguments, location)
            if not is_list:
                return chosen
        has_logits = takes_logits(self._losses, metric.output)
        return fitted_metric(chosen, kind, outputs, has_logits=has_logits)

    def _label_kind(self, output: str | None) -> LabelKind:
        """Return the kind of labels that metrics compare, of the model or of an output."""
        spec, classes = self._spec, self._layout.classes
        kind = spec.label_kind if output is None else spec.label_kind_of(output)
        if kind != "any":
            return kind
        number = classes.get(output or "") if isinstance(classes, Mapping) else classes
        return "number" if number is None else "index"


def _refuse_others(key: str, names: Iterable[str], outputs: Collection[str]) -> None:
    """Raise an error for names that are none of the model's outputs."""
    if wrong := [name for name in names if name not in outputs]:
        shown = ", ".join(outputs)
        has = f"the outputs {shown}" if shown else "one output"
        message = f"{key} names {', '.join(wrong)}, and the model has {has}"
        advice = "an output has the name of its layer, or of its key in a mapping"
        raise SpecError.at((key,), f"{message}; {advice}")


def make_optimizer(spec: Spec, rate: LearningRate, access: Access) -> keras.optimizers.Optimizer:
    """Return the optimizer of a spec with its learning rate."""
    if spec.optimizer.is_own:
        optimizer = own_optimizer(spec.optimizer, access, ("optimizer",))
        _set_rate(optimizer, rate, spec)
        return optimizer
    arguments = spec.optimizer.arguments | rate.arguments
    if rate.value is not None:
        arguments["learning_rate"] = rate_schedule(rate) or rate.value
    return named_object("optimizers", spec.optimizer.name, arguments, ("optimizer",))


def _set_rate(optimizer: keras.optimizers.Optimizer, rate: LearningRate, spec: Spec) -> None:
    """Set the learning rate of an optimizer that own code made, if the spec has one."""
    written = spec.optimizer.arguments.get("learning_rate")
    if isinstance(written, dict):
        values = argument_values({"learning_rate": written}, ("optimizer",))
        chosen: Any = values["learning_rate"]
    elif rate.value is None or written is None:
        return
    else:
        chosen = rate_schedule(rate) or rate.value
    try:
        optimizer.learning_rate = chosen
    except (TypeError, AttributeError) as error:
        message = "the optimizer was made with a schedule, which says the rate of every step; "
        place = ("optimizer", "learning_rate")
        raise SpecError.at(place, f"{message}leave learning_rate out") from error


@keras.saving.register_keras_serializable(package="kerasbatch")  # type: ignore[untyped-decorator]  # Keras has no types
def half_mse(y_true: Any, y_pred: Any) -> Any:
    """Return half the mean squared error: 1/(2m) * sum (h(x_i) - y_i)^2."""
    return 0.5 * keras.losses.mean_squared_error(y_true, y_pred)


def _losses(loss: CompilePart, access: Access) -> Any:
    """Return a loss, or those of several outputs by their names."""
    if loss.outputs:
        return {
            output: _loss(part, access, ("loss", output)) for output, part in loss.outputs.items()
        }
    return _loss(loss, access, ("loss",))


def _loss(loss: CompilePart, access: Access, location: Location) -> Any:
    if loss.is_own:
        return own_loss(loss, access, location)
    if loss.name == "half_mse":
        return half_mse
    return named_object("losses", loss.name, loss.arguments, location)


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
