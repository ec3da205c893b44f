#include "credentials.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capabilities.h"

namespace sing {

namespace {

/// Makes every permitted capability effective: a change of uid may have cleared them.
Status raisePermitted() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return failed("read the capabilities");
  for (auto& half : data) half.effective = half.permitted;
  if (syscall(SYS_capset, &header, data) != 0) return failed("raise the capabilities");
  return {};
}

}  // namespace

Status takeIdentity(const plan::Identity& identity) {
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return failed("keep the capabilities");
  if (identity.groups) {
    const std::vector<gid_t> groups(identity.groups->begin(), identity.groups->end());
    if (setgroups(groups.size(), groups.data()) != 0) return failed("set the supplementary groups");
  }
  if (setresgid(identity.gid, identity.gid, identity.gid) != 0) return failed("become group " + std::to_string(identity.gid));
  if (setresuid(identity.uid, identity.uid, identity.uid) != 0) return failed("become user " + std::to_string(identity.uid));
  uid_t real = 0, effective = 0, saved = 0;
  gid_t realGroup = 0, effectiveGroup = 0, savedGroup = 0;
  if (getresuid(&real, &effective, &saved) != 0 || getresgid(&realGroup, &effectiveGroup, &savedGroup) != 0) return failed("read the ids back");
  if (real != identity.uid || effective != identity.uid || saved != identity.uid || realGroup != identity.gid ||
      effectiveGroup != identity.gid || savedGroup != identity.gid) {
    return refused("Expected the ids " + std::to_string(identity.uid) + ":" + std::to_string(identity.gid) +
                   " after setting them, got " + std::to_string(effective) + ":" + std::to_string(effectiveGroup));
  }
  // The change made /proc/self belong to root; what follows still has to open things there.
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  return raisePermitted();
}

Status applyCredentials(const plan::Credentials& credentials) {
  uint64_t wanted = 0;
  if (credentials.choice != plan::CapabilityChoice::none) {
    // Nobody can keep what he does not hold: a caller with less than the full set gets the intersection.
    wanted = boundingCapabilities() & effectiveCapabilities();
    if (credentials.choice == plan::CapabilityChoice::listed) wanted &= credentials.capabilities;
  }
  // Who may not do it needs no_new_privs to be sure that nothing outside `wanted` comes back; without that it is a fault.
  if (mayDropBounding() || !credentials.noNewPrivileges) SING_TRY(dropBounding(wanted));
  if (credentials.identity) SING_TRY(takeIdentity(*credentials.identity));
  if (credentials.noNewPrivileges) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("give up new privileges");
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return refused("Expected no_new_privs to be set, got it unset");
  }
  return setCapabilities(wanted);
}

}  // namespace sing
