import json
import shutil
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import huggingface_hub.constants
import pytest

from precision.errors import InputError
from precision.measure.models.hub import locate, located_here
from precision.models.roots import confined_to

COMMIT = "0" * 40


class Hub(BaseHTTPRequestHandler):
    """Answers on loopback as the hub does: one model, `owner/name`, from `checkpoint`; for any other id, not found."""

    checkpoint: ClassVar[Path]
    asked: ClassVar[list[str]]

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.asked.append(path)
        name = path.removeprefix(f"/owner/name/resolve/{COMMIT}/")
        if path in ("/api/models/owner/name", "/api/models/owner/name/revision/main"):
            self.answer(json.dumps({"id": "owner/name", "sha": COMMIT, "siblings": []}).encode())
        elif path == f"/api/models/owner/name/tree/{COMMIT}":
            files = [
                {
                    "type": "file",
                    "path": file.name,
                    "size": file.stat().st_size,
                    "oid": sha256(file.name.encode()).hexdigest(),
                }
                for file in self.checkpoint.iterdir()
            ]
            self.answer(json.dumps(files).encode())
        elif name != path and (self.checkpoint / name).is_file():
            self.answer((self.checkpoint / name).read_bytes(), ETag=f'"{sha256(name.encode()).hexdigest()}"')
        else:
            self.answer(b"", status=404, **{"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def answer(self, body: bytes, *, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"X-Repo-Commit": COMMIT, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def hub(causal: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    class ThisHub(Hub):
        checkpoint = causal
        asked: ClassVar[list[str]] = []

    with ThreadingHTTPServer(("127.0.0.1", 0), ThisHub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
        monkeypatch.setattr(
            huggingface_hub.constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        )
        yield ThisHub
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and a hub whose port nobody listens on."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    return folder


def put_in_cache(cache: Path, checkpoint: Path) -> Path:
    repository = cache / "models--owner--name"
    snapshot = repository / "snapshots" / COMMIT
    shutil.copytree(checkpoint, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return snapshot


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert locate(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    "source", ["/no/such/folder", "./none", "../none/at/all", "~nobody-of-that-name/x", "/" + "x" * 5000]
)
def test_a_folder_that_is_not_there(source: str) -> None:
    with pytest.raises(InputError, match="No folder"):
        locate(source)


@pytest.mark.parametrize("source", ["two words", "a/b/c", "-x", "a/../b", "x\0y"])
def test_neither_folder_nor_id(source: str) -> None:
    with pytest.raises(InputError, match="neither an existing folder nor a hub id"):
        locate(source)


@pytest.mark.parametrize("source", ["a--b", "a" * 200])
def test_an_id_that_the_hub_does_not_allow(source: str) -> None:
    with pytest.raises(InputError, match="is not a hub id"):
        locate(source)


def test_a_cached_checkpoint_needs_no_network(cache: Path, causal: Path) -> None:
    snapshot = put_in_cache(cache, causal)
    assert locate("owner/name") == snapshot


def test_a_cached_config_alone_is_not_the_checkpoint(cache: Path, causal: Path) -> None:
    (causal / "model.safetensors").unlink()
    put_in_cache(cache, causal)
    with pytest.raises(InputError, match="hub cannot be reached"):
        locate("owner/name")


def test_without_a_network() -> None:
    with pytest.raises(
        InputError, match=r"not in the local cache and the hub cannot be reached .* `hf download owner/name`"
    ):
        locate("owner/name")


def test_an_id_that_the_hub_does_not_have(hub: type[Hub]) -> None:
    with pytest.raises(InputError, match="The hub has no model 'owner/other'"):
        locate("owner/other")


def test_a_download_brings_weights_and_tokenizer_and_nothing_else(hub: type[Hub], causal: Path) -> None:
    (causal / "pytorch_model.bin").write_bytes(b"never wanted")
    (causal / "modeling_own.py").write_text("never wanted")
    folder = locate("owner/name")
    assert (folder / "model.safetensors").read_bytes() == (causal / "model.safetensors").read_bytes()
    assert (folder / "tokenizer.json").is_file()
    assert not any(path.endswith((".bin", ".py")) for path in hub.asked)
    asked = len(hub.asked)
    assert locate("owner/name") == folder
    assert len(hub.asked) == asked


def test_a_refused_config_stops_the_download(hub: type[Hub], causal: Path) -> None:
    (causal / "config.json").write_text('{"model_type": "gpt2", "auto_map": {"AutoModel": "modeling_own.Own"}}')
    with pytest.raises(InputError, match="needs its own Python code"):
        locate("owner/name")
    assert not any(path.endswith(".safetensors") for path in hub.asked)


def refusal(source: str) -> str:
    with pytest.raises(InputError) as raised:
        locate(source)
    assert located_here(source) is None
    return str(raised.value).replace(f"'{source}'", "SOURCE")


def test_of_folders_elsewhere_nothing_is_told(tmp_path: Path, causal: Path) -> None:
    root = tmp_path / "root"
    (root / "own").mkdir(parents=True)
    (root / "link").symlink_to(causal)
    (root / "loop").symlink_to("loop")
    outside = (
        *(str(causal), f"{tmp_path}/none", f"{root}/../causal", f"{root}/link", f"{root}/own/../../none"),
        *("/", "/etc", "/proc/self/cwd", "~", "~root", "~nobody-of-that-name/x", "./tests", "../x", "/" + "x" * 120),
        *(str(tmp_path), f"{root}-not", "a/b/c"),
    )
    with confined_to([root]):
        assert {refusal(source) for source in outside} == {
            "SOURCE is neither a hub id such as owner/name nor inside a folder that this server may read. "
            "Those are named by PRECISION_MODEL_ROOTS where the worker runs."
        }
        assert (
            locate(str(root / "own")) == locate(f"{root}/x/../own") == located_here(str(root / "own")) == root / "own"
        )
        assert refusal(f"{root}/none").startswith("No folder")
        assert refusal(f"{root}/loop").startswith("No folder")
    assert locate(str(causal)) == causal
    assert locate(f"{root}/link") == root / "link"


def test_a_root_may_be_a_link(tmp_path: Path, causal: Path) -> None:
    (tmp_path / "root").symlink_to(causal.parent)
    with confined_to([tmp_path / "root"]):
        assert locate(str(tmp_path / "root" / causal.name)) == causal
        assert locate(str(causal)) == causal


def test_a_folder_elsewhere_with_the_name_of_a_hub_id_is_none(
    tmp_path: Path, causal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "owner").mkdir()
    shutil.copytree(causal, tmp_path / "owner" / "name")
    monkeypatch.chdir(tmp_path)
    with confined_to([Path("/nowhere")]):
        messages = {source: refusal(source) for source in ("owner/name", "owner/none")}
    assert all("hub cannot be reached" in message for message in messages.values())
    with confined_to([tmp_path]):
        assert locate("owner/name") == tmp_path / "owner" / "name"


def test_the_cache_is_no_root_and_needs_none(cache: Path, causal: Path) -> None:
    snapshot = put_in_cache(cache, causal)
    with confined_to([Path("/nowhere")]):
        assert locate("owner/name") == snapshot
        assert refusal(str(snapshot)).startswith("SOURCE is neither")
