# Language level, warnings, sanitizers and the compiler cache, for every target of this project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(ESSBENCH_CCACHE ccache)
if(ESSBENCH_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${ESSBENCH_CCACHE}")
endif()

add_library(essbench_options INTERFACE)
# No contraction into FMA outside the kernels that ask for it: the same sums on every machine.
set(warnings -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers)
target_compile_options(essbench_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${warnings};-ffp-contract=off>")
# GCC 12 and 13 warn of overlapping copies inside std::string that cannot happen (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 14)
  target_compile_options(essbench_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict>")
endif()
if(ESSBENCH_WERROR)
  target_compile_options(essbench_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-Werror>" "$<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>")
endif()
if(ESSBENCH_SANITIZE)
  target_compile_options(essbench_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${ESSBENCH_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>")
  target_link_options(essbench_options INTERFACE -fsanitize=${ESSBENCH_SANITIZE})
endif()
target_include_directories(essbench_options INTERFACE "${PROJECT_SOURCE_DIR}")
