#include "ess_core/nvtx/nvtx.h"

#ifdef ESSBENCH_NVTX

#include <nvtx3/nvToolsExt.h>

#include <cstddef>
#include <map>
#include <mutex>
#include <string>

#ifdef ESSBENCH_NVTX_SCHEMA  // the headers have the payload extension
#include <nvtx3/nvToolsExtPayload.h>
#endif

namespace ess::nvtx {
namespace {

#ifdef ESSBENCH_NVTX_SCHEMA
// 0 if the tool does not take payload schemas.
std::uint64_t register_schema(nvtxDomainHandle_t domain) {
  const nvtxPayloadSchemaEntry_t entries[] = {
      {.type = NVTX_PAYLOAD_ENTRY_TYPE_INT32, .name = "layer", .offset = offsetof(payload, layer)},
      {.type = NVTX_PAYLOAD_ENTRY_TYPE_INT64, .name = "rows", .offset = offsetof(payload, rows)},
      {.type = NVTX_PAYLOAD_ENTRY_TYPE_INT64, .name = "bytes", .offset = offsetof(payload, bytes)},
  };
  const nvtxPayloadSchemaAttr_t schema = {
      .fieldMask = NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_NAME | NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_TYPE |
                   NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_ENTRIES | NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_NUM_ENTRIES |
                   NVTX_PAYLOAD_SCHEMA_ATTR_FIELD_STATIC_SIZE,
      .name = "essbench work",
      .type = NVTX_PAYLOAD_SCHEMA_TYPE_STATIC,
      .entries = entries,
      .numEntries = std::size(entries),
      .payloadStaticSize = sizeof(payload),
  };
  return nvtxPayloadSchemaRegister(domain, &schema);
}
#endif

// The domain and what is registered with it: the schema, and each name once.
class tool {
 public:
  static tool& get() {
    static tool instance;
    return instance;
  }

  [[nodiscard]] bool attached() const { return domain_ != nullptr; }

  void push(std::string_view name, const payload& load) {
    nvtxEventAttributes_t event = {};
    event.version = NVTX_VERSION;
    event.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    event.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
    event.message.registered = registered(name);
#ifdef ESSBENCH_NVTX_SCHEMA
    nvtxPayloadData_t data = {.schemaId = schema_, .size = sizeof load, .payload = &load};
    if (schema_ != 0) {
      event.payloadType = NVTX_PAYLOAD_TYPE_EXT;
      event.reserved0 = 1;  // one nvtxPayloadData_t
      event.payload.ullValue = NVTX_POINTER_AS_PAYLOAD_ULLVALUE(&data);
      nvtxDomainRangePushEx(domain_, &event);
      return;
    }
#endif
    event.payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT64;
    event.payload.ullValue = static_cast<std::uint64_t>(load.bytes);
    nvtxDomainRangePushEx(domain_, &event);
  }

  void pop() { nvtxDomainRangePop(domain_); }

 private:
  tool() : domain_(nvtxDomainCreateA(domain_name)) {
#ifdef ESSBENCH_NVTX_SCHEMA
    if (domain_ != nullptr) schema_ = register_schema(domain_);
#endif
  }

  nvtxStringHandle_t registered(std::string_view name) {
    const std::lock_guard lock(mutex_);
    auto found = names_.find(name);
    if (found == names_.end()) {
      std::string text(name);
      const nvtxStringHandle_t handle = nvtxDomainRegisterStringA(domain_, text.c_str());
      found = names_.emplace(std::move(text), handle).first;
    }
    return found->second;
  }

  nvtxDomainHandle_t domain_;  // null: no tool
#ifdef ESSBENCH_NVTX_SCHEMA
  std::uint64_t schema_ = 0;
#endif
  std::mutex mutex_;
  std::map<std::string, nvtxStringHandle_t, std::less<>> names_;
};

}  // namespace

bool attached() { return tool::get().attached(); }
void scoped_range::push(std::string_view name, const payload& load) { tool::get().push(name, load); }
void scoped_range::pop() { tool::get().pop(); }

}  // namespace ess::nvtx

#endif
