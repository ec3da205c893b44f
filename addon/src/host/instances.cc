// Questions about instances that run.
#include <unistd.h>

#include "../core/fields.h"
#include "../core/instance_folder.h"
#include "functions.h"

namespace sing::host {

using json::Value;

namespace {

Value mark(const ProcessMark& process) {
  return std::vector<Value::Member>{{"pid", process.pid}, {"start", static_cast<double>(process.start)}};
}

/// Whole sentences of our own; for an errno the name of it.
Value failureOf(const Fault& fault) {
  return std::vector<Value::Member>{{"error", fault.error ? errorName(fault.error) : std::string("EINVAL")}, {"message", fault.sentence()}};
}

}  // namespace

Value instance(const HostContext&, const HostArguments& arguments) {
  const std::string *config = pathArgument(arguments, 0), &host = arguments[1].text(), &user = arguments[2].text(), &name = arguments[3].text();
  if (!config || !plan::isPathPart(host) || !plan::isPathPart(user) || !isInstanceName(name)) return hostFailure(EINVAL);
  auto folder = InstanceFolder::open({*config, host, user}, geteuid(), false);
  if (!folder) return failureOf(folder.fault());
  auto record = folder->read(name);
  if (!record) return failureOf(record.fault());
  switch (stateOf(*record, geteuid())) {
    case InstanceState::starting: return failureOf(Fault{"wait for instance " + name + ", which is being started", EAGAIN});
    case InstanceState::gone: return hostFailure(ENOENT);
    case InstanceState::elsewhere: return failureOf(refused("instance " + name + " was started in another PID namespace, and can be joined from there only"));
    case InstanceState::running: break;
  }
  return std::vector<Value::Member>{{"image", record->image},
                                    {"home", record->home},
                                    {"mode", record->mode},
                                    {"severalIds", record->severalIds},
                                    {"boot", record->boot},
                                    {"init", mark(record->init)},
                                    {"keeper", mark(record->keeper)}};
}

}  // namespace sing::host
