// Runs the launch planner (the bundle of libs/runtime) in the embedded script engine.
#pragma once

#include <string>
#include <vector>

#include "../core/fault.h"
#include "../host/host.h"

namespace sing {

/// What the planner answers to the words of a command line (libs/runtime/src/answer.ts). A fault is a bug of the
/// planner, or one of the engine's limits. Handles that it opened are left open.
Outcome<json::Value> askPlanner(const std::vector<std::string>& words, const HostContext& context);

/// An engine that has evaluated the bundle, as bytes that the build puts into the program (state.h), so that no start evaluates it again.
Outcome<std::string> plannerToKeep();

}  // namespace sing
