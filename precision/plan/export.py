"""A plan for other programs: PyTorch code, JSON, and settings for transformers and torchao."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from precision.errors import UnsupportedError
from precision.findings.plan import left_wide_text
from precision.formats import AnyFormat, ScaledFormat, any_format_named
from precision.plan.exported_code import exported_code
from precision.results.plan import Plan
from precision.spec import CastMethod
from precision.text.units import count_text

_TORCHAO: Mapping[str, str] = {
    method.row.gives.names[0]: method.row.torchao
    for method in CastMethod
    if method.row.torchao and method.row.execution and method.row.execution[0] == "native"
}
"""Classes of `torchao.quantization` whose kernels take weights and inputs in that format."""


class KeepInFloat32(NamedTuple):
    """Settings of transformers that load a model in one 16-bit dtype, except for some modules."""

    dtype: str
    """Of `from_pretrained`."""
    attribute: str
    """Of the model's class; set it before loading."""
    modules: tuple[str, ...]


def plan_code(plan: Plan) -> str:
    """A Python module that gives any copy of the model the plan's formats; it needs only PyTorch.

    Its `lower_layers(model)` computes what a verified plan computed, bit for bit, on the same device and version.

    Raises:
        UnsupportedError: torch does not compute in a format of the plan; the message says what is needed.
    """
    if missing := runtime_needs(plan):
        raise UnsupportedError(f"This plan has no PyTorch code. {' '.join(missing)}")
    return exported_code(plan.reference, dict(_lowered(plan)), plan.flows, said=left_wide_text(plan))


def plan_json(plan: Plan) -> str:
    """Formats by layer, their predicted cost, and what a runtime needs beyond PyTorch's kernels."""
    keep = keep_in_float32(plan)
    whole = {
        "reference": plan.reference,
        "layers": dict(plan.pairs),
        "predicted": json.loads(plan.totals.model_dump_json()),
        "operators_between_layers": dict.fromkeys(plan.wide_code, plan.reference),
        "operators_between_layers_lowered": plan.code_lowered and json.loads(plan.code_lowered.model_dump_json()),
        "outside_layers": [each.model_dump() for each in plan.outside],
        "runtime_needs": runtime_needs(plan),
        "transformers": keep._asdict() if keep else None,
        "torchao": {"FqnToConfig": torchao_configs(plan)},
    }
    return json.dumps(whole, indent=2, allow_nan=False)


def runtime_needs(plan: Plan) -> tuple[str, ...]:
    """One sentence for each format of the plan in which torch does not compute."""
    formats = dict.fromkeys(name for _, name in _lowered(plan))
    return tuple(
        _need(fmt, sum(name == fmt.name for _, name in plan.pairs))
        for fmt in map(any_format_named, formats)
        if not fmt.computes
    )


def keep_in_float32(plan: Plan) -> KeepInFloat32 | None:
    """The plan for `from_pretrained` of transformers; None unless it has only float32 and one 16-bit format.

    Operators outside the layers are then in the 16-bit format too, and nothing is cast between layers, so the errors
    differ from those of the plan.
    """
    formats = {name for _, name in _lowered(plan)}
    if plan.reference != "float32" or len(formats) != 1 or not formats <= set(CastMethod.AUTOCAST.row.gives.names):
        return None
    kept = tuple(
        each.fqn for each in plan.layers if each.format == "float32" and each.fqn and not each.has_modules_inside
    )
    # The attribute without "strict" only works for float16.
    return KeepInFloat32(dtype=formats.pop(), attribute="_keep_in_fp32_modules_strict", modules=kept)


def torchao_configs(plan: Plan) -> dict[str, str]:
    """Class of `torchao.quantization` by fqn, for the linear layers whose format has one.

    They are the entries of a `FqnToConfig` for `quantize_(model, config, filter_fn=None)`. Scales belong to other
    groups of values than in the plan's formats, so errors are similar to the plan's, but not equal.
    """
    return {
        layer.fqn: _TORCHAO[layer.format]
        for layer in plan.layers
        if layer.format in _TORCHAO and layer.type == "Linear"
    }


def _lowered(plan: Plan) -> list[tuple[str, str]]:
    return [(fqn, name) for fqn, name in plan.pairs if name != plan.reference]


def _need(fmt: AnyFormat, layers: int) -> str:
    where = f"For the {count_text(layers, 'layer')} in {fmt.name} a runtime must provide"
    if isinstance(fmt, ScaledFormat):
        return (
            f"{where} products of weights and inputs in {fmt.element.name} with scales in {fmt.scale}, one for each "
            f"{fmt.block_size or ''}{' values' if fmt.block_size else fmt.granularity}, accumulated in float32."
        )
    return f"{where} arithmetic on {fmt.name} values, accumulated in float32, whose inputs and outputs saturate."
