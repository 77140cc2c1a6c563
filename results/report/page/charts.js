"use strict";
// Charts, each beside a table of its values. Colours can be told apart by colour-blind eyes, and each goes with
// a marker and a dash of its own.

const has_charts = typeof Chart !== "undefined";
const markers = ["circle", "rect", "triangle", "rectRot", "star", "crossRot", "cross", "dash"];
const glyphs = ["\u25CF", "\u25A0", "\u25B2", "\u25C6", "\u2605", "\u2716", "\u271A", "\u25AC"];
const dashes = [[], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2], [12, 4], [1, 5], [6, 2, 1, 2, 1, 2]];
const link_operations = new Set(["fetch", "fetch_by_call", "prefetch", "read_back", "stream_layer", "write_back", "fill_pool", "store_landed"]);
const lines_at_first = 8;
const drawn = [];  // functions that draw again, for another theme or width

function theme_colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function colour(index) {
  return theme_colour(`--c${index % 8}`);
}

// Hatched, dotted or plain: a second way to tell areas apart.
function fill_style(brush, index, is_hatched) {
  const kind = is_hatched ? 1 : (Math.floor(index / 8) % 2) * 2;
  if (kind === 0) return colour(index);
  const tile = element("canvas", { width: 8, height: 8 });
  const on_tile = tile.getContext("2d");
  on_tile.fillStyle = colour(index);
  on_tile.fillRect(0, 0, 8, 8);
  on_tile.strokeStyle = on_tile.fillStyle = theme_colour("--back");
  on_tile.lineWidth = 1.5;
  if (kind === 1) {
    for (const shift of [-8, 0, 8]) {
      on_tile.moveTo(shift, 8);
      on_tile.lineTo(shift + 8, 0);
    }
    on_tile.stroke();
  } else {
    on_tile.fillRect(2, 2, 3, 3);
  }
  return brush.createPattern(tile, "repeat");
}

function line_style(index) {
  return {
    borderColor: colour(index), backgroundColor: colour(index), borderDash: dashes[index % dashes.length],
    pointStyle: markers[index % markers.length], borderWidth: 2, pointRadius: 4, pointHoverRadius: 6,
  };
}

function axis(title, more) {
  return {
    title: { display: title !== "", text: title, color: theme_colour("--muted") },
    ticks: { color: theme_colour("--muted"), maxRotation: 0, autoSkip: true },
    grid: { color: theme_colour("--line") }, ...more,
  };
}

// Logarithmic where small values could not be seen beside large ones.
function scale_for(values) {
  const smallest = Math.min(...values);
  return smallest > 0 && Math.max(...values) > 30 * smallest ? { type: "logarithmic" } : { type: "linear", beginAtZero: true };
}

function options(scales, more) {
  return {
    responsive: true, maintainAspectRatio: false, animation: false, scales,
    plugins: { legend: { position: "bottom", labels: { color: theme_colour("--text"), usePointStyle: true, boxHeight: 7 } } },
    ...more,
  };
}

// `make(canvas)` gives what Chart.js draws; `values` is the table of it. Without Chart.js the table is all.
function chart_figure({ title, note, make, values, wide, height }) {
  const made = element("figure", wide ? { class: "wide" } : {}, element("h3", {}, title));
  if (note) made.append(element("figcaption", {}, note));
  if (has_charts) made.append(plot_of(`${title}. ${note || ""}`, make, height));
  const list = table_of(title, values.columns, values.rows);
  made.append(element("details", has_charts ? {} : { open: "" }, element("summary", {}, "Values"), list.box));
  return made;
}

function plot_of(label, make, height) {
  const canvas = element("canvas", { role: "img", "aria-label": label });
  const plot = element("div", { class: "plot" }, canvas);
  if (height) plot.style.height = height;
  let chart = null;
  drawn.push(() => {
    if (chart) chart.destroy();
    chart = new Chart(canvas, make(canvas));
  });
  return plot;
}

// One colour for each operation wherever it is drawn: the costliest have the plain ones.
let operation_order = [];

function order_operations(points) {
  const weight = new Map();
  for (const p of points) {
    const all = Object.values(p.operations).reduce((a, b) => a + b, 0) || 1;
    for (const [kind, us] of Object.entries(p.operations)) weight.set(kind, (weight.get(kind) || 0) + us / all);
    for (const kind of (p.timeline && p.timeline.kinds) || []) weight.set(kind, weight.get(kind) || 0);
  }
  operation_order = [...weight].sort((a, b) => b[1] - a[1]).map(([kind]) => kind);
}

function operation_fill(brush, kind) {
  return fill_style(brush, operation_order.indexOf(kind), link_operations.has(kind));
}

// A series has its system's colour, and a marker and a dash of its own, unless one system has so many that they
// could not be told apart.
function series_styles(series, systems) {
  const most = 4;
  const count = (system) => series.filter((s) => s.system === system).length;
  const by_system = systems.length > 1 && series.every((s) => s.system !== undefined && count(s.system) <= most);
  const seen = new Map();
  return series.map((s, i) => {
    if (!by_system) return line_style(i);
    const nth = seen.get(s.system) || 0;
    seen.set(s.system, nth + 1);
    const own = systems.indexOf(s.system);
    const style = line_style(own);
    return { ...style, borderDash: dashes[nth % dashes.length], pointStyle: markers[(own + 2 * nth) % markers.length],
      backgroundColor: nth % 2 === 0 ? style.backgroundColor : "transparent" };
  });
}

// Lines, or dots, through points {x, y}: one for each series {name, points, system, style()}.
function line_chart({ title, note, x, y, series, systems = [], wide, scale }) {
  const all = series.flatMap((s) => s.points);
  const datasets = () => {
    const styles = series_styles(series, systems);
    return series.map((s, i) => ({
      label: s.name, data: s.points, hidden: i >= lines_at_first, showLine: s.points.length > 1, ...styles[i], ...(s.style ? s.style() : {}),
    }));
  };
  const make = () => ({
    type: "line",
    data: { datasets: datasets() },
    options: options({ x: axis(x, { type: "linear", ...scale }), y: axis(y, scale_for(all.map((p) => p.y))) }),
  });
  const rows = series.flatMap((s) => s.points.map((p) => ({ name: s.name, ...p })));
  const columns = [
    { title: "series", head: true, cell: (r) => r.name },
    { title: x, number: true, cell: (r) => whole_number(r.x), value: (r) => r.x },
    { title: y, number: true, cell: (r) => short_number(r.y), value: (r) => r.y },
  ];
  const hint = series.length > lines_at_first
    ? ` The first ${lines_at_first} of ${series.length} are drawn; a click on a name shows or hides it.` : "";
  return chart_figure({ title, note: (note || "") + hint, make, values: { columns, rows }, wide });
}

// Horizontal bars, stacked: one for each row {name, parts: {kind: value}}.
function stacked_bars({ title, note, x, kinds, rows, fill, as_shares, wide }) {
  const total = (row) => kinds.reduce((sum, kind) => sum + (row.parts[kind] || 0), 0);
  const value = (row, kind) => (row.parts[kind] || 0) * (as_shares ? 100 / (total(row) || 1) : 1);
  const make = (canvas) => ({
    type: "bar",
    data: {
      labels: rows.map((row) => row.name),
      datasets: kinds.map((kind, i) => ({
        label: kind, data: rows.map((row) => value(row, kind)), pointStyle: "rect",
        backgroundColor: fill(canvas.getContext("2d"), kind, i),
        borderColor: theme_colour("--back"), borderWidth: 1,
      })),
    },
    options: options({
      x: axis(x, { stacked: true, max: as_shares ? 100 : undefined }),
      y: axis("", { stacked: true, ticks: { color: theme_colour("--text"), autoSkip: false } }),
    }, { indexAxis: "y" }),
  });
  const columns = [
    { title: "point", head: true, cell: (r) => r.name },
    ...kinds.map((kind) => ({ title: kind, number: true, cell: (r) => short_number(value(r, kind)), value: (r) => value(r, kind) })),
  ];
  return chart_figure({ title, note, make, values: { columns, rows }, wide, height: `${9 + 1.9 * rows.length}rem` });
}
