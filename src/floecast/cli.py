"""The ``floecast`` command. Heavy imports stand inside the commands, so that help is instant.

Longer than 400 lines because every command is here, with the help of all its options.
"""

import contextlib
import errno
import json
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from floecast.cli_calibrate import calibrate
from floecast.cli_cite import cite
from floecast.cli_cycle import cycle
from floecast.cli_doctor import doctor
from floecast.cli_farm import farm
from floecast.cli_fetch import fetch
from floecast.core.errors import FloecastError, FloecastWarning, InputError

# Of click, which some versions of typer bring along under a name of their own.
UsageError: Any = typer.BadParameter.__base__

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
config_app = typer.Typer(help="Show, describe or start a configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.command()(farm)
app.command()(fetch)
app.command()(cycle)
app.command()(calibrate)

ConfigPath = Annotated[
    Path | None, typer.Argument(metavar="CONFIG", help="YAML configuration of the run.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The same by name.")
]
Override = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="A.B=C",
        help="Change one value of the configuration; an item of a list by its number from 0, as "
        "in observations.0.error=0.3.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Folder of the run; runs/NAME if left out."),
]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", envvar="FLOECAST_DATA", help="Folder of the real files."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")]


def _print_version(wanted: bool):
    if wanted:
        from importlib import metadata

        typer.echo(f"floecast {metadata.version('floecast')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
):
    """Short-term Arctic sea-ice forecasting: analysis, ensemble forecast, scores, report."""


@app.command("run")
def run_command(
    path: ConfigPath = None,
    config: ConfigOption = None,
    data: Data = None,
    out: Out = None,
    override: Override = None,
    as_json: Json = False,
):
    """Run everything: background, analysis, forecast, scores, report. Goes on where it was."""
    _run(_one_of(path, config), data, out, override, as_json, until="report")


@app.command()
def assimilate(
    path: ConfigPath = None,
    config: ConfigOption = None,
    preset: Annotated[
        str | None, typer.Option(help="Cycles in a twin of this grid, without CONFIG.")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="truth.npz of another run of the same twin.")
    ] = None,
    data: Data = None,
    out: Out = None,
    override: Override = None,
    as_json: Json = False,
):
    """Run up to the analysis; with --preset, or CONFIG of cycles, go from cycle to cycle."""
    from floecast.assimilation_schema import assimilation_config, is_of_cycles

    file = path or config
    if path is not None and config is not None:
        raise InputError("name one configuration, as an argument or by --config FILE")
    if preset is None and (file is None or not is_of_cycles(file)):
        if truth is not None:
            raise InputError("--truth goes with cycles: give --preset, or CONFIG of cycles")
        file = _one_of(path, config, also=", or a grid by --preset")
        return _run(file, data, out, override, as_json, until="analysis")
    options = [] if preset is None else [f"preset={preset}"]
    resolved = assimilation_config(file, [*options, *(override or ())])
    from floecast.experiment.assimilation import assimilate as run
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        folder = run(resolved, out=out, truth=truth, progress=progress)
    told = {"folder": str(folder.path), **folder.manifest}
    return _finish(told, as_json, f"cycles: {folder.file('cycles.jsonl')}")


@app.command()
def forecast(
    path: ConfigPath = None,
    config: ConfigOption = None,
    analysis: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Folder of floecast assimilate or floecast run, or a file of members, to "
            "forecast from.",
        ),
    ] = None,
    data: Data = None,
    out: Out = None,
    override: Override = None,
    as_json: Json = False,
):
    """Run up to the forecast; with --analysis, or CONFIG that names one, forecast from that."""
    from floecast.forecast_schema import forecast_config, is_of_analysis

    file = path or config
    if path is not None and config is not None:
        raise InputError("name one configuration, as an argument or by --config FILE")
    if analysis is None and (file is None or not is_of_analysis(file)):
        file = _one_of(path, config, also=", or an analysis by --analysis PATH")
        return _run(file, data, out, override, as_json, until="forecast")
    options = [] if analysis is None else [f"analysis={json.dumps(str(analysis))}"]
    resolved = forecast_config(file, [*options, *(override or ())])
    from floecast.experiment.ensemble_forecast import ensemble_forecast as run
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        folder = run(resolved, data=data, out=out, progress=progress)
    told = {"folder": str(folder.path), **folder.manifest}
    _finish(told, as_json, f"forecast: {folder.file('forecast.nc')}")


@app.command()
def verify(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[CONFIG | FORECAST... TRUTH]",
            help="YAML configuration of a run, or files of forecasts and of the truth.",
        ),
    ] = None,
    config: ConfigOption = None,
    system: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Another system, a file for each start date."),
    ] = None,
    past: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Truth of other years, for climatology and damping."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=S,N,W,E", help="Box in degrees, or seas for those of a table."),
    ] = None,
    error: Annotated[
        list[str] | None,
        typer.Option(metavar="VARIABLE=STD", help="Standard error of the truth."),
    ] = None,
    block_days: Annotated[
        float | None, typer.Option(help="Start dates that the bootstrap keeps together; 15.")
    ] = None,
    data: Data = None,
    out: Out = None,
    override: Override = None,
    as_json: Json = False,
):
    """Run up to the scores; with FORECAST and TRUTH, score forecasts in files."""
    files = files or []
    given: dict[str, Any] = {"system": system, "past": past, "region": region, "error": error}
    given["block-days"] = block_days
    given = {name: value for name, value in given.items() if value not in (None, [])}
    if len(files) < 2:
        if given:
            raise InputError(f"--{next(iter(given))} goes with FORECAST and TRUTH")
        path = files[0] if files else None
        if path is not None and path.suffix in (".nc", ".zarr"):
            raise InputError(f"{path}: expected FORECAST and TRUTH, two files or more, or CONFIG")
        return _run(_one_of(path, config), data, out, override, as_json, until="verification")
    if config is not None or override:
        raise InputError("--config and --set go with a run; leave them out with FORECAST and TRUTH")
    from floecast.experiment.verify_files import verify_as_told
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        told = verify_as_told(files, given, out=out, progress=progress)
    _finish(told, as_json, f"verification: {told['folder']}")


@app.command()
def simulate(
    path: ConfigPath = None,
    config: ConfigOption = None,
    preset: Annotated[str | None, typer.Option(help="Grid, such as arctic50.")] = None,
    years: Annotated[int | None, typer.Option(help="Years in the archive.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the weather.")] = None,
    split: Annotated[str | None, typer.Option(help="training, validation or test.")] = None,
    out: Out = None,
    override: Override = None,
    as_json: Json = False,
):
    """Simulate years of ice, six-hourly with their weather. Goes on where it was."""
    if path is not None and config is not None:
        raise InputError("give the configuration once, as CONFIG or as --config FILE")
    from floecast.simulation_schema import simulation_config

    given = {"preset": preset, "years": years, "seed": seed, "split": split}
    options = [f"{name}={value}" for name, value in given.items() if value is not None]
    resolved = simulation_config(path or config, [*options, *(override or ())])
    from floecast.experiment.simulate import simulate as run
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        folder = run(resolved, out=out, progress=progress)
    told = {"folder": str(folder.path), **folder.manifest}
    _finish(told, as_json, f"archive: {folder.file('archive.zarr')}")


@app.command()
def dataset(
    path: ConfigPath = None,
    config: ConfigOption = None,
    preset: Annotated[str | None, typer.Option(help="Grid, such as arctic50.")] = None,
    data: Data = None,
    out: Out = None,
    override: Override = None,
    as_json: Json = False,
):
    """Make a data set to train on, simulated or from files. Goes on where it was."""
    if path is not None and config is not None:
        raise InputError("give the configuration once, as CONFIG or as --config FILE")
    from floecast.dataset_schema import dataset_config

    options = [] if preset is None else [f"preset={preset}"]
    resolved = dataset_config(path or config, [*options, *(override or ())])
    from floecast.experiment.dataset import dataset as make
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        folder = make(resolved, data=data, out=out, progress=progress)
    told = {"folder": str(folder.path), **folder.manifest}
    _finish(told, as_json, f"data set: {folder.path}")


@app.command()
def train(
    path: ConfigPath = None,
    config: ConfigOption = None,
    preset: Annotated[str | None, typer.Option(help="Grid, such as arctic50.")] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Folder of floecast dataset; made if left out.")
    ] = None,
    together: Annotated[
        bool, typer.Option("--together", help="One of the processes of srun, which train as one.")
    ] = False,
    out: Out = None,
    override: Override = None,
    as_json: Json = False,
):
    """Train an emulator. Goes on where it was."""
    if path is not None and config is not None:
        raise InputError("give the configuration once, as CONFIG or as --config FILE")
    from floecast.train_schema import train_config

    given = {"preset": preset, "dataset": dataset}
    options = [f"{name}={value}" for name, value in given.items() if value is not None]
    resolved = train_config(path or config, [*options, *(override or ())])
    if together:
        from floecast.experiment.hosts import train_together as run
    else:
        from floecast.experiment.train import train as run
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        folder = run(resolved, out=out, progress=progress)
    told = {"folder": str(folder.path), **folder.manifest}
    _finish(told, as_json, f"emulator: {folder.file('emulator.npz')}")


@app.command()
def report(
    folder: Annotated[
        Path | None, typer.Argument(metavar="FOLDER", help="Folder of a run.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Configuration of the run, to find it."),
    ] = None,
    out: Out = None,
    as_json: Json = False,
):
    """Draw the report of a run again."""
    from floecast.config import load_config
    from floecast.io.run_folder import RunFolder, default_folder, read_manifest
    from floecast.report.page import write_report

    if config is None and out is not None:
        raise InputError("--out goes with --config")
    folder = _one_of(folder, config, "folder of a run")
    if config is not None:
        folder = out or default_folder(load_config(config).name)
    run = RunFolder(folder, read_manifest(folder)["config"])
    # Where the scores are still to come, the page does not stand for a stage that is done.
    scored = any(stage["name"] == "verification" for stage in run.manifest["stages"])
    with run.stage("report", ["report.html"]) if scored else contextlib.nullcontext():
        page = write_report(folder)
    _finish({"report": str(page)}, as_json, f"report: {page}")


@app.command()
def observe(
    files: Annotated[list[Path], typer.Argument(help="Observation or model files.")],
    preset: Annotated[str, typer.Option(help="Grid to count on.")] = "arctic50",
    time: Annotated[
        str | None, typer.Option(help="Of many records, the one of this time; else the last.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Draw maps: a folder, or FILE.png for one file."),
    ] = None,
    as_json: Json = False,
):
    """Tell what files hold, recognised by their content, and draw it."""
    from floecast.experiment.observe import observe as run

    found, unknown = run(files, preset, time, out)
    if found or as_json:
        text = "\n\n".join(told.pop("text") for told in found.values())
        _finish(found, as_json, text)
    for fault in unknown:
        typer.echo(f"floecast: {fault}", err=True)
    if unknown:
        raise typer.Exit(2)


@config_app.command("show")
def config_show(path: ConfigPath = None, config: ConfigOption = None, override: Override = None):
    """Print the configuration with every default filled in."""
    import yaml

    from floecast.config import load_config

    resolved = load_config(_one_of(path, config), override or ()).model_dump(mode="json")
    typer.echo(yaml.safe_dump(resolved, sort_keys=False).rstrip())


@config_app.command("schema")
def config_schema():
    """Print the JSON schema of the configuration."""
    from floecast.config import Config

    typer.echo(json.dumps(Config.model_json_schema(), indent=1))


@config_app.command("init")
def config_init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("floecast.yaml"),
):
    """Write a configuration to start from: a twin experiment that needs no file."""
    import yaml

    from floecast.config import STARTING_CONFIG, make_config
    from floecast.core.atomic import write_text

    if path.exists():
        raise InputError(f"{path} exists; choose another name")
    resolved = make_config(STARTING_CONFIG).model_dump(mode="json")
    try:
        write_text(path, yaml.safe_dump(resolved, sort_keys=False))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose another name") from None
    typer.echo(f"wrote {path}; now: floecast run {path}")


app.command()(doctor)


@app.command()
def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="simulator, winton, mevp_box, cyclone, bulk, gabls1, column, emulator, "
            "analysis, twin, lorenz96 or lorenz63; history compares the runs in FILE."
        ),
    ],
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="History to read, of --history.")
    ] = None,
    spacing_km: Annotated[
        int | None, typer.Option(help="Side of a cell of the cyclone case: 8, 4 or 2.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Grid of emulator, analysis and twin: arctic50 or arctic100."),
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Emulator to measure; the shipped one if left out."),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the emulator and twin cases keep their runs."),
    ] = None,
    dates: Annotated[int | None, typer.Option(help="Forecasts of the emulator case.")] = None,
    members: Annotated[
        int | None, typer.Option(help="Members of each of them, of the analysis or the twin.")
    ] = None,
    cycles: Annotated[int | None, typer.Option(help="Cycles of the twin.")] = None,
    month: Annotated[int | None, typer.Option(help="Month in which the twin begins.")] = None,
    history: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Add the figures to FILE, one JSON line a run."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
):
    """Measure speed or skill, or repeat a case of the literature, beside reference numbers."""
    from floecast.bench import bench as run
    from floecast.bench import history as runs
    from floecast.bench import module_of, table
    from floecast.progress import progress_for

    if (name == "history") != (file is not None):
        raise InputError(
            "a history is read by `floecast bench history FILE`; nothing else has FILE"
        )
    if file is not None:
        compared = runs.compare(runs.read(file))
        return _finish(compared, as_json, runs.table(compared))
    given = {"spacing_km": spacing_km, "preset": preset, "weights": weights, "work": work}
    given |= {"dates": dates, "members": members, "cycles": cycles, "month": month}
    options = {key: value for key, value in given.items() if value is not None}
    if data is not None and "data" in module_of(name).OPTIONS:
        options["data"] = data
    with progress_for(sys.stderr) as progress:
        if "progress" in module_of(name).OPTIONS:
            options["progress"] = progress
        told = run(name, **options)
    if history is not None:
        runs.append(history, told, options)
    _finish(told, as_json, table(told))


app.command()(cite)


def _one_of(argument, option, what="configuration", also=""):
    if (argument is None) == (option is None):
        raise InputError(f"name one {what}, as an argument or by --config FILE{also}")
    return option if argument is None else argument


def _run(config, data, out, override, as_json, until):
    from floecast.config import load_config

    resolved = load_config(config, override or ())
    from floecast.experiment import run
    from floecast.progress import progress_for

    with progress_for(sys.stderr) as progress:
        folder = run(resolved, data=data, out=out, until=until, progress=progress)
    last = folder.file("report.html") if until == "report" else folder.path
    _finish({"folder": str(folder.path), **folder.manifest}, as_json, f"{until}: {last}")


def _finish(told, as_json, text):
    typer.echo(json.dumps(told, indent=1, ensure_ascii=False) if as_json else text)


# What a full, foreign, read-only or failing disk says; other errors of the system are our own.
_DISK = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EIO")
    if hasattr(errno, name)
}


@contextlib.contextmanager
def _told_warnings():
    """Print what floecast warns of as one line, and leave other warnings as they are."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def told(message, category, *where, **options):
            if issubclass(category, FloecastWarning):
                typer.echo(f"floecast: {message}", err=True)
            else:
                show(message, category, *where, **options)

        warnings.showwarning = told
        warnings.simplefilter("always", FloecastWarning)
        yield


def main():
    """Entry point: errors a user can mend become one line and exit code 2."""
    try:
        with _told_warnings():
            sys.exit(app(prog_name="floecast", standalone_mode=False))
    except FloecastError as error:
        fault = str(error)
    except UsageError as error:
        fault = " ".join(error.format_message().split()).rstrip(".")
        if fault and error.ctx is not None:
            fault += f"; see {error.ctx.command_path} --help"
    except OSError as error:
        if error.errno not in _DISK:
            raise
        fault = f"cannot write {error.filename}: {error.strerror}" if error.filename else str(error)
        fault += "; what was finished is kept: mend that and give the same command again"
    except typer.Abort:
        sys.exit(130)
    if fault:  # there is none where the help has just been printed in its place
        typer.echo(f"floecast: {fault}", err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
