// A copy of an essbench database, brought up to the present schema: what is imported is read from it, so the
// source is never written to, whatever its age and whoever else uses it.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>

#include "results/connection.h"

namespace results {

// A folder for temporary files, gone with all it holds at the end.
class temporary_folder {
 public:
  temporary_folder();
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class source_copy {
 public:
  // Throws store_error, of `source`, for anything but a sound database of essbench.
  explicit source_copy(const std::filesystem::path& source);

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  // That the source has.
  [[nodiscard]] int schema_version() const { return schema_version_; }

 private:
  temporary_folder folder_;
  std::filesystem::path file_;
  int schema_version_ = 0;
};

}  // namespace results
