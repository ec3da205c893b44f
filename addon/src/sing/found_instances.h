// Instances that run, as the commands about them find them.
#pragma once

#include "../core/instance_folder.h"

namespace sing {

/// Whose instances are asked for, and which.
struct InstanceQuery {
  plan::InstancePlace place;
  uid_t owner = 0;
  /// In the way of the shell; empty: all.
  std::string glob;
};

/// Those that run and match, by name. Records of instances that are gone are removed; one that cannot be believed is said and left alone.
std::vector<InstanceRecord> findInstances(const InstanceQuery& query);

}  // namespace sing
