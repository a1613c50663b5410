from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from precision.errors import InputError, JobCancelledError
from precision.measure.models.foreign_files import check_folder, explained, opened, read_bytes

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(InputError, match=r"config\.json is not a regular file"), opened(tmp_path / "config.json"):
        pass
    with pytest.raises(InputError, match=r"config\.json is not a regular file"):
        check_folder(tmp_path)


def test_a_socket_a_device_and_a_folder_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "merges.txt"))
        with pytest.raises(InputError, match=r"merges\.txt cannot be read"), opened(tmp_path / "merges.txt"):
            pass
        with pytest.raises(InputError, match=r"merges\.txt is not a regular file"):
            check_folder(tmp_path)
    for path in (Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match="is not a regular file"), opened(path):
            pass


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_folder_where_a_file_is_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(InputError, match="is a folder where a file is expected"):
        check_folder(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").touch(mode=0)
    with pytest.raises(InputError, match=r"vocab\.txt cannot be read: permission denied"):
        check_folder(tmp_path)


def test_a_link_that_leads_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (tmp_path / "secret.json").write_text("{}")
    (folder / "vocab.json").write_text("{}")
    (folder / "config.json").symlink_to("vocab.json")
    assert check_folder(folder) == {"vocab.json", "config.json"}
    (folder / "tokenizer.json").symlink_to("../secret.json")
    with pytest.raises(InputError, match=r"tokenizer\.json is a link that leads out"):
        check_folder(folder)


@pytest.mark.parametrize("target", ["nowhere", "config.json"])
def test_a_link_to_nowhere_or_itself(tmp_path: Path, target: str) -> None:
    (tmp_path / "config.json").symlink_to(target)
    with pytest.raises(InputError, match=r"config\.json cannot be read"):
        check_folder(tmp_path)


def test_the_cache_of_hugging_face_links_to_its_blobs_and_to_no_other_models(tmp_path: Path) -> None:
    own, other = (tmp_path / name for name in ("models--a--b", "models--c--d"))
    for model in (own, other):
        (model / "blobs").mkdir(parents=True)
        (model / "blobs" / "1").write_text("{}")
    snapshot = own / "snapshots" / "0"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").symlink_to("../../blobs/1")
    assert check_folder(snapshot) == {"config.json"}
    (snapshot / "vocab.json").symlink_to("../../../models--c--d/blobs/1")
    with pytest.raises(InputError, match=r"vocab\.json is a link that leads out"):
        check_folder(snapshot)


def test_templates_that_transformers_reads_from_a_folder_of_their_own(tmp_path: Path) -> None:
    templates = tmp_path / "checkpoint" / "additional_chat_templates"
    templates.mkdir(parents=True)
    os.mkfifo(templates / "tool.jinja")
    with pytest.raises(InputError, match=r"tool\.jinja is not a regular file"):
        check_folder(templates.parent)
    (templates / "tool.jinja").unlink()
    templates.rmdir()
    (tmp_path / "elsewhere").mkdir()
    templates.symlink_to("../elsewhere")
    with pytest.raises(InputError, match="additional_chat_templates is a link that leads out"):
        check_folder(templates.parent)


def test_what_nobody_opens_may_be_anything(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pytorch_model.bin")
    (tmp_path / "onnx").symlink_to("/")
    assert check_folder(tmp_path) == frozenset()


def test_sizes_and_numbers_of_files_are_bounded(tmp_path: Path) -> None:
    with (tmp_path / "tokenizer.json").open("wb") as file:
        file.truncate(64 * 2**20 + 1)
    with pytest.raises(InputError, match=r"tokenizer\.json is larger than 67108864 bytes"):
        check_folder(tmp_path)
    with pytest.raises(InputError, match="is larger than 1000 bytes"):
        read_bytes(tmp_path / "tokenizer.json", 1000)
    (tmp_path / "tokenizer.json").unlink()
    for number in range(10_001):
        (tmp_path / str(number)).symlink_to("/")
    with pytest.raises(InputError, match="has more than 10000 files"):
        check_folder(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: no such file or directory"):
        check_folder(tmp_path / "none")


def test_what_libraries_raise_becomes_a_sentence() -> None:
    panic = type("PanicException", (BaseException,), {})
    for error in (ValueError("a\nb" + "x" * 1000), panic("of Rust")):
        with pytest.raises(InputError, match=r"^its tokenizer: (a b|of Rust)") as raised, explained("its tokenizer"):
            raise error
        assert len(str(raised.value)) < 300
    for passed in (JobCancelledError("stop"), MemoryError(), KeyboardInterrupt()):
        with pytest.raises(type(passed)), explained("its tokenizer"):
            raise passed
