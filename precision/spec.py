"""What to run: one frozen, validated request. It is the cache key and the share link of its result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from precision.errors import InputError
from precision.formats import AnyFormat, ScaledFormat, any_format_named
from precision.regimes.names import GIVEN, canonical

MAX_BATCH = 4096
MAX_LENGTH = 8192
MAX_TEXT_CHARACTERS = 20_000


class Analysis(StrEnum):
    """What is measured of a model."""

    COMPARE = "compare"
    """Outputs of both models, the cast, the cost."""
    LAYERS = "layers"
    """Both models layer by layer, in lockstep."""
    RANGES = "ranges"
    """The values of one reference pass, by exponent."""
    REGIMES = "regimes"
    """Outputs of both models on the input as given, scaled, with an outlier channel, and random."""
    MEMORY = "memory"
    """Bytes of the model in every format, without its values."""
    DEVICE_SPEED = "device-speed"
    """Operators in every dtype that the device computes in, whatever the model."""


class CastMethod(StrEnum):
    """A way to bring a model into a format."""

    TO = "to"
    HALF = "half"
    BFLOAT16 = "bfloat16"
    AUTOCAST = "autocast"
    WEIGHTS_ONLY = "weights-only"
    DYNAMIC = "dynamic"

    @property
    def label(self) -> str:
        """How it is written in code, or called."""
        return {
            "to": ".to(dtype)",
            "half": ".half()",
            "bfloat16": ".bfloat16()",
            "weights-only": "weights only",
            "dynamic": "weights and inputs (dynamic)",
        }.get(self.value, self.value)


_ONLY_FORMAT = {CastMethod.HALF: "float16", CastMethod.BFLOAT16: "bfloat16"}
_AUTOCAST_FORMATS = ("bfloat16", "float16")


def formats_of(method: CastMethod, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the format `names` that `method` can produce, in their order."""
    if method in _ONLY_FORMAT:
        return tuple(name for name in names if name == _ONLY_FORMAT[method])
    if method is CastMethod.AUTOCAST:
        return tuple(name for name in names if name in _AUTOCAST_FORMATS)
    if method is CastMethod.WEIGHTS_ONLY:
        return names
    scaled = method is CastMethod.DYNAMIC
    return tuple(name for name in names if isinstance(any_format_named(name), ScaledFormat) is scaled)


def _given_by(method: CastMethod) -> str:
    if method in _ONLY_FORMAT:
        return _ONLY_FORMAT[method]
    if method is CastMethod.AUTOCAST:
        return " or ".join(_AUTOCAST_FORMATS)
    return "a scaled format, such as int8 or mxfp4" if method is CastMethod.DYNAMIC else "a format without scales"


def _reason(error: ErrorDetails) -> str:
    """What is wrong with a value, in a reader's words."""
    limits = error.get("ctx", {})
    reasons = {
        "int_parsing": "not a whole number",
        "int_from_float": "not a whole number",
        "greater_than_equal": f"at least {limits.get('ge')} is needed",
        "less_than_equal": f"at most {limits.get('le')} is allowed",
        "less_than": f"it must be less than {limits.get('lt')}",
        "string_too_long": f"at most {limits.get('max_length')} characters are allowed",
    }
    return reasons.get(error["type"], str(error["msg"]))


class RunSpec(BaseModel):
    """Everything that decides a comparison's numbers. Equal specs have equal digests.

    `batch` and `length` of None mean the model's own default input size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=MAX_TEXT_CHARACTERS)

    model: str = "tinynet"
    """A model id of the catalogue, or `hf:<hub id or local folder>`."""
    dtype: str = "float16"
    """The candidate's format, by name or alias."""
    method: CastMethod = CastMethod.TO
    """For formats with scales, which `TO` does not know, `DYNAMIC` by default."""
    device: str = "cpu"
    input: str = "default"
    """One of the model's named inputs; `default` is its first."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 123
    """Seeds random weights and random inputs."""
    batch: Annotated[int, Field(ge=1, le=MAX_BATCH)] | None = None
    length: Annotated[int, Field(ge=1, le=MAX_LENGTH)] | None = None
    text: str | None = None
    """Sentences, one a line, for models with a tokenizer."""
    regime: str = GIVEN
    """What the input is turned into: see `regimes.names`."""
    reference: Literal["float32", "float64"] = "float32"
    keep: tuple[str, ...] = ()
    """fqns of modules that the candidate keeps in the reference's precision."""
    analysis: Analysis = Analysis.COMPARE

    @model_validator(mode="before")
    @classmethod
    def _canonical_format(cls, data: object) -> object:
        if isinstance(data, Mapping) and isinstance(data.get("dtype"), str):
            fmt = any_format_named(data["dtype"])
            usual = {"method": CastMethod.DYNAMIC} if isinstance(fmt, ScaledFormat) else {}
            return {**usual, **data, "dtype": fmt.name}
        return data

    @field_validator("keep", mode="before")
    @classmethod
    def _keep_as_listed(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @field_validator("regime")
    @classmethod
    def _canonical_regime(cls, value: str) -> str:
        return canonical(value)

    @model_validator(mode="after")
    def _method_fits_format(self) -> Self:
        allowed = formats_of(self.method, (self.dtype,))
        if not allowed:
            others = ", ".join(repr(method.value) for method in CastMethod if formats_of(method, (self.dtype,)))
            raise InputError(
                f"Cast method {self.method.value!r} gives {_given_by(self.method)}, not {self.dtype}. "
                f"Choose that, or method {others}."
            )
        return self

    @property
    def format(self) -> AnyFormat:
        """The candidate's format."""
        return any_format_named(self.dtype)

    @classmethod
    def parse(cls, values: Mapping[str, object]) -> Self:
        """A spec from loosely typed values, such as a link's.

        Raises:
            InputError: a value is unknown, malformed or out of range; the message names the field.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "request"
            if first["type"] == "extra_forbidden":
                known = ", ".join(cls.model_fields)
                raise InputError(f"Unknown setting {field!r}. Known: {known}.") from error
            given = str(first["input"])[:80]
            raise InputError(f"{field} = {given!r}: {_reason(first)}.") from error

    @property
    def measured(self) -> Self:
        """The spec of which the numbers are: what the analysis does not read is at its default.

        One pass of the reference answers for every format, so that another one needs no run; regimes are run from the
        input as given; bytes are those of the model, and a device's speed is its own.
        """
        if (read := _READ.get(self.analysis)) is not None:
            return self.model_copy(update={name: value for name, value in _DEFAULTS.items() if name not in read})
        if self.analysis is Analysis.REGIMES:
            return self.model_copy(update={"regime": GIVEN})
        if self.analysis is Analysis.RANGES:
            return self.model_copy(update={name: _DEFAULTS[name] for name in ("dtype", "method", "keep")})
        return self

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def to_query(self) -> dict[str, str]:
        """The settings that differ from the defaults, as strings for a link; the page says which analysis."""
        changed = self.model_dump(mode="json", exclude_defaults=True, exclude={"analysis"})
        return {name: ",".join(value) if name == "keep" else str(value) for name, value in changed.items()}


_READ: Mapping[Analysis, tuple[str, ...]] = {
    Analysis.MEMORY: ("model", "device", "analysis"),
    Analysis.DEVICE_SPEED: ("device", "analysis"),
}
"""The settings that these analyses read; all others are at their default."""
_DEFAULTS: Mapping[str, object] = {name: field.default for name, field in RunSpec.model_fields.items()}
