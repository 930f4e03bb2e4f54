"""Commands about models: train one, check what is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from footcli.cli.app import Device, Task, app
from footcli.cli.terminal import COULD_NOT, exits, say


@app.command()
def train(
    task: Annotated[
        Task,
        typer.Argument(
            help="bones, finder, landmarks, lesions; dome: OLT; hindfoot: coalition, arthritis."
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Labelled cases in the data set's layout; without, drawn subjects.",
            show_default=False,
        ),
    ] = None,
    phantoms: Annotated[
        float, typer.Option(min=0, max=1, help="Share of drawn subjects beside labelled cases.")
    ] = 0.0,
    models: Annotated[
        Path, typer.Option(help="Folder that gets the ONNX file, its manifest entry and its card.")
    ] = Path("models"),
    runs: Annotated[
        Path, typer.Option(help="Folder for checkpoints; a stopped training goes on from there.")
    ] = Path("runs"),
    steps: Annotated[int, typer.Option(min=1, help="Steps of the whole training.")] = 4000,
    batch: Annotated[int, typer.Option(min=1, help="Pictures a step.")] = 8,
    rate: Annotated[float, typer.Option(min=0, help="Highest learning rate.")] = 2e-3,
    bank: Annotated[
        int, typer.Option(min=1, help="Subjects kept in memory, replaced one by one.")
    ] = 24,
    shapes: Annotated[
        Path | None,
        typer.Option(help="Folder of measured bone surfaces (PLY) to mix in.", show_default=False),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            help="ONNX file, or folder of models, to learn on from: the shipped one for example.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[
        Device, typer.Option(help="auto takes CUDA where it works; cuda never falls back.")
    ] = Device.auto,
    minutes: Annotated[
        float,
        typer.Option(min=0, help="Stop after this time and export what is there; 0 for no limit."),
    ] = 0.0,
    judge_every: Annotated[
        int, typer.Option(min=1, help="Steps between judgements on held-out subjects.")
    ] = 500,
    patience: Annotated[
        int,
        typer.Option(
            min=0, help="Stop after so many judgements without a better one; 0 for never."
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of drawn subjects and first weights.")] = 1,
    licence: Annotated[
        str | None,
        typer.Option(
            help="Licence of the weights, for manifest and card; without, none is stated.",
            show_default=False,
        ),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Export also what was judged to be poor.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only read the labels and say what would be learnt.")
    ] = False,
) -> None:
    """Train a network on labelled cases, on subjects drawn on the fly, or both; export it to ONNX.
    Needs: pip install 'footcli[train]'

    Example: footcli train bones tree --phantoms 0.5 --steps 4000 --models my-models
    """
    with exits():
        from footcli.errors import SetupError

        try:
            from footcli.train.check import check_labels
            from footcli.train.export import NO_LICENCE
            from footcli.train.job import Job, Material, Terms, command
            from footcli.train.run import train_and_export
        except ModuleNotFoundError as error:
            raise SetupError(
                f"training needs the module {error.name}: pip install 'footcli[train]'"
            ) from error
        from footcli.train.start import files_to_start
        from footcli.train.watch import Plan

        material = Material(data, phantoms, shapes)
        if check:
            for line in check_labels(task.value, material):
                typer.echo(line)
            return
        plan = Plan(
            steps,
            batch,
            rate,
            runs / task.value,
            device.value,
            minutes,
            seed,
            bank,
            judge_every,
            patience,
            () if start is None else files_to_start(start, task.value),
        )
        terms = Terms(licence or NO_LICENCE, anyway, command(task.value, material, plan))
        for path in train_and_export(Job(task.value, plan, models, material, say, terms)):
            typer.echo(str(path))


@app.command()
def doctor(
    models: Annotated[
        Path | None,
        typer.Option(help="Folder with manifest.toml.", show_default="the shipped ones"),
    ] = None,
) -> None:
    """Check this installation: versions, codecs, devices, model files and their hashes.

    Example: footcli doctor
    """
    with exits():
        from footcli.cli.doctor import check
        from footcli.system.assets import models_dir

        ok = True
        for good, line in check(models or models_dir()):
            ok = ok and good
            typer.echo(("ok    " if good else "FAULT ") + line)
        if not ok:
            raise typer.Exit(COULD_NOT)
