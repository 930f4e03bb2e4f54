"""How dense the code is: what the eye has to take in per line, per function, per file.

python tests/bench/air.py [FOLDER]        (needs `pip install radon`; FOLDER is footcli/ where none
  is given)

A code line is a line that holds a token of code: no blank line, no comment, no docstring. Its
characters are counted without the indentation. Complexity is radon's cyclomatic number: C begins at
11.
"""

from __future__ import annotations

import argparse
import ast
import io
import tokenize
from pathlib import Path

from radon.complexity import cc_rank, cc_visit

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MOST_COLUMNS, MOST_LINES, MOST_PARAMETERS = 100, 250, 6
NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def docstring_lines(tree: ast.Module) -> set[int]:
    """Line numbers of all docstrings, and of strings that document a constant."""
    found: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def code_lines(text: str, tree: ast.Module) -> list[str]:
    """The lines that hold code, without their indentation."""
    numbers: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            numbers.update(range(token.start[0], token.end[0] + 1))
    lines = text.splitlines()
    return [lines[number - 1].strip() for number in sorted(numbers - docstring_lines(tree))]


def nested_comprehensions(tree: ast.Module) -> list[int]:
    """Line numbers of comprehensions with two `for`s, or with another comprehension inside."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, COMPREHENSIONS):
            continue
        inner = [below for below in ast.walk(node) if below is not node]
        if len(node.generators) > 1 or any(isinstance(below, COMPREHENSIONS) for below in inner):
            found.append(node.lineno)
    return found


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Number of parameters of a function, without `self` and `cls`."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return len([a for a in every if a.arg not in ("self", "cls")])


def percentile(values: list[int], share: float) -> int:
    """The value that `share` of all values do not exceed."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def main() -> None:
    """Print the measures of a folder, and where it exceeds each limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("footcli"))
    parser.add_argument("--list", action="store_true", help="name every place that exceeds a limit")
    given = parser.parse_args()
    places: dict[str, list[str]] = {
        "nested comprehensions": [],
        "functions of complexity C or worse": [],
        f"functions with more than {MOST_PARAMETERS} parameters": [],
        f"lines over {MOST_COLUMNS} columns": [],
        f"files over {MOST_LINES} lines": [],
    }
    nested, complex_, many, wide, long = places.values()
    characters, lengths, count = 0, [], 0
    for path in sorted(given.folder.rglob("*.py")):
        text = path.read_text("utf-8")
        tree = ast.parse(text)
        code = code_lines(text, tree)
        count += len(code)
        characters += sum(map(len, code))
        nested += [f"{path}:{line}" for line in nested_comprehensions(tree)]
        for block in cc_visit(text):
            if type(block).__name__ == "Function" and cc_rank(block.complexity) > "B":
                complex_.append(f"{path}:{block.lineno} {block.name} {block.complexity}")
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS):
                lengths.append((node.end_lineno or node.lineno) - node.lineno + 1)
                if parameters(node) > MOST_PARAMETERS:
                    many.append(f"{path}:{node.lineno} {node.name} {parameters(node)}")
        lines = text.splitlines()
        wide += [f"{path}:{n}" for n, line in enumerate(lines, 1) if len(line) > MOST_COLUMNS]
        if len(lines) > MOST_LINES:
            long.append(f"{path} {len(lines)}")
    print(f"code lines {count}, characters a code line {characters / count:.1f}")
    print(
        f"functions {len(lengths)}, lines of a function: median {percentile(lengths, 0.5)}, 90 % "
        f"{percentile(lengths, 0.9)}"
    )
    for name, found in places.items():
        print(f"{name}: {len(found)}")
        if given.list:
            print("".join(f"  {place}\n" for place in found), end="")


if __name__ == "__main__":
    main()
