"""Every kind of checkpoint that transformers builds, saved to a folder as its users have it, and loaded by `hf:`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from precision.errors import InputError, UnsupportedError
from precision.measure.models.loading import LoadedModel, load
from precision.spec import RunSpec
from tests.measure.models.conftest import save_tokenizer

Made = Callable[[Path], Any]
_TEXT: dict[str, Any] = {
    "vocab_size": 16, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_VISION: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
_SOUND: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": (16, 16), "conv_kernel": (10, 3), "conv_stride": (40, 8), "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "vocab_size": 16, "pad_token_id": 0,
}  # fmt: skip
_T: Any = transformers
_UNKNOWN = "<unk>"


def _saved(model: Any, folder: Path, *processors: Any, text: bool = False) -> Any:
    model.save_pretrained(folder)
    for processor in processors:
        processor.save_pretrained(folder)
    if text:
        save_tokenizer(folder)
    return model.eval()


def _images(side: int = 32) -> Any:
    return _T.ViTImageProcessorPil(size={"height": side, "width": side})


def bert(head: str) -> Made:
    return lambda folder: _saved(getattr(_T, head)(_T.BertConfig(**_TEXT)), folder, text=True)


def vit(folder: Path) -> Any:
    return _saved(_T.ViTForImageClassification(_T.ViTConfig(**_VISION, num_labels=5)), folder, _images())


def segformer(folder: Path) -> Any:
    config = _T.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 16], num_attention_heads=[1, 2],
        patch_sizes=[7, 3], strides=[4, 2], mlp_ratios=[2, 2], decoder_hidden_size=16, num_labels=3,
    )  # fmt: skip
    return _saved(_T.SegformerForSemanticSegmentation(config), folder, _images(64))


def clip(folder: Path) -> Any:
    config = _T.CLIPConfig(text_config=_TEXT, vision_config=_VISION, projection_dim=8)
    return _saved(
        _T.CLIPModel(config), folder, _T.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32), text=True
    )


def clip_vision(folder: Path) -> Any:
    config = _T.CLIPVisionConfig(**_VISION, projection_dim=8)
    return _saved(_T.CLIPVisionModelWithProjection(config), folder, _T.CLIPImageProcessorPil(crop_size=32))


def captioner(folder: Path) -> Any:
    decoder = _T.BertConfig(**_TEXT, is_decoder=True, add_cross_attention=True)
    config = _T.VisionEncoderDecoderConfig.from_encoder_decoder_configs(_T.ViTConfig(**_VISION), decoder)
    config.decoder_start_token_id, config.pad_token_id = 1, 0
    return _saved(_T.VisionEncoderDecoderModel(config), folder, _images(), text=True)


def llava(folder: Path) -> Any:
    text = {**_TEXT, "model_type": "llama", "vocab_size": 32}
    config = _T.LlavaConfig(
        text_config=text, vision_config={**_VISION, "model_type": "clip_vision_model"}, image_token_id=9,
        image_seq_length=16, vision_feature_layer=-1,
    )  # fmt: skip
    words = Tokenizer(models.WordLevel({_UNKNOWN: 0, "Describe": 3, "this": 4, "<image>": 9}, unk_token=_UNKNOWN))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer_class: Any = PreTrainedTokenizerFast
    tokenizer = tokenizer_class(tokenizer_object=words, unk_token=_UNKNOWN, pad_token=_UNKNOWN)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    processor = _T.LlavaProcessor(
        image_processor=_T.CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=32), tokenizer=tokenizer,
        patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
    )  # fmt: skip
    return _saved(_T.LlavaForConditionalGeneration(config), folder, processor)


def wav2vec(head: str) -> Made:
    return lambda folder: _saved(
        getattr(_T, head)(_T.Wav2Vec2Config(**_SOUND, num_labels=4)), folder, _T.Wav2Vec2FeatureExtractor()
    )


def whisper(folder: Path) -> Any:
    config = _T.WhisperConfig(
        vocab_size=16, num_mel_bins=16, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, max_source_positions=200,
        max_target_positions=64, pad_token_id=0, bos_token_id=1, eos_token_id=1, decoder_start_token_id=2,
    )  # fmt: skip
    extractor = _T.WhisperFeatureExtractor(feature_size=16, chunk_length=4)
    return _saved(_T.WhisperForConditionalGeneration(config), folder, extractor, text=True)


def speech_to_text(folder: Path) -> Any:
    config = _T.Speech2TextConfig(
        vocab_size=16, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, input_feat_per_channel=80, conv_channels=16,
        max_target_positions=64, pad_token_id=0, bos_token_id=1, eos_token_id=1, decoder_start_token_id=1,
    )  # fmt: skip
    return _saved(_T.Speech2TextForConditionalGeneration(config), folder, _T.Speech2TextFeatureExtractor(), text=True)


def spectrogram(folder: Path) -> Any:
    config = _T.ASTConfig(**{**_VISION, "patch_size": 16}, max_length=128, num_mel_bins=32, num_labels=3)
    return _saved(_T.ASTForAudioClassification(config), folder, _T.ASTFeatureExtractor(max_length=128, num_mel_bins=32))


KINDS: dict[str, tuple[Made, list[str]]] = {
    **{
        f"Bert{head}": (bert(f"Bert{head}"), ["input_ids", "attention_mask"])
        for head in ("ForMaskedLM", "ForTokenClassification", "ForQuestionAnswering", "ForNextSentencePrediction",
                     "ForPreTraining", "LMHeadModel")
    },
    "ViTForImageClassification": (vit, ["pixel_values"]),
    "SegformerForSemanticSegmentation": (segformer, ["pixel_values"]),
    "CLIPModel": (clip, ["input_ids", "attention_mask", "pixel_values"]),
    "CLIPVisionModelWithProjection": (clip_vision, ["pixel_values"]),
    "VisionEncoderDecoderModel": (captioner, ["pixel_values", "decoder_input_ids", "decoder_attention_mask"]),
    "LlavaForConditionalGeneration": (llava, ["input_ids", "attention_mask", "pixel_values"]),
    "Wav2Vec2ForCTC": (wav2vec("Wav2Vec2ForCTC"), ["input_values"]),
    "Wav2Vec2ForSequenceClassification": (wav2vec("Wav2Vec2ForSequenceClassification"), ["input_values"]),
    "WhisperForConditionalGeneration": (whisper, ["input_features", "decoder_input_ids", "decoder_attention_mask"]),
    "Speech2TextForConditionalGeneration": (
        speech_to_text,
        ["input_features", "attention_mask", "decoder_input_ids", "decoder_attention_mask"],
    ),
    "ASTForAudioClassification": (spectrogram, ["input_values"]),
}  # fmt: skip


def loaded(folder: Path, **settings: object) -> LoadedModel:
    return load(RunSpec.parse({"model": f"hf:{folder}", **settings}))


def outputs(module: Any, model: LoadedModel) -> list[torch.Tensor]:
    with torch.no_grad():
        found = module(*model.args, **model.kwargs)
    return [each for each in found.to_tuple() if isinstance(each, torch.Tensor)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_computes_what_transformers_computes_on_real_samples(tmp_path: Path, kind: str) -> None:
    made, names = KINDS[kind]
    torch.manual_seed(0)
    original = made(tmp_path)
    model = loaded(tmp_path)
    assert type(model.module).__name__ == kind == type(original).__name__
    assert model.input.real
    assert model.warnings == ()
    assert sorted(row[0] for row in model.input.tensors) == sorted(names)
    found, expected = outputs(model.module, model), outputs(original, model)
    assert len(found) == len(expected) > 0
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.equal(mine, theirs)
        assert mine.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_random_values_run(tmp_path: Path, kind: str) -> None:
    KINDS[kind][0](tmp_path)
    model = loaded(tmp_path, input="random", batch=3, length=4)
    assert not model.input.real
    assert model.input.tensors[0][2][0] == 3
    assert all(each.isfinite().all() for each in outputs(model.module, model))


def test_pictures_are_what_the_processor_makes_of_them(tmp_path: Path) -> None:
    vit(tmp_path)
    values = loaded(tmp_path, batch=2).kwargs["pixel_values"]
    from PIL import Image

    from precision.measure.models.samples import shipped

    pictures = [Image.open(path).convert("RGB") for path in shipped(pictures=True, sound=False).pictures[:2]]
    assert isinstance(values, torch.Tensor)
    assert torch.equal(values, _images()(pictures, return_tensors="pt")["pixel_values"])


def test_recordings_are_heard_at_the_models_own_rate(tmp_path: Path) -> None:
    model = _T.Wav2Vec2ForCTC(_T.Wav2Vec2Config(**_SOUND))
    _saved(model, tmp_path, _T.Wav2Vec2FeatureExtractor(sampling_rate=8_000))
    values = loaded(tmp_path).kwargs["input_values"]
    assert isinstance(values, torch.Tensor)
    # Two recordings of 2.99 and 3.29 s: both are cut to the shorter, since padding is no data.
    assert values.shape == (2, 23_920)
    assert values.std() == pytest.approx(1, abs=1e-3)


def test_a_decoder_reads_what_is_said(tmp_path: Path) -> None:
    whisper(tmp_path)
    model = loaded(tmp_path, text="the cat sat .")
    ids = model.kwargs["decoder_input_ids"]
    assert isinstance(ids, torch.Tensor)
    assert ids.tolist() == [[2, 2, 4, 6]]


def test_a_picture_has_its_place_in_the_text(tmp_path: Path) -> None:
    llava(tmp_path)
    ids = loaded(tmp_path, batch=2).kwargs["input_ids"]
    assert isinstance(ids, torch.Tensor)
    assert ((ids == 9).sum(1) == 16).all()


def test_more_pictures_than_there_are(tmp_path: Path) -> None:
    vit(tmp_path)
    with pytest.raises(InputError, match="A batch of 4 needs 4 pictures; there are 3"):
        loaded(tmp_path, batch=4)


def test_text_for_a_model_of_pictures(tmp_path: Path) -> None:
    vit(tmp_path)
    with pytest.raises(InputError, match=r"A ViTForImageClassification reads no text. Leave the text empty"):
        loaded(tmp_path, text="a cat")


def test_a_checkpoint_without_its_processor(tmp_path: Path) -> None:
    vit(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(InputError, match=r"what prepares its pictures or sound cannot be loaded.*'random'"):
        loaded(tmp_path)


def test_an_input_that_is_neither_text_nor_picture_nor_sound(tmp_path: Path) -> None:
    config = _T.PatchTSTConfig(num_input_channels=2, context_length=16, d_model=8, num_attention_heads=2, ffn_dim=8)
    _saved(_T.PatchTSTForPrediction(config), tmp_path)
    with pytest.raises(UnsupportedError, match="takes past_values: neither text, pictures nor recordings"):
        loaded(tmp_path)
    assert loaded(tmp_path, input="random").input.tensors[0] == ("past_values", "float32", (2, 16, 2))
