"""The rooms of the house: imports go one way, a foreign library has one door, every file says its
job and stays short.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import footcli

PACKAGE = Path(__file__).resolve().parent.parent / "footcli"
# The ground: modules right below footcli/, of which the package's own __init__.py and __main__.py
# are no wings
GROUND = (
    "errors",
    "provenance",
    "domain",
    "geometry",
    "levels",
    "names",
    "angles",
    "identity",
)
# A wing imports only wings that stand before it. `footcli` itself holds the version alone and is
# everybody's.
ORDER = (
    "text",
    "errors",
    "provenance",
    "domain",
    "geometry",
    "levels",
    "anatomy",
    "kinds",
    "names",
    "system",
    "angles",
    "dataset",
    "frame",
    "decide",
    "identity",
    "walk",
    "read",
    "infer",
    "measure",
    "phantom",
    "web",
    "store",
    "views",
    "report",
    "evaluate",
    "stats",
    "run",
    "train",
    "cli",
)
# What a wing must not reach, by whatever way
NEVER = {
    "evaluate": ("infer", "run"),
    "stats": ("infer", "run"),
    "report": ("infer", "run", "read", "measure"),
    "decide": ("infer",),
    "phantom": ("measure",),
    "measure": ("phantom",),
    "dataset": ("infer",),
    "store": ("infer", "report"),
}
# Where a foreign library may be imported at all: files or folders below footcli/
DOORS = {
    "torch": ("train/",),
    "onnx": ("train/",),
    "onnxruntime": ("infer/session.py",),
    "pydicom": ("read/", "phantom/write.py"),
    "typer": ("cli/",),
    "jinja2": ("web/page.py",),
    "rich": ("cli/terminal.py",),
    "hotcoco": ("evaluate/coco.py",),
    "msgspec": ("store/codec.py",),
    "tomli_w": ("infer/manifest.py",),
}
# What the standard installation has; anything else needs a line in pyproject.toml first
KNOWN = {"numpy", "scipy", "skimage", "PIL", "markupsafe", "imagecodecs", "jpeg_ls", *DOORS}
MOST_LINES = 250
HEAVY = ("torch", "onnxruntime", "onnx", "pydicom", "scipy", "skimage", "numpy", "PIL", "jinja2")


def _printed(code: str) -> str:
    """What a new interpreter prints for some code."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=PACKAGE.parent,
    )
    return done.stdout


def _files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _room(path: Path) -> str | None:
    """The room of a file; None for the package's own __init__.py and __main__.py."""
    first = path.relative_to(PACKAGE).parts[0]
    return None if first in ("__init__.py", "__main__.py") else first.removesuffix(".py")


def _modules(node: ast.AST, package: list[str]) -> Iterator[str]:
    """Full names of what one statement imports.

    `from footcli import svg` and relative imports too.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
        module = ".".join(part for part in (base, node.module) if part)
        yield module
        if module == "footcli":
            yield from (f"footcli.{alias.name}" for alias in node.names)


def _imports(path: Path) -> list[tuple[str, bool]]:
    """(module, whether the import stands inside a function) of a file.

    Imports for the type checker alone count too.
    """
    tree = ast.parse(path.read_text("utf-8"))
    inside = {
        id(n)
        for f in ast.walk(tree)
        if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)
        for n in ast.walk(f)
    }
    package = ["footcli", *path.relative_to(PACKAGE).parts[:-1]]
    return [
        (module, id(node) in inside)
        for node in ast.walk(tree)
        for module in _modules(node, package)
    ]


def _rooms_of(path: Path) -> list[tuple[str, bool]]:
    rooms = {p.name.removesuffix(".py") for p in PACKAGE.iterdir()}
    found = [
        (module.split(".")[1], inside)
        for module, inside in _imports(path)
        if module.startswith("footcli.")
    ]
    return [
        (room, inside) for room, inside in found if room in rooms
    ]  # `from footcli import __version__` is no room


def _arrows() -> dict[str, set[str]]:
    """Wing -> the other wings that its files import."""
    arrows: dict[str, set[str]] = {}
    for path in _files():
        own = _room(path)
        if own is not None:
            arrows.setdefault(own, set()).update(room for room, _ in _rooms_of(path) if room != own)
    return arrows


def _upwards(arrows: dict[str, set[str]]) -> list[str]:
    """Arrows to a wing that does not stand before their own."""
    return [
        f"{own} imports {room}"
        for own, rooms in arrows.items()
        for room in sorted(rooms)
        if ORDER.index(room) >= ORDER.index(own)
    ]


def _reached(arrows: dict[str, set[str]], start: str) -> set[str]:
    """All wings that one reaches, straight or by others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = arrows.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def _forbidden(arrows: dict[str, set[str]]) -> list[str]:
    """What the NEVER table forbids and the arrows have."""
    return [
        f"{wing} reaches {other}"
        for wing, others in NEVER.items()
        for other in others
        if other in _reached(arrows, wing)
    ]


def test_every_file_belongs_to_a_wing_of_the_table() -> None:
    assert {_room(path) for path in _files()} - {None} <= set(ORDER)
    assert len(set(ORDER)) == len(ORDER)
    assert {
        name for path in PACKAGE.glob("*.py") if not (name := path.stem).startswith("__")
    } == set(GROUND)


def test_every_wing_is_named_in_the_map() -> None:
    text = (PACKAGE / "README.md").read_text("utf-8")
    assert [wing for wing in ORDER if f"`{wing}/`" not in text and f"`{wing}.py`" not in text] == []


def test_a_wing_imports_only_wings_before_it() -> None:
    assert _upwards(_arrows()) == []


def test_a_wing_never_reaches_what_it_must_not() -> None:
    assert _forbidden(_arrows()) == []


@pytest.mark.parametrize(
    ("wing", "other"),
    [
        ("evaluate", "run"),
        ("stats", "infer"),
        ("decide", "infer"),
        ("phantom", "measure"),
        ("report", "read"),
    ],
)
def test_a_forbidden_import_would_be_caught(wing: str, other: str) -> None:
    arrows = _arrows()
    arrows[wing].add(other)
    assert f"{wing} reaches {other}" in _forbidden(arrows)
    arrows = _arrows()
    arrows["text"].add("train")  # by a third one, and upwards
    arrows[wing].add("text")
    arrows["train"].add(other)
    assert f"{wing} reaches {other}" in _forbidden(arrows)
    assert "text imports train" in _upwards(arrows)


def test_no_package_holds_logic_in_its_face() -> None:
    faces = [
        path
        for path in PACKAGE.rglob("__init__.py")
        if path.parent not in (PACKAGE, PACKAGE / "cli")
    ]
    logic = (ast.FunctionDef, ast.ClassDef, ast.For, ast.If, ast.While)
    assert [
        _name(path)
        for path in faces
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, logic)
    ] == []


def test_the_package_itself_imports_nothing_of_its_own() -> None:
    code = "import footcli, sys; print([m for m in sys.modules if m.startswith('footcli.')])"
    printed = _printed(code)
    assert printed.strip() == "[]"


def test_public_names_are_there_and_others_are_not() -> None:
    assert sorted(footcli.__all__) == footcli.__all__
    assert all(getattr(footcli, name) is not None for name in footcli.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'draw_conclusions'"):
        footcli.draw_conclusions  # noqa: B018


def test_only_the_command_line_imports_training_and_only_inside_a_function() -> None:
    users = {
        (_name(path), inside)
        for path in _files()
        for room, inside in _rooms_of(path)
        if room == "train" and _room(path) != "train"
    }
    assert users == {("cli/models.py", True)}


@pytest.mark.parametrize("library", DOORS)
def test_a_foreign_library_has_one_door(library: str) -> None:
    users = [
        _name(path)
        for path in _files()
        if any(m.split(".")[0] == library for m, _ in _imports(path))
    ]
    assert [u for u in users if not u.startswith(DOORS[library])] == []


def test_no_library_is_imported_that_the_table_does_not_know() -> None:
    strange = {
        f"{_name(path)}: {top}"
        for path in _files()
        for module, _ in _imports(path)
        if (top := module.split(".")[0]) not in KNOWN | {"footcli"}
        and top not in sys.stdlib_module_names
    }
    assert strange == set()


def test_every_module_says_its_job_in_its_first_line() -> None:
    assert [
        _name(path)
        for path in _files()
        if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ] == []


def test_no_file_is_longer_than_can_be_read_at_once() -> None:
    lengths = {_name(path): len(path.read_text("utf-8").splitlines()) for path in _files()}
    assert {name: n for name, n in lengths.items() if n > MOST_LINES} == {}


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy; sys.argv = ['footcli', '--help']\n"
        "try:\n from footcli.cli import main; main()\nexcept SystemExit: pass\n"
        f"print('HEAVY', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    printed = _printed(code)
    assert "Usage" in printed
    assert printed.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize(
    "module", ["footcli.run.pipeline", "footcli.run.batch", "footcli.phantom.write"]
)
def test_an_analysis_never_imports_torch(module: str) -> None:
    code = (
        f"import sys, {module}; print([m for m in ('torch', 'onnx', 'typer', 'onnxruntime') if m "
        "in sys.modules])"
    )
    printed = _printed(code)
    assert printed.strip() == "[]"
