// What the process that started a launch is told besides the exit status: JSON lines on a descriptor, when one was given.
#pragma once

#include <optional>
#include <string>

#include "json.h"

namespace sing {

/// Where reports go from now on; -1: nowhere. One per process.
void setReportDescriptor(int descriptor);
int reportDescriptor();

/// A launch that could not be done: `step` is the index in the plan (or absent), `kind` and `path` say what it was about.
struct LaunchFault {
  std::optional<size_t> step;
  std::string kind, path;
  Fault fault;
};

void reportFault(const LaunchFault& fault, const std::string& sentence);
void reportCommand(size_t index, const std::string& name, int waitStatus);

}  // namespace sing
