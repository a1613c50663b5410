"""`python -m precision claims`: it prints what is measured, and reads from top to bottom."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from precision.cli.claims import claims_text
from precision.cli.main import main
from precision.results import ClaimsResult

Captured = pytest.CaptureFixture[str]


def test_claims_prints_question_claim_verdict_and_evidence(capsys: Captured) -> None:
    assert main(["claims", "--only", "to-casts-more", "--only", "named-parameters", "--model", "digits"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    for line in (
        "2 claims: 1 false, 1 depends.",
        "Does to(torch.float16) cast tensors that half() leaves alone?  [to-casts-more]",
        "  - Cast by to(torch.float16) alone: none",
        "  - Floating-point buffers of the model: 6",
        "  - Buffers and attributes, not listed: 6 × float32, 3 × int64",
    ):
        assert line in lines
    assert [line for line in lines if line.startswith("“")] == [
        "“Loading Models in Different Data Types”",
        "“The Difference between model.half() and model.to(dtype=torch.float16)”",
    ]
    assert "import torch" not in printed.out
    assert "Candidate" not in printed.out


def test_claims_shows_the_code_where_asked(capsys: Captured) -> None:
    assert main(["claims", "--only", "half-casts-parameters", "--code"]) == 0
    assert "      import torch\n" in capsys.readouterr().out


def test_claims_as_json_reads_back_and_prints_the_same(capsys: Captured) -> None:
    assert main(["claims", "--only", "memory-halved", "--json"]) == 0
    printed = capsys.readouterr().out
    result = ClaimsResult.model_validate_json(printed)
    claim = result.claims[0]
    assert (claim.id, claim.verdict, result.of) == ("memory-halved", "true", 1)
    assert json.loads(printed)["claims"][0]["evidence"][0] == {
        "label": "Before",
        "text": "120 B",
        "number": 120,
        "unit": "bytes",
    }
    assert "True, for this model. Stored tensors take 50.0 % of the bytes" in claims_text(result, code=False)


def test_what_imports_transformers_says_nothing_else() -> None:
    claims = ("--only", "loaded-in-float32", "--only", "half-from-transformers")
    command = [sys.executable, "-m", "precision", "claims", *claims]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)  # a process that has not imported it yet
    assert ran.stderr == ""


def test_a_misspelt_claim_is_refused_in_one_line(capsys: Captured) -> None:
    assert main(["claims", "--only", "half-optimised"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "python -m precision: error: Unknown claim 'half-optimised'. Did you mean half-optimized?\n"
