# libxsmm, as Debian packages it: static libraries without CMake files. Defines libxsmm::libxsmm.
find_path(LIBXSMM_INCLUDE_DIR libxsmm.h)
find_library(LIBXSMM_LIBRARY xsmm)
find_library(LIBXSMM_NOBLAS_LIBRARY xsmmnoblas)  # small products are all that is asked of it: no BLAS behind them
mark_as_advanced(LIBXSMM_INCLUDE_DIR LIBXSMM_LIBRARY LIBXSMM_NOBLAS_LIBRARY)
if(LIBXSMM_INCLUDE_DIR)
  file(STRINGS "${LIBXSMM_INCLUDE_DIR}/libxsmm_version.h" line REGEX "define LIBXSMM_CONFIG_VERSION ")
  string(REGEX MATCH "[0-9.]+[0-9]" LIBXSMM_VERSION "${line}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LIBXSMM REQUIRED_VARS LIBXSMM_LIBRARY LIBXSMM_NOBLAS_LIBRARY LIBXSMM_INCLUDE_DIR
                                  VERSION_VAR LIBXSMM_VERSION)
if(LIBXSMM_FOUND AND NOT TARGET libxsmm::libxsmm)
  find_package(Threads REQUIRED)
  add_library(libxsmm::libxsmm STATIC IMPORTED)
  set_target_properties(libxsmm::libxsmm PROPERTIES IMPORTED_LOCATION "${LIBXSMM_LIBRARY}"
                                                    INTERFACE_INCLUDE_DIRECTORIES "${LIBXSMM_INCLUDE_DIR}")
  target_link_libraries(libxsmm::libxsmm INTERFACE "${LIBXSMM_NOBLAS_LIBRARY}" Threads::Threads ${CMAKE_DL_LIBS} m)
endif()
