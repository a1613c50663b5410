"""What to run: one frozen, validated request. It is also the cache key and the link of its result."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from precision.errors import InputError
from precision.formats import AnyFormat, any_format_named, default_formats
from precision.spec.analysis import Analysis
from precision.spec.cast_methods import CastMethod, formats_of, method_named, usual_method
from precision.spec.keep import Kept
from precision.spec.output_kinds import kinds_of
from precision.spec.plans import coarsest, plan_of
from precision.spec.regimes import GIVEN, canonical
from precision.spec.weights import StoredIn, counted_text, is_pair, weights_of

AUTOCAST_DTYPE = "bfloat16"
"""Of the analysis of autocast, where none is given: what torch lowers to on the CPU by default."""
MAX_BATCH = 4096
MAX_LENGTH = 8192
MAX_TEXT_CHARACTERS = 20_000
MAX_PLAN_LAYERS = 10_000
SENSITIVITY_FORMATS = default_formats("sensitivity")
"""The default formats of a sensitivity, except those that the device cannot run."""


def _reason(error: ErrorDetails) -> str:
    """What is wrong with a value, in plain words."""
    limits = error.get("ctx", {})
    reasons = {
        "int_parsing": "not a whole number",
        "int_from_float": "not a whole number",
        "greater_than_equal": f"at least {limits.get('ge')} is needed",
        "less_than_equal": f"at most {limits.get('le')} is allowed",
        "too_long": f"at most {limits.get('max_length')} layers are allowed",
        "less_than": f"it must be less than {limits.get('lt')}",
        "string_too_long": f"at most {limits.get('max_length')} characters are allowed",
    }
    return reasons.get(error["type"], str(error["msg"]))


def _with_plan(data: Mapping[str, object]) -> Mapping[str, object]:
    """`data` with its plan in canonical order, and with the plan's dtype where none is given."""
    plan = plan_of(data["plan"])
    if plan == data["plan"] == ():
        return data
    if not isinstance(plan, tuple) or not all(is_pair(pair) for pair in plan):
        return {**data, "plan": plan}
    # Layers in the reference's precision are left out, unless the plan has no other layers.
    plan = tuple(pair for pair in plan if pair[1] != data.get("reference", "float32")) or plan
    dtypes = {"dtype": coarsest(any_format_named(name) for _, name in plan).name} if plan else {}
    return {**dtypes, **data, "plan": plan}


class RunSpec(BaseModel):
    """Everything that a comparison's numbers depend on. Equal specs have equal digests.

    `batch` and `length` of None mean the model's own default input size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=MAX_TEXT_CHARACTERS)

    model: str = "tinynet"
    """A model id of the catalogue, `hf:<hub id or local folder>`, `python:<name>` or `code:<hash of a pasted text>`."""
    dtype: str = "float16"
    """The candidate's format, by name or alias; `AUTOCAST_DTYPE` by default for the analysis of autocast."""
    method: CastMethod = CastMethod.TO
    """`DYNAMIC` by default for formats with scales, which `TO` does not support; see `measure.casting.methods.cast`."""
    device: str = "cpu"
    input: str = "default"
    """One of the model's named inputs; `default` is its first."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 123
    """Seeds random weights and random inputs."""
    batch: Annotated[int, Field(ge=1, le=MAX_BATCH)] | None = None
    length: Annotated[int, Field(ge=1, le=MAX_LENGTH)] | None = None
    text: str | None = None
    """Sentences, one a line, for models with a tokenizer."""
    data: str | None = None
    """The user's own samples in place of the model's input: a file or folder where it computes, or `upload:KEY`."""
    own_weights: str | None = None
    """The user's own weights, in place of the model's: a safetensors file or folder, `hf:…` or `upload:KEY`."""
    candidate_weights: str | None = None
    """Other weights of the same architecture for the candidate alone, named as `own_weights` and cast like the model's.
    Its `dtype` then is the reference's by default."""
    regime: str = GIVEN
    """How the input is changed; see `precision.spec.regimes`."""
    reference: Literal["float32", "float64"] = "float32"
    keep: tuple[str, ...] = ()
    """What the candidate keeps in the reference's precision: fqns of modules, as `precision.spec.keep.Kept` reads them:
    `gate` with its output cast back, `gate:wide` with its output left wide, `block:code` without the modules inside,
    `block:exp` one operator of its own code."""
    wide_inputs: tuple[str, ...] = ()
    """Inputs that are not cast, by the name of the argument or its place (0 is the first)."""
    plan: Annotated[tuple[tuple[str, str], ...], Field(max_length=MAX_PLAN_LAYERS)] = ()
    """fqn and format of each layer with its own format; everything else is in the reference's precision. With a plan,
    `dtype` is its coarsest format, and `method` the default of that format."""
    weights: Annotated[tuple[tuple[str, str], ...], Field(max_length=MAX_PLAN_LAYERS)] = ()
    """Name and format of each parameter that is stored in its own format, such as `("fc.weight", "float8_e4m3fn")`, or
    `float8_e4m3fn*2^7` where it is multiplied by 2^7 first; see `precision.spec.weights`. Everything else, all
    arithmetic included, is in the reference's precision, which `dtype` then is; `method` is weights-only."""
    outputs: tuple[str, ...] = ()
    """What outputs are, each a kind of `precision.spec.output_kinds` or `path=kind`; empty to guess it."""
    analysis: Analysis = Analysis.COMPARE
    formats: tuple[str, ...] = ()
    """Formats of a sensitivity, by name or alias, each once; empty for `SENSITIVITY_FORMATS`."""
    exact: bool = False
    """Whether a sensitivity also runs the model for every layer and format: with only this layer, and without it."""

    @model_validator(mode="before")
    @classmethod
    def _canonical_format(cls, data: object) -> object:
        if isinstance(data, Mapping) and data.get("analysis") == Analysis.AUTOCAST:
            data = {"dtype": AUTOCAST_DTYPE, **data}
        if isinstance(data, Mapping) and data.get("candidate_weights") and not data.get("plan"):
            data = {"dtype": data.get("reference", "float32"), **data}
        if isinstance(data, Mapping) and data.get("plan"):
            data = _with_plan(data)
        if isinstance(data, Mapping) and data.get("weights"):
            own = {"dtype": data.get("reference", "float32"), "method": CastMethod.WEIGHTS_ONLY}
            data = {**({} if data.get("plan") else own), **data, "weights": weights_of(data["weights"])}
        if isinstance(data, Mapping) and isinstance(data.get("dtype"), str):
            fmt = any_format_named(data["dtype"])
            return {"method": usual_method(fmt), **data, "dtype": fmt.name}
        return data

    @field_validator("keep", "formats", "wide_inputs", "outputs", mode="before")
    @classmethod
    def _as_listed(cls, value: object) -> object:
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value

    @field_validator("keep")
    @classmethod
    def _canonical_keep(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(Kept.parse(part)) for part in value))

    @field_validator("regime")
    @classmethod
    def _canonical_regime(cls, value: str) -> str:
        return canonical(value)

    @field_validator("outputs")
    @classmethod
    def _canonical_outputs(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{path}={kind}" if path else kind for path, kind in sorted(kinds_of(value).items()))

    @field_validator("formats")
    @classmethod
    def _canonical_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(any_format_named(name.strip()).name for name in value))

    @model_validator(mode="after")
    def _method_fits_format(self) -> Self:
        allowed = formats_of(self.method, (self.dtype,))
        if not allowed:
            others = ", ".join(repr(method.value) for method in CastMethod if formats_of(method, (self.dtype,)))
            raise InputError(
                f"Cast method {self.method.value!r} gives {self.method.row.gives.words}, not {self.dtype}. "
                f"Choose that, or method {others}."
            )
        return self

    @model_validator(mode="after")
    def _plan_fits_the_rest(self) -> Self:
        if not self.plan:
            return self
        expected = coarsest(self.candidate_formats)
        if self.dtype != expected.name:
            raise InputError(f"dtype {self.dtype} with a plan whose coarsest format is {expected.name}. Leave it out.")
        if self.method is not usual_method(expected):
            raise InputError(f"A plan decides how each layer is cast: leave out method {self.method.value!r}.")
        if self.keep:
            raise InputError(
                "A plan already keeps all layers that it does not name in the reference's precision: leave out keep."
            )
        return self

    @model_validator(mode="after")
    def _candidate_weights_fit_the_rest(self) -> Self:
        # What a plan or `keep` leaves in the reference's precision would be the reference's weights too.
        if self.candidate_weights and (self.plan or self.keep):
            raise InputError("With candidate_weights, the whole candidate has them: leave out plan and keep.")
        return self

    @model_validator(mode="after")
    def _weights_fit_the_rest(self) -> Self:
        if not self.weights:
            return self
        others = {
            "plan": self.plan,
            "keep": self.keep,
            "wide_inputs": self.wide_inputs,
            "candidate_weights": self.candidate_weights,
        }
        if given := [name for name, value in others.items() if value]:
            raise InputError(
                f"With weights, everything but these weights is in {self.reference}: leave out {', '.join(given)}."
            )
        if (self.dtype, self.method) != (self.reference, CastMethod.WEIGHTS_ONLY):
            raise InputError(
                f"With weights, everything but these weights is in {self.reference}: leave out dtype and method."
            )
        return self

    @property
    def candidate_formats(self) -> tuple[AnyFormat, ...]:
        """The formats of the candidate's layers; only one without a plan."""
        names = dict.fromkeys(name for _, name in self.plan) or (self.dtype,)
        return tuple(any_format_named(name) for name in names)

    @property
    def own_formats(self) -> Mapping[str, StoredIn]:
        """How each of `weights` is stored."""
        return {name: StoredIn.parse(way) for name, way in self.weights}

    @property
    def candidate(self) -> str:
        """The candidate's name: its format, or the formats of its plan or its weights."""
        if self.weights:
            return f"{self.dtype} with weights in {counted_text([way.partition('*')[0] for _, way in self.weights])}"
        own = f"plan of {counted_text([name for _, name in self.plan])}" if self.plan else self.dtype
        return f"{own} with other weights" if self.candidate_weights else own

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
            if field == "method":
                method_named(str(first["input"]))  # raises, in words of its own
            given = str(first["input"])[:80]
            raise InputError(f"{field} = {given!r}: {_reason(first)}.") from error

    @property
    def measured(self) -> Self:
        """The spec that the numbers depend on: settings that the analysis does not read have their defaults.

        So a run that is the same for all formats, such as one of ranges, is not repeated for another format.
        """
        update = {name: _DEFAULTS[name] for name in self.unread}
        if "method" in update and "dtype" not in update:
            update["method"] = usual_method(self.format)
        return self.model_copy(update=update)

    @property
    def errors_alone(self) -> Self:
        """The same comparison without timing."""
        return self.model_copy(update={"analysis": Analysis.ERRORS})

    @property
    def unread(self) -> Collection[str]:
        """The settings that the analysis does not read."""
        return _DEFAULTS.keys() - {*self.analysis.info.reads, "analysis"}

    def in_words(self, template: str, *, model: str = "", escape: Callable[[str], str] = str) -> str:
        """A template with `{model}`, `{candidate}`, `{dtype}`, `{reference}` and `{method}` filled in.

        Args:
            template: such as those of `AnalysisInfo`.
            model: the model's title.
            escape: makes names safe for the place where the words go.
        """
        values = {"model": model, "candidate": self.candidate, "dtype": self.dtype, "reference": self.reference}
        method = (
            "" if self.plan or self.weights else f" · {escape(self.method.label)}"
        )  # `escape` may strip: the space stays outside
        return template.format(**{name: escape(value) for name, value in values.items()}, method=method)

    def digest(self) -> str:
        """SHA-256 of the canonical JSON, in hex."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def to_query(self) -> dict[str, str]:
        """The settings that differ from the defaults, as strings for a link; the page says which analysis."""
        changed = self.model_dump(mode="json", exclude_defaults=True, exclude={"analysis"})
        return {name: self._for_link(name, value) for name, value in changed.items()}

    def _for_link(self, name: str, value: object) -> str:
        if name not in ("plan", "weights"):
            return ",".join(value) if isinstance(value, list) else str(value)
        layers: defaultdict[str, list[str]] = defaultdict(list)
        for fqn, fmt in self.plan or self.weights:
            layers[fmt].append(fqn)
        return json.dumps(layers, separators=(",", ":"), ensure_ascii=False)


_DEFAULTS: Mapping[str, object] = {name: field.default for name, field in RunSpec.model_fields.items()}
