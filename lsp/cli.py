"""The command line, and the composition root: it knows every part and imports each when needed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from midfill.inference.errors import MidfillError
from midfill.inference.text.printable import printable
from midfill.inference.version import version
from midfill.lsp.bench_command import bench
from midfill.lsp.calibrate_command import calibrate
from midfill.lsp.corpus_command import app as corpus_app
from midfill.lsp.doctor import doctor
from midfill.lsp.eval_command import eval_suite
from midfill.lsp.fill_command import fill
from midfill.lsp.model_commands import app as model_app
from midfill.lsp.serve_command import serve
from midfill.lsp.settings_command import settings
from midfill.lsp.stats_command import stats
from midfill.lsp.token_command import app as token_app
from midfill.lsp.train_command import train
from midfill.lsp.train_end_command import train_end

app = typer.Typer(
    name="midfill",
    help="Fill code in place with a diffusion language model, on your own machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(fill)
app.command()(serve)
app.command()(stats)
app.command()(settings)
app.command()(doctor)
app.command("eval")(eval_suite)
app.command()(train)
app.command("train-end")(train_end)
app.command()(calibrate)
app.command()(bench)
app.add_typer(corpus_app, name="corpus")
app.add_typer(model_app, name="model")
app.add_typer(token_app, name="token")


@app.command()
def lsp() -> None:
    """Serve an editor: the language server protocol on standard input and output."""
    from midfill.lsp.server import main as serve_editor

    serve_editor()


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"midfill {version()}")
        raise typer.Exit


@app.callback()
def options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Options of the command as a whole."""


def main() -> None:
    """Run the command line; an error of ours is one line, never a traceback."""
    try:
        app()
    except MidfillError as error:
        print(f"midfill: {printable(str(error))}", file=sys.stderr)
        raise SystemExit(error.exit_status) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more at exit.
        sys.stderr.close()
        raise SystemExit(1) from None
