"""Where `half()` comes from, what it works on, and what nobody asked for: dtypes and devices."""

import copy
from dataclasses import dataclass

from torch import nn

from precision.measure.casting.forward import shortened
from precision.measure.casting.methods import copied
from precision.measure.casting.stored_tensors import stored_tensors
from precision.measure.casting.wrapped_tensors import same_bits
from precision.measure.claims.finding import Finding, count, fact, listed, together, true_if
from precision.measure.claims.shown.any_module import cast_modules
from precision.measure.claims.shown.attempt import raised
from precision.measure.claims.shown.calls import CALLS
from precision.measure.claims.shown.loading import dtypes_unasked
from precision.measure.claims.shown.placing import placed_unasked
from precision.measure.claims.shown.small_bert import quantized_bert, small_bert
from precision.measure.claims.shown.tensorflow import tensorflow_models
from precision.measure.claims.subject import Subject
from precision.measure.machine.devices import list_devices
from precision.measure.models.quiet import quiet_transformers
from precision.measure.rounding import dtype_name
from precision.results import Evidence


def loaded_in_float32(_on: Subject) -> Finding:
    """Whether parameters are float32 however they came to be; it depends where some are."""
    with quiet_transformers():
        seen = {way: dtype_name(dtype) for way, dtype in dtypes_unasked().items()}
    made, filled, loaded = [dtype for way, dtype in seen.items() if not way.startswith("torch.get")]
    wide = [dtype == "float32" for dtype in (made, filled, loaded)]
    sentence = f"A new layer's weight is {made}; load_state_dict gives {filled}, from_pretrained {loaded}."
    evidence = tuple(fact(way, dtype) for way, dtype in seen.items())
    return Finding("true" if all(wide) else "depends" if any(wide) else "false", sentence, evidence)


def gpu_unasked(_on: Subject) -> Finding:
    """Whether a layer that nobody placed is on an accelerator."""
    seen = {what: str(where) for what, where in placed_unasked().items()}
    accelerators = [device.id for device in list_devices() if device.id != "cpu"]
    evidence = (fact("Accelerators", listed(accelerators)), *(fact(what, where) for what, where in seen.items()))
    if not accelerators:
        return Finding("not testable here", "This machine has no accelerator.", evidence)
    sentence = f"The layer is on {seen['Weight']} and its output on {seen['Output']}."
    return Finding(true_if(seen["Output"] in accelerators), sentence, evidence)


def half_only_transformers(on: Subject) -> Finding:
    """Whether `half()` casts none of PyTorch's own modules, and `to()` all; false where `half()` casts all of them."""
    by_half = cast_modules(CALLS["half()"])
    by_to = cast_modules(CALLS["to(torch.float16)"], **{"this model": copied(on.loaded.module)})
    evidence = (*_of_modules("half()", by_half), *_of_modules("to(torch.float16)", by_to))
    casts = [name for name, cast in by_half.items() if cast]
    left = [name for name, cast in by_to.items() if not cast]
    sentence = f"half() casts {listed(casts)} of torch.nn. "
    sentence += f"Not cast by to(torch.float16): {listed(left)}." if left else "to(torch.float16) casts all tried."
    if all(by_half.values()):
        return Finding("false", sentence, evidence)
    return Finding("depends" if casts or left else "true", sentence, evidence)


def _of_modules(call: str, seen: dict[str, bool]) -> tuple[Evidence, ...]:
    return (
        fact(f"All parameters float16 after {call}", listed([name for name, cast in seen.items() if cast])),
        fact(f"Not cast by {call}", listed([name for name, cast in seen.items() if not cast])),
    )


@dataclass(frozen=True, kw_only=True)
class ProviderFacts:
    """Where `half()` is defined."""

    defined_in: str
    """Python module of `torch.nn.Module.half`; empty where there is none."""
    overridden: bool
    """Whether Transformers has its own version."""
    same_result: bool | None
    """Whether that casts as PyTorch's does, of a model that is not quantized; None where one of the two is missing."""
    refusal: str | None
    """What it raised of a model that Transformers quantized; empty where it cast, None without torchao."""
    tensorflow: dict[str, bool]
    """TensorFlow's model classes in Transformers, and whether they have `half()`."""


def provider_facts() -> ProviderFacts:
    """Look up `half()` in PyTorch and in Transformers, cast a small BERT by each, and a quantized one."""
    with quiet_transformers():
        from transformers import PreTrainedModel

        torchs, theirs = getattr(nn.Module, "half", None), vars(PreTrainedModel).get("half")
        same = None
        if torchs is not None and theirs is not None:
            one = small_bert()
            other = copy.deepcopy(one)
            theirs(one), torchs(other)
            same = all(same_bits(a.tensor, b.tensor) for a, b in zip(*map(stored_tensors, (one, other)), strict=True))
        return ProviderFacts(
            defined_in=torchs.__module__ if torchs else "",
            overridden=theirs is not None,
            same_result=same,
            refusal=_refusal(),
            tensorflow=tensorflow_models(),
        )


def _refusal() -> str | None:
    try:
        return shortened(raised(quantized_bert().half) or "")
    except ImportError:
        return None


def half_from_transformers(_on: Subject) -> Finding:
    """Whether `half()` is Transformers' and not PyTorch's, and some TensorFlow model has it."""
    seen = provider_facts()
    return together(_provider(seen), _tensorflow(seen.tensorflow))


def _provider(seen: ProviderFacts) -> Finding:
    quantized = "not tried: torchao is not installed"
    if seen.refusal is not None:
        quantized = f"refused: {seen.refusal}" if seen.refusal else "cast"
    same = {None: "not measured", True: "yes, bit for bit", False: "no"}[seen.same_result]
    evidence = (
        fact("torch.nn.Module.half is defined in", seen.defined_in or "nowhere"),
        fact("Transformers has its own version", "yes" if seen.overridden else "no"),
        fact("It casts as PyTorch's does", same),
        fact("A model that Transformers quantized", quantized),
    )
    if not seen.defined_in.startswith("torch"):
        return Finding("true", "PyTorch has no half() of its own.", evidence)
    if seen.same_result is False:
        return Finding("depends", "PyTorch provides it; Transformers' version casts differently.", evidence)
    own = " Transformers' version only refuses quantized models." if seen.refusal else ""
    return Finding("false", f"PyTorch provides it, for every nn.Module.{own}", evidence)


def _tensorflow(seen: dict[str, bool]) -> Finding:
    having = [name for name, has in seen.items() if has]
    evidence = (count("TensorFlow model classes in Transformers", len(seen)), count("With half()", len(having)))
    sentence = "No TensorFlow model class has it."
    if not seen:
        sentence = "The installed Transformers has no TensorFlow models."
    if having:
        sentence = f"These have half(): {listed(having)}."
    return Finding(true_if(bool(having)), sentence, evidence)
