#include "report.h"

#include <sys/wait.h>

#include "files.h"

namespace sing {

namespace {

int target = -1;

void line(std::vector<json::Value::Member> members) {
  if (target < 0) return;
  // Whoever reads may be gone; the launch does not depend on it.
  [[maybe_unused]] const auto written = writeAll(target, json::print(json::Value(std::move(members))) + "\n");
}

}  // namespace

void setReportDescriptor(int descriptor) { target = descriptor; }
int reportDescriptor() { return target; }

void reportFault(const LaunchFault& fault, const std::string& sentence) {
  line({{"event", "fault"},
        {"step", fault.step ? json::Value(static_cast<double>(*fault.step)) : json::Value()},
        {"kind", fault.kind},
        {"path", fault.path},
        {"error", fault.fault.error ? json::Value(errorName(fault.fault.error)) : json::Value()},
        {"message", sentence}});
}

void reportCommand(size_t index, const std::string& name, int waitStatus) {
  line({{"event", "command"},
        {"index", static_cast<double>(index)},
        {"name", name},
        {"status", WIFEXITED(waitStatus) ? json::Value(WEXITSTATUS(waitStatus)) : json::Value()},
        {"signal", WIFSIGNALED(waitStatus) ? json::Value(WTERMSIG(waitStatus)) : json::Value()}});
}

}  // namespace sing
