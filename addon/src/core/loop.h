// Images by the kernel's drivers over a loop device. Takes the rights of root on the host.
#pragma once

#include <vector>

#include "descriptor.h"
#include "fault.h"
#include "plan.h"

namespace sing {

/// So many mounts of the file system in an image, attached nowhere yet, by one loop device, which goes away with the last of them.
Outcome<std::vector<Descriptor>> newLoopMounts(const plan::ImageFile& image, bool readOnly, const plan::MountFlags& flags, size_t count);

/// Whether the kernel says that this is a mount of the squashfs in this very file, at this place of it; only root of the host can make one. Else a fault.
Status checkLoopMount(int mount, const plan::ImageFile& image);

}  // namespace sing
