"""The package as pip builds and installs it, beside the dependencies of this environment."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build_wheel(folder: Path, project: Path = ROOT) -> Path:
    """Build the wheel of a project into an empty `folder`, without the network."""
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(project))
    (wheel,) = folder.glob("*.whl")
    return wheel


class Installed:
    """A virtual environment with the package in it; the folder it is used in is empty.

    Args:
        folder: for both.
    """

    def __init__(self, folder: Path) -> None:
        self.empty = folder / "empty"
        self.empty.mkdir()
        venv.create(folder / "venv", symlinks=os.name == "posix")
        self._bin = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        self.python = str(self._bin / "python")
        self.command = str(self._bin / "precision-explorer")
        self.packages = Path(self.run(self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
        ours = [path for path in sys.path if Path(path).name == "site-packages"]
        (self.packages / "dependencies.pth").write_text("\n".join(ours))
        self.install(build_wheel(folder))

    def install(self, wheel: Path) -> None:
        """Install one more package, without the network."""
        _pip("--python", self.python, "install", "--no-deps", "--no-index", str(wheel))

    def run(self, *command: str, code: int = 0) -> str:
        """What a command prints in the empty folder, its errors too."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PRECISION_"))}
        done = subprocess.run(
            command, cwd=self.empty, env=clean, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        assert done.returncode == code, done.stdout
        return done.stdout.strip()


def _pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)
