"""Table of the ten bones, one row each."""

from __future__ import annotations

from footcli.kinds.terms import Term


def _ray(number: int, ordinal: str) -> Term:
    """A metatarsal. The aliases include the misspellings in the data set's labels."""
    wrong = []
    for ending in ("st", ordinal[1:]):
        wrong += [f"{number}{ending} Metatarsal", f"{number}{ending} Metararsal"]
    return Term(
        name=f"{ordinal} Metatarsal",
        aliases=(*wrong, f"MT{number}", f"metatarsal{number}"),
    )


# In the order of the model and of masks.npz: label 1 is the first.
# MidFoot is the navicular, the cuboid and the three cuneiforms.
BONES: tuple[Term, ...] = (
    Term(name="Tibia"),
    Term(name="Fibula"),
    Term(name="Talus"),
    Term(name="Calcaneus", aliases=("calcaneum",)),
    Term(name="MidFoot", aliases=("mid foot", "midfoot bones")),
    _ray(1, "1st"),
    _ray(2, "2nd"),
    _ray(3, "3rd"),
    _ray(4, "4th"),
    _ray(5, "5th"),
)
BONE: dict[str, Term] = {bone.name: bone for bone in BONES}
BONE_ID: dict[str, int] = {bone.name: i for i, bone in enumerate(BONES, start=1)}
RAYS: tuple[int, ...] = (6, 7, 8, 9, 10)
OTHER_BONE = "Other bone"
"""What a bone model may also tell apart: toes and sesamoids. No mask holds it."""
OTHER_ID = len(BONES) + 1
