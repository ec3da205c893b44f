// Starting a launch in the background, so that it outlives the program that was called.
#pragma once

#include <functional>

#include "channel.h"
#include "instance_folder.h"
#include "supervise.h"

namespace sing {

/// The keeper of an instance: the process that does the launch, is the parent of process 1, has the record, and ends with it.
///
/// Nothing is started unless the caller is still there: the payload waits until the caller has heard that everything is set up, and the caller
/// hears of success only when the payload's program was started.
class InstanceKeeper {
 public:
  /// Takes the name, opens logs and PID file. The record is removed again by whatever ends this process in an orderly way.
  static Outcome<InstanceKeeper> take(const plan::Instance& instance, bool severalIds, Descriptor caller);

  /// In the keeper, while /proc is still that of the host: who process 1 is.
  void noteInit(pid_t init);

  /// In the keeper: waits for process 1 and ends with it, and after whoever writes to images, for which it goes to another mount namespace.
  [[noreturn]] void watch(pid_t init, const WritersToAwait& writers, Descriptor otherMounts);

  /// Gives the name back: there will be no instance.
  void giveUp();

  /// In process 1, with final privileges: starts the payload, which `become` turns the process into (or says why not).
  [[noreturn]] void runInit(const std::function<Fault()>& become);

  /// What process 1 and the payload need until then.
  std::vector<int> descriptors() const { return {line_.there.get(), out_.get(), error_.get()}; }

 private:
  InstanceKeeper(const plan::Instance& instance, InstanceFolder folder) : instance_(&instance), folder_(std::move(folder)) {}
  [[noreturn]] void end(pid_t init, const std::string& why);
  bool startPayload(std::string& why);
  Status publish();
  int begin(const std::function<Fault()>& become);

  const plan::Instance* instance_;
  InstanceFolder folder_;
  InstanceRecord record_;
  Descriptor caller_, out_, error_, pidFile_;
  ChannelPair line_;
};

/// Runs `launch` as the keeper of a new instance, in a session of its own, and waits until the payload was started. `launch` returns a status when
/// it could not be. The exit status of the program.
int startInstance(const plan::Instance& instance, bool severalIds, const std::function<int(InstanceKeeper&)>& launch);

}  // namespace sing
