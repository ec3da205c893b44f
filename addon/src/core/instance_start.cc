#include "instance_start.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"
#include "messages.h"

namespace sing {

namespace {

constexpr int cannotStart = 255;
// What the processes say to each other.
constexpr const char* ready = "ready";
constexpr const char* go = "go";
constexpr const char* started = "started";

int sayFatal(const std::string& sentence) {
  say(Level::fatal, sentence);
  return cannotStart;
}

/// No link: root may write into a folder of everybody.
Outcome<Descriptor> openPidFile(const std::string& path) {
  Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644));
  if (!file) return failed("open the PID file " + path);
  return file;
}

Fault nameTaken(const std::string& name, const Fault& fault) {
  if (fault.error != EEXIST) return fault;
  return refused("instance " + name + " already exists: choose another name, or stop it with: sing instance stop " + name);
}

/// A daemon has no terminal, and takes signals as a program that was just started does.
void beginAnew() {
  setsid();
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

Outcome<InstanceKeeper> InstanceKeeper::take(const plan::Instance& instance, bool severalIds, Descriptor caller) {
  auto folder = InstanceFolder::open(instance.place, geteuid(), true);
  if (!folder) return folder.fault();
  auto self = lookAtProcess(getpid());
  if (!self) return self.fault();
  InstanceKeeper keeper(instance, std::move(*folder));
  keeper.record_ = {.name = instance.name,
                    .image = instance.image,
                    .home = instance.home,
                    .mode = instance.mode,
                    .severalIds = severalIds,
                    .boot = instance.boot,
                    .init = {},
                    .keeper = self->mark,
                    .bootId = bootId(),
                    .pidNamespace = pidNamespace()};
  auto line = openChannel();
  if (!line) return line.fault();
  keeper.line_ = std::move(*line);
  keeper.caller_ = std::move(caller);
  if (auto claimed = keeper.folder_.claim(keeper.record_); !claimed) return nameTaken(instance.name, claimed.fault());
  auto out = openInstanceLog(instance.place, instance.name, ".out"), error = openInstanceLog(instance.place, instance.name, ".err");
  auto pidFile = instance.pidFile ? openPidFile(*instance.pidFile) : Outcome<Descriptor>(Descriptor());
  for (auto* opened : {&out, &error, &pidFile}) {
    if (*opened) continue;
    keeper.giveUp();
    return opened->fault();
  }
  keeper.out_ = std::move(*out);
  keeper.error_ = std::move(*error);
  keeper.pidFile_ = std::move(*pidFile);
  return keeper;
}

void InstanceKeeper::giveUp() {
  // In a user namespace by now, perhaps.
  folder_.setOwner(geteuid());
  folder_.remove(record_.name, record_.keeper);
}

void InstanceKeeper::noteInit(pid_t init) {
  if (auto facts = lookAtProcess(init)) record_.init = facts->mark;
}

Status InstanceKeeper::publish() {
  if (record_.init.pid == 0) return refused("The first process of the instance cannot be looked at in /proc");
  folder_.setOwner(geteuid());
  SING_TRY(folder_.replace(record_));
  if (!pidFile_) return {};
  if (auto written = writeAll(pidFile_.get(), std::to_string(record_.init.pid) + "\n"); !written) return Fault{"write the PID file", written.fault().error};
  pidFile_.reset();
  return {};
}

/// False with a sentence, or with none when it was said already.
bool InstanceKeeper::startPayload(std::string& why) {
  // Until here process 1 and its children say themselves what goes wrong.
  auto said = receiveMessage(line_.here.get());
  if (!said || said->text != ready) return false;
  // A caller that is gone wants no instance any more.
  if (!sendMessage(caller_.get(), ready) || !receiveMessage(caller_.get())) return false;
  if (auto published = publish(); !published) {
    why = published.fault().sentence();
    return false;
  }
  if (!sendMessage(line_.here.get(), go)) return false;
  // The line ends with the start of the payload's program.
  if (auto fault = receiveMessage(line_.here.get())) {
    why = fault->text;
    return false;
  }
  return true;
}

void InstanceKeeper::end(pid_t init, const std::string& why) {
  kill(init, SIGKILL);
  waitFor(init);
  giveUp();
  if (!why.empty()) say(Level::fatal, why);
  _exit(cannotStart);
}

void InstanceKeeper::watch(pid_t init, const WritersToAwait& writers, Descriptor otherMounts) {
  // Nothing else of the launch or of the caller: who waits for the end of a pipe that he gave along would wait for that of the instance.
  closeAllBut({line_.here.get(), caller_.get(), folder_.descriptor(), pidFile_.get(), writers.line, otherMounts.get()});
  // Whoever joins gets its namespaces from this process, which nothing in the container can see.
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  prctl(PR_SET_NAME, "sing-instance");
  setProcessTitle("Singularity instance: " + instance_->place.user + " [" + instance_->name + "]");
  std::string why;
  if (!startPayload(why)) end(init, why);
  detachStandardStreams();
  [[maybe_unused]] const auto told = sendMessage(caller_.get(), started);
  caller_.reset();
  line_.here.reset();
  [[maybe_unused]] const int moved = chdir("/");
  waitInBackground(init);
  if (otherMounts && setns(otherMounts.get(), CLONE_NEWNS) == 0) awaitWriters(writers);
  giveUp();
  _exit(0);
}

/// The payload's process. Returns only when it could not become the program.
int InstanceKeeper::begin(const std::function<Fault()>& become) {
  beginAnew();
  const int line = line_.there.get();
  if (!sendMessage(line, ready) || !receiveMessage(line)) return cannotStart;
  const Descriptor null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  // A container without /dev/null: an empty pipe ends at once, too.
  int ends[2];
  if (null) dup2(null.get(), STDIN_FILENO);
  else if (pipe2(ends, O_CLOEXEC) == 0) dup2(ends[0], STDIN_FILENO);
  dup2(out_.get(), STDOUT_FILENO);
  dup2(error_.get(), STDERR_FILENO);
  [[maybe_unused]] const auto told = sendMessage(line, become().sentence());
  return cannotStart;
}

void InstanceKeeper::runInit(const std::function<Fault()>& become) {
  if (instance_->boot) _exit(begin(become));
  setProcessTitle("sinit");
  runAsInstanceInit([&] { return begin(become); });
}

int startInstance(const plan::Instance& instance, bool severalIds, const std::function<int(InstanceKeeper&)>& launch) {
  auto channel = openChannel();
  if (!channel) return sayFatal(channel.fault().sentence());
  const auto forked = forkOrphan([&]() -> int {
    channel->here.reset();
    setsid();
    auto keeper = InstanceKeeper::take(instance, severalIds, std::move(channel->there));
    if (!keeper) return sayFatal(keeper.fault().sentence());
    const int status = launch(*keeper);
    keeper->giveUp();
    return status;
  });
  if (!forked) return sayFatal(forked.fault().sentence());
  channel->there.reset();
  const int line = channel->here.get();
  while (auto said = receiveMessage(line)) {
    if (said->text == ready && !sendMessage(line, go)) break;
    if (said->text != started) continue;
    say(Level::info, "instance started successfully");
    return 0;
  }
  // Why was said by who knows it.
  return cannotStart;
}

}  // namespace sing
