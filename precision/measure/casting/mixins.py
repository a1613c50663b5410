"""Modules whose forward is changed from within: a class mixed into theirs, rather than a wrapper around them."""

from torch import nn

_MIXED_IN = "_mixed_in"
"""Attribute of a class that `mix_in` made: what it mixed in."""


def mix_in(module: nn.Module, mixin: type) -> None:
    """Put `mixin` before the class of `module`, under the same name; copies of the module keep it."""
    kind = type(module)
    names = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        _MIXED_IN: mixin,
    }
    module.__class__ = type(kind.__name__, (mixin, kind), names)


def mix_in_alike(module: nn.Module, *, like: nn.Module) -> None:
    """Mix into `module`, which was built anew, what was mixed into the modules of the same names of `like`."""
    built = dict(module.named_modules())
    for fqn, child in like.named_modules():
        mixin = vars(type(child)).get(_MIXED_IN)
        if isinstance(mixin, type):
            twin = built[fqn]
            mix_in(twin, mixin)
            for name in vars(child).keys() - vars(twin).keys():
                setattr(twin, name, vars(child)[name])


def require_forward(module: nn.Module) -> None:
    """Have torch call the forward of `module`: fused kernels skip it, and use its weights, where it has no hook."""
    module.register_forward_hook(_nothing)


def _nothing(_module: nn.Module, _inputs: object, _output: object) -> None:
    return None
