#include "instances.h"

#include <signal.h>
#include <unistd.h>

#include "../core/fields.h"
#include "../core/limits.h"
#include "../core/messages.h"
#include "stats.h"
#include "stop.h"
#include "tables.h"

namespace sing {

namespace {

using json::Value;
using plan::Fields;

constexpr int failedStatus = 1;
constexpr int fatalStatus = 255;

int list(const InstanceQuery& query, bool asJson, bool logs) {
  const auto found = findInstances(query);
  if (asJson) {
    std::vector<Value> instances;
    for (const auto& record : found) {
      const auto paths = logsOf(query.place, record.name);
      instances.push_back(std::vector<Value::Member>{{"instance", record.name},
                                                     {"pid", record.init.pid},
                                                     {"img", record.image},
                                                     {"ip", ""},
                                                     {"logErrPath", paths.error},
                                                     {"logOutPath", paths.out}});
    }
    return printResult(STDOUT_FILENO, prettyJson(std::vector<Value::Member>{{"instances", std::move(instances)}}));
  }
  std::vector<std::vector<std::string>> rows = {logs ? std::vector<std::string>{"INSTANCE NAME", "PID", "LOGS"}
                                                     : std::vector<std::string>{"INSTANCE NAME", "PID", "IP", "IMAGE"}};
  for (const auto& record : found) {
    const auto paths = logsOf(query.place, record.name);
    const std::string pid = std::to_string(record.init.pid);
    if (logs) {
      rows.push_back({record.name, pid, paths.error});
      rows.push_back({"", "", paths.out});
    } else {
      rows.push_back({record.name, pid, "", record.image});
    }
  }
  return printResult(STDOUT_FILENO, table(rows));
}

int noneFound() {
  say(Level::error, "no instance found");
  return failedStatus;
}

int stop(const InstanceQuery& query, const StopOptions& options) {
  const auto found = findInstances(query);
  return found.empty() ? noneFound() : stopInstances(found, options);
}

int stats(const InstanceQuery& query, bool once, bool asJson) {
  const auto found = findInstances(query);
  return found.empty() ? noneFound() : printStats(found[0], once, asJson);
}

}  // namespace

int answerInstances(const Value& answer) {
  plan::Report report;
  Fields fields(answer, "the answer", report);
  fields.member("kind");
  setMessageStyle({static_cast<int>(fields.number("level", -5, 6)), fields.boolean("colour")});
  Fields request(fields.member("request"), "request", report);
  InstanceQuery query;
  query.place = plan::readInstancePlace(request.member("place"), "request.place", report);
  query.owner = static_cast<uid_t>(request.number("owner", 0, limits::maxId));
  query.glob = request.text("glob", limits::pathBytes);
  const size_t action = request.choice("action", {"list", "stop", "stats"});
  const bool asJson = request.boolean("json"), logs = request.boolean("logs"), once = request.boolean("once");
  const StopOptions options{static_cast<int>(request.number("signal", 1, SIGRTMAX)), static_cast<int64_t>(request.number("seconds", 0, 1e9)) * 1000};
  request.end();
  fields.end();
  if (report.fault()) {
    say(Level::fatal, "planner: " + report.fault()->sentence());
    return fatalStatus;
  }
  if (action == 0) return list(query, asJson, logs);
  return action == 1 ? stop(query, options) : stats(query, once, asJson);
}

}  // namespace sing
