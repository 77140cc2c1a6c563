"use strict";
// Elements, numbers and tables. Text from the run reaches the page through textContent alone.

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function short_number(value) {
  if (value === null || value === undefined) return "-";
  const size = Math.abs(value);
  if (size !== 0 && size < 0.01) return value.toPrecision(3);
  const digits = size < 10 ? 2 : size < 1000 ? 1 : 0;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function three_decimals(value) {
  return value === null || value === undefined ? "-" : value.toFixed(3);
}

function whole_number(value) {
  return value === null || value === undefined ? "-" : value.toLocaleString("en-US", { maximumFractionDigits: 6 });
}

// {median, lo, hi}, each times `scale`: the median, and the interval below it where there is one.
function interval_cell(of, scale = 1, format = short_number) {
  if (!of || of.median === null) return "-";
  if (of.lo === null || of.lo === undefined || of.lo === of.hi) return format(of.median * scale);
  const range = element("span", { class: "range" }, `[${format(of.lo * scale)}, ${format(of.hi * scale)}]`);
  return element("span", {}, format(of.median * scale), range);
}

// A column: {title, cell(row), value(row) to sort by, number, text, hint}. `head`: its cells name their row.
function table_of(caption, columns, rows) {
  const body = element("tbody");
  const shown = rows.map((row) => ({ row, line: line_of(columns, row) }));
  body.append(...shown.map((entry) => entry.line));
  const headings = columns.map((column) => heading_of(column));
  headings.forEach((heading, i) =>
    heading.querySelector("button").addEventListener("click", () => sort_by(columns[i], heading, headings, shown, body)));
  const table = element("table", {}, element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...headings)), body);
  const box = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
  return { box, shown };
}

// The button sorts; paper has the title alone.
function heading_of(column) {
  const button = element("button", { type: "button" }, column.title);
  const attributes = { scope: "col", class: column.number ? "number" : "" };
  if (column.hint) attributes.title = column.hint;
  return element("th", attributes, button, element("span", { class: "printed" }, column.title));
}

function line_of(columns, row) {
  return element("tr", {}, ...columns.map((column) => {
    const kind = column.number ? "number" : column.text ? "text" : "";
    return column.head ? element("th", { scope: "row" }, column.cell(row)) : element("td", { class: kind }, column.cell(row));
  }));
}

// Missing values come last in either order.
function sort_by(column, heading, headings, shown, body) {
  const first = column.number ? "descending" : "ascending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = heading.getAttribute("aria-sort") === first ? other : first;
  for (const each of headings) each.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1;
  const value = (entry) => (column.value || column.cell)(entry.row);
  const is_missing = (v) => v === null || v === undefined || v === "-";
  shown.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (is_missing(x) || is_missing(y)) return is_missing(x) - is_missing(y);
    return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
  });
  body.append(...shown.map((entry) => entry.line));
}

// Adds a section with a heading to the page and to the list of contents.
function section(id, title, ...lead) {
  const made = element("section", { id, "aria-labelledby": `${id}-title` }, element("h2", { id: `${id}-title` }, title));
  for (const text of lead) made.append(element("p", { class: "muted" }, text));
  document.getElementById("main").append(made);
  document.getElementById("contents").append(element("a", { href: `#${id}` }, title));
  return made;
}
