"""Where the dashboard shows a result: the page and its query."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from precision.results import AnalysisResult
from precision.spec import Analysis, RunSpec

_PAGES: Mapping[Analysis, tuple[str, Mapping[str, str]]] = {
    Analysis.COMPARE: ("", {}),
    Analysis.LAYERS: ("propagation", {}),
    Analysis.RANGES: ("ranges", {}),
    Analysis.SENSITIVITY: ("mixed_precision", {}),
    Analysis.REGIMES: ("regimes", {}),
    Analysis.ROUTES: ("casting", {"section": "Routes"}),
    Analysis.CLAIMS: ("casting", {"section": "Claims"}),
    Analysis.TRAINING: ("casting", {"section": "Training"}),
    Analysis.AUTOCAST: ("casting", {"section": "Autocast"}),
}
"""The page that shows an analysis first, with what its link says of the page's own view; others have no page."""


def query_of(spec: RunSpec) -> dict[str, str]:
    """What a link says of a run: model and format always, whatever the defaults of a later version are."""
    return {"model": spec.model, "dtype": spec.dtype} | spec.to_query()


def page_link(spec: RunSpec) -> str | None:
    """The address of the page that shows a run, from the dashboard's root; None where no page does."""
    page, view = _PAGES.get(spec.analysis, (None, {}))
    query = query_of(spec)
    query = {name: value for name, value in query.items() if name not in ("formats", "exact")}  # which a page keeps
    return None if page is None else f"{page}?{urlencode({**query, **view})}"


def first_link(results: Iterable[AnalysisResult]) -> str:
    """The page to open first: of a comparison, else of the first result that has one; Overview where none has."""
    specs = sorted((result.spec for result in results), key=lambda spec: spec.analysis is not Analysis.COMPARE)
    return next(filter(None, map(page_link, specs)), "")
