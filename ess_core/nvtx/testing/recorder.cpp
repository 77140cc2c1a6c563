// An NVTX tool for tests: a shared library that NVTX_INJECTION64_PATH names. It writes one line an event to
// the file that ESSBENCH_NVTX_LOG names, tab-separated:
//   push <thread> <domain> <name> <field>=<value>...
//   pop  <thread> <domain>
// Payload fields are decoded by the schema that the program registered. testing/recording.h reads the file.
#include <nvtx3/nvToolsExt.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#ifdef ESSBENCH_NVTX_SCHEMA
#include <nvtx3/nvToolsExtPayload.h>
#endif

namespace {

struct field {
  std::string name;
  std::uint64_t type = 0;
  std::uint64_t offset = 0;
};

// Handles are addresses of (or indices into) these; a deque never moves its elements.
struct recorder {
  std::mutex mutex;
  std::FILE* log = nullptr;
  std::deque<std::string> names;
  std::vector<std::vector<field>> schemas;
  int threads = 0;

  int thread_number() {
    thread_local const int number = threads++;
    return number;
  }
};

recorder& state() {
  static auto* const instance = new recorder;  // outlives every static object that may still close a range
  return *instance;
}

template <class Handle>
Handle intern(const char* text) {
  const std::lock_guard lock(state().mutex);
  return reinterpret_cast<Handle>(&state().names.emplace_back(text));
}

const char* text_of(const void* handle) {
  return handle == nullptr ? "(null)" : static_cast<const std::string*>(handle)->c_str();
}

nvtxDomainHandle_t NVTX_API create_domain(const char* name) { return intern<nvtxDomainHandle_t>(name); }

nvtxStringHandle_t NVTX_API register_string(nvtxDomainHandle_t, const char* text) {
  return intern<nvtxStringHandle_t>(text);
}

#ifdef ESSBENCH_NVTX_SCHEMA
template <class T>
long long read_at(const void* base, std::uint64_t offset) {
  T value;
  std::memcpy(&value, static_cast<const char*>(base) + offset, sizeof value);
  return static_cast<long long>(value);
}

void write_schema_payload(const nvtxPayloadData_t& data) {
  const std::uint64_t index = data.schemaId - NVTX_PAYLOAD_SCHEMA_ID_DYNAMIC_START;
  if (index >= state().schemas.size()) {
    std::fprintf(state().log, "\terror=unknown schema");
    return;
  }
  for (const field& f : state().schemas[index]) {
    if (f.type == NVTX_PAYLOAD_ENTRY_TYPE_INT32 && f.offset + 4 <= data.size) {
      std::fprintf(state().log, "\t%s=%lld", f.name.c_str(), read_at<std::int32_t>(data.payload, f.offset));
    } else if (f.type == NVTX_PAYLOAD_ENTRY_TYPE_INT64 && f.offset + 8 <= data.size) {
      std::fprintf(state().log, "\t%s=%lld", f.name.c_str(), read_at<std::int64_t>(data.payload, f.offset));
    } else {
      std::fprintf(state().log, "\terror=cannot read %s", f.name.c_str());
    }
  }
}

std::uint64_t register_schema(nvtxDomainHandle_t, const nvtxPayloadSchemaAttr_t* schema) {
  const std::lock_guard lock(state().mutex);
  std::vector<field> fields;
  for (std::size_t i = 0; i < schema->numEntries; ++i) {
    const nvtxPayloadSchemaEntry_t& entry = schema->entries[i];
    fields.push_back({entry.name, entry.type, entry.offset});
  }
  state().schemas.push_back(std::move(fields));
  return NVTX_PAYLOAD_SCHEMA_ID_DYNAMIC_START + state().schemas.size() - 1;
}
#endif

void write_payload(const nvtxEventAttributes_t& event) {
  if (event.payloadType == NVTX_PAYLOAD_TYPE_UNSIGNED_INT64) {
    std::fprintf(state().log, "\tvalue=%" PRIu64, event.payload.ullValue);
  }
#ifdef ESSBENCH_NVTX_SCHEMA
  if (event.payloadType == NVTX_PAYLOAD_TYPE_EXT) {
    const auto* const data = reinterpret_cast<const nvtxPayloadData_t*>(event.payload.ullValue);
    for (std::int32_t i = 0; i < event.reserved0; ++i) write_schema_payload(data[i]);
  }
#endif
}

int NVTX_API push_range(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* event) {
  const std::lock_guard lock(state().mutex);
  const char* const name = event->messageType == NVTX_MESSAGE_TYPE_REGISTERED
                               ? text_of(event->message.registered)
                               : "(not registered)";
  std::fprintf(state().log, "push\t%d\t%s\t%s", state().thread_number(), text_of(domain), name);
  write_payload(*event);
  std::fputc('\n', state().log);
  return 0;
}

int NVTX_API pop_range(nvtxDomainHandle_t domain) {
  const std::lock_guard lock(state().mutex);
  std::fprintf(state().log, "pop\t%d\t%s\n", state().thread_number(), text_of(domain));
  return 0;
}

template <class Function>
void hook(NvtxFunctionTable table, NvtxCallbackIdCore2 id, Function* function) {
  *table[id] = reinterpret_cast<NvtxFunctionPointer>(function);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) int InitializeInjectionNvtx2(
    NvtxGetExportTableFunc_t export_table) {
  const char* const path = std::getenv("ESSBENCH_NVTX_LOG");
  if (path == nullptr || state().log != nullptr) return 0;
  const auto* const callbacks =
      static_cast<const NvtxExportTableCallbacks*>(export_table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (callbacks == nullptr || callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size) == 0) {
    return 0;
  }
  if (size <= NVTX_CBID_CORE2_DomainCreateA) return 0;
  state().log = std::fopen(path, "w");
  if (state().log == nullptr) return 0;
  hook(table, NVTX_CBID_CORE2_DomainCreateA, create_domain);
  hook(table, NVTX_CBID_CORE2_DomainRegisterStringA, register_string);
  hook(table, NVTX_CBID_CORE2_DomainRangePushEx, push_range);
  hook(table, NVTX_CBID_CORE2_DomainRangePop, pop_range);
  return 1;
}

#ifdef ESSBENCH_NVTX_SCHEMA
extern "C" __attribute__((visibility("default"))) int InitializeInjectionNvtxExtension(
    nvtxExtModuleInfo_t* module) {
  if (module->moduleId != NVTX_EXT_PAYLOAD_MODULEID || module->segmentsCount == 0) return 0;
  module->segments[0].functionSlots[NVTX3EXT_CBID_nvtxPayloadSchemaRegister] =
      reinterpret_cast<intptr_t>(register_schema);
  return 1;
}
#endif
