// The GPU that is played, and errors in words.
#include <algorithm>
#include <cstring>
#include <map>

#include "ess_core/device/cuda/emulation/runtime.h"

namespace ess::emulation {
namespace {

#define ESS_NAME(e) \
  { e, #e }
const std::map<cudaError_t, const char*>& error_names() {
  static const std::map<cudaError_t, const char*> names{
      ESS_NAME(cudaSuccess),
      ESS_NAME(cudaErrorInvalidValue),
      ESS_NAME(cudaErrorMemoryAllocation),
      ESS_NAME(cudaErrorInvalidConfiguration),
      ESS_NAME(cudaErrorInvalidMemcpyDirection),
      ESS_NAME(cudaErrorNoDevice),
      ESS_NAME(cudaErrorInvalidDevice),
      ESS_NAME(cudaErrorInvalidResourceHandle),
      ESS_NAME(cudaErrorNotReady),
      ESS_NAME(cudaErrorIllegalAddress),
      ESS_NAME(cudaErrorHostMemoryAlreadyRegistered),
      ESS_NAME(cudaErrorHostMemoryNotRegistered),
      ESS_NAME(cudaErrorMisalignedAddress),
      ESS_NAME(cudaErrorLaunchFailure),
      ESS_NAME(cudaErrorNotPermitted),
      ESS_NAME(cudaErrorNotSupported),
      ESS_NAME(cudaErrorStreamCaptureUnsupported),
      ESS_NAME(cudaErrorStreamCaptureInvalidated),
      ESS_NAME(cudaErrorStreamCaptureMerge),
      ESS_NAME(cudaErrorStreamCaptureUnmatched),
      ESS_NAME(cudaErrorStreamCaptureUnjoined),
      ESS_NAME(cudaErrorStreamCaptureIsolation),
      ESS_NAME(cudaErrorStreamCaptureImplicit),
      ESS_NAME(cudaErrorCapturedEvent),
      ESS_NAME(cudaErrorStreamCaptureWrongThread),
  };
  return names;
}

std::size_t attribute(cudaDeviceAttr which) {
  const settings& s = stand_in_settings();
  switch (which) {
    case cudaDevAttrMaxThreadsPerBlock:
      return 1024;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return s.shared_memory;
    case cudaDevAttrWarpSize:
      return 32;
    case cudaDevAttrMultiProcessorCount:
      return static_cast<std::size_t>(s.multiprocessors);
    case cudaDevAttrL2CacheSize:
      return std::size_t{50} << 20;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return 2048;
    case cudaDevAttrComputeCapabilityMajor:
      return static_cast<std::size_t>(s.major);
    case cudaDevAttrComputeCapabilityMinor:
      return static_cast<std::size_t>(s.minor);
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return s.shared_memory_optin;
    case cudaDevAttrHostNumaId:
      return 0;
  }
  return 0;
}

int int_attribute(cudaDeviceAttr which) { return static_cast<int>(attribute(which)); }

template <class T>
cudaError_t give(T* p, T value) {
  return answer(call::other, capture_rule::allowed, [&] {
    if (p == nullptr) return cudaErrorInvalidValue;
    *p = value;
    return cudaSuccess;
  });
}

}  // namespace

const char* cudaGetErrorName(cudaError_t e) {
  const auto found = error_names().find(e);
  return found == error_names().end() ? "unrecognized error code" : found->second;
}
const char* cudaGetErrorString(cudaError_t e) { return e == cudaSuccess ? "no error" : cudaGetErrorName(e); }

cudaError_t cudaGetDeviceCount(int* n) { return give(n, 1); }
cudaError_t cudaGetDevice(int* d) { return give(d, 0); }
cudaError_t cudaRuntimeGetVersion(int* version) { return give(version, 13000); }
cudaError_t cudaDriverGetVersion(int* version) { return give(version, 13000); }

cudaError_t cudaSetDevice(int d) {
  return answer(call::other, capture_rule::allowed,
                [&] { return d == 0 ? cudaSuccess : cudaErrorInvalidDevice; });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr which, int device) {
  if (device != 0) return remember(cudaErrorInvalidDevice);
  return give(value, int_attribute(which));
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  return give(greatest, -5);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int device) {
  if (device != 0) return remember(cudaErrorInvalidDevice);
  const settings& s = stand_in_settings();
  cudaDeviceProp properties{.name = "",
                            .totalGlobalMem = s.device_memory,
                            .sharedMemPerBlock = s.shared_memory,
                            .sharedMemPerBlockOptin = s.shared_memory_optin,
                            .multiProcessorCount = s.multiprocessors,
                            .major = s.major,
                            .minor = s.minor,
                            .warpSize = 32,
                            .maxThreadsPerBlock = 1024,
                            .pciBusID = 0,
                            .pciDeviceID = 0,
                            .pciDomainID = 0,
                            .l2CacheSize = int_attribute(cudaDevAttrL2CacheSize),
                            .memoryBusWidth = 5120};
  s.name.copy(properties.name, sizeof properties.name - 1);
  return give(p, properties);
}

}  // namespace ess::emulation
