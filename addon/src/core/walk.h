// Opening paths that must not leave where they start: the session tmpfs, or the container's root.
#pragma once

#include <string>

#include "descriptor.h"
#include "fault.h"

namespace sing {

/// Opens a session path below `session`. No symbolic link is followed.
Outcome<Descriptor> openInSession(int session, const std::string& path, int flags);

/// Opens a container path: links are followed inside `root`, `..` stops there, magic links of /proc lead nowhere.
Outcome<Descriptor> openInContainer(int root, const std::string& path, int flags);

/// Opens what lies at `path` in a file system that is mounted at the session path `at`: links are followed inside it.
Outcome<Descriptor> openInImage(int session, const std::string& at, const std::string& path);

/// The container path of an open descriptor (links resolved), from the kernel's name of it and of `root`.
Outcome<std::string> containerPath(int root, int descriptor);

/// The directory that holds the last part of a session path, and that part.
struct Parent {
  Descriptor directory;
  std::string name;
};
Outcome<Parent> openSessionParent(int session, const std::string& path);

/// Makes a session directory with exactly this mode, and its missing parents (0755).
Status makeSessionDirectory(int session, const std::string& path, unsigned mode);

}  // namespace sing
