// Bytes changed at random make databases that SQLite itself finds broken. Half of the mutations are therefore
// values that a healthy database should not hold.
#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

struct close_database {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
using database = std::unique_ptr<sqlite3, close_database>;

struct free_memory {
  void operator()(void* memory) const { sqlite3_free(memory); }
};

constexpr std::array<const char*, 26> hostile_values = {"NULL",
                                                        "0",
                                                        "-1",
                                                        "9223372036854775807",
                                                        "-9223372036854775808",
                                                        "1e999",
                                                        "-1e999",
                                                        "2147483648",
                                                        "0.5",
                                                        "''",
                                                        "'ok'",
                                                        "'incorrect'",
                                                        "'2025-02-30T00:00:00.000Z'",
                                                        "'9999-12-31T23:59:59.999Z'",
                                                        "x'00'",
                                                        "x'ff80c0'",
                                                        "'[]'",
                                                        "'{}'",
                                                        "'null'",
                                                        "'{\"a\":[1,{\"b\":null}]}'",
                                                        "'[[1,2,3,4,5,6,7,8]]'",
                                                        "'1e999'",
                                                        "'[[\"fetch\",99999999999,1,1,\"copy\",true,0,1]]'",
                                                        "replace(hex(zeroblob(500)), '00', '[')",
                                                        "replace(hex(zeroblob(500)), '00', '[{\"a\":')",
                                                        "hex(zeroblob(600))"};

std::vector<std::string> column_of_texts(sqlite3* db, const std::string& query) {
  std::vector<std::string> texts;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, query.c_str(), -1, &statement, nullptr) == SQLITE_OK) {
    while (sqlite3_step(statement) == SQLITE_ROW) {
      const unsigned char* text = sqlite3_column_text(statement, 0);
      texts.emplace_back(text == nullptr ? "" : reinterpret_cast<const char*>(text));
    }
  }
  sqlite3_finalize(statement);
  return texts;
}

template <typename T>
const T* one_of(const std::vector<T>& all, std::minstd_rand& random) {
  return all.empty() ? nullptr : &all[random() % all.size()];
}

// An UPDATE or DELETE of some rows, or a change of the version.
std::string hostile_statement(sqlite3* db, std::minstd_rand& random) {
  if (random() % 32 == 0) return "PRAGMA user_version = " + std::to_string(random() % 6);
  const auto tables = column_of_texts(db, "SELECT name FROM sqlite_master WHERE type = 'table'");
  const std::string* table = one_of(tables, random);
  if (table == nullptr) return {};
  const auto columns = column_of_texts(db, "SELECT name FROM pragma_table_info('" + *table + "')");
  const std::string* column = one_of(columns, random);
  if (column == nullptr) return {};
  const std::string some = " WHERE length(hex(\"" + *column + "\")) % 3 = " + std::to_string(random() % 3);
  if (random() % 16 == 0) return "DELETE FROM \"" + *table + "\"" + some;
  return "UPDATE OR IGNORE \"" + *table + "\" SET \"" + *column +
         "\" = " + hostile_values[random() % hostile_values.size()] + some;
}

// 0: not a database that can be changed.
std::size_t mutate_values(std::uint8_t* data, std::size_t size, std::size_t max_size,
                          std::minstd_rand& random) {
  sqlite3* handle = nullptr;
  if (sqlite3_open(":memory:", &handle) != SQLITE_OK) return 0;
  const database db(handle);
  auto* copy = static_cast<unsigned char*>(sqlite3_malloc64(size));
  std::memcpy(copy, data, size);
  if (sqlite3_deserialize(handle, "main", copy, static_cast<sqlite3_int64>(size),
                          static_cast<sqlite3_int64>(size),
                          SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) != SQLITE_OK) {
    return 0;
  }
  sqlite3_exec(handle, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF", nullptr, nullptr,
               nullptr);
  if (sqlite3_exec(handle, hostile_statement(handle, random).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
    return 0;
  sqlite3_int64 made = 0;
  const std::unique_ptr<unsigned char, free_memory> bytes(sqlite3_serialize(handle, "main", &made, 0));
  if (bytes == nullptr || made <= 0 || static_cast<std::size_t>(made) > max_size) return 0;
  std::memcpy(data, bytes.get(), static_cast<std::size_t>(made));
  return static_cast<std::size_t>(made);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned int seed) {
  std::minstd_rand random(seed);
  random.discard(2);  // the first numbers of near seeds are near each other
  if (random() % 2 == 0) {
    if (const std::size_t made = mutate_values(data, size, max_size, random); made > 0) return made;
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
