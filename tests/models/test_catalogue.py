import subprocess
import sys

import pytest

from precision.errors import InputError
from precision.models.catalogue import CATALOGUE, describe
from precision.results import ModelDescription

every_model = pytest.mark.parametrize("description", CATALOGUE, ids=lambda description: description.id)


def test_ids_are_unique() -> None:
    ids = [description.id for description in CATALOGUE]
    assert len(set(ids)) == len(ids)


@every_model
def test_random_weights_are_named_in_the_title(description: ModelDescription) -> None:
    assert ("(random weights)" in description.title) == (description.weights == "random")


@every_model
def test_a_description_is_complete(description: ModelDescription) -> None:
    assert describe(description.id) is description
    assert description.inputs
    assert description.good_for.endswith(".")
    assert description.licence
    assert description.parameters


@every_model
def test_random_inputs_say_so(description: ModelDescription) -> None:
    for choice in description.inputs:
        if choice.name == "random":
            assert not choice.real
            assert choice.description.startswith("Random values")
            assert choice.default_batch


def test_an_unknown_model_names_near_matches() -> None:
    with pytest.raises(InputError, match=r"Unknown model 'tinynett'. Did you mean tinynet\?"):
        describe("tinynett")


def test_an_unknown_model_without_near_matches_lists_all() -> None:
    with pytest.raises(InputError, match="Known: tinynet, linear-5-10, digits"):
        describe("%%%")


def test_a_checkpoint_is_described_before_it_is_loaded() -> None:
    description = describe("hf:owner/some-encoder")
    assert description.id == "hf:owner/some-encoder"
    assert description.title == "some-encoder (pretrained)"
    assert description.weights == "trained"
    assert description.parameters is None


def test_a_checkpoint_needs_a_name() -> None:
    with pytest.raises(InputError, match="must be followed by a hub id or a local folder"):
        describe("hf: ")


def test_the_catalogue_imports_no_torch() -> None:
    code = "import sys, precision.models.catalogue, precision.models.request; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
