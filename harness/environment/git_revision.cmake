# Writes which commit the sources are, at every build; touches the file only when that changes.
#   cmake -DSOURCE=... -DOUTPUT=... -P git_revision.cmake
set(revision unknown)
set(state unknown)

function(git out)
  execute_process(COMMAND git -C "${SOURCE}" --no-optional-locks ${ARGN} OUTPUT_VARIABLE text RESULT_VARIABLE failed
                  ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed)
    set(text unknown)
  endif()
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

# Sources unpacked somewhere inside another project's checkout are not that project's commit.
git(top rev-parse --show-toplevel)
file(REAL_PATH "${SOURCE}" source)
if(top STREQUAL source)
  git(revision rev-parse HEAD)
  git(changes status --porcelain --untracked-files=no)
  if(changes STREQUAL "")
    set(state clean)
  elseif(NOT changes STREQUAL unknown)
    set(state dirty)
  endif()
endif()

file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
#pragma once

namespace harness::build {

inline constexpr char git_revision[] = "@revision@";
inline constexpr char git_state[] = "@state@";  // clean, dirty or unknown

}  // namespace harness::build
]])
