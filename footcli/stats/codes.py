"""Texts of the statistics: published targets, codes of missing and faulty data, their meaning."""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "published description of the data set"


@dataclass(frozen=True, slots=True)
class Target:
    """A share that the data set was meant to have.

    names: the topic's values that are added up.
    """

    topic: str
    label: str
    names: tuple[str, ...]
    share: float


TARGETS: tuple[Target, ...] = (
    Target("sex", "female", ("F",), 0.5),
    Target("sex", "male", ("M",), 0.5),
    Target("age", "child and young (0-40)", ("0-20", "20-40"), 0.3),
    Target("age", "middle and old (40 and over)", ("40-60", "60 and over"), 0.7),
    Target("age", "0-20", ("0-20",), 0.25),
    Target("age", "20-40", ("20-40",), 0.25),
    Target("age", "40-60", ("40-60",), 0.25),
    Target("age", "60 and over", ("60 and over",), 0.25),
    Target("group", "foot disease (FD)", ("FD",), 0.4),
    Target("group", "ankle disease (AD)", ("AD",), 0.4),
    Target("group", "normal (N)", ("N",), 0.2),
)
TOPICS = {"sex": "Sex", "age": "Age", "group": "Disease group"}
NOTES: tuple[str, ...] = (
    "The two published age targets contradict each other: four bands of 25 % make child and young "
    "50 %, not 30 %. Both are shown.",
    "A case is a case folder, a series one foot of it. Sex, age and diseases are counted once a "
    "case; a case of two disease groups "
    "counts in both.",
)

GROUPS = ("FD", "AD", "N")

# code -> what it means and what to do
MISSING: dict[str, str] = {
    "no_clinical": (
        "Cases without a clinical JSON file; what their labels say of the person is used instead. "
        "Look for the files."
    ),
    "no_images": (
        "Series without images in AXL, COR or SAG: labels alone. They cannot be analysed; look for "
        "the source images."
    ),
    "no_labels": (
        "Series without slice labels. They can be analysed, not scored; look for the label tree."
    ),
    "no_angle_label": (
        "Series without an angle label. Their angles cannot be scored; look for *_Angle.json."
    ),
    "plane_without_images": (
        "Planes without images in a series that has images of others. The other planes are used."
    ),
    "plane_without_labels": (
        "Planes without labels in a series that has labels of others. Nothing is scored there."
    ),
    "sex_unknown": "Cases whose sex is not given or not understood; left out of its shares.",
    "age_unknown": "Cases whose age is not given or impossible; they are left out of its shares.",
    "group_unknown": "Cases whose disease group no clinical JSON, file or folder name tells.",
    "detail_unknown": (
        "Entries of DiseaseDetail that name no known disease; the text is not shown, as it can "
        "hold more than a disease."
    ),
    "size_unknown": (
        "Planes whose image size no header told; there only negative coordinates, or a limit "
        "given, tell what is outside."
    ),
    "not_dataset": "Folders that are not in the data set's layout; nothing in them is counted.",
}
QUALITY: dict[str, str] = {
    "unreadable_json": (
        "JSON that cannot be read: broken, of another tool or encoding, or a key twice. Export it "
        "again or remove it."
    ),
    "label_without_image": (
        "A slice label whose plane has images, but none of its name. Rename the label or restore "
        "the image."
    ),
    "image_without_label": (
        "An image whose plane has labels, but none of its name. Label the slice, or give it an "
        "empty label."
    ),
    "empty_label": (
        "A label without outline, box or line. Right where the slice shows no bone; look at a few "
        "examples."
    ),
    "polygon_outside_image": (
        "An outline that leaves the image. Check that image and label are of one size and one case."
    ),
    "polygon_crosses_itself": (
        "An outline whose edges cross; its inside is then ambiguous. Draw it again."
    ),
    "polygon_too_few_points": (
        "An outline of fewer than three points, which has no area. Remove it or draw it again."
    ),
    "polygon_too_many_points": (
        "An outline so long that it was not searched for crossings. Check how it was made."
    ),
    "box_outside_image": (
        "A lesion box that leaves the image. Check that image and label are of one size and one "
        "case."
    ),
    "box_without_area": "A lesion box of no width or height. Remove it or draw it again.",
    "lesion_in_other_plane": (
        "A lesion box in a plane in which that lesion is not labelled. Check its comment and its "
        "slice."
    ),
    "box_given_twice": "A lesion box that stands twice in one label; it counts once. Remove one.",
    "not_understood": (
        "Items of an unknown class or without coordinates; they are not used. The names are listed "
        "below."
    ),
    "case_id_differs": (
        "A JSON file whose Case_ID is not the name of the case folder. Check whose label it is."
    ),
    "duplicate_case_id": (
        "Case folders that share their id with another one. Rename one, or remove the copy."
    ),
}
