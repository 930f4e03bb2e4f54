// One plane of the viewer: a slice cut from the axial ones, with bones, lines, boxes and marks over it. Voxels (x, y, z): left, back, up.
class Slices {
  // u, v: axes along columns and rows; n: the normal; up: whether v runs up the picture.
  static PLANES = {AXL: {u: 0, v: 1, n: 2, up: false, edges: "RLAP"}, COR: {u: 0, v: 2, n: 1, up: true, edges: "RLSI"},
    SAG: {u: 1, v: 2, n: 0, up: true, edges: "APSI"}};
  constructor(pane, all) {
    Object.assign(this, Slices.PLANES[pane.dataset.plane], {pane, all, zoom: 1, pan: [0, 0], touches: new Map()});
    this.canvas = pane.querySelector("canvas");
    this.slider = pane.querySelector("input");
    this.cut = document.createElement("canvas");
    this.size = [all.size[this.u], all.size[this.v]];
    [this.cut.width, this.cut.height] = this.size;
    this.picture = this.cut.getContext("2d").createImageData(...this.size);
    this.slider.max = all.size[this.n] - 1;
    this.slider.addEventListener("input", () => this.go(Number(this.slider.value)));
    for (const button of pane.querySelectorAll("button")) {
      button.addEventListener("click", () => this.magnify(Number(button.dataset.zoom)));
    }
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (event.ctrlKey) this.magnify(event.deltaY < 0 ? 1.25 : 0.8, this.local(event));
      else this.go(all.at[this.n] - Math.sign(event.deltaY) * (this.up ? 1 : -1));
    }, {passive: false});
    this.canvas.addEventListener("pointerdown", (event) => this.hold(event));
    this.canvas.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) this.canvas.addEventListener(end, (event) => this.release(event));
    this.canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }
  go(index) {
    moveTo(this.all, this.n, index);
    redraw();
  }
  key(event) {
    const last = this.all.size[this.n] - 1, at = this.all.at[this.n];
    const to = {ArrowUp: at + 1, ArrowDown: at - 1, PageUp: at + 10, PageDown: at - 10, Home: 0, End: last}[event.key];
    if (to !== undefined) this.go(to);
    else if (event.key === "+" || event.key === "=") this.magnify(1.25);
    else if (event.key === "-") this.magnify(0.8);
    else if (event.key === "0") this.magnify(0);
    else return;
    event.preventDefault();
  }
  magnify(by, about = [this.canvas.width / 2, this.canvas.height / 2]) {
    const old = this.scale();
    this.zoom = by === 0 ? 1 : Math.min(12, Math.max(1, this.zoom * by));
    const grown = this.scale() / old, middle = [this.canvas.width / 2, this.canvas.height / 2];
    this.pan = this.zoom === 1 ? [0, 0] : this.pan.map((p, i) => about[i] - middle[i] - (about[i] - middle[i] - p) * grown);
    this.canvas.style.touchAction = this.zoom === 1 ? "" : "none";  // a finger moves the enlarged picture, else the page
    this.draw();
  }
  local(event) {
    const box = this.canvas.getBoundingClientRect(), ratio = this.canvas.width / box.width;
    return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
  }
  hold(event) {
    const moves = event.shiftKey || event.button > 0 || (event.pointerType === "touch" && this.zoom > 1);
    this.touches.set(event.pointerId, this.local(event));
    this.from = {at: this.local(event), pan: this.pan, moves};
    if (event.pointerType === "mouse") this.canvas.setPointerCapture(event.pointerId);
    if (event.pointerType !== "touch") this.drag(event);  // a finger may begin to scroll the page, or be the first of two
  }
  drag(event) {
    if (!event.buttons || !this.from) return;
    const at = this.local(event);
    if (this.touches.size > 1) this.pinch(event.pointerId, at);
    else if (this.from.moves) {
      this.pan = this.from.pan.map((p, i) => p + at[i] - this.from.at[i]);
      this.draw();
    } else this.point(at);
  }
  release(event) {
    const at = this.local(event), tapped = event.type === "pointerup" && event.pointerType === "touch" && this.touches.size === 1;
    if (tapped && this.from && Math.hypot(at[0] - this.from.at[0], at[1] - this.from.at[1]) < 8) this.point(at);
    this.touches.delete(event.pointerId);
    this.from = null;  // the finger that stays of two does nothing more
  }
  point(at) {
    const voxel = this.voxel(at);
    [this.u, this.v].forEach((axis, i) => moveTo(this.all, axis, voxel[i]));
    redraw();
  }
  pinch(id, at) {
    const spread = () => {
      const [a, b] = [...this.touches.values()];
      return {apart: Math.hypot(a[0] - b[0], a[1] - b[1]), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]};
    };
    const before = spread();
    this.touches.set(id, at);
    const now = spread();
    this.pan = this.pan.map((p, i) => p + now.middle[i] - before.middle[i]);
    this.magnify(now.apart / Math.max(1, before.apart), now.middle);
  }
  scale() { return this.zoom * Math.min(this.canvas.width / this.size[0], this.canvas.height / this.size[1]); }
  corner() { return [0, 1].map((i) => [this.canvas.width, this.canvas.height][i] / 2 - this.scale() * this.size[i] / 2 + this.pan[i]); }
  pixel(point) {  // canvas pixel of a voxel
    const s = this.scale(), [x, y] = this.corner(), row = this.up ? this.size[1] - 1 - point[this.v] : point[this.v];
    return [x + (point[this.u] + 0.5) * s, y + (row + 0.5) * s];
  }
  voxel(pixel) {
    const s = this.scale(), [x, y] = this.corner(), row = (pixel[1] - y) / s - 0.5;
    return [(pixel[0] - x) / s - 0.5, this.up ? this.size[1] - 1 - row : row];
  }
  fill(off) {
    const {grey, masks, size, look} = this.all, step = [1, size[0], size[0] * size[1]];
    const [columns, rows] = this.size, out = this.picture.data, bones = !off.has("layer-bones") && masks;
    const base = this.all.at[this.n] * step[this.n], su = step[this.u], sv = step[this.v];
    for (let r = 0, o = 0; r < rows; r++) {
      let i = base + (this.up ? rows - 1 - r : r) * sv;
      for (let c = 0; c < columns; c++, o += 4, i += su) {
        const g = look[grey[i]], bone = bones ? masks[i] : 0;
        out[o] = out[o + 1] = out[o + 2] = g;
        out[o + 3] = 255;
        if (!bone || hiddenBones.has(bone)) continue;
        const rim = masks[i + su] !== bone || masks[i - su] !== bone || masks[i + sv] !== bone || masks[i - sv] !== bone;
        const share = rim ? 0.8 : 0.16, colour = this.all.colours[bone];
        for (let k = 0; k < 3; k++) out[o + k] = g + (colour[k] - g) * share;
      }
    }
    this.cut.getContext("2d").putImageData(this.picture, 0, 0);
  }
  draw() {
    const ratio = window.devicePixelRatio || 1, box = this.canvas.getBoundingClientRect();
    if (!box.width || !this.all.grey) return;
    const [w, h] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    const pen = this.canvas.getContext("2d"), off = switchedOff(), s = this.scale(), corner = this.corner();
    this.fill(off);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, w, h);
    pen.drawImage(this.cut, ...corner, s * this.size[0], s * this.size[1]);
    this.pen = {pen, w, h, ratio, taken: [[w / 2, 14 * ratio], [w / 2, h - 14 * ratio]]};
    this.cross();
    for (const angle of scene.angles) if (angle.plane === this.pane.dataset.plane) this.angle(angle, off);
    if (!off.has("layer-boxes")) for (const lesion of scene.boxes) this.lesion(lesion);
    this.marks();
    const words = this.say();
    this.canvas.setAttribute("aria-label", `${this.pane.dataset.title}, ${words}`);
    this.slider.value = this.all.at[this.n];
    this.slider.setAttribute("aria-valuetext", words);
  }
  say() {
    const at = this.all.at, vox = scene.to_vox.slice(0, 3).map((row) => row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3]);
    const main = [0, 1, 2].sort((a, b) => Math.abs(scene.to_vox[b][this.n]) - Math.abs(scene.to_vox[a][this.n]))[0];
    return `${viewer.dataset.slice} ${Math.round(vox[main])}`;
  }
  line(a, b, colour, wide = 1, dash = []) {
    const {pen, ratio} = this.pen;
    Object.assign(pen, {strokeStyle: colour, lineWidth: wide * ratio});
    pen.setLineDash(dash.map((d) => d * ratio));
    pen.beginPath();
    pen.moveTo(...a);
    pen.lineTo(...b);
    pen.stroke();
    pen.setLineDash([]);
  }
  text(words, at, colour = "#fff", size = 13, align = "center") {
    const {pen, ratio, w} = this.pen;
    Object.assign(pen, {font: `600 ${size * ratio}px system-ui, sans-serif`, textAlign: align, textBaseline: "middle"});
    const half = align === "center" ? pen.measureText(words).width / 2 : 0, x = Math.min(w - half, Math.max(half, at[0]));
    Object.assign(pen, {strokeStyle: "#000", lineWidth: 3 * ratio, lineJoin: "round", fillStyle: colour});
    pen.strokeText(words, x, at[1]);
    pen.fillText(words, x, at[1]);
  }
  free(at) {  // as near as no other value stands
    const {taken, ratio} = this.pen, near = ([x, y]) => taken.some((t) => Math.abs(t[0] - x) < 80 * ratio && Math.abs(t[1] - y) < 14 * ratio);
    let place = at;
    for (let step = 1; near(place) && step < 9; step++) place = [at[0], at[1] + (step % 2 ? 1 : -1) * Math.ceil(step / 2) * 15 * ratio];
    taken.push(place);
    return place;
  }
  cross() {
    const {w, h, pen} = this.pen, [x, y] = this.pixel(this.all.at);
    pen.globalAlpha = 0.45;
    this.line([x, 0], [x, h], "#9fd3ff");
    this.line([0, y], [w, y], "#9fd3ff");
    pen.globalAlpha = 1;
  }
  angle(angle, off) {
    if (off.has("source-" + angle.source) || off.has("angle-" + angle.name)) return;
    const {pen, ratio} = this.pen, p = angle.points.map((point) => this.pixel(point)), dash = angle.source === "masks" ? [6, 4] : [];
    const depth = angle.points.reduce((sum, point) => sum + point[this.n] / 4, 0) - this.all.at[this.n];
    pen.globalAlpha = Math.abs(depth) * (scene.mm || 0.5) < 5 ? 1 : 0.5;  // fainter where its points lie in other slices
    let where = [(p[2][0] + p[3][0]) / 2, (p[2][1] + p[3][1]) / 2];
    if (!off.has("layer-lines")) {
      this.line(p[0], p[1], angle.colour, 1.5, dash);
      this.line(p[2], p[3], angle.colour, 1.5, dash);
      where = this.arc(p, angle) || where;
      this.text(`${angle.name} ${angle.text}`, this.free(where), angle.colour);
    }
    if (!off.has("layer-points")) for (const [x, y] of p) {
      pen.fillStyle = angle.colour;
      pen.fillRect(x - 2 * ratio, y - 2 * ratio, 4 * ratio, 4 * ratio);
    }
    pen.globalAlpha = 1;
  }
  arc(p, angle) {  // between the two arms whose opening is the nearer to the value; returns where the value stands
    const [a, b] = [[p[1][0] - p[0][0], p[1][1] - p[0][1]], [p[3][0] - p[2][0], p[3][1] - p[2][1]]];
    const area = a[0] * b[1] - a[1] * b[0];
    if (angle.unit !== "deg" || Math.abs(area) < 1e-6) return null;
    const t = ((p[2][0] - p[0][0]) * b[1] - (p[2][1] - p[0][1]) * b[0]) / area, at = [p[0][0] + t * a[0], p[0][1] + t * a[1]];
    const {pen, w, h, ratio} = this.pen;
    if (at[0] < 0 || at[1] < 0 || at[0] > w || at[1] > h) return null;
    const to = (i, j) => Math.atan2((p[i][1] + p[j][1]) / 2 - at[1], (p[i][0] + p[j][0]) / 2 - at[0]);
    let from = to(0, 1), end = to(2, 3);
    const open = () => Math.abs(Math.atan2(Math.sin(end - from), Math.cos(end - from))) * 180 / Math.PI, value = Math.abs(angle.value);
    if (Math.abs(180 - open() - value) < Math.abs(open() - value)) end += Math.PI;
    const turn = Math.atan2(Math.sin(end - from), Math.cos(end - from)), r = 26 * ratio;
    pen.strokeStyle = angle.colour;
    pen.beginPath();
    pen.arc(...at, r, from, from + turn, turn < 0);
    pen.stroke();
    return [at[0] + 1.9 * r * Math.cos(from + turn / 2), at[1] + 1.9 * r * Math.sin(from + turn / 2)];
  }
  lesion(lesion) {
    const here = lesion.boxes.filter(([low, high]) => low[this.n] <= this.all.at[this.n] && this.all.at[this.n] < high[this.n]);
    if (!here.length) return;
    const ends = [0, 1].map((end) => [0, 1, 2].map((axis) => Math[end ? "max" : "min"](...here.map((box) => box[end][axis]))));
    const [a, b] = ends.map((point) => this.pixel(point)), {pen, ratio} = this.pen;
    Object.assign(pen, {strokeStyle: scene.colours.box, lineWidth: 2 * ratio});
    pen.setLineDash(lesion.sure ? [] : [2 * ratio, 4 * ratio]);
    pen.strokeRect(Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.abs(b[0] - a[0]), Math.abs(b[1] - a[1]));
    pen.setLineDash([]);
    this.text(lesion.text, [(a[0] + b[0]) / 2, Math.min(a[1], b[1]) - 10 * ratio], scene.colours.box, 12);
  }
  marks() {
    const {w, h, ratio} = this.pen, gap = 14 * ratio, [left, right, top, bottom] = scene.sides_known ? this.edges : this.edges.replace(/[RL]/g, "?");
    this.text(scene.side || "?", [gap, 1.6 * gap], "#fff", 26, "left");
    this.text(left, [gap, h / 2]);
    this.text(right, [w - gap, h / 2]);
    this.text(top, [w / 2, gap]);
    this.text(bottom, [w / 2, h - gap]);
    this.text(this.say(), [w - gap / 2, gap], "#fff", 13, "right");
    const mm = scene.mm && [50, 20, 10, 5, 2, 1].find((length) => length / scene.mm * this.scale() < 0.3 * w);
    if (!mm) return;
    this.line([gap, h - gap], [gap + mm / scene.mm * this.scale(), h - gap], "#fff", 3);
    this.text(`${mm} mm`, [gap, h - 1.9 * gap], "#fff", 12, "left");
  }
}
