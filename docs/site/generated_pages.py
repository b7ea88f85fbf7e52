"""The pages that are made of the code: options of commands, keys of a spec, the Python API."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import kerasbatch
from kerasbatch.spec.json_schema import json_schema

Schema = Mapping[str, Any]


def pages() -> Iterator[tuple[str, str]]:
    """Yield the place in the site and the text of every generated page."""
    yield "reference/options.md", _options()
    yield "reference/keys.md", "\n".join(_keys())
    yield "reference/api.md", "\n".join(_api())


def _options() -> str:
    """Return what Typer documents of every command."""
    command = [sys.executable, "-m", "typer", "kerasbatch.cli.app", "utils", "docs"]
    names = ["--name", "kerasbatch", "--title", "Options of the commands"]
    documented = subprocess.run([*command, *names], capture_output=True, text=True, check=True)
    return documented.stdout


def _api() -> Iterator[str]:
    """Yield the lines from which mkdocstrings makes the page of the API."""
    yield "# Python API\n\nBy the docstrings of the public names; [their purpose](python.md#names)."
    for name in kerasbatch.__all__:
        if name != "__version__":
            yield f"\n::: kerasbatch.{name}"


def _keys() -> Iterator[str]:
    """Yield the lines of the page of all keys, by the JSON schema of a spec."""
    schema = json_schema()
    yield "# All keys of a spec\n\nBy `kerasbatch schema`; [what they are for](spec.md)."
    yield from _table("The spec", schema)
    for name, part in sorted(schema["$defs"].items()):
        if "properties" in part:
            yield from _table(name, part)
        else:
            yield f"\n## {name}\n\n{_value(part)}"


def _table(title: str, part: Schema) -> Iterator[str]:
    """Yield a heading and a row for each key of a mapping."""
    yield f"\n## {title}\n\n{part.get('description', '')}\n"
    yield "| key | value | default |\n|---|---|---|"
    required = part.get("required", ())
    for key, value in part["properties"].items():
        default = "required" if key in required else _code(value.get("default"))
        yield f"| `{key}` | {_value(value)} | {default} |"


def _value(schema: Schema) -> str:
    """Return the legal values of a schema as text."""
    if "description" in schema:
        return str(schema["description"]).replace("|", "\\|").replace("\n", " ")
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return ", ".join(_code(value) for value in schema["enum"])
    if "const" in schema:
        return _code(schema["const"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            values = dict.fromkeys(_value(each) for each in schema[several])
            return " or ".join(value for value in values if value != "null")
    if schema.get("type") == "array":
        return f"a list of: {_value(schema.get('items', {}))}"
    return str(schema.get("type", "any value"))


def _code(value: Any) -> str:
    """Return a value as it is written in a spec; nothing for a key without a default."""
    return "" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"
