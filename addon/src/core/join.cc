#include "join.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "channel.h"
#include "credentials.h"
#include "enter_directory.h"
#include "messages.h"
#include "payload.h"
#include "process.h"
#include "supervise.h"

namespace sing {

namespace {

constexpr int cannotStart = 255;

int sayFatal(const std::string& sentence) {
  say(Level::fatal, sentence);
  return cannotStart;
}

int sayFatal(const std::string& doing, const Fault& fault) { return sayFatal("while " + doing + ": " + fault.sentence()); }

Outcome<HeldProcess> holdOwn(const ProcessMark& mark, const std::string& name) {
  auto held = holdProcess(mark);
  if (!held && held.fault().error == ESRCH) return refused("instance " + name + " has ended");
  if (held && held->facts.user != geteuid()) {
    return refused("Expected process " + std::to_string(mark.pid) + " of instance " + name + " to be of user " + std::to_string(geteuid()) +
                   ", got user " + std::to_string(held->facts.user));
  }
  return held;
}

/// The keeper, through which the namespaces are entered, once both processes are what they should be.
Outcome<HeldProcess> holdInstance(const plan::JoinPlan& plan) {
  auto keeper = holdOwn({static_cast<pid_t>(plan.keeper), plan.keeperStart}, plan.name);
  if (!keeper) return keeper;
  auto init = holdOwn({static_cast<pid_t>(plan.init), plan.initStart}, plan.name);
  if (!init) return init;
  const bool named = plan.boot || init->facts.name == "sinit";
  if (init->facts.parent != keeper->facts.mark.pid || !init->facts.first || !named) {
    return refused("Expected process " + std::to_string(plan.init) + " to be the first one of instance " + plan.name + ", got another program");
  }
  return keeper;
}

struct NamespaceKind {
  const char* name;
  int flag;
};

/// Those of the process that are not the own. What is shared already cannot be entered again.
Outcome<int> differingNamespaces(pid_t process) {
  int flags = 0;
  for (const NamespaceKind kind : {NamespaceKind{"user", CLONE_NEWUSER}, {"mnt", CLONE_NEWNS}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}, {"net", CLONE_NEWNET}, {"cgroup", CLONE_NEWCGROUP}}) {
    struct stat own {}, other {};
    // A kernel may be without one of them.
    if (stat((std::string("/proc/self/ns/") + kind.name).c_str(), &own) != 0) continue;
    if (stat(("/proc/" + std::to_string(process) + "/ns/" + kind.name).c_str(), &other) != 0) return failed(std::string("look at its ") + kind.name + " namespace");
    if (own.st_dev != other.st_dev || own.st_ino != other.st_ino) flags |= kind.flag;
  }
  return flags;
}

Status enterNamespaces(const HeldProcess& keeper) {
  const pid_t process = keeper.facts.mark.pid;
  auto flags = differingNamespaces(process);
  if (!flags) return flags.fault();
  // Its own PID namespace is the caller's; process 1 is in the one that it has for its children.
  const Descriptor pids(open(("/proc/" + std::to_string(process) + "/ns/pid_for_children").c_str(), O_RDONLY | O_CLOEXEC));
  if (!pids) return failed("look at its PID namespace");
  pollfd ended{keeper.pidfd.get(), POLLIN, 0};
  if (poll(&ended, 1, 0) != 0) return refused("it has ended");
  // From here on processes of the container may see this one, and shall not look into it.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failed("close the own memory to others");
  if (*flags && setns(keeper.pidfd.get(), *flags) != 0) return failed("enter its namespaces");
  if (setns(pids.get(), CLONE_NEWPID) != 0) return failed("enter its PID namespace");
  return {};
}

/// The process in the instance.
int becomeMember(const plan::JoinPlan& plan, const Descriptor& ownShell) {
  if (plan.enterAs) {
    if (auto taken = takeIdentity(*plan.enterAs); !taken) return sayFatal("taking the ids of the instance", taken.fault());
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  }
  if (auto applied = applyCredentials(plan.credentials); !applied) return sayFatal("setting the privileges", applied.fault());
  // A change of ids took it away.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto directory = enterFirst(plan.run.workingDirectory);
  if (!directory) return sayFatal("while " + directory.fault().sentence());
  umask(plan.run.umask);
  releaseSignals();
  return sayFatal(becomePayload(plan.run.payload, {ownShell, *directory}).sentence());
}

}  // namespace

int joinInstance(const plan::JoinPlan& plan, const ExecuteOptions& options) {
  setMessageStyle({plan.messages.level, plan.messages.colour});
  const Descriptor ownShell(open(options.ownShell.c_str(), O_RDONLY | O_CLOEXEC));
  auto keeper = holdInstance(plan);
  if (!keeper) return sayFatal(keeper.fault().sentence());
  if (auto entered = enterNamespaces(*keeper); !entered) return sayFatal("joining instance " + plan.name, entered.fault());
  keeper->pidfd.reset();
  holdSignals();
  auto channel = openChannel();
  if (!channel) return sayFatal("joining instance " + plan.name, channel.fault());
  auto child = forkChild([&]() -> int {
    const int line = channel->there.get();
    channel->here.reset();
    // Killed with the process outside. It answers only if it was there after the signal was arranged.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!sendMessage(line, "armed") || !receiveMessage(line)) return cannotStart;
    channel->there.reset();
    return becomeMember(plan, ownShell);
  });
  // A PID namespace takes nobody in after the end of its first process.
  if (!child && child.fault().error == ENOMEM) return sayFatal("instance " + plan.name + " has ended");
  if (!child) return sayFatal("joining instance " + plan.name, child.fault());
  channel->there.reset();
  if (receiveMessage(channel->here.get())) {
    [[maybe_unused]] const auto sent = sendMessage(channel->here.get(), "go");
  }
  superviseChild(*child, -1, {});
}

}  // namespace sing
