// The process that stays outside a launch's namespaces for one image: it serves the image by FUSE until the mount is gone, or
// removes the directory that the image was unpacked to when the launch is over, and those whose own cleaner was killed.
#pragma once

#include <cstdint>
#include <string>

#include "../core/channel.h"

namespace sing {

/// Forked before the new namespaces: a server that is forked inside would keep the namespace, and with it the mount that it
/// serves, alive for ever; a cleaner inside would end with it.
class ImageHelper {
 public:
  struct Work {
    int image = -1;
    uint64_t offset = 0, size = 0;
    /// Whether it may be asked to serve: then it reads the superblock at once.
    bool serves = false;
    /// Forked after the namespaces were made: it takes a mount namespace of its own, in which the mount that it serves never is.
    bool inside = false;
  };

  /// Forks it. It is nobody's child and holds no descriptor of the caller but the image; it watches this process, also
  /// through the exec that makes it the payload, and ends with it when there is nothing to serve.
  static Outcome<ImageHelper> start(const Work& work);
  /// Waits until it has read the image's superblock; what is wrong with that is the fault, as often as it is asked. Who cleans up, or holds something, serves no more.
  Status awaitReady();
  /// Hands over the open /dev/fuse that belongs to the mount.
  Status serve(int fuse);
  /// Registers a directory below `parent` before it is made; its name is the answer. `userNamespace` (or -1) is entered to remove files of its ids.
  Outcome<std::string> registerTree(int parent, int userNamespace);
  /// Has it keep a descriptor open until the end of the launch.
  Status hold(int descriptor);

 private:
  Outcome<std::string> order(const std::string& text, std::initializer_list<int> descriptors);
  ImageHelper(Descriptor channel, bool readyPending) : channel_(std::move(channel)), readyPending_(readyPending) {}
  /// The answer comes once.
  void takeReady();
  Descriptor channel_;
  bool readyPending_, ordered_ = false;
  Status ready_;
};

}  // namespace sing
