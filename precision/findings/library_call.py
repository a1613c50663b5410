"""The call of the library that measures a request, where the module is at hand."""

from collections.abc import Mapping

from precision.spec import Analysis, RunSpec
from precision.spec.cast_methods import usual_method

_NAMES: Mapping[Analysis, str] = {Analysis.ERRORS: "compare", Analysis.CLAIMS: "try_claims"}
"""Of the calls that are not called as their analysis."""
_SET = ("device", "seed", "regime", "reference", "keep", "wide_inputs", "outputs", "formats", "exact")
"""Settings that are said only where they are not the default."""


def library_call(spec: RunSpec) -> str:
    """Python code, such as `px.layers(model, inputs, dtype='float16')`.

    >>> library_call(RunSpec(analysis=Analysis.RANGES, seed=7))
    'px.ranges(model, inputs, seed=7)'
    """
    reads, default = spec.analysis.info.reads, RunSpec(analysis=spec.analysis)
    given: dict[str, object] = {}
    for name in ("plan", "weights"):
        if name in reads and (pairs := getattr(spec, name)):
            given[name] = dict(pairs)
    if "dtype" in reads and not given:
        given["dtype"] = spec.dtype
        if "method" in reads and spec.method is not usual_method(spec.format):
            given["method"] = spec.method.value
    for name in _SET:
        value = getattr(spec, name)
        if name in reads and value != getattr(default, name):
            given[name] = list(value) if isinstance(value, tuple) else value
    name = _NAMES.get(spec.analysis, spec.analysis.value)
    model = ("model",) if spec.analysis is Analysis.MEMORY else ("model", "inputs")
    return f"px.{name}({', '.join((*model, *(f'{key}={value!r}' for key, value in given.items())))})"
