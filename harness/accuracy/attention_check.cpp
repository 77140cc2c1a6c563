#include "ess_core/reference/attention.h"
#include "harness/accuracy/checks.h"

namespace harness {
namespace {

namespace reference = ess::reference;

// Rows as they ought to be, whatever the device attended.
class true_attention {
 public:
  true_attention(const check_context& c, const lane_record& r) : context_(c), record_(r) {
    const auto bytes = static_cast<std::size_t>(c.model().latent_row_bytes().value);
    for (const ess::token_id id : r.selected) {
      std::vector<std::uint8_t> row = id < 0 ? std::vector<std::uint8_t>() : c.truth.latent_row(r, id);
      row.resize(bytes);
      rows_.insert(rows_.end(), row.begin(), row.end());
    }
  }

  void check(const attention_record& got, ess::row_part part, findings& out) const {
    const ess::model_dims& m = context_.model();
    const reference::attention_part want = reference::attend_packed_rows(
        record_.query, m.heads, {.bytes = rows_, .format = {.kv_lora = m.kv_lora, .rope = m.rope}},
        ranks_of(part), m.softmax_scale());
    out.add("attend.output", relative_error(got.output, want.output), place_of(record_));
    out.add("attend.lse", log_error(got.lse, want.lse), place_of(record_));
  }

 private:
  // Places in the list of selected ids, -1 where the row is not of that part.
  [[nodiscard]] std::vector<std::int32_t> ranks_of(ess::row_part part) const {
    std::vector<std::int32_t> out;
    for (std::size_t i = 0; i < record_.selected.size(); ++i) {
      const bool incoming = part != ess::row_part::all && (record_.locations[i] & ess::incoming_flag) != 0;
      const bool counts = record_.selected[i] >= 0 &&
                          (part == ess::row_part::all || incoming == (part == ess::row_part::incoming));
      out.push_back(counts ? static_cast<std::int32_t>(i) : -1);
    }
    return out;
  }

  const check_context& context_;
  const lane_record& record_;
  std::vector<std::uint8_t> rows_;  // [top_k][row]
};

}  // namespace

findings check_attention(const check_context& c, const lane_record& r) {
  findings out;
  const true_attention truth(c, r);
  truth.check(r.whole, ess::row_part::all, out);
  if (!r.did(ess::op_kind::merge)) return out;
  truth.check(r.resident, ess::row_part::resident, out);
  truth.check(r.incoming, ess::row_part::incoming, out);
  const reference::attention_part merged =
      reference::merge_parts({r.resident.output, r.resident.lse}, {r.incoming.output, r.incoming.lse});
  out.add("merge.output", relative_error(r.whole.output, merged.output), place_of(r));
  out.add("merge.lse", log_error(r.whole.lse, merged.lse), place_of(r));
  return out;
}

}  // namespace harness
