// Sets that are damaged must be refused, and wrong values found.
#include "ess_core/reference/golden/golden_set.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "ess_core/reference/golden/runner.h"

namespace ess::golden {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const fs::path tree = ESSBENCH_GOLDEN_TREE;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// A copy of sets of the tree, gone at the end of the test.
class golden_copy : public testing::Test {
 protected:
  golden_copy()
      : folder_(fs::temp_directory_path() / ("essbench_golden_" + std::to_string(std::random_device{}()))) {
    fs::create_directory(folder_);
  }
  ~golden_copy() override { fs::remove_all(folder_); }

  fs::path copy(const std::string& set) {
    fs::copy(tree / set, folder_ / set);
    return folder_ / set;
  }

  static void replace(const fs::path& file, const std::string& what, const std::string& by) {
    std::string text = read_text(file);
    const auto at = text.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    write_text(file, text.replace(at, what.size(), by));
  }

  // What run_folder says about the only set of the folder.
  std::string only_fault() {
    const auto reports = run_folder(folder_, reference_operations());
    if (reports.size() != 1 || reports[0].faults.size() != 1) return "not one fault";
    return reports[0].faults[0];
  }

  fs::path folder_;
};

TEST_F(golden_copy, an_untouched_copy_agrees) {
  copy("number_formats");
  const auto reports = run_folder(folder_, reference_operations());
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_THAT(reports[0].faults, IsEmpty());
}

TEST_F(golden_copy, missing_array_file_is_a_fault) {
  fs::remove(copy("latent_row") / "packed.bin");
  EXPECT_THAT(only_fault(), HasSubstr("packed.bin"));
}

TEST_F(golden_copy, truncated_and_overlong_files_are_faults) {
  const fs::path file = copy("latent_row") / "dequant.bin";
  fs::resize_file(file, fs::file_size(file) - 1);
  EXPECT_THAT(only_fault(), HasSubstr("dequant.bin has 82943 bytes, its shape makes 82944"));
  fs::resize_file(file, fs::file_size(file) + 2);
  EXPECT_THAT(only_fault(), HasSubstr("dequant.bin has 82945 bytes"));
}

TEST_F(golden_copy, missing_or_broken_manifest_is_a_fault) {
  const fs::path manifest = copy("yarn") / "manifest.json";
  replace(manifest, "\"arrays\"", "\"array\"");
  EXPECT_THAT(only_fault(), HasSubstr("arrays"));
  write_text(manifest, "{\"set\": ");
  EXPECT_THAT(only_fault(), HasSubstr("parse error"));
  fs::remove(manifest);
  EXPECT_THAT(only_fault(), HasSubstr("manifest.json: cannot be read"));
}

TEST_F(golden_copy, unknown_names_are_faults) {
  const fs::path manifest = copy("yarn") / "manifest.json";
  const std::string original = read_text(manifest);
  const auto fault_after = [&](const std::string& what, const std::string& by) {
    write_text(manifest, original);
    replace(manifest, what, by);
    return only_fault();
  };
  EXPECT_THAT(fault_after("\"set\": \"yarn\"", "\"set\": \"yarns\""), HasSubstr("unknown set \"yarns\""));
  EXPECT_THAT(fault_after("\"dtype\": \"f64\"", "\"dtype\": \"f16\""), HasSubstr("unknown dtype \"f16\""));
  EXPECT_THAT(fault_after("\"kind\": \"angle\"", "\"kind\": \"near\""), HasSubstr("unknown tolerance kind"));
  EXPECT_THAT(fault_after("\"role\": \"output\"", "\"role\": \"target\""), HasSubstr("unknown role"));
  EXPECT_THAT(fault_after("\"name\": \"inv_freq\"", "\"name\": \"frequency\""),
              HasSubstr("no array inv_freq"));
  EXPECT_THAT(fault_after("\"factor\"", "\"factors\""), HasSubstr("no number params.factor"));
  EXPECT_THAT(fault_after("inv_freq.bin", "../yarn/inv_freq.bin"), HasSubstr("not a plain file name"));
  EXPECT_THAT(fault_after("\"format\": 1", "\"format\": 2"), HasSubstr("unknown format"));
}

TEST_F(golden_copy, array_that_no_case_knows_is_listed) {
  replace(copy("sparse_attention") / "manifest.json", "\"name\": \"out\"", "\"name\": \"other_out\"");
  const auto reports = run_folder(folder_, reference_operations());
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_THAT(reports[0].not_compared, testing::ElementsAre("other_out"));
}

TEST_F(golden_copy, empty_or_absent_folder_is_an_error) {
  EXPECT_THROW(static_cast<void>(run_folder(folder_, reference_operations())), golden_error);
  EXPECT_THROW(static_cast<void>(run_folder(folder_ / "absent", reference_operations())), golden_error);
}

TEST_F(golden_copy, one_bad_set_does_not_hide_the_others) {
  copy("yarn");
  fs::remove(copy("number_formats") / "manifest.json");
  const auto reports = run_folder(folder_, reference_operations());
  ASSERT_EQ(reports.size(), 2u);
  EXPECT_THAT(reports[0].faults, testing::SizeIs(1));
  EXPECT_THAT(reports[1].faults, IsEmpty());
}

// Sign, exponent and top bits of the last element go: no tolerance is that wide.
void spoil_last_byte(const fs::path& file) {
  std::string bytes = read_text(file);
  bytes.back() = static_cast<char>(bytes.back() ^ 0x5b);
  write_text(file, bytes);
}

struct spoiled {
  std::string set, array;
};

class golden_copy_spoiled : public golden_copy, public testing::WithParamInterface<spoiled> {};

TEST_P(golden_copy_spoiled, a_changed_byte_is_reported_for_its_array_alone) {
  const auto& [set, array] = GetParam();
  spoil_last_byte(copy(set) / (array + ".bin"));
  const auto reports = run_folder(folder_, reference_operations());
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_THAT(reports[0].faults, Not(IsEmpty()));
  EXPECT_THAT(reports[0].faults, Each(StartsWith(set + "/" + array + ":")));
}

INSTANTIATE_TEST_SUITE_P(
    every_set, golden_copy_spoiled,
    testing::Values(spoiled{"number_formats", "e4m3_encode_out"},
                    spoiled{"number_formats", "bf16_encode_out"}, spoiled{"latent_row", "packed_amax_floor"},
                    spoiled{"latent_row", "dequant_any_scale"}, spoiled{"yarn", "cos"},
                    spoiled{"yarn", "sin_ref2"}, spoiled{"yarn", "inv_freq"},
                    spoiled{"index_key", "query_rope"}, spoiled{"index_key", "key_e4m3_f32path"},
                    spoiled{"index_key", "page"}, spoiled{"index_key", "weight"},
                    spoiled{"indexer_scores", "scores"}, spoiled{"indexer_scores", "topk64"},
                    spoiled{"sparse_attention", "out"}, spoiled{"sparse_attention", "lse"},
                    spoiled{"sparse_attention_h128", "out_sumsq"}, spoiled{"sparse_attention_split", "out"},
                    spoiled{"sparse_attention_split", "part1_lse"}, spoiled{"dsa_layer", "out_yarn"},
                    spoiled{"dsa_layer", "topk_plain"}, spoiled{"dsa_layer", "quant_rows"},
                    spoiled{"dsa_layer", "quant_out"}, spoiled{"dsa_layer", "quant_index_scale"}),
    [](const auto& test) { return test.param.set + "_" + test.param.array; });

TEST(golden_operations, a_wrong_kernel_is_found) {
  const auto faults_of = [](const std::string& set, const std::function<void(operations&)>& spoil) {
    operations run = reference_operations();
    spoil(run);
    return run_set(tree / set, run).faults;
  };
  EXPECT_THAT(faults_of("sparse_attention_split",
                        [](operations& run) {
                          run.merge = [](const auto& first, const auto&) {
                            return attention_result{{first.output.begin(), first.output.end()},
                                                    {first.lse.begin(), first.lse.end()}};
                          };
                        }),
              Not(IsEmpty()));
  EXPECT_THAT(faults_of("indexer_scores",
                        [](operations& run) {
                          run.select_top_k = [](floats scores, int k) {  // ties to the larger id
                            std::vector<float> reversed(scores.rbegin(), scores.rend());
                            auto ids = reference_operations().select_top_k(reversed, k);
                            for (auto& id : ids)
                              id = id < 0 ? id : static_cast<token_id>(scores.size()) - 1 - id;
                            return ids;
                          };
                        }),
              Not(IsEmpty()));
}

TEST(golden_names, survive_a_round_trip) {
  for (const auto* name : {"f32", "f64", "i32", "u8", "bf16", "e4m3"}) {
    EXPECT_EQ(to_string(parse_element_type(name).value()), name);
  }
  for (const auto* name : {"input", "stage", "output"})
    EXPECT_EQ(to_string(parse_array_role(name).value()), name);
  for (const auto* name :
       {"exact", "abs_rel", "rel_to_array", "angle", "set", "mostly_exact", "set_overlap"}) {
    EXPECT_EQ(to_string(parse_tolerance_kind(name).value()), name);
  }
  EXPECT_FALSE(parse_element_type("f16"));
  EXPECT_FALSE(parse_tolerance_kind(""));
}

}  // namespace
}  // namespace ess::golden
