#include <algorithm>
#include <cmath>

#include "results/report/page_data.h"

namespace results {
namespace {

// Names, each once, in the order of their first use.
class name_list {
 public:
  std::size_t number_of(const std::string& name) {
    const auto at = std::ranges::find(names_, name);
    if (at != names_.end()) return static_cast<std::size_t>(at - names_.begin());
    names_.push_back(name);
    return names_.size() - 1;
  }
  [[nodiscard]] const std::vector<std::string>& all() const { return names_; }

 private:
  std::vector<std::string> names_;
};

double to_hundredth(double us) { return std::round(us * 100) / 100; }

}  // namespace

nlohmann::ordered_json timeline_json(const timeline& of) {
  name_list kinds, streams;
  auto operations = nlohmann::ordered_json::array();
  for (const timeline_operation& op : of) {
    operations.push_back({kinds.number_of(op.kind), streams.number_of(op.stream), op.on_link ? 1 : 0,
                          op.layer, to_hundredth(op.start_us), to_hundredth(op.end_us - op.start_us)});
  }
  return {{"kinds", kinds.all()},
          {"streams", streams.all()},
          {"link_busy_us", to_hundredth(link_busy_us(of))},
          {"exposed_us", to_hundredth(exposed_transfer_us(of))},
          {"operations", std::move(operations)}};
}

}  // namespace results
