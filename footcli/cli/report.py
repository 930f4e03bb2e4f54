"""The command report: rewrites pages and summaries from saved results."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from footcli.cli.app import Lang, app
from footcli.cli.terminal import FAILED_SOME, exits, say


@app.command()
def report(
    out: Annotated[Path, typer.Argument(help="A results folder of analyze.")],
    lang: Annotated[Lang, typer.Option(help="Language of the report.")] = Lang.en,
    open_it: Annotated[bool, typer.Option("--open", help="Open the index in the browser.")] = False,
    signoff: Annotated[
        list[Path] | None,
        typer.Option(help="A sign-off saved from a report, to be kept beside its result."),
    ] = None,
) -> None:
    """Write every report.html, index.html and the other summaries again from the JSON, masks and
    pictures; no models needed.

    Example: footcli report results --lang ko
    """
    with exits():
        from footcli.errors import CaseError
        from footcli.report.patient import write_report
        from footcli.report.summaries import write_summaries
        from footcli.store.contents import folders_in
        from footcli.store.signoff import merge_signoff

        folders = folders_in(out)
        for file in signoff or ():
            merge_signoff(file, out)
        failed = False
        for folder in folders:
            try:
                typer.echo(str(write_report(folder, lang.value)))
            except CaseError as error:
                failed = True
                say(f"FAILED {folder.name}: {error} [{error.code}]")
        write_summaries(out, lang.value)
        index = out / "index.html"
        typer.echo(str(index))
        if open_it:
            import webbrowser

            webbrowser.open(index.resolve().as_uri())
        if failed:
            raise typer.Exit(FAILED_SOME)
