// The list of cases: words, finding and level choose its rows; a heading sorts them, a second time the other way round.
"use strict";
const table = document.querySelector("table.cases");
const bar = document.querySelector(".choose");
if (table && bar) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, rank) => ({row, rank, text: row.textContent.toLowerCase()}));
  const [words, finding, level] = ["words", "finding", "level"].map((name) => document.getElementById(name));
  const count = document.getElementById("shown");
  const choose = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const {row, text} of rows) {
      const pairs = row.dataset.found.split(" ").filter(Boolean).map((pair) => pair.split(":"));
      // every foot has a line for every finding: without a level those count that were seen
      const fits = (how) => level.value ? how === level.value : how === "PRESENT" || how === "POSSIBLE";
      const right = pairs.some(([name, how]) => (!finding.value || name === finding.value) && fits(how));
      row.hidden = !(wanted.every((word) => text.includes(word)) && (right || (!finding.value && !level.value)));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = count.dataset.words.replace("{}", shown).replace("{}", rows.length);
  };
  const keys = (button) => (item) => button.dataset.sort === "rank" ? item.rank : item.row.cells[Number(button.dataset.sort)].textContent.trim();
  const buttons = [...table.querySelectorAll("button[data-sort]")];
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const head = button.closest("th"), down = head.getAttribute("aria-sort") === "ascending", key = keys(button);
      for (const other of buttons) other.closest("th").removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = new Intl.Collator(document.documentElement.lang, {numeric: true});
      rows.sort((a, b) => (down ? -1 : 1) * (typeof key(a) === "number" ? key(a) - key(b) : order.compare(key(a), key(b))) || a.rank - b.rank);
      body.append(...rows.map(({row}) => row));
    });
    button.disabled = false;
  }
  for (const input of [words, finding, level]) input.addEventListener("input", choose);
  bar.hidden = false;
  choose();
  window.addEventListener("pageshow", choose);  // after Back the browser fills the fields in again, without an event
}
