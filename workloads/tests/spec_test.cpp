#include "workloads/spec.h"

#include <fmt/format.h>

#include <filesystem>

namespace workloads {
namespace {

using nlohmann::json;

// A smallest workload with more keys put in.
std::string with(const std::string& more) {
  return R"({"name": "w", "systems": ["ess"])" + (more.empty() ? "" : ", " + more) + "}";
}

workload parse(const std::string& text, const spec_options& options = {}) {
  auto made = parse_workload(text, "w.json", options);
  if (!made) throw std::runtime_error(to_string(made.error()));
  return *made;
}

std::vector<std::string> labels(const workload& of) {
  std::vector<std::string> all;
  for (const point& p : of.points) all.push_back(p.label);
  return all;
}

const point& at(const workload& of, std::string_view label) {
  for (const point& p : of.points) {
    if (p.label == label) return p;
  }
  throw std::runtime_error("no point " + std::string(label));
}

using testing::ElementsAre;

TEST(spec, a_smallest_workload_gets_the_defaults) {
  const workload w = parse(with(""));
  EXPECT_EQ(w.name, "w");
  EXPECT_EQ(w.kind, workload_kind::fixed);
  ASSERT_THAT(labels(w), ElementsAre("ess"));
  EXPECT_EQ(to_flat_json(w.points[0].requested), to_flat_json(settings{}));
  EXPECT_EQ(w.points[0].id.size(), 16u);
}

TEST(spec, every_field_can_be_given_nested_dotted_and_by_set) {
  const workload nested = parse(with(R"("link": {"paced": true, "call_us": 380}, "seed": 5)"));
  const workload dotted = parse(with(R"("link.paced": true, "link.call_us": 380.0, "seed": 5)"));
  const workload set = parse(with(""), {.set = {"link.paced=true", "link.call_us=380", "seed=5"}});
  EXPECT_TRUE(nested.points[0].requested.link.paced);
  EXPECT_EQ(nested.hash, dotted.hash);
  EXPECT_EQ(nested.hash, set.hash);
  EXPECT_THAT(set.set_paths, ElementsAre("link.paced", "link.call_us", "seed"));
}

TEST(spec, every_field_survives_a_trip_through_its_default) {
  for (const auto* text : {R"("kind": "fixed")", R"("kind": "serve")"}) {
    const workload w = parse(with(text));
    const workload again = parse(w.resolved_json);
    EXPECT_EQ(again.resolved_json, w.resolved_json);
    EXPECT_EQ(again.hash, w.hash);
    EXPECT_EQ(to_flat_json(again.points[0].requested), to_flat_json(w.points[0].requested));
  }
}

TEST(spec, whole_numbers_may_be_written_with_an_exponent) {
  const settings s = parse(with(R"("device_budget_beyond_weights_bytes": 135e6)")).points[0].requested;
  EXPECT_EQ(s.device_budget_beyond_weights_bytes, 135'000'000);
  EXPECT_EQ(s.device_budget_bytes, std::nullopt);
}

TEST(spec, axes_multiply_with_the_first_varying_slowest) {
  const workload w =
      parse(R"({"name": "w", "batch": [1, "max"], "systems": ["ess", "all_gpu"], "mtp": [1, 2]})");
  EXPECT_THAT(labels(w), ElementsAre("ess batch=1 mtp=1", "ess batch=1 mtp=2", "ess batch=max mtp=1",
                                     "ess batch=max mtp=2", "all_gpu batch=1 mtp=1", "all_gpu batch=1 mtp=2",
                                     "all_gpu batch=max mtp=1", "all_gpu batch=max mtp=2"));
  EXPECT_EQ(w.points[1].requested.mtp, 2);
  EXPECT_EQ(w.points[2].requested.batch, batch_choice(max_batch{}));
}

TEST(spec, exclude_removes_points_that_match_in_every_path) {
  const workload w = parse(with(R"("batch": [1, 2], "mtp": [1, 2], "mtp_accept": [1, 1.7],
      "exclude": [{"mtp": 1, "mtp_accept": 1.7}, {"mtp": 2, "mtp_accept": 1}, {"system": "ess", "batch": 2, "mtp": 2}])"));
  EXPECT_THAT(labels(w), ElementsAre("ess batch=1 mtp=1 mtp_accept=1.0", "ess batch=1 mtp=2 mtp_accept=1.7",
                                     "ess batch=2 mtp=1 mtp_accept=1.0"));
}

TEST(spec, an_override_replaces_an_axis_for_its_system) {
  const workload w = parse(R"({"name": "w", "systems": ["ess", "naive_memcpy"], "batch": [1, 2], "steps": 9,
      "overrides": {"naive_memcpy": {"batch": 1, "steps": 3}}})");
  EXPECT_THAT(labels(w), ElementsAre("ess batch=1", "ess batch=2", "naive_memcpy"));
  EXPECT_EQ(w.points[2].requested.steps, 3);
  EXPECT_EQ(w.points[0].requested.steps, 9);
}

TEST(spec, an_alternative_replaces_the_one_of_a_lower_layer) {
  const workload w = parse(R"({"name": "w", "systems": ["ess", "hisparse"], "sparse_ratio": [0.1, 0.2],
      "overrides": {"hisparse": {"pool_rows": 512}}})");
  EXPECT_THAT(labels(w), ElementsAre("ess sparse_ratio=0.1", "ess sparse_ratio=0.2", "hisparse"));
  EXPECT_EQ(w.points[2].requested.pool_rows, 512);
  EXPECT_EQ(w.points[2].requested.sparse_ratio, std::nullopt);
  const workload set = parse(with(R"("sparse_ratio": [0.1, 0.2])"), {.set = {"pool_rows=64"}});
  EXPECT_THAT(labels(set), ElementsAre("ess"));
  EXPECT_FALSE(to_flat_json(set.points[0].requested).contains("sparse_ratio"));
}

const std::string with_uncapped = R"({"name": "w", "systems": ["all_gpu", "ess"], "batch": "max",
    "device_budget_bytes": 1000, "overrides": {"ess": {"steps": 7}, "all_gpu": {"steps": 5}},
    "extra_points": [{"label": "uncapped", "set": {"system": "all_gpu", "batch": "max:ess", "device_budget_bytes": 0}}],
    "expect": [{"system": "all_gpu", "metric": "m", "min": 1}, {"label": "uncapped", "metric": "m", "max": 2}]})";

TEST(spec, an_extra_point_lies_outside_the_grid) {
  const workload w = parse(with_uncapped);
  EXPECT_THAT(labels(w), ElementsAre("all_gpu", "ess", "uncapped"));
  const point& extra = at(w, "uncapped");
  EXPECT_EQ(extra.extra_label, "uncapped");
  EXPECT_EQ(extra.requested.device_budget_bytes, 0);
  EXPECT_EQ(extra.requested.steps, 5);
  EXPECT_TRUE(selects(w.expectations[0].of, w.points[0]));
  EXPECT_FALSE(selects(w.expectations[0].of, extra));
  EXPECT_TRUE(selects(w.expectations[1].of, extra));
}

TEST(spec, a_batch_of_another_system_is_counted_in_the_budget_of_the_grid) {
  const workload w = parse(with_uncapped);
  const point& extra = at(w, "uncapped");
  ASSERT_TRUE(extra.batch_of.has_value());
  EXPECT_EQ(extra.batch_of->system, system_kind::ess);
  EXPECT_EQ(extra.batch_of->batch, batch_choice(max_batch{}));
  EXPECT_EQ(extra.batch_of->device_budget_bytes, 1000);
  EXPECT_EQ(extra.batch_of->steps, 7);
  EXPECT_FALSE(at(w, "ess").batch_of.has_value());
}

TEST(spec, an_extra_point_is_repeated_over_axes_that_it_does_not_set) {
  const workload w =
      parse(R"({"name": "w", "systems": ["ess"], "context_tokens": [512, 1024], "device_budget_bytes": 9,
      "extra_points": [{"label": "free", "set": {"system": "all_gpu", "batch": [1, 2], "device_budget_bytes": 0}}]})");
  EXPECT_THAT(labels(w), ElementsAre("ess context_tokens=512", "ess context_tokens=1024",
                                     "free context_tokens=512 batch=1", "free context_tokens=512 batch=2",
                                     "free context_tokens=1024 batch=1", "free context_tokens=1024 batch=2"));
}

TEST(spec, set_beats_the_file_and_its_overrides_but_not_what_defines_an_extra_point) {
  const workload w =
      parse(with_uncapped, {.set = {"steps=2", "batch=3", "device_budget_beyond_weights_bytes=77"}});
  for (const point& p : w.points) EXPECT_EQ(p.requested.steps, 2) << p.label;
  EXPECT_EQ(at(w, "ess").requested.batch, batch_choice(3));
  EXPECT_EQ(at(w, "ess").requested.device_budget_beyond_weights_bytes, 77);
  EXPECT_EQ(at(w, "ess").requested.device_budget_bytes, std::nullopt);
  const point& extra = at(w, "uncapped");
  EXPECT_EQ(extra.requested.batch, batch_choice(max_batch_of{system_kind::ess}));
  EXPECT_EQ(extra.requested.device_budget_bytes, 0);
  EXPECT_EQ(extra.batch_of->device_budget_beyond_weights_bytes, 77);
}

TEST(spec, set_takes_lists_and_bare_words) {
  const workload w =
      parse(with(""), {.set = {"batch=[1,\"max:ess\"]", "overlap=none", "systems=all_gpu", "name=other"}});
  EXPECT_THAT(labels(w), ElementsAre("all_gpu batch=1", "all_gpu batch=max:ess"));
  EXPECT_EQ(w.points[0].requested.overlap, overlap_mode::none);
  EXPECT_EQ(w.name, "other");
}

TEST(spec, system_keeps_points_and_what_is_said_about_them) {
  const workload ess = parse(with_uncapped, {.systems = {system_kind::ess}});
  EXPECT_THAT(labels(ess), ElementsAre("ess"));
  EXPECT_TRUE(ess.expectations.empty());
  const workload all_gpu = parse(with_uncapped, {.systems = {system_kind::all_gpu}});
  EXPECT_THAT(labels(all_gpu), ElementsAre("all_gpu", "uncapped"));
  EXPECT_EQ(all_gpu.expectations.size(), 2u);
}

TEST(spec, a_selection_of_extra_points_alone_is_a_workload_too) {
  const workload w = parse(R"({"name": "w", "systems": ["ess"], "extra_points":
      [{"label": "x", "set": {"system": "hisparse", "batch": 1}}]})",
                           {.systems = {system_kind::hisparse}});
  EXPECT_THAT(labels(w), ElementsAre("x"));
  EXPECT_EQ(parse(w.resolved_json).hash, w.hash);
}

TEST(spec, resolved_json_is_sorted_and_parses_to_the_same_points) {
  const workload w = parse(with_uncapped, {.set = {"batch=[4,2]"}});
  EXPECT_EQ(json::parse(w.resolved_json).dump(), w.resolved_json);
  const workload again = parse(w.resolved_json);
  EXPECT_EQ(again.hash, w.hash);
  EXPECT_EQ(labels(again), labels(w));
  for (std::size_t i = 0; i < w.points.size(); ++i) EXPECT_EQ(again.points[i].id, w.points[i].id);
}

TEST(spec, published_values_keep_their_source) {
  const workload w =
      parse(with(R"("published": [{"system": "ess", "batch": 160, "metric": "gain_over_all_gpu",
      "value": 1.694, "unit": "ratio", "source": "a paper"}])"));
  ASSERT_EQ(w.published.size(), 1u);
  EXPECT_EQ(w.published[0].of.batch, 160);
  EXPECT_EQ(w.published[0].value, 1.694);
  EXPECT_EQ(w.published[0].source, "a paper");
}

TEST(spec, identity_depends_on_settings_alone_not_on_their_order) {
  const workload a =
      parse(R"({"name": "w", "systems": ["ess"], "steps": 3, "mtp": [1, 2], "batch": [1, 2]})");
  const workload b =
      parse(R"({"batch": [1, 2], "mtp": [1, 2], "steps": 3, "systems": ["ess"], "name": "w"})");
  EXPECT_EQ(a.hash, b.hash);
  EXPECT_EQ(labels(a), labels(b));
  EXPECT_NE(a.hash,
            parse(R"({"name": "w", "systems": ["ess"], "steps": 4, "mtp": [1, 2], "batch": [1, 2]})").hash);
}

// ---- errors: what a user sees, word for word ----

struct error_case {
  std::string name;
  std::string text;
  std::string message;
  spec_options options = {};
};

void PrintTo(const error_case& one, std::ostream* out) { *out << one.text; }

class spec_errors : public testing::TestWithParam<error_case> {};

TEST_P(spec_errors, names_place_fault_and_remedy) {
  const auto made = parse_workload(GetParam().text, "q.json", GetParam().options);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(to_string(made.error()), GetParam().message);
}

std::string lines(const std::string& more) {
  return "{\"name\": \"w\",\n \"systems\": [\"ess\"],\n " + more + "\n}\n";
}

const std::vector<error_case> error_cases = {
    {"unknown_key", lines(R"("link": {
  "gather_gbps": 3})"),
     "q.json:4: unknown key 'link.gather_gbps'; did you mean 'link.gather_gb_per_s'?"},
    {"wrong_unit", lines(R"("link.gather_mb_per_s": 3)"),
     "q.json:3: unknown key 'link.gather_mb_per_s'; did you mean 'link.gather_gb_per_s'?"},
    {"wrong_unit_of_time", lines(R"("link": {"call_ms": 3})"),
     "q.json:3: unknown key 'link.call_ms'; did you mean 'link.call_us'?"},
    {"group_left_out", lines(R"("gather_gb_per_s": 3)"),
     "q.json:3: unknown key 'gather_gb_per_s'; did you mean 'link.gather_gb_per_s'?"},
    {"unit_left_out", lines(R"("context": 3)"),
     "q.json:3: unknown key 'context'; did you mean 'context_tokens'?"},
    {"nothing_near", lines(R"("zzzzzzzz": 3)"), "q.json:3: unknown key 'zzzzzzzz'"},
    {"singular_system", lines(R"("system": "ess")"),
     "q.json:3: unknown key 'system'; did you mean 'systems'?"},
    {"repeated", lines("\"batch\": 1,\n \"batch\": 2"),
     "q.json:4: repeated key 'batch'; first given in line 3"},
    {"repeated_in_two_forms", lines("\"link\": {\"paced\": true},\n \"link.paced\": true"),
     "q.json:4: repeated key 'link.paced'; first given in line 3"},
    {"negative", lines(R"("batch": -3)"),
     "q.json:3: 'batch' is -3, but must be in [1, 1048576], max or max:SYSTEM"},
    {"open_interval", lines(R"("sparse_ratio": 0)"), "q.json:3: 'sparse_ratio' is 0, but must be in (0, 1]"},
    {"negative_seed", lines(R"("seed": -1)"), "q.json:3: 'seed' is -1, but must be at least 0"},
    {"too_large", lines(R"("steps": 3000000000)"),
     "q.json:3: 'steps' is 3000000000, but must be at most 2147483647"},
    {"text_for_number", lines(R"("steps": "many")"),
     "q.json:3: 'steps' must be a whole number, not text \"many\""},
    {"fraction", lines(R"("steps": 1.5)"), "q.json:3: 'steps' must be a whole number, not 1.5"},
    {"number_for_switch", lines(R"("two_batch_overlap": 1)"),
     "q.json:3: 'two_batch_overlap' must be true or false, not 1"},
    {"null", lines(R"("steps": null)"), "q.json:3: 'steps' must be a whole number, not null"},
    {"object_for_value", lines(R"("steps": {"a": 1})"), "q.json:3: 'steps' must not be an object"},
    {"value_for_group", lines(R"("link": 3)"), "q.json:3: 'link' must be an object, not 3"},
    {"unknown_word", lines(R"("overlap": "dbaa")"),
     "q.json:3: 'overlap' cannot be 'dbaa'; did you mean 'dba'? one of: none, da, dba, layerwise"},
    {"unknown_batch_system", lines(R"("batch": "max:es")"),
     "q.json:3: 'batch' cannot be 'es'; did you mean 'ess'? "
     "one of: all_gpu, naive_memcpy, naive_gather, layer_stream, ess, hisparse"},
    {"batch_word", lines(R"("batch": "most")"),
     "q.json:3: 'batch' must be a whole number, \"max\" or \"max:SYSTEM\", not text \"most\""},
    {"both_alternatives", lines("\"pool_rows\": 5,\n \"sparse_ratio\": 0.5"),
     "q.json:4: 'sparse_ratio' and 'pool_rows' exclude each other; give one of them"},
    {"empty_axis", lines(R"("batch": [])"), "q.json:3: 'batch' is an empty list"},
    {"twin_on_axis", lines("\"batch\": [1,\n 1]"), "q.json:4: 'batch' lists 1 twice"},
    {"list_in_override", lines(R"("overrides": {"ess": {"batch": [1, 2]}})"),
     "q.json:3: 'batch' must be a single value here; a list is an axis, which only the grid and extra_points "
     "have"},
    {"unknown_override", lines(R"("overrides": {"esss": {}})"),
     "q.json:3: unknown system 'esss'; did you mean 'ess'?"},
    {"wrong_kind", lines(R"("requests": {"count": 3})"),
     "q.json:3: 'requests.count' has no effect in a workload of kind 'fixed'; remove it"},
    {"unknown_kind", lines(R"("kind": "open")"), "q.json:3: 'kind' cannot be 'open'; one of: fixed, serve"},
    {"no_name", "{\"systems\": [\"ess\"]}", "q.json:1: missing key 'name'"},
    {"no_systems", "{\"name\": \"w\"}", "q.json:1: missing key 'systems'"},
    {"not_an_object", "[1]", "q.json:1: a workload must be an object, not a list"},
    {"empty", "", "q.json:1: the JSON text is cut off; is the file complete?"},
    {"cut_off", "{\n \"name\": \"w\",\n \"sys", "q.json:3: the JSON text is cut off; is the file complete?"},
    {"cut_off_between", "{\n \"name\": \"w\",\n",
     "q.json:3: the JSON text is cut off; is the file complete?"},
    {"everything_excluded", lines(R"("exclude": [{"system": "ess"}])"), "q.json: no points are left"},
    {"empty_exclusion", lines(R"("exclude": [{}])"),
     "q.json:3: an empty object in 'exclude' would remove every point"},
    {"unknown_key_of_a_section", lines(R"("expect": [{"system": "ess", "metrics": "x", "min": 1}])"),
     "q.json:3: unknown key 'metrics' in 'expect'; did you mean 'metric'?"},
    {"no_bounds", lines(R"("expect": [{"system": "ess", "metric": "x"}])"),
     "q.json:3: 'expect' needs 'min', 'max' or both"},
    {"bounds_crossed", lines(R"("expect": [{"system": "ess", "metric": "x", "min": 2, "max": 1}])"),
     "q.json:3: 'min' 2 is above 'max' 1"},
    {"expects_of_nobody", lines(R"("expect": [{"metric": "x", "max": 1}])"),
     "q.json:3: 'expect' needs either a 'system' or a 'label'"},
    {"no_such_label", lines(R"("expect": [{"label": "x", "metric": "x", "max": 1}])"),
     "q.json:3: there is no extra point 'x'"},
    {"no_source", lines(R"("published": [{"system": "ess", "metric": "x", "value": 1, "unit": "s"}])"),
     "q.json:3: missing key 'source' in 'published'"},
    {"twin_points", lines(R"("extra_points": [{"label": "x", "set": {"steps": 100}}])"),
     "q.json: points 'ess' and 'x system=ess' are the same"},
    {"twin_labels", lines(R"("extra_points": [{"label": "x", "set": {}}, {"label": "x", "set": {}}])"),
     "q.json:3: two extra points are called 'x'"},
    {"more_layers_than_the_model", lines(R"("model": {"preset": "tiny", "layers": 4})"),
     "q.json:3: 'model.layers' is 4, but tiny has 3 (point 'ess')"},
    {"experts_of_no_group", lines(R"("model": {"preset": "deepseek_v3_2", "experts": 12})"),
     "q.json:3: 'model.experts' is 12, but 12 experts do not form 8 equal groups (point 'ess')"},
    {"accepts_more_than_drafted", lines(R"("mtp_accept": 1.7)"),
     "q.json:3: 'mtp_accept' is 1.7, but a step has mtp = 1 (point 'ess'); "
     "set both; 'exclude' removes pairs that do not go together"},
    {"narrow_pitch", lines(R"("host_row_pitch_bytes": 640)"),
     "q.json:3: 'host_row_pitch_bytes' is 640, but must be 0 or a multiple of 16 from 656 on (point 'ess')"},
    {"crooked_pitch", lines(R"("host_row_pitch_bytes": 700)"),
     "q.json:3: 'host_row_pitch_bytes' is 700, but must be 0 or a multiple of 16 from 656 on (point 'ess')"},
    {"samples", lines(R"("measure": {"min_samples": 101})"),
     "q.json:3: 'measure.min_samples' is 101, but 'measure.max_samples' is 100 (point 'ess')"},
    {"endless", lines(R"("kind": "serve", "requests": {"count": 0})"),
     "q.json:3: 'requests.count' is 0, but a synthetic log has no end (point 'ess'); "
     "name a log in 'requests.trace' or give a count"},
    {"set_unknown",
     lines(R"("batch": 1)"),
     "--set bach=3: unknown key 'bach'; did you mean 'batch'?",
     {.set = {"bach=3"}}},
    {"set_out_of_range",
     lines(R"("batch": 1)"),
     "--set mtp=5: 'mtp' is 5, but must be in [1, 4]",
     {.set = {"mtp=5"}}},
    {"set_without_value",
     lines(R"("batch": 1)"),
     "--set mtp: must have the form path=value",
     {.set = {"mtp"}}},
    {"set_twice", lines(R"("batch": 1)"), "--set mtp=2: repeated key 'mtp'", {.set = {"mtp=1", "mtp=2"}}},
    {"set_section",
     lines(R"("batch": 1)"),
     "--set expect=[]: 'expect' can only be set in the file",
     {.set = {"expect=[]"}}},
    {"set_group",
     lines(R"("batch": 1)"),
     "--set link=3: 'link' must be an object, not 3",
     {.set = {"link=3"}}},
    {"set_kind",
     lines(R"("batch": 1)"),
     "--set kind=open: 'kind' cannot be 'open'; one of: fixed, serve",
     {.set = {"kind=open"}}},
    {"no_such_system",
     lines(R"("batch": 1)"),
     "--system: no point of 'all_gpu' in this workload; it has: ess",
     {.systems = {system_kind::all_gpu}}},
};

INSTANTIATE_TEST_SUITE_P(all, spec_errors, testing::ValuesIn(error_cases),
                         [](const auto& one) { return one.param.name; });

TEST(spec, syntax_errors_name_their_line) {
  for (const auto& [text, line] :
       std::vector<std::pair<std::string, int>>{{"{\"name\": \"w\"\n \"batch\": 1}", 2},
                                                {lines(R"("batch": 1,)"), 4},
                                                {lines(R"("batch": 01)"), 3},
                                                {lines(R"("batch": 1)") + "\n}", 6}}) {
    const auto made = parse_workload(text, "q.json");
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error().line, line) << to_string(made.error());
    EXPECT_THAT(made.error().what, testing::StartsWith("not JSON: "));
  }
}

TEST(spec, deep_nesting_is_refused_not_recursed_into) {
  const auto made = parse_workload(std::string(1'000'000, '['), "q.json");
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().what, "nested too deeply");
}

TEST(spec, a_grid_that_explodes_is_refused) {
  std::string many = "1";
  for (int i = 2; i <= 200; ++i) many += "," + std::to_string(i);
  const auto made = parse_workload(with(fmt::format(R"("batch": [{0}], "steps": [{0}])", many)), "q.json");
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().what, "more than 10000 points");
}

TEST(spec, missing_and_unreadable_files_are_said_to_be) {
  const auto missing = load_workload("no/such.json");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(to_string(missing.error()), "no/such.json: no such file");
  const auto folder = load_workload(std::filesystem::temp_directory_path());
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().what, "not a regular file");
}

}  // namespace
}  // namespace workloads
