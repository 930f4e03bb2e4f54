"""The command analyze: results and reports of a folder of scans."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from unicodedata import normalize

import typer

from footcli.cli.app import Device, Lang, Quality, YesNo, app, checked, profiles
from footcli.cli.terminal import FAILED_SOME, exits, say

if TYPE_CHECKING:
    from footcli.domain import CaseRef
    from footcli.run.setup import Models, Options
    from footcli.store.journal import JournalLine
    from footcli.store.run_record import RunRecord


# What is left out of a tree of cases -> how it is said
LEFT_OUT = {
    "links": "linked folder(s) are not followed: give the folders that they point to",
    "no_images": "folder(s) without images are left out",
}


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
    _check_demo(demo=demo, cases=cases, out=out, case=case)
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
        how = _Run(overwrite or demo, 1 if demo else jobs, json_out, quiet, verbose)
        if demo:
            from footcli.run.demo import demo_cases

            with demo_cases(say if not quiet else lambda text: None) as refs:
                _analyze(refs, out or Path("footcli-demo"), options, how)
        elif cases is not None and out is not None:
            from footcli.system.files import check_folders
            from footcli.walk.tree import find_cases

            check_folders(cases, out)
            notes: Counter[str] = Counter()
            refs = _chosen(find_cases(cases, notes), case, cases)
            for note, count in notes.items():
                say(f"{count} {LEFT_OUT[note]}")
            _analyze(refs, out, options, how)


def _check_demo(
    *, demo: bool, cases: Path | None, out: Path | None, case: list[str] | None
) -> None:
    """Raise BadParameter where --demo, CASES, --case and -o do not fit."""
    if not demo and cases is None:
        raise typer.BadParameter("give a folder of cases, or --demo")
    if demo and cases is not None:
        raise typer.BadParameter("--demo draws its own case: leave CASES out")
    if demo and case:
        raise typer.BadParameter("--demo draws its own case: leave --case out")
    if out is None and not demo:
        raise typer.BadParameter("name a folder for the results with -o")


def _chosen(refs: tuple[CaseRef, ...], wanted: list[str] | None, root: Path) -> tuple[CaseRef, ...]:
    from footcli.errors import SetupError

    if not refs:
        raise SetupError(
            f"{root}: no case in it; name a folder that holds DICOM slices, or a tree of such "
            "folders"
        )
    wanted = [normalize("NFC", name) for name in wanted or ()]  # as file systems give names
    unknown = sorted(set(wanted) - {r.case_id for r in refs})
    if unknown:
        raise SetupError(f"--case {unknown[0]}: no such case among the {len(refs)} found in {root}")
    return tuple(r for r in refs if not wanted or r.case_id in wanted)


@dataclass(frozen=True, slots=True)
class _Run:
    """How a batch runs, and what it prints."""

    overwrite: bool
    jobs: int
    json_out: bool
    quiet: bool
    verbose: bool


def _analyze(refs: tuple[CaseRef, ...], out: Path, options: Options, how: _Run) -> None:
    """Run the batch with progress, print the paths of the results, and exit with the exit code."""
    from footcli.cli.terminal import progress
    from footcli.run.batch import Listener, run_batch
    from footcli.text.wording import text

    with progress(len(refs), shown=not how.quiet) as bar:

        def tell(record: JournalLine) -> None:
            bar.advance()
            for line in _lines(record, quiet=how.quiet, verbose=how.verbose):
                say(line)

        def left_out(record: JournalLine) -> None:
            bar.advance()
            if record.failure is not None and not how.quiet:
                say(f"left out {record.case_id}: {text(record.failure)}")

        def opened(found: Models) -> None:
            if not how.quiet:
                say(f"{len(refs)} case(s), models run on {found.device}")

        listener = Listener(tell, left_out, opened)
        run = run_batch(
            refs, out, options, overwrite=how.overwrite, jobs=how.jobs, listener=listener
        )
    if how.json_out:
        from footcli.store.codec import dumps

        typer.echo(dumps(run), nl=False)
    else:
        _print_pages(run, out)
    if not how.quiet:
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
    """The messages about a finished case."""
    from footcli.text.wording import text

    case_id = record.case_id
    if record.failure is not None:
        return [f"FAILED {case_id}: {text(record.failure)} [{record.failure.family}]"]
    lines = []
    if record.outcome == "redone" and not quiet:
        lines.append(f"redone {case_id}: {', '.join(map(text, record.redone))}")
    if record.outcome != "skipped":
        lines += [
            f"{case_id}: its values have changed, the reader's sign-off is kept as {name}"
            for name in record.set_aside
        ]
    if verbose:
        times = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in record.seconds.items())
        lines.append(f"{record.outcome} {case_id}: {times}")
    return lines
