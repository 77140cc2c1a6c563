#include "workloads/fields.h"

#include <set>

#include "workloads/suggest.h"

namespace workloads {
namespace {

TEST(fields, paths_are_unique_and_documented) {
  std::set<std::string_view> seen;
  for (const field& f : fields()) {
    EXPECT_TRUE(seen.insert(f.path).second) << f.path;
    EXPECT_FALSE(f.help.empty()) << f.path;
    EXPECT_EQ(find_field(f.path), &f);
    EXPECT_EQ(f.type == value_type::choice, !f.choices.empty()) << f.path;
  }
  EXPECT_EQ(find_field("nonsense"), nullptr);
}

TEST(fields, defaults_are_in_range_and_come_back) {
  for (const field& f : fields()) {
    settings s;
    nlohmann::json value = f.get(s);
    if (value.is_null()) continue;
    const nlohmann::json before = value;
    EXPECT_FALSE(normalise(f, value).has_value()) << f.path;
    EXPECT_EQ(value, before) << f.path;
    f.set(s, value);
    EXPECT_EQ(f.get(s), before) << f.path;
  }
}

TEST(fields, alternatives_name_each_other_and_one_has_a_default) {
  for (const field& f : fields()) {
    if (f.alternative.empty()) continue;
    const field* other = find_field(f.alternative);
    ASSERT_NE(other, nullptr) << f.path;
    EXPECT_EQ(other->alternative, f.path);
    EXPECT_NE(f.get({}).is_null(), other->get({}).is_null()) << f.path;
  }
}

TEST(fields, the_paths_that_scripts_rely_on_exist) {
  for (const auto* path : {"model.preset",
                           "model.layers",
                           "model.experts",
                           "model.ep_slice",
                           "cluster.nodes",
                           "cluster.ep",
                           "cluster.imbalance",
                           "batch",
                           "context_tokens",
                           "steps",
                           "seed",
                           "device_budget_bytes",
                           "host_budget_bytes",
                           "mtp",
                           "mtp_accept",
                           "two_batch_overlap",
                           "sparse_ratio",
                           "pool_rows",
                           "policy",
                           "warmup",
                           "warmup_windows",
                           "prefetch_rows",
                           "handover",
                           "overlap",
                           "host_row_pitch_bytes",
                           "link.paced",
                           "link.gather_gb_per_s",
                           "link.copy_gb_per_s",
                           "link.call_us",
                           "requests.trace",
                           "requests.rate_per_s"}) {
    EXPECT_NE(find_field(path), nullptr) << path;
  }
}

TEST(fields, help_shows_unit_range_and_default) {
  EXPECT_THAT(describe_fields(),
              testing::HasSubstr("sparse_ratio\n    in (0, 1]; default 0.2\n    pool slots over context; "
                                 "hisparse has a pool of fixed size\n"));
  EXPECT_THAT(describe_fields(), testing::HasSubstr("link.call_us [us]\n    at least 0; default 5.0\n"));
  EXPECT_THAT(describe_fields(), testing::HasSubstr("pool_rows [rows]\n    at least 1; default none\n"));
}

template <typename E>
void expect_words_come_back(std::span<const std::string_view> words,
                            std::optional<E> (*parse)(std::string_view)) {
  for (const std::string_view word : words) EXPECT_EQ(to_string(parse(word).value()), word);
  EXPECT_EQ(parse("nonsense"), std::nullopt);
  EXPECT_EQ(parse(""), std::nullopt);
}

TEST(names, every_word_comes_back) {
  expect_words_come_back(workload_kind_names(), parse_workload_kind);
  expect_words_come_back(system_names(), parse_system);
  expect_words_come_back(overlap_names(), parse_overlap);
  expect_words_come_back(warmup_names(), parse_warmup);
  expect_words_come_back(handover_names(), parse_handover);
  expect_words_come_back(policy_names(), parse_policy);
  EXPECT_EQ(parse_system("hisparse"), system_kind::hisparse);
  EXPECT_EQ(parse_overlap("layerwise"), overlap_mode::layerwise);
}

TEST(suggest, counts_edits) {
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("batch", "batch"), 0);
}

}  // namespace
}  // namespace workloads
