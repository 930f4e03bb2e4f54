"""viewer, stack and the scripts of the report: slices, masks and surfaces in the page, driven in a
real browser.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import CHROMIUM, axe_script, needs_driver
from make_result import AFFINE, SHAPE_ZYX, make_result, make_views
from numpy.typing import NDArray
from PIL import Image

from footcli.domain import Volume
from footcli.frame.axes import FootFrame
from footcli.kinds import BONES
from footcli.report.patient import write_report
from footcli.report.viewer import FINE, on_stack, places, scene
from footcli.store.pictures import Pictures, Stack
from footcli.store.result import load_stack, save_case
from footcli.views.scroll import CURVE, build_stack

TALUS = next(i for i, bone in enumerate(BONES, start=1) if bone.name == "Talus")


def _labels() -> NDArray[np.uint8]:
    labels = np.zeros(SHAPE_ZYX, np.uint8)
    for k in range(1, 11):  # ten blocks beside one another
        labels[4 + 5 * k : 8 + 5 * k, 10:60, 8:40] = k
    return labels


def _volume(affine: NDArray[np.float64] = AFFINE) -> Volume:
    z, y, x = np.indices(SHAPE_ZYX)
    return Volume(
        (10 * x + 4 * y - 3 * z).astype(np.int16),
        affine,
        tuple(map(str, range(SHAPE_ZYX[0]))),
        "0" * 64,
    )


def _stack(affine: NDArray[np.float64] = AFFINE) -> Stack:
    frame = FootFrame(np.linalg.inv(np.diag([1, -1, 1, 1])) @ affine, "L", "floor", (), {})
    stack = build_stack(_volume(affine), _labels(), frame, (False, False))
    assert stack is not None
    return stack


def _slices(stack: Stack) -> NDArray[np.uint8]:
    sheets = [np.asarray(Image.open(io.BytesIO(sheet))) for sheet in stack.sheets]
    return np.concatenate(sheets).reshape(stack.shape)


TURNED = np.array([[0, 0, -0.5, 40], [0.5, 0, 0, 0], [0, -0.5, 0, 70], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("affine", [AFFINE, TURNED], ids=["upright", "axes exchanged and turned"])
def test_a_stack_shows_the_scan_and_its_masks_at_the_right_place(
    affine: NDArray[np.float64],
) -> None:
    stack, volume, labels = _stack(affine), _volume(affine), _labels()
    grey, masks = _slices(stack), on_stack(labels, stack)
    assert masks.shape == stack.shape
    assert stack.voxel_mm == pytest.approx(0.5)
    lps = affine[:3, :3] @ stack.to_vox[:3, :3]
    np.testing.assert_allclose(lps, np.eye(3) * 0.5, atol=1e-9)  # left, back, up
    rng = np.random.default_rng(2)
    seen = 0
    for _ in range(300):
        at = rng.integers(0, np.array(stack.shape[::-1]))
        vox = np.rint(stack.to_vox[:3, :3] @ at + stack.to_vox[:3, 3]).astype(int)
        if (vox < 0).any() or (vox >= SHAPE_ZYX[::-1]).any():
            assert masks[tuple(at[::-1])] == 0
            continue
        seen += 1
        assert masks[tuple(at[::-1])] == labels[tuple(vox[::-1])]
        wanted = np.interp(volume.hu[tuple(vox[::-1])], *np.transpose(CURVE))
        assert abs(float(grey[tuple(at[::-1])]) - wanted) <= 6  # what JPEG costs
    assert seen > 200


def test_a_stack_without_bones_is_none() -> None:
    frame = FootFrame(AFFINE, "L", "floor", (), {})
    assert build_stack(_volume(), np.zeros(SHAPE_ZYX, np.uint8), frame, (False, False)) is None


def test_a_stack_is_saved_beside_the_views(tmp_path: Path) -> None:
    stack = _stack()
    save_case(tmp_path, make_result(), _labels(), AFFINE, Pictures(make_views(), stack))
    read = load_stack(tmp_path)
    assert read is not None
    assert (read.sheets, read.shape, read.per_sheet, read.curve) == (
        stack.sheets,
        stack.shape,
        stack.per_sheet,
        stack.curve,
    )
    np.testing.assert_array_equal(read.to_vox, stack.to_vox)
    save_case(tmp_path, make_result(), _labels(), AFFINE, Pictures(make_views()))
    assert load_stack(tmp_path) is None


def test_surfaces_close_around_their_bones() -> None:
    told = scene(make_result(), _labels(), _stack(), "en")
    masks = on_stack(_labels(), _stack())
    for k, bone in enumerate(told["bones"], start=1):
        corners, faces = (
            np.frombuffer(zlib.decompress(base64.b64decode(bone[key])), "<u2").reshape(-1, 3)
            for key in ("corners", "faces")
        )
        at = corners / FINE
        a, b, c = at[faces].transpose(1, 0, 2)
        volume = abs(float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum())) / 6
        assert volume == pytest.approx(
            (masks == k).sum(), rel=0.25
        )  # a slab of four voxels loses its edges to the smoothing
        edges = np.sort(
            np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1
        )
        assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
        inside = np.argwhere(masks == k)[:, ::-1]
        assert (at.min(0) >= inside.min(0) - 1).all()
        assert (at.max(0) <= inside.max(0) + 1).all()
    assert json.loads(json.dumps(told))["shape"] == list(_stack().shape)


def test_places_are_the_middles_of_points_and_boxes_in_the_stack() -> None:
    stack, result = _stack(), make_result()
    found = places(result, stack)
    m = next(m for m in result.measurements if m.name == "CPA" and m.value is not None)
    vox = (
        stack.to_vox[:3, :3] @ np.array([float(v) for v in found["CPA"].split(",")])
        + stack.to_vox[:3, 3]
    )
    np.testing.assert_allclose(vox, np.mean(m.points_vox, axis=0), atol=0.51)
    assert result.lesions[0].label in found
    assert "MTASA" not in found


class _Opened:
    """A page, with all that its console said and all that it asked for."""

    def __init__(self, page: Any, path: Path) -> None:
        self.page, self.said, self.asked = page, [], []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(path.as_uri())
        page.wait_for_selector("#viewer[data-ready][data-surface]")

    def label(self, plane: str) -> str:
        return str(self.page.get_attribute(f'.pane[data-plane="{plane}"] canvas', "aria-label"))

    def slice(self, plane: str) -> int:
        return int(self.label(plane).split()[-1])

    def pixels(self, pane: str) -> bytes:
        return bytes(self.page.locator(f".pane{pane} canvas").screenshot())


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("case") / "case-01"
    save_case(folder, make_result(), _labels(), AFFINE, Pictures(make_views(), _stack()))
    return write_report(folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with driver.sync_playwright() as started:
        chrome = started.chromium.launch(
            executable_path=str(CHROMIUM),
            args=[
                "--no-sandbox",
                "--disable-quic",
                "--use-angle=swiftshader",
                "--enable-unsafe-swiftshader",
            ],
        )
        yield chrome
        chrome.close()


@pytest.fixture
def opened(browser: Any, report: Path) -> Iterator[_Opened]:
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    shown = _Opened(page, report)
    yield shown
    page.close()
    assert shown.said == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in shown.asked)
    assert [url for url in shown.asked if url.startswith("file:")] == [report.as_uri()]


@needs_driver
def test_wheel_keys_and_slider_scroll_each_plane(opened: _Opened) -> None:
    for plane in ("AXL", "COR", "SAG"):
        canvas = opened.page.locator(f'.pane[data-plane="{plane}"] canvas')
        first = opened.slice(plane)
        before = opened.pixels(f'[data-plane="{plane}"]')
        canvas.hover()
        opened.page.mouse.wheel(0, 100)
        assert abs(opened.slice(plane) - first) == 1
        canvas.press("End")
        last = opened.slice(plane)
        canvas.press("PageDown")
        assert abs(opened.slice(plane) - last) == 10
        canvas.press("Home")
        assert opened.page.input_value(f'.pane[data-plane="{plane}"] input') == "0"
        opened.page.locator(f'.pane[data-plane="{plane}"] input').fill("7")
        assert opened.pixels(f'[data-plane="{plane}"]') != before


@needs_driver
def test_a_click_moves_the_cross_hair_of_the_other_planes(opened: _Opened) -> None:
    canvas = opened.page.locator('.pane[data-plane="AXL"] canvas')
    before = {plane: opened.slice(plane) for plane in ("AXL", "COR", "SAG")}
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.55, "y": box["height"] * 0.7})
    assert opened.slice("AXL") == before["AXL"]
    assert opened.slice("COR") != before["COR"]
    assert opened.slice("SAG") != before["SAG"]


@needs_driver
def test_what_is_drawn_is_the_scan_at_its_place(opened: _Opened) -> None:
    """Without overlays, the grey in the middle of the axial picture is that of the voxel there, in
    both windows.
    """
    for box in opened.page.locator(".toggles input").all():
        box.uncheck()
    script = """() => { const shown = document.querySelector('.pane[data-plane="AXL"] canvas');
      const copy = document.createElement("canvas");
      const pen = copy.getContext("2d", {willReadFrequently: true});
      pen.drawImage(shown, 20 - shown.width / 2, 20 - shown.height / 2);
      return [...pen.getImageData(0, 0, 1, 1).data]; }"""
    stack = _stack()
    at = np.array(stack.shape[::-1]) / 2
    scale = min(
        float(
            opened.page.evaluate(f"document.querySelector('.pane[data-plane=\"AXL\"] canvas').{k}")
        )
        / n
        for k, n in zip(("width", "height"), stack.shape[:0:-1], strict=True)
    )
    at[:2] -= 20 / scale + 0.5
    at[2] = opened.slice("AXL") - stack.to_vox[2, 3]
    x, y, z = stack.to_vox[:3, :3] @ at + stack.to_vox[:3, 3]
    hu = 10 * x + 4 * y - 3 * z
    for low, high in ((-500, 1500), (-160, 240)):
        opened.page.select_option("#window", f"{low} {high}")
        red, green, blue, _ = opened.page.evaluate(script)
        assert red == green == blue
        assert red == pytest.approx(
            np.clip(255 * (hu - low) / (high - low), 0, 255), abs=8000 / (high - low)
        )


@needs_driver
def test_switches_hide_bones_lines_and_boxes_in_slices_and_surface(opened: _Opened) -> None:
    page = opened.page
    for switch, pane in (
        ("layer-bones", '[data-plane="SAG"]'),
        ("layer-lines", '[data-plane="SAG"]'),
        ("layer-lines", ".surface"),
    ):
        before = opened.pixels(pane)
        page.locator(f'[data-layer="{switch}"]').uncheck()
        assert opened.pixels(pane) != before
        page.locator(f'[data-layer="{switch}"]').check()
        assert opened.pixels(pane) == before
    for pane in ('[data-plane="SAG"]', ".surface"):
        before = opened.pixels(pane)
        page.locator(".legend input").nth(TALUS - 1).uncheck()
        assert opened.pixels(pane) != before
        page.locator(".legend input").nth(TALUS - 1).check()


@needs_driver
def test_fingers_set_the_cross_hair_enlarge_and_move(browser: Any, report: Path) -> None:
    context = browser.new_context(viewport={"width": 400, "height": 800}, has_touch=True)
    shown = _Opened(context.new_page(), report)
    device = context.new_cdp_session(shown.page)
    canvas = shown.page.locator('.pane[data-plane="AXL"] canvas')
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(places)]
        device.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    before = shown.slice("SAG"), shown.slice("COR")
    shown.page.touchscreen.tap(x + 30, y + 20)
    tapped = shown.slice("SAG"), shown.slice("COR")
    assert all(a != b for a, b in zip(before, tapped, strict=True))
    small = shown.pixels('[data-plane="AXL"]')
    touch("touchStart", (x - 20, y), (x + 20, y))
    touch("touchMove", (x - 40, y), (x + 40, y))
    touch("touchMove", (x - 60, y), (x + 60, y))
    touch("touchEnd")
    large = shown.pixels('[data-plane="AXL"]')
    assert large != small
    touch("touchStart", (x, y))
    touch("touchMove", (x + 25, y + 10))
    touch("touchMove", (x + 50, y + 20))
    touch("touchEnd")
    assert shown.pixels('[data-plane="AXL"]') != large
    assert (
        shown.slice("SAG"),
        shown.slice("COR"),
    ) == tapped  # the picture moved, not the cross-hair
    shown.page.touchscreen.tap(x, y)
    assert (shown.slice("SAG"), shown.slice("COR")) != tapped
    canvas.press("0")
    shown.page.touchscreen.tap(x + 30, y + 20)
    assert (shown.slice("SAG"), shown.slice("COR")) == tapped
    assert shown.said == []
    context.close()


@needs_driver
def test_a_row_jumps_to_its_slice(opened: _Opened) -> None:
    result = make_result()
    opened.page.locator(".angles a.jump", has_text="HAA").click()
    m = next(m for m in result.measurements if m.name == "HAA" and m.value is not None)
    x, y, z = np.mean(m.points_vox, axis=0)
    assert [opened.slice(plane) for plane in ("SAG", "COR", "AXL")] == pytest.approx(
        [x, y, z], abs=1.01
    )
    lesion = result.lesions[0]
    opened.page.locator("#lesions a.jump").first.click()
    assert lesion.slices[0] <= opened.slice(lesion.plane.value) <= lesion.slices[1]
    assert (
        opened.page.evaluate("document.querySelector('#viewer').getBoundingClientRect().top") < 900
    )


@needs_driver
@pytest.mark.parametrize(
    ("side", "where", "right", "up"),
    [
        ("L", "above", [-1, 0, 0], [0, -1, 0]),
        ("R", "above", [-1, 0, 0], [0, -1, 0]),
        ("R", "front", [1, 0, 0], [0, 0, 1]),
        ("L", "lateral", [0, 1, 0], [0, 0, 1]),
        ("R", "medial", [0, 1, 0], [0, 0, 1]),
        ("R", "lateral", [0, -1, 0], [0, 0, 1]),
    ],
)
def test_the_surface_is_seen_from_where_its_button_says(
    opened: _Opened, side: str, where: str, right: list[float], up: list[float]
) -> None:
    """In patient space (left, back, up): from above a right foot's big toe is on the left, as in
    the projection; never a mirror image.
    """
    turned = (
        f"const eye = {{side: {1 if side == 'L' else -1}, draw() {{}}}}; "
        f"Surface.prototype.from.call(eye, '{where}');"
    )
    axes = np.array(
        opened.page.evaluate(f"() => {{ {turned} return Surface.prototype.axes.call(eye); }}")
    )
    np.testing.assert_allclose(axes[:2], [right, up], atol=0.01)
    assert np.linalg.det(axes) == pytest.approx(1.0)


@needs_driver
def test_the_surface_turns_and_has_a_still_picture_without_webgl(
    opened: _Opened, browser: Any, report: Path
) -> None:
    page = opened.page
    canvas = page.locator(".pane.surface canvas")
    assert page.get_attribute("#viewer", "data-surface") == "webgl"
    before = opened.pixels(".surface")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 180, box["y"] + 130, steps=4)
    page.mouse.up()
    assert canvas.get_attribute("data-eye") != "0 0"
    assert opened.pixels(".surface") != before
    canvas.press("ArrowLeft")
    page.get_by_role("button", name="lateral").click()
    assert canvas.get_attribute("data-eye") == "0 0"
    assert opened.pixels(".surface") == before
    bare = browser.new_page()
    bare.add_init_script("""const get = HTMLCanvasElement.prototype.getContext;
      HTMLCanvasElement.prototype.getContext = function (kind, ...r) {
        return kind === "webgl" ? null : get.call(this, kind, ...r); };""")
    still = _Opened(bare, report)
    assert bare.get_attribute("#viewer", "data-surface") == "still"
    colours = np.asarray(Image.open(io.BytesIO(still.pixels(".surface"))).convert("RGB")).reshape(
        -1, 3
    )
    assert (colours.max(1) - colours.min(1) > 60).mean() > 0.05  # coloured bones, not a black pane
    assert still.said == []
    bare.close()


@needs_driver
def test_a_sign_off_downloads_as_json(opened: _Opened) -> None:
    page = opened.page
    page.click("#read")
    page.locator('[data-line="angle:CPA"] select').select_option("accept")
    page.fill("#reader", "A. Reader")
    with page.expect_download() as coming:
        page.click("#save")
    told = json.loads(Path(coming.value.path()).read_text("utf-8"))
    assert (told["case_id"], told["reader"]) == ("case-01", "A. Reader")
    assert told["lines"]["angle:CPA"]["verdict"] == "accept"


@needs_driver
@pytest.mark.parametrize(("lang", "scheme"), [("en", "light"), ("ko", "dark")])
@pytest.mark.parametrize("width", [1200, 320])
def test_pages_are_accessible_and_fit_a_small_screen(
    lang: str, scheme: str, width: int, browser: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "case-01"
    save_case(folder, make_result(), _labels(), AFFINE, Pictures(make_views(), _stack()))
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    shown = _Opened(page, write_report(folder, lang))
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    page.evaluate(axe_script())  # the page's own policy does not hold for what the test puts in
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [
        (v["id"], v["nodes"][0]["html"][:120])
        for v in found
        if v["impact"] in ("serious", "critical")
    ] == []
    assert shown.said == []
    page.close()


@needs_driver
def test_paper_names_every_row(opened: _Opened) -> None:
    opened.page.emulate_media(media="print")
    for table in (".angles", "#findings", "#lesions"):
        heads = opened.page.locator(f"{table} tbody tr > :first-child").all_inner_texts()
        assert heads
        assert all(head.strip() for head in heads), (table, heads)
    assert not opened.page.locator(".impression a").first.is_visible()


@needs_driver
def test_everything_is_reached_by_keyboard(opened: _Opened) -> None:
    """Tab goes through switches, slices and sign-off in the page's order, and shows where it is."""
    reached = []
    for _ in range(120):
        opened.page.keyboard.press("Tab")
        told = opened.page.evaluate("""() => {
            const e = document.activeElement, style = getComputedStyle(e);
          return [e.tagName, e.closest("section")?.id || "", style.outlineStyle !== "none"]; }""")
        if told[0] == "BODY":
            break
        reached.append(told)
    assert all(visible for _, _, visible in reached)
    assert {
        ("CANVAS", "viewer"),
        ("INPUT", "viewer"),
        ("SELECT", "viewer"),
        ("BUTTON", "viewer"),
        ("BUTTON", "signoff"),
    } <= {(tag, where) for tag, where, _ in reached}


def test_a_report_without_a_stack_has_no_viewer(tmp_path: Path) -> None:
    save_case(tmp_path / "case-01", make_result(), _labels(), AFFINE, Pictures(make_views()))
    text = write_report(tmp_path / "case-01").read_text("utf-8")
    assert 'id="viewer"' not in text
    assert 'class="toggles"' in text


def test_text_in_the_scene_cannot_leave_its_script(tmp_path: Path) -> None:
    bad = "</script><script>alert(1)</script>"
    result = make_result()
    result = replace(result, lesions=tuple(replace(x, label=bad) for x in result.lesions))
    save_case(tmp_path / "case-01", result, _labels(), AFFINE, Pictures(make_views(), _stack()))
    text = write_report(tmp_path / "case-01").read_text("utf-8")
    assert "<script>alert(1)" not in text
    assert "\\u003cscript\\u003ealert(1)" in text
