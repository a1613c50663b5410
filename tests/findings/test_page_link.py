from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from precision import analyses
from precision.findings.page_link import first_link, page_link
from precision.spec import Analysis, RunSpec
from tests.pages.conftest import PAGES


@pytest.mark.parametrize("analysis", Analysis, ids=str)
def test_a_link_leads_to_a_page_and_asks_for_the_same_run(analysis: Analysis) -> None:
    spec = RunSpec(model="module:A & B", dtype="bfloat16", seed=7, analysis=analysis).measured
    link = page_link(spec)
    if analysis in (Analysis.AUDIT, Analysis.ERRORS, Analysis.MEMORY, Analysis.DEVICE_SPEED):
        assert link is None
        return
    parts = urlsplit(link or "")
    assert f"pages/{parts.path or 'overview'}.py" in PAGES
    query = {name: values[0] for name, values in parse_qs(parts.query).items() if name != "section"}
    assert RunSpec.parse(query | {"analysis": analysis}).measured == spec


def test_a_comparison_is_opened_first() -> None:
    audited, compared = (analyses.run(RunSpec(analysis=each)) for each in (Analysis.AUDIT, Analysis.COMPARE))
    assert first_link([audited, compared]) == page_link(compared.spec)
    assert first_link([audited]) == ""
