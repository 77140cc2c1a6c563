# One CMake target a folder. A folder says what it is made of and what it may use, nothing else:
#
#   ess_component(layout            -> target ess_layout, alias ess::layout
#     SOURCES e4m3.cpp ...
#     DEPENDS ess::base             (seen by users of this component)
#     PRIVATE fmt::fmt              (not seen by them)
#     TESTS tests/e4m3_test.cpp     -> one test binary, each test known to ctest
#     TEST_DEPENDS ...
#     BENCHMARKS bench/e4m3_bench.cpp)
add_custom_target(benchmarks)  # all of them
function(ess_component name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS;PRIVATE;TESTS;TEST_DEPENDS;BENCHMARKS" ${ARGN})
  set(target ess_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(ess::${name} ALIAS ${target})
  target_link_libraries(${target} PUBLIC essbench_options ${arg_DEPENDS} PRIVATE ${arg_PRIVATE})
  if(ESSBENCH_TESTS AND arg_TESTS)
    add_executable(${target}_tests ${arg_TESTS})
    target_link_libraries(${target}_tests PRIVATE ${target} ${arg_PRIVATE} ${arg_TEST_DEPENDS} ess::test_main)
    target_precompile_headers(${target}_tests REUSE_FROM ess_test_main)
    gtest_discover_tests(${target}_tests TEST_PREFIX "${name}/" DISCOVERY_TIMEOUT 60
                         WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" PROPERTIES SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
  endif()
  if(ESSBENCH_BENCHMARKS AND arg_BENCHMARKS)
    add_executable(${target}_bench ${arg_BENCHMARKS})
    target_link_libraries(${target}_bench PRIVATE ${target} ${arg_PRIVATE} benchmark::benchmark_main)
    add_dependencies(benchmarks ${target}_bench)
  endif()
endfunction()
