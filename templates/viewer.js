// The viewer: unpacks the slices and masks that the page carries, and links three planes, the bones in 3D and the page's switches.
const viewer = document.getElementById("viewer");
const scene = viewer && JSON.parse(document.getElementById("scene").textContent);
const hiddenBones = new Set();
const ready = [];  // what is called whenever something that is shown has changed

async function unpack(text, type) {
  const packed = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new type(await new Response(stream).arrayBuffer());
}
const switchedOff = () => new Set(boxes.filter((box) => !box.checked).map((box) => box.dataset.layer));
const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const moveTo = (all, axis, voxel) => { all.at[axis] = Math.min(all.size[axis] - 1, Math.max(0, Math.round(voxel))); };
const redraw = () => ready.forEach((draw) => draw());

async function startSlices() {
  const [slices, rows, columns] = scene.shape, size = [columns, rows, slices];
  const all = {size, at: size.map((n) => n >> 1), look: new Uint8ClampedArray(256), colours: [null]};
  for (const bone of scene.bones) all.colours.push(rgb(bone.colour));
  const choice = document.getElementById("window");
  const setWindow = () => {
    const [low, high] = choice.value.split(" ").map(Number);
    const knots = scene.curve;
    for (let g = 0; g < 256; g++) {
      const k = Math.max(1, knots.findIndex(([, grey]) => g <= grey)), [h0, g0] = knots[k - 1], [h1, g1] = knots[k];
      all.look[g] = 255 * (h0 + (h1 - h0) * (g - g0) / (g1 - g0) - low) / (high - low);
    }
  };
  setWindow();
  choice.addEventListener("change", () => { setWindow(); redraw(); });
  const grey = new Uint8Array(slices * rows * columns), sheets = [...viewer.querySelectorAll("img.sheet")];
  await Promise.all(sheets.map(async (sheet, number) => {
    await sheet.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [sheet.naturalWidth, sheet.naturalHeight];
    const pen = canvas.getContext("2d", {willReadFrequently: true});
    pen.drawImage(sheet, 0, 0);
    const colour = pen.getImageData(0, 0, canvas.width, canvas.height).data, start = number * scene.per_sheet * rows * columns;
    for (let i = 0, n = colour.length >> 2; i < n; i++) grey[start + i] = colour[4 * i];
    sheet.remove();
  }));
  all.masks = "DecompressionStream" in window ? await unpack(scene.masks, Uint8Array) : null;
  all.grey = grey;
  const panes = [...viewer.querySelectorAll(".pane[data-plane]")].map((pane) => new Slices(pane, all));
  ready.push(() => panes.forEach((pane) => pane.draw()));
  const links = [...document.querySelectorAll("[data-at]")], jump = (link) => {
    link.dataset.at.split(",").forEach((voxel, axis) => moveTo(all, axis, Number(voxel)));
    redraw();
  };
  for (const link of links) link.addEventListener("click", () => jump(link));
  if (links.length) jump(links[0]);
  viewer.dataset.ready = "slices";
  redraw();
}
if (viewer) {
  viewer.hidden = false;
  for (const box of boxes) box.addEventListener("change", redraw);
  document.querySelectorAll(".legend li").forEach((item, i) => {
    const box = Object.assign(document.createElement("input"), {type: "checkbox", checked: true});
    box.addEventListener("change", () => { hiddenBones[box.checked ? "delete" : "add"](i + 1); redraw(); });
    const label = document.createElement("label");
    label.append(box, ...item.childNodes);
    item.append(label);
  });
  startSlices();
}
