"""Single operators of a module's own code that run in the reference's precision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from precision.errors import InputError
from precision.measure.casting.changed_operators import Arguments, changed_operators, in_wide
from precision.measure.casting.memory_spans import storage_of
from precision.measure.casting.operator_names import operator_name
from precision.measure.casting.stored_tensors import stored_tensors
from precision.spec.keep import Kept
from precision.text.names import plain


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptOperators:
    """Operators that are kept, and what they use instead of what the cast stores."""

    operators: tuple[Kept, ...]
    stored: nn.Module
    """The reference's tensors, under the same names."""
    wide: torch.dtype
    low: torch.dtype | None
    """To which a result that is left wide is cast where it goes into a module inside; None under autocast."""
    device: str

    @contextmanager
    def in_run_of(self, module: nn.Module) -> Iterator[None]:
        """Inside, a run of `module` keeps them.

        Raises:
            InputError: the run ended, and one of them was not called by the code of its module.
        """
        exact = {each.fqn: each.tensor for each in stored_tensors(self.stored)}
        tensors = {storage_of(each.tensor): exact[each.fqn] for each in stored_tensors(module) if each.fqn in exact}
        seen: dict[Kept, set[str]] = {kept: set() for kept in self.operators}
        with ExitStack() as stack:
            for kept in self.operators:
                wide = in_wide(self.wide, device=self.device, stays_wide=kept.stays_wide, exact=tensors)

                def change(
                    func: Callable[..., object],
                    given: Arguments,
                    kept: Kept = kept,
                    wide: Callable[[Callable[..., object], Arguments], object] = wide,
                ) -> object:
                    seen[kept].add(name := operator_name(func))
                    return wide(func, given) if name == kept.operator else func(*given[0], **given[1])

                low = self.low if kept.stays_wide else None
                stack.enter_context(changed_operators(module, kept.fqn, "", change, handed_in=low))
            yield
        for kept, names in seen.items():
            if kept.operator not in names:
                there = f"It calls: {', '.join(sorted(names))}." if names else "It calls none."
                whose = plain(kept.fqn) if kept.fqn else "the model"
                raise InputError(
                    f"The own code of {whose}, outside the modules in it, calls no operator {plain(kept.operator)} to "
                    f"keep. {there}"
                )
