"""An analysis with a page, on the command line and in the library, is nine files."""

import json
from pathlib import Path

import pytest

from tests.zoo.grown import Edits, Grown

MEMBER = '    SIGNS = "signs"\n'
ROW = """\
        Analysis.SIGNS: AnalysisInfo(
            "precision.measure.signs:measure_signs",
            "precision.results.signs:SignsResult",
            (*_IN_REGIME, "reference"),
            "count the outputs below zero",
            "Counting the outputs of {model} below zero",
            "outputs of the {reference} reference",
        ),
"""
RESULT = '''\
"""The signs of the outputs."""

from precision.results.run import RunResult


class SignsResult(RunResult):
    """Elements of the first output."""

    below_zero: int | None
'''
FUNCTION = '''\
"""The signs of the outputs."""

from precision.measure.metrics.outputs import flatten
from precision.measure.preparation import Task
from precision.results.signs import SignsResult


def measure_signs(task: Task) -> SignsResult:
    """Count the elements of the first output below zero."""
    loaded = task.load()
    model = task.reference(loaded)
    output = flatten(model(loaded.args, loaded.kwargs)).leaves[0].tensor
    return SignsResult(**dict(task.head(loaded, model)), below_zero=int((output < 0).sum()))
'''
FINDING = '''\
"""The signs of the outputs, in a sentence and as a table."""

from precision.findings.tables import Column, Table, table_of
from precision.results.signs import SignsResult


def finding(result: SignsResult) -> str:
    """The title of the page."""
    return f"{result.below_zero:,} outputs are below zero"


def signs_table(result: SignsResult) -> Table:
    """One row."""
    return table_of((Column("below zero", "count"),), [(result.below_zero,)])
'''
PAGE = '''\
"""Signs: how many outputs are below zero?"""

from pages.ui import frame
from pages.ui.job import current_result
from pages.ui.shell.guard import enter_through_router
from precision.findings.signs import finding
from precision.results.signs import SignsResult

enter_through_router()
shown = current_result(SignsResult)
frame.header(finding(shown), shown)
frame.footer(shown, how_to_read="Zero is not below zero.")
'''
CALL = '''\
def signs(model: Model, inputs: object = None, **settings: Unpack[Reference]) -> Measured[Any]:
    """Count the outputs below zero. As `compare` otherwise."""
    return _run(Analysis.SIGNS, Measured, model, inputs, settings)


'''
ADDED: dict[str, Edits] = {
    "precision/spec/analysis.py": (('    MEMORY = "memory"', MEMBER), ("        Analysis.MEMORY: ", ROW)),
    "precision/results/signs.py": RESULT,
    "precision/measure/signs.py": FUNCTION,
    "precision/findings/signs.py": FINDING,
    "precision/findings/main_tables.py": (
        ("from precision.findings.tables import", "from precision.findings.signs import signs_table\n"),
        ('    Analysis.MEMORY: ("', '    Analysis.SIGNS: ("below_zero", signs_table),\n'),
    ),
    "precision/library/calls.py": (("def sweep(", CALL),),
    "precision/__init__.py": (("        sweep,\n", "        signs,\n"), ('"sweep", "testing"', '"signs", ')),
    "pages/signs.py": PAGE,
    "pages/ui/shell/menu.py": (
        ('        "methods": _Entry("Methods"', '        "signs": _Entry("Signs", "exposure"),\n'),
    ),
}
IN_PYTHON = """
import torch, precision as px
print(px.signs(torch.nn.Identity(), torch.tensor([-1.0, 0.0, 2.0, -3.0])).to_frame().to_json(orient="records"))
"""
IN_BROWSER = """
from streamlit.testing.v1 import AppTest
from pages.ui.job import engine
if __name__ == "__main__":
    app = AppTest.from_file("app.py", default_timeout=60)
    app.query_params["model"] = "tinynet"
    app.switch_page("pages/signs.py").run()
    engine().wait(app.session_state["jobs"]["signs"])
    print(app.run().title[0].value)
    engine().close()
"""

pytestmark = pytest.mark.slow


def test_it_has_a_page_a_command_and_a_function(tmp_path: Path) -> None:
    assert len(ADDED) <= 9
    grown = Grown(tmp_path, ADDED, folders=("precision", "pages"), files=("app.py", "pyproject.toml"))
    command = ("-m", "precision", "signs", "--model", "tinynet")
    below_zero = json.loads(grown.python(*command, "--json"))["below_zero"]
    assert below_zero > 0
    assert grown.python(*command).split()[-1] == str(below_zero)
    assert json.loads(grown.python("-c", IN_PYTHON)) == [{"below zero": 2}]
    assert f"{below_zero} outputs are below zero" in grown.python("-c", IN_BROWSER)
