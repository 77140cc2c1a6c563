// oneDNN and OpenBLAS, where CMake found them.
#include <algorithm>

#include "ess_core/device/cpu/kernels/bench/two_products.h"
#if ESSBENCH_ONEDNN
#include <dnnl.hpp>
#endif
#if ESSBENCH_OPENBLAS
#include <cblas.h>
#endif

namespace ess::cpu::bench {

#if ESSBENCH_ONEDNN
namespace {

using dnnl::matmul;
using dnnl::memory;

// Plain layouts: rows are new in every call, so what is gained by a packed layout is lost by packing.
class onednn_products final : public two_products {
 public:
  explicit onednn_products(attention_sizes sizes)
      : query_({sizes.heads, sizes.width()}, f32, memory::dims{sizes.width(), 1}),
        rows_by_query_({sizes.width(), sizes.rows}, f32, memory::dims{1, sizes.width()}),
        logits_({sizes.heads, sizes.rows}, f32, memory::dims{sizes.rows, 1}),
        rows_({sizes.rows, sizes.kv_lora}, f32, memory::dims{sizes.width(), 1}),
        out_({sizes.heads, sizes.kv_lora}, f32, memory::dims{sizes.kv_lora, 1}) {}

  std::string library() const override {
    const dnnl::version_t* v = dnnl::version();
    return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." +
           std::to_string(v->patch);
  }
  logit_order order() const override { return logit_order::heads_by_rows; }
  void multiply_query(const float* query, const float* rows, float* logits) override {
    run(first_, {query_, query}, {rows_by_query_, rows}, {logits_, logits});
  }
  void multiply_weights(const float* weights, const float* rows, float* out) override {
    run(second_, {logits_, weights}, {rows_, rows}, {out_, out});
  }

 private:
  struct operand {
    const memory::desc& form;
    const float* data;
  };
  static constexpr auto f32 = memory::data_type::f32;

  void run(matmul& product, operand a, operand b, operand c) {
    const auto bound = [this](operand o) { return memory(o.form, engine_, const_cast<float*>(o.data)); };
    product.execute(stream_,
                    {{DNNL_ARG_SRC, bound(a)}, {DNNL_ARG_WEIGHTS, bound(b)}, {DNNL_ARG_DST, bound(c)}});
    stream_.wait();
  }
  matmul make(const memory::desc& a, const memory::desc& b, const memory::desc& c) {
    return matmul(matmul::primitive_desc(matmul::desc(a, b, c), engine_));
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  memory::desc query_, rows_by_query_, logits_, rows_, out_;
  matmul first_ = make(query_, rows_by_query_, logits_);
  matmul second_ = make(logits_, rows_, out_);
};

}  // namespace

std::unique_ptr<two_products> products_of_onednn(attention_sizes sizes) {
  return std::make_unique<onednn_products>(sizes);
}
#else
std::unique_ptr<two_products> products_of_onednn(attention_sizes) { return nullptr; }
#endif

#if ESSBENCH_OPENBLAS
namespace {

class openblas_products final : public two_products {
 public:
  explicit openblas_products(attention_sizes sizes) : s_(sizes) { openblas_set_num_threads(1); }

  std::string library() const override { return std::string("OpenBLAS ") + openblas_get_corename(); }
  logit_order order() const override { return logit_order::heads_by_rows; }
  void multiply_query(const float* query, const float* rows, float* logits) override {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, s_.heads, s_.rows, s_.width(), 1, query, s_.width(),
                rows, s_.width(), 0, logits, s_.rows);
  }
  void multiply_weights(const float* weights, const float* rows, float* out) override {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s_.heads, s_.kv_lora, s_.rows, 1, weights, s_.rows,
                rows, s_.width(), 0, out, s_.kv_lora);
  }

 private:
  attention_sizes s_;
};

}  // namespace

std::unique_ptr<two_products> products_of_openblas(attention_sizes sizes) {
  return std::make_unique<openblas_products>(sizes);
}
#else
std::unique_ptr<two_products> products_of_openblas(attention_sizes) { return nullptr; }
#endif

}  // namespace ess::cpu::bench
