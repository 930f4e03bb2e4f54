"""Where a lesion lies, or would lie, in any foot."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from footcli.anatomy.template import Bone, surface_points
from footcli.geometry import Array
from footcli.kinds import ARCH
from footcli.phantom.subject import Region

Foot = dict[str, Bone]
ARCH_BONES = ("Talus", "1st Metatarsal")
# beyond talus and ray, so that a slice 20 degrees askew of the foot still shows the arch from end
# to end
ARCH_BESIDE_MM = 60.0


def sites(foot: Mapping[str, Bone]) -> dict[str, tuple[Array, ...]]:
    """Label -> where such a lesion would lie, in any foot, (3,) each."""
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
    """The middle of the joint of the great toe (3,), foot mm."""
    return np.asarray(
        (foot["metatarsal1"].point("head_centre") + foot["phalanx_prox1"].point("base_centre")) / 2
    )


def bridges(foot: Mapping[str, Bone]) -> dict[str, tuple[Array, Array]]:
    """Where coalitions lie: the calcaneus' and the other bone's point that they join."""
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
    """Around the medial ray, from talus to the head of the 1st metatarsal; it counts in sagittal
    slices that show one of ARCH_BONES.
    """
    back, front = foot["talus"].point("posterior_point"), foot["metatarsal1"].point("head_centre")
    top = foot["talus"].point("trochlea_top")[2]
    centre = np.array([(foot["talus"].pos[0] + front[0]) / 2, (back[1] + front[1]) / 2, top / 2])
    wide = abs(float(foot["talus"].pos[0] - front[0])) / 2 + ARCH_BESIDE_MM
    return Region(centre, np.array([wide, (front[1] - back[1]) / 2, top / 2]), n=8)
