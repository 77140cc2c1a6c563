// The kernels against every golden set: those of the source tree, or of the folder that ESSBENCH_GOLDEN_DIR
// names. What the kernels have no code for (a shape, a stage that they fuse with its neighbours) stays with
// the reference and is named in the result.
#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "ess_core/device/cpu/kernels/attend.h"
#include "ess_core/device/cpu/kernels/elementwise.h"
#include "ess_core/device/cpu/kernels/gemm.h"
#include "ess_core/device/cpu/kernels/index_quant.h"
#include "ess_core/device/cpu/kernels/merge.h"
#include "ess_core/device/cpu/kernels/row_quant.h"
#include "ess_core/device/cpu/kernels/score_keys.h"
#include "ess_core/device/cpu/kernels/select_topk.h"
#include "ess_core/device/cpu/kernels/tests/test_data.h"
#include "ess_core/reference/golden/runner.h"

namespace ess::cpu {
namespace {

using golden::attention_result;
using golden::floats;
using golden::operations;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

struct kernel_use {
  std::set<std::string> ran;
  std::set<std::string> left_to_reference;

  // Notes which of both an operation used; returns `fits`.
  bool choose(const char* operation, bool fits) {
    (fits ? ran : left_to_reference).insert(operation);
    return fits;
  }
};

int size_of(floats values) { return static_cast<int>(values.size()); }

void use_codecs(operations& table, kernel_use& use) {
  table.pack_latent_row = [&use, reference = table.pack_latent_row](floats latent, floats rotary,
                                                                    std::span<std::uint8_t> row) {
    if (!use.choose("pack_row", latent.size() % latent_tile == 0 && rotary.size() % 16 == 0)) {
      return reference(latent, rotary, row);
    }
    pack_row({latent.data(), rotary.data(), size_of(latent), size_of(rotary), row.data()});
  };
  table.unpack_latent_row = [&use, reference = table.unpack_latent_row](std::span<const std::uint8_t> row,
                                                                        std::span<float> latent,
                                                                        std::span<float> rotary) {
    if (!use.choose("unpack_row", latent.size() % latent_tile == 0 && rotary.size() % 16 == 0)) {
      return reference(row, latent, rotary);
    }
    unpack_row({row.data(), size_of(latent), size_of(rotary), latent.data(), rotary.data()});
  };
  table.rotate_interleaved = [&use](std::span<float> values, floats cos, floats sin) {
    use.choose("rotate_pairs", true);
    rotate_pairs(values.data(), cos.data(), sin.data(), size_of(cos));
  };
}

void use_indexer(operations& table, kernel_use& use) {
  table.encode_index_vector = [&use, reference = table.encode_index_vector](
                                  floats values, floats cos, floats sin, std::span<std::uint8_t> codes) {
    if (!use.choose("quantise_index", values.size() == index_dim && cos.size() == 32)) {
      return reference(values, cos, sin, codes);
    }
    return quantise_index({values.data(), cos.data(), sin.data(), codes.data()});
  };
  table.score_keys = [&use, reference = table.score_keys](std::span<const std::uint8_t> query, floats weight,
                                                          std::span<const std::uint8_t> pages,
                                                          std::int64_t tokens) {
    const bool fits = query.size() == weight.size() * index_dim && weight.size() <= max_index_heads;
    if (!use.choose("score_keys", fits)) return reference(query, weight, pages, tokens);
    std::vector<float> scores(static_cast<std::size_t>(tokens));
    score_keys({query.data(), weight.data(), pages.data(), tokens, size_of(weight), scores.data()});
    return scores;
  };
  table.select_top_k = [&use](floats scores, int k) {
    use.choose("select_topk", true);
    const auto n = static_cast<std::int32_t>(scores.size());
    const test::scratch_memory scratch(select_topk_scratch_bytes(n));
    std::vector<token_id> ids(static_cast<std::size_t>(k));
    select_topk({scores.data(), n, k, ids.data(), scratch.data()});
    return ids;
  };
}

void use_attention(operations& table, kernel_use& use) {
  table.attend = [&use, reference = table.attend](floats query, int heads, const reference::packed_rows& rows,
                                                  std::span<const std::int32_t> selected, float scale) {
    const latent_row_format format = rows.format;
    if (!use.choose("attend", format.kv_lora % 16 == 0 && format.rope % 16 == 0)) {
      return reference(query, heads, rows, selected, scale);
    }
    std::vector<const std::uint8_t*> row(selected.size());
    std::ranges::transform(selected, row.begin(), [&](std::int32_t id) {
      return id < 0 ? nullptr : rows.bytes.data() + id * rows.pitch;
    });
    const test::scratch_memory scratch(attend_scratch_bytes(heads, format.kv_lora, format.rope));
    attention_result result{std::vector<float>(static_cast<std::size_t>(heads) * format.kv_lora),
                            std::vector<float>(static_cast<std::size_t>(heads))};
    attend({query.data(), row.data(), static_cast<std::int64_t>(row.size()), heads, format.kv_lora,
            format.rope, scale, result.output.data(), result.lse.data(), scratch.data()});
    return result;
  };
  table.merge = [&use](const reference::attention_part_view& first,
                       const reference::attention_part_view& second) {
    use.choose("merge", true);
    const int heads = size_of(first.lse);
    attention_result result{std::vector<float>(first.output.size()), std::vector<float>(first.lse.size())};
    merge({{first.output.data(), second.output.data()},
           {first.lse.data(), second.lse.data()},
           heads,
           size_of(first.output) / heads,
           result.output.data(),
           result.lse.data()});
    return result;
  };
}

// y = W x; weights: [n][k].
std::vector<float> product(floats weights, floats x) {
  const int k = size_of(x), n = size_of(weights) / k;
  std::vector<float> y(static_cast<std::size_t>(n));
  packed_matrix(weights.data(), n, k).run(1, x.data(), k, y.data(), n);
  return y;
}

std::vector<float> transposed(floats matrix, int rows) {
  const int columns = size_of(matrix) / rows;
  std::vector<float> result(matrix.size());
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column)
      result[column * rows + row] = matrix[row * columns + column];
  return result;
}

floats part_of(floats all, int part, int parts) {
  const auto size = all.size() / parts;
  return all.subspan(part * size, size);
}

// Products with each head's half of the latent up-projection, which the device packs by head as well.
void use_up_projections(operations& table, kernel_use& use) {
  table.absorbed_query = [&use](floats query, floats key_up, int heads, floats cos, floats sin) {
    use.choose("gemm", true);
    const int rope = 2 * size_of(cos), nope = size_of(query) / heads - rope;
    std::vector<float> result;
    for (int head = 0; head < heads; ++head) {
      const floats of_head = part_of(query, head, heads);
      const auto latent = product(transposed(part_of(key_up, head, heads), nope), of_head.first(nope));
      result.insert(result.end(), latent.begin(), latent.end());
      result.insert(result.end(), of_head.begin() + nope, of_head.end());
      rotate_pairs(result.data() + result.size() - rope, cos.data(), sin.data(), size_of(cos));
    }
    return result;
  };
  table.value_up_projection = [&use](floats latent, floats value_up, int heads) {
    use.choose("gemm", true);
    std::vector<float> result;
    for (int head = 0; head < heads; ++head) {
      const auto values = product(part_of(value_up, head, heads), part_of(latent, head, heads));
      result.insert(result.end(), values.begin(), values.end());
    }
    return result;
  };
}

void use_dense(operations& table, kernel_use& use) {
  table.matrix_vector = [&use](floats weights, floats x) {
    use.choose("gemm", true);
    return product(weights, x);
  };
  table.rms_norm = [&use, reference = table.rms_norm](floats x, floats weight, double epsilon) {
    if (!use.choose("rms_norm", static_cast<float>(epsilon) == norm_epsilon)) {
      return reference(x, weight, epsilon);
    }
    std::vector<float> out(x.size());
    rms_norm(x.data(), size_of(x), out.data());
    std::ranges::transform(out, weight, out.begin(), std::multiplies<>());  // folded into the next product
    return out;
  };
  table.layer_norm = [&use, reference = table.layer_norm](floats x, floats weight, floats bias,
                                                          double epsilon) {
    if (!use.choose("layer_norm", static_cast<float>(epsilon) == norm_epsilon)) {
      return reference(x, weight, bias, epsilon);
    }
    std::vector<float> out(x.size());
    layer_norm(x.data(), weight.data(), bias.data(), size_of(x), out.data());
    return out;
  };
}

operations kernel_operations(kernel_use& use) {
  operations table = golden::reference_operations();
  table.name = "CPU kernels";
  use_codecs(table, use);
  use_indexer(table, use);
  use_attention(table, use);
  use_up_projections(table, use);
  use_dense(table, use);
  return table;
}

std::vector<std::string> faults_of(const operations& table) {
  std::vector<std::string> faults;
  for (const golden::set_report& report : golden::run_folder(golden::golden_folder().folder, table)) {
    faults.insert(faults.end(), report.faults.begin(), report.faults.end());
  }
  return faults;
}

TEST(golden_kernels, agree_with_every_set_of_the_folder) {
  kernel_use use;
  EXPECT_THAT(faults_of(kernel_operations(use)), IsEmpty()) << golden::golden_folder().folder;
  RecordProperty("left_to_reference", testing::PrintToString(use.left_to_reference));
  if (golden::golden_folder().source == golden::golden_source::environment) return;  // which may hold fewer
  EXPECT_THAT(use.left_to_reference, IsEmpty());
  EXPECT_THAT(use.ran, testing::UnorderedElementsAre("pack_row", "unpack_row", "rotate_pairs",
                                                     "quantise_index", "score_keys", "select_topk", "attend",
                                                     "merge", "gemm", "rms_norm", "layer_norm"));
}

TEST(golden_kernels, a_wrong_kernel_is_reported) {
  if (golden::golden_folder().source == golden::golden_source::environment) {
    GTEST_SKIP() << "names arrays of the source tree's sets";
  }
  kernel_use use;
  operations table = kernel_operations(use);
  table.attend = [attend = table.attend](floats query, int heads, const reference::packed_rows& rows,
                                         std::span<const std::int32_t> selected, float scale) {
    return attend(query, heads, rows, selected.first(selected.size() - 1), scale);
  };
  const auto faults = faults_of(table);
  EXPECT_THAT(faults, Contains(HasSubstr("sparse_attention/out")));
  EXPECT_THAT(faults, Contains(HasSubstr("sparse_attention/lse")));
}

}  // namespace
}  // namespace ess::cpu
