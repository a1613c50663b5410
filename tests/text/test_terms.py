import pytest

from precision.errors import InputError
from precision.text.terms import TERMS, term_named


def test_words_are_unique_and_definitions_are_sentences() -> None:
    for term in TERMS.values():
        assert term.definition.endswith(".")
        assert "`" not in term.definition
        assert "  " not in term.definition


@pytest.mark.parametrize("word", ["native", "upcast", "simulated", "unsupported", "reference", "candidate", "ULP"])
def test_terms(word: str) -> None:
    assert term_named(word).word == word


def test_unknown_words_are_refused_with_near_ones() -> None:
    with pytest.raises(InputError, match=r"glossary has no 'refrence'. Did you mean reference"):
        term_named("refrence")
