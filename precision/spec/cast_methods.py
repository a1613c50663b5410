"""The ways to cast a model to a format, one row each.

A new way is a row here and, in `precision.measure.casting.bringing`, the function that casts a module.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Self

from precision.errors import InputError
from precision.formats import AnyFormat, NumericFormat, ScaledFormat, any_format_named

_FLOAT32_BITS = 32
INT4_GROUP = 32
"""Values of a row that share a scale and a zero point; torchao also has groups of 64 and more, for fewer layers."""
INT4_ROWS = 16
"""torchao's kernel needs weights whose number of rows is a multiple of this."""

Computing = Literal["format", "float32", "bfloat16", "at least float32"]
"""The dtype of the tensors in the model's own code. `format`: that of the format, or the dtype that simulates it."""
Running = Literal["as stored", "rounded", "widened", "quantized", "autocast"]
"""What is done around the model while it runs.

`rounded`: in formats without kernels, the inputs and outputs of every module are rounded. `widened`: what is stored is
widened first. `quantized`: the inputs of modules with weight matrices are rounded. `autocast`: `torch.autocast`.
"""


class Gives(NamedTuple):
    """The formats that a method can produce."""

    words: str
    holds: Callable[[AnyFormat], bool]
    names: tuple[str, ...] = ()
    """All names, where there are only a few."""


def _only(*names: str) -> Gives:
    return Gives(" or ".join(names), lambda fmt: fmt.name in names, names)


_ANY = Gives("any format", lambda _: True)
_UNSCALED = Gives("a format without scales", lambda fmt: not isinstance(fmt, ScaledFormat))
_SCALED = Gives("a scaled format, such as int8 or mxfp4", lambda fmt: isinstance(fmt, ScaledFormat))
_COMPUTED = Gives("a format that modules compute in, such as float16", lambda fmt: fmt.computes)
_NARROW = Gives(
    "a format narrower than float32 that torch has a dtype for",
    lambda fmt: fmt.has_dtype and isinstance(fmt, NumericFormat) and fmt.bits < _FLOAT32_BITS,
)


@dataclass(frozen=True)
class MethodRow:
    """One way to cast a model to a format."""

    name: str
    """On the command line and in links."""
    label: str
    """Its code, or its name."""
    call: str
    """The same for one format, with `{fmt}` for its name."""
    gives: Gives
    _: KW_ONLY
    is_route: bool = True
    """Whether people write it in their own code; the other methods exist only in this package."""
    computing: Computing = "format"
    running: Running = "as stored"
    execution: tuple[Literal["native", "upcast", "simulated"], str] | None = None
    """Label and explanation with `{fmt}`, `{device}` and `{overflow}`; None where they depend on the format."""
    of_checkpoint: str | None = None
    """For a method that casts only what a checkpoint holds: the name for that in explanations."""
    keeps_dtype: bool = False
    """Whether the rounded values stay in the dtype that the model has."""
    takes_torchscript: bool = False
    bytes_like: Literal["format", "reference"] | None = None
    """Which of the two has the same stored bytes; None where only the cast can tell."""
    changed: str = ""
    """Why a tensor changed, with `{fmt}` and `{dtype}`; empty where the call explains it."""
    unchanged: str = ""
    """Why a floating-point tensor did not change; empty where that depends on the tensor."""
    torchao: str | None = None
    """The configuration's class in `torchao.quantization`, where it is torchao's `quantize_`."""
    simulation: str | None = None
    """The nearest method without torchao's kernels: it casts all weight matrices, not only those of linear layers."""


def _torchao(
    name: str,
    config: str,
    gives: Gives,
    *,
    execution: tuple[Literal["native", "upcast", "simulated"], str],
    simulation: str,
    computing: Computing = "float32",
) -> MethodRow:
    return MethodRow(
        name,
        f"torchao {name.replace('-', ' ')}",
        "torchao's quantize_",
        gives,
        computing=computing,
        execution=execution,
        changed="cast to {dtype}, in which everything computes",
        unchanged="torchao's quantize_ takes the weights of linear layers only",
        torchao=config,
        simulation=simulation,
    )


class CastMethod(StrEnum):
    """A way to cast a model to a format: its name on the command line and in links, with its row."""

    row: MethodRow
    _value_: str

    def __new__(cls, row: Any) -> Self:
        """A member is the name in its row. (`CastMethod("to")` finds a member and makes none.)"""
        member = str.__new__(cls, row.name)
        member._value_ = row.name
        member.row = row
        return member

    TO = MethodRow(
        "to",
        ".to(dtype)",
        ".to(torch.{fmt})",
        _UNSCALED,
        running="rounded",
        takes_torchscript=True,
        bytes_like="format",
    )
    """Calls `.to(dtype)`. In a format without kernels, weights are stored in it, arithmetic is float32, and the
    floating-point inputs and the outputs of every module are rounded to the format, saturating."""
    HALF = MethodRow("half", ".half()", ".half()", _only("float16"), takes_torchscript=True, bytes_like="format")
    BFLOAT16 = MethodRow(
        "bfloat16", ".bfloat16()", ".bfloat16()", _only("bfloat16"), takes_torchscript=True, bytes_like="format"
    )
    AUTOCAST = MethodRow(
        "autocast",
        "autocast",
        "autocast",
        _only("bfloat16", "float16"),
        computing="float32",
        running="autocast",
        execution=(
            "native",
            "Weights stay in float32. Autocast runs matrix products, convolutions and similar operators with the "
            "{fmt} kernels of {device}, and leaves the other operators in float32.",
        ),
        takes_torchscript=True,
        bytes_like="reference",
        changed="cast to float32, from which autocast casts inside operators",
        unchanged="autocast leaves stored tensors in float32 and casts inside operators",
    )
    """Casts the weights to float32 and runs inside `torch.autocast`."""
    WEIGHTS_ONLY = MethodRow(
        "weights-only",
        "weights only",
        "weights-only storage",
        _ANY,
        is_route=False,
        computing="at least float32",
        running="widened",
        of_checkpoint="weights-only",
    )
    """Stores what a checkpoint holds, parameters and persistent floating-point buffers, in the format, and widens all
    to float32 (float64 where that is the format) at the start of every run. Non-persistent buffers (constants that the
    model makes) and integer, boolean and complex tensors do not change. Ties are kept."""
    DYNAMIC = MethodRow(
        "dynamic",
        "weights and inputs (dynamic)",
        "dynamic quantization",
        _SCALED,
        is_route=False,
        running="quantized",
        bytes_like="format",
    )
    """Rounds weight matrices to a scaled format, and in every run the floating-point inputs of their modules, with own
    scales."""
    TYPE = MethodRow("type", ".type(dtype)", ".type(torch.{fmt})", _COMPUTED, takes_torchscript=True)
    """Calls `.type(dtype)`, which casts integer and boolean buffers too."""
    FROM_PRETRAINED = MethodRow(
        "from-pretrained", "from_pretrained(dtype=)", "from_pretrained(dtype=torch.{fmt})", _COMPUTED
    )
    """Saves a model of transformers and loads it by `from_pretrained(dtype=)`."""
    LOAD_STATE_DICT = MethodRow(
        "load-state-dict",
        "load_state_dict()",
        "load_state_dict() of {fmt} values",
        _NARROW,
        computing="float32",
        execution=(
            "simulated",
            "Weights are rounded to {fmt} and stored in float32, as load_state_dict leaves them: all arithmetic "
            "is float32, and no memory is saved.{overflow}",
        ),
        of_checkpoint="load_state_dict",
        keeps_dtype=True,
        changed="rounded to {fmt}, and stored in {dtype} as before: load_state_dict keeps it",
    )
    """Rounds what a checkpoint holds, and loads it into the model in float32, which keeps that dtype."""
    LOAD_STATE_DICT_ASSIGN = MethodRow(
        "load-state-dict-assign",
        "load_state_dict(assign=True)",
        "load_state_dict(assign=True) of {fmt} values",
        _COMPUTED,
        of_checkpoint="load_state_dict",
    )
    """Puts the rounded tensors in the place of the model's."""
    DEFAULT_DTYPE = MethodRow("default-dtype", "set_default_dtype()", "torch.set_default_dtype(torch.{fmt})", _COMPUTED)
    """Builds the model under `torch.set_default_dtype`, and loads its values."""
    INT8_WEIGHT_ONLY = _torchao(
        "int8-weight-only",
        "Int8WeightOnlyConfig",
        _only("int8_per_channel", "int8"),
        execution=(
            "upcast",
            "torchao stores the weights of linear layers in int8, and widens them to float32 inside every "
            "product: all arithmetic is float32.",
        ),
        simulation="weights-only",
    )
    INT8_DYNAMIC = _torchao(
        "int8-dynamic",
        "Int8DynamicActivationInt8WeightConfig",
        _only("int8_per_channel", "int8"),
        execution=(
            "native",
            "torchao stores the weights of linear layers in int8, rounds their inputs to int8 at every call, "
            "with a scale for each row, and multiplies integers. All other layers run in float32.",
        ),
        simulation="dynamic",
    )
    FLOAT8_WEIGHT_ONLY = _torchao(
        "float8-weight-only",
        "Float8WeightOnlyConfig",
        _only("float8_e4m3fn"),
        execution=(
            "upcast",
            "torchao stores the weights of linear layers in float8_e4m3fn, with a scale for each row, and "
            "widens them to float32 before every product: all arithmetic is float32.",
        ),
        simulation="weights-only",
    )
    FLOAT8_DYNAMIC = _torchao(
        "float8-dynamic",
        "Float8DynamicActivationFloat8WeightConfig",
        _only("float8_e4m3fn"),
        execution=(
            "native",
            "torchao stores the weights of linear layers in float8_e4m3fn, rounds their inputs to it at every "
            "call, and multiplies on float8 kernels. All other layers run in bfloat16, which these kernels return.",
        ),
        computing="bfloat16",
        simulation="to",
    )
    INT4_WEIGHT_ONLY = _torchao(
        "int4-weight-only",
        "Int4WeightOnlyConfig",
        _only("int4_per_channel"),
        execution=(
            "upcast",
            f"torchao packs the weights of linear layers into 4 bits, in groups of {INT4_GROUP} values with a "
            "scale and a zero point each; the kernel widens them inside. All other layers run in float32. Layers "
            f"whose inputs are no multiple of {INT4_GROUP} or whose outputs are none of {INT4_ROWS} stay as they "
            "are.",
        ),
        simulation="weights-only",
    )

    @property
    def label(self) -> str:
        """Its code, or its name."""
        return self.row.label

    def call(self, fmt: AnyFormat) -> str:
        """The code of the cast to `fmt`, or its name where there is no code for it."""
        if self.row.running == "rounded" and not fmt.has_dtype:
            return f"simulated {fmt.name}"
        return self.row.call.format(fmt=fmt.name)


TORCHAO_FORMATS: Mapping[CastMethod, tuple[str, ...]] = MappingProxyType(
    {method: method.row.gives.names for method in CastMethod if method.row.torchao}
)
"""Methods of torchao's `quantize_`, with the formats that each gives to the weights of linear layers."""
ROUTES = tuple(
    dict.fromkeys(method for method in (CastMethod.HALF, CastMethod.BFLOAT16, *CastMethod) if method.row.is_route)
)
"""The methods that people write in their own code, the simplest first."""
USUAL_METHODS = (CastMethod.TO, CastMethod.DYNAMIC)
"""The default methods for formats without scales, and for formats with scales."""


def formats_of(method: CastMethod, names: tuple[str, ...]) -> tuple[str, ...]:
    """The formats of `names` that `method` can produce, in their order."""
    return tuple(name for name in names if method.row.gives.holds(any_format_named(name)))


def is_call(method: CastMethod, fmt: AnyFormat) -> bool:
    """Whether `method` in `fmt` is a call of PyTorch, transformers or torchao; else this package simulates it."""
    return method.row.is_route and (method in TORCHAO_FORMATS or fmt.has_dtype or fmt.computes)


def usual_method(fmt: AnyFormat) -> CastMethod:
    """The default method for `fmt`."""
    return USUAL_METHODS[isinstance(fmt, ScaledFormat)]


def method_named(name: str) -> CastMethod:
    """The method of that name.

    Raises:
        InputError: no such method; the message lists all.
    """
    try:
        return CastMethod(name)
    except ValueError as error:
        raise InputError(f"Unknown cast method {name[:80]!r}. Choose of: {', '.join(CastMethod)}.") from error
