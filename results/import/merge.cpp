#include "results/import/merge.h"

#include <fmt/format.h>

#include <system_error>
#include <vector>

#include "results/import/merged_rows.h"
#include "results/import/source_copy.h"
#include "results/sql.h"

namespace results {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& source, store_fault fault, std::string words, std::string hint) {
  throw store_error({.fault = fault,
                     .file = source,
                     .doing = "import",
                     .words = std::move(words),
                     .hint = std::move(hint)});
}

void refuse_itself(const fs::path& source, const fs::path& into) {
  std::error_code missing;
  if (!fs::equivalent(source, into, missing)) return;
  refuse(source, store_fault::misuse, "it is the database that it would be imported into",
         "name another file, or another database with --db");
}

// A run that has grown says by which file. Environments are the source's: of a shard, that of its machine.
void note_import(SQLite::Database& db, const import_options& options, const fs::path& source, int schema,
                 std::int64_t source_run, std::int64_t main_run, const import_report& added) {
  execute(
      db,
      "INSERT INTO main.import (run, at, kind, file, source_version, essbench_version, environment, points, "
      "attempts, note) SELECT ?2, ?3, 'essbench', ?4, ?5, ?6, m.number, ?7, ?8, '' FROM source.run s "
      "JOIN source.environment e ON e.number = s.environment JOIN main.environment m ON m.json = e.json "
      "WHERE s.number = ?1",
      source_run, main_run, to_iso8601(options.at), source.string(), fmt::format("schema {}", schema),
      options.essbench_version, added.points.added, added.attempts.added);
}

void add(import_count& to, const import_count& of) {
  to.added += of.added;
  to.there += of.there;
}

import_report merge_all(SQLite::Database& db, const fs::path& source, int schema,
                        const import_options& options) {
  import_report all{.kind = "essbench", .source_version = fmt::format("schema {}", schema)};
  std::vector<std::int64_t> runs;
  SQLite::Statement row(db, "SELECT number FROM source.run ORDER BY started_at, number");
  while (row.executeStep()) runs.push_back(row.getColumn(0).getInt64());
  for (const std::int64_t run : runs) {
    import_report of;
    const auto merged = merged_rows(db, of).merge_run(run);
    if (merged.grown) note_import(db, options, source, schema, run, merged.number, of);
    add(all.runs, of.runs);
    add(all.points, of.points);
    add(all.attempts, of.attempts);
    add(all.profiles, of.profiles);
  }
  return all;
}

}  // namespace

import_report merge_database(const fs::path& source, const import_options& options) {
  refuse_itself(source, options.into);
  const source_copy copy(source);
  connection into(options.into, {.mode = open_mode::create});
  into.guarded("import", [&] { execute(into.db(), "ATTACH ? AS source", copy.file().string()); });
  return into.in_transaction("import", [&] {
    try {
      return merge_all(into.db(), source, copy.schema_version(), options);
    } catch (const contradiction& c) {
      refuse(source, store_fault::conflict, c.what(), std::string(hint_for(store_fault::conflict)));
    } catch (const SQLite::Exception& broken) {
      // A row that the schema refuses, or a table that is missing, can only be the source's.
      if (fault_of_sqlite_code(broken.getErrorCode()) != store_fault::misuse) throw;
      refuse(source, store_fault::corrupt, broken.what(), std::string(hint_for(store_fault::corrupt)));
    }
  });
}

}  // namespace results
