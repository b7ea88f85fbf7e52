"""The command `schema`."""

import typer


def schema() -> None:
    """Print the JSON schema of a spec, for editors that complete and check."""
    import json

    from kerasbatch.spec.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=1))
