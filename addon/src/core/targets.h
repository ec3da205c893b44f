// prepare_targets: mount points that an image lacks are made in a layer above it, never in the image.
#pragma once

#include "plan.h"

namespace sing {

/// Makes what is missing of one target. `rootfs` and `layer` are opened directories, possibly the same. What cannot be made is left.
void prepareTarget(int rootfs, int layer, const plan::PreparedTarget& target);

}  // namespace sing
