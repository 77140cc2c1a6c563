// A database as the first essbench wrote it, as SQL.
#pragma once

namespace results::testing {

// Version 1 as it was, and one run in it: not to be changed when the schema is.
inline constexpr const char* version_1_file = R"sql(
BEGIN;
PRAGMA application_id = 1702064994;
PRAGMA user_version = 1;
CREATE TABLE workload (hash TEXT PRIMARY KEY, name TEXT NOT NULL, resolved_json TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE environment (number INTEGER PRIMARY KEY, json TEXT NOT NULL UNIQUE);
CREATE TABLE run (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, started_at TEXT NOT NULL,
  command_line TEXT NOT NULL, workload_name TEXT NOT NULL, essbench_version TEXT NOT NULL,
  git_revision TEXT NOT NULL, git_dirty INTEGER NOT NULL,
  environment INTEGER NOT NULL REFERENCES environment(number), workload TEXT NOT NULL REFERENCES workload(hash));
CREATE TABLE point (number INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE, identity TEXT NOT NULL, label TEXT NOT NULL,
  system TEXT NOT NULL, device TEXT NOT NULL, clock TEXT NOT NULL, requested_json TEXT NOT NULL,
  effective_json TEXT NOT NULL, UNIQUE (run, identity));
CREATE TABLE attempt (number INTEGER PRIMARY KEY AUTOINCREMENT,
  point INTEGER NOT NULL REFERENCES point(number) ON DELETE CASCADE,
  status TEXT CHECK (status IN ('ok', 'incorrect', 'unsupported', 'out_of_memory', 'timeout', 'error', 'noisy',
                                'throttled', 'cancelled', 'skipped')),
  reason TEXT NOT NULL, started_at TEXT NOT NULL, ended_at TEXT NOT NULL);
CREATE TABLE sample (attempt INTEGER NOT NULL REFERENCES attempt(number) ON DELETE CASCADE, metric TEXT NOT NULL,
  position INTEGER NOT NULL, value REAL, PRIMARY KEY (attempt, metric, position)) WITHOUT ROWID;
CREATE TABLE metric (attempt INTEGER NOT NULL REFERENCES attempt(number) ON DELETE CASCADE, name TEXT NOT NULL,
  median REAL, lo REAL, hi REAL, n INTEGER NOT NULL, unit TEXT NOT NULL, PRIMARY KEY (attempt, name)) WITHOUT ROWID;
CREATE TABLE accuracy (attempt INTEGER NOT NULL REFERENCES attempt(number) ON DELETE CASCADE, name TEXT NOT NULL,
  value REAL, PRIMARY KEY (attempt, name)) WITHOUT ROWID;
CREATE TABLE event (number INTEGER PRIMARY KEY AUTOINCREMENT,
  run INTEGER NOT NULL REFERENCES run(number) ON DELETE CASCADE,
  attempt INTEGER REFERENCES attempt(number) ON DELETE CASCADE,
  at TEXT NOT NULL, kind TEXT NOT NULL, detail TEXT NOT NULL);
INSERT INTO workload VALUES ('h', 'old', '{}');
INSERT INTO environment VALUES (1, '{"kernel":"5.0"}');
INSERT INTO run VALUES (1, 'old-run', '2025-01-02T03:04:05.006Z', 'essbench run old', 'old', '0.0.1', '', 0, 1, 'h');
INSERT INTO point VALUES (1, 1, 'p', 'ess', 'ess', 'cpu', 'wall', '{}', '{}');
INSERT INTO attempt VALUES (1, 1, 'ok', '', '2025-01-02T03:04:05.006Z', '2025-01-02T03:04:06.006Z');
INSERT INTO sample VALUES (1, 'step_time_us', 0, 5.0);
INSERT INTO metric VALUES (1, 'step_time_us', 5.0, 5.0, 5.0, 1, 'us');
COMMIT;
)sql";

}  // namespace results::testing
