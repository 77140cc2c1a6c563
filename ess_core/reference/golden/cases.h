// One case per kind of golden set: recomputes its stages and outputs from its inputs.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ess_core/reference/golden/check.h"
#include "ess_core/reference/golden/golden_set.h"
#include "ess_core/reference/golden/operations.h"

namespace ess::golden {

using golden_case = void (*)(const golden_set& set, const operations& run, golden_check& check);

void check_number_formats(const golden_set& set, const operations& run, golden_check& check);
void check_latent_row(const golden_set& set, const operations& run, golden_check& check);
void check_yarn(const golden_set& set, const operations& run, golden_check& check);
void check_index_key(const golden_set& set, const operations& run, golden_check& check);
void check_indexer_scores(const golden_set& set, const operations& run, golden_check& check);
void check_sparse_attention(const golden_set& set, const operations& run, golden_check& check);
void check_sparse_attention_split(const golden_set& set, const operations& run, golden_check& check);
void check_dsa_layer(const golden_set& set, const operations& run, golden_check& check);

// A page array of the keys, [tokens][dim] e4m3, and their scales.
[[nodiscard]] std::vector<std::uint8_t> make_pages(const std::vector<std::uint8_t>& codes,
                                                   const std::vector<float>& scales);

// Null if no case knows a set of this name.
[[nodiscard]] golden_case find_case(std::string_view set_name);

}  // namespace ess::golden
