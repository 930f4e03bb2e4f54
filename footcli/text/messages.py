"""What people read: the one table of report strings in English and Korean, and the cleaning of text
from files.
"""

from __future__ import annotations

import re
import unicodedata

from footcli.errors import SetupError

LANGUAGES = ("en", "ko")
_UNITS = {"deg": "°", "percent": " %"}

_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]?")
_GONE = {
    "Cc",
    "Cf",
    "Zl",
    "Zp",
}  # control; format (bidi overrides, invisible marks); line and paragraph separators


def clean(text: str) -> str:
    """Text from a file or folder name as one harmless line: no terminal escapes, controls, bidi
    overrides or lone surrogates.
    """
    if text.isascii() and text.isprintable():  # most names are
        return text.strip()
    shown = _ESCAPES.sub("", text).encode("utf-8", "backslashreplace").decode("utf-8")
    shown = "".join(" " if c in "\t\n\r\v\f\x85\u2028\u2029" else c for c in shown)
    return "".join(c for c in shown if unicodedata.category(c) not in _GONE).strip()


def number(value: float, unit: str = "deg") -> str:
    """A measured value as people read it: one decimal, a true minus sign, the unit."""
    shown = f"{value:.1f}".replace("-", "\N{MINUS SIGN}")
    return shown + _UNITS.get(unit, f" {unit}")


def strings(lang: str) -> dict[str, str]:
    """All report strings in one language.

    Raises SetupError for a language that is not in LANGUAGES.
    """
    if lang not in LANGUAGES:
        raise SetupError(f"no language {clean(lang)!r}: use one of {', '.join(LANGUAGES)}")
    column = LANGUAGES.index(lang)
    return {key: pair[column] for key, pair in _TABLE.items()}


# key: (English, Korean). Keys with a dot belong to a family that is looked up by a value:
# "level.PRESENT".
_TABLE: dict[str, tuple[str, str]] = {
    "report_title": ("Foot and ankle report", "족부·족관절 분석 보고서"),
    "banner_head": ("Research use only. Not a medical device.", "연구 전용. 의료기기가 아닙니다."),
    "banner_text": (
        "Made by software without review. Cut-offs come from radiographs; values from "
        "weight-bearing CT can differ from them. "
        "Check every value against its picture. Not for diagnosis or treatment.",
        "소프트웨어가 자동으로 작성하였으며 판독의의 검토를 거치지 않았습니다. "
        "기준값은 단순 방사선 사진에서 얻은 것으로, 체중부하 CT의 값과 다를 수 있습니다. "
        "모든 값을 그림과 대조하십시오. 진단이나 치료 결정에 사용할 수 없습니다.",
    ),
    "case": ("Case", "증례"),
    "side": ("Side", "좌우"),
    "side.L": ("Left", "왼쪽"),
    "side.R": ("Right", "오른쪽"),
    "side.None": ("Unknown", "알 수 없음"),
    "weight_bearing": ("Weight-bearing", "체중부하"),
    "age_band": ("Age band", "연령대"),
    "spacing": ("Voxel size (x, y, z)", "복셀 크기 (x, y, z)"),
    "slices": ("Slices", "슬라이스 수"),
    "grid": ("Grid (z, y, x)", "격자 (z, y, x)"),
    "skipped": ("Files left out", "제외된 파일"),
    "yes": ("yes", "예"),
    "no": ("no", "아니요"),
    "unknown": ("unknown", "알 수 없음"),
    "none": ("none", "없음"),
    "warnings": ("Input warnings", "입력 경고"),
    "impression": ("Impression", "종합 소견"),
    "consistent": ("consistent with", "다음에 합당함:"),
    "borderline_for": ("borderline for", "경계 소견:"),
    "grade": ("Grade", "등급"),
    "grade.mild": ("mild", "경도"),
    "grade.moderate": ("moderate", "중등도"),
    "grade.severe": ("severe", "중증"),
    "grade.moderate-severe": ("moderate to severe", "중등도-중증"),
    "see_picture": ("see the picture", "그림 보기"),
    "more_findings": ("further findings in the findings table", "나머지 소견은 소견 표에 있음"),
    "normal_text": (
        "No abnormality detected by this tool among",
        "이 도구가 살펴본 다음 항목에서 이상 소견 없음",
    ),
    "nothing_text": (
        "Nothing was found, but not everything could be judged: this is no normal result.",
        "발견된 소견은 없으나 판단하지 못한 항목이 있어 정상이라고 할 수 없습니다.",
    ),
    "not_judged": ("not judged", "판단하지 못함"),
    "failure": ("This case could not be completed", "이 증례는 끝까지 처리하지 못했습니다"),
    "angles": ("Angles", "각도"),
    "angle": ("Angle", "각도"),
    "from_landmarks": ("From landmarks", "기준점 기반"),
    "from_masks": ("From bone masks", "골 분할 기반"),
    "range": ("Reference range", "참고 범위"),
    "notes": ("Notes", "비고"),
    "state.within": ("within", "범위 안"),
    "state.borderline": ("borderline", "경계"),
    "state.outside": ("outside", "범위 밖"),
    "state.missing": ("not measurable", "측정 불가"),
    "state.no_range": ("no cut-off", "기준값 없음"),
    "band": ("borderline within", "경계 폭"),
    "profile": ("Threshold profile", "기준값 묶음"),
    "slice": ("slice", "슬라이스"),
    "confidence": ("confidence", "신뢰도"),
    "not_taken": ("not taken", "측정하지 않음"),
    "differ": (
        "The two ways differ by {}: check the picture.",
        "두 방법의 차이가 {}입니다. 그림을 확인하십시오.",
    ),
    "angles_note": (
        "Adult reference values. Landmarks and bone masks are two independent ways to the same "
        "angle; findings take their mean.",
        "성인 참고값입니다. 기준점과 골 분할은 같은 각도를 구하는 서로 독립된 두 방법이며, 소견은 둘의 평균을 씁니다.",
    ),
    "define.CPA": (
        "Lower border of the calcaneus against the floor; front end up is plus.",
        "종골 하연과 바닥면 사이 각. 앞쪽이 들리면 양수.",
    ),
    "define.TMA": (
        "Talar axis against the 1st metatarsal axis, lateral; plus is planus, minus is cavus.",
        "측면 거골축과 제1중족골축 사이 각. 양수는 평발, 음수는 요족 쪽.",
    ),
    "define.TCA": (
        "Talar axis against the lower border of the calcaneus, lateral.",
        "측면 거골축과 종골 하연 사이 각.",
    ),
    "define.HAA": (
        "Tibial shaft axis against talus centre to heel contact point; valgus is plus.",
        "경골축과 거골 중심-발뒤꿈치 접지점 선 사이 각. 외반이 양수.",
    ),
    "define.MTASA": (
        "Tibial shaft axis against the talar dome, medial angle; below 90° is varus.",
        "경골축과 거골 천장 사이 내측 각. 90° 미만은 내반.",
    ),
    "define.MTASA_B": (
        "Tibial shaft axis against the tibial plafond, medial angle; below 90° is varus.",
        "경골축과 경골 천장 사이 내측 각. 90° 미만은 내반.",
    ),
    "define.TT": (
        "Talar tilt: plafond against talar dome; opening laterally is plus.",
        "거골 경사: 경골 천장과 거골 천장 사이 각. 외측이 열리면 양수.",
    ),
    "define.TCA_AP": ("Talocalcaneal angle, axial.", "거종각 (축상면)."),
    "define.HVA": ("Hallux valgus angle.", "무지 외반각."),
    "define.IMA": ("Angle between 1st and 2nd metatarsal, axial.", "제1·제2중족골간 각."),
    "define.JSW_M": (
        "Space between tibia and talus at the medial shoulder of the dome.",
        "거골 천장 내측에서 경골과 거골 사이 간격.",
    ),
    "define.JSW_C": (
        "Space between tibia and talus at the middle of the dome.",
        "거골 천장 중앙에서 경골과 거골 사이 간격.",
    ),
    "define.JSW_L": (
        "Space between tibia and talus at the lateral shoulder of the dome.",
        "거골 천장 외측에서 경골과 거골 사이 간격.",
    ),
    "define.FAO": (
        "Foot ankle offset, share of the foot length; valgus is plus.",
        "족부-족관절 편위, 발 길이에 대한 비율. 외반이 양수.",
    ),
    "sides": ("Left beside right", "좌우 비교"),
    "sides.within": ("alike", "차이 없음"),
    "sides.outside": ("differ", "차이 있음"),
    "sides.no_range": ("no guard band", "기준 폭 없음"),
    "apart": ("Difference", "차이"),
    "measured_from": ("From", "방법"),
    "sides_note": (
        "Called different beyond twice the borderline width. Some difference is usual: in one "
        "series of patients the median was 1.2° for "
        "calcaneal inclination and 5.8° for the axial talus to 1st metatarsal angle (doi "
        "10.1177/24730114261454986).",
        "경계 폭의 두 배를 넘으면 차이로 표시합니다. 어느 정도의 좌우 차이는 흔하며, 한 환자군에서 그 중앙값은 종골 경사각 1.2°, "
        "축상면 거골-제1중족골각 5.8°였습니다 (doi 10.1177/24730114261454986).",
    ),
    "other_report": ("report of the other foot", "반대쪽 발 보고서"),
    "viewer": ("Slices and surfaces", "슬라이스와 3차원 표면"),
    "viewer_how": (
        "Wheel, slider or arrow keys: slices. Click or drag: cross-hair in all planes. Ctrl and "
        "wheel, + and -, two fingers: zoom; shift "
        "and drag: move. Lines of angles are fainter where their points lie in other slices.",
        "휠, 슬라이더, 화살표 키: 슬라이스 이동. 클릭이나 끌기: 모든 단면의 십자선 이동. Ctrl+휠, + -, 두 손가락: 확대와 축소, "
        "Shift+끌기: 화면 이동. "
        "각도 선은 점이 다른 슬라이스에 있으면 흐리게 보입니다.",
    ),
    "window": ("Window", "윈도우"),
    "window.bone": ("bone (−500 to 1500 HU)", "뼈 (−500~1500 HU)"),
    "window.soft": ("soft tissue (−160 to 240 HU)", "연부조직 (−160~240 HU)"),
    "zoom_in": ("enlarge", "확대"),
    "zoom_out": ("make smaller", "축소"),
    "zoom_off": ("whole picture", "전체 보기"),
    "surface": ("Bones in 3D", "뼈 3차원 보기"),
    "surface_how": (
        "Surfaces of the bones from their masks. Drag or arrow keys turn them.",
        "골 분할로 만든 뼈 표면. 끌거나 화살표 키로 돌립니다.",
    ),
    "from.lateral": ("lateral", "외측"),
    "from.medial": ("medial", "내측"),
    "from.front": ("front", "앞"),
    "from.above": ("above", "위"),
    "jump": ("show in the slices", "슬라이스에서 보기"),
    "pictures": ("Pictures", "그림"),
    "no_pictures": ("No pictures were saved.", "저장된 그림이 없습니다."),
    "show": ("Show", "표시"),
    "layer.bones": ("bones", "뼈"),
    "layer.lines": ("lines", "선"),
    "layer.points": ("points", "점"),
    "layer.boxes": ("boxes", "상자"),
    "legend": ("Bones", "뼈"),
    "line_key": (
        "solid line: landmarks · dashed line, slanted value: bone masks · solid box: score 0.6 or "
        "more · dotted box: below",
        "실선: 기준점 · 파선과 기울인 값: 골 분할 · 실선 상자: 점수 0.6 이상 · 점선 상자: 그 미만",
    ),
    "enlarge": ("Choose a picture to enlarge it.", "그림을 선택하면 크게 볼 수 있습니다."),
    "plane.SAG": ("Sagittal", "시상면"),
    "plane.COR": ("Coronal", "관상면"),
    "plane.AXL": ("Axial", "축상면"),
    "slab": ("slab along the foot", "발 축을 따른 두꺼운 단면"),
    "lesions": ("Lesions", "병변"),
    "lesion": ("Lesion", "병변"),
    "no_lesions": ("No lesion box above the threshold.", "기준을 넘는 병변 상자가 없습니다."),
    "score": ("Score", "점수"),
    "plane": ("Plane", "단면"),
    "slice_range": ("Slices", "슬라이스"),
    "size_mm": ("Size (mm)", "크기 (mm)"),
    "findings": ("Findings", "소견"),
    "finding": ("Finding", "소견"),
    "level": ("Level", "판정"),
    "evidence": ("Evidence", "근거"),
    "level.PRESENT": ("present", "있음"),
    "level.BORDERLINE": ("borderline", "경계"),
    "level.NOT_SEEN": ("not seen", "보이지 않음"),
    "level.NOT_MEASURABLE": ("not measurable", "측정 불가"),
    "missing": ("Not measured, and why", "측정하지 못한 항목과 이유"),
    "nothing_missing": ("Everything was measured.", "모든 항목을 측정하였습니다."),
    "source.landmarks": ("landmarks", "기준점"),
    "source.masks": ("bone masks", "골 분할"),
    "trace": ("Trace", "추적 정보"),
    "version": ("Software", "소프트웨어"),
    "model": ("Model", "모델"),
    "input_hash": ("Input (sha256)", "입력 (sha256)"),
    "not_recorded": ("not recorded", "기록 없음"),
    "signoff": ("Reader's sign-off", "판독의 확인"),
    "signoff_how": (
        "Accept, change or refuse each line, then save the file and merge it: footcli report OUT "
        "--signoff FILE.",
        "각 항목을 승인, 수정 또는 거부한 뒤 파일로 저장하고 다음 명령으로 합치십시오: footcli report OUT --signoff FILE.",
    ),
    "read_lines": ("Read line by line", "항목별 판독"),
    "save_signoff": ("Save the sign-off", "확인 저장"),
    "signed_by": ("Signed by", "확인자"),
    "reader": ("Reader", "판독의"),
    "value": ("Value", "값"),
    "comment": ("Comment", "의견"),
    "verdict.accept": ("accepted", "승인"),
    "verdict.edit": ("changed to", "수정"),
    "verdict.reject": ("refused", "거부"),
    "index_title": ("Foot and ankle reports", "족부·족관절 보고서 목록"),
    "index_order": ("Worst first.", "심한 순서."),
    "search": ("Search", "검색"),
    "any": ("any", "전체"),
    "shown": ("{} of {} shown", "{}건 / 전체 {}건"),
    "outcome": ("Outcome", "결과"),
    "outcome.done": ("done", "완료"),
    "outcome.redone": ("done again", "다시 분석함"),
    "outcome.failed": ("failed", "실패"),
    "unreadable": ("result cannot be read", "결과를 읽을 수 없음"),
    "outcome.earlier": ("earlier result", "이전 결과"),
    "outcome.skipped": ("finished earlier", "이전에 완료됨"),
    "no_cases": ("No cases.", "증례가 없습니다."),
    "total": ("{} cases, {} failed", "증례 {}건, 실패 {}건"),
    "open_report": ("open the report", "보고서 열기"),
}
