// The requests of the kernel that the image server answers.
#pragma once

#include <mutex>

#include "reader.h"

extern "C" {
#include <squashfuse/ll.h>
}

namespace sing {

/// Most requests are answered by the library, one at a time; files are read by every thread for itself. What is not named is answered with ENOSYS, which
/// the kernel takes for "never again".
fuse_lowlevel_ops squashfsOperations();

/// What the requests that this thread takes are answered with. To be called once in each thread, before it takes one.
void serveWith(std::mutex& library, FileReader& reader);

}  // namespace sing
