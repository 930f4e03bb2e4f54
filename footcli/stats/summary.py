"""A tally -> the JSON object of the statistics, and its tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from footcli import __version__
from footcli.domain import Plane
from footcli.kinds import ANGLES, BONES, FINDINGS, LESIONS
from footcli.stats.codes import MISSING, NOTES, QUALITY, SOURCE, TARGETS, TOPICS, Target
from footcli.stats.tally import Tally

SCHEMA_VERSION = "footcli-stats/1"
DECIMALS = 6
"""Of a share: more than are shown, so that rounding for display is right."""
Row = tuple[str | int | float | None, ...]


def to_json(tally: Tally) -> dict[str, Any]:
    """The JSON object: plain Python types, no NaN.

    Shares are 0..1, or null with a reason.
    """
    cases, series = tally.of("cases", "cases"), tally.total("sides")
    diseases = [(rule.name, rule.en, tally.of("findings", rule.name)) for rule in FINDINGS]
    angles = [(kind.name, kind.en, tally.of("angles", kind.name)) for kind in ANGLES]
    return {
        "schema": SCHEMA_VERSION,
        "version": __version__,
        "cases": cases,
        "series": series,
        "planes": [_plane(tally, plane) for plane in Plane],
        "targets": [_target(tally, target) for target in TARGETS],
        "notes": list(NOTES),
        "diseases": [{"name": n, "title": t, **_share(found, cases)} for n, t, found in diseases],
        "overlap": [*_overlap(tally, "pairs"), *_overlap(tally, "group_pairs")],
        "bones": [_drawn(tally, "bone", bone.name) for bone in BONES],
        "lesions": [
            {**_drawn(tally, "lesion", kind.name), "own_plane": kind.plane.value}
            for kind in LESIONS
        ],
        "angles": [{"name": n, "title": t, **_share(found, series)} for n, t, found in angles],
        "sides": dict(_sorted(tally, "sides")),
        "institutions": dict(_sorted(tally, "institutions")),
        "missing": [_code(tally, "missing", code, text) for code, text in MISSING.items()],
        "quality": [_code(tally, "quality", code, text) for code, text in QUALITY.items()],
        "not_understood": dict(_sorted(tally, "unknown")),
    }


def _plane(tally: Tally, plane: Plane) -> dict[str, Any]:
    images, labels = tally.of("images", plane), tally.of("labels", plane)
    return {"plane": plane.value, "images": images, "labels": labels}


def _overlap(tally: Tally, topic: str) -> list[dict[str, Any]]:
    found = _sorted(tally, topic)
    return [{"names": pair.split("+"), "cases": number} for pair, number in found]


def _sorted(tally: Tally, topic: str) -> list[tuple[str, int]]:
    """Names by how often they were counted, most often first."""
    return sorted(tally.counts.get(topic, {}).items(), key=lambda item: (-item[1], item[0]))


def _share(found: int, of: int, nothing: str = "no case was found") -> dict[str, Any]:
    share = round(found / of, DECIMALS) if of else None
    return {"found": found, "of": of, "share": share, "why_missing": None if of else nothing}


def _target(tally: Tally, target: Target) -> dict[str, Any]:
    of = tally.of("grouped", "cases") if target.topic == "group" else tally.total(target.topic)
    found = sum(tally.of(target.topic, name) for name in target.names)
    share = _share(found, of, f"no case tells its {TOPICS[target.topic].lower()}")
    difference = round(found / of - target.share, DECIMALS) if of else None
    return {
        "topic": target.topic,
        "label": target.label,
        **share,
        "target": target.share,
        "difference": difference,
        "source": SOURCE,
    }


def _drawn(tally: Tally, kind: str, name: str) -> dict[str, Any]:
    """A bone's outlines or a lesion's boxes: number of series, of slices per plane, of pieces."""
    shares: dict[str, float | None] = {}
    in_slices = {}
    for plane in Plane:
        found, of = tally.of(f"{kind}_slices_{plane}", name), tally.of("labels", plane)
        in_slices[plane.value] = found
        shares[plane.value] = round(found / of, DECIMALS) if of else None
    found, series = tally.of(f"{kind}_series", name), tally.total("sides")
    return {
        "name": name,
        **_share(found, series, "no series was found"),
        "pieces": tally.of(f"{kind}_pieces", name),
        "slices": in_slices,
        "slice_share": shares,
        "why_slice_share_missing": "no label in that plane" if None in shares.values() else None,
    }


def _code(tally: Tally, topic: str, code: str, meaning: str) -> dict[str, Any]:
    examples = [
        {"case": case or None, "file": file or None} for case, file in tally.examples.get(code, ())
    ]
    return {"code": code, "count": tally.of(topic, code), "meaning": meaning, "examples": examples}


def percent(share: float | None) -> str | None:
    """A share as a percentage for people."""
    return None if share is None else f"{100 * share:.1f} %"


def points(difference: float | None) -> str | None:
    """The difference of two shares in percentage points, with its sign."""
    return (
        None
        if difference is None
        else f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}").replace("+0.0", "0.0")
    )


def tables(content: dict[str, Any]) -> list[tuple[str, Sequence[str], list[Row]]]:
    """(title, columns, rows) of each table, from the JSON object.

    Faults that do not occur and empty tables are left out.
    """
    drawn = [f"{plane.value} slices" for plane in Plane]
    sides = [(f"side {name}", count) for name, count in content["sides"].items()]
    places = [(f"institution {name}", count) for name, count in content["institutions"].items()]
    overlap: list[Row] = [(" + ".join(pair["names"]), pair["cases"]) for pair in content["overlap"]]
    result: list[tuple[str, Sequence[str], list[Row]]] = [
        (
            f"Targets ({SOURCE})",
            ("what", "cases", "of", "share", "target", "points off"),
            [_target_row(target) for target in content["targets"]],
        ),
        (
            f"Diseases of {content['cases']} case(s)",
            ("disease", "cases", "share"),
            [(d["title"], d["found"], percent(d["share"])) for d in content["diseases"]],
        ),
        ("Overlap", ("in one case", "cases"), overlap),
        (
            f"Slices of {content['series']} series",
            ("plane", "images", "labels"),
            [(p["plane"], p["images"], p["labels"]) for p in content["planes"]],
        ),
        ("Sides and institutions", ("name", "count"), [*sides, *places]),
        ("Bones", ("bone", "series", "outlines", *drawn), _drawn_rows(content["bones"])),
        ("Lesions", ("lesion", "series", "boxes", *drawn), _drawn_rows(content["lesions"])),
        (
            "Angles",
            ("angle", "series", "share"),
            [(a["name"], a["found"], percent(a["share"])) for a in content["angles"]],
        ),
        _faults("Missing", content["missing"]),
        _faults("Quality", content["quality"]),
        ("Not understood", ("name", "count"), list(content["not_understood"].items())),
    ]
    return [table for table in result if table[2]]


def _target_row(target: dict[str, Any]) -> Row:
    return (
        f"{TOPICS[target['topic']]}: {target['label']}",
        target["found"],
        target["of"],
        percent(target["share"]),
        percent(target["target"]),
        points(target["difference"]),
    )


def _faults(heading: str, items: list[dict[str, Any]]) -> tuple[str, Sequence[str], list[Row]]:
    met = sum(item["count"] > 0 for item in items)
    title = f"{heading}: {met} of {len(items)} checks met something"
    return title, ("code", "count", "meaning", "first"), _found(items)


def _drawn_rows(items: list[dict[str, Any]]) -> list[Row]:
    rows: list[Row] = []
    for item in items:
        rows.append((item["name"], item["found"], item["pieces"], *item["slices"].values()))
    return rows


def _found(items: list[dict[str, Any]]) -> list[Row]:
    firsts = [
        " ".join(filter(None, item["examples"][0].values())) if item["examples"] else None
        for item in items
    ]
    return [
        (item["code"], item["count"], item["meaning"], first)
        for item, first in zip(items, firsts, strict=True)
        if item["count"]
    ]
