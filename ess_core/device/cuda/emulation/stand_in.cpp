// cudacpu.cpp: the fiber scheduler, warp and block rendezvous, and a stand-in for the CUDA runtime library.
// Compile this file WITHOUT -fsanitize=... (its bookkeeping must stay invisible to the sanitizers); it finds at link time
// whether AddressSanitizer or ThreadSanitizer is present and tells it about fibers and about CUDA's happens-before edges.
#include "ess_core/device/cuda/emulation/kernel_side.h"
#include <dlfcn.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdarg>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <vector>
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim

extern "C" {
void* __tsan_create_fiber(unsigned) __attribute__((weak));
void __tsan_destroy_fiber(void*) __attribute__((weak));
void __tsan_switch_to_fiber(void*, unsigned) __attribute__((weak));
void* __tsan_get_current_fiber() __attribute__((weak));
void __tsan_acquire(void*) __attribute__((weak));
void __tsan_release(void*) __attribute__((weak));
void __sanitizer_start_switch_fiber(void**, const void*, size_t) __attribute__((weak));
void __sanitizer_finish_switch_fiber(void*, const void**, size_t*) __attribute__((weak));
void __asan_poison_memory_region(const volatile void*, size_t) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void*, size_t) __attribute__((weak));
// With -tsan-distinguish-volatile the compiler calls these before a volatile access. CUDA's volatile is a relaxed access.
char __tsan_atomic8_load(const volatile char*, int) __attribute__((weak));
short __tsan_atomic16_load(const volatile short*, int) __attribute__((weak));
int __tsan_atomic32_load(const volatile int*, int) __attribute__((weak));
long __tsan_atomic64_load(const volatile long*, int) __attribute__((weak));
char __tsan_atomic8_fetch_add(volatile char*, char, int) __attribute__((weak));
short __tsan_atomic16_fetch_add(volatile short*, short, int) __attribute__((weak));
int __tsan_atomic32_fetch_add(volatile int*, int, int) __attribute__((weak));
long __tsan_atomic64_fetch_add(volatile long*, long, int) __attribute__((weak));
}

#if defined(__x86_64__) && !defined(CUDACPU_UCONTEXT)
extern "C" void cudacpu_switch(void** save_sp, void* load_sp);
asm(R"(
.text
.p2align 4
.globl cudacpu_switch
.type cudacpu_switch,@function
cudacpu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cudacpu_switch,.-cudacpu_switch
)");
#else
#include <ucontext.h>
#define CUDACPU_UCONTEXT 1
#endif

namespace cudacpu {
__thread Thread* cur_ = nullptr;
namespace {
enum class St : uint8_t { Ready, Warp, Barrier, Exited };
inline bool tsan() { return __tsan_create_fiber != nullptr; }
inline bool asan() { return __asan_poison_memory_region != nullptr; }
inline void rel(void* p) { if (tsan()) __tsan_release(p); }
inline void acq(void* p) { if (tsan()) __tsan_acquire(p); }

struct WarpOp { uint32_t mask, arrived, left; Op kind; bool done; const char* file; int line; uint64_t val[32][8]; };
struct Copy { void* dst; const void* src; unsigned n; int group; };
struct Fiber : Thread {
  void* sp = nullptr;
#ifdef CUDACPU_UCONTEXT
  ucontext_t uc;
#endif
  Block* blk = nullptr;
  Warp* warp = nullptr;
  uint16_t idx = 0;
  St st = St::Ready;
  int spin = 0, cp_group = 0;
  const char* file = nullptr;
  int line = 0;
  uint32_t wait_mask = 0;
  void* tsan_fiber = nullptr;
  void* fake = nullptr;
  const void* stk = nullptr;
  size_t stk_n = 0;
  bool fenced = false;            // a fence since the last atomic: the next atomic store publishes
  const volatile void* seen[8];   // atomics read since the last fence: a fence acquires from them
  int nseen = 0;
  Copy* copies = nullptr;   // a page
  int ncopies = 0;
};
}  // namespace

struct Warp { uint32_t alive; uint64_t free_ops; WarpOp* ops; alignas(8) char sync[2][8]; uint32_t syncgen; };
struct Barrier { int arrived, expect, npred; int result[2]; unsigned gen; const char* file; int line; int kind; char sync[2][8]; };

namespace {
struct Grid {
  void (*entry)(void*); void* ctx; dim3 g, b; size_t smem; bool coop;
  std::atomic<uint64_t> next{0}; std::atomic<bool> failed{false}; std::string report; std::atomic_flag rl = ATOMIC_FLAG_INIT; char end_sync[8];
};
alignas(1024) thread_local unsigned char dyn_buf[256 * 1024];
}  // namespace

struct Block {
  Grid* grid; uint3 bid; int n = 0, nwarp = 0, alive = 0; bool failed = false;
  std::vector<Fiber> f; std::vector<Warp> w; std::vector<WarpOp> ops; Barrier bar[16];
  std::vector<uint16_t> ring; uint32_t head = 0, tail = 0, cap = 0;
  Fiber main; uint64_t rng = 1; int budget = 0;
  unsigned char* slab = nullptr; size_t slab_n = 0, stack = 0;
  bool random = false; int preempt = 0; uint64_t nswitch = 0;
  Block* next = nullptr;
};
namespace {
std::atomic<uint64_t> g_switches{0};
std::string g_report;
Config make_config() {
  Config c; auto num = [](const char* n, long d) { const char* s = getenv(n); return s ? atol(s) : d; };
  c.workers = (int)num("CUDACPU_WORKERS", 1);
  if (getenv("CUDACPU_SEED")) { c.random = true; c.seed = (uint64_t)num("CUDACPU_SEED", 1); }
  c.preempt = (int)num("CUDACPU_PREEMPT", 0); c.stack = (size_t)num("CUDACPU_STACK", 0); c.lazy_streams = num("CUDACPU_LAZY", 0);
  return c;
}
inline Fiber* me() { return static_cast<Fiber*>(cur_); }
inline uint64_t rnd(uint64_t& s) { s ^= s << 13; s ^= s >> 7; s ^= s << 17; return s; }

void push(Block& b, Fiber* x) { x->st = St::Ready; b.ring[b.tail++ & (b.cap - 1)] = x->idx; }
Fiber* pop(Block& b) {
  if (b.head == b.tail) return nullptr;
  if (b.random) {   // swap a random one to the front
    uint32_t k = b.head + (uint32_t)(rnd(b.rng) % (b.tail - b.head));
    std::swap(b.ring[k & (b.cap - 1)], b.ring[b.head & (b.cap - 1)]);
  }
  return &b.f[b.ring[b.head++ & (b.cap - 1)]];
}
void after_switch(Fiber* self) {
  if (__sanitizer_finish_switch_fiber && asan()) __sanitizer_finish_switch_fiber(self->fake, nullptr, nullptr);
  self->spin = 0;
}
void go(Fiber* from, Fiber* to, bool dying = false) {
  Block& b = *to->blk; ++b.nswitch;
  cur_ = to;
  if (__sanitizer_start_switch_fiber && asan()) __sanitizer_start_switch_fiber(dying ? nullptr : &from->fake, to->stk, to->stk_n);
  if (tsan()) __tsan_switch_to_fiber(to->tsan_fiber, 1);
#ifdef CUDACPU_UCONTEXT
  swapcontext(&from->uc, &to->uc);
#else
  cudacpu_switch(&from->sp, to->sp);
#endif
  after_switch(from);
}
void suspend(Fiber* x) { Fiber* nx = pop(*x->blk); if (nx == x) { x->spin = 0; return; } go(x, nx ? nx : &x->blk->main); }

const char* what(Op k) { static const char* n[] = {"__shfl_sync", "__ballot_sync", "__any_sync", "__all_sync", "__syncwarp", "__match_any_sync", "__match_all_sync", "__reduce_add_sync", "__reduce_min_sync", "__reduce_max_sync", "__reduce_and_sync", "__reduce_or_sync", "__reduce_xor_sync", "exchange"}; return n[(int)k]; }
std::string fmt(const char* f, ...) { char t[1024]; va_list a; va_start(a, f); vsnprintf(t, sizeof t, f, a); va_end(a); return t; }
void record_failure(Grid& g, const std::string& s) {
  while (g.rl.test_and_set()) sched_yield();
  if (!g.failed.exchange(true)) { g.report = s; fprintf(stderr, "cudacpu: kernel failed: %s\n", s.c_str()); }
  g.rl.clear(); rel(g.end_sync);
}
[[noreturn]] void fail(Fiber* x, const std::string& s) {
  Block& b = *x->blk; b.failed = true;
  record_failure(*b.grid, fmt("block (%u,%u,%u) thread (%u,%u,%u): ", b.bid.x, b.bid.y, b.bid.z, x->tid.x, x->tid.y, x->tid.z) + s);
  b.head = b.tail = 0;
  go(x, &b.main);
  abort();
}
void complete_op(Block& b, Warp& w, WarpOp& o, Fiber* self) {
  o.done = true;
  for (uint32_t m = o.arrived; m; m &= m - 1) { Fiber* x = &b.f[(&w - b.w.data()) * 32 + __builtin_ctz(m)]; if (x != self) push(b, x); }
}
WarpOp* arrive(Op kind, uint32_t mask, const void* v, unsigned n, const char* file, int line) {
  Fiber* x = me();
  if (!x) { fprintf(stderr, "cudacpu: %s outside a kernel\n", what(kind)); abort(); }
  Block& b = *x->blk; Warp& w = *x->warp; uint32_t bit = 1u << x->lane;
  if (!(mask & bit)) fail(x, fmt("%s at %s:%d: mask %08x does not name the calling lane %u", what(kind), file, line, mask, x->lane));
  WarpOp* o = nullptr;
  for (uint64_t u = ~w.free_ops & ((1ull << 34) - 1); u; u &= u - 1) { WarpOp& c = w.ops[__builtin_ctzll(u)]; if (!c.done && c.mask == mask) { o = &c; break; } }
  if (!o) {
    int i = __builtin_ctzll(w.free_ops); w.free_ops &= w.free_ops - 1; o = &w.ops[i];
    o->mask = mask; o->arrived = o->left = 0; o->done = false; o->kind = kind; o->file = file; o->line = line;
  } else if (o->kind != kind) fail(x, fmt("%s at %s:%d meets %s at %s:%d of another lane of the same warp (mask %08x)", what(kind), file, line, what(o->kind), o->file, o->line, mask));
  uint64_t* d = o->val[x->lane]; const unsigned char* s = (const unsigned char*)v;
  if (n == 8) d[0] = *(const uint64_t*)v;
  else for (unsigned i = 0; i < (n + 7) / 8; ++i) { uint64_t t = 0; for (unsigned j = 0; j < 8 && i * 8 + j < n; ++j) t |= (uint64_t)s[i * 8 + j] << (8 * j); d[i] = t; }
  o->arrived |= bit;
  if (kind == Op::Syncwarp) rel(w.sync[0]);
  if ((mask & w.alive & ~o->arrived) == 0) complete_op(b, w, *o, x);
  else { x->st = St::Warp; x->file = file; x->line = line; x->wait_mask = mask; suspend(x); }
  if (kind == Op::Syncwarp) acq(w.sync[0]);
  return o;
}
void leave(WarpOp* o) { Fiber* x = me(); o->left |= 1u << x->lane; if (o->left == o->arrived) x->warp->free_ops |= 1ull << (o - x->warp->ops); }

void open_barrier(Block& b, Barrier& r, Fiber* self) {
  unsigned g = r.gen & 1;
  r.result[g] = r.kind == 1 ? r.npred : r.kind == 2 ? r.npred == r.arrived : r.npred > 0;
  ++r.gen; r.arrived = r.npred = 0; int id = (int)(&r - b.bar);
  for (int i = 0; i < b.n; ++i) { Fiber& x = b.f[i]; if (&x != self && x.st == St::Barrier && x.wait_mask == (uint32_t)id) push(b, &x); }
}
void thread_exit(Fiber* x) {
  Block& b = *x->blk; Warp& w = *x->warp;
  x->st = St::Exited; --b.alive; w.alive &= ~(1u << x->lane);
  for (uint64_t u = ~w.free_ops & ((1ull << 34) - 1); u; u &= u - 1) { WarpOp& o = w.ops[__builtin_ctzll(u)]; if (!o.done && (o.mask & w.alive & ~o.arrived) == 0) complete_op(b, w, o, nullptr); }
  for (auto& r : b.bar) if (r.arrived && r.expect == 0 && r.arrived == b.alive) open_barrier(b, r, nullptr);
  rel(b.grid->end_sync);
}
void fiber_main() {
  Fiber* x = me(); after_switch(x);
  try { x->blk->grid->entry(x->blk->grid->ctx); } catch (...) { fail(me(), "a C++ exception left the kernel"); }
  x = me();
  thread_exit(x);
  Fiber* nx = pop(*x->blk); go(x, nx ? nx : &x->blk->main, true);
  abort();
}
void prepare(Block& b, Fiber& x, unsigned char* lo) {
  x.stk = lo; x.stk_n = b.stack;
#ifdef CUDACPU_UCONTEXT
  getcontext(&x.uc); x.uc.uc_stack.ss_sp = lo; x.uc.uc_stack.ss_size = b.stack; x.uc.uc_link = nullptr; makecontext(&x.uc, fiber_main, 0);
#else
  void** top = reinterpret_cast<void**>(lo + b.stack);
  top[-1] = nullptr; top[-2] = reinterpret_cast<void*>(fiber_main);
  for (int i = 3; i <= 8; ++i) top[-i] = nullptr;
  x.sp = top - 8;
#endif
}
void setup(Block& b, Grid& g) {
  int n = (int)(g.b.x * g.b.y * g.b.z); const Config& c = config();
  size_t stack = c.stack ? c.stack : (asan() || tsan()) ? 256 * 1024 : 64 * 1024;
  b.grid = &g; b.random = c.random; b.preempt = c.preempt;
  // Under ThreadSanitizer the stacks are mapped afresh for each block (which clears their shadow), and a Block is never freed:
  // kernels only read it, so reusing it for another block is no race in the tool's eyes, while freeing it would be.
  if (b.n != n || b.stack != stack || tsan()) {
    if (b.slab) munmap(b.slab, b.slab_n);
    if (b.n != n) { b.f.resize(n); b.w.resize((n + 31) / 32); b.ops.resize((size_t)(n + 31) / 32 * 34); b.cap = 1; while (b.cap < (uint32_t)n + 1) b.cap *= 2; b.ring.resize(b.cap); }
    b.n = n; b.nwarp = (n + 31) / 32; b.stack = stack; b.slab_n = (size_t)n * stack;
    b.slab = (unsigned char*)mmap(nullptr, b.slab_n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (b.slab == MAP_FAILED) { perror("cudacpu: stacks"); abort(); }
    if (!tsan()) for (int i = 0; i < n; ++i) mprotect(b.slab + i * stack, 4096, PROT_NONE);   // guard pages
  }
}
void run_block(Block& b, uint64_t index) {
  Grid& g = *b.grid;
  b.bid = {(unsigned)(index % g.g.x), (unsigned)(index / g.g.x % g.g.y), (unsigned)(index / g.g.x / g.g.y)};
  b.head = b.tail = 0; b.alive = b.n; b.failed = false; b.rng = (config().seed * 0x9E3779B97F4A7C15ull + index * 0xBF58476D1CE4E5B9ull) | 1; b.budget = 1;
  memset(b.bar, 0, sizeof b.bar);
  for (int i = 0; i < b.nwarp; ++i) { Warp& w = b.w[i]; int k = std::min(32, b.n - i * 32); w.alive = k == 32 ? ~0u : (1u << k) - 1; w.free_ops = (1ull << 34) - 1; w.ops = &b.ops[(size_t)i * 34]; }
  if (g.smem && config().fill) memset(dyn_buf, 0xff, g.smem);
  if (asan()) { __asan_unpoison_memory_region(dyn_buf, g.smem); __asan_poison_memory_region(dyn_buf + ((g.smem + 7) & ~size_t(7)), sizeof dyn_buf - ((g.smem + 7) & ~size_t(7))); }
  Fiber& m = b.main; m.blk = &b; Thread* outer = cur_;
  if (tsan()) m.tsan_fiber = __tsan_get_current_fiber();
  if (asan()) { pthread_attr_t a; void* lo; size_t n; pthread_getattr_np(pthread_self(), &a); pthread_attr_getstack(&a, &lo, &n); pthread_attr_destroy(&a); m.stk = lo; m.stk_n = n; }
  for (int i = 0; i < b.n; ++i) {
    Fiber& x = b.f[i]; x.idx = (uint16_t)i; x.blk = &b; x.warp = &b.w[i / 32]; x.lane = i % 32;
    x.tid = {(unsigned)i % g.b.x, (unsigned)i / g.b.x % g.b.y, (unsigned)i / g.b.x / g.b.y};
    x.bid = &b.bid; x.bdim = &g.b; x.gdim = &g.g; x.fake = nullptr; x.fenced = false; x.nseen = 0; x.cp_group = 0; x.ncopies = 0;
    if (asan()) __asan_unpoison_memory_region(b.slab + i * b.stack + 4096, b.stack - 4096);
    prepare(b, x, b.slab + i * b.stack);
    if (tsan()) x.tsan_fiber = __tsan_create_fiber(0);
    push(b, &x);
  }
  while (Fiber* x = pop(b)) go(&m, x);
  cur_ = outer;
  if (b.alive && !b.failed) {   // nothing can run: say who waits where
    std::map<std::string, std::string> by;
    for (auto& x : b.f) if (x.st == St::Warp || x.st == St::Barrier) { auto& s = by[fmt("%s at %s:%d", x.st == St::Barrier ? "block barrier" : fmt("warp op, mask %08x", x.wait_mask).c_str(), x.file, x.line)]; if (s.size() < 60) s += fmt(" %d", x.idx); else if (s.back() != '.') s += " ..."; }
    std::string r = fmt("block (%u,%u,%u): deadlock, %d of %d threads left:", b.bid.x, b.bid.y, b.bid.z, b.alive, b.n);
    for (auto& p : by) r += "\n    " + p.first + ": threads" + p.second;
    record_failure(g, r);
  }
  if (tsan()) for (auto& x : b.f) if (x.tsan_fiber) { __tsan_destroy_fiber(x.tsan_fiber); x.tsan_fiber = nullptr; }
  if (asan()) __asan_unpoison_memory_region(dyn_buf, sizeof dyn_buf);
  g_switches += b.nswitch; b.nswitch = 0;
}
struct Pool {   // an intrusive list: no allocation that a sanitizer could see
  Block* free = nullptr; std::atomic_flag l = ATOMIC_FLAG_INIT;
  Block* get(int n) {
    while (l.test_and_set()) sched_yield();
    Block* r = nullptr;
    for (Block** p = &free; *p; p = &(*p)->next) if ((*p)->n == n) { r = *p; *p = r->next; break; }
    l.clear(); return r ? r : new Block;
  }
  void put(Block* b) { while (l.test_and_set()) sched_yield(); b->next = free; free = b; l.clear(); }
};
Pool& g_pool = *new Pool;   // never destroyed: see setup()
}  // namespace

Config& config() { static Config c = make_config(); return c; }
const std::string& last_report() { return g_report; }
uint64_t switches() { return g_switches; }
void* dyn_smem() { return dyn_buf; }
size_t dyn_smem_size() { return me()->blk->grid->smem; }
uint32_t active_mask() { return me()->warp->alive; }
void trap(const char* why, const char* file, int line) { fail(me(), fmt("%s at %s:%d", why, file, line)); }
void yield() {
  Fiber* x = me(); if (!x) { sched_yield(); return; }
  Block& b = *x->blk; if (b.head == b.tail) { x->spin = 0; if (config().workers > 1 || b.grid->coop) sched_yield(); return; }
  push(b, x); suspend(x);
}
void point() {
  Fiber* x = me(); if (!x) return;
  Block& b = *x->blk;
  if (b.preempt) { if (--b.budget <= 0) { b.budget = 1 + (int)(rnd(b.rng) % (2 * b.preempt)); yield(); } }
  else if (++x->spin >= 64) yield();   // lets a spin lock make progress
}
// CUDA's rule, as in C++: a fence followed by an atomic store releases; an atomic load followed by a fence acquires.
void note_atomic(const volatile void* p, bool load, bool store) {
  if (!tsan()) return;
  Fiber* x = me(); if (!x) return;
  if (store && x->fenced) __tsan_release(const_cast<void*>(p));
  if (load) x->seen[x->nseen++ & 7] = p;
}
void fence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  Fiber* x = me(); if (!x || !tsan()) return;
  for (int i = 0; i < std::min(x->nseen, 8); ++i) __tsan_acquire(const_cast<void*>(x->seen[i]));
  x->fenced = true;
}
uint64_t warp_shfl(uint32_t mask, uint64_t v, int src, const char* file, int line) {
  WarpOp* o = arrive(Op::Shfl, mask, &v, 8, file, line); Fiber* x = me();
  uint64_t r;
  if ((o->arrived >> (src & 31)) & 1u) r = o->val[src & 31][0];
  else if (config().strict_shfl) fail(x, fmt("__shfl_sync at %s:%d: lane %u reads lane %d, which takes no part (arrived %08x)", file, line, x->lane, src, o->arrived));
  else r = 0xa5a5a5a5a5a5a5a5ull;
  leave(o); return r;
}
uint64_t warp_vote(Op op, uint32_t mask, uint64_t v, int* pred, const char* file, int line) {
  WarpOp* o = arrive(op, mask, &v, 8, file, line); uint32_t a = o->arrived; uint64_t r = 0; bool first = true;
  auto each = [&](auto f) { for (uint32_t m = a; m; m &= m - 1) f(__builtin_ctz(m), o->val[__builtin_ctz(m)][0]); };
  switch (op) {
    case Op::Ballot: each([&](int l, uint64_t y) { r |= (uint64_t)(y != 0) << l; }); break;
    case Op::Any: each([&](int, uint64_t y) { r |= y != 0; }); break;
    case Op::All: r = 1; each([&](int, uint64_t y) { r &= y != 0; }); break;
    case Op::MatchAny: each([&](int l, uint64_t y) { r |= (uint64_t)(y == v) << l; }); break;
    case Op::MatchAll: r = a; each([&](int, uint64_t y) { if (y != v) r = 0; }); if (pred) *pred = r != 0; break;
    case Op::RedAdd: each([&](int, uint64_t y) { r += y; }); break;
    case Op::RedMin: each([&](int, uint64_t y) { if (first || (int64_t)y < (int64_t)r) r = y; first = false; }); break;
    case Op::RedMax: each([&](int, uint64_t y) { if (first || (int64_t)y > (int64_t)r) r = y; first = false; }); break;
    case Op::RedAnd: r = ~0ull; each([&](int, uint64_t y) { r &= y; }); break;
    case Op::RedOr: each([&](int, uint64_t y) { r |= y; }); break;
    case Op::RedXor: each([&](int, uint64_t y) { r ^= y; }); break;
    default: break;
  }
  leave(o); return r;
}
void warp_exchange(uint32_t mask, const void* in, unsigned n, void* out, const char* file, int line) {
  WarpOp* o = arrive(Op::Exchange, mask, in, n, file, line);
  auto* d = (unsigned char*)out;
  for (int l = 0; l < 32; ++l) if ((o->arrived >> l) & 1u) memcpy(d + l * n, o->val[l], n); else memset(d + l * n, 0xff, n);
  leave(o);
}
int block_sync(int id, int count, int pred, int kind, const char* file, int line) {
  Fiber* x = me(); if (!x) { fprintf(stderr, "cudacpu: __syncthreads outside a kernel\n"); abort(); }
  Block& b = *x->blk; Barrier& r = b.bar[id];
  if (r.arrived == 0) { r.file = file; r.line = line; r.kind = kind; r.expect = count; }
  else if (r.line != line || strcmp(r.file, file)) fail(x, fmt("divergent barrier: this thread is at %s:%d, others of the block wait at %s:%d", file, line, r.file, r.line));
  unsigned g = r.gen & 1; ++r.arrived; r.npred += pred != 0;
  rel(r.sync[g]);
  if (r.arrived == (count ? count : b.alive)) open_barrier(b, r, x);
  else { x->st = St::Barrier; x->file = file; x->line = line; x->wait_mask = (uint32_t)id; suspend(x); }
  acq(r.sync[g]);
  return r.result[g];
}
void cp_async(void* dst, const void* src, unsigned n) {
  Fiber* x = me(); const int cap = (int)(16384 / sizeof(Copy));
  if (!x->copies) x->copies = (Copy*)mmap(nullptr, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (x->ncopies == cap) fail(x, "too many outstanding asynchronous copies");
  x->copies[x->ncopies++] = {dst, src, n, x->cp_group};
}
void cp_async_commit() { ++me()->cp_group; }
void cp_async_wait(int n) {
  Fiber* x = me(); int k = 0;
  for (int i = 0; i < x->ncopies; ++i) { Copy c = x->copies[i]; if (c.group < x->cp_group - n) memcpy(c.dst, c.src, c.n); else x->copies[k++] = c; }
  x->ncopies = k;
}

// ------------------------------------------------------------------------------------------------ launching
static std::map<const void*, int>& smem_limits() { static std::map<const void*, int> m; return m; }
static thread_local cudaError_t t_err = cudaSuccess;
static cudaError_t g_sticky = cudaSuccess;
static cudaError_t ret(cudaError_t e) { if (e) t_err = e; return e; }
cudaError_t check_launch(const void* key, dim3 g, dim3 b, size_t smem) {
  if (g_sticky) return ret(g_sticky);
  uint64_t n = (uint64_t)b.x * b.y * b.z;
  if (!n || n > 1024 || b.z > 64 || !g.x || !g.y || !g.z || g.x > 0x7fffffffu || g.y > 65535 || g.z > 65535) return ret(cudaErrorInvalidConfiguration);
  auto it = smem_limits().find(key); size_t lim = it == smem_limits().end() ? config().smem_default : std::max((size_t)it->second, config().smem_default);
  return smem > lim ? ret(cudaErrorInvalidValue) : cudaSuccess;
}
cudaError_t run_grid(void (*entry)(void*), void* ctx, const void*, dim3 g, dim3 b, size_t smem, bool coop) {
  Grid gr; gr.entry = entry; gr.ctx = ctx; gr.g = g; gr.b = b; gr.smem = smem; gr.coop = coop;
  uint64_t total = (uint64_t)g.x * g.y * g.z; const Config& c = config();
  auto one = [&](uint64_t i) { auto blk = g_pool.get((int)(b.x * b.y * b.z)); setup(*blk, gr); run_block(*blk, i); g_pool.put(blk); };
  auto loop = [&] { auto blk = g_pool.get((int)(b.x * b.y * b.z)); setup(*blk, gr); for (uint64_t i; !gr.failed && (i = gr.next++) < total;) run_block(*blk, i); g_pool.put(blk); };
  if (tsan() || coop) {   // a fresh OS thread a block: fresh __shared__ variables, and blocks unordered among themselves
    std::vector<std::thread> t;
    for (uint64_t i = 0; i < total && !gr.failed; ++i) { t.emplace_back(one, i); if (!coop && t.size() >= (size_t)c.workers) { for (auto& x : t) x.join(); t.clear(); } }
    for (auto& x : t) x.join();
  } else {
    std::vector<std::thread> t; int nw = (int)std::min<uint64_t>(c.workers, total);
    for (int i = 1; i < nw; ++i) t.emplace_back(loop);
    loop(); for (auto& x : t) x.join();
  }
  acq(gr.end_sync);
  if (gr.failed) { g_report = gr.report; g_sticky = cudaErrorLaunchFailure; return cudaErrorLaunchFailure; }
  return cudaSuccess;
}

// ------------------------------------------------------------------------------------------------ streams and memory
namespace {
struct Stream; struct Capture { std::vector<std::function<void()>> ops; };
struct Event { Stream* s = nullptr; uint64_t seq = 0; double t = 0; std::shared_ptr<Capture> captured; };
struct Item { std::function<void()> work; std::vector<std::pair<Stream*, uint64_t>> waits; };
struct Stream { std::shared_ptr<Capture> capture; std::deque<Item> q; uint64_t enq = 0, done = 0; bool blocking = true, busy = false; };
double now() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
struct Rt { Stream null; std::vector<Stream*> all; std::atomic<std::thread::id> owner{}; int depth = 0; std::atomic_flag l = ATOMIC_FLAG_INIT; };
Rt& rt() { static Rt* r = new Rt; return *r; }
struct Lock { Lock() { Rt& r = rt(); if (r.owner.load() == std::this_thread::get_id()) { ++r.depth; return; } while (r.l.test_and_set()) sched_yield(); r.owner = std::this_thread::get_id(); r.depth = 1; acq(&r.l); }
  ~Lock() { Rt& r = rt(); if (--r.depth == 0) { rel(&r.l); r.owner = std::thread::id(); r.l.clear(); } } };
Stream* S(cudaStream_t s) { return s == nullptr ? &rt().null : reinterpret_cast<Stream*>(s); }
void drain(Stream* s, uint64_t upto) {
  while (s->done < upto && !s->busy && !s->q.empty()) {
    s->busy = true; Item it = std::move(s->q.front()); s->q.pop_front();
    for (auto& w : it.waits) drain(w.first, w.second);
    if (it.work && !g_sticky) it.work();
    ++s->done; s->busy = false;
  }
}
void put(Stream* s, std::function<void()> f, Stream* ws = nullptr, uint64_t wseq = 0) {
  if (s->capture) { if (f) s->capture->ops.push_back(std::move(f)); return; }
  Item it; it.work = std::move(f); if (ws) it.waits.push_back({ws, wseq});
  if (s == &rt().null) { for (auto* o : rt().all) if (o->blocking && o->done < o->enq) it.waits.push_back({o, o->enq}); }
  else if (s->blocking && rt().null.done < rt().null.enq) it.waits.push_back({&rt().null, rt().null.enq});
  s->q.push_back(std::move(it)); ++s->enq;
  if (!config().lazy_streams) drain(s, s->enq);
}
void drain_all() { drain(&rt().null, rt().null.enq); for (auto* s : rt().all) drain(s, s->enq); }
struct Alloc { size_t n; bool dev; };
std::map<uintptr_t, Alloc>& allocs() { static auto* m = new std::map<uintptr_t, Alloc>; return *m; }
cudaError_t new_mem(void** p, size_t n, bool dev) {
  if (!p) return ret(cudaErrorInvalidValue);
  void* q = nullptr; if (n && posix_memalign(&q, 256, n)) return ret(cudaErrorMemoryAllocation);
  if (n && config().fill) memset(q, 0xff, n);
  *p = q; if (n) allocs()[(uintptr_t)q] = {n, dev}; return cudaSuccess;
}
cudaError_t free_mem(void* p, bool dev) { if (!p) return cudaSuccess; auto it = allocs().find((uintptr_t)p); if (it == allocs().end() || it->second.dev != dev) return ret(cudaErrorInvalidValue); allocs().erase(it); free(p); return cudaSuccess; }
const Alloc* find_mem(const void* p) { auto it = allocs().upper_bound((uintptr_t)p); if (it == allocs().begin()) return nullptr; --it; return (uintptr_t)p < it->first + it->second.n ? &it->second : nullptr; }
bool range_ok(const void* p, size_t n) { auto it = allocs().upper_bound((uintptr_t)p); if (it == allocs().begin()) return true; --it; uintptr_t e = it->first + it->second.n; return (uintptr_t)p >= e || (uintptr_t)p + n <= e; }
bool dir_ok(void* d, const void* s, cudaMemcpyKind k) {
  const Alloc *a = find_mem(d), *b = find_mem(s); bool dd = a && a->dev, sd = b && b->dev;
  switch (k) { case cudaMemcpyHostToDevice: return dd && !sd; case cudaMemcpyDeviceToHost: return !dd && sd; case cudaMemcpyDeviceToDevice: return dd && sd; case cudaMemcpyHostToHost: return !dd && !sd; default: return true; }
}
void copy2d(void* d, size_t dp, const void* s, size_t sp, size_t w, size_t h) { for (size_t i = 0; i < h; ++i) memcpy((char*)d + i * dp, (const char*)s + i * sp, w); }
}  // namespace
cudaError_t enqueue(cudaStream_t s, std::function<void()> f) { Lock l; put(S(s), std::move(f)); return cudaSuccess; }
}  // namespace cudacpu

namespace ess::emulation {
using namespace cudacpu;
cudaError_t cudaMalloc(void** p, size_t n) { Lock l; return new_mem(p, n, true); }
cudaError_t cudaHostAlloc(void** p, size_t n, unsigned) { Lock l; return new_mem(p, n, false); }
cudaError_t cudaFree(void* p) { Lock l; drain_all(); auto* a = find_mem(p); return free_mem(p, !a || a->dev); }
cudaError_t cudaFreeHost(void* p) { Lock l; drain_all(); return free_mem(p, false); }
cudaError_t cudaHostRegister(void*, size_t, unsigned) { return cudaSuccess; }
cudaError_t cudaHostUnregister(void*) { return cudaSuccess; }
cudaError_t cudaHostGetDevicePointer(void** d, void* h, unsigned) { *d = h; return cudaSuccess; }
cudaError_t cudaMemcpyAsync(void* d, const void* s, size_t n, cudaMemcpyKind k, cudaStream_t st) {
  Lock l; if (!dir_ok(d, s, k)) return ret(cudaErrorInvalidMemcpyDirection); if (!range_ok(d, n) || !range_ok(s, n)) return ret(cudaErrorInvalidValue);
  put(S(st), [=] { memmove(d, s, n); }); return cudaSuccess; }
cudaError_t cudaMemcpy(void* d, const void* s, size_t n, cudaMemcpyKind k) { Lock l; cudaError_t e = cudaMemcpyAsync(d, s, n, k, nullptr); if (e) return e; drain(&rt().null, rt().null.enq); return g_sticky; }
cudaError_t cudaMemsetAsync(void* d, int v, size_t n, cudaStream_t st) { Lock l; if (!range_ok(d, n)) return ret(cudaErrorInvalidValue); put(S(st), [=] { memset(d, v, n); }); return cudaSuccess; }
cudaError_t cudaMemset(void* d, int v, size_t n) { return cudaMemsetAsync(d, v, n, nullptr); }
cudaError_t cudaMemGetInfo(size_t* f, size_t* t) { *t = 8ull << 30; size_t u = 0; Lock l; for (auto& a : allocs()) if (a.second.dev) u += a.second.n; *f = *t - std::min(*t, u); return cudaSuccess; }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* s, unsigned fl, int) { Lock l; auto* x = new Stream; x->blocking = !(fl & cudaStreamNonBlocking); rt().all.push_back(x); *s = reinterpret_cast<cudaStream_t>(x); return cudaSuccess; }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned fl) { return cudaStreamCreateWithPriority(s, fl, 0); }
cudaError_t cudaStreamDestroy(cudaStream_t s) { Lock l; auto* x = S(s); drain(x, x->enq); auto& a = rt().all; a.erase(std::remove(a.begin(), a.end(), x), a.end()); delete x; return cudaSuccess; }
cudaError_t cudaStreamSynchronize(cudaStream_t s) { Lock l; drain(S(s), S(s)->enq); return ret(g_sticky); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) { *e = reinterpret_cast<cudaEvent_t>(new Event); return cudaSuccess; }
cudaError_t cudaEventDestroy(cudaEvent_t e) { Lock l; auto* x = (Event*)e; if (x->s) drain(x->s, x->seq); delete x; return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t e) { Lock l; auto* x = (Event*)e; if (x->s) drain(x->s, x->seq); return ret(g_sticky); }
cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t a, cudaEvent_t b) { *ms = (float)(((Event*)b)->t - ((Event*)a)->t); return cudaSuccess; }
cudaError_t cudaLaunchHostFunc(cudaStream_t s, cudaHostFn_t f, void* u) { Lock l; put(S(s), [=] { f(u); }); return cudaSuccess; }
cudaError_t cudaDeviceSynchronize() { Lock l; drain_all(); return ret(g_sticky); }
cudaError_t cudaGetLastError() { cudaError_t e = g_sticky ? g_sticky : t_err; t_err = cudaSuccess; return e; }
const char* cudaGetErrorName(cudaError_t e) { return e == cudaSuccess ? "cudaSuccess" : e == cudaErrorLaunchFailure ? "cudaErrorLaunchFailure" : e == cudaErrorInvalidValue ? "cudaErrorInvalidValue" : e == cudaErrorInvalidConfiguration ? "cudaErrorInvalidConfiguration" : "cudaError"; }
const char* cudaGetErrorString(cudaError_t e) { return cudaGetErrorName(e); }
cudaError_t cudaGetDeviceCount(int* n) { *n = 1; return cudaSuccess; }
cudaError_t cudaGetDevice(int* d) { *d = 0; return cudaSuccess; }
cudaError_t cudaSetDevice(int d) { return d ? ret(cudaErrorInvalidDevice) : cudaSuccess; }
cudaError_t cudaFuncSetAttribute(const void* f, cudaFuncAttribute a, int v) { Lock l; if (a == cudaFuncAttributeMaxDynamicSharedMemorySize) { if (v < 0 || (size_t)v > config().smem_optin) return ret(cudaErrorInvalidValue); smem_limits()[f] = v; } return cudaSuccess; }



cudaError_t cudaEventRecordWithFlags(cudaEvent_t e, cudaStream_t s, unsigned) { return cudaEventRecord(e, s); }
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s) { Lock l; auto* x = (Event*)e; auto* st = S(s); if (st->capture) { st->capture->ops.push_back([=] { x->t = now(); }); x->captured = st->capture; return cudaSuccess; } x->captured = nullptr; x->s = st; x->seq = st->enq + 1; put(st, [=] { x->t = now(); }); return cudaSuccess; }
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned) { Lock l; auto* x = (Event*)e; auto* st = S(s); if (x->captured) { st->capture = x->captured; return cudaSuccess; } if (x->s) put(st, nullptr, x->s, x->seq); return cudaSuccess; }
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode) { Lock l; S(s)->capture = std::make_shared<Capture>(); return cudaSuccess; }
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t* g) { Lock l; auto c = S(s)->capture; if (!c) return ret(cudaErrorInvalidValue); for (auto* o : rt().all) if (o->capture == c) o->capture = nullptr; *g = reinterpret_cast<cudaGraph_t>(new std::shared_ptr<Capture>(c)); return cudaSuccess; }
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* e, cudaGraph_t g, unsigned long long) { *e = reinterpret_cast<cudaGraphExec_t>(new std::shared_ptr<Capture>(*reinterpret_cast<std::shared_ptr<Capture>*>(g))); return cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t e, cudaStream_t s) { Lock l; auto c = *reinterpret_cast<std::shared_ptr<Capture>*>(e); put(S(s), [=] { for (auto& f : c->ops) if (!g_sticky) f(); }); return cudaSuccess; }
cudaError_t cudaGraphDestroy(cudaGraph_t g) { delete reinterpret_cast<std::shared_ptr<Capture>*>(g); return cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t g) { delete reinterpret_cast<std::shared_ptr<Capture>*>(g); return cudaSuccess; }
cudaError_t cudaMemcpy2DAsync(void* d, size_t dp, const void* s, size_t sp, size_t w, size_t h, cudaMemcpyKind k, cudaStream_t st) { Lock l; if (!dir_ok(d, s, k)) return ret(cudaErrorInvalidMemcpyDirection); put(S(st), [=] { copy2d(d, dp, s, sp, w, h); }); return cudaSuccess; }
cudaError_t cudaDeviceGetAttribute(int* v, cudaDeviceAttr a, int) {
  switch (a) { case cudaDevAttrMultiProcessorCount: *v = 4; break; case cudaDevAttrMaxThreadsPerMultiProcessor: *v = 2048; break; case cudaDevAttrComputeCapabilityMajor: *v = 9; break; case cudaDevAttrComputeCapabilityMinor: *v = 0; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *v = (int)config().smem_optin; break; case cudaDevAttrMaxSharedMemoryPerBlock: *v = (int)config().smem_default; break; case cudaDevAttrHostNumaId: *v = 0; break; default: *v = 0; }
  return cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) { memset(p, 0, sizeof *p); strcpy(p->name, "CPU stand-in"); p->major = 9; p->multiProcessorCount = 4; p->sharedMemPerBlockOptin = config().smem_optin; p->totalGlobalMem = 8ull << 30; return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int* v) { *v = 13000; return cudaSuccess; }
cudaError_t cudaDriverGetVersion(int* v) { *v = 0; return cudaSuccess; }
}
extern "C" { using namespace cudacpu;
// Preemption at every basic block: compile the kernels with -fsanitize-coverage=trace-pc.
void __sanitizer_cov_trace_pc() { if (cur_) { auto* x = static_cast<Fiber*>(cur_); if (x->blk->preempt && --x->blk->budget <= 0) { x->blk->budget = 1 + (int)(rnd(x->blk->rng) % (2 * x->blk->preempt)); yield(); } else if (!x->blk->preempt && ++x->spin >= 4096) yield(); } }

#define VOL(n, T, A) \
  void __tsan_volatile_read##n(void* p) { point(); note_atomic(p, true, false); if (A##_load) A##_load((const volatile T*)p, 0); } \
  void __tsan_volatile_write##n(void* p) { note_atomic(p, false, true); if (A##_fetch_add) A##_fetch_add((volatile T*)p, 0, 0); } \
  void __tsan_unaligned_volatile_read##n(void* p) { __tsan_volatile_read##n(p); } \
  void __tsan_unaligned_volatile_write##n(void* p) { __tsan_volatile_write##n(p); }
VOL(1, char, __tsan_atomic8) VOL(2, short, __tsan_atomic16) VOL(4, int, __tsan_atomic32) VOL(8, long, __tsan_atomic64)
}
