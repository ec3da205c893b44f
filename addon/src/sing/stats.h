// What an instance uses.
#pragma once

#include "found_instances.h"

namespace sing {

/// Prints it once, or again every second until the instance ends. The exit status.
int printStats(const InstanceRecord& instance, bool once, bool asJson);

}  // namespace sing
