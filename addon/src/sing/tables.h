// Lists for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "../core/json.h"

namespace sing {

/// Columns as wide as their widest cell, four blanks apart. Control characters are shown as `?`.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// JSON for other programs: UTF-8, indented with tabs. Bytes that are no UTF-8 become U+FFFD.
std::string prettyJson(const json::Value& value);

/// `1.5KiB`, with at most one digit behind the point.
std::string sizeText(double bytes);

}  // namespace sing
