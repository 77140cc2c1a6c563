"use strict";
// The table of points.

function status_tone(status) {
  if (status === "ok") return "good";
  return status === "noisy" || status === "throttled" || status === "not tried" || status === "skipped" ? "warning" : "bad";
}

// A colour and a marker for each cache system, the same everywhere.
function system_index(data, system) {
  return [...new Set(data.points.map((p) => p.system))].indexOf(system);
}

function system_mark(data, system) {
  const index = system_index(data, system);
  const mark = element("span", { class: "mark", "aria-hidden": "true" }, glyphs[index % glyphs.length]);
  mark.style.color = `var(--c${index % 8})`;
  return mark;
}

function name_cell(data, point) {
  const name = element("span", {}, system_mark(data, point.system), point.name);
  if (point.is_ceiling) name.append(element("span", { class: "tag", title: "without a memory budget: what the others can reach at most" }, "ceiling"));
  if (point.is_on_front) name.append(element("span", { class: "tag", title: "no point is better in both throughput and speed for each user" }, "front"));
  return name;
}

function metric_column(title, name, scale, hint, format = short_number) {
  return {
    title, hint, number: true, metric: name,
    cell: (p) => interval_cell(p.metrics[name], scale, format),
    value: (p) => (p.metrics[name] ? p.metrics[name].median : null),
  };
}

function gain_cell(point) {
  if (!point.gain) return "-";
  const as_text = (x) => `${x.toFixed(2)}x`;
  return interval_cell({ median: point.gain.ratio, lo: point.gain.lo, hi: point.gain.hi }, 1, as_text);
}

function point_columns(data) {
  const metrics = [
    metric_column("step, ms", "step_time_us", 1e-3, "Median of one decode step of the whole batch, and its 95 % interval"),
    metric_column("tokens/s", "tokens_per_s", 1, "All requests together"),
    metric_column("tokens/s a user", "tokens_per_s_per_user", 1, "One request"),
    { title: "over all_gpu", number: true, metric: "gain", cell: gain_cell, value: (p) => (p.gain ? p.gain.ratio : null),
      hint: "tokens/s, divided by those of the best all_gpu point in the same budget, and the 95 % interval of that ratio" },
    { title: "of uncapped, %", number: true, metric: "of_uncapped", value: (p) => p.of_uncapped,
      cell: (p) => (p.of_uncapped === null ? "-" : (100 * p.of_uncapped).toFixed(1)),
      hint: "tokens/s, as a share of those of all_gpu without a memory budget" },
    metric_column("TPOT p50, ms", "tpot_p50_us", 1e-3, "Time for each output token, median over requests"),
    metric_column("TPOT p99, ms", "tpot_p99_us", 1e-3),
    metric_column("TTFT p50, ms", "first_token_p50_us", 1e-3, "Time to the first token"),
    metric_column("TTFT p99, ms", "first_token_p99_us", 1e-3),
    metric_column("within SLO, %", "slo_met_share", 100),
    metric_column("goodput, tokens/s", "goodput_tokens_per_s", 1),
    metric_column("hits, %", "hit_rate", 100, "Rows that attention asked for and the device held already"),
    metric_column("misses / top-k", "misses_over_topk", 1, "Rows that crossed the link, as a share of the top-k", three_decimals),
    metric_column("MB in a step", "h2d_bytes_per_step", 1e-6, "Moved from host to device; millions of bytes"),
    metric_column("exposed, us a layer", "exposed_transfer_us_per_layer", 1, "The link moved rows and nothing was computed"),
    metric_column("device, MB", "device_bytes", 1e-6),
    metric_column("host, MB", "host_bytes", 1e-6),
    metric_column("link prop.", "link_proportion", 1, "Proportion of link to compute; gains compare only where it agrees"),
  ];
  const has = (column) => data.points.some((p) => column.value(p) !== null && column.value(p) !== undefined);
  const samples = (p) => (p.metrics.step_time_us ? p.metrics.step_time_us.n : null);
  return [
    { title: "point", head: true, cell: (p) => name_cell(data, p), value: (p) => p.name },
    { title: "status", cell: (p) => element("span", { class: `status ${status_tone(p.status)}` }, p.status.replaceAll("_", " ")), value: (p) => p.status },
    { title: "batch", number: true, cell: (p) => whole_number(p.batch), value: (p) => p.batch },
    ...metrics.filter(has),
    { title: "samples", number: true, cell: (p) => whole_number(samples(p)), value: samples },
  ];
}

function select_of(label, words, on_change) {
  const select = element("select", { "aria-label": label }, element("option", { value: "" }, `every ${label}`),
    ...words.map((word) => element("option", { value: word }, word)));
  select.addEventListener("change", on_change);
  return select;
}

function points_section(data) {
  const made = section("points", "Points", "One line a point, with 95 % intervals in brackets. Click on a heading to sort.");
  const list = table_of("Every point of the run", point_columns(data), data.points);
  const count = element("span", { role: "status", id: "shown" });
  const search = element("input", { type: "search", id: "search", placeholder: "text", "aria-label": "only points with this text" });
  const filter = () => {
    const matches = (p) => (!system.value || p.system === system.value) && (!status.value || p.status === status.value) &&
      `${p.name} ${p.system} ${p.status} ${p.reason}`.toLowerCase().includes(search.value.toLowerCase());
    let n = 0;
    for (const { row, line } of list.shown) {
      line.hidden = !matches(row);
      n += line.hidden ? 0 : 1;
    }
    count.textContent = `${n} of ${data.points.length} points`;
  };
  const system = select_of("system", [...new Set(data.points.map((p) => p.system))], filter);
  const status = select_of("status", [...new Set(data.points.map((p) => p.status))], filter);
  search.addEventListener("input", filter);
  made.append(element("div", { class: "filters" }, element("label", {}, "Only ", search), system, status, count), list.box);
  filter();
}
