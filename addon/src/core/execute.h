// Executes a launch plan. The order is that of libs/runtime/src/plan.ts.
#pragma once

#include <string>

#include "plan.h"

namespace sing {

struct ExecuteOptions {
  /// The static shell that ships beside the program.
  std::string ownShell;
  /// A descriptor whose other end the starter holds: when that is closed everything is killed. -1: none.
  int lifeline = -1;
};

/// Starts the container. Does not return when this process becomes the payload; otherwise the exit status.
int execute(const plan::LaunchPlan& plan, const ExecuteOptions& options);

}  // namespace sing
