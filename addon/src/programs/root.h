// The root that a FUSE program of the distribution gets: what it is made of, and nothing else of the host.
#pragma once

#include "../core/fault.h"

namespace sing {

/// What programs and their libraries lie in; read and executed.
inline constexpr const char* programPlaces[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store"};
/// Files that they read. What is not there is not missed.
inline constexpr const char* programFiles[] = {"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/fuse.conf", "/etc/localtime"};
/// Devices that they open.
inline constexpr const char* programDevices[] = {"/dev/fuse", "/dev/null", "/dev/urandom"};

/// In a mount namespace of its own, with the session as the working directory: makes a root with the above, /proc and the session, and enters it. Ends in
/// the session. `withMounts`: also what is mounted in it.
///
/// A payload without a PID namespace sees the program, and may look into it when it has the same rights: it finds no more there than this.
Status enterProgramRoot(bool withMounts);

}  // namespace sing
