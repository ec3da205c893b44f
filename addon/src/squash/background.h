// Processes that outlive the launch which forked them.
#pragma once

#include <vector>

namespace sing {

/// As what they show themselves in lists of processes.
inline constexpr const char* backgroundName = "sing-image";

/// Leaves the caller's session, signals, streams, directory and descriptors; what is listed stays open. A session of its own: what the
/// terminal sends (Ctrl-C) is for the payload. Other signals are not for it either: it has to outlive a payload that catches SIGTERM, and
/// it ends by itself.
void leaveCaller(const std::vector<int>& keep);

}  // namespace sing
