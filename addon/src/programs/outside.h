// Starting such a program outside of the PID namespace of the launch.
//
// A payload could look into a program of the same user that it sees, and would find there what it is not to see. And whatever is in a PID namespace is
// killed with it, also a server that has not written everything yet.
#pragma once

#include <optional>
#include <vector>

#include "program.h"

namespace sing {

/// A process in the user and the mount namespace of the launch, but not in its PID namespace; it ends with the process that becomes the payload, or when
/// that becomes it.
class OutsideStarter {
 public:
  /// Forks it, before the PID namespace is made. `kept`: descriptors that works will name by their numbers (programs and images). `enterAs`: ids that the
  /// launch takes in its user namespace.
  static Outcome<OutsideStarter> start(const std::vector<int>& kept, const std::optional<plan::Identity>& enterAs);

  /// As mountByProgram. Session and `keptOpen` are handed over.
  Outcome<Descriptor> mount(const ProgramWork& work, const ProgramMount& mount);

 private:
  explicit OutsideStarter(Descriptor channel) : channel_(std::move(channel)) {}

  Descriptor channel_;
};

}  // namespace sing
