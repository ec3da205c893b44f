// Getting an answer from the planner, without lending it the caller's privileges.
#pragma once

#include <string>
#include <vector>

#include "../core/fault.h"
#include "../core/json.h"
#include "../host/host.h"

namespace sing {

/// The planner's answer. With capabilities (root) the planner runs in a child that has none but to read files; the handles that
/// it opened arrive here under the same numbers.
Outcome<json::Value> planCommandLine(const std::vector<std::string>& words, const HostContext& context);

}  // namespace sing
