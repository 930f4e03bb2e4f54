"""Commands about a scan: analyze, and report again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from footcli.cli.app import Device, Lang, Quality, YesNo, app, checked, profiles
from footcli.cli.terminal import FAILED_SOME, exits, say

if TYPE_CHECKING:
    from footcli.domain import CaseRef
    from footcli.report.summaries import RunRecord
    from footcli.run.setup import Options
    from footcli.store.journal import JournalLine


@app.command()
def analyze(
    cases: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of DICOM slices, or a tree of case folders.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Folder for results; needed unless --demo.", show_default=False
        ),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Draw one synthetic case and analyse it.")
    ] = False,
    device: Annotated[
        Device, typer.Option(help="auto takes CUDA where it works; cuda never falls back.")
    ] = Device.auto,
    quality: Annotated[
        Quality,
        typer.Option(help="Bones from axial slices, three planes, or their mirror images too."),
    ] = Quality.standard,
    models: Annotated[
        Path | None,
        typer.Option(
            help="Folder with manifest.toml and ONNX files.", show_default="the shipped ones"
        ),
    ] = None,
    profile: Annotated[
        str,
        typer.Option(
            help="Cut-offs: general or korea.", callback=checked(profiles), autocompletion=profiles
        ),
    ] = "general",
    lang: Annotated[Lang, typer.Option(help="Language of the report.")] = Lang.en,
    case: Annotated[
        list[str] | None,
        typer.Option("--case", help="Only this case id; may be given again.", show_default=False),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do finished cases again.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=1, help="Cases at the same time, each in a process of its own.")
    ] = 1,
    weight_bearing: Annotated[
        YesNo | None,
        typer.Option(help="Say whether the patient stood.", show_default="from the files"),
    ] = None,
    spacing: Annotated[
        float | None,
        typer.Option(
            min=0.05,
            max=5.0,
            help="Pixel size in mm where the files have none.",
            show_default=False,
        ),
    ] = None,
    polygons: Annotated[
        bool,
        typer.Option("--polygons", help="Write labels of each slice in the data set's format too."),
    ] = False,
    json_out: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the records of these cases, as run.json has them, to stdout."
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Times of each stage.")] = False,
) -> None:
    """Find the bones, angles and lesions of every case; write JSON, masks and an HTML report for
    each.

    Example: footcli analyze scans/ -o results --lang ko
    """
    if demo == (cases is not None):
        raise typer.BadParameter(
            "give a folder of cases, or --demo"
            if not demo
            else "--demo draws its own case: leave CASES out"
        )
    if demo and case:
        raise typer.BadParameter("--demo draws its own case: leave --case out")
    if out is None and not demo:
        raise typer.BadParameter("name a folder for the results with -o")
    with exits():
        from footcli.run.setup import Options
        from footcli.system.assets import models_dir

        options = Options(
            models or models_dir(),
            device.value,
            quality.value,
            profile,
            lang.value,
            None if weight_bearing is None else weight_bearing is YesNo.yes,
            spacing,
            polygons,
        )
        if demo:
            from footcli.run.demo import demo_cases

            with demo_cases(say if not quiet else lambda text: None) as refs:
                _analyze(
                    refs,
                    out or Path("footcli-demo"),
                    options,
                    overwrite=True,
                    jobs=1,
                    json_out=json_out,
                    quiet=quiet,
                    verbose=verbose,
                )
        elif cases is not None and out is not None:
            from footcli.system.files import check_folders
            from footcli.walk.tree import find_cases

            check_folders(cases, out)
            refs = _chosen(find_cases(cases), case, cases)
            _analyze(
                refs,
                out,
                options,
                overwrite=overwrite,
                jobs=jobs,
                json_out=json_out,
                quiet=quiet,
                verbose=verbose,
            )


def _chosen(refs: tuple[CaseRef, ...], wanted: list[str] | None, root: Path) -> tuple[CaseRef, ...]:
    from footcli.errors import SetupError

    if not refs:
        raise SetupError(
            f"{root}: no case in it; name a folder that holds DICOM slices, or a tree of such "
            "folders"
        )
    unknown = sorted(set(wanted or ()) - {r.case_id for r in refs})
    if unknown:
        raise SetupError(f"--case {unknown[0]}: no such case among the {len(refs)} found in {root}")
    return tuple(r for r in refs if not wanted or r.case_id in wanted)


def _analyze(
    refs: tuple[CaseRef, ...],
    out: Path,
    options: Options,
    *,
    overwrite: bool,
    jobs: int,
    json_out: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Run the batch with progress, print where the results are, and exit by the table of exit
    codes.
    """
    from footcli.cli.terminal import progress
    from footcli.run.batch import run_batch

    with progress(len(refs), shown=not quiet) as bar:

        def tell(record: JournalLine) -> None:
            bar.advance()
            for line in _lines(record, quiet=quiet, verbose=verbose):
                say(line)

        run = run_batch(
            refs,
            out,
            options,
            overwrite=overwrite,
            jobs=jobs,
            tell=tell,
            opened=lambda found: (
                None if quiet else say(f"{len(refs)} case(s), models run on {found.device}")
            ),
        )
    if json_out:
        from footcli.store.codec import dumps

        typer.echo(dumps(run), nl=False)
    else:
        _print_pages(run, out)
    if not quiet:
        counts = Counter(record.outcome for record in run.cases)
        say(", ".join(f"{counts[word]} {word}" for word in ("done", "skipped", "redone", "failed")))
    if any(record.outcome == "failed" for record in run.cases):
        raise typer.Exit(FAILED_SOME)


def _print_pages(run: RunRecord, out: Path) -> None:
    """The paths of the reports, and of the index where there are several cases."""
    for record in run.cases:
        for name in record.folders:
            typer.echo(str(out / name / "report.html"))
    if len(run.cases) > 1:
        typer.echo(str(out / "index.html"))


def _lines(record: JournalLine, *, quiet: bool, verbose: bool) -> list[str]:
    """What is to be said of a case that is through."""
    from footcli.text.wording import text

    case_id = record.case_id
    if record.failure is not None:
        return [f"FAILED {case_id}: {text(record.failure)} [{record.failure.family}]"]
    lines = []
    if record.outcome == "redone" and not quiet:
        lines.append(f"redone {case_id}: {record.redone}")
    if record.outcome != "skipped":
        lines += [
            f"{case_id}: its values have changed, the reader's sign-off is kept as {name}"
            for name in record.set_aside
        ]
    if verbose:
        times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in record.seconds.items())
        lines.append(f"{record.outcome} {case_id}: {times}")
    return lines


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
