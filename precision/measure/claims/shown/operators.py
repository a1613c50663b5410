"""Which operators run in float16 on the CPU."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from precision.measure.claims.shown.attempt import raised

Operator = Callable[[Tensor], object]

_ON_ONE = (
    *("abs", "neg", "exp", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "tanh", "sigmoid", "erf", "floor", "sign"),
    *("sum", "mean", "std", "amax", "prod", "cumsum", "sort", "topk", "argmax", "median", "quantile", "histc"),
    *("softmax", "log_softmax", "logsumexp", "relu", "isfinite", "transpose", "flip", "tril", "diag", "nonzero"),
)
_WITH: dict[str, tuple[object, ...]] = {
    **dict.fromkeys(("cumsum", "softmax", "log_softmax", "logsumexp"), (-1,)),
    **{"topk": (2,), "quantile": (0.5,), "transpose": (0, 1), "flip": ((0,),)},
}


def _named(name: str) -> Operator:
    function, rest = getattr(torch, name), _WITH.get(name, ())
    return lambda x: function(x, *rest)


OPERATORS: dict[str, Operator] = {
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
    "embedding": lambda x: functional.embedding(torch.zeros(2, dtype=torch.int64), x),
    "scaled_dot_product_attention": lambda x: functional.scaled_dot_product_attention(x[None], x[None], x[None]),
    "cross_entropy": lambda x: functional.cross_entropy(x, torch.zeros(len(x), dtype=torch.int64)),
    "cat": lambda x: torch.cat([x, x]),
    "index_select": lambda x: x.index_select(0, torch.zeros(1, dtype=torch.int64)),
    "gather": lambda x: x.gather(0, torch.zeros(1, 2, dtype=torch.int64)),
    "scatter_add": lambda x: x.scatter_add(0, torch.zeros(1, 2, dtype=torch.int64), x),
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


def without_float16_kernel() -> dict[str, str | None]:
    """What each operator that runs in float32 raised in float16; None where it ran."""
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(6, 6, generator=generator).abs() + torch.eye(6)
    works = [call for call in OPERATORS.items() if raised(partial(call[1], matrix)) is None]
    low = matrix.half()
    return {name: raised(partial(operator, low)) for name, operator in works}
