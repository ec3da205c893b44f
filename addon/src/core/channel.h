// Talking to a process that was forked: messages that keep their borders, with descriptors.
#pragma once

#include <sys/types.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "descriptor.h"
#include "fault.h"

namespace sing {

struct Message {
  std::string text;
  std::vector<Descriptor> descriptors;
};

/// Of the text of a message, in bytes; what is longer is cut.
constexpr size_t longestMessage = (64u << 10) - 1;

/// Two ends of a channel (close-on-exec).
struct ChannelPair {
  Descriptor here, there;
};
Outcome<ChannelPair> openChannel();

/// Sends one message with at most 16 descriptors.
Status sendMessage(int channel, const std::string& text, std::initializer_list<int> descriptors = {});

/// Waits for one message. The other end closed without one: a fault with EPIPE.
Outcome<Message> receiveMessage(int channel);

/// Closes every descriptor above 2 except these.
void closeAllBut(std::vector<int> keep);

/// Puts /dev/null on descriptors 0, 1 and 2: a helper must not hold the caller's pipes open.
void detachStandardStreams();

/// Forks a child that runs `work` and ends with the status it returns.
Outcome<pid_t> forkChild(const std::function<int()>& work);

/// As forkChild, but the process is nobody's child when this returns: the payload must not find it among its own. Then it has its name, too,
/// if it gets one: whoever looks at the processes of a container that runs is not to take it for a start.
Status forkOrphan(const std::function<int()>& work, const char* name = nullptr);

/// waitpid until the child has ended; its wait status.
int waitFor(pid_t child);

}  // namespace sing
