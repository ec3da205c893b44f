#include "program.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "../core/capabilities.h"
#include "../core/channel.h"
#include "../core/mounting.h"
#include "../squash/background.h"
#include "fence.h"
#include "root.h"

namespace sing {

namespace {

/// A program that replays a long journal is given this time, in milliseconds.
constexpr int patience = 120'000;
constexpr size_t longestReason = 2000;

Status keepOverExec(int descriptor) {
  if (descriptor >= 0 && fcntl(descriptor, F_SETFD, 0) != 0) return failed("hand a descriptor over");
  return {};
}

/// In the new process: everything that has to be done with the rights of the launch, then the fence; the answer to mount calls goes to `line`.
Status prepare(const ProgramWork& work, int line) {
  if (fchdir(work.session) != 0) return failed("enter the session");
  // The working directory moves along into the copy of the mounts.
  if (unshare(CLONE_NEWNS) != 0) return failed("make a mount namespace for the server");
  SING_TRY(enterProgramRoot(work.seesSession));
  const Descriptor session(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!session) return failed("enter the session");
  const Descriptor mountPoint(open(work.mountPoint.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!mountPoint) return failed("open the mount point");
  const rlimit none{0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) return failed("forbid core dumps");
  if (!work.keepsCapabilities) SING_TRY(limitCapabilities(0));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("give up new privileges");
  SING_TRY(fencePaths({.image = work.image, .session = work.seesSession ? session.get() : -1, .mountPoint = mountPoint.get(), .writes = work.writes}));
  SING_TRY(keepOverExec(work.image));
  SING_TRY(keepOverExec(work.keptOpen));
  auto listener = fenceCalls();
  if (!listener) return listener.fault();
  return sendMessage(line, "", {listener->get()});
}

int run(const ProgramWork& work, int line, int errors) {
  leaveCaller({line, errors, work.program, work.session, work.image, work.keptOpen});
  dup2(errors, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  const auto prepared = prepare(work, line);
  if (!prepared) {
    [[maybe_unused]] const auto said = sendMessage(line, prepared.fault().sentence());
    return 1;
  }
  std::vector<std::string> words = work.arguments;
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  // A path for what it may call, and messages that can be read; nothing of the caller's.
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", language[] = "LC_ALL=C";
  char* environment[] = {path, language, nullptr};
  syscall(SYS_execveat, work.program, "", argv.data(), environment, AT_EMPTY_PATH);
  dprintf(STDERR_FILENO, "%s", failed("start").sentence().c_str());
  return 1;
}

/// The number behind "fd=" in the options of a mount call, which lie in the memory of who called.
Outcome<int> deviceNumber(pid_t caller, uint64_t address) {
  char text[4096] = {};
  const iovec here{text, sizeof text - 1}, there{reinterpret_cast<void*>(address), sizeof text - 1};
  iovec part = there;
  // The text may end just before memory that is not there.
  while (part.iov_len > 0 && process_vm_readv(caller, &here, 1, &part, 1, 0) < 0) {
    if (errno != EFAULT) return failed("read the options of the mount");
    part.iov_len /= 2;
  }
  int number = -1;
  const char* found = strstr(text, "fd=");
  if (!found || (found != text && found[-1] != ',') || sscanf(found, "fd=%d", &number) != 1 || number < 0) return refused("The program wants to mount something else than its own file system");
  return number;
}

union Request {
  seccomp_notif notification;
  char space[512];  // a newer kernel may say more
};

union Answer {
  seccomp_notif_resp response;
  char space[512];
};

/// Takes one mount call and makes the mount.
Outcome<Descriptor> takeMount(int listener, const ProgramMount& wanted) {
  Request request{};
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) return failed("take the mount call of the program");
  const auto& call = request.notification;
  const Descriptor process(static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(call.pid), 0)));
  if (!process) return failed("look at the program");
  auto number = deviceNumber(static_cast<pid_t>(call.pid), call.data.args[4]);
  if (!number) return number.fault();
  const Descriptor device(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), *number, 0)));
  if (!device) return failed("take the device of the program");
  // Still the one that called: numbers of processes come again.
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id) != 0) return failed("take the mount call of the program");
  auto mounted = newFuseMount(device.get(), wanted.source, wanted.allowOther, wanted.flags, true);
  if (!mounted) return mounted;
  Answer answer{};
  answer.response.id = call.id;
  if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) != 0) return failed("answer the mount call of the program");
  return mounted;
}

/// Waits until the program wants to mount, or has ended. What it says meanwhile is kept.
Outcome<Descriptor> awaitMount(int listener, int errors, const ProgramMount& wanted) {
  std::string said;
  while (true) {
    pollfd waiting[2] = {{listener, POLLIN, 0}, {errors, POLLIN, 0}};
    const int ready = poll(waiting, 2, patience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return failed("wait for the program");
    if (ready == 0) return refused("The program did not mount within " + std::to_string(patience / 1000) + " seconds");
    if (waiting[0].revents & POLLIN) return takeMount(listener, wanted);
    char text[512];
    const auto length = read(errors, text, sizeof text);
    if (length > 0 && said.size() < longestReason) said.append(text, static_cast<size_t>(length));
    if (length > 0) continue;
    for (auto& letter : said) {
      if (letter == '\n') letter = ' ';
    }
    while (!said.empty() && said.back() == ' ') said.pop_back();
    return refused("The program ended before it had mounted anything" + (said.empty() ? "" : ": " + said));
  }
}

}  // namespace

Outcome<Descriptor> openProgram(const std::string& path) {
  Descriptor program(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!program) return failed("open " + path);
  struct stat status {};
  if (fstat(program.get(), &status) != 0) return failed("look at " + path);
  if (!S_ISREG(status.st_mode) || status.st_uid != 0 || (status.st_mode & 022) != 0) {
    return refused("Expected a program in " + path + " that only root can write, got another file");
  }
  return program;
}

Outcome<Descriptor> mountByProgram(const ProgramWork& work, const ProgramMount& mount) {
  auto channel = openChannel();
  if (!channel) return channel.fault();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return failed("open a pipe");
  Descriptor reading(ends[0]), writing(ends[1]);
  const int line = channel->there.get(), errors = writing.get();
  SING_TRY(forkOrphan([&] { return run(work, line, errors); }, backgroundName));
  channel->there.reset();
  writing.reset();
  auto answer = receiveMessage(channel->here.get());
  if (!answer) return refused("The server of the file system ended too early");
  if (answer->descriptors.empty()) return refused(answer->text);
  return awaitMount(answer->descriptors[0].get(), reading.get(), mount);
}

}  // namespace sing
