#include "serving.h"

#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <latch>
#include <memory>
#include <string>

#include "../core/capabilities.h"
#include "../core/channel.h"
#include "confine.h"
#include "decompress.h"
#include "image.h"
#include "operations.h"

namespace sing {

namespace {

// Blocks of at most 1 MiB, the tables, what threads reserve, and what they decompress from: far below this.
constexpr uint64_t memoryLimit = 2u << 30;
constexpr size_t blockBytes = 32u << 20;
constexpr unsigned mostThreads = 8;
constexpr int mostArenas = 4;
constexpr size_t stackBytes = 1u << 20;

/// The library keeps few blocks of metadata.
bool enlargeCache(sqfs* fs) {
  constexpr size_t metadataBlocks = 32;
  sqfs_cache_destroy(&fs->md_cache);
  return sqfs_block_cache_init(&fs->md_cache, metadataBlocks) == SQFS_OK;
}

/// False: this user has as many processes as it may have.
bool startThread(const std::function<void()>& work) {
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stackBytes);
  auto* handed = new std::function<void()>(work);
  const auto run = [](void* given) -> void* {
    const std::unique_ptr<std::function<void()>> own(static_cast<std::function<void()>*>(given));
    (*own)();
    return nullptr;
  };
  const bool started = pthread_create(&thread, &attributes, run, handed) == 0;
  if (!started) delete handed;
  pthread_attr_destroy(&attributes);
  return started;
}

unsigned threadsWanted() {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  if (sched_getaffinity(0, sizeof processors, &processors) != 0) return 1;
  return std::clamp(static_cast<unsigned>(CPU_COUNT(&processors)), 1u, mostThreads);
}

/// Blocks come and go all the time: without this each would be new memory of the kernel, which clears it first.
void keepMemory() {
  mallopt(M_MMAP_THRESHOLD, 8 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  mallopt(M_ARENA_MAX, mostArenas);
}

/// Says that this process is alive, as often as it is asked. Ends when nobody asks any more.
void answerCalls(int line, std::latch& begun) {
  begun.count_down();
  while (receiveMessage(line)) {
    if (!sendMessage(line, "")) return;
  }
}

}  // namespace

Status ServedImage::open(const ImagePart& part) {
  part_ = part;
  SING_TRY(openSquashfs(&image_.fs, part.image, part.offset, part.size));
  if (sqfs_ll_init(&image_) != SQFS_OK) return refused("The inode table of the image cannot be read");
  if (!enlargeCache(&image_.fs)) return Fault{"keep blocks of the image in memory", ENOMEM};
  useOwnDecompressor(&image_.fs);
  return {};
}

void ServedImage::serve(int fuse, int line) {
  char name[] = "sing";
  char* words[] = {name, nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, words);
  const fuse_lowlevel_ops table = squashfsOperations();
  fuse_session* session = fuse_session_new(&arguments, &table, sizeof table, &image_);
  // libfuse takes this spelling for a descriptor on which the mount was made already.
  if (!session || fuse_session_mount(session, ("/dev/fd/" + std::to_string(fuse)).c_str()) != 0) _exit(1);
  // Everything that takes a right is done: the image is open, and mounted.
  if (!limitCapabilities(0)) _exit(1);
  if (!confinePaths(Confinement::server, {}, memoryLimit)) _exit(1);
  keepMemory();
  BlockCache blocks(blockBytes);
  ReadOrder order;
  const auto answer = [&] {
    FileReader reader(part_, blocks, order);
    serveWith(library_, reader);
    // The first thread that hears of the end of the mount ends them all.
    _exit(fuse_session_loop(session) == 0 ? 0 : 1);
  };
  const unsigned more = threadsWanted() - 1, calls = line >= 0 ? 1 : 0;
  // A thread begins with system calls that the filter forbids, and none may parse anything before it is there.
  std::latch begun(more + calls), confined(1);
  const auto help = [&] {
    begun.count_down();
    confined.wait();
    answer();
  };
  for (unsigned number = 0; number < more; ++number) {
    if (!startThread(help)) begun.count_down();
  }
  if (calls && !startThread([&] { answerCalls(line, begun); })) _exit(1);
  begun.wait();
  if (!confineCalls(Confinement::server)) _exit(1);
  confined.count_down();
  answer();
  _exit(1);
}

}  // namespace sing
