"""One comparison from start to end: load, cast, audit, run both, compare, time."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from precision.errors import ForwardError, InputError
from precision.findings.verdict import judge
from precision.measure.casting.audit import audit
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.noise import Noise
from precision.measure.casting.own_formats import own_formats
from precision.measure.compare.batches import NOT_ONE_SHAPE, gathering
from precision.measure.compare.float64_truth import with_float64_truth
from precision.measure.compare.kernel_check import check_on_real_kernel
from precision.measure.compare.picks import Picks
from precision.measure.compare.score import Validate, scored
from precision.measure.compare.shown_samples import shown_samples
from precision.measure.machine.cost import time_side_by_side
from precision.measure.machine.working_memory import how_measured, working_memory
from precision.measure.metrics.comparison import compare_outputs
from precision.measure.metrics.output_kinds import Known
from precision.measure.metrics.outputs import Flattened
from precision.measure.models.built import Batch
from precision.measure.models.padding import data_output, data_positions
from precision.measure.nonfinite_modules import reference_warnings, without_masked_classes
from precision.measure.preparation import Prepared, Task, as_reference, failure_of, module_progress, prepare
from precision.results import ClassDecisions, CompareResult, Comparison, Cost, RunMemory
from precision.results.comparison import NoiseDrawn
from precision.spec import Analysis
from precision.text.units import number_text

OF_FIRST_BATCH = (
    "Outputs are compared over all batches; time, memory, float64 and real kernels are measured on the first."
)


def compare(task: Task, *, validate: Validate | None = None) -> CompareResult:
    """Run a model in the reference's precision and in the candidate's, and measure what differs.

    A forward that raises does not lose what was measured before it: the result then has a `failure`
    and None for the parts after it. Of several batches all outputs are compared, in one comparison; time, memory,
    float64 and real kernels are those of the first.

    `validate` gives a caller's own score of a module, such as its accuracy on data that the caller holds.
    """
    run, result = _audited(task)
    result = _measure(run, result)
    score = scored(run, validate) if validate and not result.failure else None
    return result.model_copy(update={"verdict": judge(result), "score": score})


def compare_errors(task: Task) -> CompareResult:
    """As `compare`, without timing: the cost is None."""
    run, result = _audited(task)
    result = _measure(run, result)
    return result.model_copy(update={"verdict": judge(result)})


def audit_cast(task: Task) -> CompareResult:
    """Load and cast as `compare` does, and stop there: the audit is measured, comparison and cost are None."""
    return _audited(task)[1]


def _audited(task: Task) -> tuple[Prepared, CompareResult]:
    """Both models, cast and audited, and the result as far as it is known before they run."""
    run, spec = prepare(task), task.spec
    task.progress.step("Auditing the cast", 0.2)
    result = CompareResult(
        **dict(run.head),
        audit=audit(
            run.uncast,
            run.candidate.stored,
            fmt=spec.format,
            method=spec.method,
            own=own_formats(run.loaded.module, spec.own_formats),
        ),
        comparison=None,
        cost=None,
    )
    task.progress.partial(result)
    return run, result


def _measure(run: Prepared, result: CompareResult) -> CompareResult:
    """The result with comparison and cost, or with the failure that stopped them."""
    reference, candidate = f"{run.spec.reference} reference", f"{run.spec.candidate} candidate"
    device = run.reference.device
    stage = ""
    try:
        stage = f"Running the {reference}"
        with as_reference(run.spec.reference), run.noise.recorded(), Picks() as picks:
            first, _ = _forward(run, run.reference, stage, 0.25, 0.4)
        stage = f"Running the {reference} again"
        with as_reference(run.spec.reference), working_memory(device) as reference_memory, run.noise.replayed():
            second, reference_took = _forward(run, run.reference, stage, 0.4, 0.5)
        stage = f"Running the {candidate}"
        with working_memory(device) as candidate_memory, run.noise.replayed():
            output, candidate_took = _forward(run, run.candidate, stage, 0.5, 0.65)
        stage = "Comparing the outputs"
        run.progress.step(stage, 0.65)
        comparison = _compared(run, first, output, second)
        if picks.text and not _is_exact(comparison):
            comparison = comparison.model_copy(update={"notes": (*comparison.notes, picks.text)})
        if run.loaded.more:
            result = result.model_copy(update={"warnings": (*result.warnings, OF_FIRST_BATCH)})
        del second
        result = result.model_copy(
            update={
                "comparison": comparison,
                "memory": RunMemory(
                    reference_bytes=reference_memory.most_bytes,
                    candidate_bytes=candidate_memory.most_bytes,
                    how=how_measured(device),
                ),
                "warnings": (*_caveats(comparison, run), *result.warnings),
            }
        )
        sides = [data_output(each, run.loaded) for each in (first, output)]
        if not run.loaded.more:
            result = result.model_copy(update={"samples": shown_samples(comparison, run.loaded, *sides)})
        known = Known.of(run.loaded.module, run.spec.outputs, run.loaded.labels)
        data = without_masked_classes(*sides, known=known)
        del sides
        own = reference_warnings(run.reference, run.loaded.args, dict(run.loaded.kwargs), data)
        result = result.model_copy(update={"warnings": (*own, *result.warnings)})
        run.progress.partial(result)
        comparison = with_float64_truth(
            comparison, run, (first, output), reference_s=reference_took.work_s, start=0.66, end=0.68
        )
        del first
        result = result.model_copy(update={"comparison": comparison})
        run.progress.partial(result)
        if _has_a_kernel_to_check(result):
            checked = check_on_real_kernel(run, output, start=0.68, end=0.75)
            result = result.model_copy(update={"real_kernels": checked})
            run.progress.partial(result)
        del output
        if run.spec.analysis is Analysis.ERRORS:
            return result
        stage = "Timing both"
        return result.model_copy(update={"cost": _cost(run, stage, (reference_took.wall_s, candidate_took.wall_s))})
    except (ForwardError, MemoryError, torch.OutOfMemoryError) as error:
        return result.model_copy(update={"failure": failure_of(error, stage)})


def _is_exact(comparison: Comparison) -> bool:
    return not comparison.uncompared and all(each.metrics.exact_share in (1, None) for each in comparison.outputs)


def _compared(run: Prepared, first: object, output: object, second: object) -> Comparison:
    """The outputs of the first batch, with those of all that follow."""
    labels = run.loaded.labels
    given = [data_output(each, run.loaded) for each in (first, output, second)]
    if not run.loaded.more:
        return compared_sides(run, given, labels)
    with gathering(len(given)) as sides:
        for side, flat in zip(sides, given, strict=True):
            side.add(flat)
        for place, batch in enumerate(run.loaded.more, 2):
            run.progress.step(f"Batch {place:,}", 0.65)
            try:
                for side, output in zip(sides, _outputs_of(run, batch), strict=True):
                    side.add(data_output(output, run.loaded, batch))
            except ForwardError as error:
                raise type(error)(f"Batch {place:,}: {error}", error.where) from error
            if batch.labels is not None and labels is not None:
                labels = torch.cat([labels.reshape(-1), batch.labels.reshape(-1)])
        return compared_sides(run, [side.whole() for side in sides], labels)


def _outputs_of(run: Prepared, batch: Batch) -> Iterator[object]:
    """Of the reference, the candidate and the reference again."""
    noise = Noise()
    with as_reference(run.spec.reference), noise.recorded():
        reference = run.reference(batch.args, batch.kwargs)
    yield reference
    with noise.replayed():
        yield run.candidate(batch.args, batch.kwargs)
    with noise.replayed():
        yield run.reference(batch.args, batch.kwargs)
    if not noise.is_shared:
        run.noise.depart()


def compared_sides(run: Prepared, sides: Sequence[Flattened], labels: Tensor | None) -> Comparison:
    """Of the reference, the candidate, and the reference again."""
    reference, candidate, repeat = sides
    known = Known.of(run.loaded.module, run.spec.outputs, labels)
    found = compare_outputs(reference=reference, candidate=candidate, repeat=repeat, fmt=run.spec.format, known=known)
    noise: NoiseDrawn = "none" if not run.noise.drawn else "shared" if run.noise.is_shared else "not shared"
    lost = [note for side in sides for note in side.notes if note.endswith(NOT_ONE_SHAPE)]
    uncompared = tuple(dict.fromkeys((*found.uncompared, *lost)))
    return found.model_copy(
        update={"noise": noise, "uncompared": uncompared, "notes": (*found.notes, *_unused_mask(run, sides))}
    )


def _unused_mask(run: Prepared, sides: Sequence[Flattened]) -> tuple[str, ...]:
    """That a mask excludes positions which no output has.

    Raises:
        InputError: it is the caller's.
    """
    data = data_positions(run.loaded)
    if data is None or any(leaf.rows is not None for leaf in sides[0].leaves):
        return ()
    said = f"No output has the {data.shape[0]:,} × {data.shape[1]:,} positions of the mask"
    if run.loaded.mask is not None:
        raise InputError(f"mask: {said[0].lower()}{said[1:]}.")
    return (f"{said}: padding counts in every figure.",)


def _has_a_kernel_to_check(result: CompareResult) -> bool:
    """Whether the candidate's arithmetic stands for that of kernels: after `load_state_dict` float32 is what it is."""
    spec = result.spec
    parts = spec.plan or spec.weights or spec.candidate_weights
    return result.execution.label == "simulated" and not parts and not spec.method.row.keeps_dtype


class _Took(NamedTuple):
    """Seconds of one pass."""

    wall_s: float
    work_s: float
    """On the CPU the processor's, over torch's threads: it does not depend on what else the machine does."""


def _forward(run: Prepared, model: CastModel, stage: str, start: float, end: float) -> tuple[object, _Took]:
    """Output and seconds of one pass, reporting progress at every module call."""
    run.progress.step(stage, start)
    on_module = module_progress(run.progress, model, stage=stage, start=start, end=end)
    wall_s, work_s = time.monotonic(), time.process_time()
    output = model(run.loaded.args, run.loaded.kwargs, on_module=on_module)
    wall_s, work_s = time.monotonic() - wall_s, (time.process_time() - work_s) / torch.get_num_threads()
    return output, _Took(wall_s, work_s if model.device.type == "cpu" else wall_s)


def _cost(run: Prepared, stage: str, seen_s: Sequence[float]) -> Cost:
    runs: list[Callable[[], object]] = [
        model.prepared(run.loaded.args, run.loaded.kwargs) for model in (run.reference, run.candidate)
    ]

    def on_round(done: float) -> None:
        run.progress.step(stage, 0.75 + 0.25 * done)

    reference, candidate = time_side_by_side(runs, on_round=on_round, seen_s=seen_s)
    return Cost(reference_time=reference, candidate_time=candidate)


def _caveats(comparison: Comparison, run: Prepared) -> tuple[str, ...]:
    """Reasons in the outputs not to read too much into their errors."""
    candidate, found = run.spec.candidate, [each.decisions for each in comparison.outputs]
    caveats = []
    repeat = comparison.repeat_floor
    if repeat.exact_share is not None and repeat.exact_share < 1:
        size = f" (RMSE {number_text(repeat.rmse)})" if repeat.rmse else ""
        caveats.append(
            f"Two runs of the reference differ{size}: the model is not deterministic here, and an error of that size "
            f"cannot be attributed to {candidate}."
        )
    if comparison.noise == "shared":
        caveats.append(
            "The model draws random numbers in its forward: both models get those of the reference, cast to their own "
            "dtype."
        )
    scores = [each for each in found if isinstance(each, ClassDecisions)]
    labelled = [(each.samples, each.accuracy.samples) for each in scores if each.accuracy]
    if run.loaded.labels is not None and not labelled:
        caveats.append("The labels play no part: no output has scores of classes and one label for each sample.")
    caveats += [
        f"{samples - known:,} of {samples:,} labels are no class of the output: they are left out of the accuracy."
        for samples, known in labelled
        if known < samples
    ]
    return tuple(caveats)
