"""What has no float16: operators on the CPU, and modules on a device."""

from precision.measure.casting.forward import shortened
from precision.measure.claims.finding import Finding, count, fact, listed
from precision.measure.claims.shown.modules import failing_modules
from precision.measure.claims.shown.operators import without_float16_kernel
from precision.measure.claims.subject import Subject
from precision.measure.models.quiet import quiet_transformers
from precision.results import ClaimWord


def cpu_throws(on: Subject) -> Finding:
    """Whether the model raises on the CPU; where it runs, or was not run there in float16, operators decide.

    They make it true where none runs in float16, and false where at least half do.
    """
    operators = _cpu_kernels()
    if on.device.type != "cpu":
        sentence = f"The model ran on {on.device.type}: choose the CPU to try it there. {operators.sentence}"
        return Finding(operators.verdict, sentence, operators.evidence, "on this device")
    runs = on.runs
    if runs.reference.failure is not None:
        sentence = f"The model raises in float32 too: {runs.reference.failure} {operators.sentence}"
        return Finding(operators.verdict, sentence, operators.evidence, "on this device")
    if runs.half.failure is not None:
        evidence = (fact("The model raised", runs.half.failure), *operators.evidence)
        return Finding("true", f"The model raises. {operators.sentence}", evidence)
    evidence = (
        count("Operators of the model that ran", len(runs.half.operators)),
        fact("Its outputs", listed(sorted(set(runs.half.outputs)))),
        *operators.evidence,
    )
    return Finding(operators.verdict, f"The model runs in float16 on the CPU. {operators.sentence}", evidence)


def _cpu_kernels() -> Finding:
    """Whether no operator runs in float16; it depends where fewer than half do."""
    tried = without_float16_kernel()
    missing = {name: message for name, message in tried.items() if message is not None}
    runs = len(tried) - len(missing)
    evidence = (
        count("Operators that run in float16", runs, of=len(tried)),
        fact("These run", ", ".join(name for name in tried if name not in missing) or "none"),
        fact("Without a kernel", listed(list(missing))),
        *(fact(f"For example, {name} raised", shortened(message)) for name, message in list(missing.items())[:1]),
    )
    if not missing:
        return Finding("false", f"All {len(tried):,} operators tried run.", evidence)
    sentence = f"{runs:,} of {len(tried):,} operators run; {listed(list(missing))} do not."
    word: ClaimWord = "true" if not runs else "false" if 2 * runs >= len(tried) else "depends"
    return Finding(word, sentence, evidence)


def modules_without_half(on: Subject) -> Finding:
    """Whether some module fails after `half()`, and each call fails on one that the other does not."""
    with quiet_transformers():
        tried = failing_modules(on.device)
    half, to = (
        {name: message for name, said in tried.items() if (message := said[call]) is not None}
        for call in ("half()", "to(torch.float16)")
    )
    only_half, only_to = [name for name in half if name not in to], [name for name in to if name not in half]
    evidence = (
        count("Modules that run after half()", len(tried) - len(half), of=len(tried)),
        fact("These run", ", ".join(name for name in tried if name not in half) or "none"),
        *(fact(name, shortened(message)) for name, message in half.items()),
        fact("Fail after both", listed([name for name in half if name in to])),
        fact("Fail after half() only", listed(only_half)),
        fact("Fail after to(torch.float16) only", listed(only_to)),
    )
    if not half and not to:
        return Finding("false", f"All {len(tried):,} modules tried run after either call.", evidence)
    sentence = f"These fail after half() alone: {listed(only_half)}; after to(torch.float16) alone: {listed(only_to)}."
    return Finding("true" if only_half and only_to else "depends", sentence, evidence)
