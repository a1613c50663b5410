"""Which experiment answers each claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from precision.measure.claims.experiments import (
    accuracy,
    islands,
    modules,
    operators,
    placing,
    providers,
    several,
    speed,
)
from precision.measure.claims.experiments import running_judged as running
from precision.measure.claims.experiments import storage_judged as storage
from precision.measure.claims.experiments.finding import Finding
from precision.measure.claims.experiments.subject import Subject

EXPERIMENTS: Mapping[str, Callable[[Subject], Finding]] = {
    "loaded-in-float32": lambda _: providers.loaded_in_float32(providers.making_facts()),
    "checkpoint-in-float32": lambda _: providers.checkpoint_in_float32(providers.loading_facts()),
    "named-parameters": lambda on: storage.named_parameters(on.storage),
    "half-casts-parameters": lambda on: storage.half_casts_parameters(on.storage),
    "cpu-throws": lambda on: running.cpu_throws(on.runs, device=on.device.type),
    "cpu-kernels": lambda on: operators.cpu_kernels(on.cpu_operators),
    "gpu-unasked": lambda _: placing.gpu_unasked(placing.placing_facts()),
    "article-numbers": lambda on: accuracy.article_numbers(accuracy.tinynet_errors(on.device)),
    "small-error": lambda on: accuracy.small_error(on.compared),
    "no-impact": lambda on: accuracy.no_impact(on.compared),
    "most-models": lambda on: several.most_models(on.several),
    "half-from-transformers": lambda _: providers.half_from_transformers(providers.provider_facts()),
    "half-only-transformers": lambda _: providers.half_only_transformers(providers.any_module_facts("half")),
    "to-any-module": lambda on: providers.to_any_module(on.cast_by_to()),
    "half-tensorflow": lambda _: providers.half_tensorflow(providers.tensorflow_facts()),
    "in-place": lambda on: storage.in_place(on.storage),
    "same-goal": lambda on: storage.same_goal(on.storage),
    "quantization": lambda on: storage.quantization(on.storage),
    "weights-only": lambda on: storage.weights_only(on.storage, on.buffered),
    "to-converts-all": lambda on: storage.to_converts_all(on.storage),
    "to-casts-more": lambda on: storage.to_casts_more(on.storage),
    "internal-state": lambda on: storage.internal_state(on.storage),
    "precision-kept": lambda on: storage.precision_kept(on.storage),
    "interchangeable": lambda on: running.interchangeable(on.runs, on.storage),
    "activations-cast": lambda on: running.activations_cast(on.runs),
    "activations-need-to": lambda on: running.activations_need_to(on.runs),
    "inputs-cast": lambda on: running.inputs_cast(on.float32_inputs),
    "outputs-cast": lambda on: running.outputs_cast(on.runs),
    "manual-casting": lambda on: running.manual_casting(on.float32_inputs),
    "half-optimized": lambda on: running.half_optimized(on.runs, on.bert_runs),
    "half-islands": lambda on: islands.half_islands(on.islands),
    "memory-halved": lambda on: storage.memory_halved(on.storage),
    "half-lighter": lambda on: storage.half_lighter(on.storage),
    "twice-as-fast": lambda on: speed.twice_as_fast(on.compared),
    "half-faster": lambda on: speed.half_faster(on.twins, on.runs),
    "tensor-cores": lambda on: speed.tensor_cores(on.matrix, device=str(on.device)),
    "modules-without-half": lambda on: modules.modules_without_half(on.modules),
    "pitfalls-differ": lambda on: modules.pitfalls_differ(on.modules),
}
"""By the claim's id."""
