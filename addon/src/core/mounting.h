// The few kinds of mount that a launch needs, over the descriptor-based mount calls (Linux 5.12 and later).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "descriptor.h"
#include "fault.h"
#include "plan.h"

namespace sing {

using MountOptions = std::vector<std::pair<std::string, std::string>>;

/// The MOUNT_ATTR_* bits of the flags.
uint64_t mountAttributes(const plan::MountFlags& flags);

/// A copy of the mount at `source` (with all below it when `recursive`), attached nowhere yet.
Outcome<Descriptor> cloneMount(int source, bool recursive);

/// Adds flags to a mount that is not attached. Flags that it has are kept: a user namespace may not take locked ones away.
Status addFlags(int mount, const plan::MountFlags& flags, bool recursive, bool makePrivate);

/// A new file system of the kernel, attached nowhere yet. An option without value is given as an empty text.
Outcome<Descriptor> newFileSystem(const std::string& type, const std::string& source, const MountOptions& options,
                                  const plan::MountFlags& flags);

/// The mount of a FUSE server, attached nowhere yet, for the open device `fuse`. Without `allowOther` only the caller's own ids may use it. `byModes`: the
/// kernel decides from owners and modes who may do what; else the server does.
Outcome<Descriptor> newFuseMount(int fuse, const std::string& source, bool allowOther, const plan::MountFlags& flags, bool byModes = false);

/// Attaches a mount on top of what `target` refers to.
Status attach(int mount, int target);

/// Makes every mount of this namespace a slave of the host's, or private.
Status setPropagation(bool slave);

/// Makes the working directory, a mount point, the root of this process, and takes the old root away. Ends in the new `/`.
Status changeRoot();

}  // namespace sing
