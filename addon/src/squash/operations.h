// The requests of the kernel that the image server answers.
#pragma once

extern "C" {
#include <squashfuse/ll.h>
}

namespace sing {

/// Most are answered by the library. What is not named is answered with ENOSYS, which the kernel takes for "never again".
fuse_lowlevel_ops squashfsOperations();

}  // namespace sing
