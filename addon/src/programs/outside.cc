#include "outside.h"

#include <signal.h>
#include <sys/prctl.h>

#include <cstring>
#include <type_traits>

#include "../core/channel.h"
#include "../core/credentials.h"
#include "../squash/background.h"

namespace sing {

namespace {

/// What is not text of an order. Both ends are the same program; the texts follow, each with a NUL behind it.
struct Order {
  int program, image;
  bool seesSession, writes, keepsCapabilities, allowOther;
  plan::MountFlags flags;
};
static_assert(std::is_trivially_copyable_v<Order>);

std::string print(const Order& order, const ProgramWork& work, const ProgramMount& mount) {
  std::string text(reinterpret_cast<const char*>(&order), sizeof order);
  for (const auto* each : {&work.mountPoint, &mount.source}) (text += *each) += '\0';
  for (const auto& argument : work.arguments) (text += argument) += '\0';
  return text;
}

std::vector<std::string> textsOf(const std::string& message) {
  std::vector<std::string> texts;
  for (size_t at = sizeof(Order); at < message.size(); at += texts.back().size() + 1) texts.emplace_back(message.c_str() + at);
  return texts;
}

/// The first descriptor is the session, the second, if there is one, is kept open by the program.
Outcome<Descriptor> carryOut(const Message& message) {
  Order order{};
  const size_t descriptors = message.descriptors.size();
  if (message.text.size() < sizeof order || descriptors < 1 || descriptors > 2) return refused("Expected an order, got something else");
  memcpy(&order, message.text.data(), sizeof order);
  const auto texts = textsOf(message.text);
  if (texts.size() < 3) return refused("Expected an order with a program, got one without");
  return mountByProgram({.program = order.program,
                         .arguments = {texts.begin() + 2, texts.end()},
                         .session = message.descriptors[0].get(),
                         .mountPoint = texts[0],
                         .seesSession = order.seesSession,
                         .image = order.image,
                         .writes = order.writes,
                         .keepsCapabilities = order.keepsCapabilities,
                         .keptOpen = descriptors == 2 ? message.descriptors[1].get() : -1},
                        {texts[1], order.allowOther, order.flags});
}

int serve(int channel, std::vector<int> kept, const std::optional<plan::Identity>& enterAs) {
  kept.push_back(channel);
  leaveCaller(kept);
  // A caller that ignores it would make the kernel reap what is waited for here.
  signal(SIGCHLD, SIG_DFL);
  const auto taken = enterAs ? takeIdentity(*enterAs) : Status();
  // Without a PID namespace the payload may see it end.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  while (auto message = receiveMessage(channel)) {
    auto mounted = taken ? carryOut(*message) : Outcome<Descriptor>(taken.fault());
    const auto sent = mounted ? sendMessage(channel, "", {mounted->get()}) : sendMessage(channel, mounted.fault().sentence());
    if (!sent) return 1;
  }
  return 0;
}

}  // namespace

Outcome<OutsideStarter> OutsideStarter::start(const std::vector<int>& kept, const std::optional<plan::Identity>& enterAs) {
  auto channel = openChannel();
  if (!channel) return channel.fault();
  const int there = channel->there.get();
  SING_TRY(forkOrphan(
      [&] {
        channel->here.reset();
        return serve(there, kept, enterAs);
      },
      backgroundName));
  return OutsideStarter(std::move(channel->here));
}

Outcome<Descriptor> OutsideStarter::mount(const ProgramWork& work, const ProgramMount& mount) {
  const Order order{work.program, work.image, work.seesSession, work.writes, work.keepsCapabilities, mount.allowOther, mount.flags};
  const std::string text = print(order, work, mount);
  // A longer one would be cut.
  if (text.size() >= longestMessage) return refused("The layers have too long names for the program that lays them over each other");
  SING_TRY(work.keptOpen >= 0 ? sendMessage(channel_.get(), text, {work.session, work.keptOpen}) : sendMessage(channel_.get(), text, {work.session}));
  auto answer = receiveMessage(channel_.get());
  if (!answer) return refused("The process that starts programs ended too early");
  if (answer->descriptors.empty()) return refused(answer->text);
  return std::move(answer->descriptors[0]);
}

}  // namespace sing
