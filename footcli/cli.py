"""The command line: parse, call, print, exit. Results go to stdout, talk and progress to stderr."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from footcli.terminal import COULD_NOT, FAILED_SOME, TOO_LOW, exits, say

if TYPE_CHECKING:
    from footcli.domain import CaseRef
    from footcli.pipeline import Options

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip


class Device(StrEnum):
    """Where the models run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Quality(StrEnum):
    """fast: one plane votes; standard and best: three."""

    fast = "fast"
    standard = "standard"
    best = "best"


class Lang(StrEnum):
    """Language of the report."""

    en = "en"
    ko = "ko"


class YesNo(StrEnum):
    """yes or no."""

    yes = "yes"
    no = "no"


class Protocol(StrEnum):
    """coco: the standard definitions; validators: those of the data set's own validators."""

    coco = "coco"
    validators = "validators"


class Task(StrEnum):
    """The three networks."""

    bones = "bones"
    landmarks = "landmarks"
    lesions = "lesions"


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Assisted diagnosis of foot and ankle disease from weight-bearing cone-beam CT. Research use only; not a medical device."""
    if version:
        from footcli import __version__

        typer.echo(f"footcli {__version__}")
        raise typer.Exit


@app.command()
def analyze(
    cases: Annotated[Path | None, typer.Argument(help="A folder of DICOM slices, or a tree of case folders.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder for results; needed unless --demo.", show_default=False)] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Draw one synthetic case and analyse it.")] = False,
    device: Annotated[Device, typer.Option(help="auto takes CUDA where it works; cuda never falls back.")] = Device.auto,
    quality: Annotated[Quality, typer.Option(help="How many planes vote for the bones.")] = Quality.standard,
    models: Annotated[Path | None, typer.Option(help="Folder with manifest.toml and ONNX files.", show_default="the shipped ones")] = None,
    profile: Annotated[str, typer.Option(help="Cut-offs: general or korea.")] = "general",
    lang: Annotated[Lang, typer.Option(help="Language of the report.")] = Lang.en,
    case: Annotated[list[str] | None, typer.Option("--case", help="Only this case id; may be given again.", show_default=False)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do finished cases again.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Cases at the same time, each in a process of its own.")] = 1,
    weight_bearing: Annotated[YesNo | None, typer.Option(help="Say whether the patient stood.", show_default="from the files")] = None,
    spacing: Annotated[
        float | None, typer.Option(min=0.05, max=5.0, help="Pixel size in mm where the files have none.", show_default=False)
    ] = None,
    polygons: Annotated[bool, typer.Option("--polygons", help="Write labels of each slice in the data set's format too.")] = False,
    json_out: Annotated[bool, typer.Option("--json", help="Print run.json to stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Times of each stage.")] = False,
) -> None:
    """Find the bones, angles and lesions of every case; write JSON, masks and an HTML report for each.

    Example: footcli analyze scans/ -o results --lang ko
    """
    if demo == (cases is not None):
        raise typer.BadParameter("give a folder of cases, or --demo" if not demo else "--demo draws its own case: leave CASES out")
    if out is None and not demo:
        raise typer.BadParameter("name a folder for the results with -o")
    with exits():
        from footcli.assets import models_dir
        from footcli.pipeline import Options

        options = Options(
            models or models_dir(), device.value, quality.value, profile, lang.value,
            None if weight_bearing is None else weight_bearing is YesNo.yes, spacing, polygons,
        )  # fmt: skip
        if demo:
            from footcli.demo import demo_cases

            with demo_cases(say if not quiet else lambda text: None) as refs:
                _analyze(
                    refs, out or Path("footcli-demo"), options, overwrite=True, jobs=1, json_out=json_out, quiet=quiet, verbose=verbose
                )
        elif cases is not None and out is not None:
            from footcli.pipeline import check_folders
            from footcli.walk import find_cases

            check_folders(cases, out)
            refs = _chosen(find_cases(cases), case, cases)
            _analyze(refs, out, options, overwrite=overwrite, jobs=jobs, json_out=json_out, quiet=quiet, verbose=verbose)


def _chosen(refs: tuple[CaseRef, ...], wanted: list[str] | None, root: Path) -> tuple[CaseRef, ...]:
    from footcli.errors import SetupError

    if not refs:
        raise SetupError(f"{root}: no case in it; name a folder that holds DICOM slices, or a tree of such folders")
    unknown = sorted(set(wanted or ()) - {r.case_id for r in refs})
    if unknown:
        raise SetupError(f"--case {unknown[0]}: no such case among the {len(refs)} found in {root}")
    return tuple(r for r in refs if not wanted or r.case_id in wanted)


def _analyze(
    refs: tuple[CaseRef, ...], out: Path, options: Options, *, overwrite: bool, jobs: int, json_out: bool, quiet: bool, verbose: bool,
) -> None:  # fmt: skip
    """Run the batch with progress, print where the results are, and exit by the table of exit codes."""
    from footcli.batch import run_batch
    from footcli.terminal import progress

    with progress(len(refs), shown=not quiet) as bar:

        def tell(record: dict[str, Any]) -> None:
            bar.advance()
            if record["outcome"] == "failed":
                say(f"FAILED {record['case_id']}: {record['message']} [{record['code']}]")
            elif verbose:
                say(f"{record['outcome']} {record['case_id']}: " + ", ".join(f"{k} {v:.1f} s" for k, v in record["seconds"].items()))

        run = run_batch(
            refs, out, options, overwrite=overwrite, jobs=jobs, tell=tell,
            opened=lambda found: None if quiet else say(f"{len(refs)} case(s), models run on {found.device}"),
        )  # fmt: skip
    if json_out:
        from footcli.results import dumps

        typer.echo(dumps(run), nl=False)
    else:
        for record in run["cases"]:
            for name in record["folders"]:
                typer.echo(str(out / name / "report.html"))
        if len(run["cases"]) > 1:
            typer.echo(str(out / "index.html"))
    if any(r["outcome"] == "failed" for r in run["cases"]):
        raise typer.Exit(FAILED_SOME)


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder for the data set's tree.")],
    cases: Annotated[int, typer.Option(min=1, help="How many subjects.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first subject; the next ones follow.")] = 1,
    disease: Annotated[
        str | None,
        typer.Option(
            help="normal, flat_foot, cavus_foot, hallux_valgus, ankle_arthritis, olt, accessory_navicular or tarsal_coalition.",
            show_default="drawn from the seed",
        ),
    ] = None,
    spacing: Annotated[float, typer.Option(min=0.2, max=3.0, help="Voxel edge in mm.")] = 0.6,
    field: Annotated[str, typer.Option(help="foot, or ankle: the forefoot is cut off.")] = "foot",
) -> None:
    """Draw synthetic subjects with complete ground truth, in the data set's own layout.

    Example: footcli phantom tree --cases 4 --seed 7 --disease flat_foot
    """
    with exits():
        from footcli.errors import SetupError
        from footcli.phantom.disease import DISEASES, draw_subject
        from footcli.phantom.scanner import FIELDS, scan
        from footcli.phantom.write import write_case

        if disease is not None and disease not in DISEASES:
            raise SetupError(f"--disease {disease}: not one of {', '.join(DISEASES)}")
        if field not in FIELDS:
            raise SetupError(f"--field {field}: not one of {', '.join(FIELDS)}")
        for number in range(seed, seed + cases):
            folder = write_case(out, scan(draw_subject(number, disease), spacing, number, "ankle" if field == "ankle" else "foot"), number)
            typer.echo(str(folder))


@app.command()
def train(
    task: Annotated[Task, typer.Argument(help="bones, landmarks or lesions.")],
    models: Annotated[Path, typer.Option(help="Folder that gets the ONNX file, its manifest entry and its card.")] = Path("models"),
    runs: Annotated[Path, typer.Option(help="Folder for checkpoints; a stopped training goes on from there.")] = Path("runs"),
    steps: Annotated[int, typer.Option(min=1, help="Steps of the whole training.")] = 4000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures a step.")] = 8,
    rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = 2e-3,
    bank: Annotated[int, typer.Option(min=1, help="Subjects kept in memory, replaced one by one.")] = 24,
    shapes: Annotated[Path | None, typer.Option(help="Folder of measured bone surfaces (PLY) to mix in.", show_default=False)] = None,
    device: Annotated[Device, typer.Option(help="auto takes CUDA where it works; cuda never falls back.")] = Device.auto,
    minutes: Annotated[float, typer.Option(min=0, help="Stop after this time and export what is there; 0 for no limit.")] = 0.0,
) -> None:
    """Train a network on synthetic subjects drawn on the fly, and export it to ONNX. Needs: pip install 'footcli[train]'

    Example: footcli train bones --steps 4000 --models my-models
    """
    with exits():
        from footcli.errors import SetupError

        try:
            from footcli.train.run import train_and_export
        except ModuleNotFoundError as error:
            raise SetupError(f"training needs the module {error.name}: pip install 'footcli[train]'") from error
        from footcli.train.loop import Plan

        plan = Plan(steps, batch, rate, runs / task.value, device.value, minutes, bank=bank)
        for path in train_and_export(task.value, plan, models, shapes, say):
            typer.echo(str(path))


@app.command()
def report(
    out: Annotated[Path, typer.Argument(help="A results folder of analyze.")],
    lang: Annotated[Lang, typer.Option(help="Language of the report.")] = Lang.en,
    open_it: Annotated[bool, typer.Option("--open", help="Open the index in the browser.")] = False,
) -> None:
    """Write every report.html and index.html again from the JSON, masks and pictures; no models needed.

    Example: footcli report results --lang ko
    """
    with exits():
        import json

        from footcli.errors import SetupError
        from footcli.index import write_index
        from footcli.report import write_report

        path = out / "run.json"
        if not path.is_file():
            raise SetupError(f"{out}: holds no run.json; name a results folder of footcli analyze")
        try:
            run = json.loads(path.read_text("utf-8"))
            folders = [str(name) for record in run["cases"] for name in record["folders"] if Path(name).name == name]
        except (ValueError, KeyError, TypeError) as error:
            raise SetupError(f"{path}: is damaged; run footcli analyze again, finished cases are kept") from error
        for name in folders:
            typer.echo(str(write_report(out / name, lang.value)))
        index = write_index(out, run, lang.value)
        typer.echo(str(index))
        if open_it:
            import webbrowser

            webbrowser.open(index.resolve().as_uri())


@app.command()
def evaluate(
    out: Annotated[Path, typer.Argument(help="A results folder of analyze.")],
    truth: Annotated[Path, typer.Argument(help="The tree with the ground truth, in the data set's layout.")],
    protocol: Annotated[Protocol, typer.Option(help="coco, or the data set validators' own numbers.")] = Protocol.coco,
    against: Annotated[Path | None, typer.Option(help="Another results folder: paired differences.", show_default=False)] = None,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Leave out cases that do not line up, and list them.")] = False,
    save: Annotated[Path | None, typer.Option(help="JSON file; the page goes beside it.", show_default="OUT/evaluation.json")] = None,
    min_map: Annotated[float | None, typer.Option(min=0, max=1, help="Exit with 4 if a mAP is lower.", show_default=False)] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Cases at the same time.", show_default="all processors")] = None,
    json_out: Annotated[bool, typer.Option("--json", help="Print the evaluation to stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Score results against the ground truth: bones, key points, angles, lesions, findings. Needs: pip install 'footcli[evaluate]'

    Example: footcli evaluate results tree --against older-results
    """
    with exits():
        from footcli.evaluate.html import write_html
        from footcli.evaluate.listing import listings
        from footcli.evaluate.pairs import results_in
        from footcli.evaluate.run import evaluate as run
        from footcli.files import write_json
        from footcli.infer.session import cpu_count
        from footcli.terminal import progress, table

        total = len(results_in(out)) + (len(results_in(against)) if against else 0)
        with progress(total, shown=not quiet) as bar:
            found = run(
                out, truth, protocol=protocol.value, against=against, allow_missing=allow_missing,
                jobs=jobs or cpu_count(), tell=bar.advance,
            )  # fmt: skip
        path = save or out / "evaluation.json"
        write_json(path, found)
        write_html(path.with_suffix(".html"), found, out)
        if json_out:
            from footcli.results import dumps

            typer.echo(dumps(found), nl=False)
        else:
            for listing in listings(found)[: 6 if against else 5]:
                table(listing.title, listing.columns, listing.rows)
            typer.echo(str(path.with_suffix(".html")))
        tasks = [found[task] for task in ("bones", "landmarks", "lesions")]
        maps = [value for task in tasks if (value := task.get("map", task.get("score"))) is not None]
        if min_map is not None and (not maps or min(maps) < min_map):
            say(f"footcli: {'no mAP could be measured' if not maps else f'the lowest mAP, {min(maps):.3f}, lies below {min_map:g}'}")
            raise typer.Exit(TOO_LOW)


@app.command()
def stats(
    tree: Annotated[Path, typer.Argument(help="The data set's folder.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder for stats.json and stats.html.", show_default=False)] = None,
    json_out: Annotated[bool, typer.Option("--json", help="Print the JSON to stdout instead of tables.")] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes.", show_default="all processors")] = None,
    max_pixels: Annotated[
        int | None, typer.Option(min=1, help="Widest image that can be, where images are not there to tell.", show_default=False)
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Describe a data set against its published targets: shares, overlap, what is missing, faults in the labels. Opens no pixels.

    Example: footcli stats tree -o statistics
    """
    with exits():
        import json

        from footcli.files import write_json
        from footcli.pipeline import check_folders
        from footcli.stats.html import write_page
        from footcli.stats.run import collect
        from footcli.stats.summary import tables, to_json
        from footcli.terminal import progress, table
        from footcli.walk import find_homes

        homes = find_homes(tree)
        if out is not None:
            check_folders(tree, out)
        with progress(len(homes), shown=not quiet) as bar:
            content = to_json(collect(tree, jobs, max_pixels=max_pixels, homes=homes, tell=bar.advance))
        if json_out:
            typer.echo(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1))
        else:
            for title, columns, rows in tables(content):
                table(title, columns, rows)
        if out is not None:
            write_json(out / "stats.json", content)
            write_page(out / "stats.html", content)
            (say if json_out else typer.echo)(str(out / "stats.html"))


@app.command()
def doctor(models: Annotated[Path | None, typer.Option(help="Folder with manifest.toml.", show_default="the shipped ones")] = None) -> None:
    """Check this installation: versions, codecs, devices, model files and their hashes.

    Example: footcli doctor
    """
    with exits():
        from footcli.assets import models_dir
        from footcli.doctor import check

        ok = True
        for good, line in check(models or models_dir()):
            ok = ok and good
            typer.echo(("ok    " if good else "FAULT ") + line)
        if not ok:
            raise typer.Exit(COULD_NOT)


def main() -> None:
    """The console script."""
    if len(sys.argv) == 1:
        app(["--help"], standalone_mode=False)
        raise SystemExit(2)
    app()
