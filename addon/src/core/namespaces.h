// Entering new namespaces, with id maps.
#pragma once

#include <optional>

#include "channel.h"
#include "plan.h"

namespace sing {

/// A child that stays outside the new user namespace and writes the id maps from there.
class IdMapHelper {
 public:
  /// Forked before `unshare`; waits until it is asked.
  static Outcome<IdMapHelper> start(const plan::UserNamespace& user);
  /// Has the maps of this process written, and ends the helper.
  Status write();

 private:
  IdMapHelper(pid_t child, Descriptor channel) : child_(child), channel_(std::move(channel)) {}
  pid_t child_;
  Descriptor channel_;
};

/// Unshares what the plan wants but the PID namespace, and writes the id maps.
Status enterNamespaces(const plan::Namespaces& wanted, std::optional<IdMapHelper>& helper);

/// Makes the PID namespace, if the plan wants one. It takes effect for the next child.
Status enterPidNamespace(const plan::Namespaces& wanted);

/// What has to be set up inside the new namespaces: host name, loopback, propagation of mounts.
Status settleNamespaces(const plan::Namespaces& wanted);

}  // namespace sing
