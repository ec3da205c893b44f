#include "confine.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "../core/descriptor.h"

namespace sing {

namespace {

#if defined(__x86_64__)
constexpr uint32_t thisArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t thisArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "The seccomp filter is written for x86_64 and aarch64"
#endif

/// Memory, time and the end: what any computation needs.
constexpr int common[] = {SYS_read,  SYS_readv,        SYS_write,         SYS_writev,        SYS_pread64,      SYS_close,
                          SYS_fstat, SYS_munmap,       SYS_mremap,        SYS_brk,           SYS_madvise,      SYS_futex,
                          SYS_exit,  SYS_exit_group,   SYS_clock_gettime, SYS_gettimeofday,  SYS_rt_sigreturn, SYS_rt_sigprocmask,
                          SYS_getpid, SYS_gettid,      SYS_tgkill,        SYS_rt_sigaction,  SYS_getrandom,    SYS_fcntl,
                          SYS_restart_syscall};

/// Making a tree below an open directory, and saying how it went.
constexpr int writing[] = {SYS_openat,   SYS_mkdirat,  SYS_symlinkat, SYS_linkat,    SYS_mknodat,   SYS_fchmod,
                           SYS_fchmodat, SYS_fchown,   SYS_fchownat,  SYS_utimensat, SYS_ftruncate, SYS_lseek,
                           SYS_fsetxattr, SYS_pwrite64, SYS_umask,     SYS_sendmsg};

/// Saying to the keeper of a shared mount that its server is alive; threads that come and go.
constexpr int serving[] = {SYS_sendmsg, SYS_recvmsg, SYS_sched_yield};

/// Taking connections, copying a mount, and leaving nothing behind.
constexpr int keeping[] = {SYS_ppoll, SYS_accept4, SYS_getsockopt, SYS_sendmsg, SYS_recvmsg, SYS_open_tree, SYS_newfstatat, SYS_unlinkat, SYS_flock,
                           SYS_clock_nanosleep};

constexpr sock_filter statement(uint16_t code, uint32_t k) { return {code, 0, 0, k}; }
constexpr sock_filter jump(uint16_t code, uint32_t k, uint8_t yes, uint8_t no) { return {code, yes, no, k}; }

std::vector<sock_filter> filterFor(Confinement kind) {
  constexpr uint16_t load = BPF_LD | BPF_W | BPF_ABS, equal = BPF_JMP | BPF_JEQ | BPF_K;
  constexpr uint32_t allow = SECCOMP_RET_ALLOW, deny = SECCOMP_RET_ERRNO | EPERM;
  std::vector<sock_filter> filter = {
      statement(load, offsetof(seccomp_data, arch)),
      jump(equal, thisArchitecture, 1, 0),
      statement(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      statement(load, offsetof(seccomp_data, nr)),
  };
  const auto permit = [&](int number) {
    filter.push_back(jump(equal, static_cast<uint32_t>(number), 0, 1));
    filter.push_back(statement(BPF_RET | BPF_K, allow));
  };
  for (const int number : common) permit(number);
  switch (kind) {
    case Confinement::server:
      for (const int number : serving) permit(number);
      break;
    case Confinement::extractor:
      for (const int number : writing) permit(number);
      break;
    case Confinement::keeper:
      for (const int number : keeping) permit(number);
      break;
  }
  // Memory may be mapped, but never as code.
  for (const int number : {SYS_mmap, SYS_mprotect}) {
    filter.push_back(jump(equal, static_cast<uint32_t>(number), 0, 4));
    filter.push_back(statement(load, offsetof(seccomp_data, args[2])));
    filter.push_back(jump(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
    filter.push_back(statement(BPF_RET | BPF_K, deny));
    filter.push_back(statement(BPF_RET | BPF_K, allow));
  }
  filter.push_back(statement(BPF_RET | BPF_K, deny));
  return filter;
}

Status allowBelow(int rules, int directory, uint64_t access) {
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = access;
  beneath.parent_fd = directory;
  if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) return failed("add a Landlock rule");
  return {};
}

Status restrictPaths(Confinement kind, const ConfinedPaths& paths) {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  // A kernel without Landlock, or one whose first version forbids every second name of a file: the seccomp filter is the only fence.
  if (version < (kind == Confinement::extractor ? 2 : 1)) return {};
  constexpr uint64_t make = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                            LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |
                            LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                            LANDLOCK_ACCESS_FS_MAKE_BLOCK;
  constexpr uint64_t rest = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE;
  // Linking between directories needs REFER, which the second version brought.
  const uint64_t refer = version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = make | rest | refer;
  Descriptor rules(static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!rules) return failed("make the Landlock rules");
  if (paths.tree >= 0) SING_TRY(allowBelow(rules.get(), paths.tree, make | refer));
  if (paths.sockets >= 0) SING_TRY(allowBelow(rules.get(), paths.sockets, LANDLOCK_ACCESS_FS_REMOVE_FILE));
  if (paths.above >= 0) SING_TRY(allowBelow(rules.get(), paths.above, LANDLOCK_ACCESS_FS_REMOVE_DIR));
  if (syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return failed("restrict the process by Landlock");
  return {};
}

}  // namespace

Status confinePaths(Confinement kind, const ConfinedPaths& paths, uint64_t memoryBytes) {
  rlimit memory{};
  const rlimit none{0, 0};
  if (getrlimit(RLIMIT_AS, &memory) != 0) return failed("read the limit of memory");
  // The caller may have less than that.
  memory.rlim_max = std::min<rlim_t>(memory.rlim_max, memoryBytes);
  memory.rlim_cur = std::min(memory.rlim_cur, memory.rlim_max);
  if (setrlimit(RLIMIT_AS, &memory) != 0) return failed("limit the memory");
  if (setrlimit(RLIMIT_CORE, &none) != 0) return failed("forbid core dumps");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("give up new privileges");
  return restrictPaths(kind, paths);
}

Status confineCalls(Confinement kind) {
  auto filter = filterFor(kind);
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  // With this flag a positive answer is the id of a thread that did not take part.
  const long answer = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  if (answer < 0) return failed("install the seccomp filter");
  if (answer > 0) return refused("Expected the seccomp filter in every thread, got one that refused it");
  return {};
}

Status confine(Confinement kind, const ConfinedPaths& paths, uint64_t memoryBytes) {
  SING_TRY(confinePaths(kind, paths, memoryBytes));
  return confineCalls(kind);
}

}  // namespace sing
