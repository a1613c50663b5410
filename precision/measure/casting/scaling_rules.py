"""How results of operators scale with their arguments."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from precision.measure.casting.changed_operators import Arguments
from precision.measure.casting.forward import tensors_of


class Rule(NamedTuple):
    """How a result scales: by the product of its arguments' factors, each to a power."""

    powers: tuple[float, ...] = ()
    """Of the first arguments. 0 where the factor cancels."""
    added: tuple[int | str, ...] = ()
    """Arguments that are added to the result, and so have its factor."""
    eps: int = 0
    """To which power `eps` has the factor of the first argument."""
    together: bool = False
    """Whether all arguments, numbers among them, have the factor of the result."""
    is_exponential: bool = False
    """Whether the result is divided by subtracting a number from the argument."""


_SAME = (
    *("T", "mT", "as_strided", "broadcast_to", "chunk", "clone", "contiguous", "detach", "diagonal", "expand"),
    *("flatten", "flip", "gather", "getitem", "index_select", "movedim", "narrow", "permute", "repeat"),
    *("repeat_interleave", "reshape", "roll", "select", "split", "squeeze", "swapaxes", "t", "take", "transpose"),
    *("unbind", "unflatten", "unfold", "unsqueeze", "view", "bfloat16", "double", "float", "half", "to"),
    *("abs", "neg", "relu", "relu_", "leaky_relu", "dropout", "amax", "amin", "cumsum"),
    *("diff", "max", "mean", "min", "sum", "trace", "avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "max_pool1d"),
    *("adaptive_avg_pool2d", "max_pool2d", "interpolate", "norm", "std", "linalg_norm", "linalg_vector_norm"),
)
_TOGETHER = (
    "add",
    "sub",
    "cat",
    "concat",
    "stack",
    "where",
    "maximum",
    "minimum",
    "clamp",
    "clip",
    "masked_fill",
    "cdist",
)
WITHOUT_NUMBERS = ("cat", "concat", "stack", "cdist")
"""Of these, the numbers that come with the tensors are no values."""
_CONVOLUTIONS = tuple(f"conv{middle}{dims}d" for middle in ("", "_transpose") for dims in (1, 2, 3))
_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_SAME, Rule((1,))),
    **dict.fromkeys(_TOGETHER, Rule(together=True)),
    **dict.fromkeys(("mul", "multiply", "matmul", "mm", "bmm"), Rule((1, 1))),
    **dict.fromkeys(("div", "divide", "true_divide", "truediv"), Rule((1, -1))),
    **dict.fromkeys(("linear", *_CONVOLUTIONS), Rule((1, 1), added=(2, "bias"))),
    **dict.fromkeys(("layer_norm", "group_norm", "rms_norm"), Rule((0,), eps=2)),
    "normalize": Rule((0,), eps=1),
    "_weight_norm": Rule((0, 1)),
    "square": Rule((2,)),
    "var": Rule((2,)),
    "sqrt": Rule((0.5,)),
    "rsqrt": Rule((-0.5,)),
    "reciprocal": Rule((-1,)),
    "exp": Rule(is_exponential=True),
}
OUT_OF_PLACE: Mapping[str, Callable[..., Tensor]] = {
    "add_": Tensor.add,
    "sub_": Tensor.sub,
    "mul_": Tensor.mul,
    "div_": Tensor.div,
    "truediv_": Tensor.div,
}


def scales(operator: str) -> bool:
    """Whether it is known how an operator's result scales with its arguments."""
    return operator in _RULES or operator in OUT_OF_PLACE or operator == "pow"


def rule_of(func: Any, name: str, given: Arguments) -> Rule | None:
    """How the result of this call scales; None where that is not known."""
    args, kwargs = given
    name = name.removesuffix("_") if name in OUT_OF_PLACE else name
    reflected = getattr(func, "__name__", "").startswith("__r")
    if name == "pow":
        is_known = len(args) > 1 and isinstance(args[1], int | float) and not reflected
        return Rule((args[1],)) if is_known and args[1] and not (2 * args[1]) % 1 else None  # whole or half powers
    rule = _RULES.get(name)
    if rule is None or not args or any(kwargs.get(setting) is not None for setting in ("out", "rounding_mode")):
        return None
    tensors = tensors_of(given)
    if any(each.is_complex() for each in tensors):
        return None
    if rule.together:  # whole numbers cannot be divided
        are_numbers = all(each.is_floating_point() or each.dtype == torch.bool for each in tensors)
        return rule if are_numbers and any(each.is_floating_point() for each in tensors) else None
    if not isinstance(args[0], Tensor) or not args[0].is_floating_point():
        return None
    draws = name == "dropout" and kwargs.get("training", True)
    if draws or (name in _SAME and any(each.is_floating_point() for each in tensors_of((args[1:], kwargs)))):
        return None
    return Rule(rule.powers[::-1]) if reflected else rule
