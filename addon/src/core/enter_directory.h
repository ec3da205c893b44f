// Where a payload starts.
#pragma once

#include <string>
#include <vector>

#include "plan.h"

namespace sing {

/// Enters the first directory that can be entered, and tells its name without links. What failed before is said as its entry wants it; a fault when
/// that was not to fail, or nothing is left.
Outcome<std::string> enterFirst(const std::vector<plan::WorkingDirectory>& candidates);

}  // namespace sing
