"""One model on one input in several precisions: in a plan of formats, or in one format with parts kept wide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from precision.errors import InputError
from precision.formats import AnyFormat, NumericFormat
from precision.measure.casting import methods as casting
from precision.measure.casting.cast_model import CastModel
from precision.measure.casting.framed_model import Cast, framed_model, require_framed
from precision.measure.casting.recorded_cast import recorded
from precision.measure.casting.sides import Side
from precision.measure.rounding import dtype_name
from precision.results import Execution
from precision.results.flow import Flow
from precision.spec.cast_methods import CastMethod, usual_method
from precision.spec.keep import Kept
from precision.text.units import count_text


@dataclass(eq=False)
class Precisions:
    """Makes copies of one model whose modules are in several precisions. Casts and recordings are made once."""

    module: nn.Module
    reference: CastModel
    reference_format: NumericFormat
    args: tuple[object, ...] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    wide_inputs: frozenset[str | int] = frozenset()
    """Places and names of the arguments that no cast changes."""
    _casts: dict[str, Cast] = field(default_factory=dict)

    def planned(self, formats: Mapping[str, AnyFormat]) -> CastModel:
        """The model in the reference's precision, with each module that is named in its format.

        A name stands for a module's own code and weights, not for the modules inside it: for a module with others
        inside, the operators between these. The model's own name, "", also stands for its inputs. A module in a format
        that torch computes in runs natively. Others are simulated as `methods.cast` does it by `TO`: weights, and what
        crosses into and out of the module, are rounded, and arithmetic is float32; formats with scales as by `DYNAMIC`.

        Raises:
            InputError: there is no module of that name, or its names ask for two formats.
            UnsupportedError: the device or the model does not allow the cast.
        """
        first = require_framed(self.module, formats, purpose="to give its own format")
        chosen: dict[str, AnyFormat] = {}
        for fqn, fmt in formats.items():
            if chosen.setdefault(first[fqn], fmt) != fmt:
                raise InputError(f"{fqn} is the same module as one that was given another format under another name.")
        low = {fqn: fmt for fqn, fmt in chosen.items() if fmt != self.reference_format}
        if not low:
            return replace(self.reference, fused=True)
        model = framed_model(self._reference, {fqn: self.cast(fmt) for fqn, fmt in low.items()})
        return replace(model, execution=_execution(low, self.reference, self.reference_format))

    def kept(self, candidate: CastModel, fmt: AnyFormat, method: CastMethod, keep: Iterable[Kept]) -> CastModel:
        """`candidate` with these parts in the reference's precision, and with the weights that they have there.

        Raises:
            InputError: there is no module of that name, or it is the whole model, or TorchScript; or an operator runs
                in the reference's precision as it is.
        """
        parts = tuple(keep)
        model = self._kept_modules(replace(candidate, wide_inputs=self.wide_inputs), fmt, method, parts)
        operators = tuple(part for part in parts if part.operator)
        if not operators:
            return model
        first = require_framed(self.module, [part.fqn for part in operators], purpose="to keep an operator of")
        if model.autocast_dtype is None and model.input_dtype == self.reference.input_dtype:
            raise InputError(
                f"Operators run in {dtype_name(model.input_dtype)} here, and only what is stored or handed on is "
                f"rounded to {fmt.name}. Keep the module's own code instead: {operators[0].fqn}:code."
            )
        return model.keeping((part._replace(fqn=first[part.fqn]) for part in operators), reference=self.reference)

    def _kept_modules(
        self, candidate: CastModel, fmt: AnyFormat, method: CastMethod, parts: Iterable[Kept]
    ) -> CastModel:
        named: list[str] = []
        wide: list[str] = []
        for part in (part for part in parts if not part.operator):
            first = require_framed(self.module, [part.fqn], purpose="to keep")[part.fqn]
            if not first and not part.own_code:
                raise InputError("The whole model cannot be kept in the reference's precision: nothing would be cast.")
            inside = () if part.own_code else self.module.get_submodule(first).named_modules(prefix=first)
            named += [first, *(name for name, child in inside if not isinstance(child, torch.jit.ScriptModule))]
            wide += [first] * part.stays_wide
        if not named:
            return candidate
        base = self._recorded(candidate, fmt, method)
        names = {name for name, _ in self.module.named_modules()}
        return framed_model(base, {name: self._reference for name in named if name in names}, stays_wide=wide)

    def cast(self, fmt: AnyFormat) -> Cast:
        """The whole model in a format, by the method that is usual for it."""
        if fmt.name not in self._casts:
            method = usual_method(fmt)
            model = casting.cast(self.module, fmt, method=method, device=self.reference.device)
            model = replace(model, wide_inputs=self.wide_inputs)
            self._casts[fmt.name] = self._recorded(model, fmt, method)
        return self._casts[fmt.name]

    def crossed(self, fqn: str, fmt: NumericFormat) -> CastModel:
        """The reference, where one module's own code gets values of a format from its caller and the modules inside.

        The model itself gets its inputs as they are: nobody else rounds them.
        """
        side = replace(
            self._reference.side, is_reference=False, rounded_to=fmt, rounds_inputs=bool(fqn), rounds_outputs=False
        )
        return framed_model(self._reference, {fqn: Cast(model=self.reference, side=side)})

    @property
    def reference_flow(self) -> Flow:
        """What the recorded run of the reference showed."""
        return self._reference.side.flow

    @property
    def flows(self) -> dict[str, Flow]:
        """What the recorded runs showed until now, by format; without formats that were not run."""
        casts = self._casts.items()
        return {name: cast.side.flow for name, cast in casts if cast.side.flow.modules}

    @property
    def _reference(self) -> Cast:
        fmt = self.reference_format
        if fmt.name not in self._casts:
            plain = Cast(model=self.reference, side=_side(self.reference, fmt, CastMethod.TO, Flow()))
            flow = recorded(replace(self.reference, fused=False), self.args, self.kwargs, kept=lambda _: self.reference)
            side = replace(plain.side, flow=flow, is_reference=True)
            self._casts[fmt.name] = Cast(model=self.reference, side=side)
        return self._casts[fmt.name]

    def _recorded(self, model: CastModel, fmt: AnyFormat, method: CastMethod) -> Cast:
        """With the flow of a run where the format's own dtype flows through the model."""
        plain = Cast(model=model, side=_side(model, fmt, method, Flow()))
        is_native = model.rounded_to is None and model.quantized_to is None and model.autocast_dtype is None
        if not is_native or model.input_dtype == self.reference.input_dtype:
            return plain

        def kept(fqns: Collection[str]) -> CastModel:
            return framed_model(plain, dict.fromkeys(fqns, self._reference))

        flow = recorded(replace(model, fused=False), self.args, self.kwargs, kept=kept)
        return Cast(model=model, side=replace(plain.side, flow=flow))


def _side(model: CastModel, fmt: AnyFormat, method: CastMethod, flow: Flow) -> Side:
    return Side(
        fmt=fmt,
        method=method,
        device=model.device,
        dtype=model.input_dtype,
        widened=model.widened,
        rounded_to=model.rounded_to,
        quantized_to=model.quantized_to,
        autocast_dtype=model.autocast_dtype,
        flow=flow,
    )


def _execution(low: Mapping[str, AnyFormat], reference: CastModel, fmt: NumericFormat) -> Execution:
    names = ", ".join(dict.fromkeys(each.name for each in low.values()))
    simulated = ", ".join(dict.fromkeys(each.name for each in low.values() if not each.computes))
    explanation = (
        f"{count_text(len(low), 'layer')} in {names}: floating-point tensors are cast where they cross into another "
        f"precision. Everything else is {fmt.name} ({dtype_name(reference.input_dtype)}), on {reference.device}."
    )
    if not simulated:
        return Execution(label="native", explanation=explanation)
    return Execution(
        label="simulated",
        explanation=f"{explanation} Layers in {simulated} are simulated: values are rounded, arithmetic is float32 "
        "(float64 for formats wider than that).",
    )
