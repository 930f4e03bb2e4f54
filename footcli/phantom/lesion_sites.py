"""The sites of lesions in a foot, with or without disease."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from footcli.anatomy.surface import surface_points
from footcli.anatomy.template import Bone
from footcli.geometry import Array
from footcli.kinds import ARCH
from footcli.phantom.subject import Region

Foot = dict[str, Bone]
ARCH_BONES = ("Talus", "1st Metatarsal")
# Margin beside talus and ray, so that a slice oblique by 20 degrees still shows the whole arch
ARCH_BESIDE_MM = 60.0


def sites(foot: Mapping[str, Bone]) -> dict[str, tuple[Array, ...]]:
    """Lesion label -> its possible sites in a foot, foot mm (3,) each."""
    talus = foot["talus"]
    edges = talus.point("dome_medial_edge"), talus.point("dome_lateral_edge")
    return {
        "Hallux Valgus": (toe_joint(foot),),
        "OLT": edges,
        "Accessory Navicular": (foot["navicular"].point("medial_most"),),
        "Tarsal Coalition": tuple((start + end) / 2 for start, end in bridges(foot).values()),
        "Ankle Arthritis": ((edges[0] + edges[1]) / 2,),
        ARCH: (arch(foot).centre,),
    }


def toe_joint(foot: Mapping[str, Bone]) -> Array:
    """The centre of the first metatarsophalangeal joint (3,), foot mm."""
    return np.asarray(
        (foot["metatarsal1"].point("head_centre") + foot["phalanx_prox1"].point("base_centre")) / 2
    )


def bridges(foot: Mapping[str, Bone]) -> dict[str, tuple[Array, Array]]:
    """Site of a coalition -> its points on the calcaneus and on the other bone, foot mm (3,)."""
    calcaneus, middle = (
        foot["calcaneus"],
        foot["calcaneus"].point("sustentaculum_medial") + np.array([-5.0, 0, 2.0]),
    )
    sites_ = {
        "middle facet": (middle, "talus"),
        "posterior facet": ((middle + calcaneus.point("highest_posterior_facet")) / 2, "talus"),
        "calcaneonavicular": (calcaneus.point("anterior_superior_process"), "navicular"),
    }
    found = {}
    for name, (at, other) in sites_.items():
        start = _nearest(surface_points(calcaneus), at)
        found[name] = start, _nearest(surface_points(foot[other]), start)
    return found


def _nearest(points: Array, at: Array) -> Array:
    return np.asarray(points[((points - at) ** 2).sum(1).argmin()])


def arch(foot: Mapping[str, Bone]) -> Region:
    """The region of the arch, foot mm: from the talus to the head of the 1st metatarsal.

    It counts in sagittal slices with one of ARCH_BONES.
    """
    back, front = foot["talus"].point("posterior_point"), foot["metatarsal1"].point("head_centre")
    top = foot["talus"].point("trochlea_top")[2]
    centre = np.array([(foot["talus"].pos[0] + front[0]) / 2, (back[1] + front[1]) / 2, top / 2])
    wide = abs(float(foot["talus"].pos[0] - front[0])) / 2 + ARCH_BESIDE_MM
    return Region(centre, np.array([wide, (front[1] - back[1]) / 2, top / 2]), n=8)
