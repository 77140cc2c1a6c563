// An open database file: opened, checked, migrated. Internal to the store.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <string>
#include <utility>

#include "results/store.h"

namespace results {

class connection {
 public:
  connection(std::filesystem::path file, const open_options& options);

  [[nodiscard]] SQLite::Database& db() { return db_; }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

  // Runs `work`; what SQLite throws comes out as a store_error.
  template <typename F>
  decltype(auto) guarded(const char* doing, F&& work) {
    try {
      return std::forward<F>(work)();
    } catch (const SQLite::Exception& broken) {
      raise(doing, broken);
    }
  }

  // As guarded, inside a transaction that holds the write lock from its start (a read lock that is raised
  // later cannot wait for other writers); all of it is undone unless `work` returns.
  template <typename F>
  decltype(auto) in_transaction(const char* doing, F&& work) {
    return guarded(doing, [&] {
      SQLite::Transaction transaction(db_, SQLite::TransactionBehavior::IMMEDIATE);
      if constexpr (std::is_void_v<decltype(work())>) {
        work();
        transaction.commit();
      } else {
        auto made = work();
        transaction.commit();
        return made;
      }
    });
  }

  [[noreturn]] void raise(const char* doing, store_fault fault, std::string words) const;
  [[noreturn]] void raise(const char* doing, const SQLite::Exception& broken) const;

 private:
  // What tells a database of ours.
  struct marks {
    int version = 0;
    int application = 0;
    bool empty = true;
  };

  marks read_marks();
  void check_whose();
  void prepare_for_writing();
  void enter_wal_mode();
  void migrate();
  void check_integrity();
  [[nodiscard]] int pragma(const char* name);

  std::filesystem::path file_;
  open_options options_;
  SQLite::Database db_;
};

}  // namespace results
