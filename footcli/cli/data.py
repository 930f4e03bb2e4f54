"""Commands about data sets: draw one, describe one, score results against one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from footcli.cli.app import Protocol, app, checked, diseases, fields
from footcli.cli.terminal import TOO_LOW, exits, say

if TYPE_CHECKING:
    from footcli.phantom.scanner import Field


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(help="Folder for the data set's tree.")],
    cases: Annotated[int, typer.Option(min=1, help="How many subjects.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the first subject; the next ones follow.")
    ] = 1,
    disease: Annotated[
        str | None,
        typer.Option(
            help=(
                "normal, flat_foot, cavus_foot, hallux_valgus, ankle_arthritis, olt, "
                "accessory_navicular or tarsal_coalition."
            ),
            show_default="drawn from the seed",
            callback=checked(diseases),
            autocompletion=diseases,
        ),
    ] = None,
    spacing: Annotated[float, typer.Option(min=0.2, max=3.0, help="Voxel edge in mm.")] = 0.6,
    field: Annotated[
        str,
        typer.Option(
            help="foot; ankle: the forefoot is cut off; hindfoot.",
            callback=checked(fields),
            autocompletion=fields,
        ),
    ] = "foot",
) -> None:
    """Draw synthetic subjects with complete ground truth, in the data set's own layout.

    Example: footcli phantom tree --cases 4 --seed 7 --disease flat_foot
    """
    with exits():
        from footcli.phantom.disease import draw_subject
        from footcli.phantom.scanner import scan
        from footcli.phantom.write import write_case

        for number in range(seed, seed + cases):
            folder = write_case(
                out,
                scan(draw_subject(number, disease), spacing, number, cast("Field", field)),
                number,
            )
            typer.echo(str(folder))


@app.command()
def evaluate(
    out: Annotated[Path, typer.Argument(help="A results folder of analyze.")],
    truth: Annotated[
        Path, typer.Argument(help="The tree with the ground truth, in the data set's layout.")
    ],
    protocol: Annotated[
        Protocol, typer.Option(help="coco, or the data set validators' own numbers.")
    ] = Protocol.coco,
    against: Annotated[
        Path | None,
        typer.Option(help="Another results folder: paired differences.", show_default=False),
    ] = None,
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Leave out cases that do not line up, and list them."),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(
            help="JSON file; the page goes beside it.", show_default="OUT/evaluation.json"
        ),
    ] = None,
    min_map: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Exit with 4 if a task's mAP is lower or could not be measured.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Cases at the same time.", show_default="all processors"),
    ] = None,
    json_out: Annotated[
        bool, typer.Option("--json", help="Print the evaluation to stdout.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Score results against the ground truth: bones, key points, angles, lesions, findings.

    Example: footcli evaluate results tree --against older-results
    """
    with exits():
        from footcli.cli.terminal import progress, table
        from footcli.evaluate.html import write_html
        from footcli.evaluate.listing import below, left_out_lines, listings
        from footcli.evaluate.pairs import results_in
        from footcli.evaluate.run import Work
        from footcli.evaluate.run import evaluate as run
        from footcli.system.cores import cpu_count
        from footcli.system.files import write_json

        total = len(results_in(out)) + (len(results_in(against)) if against else 0)
        with progress(total, shown=not quiet) as bar:
            found = run(
                out,
                truth,
                protocol=protocol.value,
                against=against,
                allow_missing=allow_missing,
                work=Work(jobs or cpu_count(), bar.advance),
            )
        path = save or out / "evaluation.json"
        write_json(path, found)
        write_html(path.with_suffix(".html"), found, out)
        if json_out:
            from footcli.store.codec import dumps

            typer.echo(dumps(found), nl=False)
        else:
            for listing in listings(found)[: 6 if against else 5]:
                table(listing.title, listing.columns, listing.rows)
            typer.echo(str(path.with_suffix(".html")))
        for line in left_out_lines(found):
            say(line)
        if min_map is not None and (reason := below(found, min_map)):
            say(f"footcli: {reason}")
            raise typer.Exit(TOO_LOW)


@app.command()
def stats(
    tree: Annotated[Path, typer.Argument(help="The data set's folder.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Folder for stats.json and stats.html.", show_default=False
        ),
    ] = None,
    json_out: Annotated[
        bool, typer.Option("--json", help="Print the JSON to stdout instead of tables.")
    ] = False,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes.", show_default="all processors")
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Widest image that can be, where images are not there to tell.",
            show_default=False,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Describe a data set against its published targets: shares, overlap, what is missing, faults
    in the labels. Opens no pixels.

    Example: footcli stats tree -o statistics
    """
    with exits():
        import json

        from footcli.cli.terminal import progress, table
        from footcli.stats.html import write_page
        from footcli.stats.run import collect
        from footcli.stats.summary import tables, to_json
        from footcli.system.files import check_folders, write_json
        from footcli.walk.tree import find_homes

        homes = find_homes(tree)
        if out is not None:
            check_folders(tree, out)
        with progress(len(homes), shown=not quiet) as bar:
            content = to_json(
                collect(tree, jobs, max_pixels=max_pixels, homes=homes, tell=bar.advance)
            )
        if json_out:
            typer.echo(json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1))
        else:
            for title, columns, rows in tables(content):
                table(title, columns, rows)
        if out is not None:
            write_json(out / "stats.json", content)
            write_page(out / "stats.html", content)
            (say if json_out else typer.echo)(str(out / "stats.html"))
