#include "stop.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "../core/messages.h"

namespace sing {

namespace {

/// For the kernel to take away what was killed.
constexpr int64_t longestEnd = 10'000;

struct Ending {
  const InstanceRecord* record;
  Descriptor init, keeper;
};

int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

bool isOver(const Descriptor& process) {
  pollfd ended{process.get(), POLLIN, 0};
  return poll(&ended, 1, 0) == 1;
}

/// Waits until all are over, or the time is. What is over leaves the list.
void await(std::vector<Ending>& endings, int64_t until) {
  while (true) {
    std::erase_if(endings, [&](const Ending& ending) { return isOver(ending.keeper); });
    const int64_t left = until - now();
    if (endings.empty() || left <= 0) return;
    std::vector<pollfd> waiting;
    for (const auto& ending : endings) waiting.push_back({ending.keeper.get(), POLLIN, 0});
    poll(waiting.data(), waiting.size(), static_cast<int>(std::min<int64_t>(left, 60'000)));
  }
}

}  // namespace

int stopInstances(const std::vector<InstanceRecord>& instances, const StopOptions& options) {
  std::vector<Ending> running;
  int status = 0;
  for (const auto& record : instances) {
    // Its end is that of the keeper, which takes the record away.
    auto init = holdProcess(record.init), keeper = holdProcess(record.keeper);
    if (!init || !keeper) continue;
    say(Level::info, "Stopping " + record.name + " instance of " + record.image + " (PID=" + std::to_string(record.init.pid) + ")");
    if (syscall(SYS_pidfd_send_signal, init->pidfd.get(), options.signal, nullptr, 0) != 0 && errno != ESRCH) {
      say(Level::error, failed("stop instance " + record.name).sentence());
      status = 1;
      continue;
    }
    running.push_back({&record, std::move(init->pidfd), std::move(keeper->pidfd)});
  }
  if (options.signal != SIGKILL) await(running, now() + options.patience);
  for (const auto& ending : running) syscall(SYS_pidfd_send_signal, ending.init.get(), SIGKILL, nullptr, 0);
  await(running, now() + longestEnd);
  // The keeper waits for what is written to images still, which takes as long as the disk does.
  std::vector<Ending> writing;
  for (auto& ending : running) {
    if (!isOver(ending.init)) continue;
    say(Level::info, "Waiting until everything that instance " + ending.record->name + " wrote is in its image");
    writing.push_back(std::move(ending));
  }
  std::erase_if(running, [](const Ending& ending) { return !ending.keeper; });
  while (!writing.empty()) await(writing, now() + longestEnd);
  for (const auto& ending : running) {
    say(Level::error, "instance " + ending.record->name + " has not ended, although it was killed");
    status = 1;
  }
  return status;
}

}  // namespace sing
