"""Calls of the user's functions with the arguments that their parameters name."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from kerasbatch.errors import Fault, Location, SpecError
from kerasbatch.text import suggestion

ARGUMENTS = "arguments"
"""The key of arguments beside the name of a function."""
RUN_DIRECTORY = "run_directory"
"""The folder of a run that its callbacks may write into."""
_BY_NAME = ("outputs", "name", RUN_DIRECTORY)
"""The values that only a parameter of the same name gets."""
_ANY_NAME = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_NAMED = (*_ANY_NAME, inspect.Parameter.KEYWORD_ONLY)


def call_with(
    function: Callable[..., Any],
    context: Mapping[str, Any],
    written: Mapping[str, Any],
    location: Location,
) -> Any:
    """Call a function or a class with the arguments that fit its parameters.

    A parameter with the name of an argument of the spec gets it, one with the name of a value of
    the context gets that. Required parameters of other names get the values of the context in
    their order, as in `build(shape, number)`.

    Args:
        function: the function or class.
        context: the values that it may name, such as `input_shape`.
        written: the arguments of the spec.
        location: the place of its name in the spec.

    Raises:
        SpecError: if it has no argument of a written name, or needs one more.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:  # a function that is not written in Python has no signature
        return function(*_unnamed(context, ()), **written)
    values = _values(signature, context, written)
    if faults := _faults(function, signature, written, values, location):
        raise SpecError(faults)
    bound = signature.bind_partial()
    for name in signature.parameters:
        if name in values:
            bound.arguments[name] = values[name]
    return function(*bound.args, **bound.kwargs)


def required(function: Callable[..., Any], written: Mapping[str, Any]) -> int:
    """Return the number of required parameters that are none of the written arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return 0
    return sum(
        p.kind in _NAMED and p.default is p.empty and p.name not in written for p in parameters
    )


def _unnamed(context: Mapping[str, Any], taken: Any) -> list[Any]:
    """Return the values of the context that may go to parameters of any name."""
    return [value for name, value in context.items() if name not in (*taken, *_BY_NAME)]


def _values(
    signature: inspect.Signature, context: Mapping[str, Any], written: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values of parameters by their names."""
    parameters = signature.parameters.values()
    offered = {**context, **written}
    values = {p.name: offered[p.name] for p in parameters if p.kind in _NAMED and p.name in offered}
    unnamed = _unnamed(context, values)
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL and not values:
            values[parameter.name] = tuple(unnamed)
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            values[parameter.name] = {n: v for n, v in written.items() if n not in values}
        elif _is_open(parameter) and parameter.name not in values and unnamed:
            values[parameter.name] = unnamed.pop(0)
    return values


def _is_open(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter is required, and may be passed by its position."""
    return parameter.kind in _ANY_NAME and parameter.default is parameter.empty


def _faults(
    function: Callable[..., Any],
    signature: inspect.Signature,
    written: Mapping[str, Any],
    values: Mapping[str, Any],
    location: Location,
) -> list[Fault]:
    """Return a fault for every unknown argument, and one for those that are missing."""
    parameters = signature.parameters.values()
    names = [p.name for p in parameters if p.kind in _NAMED]
    takes_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    form = _form(function, signature)
    unknown = [] if takes_all else [name for name in written if name not in names]
    place = location[:-1] if location[-1:] in (("python",), ("dataset",)) else location
    faults = [
        Fault(
            (*place, ARGUMENTS, name),
            f"{form} has no argument {name}{suggestion(name, names)}",
            at_key=True,
        )
        for name in unknown
    ]
    missing = [p.name for p in parameters if p.kind in _NAMED and p.default is p.empty]
    missing = [name for name in missing if name not in values]
    if missing:
        needed = ", ".join(f"{name}: ..." for name in missing)
        message = f"{form} needs {' and '.join(missing)}; write arguments: {{{needed}}}"
        faults.append(Fault(location, message))
    return faults


def _form(function: Callable[..., Any], signature: inspect.Signature) -> str:
    """Return a function as it is called, like `build(input_shape, units=64)`."""
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    shown = signature.replace(parameters=plain, return_annotation=signature.empty)
    return f"{getattr(function, '__name__', type(function).__name__)}{shown}"
