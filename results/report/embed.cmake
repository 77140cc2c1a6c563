# Writes OUT: a C++ source that holds the parts of the page. Each part is a list of paths with | between them,
# put one after another; an empty list is an empty text.
set(source "#include \"results/report/page.h\"\n\nnamespace results {\n\nconst page_parts& embedded_page() {\n  static const page_parts parts{\n")
foreach(part IN ITEMS template style script charts)
  string(REPLACE "|" ";" paths "${${part}}")
  set(text "")
  foreach(path IN LISTS paths)
    file(READ "${path}" one)
    string(APPEND text "${one}")
  endforeach()
  string(APPEND source "      .${part}_text = R\"embedded(${text})embedded\",\n")
endforeach()
string(APPEND source "  };\n  return parts;\n}\n\n}  // namespace results\n")
file(WRITE "${OUT}" "${source}")
