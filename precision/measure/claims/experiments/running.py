"""What a model does when it runs after either call."""

from collections.abc import Mapping
from itertools import zip_longest

from precision.measure.claims.facts.running import RunFacts, float32_inputs, run_facts
from precision.measure.claims.facts.storage import StorageFacts
from precision.measure.claims.finding import Finding, count, error, fact, listed, together, true_if
from precision.measure.claims.shown.islands import float32_islands
from precision.measure.claims.subject import Subject
from precision.measure.models.loading import load
from precision.results import ClaimWord, Evidence
from precision.spec import RunSpec
from precision.text.units import count_text, share_text

_HALF, _TO = "After half()", "After to(torch.float16)"


def interchangeable(on: Subject) -> Finding:
    """Whether the calls leave different models; it depends where no layer's output is float16 after `to()` alone."""
    runs, storage = on.runs, on.storage
    differ = [tensor.named for tensor in storage.tensors if not tensor.same]
    same_bytes = storage.half.total_bytes == storage.to.total_bytes
    outputs = {None: "one of the two does not run", True: "bit-identical", False: "differ"}[runs.same_outputs]
    evidence = (
        fact("Stored tensors that differ", listed(differ)),
        fact("Bytes", "the same" if same_bytes else "differ"),
        fact("Outputs", outputs),
        *([error("Largest difference of the outputs", runs.between_calls)] if runs.same_outputs is False else []),
        *(fact(name, run.failure) for name, run in ((_HALF, runs.half), (_TO, runs.to)) if run.failure),
        _dtypes("Outputs of layers after half()", runs.half.activations),
        _dtypes("Outputs of layers after to(torch.float16)", runs.to.activations),
    )
    half_runs, to_runs = runs.half.failure is None, runs.to.failure is None
    if not (differ or not same_bytes or runs.same_outputs is False or half_runs != to_runs):
        if not half_runs:
            return Finding("depends", "Stored tensors are bit-identical; the model runs after neither call.", evidence)
        return Finding("false", "They can: stored tensors, outputs and bytes are the same, to the last bit.", evidence)
    what = f"Different: {listed([*differ, *(['outputs'] if runs.same_outputs is False else [])] or ['bytes'])}."
    if half_runs != to_runs:
        what = f"The model runs after {'half()' if half_runs else 'to(torch.float16)'} only."
    more = runs.to.activations.get("float16", 0) - runs.half.activations.get("float16", 0)
    activations = "Outputs of layers have the same dtypes after both calls."
    if more:
        activations = f"{abs(more):,} {'more' if more > 0 else 'fewer'} outputs of layers are float16 after to()."
    return Finding("true" if more > 0 else "depends", f"They cannot. {what} {activations}", evidence)


def activations_cast(on: Subject) -> Finding:
    """Whether all layers return float16."""
    seen = on.runs
    if seen.half.failure is not None:
        return _does_not_run(seen.half.failure)
    low, total = seen.half.activations.get("float16", 0), sum(seen.half.activations.values())
    evidence = (_dtypes("In float32", seen.reference.activations), _dtypes(_HALF, seen.half.activations))
    if not total:
        return Finding("not testable here", "No layer returns floating-point numbers.", evidence)
    sentence = f"{low:,} of {total:,} floating-point outputs of layers are float16."
    return Finding("true" if low == total else "depends" if low else "false", sentence, evidence)


def inputs_cast(on: Subject) -> Finding:
    """Whether float32 inputs raise after `to()` and do not after `half()`; it depends where neither raises."""
    seen = float32_inputs(on.loaded, on.device)
    why = "the model" if seen.own else "a linear layer: the model takes no floating-point input"
    evidence = (fact("Tried on", why), fact(_HALF, seen.half or "runs"), fact(_TO, seen.to or "runs"))
    sentence = f"{'The model' if seen.own else 'A linear layer'} {'raises' if seen.half else 'runs'} on float32 inputs "
    sentence += f"after half(), and {'raises' if seen.to else 'runs'} after to(torch.float16)."
    word: ClaimWord = "false" if seen.half else "true" if seen.to else "depends"
    return Finding(word, sentence, evidence, None if seen.own else "on this device")


def outputs_cast(on: Subject) -> Finding:
    """Whether outputs are brought back to the reference's dtypes, and parameters survive float16 without a change."""
    kept = _precision_kept(on.storage)
    if on.runs.half.failure is not None:
        failure = _does_not_run(on.runs.half.failure)
        return Finding(failure.verdict, f"{failure.sentence} {kept.sentence}", kept.evidence)
    return together(_outputs(on.runs), kept)


def _outputs(seen: RunFacts) -> Finding:
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
    return Finding("true", "Outputs are in float32 after half() only.", evidence)


def _precision_kept(seen: StorageFacts) -> Finding:
    elements = sum(tensor.elements for tensor in seen.parameters)
    if not elements:
        return Finding("not testable here", "The model has no floating-point parameter.", ())
    kept = sum(tensor.kept_by_round_trip for tensor in seen.parameters)
    evidence = (count("Parameter values that come back unchanged", kept, of=elements),)
    sentence = f"{share_text(kept / elements)} of the parameter values come back as they were."
    return Finding(true_if(kept == elements), sentence, evidence)


def half_optimized(on: Subject) -> Finding:
    """Whether `half()` keeps what the class wants kept in float32, and `to()` does not; else what operators say."""
    ran, named = _operators(on), _islands(on)
    word = "true" if named.verdict == "true" else ran.verdict
    return Finding(word, f"{ran.sentence} {named.sentence}", (*ran.evidence, *named.evidence))


def _operators(on: Subject) -> Finding:
    """Whether other operators run after one call; it depends, as that need not be a gain."""
    seen = on.runs
    failure = seen.to.failure or seen.half.failure
    if failure is not None:
        return _does_not_run(failure)
    half, to = seen.half.operators, seen.to.operators
    counts = (count("Operators after half()", len(half)), count("After to()", len(to)))
    if half != to:
        first = next((a, b) for a, b in zip_longest(half, to, fillvalue="nothing") if a != b)
        differs = f"{first[0]} after half(), {first[1]} after to()"
        sentence = f"Different operators run, which need not be faster. The first: {differs}."
        return Finding("depends", sentence, (*counts, fact("First that differs", differs)))
    same = Finding("false", "The same operators run, in the same order and dtypes.", counts)
    if any(kind.__name__ == "PreTrainedModel" for kind in type(on.loaded.module).__mro__):
        return same
    return _also_in_bert(run_facts(load(RunSpec(model="bert-tiny")), on.device), same)


def _also_in_bert(bert: RunFacts, same: Finding) -> Finding:
    """The finding for a model that is not from Transformers: a BERT is looked at too."""
    alike = bert.half.operators == bert.to.operators
    ran = f"{len(bert.half.operators):,} operators, {'the same' if alike else 'different'}"
    evidence = (*same.evidence, fact("A BERT of Transformers", ran))
    if alike:
        return Finding(same.verdict, same.sentence, evidence)
    sentence = "This model runs the same operators; a BERT of Transformers runs different ones."
    return Finding("depends", sentence, evidence)


def _islands(on: Subject) -> Finding:
    islands = float32_islands(on.loaded.module)
    names = {fqn for parameters in islands.values() for fqn in parameters}
    wanted = [tensor for tensor in on.storage.parameters if tensor.fqn in names]
    by_half = sum(tensor.half == "float32" for tensor in wanted)
    by_to = sum(tensor.to == "float32" for tensor in wanted)
    evidence = (
        fact("Modules that the class keeps in float32", listed(list(islands))),
        count("Their parameters", len(wanted)),
        count("Still float32 after half()", by_half, of=len(wanted)),
        count("Still float32 after to(torch.float16)", by_to, of=len(wanted)),
    )
    if not wanted:
        return Finding("not testable here", "The model's class keeps no module in float32; that of T5 does.", evidence)
    of = count_text(len(wanted), "parameter")
    sentence = f"Of {of} to keep in float32, half() keeps {by_half:,} and to(torch.float16) {by_to:,}."
    return Finding(true_if(bool(by_half) and by_half != by_to), sentence, evidence)


def _does_not_run(failure: str) -> Finding:
    return Finding("not testable here", f"The model does not run in float16: {failure}", ())


def _dtypes(label: str, counts: Mapping[str, int]) -> Evidence:
    return fact(label, listed([f"{number:,} × {dtype}" for dtype, number in counts.items()]))
