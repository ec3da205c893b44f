// An underlay: mount points that an image lacks, without an overlay. Directories in memory take the place of those in which something is missing.
#pragma once

#include "launch.h"

namespace sing {

/// mount_underlay. Says at level VERBOSE that it was taken, and warns where it takes many mounts.
Status mountUnderlay(StepContext& context, const plan::MountUnderlay& step);

/// Where a directory of `layer` (on a file system of this launch) has something that its counterpart lacks, covers the counterpart with it and binds everything else
/// of the counterpart into it; links are made anew. `layer` and `shown`, a directory of an attached mount, are open. A directory that this process cannot read is left.
/// The number of binds, or a fault, also when there are more than `entries` entries.
Outcome<size_t> fillUnderlay(int layer, int shown, size_t entries);

}  // namespace sing
