"""What one recorded run of a model in one precision showed: dtypes at every call, and how modules use tensors."""

from collections.abc import Mapping
from functools import cached_property

from precision.results.base import Result

Dtypes = tuple[str, ...]
"""Names of the dtypes of the distinct tensors in a structure, in order."""


class ModuleFlow(Result):
    """One module in that run."""

    fqn: str
    """Its first name."""
    inputs: tuple[Dtypes, ...] = ()
    """What each call was given; one for all calls where they agree, none where it was not called."""
    outputs: tuple[Dtypes, ...] = ()
    """What each call returned, in the same way."""
    computes: bool = False
    """Whether its own code, outside the modules that it calls, makes new values from floating-point ones."""
    writes: bool = False
    """Whether it writes to its inputs."""
    borrows: tuple[tuple[str, str], ...] = ()
    """The parameters and buffers of other modules that its own code uses: fqn of their module, and name."""
    callers: tuple[str, ...] = ()
    """The modules whose own code calls it."""
    is_leaf: bool = False
    """Whether it has no modules inside."""
    is_scripted: bool = False
    """Whether it is TorchScript, whose code cannot have a precision of its own."""

    def inputs_of(self, call: int) -> Dtypes | None:
        """The dtypes of what a call was given; None without calls."""
        return self.inputs[min(call, len(self.inputs) - 1)] if self.inputs else None

    def outputs_of(self, call: int) -> Dtypes | None:
        """The dtypes of what a call returned; None without calls."""
        return self.outputs[min(call, len(self.outputs) - 1)] if self.outputs else None


class Flow(Result):
    """A whole run; without modules where none was recorded."""

    modules: tuple[ModuleFlow, ...] = ()
    """Every module of the model, called or not."""
    raised: tuple[str, ...] = ()
    """The modules that raised: the run went on with their inputs cast, or with them in the reference's precision."""

    @cached_property
    def by_name(self) -> Mapping[str, ModuleFlow]:
        """The modules by fqn."""
        return {module.fqn: module for module in self.modules}
