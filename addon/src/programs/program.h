// File systems that a FUSE program of the distribution serves: fuse2fs for ext3, fuse-overlayfs for layers over it.
//
// Such a program wants to mount by itself. It is given no right to: its mount call is answered by the launch, which makes the mount from the device
// that the program has opened, and attaches it where it belongs. The program lives outside the launch's mount namespace (else it would keep its own mount
// alive for ever), can open only what it is there for, and ends when the kernel says that its mount is gone.
#pragma once

#include <string>
#include <vector>

#include "../core/descriptor.h"
#include "../core/fault.h"
#include "../core/plan.h"

namespace sing {

/// Opens a program and checks that only root can have written it. Before a user namespace is made: inside, root is nobody.
Outcome<Descriptor> openProgram(const std::string& path);

struct ProgramWork {
  int program = -1;
  std::vector<std::string> arguments;
  /// Its working directory: paths in the arguments begin there.
  int session = -1;
  /// Where it believes to mount.
  std::string mountPoint;
  /// It may read what lies in the session, and with `writes` write there.
  bool seesSession = false;
  /// The one file that it may open, by its number, or -1.
  int image = -1;
  bool writes = false;
  bool keepsCapabilities = false;
  /// Stays open until it ends, or -1.
  int keptOpen = -1;
};

struct ProgramMount {
  std::string source;
  bool allowOther = false;
  plan::MountFlags flags;
};

/// Starts the program and makes the mount that it asks for, attached nowhere yet. A fault holds what the program said.
Outcome<Descriptor> mountByProgram(const ProgramWork& work, const ProgramMount& mount);

}  // namespace sing
