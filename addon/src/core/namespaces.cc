#include "namespaces.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "files.h"
#include "mounting.h"

namespace sing {

namespace {

std::string mapText(const std::vector<plan::IdRange>& ranges) {
  std::string text;
  for (const auto& range : ranges) {
    text += std::to_string(range.inside) + " " + std::to_string(range.outside) + " " + std::to_string(range.count) + "\n";
  }
  return text;
}

/// Writes setgroups, uid_map and gid_map of a process (`self` or its number).
Status writeMaps(const std::string& process, const plan::UserNamespace& user) {
  const std::string folder = "/proc/" + process + "/";
  // Absent before Linux 3.19 only; a failure to deny shows when the gid map is refused.
  if (!user.allowSetgroups) SING_TRY(writeExisting(AT_FDCWD, folder + "setgroups", "deny"));
  SING_TRY(writeExisting(AT_FDCWD, folder + "uid_map", mapText(user.uidMap)));
  SING_TRY(writeExisting(AT_FDCWD, folder + "gid_map", mapText(user.gidMap)));
  return {};
}

struct Program {
  const std::string& path;
  const std::vector<plan::IdRange>& ranges;
};

Outcome<pid_t> startMapProgram(const Program& program, pid_t target, int output) {
  std::vector<std::string> words = {program.path, std::to_string(target)};
  for (const auto& range : program.ranges) {
    words.push_back(std::to_string(range.inside));
    words.push_back(std::to_string(range.outside));
    words.push_back(std::to_string(range.count));
  }
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // A setuid program gets nothing of the caller's environment but a plain PATH.
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", language[] = "LC_ALL=C";
  char* environment[] = {path, language, nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  pid_t child = -1;
  const int error = posix_spawn(&child, program.path.c_str(), &actions, nullptr, argv.data(), environment);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return Fault{"start " + program.path, error};
  return child;
}

Status runMapPrograms(pid_t target, const plan::UserNamespace& user) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failed("open a pipe");
  Descriptor reading(ends[0]), writing(ends[1]);
  const Program programs[] = {{user.newuidmap, user.uidMap}, {user.newgidmap, user.gidMap}};
  std::vector<pid_t> children;
  for (const auto& program : programs) {
    auto child = startMapProgram(program, target, writing.get());
    if (!child) return child.fault();
    children.push_back(*child);
  }
  writing.reset();
  auto said = readToEnd(reading.get(), 16384);
  for (size_t i = 0; i < children.size(); ++i) {
    const int status = waitFor(children[i]);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    std::string text = said ? *said : std::string();
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return refused(programs[i].path + " did not set up the id map" + (text.empty() ? "" : ": " + text));
  }
  return {};
}

Fault explainUnshare(int error) {
  switch (error) {
    case ENOSPC:
    case EUSERS:
      return Fault{"make a user namespace (see the limits in /proc/sys/user, user.max_user_namespaces first)", error};
    case EPERM:
    case EACCES:
      return Fault{
          "make a user namespace (the kernel does not let this user: look at kernel.unprivileged_userns_clone, "
          "user.max_user_namespaces and, on Ubuntu, kernel.apparmor_restrict_unprivileged_userns)",
          error};
    default:
      return Fault{"make new namespaces", error};
  }
}

}  // namespace

Outcome<IdMapHelper> IdMapHelper::start(const plan::UserNamespace& user) {
  auto channel = openChannel();
  if (!channel) return channel.fault();
  const pid_t target = getpid();
  auto child = forkChild([&]() -> int {
    const int line = channel->there.get();
    channel->here.reset();
    closeAllBut({line});
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!receiveMessage(line)) return 1;
    const auto done = user.writtenBy == plan::MapWriter::programs ? runMapPrograms(target, user)
                                                                  : writeMaps(std::to_string(target), user);
    return sendMessage(line, done ? "" : done.fault().sentence()) ? 0 : 1;
  });
  if (!child) return child.fault();
  return IdMapHelper(*child, std::move(channel->here));
}

Status IdMapHelper::write() {
  SING_TRY(sendMessage(channel_.get(), "go"));
  auto answer = receiveMessage(channel_.get());
  waitFor(child_);
  if (!answer) return refused("The helper that writes the id maps ended without an answer");
  return answer->text.empty() ? Status() : Status(refused(answer->text));
}

Status enterNamespaces(const plan::Namespaces& wanted, std::optional<IdMapHelper>& helper) {
  if (wanted.user) {
    if (unshare(CLONE_NEWUSER) != 0) return explainUnshare(errno);
    SING_TRY(helper ? helper->write() : writeMaps("self", *wanted.user));
  }
  const int flags = CLONE_NEWNS | (wanted.ipc ? CLONE_NEWIPC : 0) |
                    (wanted.uts ? CLONE_NEWUTS : 0) | (wanted.loopbackOnly ? CLONE_NEWNET : 0);
  if (unshare(flags) != 0) return wanted.user ? explainUnshare(errno) : failed("make new namespaces");
  return {};
}

Status enterPidNamespace(const plan::Namespaces& wanted) {
  if (!wanted.pid || unshare(CLONE_NEWPID) == 0) return {};
  return wanted.user ? explainUnshare(errno) : failed("make a PID namespace");
}

Status settleNamespaces(const plan::Namespaces& wanted) {
  if (wanted.hostname && sethostname(wanted.hostname->data(), wanted.hostname->size()) != 0) {
    return failed("set the host name " + *wanted.hostname);
  }
  if (wanted.loopbackOnly) {
    Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (!socket || ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return failed("bring the loopback interface up");
  }
  return setPropagation(wanted.slavePropagation);
}

}  // namespace sing
