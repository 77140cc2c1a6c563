#include "results/import/nsys_export.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <set>
#include <utility>

#include "results/store_error.h"

namespace results {
namespace {

constexpr const char* range_table = "NVTX_EVENTS";
constexpr const char* call_table = "CUPTI_ACTIVITY_KIND_RUNTIME";

// eventType of a range that was pushed and popped, and of a domain's name.
constexpr int range_event = 59, domain_event = 75;

[[noreturn]] void refuse(const std::filesystem::path& file, store_fault fault, std::string words,
                         std::string hint) {
  throw store_error(
      {.fault = fault, .file = file, .doing = "import", .words = std::move(words), .hint = std::move(hint)});
}

// A table with what the GPU did.
struct activity_table {
  const char* name;
  profiled_activity activity;
  const char* label;   // SQL, over k (this table) and s (StringIds); of a copy its kind
  const char* string;  // SQL: id of the string
  const char* bytes;   // SQL
  bool is_graph;       // its rows are whole graphs
  std::array<const char*, 2> needs;
};

constexpr std::array<activity_table, 4> activity_tables = {{
    {"CUPTI_ACTIVITY_KIND_KERNEL",
     profiled_activity::kernel,
     "s.value",
     "k.shortName",
     "0",
     false,
     {"shortName"}},
    {"CUPTI_ACTIVITY_KIND_MEMCPY",
     profiled_activity::copy,
     "k.copyKind",
     "NULL",
     "k.bytes",
     false,
     {"copyKind", "bytes"}},
    {"CUPTI_ACTIVITY_KIND_MEMSET", profiled_activity::copy, "-1", "NULL", "k.bytes", false, {"bytes"}},
    {"CUPTI_ACTIVITY_KIND_GRAPH_TRACE", profiled_activity::kernel, "'CUDA graph'", "NULL", "0", true, {}},
}};

// CUpti_ActivityMemcpyKind; -1 is a memset.
std::string name_of_copy(std::int64_t kind) {
  switch (kind) {
    case -1:
      return "memset";
    case 1:
      return "host to device";
    case 2:
      return "device to host";
    case 8:
      return "device to device";
    case 9:
      return "host to host";
    case 10:
      return "peer to peer";
    default:
      return fmt::format("copy of kind {}", kind);
  }
}

std::optional<time_span> span_in(const SQLite::Column& begin, const SQLite::Column& end) {
  const time_span span{begin.getInt64(), end.getInt64()};
  if (!begin.isInteger() || !end.isInteger() || span.begin < 0 || span.end < span.begin) return std::nullopt;
  return span;
}

// Layer, rows and bytes as ess_core/nvtx registers them. Nsight puts 32 bytes before them, of which the third
// eight are their size.
struct payload {
  std::int32_t layer = -1;
  std::int32_t padding = 0;
  std::int64_t rows = 0;
  std::int64_t bytes = 0;
};
static_assert(sizeof(payload) == 24 && std::endian::native == std::endian::little);

payload payload_in(const SQLite::Column& binary, const SQLite::Column& plain) {
  static constexpr std::size_t header = 32, size_at = 16;
  payload load{.bytes = plain.getInt64()};
  if (binary.getBytes() != header + sizeof load) return load;
  const char* data = static_cast<const char*>(binary.getBlob());
  std::uint64_t size = 0;
  std::memcpy(&size, data + size_at, sizeof size);
  if (size == sizeof load) std::memcpy(&load, data + header, sizeof load);
  return load;
}

class reader {
 public:
  explicit reader(const std::filesystem::path& file)
      : file_(file), db_(file.string(), SQLite::OPEN_READONLY, busy_timeout_ms) {}

  nsys_export read() {
    if (!db_.tableExists(range_table)) {
      refuse(file_, store_fault::foreign, fmt::format("it has no table {}", range_table),
             "make it with ci/nsight, or with `nsys profile --trace=cuda,nvtx --export=sqlite`");
    }
    need("StringIds", {"id", "value"});
    need(range_table, {"start", "end", "eventType", "text", "textId", "globalTid", "domainId"});
    read_version();
    read_ranges();
    for (const activity_table& table : activity_tables) read_activities(table);
    return std::move(all_);
  }

 private:
  static constexpr int busy_timeout_ms = 10'000;

  bool has_column(const char* table, const char* column) {
    SQLite::Statement row(db_, "SELECT 1 FROM pragma_table_info(?) WHERE name = ?");
    row.bind(1, table);
    row.bind(2, column);
    return row.executeStep();
  }

  void need(const char* table, std::initializer_list<const char*> columns) {
    for (const char* column : columns) {
      if (has_column(table, column)) continue;
      refuse(file_, store_fault::foreign,
             db_.tableExists(table) ? fmt::format("its table {} has no column {}", table, column)
                                    : fmt::format("it has no table {}", table),
             "export the report again with a version of nsys that writes it");
    }
  }

  void read_version() {
    if (!has_column("META_DATA_EXPORT", "value") || !has_column("META_DATA_EXPORT", "name")) return;
    SQLite::Statement row(db_, "SELECT value FROM META_DATA_EXPORT WHERE name = 'EXPORT_PRODUCT_VERSION'");
    if (row.executeStep()) all_.version = row.getColumn(0).getString();
  }

  // Of essbench: by process, as numbers of domains are its own.
  std::set<std::pair<std::int64_t, std::int64_t>> read_domains() {
    std::set<std::pair<std::int64_t, std::int64_t>> domains;
    SQLite::Statement row(db_,
                          "SELECT e.globalTid, e.domainId FROM NVTX_EVENTS e "
                          "LEFT JOIN StringIds s ON s.id = e.textId "
                          "WHERE e.eventType = ? AND coalesce(e.text, s.value) = 'essbench'");
    row.bind(1, domain_event);
    while (row.executeStep())
      domains.emplace(process_of(row.getColumn(0).getInt64()), row.getColumn(1).getInt64());
    return domains;
  }

  void read_ranges() {
    const auto domains = read_domains();
    const char* binary = has_column(range_table, "binaryData") ? "e.binaryData" : "NULL";
    const char* plain = has_column(range_table, "uint64Value") ? "e.uint64Value" : "0";
    SQLite::Statement row(
        db_, fmt::format("SELECT coalesce(e.text, s.value, ''), e.globalTid, e.start, e.\"end\", {}, {}, "
                         "e.domainId FROM NVTX_EVENTS e LEFT JOIN StringIds s ON s.id = e.textId "
                         "WHERE e.eventType = {}",
                         binary, plain, range_event));
    while (row.executeStep()) {
      const std::int64_t thread = row.getColumn(1).getInt64();
      if (domains.contains({process_of(thread), row.getColumn(6).getInt64()})) add_range(thread, row);
    }
    if (all_.ranges.empty()) {
      refuse(file_, store_fault::foreign, "no range of the NVTX domain 'essbench' is in it",
             "profile `essbench run` of a build with NVTX (see `essbench doctor`), with --trace=cuda,nvtx");
    }
  }

  void add_range(std::int64_t thread, SQLite::Statement& row) {
    const auto time = span_in(row.getColumn(2), row.getColumn(3));
    if (!time) {
      ++all_.unusable;
      return;
    }
    const payload load = payload_in(row.getColumn(4), row.getColumn(5));
    all_.ranges.push_back({.name = row.getColumn(0).getString(),
                           .thread = thread,
                           .time = *time,
                           .layer = load.layer,
                           .bytes = load.bytes});
  }

  // Nsight makes a table only for what it saw: none of kernels where there was none.
  void read_activities(const activity_table& table) {
    if (!db_.tableExists(table.name)) return;
    need(table.name, {"start", "end", "correlationId", "globalPid"});
    need(call_table, {"start", "globalTid", "correlationId"});
    for (const char* column : table.needs) {
      if (column != nullptr) need(table.name, {column});
    }
    SQLite::Statement row(db_, sql_of(table));
    std::optional<std::int64_t> last;
    while (row.executeStep()) {
      // Should two calls carry one correlation id, the activity still is one.
      if (last == row.getColumn(0).getInt64()) continue;
      last = row.getColumn(0).getInt64();
      add_activity(table, row);
    }
  }

  std::string sql_of(const activity_table& table) {
    const char* in_graph = has_column(table.name, "graphNodeId") ? "k.graphNodeId IS NOT NULL" : "0";
    return fmt::format(
        "SELECT k.rowid, {}, k.start, k.\"end\", {}, {}, r.globalTid, r.start FROM {} k "
        "LEFT JOIN {} r ON r.correlationId = k.correlationId AND r.globalTid >> 24 = k.globalPid >> 24 "
        "LEFT JOIN StringIds s ON s.id = {}",
        table.label, table.bytes, in_graph, table.name, call_table, table.string);
  }

  void add_activity(const activity_table& table, SQLite::Statement& row) {
    const auto time = span_in(row.getColumn(2), row.getColumn(3));
    if (!time) {
      ++all_.unusable;
      return;
    }
    const SQLite::Column label = row.getColumn(1);
    all_.activities.push_back({.activity = table.activity,
                               .name = table.activity == profiled_activity::copy
                                           ? name_of_copy(label.getInt64())
                                           : label.getString(),
                               .time = *time,
                               .bytes = row.getColumn(4).getInt64(),
                               .in_graph = table.is_graph || row.getColumn(5).getInt() != 0,
                               .has_call = !row.isColumnNull(6),
                               .call_thread = row.getColumn(6).getInt64(),
                               .call_begin = row.getColumn(7).getInt64()});
  }

  std::filesystem::path file_;
  SQLite::Database db_;
  nsys_export all_;
};

}  // namespace

nsys_export read_nsys_export(const std::filesystem::path& file) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    refuse(file, store_fault::not_found, "no such file", std::string(hint_for(store_fault::not_found)));
  }
  try {
    return reader(file).read();
  } catch (const SQLite::Exception& broken) {
    const store_fault fault = fault_of_sqlite_code(broken.getErrorCode());
    // Statements are ours and right for tables as documented; else the file is wrong.
    const store_fault told = fault == store_fault::misuse ? store_fault::corrupt : fault;
    refuse(file, told, broken.what(), std::string(hint_for(told)));
  }
}

}  // namespace results
