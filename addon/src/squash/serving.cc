#include "serving.h"

#include <unistd.h>

#include <functional>
#include <latch>
#include <string>
#include <thread>

#include "../core/capabilities.h"
#include "../core/channel.h"
#include "confine.h"
#include "image.h"
#include "operations.h"

namespace sing {

namespace {

// Blocks of at most 1 MiB in a few small caches, the tables, and requests one at a time: far below this.
constexpr uint64_t memoryLimit = 1u << 30;

/// The library keeps one block of data, so that a program whose reads alternate has every block decompressed again and again.
bool enlargeCaches(sqfs* fs) {
  constexpr size_t dataBlocks = 16, fragmentBlocks = 8, metadataBlocks = 32;
  const auto resize = [](sqfs_cache* cache, size_t blocks) {
    sqfs_cache_destroy(cache);
    return sqfs_block_cache_init(cache, blocks) == SQFS_OK;
  };
  return resize(&fs->data_cache, dataBlocks) && resize(&fs->frag_cache, fragmentBlocks) && resize(&fs->md_cache, metadataBlocks);
}

/// Says that this process is alive, as often as it is asked. Ends when nobody asks any more.
void answerCalls(int line, std::latch& begun) {
  begun.count_down();
  while (receiveMessage(line)) {
    if (!sendMessage(line, "")) return;
  }
}

}  // namespace

Status ServedImage::open(int image, uint64_t offset, uint64_t size) {
  SING_TRY(openSquashfs(&image_.fs, image, offset, size));
  if (sqfs_ll_init(&image_) != SQFS_OK) return refused("The inode table of the image cannot be read");
  if (!enlargeCaches(&image_.fs)) return Fault{"keep blocks of the image in memory", ENOMEM};
  return {};
}

int ServedImage::serve(int fuse, int line) {
  char name[] = "sing";
  char* words[] = {name, nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, words);
  const fuse_lowlevel_ops table = squashfsOperations();
  fuse_session* session = fuse_session_new(&arguments, &table, sizeof table, &image_);
  // libfuse takes this spelling for a descriptor on which the mount was made already.
  if (!session || fuse_session_mount(session, ("/dev/fd/" + std::to_string(fuse)).c_str()) != 0) return 1;
  // Everything that takes a right is done: the image is open, and mounted.
  if (!limitCapabilities(0)) return 1;
  if (!confinePaths(Confinement::server, {}, memoryLimit)) return 1;
  // A thread begins with system calls that the filter forbids.
  std::latch begun(line >= 0 ? 1 : 0);
  if (line >= 0) std::thread(answerCalls, line, std::ref(begun)).detach();
  begun.wait();
  if (!confineCalls(Confinement::server)) return 1;
  return fuse_session_loop(session) == 0 ? 0 : 1;
}

}  // namespace sing
