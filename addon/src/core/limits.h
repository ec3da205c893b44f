// How much a plan may ask for. The planner stays far below; the executor does not trust that.
#pragma once

#include <cstddef>
#include <cstdint>

namespace sing::limits {

inline constexpr size_t planBytes = 64u << 20;
inline constexpr size_t pathBytes = 4095;
inline constexpr size_t nameBytes = 255;
inline constexpr size_t instanceName = 128;
inline constexpr size_t textBytes = 32u << 20;     // an argument, a script, an environment variable
inline constexpr size_t contentBytes = 1u << 20;   // write_file
inline constexpr size_t steps = 4096;
inline constexpr size_t targets = 4096;            // prepare_targets
inline constexpr size_t listEntries = 100'000;     // arguments, environment, groups
inline constexpr size_t commands = 256;
inline constexpr size_t idRanges = 340;            // what the kernel takes
inline constexpr size_t lowerLayers = 128;
inline constexpr size_t underlayEntries = 20'000;  // shown one by one; the kernel takes 100,000 mounts
inline constexpr size_t underlayDepth = 128;
inline constexpr size_t backends = 8;
inline constexpr size_t handles = 64;
inline constexpr int maxHandle = 1 << 20;
inline constexpr double idleSeconds = 86400;
inline constexpr double maxId = 4294967294.0;
inline constexpr double maxSize = 9007199254740991.0;
inline constexpr size_t accountsFile = 16u << 20;  // /etc/passwd and /etc/group of an image
inline constexpr size_t environmentScript = 64u << 10;
inline constexpr size_t hostFile = 16u << 20;      // Host.readFile
inline constexpr size_t hostEnvironment = 10'000;  // entries
inline constexpr size_t helpFile = 4u << 20;
inline constexpr int linksFollowed = 40;

}  // namespace sing::limits
