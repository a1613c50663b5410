"""A plan as the library gives it: printed, run, exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from precision.cli.heading import paragraphs
from precision.cli.plan import plan_text
from precision.cli.tables import table_text
from precision.findings.plan import judged_text, left_wide_text, nearest_text, plan_table, verification_table
from precision.library.data_frame import frame_of
from precision.plan.choose import choose, report_in
from precision.plan.export import plan_code, plan_json
from precision.plan.verify import Tried, verified_within
from precision.results.plan import Plan, Verification
from precision.text.names import plain

if TYPE_CHECKING:
    import pandas as pd

    from precision.library.measured import Sensitivity


class Verified(Verification):
    """The measurements of a plan; printed, it says first whether the plan misses what was asked."""

    said: str = ""
    """That the plan misses it, breaks an output or is of no use, and which one holds; empty where it is as asked."""
    left_wide: str = ""
    """What the plan leaves in the reference's precision besides layers, and at what price; empty without any."""

    def __str__(self) -> str:
        """What is to be said first, predicted beside measured, and what is left wide."""
        first, last = (plain(text, limit=None) if text else "" for text in (self.said, self.left_wide))
        return paragraphs(first, table_text(verification_table(self)), last)

    __repr__ = __str__


@dataclass(repr=False, eq=False)
class MixedPlan:
    """A format for every layer."""

    plan: Plan
    sensitivity: Sensitivity
    """What it was chosen from."""
    budget: Mapping[str, Any] = field(default_factory=dict)
    """What was asked of it: the settings of `Sensitivity.plan`."""
    verification: Verified | None = None
    """What a run of the plan measured, once `verify` has run it."""
    nearest: MixedPlan | None = None
    """Where the plan misses the SQNR that it was asked for, another that holds, run; None where none was found."""

    @property
    def formats(self) -> dict[str, str]:
        """The format of every layer that is not in the reference's, by fqn."""
        return {fqn: name for fqn, name in self.plan.pairs if name != self.plan.reference}

    def verify(self) -> Verified:
        """Run the plan, and measure what was predicted of it.

        Where it misses the SQNR that it was asked for, plans for less error are run too, as the command line does:
        one that holds is `nearest`. The plan itself stays as it is.
        """
        result = self.sensitivity.result
        report = report_in(result)

        def again(least: float) -> Plan:
            return choose(result, **{**self.budget, "min_sqnr": least})

        first, *others = verified_within(self.plan, report, again, self.sensitivity.run)
        self.nearest = None
        if others and others[-1].holds:
            last = others[-1]
            judged = judged_text(last.verification, report, last.plan)
            self.nearest = MixedPlan(last.plan, self.sensitivity, self.budget, _verified(last, judged))
        said = f"{judged_text(first.verification, report, first.plan)} {self._offered()}".strip()
        self.verification = _verified(first, said)
        return self.verification

    def _offered(self) -> str:
        """What a plan that holds measured, and where it is."""
        found, report = self.nearest and self.nearest.verification, self.sensitivity.result.report
        return f"{nearest_text(found, report)} It is `nearest` of this plan." if found and report else ""

    def code(self) -> str:
        """PyTorch code that applies this plan, without this package.

        Raises:
            InputError: a format of the plan has no PyTorch code.
        """
        return plan_code(self.plan)

    def to_json(self) -> str:
        """The plan as JSON."""
        return plan_json(self.plan)

    def to_frame(self) -> pd.DataFrame:
        """A row for each layer."""
        return frame_of(plan_table(self.plan, self.sensitivity.result.report))

    def to_text(self) -> str:
        """All of it, as the command line prints it."""
        return plan_text(self.sensitivity.result, self.plan, self.verification, nearest=self._offered())

    __str__ = to_text
    __repr__ = to_text


def _verified(tried: Tried, said: str = "") -> Verified:
    return Verified.model_validate({**dict(tried.verification), "said": said, "left_wide": left_wide_text(tried.plan)})
