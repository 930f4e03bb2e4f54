// Surfaces of the bones, turned with the pointer or the arrow keys: WebGL, or a still picture painted without it.
const SHADE = [0.35, -0.25, 0.9];  // direction of the light, from the eye's frame: right, up, towards the eye
const VERTEX = `attribute vec3 at; attribute vec3 normal; uniform mat3 turn; uniform vec3 middle; uniform vec2 scale; varying vec3 n;
void main() { vec3 p = turn * (at - middle); n = turn * normal; gl_Position = vec4(p.xy * scale, -p.z * 0.002, 1.0); }`;
const FRAGMENT = `precision mediump float; varying vec3 n; uniform vec3 colour; uniform float flat_;
void main() { float light = flat_ > 0.5 ? 1.0 : 0.28 + 0.72 * max(0.0, dot(normalize(n), normalize(vec3(${SHADE.join()}))));
gl_FragColor = vec4(colour * light, 1.0); }`;

class Surface {
  constructor(pane, bones) {
    Object.assign(this, {pane, bones, canvas: pane.querySelector("canvas"), zoom: 1, yaw: 0, pitch: 0});
    this.side = scene.drawn_as === "R" ? -1 : 1;
    this.voxel = scene.mm || 0.6;
    const ends = [0, 1, 2].map(() => [Infinity, -Infinity]);
    for (const {corners} of bones) for (let i = 0; i < corners.length; i++) {
      const end = ends[i % 3];
      if (corners[i] < end[0]) end[0] = corners[i];
      if (corners[i] > end[1]) end[1] = corners[i];
    }
    this.middle = ends.map(([low, high]) => (low + high) / 2);
    this.reach = Math.hypot(...ends.map(([low, high]) => (high - low) / 2)) * 0.66;
    this.gl = this.canvas.getContext("webgl", {antialias: true});
    if (this.gl) this.load();
    this.canvas.addEventListener("pointerdown", (event) => { this.canvas.setPointerCapture(event.pointerId); });
    this.canvas.addEventListener("pointermove", (event) => { if (event.buttons) this.turn(-event.movementX * 0.5, event.movementY * 0.5); });
    this.canvas.addEventListener("wheel", (event) => { event.preventDefault(); this.magnify(event.deltaY < 0 ? 1.12 : 0.89); }, {passive: false});
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    for (const button of pane.querySelectorAll("button[data-from]")) button.addEventListener("click", () => this.from(button.dataset.from));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    this.from("lateral");
  }
  from(where) {
    const out = this.side > 0 ? 0 : 180;
    [this.yaw, this.pitch] = {lateral: [out, 0], medial: [180 - out, 0], front: [-90, 0], above: [90, 89.9]}[where];
    this.draw();
  }
  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.max(-89.9, Math.min(89.9, this.pitch + pitch));
    this.draw();
  }
  magnify(by) {
    this.zoom = Math.max(0.5, Math.min(8, this.zoom * by));
    this.draw();
  }
  key(event) {
    const to = {ArrowLeft: [8, 0], ArrowRight: [-8, 0], ArrowUp: [0, 8], ArrowDown: [0, -8]}[event.key];
    if (to) this.turn(...to);
    else if (event.key === "+" || event.key === "=") this.magnify(1.25);
    else if (event.key === "-") this.magnify(0.8);
    else return;
    event.preventDefault();
  }
  axes() {  // the eye's right, up and back, in the scan's axes
    const [a, b] = [this.yaw, this.pitch].map((deg) => deg * Math.PI / 180);
    const back = [Math.cos(a) * Math.cos(b), Math.sin(a) * Math.cos(b), Math.sin(b)];
    const up = [-Math.cos(a) * Math.sin(b), -Math.sin(a) * Math.sin(b), Math.cos(b)];
    return [[-Math.sin(a), Math.cos(a), 0], up, back];
  }
  load() {
    const {gl} = this, program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    const store = (target, data) => { const buffer = gl.createBuffer(); gl.bindBuffer(target, buffer); gl.bufferData(target, data, gl.STATIC_DRAW); return buffer; };
    for (const bone of this.bones) {
      bone.at = store(gl.ARRAY_BUFFER, bone.corners);
      bone.out = store(gl.ARRAY_BUFFER, bone.normals);
      bone.index = store(gl.ELEMENT_ARRAY_BUFFER, bone.faces);
    }
    this.place = (name) => gl.getUniformLocation(program, name);
    this.inputs = ["at", "normal"].map((name) => gl.getAttribLocation(program, name));
    this.lines = gl.createBuffer();
    gl.enable(gl.DEPTH_TEST);
  }
  draw() {
    const box = this.canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    if (!box.width) return;
    const [w, h] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    this.canvas.dataset.eye = `${Math.round(this.yaw)} ${Math.round(this.pitch)}`;
    const scale = this.zoom * Math.min(w, h) / 2 / this.reach;
    if (this.gl) this.render(w, h, scale);
    else this.paint(w, h, scale);
  }
  render(w, h, scale) {
    const {gl} = this, rows = this.axes();
    gl.viewport(0, 0, w, h);
    gl.clearColor(0.04, 0.05, 0.06, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniformMatrix3fv(this.place("turn"), false, [0, 1, 2].flatMap((axis) => rows.map((row) => row[axis])));
    gl.uniform3fv(this.place("middle"), this.middle);
    gl.uniform2f(this.place("scale"), 2 * scale / w, 2 * scale / h);
    const share = (hex) => rgb(hex).map((v) => v / 255);
    gl.uniform1f(this.place("flat_"), 0);
    this.bones.forEach((bone) => {
      if (hiddenBones.has(bone.id)) return;
      gl.uniform3fv(this.place("colour"), share(bone.colour));
      [bone.at, bone.out].forEach((buffer, i) => {
        gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
        gl.enableVertexAttribArray(this.inputs[i]);
        gl.vertexAttribPointer(this.inputs[i], 3, gl.FLOAT, false, 0, 0);
      });
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, bone.index);
      gl.drawElements(gl.TRIANGLES, bone.faces.length, gl.UNSIGNED_SHORT, 0);
    });
    gl.uniform1f(this.place("flat_"), 1);
    gl.disable(gl.DEPTH_TEST);  // axes show through the bones
    gl.disableVertexAttribArray(this.inputs[1]);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lines);
    gl.vertexAttribPointer(this.inputs[0], 3, gl.FLOAT, false, 0, 0);
    for (const angle of this.shown()) {
      gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(angle.points.flat().map((v) => v * this.voxel)), gl.DYNAMIC_DRAW);
      gl.uniform3fv(this.place("colour"), share(angle.colour));
      gl.drawArrays(gl.LINES, 0, 4);
    }
    gl.enable(gl.DEPTH_TEST);
  }
  shown() {
    const off = switchedOff();
    return off.has("layer-lines") ? [] : scene.angles.filter((a) => !off.has("source-" + a.source) && !off.has("angle-" + a.name));
  }
  paint(w, h, scale) {  // far faces first
    const pen = this.canvas.getContext("2d"), rows = this.axes(), light = Math.hypot(...SHADE), faces = [];
    const seen = (p) => rows.map((row) => row[0] * (p[0] - this.middle[0]) + row[1] * (p[1] - this.middle[1]) + row[2] * (p[2] - this.middle[2]));
    pen.fillStyle = "#0a0d0f";
    pen.fillRect(0, 0, w, h);
    for (const bone of this.bones) {
      if (hiddenBones.has(bone.id)) continue;
      const at = [];
      for (let i = 0; i < bone.corners.length; i += 3) at.push(seen(bone.corners.subarray(i, i + 3)));
      for (let i = 0; i < bone.faces.length; i += 3) {
        const [a, b, c] = [0, 1, 2].map((k) => at[bone.faces[i + k]]), j = 3 * bone.faces[i];
        const n = rows.map((row) => row[0] * bone.normals[j] + row[1] * bone.normals[j + 1] + row[2] * bone.normals[j + 2]);
        if (n[2] > 0) faces.push([a[2] + b[2] + c[2], a, b, c, 0.28 + 0.72 * Math.max(0, (n[0] * SHADE[0] + n[1] * SHADE[1] + n[2] * SHADE[2]) / light), bone.colour]);
      }
    }
    faces.sort((a, b) => a[0] - b[0]);
    for (const [, a, b, c, shade, colour] of faces) {
      pen.fillStyle = pen.strokeStyle = `rgb(${rgb(colour).map((v) => Math.round(v * shade))})`;
      pen.beginPath();
      for (const p of [a, b, c]) pen.lineTo(w / 2 + p[0] * scale, h / 2 - p[1] * scale);
      pen.closePath();
      pen.fill();
      pen.stroke();
    }
  }
}

function outward(corners, faces) {  // normal of each corner: its faces' area-weighted mean
  const out = new Float32Array(corners.length);
  for (let f = 0; f < faces.length; f += 3) {
    const [a, b, c] = [0, 1, 2].map((k) => 3 * faces[f + k]);
    const u = [0, 1, 2].map((i) => corners[b + i] - corners[a + i]), v = [0, 1, 2].map((i) => corners[c + i] - corners[a + i]);
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    for (const corner of [a, b, c]) for (let i = 0; i < 3; i++) out[corner + i] += n[i];
  }
  for (let i = 0; i < out.length; i += 3) {
    const length = Math.hypot(out[i], out[i + 1], out[i + 2]) || 1;
    for (let k = 0; k < 3; k++) out[i + k] /= length;
  }
  return out;
}

async function startSurface() {
  const bones = [];
  for (const [i, bone] of scene.bones.entries()) {
    if (!bone.corners) continue;
    const [corners, faces] = [await unpack(bone.corners, Uint16Array), await unpack(bone.faces, Uint16Array)];
    const at = Float32Array.from(corners, (v) => v / scene.fine * (scene.mm || 0.6));
    bones.push({id: i + 1, colour: bone.colour, corners: at, faces, normals: outward(at, faces)});
  }
  const surface = new Surface(viewer.querySelector(".pane.surface"), bones);
  ready.push(() => surface.draw());
  viewer.dataset.surface = surface.gl ? "webgl" : "still";
}
if (viewer && "DecompressionStream" in window) startSurface();
