"""A format is one row: with one more in the table, everything that lists formats has it."""

import json
from pathlib import Path

import pytest

from tests.zoo.grown import Grown

ROW = """\
    NumericFormat(
        name="float3_e2m0fn", exponent_bits=2, mantissa_bits=0, specials="finite", aliases=("fp3",),
        default_for=("sweep",),
    ),
"""
END_OF_FORMATS = ')  # fmt: skip\n"""Floating-point formats without scales'

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    return Grown(tmp_path_factory.mktemp("format"), {"precision/formats/table.py": ((END_OF_FORMATS, ROW),)})


def test_its_constants_and_its_rounding_are_tested(grown: Grown, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    places = ("tests/formats", "tests/charts/test_palette.py", "tests/measure/rounding/test_numeric.py")
    grown.tests(
        *places, "--ignore=tests/formats/test_new_format.py", "-k", "float3_e2m0fn or look", f"--junitxml={report}"
    )
    assert "test_formats_that_no_package_has_agree_with_fractions[float3_e2m0fn]" in report.read_text()


def test_the_command_line_lists_it_and_runs_it(grown: Grown) -> None:
    assert "float3_e2m0fn" in grown.python("-m", "precision", "sweep", "--help").replace("\n", "").replace(" ", "")
    assert "float3_e2m0fn" in {row["name"] for row in json.loads(grown.python("-m", "precision", "formats", "--json"))}
    found = json.loads(grown.python("-m", "precision", "compare", "--model", "tinynet", "--dtype", "fp3", "--json"))
    assert found["spec"]["dtype"] == "float3_e2m0fn"
    assert found["execution"]["label"] == "simulated"
