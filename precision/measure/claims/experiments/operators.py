"""Which operators run in float16 on a device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from precision.measure.claims.experiments.attempt import raised
from precision.measure.claims.experiments.finding import Finding, count, fact, listed
from precision.results import ClaimWord

Operator = Callable[[Tensor], object]

_ON_ONE = (
    *("abs", "neg", "exp", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "tanh", "sigmoid", "erf", "floor", "sign"),
    *("sum", "mean", "std", "amax", "prod", "cumsum", "sort", "topk", "argmax", "median", "quantile", "histc"),
    *("softmax", "log_softmax", "logsumexp", "relu", "isfinite", "transpose", "flip", "tril", "diag", "nonzero"),
)
_WITH: Mapping[str, tuple[object, ...]] = {
    **dict.fromkeys(("cumsum", "softmax", "log_softmax", "logsumexp"), (-1,)),
    **{"topk": (2,), "quantile": (0.5,), "transpose": (0, 1), "flip": ((0,),)},
}


def _named(name: str) -> Operator:
    function, rest = getattr(torch, name), _WITH.get(name, ())
    return lambda x: function(x, *rest)


OPERATORS: Mapping[str, Operator] = {
    **{name: _named(name) for name in _ON_ONE},
    "add": lambda x: x + x,
    "mul": lambda x: x * x,
    "div": lambda x: x / (x + 1),
    "pow": lambda x: x**2,
    "where": lambda x: torch.where(x > 0, x, -x),
    "matmul": lambda x: x @ x,
    "bmm": lambda x: torch.bmm(x[None], x[None]),
    "addmm": lambda x: torch.addmm(x, x, x),
    "einsum": lambda x: torch.einsum("ij,kj->ik", x, x),
    "linear": lambda x: functional.linear(x, x),
    "conv1d": lambda x: functional.conv1d(x[None], x[:, :, None]),
    "conv2d": lambda x: functional.conv2d(x[None, None], x[None, None, :3, :3]),
    "conv3d": lambda x: functional.conv3d(x[None, None, None], x[None, None, None, :3, :3]),
    "conv_transpose2d": lambda x: functional.conv_transpose2d(x[None, None], x[None, None, :3, :3]),
    "max_pool2d": lambda x: functional.max_pool2d(x[None], 2),
    "avg_pool2d": lambda x: functional.avg_pool2d(x[None], 2),
    "interpolate": lambda x: functional.interpolate(x[None, None], scale_factor=2, mode="bilinear"),
    "pad": lambda x: functional.pad(x[None], (1, 1), mode="reflect"),
    "layer_norm": lambda x: functional.layer_norm(x, (x.shape[-1],)),
    "rms_norm": lambda x: functional.rms_norm(x, (x.shape[-1],)),
    "group_norm": lambda x: functional.group_norm(x[None], 2),
    "batch_norm": lambda x: functional.batch_norm(x, None, None, training=True),
    "gelu": functional.gelu,
    "silu": functional.silu,
    "embedding": lambda x: functional.embedding(torch.zeros(2, dtype=torch.int64, device=x.device), x),
    "scaled_dot_product_attention": lambda x: functional.scaled_dot_product_attention(x[None], x[None], x[None]),
    "cross_entropy": lambda x: functional.cross_entropy(x, torch.zeros(len(x), dtype=torch.int64, device=x.device)),
    "cat": lambda x: torch.cat([x, x]),
    "index_select": lambda x: x.index_select(0, torch.zeros(1, dtype=torch.int64, device=x.device)),
    "gather": lambda x: x.gather(0, torch.zeros(1, 2, dtype=torch.int64, device=x.device)),
    "scatter_add": lambda x: x.scatter_add(0, torch.zeros(1, 2, dtype=torch.int64, device=x.device), x),
    "cdist": lambda x: torch.cdist(x, x),
    "fft": torch.fft.rfft,
    "histogram": lambda x: torch.histogram(x, 4),
    "linalg.inv": torch.linalg.inv,
    "linalg.svd": torch.linalg.svd,
    "linalg.qr": torch.linalg.qr,
    "linalg.solve": lambda x: torch.linalg.solve(x, x),
    "linalg.vector_norm": torch.linalg.vector_norm,
    "linalg.det": torch.linalg.det,
}
"""Each of a square matrix of 6 rows."""


@dataclass(frozen=True, kw_only=True)
class OperatorFacts:
    """Operators that run in float32, tried in float16."""

    tried: tuple[str, ...]
    missing: Mapping[str, str]
    """What each of those raised that do not run in float16."""


def operator_facts(device: torch.device) -> OperatorFacts:
    """Run every operator in float32, and those that do in float16."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(6, 6, generator=generator).abs().to(device) + torch.eye(6, device=device)
    works = [name for name, call in OPERATORS.items() if raised(partial(call, matrix)) is None]
    low = matrix.half()
    outcomes = {name: raised(partial(OPERATORS[name], low)) for name in works}
    return OperatorFacts(
        tried=tuple(works), missing={name: message for name, message in outcomes.items() if message is not None}
    )


def cpu_kernels(seen: OperatorFacts) -> Finding:
    """Whether no operator runs in float16; it depends where fewer than half do."""
    tried = len(seen.tried)
    runs = tried - len(seen.missing)
    evidence = (
        count("Operators that run in float16", runs, of=tried),
        fact("These run", ", ".join(name for name in seen.tried if name not in seen.missing) or "none"),
        fact("Without a kernel", listed(list(seen.missing))),
        *(fact(f"For example, {name} raised", message) for name, message in list(seen.missing.items())[:1]),
    )
    if not seen.missing:
        return Finding("false", f"All {tried:,} operators tried run.", evidence)
    sentence = f"{runs:,} of {tried:,} operators run; {listed(list(seen.missing))} do not."
    word: ClaimWord = "true" if not runs else "false" if 2 * runs >= tried else "depends"
    return Finding(word, sentence, evidence)
