#include "capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace sing {

namespace {

// In the kernel's order: the index is the number.
constexpr std::array<std::string_view, 41> names = {
    "CAP_CHOWN",           "CAP_DAC_OVERRIDE",  "CAP_DAC_READ_SEARCH", "CAP_FOWNER",          "CAP_FSETID",
    "CAP_KILL",            "CAP_SETGID",        "CAP_SETUID",          "CAP_SETPCAP",         "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",      "CAP_NET_RAW",         "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",       "CAP_SYS_MODULE",    "CAP_SYS_RAWIO",       "CAP_SYS_CHROOT",      "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",       "CAP_SYS_ADMIN",     "CAP_SYS_BOOT",        "CAP_SYS_NICE",        "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",        "CAP_SYS_TTY_CONFIG", "CAP_MKNOD",          "CAP_LEASE",           "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",   "CAP_SETFCAP",       "CAP_MAC_OVERRIDE",    "CAP_MAC_ADMIN",       "CAP_SYSLOG",
    "CAP_WAKE_ALARM",      "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ",      "CAP_PERFMON",         "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE"};

}  // namespace

std::optional<int> capabilityNumber(std::string_view name) {
  for (size_t number = 0; number < names.size(); ++number) {
    if (names[number] == name) return static_cast<int>(number);
  }
  return std::nullopt;
}

uint64_t effectiveCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return 0;
  return data[0].effective | static_cast<uint64_t>(data[1].effective) << 32;
}

uint64_t boundingCapabilities() {
  uint64_t set = 0;
  for (int number = 0; number < 64; ++number) {
    const int held = prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (held < 0) break;  // EINVAL: past the last one that this kernel knows
    if (held == 1) set |= uint64_t{1} << number;
  }
  return set;
}

bool mayDropBounding() {
  constexpr int capSetPcap = 8;
  return (effectiveCapabilities() >> capSetPcap & 1) != 0;
}

Status dropBounding(uint64_t keep) {
  for (int number = 0; number < 64; ++number) {
    if ((keep >> number & 1) || prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) break;  // past the last one that this kernel knows
    const int error = errno;
    // Who may not drop any is content with one that is not there.
    if (prctl(PR_CAPBSET_READ, number, 0, 0, 0) != 1) continue;
    return Fault{"drop capability " + std::to_string(number) + " from the bounding set", error};
  }
  return {};
}

namespace {

Status writeSets(uint64_t held, uint64_t inheritable) {
  // The ambient set can only hold what is permitted and inheritable; it is emptied first.
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return failed("clear the ambient capabilities");
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const auto half = [&](int shift) {
    const auto own = static_cast<uint32_t>(held >> shift);
    return __user_cap_data_struct{own, own, static_cast<uint32_t>(inheritable >> shift)};
  };
  __user_cap_data_struct data[2] = {half(0), half(32)};
  if (syscall(SYS_capset, &header, data) != 0) return failed("set the capabilities");
  return {};
}

}  // namespace

Status limitCapabilities(uint64_t keep) {
  const uint64_t held = effectiveCapabilities() & keep;
  // A caller may have some capabilities and not this one (a service with ambient capabilities). The bounding set is the last of
  // the fences: with no_new_privs an execve never gives more than was held before it.
  if (mayDropBounding()) SING_TRY(dropBounding(held));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("give up new privileges");
  return writeSets(held, 0);
}

Status setCapabilities(uint64_t set) {
  SING_TRY(writeSets(set, set));
  for (int number = 0; number < 64; ++number) {
    if (!(set >> number & 1)) continue;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0) {
      return failed("raise capability " + std::to_string(number) + " in the ambient set");
    }
  }
  return {};
}

}  // namespace sing
