"""Digests of what the analysis computes, to show that a change of the code changed no result.

python tests/bench/same_results.py [--scan FOLDER] [--quality standard] > digests.txt

Six drawn feet (and a real scan, where --scan names one) are analysed by the installed footcli. One
line each for masks, angles, landmarks, lesions and levels; one for the scores of `footcli
evaluate`. Texts, versions and hashes of models are left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

RENAMED = {"borderline": "possible"}  # keys of evaluation.json that were renamed
FIRST_SEED, CASES, SPACING_MM = 101, 6, 1.0


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def digest_of(value: Any) -> str:
    return digest(json.dumps(value, sort_keys=True).encode())


def footcli(*words: str) -> None:
    """Run a command; its exit code must be 0."""
    subprocess.run([sys.executable, "-m", "footcli", *words], check=True, stdout=subprocess.DEVNULL)


def case_digests(folder: Path) -> dict[str, str]:
    """The digests of one analysed foot."""
    with np.load(folder / "masks.npz") as arrays:
        masks = digest(np.ascontiguousarray(arrays["labels"]).tobytes())
    result = json.loads((folder / "result.json").read_text("utf-8"))
    kept = ("name", "source", "value", "slice", "confidence", "points_vox")
    angles = [[m[key] for key in kept] for m in result["measurements"]]
    lesions = [*result["lesions"], *result["faint_lesions"]]
    for lesion in lesions:
        lesion.pop("probability", None)
    levels = [
        [f["name"], f["level"].replace("BORDERLINE", "POSSIBLE"), f["grade"]]
        for f in result["findings"]
    ]
    return {
        "masks": masks,
        "angles": digest_of(angles),
        "landmarks": digest_of(result["landmarks"]),
        "lesions": digest_of(lesions),
        "levels": digest_of(levels),
    }


def numbers(value: Any) -> Any:
    """The numbers of a JSON object with their keys; texts are left out."""
    if isinstance(value, dict):
        return {RENAMED.get(key, key): numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [numbers(item) for item in value]
    return value if isinstance(value, int | float) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scan", type=Path)
    parser.add_argument("--quality", default="standard")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        drawn = ("--cases", str(CASES), "--seed", str(FIRST_SEED), "--spacing", str(SPACING_MM))
        footcli("phantom", str(work / "tree"), *drawn)
        trees = {"out": work / "tree"}
        if given.scan:
            trees["scanned"] = given.scan
        for out, tree in trees.items():
            footcli("analyze", str(tree), "-o", str(work / out), "--quality", given.quality)
            for result in sorted((work / out).glob("*/result.json")):
                for what, found in case_digests(result.parent).items():
                    print(f"{result.parent.name:40} {what:10} {found}")
        footcli("evaluate", str(work / "out"), str(work / "tree"), "--quiet")
        scores = json.loads((work / "out" / "evaluation.json").read_text("utf-8"))
        print(f"{'evaluate':40} {'scores':10} {digest_of(numbers(scores))}")


if __name__ == "__main__":
    main()
