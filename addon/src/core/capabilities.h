// Names and sets of Linux capabilities.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "fault.h"

namespace sing {

/// The number of a capability by its name ("CAP_CHOWN").
std::optional<int> capabilityNumber(std::string_view name);

/// The effective set of this process.
uint64_t effectiveCapabilities();

/// The bounding set of this process.
uint64_t boundingCapabilities();

/// Whether this process may remove something from its bounding set (CAP_SETPCAP).
bool mayDropBounding();

/// Removes everything outside `keep` from the bounding set.
Status dropBounding(uint64_t keep);

/// Gives up every capability outside `keep`, and the ways to get one back. For helper processes of ours.
Status limitCapabilities(uint64_t keep);

/// Makes effective, permitted, inheritable and ambient sets equal to `set`.
Status setCapabilities(uint64_t set);

}  // namespace sing
