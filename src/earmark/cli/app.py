"""The `earmark` program: wiring, errors as one line, exit codes.

Exit codes: 0 done, 1 a file could not be read or written, 2 the command or its configuration is wrong,
130 interrupted.
Modules of commands are imported when their command runs, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from earmark import __version__
from earmark.errors import ConfigError, EarmarkError, ModelError

COMMANDS = {
    "detect": "Mark speech and music in recordings.",
    "batch": "Mark any number of recordings: archives, object stores, clusters.",
    "listen": "Mark what is heard now: radio, microphones, pipes.",
    "serve": "Look, listen and correct in the browser. [dim]Needs the extra 'server'.[/dim]",
    "adapt": "Make a detector better by corrected recordings. [dim]Needs the extra 'train'.[/dim]",
    "embed": "Turn recordings into embeddings, for classifiers of one's own.",
    "fit": "Learn to tell classes of your own apart. [dim]Needs the extra 'train'.[/dim]",
    "classify": "Tell which of your own classes recordings are of, or mark them along each.",
    "convert": "Convert annotations from one format to another.",
    "score": "Score annotations against references.",
    "mix": "Make programmes with exact labels out of speech and music files.",
    "models": "List the models and show their cards.",
    "train": "Train a detector. [dim]Needs the extra: pip install 'earmark\\[train]'[/dim]",
    "import-weights": "Turn published weights into a model. [dim]Needs the extra 'train'.[/dim]",
    "bench": "Measure a detector, or run the tables of papers.",
    "datasets": "List the datasets, say where to get them, and check copies.",
}
# The extras that bring in packages, which go by the names they are imported under.
_EXTRAS = {
    **dict.fromkeys(("torch", "onnx", "onnxscript", "h5py", "pyworld", "pkg_resources", "tomli"), "train"),
    **dict.fromkeys(("sklearn", "matplotlib"), "train"),
    **dict.fromkeys(("pyarrow", "fsspec"), "batch"),
    **dict.fromkeys(("fastapi", "starlette", "pydantic", "uvicorn"), "server"),
    "distributed": "dask",
    "dask": "dask",
    "ray": "ray",
    "pyspark": "spark",
}

# Newer releases of Typer carry a click of their own, older ones import it: this names either's class.
_UsageError: type[Any] = typer.BadParameter.__bases__[0]


class _Interrupted(Exception):
    """Ctrl-C, out of reach of Typer's own handling; its text, if any, says how far things got."""


class _Commands(TyperGroup):
    """A group whose help knows all commands, and which imports only the one that runs."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _load(name) if name in COMMANDS else command, rest

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as err:
            raise _Interrupted(*err.args) from err


def _load(name: str) -> Any:
    """Return the command: the module's Typer `app`, or its function of that name."""
    identifier = name.replace("-", "_")
    module = import_module(f"earmark.cli.{identifier}")
    sub_app = getattr(module, "app", None)
    if sub_app is None:
        sub_app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        sub_app.command(name)(getattr(module, identifier))
    command = typer.main.get_command(sub_app)
    command.name = name
    return command


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"earmark {__version__}")
        raise typer.Exit


@app.callback()
def _earmark(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Mark what is heard: speech, music and both at once, in any recording."""


def _placeholder() -> None:
    """Stand in for a command in the overview of commands."""


for _name, _summary in COMMANDS.items():
    app.command(_name, help=_summary)(_placeholder)


def run(arguments: Sequence[str]) -> int:
    """Run the program with these arguments; return its exit code."""
    color = "--no-color" not in arguments
    try:
        code = app(args=list(arguments), prog_name="earmark", standalone_mode=False)
    except _UsageError as err:
        return _usage_error(err, arguments, color)
    except EarmarkError as err:
        return _fail(str(err), 2 if isinstance(err, (ConfigError, ModelError)) else 1, color)
    except BrokenPipeError:
        raise
    except OSError as err:  # the rest is caught where it arises: a full disk, a file where a folder should be
        where = f" '{err.filename}'" if err.filename else ""
        return _fail(f"cannot write{where}: {err.strerror or err}", 1, color)
    except ModuleNotFoundError as err:
        package = (err.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        advice = f"run: pip install 'earmark[{_EXTRAS[package]}]'"
        return _fail(f"this needs the package '{package}', which is not installed; {advice}", 2, color)
    except (_Interrupted, typer.Abort) as err:
        return _fail(": ".join(["interrupted", *map(str, err.args)]), 130, color)
    return code if isinstance(code, int) else 0


def _usage_error(err: Any, arguments: Sequence[str], color: bool) -> int:
    message = err.format_message().strip().rstrip(".")
    if message:  # without any arguments, the help is out already, and there is none
        command = [name for name in arguments[:1] if name in COMMANDS]
        path = err.ctx.command_path if err.ctx else " ".join(["earmark", *command])
        _fail(f"{message[0].lower()}{message[1:]}; see '{path} --help'", 2, color)
    return int(err.exit_code)


def _fail(message: str, code: int, color: bool) -> int:
    from earmark.terminal import print_error

    print_error(message, color=color)
    return code


def main() -> None:
    """Entry point of the `earmark` program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files need not be valid text
            stream.reconfigure(errors="backslashreplace")
    for name in ("SIGTERM", "SIGHUP"):  # to be ended from outside is to be interrupted: nothing is left over
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores hang-ups
            signal.signal(number, signal.default_int_handler)
    try:
        code = run(sys.argv[1:])
        if sys.stdout is not None:  # as it is where it was closed before the start
            sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, less) has gone: nothing to tell it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)
