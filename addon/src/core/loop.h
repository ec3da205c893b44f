// Images by the kernel's drivers over a loop device. Takes the rights of root on the host.
#pragma once

#include "descriptor.h"
#include "fault.h"
#include "plan.h"

namespace sing {

/// A mount of the file system in an image, attached nowhere yet. Its loop device goes away with the last mount.
Outcome<Descriptor> newLoopMount(const plan::ImageFile& image, bool readOnly, const plan::MountFlags& flags);

/// Whether the kernel says that this is a mount of the squashfs in this very file, at this place of it; only root of the host can make one. Else a fault.
Status checkLoopMount(int mount, const plan::ImageFile& image);

}  // namespace sing
