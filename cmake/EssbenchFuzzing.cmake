# One fuzz target a reader of foreign bytes:
#
#   ess_fuzz_target(workload       -> fuzz/workload_fuzz.cpp, which defines fuzzing::accepts;
#     DEPENDS ess::workloads          fuzz/workload/ok_* and bad_*: inputs that it must accept and refuse;
#                                     fuzz/workload.dict: words for the fuzzer, if there is such a file
#     MUTATOR fuzz/x.cpp           how the fuzzer changes an input, where bytes at random lead nowhere (optional)
#     CORPUS ../fuzz/other)        another target's corpus (optional)
#
# With ESSBENCH_FUZZ it is fuzz_workload, under libFuzzer (ci/fuzz runs them all). With ESSBENCH_TESTS it is a test
# that feeds it its corpus, built by any compiler.
option(ESSBENCH_FUZZ "Build the fuzz targets (clang only)" OFF)
if(ESSBENCH_FUZZ AND NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "ESSBENCH_FUZZ needs clang, for its libFuzzer, but the compiler is ${CMAKE_CXX_COMPILER_ID}; "
                      "`cmake --preset fuzz` sets all that it needs")
endif()
if(ESSBENCH_FUZZ)
  # Everything counts edges, so that the fuzzer sees into the readers; only the targets get its main().
  target_compile_options(essbench_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>")
endif()

add_custom_target(fuzz_targets)  # all of them
function(ess_fuzz_target name)
  cmake_parse_arguments(arg "" "CORPUS;MUTATOR" "DEPENDS" ${ARGN})
  set(sources fuzz/${name}_fuzz.cpp)
  set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/fuzz/${name}")
  if(arg_CORPUS)
    set(corpus "${CMAKE_CURRENT_SOURCE_DIR}/${arg_CORPUS}")
  endif()
  set(support "${PROJECT_SOURCE_DIR}/cmake/fuzzing")
  if(ESSBENCH_FUZZ)
    add_executable(fuzz_${name} ${sources} ${arg_MUTATOR} "${support}/libfuzzer_entry.cpp")
    target_link_libraries(fuzz_${name} PRIVATE essbench_options ${arg_DEPENDS})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/targets")
    add_dependencies(fuzz_targets fuzz_${name})
    # What ci/fuzz needs to know of a target: its name and where its corpus lies.
    set_property(GLOBAL APPEND_STRING PROPERTY ESSBENCH_FUZZ_LIST "${name} ${corpus}\n")
  endif()
  if(ESSBENCH_TESTS)
    add_executable(ess_${name}_corpus_tests ${sources} "${support}/corpus_test.cpp")
    target_link_libraries(ess_${name}_corpus_tests PRIVATE ${arg_DEPENDS} ess::test_main)
    target_compile_definitions(ess_${name}_corpus_tests PRIVATE "ESSBENCH_CORPUS=\"${corpus}\"")
    gtest_discover_tests(ess_${name}_corpus_tests TEST_PREFIX "fuzz/${name}/" DISCOVERY_TIMEOUT 60
                         WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  endif()
endfunction()

function(essbench_write_fuzz_list)
  if(ESSBENCH_FUZZ)
    get_property(list GLOBAL PROPERTY ESSBENCH_FUZZ_LIST)
    file(WRITE "${PROJECT_BINARY_DIR}/targets.txt" "${list}")
  endif()
endfunction()
