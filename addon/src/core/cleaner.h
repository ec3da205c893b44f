// A process that removes directories when the launch that made them is over, however it ended.
#pragma once

#include <string>

#include "channel.h"

namespace sing {

/// Removes `name` below the open directory, with everything in it; never follows a link. Goes on after a failure and reports the first.
Status removeTree(int parent, const std::string& name);

/// Waits outside the new namespaces, where nothing of the container can reach it.
class Cleaner {
 public:
  /// Forked before `unshare`; watches this process, also through the exec that makes it the payload.
  static Outcome<Cleaner> start();
  /// Registers a directory before it is made. `userNamespace` (or -1) is entered to remove files of its ids.
  Status registerTree(int parent, const std::string& name, int userNamespace);

 private:
  explicit Cleaner(Descriptor channel) : channel_(std::move(channel)) {}
  Descriptor channel_;
};

}  // namespace sing
