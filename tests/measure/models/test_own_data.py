import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from safetensors.torch import save_file

import precision as px
from precision import analyses
from precision.errors import InputError
from precision.measure.models.digits import DigitsNet
from precision.measure.models.loading import LoadedModel, load
from precision.models.roots import confined_to
from precision.results import ClassDecisions, CompareResult
from precision.spec import Analysis, RunSpec
from tests.measure.models.pretrained import test_heads as heads
from tests.runs import Recorder

RANDOM = np.random.default_rng(0)


def loaded(data: Path, model: str = "digits", **settings: object) -> LoadedModel:
    return load(RunSpec.parse({"model": model, "data": str(data), **settings}))


def refused(data: Path, reason: str, model: str = "digits") -> None:
    with pytest.raises(InputError, match=reason):
        loaded(data, model)


def first(model: LoadedModel) -> torch.Tensor:
    tensor = model.named(model.args, model.kwargs)[model.input.tensors[0][0]]
    assert isinstance(tensor, torch.Tensor)
    return tensor


@pytest.fixture
def classifier(tmp_path: Path) -> str:
    """A classifier of sentences that knows its classes by name."""
    folder = tmp_path / "classifier"
    heads.bert("BertForSequenceClassification")(folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "bad", "1": "good"}, "label2id": {"bad": 0, "good": 1}}
    (folder / "config.json").write_text(json.dumps(config))
    return f"hf:{folder}"


def test_one_array_is_the_first_argument_in_batches(tmp_path: Path) -> None:
    images = RANDOM.random((70, 1, 8, 8))
    np.save(tmp_path / "images.npy", images)
    model = loaded(tmp_path / "images.npy")
    assert model.input.real
    batches = [first(model), *(batch.kwargs["images"] for batch in model.more)]
    assert [len(batch) for batch in batches if isinstance(batch, torch.Tensor)] == [32, 32, 6]
    assert np.array_equal(torch.cat([b for b in batches if isinstance(b, torch.Tensor)]), images.astype(np.float32))


def test_a_model_that_is_loaded_once_is_measured_again_on_all_batches(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", RANDOM.random((70, 1, 8, 8)))
    model = px.load("digits", data=str(tmp_path / "images.npy"))
    for _ in range(2):
        result = px.compare(model, dtype="bfloat16", progress=False).result
        assert result.comparison
        assert result.comparison.outputs[0].shape == (70, 10)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_named_arrays_with_true_classes_are_compared_over_all_batches(tmp_path: Path, suffix: str) -> None:
    arrays = {"images": RANDOM.random((40, 1, 8, 8), np.float32), "labels": np.arange(40) % 10}
    path = tmp_path / f"set{suffix}"
    if suffix == ".npz":
        np.savez(path, allow_pickle=False, **arrays)  # type: ignore[arg-type]  # a wrong stub
    else:
        save_file({name: torch.from_numpy(array) for name, array in arrays.items()}, path)
    spec = RunSpec(model="digits", data=str(path), dtype="bfloat16", analysis=Analysis.ERRORS, batch=16)
    result = analyses.run(spec, Recorder())
    assert isinstance(result, CompareResult)
    assert result.comparison
    found = result.comparison.outputs[0].decisions
    assert isinstance(found, ClassDecisions)
    assert found.accuracy
    digits: Any = load(RunSpec(model="digits")).module
    assert isinstance(digits, DigitsNet)
    right = (digits(torch.from_numpy(arrays["images"])).argmax(1).numpy() == arrays["labels"]).sum()
    assert found.accuracy.samples == 40
    assert found.accuracy.reference == pytest.approx(right / 40)


def test_a_table_of_numbers(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("a,b,c,d,e\n1,2,3,4,5\n6,7,8,9,10.5\n")
    model = loaded(tmp_path / "table.csv", "linear-5-10")
    assert first(model).tolist() == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10.5]]
    assert first(model).dtype == torch.float32


def test_whole_numbers_are_floats_where_the_model_takes_numbers_and_stay_where_it_takes_ids(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((2, 1, 8, 8), np.uint8))
    assert first(loaded(tmp_path / "images.npy")).dtype == torch.float32
    np.save(tmp_path / "ids.npy", np.zeros((2, 8), np.int32))
    assert first(loaded(tmp_path / "ids.npy", "bert-tiny")).dtype == torch.int32


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"pixels": np.zeros((2, 1, 8, 8)), "more": np.zeros((2, 1))}, "takes no more, pixels; it takes images"),
        ({"labels": np.zeros(2, int)}, "also needs images: the file lacks them"),
        ({"images": np.zeros((2, 1, 8, 8)), "labels": np.zeros(3, int)}, "no common number of samples"),
        ({"images": np.zeros((0, 1, 8, 8))}, "no common number of samples"),
        ({"images": np.zeros(())}, "no common number of samples"),
        ({"images": np.zeros((2, 1, 8, 8)), "labels": np.full(2, 0.5)}, "one whole number for each sample"),
        ({"images": np.zeros((2, 1, 8, 8)), "labels": np.zeros((2, 2), int)}, "one whole number for each sample"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, np.ndarray], reason: str) -> None:
    np.savez(tmp_path / "set.npz", allow_pickle=False, **arrays)
    refused(tmp_path / "set.npz", reason)


def test_a_file_of_lines_is_read_at_one_length(tmp_path: Path, classifier: str) -> None:
    (tmp_path / "lines.txt").write_text("the cat sat .\n\nthe dog\n" * 10)
    model = loaded(tmp_path / "lines.txt", classifier)
    batches = [first(model), *(batch.kwargs["input_ids"] for batch in model.more)]
    assert [tuple(batch.shape) for batch in batches if isinstance(batch, torch.Tensor)] == [(16, 4), (4, 4)]
    assert model.labels is None


def test_a_table_of_texts_with_classes_by_name(tmp_path: Path, classifier: str) -> None:
    (tmp_path / "reviews.csv").write_text('label,text\ngood,"the cat, sat"\nBad,the dog\n')
    model = loaded(tmp_path / "reviews.csv", classifier)
    assert model.labels is not None
    assert model.labels.tolist() == [1, 0]
    assert model.texts == ("the cat, sat", "the dog")


def test_a_class_that_the_model_does_not_know(tmp_path: Path, classifier: str) -> None:
    (tmp_path / "reviews.csv").write_text("label,text\nawful,the cat\n")
    refused(tmp_path / "reviews.csv", "'awful' are no classes of this model, which calls them bad, good", classifier)


def test_a_row_that_is_too_short(tmp_path: Path, classifier: str) -> None:
    (tmp_path / "reviews.csv").write_text("text,label\nthe cat\n")
    refused(tmp_path / "reviews.csv", "row 2: there are fewer columns", classifier)


def test_labels_of_a_model_without_classes_play_no_part(tmp_path: Path) -> None:
    heads.bert("BertForMaskedLM")(tmp_path / "model")
    (tmp_path / "reviews.csv").write_text("text,label\nthe cat,1\n")
    model = loaded(tmp_path / "reviews.csv", f"hf:{tmp_path / 'model'}")
    assert model.labels is None
    assert model.warnings == ("The labels play no part: a BertForMaskedLM gives no classes.",)


@pytest.mark.parametrize("packed", [False, True])
def test_pictures_in_folders_of_their_classes(tmp_path: Path, *, packed: bool) -> None:
    heads.vit(tmp_path / "model")
    for name, colour in {"0/dark.png": 10, "3/light.png": 240}.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        Image.new("RGB", (40, 30), (colour,) * 3).save(tmp_path / "set" / name)
    data = tmp_path / "set"
    if packed:
        data = tmp_path / "set.zip"
        with zipfile.ZipFile(data, "w") as archive:
            for file in (tmp_path / "set").rglob("*.png"):
                archive.write(file, file.relative_to(tmp_path))
    model = loaded(data, f"hf:{tmp_path / 'model'}")
    assert model.labels is not None
    assert model.labels.tolist() == [0, 3]
    dark, light = first(model)
    assert dark.mean() < -0.8 < 0.8 < light.mean()


def test_pictures_for_a_model_that_sees_in_its_text(tmp_path: Path) -> None:
    heads.llava(tmp_path / "model")
    (tmp_path / "set").mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (40, 30)).save(tmp_path / "set" / name)
    ids = loaded(tmp_path / "set", f"hf:{tmp_path / 'model'}").kwargs["input_ids"]
    assert isinstance(ids, torch.Tensor)
    assert ((ids == 9).sum(1) == 16).tolist() == [True, True]


def test_recordings_of_unlike_lengths_run_one_by_one(tmp_path: Path) -> None:
    heads.wav2vec("Wav2Vec2ForCTC")(tmp_path / "model")
    (tmp_path / "set").mkdir()
    for name, seconds in {"a.wav": 1, "b.flac": 2}.items():
        soundfile.write(tmp_path / "set" / name, RANDOM.uniform(-0.5, 0.5, (seconds * 8000, 2)), 8000)
    model = loaded(tmp_path / "set", f"hf:{tmp_path / 'model'}")
    assert first(model).shape == (1, 16_000)
    (second,) = model.more
    values = second.kwargs["input_values"]
    assert isinstance(values, torch.Tensor)
    assert values.shape == (1, 32_000)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("set.bin", b"", "of no kind that is read"),
        ("set.txt", b"\n \n", "holds no line of text"),
        ("set.txt", b"\xff\xfe\x00", "is not text in UTF-8"),
        ("set.npy", b"nothing", "npy"),
        ("set.zip", b"nothing", "zip"),
        ("set.png", b"nothing", "takes arrays: images"),
    ],
)
def test_a_file_that_is_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, reason)


def test_recordings_that_are_refused(tmp_path: Path) -> None:
    heads.wav2vec("Wav2Vec2ForCTC")(tmp_path / "model")
    for name, reason in {"none.wav": "no recording that can be read", "empty.wav": "not empty"}.items():
        (tmp_path / name).write_bytes(b"RIFF nothing")
        if name == "empty.wav":
            soundfile.write(tmp_path / name, np.zeros((0, 1)), 8000)
        refused(tmp_path / name, reason, f"hf:{tmp_path / 'model'}")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path / "none.npy", "There is no file or folder")


def test_nothing_is_said_of_what_lies_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "there.npy").write_bytes(b"")
    said = set()
    with confined_to([tmp_path / "allowed"]):
        for name in ("there.npy", "none.npy"):
            with pytest.raises(InputError) as refusal:
                loaded(tmp_path / name)
            said.add(str(refusal.value).replace(name, ""))
    assert len(said) == 1


def test_data_beside_an_input_or_a_text(tmp_path: Path) -> None:
    for settings, reason in (({"input": "random"}, "leave one of them out"), ({"text": "a"}, "takes no text")):
        with pytest.raises(InputError, match=reason):
            loaded(tmp_path, **settings)
