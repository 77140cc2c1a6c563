"use strict";
// Put at the end of a copy of a report by ci/report-check: waits for the page, tries it, and says a verdict on
// the console. page_faults was filled from the head on.

const failures = [];

function expect(holds, what) {
  if (!holds) failures.push(what);
}

function is_drawn(canvas) {
  if (canvas.width === 0 || canvas.height === 0) return false;
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  for (let i = 3; i < pixels.length; i += 4) {
    if (pixels[i] !== 0) return true;
  }
  return false;
}

function check_canvases(when) {
  const canvases = [...document.querySelectorAll("canvas")];
  for (const canvas of canvases) expect(is_drawn(canvas), `${when}: nothing is drawn for "${canvas.getAttribute("aria-label")}"`);
  return canvases.length;
}

// What sticks out on the right, but for what scrolls in a frame of its own.
function too_wide() {
  const sticks_out = (element) => element.getBoundingClientRect().right > window.innerWidth + 0.5 && !element.parentElement.closest(".scroll") && !element.closest(".skip");
  return [...document.body.querySelectorAll("*")].filter(sticks_out)
    .map((element) => `<${element.tagName.toLowerCase()} id="${element.id}" class="${element.className}">`).slice(0, 5).join(" ");
}

function check_width() {
  const page = document.documentElement;
  expect(page.scrollWidth <= window.innerWidth, `the page is ${page.scrollWidth} px wide in a window of ${window.innerWidth}: ${too_wide()}`);
}

// Without the marks and tags around them.
function names_shown() {
  const own_text = (cell) => [...cell.firstChild.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join("");
  return [...document.querySelectorAll("#points tbody tr:not([hidden]) th")].map(own_text);
}

function check_sorting() {
  const button = document.querySelector("#points thead button");
  const before = names_shown();
  button.click();
  const ascending = names_shown();
  button.click();
  const descending = names_shown();
  expect(button.closest("th").getAttribute("aria-sort") === "descending", "a second click does not sort the other way");
  expect(JSON.stringify([...before].sort()) === JSON.stringify([...ascending].sort()), "sorting loses points");
  expect(JSON.stringify(ascending) === JSON.stringify([...descending].reverse()), "sorting the other way is not the reverse");
  const in_order = (name, i) => i === 0 || ascending[i - 1].localeCompare(name, "en", { numeric: true }) <= 0;
  expect(ascending.every(in_order), "a click on a heading does not sort");
}

function check_filtering() {
  const search = document.getElementById("search");
  const type = (text) => {
    search.value = text;
    search.dispatchEvent(new Event("input"));
    return names_shown();
  };
  const all = type("");
  expect(type("no point is called like this").length === 0, "filtering by text hides nothing");
  expect(type(all[0].slice(0, 3)).length > 0, "filtering by text hides what has it");
  expect(type("").length === all.length, "an empty filter does not show all");
  const system = document.querySelector("select[aria-label=system]");
  system.value = system.options[1].value;
  system.dispatchEvent(new Event("change"));
  const of_one = names_shown();
  expect(of_one.length > 0 && (of_one.length < all.length || system.options.length === 2), "filtering by system does not work");
  system.value = "";
  system.dispatchEvent(new Event("change"));
}

function check_theme() {
  const background = () => getComputedStyle(document.body).backgroundColor;
  const before = background();
  document.getElementById("theme").click();
  expect(background() !== before, "the theme button changes nothing");
  check_canvases("other theme");
  document.getElementById("theme").click();
  expect(background() === before, "the theme button does not change back");
}

function check_headings() {
  for (const table of document.querySelectorAll("table")) expect(table.caption && table.caption.textContent !== "", "a table has no caption");
  for (const id of ["verdict", "points", "environment"]) expect(document.getElementById(id), `no section ${id}`);
  expect(document.querySelectorAll("h1").length === 1, "not one main heading");
}

// A busy browser may say that a page is loaded before it has laid it out: the width that it is to have is after
// the # of its address, and it must have stayed the same for a while.
function when_settled(then) {
  const wanted = Number(location.hash.slice(1));
  let unchanged = 0;
  let last = 0;
  const look = () => {
    const width = document.documentElement.scrollWidth;
    unchanged = window.innerWidth === wanted && width === last ? unchanged + 1 : 0;
    last = width;
    if (unchanged < 10) requestAnimationFrame(look);
    else then();
  };
  look();
}

window.addEventListener("load", () => when_settled(() => {
  let canvases = 0;
  try {
    canvases = check_canvases("at first");
    check_width();
    check_headings();
    check_sorting();
    check_filtering();
    check_theme();
  } catch (error) {
    failures.push(`the check itself failed: ${error}`);
  }
  failures.push(...page_faults);
  console.log(`report-check: ${window.innerWidth} px, ${canvases} canvases, ${document.querySelectorAll("tbody tr").length} table lines: ` +
    (failures.length === 0 ? "OK" : `FAILED: ${failures.join("; ")}`));
}));
