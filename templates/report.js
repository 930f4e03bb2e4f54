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
