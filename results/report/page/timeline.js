"use strict";
// When the operations of one step ran: a lane for each stream, colour by kind, link operations hatched.

const lane_height = 46;
const lane_gap = 8;
const axis_height = 26;
const label_width = 78;
const parts = ["whole step", "first 2 layers", "2 layers in the middle", "last 2 layers"];

function timeline_section(points) {
  const with_timeline = points.filter((p) => p.timeline && p.timeline !== "left out");
  const left_out = points.filter((p) => p.timeline === "left out");
  if (with_timeline.length === 0) return;
  const made = section("timeline", "One step over time",
    "The step nearest to the median. Where the link is busy and the compute lane is empty, the transfer is exposed.");
  const point = element("select", {}, ...with_timeline.map((p, i) => element("option", { value: i }, p.name)));
  point.value = String(with_timeline.indexOf(most_interesting(with_timeline)));
  const part = element("select", {}, ...parts.map((text, i) => element("option", { value: i }, text)));
  const figure = element("figure", { class: "wide" });
  made.append(element("div", { class: "filters" },
    element("label", {}, "Point ", point), element("label", {}, "Show ", part)), figure);
  const show = () => draw_timeline(figure, with_timeline[Number(point.value)], Number(part.value));
  point.addEventListener("change", show);
  part.addEventListener("change", show);
  drawn.push(show);
  if (left_out.length > 0) {
    made.append(element("p", { class: "hint" },
      `Left out to keep this file small: ${left_out.map((p) => p.name).join(", ")}. "essbench timeline" has them.`));
  }
}

// The one that gains most, or else any of ess.
function most_interesting(points) {
  const gain = (p) => (p.gain && p.system !== "all_gpu" ? p.gain.ratio : 0);
  const best = points.reduce((a, b) => (gain(b) > gain(a) ? b : a));
  return gain(best) > 0 ? best : points.find((p) => p.system === "ess") || points[0];
}

function operations_shown(timeline, part) {
  const all = timeline.operations.map(([kind, stream, on_link, layer, start, length]) =>
    ({ kind: timeline.kinds[kind], stream: timeline.streams[stream], on_link: on_link === 1, layer, start, length }));
  if (part === 0) return all;
  const layers = [...new Set(all.map((op) => op.layer))].sort((a, b) => a - b);
  const first = [0, 0, Math.floor(layers.length / 2) - 1, layers.length - 2][part];
  const wanted = new Set(layers.slice(Math.max(0, first), Math.max(0, first) + 2));
  return all.filter((op) => wanted.has(op.layer));
}

function draw_timeline(figure, point, part) {
  const operations = operations_shown(point.timeline, part);
  const view = {
    operations, streams: point.timeline.streams, kinds: [...new Set(operations.map((op) => op.kind))],
    begin: operations.reduce((least, op) => Math.min(least, op.start), Infinity),
    end: operations.reduce((most, op) => Math.max(most, op.start + op.length), 0),
  };
  const label = `Operations of ${point.name}, ${parts[part]}, ${short_number((view.end - view.begin) / 1000)} ms, by stream`;
  const canvas = element("canvas", { role: "img", "aria-label": label });
  const read_out = element("p", { class: "hint", "aria-live": "polite" }, "Point at an operation to read it.");
  figure.replaceChildren(element("h3", {}, `${point.name}, ${parts[part]}`),
    element("figcaption", {}, `Of the whole step, the link is busy for ${short_number(point.timeline.link_busy_us / 1000)} ms; ` +
      `for ${short_number(point.timeline.exposed_us / 1000)} ms of that nothing is computed.`),
    canvas, timeline_legend(view), read_out, timeline_values(view));
  paint(canvas, view);
  canvas.addEventListener("mousemove", (event) => {
    const at = operation_at(canvas, view, event);
    read_out.textContent = at
      ? `${at.kind}, layer ${at.layer}, ${at.stream}${at.on_link ? " (link)" : ""}: from ${short_number(at.start)} us, ${short_number(at.length)} us long`
      : "Point at an operation to read it.";
  });
}

function is_on_link(view, kind) {
  return view.operations.some((op) => op.kind === kind && op.on_link);
}

function box_of(op, view, width) {
  const scale = (width - label_width) / (view.end - view.begin || 1);
  return {
    left: label_width + (op.start - view.begin) * scale, width: op.length * scale,
    top: view.streams.indexOf(op.stream) * (lane_height + lane_gap),
  };
}

function paint(canvas, view) {
  const width = canvas.parentElement.clientWidth - 2 * parseFloat(getComputedStyle(canvas.parentElement).paddingLeft);
  const height = view.streams.length * (lane_height + lane_gap) + axis_height;
  const sharpness = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * sharpness);
  canvas.height = Math.round(height * sharpness);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const brush = canvas.getContext("2d");
  brush.scale(sharpness, sharpness);
  brush.font = "12px system-ui, sans-serif";
  paint_lanes(brush, view, width);
  paint_operations(brush, view, width);
  paint_axis(brush, view, width, height);
}

function paint_lanes(brush, view, width) {
  view.streams.forEach((stream, i) => {
    const top = i * (lane_height + lane_gap);
    brush.fillStyle = theme_colour("--card");
    brush.fillRect(label_width, top, width - label_width, lane_height);
    brush.fillStyle = theme_colour("--text");
    brush.fillText(stream, 0, top + lane_height / 2 + 4);
  });
}

function paint_operations(brush, view, width) {
  const fills = view.kinds.map((kind) => operation_fill(brush, kind));
  brush.strokeStyle = theme_colour("--back");
  for (const op of view.operations) {
    const box = box_of(op, view, width);
    brush.fillStyle = fills[view.kinds.indexOf(op.kind)];
    brush.fillRect(box.left, box.top, Math.max(box.width, 0.75), lane_height);
    if (box.width > 3) brush.strokeRect(box.left, box.top, box.width, lane_height);
  }
}

function paint_axis(brush, view, width, height) {
  const ticks = width < 500 ? 3 : 8;
  const digits = view.end - view.begin < 10_000 ? 2 : 1;
  brush.fillStyle = theme_colour("--muted");
  for (let i = 0; i <= ticks; ++i) {
    const us = view.begin + (i * (view.end - view.begin)) / ticks;
    brush.textAlign = i === ticks ? "right" : i === 0 ? "left" : "center";
    brush.fillText(`${(us / 1000).toFixed(digits)}${i === ticks ? " ms" : ""}`, label_width + (i * (width - label_width)) / ticks, height - 8);
  }
  brush.textAlign = "left";
}

function operation_at(canvas, view, event) {
  const place = canvas.getBoundingClientRect();
  const [x, y] = [event.clientX - place.left, event.clientY - place.top];
  return view.operations.find((op) => {
    const box = box_of(op, view, place.width);
    return x >= box.left && x <= box.left + Math.max(box.width, 1) && y >= box.top && y <= box.top + lane_height;
  });
}

function timeline_legend(view) {
  return element("ul", { class: "legend" }, ...view.kinds.map((kind) => {
    const swatch = element("canvas", { class: "swatch", width: 14, height: 14, "aria-label": `colour of ${kind}` });
    const brush = swatch.getContext("2d");
    brush.fillStyle = operation_fill(brush, kind);
    brush.fillRect(0, 0, 14, 14);
    return element("li", {}, swatch, `${kind}${is_on_link(view, kind) ? " (link)" : ""}`);
  }));
}

function timeline_values(view) {
  const rows = view.kinds.map((kind) => {
    const those = view.operations.filter((op) => op.kind === kind);
    return { kind, stream: those[0].stream, n: those.length, us: those.reduce((sum, op) => sum + op.length, 0) };
  });
  const list = table_of("Time by operation in this picture", [
    { title: "operation", head: true, cell: (r) => r.kind },
    { title: "stream", cell: (r) => r.stream },
    { title: "times", number: true, cell: (r) => whole_number(r.n), value: (r) => r.n },
    { title: "us", number: true, cell: (r) => short_number(r.us), value: (r) => r.us },
  ], rows);
  return element("details", {}, element("summary", {}, "Values"), list.box);
}
