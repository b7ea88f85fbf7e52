"""The JSON schema of a spec, for completion and checks in editors.

The keys come from `schema`, the Keras names from `keras_registry`. The schema accepts a little
more than the program: it checks no files, and of the rules between keys only the budget.
"""

from collections.abc import Iterable
from typing import Any

from kerasbatch.spec import keras_registry
from kerasbatch.spec.call_arguments import ARGUMENTS
from kerasbatch.spec.fields import AS, KIND, Key
from kerasbatch.spec.keras_registry import CHOSEN_METRICS, OWN_LOSSES, Section
from kerasbatch.spec.own_code import PYTHON
from kerasbatch.spec.schema import BUDGETS, COMPILE_PARTS, KEYS, Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]
_OF_PYTHON = ("ObjectData", "ObjectModel")


def json_schema() -> Schema:
    """Return the JSON schema of a spec file."""
    schema = _clean(Spec.model_json_schema())
    properties, definitions = schema["properties"], schema["$defs"]
    _without_objects(properties, definitions)
    for name, key in KEYS.items():
        if (key.short and "items" not in properties[name]) or key.words:
            properties[name] = _with_short_form(properties[name], key, definitions)
    _without_kinds(definitions)
    optimizers = [
        *keras_registry.keras_table()["optimizers"],
        *map(str.lower, keras_registry.keras_table()["optimizers"]),
    ]
    rate_alone = {"type": "object", "properties": {"learning_rate": {}}, "maxProperties": 1}
    optimizer = [*_named("optimizers", optimizers), _python("learning_rate"), rate_alone]
    properties["optimizer"] = {"anyOf": optimizer}
    loss = {"anyOf": [*_named("losses", OWN_LOSSES), _python()]}
    properties["loss"] = {"anyOf": [*loss["anyOf"], _by_output(loss)]}
    metric = {"anyOf": [*_named("metrics", CHOSEN_METRICS), _python(AS)]}
    metrics = {"type": "array", "items": metric}
    properties["metrics"] = {"anyOf": [metrics, _by_output({"anyOf": [metric, metrics]})]}
    definitions["layer"] = _item("layers")
    properties["callbacks"]["items"] = {"anyOf": [_item("callbacks"), _python()]}
    definitions["LayerModel"]["properties"]["layers"] = {
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/layer"},
    }
    for unused in ("CompilePart", "PresetModel", "ValidationWord"):
        del definitions[unused]
    schema["required"] = [key for key in schema["required"] if key != "batch_size"]
    schema["if"] = {"not": {"required": ["sweep"]}}
    schema["then"] = {
        "required": ["batch_size"],
        "oneOf": [{"required": [budget]} for budget in BUDGETS],
    }
    compiled = {"properties": {"model": {"type": "object", "required": [PYTHON]}}}
    schema["allOf"] = [{"if": compiled, "else": {"required": list(COMPILE_PARTS)}}]
    return {"$schema": DIALECT, "title": "kerasbatch spec", **schema}


def _with_short_form(long: Schema, key: Key, definitions: Schema) -> Schema:
    """Return the schema of a key that may also be written as a word."""
    if key.words is not None:
        words, *mappings = long["items"]["anyOf"]
        return {"anyOf": [{"enum": [key.words, *words["enum"]]}, *mappings, long]}
    forms = long.get("oneOf") or [{"$ref": long["$ref"]}]
    properties = [definitions[_name(form)]["properties"] for form in forms]
    word = next(keys[str(key.short)] for keys in properties if key.short in keys)
    mappings = [
        form
        for form, keys in zip(forms, properties, strict=True)
        if set(keys) - {KIND, key.short}  # else the word is its only form
    ]
    return {"anyOf": [word, *mappings]}


def _name(reference: Schema) -> str:
    return str(reference["$ref"].rpartition("/")[2])


def _without_objects(properties: Schema, definitions: Schema) -> None:
    """Remove the forms that stand for objects of Python, which no file can hold."""
    for name in _OF_PYTHON:
        del definitions[name]
    for key in ("data", "model"):
        forms = properties[key]["oneOf"]
        properties[key]["oneOf"] = [form for form in forms if _name(form) not in _OF_PYTHON]
        properties[key].pop("discriminator", None)


def _without_kinds(definitions: Schema) -> None:
    """Remove the key `kind`, which no spec contains."""
    for definition in definitions.values():
        definition["properties"].pop(KIND, None)
        definition["required"] = [name for name in definition.get("required", []) if name != KIND]


def _clean(value: Any) -> Any:
    """Remove null, which a spec may not contain, and titles derived from keys."""
    if isinstance(value, list):
        return [_clean(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: _clean(inner)
        for key, inner in value.items()
        if not (key == "title" and isinstance(inner, str))
        and not (key == "default" and inner is None)
    }
    options = [option for option in kept.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1 and len(kept["anyOf"]) == 2:
        del kept["anyOf"]
        return {**options[0], **kept}
    return kept


def _named(section: Section, extra: Iterable[str]) -> list[Schema]:
    """Return the schemas of a name, and of a mapping with the name and its arguments."""
    aliases = keras_registry.keras_table()["aliases"].get(section, {})
    legal = sorted({*keras_registry.keras_table()[section], *aliases, *extra})
    mapping = {"type": "object", "properties": {"name": {"enum": legal}}, "required": ["name"]}
    return [{"enum": legal}, mapping]


def _by_output(part: Schema) -> Schema:
    """Return the schema of a part for each output of a model."""
    names = {"not": {"enum": ["name", "python"]}}
    return {"type": "object", "propertyNames": names, "additionalProperties": part}


def _python(*beside: str) -> Schema:
    """Return the schema of a function in a file of the user, with its arguments and other keys."""
    name = {"type": "string", "pattern": keras_registry.PYTHON_NAME}
    others: Schema = {key: {} for key in beside}
    return {
        "type": "object",
        "properties": {"python": name, ARGUMENTS: {"type": "object"}, **others},
        "required": ["python"],
        "additionalProperties": False,
    }


def _item(section: Section) -> Schema:
    """Return the schema of a layer or callback: its name, or its name and arguments."""
    classes: dict[str, Any] = keras_registry.keras_table()[section]
    plain = [name for name, entry in classes.items() if not entry["required"]]
    named = ["name"] if section == "layers" else []
    with_arguments = {
        name: {
            "type": "object" if entry["required"] else ["object", "null"],
            "properties": {
                argument: _argument(argument)
                for argument in [*entry["required"], *entry["optional"], *named]
            },
            "required": entry["required"],
            "additionalProperties": False,
        }
        for name, entry in classes.items()
    }
    mapping = {
        "type": "object",
        "properties": with_arguments,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }
    return {"anyOf": [{"enum": plain}, mapping]}


def _argument(argument: str) -> Schema:
    if argument in ("layer", "backward_layer"):
        return {"$ref": "#/$defs/layer"}
    if keras_registry.value_section(argument) == "activations":
        return {"enum": [*keras_registry.keras_table()["activations"], None]}
    return {}
