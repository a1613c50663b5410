import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from pages.ui.upload.store import MOST_FILES, RefusedError, Uploads
from precision.models.uploads import DATA_FILES, MODEL_FILES

FILES = (("model/config.json", 3), ("model/model.safetensors", 5))


@pytest.fixture
def uploads(tmp_path: Path) -> Uploads:
    return Uploads(tmp_path / "uploads", session_limit=100, total_limit=150)


def sent(uploads: Uploads, ticket: str, files: Sequence[tuple[str, int]] = FILES) -> str:
    key = uploads.begin(ticket, files)
    for place, (_, size) in enumerate(files):
        file, expected = uploads.open(ticket, key, place)
        assert expected == size
        with file:
            file.write(b"x" * size)
        uploads.finished(ticket, key, place)
    return f"upload:{key}"


def test_files_lie_under_their_names_without_the_folder_that_all_are_in(uploads: Uploads, tmp_path: Path) -> None:
    reference = sent(uploads, uploads.offer("ann", "model", MODEL_FILES))
    upload = uploads.named(reference)
    assert upload
    assert upload.folder.parent == tmp_path / "uploads"
    assert sorted(file.name for file in upload.folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (upload.folder / "model.safetensors").read_bytes() == b"xxxxx"
    assert upload.folder.stat().st_mode & 0o777 == 0o700


def test_a_page_that_is_drawn_again_gives_the_same_ticket(uploads: Uploads) -> None:
    assert uploads.offer("ann", "model", MODEL_FILES) == uploads.offer("ann", "model", MODEL_FILES)
    assert uploads.offer("ann", "data", DATA_FILES) != uploads.offer("bob", "data", DATA_FILES)


def test_nothing_is_taken_without_an_offer(uploads: Uploads) -> None:
    with pytest.raises(RefusedError, match="No page takes this upload any more"):
        uploads.begin("guessed", FILES)


def test_another_ticket_does_not_reach_an_upload(uploads: Uploads) -> None:
    key = uploads.begin(uploads.offer("ann", "model", MODEL_FILES), FILES)
    other = uploads.offer("bob", "model", MODEL_FILES)
    for attempt in (lambda: uploads.open(other, key, 0), lambda: uploads.cancel(other, key)):
        with pytest.raises(RefusedError, match="This upload is not here"):
            attempt()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.json", "no name that can be kept"),
        ("/etc/evil.json", "no name that can be kept"),
        ("a/../../evil.json", "no name that can be kept"),
        ("a\\..\\evil.json", "no name that can be kept"),
        (".hidden.json", "no name that can be kept"),
        ("a/b/c/d/e.json", "no name that can be kept"),
        ("new\nline.json", "no name that can be kept"),
        ("turned\u202enosj.json", "no name that can be kept"),
        (f"{'x' * 201}.json", "no name that can be kept"),
        ("", "no name that can be kept"),
        ("pytorch_model.bin", "may hold code, which is never run here"),
        ("model.pt2", "may hold code"),
        ("model.gguf", "of no kind that is taken here"),
        ("modeling_own.py", "of no kind that is taken here"),
    ],
)
def test_a_name_that_is_refused(uploads: Uploads, tmp_path: Path, name: str, reason: str) -> None:
    ticket = uploads.offer("ann", "model", MODEL_FILES)
    with pytest.raises(RefusedError, match=reason):
        uploads.begin(ticket, [("config.json", 1), (name, 1)])
    assert not list((tmp_path / "uploads").iterdir())


def test_as_many_files_as_are_allowed(uploads: Uploads) -> None:
    ticket = uploads.offer("ann", "data", DATA_FILES)
    uploads.begin(ticket, [(f"{place}.png", 0) for place in range(MOST_FILES)])
    for count in (0, MOST_FILES + 1):
        with pytest.raises(RefusedError, match=r"Between 1 and 2,000 files"):
            uploads.begin(ticket, [(f"{place}.png", 0) for place in range(count)])


def test_one_name_twice(uploads: Uploads) -> None:
    with pytest.raises(RefusedError, match="the same name"):
        uploads.begin(uploads.offer("ann", "data", DATA_FILES), [("a.png", 1), ("a.png", 1)])


def test_the_room_of_a_session_and_of_all(uploads: Uploads) -> None:
    ann, bob = (uploads.offer(name, "model", MODEL_FILES) for name in ("ann", "bob"))
    with pytest.raises(RefusedError, match=r"one session may have 100 B here.*PRECISION_UPLOAD_LIMIT"):
        uploads.begin(ann, [("model.safetensors", 101)])
    uploads.begin(ann, [("model.safetensors", 90)])
    with pytest.raises(RefusedError, match="has no room for these files at present") as refused:
        uploads.begin(bob, [("model.safetensors", 61)])
    assert refused.value.status == 507
    with pytest.raises(RefusedError, match="one session may have"):
        uploads.begin(uploads.offer("ann", "data", DATA_FILES), [("x.npy", 20)])


def test_a_second_upload_takes_the_place_of_the_first(uploads: Uploads, tmp_path: Path) -> None:
    ticket = uploads.offer("ann", "model", MODEL_FILES)
    first = sent(uploads, ticket, [("model.safetensors", 90)])
    second = sent(uploads, ticket, [("model.safetensors", 90)])
    assert uploads.named(first) is None
    assert uploads.named(second)
    assert len(list((tmp_path / "uploads").iterdir())) == 1


def test_an_upload_on_its_way_is_no_model_yet(uploads: Uploads) -> None:
    ticket = uploads.offer("ann", "model", MODEL_FILES)
    key = uploads.begin(ticket, FILES)
    uploads.finished(ticket, key, 0)
    assert uploads.named(f"upload:{key}") is None


def test_a_file_is_written_once(uploads: Uploads) -> None:
    ticket = uploads.offer("ann", "model", MODEL_FILES)
    key = uploads.begin(ticket, FILES)
    uploads.open(ticket, key, 0)[0].close()
    with pytest.raises(RefusedError, match=r"config\.json is there already"):
        uploads.open(ticket, key, 0)
    for place in (-1, 2):
        with pytest.raises(RefusedError, match="was not announced"):
            uploads.open(ticket, key, place)


def test_a_link_in_the_folder_is_not_followed(uploads: Uploads, tmp_path: Path) -> None:
    ticket = uploads.offer("ann", "model", MODEL_FILES)
    key = uploads.begin(ticket, FILES)
    (tmp_path / "uploads" / key / "config.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RefusedError):
        uploads.open(ticket, key, 0)
    assert not (tmp_path / "elsewhere").exists()


def test_files_go_with_the_last_session_that_holds_them(uploads: Uploads, tmp_path: Path) -> None:
    reference = sent(uploads, uploads.offer("ann", "model", MODEL_FILES))
    uploads.hold(reference, "ann again")
    assert uploads.sessions() == {"ann", "ann again"}
    uploads.release("ann")
    assert uploads.named(reference)
    uploads.release("ann again")
    assert uploads.named(reference) is None
    assert not list((tmp_path / "uploads").iterdir())
    assert not uploads.sessions()


def test_what_another_process_left_is_removed(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    os.utime(old, (time.time() - 3600,) * 2)
    Uploads(tmp_path, session_limit=1, total_limit=1)
    assert [folder.name for folder in tmp_path.iterdir()] == ["new"]
