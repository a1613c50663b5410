"""What each route did, each fact in a few words; empty where nothing was measured."""

from collections.abc import Iterable

from precision.formats import any_format_named
from precision.results.routes import RouteFacts, TensorGroup
from precision.spec.cast_methods import INT4_GROUP, INT4_ROWS, TORCHAO_FORMATS, CastMethod, is_call
from precision.text.names import plain
from precision.text.units import bytes_text, count_text, number_text, share_text


def leaves_all(facts: RouteFacts) -> bool:
    """Whether torchao found no layer to quantize."""
    ran = facts.method in TORCHAO_FORMATS and bool(facts.dtypes)
    return ran and all(change.rounded_to is None for change in facts.dtypes)


def route_text(facts: RouteFacts, dtype: str) -> str:
    """The name of the route; with its format where this package simulates it, or where it is not the run's `dtype`."""
    beside = facts.format != dtype and facts.method not in TORCHAO_FORMATS
    simulates = beside or not is_call(facts.method, any_format_named(facts.format))
    return f"{facts.method}, {facts.format}" if simulates else facts.method.label


def format_text(facts: RouteFacts) -> str:
    """The format of what is stored."""
    return "unchanged" if leaves_all(facts) else facts.format


def no_layer_texts(routes: Iterable[RouteFacts]) -> list[str]:
    """For each torchao route that found no layer to quantize, why."""
    sized = f"with a multiple of {INT4_GROUP} inputs and of {INT4_ROWS} outputs"
    why = {CastMethod.INT4_WEIGHT_ONLY: f"the model has no linear layer {sized}"}
    return [
        f"{facts.method.label} finds no layer to quantize: {why.get(facts.method, 'the model has no linear layer')}."
        for facts in routes
        if leaves_all(facts)
    ]


def object_text(facts: RouteFacts) -> str:
    """Whether the call changes the model itself, or returns a new one."""
    if facts.same_object is None:
        return ""
    if not facts.same_object:
        return "a new object"
    changed = any(change.rounded_to is not None or change.after != change.before for change in facts.dtypes)
    return "the same object, changed" if changed else "the same object"


def dtypes_text(facts: RouteFacts, *groups: TensorGroup) -> str:
    """The dtypes of these groups after the cast, float32 last; with counts where there are several dtypes."""
    changes = [change for change in facts.dtypes if change.group in groups]
    counts: dict[str, int] = {}
    for change in changes:
        held = (
            f"{change.rounded_to} in {change.after}" if change.rounded_to not in (None, change.after) else change.after
        )
        counts[held] = counts.get(held, 0) + change.tensors
    if len(counts) == 1:
        return next(iter(counts)) + (", no layer quantized" if "parameter" in groups and leaves_all(facts) else "")
    return ", ".join(f"{counts[name]:,} × {name}" for name in sorted(counts, key=lambda name: name == "float32"))


def ties_text(facts: RouteFacts) -> str:
    """How many ties were kept, and how many were split."""
    ties = facts.ties
    if ties is None or not ties.kept + ties.split:
        return "" if ties is None else "none"
    parts = [f"{ties.kept:,} kept"] * bool(ties.kept) + [f"{ties.split:,} split"] * bool(ties.split)
    apart = f" ({ties.separate_parameters:,} now separate parameters on one memory)" if ties.separate_parameters else ""
    return f"{', '.join(parts)}{apart}"


def islands_text(facts: RouteFacts) -> str:
    """How many of the parameters that transformers keeps in float32 are still in float32."""
    islands = facts.islands
    if islands is None:
        return "" if facts.label in (None, "unsupported") else "none requested"
    rounded = "" if not islands.rounded else f", {islands.rounded:,} of them with rounded values"
    return f"{', '.join(islands.names)}: {islands.kept:,} of {islands.kept + islands.lost:,} in float32{rounded}"


def training_text(facts: RouteFacts) -> str:
    """What happened to gradients and optimizer."""
    training = facts.training
    if training is None:
        return ""
    parts = []
    if not training.same_parameters:
        parts.append("AdamW still holds the old parameters")
    elif training.same_parameters < training.parameters:
        lost = training.parameters - training.same_parameters
        parts.append(f"AdamW still holds the old ones of {lost:,} of {training.parameters:,} parameters")
    elif training.step_failure is None:
        parts.append("AdamW keeps working")
    if training.step_failure is not None:
        parts.append("AdamW's next step raises")
    if training.gradients_lost:
        every = training.gradients_lost == training.required_gradients
        parts.append("all gradients lost" if every else f"{count_text(training.gradients_lost, 'gradient')} lost")
    if training.requiring_gradients < training.required_gradients:
        parts.append(f"{training.required_gradients - training.requiring_gradients:,} frozen")
    return "; ".join(parts)


def training_dtypes_text(facts: RouteFacts) -> str:
    """Dtypes of the gradients that are left, and of the optimizer's state."""
    training = facts.training
    if training is None or not training.optimizer_state:
        return ""
    gradients = f"gradients: {', '.join(training.gradients)}" if training.gradients else "no gradients"
    return f"{gradients}; AdamW's state: {', '.join(training.optimizer_state)}"


def step_failure_texts(routes: Iterable[RouteFacts], dtype: str) -> list[str]:
    """What AdamW's next step raised: a sentence for each message, with the routes after which it did."""
    after: dict[str, list[str]] = {}
    for facts in routes:
        if facts.training is not None and facts.training.step_failure is not None:
            after.setdefault(facts.training.step_failure, []).append(route_text(facts, dtype))
    return [
        f"AdamW's next step after {', '.join(names)} raises, as its state was made before the cast. "
        f'Torch says: "{plain(raised, limit=None)}"'
        for raised, names in after.items()
    ]


def said_text(facts: RouteFacts) -> str:
    """What `model.dtype` says, and whether it is true."""
    if facts.said_dtype is None or facts.said_dtype_share is None:
        return ""
    true = "true" if facts.said_dtype_share == 1 else f"but only {share_text(facts.said_dtype_share)} of the values are"
    return f"{facts.said_dtype}, {true}"


def half_text(facts: RouteFacts) -> str:
    """What `.half()` does on the model that is already cast."""
    after = facts.half_afterwards
    if after is None:
        return ""
    if after.raised is not None:
        return f"refused: {plain(after.raised, limit=None)}"
    unchanged = f"leaves {count_text(after.unchanged, 'parameter')} unchanged"
    left = unchanged if after.unchanged else "casts all parameters"
    return left if after.forward_failure is None else f"the model no longer runs: {left}"


def output_text(facts: RouteFacts, baseline: str | None) -> str:
    """Dtypes of the output, and whether it equals that of the route named `baseline` bit for bit.

    "raises" where the cast model does not run.
    """
    if not facts.output_dtypes:
        return "raises" if facts.dtypes and facts.failure is not None else ""
    dtypes = ", ".join(facts.output_dtypes)
    if baseline is None or facts.same_output_as_baseline is None:
        return dtypes
    return f"{dtypes}, {'equals' if facts.same_output_as_baseline else 'differs from'} {baseline}"


def bytes_change_text(facts: RouteFacts) -> str:
    """Bytes of all stored tensors after the cast, estimated where the format cannot be stored."""
    if facts.estimated_bytes_after is not None:
        return f"{bytes_text(facts.estimated_bytes_after)} (estimated)"
    return "" if facts.bytes_after is None else bytes_text(facts.bytes_after)


def largest_error_text(facts: RouteFacts) -> str:
    """The largest absolute error of any output; for integer outputs, how many elements differ."""
    errors = facts.errors
    if errors is None:
        return ""
    if errors.max_abs_error is not None:
        return number_text(errors.max_abs_error)
    if errors.exact_share is None or not errors.finite_pairs:
        return ""
    return f"{round(errors.elements * (1 - errors.exact_share)):,} of {errors.elements:,} differ"


def sqnr_text(facts: RouteFacts) -> str:
    """Error of the output against the reference, in dB."""
    return "" if facts.errors is None or facts.errors.sqnr_db is None else number_text(facts.errors.sqnr_db)
