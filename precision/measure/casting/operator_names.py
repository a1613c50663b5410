"""What operators are called."""

from typing import Any


def operator_name(func: Any) -> str:
    """As the code calls it: `linear`; operators such as `+` by the name of their function, `add`."""
    name = str(getattr(func, "__name__", func))
    if name == "__get__":
        owner = getattr(func, "__self__", None)
        name = str(getattr(owner, "__name__", name))
    if name.startswith("__") and name.endswith("__"):
        bare = name[2:-2]
        if bare.startswith("r") and bare[1:] in _REFLECTED:
            return bare[1:]
        return bare[1:] + "_" if bare.startswith("i") and bare[1:] in _REFLECTED else bare
    return name


_REFLECTED = frozenset(["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "div", "and", "or", "xor"])
