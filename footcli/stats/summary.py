"""A tally -> the JSON object of the statistics, and its tables for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from footcli import __version__
from footcli.domain import Plane
from footcli.kinds import ANGLES, BONES, FINDINGS, LESION, LESIONS
from footcli.stats.codes import MISSING, NOTES, QUALITY, SOURCE, TARGETS, TOPICS, Target
from footcli.stats.tally import Tally

SCHEMA_VERSION = "footcli-stats/1"
DECIMALS = 6
"""Of a share: more than are shown, so that rounding again for people is right."""
Row = tuple[str | int | float | None, ...]


def to_json(tally: Tally) -> dict[str, Any]:
    """The JSON object: plain Python types, no NaN; shares are 0..1, null with a reason where
    nothing is known.
    """
    cases, series = tally.of("cases", "cases"), tally.total("sides")
    slices = {plane: tally.of("labels", plane) for plane in Plane}
    return {
        "schema": SCHEMA_VERSION,
        "version": __version__,
        "cases": cases,
        "series": series,
        "planes": [
            {
                "plane": plane.value,
                "images": tally.of("images", plane),
                "labels": tally.of("labels", plane),
            }
            for plane in Plane
        ],
        "targets": [_target(tally, target) for target in TARGETS],
        "notes": list(NOTES),
        "diseases": [
            {"name": term.name, "title": term.en, **_share(tally.of("findings", term.name), cases)}
            for term in FINDINGS
        ],
        "overlap": [
            {"names": pair.split("+"), "cases": number}
            for topic in ("pairs", "group_pairs")
            for pair, number in _sorted(tally, topic)
        ],
        "bones": [_drawn(tally, "bone", term.name, series, slices) for term in BONES],
        "lesions": [
            _drawn(tally, "lesion", term.name, series, slices)
            | {"own_plane": LESION[term.name].plane.value}
            for term in LESIONS
        ],
        "angles": [
            {"name": term.name, "title": term.en, **_share(tally.of("angles", term.name), series)}
            for term in ANGLES
        ],
        "sides": dict(_sorted(tally, "sides")),
        "institutions": dict(_sorted(tally, "institutions")),
        "missing": [_code(tally, "missing", code, text) for code, text in MISSING.items()],
        "quality": [_code(tally, "quality", code, text) for code, text in QUALITY.items()],
        "not_understood": dict(_sorted(tally, "unknown")),
    }


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


def _drawn(
    tally: Tally, kind: str, name: str, series: int, slices: dict[Plane, int]
) -> dict[str, Any]:
    """A bone's outlines or a lesion's boxes: in how many series, slices of each plane, pieces."""
    in_slices = {plane.value: tally.of(f"{kind}_slices_{plane}", name) for plane in Plane}
    return {
        "name": name,
        **_share(tally.of(f"{kind}_series", name), series, "no series was found"),
        "pieces": tally.of(f"{kind}_pieces", name),
        "slices": in_slices,
        "slice_share": {
            p.value: round(in_slices[p] / slices[p], DECIMALS) if slices[p] else None for p in Plane
        },
        "why_slice_share_missing": None if all(slices.values()) else "no label in that plane",
    }


def _code(tally: Tally, topic: str, code: str, meaning: str) -> dict[str, Any]:
    examples = [
        {"case": case or None, "file": file or None} for case, file in tally.examples.get(code, ())
    ]
    return {"code": code, "count": tally.of(topic, code), "meaning": meaning, "examples": examples}


def percent(share: float | None) -> str | None:
    """A share as people read it."""
    return None if share is None else f"{100 * share:.1f} %"


def points(difference: float | None) -> str | None:
    """The difference of two shares in percentage points, with its sign."""
    return (
        None
        if difference is None
        else f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}").replace("+0.0", "0.0")
    )


def tables(content: dict[str, Any]) -> list[tuple[str, Sequence[str], list[Row]]]:
    """(title, columns, rows) of each table, from the JSON object; what was not found is left out of
    the lists of faults.
    """
    planes = [plane.value for plane in Plane]
    found = [
        (
            f"{heading}: {sum(item['count'] > 0 for item in content[key])} of {len(content[key])} "
            "checks met something",
            ("code", "count", "meaning", "first"),
            _found(content[key]),
        )
        for heading, key in (("Missing", "missing"), ("Quality", "quality"))
    ]
    result: list[tuple[str, Sequence[str], list[Row]]] = [
        (
            f"Targets ({SOURCE})",
            ("what", "cases", "of", "share", "target", "points off"),
            [
                (
                    f"{TOPICS[t['topic']]}: {t['label']}",
                    t["found"],
                    t["of"],
                    percent(t["share"]),
                    percent(t["target"]),
                    points(t["difference"]),
                )
                for t in content["targets"]
            ],
        ),
        (
            f"Diseases of {content['cases']} case(s)",
            ("disease", "cases", "share"),
            [(d["title"], d["found"], percent(d["share"])) for d in content["diseases"]],
        ),
        (
            "Overlap",
            ("in one case", "cases"),
            [(" + ".join(o["names"]), o["cases"]) for o in content["overlap"]],
        ),
        (
            f"Slices of {content['series']} series",
            ("plane", "images", "labels"),
            [(p["plane"], p["images"], p["labels"]) for p in content["planes"]],
        ),
        (
            "Sides and institutions",
            ("name", "count"),
            [(f"side {k}", n) for k, n in content["sides"].items()]
            + [(f"institution {k}", n) for k, n in content["institutions"].items()],
        ),
        (
            "Bones",
            ("bone", "series", "outlines", *(f"{p} slices" for p in planes)),
            [_drawn_row(b) for b in content["bones"]],
        ),
        (
            "Lesions",
            ("lesion", "series", "boxes", *(f"{p} slices" for p in planes)),
            [_drawn_row(b) for b in content["lesions"]],
        ),
        (
            "Angles",
            ("angle", "series", "share"),
            [(a["name"], a["found"], percent(a["share"])) for a in content["angles"]],
        ),
        *found,
        ("Not understood", ("name", "count"), list(content["not_understood"].items())),
    ]
    return [table for table in result if table[2]]


def _drawn_row(item: dict[str, Any]) -> Row:
    return (item["name"], item["found"], item["pieces"], *item["slices"].values())


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
