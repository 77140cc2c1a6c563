#include "results/schema.h"

#include <array>

namespace results {
namespace {

// `attempt.status` is NULL until the last statement of the attempt's transaction. Numbers of metric, sample
// and accuracy may be NULL: SQLite's form of NaN.
constexpr const char* version_1 = R"sql(
CREATE TABLE workload (
  hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  resolved_json TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE environment (
  number INTEGER PRIMARY KEY,
  json TEXT NOT NULL UNIQUE
);
CREATE TABLE run (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  started_at TEXT NOT NULL,
  command_line TEXT NOT NULL,
  workload_name TEXT NOT NULL,
  essbench_version TEXT NOT NULL,
  git_revision TEXT NOT NULL,
  git_dirty INTEGER NOT NULL,
  environment INTEGER NOT NULL REFERENCES environment(number),
  workload TEXT NOT NULL REFERENCES workload(hash)
);
CREATE TABLE point (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE,
  identity TEXT NOT NULL,
  label TEXT NOT NULL,
  system TEXT NOT NULL,
  device TEXT NOT NULL,
  clock TEXT NOT NULL,
  requested_json TEXT NOT NULL,
  effective_json TEXT NOT NULL,
  UNIQUE (run, identity)
);
CREATE TABLE attempt (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  point INTEGER NOT NULL REFERENCES point(number) ON DELETE CASCADE,
  status TEXT CHECK (status IN ('ok', 'incorrect', 'unsupported', 'out_of_memory', 'timeout', 'error', 'noisy',
                                'throttled', 'cancelled', 'skipped')),
  reason TEXT NOT NULL,
  started_at TEXT NOT NULL,
  ended_at TEXT NOT NULL
);
CREATE TABLE sample (
  attempt INTEGER NOT NULL REFERENCES attempt(number) ON DELETE CASCADE,
  metric TEXT NOT NULL,
  position INTEGER NOT NULL,
  value REAL,
  PRIMARY KEY (attempt, metric, position)
) WITHOUT ROWID;
CREATE TABLE metric (
  attempt INTEGER NOT NULL REFERENCES attempt(number) ON DELETE CASCADE,
  name TEXT NOT NULL,
  median REAL,
  lo REAL,
  hi REAL,
  n INTEGER NOT NULL,
  unit TEXT NOT NULL,
  PRIMARY KEY (attempt, name)
) WITHOUT ROWID;
CREATE TABLE accuracy (
  attempt INTEGER NOT NULL REFERENCES attempt(number) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value REAL,
  PRIMARY KEY (attempt, name)
) WITHOUT ROWID;
CREATE TABLE event (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE,
  attempt INTEGER REFERENCES attempt(number) ON DELETE CASCADE,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL
);
)sql";

// Why sampling ended; and a run is loaded without scanning all attempts and events of the file.
constexpr const char* version_2 = R"sql(
ALTER TABLE attempt ADD COLUMN stop_reason TEXT NOT NULL DEFAULT '';
CREATE INDEX attempt_of_point ON attempt (point);
CREATE INDEX event_of_run ON event (run);
)sql";

// What is counted by layer or step, and when the operations of one step ran (results/timeline.h; an array of
// [kind, layer, first seat, seats, stream, on link, start in us, end in us]).
constexpr const char* version_3 = R"sql(
CREATE TABLE series (
  attempt INTEGER NOT NULL REFERENCES attempt(number) ON DELETE CASCADE,
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  value REAL,
  PRIMARY KEY (attempt, name, position)
) WITHOUT ROWID;
CREATE TABLE timeline (
  attempt INTEGER PRIMARY KEY REFERENCES attempt(number) ON DELETE CASCADE,
  operations_json TEXT NOT NULL
);
)sql";

// Where runs, or parts of them, came from: other files (results/import). `environment` is the source's: of
// shards of one run, `run` keeps only one. And what a profiler saw of an attempt, summed by operation, layer
// and name (results/profile.h).
constexpr const char* version_4 = R"sql(
CREATE TABLE import (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE,
  at TEXT NOT NULL,
  kind TEXT NOT NULL,
  file TEXT NOT NULL,
  source_version TEXT NOT NULL,
  essbench_version TEXT NOT NULL,
  environment INTEGER NOT NULL REFERENCES environment(number),
  points INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  note TEXT NOT NULL
);
CREATE INDEX import_of_run ON import (run);
CREATE INDEX event_of_attempt ON event (attempt);
CREATE TABLE profile (
  attempt INTEGER NOT NULL REFERENCES attempt(number) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  operation TEXT NOT NULL,
  layer INTEGER NOT NULL,
  activity TEXT NOT NULL CHECK (activity IN ('range', 'kernel', 'copy')),
  name TEXT NOT NULL,
  count INTEGER NOT NULL,
  cpu_us REAL,
  gpu_us REAL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (attempt, position)
) WITHOUT ROWID;
)sql";

constexpr std::array<const char*, 4> steps = {version_1, version_2, version_3, version_4};

}  // namespace

std::span<const char* const> migrations() { return steps; }

}  // namespace results
