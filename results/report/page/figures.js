"use strict";
// Sections with charts. Each is left out where the run has nothing for it.

function measured_points(data, ...metrics) {
  return data.points.filter((p) => metrics.every((name) => p.metrics[name] && p.metrics[name].median !== null));
}

// Points that differ in one setting belong to one curve: their label without that setting names it.
function curves(points, setting, x, y) {
  const by_name = new Map();
  for (const p of points) {
    const name = p.name.replace(new RegExp(` ${setting}=\\S+`), "");
    if (!by_name.has(name)) by_name.set(name, { name, system: p.system, points: [] });
    by_name.get(name).points.push({ x: x(p), y: y(p) });
  }
  for (const curve of by_name.values()) curve.points.sort((a, b) => a.x - b.x);
  return [...by_name.values()];
}

function systems_of(data) {
  return [...new Set(data.points.map((p) => p.system))];
}

function distinct(values) {
  return new Set(values).size;
}

function throughput_section(data) {
  const timed = measured_points(data, "tokens_per_s");
  const by_batch = timed.filter((p) => p.batch !== null);
  const by_context = timed.filter((p) => p.context_tokens !== null);
  const rate = (p) => p.metrics.tokens_per_s.median;
  const with_batch = distinct(by_batch.map((p) => p.batch)) > 1;
  const with_context = distinct(by_context.map((p) => p.context_tokens)) > 1;
  const front = front_figure(data);
  if (!with_batch && !with_context && !front) return;
  const figures = element("div", { class: "figures" });
  if (with_batch) {
    figures.append(line_chart({
      title: "Throughput by batch", note: "The batch that a budget admits is most of what a cache system decides.",
      x: "batch (requests)", y: "tokens/s", systems: systems_of(data), series: curves(by_batch, "batch", (p) => p.batch, rate),
    }));
  }
  if (with_context) {
    figures.append(line_chart({
      title: "Throughput by context", x: "context (tokens)", y: "tokens/s",
      systems: systems_of(data), series: curves(by_context, "context_tokens", (p) => p.context_tokens, rate),
    }));
  }
  if (front) figures.append(front);
  section("throughput", "Throughput").append(figures);
}

// Throughput against speed for each user: dots for each system, rings around those on the front.
function front_figure(data) {
  const points = measured_points(data, "tokens_per_s", "tokens_per_s_per_user");
  if (points.length < 2) return null;
  const place = (p) => ({ x: p.metrics.tokens_per_s_per_user.median, y: p.metrics.tokens_per_s.median });
  const dots = [...new Set(points.map((p) => p.system))].map((system) => ({
    name: system, points: points.filter((p) => p.system === system && !p.is_ceiling).map(place),
    style: () => ({ ...line_style(system_index(data, system)), showLine: false, hidden: false }),
  }));
  const ring = (name, chosen, look) => ({
    name, points: points.filter(chosen).map(place),
    style: () => ({ showLine: false, hidden: false, pointStyle: "circle", backgroundColor: "transparent", borderColor: theme_colour("--text"), ...look }),
  });
  const series = [...dots, ring("all_gpu without a budget", (p) => p.is_ceiling, { pointStyle: "rectRounded", pointRadius: 6 }),
    ring("on the front", (p) => p.is_on_front, { pointRadius: 9 })];
  return line_chart({
    title: "Throughput against speed for each user",
    note: "On the front: no point for the same question is better in both.",
    x: "tokens/s of one user", y: "tokens/s of all", scale: scale_for(points.map((p) => place(p).x)),
    series: series.filter((s) => s.points.length > 0),
  });
}

function misses_section(data) {
  const figures = element("div", { class: "figures" });
  const pooled = measured_points(data, "misses_over_topk").filter((p) => p.pool_share !== null);
  const by_share = curves(pooled, "(?:sparse_ratio|pool_rows)", (p) => p.pool_share, (p) => p.metrics.misses_over_topk.median);
  if (by_share.some((curve) => distinct(curve.points.map((p) => p.x)) > 1)) {
    figures.append(line_chart({
      title: "Misses by size of the pool", note: "Rows that crossed the link, as a share of the top-k.",
      x: "pool, as a share of the context", y: "misses / top-k", systems: systems_of(data), series: by_share,
    }));
  }
  if (data.curve) figures.append(curve_figure(data.curve));
  const by_layer = series_figure(data, "misses_by_layer", "Misses by layer", "layer", "Mean over requests and steps.", 0);
  const by_step = series_figure(data, "misses_by_step", "Misses by step of a request", "step", "Mean over requests and layers: what warming up does.", 1);
  const hits = hits_figure(data);
  figures.append(...[hits, by_layer, by_step].filter((figure) => figure !== null));
  if (figures.children.length > 0) section("misses", "Hits and misses").append(figures);
}

function hits_figure(data) {
  const rows = measured_points(data, "hit_rate").filter((p) => p.system !== "all_gpu")
    .map((p) => ({ name: p.name, parts: { hits: 100 * p.metrics.hit_rate.median, misses: 100 * (1 - p.metrics.hit_rate.median) } }));
  if (rows.length === 0) return null;
  return stacked_bars({
    title: "Hits and misses", note: "Of the rows that attention asked for, those that the device held already.",
    x: "% of rows asked for", kinds: ["hits", "misses"], rows, as_shares: true,
    fill: (brush, kind, i) => fill_style(brush, i, kind === "misses"),
  });
}

function series_figure(data, name, title, x, note, first) {
  const series = data.points.filter((p) => p.series[name]).map((p) => ({
    name: p.name, system: p.system,
    points: p.series[name].values.map((y, i) => ({ x: first + i * p.series[name].stride, y })).filter((at) => at.y !== null),
    style: () => ({ pointRadius: p.series[name].values.length > 40 ? 0 : 3 }),
  }));
  const interesting = series.filter((s) => s.points.some((at) => at.y > 0));
  if (interesting.length === 0) return null;
  return line_chart({ title, note, x, y: "rows missed", systems: systems_of(data), series: interesting });
}

// Of `essbench trace curve --json`: misses a decode step for each policy, the optimum among them.
function curve_figure(curve) {
  const sizes = curve.mean.misses;
  const policies = Object.keys(sizes[0]).filter((key) => key !== "sparse_ratio" && key !== "pool_rows");
  const series = policies.map((policy) => ({
    name: policy === "optimal" ? "optimal (Belady): no policy can be better" : policy,
    points: sizes.filter((size) => size[policy] !== null).map((size) => ({ x: size.pool_rows, y: size[policy] })).sort((a, b) => a.x - b.x),
  }));
  return line_chart({
    title: "Miss curve of a trace", note: "Mean over layers, for every policy and pool size that was replayed.",
    x: "pool (rows)", y: "misses a decode step", series,
  });
}

function total_of(row) {
  return Object.values(row.parts).reduce((a, b) => a + b, 0);
}

// Rows whose bars fit one scale, and those that would make the others vanish.
function without_giants(rows) {
  const totals = rows.map(total_of).sort((a, b) => a - b);
  const limit = 8 * totals[Math.floor((totals.length - 1) / 2)];
  return [rows.filter((r) => total_of(r) <= limit), rows.filter((r) => total_of(r) > limit)];
}

function operations_section(data) {
  const points = data.points.filter((p) => Object.keys(p.operations).length > 0);
  if (points.length === 0) return;
  const kinds = operation_order.filter((kind) => points.some((p) => p.operations[kind] !== undefined));
  const in_ms = points.map((p) => ({ name: p.name, parts: Object.fromEntries(Object.entries(p.operations).map(([k, us]) => [k, us / 1000])) }));
  const [near, far] = without_giants(in_ms);
  const note = far.length > 0 ? `Too long to draw beside the others: ${far.map((r) => `${r.name}, ${short_number(total_of(r))} ms`).join("; ")}.` : "";
  section("operations", "Where a step's time goes",
    "Operations of different streams run at the same time, so a bar may be longer than its step. Hatched: the link.").append(
    element("div", { class: "figures" },
      stacked_bars({ title: "Time by operation", note, x: "ms a step", kinds, fill: operation_fill, rows: near, wide: true }),
      stacked_bars({ title: "Share of each operation", x: "% of all operations' time", kinds, fill: operation_fill, rows: in_ms, as_shares: true, wide: true })));
}
