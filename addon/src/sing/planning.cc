#include "planning.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "../core/capabilities.h"
#include "../core/channel.h"
#include "../core/limits.h"
#include "../planner/engine.h"

namespace sing {

namespace {

constexpr uint64_t capDacReadSearch = uint64_t{1} << 2;
constexpr size_t pieceBytes = 60u << 10;

/// Every number that a member called `handle` has, wherever it is in the answer.
void collectHandles(const json::Value& value, std::vector<int>& handles) {
  for (const auto& item : value.list()) collectHandles(item, handles);
  for (const auto& [name, member] : value.members()) {
    if (name == "handle" && member.kind() == json::Value::Kind::number) handles.push_back(static_cast<int>(member.number()));
    collectHandles(member, handles);
  }
}

Status sendAnswer(int line, const std::vector<std::string>& words, const HostContext& context) {
  // Root finds images where only their owner may look; that is a right to read, and the only one that is kept.
  SING_TRY(limitCapabilities(capDacReadSearch));
  auto answer = askPlanner(words, context);
  if (!answer) return answer.fault();
  const std::string text = json::print(*answer);
  std::vector<int> handles;
  collectHandles(*answer, handles);
  std::sort(handles.begin(), handles.end());
  handles.erase(std::unique(handles.begin(), handles.end()), handles.end());
  for (const int handle : handles) SING_TRY(sendMessage(line, "handle " + std::to_string(handle), {handle}));
  for (size_t at = 0; at < text.size(); at += pieceBytes) SING_TRY(sendMessage(line, "text " + text.substr(at, pieceBytes)));
  return sendMessage(line, "end");
}

struct Received {
  int number;
  Descriptor descriptor;
};

/// Gives every received descriptor the number that it had in the child.
Status placeHandles(std::vector<Received> received) {
  int highest = 2;
  for (const auto& one : received) highest = std::max({highest, one.number, one.descriptor.get()});
  for (auto& one : received) {
    Descriptor moved(fcntl(one.descriptor.get(), F_DUPFD_CLOEXEC, highest + 1));
    if (!moved) return failed("take a descriptor over from the planner");
    one.descriptor = std::move(moved);
  }
  for (const auto& one : received) {
    if (fcntl(one.number, F_GETFD) >= 0) return refused("planner: it used descriptor " + std::to_string(one.number) + ", which is taken");
    if (dup3(one.descriptor.get(), one.number, O_CLOEXEC) < 0) return failed("take a descriptor over from the planner");
  }
  return {};
}

Outcome<std::string> receiveAnswer(int line) {
  std::string text;
  std::vector<Received> received;
  while (auto message = receiveMessage(line)) {
    if (message->text.starts_with("text ")) {
      text.append(message->text, 5);
    } else if (message->text.starts_with("handle ") && message->descriptors.size() == 1 && received.size() < limits::handles) {
      int number = -1;
      const char* digits = message->text.c_str() + 7;
      std::from_chars(digits, message->text.c_str() + message->text.size(), number);
      if (number < 3 || number > limits::maxHandle) return refused("planner: a handle that is none");
      received.push_back({number, std::move(message->descriptors[0])});
    } else if (message->text.starts_with("fault ")) {
      return refused(message->text.substr(6));
    } else if (message->text == "end") {
      SING_TRY(placeHandles(std::move(received)));
      return text;
    }
    if (text.size() > limits::planBytes) break;
  }
  return refused("planner: it ended without an answer");
}

Outcome<std::string> askWithoutPrivilege(const std::vector<std::string>& words, const HostContext& context) {
  auto channel = openChannel();
  if (!channel) return channel.fault();
  const int line = channel->there.get();
  auto child = forkChild([&]() -> int {
    // The other end stays open here, unused: its number must not be given to a handle, since the parent uses it.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto sent = sendAnswer(line, words, context);
    if (sent) return 0;
    return sendMessage(line, "fault " + sent.fault().sentence()) ? 0 : 1;
  });
  if (!child) return child.fault();
  channel->there.reset();
  auto text = receiveAnswer(channel->here.get());
  channel->here.reset();
  waitFor(*child);
  return text;
}

}  // namespace

Outcome<json::Value> planCommandLine(const std::vector<std::string>& words, const HostContext& context) {
  if (context.capabilities == 0) return askPlanner(words, context);
  auto text = askWithoutPrivilege(words, context);
  if (!text) return text.fault();
  return json::parse(*text, {.bytes = limits::planBytes});
}

}  // namespace sing
