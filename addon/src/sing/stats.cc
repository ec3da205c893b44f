#include "stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <map>
#include <set>

#include "../core/files.h"
#include "../core/messages.h"
#include "memory_limit.h"
#include "tables.h"

namespace sing {

namespace {

using json::Value;

constexpr int interval = 1000;

struct Usage {
  /// Seconds.
  double processor = 0;
  double memory = 0, limit = 0, read = 0, written = 0;
  unsigned threads = 0;
};

std::string procText(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto text = file ? readToEnd(file.get(), 1u << 20) : Outcome<std::string>(failed("open"));
  return text ? std::move(*text) : std::string();
}

/// The number behind `name:` at the start of a line; 0 when there is none.
double numberAfter(const std::string& text, const std::string& name) {
  const size_t at = text.starts_with(name + ":") ? 0 : text.find("\n" + name + ":");
  return at == std::string::npos ? 0 : strtod(text.c_str() + text.find(':', at) + 1, nullptr);
}

std::vector<ProcessFacts> allProcesses() {
  std::vector<ProcessFacts> all;
  DIR* stream = opendir("/proc");
  if (!stream) return all;
  while (const dirent* entry = readdir(stream)) {
    const auto pid = static_cast<pid_t>(strtol(entry->d_name, nullptr, 10));
    if (pid <= 0) continue;
    if (auto facts = lookAtProcess(pid)) all.push_back(std::move(*facts));
  }
  closedir(stream);
  return all;
}

/// Names the PID namespace of a process; empty when this user may not see it.
std::string namespaceOf(pid_t pid) {
  struct stat status {};
  return stat(("/proc/" + std::to_string(pid) + "/ns/pid").c_str(), &status) == 0 ? std::to_string(status.st_ino) : std::string();
}

/// Process 1 with all below it, and whoever joined.
std::vector<ProcessFacts> membersOf(const InstanceRecord& instance) {
  struct stat status {};
  const std::string link = "/proc/" + std::to_string(instance.keeper.pid) + "/ns/pid_for_children";
  const std::string own = stat(link.c_str(), &status) == 0 ? std::to_string(status.st_ino) : std::string();
  const auto all = allProcesses();
  std::set<pid_t> members = {instance.init.pid};
  for (const auto& process : all) {
    if (!own.empty() && namespaceOf(process.mark.pid) == own) members.insert(process.mark.pid);
  }
  // Those whose namespace is hidden are found by their parents.
  for (size_t before = 0; before != members.size();) {
    before = members.size();
    for (const auto& process : all) {
      if (members.contains(process.parent)) members.insert(process.mark.pid);
    }
  }
  std::vector<ProcessFacts> found;
  for (const auto& process : all) {
    if (members.contains(process.mark.pid)) found.push_back(process);
  }
  return found;
}

Usage usageOf(const InstanceRecord& instance) {
  Usage usage;
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK)), page = static_cast<double>(sysconf(_SC_PAGESIZE));
  for (const auto& process : membersOf(instance)) {
    const std::string folder = "/proc/" + std::to_string(process.mark.pid);
    usage.processor += static_cast<double>(process.ticks) / ticks;
    usage.threads += process.threads;
    // The share of pages that several have, where this user may know it.
    const double share = numberAfter(procText(folder + "/smaps_rollup"), "Pss") * 1024;
    usage.memory += share > 0 ? share : static_cast<double>(process.residentPages) * page;
    const std::string io = procText(folder + "/io");
    usage.read += numberAfter(io, "read_bytes");
    usage.written += numberAfter(io, "write_bytes");
  }
  usage.limit = memoryLimit(instance.init.pid);
  return usage;
}

double monotonic() {
  timespec time{};
  clock_gettime(CLOCK_BOOTTIME, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

std::string percent(double value) {
  char text[32];
  snprintf(text, sizeof text, "%.2f%%", value);
  return text;
}

int print(const InstanceRecord& instance, const Usage& usage, double load, bool asJson) {
  const double share = usage.limit > 0 ? usage.memory / usage.limit * 100 : 0;
  if (asJson) {
    return printResult(STDOUT_FILENO, prettyJson(std::vector<Value::Member>{{"instance", instance.name},
                                                                            {"pid", instance.init.pid},
                                                                            {"cpuPercent", load},
                                                                            {"cpuSeconds", usage.processor},
                                                                            {"memoryBytes", usage.memory},
                                                                            {"memoryLimitBytes", usage.limit},
                                                                            {"memoryPercent", share},
                                                                            {"blockReadBytes", usage.read},
                                                                            {"blockWriteBytes", usage.written},
                                                                            {"pids", usage.threads}}));
  }
  return printResult(STDOUT_FILENO, table({{"INSTANCE NAME", "CPU USAGE", "MEM USAGE / LIMIT", "MEM %", "BLOCK I/O", "PIDS"},
                                           {instance.name, percent(load), sizeText(usage.memory) + " / " + sizeText(usage.limit), percent(share),
                                            sizeText(usage.read) + " / " + sizeText(usage.written), std::to_string(usage.threads)}}));
}

}  // namespace

int printStats(const InstanceRecord& instance, bool once, bool asJson) {
  auto init = holdProcess(instance.init);
  if (!init) return 0;
  // The first figure is that of its whole life.
  double since = static_cast<double>(instance.init.start) / static_cast<double>(sysconf(_SC_CLK_TCK)), before = 0;
  while (true) {
    const auto usage = usageOf(instance);
    const double at = monotonic(), load = at > since ? std::max(0.0, usage.processor - before) / (at - since) * 100 : 0;
    if (const int status = print(instance, usage, load, asJson); once || status) return status;
    since = at;
    before = usage.processor;
    pollfd ended{init->pidfd.get(), POLLIN, 0};
    if (poll(&ended, 1, interval) == 1) return 0;
  }
}

}  // namespace sing
