// Removing a directory with everything in it.
#pragma once

#include <string>

#include "fault.h"

namespace sing {

/// Removes `name` below the open directory, with everything in it; never follows a link. Goes on after a failure and reports the first. Several may
/// remove the same.
Status removeTree(int parent, const std::string& name);

}  // namespace sing
