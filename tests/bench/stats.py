"""Time and memory of the statistics over a large tree: not more than 60 s and 500 MB for 100,000
slice labels on two cores.

python tests/bench/stats.py [--labels 100000] [--jobs 2] [--tree FOLDER]

The memory is that of all processes together: the first one's peak and, for every worker, the
largest worker's peak.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MOST_SECONDS, MOST_MB = 60.0, 500.0
CHILD = """
import json, resource, sys, time
from pathlib import Path
from footcli.stats.run import collect
from footcli.stats.summary import to_json

def peak(who):
    return resource.getrusage(who).ru_maxrss / 1024

if __name__ == "__main__":
    content = to_json(collect(Path(sys.argv[1]), int(sys.argv[2])))
    jobs, largest = int(sys.argv[2]), peak(resource.RUSAGE_CHILDREN)
    labels = sum(plane["labels"] for plane in content["planes"])
    own = peak(resource.RUSAGE_SELF)
    print(json.dumps({"labels": labels, "own_mb": own, "worker_mb": largest, "jobs": jobs}))
"""


def draw(tree: Path, labels: int) -> None:
    """Fill a folder. In a separate process: a child's peak memory begins with its parent's current
    use.
    """
    from trees import repeat_labels

    began = time.perf_counter()
    print(
        f"{repeat_labels(tree, labels)} labels drawn and repeated in "
        f"{time.perf_counter() - began:.0f} s",
        flush=True,
    )


def draw_apart(tree: Path, labels: int) -> None:
    """Run `draw` in a process whose memory is freed at its end."""
    tree.mkdir()
    drawing = multiprocessing.get_context("spawn").Process(target=draw, args=(tree, labels))
    drawing.start()
    drawing.join()


def measure(tree: Path, jobs: int) -> bool:
    """Run the statistics in a separate process and print time and memory; True if within the
    limits.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "child.py"  # a file: worker processes import it again
        script.write_text(CHILD)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, str(script), str(tree), str(jobs)],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - began
    told = json.loads(done.stdout)
    total_mb = told["own_mb"] + (jobs * told["worker_mb"] if jobs > 1 else 0)
    print(
        f"{told['labels']} labels, {jobs} job(s): {seconds:.1f} s, {told['labels'] / seconds:.0f} "
        "labels a second; "
        f"peak {told['own_mb']:.0f} MB + {jobs if jobs > 1 else 0} x {told['worker_mb']:.0f} MB = "
        f"{total_mb:.0f} MB"
    )
    return seconds <= MOST_SECONDS and total_mb <= MOST_MB


def main() -> None:
    args = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    args.add_argument("--labels", type=int, default=100_000)
    args.add_argument("--jobs", type=int, default=2)
    args.add_argument(
        "--tree",
        type=Path,
        default=None,
        help="a tree that is there already, instead of a drawn one",
    )
    given = args.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = given.tree or Path(folder) / "tree"
        if given.tree is None:
            draw_apart(tree, given.labels)
        good = measure(tree, given.jobs)
    if not good:
        raise SystemExit(f"over the limit of {MOST_SECONDS:.0f} s or {MOST_MB:.0f} MB")


if __name__ == "__main__":
    main()
