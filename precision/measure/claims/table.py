"""Which experiment answers each claim."""

from collections.abc import Callable, Mapping

from precision.measure.claims.experiments import accuracy, kernels, origins, running, several, speed, storing
from precision.measure.claims.finding import Finding
from precision.measure.claims.subject import Subject

EXPERIMENTS: Mapping[str, Callable[[Subject], Finding]] = {
    "loaded-in-float32": origins.loaded_in_float32,
    "named-parameters": storing.named_parameters,
    "half-casts-parameters": storing.half_casts_parameters,
    "cpu-throws": kernels.cpu_throws,
    "gpu-unasked": origins.gpu_unasked,
    "article-numbers": accuracy.article_numbers,
    "small-error": accuracy.small_error,
    "no-impact": accuracy.no_impact,
    "most-models": several.most_models,
    "half-from-transformers": origins.half_from_transformers,
    "half-only-transformers": origins.half_only_transformers,
    "quantization": storing.quantization,
    "to-casts-more": storing.to_casts_more,
    "internal-state": storing.internal_state,
    "interchangeable": running.interchangeable,
    "activations-cast": running.activations_cast,
    "inputs-cast": running.inputs_cast,
    "outputs-cast": running.outputs_cast,
    "half-optimized": running.half_optimized,
    "memory-halved": storing.memory_halved,
    "twice-as-fast": speed.twice_as_fast,
    "half-faster": speed.half_faster,
    "tensor-cores": speed.tensor_cores,
    "modules-without-half": kernels.modules_without_half,
}
"""By the claim's id."""
