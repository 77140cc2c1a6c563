#include "ess_core/device/cpu/kernels/gemm.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <compare>
#include <map>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <shared_mutex>
#include <vector>

#include "ess_core/device/cpu/kernels/huge_pages.h"

namespace ess::cpu {
namespace {

using dnnl::memory;

// Rows that the blocked form of the weights is chosen for; all counts of rows then share it.
constexpr int layout_rows = 16;

struct product_shape {
  int m, n, k;

  friend auto operator<=>(const product_shape&, const product_shape&) = default;
};

struct product {
  dnnl::matmul primitive;
  memory::desc x, y, scratchpad;
};

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc dense(std::int64_t rows, std::int64_t columns, memory::format_tag order) {
  return {{rows, columns}, memory::data_type::f32, order};
}

dnnl::matmul::primitive_desc describe(const product_shape& s, const memory::desc& weights) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::matmul::desc desc(dense(s.m, s.k, memory::format_tag::ab), weights,
                                dense(s.m, s.n, memory::format_tag::ab));
  return {desc, attributes, cpu_engine()};
}

dnnl::matmul::primitive_desc describe_layout(int n, int k) {
  return describe({layout_rows, n, k}, dense(k, n, memory::format_tag::any));
}

// Products of all shapes seen so far. They hold code, no weights, so matrices of one shape share them.
class product_cache {
 public:
  const product& find(const product_shape& shape, const memory::desc& weights) {
    {
      const std::shared_lock lock(mutex_);
      if (const auto found = products_.find(shape); found != products_.end()) return found->second;
    }
    const auto desc = describe(shape, weights);
    product made{dnnl::matmul(desc), desc.src_desc(), desc.dst_desc(), desc.scratchpad_desc()};
    const std::unique_lock lock(mutex_);
    return products_.try_emplace(shape, std::move(made)).first->second;
  }

 private:
  std::shared_mutex mutex_;
  std::map<product_shape, product> products_;  // of stable addresses
};

product_cache& products() {
  static product_cache cache;
  return cache;
}

// What a thread needs to run a product.
struct thread_state {
  dnnl::stream stream{cpu_engine()};
  std::vector<std::uint64_t> scratchpad;
  std::vector<float> x, y;
};

thread_state& this_thread() {
  thread_local thread_state state;
  return state;
}

template <typename element>
element* with_room(std::vector<element>& buffer, std::size_t n) {
  if (buffer.size() < n) buffer.resize(n);
  return buffer.data();
}

void execute(const product& p, const memory& weights, const float* x, float* y) {
  thread_state& thread = this_thread();
  const memory source(p.x, cpu_engine(), const_cast<float*>(x));  // only read
  const memory target(p.y, cpu_engine(), y);
  const std::size_t words = p.scratchpad.get_size() / sizeof(std::uint64_t) + 1;
  const memory scratchpad(p.scratchpad, cpu_engine(), with_room(thread.scratchpad, words));
  p.primitive.execute(thread.stream, {{DNNL_ARG_SRC, source},
                                      {DNNL_ARG_WEIGHTS, weights},
                                      {DNNL_ARG_DST, target},
                                      {DNNL_ARG_SCRATCHPAD, scratchpad}});
  thread.stream.wait();
}

void copy_rows(const float* from, std::int64_t from_stride, float* to, std::int64_t to_stride, int rows,
               int columns) {
  for (int row = 0; row < rows; ++row) std::copy_n(from + row * from_stride, columns, to + row * to_stride);
}

// The library's fast kernels take dense rows only.
const float* dense_rows(const float* x, std::int64_t ldx, int m, int k) {
  if (ldx == k || m == 1) return x;
  float* packed = with_room(this_thread().x, static_cast<std::size_t>(m) * k);
  copy_rows(x, ldx, packed, k, m, k);
  return packed;
}

void multiply_panel(const memory& weights, const product_shape& s, const float* x, float* y,
                    std::int64_t ldy) {
  const product& p = products().find(s, weights.get_desc());
  if (ldy == s.n || s.m == 1) return execute(p, weights, x, y);
  float* packed = with_room(this_thread().y, static_cast<std::size_t>(s.m) * s.n);
  execute(p, weights, x, packed);
  copy_rows(packed, s.n, y, ldy, s.m, s.n);
}

template <typename work>
auto translate_errors(const work& what) {
  try {
    return what();
  } catch (const dnnl::error& error) {
    throw gemm_error(fmt::format("oneDNN: {} (status {})", error.what(), static_cast<int>(error.status)));
  }
}

std::size_t packed_panel_bytes(int columns, int k) {
  return (describe_layout(columns, k).weights_desc().get_size() + 63) / 64 * 64;
}

// Packs into `at`, which has room for what packed_panel_bytes says.
memory pack_panel(const float* weights, int columns, int k, std::byte* at) {
  const memory source(dense(k, columns, memory::format_tag::ba), cpu_engine(),
                      const_cast<float*>(weights));  // only read
  memory packed(describe_layout(columns, k).weights_desc(), cpu_engine(), at);
  dnnl::stream& stream = this_thread().stream;
  dnnl::reorder(source, packed).execute(stream, const_cast<memory&>(source), packed);
  stream.wait();
  return packed;
}

}  // namespace

struct packed_matrix::state {
  int n = 0;
  int k = 0;
  huge_bytes weights;  // of all panels
  std::vector<memory> panels;
};

packed_matrix::packed_matrix(const float* weights, int n, int k) : state_(std::make_unique<state>()) {
  state_->n = n;
  state_->k = k;
  translate_errors([&] {
    const auto columns = [&](int first) { return std::min(gemm_panel_columns, n - first); };
    std::size_t size = 0;
    for (int first = 0; first < n; first += gemm_panel_columns) size += packed_panel_bytes(columns(first), k);
    state_->weights = allocate_huge(size);
    std::byte* at = state_->weights.get();
    for (int first = 0; first < n; first += gemm_panel_columns) {
      const float* panel = weights + static_cast<std::int64_t>(first) * k;
      state_->panels.push_back(pack_panel(panel, columns(first), k, at));
      at += packed_panel_bytes(columns(first), k);
    }
  });
}

packed_matrix::packed_matrix() = default;
packed_matrix::packed_matrix(packed_matrix&&) noexcept = default;
packed_matrix& packed_matrix::operator=(packed_matrix&&) noexcept = default;
packed_matrix::~packed_matrix() = default;

int packed_matrix::n() const { return state_ ? state_->n : 0; }
int packed_matrix::k() const { return state_ ? state_->k : 0; }
int packed_matrix::panels() const { return state_ ? static_cast<int>(state_->panels.size()) : 0; }

std::int64_t packed_matrix::bytes() const {
  std::int64_t sum = 0;
  for (int i = 0; i < panels(); ++i)
    sum += static_cast<std::int64_t>(state_->panels[i].get_desc().get_size());
  return sum;
}

void packed_matrix::run(int m, const float* x, std::int64_t ldx, float* y, std::int64_t ldy) const {
  run_panels(0, panels(), m, x, ldx, y, ldy);
}

void packed_matrix::run_panels(int first, int count, int m, const float* x, std::int64_t ldx, float* y,
                               std::int64_t ldy) const {
  if (m == 0) return;
  translate_errors([&] {
    const float* dense_x = dense_rows(x, ldx, m, k());
    for (int i = first; i < first + count; ++i) {
      const int column = i * gemm_panel_columns;
      const product_shape shape{m, std::min(gemm_panel_columns, n() - column), k()};
      multiply_panel(state_->panels[i], shape, dense_x, y + column, ldy);
    }
  });
}

void use_one_gemm_thread() { omp_set_num_threads(1); }

std::string gemm_kernel_name() {
  const dnnl_version_t* v = dnnl_version();
  const std::string kernel = translate_errors([] { return describe_layout(256, 1024).impl_info_str(); });
  return fmt::format("oneDNN {}.{}.{} {}", v->major, v->minor, v->patch, kernel);
}

double measure_gemm_gflops() {
  using clock = std::chrono::steady_clock;
  constexpr int m = 64, n = 1024, k = 1024;
  const std::vector<float> weights(static_cast<std::size_t>(n) * k, 0.5f);
  const std::vector<float> x(static_cast<std::size_t>(m) * k, 0.25f);
  std::vector<float> y(static_cast<std::size_t>(m) * n);
  const packed_matrix matrix_of_ones(weights.data(), n, k);
  double best = 0;
  matrix_of_ones.run(m, x.data(), k, y.data(), n);
  for (const auto end = clock::now() + std::chrono::milliseconds(40); clock::now() < end;) {
    const auto start = clock::now();
    matrix_of_ones.run(m, x.data(), k, y.data(), n);
    const std::chrono::duration<double, std::nano> elapsed = clock::now() - start;
    best = std::max(best, 2.0 * m * n * k / elapsed.count());
  }
  return best;
}

}  // namespace ess::cpu
