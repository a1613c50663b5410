"""What other analyses have measured of the same run, for pages that show it beside their own."""

from typing import TypeVar

from pages.ui import state
from pages.ui.job import engine
from pages.ui.side_jobs import SideJobs
from precision.analyses import analysis_of
from precision.errors import PrecisionError
from precision.results import AnalysisResult

R = TypeVar("R", bound=AnalysisResult)


def known(kind: type[R]) -> R | None:
    """The result of that kind for what the sidebar asks; None where it was not measured."""
    try:
        job = engine().stored(state.spec(analysis_of(kind)).measured)
    except PrecisionError:
        return None
    return job.result if job is not None and isinstance(job.result, kind) else None


def known_or_offered(kind: type[R], *, place: str, label: str, says: str) -> R | None:
    """As `known`; where it was not measured, a button that measures it, then its progress.

    A page that may draw it twice names each `place`.
    """
    if (result := known(kind)) is not None:
        return result
    spec = state.spec(analysis_of(kind)).measured
    jobs = SideJobs(f"{place}-{spec.analysis}")
    if jobs.job(spec) is None:
        key = f"measure-{jobs.purpose}"
        jobs.button(label, spec, key=key, icon=":material/play_arrow:", says=says, again=True)
    else:
        jobs.show(spec)
    return None
