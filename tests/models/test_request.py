import pytest

from precision.errors import InputError
from precision.models.catalogue import describe
from precision.models.request import InputRequest, request_input
from precision.spec import RunSpec


def request(model: str, **settings: object) -> InputRequest:
    return request_input(describe(model), RunSpec.parse({"model": model, **settings}))


def test_the_default_is_the_first_input_at_its_own_size() -> None:
    asked = request("bert-tiny")
    assert (asked.choice.name, asked.batch, asked.length) == ("random", 4, 64)


def test_the_size_asked_for_is_kept() -> None:
    asked = request("bert-tiny", batch=3, length=512)
    assert (asked.batch, asked.length) == (3, 512)


def test_an_unknown_input_lists_the_choices() -> None:
    with pytest.raises(InputError, match=r"digits has no input 'photos'. It offers: test-set, random"):
        request("digits", input="photos")


def test_text_for_a_model_that_reads_none() -> None:
    with pytest.raises(InputError, match="'random' of bert-tiny takes no text"):
        request("bert-tiny", text="Hello.")


def test_blank_text() -> None:
    with pytest.raises(InputError, match="The text is empty"):
        request("minilm", text=" \n ")


def test_length_for_an_input_without_one() -> None:
    with pytest.raises(InputError, match="'test-set' of digits has a fixed length"):
        request("digits", length=8)


def test_batch_for_a_fixed_input() -> None:
    with pytest.raises(InputError, match="'fixed' of tinynet has a fixed batch"):
        request("tinynet", batch=8)


def test_length_beyond_the_positions() -> None:
    with pytest.raises(InputError, match="takes a length of at most 512, not 513"):
        request("bert-base", length=513)


def test_batch_beyond_the_test_set() -> None:
    with pytest.raises(InputError, match="takes a batch of at most 450, not 451"):
        request("digits", batch=451)
