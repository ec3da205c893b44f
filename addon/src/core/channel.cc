#include "channel.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace sing {

namespace {
constexpr size_t messageBytes = longestMessage + 1;
constexpr size_t messageDescriptors = 16;
}  // namespace

Outcome<ChannelPair> openChannel() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return failed("open a channel to a helper process");
  return ChannelPair{Descriptor(ends[0]), Descriptor(ends[1])};
}

Status sendMessage(int channel, const std::string& text, std::initializer_list<int> descriptors) {
  // An empty packet would look like the end of the channel.
  std::string packet = "." + text.substr(0, longestMessage);
  iovec part{packet.data(), packet.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * messageDescriptors)] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptors.size() > messageDescriptors) return refused("too many descriptors for one message");
  if (descriptors.size() > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    memcpy(CMSG_DATA(head), descriptors.begin(), sizeof(int) * descriptors.size());
  }
  while (sendmsg(channel, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return failed("send to a helper process");
  }
  return {};
}

Outcome<Message> receiveMessage(int channel) {
  std::string packet(messageBytes, '\0');
  iovec part{packet.data(), packet.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * messageDescriptors)] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t length = 0;
  // The other end may have ended without taking what it was sent: the kernel says that first and once, then what it had said before.
  bool reset = false;
  while ((length = recvmsg(channel, &header, MSG_CMSG_CLOEXEC)) < 0 && (errno == EINTR || (errno == ECONNRESET && !reset))) reset = errno == ECONNRESET;
  if (length < 0) return failed("receive from a helper process");
  if (length == 0) return Fault{"receive from a helper process", EPIPE};
  Message message;
  message.text = packet.substr(1, static_cast<size_t>(length) - 1);
  for (cmsghdr* head = CMSG_FIRSTHDR(&header); head; head = CMSG_NXTHDR(&header, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int number = -1;
      memcpy(&number, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
      message.descriptors.emplace_back(number);
    }
  }
  return message;
}

void closeAllBut(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned from = 3;
  for (const int number : keep) {
    if (number < static_cast<int>(from)) continue;
    if (number > static_cast<int>(from)) close_range(from, static_cast<unsigned>(number) - 1, 0);
    from = static_cast<unsigned>(number) + 1;
  }
  close_range(from, ~0u, 0);
}

void detachStandardStreams() {
  Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) {
    // A container without /dev/null: the end of a pipe that nobody writes to, and that takes nothing.
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return;
    null = Descriptor(ends[0]);
    close(ends[1]);
  }
  for (int number = 0; number <= 2; ++number) dup2(null.get(), number);
}

Outcome<pid_t> forkChild(const std::function<int()>& work) {
  const pid_t child = fork();
  if (child < 0) return failed("start a helper process");
  if (child == 0) _exit(work());
  return child;
}

Status forkOrphan(const std::function<int()>& work, const char* name) {
  auto between = forkChild([&]() -> int {
    if (name) prctl(PR_SET_NAME, name);
    const pid_t child = fork();
    if (child < 0) return errno > 125 ? 125 : errno;
    return child == 0 ? work() : 0;
  });
  if (!between) return between.fault();
  const int status = waitFor(*between);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Fault{"start a helper process", WIFEXITED(status) ? WEXITSTATUS(status) : EAGAIN};
}

int waitFor(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace sing
