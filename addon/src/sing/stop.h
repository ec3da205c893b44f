// Ending instances.
#pragma once

#include "found_instances.h"

namespace sing {

struct StopOptions {
  int signal = 0;
  /// Milliseconds until those that are still there are killed.
  int64_t patience = 0;
};

/// Sends the signal to each, kills what is left after the time, and waits until they are gone. The exit status.
int stopInstances(const std::vector<InstanceRecord>& instances, const StopOptions& options);

}  // namespace sing
