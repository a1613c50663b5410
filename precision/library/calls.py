"""The library's functions: one an analysis, each on a module that the caller holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, cast

from precision import analyses
from precision.claims.catalogue import claims_named
from precision.errors import InputError, UnsupportedError
from precision.findings.sweep import USUAL_FORMATS, failed_row, plan_sweep, sweep_row
from precision.library.bar import bar
from precision.library.measured import Comparison, Layers, Measured, Ranges, Sensitivity, Sweep
from precision.library.settings import Cast, Reference, Uncast, Where, format_name, several, spec_of
from precision.results import CompareResult, SweepResult
from precision.spec import AUTOCAST_DTYPE, INPUT, Analysis, RunSpec
from precision.spec.cast_methods import method_named

if TYPE_CHECKING:
    from torch import nn

    from precision.library.settings import Format, Model
    from precision.measure.models.loading import LoadedModel

M = TypeVar("M", bound=Measured[Any])


def load(model: str, **settings: Any) -> LoadedModel:
    """A model by its id, with its input: what the functions here take as a model.

    Args:
        model: an id, as `precision-explorer models` lists them, those of your own among them; or
            `hf:<hub id or local folder>`.
        **settings: `input`, `seed`, `batch`, `length`, `text` and `data`, as on the command line.

    Raises:
        InputError: the model or its input is not to be had as asked.
    """
    if unread := settings.keys() - set(INPUT):
        raise InputError(f"load does not read {', '.join(sorted(unread))}. It reads: {', '.join(INPUT)}.")
    spec = RunSpec.parse({"model": model, **settings})
    loaded: LoadedModel = import_module("precision.measure.models.loading").load(spec)
    return loaded


def compare(
    model: Model,
    inputs: object = None,
    *,
    dtype: Format = "float16",
    validate: Callable[[nn.Module], float] | None = None,
    **settings: Unpack[Cast],
) -> Comparison:
    """Run a model in the reference's precision and in another, and measure what differs in its outputs.

    The module is copied before it is cast: nothing of the caller's is changed.

    Args:
        model: the caller's module, or what `load` gave.
        inputs: a tensor; a tuple of positional arguments; a dict of named ones; or batches of those, as a list or a
            `DataLoader`. Outputs of all batches are compared.
        dtype: the candidate's format: a `torch.dtype` or the name of any format.
        validate: the caller's own score: called with the reference and with the candidate, both in eval mode.
        **settings: see `precision.library.settings`.

    Raises:
        InputError: inputs or settings that cannot be used; says which and what to do.
        UnsupportedError: a model or format that cannot be cast; says why.
    """
    return _run(Analysis.COMPARE, Comparison, model, inputs, {"dtype": dtype} | settings, validate=validate)


def audit(model: Model, inputs: object = None, *, dtype: Format = "float16", **settings: Unpack[Cast]) -> Measured[Any]:
    """Cast a model, and list every parameter, buffer and tensor attribute before and after; as in `compare`."""
    return _run(Analysis.AUDIT, Measured, model, inputs, {"dtype": dtype} | settings)


def layers(model: Model, inputs: object = None, *, dtype: Format = "float16", **settings: Unpack[Cast]) -> Layers:
    """Run a model in two precisions in lockstep: what differs after every module and operator.

    Other arguments: see `compare`.
    """
    return _run(Analysis.LAYERS, Layers, model, inputs, {"dtype": dtype} | settings)


def ranges(model: Model, inputs: object = None, **settings: Unpack[Reference]) -> Ranges:
    """Count every weight and activation by its exponent: which formats hold them. Other arguments: see `compare`."""
    return _run(Analysis.RANGES, Ranges, model, inputs, settings)


def regimes(
    model: Model, inputs: object = None, *, dtype: Format = "float16", **settings: Unpack[Cast]
) -> Measured[Any]:
    """Compare on the input as given, scaled, with an outlier channel and random. Other arguments: see `compare`."""
    return _run(Analysis.REGIMES, Measured, model, inputs, {"dtype": dtype} | settings)


def routes(
    model: Model, inputs: object = None, *, dtype: Format = "float16", **settings: Unpack[Reference]
) -> Measured[Any]:
    """What every way to cast a model to a format does to it. Other arguments: see `compare`."""
    return _run(Analysis.ROUTES, Measured, model, inputs, {"dtype": dtype} | settings)


def sensitivity(
    model: Model,
    inputs: object = None,
    *,
    formats: Sequence[Format] | None = None,
    exact: bool = False,
    **settings: Unpack[Uncast],
) -> Sensitivity:
    """What every layer adds to the output's error in each of several formats. Other arguments: see `compare`.

    Args:
        model: the caller's module, or what `load` gave.
        inputs: as of `compare`.
        formats: to measure in; the usual ones by default.
        exact: whether to also run the model once for every layer and format.
        **settings: see `precision.library.settings`.
    """
    given = {"formats": formats, "exact": exact or None} | settings
    return _run(Analysis.SENSITIVITY, Sensitivity, model, inputs, given)


def training(
    model: Model, inputs: object = None, *, dtype: Format = "float16", **settings: Unpack[Where]
) -> Measured[Any]:
    """One training step in a 16-bit format beside float32: gradients and weights. Other arguments: see `compare`."""
    return _run(Analysis.TRAINING, Measured, model, inputs, {"dtype": dtype} | settings)


def try_claims(
    model: Model, inputs: object = None, *, only: Iterable[str] = (), **settings: Unpack[Where]
) -> Measured[Any]:
    """Try on a model what two articles claim of `half()` and `to(torch.float16)`; `only` those of these ids."""
    named = tuple(claim.id for claim in claims_named(several(only)))
    return _run(Analysis.CLAIMS, Measured, model, inputs, settings, only=named)


def memory(model: Model, **settings: Unpack[Where]) -> Measured[Any]:
    """Bytes of a model in every format; it is not run."""
    return _run(Analysis.MEMORY, Measured, model, (), settings)


def autocast(*, dtype: Format = AUTOCAST_DTYPE, device: str = "cpu", progress: bool | None = None) -> Measured[Any]:
    """The dtype in which operators compute under autocast on a device, whatever the model."""
    return Measured(_measured(spec_of(Analysis.AUTOCAST, None, {"dtype": dtype, "device": device}), None, progress))


def sweep(
    model: Model,
    inputs: object = None,
    *,
    formats: Sequence[Format] = USUAL_FORMATS,
    methods: Sequence[str] = (),
    **settings: Unpack[Cast],
) -> Sweep:
    """Compare a model in many formats, each by its usual method or by several. Other arguments: see `compare`.

    The inputs are read once for each format.
    """
    shown, about = settings.pop("progress", None), _about_inputs(settings)
    _require_another_reading(inputs)
    rows = []
    with _own_process():
        base = spec_of(Analysis.COMPARE, _loaded(model, inputs, **about), settings)
        devices = import_module("precision.measure.machine.devices")
        device = devices.describe_device(devices.device_named(base.device))
        ways = [method_named(name) for name in several(methods)]
        plan = plan_sweep(base, formats=list(map(format_name, several(formats))), methods=ways, devices=(device,))
        for spec in plan.specs:
            try:
                rows.append(sweep_row(_measured(spec, _loaded(model, inputs, **about), shown)))
            except UnsupportedError as error:
                rows.append(failed_row(spec, str(error)))
    return Sweep(SweepResult(rows=tuple(rows), skipped=plan.skipped))


def _run(analysis: Analysis, kind: type[M], model: Model, inputs: object, settings: Any, **also: Any) -> M:
    shown, about = settings.pop("progress", None), _about_inputs(settings)
    with _own_process():
        loaded = _loaded(model, inputs, **about)
        result = _measured(spec_of(analysis, loaded, settings), loaded, shown, **also)

    def compared(spec: RunSpec) -> CompareResult:
        _require_another_reading(inputs)
        with _own_process(), bar(shown) as progress:
            return analyses.compare(spec, progress, loaded=_loaded(model, inputs, **about))

    return kind(result, compared)


def _require_another_reading(inputs: object) -> None:
    if isinstance(inputs, Iterator):
        raise InputError(
            "The inputs are read more than once, and an iterator can be read only once. Pass a list or a DataLoader."
        )


def _measured(spec: RunSpec, loaded: LoadedModel | None, shown: bool | None, **also: Any) -> Any:
    with bar(shown) as progress:
        return analyses.run(spec, progress, loaded=loaded, **also)


def hold(model: Model, inputs: object, settings: Any) -> LoadedModel:
    """A caller's model with its inputs, to be handed to several functions; only the first reads later batches.

    What `settings` say about the inputs is taken out of them.
    """
    with _own_process():
        return _loaded(model, inputs, **_about_inputs(settings))


def _about_inputs(settings: Any) -> dict[str, Any]:
    """The settings that belong to the inputs, taken out."""
    return {name: settings.pop(name) for name in ("labels", "mask") if settings.get(name) is not None}


def _loaded(model: Model, inputs: object, **about: Any) -> LoadedModel:
    """The model and its inputs as analyses take them."""
    own = import_module("precision.measure.own_model")
    if not isinstance(model, own.LoadedModel):
        if inputs is None:
            raise InputError(
                "Pass the inputs that the model is called with: a tensor, tuple, dict, or batches of these."
            )
        model = own.own_model(model, inputs, **about)
    elif inputs is not None or about:
        raise InputError("This model has its own input and labels: pass none, or pass the module itself.")
    return cast("LoadedModel", model)


def _own_process() -> AbstractContextManager[None]:
    """Leaves the caller's process as it was."""
    context: AbstractContextManager[None] = import_module("precision.measure.unchanged").unchanged()
    return context
