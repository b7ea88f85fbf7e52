"""The command `schema`: print the JSON schema of specs."""

import typer


def schema() -> None:
    """Print the JSON schema of specs, for completion and checks in editors."""
    import json

    from kerasbatch.spec.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=1))
