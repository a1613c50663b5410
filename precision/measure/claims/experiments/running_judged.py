"""Verdicts on what a model does when it runs after either call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from precision.measure.claims.experiments.finding import Finding, count, error, fact, listed, true_if
from precision.measure.claims.experiments.running import Float32Inputs, RunFacts
from precision.measure.claims.experiments.storage import StorageFacts
from precision.results import Evidence, Scope

_HALF, _TO = "After half()", "After to(torch.float16)"


def activations_cast(seen: RunFacts) -> Finding:
    """Whether all layers hand on float16."""
    if seen.half.failure is not None:
        return _does_not_run(seen.half.failure)
    low, total = seen.half.activations.get("float16", 0), sum(seen.half.activations.values())
    evidence = (_dtypes("In float32", seen.reference.activations), _dtypes(_HALF, seen.half.activations))
    if not total:
        return Finding("not testable here", "No layer hands on floating-point numbers.", evidence)
    sentence = f"{low:,} of {total:,} floating-point outputs of layers are float16."
    return Finding("true" if low == total else "depends" if low else "false", sentence, evidence)


def activations_need_to(seen: RunFacts) -> Finding:
    """Whether activations are float16 after `to()` where they are not after `half()`."""
    if seen.to.failure is not None or seen.half.failure is not None:
        return _does_not_run(seen.to.failure or seen.half.failure or "")
    evidence = (_dtypes(_HALF, seen.half.activations), _dtypes(_TO, seen.to.activations))
    more = seen.to.activations.get("float16", 0) - seen.half.activations.get("float16", 0)
    sentence = "Activations have the same dtypes after both calls."
    if more:
        sentence = f"{abs(more):,} {'more' if more > 0 else 'fewer'} outputs of layers are float16 after to()."
    return Finding(true_if(more > 0), sentence, evidence)


def inputs_cast(seen: Float32Inputs) -> Finding:
    """Whether a model runs on float32 inputs after `half()`."""
    sentence = f"{_tried(seen)} {'raises' if seen.half else 'runs'} on float32 inputs after half()."
    return Finding(true_if(seen.half is None), sentence, _raised(seen), _scope(seen))


def manual_casting(seen: Float32Inputs) -> Finding:
    """Whether float32 inputs raise after `to()` and do not after `half()`."""
    sentence = "Both ask for inputs in float16." if seen.half and seen.to else "Neither asks for inputs in float16."
    if bool(seen.half) != bool(seen.to):
        sentence = f"Only {'half()' if seen.half else 'to(torch.float16)'} asks for inputs in float16."
    return Finding(true_if(seen.half is None and seen.to is not None), sentence, _raised(seen), _scope(seen))


def outputs_cast(seen: RunFacts) -> Finding:
    """Whether outputs are brought back to the reference's dtypes."""
    if seen.half.failure is not None:
        return _does_not_run(seen.half.failure)
    evidence = (
        fact("In float32", listed(seen.reference.outputs)),
        fact(_HALF, listed(seen.half.outputs)),
        fact(_TO, seen.to.failure or listed(seen.to.outputs)),
    )
    if not seen.half.outputs:
        return Finding("not testable here", "The model returns no floating-point numbers.", evidence)
    if seen.half.outputs != seen.reference.outputs:
        return Finding("false", f"Outputs stay as computed: {listed(sorted(set(seen.half.outputs)))}.", evidence)
    if seen.to.outputs == seen.half.outputs:
        return Finding("depends", "Outputs are in float32 after both calls: the model's own code does it.", evidence)
    return Finding("true", "Outputs are in float32 after half() alone.", evidence)


def half_optimized(seen: RunFacts, bert: RunFacts | None) -> Finding:
    """Whether other operators run after `half()` than after `to()`.

    Args:
        seen: of the model.
        bert: of a model of Transformers, where the model itself is none.
    """
    if seen.to.failure is not None or seen.half.failure is not None:
        return _does_not_run(seen.to.failure or seen.half.failure or "")
    half, to = seen.half.operators, seen.to.operators
    counts: tuple[Evidence, ...] = (
        count(f"Operators {_HALF[0].lower()}{_HALF[1:]}", len(half)),
        count("After to()", len(to)),
    )
    if half == to and bert is not None:
        alike = bert.half.operators == bert.to.operators
        ran = f"{len(bert.half.operators):,} operators, {'the same' if alike else 'others'}"
        also = fact("A BERT of Transformers", ran)
        counts = (*counts, also)
        if not alike:
            return Finding("depends", "In this model the same operators run, in a BERT of Transformers others.", counts)
    if half == to:
        return Finding("false", "The same operators run, in the same order and dtypes.", counts)
    first = next((at for at, (a, b) in enumerate(zip(half, to, strict=False)) if a != b), min(len(half), len(to)))
    pair = [names[first] if first < len(names) else "nothing" for names in (half, to)]
    differs = fact("First that differs", f"{pair[0]} after half(), {pair[1]} after to()")
    sentence = f"Other operators run, which need not be a gain: first {pair[0]} after half(), {pair[1]} after to()."
    return Finding("depends", sentence, (*counts, differs))


def interchangeable(seen: RunFacts, storage: StorageFacts) -> Finding:
    """Whether the claim holds that the two calls are not interchangeable."""
    differ = [tensor.named for tensor in storage.tensors if not tensor.same]
    same_bytes = storage.half.total_bytes == storage.to.total_bytes
    outputs = {None: "one of both does not run", True: "bit-identical", False: "differ"}[seen.same_outputs]
    evidence = (
        fact("Stored tensors that differ", listed(differ)),
        fact("Bytes", "the same" if same_bytes else "differ"),
        fact("Outputs", outputs),
        *([error("Largest difference of the outputs", seen.between_calls)] if seen.same_outputs is False else []),
        *(fact(name, run.failure) for name, run in ((_HALF, seen.half), (_TO, seen.to)) if run.failure),
    )
    one_runs = (seen.half.failure is None) != (seen.to.failure is None)
    if differ or not same_bytes or seen.same_outputs is False or one_runs:
        return Finding("true", f"They cannot: {_difference(differ, seen)}.", evidence)
    if seen.same_outputs is None:
        return Finding("depends", "Stored tensors are bit-identical; the model runs after neither call.", evidence)
    return Finding("false", "They can: stored tensors, outputs and bytes are the same, to the last bit.", evidence)


def _difference(tensors: Sequence[str], seen: RunFacts) -> str:
    """In what two models differ."""
    if (seen.half.failure is None) != (seen.to.failure is None):
        return f"the model runs after {'half()' if seen.half.failure is None else 'to(torch.float16)'} only"
    found = [listed(tensors)] if tensors else []
    found += ["outputs"] if seen.same_outputs is False else []
    return f"{' and '.join(found) or 'bytes'} {'differ' if len(tensors) != 1 or len(found) > 1 else 'differs'}"


def cpu_throws(seen: RunFacts, *, device: str) -> Finding:
    """Whether the model raises in float16 on the CPU."""
    if device != "cpu":
        return Finding("not testable here", f"The run is on {device}: choose the CPU.", ())
    if seen.reference.failure is not None:
        return Finding("not testable here", f"It raises in float32 too: {seen.reference.failure}", ())
    if seen.half.failure is not None:
        return Finding("true", "It raises.", (fact("Raised", seen.half.failure),))
    evidence = (
        count("Operators that ran", len(seen.half.operators)),
        fact("Outputs", listed(sorted(set(seen.half.outputs)))),
    )
    return Finding("false", "It runs in float16 on the CPU.", evidence)


def _does_not_run(failure: str) -> Finding:
    return Finding("not testable here", f"The model does not run in float16: {failure}", ())


def _scope(seen: Float32Inputs) -> Scope | None:
    return None if seen.own else "on this device"


def _tried(seen: Float32Inputs) -> str:
    return "The model" if seen.own else "A linear layer"


def _raised(seen: Float32Inputs) -> tuple[Evidence, ...]:
    why = "the model" if seen.own else "a linear layer: the model takes no floating-point input"
    return (fact("Tried on", why), fact(_HALF, seen.half or "runs"), fact(_TO, seen.to or "runs"))


def _dtypes(label: str, counts: Mapping[str, int]) -> Evidence:
    return fact(label, listed([f"{number:,} × {dtype}" for dtype, number in counts.items()]))
