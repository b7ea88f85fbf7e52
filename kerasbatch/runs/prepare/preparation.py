"""Prepares a run without TensorFlow: its data, its counts and its name."""

from collections.abc import Sequence
from dataclasses import replace

from kerasbatch.data.run_data import RunData
from kerasbatch.planning import plan_budget
from kerasbatch.records.run_id import family_hash, run_id
from kerasbatch.runs.prepare.chosen_weights import ChosenWeights
from kerasbatch.runs.prepare.prepared_run import DataInfo, PreparedRun
from kerasbatch.runs.prepare.program_key import program_key
from kerasbatch.spec.learning_rate import resolve_learning_rate
from kerasbatch.spec.schema import Spec
from kerasbatch.spec.section_schema import PythonModel
from kerasbatch.spec.sweep.single_run import SingleRun
from kerasbatch.user_code.snapshot import CodeSnapshot


def prepare(
    single: SingleRun,
    data: RunData,
    code: Sequence[CodeSnapshot] = (),
    weights: ChosenWeights | None = None,
) -> PreparedRun:
    """Return a run that is ready to train, whose model was not built.

    Args:
        single: its spec, and its swept values.
        data: its data.
        code: the user's code; that of the model first.
        weights: the file of its initial weights; None if they are drawn.

    Raises:
        SpecError: if a count or the learning rate is wrong.
    """
    spec = single.spec
    planned = plan_budget(data.count, spec.batch_size, spec.length, spec.partial_batch)
    rate, content = resolve_learning_rate(spec, planned), _content_text(spec, code, weights)
    info = DataInfo(
        data.used,
        data.fingerprint,
        data.notice,
        data.x_val is not None,
        data.classes,
        data.description,
    )
    return PreparedRun(
        single,
        planned,
        rate,
        run_id(spec, single.swept, data.fingerprint, content),
        info,
        program_key(spec, rate, data),
        tuple(code),
        family=family_hash(spec, data.fingerprint, content),
        weights=weights,
    )


def prepare_variant(prepared: PreparedRun, single: SingleRun) -> PreparedRun:
    """Return a prepared run with another learning rate or budget, and the same program.

    Args:
        prepared: the run of the grid.
        single: its spec with another rate or budget, and its swept values.
    """
    spec, fingerprint = single.spec, prepared.data.fingerprint
    plan = replace(prepared.plan, budget=spec.length)
    content = _content_text(spec, prepared.code, prepared.weights)
    return replace(
        prepared,
        single=single,
        plan=plan,
        rate=resolve_learning_rate(spec, plan),
        run_id=run_id(spec, single.swept, fingerprint, content),
        family=family_hash(spec, fingerprint, content),
    )


def _content_text(spec: Spec, code: Sequence[CodeSnapshot], weights: ChosenWeights | None) -> str:
    """Return hashes of the user's code and weights; the first is that of the model, or empty."""
    no_model = [] if isinstance(spec.model, PythonModel) else [""]
    file = [] if weights is None else [f"weights {weights.sha256}"]
    return "\n".join([*no_model, *(snapshot.fingerprint for snapshot in code), *file])
