"use strict";
// The page: a verdict, then what supports it.

function verdict_section(data) {
  const made = element("section", { id: "verdict", "aria-labelledby": "verdict-title" }, element("h2", { id: "verdict-title" }, "Verdict"));
  document.getElementById("main").append(made);
  const cards = data.findings.map((f) => {
    const is_shout = /^[A-Z]{5}/.test(f.title);
    return element("article", { class: `finding ${f.tone}${is_shout ? " shout" : ""}` }, element("h3", {}, f.title), element("p", {}, f.text));
  });
  made.append(element("div", { class: "findings" }, ...cards));
  if (!has_charts) {
    made.append(element("p", { class: "finding warning" },
      "Charts are missing: this essbench was built without Chart.js (Debian package libjs-chart.js). Every figure is a table instead."));
  }
}

// Paths of an object's leaves, and their text.
function leaves(value, path = "") {
  if (value === null || typeof value !== "object") return [[path, value === null ? "-" : String(value)]];
  if (Array.isArray(value) && value.every((item) => item === null || typeof item !== "object")) return [[path, value.join(" ")]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
}

function definitions(pairs) {
  return element("dl", {}, ...pairs.flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]));
}

function environment_section(data) {
  const made = section("environment", "What ran, and where");
  const run = data.run;
  made.append(definitions([
    ["workload", run.description ? `${run.workload}: ${run.description}` : run.workload],
    ["machine", run.machine],
    ["devices, clocks", [...new Set(data.points.map((p) => `${p.device}, ${p.clock}`))].join("; ") || "-"],
    ["started", run.started_at],
    ["run", run.id],
    ["revision", (run.git_revision || "not built from a repository") + (run.git_dirty ? ", with local changes" : "")],
    ["workload hash", run.workload_hash],
  ]));
  made.append(element("pre", { tabindex: "0", "aria-label": "command of the run" }, run.command_line || "-"));
  const folded = (summary, pairs) => element("details", {}, element("summary", {}, summary), definitions(pairs));
  made.append(folded("Settings as run that all points share", Object.entries(data.settings).map(([path, value]) => [path, value === "" ? "-" : String(value)])),
    folded("Everything known of the machine and the build", leaves(data.environment)));
}

function plain_table(id, title, lead, caption, columns, rows) {
  if (rows.length === 0) return;
  section(id, title, lead).append(table_of(caption, columns, rows).box);
}

function accuracy_section(data) {
  const points = data.points.filter((p) => Object.keys(p.accuracy).length > 0);
  const names = [...new Set(points.flatMap((p) => Object.keys(p.accuracy)))].sort();
  const rows = names.map((name) => ({ name, values: points.map((p) => p.accuracy[name]) }));
  const format = (v) => (v === undefined ? "-" : v === null ? "not finite" : v === 0 ? "0" : v.toPrecision(2));
  plain_table("accuracy", "Accuracy",
    "Errors against a double-precision reference, checked before anything is timed; counts of differing rows must be 0.",
    "Errors by operation and point",
    [{ title: "check", head: true, cell: (r) => r.name },
      ...points.map((p, i) => ({ title: p.name, number: true, cell: (r) => format(r.values[i]), value: (r) => r.values[i] }))], rows);
}

function controls_section(data) {
  plain_table("controls", "Controls", "What must come out if the benchmark itself is sound.", "Controls", [
    { title: "point", head: true, cell: (c) => c.point },
    { title: "control", text: true, cell: (c) => c.what },
    { title: "expected", cell: (c) => c.expected },
    { title: "found", number: true, cell: (c) => c.found },
    { title: "holds", cell: (c) => element("span", { class: `status ${c.holds ? "good" : "bad"}` }, c.holds ? "yes" : "NO"), value: (c) => String(c.holds) },
  ], data.controls);
}

function failures_section(data) {
  plain_table("failures", "Points that are not ok", "A point that is not measured shows no time.", "Points that are not ok", [
    { title: "point", head: true, cell: (p) => p.name },
    { title: "status", cell: (p) => element("span", { class: `status ${status_tone(p.status)}` }, p.status.replaceAll("_", " ")), value: (p) => p.status },
    { title: "why", text: true, cell: (p) => p.reason || "-" },
  ], data.points.filter((p) => p.status !== "ok"));
}

function published_section(data) {
  const off = (row) => 100 * (row.ours / row.published - 1);
  plain_table("published", "Published values", "What others reported, and what this run gave.", "Published values", [
    { title: "point", head: true, cell: (r) => r.point },
    { title: "metric", cell: (r) => r.metric },
    { title: "published", number: true, cell: (r) => whole_number(r.published), value: (r) => r.published },
    { title: "here", number: true, cell: (r) => short_number(r.ours), value: (r) => r.ours },
    { title: "unit", cell: (r) => r.unit || "-" },
    { title: "off by, %", number: true, cell: (r) => `${off(r) < 0 ? "" : "+"}${off(r).toFixed(1)}`, value: off },
    { title: "source", text: true, cell: (r) => r.source },
  ], data.published);
}

function change(ratio) {
  return ratio === undefined ? "-" : `${ratio < 1 ? "" : "+"}${(100 * (ratio - 1)).toFixed(1)} %`;
}

function comparison_section(data) {
  const arms = data.comparison;
  if (!arms) return;
  const tones = { faster: "good", same: "good", slower: "bad", ambiguous: "warning", incomparable: "warning" };
  const made = section("comparison", "Against the baseline",
    `${arms.before.runs} run(s) of ${arms.before.git_revision || "the baseline"} before, ${arms.after.runs} of ${arms.after.git_revision || "this build"} after. Change is of the cost: more is worse.`);
  for (const text of arms.objections) made.append(element("p", { class: "finding warning" }, text));
  for (const [what, labels] of [["Right before, wrong now", arms.turned_incorrect], ["Measured before, not now", arms.turned_failing],
    ["Only before", arms.only_before], ["Only now", arms.only_after]]) {
    if (labels.length > 0) made.append(element("p", {}, `${what}: ${labels.join(", ")}`));
  }
  const why = (j) => [j.why, ...(j.operations || []).map((op) => `${op.operation} ${short_number(op.before_us)} -> ${short_number(op.after_us)} us`)].filter(Boolean).join("; ");
  if (arms.judgements.length === 0) return;
  made.append(table_of("Verdicts by point and metric", [
    { title: "point", head: true, cell: (j) => j.label },
    { title: "metric", cell: (j) => j.metric },
    { title: "verdict", cell: (j) => element("span", { class: `status ${tones[j.verdict]}` }, j.verdict), value: (j) => j.verdict },
    { title: "change of cost", number: true, value: (j) => j.cost_ratio, cell: (j) => change(j.cost_ratio) },
    { title: "95 % interval", number: true, value: (j) => j.lo, cell: (j) => (j.lo === undefined || j.lo === j.hi ? "-" : `[${change(j.lo)}, ${change(j.hi)}]`) },
    { title: "why", text: true, cell: (j) => why(j) || "-" },
  ], arms.judgements).box);
}

function repeat_section(data) {
  const points = data.points.filter((p) => p.repeat);
  if (points.length === 0) return;
  const made = section("repeat", "Run a point again", "Each command runs the point with the settings that were asked for here. Add --db FILE to keep the result elsewhere.");
  for (const p of points) {
    const notes = [];
    if (p.repeat.label !== p.label) notes.push(`it is called "${p.repeat.label}" there`);
    if (p.repeat.also.length > 0) notes.push(`also runs ${p.repeat.also.join(", ")}`);
    made.append(element("h3", {}, p.name), element("pre", { tabindex: "0" }, p.repeat.command));
    if (notes.length > 0) made.append(element("p", { class: "hint" }, notes.join("; ")));
  }
}

function set_theme(theme) {
  document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = theme === "dark" ? "Light" : "Dark";
  document.getElementById("theme").setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} colours`);
  if (has_charts) Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  for (const draw of drawn) draw();
}

// Paper is white and has a width of its own.
function follow_printing() {
  let before = null;
  window.addEventListener("beforeprint", () => {
    before = document.documentElement.dataset.theme;
    document.documentElement.classList.add("printing");
    set_theme("light");
  });
  window.addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    set_theme(before);
  });
}

function follow_width() {
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    for (const draw of drawn) draw();
  });
}

function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.title = `essbench: ${data.run.workload}`;
  document.getElementById("title").textContent = `essbench report: ${data.run.workload}`;
  document.getElementById("subtitle").textContent = data.run.machine;
  order_operations(data.points);
  verdict_section(data);
  comparison_section(data);
  points_section(data);
  failures_section(data);
  throughput_section(data);
  misses_section(data);
  operations_section(data);
  timeline_section(data.points);
  published_section(data);
  controls_section(data);
  accuracy_section(data);
  environment_section(data);
  repeat_section(data);
  const wants_dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
  document.getElementById("theme").addEventListener("click", () =>
    set_theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
  set_theme(wants_dark ? "dark" : "light");
  follow_printing();
  follow_width();
}

start();
