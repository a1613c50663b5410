"""What both calls do to the tensors and settings that a model stores."""

from torch import nn

from precision.measure.claims.facts.storage import StorageFacts, storage_facts
from precision.measure.claims.finding import Finding, count, counted, fact, listed, size, true_if
from precision.measure.claims.subject import Subject
from precision.results import ClaimWord, Evidence
from precision.text.units import change_text, count_text, share_text

_NO_COMPLEX = " Only complex tensors are cast differently, and this model has none."
_NO_PARAMETERS = Finding("not testable here", "The model has no floating-point parameter.", ())


def named_parameters(on: Subject) -> Finding:
    """Whether parameters show every dtype that the model stores; it depends where they do not."""
    seen = on.storage
    shown = {tensor.before for tensor in seen.parameters}
    hidden = [tensor for tensor in seen.tensors if tensor.kind != "parameter"]
    missed = sorted({tensor.before for tensor in hidden} - shown)
    evidence = (
        counted("Parameters", (tensor.before for tensor in seen.parameters)),
        counted("Buffers and attributes, not listed", (tensor.before for tensor in hidden)),
    )
    if not hidden:
        return Finding("true", "The model stores only parameters.", evidence)
    if not missed:
        sentence = f"{count_text(len(hidden), 'tensor')} not listed, but parameters have the same dtypes."
        return Finding("true", sentence, evidence)
    sentence = (
        "They show the dtypes of the parameters. The model also stores tensors of other dtypes, which they do not "
        f"show: {listed(missed)}."
    )
    return Finding("depends", sentence, evidence)


def half_casts_parameters(on: Subject) -> Finding:
    """Whether each call changes the model itself, and every parameter is then float16, the same by both.

    It is false where one of the calls casts no parameter.
    """
    seen = on.storage
    if not seen.parameters:
        return _NO_PARAMETERS
    by_half, by_to = (
        [tensor for tensor in seen.parameters if getattr(tensor, call) == "float16"] for call in ("half", "to")
    )
    same = [tensor for tensor in by_half if tensor.same]
    evidence = (
        counted("Before", (tensor.before for tensor in seen.parameters)),
        counted("After half()", (tensor.half for tensor in seen.parameters)),
        counted("After to(torch.float16)", (tensor.to for tensor in seen.parameters)),
        fact("Not float16", listed([tensor.named for tensor in seen.parameters if tensor not in by_half])),
        count("Parameters that are float16 and bit-identical", len(same), of=len(seen.parameters)),
        fact("Others", listed([tensor.named for tensor in seen.parameters if tensor not in same])),
        *_returned(seen),
    )
    itself = seen.half.returned_model and seen.to.returned_model
    total = count_text(len(seen.parameters), "parameter")
    sentence = (
        f"{len(by_half):,} of {total} are float16 after half(), {len(by_to):,} after to(torch.float16); {len(same):,} "
        f"are the same, to the last bit. "
        f"{'The model itself changes, and is returned.' if itself else 'Assign the result: it is another object.'}"
    )
    if len(same) == len(seen.parameters) and itself:
        return Finding("true", sentence, evidence)
    return Finding("depends" if by_half and by_to else "false", sentence, evidence)


def _returned(seen: StorageFacts) -> tuple[Evidence, ...]:
    return tuple(
        fact(
            name,
            f"returns {'the same object' if cast.returned_model else 'another object'}; "
            f"{count_text(cast.changed, 'tensor')} of the original changed",
        )
        for name, cast in (("half()", seen.half), ("to(torch.float16)", seen.to))
    )


def quantization(on: Subject) -> Finding:
    """Whether either call leaves parameters that are no longer floating-point numbers."""
    parameters = on.storage.parameters
    if not parameters:
        return _NO_PARAMETERS
    half = sum(not _is_floating(tensor.half) for tensor in parameters)
    to = sum(not _is_floating(tensor.to) for tensor in parameters)
    evidence = (
        count("No floating-point numbers after half()", half, of=len(parameters)),
        count("No floating-point numbers after to(torch.float16)", to, of=len(parameters)),
        counted("Parameters after half()", (tensor.half for tensor in parameters)),
    )
    if not half and not to:
        sentence = "They cast: every parameter is still a floating-point number, without a scale."
        return Finding("false", sentence, evidence)
    sentence = f"{half:,} after half() and {to:,} after to() of {len(parameters):,} parameters are integers."
    return Finding("true" if half == to == len(parameters) else "depends", sentence, evidence)


def _is_floating(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat"))


def to_casts_more(on: Subject) -> Finding:
    """Whether `to()` casts tensors that `half()` does not; it depends where only complex ones are."""
    seen = on.storage
    more = [tensor for tensor in seen.tensors if tensor.half == tensor.before != tensor.to]
    left = [tensor for tensor in seen.tensors if tensor.to != "float16"]
    evidence = (
        count("Cast by half()", seen.half.changed, of=len(seen.tensors)),
        count("Cast by to(torch.float16)", seen.to.changed, of=len(seen.tensors)),
        fact("Cast by to(torch.float16) alone", listed([tensor.named for tensor in more])),
        *(fact("Warning of to(torch.float16)", text) for text in seen.to.warnings),
        *_buffers_after_half(seen),
        count("Stored tensors that are float16 after to()", len(seen.tensors) - len(left), of=len(seen.tensors)),
        fact("Others", listed([f"{tensor.named}, {tensor.kind}" for tensor in left])),
    )
    if not seen.tensors:
        return Finding("not testable here", "The model stores no tensor.", evidence)
    stored = count_text(len(seen.tensors), "stored tensor")
    after_to = (
        f"After to(torch.float16) {f'{len(left):,} of {stored} are not' if left else f'all {stored} are'} float16."
    )
    if not more:
        which = "" if any(tensor.is_complex for tensor in seen.tensors) else _NO_COMPLEX
        return Finding("false", f"Both cast the same tensors, buffers too.{which} {after_to}", evidence)
    if all(tensor.is_complex for tensor in more):
        sentence = f"Only complex tensors, which lose their imaginary part: {listed([row.fqn for row in more])}."
        return Finding("depends", f"{sentence} {after_to}", evidence)
    sentence = f"to(torch.float16) casts {count_text(len(more), 'tensor')} more. {after_to}"
    return Finding("true", sentence, evidence)


def _buffers_after_half(seen: StorageFacts) -> tuple[Evidence, ...]:
    """The floating-point buffers, those of a BatchNorm where the model has none, and complex ones that are left."""
    own = [tensor for tensor in seen.buffers if tensor.is_floating]
    buffers = own or [tensor for tensor in storage_facts(nn.BatchNorm1d(2)).buffers if tensor.is_floating]
    complex_left = [tensor for tensor in seen.buffers if tensor.is_complex and tensor.half == tensor.before]
    return (
        count("Floating-point buffers of the model", len(own)),
        fact("Looked at" if own else "Looked at, in a BatchNorm instead", listed([tensor.named for tensor in buffers])),
        counted("After half()", (tensor.half for tensor in buffers)),
        *([fact("Complex, and left as they are", listed([row.named for row in complex_left]))] if complex_left else []),
    )


def internal_state(on: Subject) -> Finding:
    """Whether either call changes anything but tensors."""
    seen = on.storage
    changed = tuple(dict.fromkeys((*seen.half.settings_changed, *seen.to.settings_changed)))
    evidence = (
        count("Settings and hooks that half() changed", len(seen.half.settings_changed), of=seen.settings),
        count("Settings and hooks that to(torch.float16) changed", len(seen.to.settings_changed), of=seen.settings),
        fact("Changed", listed(changed)),
        count("Tensors that changed", seen.half.changed, of=len(seen.tensors)),
    )
    sentence = "Besides tensors, nothing changes: no setting, no hook, no configuration."
    if changed:
        sentence = f"Besides tensors, {listed(changed)} changed."
    return Finding(true_if(bool(changed)), sentence, evidence)


def memory_halved(on: Subject) -> Finding:
    """Whether stored bytes shrink by half, to a percent."""
    seen = on.storage
    before, after = seen.bytes_before, seen.half.total_bytes
    evidence = (
        size("Before", before),
        size("After half()", after),
        fact("Change", change_text(before, after)),
        counted("Not in 16 bits", (row.half for row in seen.tensors if row.half not in ("float16", "bfloat16"))),
    )
    if not before:
        return Finding("not testable here", "The model stores nothing.", evidence)
    saved = round(100 * (1 - after / before))
    sentence = f"Stored tensors take {share_text(after / before)} of the bytes they took before."
    word: ClaimWord = "true" if saved == 50 else "depends" if saved > 0 else "false"
    return Finding(word, sentence, evidence)
