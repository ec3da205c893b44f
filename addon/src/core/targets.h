// prepare_targets: mount points that an image lacks are made in a layer above it, never in the image.
#pragma once

#include <string>

namespace sing {

/// Makes what is missing of one path, whose last part is to be a directory, or a file. `rootfs` and `layer` are opened directories, possibly the same. What cannot be made is left.
void prepareTarget(int rootfs, int layer, const std::string& path, bool directory);

}  // namespace sing
