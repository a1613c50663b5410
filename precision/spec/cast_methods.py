"""The ways to bring a model into a format, and which formats each can produce. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from precision.formats import AnyFormat, NumericFormat, ScaledFormat, any_format_named

_FLOAT32_BITS = 32


class CastMethod(StrEnum):
    """A way to bring a model into a format."""

    TO = "to"
    HALF = "half"
    BFLOAT16 = "bfloat16"
    AUTOCAST = "autocast"
    WEIGHTS_ONLY = "weights-only"
    DYNAMIC = "dynamic"
    TYPE = "type"
    FROM_PRETRAINED = "from-pretrained"
    LOAD_STATE_DICT = "load-state-dict"
    LOAD_STATE_DICT_ASSIGN = "load-state-dict-assign"
    DEFAULT_DTYPE = "default-dtype"
    INT8_WEIGHT_ONLY = "int8-weight-only"
    INT8_DYNAMIC = "int8-dynamic"
    FLOAT8_WEIGHT_ONLY = "float8-weight-only"
    FLOAT8_DYNAMIC = "float8-dynamic"
    INT4_WEIGHT_ONLY = "int4-weight-only"

    @property
    def label(self) -> str:
        """How it is written in code, or called."""
        if self in TORCHAO_FORMATS:
            return f"torchao {self.value.replace('-', ' ')}"
        return {
            "to": ".to(dtype)",
            "half": ".half()",
            "bfloat16": ".bfloat16()",
            "weights-only": "weights only",
            "dynamic": "weights and inputs (dynamic)",
            "type": ".type(dtype)",
            "from-pretrained": "from_pretrained(dtype=)",
            "load-state-dict": "load_state_dict()",
            "load-state-dict-assign": "load_state_dict(assign=True)",
            "default-dtype": "set_default_dtype()",
        }.get(self.value, self.value)


TORCHAO_FORMATS: Mapping[CastMethod, tuple[str, ...]] = MappingProxyType(
    {
        CastMethod.INT8_WEIGHT_ONLY: ("int8_per_channel", "int8"),
        CastMethod.INT8_DYNAMIC: ("int8_per_channel", "int8"),
        CastMethod.FLOAT8_WEIGHT_ONLY: ("float8_e4m3fn",),
        CastMethod.FLOAT8_DYNAMIC: ("float8_e4m3fn",),
        CastMethod.INT4_WEIGHT_ONLY: ("int4_per_channel",),
    }
)
"""Methods that are torchao's `quantize_`, and the formats that each gives to the weights of linear layers."""
SIMULATIONS: Mapping[CastMethod, CastMethod] = MappingProxyType(
    {
        CastMethod.INT8_WEIGHT_ONLY: CastMethod.WEIGHTS_ONLY,
        CastMethod.INT8_DYNAMIC: CastMethod.DYNAMIC,
        CastMethod.FLOAT8_WEIGHT_ONLY: CastMethod.WEIGHTS_ONLY,
        CastMethod.FLOAT8_DYNAMIC: CastMethod.TO,
        CastMethod.INT4_WEIGHT_ONLY: CastMethod.WEIGHTS_ONLY,
    }
)
"""What comes nearest to each of torchao's without its kernels: of all weight matrices, not of linear layers alone."""
_NO_ROUTE = (CastMethod.WEIGHTS_ONLY, CastMethod.DYNAMIC)
ROUTES = tuple(
    dict.fromkeys(method for method in (CastMethod.HALF, CastMethod.BFLOAT16, *CastMethod) if method not in _NO_ROUTE)
)
"""The methods that a person writes in code of their own; the others are this package's. The plainest come first."""
_ONLY_FORMATS: Mapping[CastMethod, tuple[str, ...]] = {
    CastMethod.HALF: ("float16",),
    CastMethod.BFLOAT16: ("bfloat16",),
    CastMethod.AUTOCAST: ("bfloat16", "float16"),
    **TORCHAO_FORMATS,
}
_COMPUTING = (
    CastMethod.TYPE,
    CastMethod.FROM_PRETRAINED,
    CastMethod.LOAD_STATE_DICT_ASSIGN,
    CastMethod.DEFAULT_DTYPE,
)
"""Methods after which modules compute in the format itself: nothing is simulated."""


def formats_of(method: CastMethod, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the format `names` that `method` can produce, in their order."""
    return tuple(name for name in names if _gives(method, any_format_named(name)))


def _gives(method: CastMethod, fmt: AnyFormat) -> bool:
    if method in _ONLY_FORMATS:
        return fmt.name in _ONLY_FORMATS[method]
    if method is CastMethod.WEIGHTS_ONLY:
        return True
    if method in _COMPUTING:
        return fmt.computes
    if method is CastMethod.LOAD_STATE_DICT:
        return fmt.has_dtype and isinstance(fmt, NumericFormat) and fmt.bits < _FLOAT32_BITS
    return isinstance(fmt, ScaledFormat) is (method is CastMethod.DYNAMIC)


def is_call(method: CastMethod, fmt: AnyFormat) -> bool:
    """Whether `method` in `fmt` is a call of PyTorch, transformers or torchao; else this package simulates it."""
    return method in ROUTES and (method in TORCHAO_FORMATS or fmt.has_dtype or fmt.computes)


def given_by(method: CastMethod) -> str:
    """The formats that `method` can produce, in words."""
    if method in _ONLY_FORMATS:
        return " or ".join(_ONLY_FORMATS[method])
    if method in _COMPUTING:
        return "a format that modules compute in, such as float16"
    if method is CastMethod.LOAD_STATE_DICT:
        return "a format narrower than float32 that torch has a dtype for"
    return "a scaled format, such as int8 or mxfp4" if method is CastMethod.DYNAMIC else "a format without scales"


def usual_method(fmt: AnyFormat) -> CastMethod:
    """How a model is brought to `fmt` where nobody says how."""
    return CastMethod.DYNAMIC if isinstance(fmt, ScaledFormat) else CastMethod.TO
