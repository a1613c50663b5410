"""The commands and options of `python -m precision`, which is `precision-explorer` where it is installed."""

import argparse
import math
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from precision.cli import dashboard, worker
from precision.errors import InputError
from precision.findings.sweep import USUAL_FORMATS
from precision.formats import ALL_FORMATS, any_format_named
from precision.spec import SENSITIVITY_FORMATS, Analysis, CastMethod, RunSpec, formats_of
from precision.spec.output_kinds import OutputKind
from precision.text.units import parse_bytes

_INSTALLED = "precision-explorer"
PROGRAM = _INSTALLED if Path(sys.argv[0]).stem == _INSTALLED else "python -m precision"
"""The name that it was called by."""

_EXIT_CODES = "exit code: 0 done; {violated}2 the request cannot be carried out; 130 interrupted"
_VIOLATED = "1 a limit of --fail-above or --fail-below is violated; "
_METHOD = ". How it is measured, by which formula and when it is wrong: docs/methods/{name}.md, or page Methods"
_FORMATS = tuple(row.name for row in ALL_FORMATS)
_SETTINGS = {
    "model": "a model of the catalogue, hf:<hub id or local folder>, or python:<name> of your own",
    "dtype": "the candidate's format: " + ", ".join(_FORMATS) + "; or typed, such as e5m7",
    "method": "how to cast: " + ", ".join(CastMethod),
    "device": "where to compute",
    "input": "one of the model's inputs, by name",
    "regime": "how the input is changed: given (not), a factor such as x100, outlier (one channel × 100), random",
    "seed": "of random weights and inputs",
    "batch": "samples in the input",
    "length": "tokens or steps of one sample",
    "reference": "the format to compare against: float32 or float64",
    "keep": "modules to keep in the reference's precision, separated by commas; NAME:wide leaves the output in it too, "
    "NAME:code keeps the module's own operators and not the modules inside, NAME:OPERATOR, such as block:exp, one of "
    "them",
    "wide_inputs": "inputs that are not cast, by argument name or place (0 is the first), separated by commas",
    "outputs": "what the outputs are, a kind or path=kind, separated by commas: " + ", ".join(OutputKind),
    "plan": 'layers by format, such as {"float16": ["encoder.0"]}; the rest keeps the reference\'s precision',
    "weights": "parameters stored each in its own format, NAME=FORMAT separated by commas, or a JSON file of formats "
    "by name; everything else is in the reference's precision",
    "formats": "formats to measure, separated by commas",
    "exact": "also run the model for every layer and format: with only this layer, and without it",
    "text": "a sentence for a model with a tokenizer; can be repeated",
    "own_weights": "your own weights for the model: a safetensors file, a folder of them, or hf:<hub id or folder>",
    "candidate_weights": "other weights of the same architecture for the candidate alone, named in the same ways; the "
    "dtype then is the reference's, unless given",
    "data": "your own samples: a file of lines (.txt), a table (.csv), arrays (.npy, .npz, .safetensors), a picture, a "
    "recording, or a folder or .zip of these",
}
"""Options of the same names as the fields of `RunSpec`, which checks their values."""
_ANALYSES = {
    analysis.value: analysis for analysis in (Analysis.COMPARE, *Analysis) if analysis is not Analysis.DEVICE_SPEED
}
"""The analyses with their own command, the first one first; a device's speed belongs to `devices --measure`."""
_OWN_COMMANDS = {
    "sweep": "run a model in many formats and show the cost and the error of each",
    "plan": "choose a format for every layer under a budget",
    "models": "list the models",
    "devices": "list the devices of this machine",
    "formats": "list the number formats, or show how they store a number",
    "run": "serve the dashboard to browsers until Ctrl-C",
    "open": "show results that were saved, in the dashboard",
    "worker": "join a Dask cluster: run the jobs of dashboards that use its scheduler, until Ctrl-C",
}
_DTYPES = dict.fromkeys(
    ("autocast", "training"), f"the format: {' or '.join(formats_of(CastMethod.AUTOCAST, _FORMATS))}"
)
"""What `--dtype` can be, where it is not any format."""
DOCUMENTED = frozenset({*_ANALYSES, "formats", "sweep", "plan"})
"""The commands that `docs/methods` explains, each in a document of its name."""


A = TypeVar("A", bound=argparse.Action)


class _OneLineParser(argparse.ArgumentParser):
    """Its errors are one line; an option of another command is refused with the options that this one reads."""

    def __init__(self, **options: Any) -> None:
        self.reads: list[str] = []
        self.refused: list[str] = []
        super().__init__(**options)

    def _add_action(self, action: A) -> A:
        if not isinstance(action, _Refused):
            self.reads += [option for option in action.option_strings if option not in ("-h", "--help")]
        return super()._add_action(action)

    def refuse(self, options: Collection[str]) -> None:
        """Refuse `options`, unless it reads them."""
        for option in options:
            if option not in self.reads:
                self.add_argument(option, action=_Refused, nargs="?", default=argparse.SUPPRESS, help=argparse.SUPPRESS)

    def parse_known_args(self, *given: Any, **options: Any) -> Any:
        """As argparse's, with one error for all refused options."""
        found = super().parse_known_args(*given, **options)
        if self.refused:
            self.error("")
        return found

    def error(self, message: str) -> NoReturn:
        if self.refused:
            refused = ", ".join(dict.fromkeys(self.refused))
            message = f"this command does not read {refused}. It reads: {', '.join(self.reads)}"
        self.exit(2, f"{self.prog}: error: {message}. See {self.prog} --help.\n")


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line; the chosen command is in `command`."""
    whole = _OneLineParser(prog=PROGRAM, description="What a number format does to a model.")
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    by_name = {
        name: commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=_epilog(name),
            allow_abbrev=False,
        )
        for name, text in ({name: analysis.info.help for name, analysis in _ANALYSES.items()} | _OWN_COMMANDS).items()
    }
    for name, reads in _reads().items():
        defaults = RunSpec(analysis=_ANALYSES.get(name, Analysis.COMPARE))
        _add_settings(by_name[name], reads, defaults=defaults, dtypes=_DTYPES.get(name))
    by_name["ranges"].add_argument(
        "--judge-by",
        type=_format,
        default="float16",
        metavar="FORMAT",
        help="the format to show the fit in (default: %(default)s)",
    )
    by_name["ranges"].add_argument(
        "--run",
        nargs="?",
        choices=("as-is", "scaled"),
        const="as-is",
        help="then run the model with every parameter in the smallest format that holds its values, and show what "
        "`compare --weights` shows; scaled: each parameter may have a scale, and formats with scales are a choice",
    )
    by_name["claims"].add_argument(
        "--only", action="append", default=[], metavar="ID", help="only this claim; can be repeated"
    )
    by_name["claims"].add_argument("--code", action="store_true", help="show the code that reproduces the evidence")
    _add_lists(by_name["sweep"])
    by_name["devices"].add_argument(
        "--measure",
        action="store_true",
        help="time matmul, conv2d, layer norm and softmax in every dtype, and store it",
    )
    _add_limits(by_name["compare"])
    by_name["layers"].add_argument(
        "--operators", action="store_true", help="also list every operator (JSON always does)"
    )
    _add_budget(by_name["plan"])
    _add_number(by_name["formats"])
    dashboard.add_options(by_name["run"])
    dashboard.add_open_options(by_name["open"])
    worker.add_options(by_name["worker"])
    for name, command in by_name.items():
        if name not in ("run", "open", "worker"):
            command.add_argument("--json", action="store_true", help="print JSON")
    options = list(dict.fromkeys(option for command in by_name.values() for option in command.reads))
    for command in by_name.values():
        command.refuse(options)
    return whole


def _epilog(name: str) -> str:
    exit_codes = _EXIT_CODES.format(violated=_VIOLATED if name == "compare" else "")
    return exit_codes + _METHOD.format(name=name) if name in DOCUMENTED else exit_codes


def settings_of(arguments: argparse.Namespace) -> dict[str, object]:
    """The fields of a `RunSpec` that were given, unchecked."""
    given = vars(arguments)
    return {name: given[name] for name in RunSpec.model_fields if name in given}


def _reads() -> dict[str, Collection[str]]:
    """The settings that each command reads."""
    reads: dict[str, Collection[str]] = {name: analysis.info.reads for name, analysis in _ANALYSES.items()}
    sensitivity = [name for name in Analysis.SENSITIVITY.info.reads if name != "exact"]
    compare = Analysis.COMPARE.info.reads
    return reads | {
        "plan": [*sensitivity, "keep"],
        "sweep": [name for name in compare if name not in ("dtype", "method", "device", "plan", "weights")],
    }


class _Refused(argparse.Action):
    """An option of other commands that this command does not read."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Remember it; the parser refuses all at once."""
        if isinstance(parser, _OneLineParser):
            parser.refused.append(self.option_strings[0])


def _add_settings(
    command: argparse.ArgumentParser, reads: Collection[str], *, defaults: RunSpec, dtypes: str | None
) -> None:
    for name, text in _SETTINGS.items():
        if name not in reads:
            continue
        said = dtypes if name == "dtype" and dtypes else text
        options: dict[str, Any] = {"default": argparse.SUPPRESS, "help": f"{said}{_default_text(name, defaults)}"}
        options |= _WRITTEN.get(name, {"metavar": name.upper()})
        command.add_argument(f"--{name.replace('_', '-')}", **options)


def _default_text(name: str, defaults: RunSpec) -> str:
    default = ",".join(SENSITIVITY_FORMATS) if name == "formats" else getattr(defaults, name)
    if default is False:
        return ""
    shown = "the model's own" if default is None else default or "none"
    return f" (default: {shown})"


class _Lines(argparse.Action):
    """Each use of the option adds a line."""

    def __call__(self, _parser: object, namespace: argparse.Namespace, value: object, _name: str | None = None) -> None:
        """Add the line."""
        before = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, f"{before}\n{value}" if before else value)


def _add_lists(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--formats",
        type=_names,
        default=",".join(USUAL_FORMATS),
        metavar="FORMATS",
        help="separated by commas (default: %(default)s)",
    )
    for name, text in (
        ("methods", "how to cast, separated by commas (default: each format's usual way)"),
        ("devices", "where to compute, separated by commas (default: cpu)"),
    ):
        command.add_argument(f"--{name}", default="", metavar=name.upper(), help=text)


def _add_limits(command: argparse.ArgumentParser) -> None:
    for option, text in (
        ("--fail-above", "exit 1 if this error is larger, such as mean_abs_error=1e-3; can be repeated"),
        ("--fail-below", "exit 1 if this quality is lower, such as sqnr_db=40; can be repeated"),
    ):
        command.add_argument(option, action="append", default=[], metavar="METRIC=VALUE", help=text)


def _add_budget(command: argparse.ArgumentParser) -> None:
    budget = command.add_mutually_exclusive_group(required=True)
    for option, parse, metavar, text in (
        ("--max-bytes", _bytes, "BYTES", "least error within this many bytes of weights and buffers, such as 20KiB"),
        ("--bytes-share", _share, "SHARE", "least error within this share of the reference's bytes, such as 0.4"),
        (
            "--time-share",
            _share,
            "SHARE",
            "least error within this share of the time of the reference's layers, such as 0.8",
        ),
        ("--min-sqnr", float, "DB", "fewest bytes at this signal-to-quantization-noise ratio of the output"),
    ):
        budget.add_argument(option, type=parse, metavar=metavar, help=text)
    command.add_argument("--keep-norms", action="store_true", help="keep normalization layers in the reference")
    command.add_argument("--native", action="store_true", help="only formats in which the device computes")
    command.add_argument(
        "--split-ties", action="store_true", help="let layers that share a weight have different formats"
    )
    command.add_argument("--verify", action="store_true", help="run the plan and compare predictions with measurements")
    command.add_argument(
        "--export", metavar="FILE", help="write the plan: FILE.py as PyTorch code, any other name as JSON"
    )


def _bytes(text: str) -> int:
    try:
        return parse_bytes(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: {error}") from error


def _format(text: str) -> str:
    try:
        return any_format_named(text).name
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: expected a share above 0 and up to 1, such as 0.4")
    return share


def _weights(text: str) -> str:
    """What a file holds, if it names one."""
    if "=" in text or text.lstrip().startswith("{"):
        return text
    try:
        return Path(text).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(
            f"{text[:80]!r}: neither NAME=FORMAT nor a file that can be read ({error})"
        ) from error


def _names(text: str) -> str:
    if not text.replace(",", "").strip():
        raise argparse.ArgumentTypeError("name at least one format, or leave the option out")
    return text


_WRITTEN: dict[str, dict[str, Any]] = {
    "formats": {"metavar": "FORMATS", "type": _names},
    "exact": {"action": "store_true"},
    "text": {"metavar": "SENTENCE", "action": _Lines},
    "weights": {"metavar": "FILE|NAME=FORMAT,...", "type": _weights},
}
"""Options that are not simply a name and a value."""


def _add_number(command: argparse.ArgumentParser) -> None:
    for option, metavar, text in (
        ("--format", "FORMAT", "only this format, by name or typed, such as e5m7"),
        (
            "--value",
            "NUMBER",
            "show this number in that format or in all: 0.1, 1/3, 0x1.8p-3; if negative, as --value=-1e-8",
        ),
        ("--largest", "NUMBER", "for formats with scales: the largest magnitude that shares the number's scale"),
    ):
        command.add_argument(option, metavar=metavar, help=text)
    command.add_argument(
        "--saturate", action="store_true", help="store numbers that are too large as the largest value"
    )
