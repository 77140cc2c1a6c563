#include "harness/capacity/batch_search.h"

#include <map>

namespace harness {
namespace {

class search {
 public:
  search(double limit_us, const step_time& of) : limit_us_(limit_us), of_(of) {}

  batch_bound run(int largest) {
    int within = 0;
    int without = largest + 1;
    int next = largest;
    batch_bound bound = batch_bound::largest;
    while (next > within && next < without) {
      const std::optional<double> us = of_(next);
      tried_[next] = us;
      if (us && *us <= limit_us_) {
        within = next;
      } else {
        without = next;
        bound = us ? batch_bound::step_limit : batch_bound::beyond_model;
      }
      next = within + (without - within) / 2;
    }
    return bound;
  }

  [[nodiscard]] batch_search result(batch_bound bound) const {
    batch_search out{.bound = bound};
    double highest = 0;
    for (const auto& [batch, us] : tried_) {
      out.tried.push_back({batch, us});
      if (!us || *us > limit_us_ || batch / *us <= highest) continue;
      highest = batch / *us;
      out.best = batch;
    }
    return out;
  }

 private:
  double limit_us_;
  const step_time& of_;
  std::map<int, std::optional<double>> tried_;
};

}  // namespace

batch_search find_batch(int largest, double limit_us, const step_time& of) {
  search s(limit_us, of);
  const batch_bound bound = s.run(largest);
  return s.result(bound);
}

int inversions(const std::vector<tried_batch>& tried) {
  int count = 0;
  for (std::size_t i = 1; i < tried.size(); ++i) {
    const auto &before = tried[i - 1].step_us, &after = tried[i].step_us;
    if (before && after && *after < *before) ++count;
  }
  return count;
}

}  // namespace harness
