"""Verdicts on what both calls do to stored tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from precision.measure.claims.experiments.finding import Finding, count, fact, listed, size, true_if
from precision.measure.claims.experiments.storage import StorageFacts
from precision.results import ClaimWord, Evidence
from precision.text.units import change_text, count_text, share_text

_NO_COMPLEX = " Only complex tensors are cast differently, and this model has none."
_NO_PARAMETERS = Finding("not testable here", "The model has no floating-point parameter.", ())


def named_parameters(seen: StorageFacts) -> Finding:
    """Whether parameters show every dtype that the model stores; it depends where they do not."""
    shown = {tensor.before for tensor in seen.parameters}
    hidden = [tensor for tensor in seen.tensors if tensor.kind != "parameter"]
    missed = sorted({tensor.before for tensor in hidden} - shown)
    evidence = (
        _dtypes("Parameters", (tensor.before for tensor in seen.parameters)),
        _dtypes("Buffers and attributes, not listed", (tensor.before for tensor in hidden)),
    )
    if not hidden:
        return Finding("true", "The model stores nothing but parameters.", evidence)
    if not missed:
        sentence = f"{count_text(len(hidden), 'tensor')} not listed, of dtypes that parameters have too."
        return Finding("true", sentence, evidence)
    sentence = f"That of its parameters, yes; of what else the model stores, tensors of {listed(missed)} are missed."
    return Finding("depends", sentence, evidence)


def half_casts_parameters(seen: StorageFacts) -> Finding:
    """Whether every parameter is float16 after `half()`."""
    if not seen.parameters:
        return _NO_PARAMETERS
    cast = [tensor for tensor in seen.parameters if tensor.half == "float16"]
    left = [tensor.named for tensor in seen.parameters if tensor.half != "float16"]
    evidence = (
        _dtypes("Before", (tensor.before for tensor in seen.parameters)),
        _dtypes("After half()", (tensor.half for tensor in seen.parameters)),
        fact("Not float16", listed(left)),
    )
    sentence = f"{len(cast):,} of {count_text(len(seen.parameters), 'parameter')} are float16."
    return Finding("true" if not left else "depends" if cast else "false", sentence, evidence)


def in_place(seen: StorageFacts) -> Finding:
    """Whether both calls return the model that they were called on, changed."""
    evidence = tuple(
        fact(
            name,
            f"returns {'the same object' if cast.returned_model else 'another object'}; "
            f"{count_text(cast.changed, 'tensor')} of the original changed",
        )
        for name, cast in (("half()", seen.half), ("to(torch.float16)", seen.to))
    )
    both = all(cast.returned_model and cast.changed for cast in (seen.half, seen.to))
    neither = not (seen.half.returned_model or seen.to.returned_model)
    sentence = "The model itself changes, and is returned." if both else "Assign the result: the model is not changed."
    return Finding("true" if both else "false" if neither else "depends", sentence, evidence)


def same_goal(seen: StorageFacts) -> Finding:
    """Whether the parameters after both calls have the same bits."""
    if not seen.parameters:
        return _NO_PARAMETERS
    same = [tensor for tensor in seen.parameters if tensor.same and tensor.half == "float16"]
    evidence = (
        count("Parameters that are float16 and bit-identical", len(same), of=len(seen.parameters)),
        fact("Others", listed([tensor.named for tensor in seen.parameters if tensor not in same])),
    )
    sentence = f"{len(same):,} of {count_text(len(seen.parameters), 'parameter')} are the same, to the last bit."
    return Finding(true_if(len(same) == len(seen.parameters)), sentence, evidence)


def quantization(seen: StorageFacts) -> Finding:
    """Whether either call leaves parameters that are no floating-point numbers any more."""
    if not seen.parameters:
        return _NO_PARAMETERS
    total = len(seen.parameters)
    half = sum(not _is_floating(tensor.half) for tensor in seen.parameters)
    to = sum(not _is_floating(tensor.to) for tensor in seen.parameters)
    evidence = (
        count("No floating-point numbers after half()", half, of=total),
        count("No floating-point numbers after to(torch.float16)", to, of=total),
        _dtypes("Parameters after half()", (tensor.half for tensor in seen.parameters)),
    )
    if not half and not to:
        return Finding(
            "false", "They cast: every parameter is a floating-point number still, without a scale.", evidence
        )
    sentence = f"{half:,} after half() and {to:,} after to() of {total:,} parameters are no floating-point numbers."
    return Finding("true" if half == to == total else "depends", sentence, evidence)


def _is_floating(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat"))


def weights_only(seen: StorageFacts, elsewhere: StorageFacts) -> Finding:
    """Whether `half()` leaves floating-point buffers alone; it depends where complex ones are left, which it is to.

    Args:
        seen: of the model.
        elsewhere: of a module that has such buffers, should the model have none.
    """
    own = seen.floating_buffers
    buffers = own or elsewhere.floating_buffers
    cast = [tensor for tensor in buffers if tensor.half != tensor.before]
    evidence: tuple[Evidence, ...] = (
        count("Floating-point buffers of the model", len(own)),
        fact("Looked at", listed([tensor.named for tensor in buffers])),
        _dtypes("After half()", (tensor.half for tensor in buffers)),
    )
    of = "the model" if own else "a BatchNorm (the model has none)"
    sentence = f"half() casts {len(cast):,} of {count_text(len(buffers), 'floating-point buffer')} of {of}"
    word: ClaimWord = "true" if not cast else "false" if len(cast) == len(buffers) else "depends"
    complex_left = [tensor for tensor in seen.complex_buffers if tensor.half == tensor.before]
    if complex_left:
        evidence += (fact("Complex, and left as they are", listed([tensor.named for tensor in complex_left])),)
        left = f"{sentence}, and leaves {count_text(len(complex_left), 'complex buffer')} of the model as it was."
        return Finding("depends" if cast else "true", left, evidence)
    return Finding(word, f"{sentence}.", evidence, None if own else "with the installed packages")


def to_converts_all(seen: StorageFacts) -> Finding:
    """Whether nothing is left that is not float16 after `to(torch.float16)`."""
    left = [tensor for tensor in seen.tensors if tensor.to != "float16"]
    evidence = (
        count("Stored tensors that are float16", len(seen.tensors) - len(left), of=len(seen.tensors)),
        fact("Others", listed([f"{tensor.named}, {tensor.kind}" for tensor in left])),
    )
    if not seen.tensors:
        return Finding("not testable here", "The model stores no tensor.", evidence)
    stored = count_text(len(seen.tensors), "stored tensor")
    sentence = f"{len(left):,} of {stored} are not float16." if left else f"All of {stored} are float16."
    lost = [tensor.fqn for tensor in seen.tensors if tensor.is_complex and tensor.to == "float16"]
    if lost:
        sentence += f" Of complex numbers the imaginary part is lost: {listed(lost)}."
    return Finding(true_if(not left), sentence, evidence)


def to_casts_more(seen: StorageFacts) -> Finding:
    """Whether `to()` casts tensors that `half()` does not."""
    more = [tensor for tensor in seen.tensors if tensor.half == tensor.before != tensor.to]
    only_complex = all(tensor.is_complex for tensor in more)
    evidence = (
        count("Cast by half()", seen.half.changed, of=len(seen.tensors)),
        count("Cast by to(torch.float16)", seen.to.changed, of=len(seen.tensors)),
        fact("Cast by to(torch.float16) alone", listed([tensor.named for tensor in more])),
        *(fact("Warning of to(torch.float16)", text) for text in seen.to.warnings),
    )
    if not more:
        which = "" if any(tensor.is_complex for tensor in seen.tensors) else _NO_COMPLEX
        return Finding("false", f"Both cast the same tensors.{which}", evidence)
    if only_complex:
        sentence = f"Only complex tensors, which lose their imaginary part: {listed([row.fqn for row in more])}."
        return Finding("depends", sentence, evidence)
    return Finding("true", f"to(torch.float16) casts {count_text(len(more), 'tensor')} more.", evidence)


def internal_state(seen: StorageFacts) -> Finding:
    """Whether either call changes what is no tensor."""
    changed = tuple(dict.fromkeys((*seen.settings_changed, *seen.settings_changed_by_to)))
    evidence = (
        count("Settings and hooks that half() changed", len(seen.settings_changed), of=seen.settings),
        count("Settings and hooks that to(torch.float16) changed", len(seen.settings_changed_by_to), of=seen.settings),
        fact("Changed", listed(changed)),
        count("Tensors that changed", seen.half.changed, of=len(seen.tensors)),
    )
    sentence = "Besides tensors, nothing changes: no setting, no hook, no configuration."
    if changed:
        sentence = f"Besides tensors, {listed(changed)} changed."
    return Finding(true_if(bool(changed)), sentence, evidence)


def precision_kept(seen: StorageFacts) -> Finding:
    """Whether parameters survive float16 without a change."""
    elements = sum(tensor.elements for tensor in seen.parameters)
    if not elements:
        return _NO_PARAMETERS
    kept = sum(tensor.kept_by_round_trip for tensor in seen.parameters)
    evidence = (count("Parameter values that come back unchanged", kept, of=elements),)
    sentence = f"{share_text(kept / elements)} of the parameter values come back as they were."
    return Finding(true_if(kept == elements), sentence, evidence)


def memory_halved(seen: StorageFacts) -> Finding:
    """Whether stored bytes shrink by half, to a percent."""
    before, after = seen.bytes_before, seen.half.total_bytes
    wide = [tensor for tensor in seen.tensors if tensor.half not in ("float16", "bfloat16")]
    evidence = (
        size("Before", before),
        size("After half()", after),
        fact("Change", change_text(before, after)),
        _dtypes("Not in 16 bits", (tensor.half for tensor in wide)),
    )
    if not before:
        return Finding("not testable here", "The model stores nothing.", evidence)
    saved = round(100 * (1 - after / before))
    sentence = f"Stored tensors take {share_text(after / before)} of what they took."
    return Finding("true" if saved == 50 else "depends" if saved > 0 else "false", sentence, evidence)


def half_lighter(seen: StorageFacts) -> Finding:
    """Whether `half()` leaves fewer bytes than `to(torch.float16)`."""
    half, to = seen.half.total_bytes, seen.to.total_bytes
    evidence = (size("After half()", half), size("After to(torch.float16)", to))
    sentence = "Both take the same bytes."
    if half != to:
        sentence = f"half() takes {abs(half - to):,} bytes {'less' if half < to else 'more'}."
    return Finding(true_if(half < to), sentence, evidence)


def _dtypes(label: str, dtypes: Iterable[str]) -> Evidence:
    counts = Counter(dtypes)
    return fact(label, listed([f"{number:,} × {dtype}" for dtype, number in counts.most_common()]))
