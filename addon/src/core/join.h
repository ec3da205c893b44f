// Starting a payload in an instance that runs already.
#pragma once

#include "execute.h"
#include "plan.h"

namespace sing {

/// Enters all namespaces of the instance and runs the payload there, as a child of this process. The processes that the plan names have to be
/// what they were when it was made: of this user, started when it says, process 1 of a PID namespace with the name of ours, and its keeper.
/// Returns the exit status only when that was not to be.
int joinInstance(const plan::JoinPlan& plan, const ExecuteOptions& options);

}  // namespace sing
