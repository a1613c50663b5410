"""The operators that autocast is tried on: at least one of each kind that models are made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """One operator, as a function of its floating-point inputs."""

    name: str
    family: str
    shapes: tuple[Shape, ...]
    """Of the inputs, which lie between 0 and 1, the domain of all of these operators."""
    call: Callable[..., object]
    statistics: tuple[int, ...] = ()
    """Places of the inputs that no gradient is ever asked for."""


_MATRIX: Shape = (4, 4)
_BATCH: Shape = (2, 4, 4)
_IMAGES: Shape = (2, 4, 8, 8)
_HEADS: Shape = (1, 2, 4, 8)
_STATE, _GATES = (2, 4), (16, 4)
_ALONE = ("exp", "log", "log1p", "sqrt", "rsqrt", "reciprocal", "sin", "tan", "acos", "cosh", "erfinv")
_LOSSES_OF_PAIRS = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
                    "binary_cross_entropy_with_logits", "cosine_similarity")  # fmt: skip
_STATISTICS = {"batch_norm": (1, 2)}


def _places(like: Tensor) -> Tensor:
    """0 to 3, on the device of `like`."""
    return torch.arange(4, device=like.device)


_ROWS: dict[str, tuple[tuple[str, Sequence[Shape], Callable[..., object]], ...]] = {
    "matrix products": (
        ("linear", [_MATRIX, _MATRIX, (4,)], functional.linear),
        ("matmul", [_MATRIX, _MATRIX], torch.matmul),
        ("mm", [_MATRIX, _MATRIX], torch.mm),
        ("mv", [_MATRIX, (4,)], torch.mv),
        ("bmm", [_BATCH, _BATCH], torch.bmm),
        ("addmm", [_MATRIX, _MATRIX, _MATRIX], torch.addmm),
        ("baddbmm", [_BATCH, _BATCH, _BATCH], torch.baddbmm),
        ("einsum", [_BATCH, _BATCH], lambda a, b: torch.einsum("bij,bjk->bik", a, b)),
        ("tensordot", [_MATRIX, _MATRIX], lambda a, b: torch.tensordot(a, b, dims=1)),
        ("dot", [(4,), (4,)], torch.dot),
        ("bilinear", [_MATRIX, _MATRIX, _BATCH], functional.bilinear),
        ("scaled_dot_product_attention", [_HEADS] * 3, functional.scaled_dot_product_attention),
    ),
    "convolutions": (
        ("conv1d", [(2, 4, 8), (4, 4, 3)], functional.conv1d),
        ("conv2d", [_IMAGES, (4, 4, 3, 3)], functional.conv2d),
        ("conv3d", [(1, 2, 4, 4, 4), (2, 2, 3, 3, 3)], functional.conv3d),
        ("conv_transpose1d", [(2, 4, 8), (4, 4, 3)], functional.conv_transpose1d),
        ("conv_transpose2d", [_IMAGES, (4, 4, 3, 3)], functional.conv_transpose2d),
    ),
    "recurrent": (
        ("lstm_cell", [_STATE, _STATE, _STATE, _GATES, _GATES], lambda x, h, c, w, u: torch.lstm_cell(x, (h, c), w, u)),
        ("gru_cell", [_STATE, _STATE, (12, 4), (12, 4)], torch.gru_cell),
        ("rnn_tanh_cell", [_STATE, _STATE, _MATRIX, _MATRIX], torch.rnn_tanh_cell),
        (
            "lstm",
            [(3, 2, 4), (1, 2, 4), (1, 2, 4), _GATES, _GATES],
            lambda x, h, c, w, u: torch.lstm(x, (h, c), [w, u], False, 1, 0.0, False, False, False),
        ),
    ),
    "activations": (
        ("relu", [_MATRIX], functional.relu),
        ("gelu", [_MATRIX], functional.gelu),
        ("silu", [_MATRIX], functional.silu),
        ("tanh", [_MATRIX], torch.tanh),
        ("sigmoid", [_MATRIX], torch.sigmoid),
        ("elu", [_MATRIX], functional.elu),
        ("softplus", [_MATRIX], functional.softplus),
        ("softmax", [_MATRIX], lambda x: functional.softmax(x, dim=-1)),
        ("log_softmax", [_MATRIX], lambda x: functional.log_softmax(x, dim=-1)),
        ("softmin", [_MATRIX], lambda x: functional.softmin(x, dim=-1)),
        ("prelu", [_MATRIX, (4,)], functional.prelu),
    ),
    "normalization": (
        ("batch_norm", [_IMAGES, (4,), (4,)], functional.batch_norm),
        ("layer_norm", [_MATRIX, (4,), (4,)], lambda x, w, b: functional.layer_norm(x, (4,), w, b)),
        ("group_norm", [_IMAGES, (4,), (4,)], lambda x, w, b: functional.group_norm(x, 2, w, b)),
        ("instance_norm", [_IMAGES], functional.instance_norm),
        ("rms_norm", [_MATRIX, (4,)], lambda x, w: functional.rms_norm(x, (4,), w)),
        ("normalize", [_MATRIX], functional.normalize),
        ("local_response_norm", [_IMAGES], lambda x: functional.local_response_norm(x, 2)),
    ),
    "reductions": (
        ("sum", [_MATRIX], torch.sum),
        ("mean", [_MATRIX], torch.mean),
        ("prod", [_MATRIX], torch.prod),
        ("cumsum", [_MATRIX], lambda x: torch.cumsum(x, dim=0)),
        ("cumprod", [_MATRIX], lambda x: torch.cumprod(x, dim=0)),
        ("amax", [_MATRIX], torch.amax),
        ("std", [_MATRIX], torch.std),
        ("norm", [_MATRIX], torch.norm),
        ("vector_norm", [_MATRIX], torch.linalg.vector_norm),
        ("logsumexp", [_MATRIX], lambda x: torch.logsumexp(x, dim=0)),
    ),
    "element by element": (
        *((name, [_MATRIX], getattr(torch, name)) for name in _ALONE),
        ("pow", [_MATRIX], lambda x: torch.pow(x, 2.5)),
        ("add", [_MATRIX, _MATRIX], torch.add),
        ("mul", [_MATRIX, _MATRIX], torch.mul),
        ("div", [_MATRIX, _MATRIX], torch.div),
        ("atan2", [_MATRIX, _MATRIX], torch.atan2),
        ("addcmul", [_MATRIX] * 3, torch.addcmul),
        ("addcdiv", [_MATRIX] * 3, torch.addcdiv),
        ("lerp", [_MATRIX] * 3, torch.lerp),
    ),
    "joins": (
        ("cat", [_MATRIX, _MATRIX], lambda a, b: torch.cat([a, b])),
        ("stack", [_MATRIX, _MATRIX], lambda a, b: torch.stack([a, b])),
        ("scatter_add", [_MATRIX, _MATRIX], lambda x, y: x.scatter_add(0, _places(x).new_zeros(4, 4), y)),
        ("index_put", [_MATRIX, _MATRIX], lambda x, y: x.index_put((_places(x),), y)),
        ("cross", [(4, 3), (4, 3)], torch.linalg.cross),
    ),
    "losses": (
        ("cross_entropy", [_MATRIX], lambda x: functional.cross_entropy(x, _places(x))),
        ("nll_loss", [_MATRIX], lambda x: functional.nll_loss(x, _places(x))),
        ("kl_div", [_MATRIX, _MATRIX], lambda x, y: functional.kl_div(x, y, reduction="batchmean")),
        *((name, [_MATRIX, _MATRIX], getattr(functional, name)) for name in _LOSSES_OF_PAIRS),
    ),
    "pooling and others": (
        ("max_pool2d", [_IMAGES], lambda x: functional.max_pool2d(x, 2)),
        ("avg_pool2d", [_IMAGES], lambda x: functional.avg_pool2d(x, 2)),
        ("adaptive_avg_pool2d", [_IMAGES], lambda x: functional.adaptive_avg_pool2d(x, 1)),
        ("interpolate", [_IMAGES], lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear")),
        ("grid_sample", [_IMAGES, (2, 4, 4, 2)], lambda x, grid: functional.grid_sample(x, grid, align_corners=False)),
        (
            "embedding",
            [_MATRIX],
            lambda weight: functional.embedding(torch.zeros(2, dtype=torch.int64, device=weight.device), weight),
        ),
        ("cdist", [_MATRIX, _MATRIX], torch.cdist),
        ("linalg.inv", [_MATRIX], torch.linalg.inv),
        ("fft", [_MATRIX], torch.fft.rfft),
    ),
}

OPERATORS = tuple(
    Operator(name, family, tuple(shapes), call, _STATISTICS.get(name, ()))
    for family, rows in _ROWS.items()
    for name, shapes, call in rows
)
"""All of them, family by family."""
