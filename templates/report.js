// Layer toggles: an element of a picture is hidden while any of its layers is switched off.
"use strict";
const boxes = [...document.querySelectorAll("input[data-layer]")];
const parts = [...document.querySelectorAll("svg.view [class]")];
function update() {
  const off = boxes.filter((box) => !box.checked).map((box) => box.dataset.layer);
  for (const part of parts) {
    part.style.display = off.some((layer) => part.classList.contains(layer)) ? "none" : "";
  }
}
for (const box of boxes) box.addEventListener("change", update);
for (const bar of document.querySelectorAll(".toggles")) bar.hidden = false;
update();

// Sign-off: a verdict on each line, saved as a file that `footcli report --signoff` keeps beside the result.
const sign = document.querySelector(".sign");
const lines = [...document.querySelectorAll(".verdict")].map((line) => ({
  line, verdict: line.querySelector("select"), to: line.querySelector(".to"), comment: line.querySelector(".comment"),
}));
const reader = document.getElementById("reader"), read = document.getElementById("read"), save = document.getElementById("save");
function signed() {
  const said = {};
  for (const {line, verdict, to, comment} of lines) {
    to.hidden = verdict.value !== "edit";
    if (!verdict.value) continue;
    const edited = to.type === "number" ? (to.value === "" ? null : Number(to.value)) : to.value;
    if (verdict.value === "edit" && edited === null) continue;
    said[line.dataset.line] = {verdict: verdict.value, comment: comment.value, ...(verdict.value === "edit" ? {to: edited} : {})};
  }
  const {case: case_id, input, values, signoff} = document.body.dataset;
  const text = {schema: signoff, case_id, input_sha256: input, values_sha256: values, reader: reader.value, signed: new Date().toISOString(), lines: said};
  save.hidden = Object.keys(said).length === 0;
  save.href = "data:application/json;charset=utf-8," + encodeURIComponent(JSON.stringify(text, null, 1));
}
if (sign) {
  sign.hidden = document.getElementById("signoff").hidden = false;
  read.addEventListener("click", () => {
    const on = read.getAttribute("aria-pressed") !== "true";
    read.setAttribute("aria-pressed", String(on));
    for (const {line} of lines) line.hidden = !on;
  });
  for (const {verdict, to, comment} of lines) for (const input of [verdict, to, comment]) input.addEventListener("input", signed);
  for (const event of ["pointerdown", "focus"]) save.addEventListener(event, signed);
  reader.addEventListener("input", signed);
}
