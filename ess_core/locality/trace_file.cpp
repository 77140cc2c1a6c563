#include "ess_core/locality/trace_file.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace ess {
namespace {

static_assert(std::endian::native == std::endian::little, "ids are written as they lie in memory");

constexpr std::array<char, 8> magic = {'E', 'S', 'S', 'T', 'R', 'A', 'C', 'E'};

struct file_header {
  std::array<char, 8> magic;
  std::uint32_t version;
  trace_shape shape;
};
static_assert(sizeof(file_header) == 28);

using digest = std::array<unsigned char, 32>;

class sha256 {
 public:
  sha256() { require(context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1); }
  void add(const void* bytes, std::size_t size) {
    require(EVP_DigestUpdate(context_.get(), bytes, size) == 1);
  }
  [[nodiscard]] digest finish() {
    digest out;
    require(EVP_DigestFinal_ex(context_.get(), out.data(), nullptr) == 1);
    return out;
  }

 private:
  static void require(bool worked) {
    if (!worked) throw std::runtime_error("OpenSSL has no SHA-256");
  }
  struct free_context {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, free_context> context_{EVP_MD_CTX_new()};
};

digest digest_of(const file_header& header, const index_trace& trace) {
  sha256 sum;
  sum.add(&header, sizeof header);
  sum.add(trace.ids.data(), trace.ids.size() * sizeof(token_id));
  return sum.finish();
}

std::string hexadecimal(const digest& bytes) {
  std::string out;
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

auto refuse(std::string what, std::string hint = {}) {
  return tl::unexpected(trace_error{std::move(what), std::move(hint)});
}

template <typename T>
bool read_into(std::istream& in, T* to, std::size_t bytes) {
  return static_cast<bool>(in.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(bytes)));
}

trace_result<file_header> read_header(std::istream& in) {
  file_header header{};
  if (!read_into(in, &header, sizeof header)) {
    return refuse("too short for a trace", "was the file copied completely?");
  }
  if (header.magic != magic) return refuse("not a trace file", "an .npy file comes in by `trace import`");
  if (header.version != trace_version) {
    return refuse(
        fmt::format("version {} of the format, but this program reads {}", header.version, trace_version));
  }
  if (auto fine = check_shape(header.shape); !fine) return tl::unexpected(fine.error());
  return header;
}

trace_result<void> check_size(const trace_shape& shape, std::uintmax_t size) {
  const std::uintmax_t wanted = sizeof(file_header) + shape.ids() * sizeof(token_id) + sizeof(digest);
  if (size < wanted) {
    return refuse(fmt::format("truncated: {} bytes, but its header announces {}", size, wanted),
                  "was the file copied completely?");
  }
  if (size > wanted) return refuse(fmt::format("{} bytes too many at its end", size - wanted));
  return {};
}

struct opened {
  std::ifstream stream;
  file_header header;
};

trace_result<opened> open(const std::filesystem::path& file) {
  std::error_code fault;
  const std::uintmax_t size = std::filesystem::file_size(file, fault);
  if (fault) return refuse(fmt::format("cannot be read: {}", fault.message()));
  opened out{std::ifstream(file, std::ios::binary), {}};
  if (!out.stream) return refuse("cannot be read");
  const auto header = read_header(out.stream);
  if (!header) return tl::unexpected(header.error());
  if (auto fine = check_size(header->shape, size); !fine) return tl::unexpected(fine.error());
  out.header = *header;
  return out;
}

trace_result<void> write_all(const index_trace& trace, const digest& sum, const file_header& header,
                             const std::filesystem::path& file) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(&header), sizeof header);
  out.write(reinterpret_cast<const char*>(trace.ids.data()),
            static_cast<std::streamsize>(trace.ids.size() * sizeof(token_id)));
  out.write(reinterpret_cast<const char*>(sum.data()), sizeof sum);
  out.close();
  if (!out) return refuse(fmt::format("cannot be written: {}", std::strerror(errno)));
  return {};
}

}  // namespace

trace_result<trace_header> read_trace_header(const std::filesystem::path& file) {
  auto in = open(file);
  if (!in) return tl::unexpected(in.error());
  digest stored;
  in->stream.seekg(-static_cast<std::streamoff>(sizeof stored), std::ios::end);
  if (!read_into(in->stream, stored.data(), sizeof stored)) return refuse("cannot be read to its end");
  return trace_header{in->header.shape, hexadecimal(stored)};
}

trace_result<stored_trace> read_trace(const std::filesystem::path& file) {
  auto in = open(file);
  if (!in) return tl::unexpected(in.error());
  stored_trace out{index_trace(in->header.shape), {}};
  digest stored;
  if (!read_into(in->stream, out.trace.ids.data(), out.trace.ids.size() * sizeof(token_id)) ||
      !read_into(in->stream, stored.data(), sizeof stored)) {
    return refuse("cannot be read to its end");
  }
  const digest actual = digest_of(in->header, out.trace);
  if (actual != stored) {
    return refuse(fmt::format("checksum mismatch: its bytes have SHA-256 {}, but it says {}",
                              hexadecimal(actual), hexadecimal(stored)),
                  "the file was damaged or changed after it was written");
  }
  if (auto fine = check_ids(out.trace); !fine) return tl::unexpected(fine.error());
  out.sha256 = hexadecimal(stored);
  return out;
}

trace_result<std::string> write_trace(const index_trace& trace, const std::filesystem::path& file) {
  const file_header header{magic, trace_version, trace.shape};
  const digest sum = digest_of(header, trace);
  std::filesystem::path part = file;
  part += ".part";
  std::error_code fault;
  if (auto fine = write_all(trace, sum, header, part); !fine) {
    std::filesystem::remove(part, fault);
    return tl::unexpected(fine.error());
  }
  std::filesystem::rename(part, file, fault);
  if (fault) return refuse(fmt::format("cannot be written: {}", fault.message()));
  return hexadecimal(sum);
}

}  // namespace ess
