"""Lines of results, which are kept in English, in Korean.

Names, numbers and citations stay; an unknown line stays as it is.
"""

from __future__ import annotations

import re

from footcli.names import BONES, FINDINGS, LESIONS

_PLACES = {
    "head of the talus": "거골 머리",
    "back of the talus": "거골 뒤쪽",
    "dome of the talus": "거골 활차",
    "front of the heel": "종골 앞쪽",
    "back of the heel": "종골 뒤쪽",
    "sole of the heel": "종골 바닥",
    "lower end of the tibia": "경골 하단",
    "1st metatarsal head": "제1중족골두",
    "1st metatarsal base": "제1중족골 기저부",
    "2nd metatarsal head": "제2중족골두",
    "2nd metatarsal base": "제2중족골 기저부",
    "5th metatarsal head": "제5중족골두",
    "the first phalanx of the big toe": "엄지발가락 첫마디뼈",
    "the 1st metatarsal": "제1중족골",
    "the talus": "거골",
    "the navicular": "주상골",
    "the calcaneus": "종골",
    "the tibia": "경골",
}
_WORDS = {
    **_PLACES,
    **{term.en: term.ko for term in (*BONES, *FINDINGS, *LESIONS)},
    **{term.name: term.ko for term in LESIONS},
    "landmarks": "기준점",
    "masks": "골 분할",
    "landmarks and the masks": "기준점과 골 분할의 평균",
    "axial": "축상면",
    "coronal": "관상면",
    "sagittal": "시상면",
    "AXL": "축상면",
    "COR": "관상면",
    "SAG": "시상면",
    "left": "왼쪽",
    "right": "오른쪽",
    "L": "왼쪽",
    "R": "오른쪽",
    "PRESENT": "있음",
    "BORDERLINE": "경계",
    "NOT_SEEN": "보이지 않음",
    "NOT_MEASURABLE": "측정 불가",
    "deg": "°",
    "percent": "%",
    "mm": "mm",
    "is not": "그렇지 않음",
    "with the opposite": "반대 소견에 부합",
    "within": "안",
    "outside": "밖",
    "below": "미만",
    "above": "초과",
    "at least": "이상",
    "at most": "이하",
    # why there is no value
    "no model of the folder looks for it": "폴더에 이를 찾는 모델이 없음",
    "not measured": "측정하지 않음",
    "no value": "값 없음",
    "the toes were not looked for": "발가락은 찾지 않음",
    "its bone was not found where the point should lie": "점이 놓일 자리에서 해당 뼈를 찾지 못함",
    "two points of a line fall together": "한 선의 두 점이 겹침",
    "the tibia does not lie above the talus": "경골이 거골 위에 있지 않음",
    "too little of the lower end of the tibia is in the field of view": "경골 하단이 촬영 범위에 너무 적게 들어옴",
    "too little of the tibial shaft is in the field of view": "경골 몸통이 촬영 범위에 너무 적게 들어옴",
    "the tibia's mask has a gap in its shaft": "경골 분할에 빈 구간이 있음",
    # findings
    "mild": "경도",
    "moderate": "중등도",
    "severe": "중증",
    "moderate-severe": "중등도-중증",
    "age unknown: cut-offs are for adults, no grade given": "나이 미상: 기준값은 성인용이므로 등급을 매기지 않음",
    "calcaneal pitch alone over-calls flat foot": "종골 피치각만으로는 평발이 과다 판정됨",
    "a cavus foot is a reason to think of a neurological work-up": "요족이면 신경학적 검사를 고려",
    "angles alone do not tell arthritis or its stage": "각도만으로는 관절염과 그 병기를 알 수 없음",
    "CT shows the bony size and place; cartilage needs MRI": "CT는 골병변의 크기와 위치를 보여 줌. 연골은 MRI가 필요함",
    "an accessory navicular is common and mostly silent": "부주상골은 흔하고 대부분 증상이 없음",
    "the mean calcaneal pitch of normal Korean adults is 12.7 (men) and 13.0 deg (women), below the cut-off": "정상 한국 성인의 평균 종골 피치각은 남 12.7°, 여 13.0°로 기준값보다 작음",
    "the mean hallux valgus angle of normal Korean women is 15.7 deg, above the cut-off": "정상 한국 여성의 평균 무지 외반각은 15.7°로 기준값보다 큼",
    "lateral view, projected along the foot": "발 축 방향으로 투영한 측면상",
    "hindfoot view, projected along the foot": "발 축 방향으로 투영한 후족부상",
    "the foot from above, projected along its height": "위에서 투영한 발",
    "seen from the outer side": "바깥쪽에서 본 모습",
    "seen from the inner side": "안쪽에서 본 모습",
    "seen from behind": "뒤에서 본 모습",
    "toes up": "발가락이 위쪽",
    "the side is not known": "좌우를 알 수 없음",
    # notes and warnings
    "floor: through heel and metatarsal heads": "바닥: 발뒤꿈치와 중족골두를 지나는 면",
    "floor: the image's horizontal through the heel contact": "바닥: 발뒤꿈치 접점을 지나는 영상의 수평면",
    "the image's horizontal is taken as the floor, but the files do not say that the patient stood": "영상의 수평면을 바닥으로 보았으나, 서서 촬영했는지 파일에 적혀 있지 않음",
    "the patient did not stand: angles to the floor are those to the image's horizontal": "비체중부하 촬영: 바닥에 대한 각도는 영상 수평면에 대한 값임",
    "the bones stand upside down for what the files say of up and down: the bones were followed": "파일이 말하는 위아래와 뼈가 반대임: 뼈를 따름",
    "too little of the foot was found to be sure which side is medial: check the side": "발이 너무 적게 보여 내측을 확신할 수 없음: 좌우를 확인할 것",
    "heel and metatarsal heads do not stand on a level floor: the image's horizontal is taken": "발뒤꿈치와 중족골두가 평평한 바닥에 있지 않음: 영상의 수평면을 사용함",
    "files do not name their transfer syntax: it was found from their content": "파일에 전송 구문이 없어 내용에서 찾음",
    "the headers hold no usable positions: slices were ordered by their names and taken as evenly spaced": "헤더에 쓸 수 있는 위치가 없음: 파일 이름 순서로 놓고 간격이 고르다고 봄",
    "the images ask to be shown inverted (MONOCHROME1): Hounsfield units are used as they are": "반전 표시 영상(MONOCHROME1): HU 값은 그대로 사용함",
    "the images do not say their pixel spacing: angles are measured, millimetres are not (give --spacing)": "화소 간격이 적혀 있지 않음: 각도는 재지만 길이(mm)는 재지 않음 (--spacing으로 지정)",
    "the images say that text is burned into the pixels: check pictures before passing them on": "화소에 글자가 새겨진 영상임: 전달하기 전에 그림을 확인할 것",
    "the numbers in the file names do not follow the headers' positions: the positions were used": "파일 이름의 번호가 헤더의 위치와 다름: 위치를 사용함",
}
_N = r"-?[\d.]+"
_WAY = "landmarks|masks|landmarks and the masks"
_BETWEEN = {"; ": "; ", ", ": ", ", " and ": ", "}
_LONGEST = 1000  # no line of ours is longer
_SLOT = re.compile(r"\{(\d)(~?)\}")
# English pattern -> Korean; {1} as it stands, {1~} itself put into Korean. The first that fits the
# whole line is taken.
_SENTENCES = tuple(
    (re.compile(pattern), korean)
    for pattern, korean in (
        (rf"(below|above|at least|at most) ({_N}) (deg|percent|mm)", "{2}{3~} {1~}"),
        (rf"(\w+) ({_N}) (deg|percent|mm)", "{1} {2}{3~}"),
        (r"(.+?) not measurable: (.+)", "{1~} 측정 불가: {2~}"),
        (
            rf"(.+), borderline: within ({_N}) (\w+) of the cut-off, (.+ {_N} \w+) \((.+)\), from the ({_WAY})",
            "{1~}, 경계: 기준값({4~})에서 {2}{3~} 이내 ({5}), {6~}",
        ),
        (
            rf"(\w+ {_N} \w+), not (.+? {_N} \w+) \((.+)\), from the ({_WAY})",
            "{1~}, {2~} 아님 ({3}), {4~}",
        ),
        (rf"(\w+ {_N} \w+), (.+? {_N} \w+) \((.+)\), from the ({_WAY})", "{1~}, {2~} ({3}), {4~}"),
        (r"grade (\S+): (.+?), (.+?) \((.+)\)", "등급 {1~}: {2~}, {3~} ({4})"),
        (r"(.+?), no normal range", "{1~}, 정상 범위 없음"),
        (
            rf"(.+?), (within|outside) the normal range, at least ({_N}) and at most ({_N}) (\w+) \((.+)\)",
            "{1~}, 정상 범위 {3}~{4}{5~} {2~} ({6})",
        ),
        (
            r"(.+?), (within|outside) the normal range, (.+?) \((.+)\)",
            "{1~}, 정상 범위({3~}) {2~} ({4})",
        ),
        (
            rf"the two ways to (\w+) differ by ({_N}) (\w+) \(more than ({_N})\): ({_N}) from the (\w+), ({_N}) from the (\w+)",
            "{1}의 두 측정값이 {2}{3~} 다름 ({4} 초과): {6~} {5}, {8~} {7}",
        ),
        (r"supporting: (.+)", "뒷받침: {1~}"),
        (r"beside it: (.+)", "함께 볼 것: {1~}"),
        (r"note: (.+) \((S\d+ .+)\)", "참고: {1~} ({2})"),
        (
            r"borderline at most: (.+) takes (.+) and (.+) together",
            "경계까지만: {1~}은(는) {2}, {3}을(를) 함께 봄",
        ),
        (
            r"conflict: (.+) is consistent with (.+), (.+) (is not|with the opposite)",
            "상충: {1~}은(는) {2~}에 부합, {3~}은(는) {4~}",
        ),
        (
            r"box (.+), score ([\d.]+), (\w+) slices? ([\d-]+)",
            "{1~} 상자, 점수 {2}, {3~} 슬라이스 {4}",
        ),
        (r"(box .+): consistent with (.+)", "{1~}: {2~}에 부합"),
        (
            r"(box .+): not counted, it takes (\d+) consecutive slices",
            "{1~}: 연속 {2}장이 필요하므로 세지 않음",
        ),
        (
            r"(box .+): supports (.+) only beside the angles",
            "{1~}: 각도와 함께일 때만 {2~}을(를) 뒷받침",
        ),
        (r"(box .+): no angle is beyond its cut-off", "{1~}: 기준값을 넘은 각도는 없음"),
        (r"no box (.+) with a score of ([\d.]+) or more", "점수 {2} 이상인 {1~} 상자 없음"),
        (r"not assessable: (.+)", "판정 불가: {1~}"),
        (
            r"age below (\d+): cut-offs are for adults, no grade given",
            "{1}세 미만: 기준값은 성인용이므로 등급을 매기지 않음",
        ),
        (
            r"no abnormality detected by this tool among: (.+)",
            "이 도구가 보는 다음 항목에서 이상 없음: {1~}",
        ),
        (r"(.+): (PRESENT|BORDERLINE|NOT_SEEN|NOT_MEASURABLE)", "{1~}: {2~}"),
        (r"(.+) is outside the field of view", "{1~}: 촬영 범위 밖"),
        (r"(.+) was not found", "{1~}: 찾지 못함"),
        (r"(.+) was found only in part \((.+)\)", "{1~}: 일부만 보임 ({2})"),
        (r"(.+) is not in the scan", "{1~}: 영상에 없음"),
        (
            r"the landmark model is not sure of (\w+) \(score (.+)\)",
            "기준점 모델이 {1}을(를) 확신하지 못함 (점수 {2})",
        ),
        (r"(\w+) was not looked for", "{1}은(는) 찾지 않음"),
        (
            r"the bones are those of a (left|right) foot, the file says (L|R): check the side",
            "뼈는 {1~} 발, 파일은 {2~}이라고 함: 좌우를 확인할 것",
        ),
        (
            r"shown as usual the bones are those of a (left|right) foot, the file says (L|R): the pictures are turned, check the side",
            "통상 방향으로 보면 뼈는 {1~} 발, 파일은 {2~}이라고 함: 그림을 돌려 놓음, 좌우를 확인할 것",
        ),
        (
            r"(\d+) clinical files are of another case, by their names, and were left out",
            "이름으로 보아 다른 증례의 임상 정보 파일 {1}개를 뺌",
        ),
        (
            r"(\d+) files could not be used \((.+)\): slices may be missing at an end",
            "파일 {1}개를 쓸 수 없음 ({2}): 끝 슬라이스가 빠졌을 수 있음",
        ),
        (
            r"(\d+) files that are second downloads of others, by their names, were left out",
            "이름으로 보아 중복 내려받은 파일 {1}개를 뺌",
        ),
        (
            r"the middle (\w+) slice cannot be read \((.+)\): labels of that plane may not match",
            "{1~}의 가운데 슬라이스를 읽을 수 없음 ({2}): 그 면의 라벨이 맞지 않을 수 있음",
        ),
        (
            r"the middle (\w+) slice is not that cut of the axial volume: labels of that plane may not match",
            "{1~}의 가운데 슬라이스가 축상면 볼륨의 단면과 다름: 그 면의 라벨이 맞지 않을 수 있음",
        ),
        (
            r"(\w+) slices fit the axial volume only (.+): labels of that plane may not match",
            "{1~} 슬라이스가 축상면 볼륨과 다르게 놓임 ({2}): 그 면의 라벨이 맞지 않을 수 있음",
        ),
        (
            r"(\w+) slices of (.+) pixels do not fit the axial volume's (.+)",
            "{1~} 슬라이스({2} 화소)가 축상면 볼륨({3})과 맞지 않음",
        ),
        (
            r"the axial stack could not be used \((.+)\): the volume was built from (\w+) slices",
            "축상면을 쓸 수 없음 ({1~}): {2~}으로 볼륨을 만듦",
        ),
        (
            r"the slice numbers go up by (\S+): add the missing files",
            "슬라이스 번호가 {1}씩 늘어남: 빠진 파일을 더할 것",
        ),
        (
            r"(\d+) slices hold values beyond (.+) HU: these were cut off",
            "슬라이스 {1}장에 {2} HU를 넘는 값이 있어 잘라 냄",
        ),
        (
            r"(\d+) slices are copies of others and were left out",
            "슬라이스 {1}장은 다른 슬라이스의 복사본이라 뺌",
        ),
        (
            r"(\d+) series of (.+) slices: the first of these was read, the others were left out",
            "시리즈 {1}개({2}장) 가운데 첫째만 읽고 나머지는 뺌",
        ),
        (
            r"(\d+) of (\d+) slices are missing and were filled by linear interpolation: (.+)",
            "{2}장 가운데 {1}장이 없어 선형 보간으로 채움: {3}",
        ),
        (
            r"(\d+) slices do not say how pixels become Hounsfield units: slope 1 and intercept 0 were taken",
            "슬라이스 {1}장에 HU 변환이 적혀 있지 않음: 기울기 1, 절편 0을 사용함",
        ),
        (r"low: (.+); high: (.+)", "하한: {1}; 상한: {2}"),
        (r"low: (.+)", "하한: {1}"),
        (r"high: (.+)", "상한: {1}"),
    )
)


def line(text: str, lang: str) -> str:
    """A line of a result in a report's language: as it is in English, in Korean by the tables
    above.
    """
    return _korean(text) if lang == "ko" else text


def _korean(text: str) -> str:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _LONGEST:
        return text
    for pattern, korean in _SENTENCES:
        if found := pattern.fullmatch(text):
            return _filled(korean, found)
    for between, korean in _BETWEEN.items():
        if between in text:
            return korean.join(map(_korean, text.split(between)))
    return text


def _filled(korean: str, found: re.Match[str]) -> str:
    return _SLOT.sub(
        lambda slot: _korean(found[int(slot[1])]) if slot[2] else found[int(slot[1])], korean
    )
