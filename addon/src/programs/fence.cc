#include "fence.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <vector>

#include "root.h"

namespace sing {

namespace {

#if defined(__x86_64__)
constexpr uint32_t thisArchitecture = AUDIT_ARCH_X86_64;
// Numbers above are of the x32 interface.
constexpr uint32_t firstForeign = 0x40000000;
#elif defined(__aarch64__)
constexpr uint32_t thisArchitecture = AUDIT_ARCH_AARCH64;
constexpr uint32_t firstForeign = 0xffffffff;
#else
#error "The seccomp filter is written for x86_64 and aarch64"
#endif

/// A list of what is forbidden, not of what is allowed: the program and its C library are the distribution's, in any version.
constexpr int forbidden[] = {
    // other processes of the user
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_open,
    SYS_pidfd_getfd, SYS_pidfd_send_signal, SYS_kcmp, SYS_process_madvise, SYS_migrate_pages, SYS_move_pages,
    // sockets
    SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4,
    // namespaces and mounts
    SYS_unshare, SYS_setns, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_open_tree, SYS_move_mount, SYS_fsmount, SYS_fsconfig, SYS_fspick, SYS_mount_setattr,
    SYS_swapon, SYS_swapoff, SYS_quotactl, SYS_open_by_handle_at,
    // parts of the kernel that are for others
    SYS_bpf, SYS_perf_event_open, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_userfaultfd, SYS_add_key, SYS_request_key, SYS_keyctl,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_acct, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex,
    SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname, SYS_syslog, SYS_personality, SYS_seccomp};

constexpr sock_filter statement(uint16_t code, uint32_t k) { return {code, 0, 0, k}; }
constexpr sock_filter jump(uint16_t code, uint32_t k, uint8_t yes, uint8_t no) { return {code, yes, no, k}; }

std::vector<sock_filter> callFilter() {
  constexpr uint16_t load = BPF_LD | BPF_W | BPF_ABS, equal = BPF_JMP | BPF_JEQ | BPF_K, answer = BPF_RET | BPF_K;
  constexpr uint32_t deny = SECCOMP_RET_ERRNO | EPERM, missing = SECCOMP_RET_ERRNO | ENOSYS;
  std::vector<sock_filter> filter = {
      statement(load, offsetof(seccomp_data, arch)),
      jump(equal, thisArchitecture, 1, 0),
      statement(answer, SECCOMP_RET_KILL_PROCESS),
      statement(load, offsetof(seccomp_data, nr)),
      jump(BPF_JMP | BPF_JGE | BPF_K, firstForeign, 0, 1),
      statement(answer, missing),
  };
  const auto rule = [&](int number, uint32_t result) {
    filter.push_back(jump(equal, static_cast<uint32_t>(number), 0, 1));
    filter.push_back(statement(answer, result));
  };
  rule(SYS_mount, SECCOMP_RET_USER_NOTIF);
  // The older ways are taken instead: mount, and clone, whose flags can be seen.
  rule(SYS_fsopen, missing);
  rule(SYS_clone3, missing);
  for (const int number : forbidden) rule(number, deny);
  filter.push_back(jump(equal, SYS_clone, 0, 4));
  filter.push_back(statement(load, offsetof(seccomp_data, args[0])));
  filter.push_back(jump(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, 0, 1));
  filter.push_back(statement(answer, deny));
  filter.push_back(statement(answer, SECCOMP_RET_ALLOW));
  filter.push_back(statement(answer, SECCOMP_RET_ALLOW));
  return filter;
}

constexpr uint64_t readFile = LANDLOCK_ACCESS_FS_READ_FILE, writeFile = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr uint64_t readTree = readFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t change = writeFile | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                            LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                            LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER;

Status allow(int rules, int path, uint64_t access) {
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = access;
  beneath.parent_fd = path;
  if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) return failed("add a Landlock rule");
  return {};
}

/// What is not there needs no rule.
Status allowPath(int rules, const char* path, uint64_t access) {
  const Descriptor opened(open(path, O_PATH | O_CLOEXEC));
  return opened ? allow(rules, opened.get(), access) : Status();
}

}  // namespace

Status fencePaths(const FencedPaths& paths) {
  // The first version forbids to rename from one directory to another.
  if (syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2) return {};
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = readTree | change | LANDLOCK_ACCESS_FS_EXECUTE;
  const Descriptor rules(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!rules) return failed("make the Landlock rules");
  for (const char* path : programPlaces) SING_TRY(allowPath(rules.get(), path, readTree | LANDLOCK_ACCESS_FS_EXECUTE));
  for (const char* path : programFiles) SING_TRY(allowPath(rules.get(), path, readFile));
  for (const char* path : {"/proc/sys/kernel/overflowuid", "/proc/sys/kernel/overflowgid"}) SING_TRY(allowPath(rules.get(), path, readFile));
  for (const char* path : programDevices) SING_TRY(allowPath(rules.get(), path, readFile | writeFile));
  if (paths.image >= 0) SING_TRY(allow(rules.get(), paths.image, readFile | (paths.writes ? writeFile : 0)));
  if (paths.mountPoint >= 0) SING_TRY(allow(rules.get(), paths.mountPoint, readTree));
  if (paths.session >= 0) SING_TRY(allow(rules.get(), paths.session, readTree | (paths.writes ? change : 0)));
  if (syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return failed("restrict the process by Landlock");
  return {};
}

Outcome<Descriptor> fenceCalls() {
  auto filter = callFilter();
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  const long listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  if (listener < 0) return failed("install the seccomp filter");
  return Descriptor(static_cast<int>(listener));
}

}  // namespace sing
