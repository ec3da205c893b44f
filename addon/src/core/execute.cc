#include "execute.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "credentials.h"
#include "enter_directory.h"
#include "instance_start.h"
#include "launch.h"
#include "messages.h"
#include "mounting.h"
#include "payload.h"
#include "report.h"
#include "supervise.h"
#include "walk.h"

namespace sing {

namespace {

/// A small limit of file sizes counts in the session as well: a write that it forbids is to end with a sentence, not by a signal. The payload has its own handling again.
class IgnoredSignal {
 public:
  explicit IgnoredSignal(int number) : number_(number) {
    struct sigaction ignored {};
    ignored.sa_handler = SIG_IGN;
    sigaction(number, &ignored, &before_);
  }
  ~IgnoredSignal() { sigaction(number_, &before_, nullptr); }
  IgnoredSignal(const IgnoredSignal&) = delete;
  IgnoredSignal& operator=(const IgnoredSignal&) = delete;

 private:
  int number_;
  struct sigaction before_ {};
};


constexpr int cannotStart = 255;

Level levelOf(plan::OnFailure policy) {
  switch (policy) {
    case plan::OnFailure::warning: return Level::warning;
    case plan::OnFailure::verbose: return Level::verbose;
    default: return Level::fatal;
  }
}

/// Says why there is no container, and gives the status for that.
int giveUp(const LaunchFault& fault, const std::string& sentence) {
  say(Level::fatal, sentence);
  reportFault(fault, sentence);
  return cannotStart;
}

int giveUp(const std::string& doing, const Fault& fault) {
  return giveUp({std::nullopt, doing, "", fault}, "while " + doing + ": " + fault.sentence());
}

int giveUp(const Fault& fault) { return giveUp({std::nullopt, "payload", "", fault}, fault.sentence()); }

std::set<int> handlesOf(const plan::LaunchPlan& plan) {
  std::set<int> handles;
  for (const auto& step : plan.steps) {
    if (const auto* image = std::get_if<plan::MountImage>(&step)) handles.insert(image->image.handle);
    const auto* bind = std::get_if<plan::Bind>(&step);
    if (bind && bind->source.kind == plan::SourceKind::handle) handles.insert(bind->source.handle);
  }
  return handles;
}

/// Before this process opens anything: a number that the caller has not opened would be that of a descriptor of our own.
Status checkHandles(const std::set<int>& handles) {
  for (const int handle : handles) {
    if (fcntl(handle, F_SETFD, FD_CLOEXEC) != 0) return failed("use descriptor " + std::to_string(handle));
  }
  return {};
}

/// Whether the payload writes to an image: the end of that is awaited, so that the next start, or a copy of the image, has everything.
bool writesToImage(const plan::LaunchPlan& plan) {
  for (const auto& step : plan.steps) {
    const auto* image = std::get_if<plan::MountImage>(&step);
    if (!image || image->flags.readOnly) continue;
    for (const auto& backend : image->backends) {
      if (backend.kind == plan::BackendKind::program) return true;
      if (backend.kind == plan::BackendKind::loop && image->image.fileSystem == plan::FileSystem::ext3) return true;
    }
  }
  return false;
}

class Launcher {
 public:
  /// `keeper`: of the instance that is launched, or null.
  Launcher(const plan::LaunchPlan& plan, const ExecuteOptions& options, InstanceKeeper* keeper)
      : plan_(plan), options_(options), keeper_(keeper), handles_(handlesOf(plan)) {}

  int run() {
    const pid_t starter = getppid();
    if (plan_.dieWithParent && (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != starter)) _exit(cannotStart);
    ownShell_ = Descriptor(open(options_.ownShell.c_str(), O_RDONLY | O_CLOEXEC));
    auto helpers = startHelpers(plan_);
    if (!helpers) return giveUp("starting helper processes", helpers.fault());
    helpers_ = std::move(*helpers);
    if (auto entered = enterNamespaces(plan_.namespaces, helpers_.idMaps); !entered) return giveUp("making namespaces", entered.fault());
    if (auto started = startOutside(plan_, helpers_); !started) return giveUp("starting helper processes", started.fault());
    if (auto entered = enterPidNamespace(plan_.namespaces); !entered) return giveUp("making namespaces", entered.fault());
    return isBelow() ? runBelow() : build();
  }

 private:
  /// Whether another process waits for the one that becomes the container.
  bool isBelow() const { return plan_.namespaces.pid || writesToImage(plan_); }

  /// With a PID namespace: the child goes on as its process 1. With images that are written: as itself, while this process waits for whoever writes to them.
  int runBelow() {
    auto writers = openChannel();
    if (!writers) return giveUp("starting the first process", writers.fault());
    Descriptor awaited = std::move(writers->here);
    writers_ = std::move(writers->there);
    holdSignals();
    auto channel = openChannel();
    if (!channel) return giveUp("starting the first process", channel.fault());
    const int line = channel->there.get();
    outside_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0)));
    if (!outside_) return giveUp("starting the first process", failed("watch the own process"));
    auto child = forkChild([&]() -> int {
      channel->here.reset();
      // Killed with the process outside. It answers only if it was there after the signal was arranged.
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (!sendMessage(line, "armed") || !receiveMessage(line)) return cannotStart;
      channel->there.reset();
      awaited.reset();
      if (options_.lifeline >= 0) close(options_.lifeline);
      return build();
    });
    if (!child) return giveUp("starting the first process", child.fault());
    channel->there.reset();
    outside_.reset();
    const bool armed = static_cast<bool>(receiveMessage(channel->here.get()));
    // The child still has the root of the host, and this process with it.
    if (armed && keeper_) keeper_->noteInit(*child);
    const ino_t mounts = ownMounts();
    // Without a PID namespace the payload sees this process, whose root stays that of the host.
    if (!keeper_) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    // A mount namespace that this process shares would keep the mounts, and with them their servers, as long as it waits for these.
    auto room = armed && writesToImage(plan_) ? leaveMounts(keeper_ != nullptr) : Outcome<Descriptor>(Descriptor());
    if (!room) return giveUp("leaving the mount namespace", room.fault());
    if (armed) {
      [[maybe_unused]] const auto sent = sendMessage(channel->here.get(), "go");
    }
    writers_.reset();
    if (keeper_) keeper_->watch(*child, {writesToImage(plan_) ? awaited.get() : -1, mounts}, std::move(*room));
    superviseChild(*child, options_.lifeline, {awaited.get(), mounts});
  }

  /// Goes to a mount namespace like the one of this launch, which is empty still. `later`: stays, as who joins takes it from here, and gets the descriptor of the other one.
  static Outcome<Descriptor> leaveMounts(bool later) {
    const Descriptor own(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    if (!own || unshare(CLONE_NEWNS) != 0) return failed("make another one");
    if (!later) return Descriptor();
    Descriptor room(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    if (!room || setns(own.get(), CLONE_NEWNS) != 0) return failed("come back from the other one");
    return room;
  }

  int build() {
    if (auto settled = settleNamespaces(plan_.namespaces); !settled) return giveUp("setting up the namespaces", settled.fault());
    opened_ = openSources(plan_);
    if (plan_.namespaces.user && plan_.namespaces.user->enterAs) {
      if (auto taken = takeIdentity(*plan_.namespaces.user->enterAs); !taken) return giveUp("taking the ids of the namespace", taken.fault());
      if (isBelow() && !diesWithOutside()) return cannotStart;
    }
    if (const int status = makeSession()) return status;
    if (const int status = doSteps()) return status;
    if (const auto* sequence = std::get_if<plan::Sequence>(&plan_.run)) return runSequence(*sequence);
    const auto* instance = std::get_if<plan::Instance>(&plan_.run);
    return becomeContainer(instance ? instance->become : *std::get_if<plan::Become>(&plan_.run));
  }

  /// A change of ids takes the signal away that was arranged for the end of the parent: again. False when the process outside has ended in between.
  bool diesWithOutside() const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pollfd ended{outside_.get(), POLLIN, 0};
    return poll(&ended, 1, 0) == 0;
  }

  int makeSession() {
    MountOptions options = {{"mode", "0755"}};
    if (plan_.session.sizeLimit) options.emplace_back("size", std::to_string(*plan_.session.sizeLimit));
    const Descriptor place(open(plan_.session.mountPoint.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!place) return giveUp("opening the session directory " + plan_.session.mountPoint, failed("open"));
    auto mounted = newFileSystem(plan_.session.fileSystem, "sing-session", options, {.nosuid = true, .nodev = true});
    if (!mounted) return giveUp("mounting the session", mounted.fault());
    if (auto attached = attach(mounted->get(), place.get()); !attached) return giveUp("mounting the session", attached.fault());
    // The mount's own descriptor is its root directory.
    session_ = std::move(*mounted);
    return 0;
  }

  int doSteps() {
    // Modes of the plan are exact.
    umask(0);
    const IgnoredSignal sizeLimit(SIGXFSZ);
    StepContext context{plan_, helpers_, opened_, session_.get(), writers_.get()};
    for (size_t index = 0; index < plan_.steps.size(); ++index) {
      const auto& step = plan_.steps[index];
      const auto done = doStep(context, index);
      if (done) continue;
      const auto policy = failurePolicy(step);
      const std::string sentence = "while " + describeStep(step) + ": " + done.fault().sentence();
      if (policy == plan::OnFailure::fatal) {
        return giveUp({index, std::string(plan::stepKind(step)), pathOfStep(step), done.fault()}, sentence);
      }
      if (policy != plan::OnFailure::silent) say(levelOf(policy), sentence);
    }
    return 0;
  }

  Status enterRoot(bool inNewNamespace) {
    auto root = openInSession(session_.get(), plan_.root, O_PATH | O_DIRECTORY);
    if (!root) return root.fault();
    if (fchdir(root->get()) != 0) return failed("enter the container's root");
    // The working directory moves along into the copy of the mounts; a descriptor would not.
    if (inNewNamespace && unshare(CLONE_NEWNS) != 0) return failed("make a mount namespace");
    return changeRoot();
  }

  /// Nothing of this launch may be reached through /proc/self/fd from here on.
  void closeOwn() {
    opened_ = Opened();
    helpers_ = Helpers();
    session_.reset();
    writers_.reset();
    for (const int handle : handles_) close(handle);
    if (plan_.inheritDescriptors) return;
    std::vector<int> kept = {ownShell_.get(), outside_.get(), reportDescriptor()};
    if (keeper_) {
      const auto more = keeper_->descriptors();
      kept.insert(kept.end(), more.begin(), more.end());
    }
    closeAllBut(kept);
  }

  int becomeContainer(const plan::Become& become) {
    if (auto entered = enterRoot(false); !entered) return giveUp("entering the container", entered.fault());
    closeOwn();
    if (auto applied = applyCredentials(plan_.credentials); !applied) return giveUp("setting the privileges", applied.fault());
    if ((isBelow() || plan_.dieWithParent) && !diesWithOutside()) return cannotStart;
    outside_.reset();
    auto directory = enterFirst(become.workingDirectory);
    if (!directory) {
      return giveUp({std::nullopt, "working_directory", become.workingDirectory.back().path, directory.fault()}, "while " + directory.fault().sentence());
    }
    umask(become.umask);
    if (keeper_) keeper_->runInit([&] { return becomePayload(become.payload, {ownShell_, *directory}); });
    const auto start = [&] { return giveUp(becomePayload(become.payload, {ownShell_, *directory})); };
    if (plan_.namespaces.pid && plan_.namespaces.shim) runAsInit(start);
    if (isBelow()) releaseSignals();
    return start();
  }

  static std::string currentDirectory() {
    char path[4096];
    return getcwd(path, sizeof path) ? path : "/";
  }

  int runSequence(const plan::Sequence& sequence) {
    // The commands see this process, and as root of the namespace in which it was started they look into it all the same: it has nothing that they have not.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    outside_.reset();
    const bool enters = std::all_of(sequence.commands.begin(), sequence.commands.end(), [](const auto& command) { return command.inContainer; });
    if (enters) {
      if (auto entered = enterRoot(false); !entered) return giveUp("entering the container", entered.fault());
      closeOwn();
    }
    int result = 0;
    for (size_t index = 0; index < sequence.commands.size(); ++index) {
      const auto& command = sequence.commands[index];
      if (result != 0 && !command.always) continue;
      const int status = runAlone([&] { return runCommand(sequence, command, enters); });
      reportCommand(index, command.name, status);
      if (result == 0) result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return result;
  }

  /// `entered`: this is the root of the container already. What a command mounts is not for the next one.
  int runCommand(const plan::Sequence& sequence, const plan::Command& command, bool entered) {
    if (command.inContainer) {
      const auto done = !entered ? enterRoot(true) : unshare(CLONE_NEWNS) == 0 ? Status() : failed("make a mount namespace");
      if (!done) return giveUp("entering the container for " + command.name, done.fault());
    }
    closeAllBut({ownShell_.get(), reportDescriptor()});
    if (!command.inheritStdin) {
      const Descriptor null(open("/dev/null", O_RDONLY | O_CLOEXEC));
      // A container without /dev/null: an empty pipe ends at once, too.
      int ends[2];
      if (null) dup2(null.get(), STDIN_FILENO);
      else if (pipe2(ends, O_CLOEXEC) == 0) dup2(ends[0], STDIN_FILENO);
    }
    if (auto applied = applyCredentials(plan_.credentials); !applied) return giveUp("setting the privileges for " + command.name, applied.fault());
    if (chdir(command.workingDirectory.c_str()) != 0) return giveUp("entering directory " + command.workingDirectory, failed("chdir"));
    umask(sequence.umask);
    return giveUp(becomeProgram(command.exec, {ownShell_, currentDirectory()}));
  }

  const plan::LaunchPlan& plan_;
  const ExecuteOptions& options_;
  InstanceKeeper* const keeper_;
  std::set<int> handles_;
  Descriptor ownShell_;
  Helpers helpers_;
  Opened opened_;
  Descriptor session_;
  Descriptor writers_;
  /// Of the process that waits for this one; empty where there is none.
  Descriptor outside_;
};

}  // namespace

int execute(const plan::LaunchPlan& plan, const ExecuteOptions& options) {
  setMessageStyle({plan.messages.level, plan.messages.colour});
  if (auto checked = checkHandles(handlesOf(plan)); !checked) return giveUp("checking the plan", checked.fault());
  const auto* instance = std::get_if<plan::Instance>(&plan.run);
  if (!instance) return Launcher(plan, options, nullptr).run();
  return startInstance(*instance, plan.namespaces.user && plan.namespaces.user->enterAs,
                       [&](InstanceKeeper& keeper) { return Launcher(plan, options, &keeper).run(); });
}

}  // namespace sing
