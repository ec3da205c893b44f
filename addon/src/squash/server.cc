#include "server.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "confine.h"
#include "image.h"

extern "C" {
#include <squashfuse/ll.h>
}

namespace sing {

namespace {

// Blocks of at most 1 MiB in a few small caches, the tables, and requests one at a time: far below this.
constexpr uint64_t memoryLimit = 1u << 30;

/// Requests of the kernel, answered by the library. What is not named here is answered with ENOSYS.
fuse_lowlevel_ops operations() {
  fuse_lowlevel_ops out{};
  out.lookup = sqfs_ll_op_lookup;
  out.forget = sqfs_ll_op_forget;
  out.getattr = sqfs_ll_op_getattr;
  out.readlink = sqfs_ll_op_readlink;
  out.open = sqfs_ll_op_open;
  out.read = sqfs_ll_op_read;
  out.release = sqfs_ll_op_release;
  out.opendir = sqfs_ll_op_opendir;
  out.readdir = sqfs_ll_op_readdir;
  out.releasedir = sqfs_ll_op_releasedir;
  out.statfs = stfs_ll_op_statfs;
  out.getxattr = sqfs_ll_op_getxattr;
  out.listxattr = sqfs_ll_op_listxattr;
  return out;
}

/// Serves until the kernel says that the mount is gone.
int serveMount(sqfs_ll* image, int fuse) {
  char name[] = "sing";
  char* words[] = {name, nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(1, words);
  const fuse_lowlevel_ops table = operations();
  fuse_session* session = fuse_session_new(&arguments, &table, sizeof table, image);
  // libfuse takes this spelling for a descriptor on which the mount was made already.
  if (!session || fuse_session_mount(session, ("/dev/fd/" + std::to_string(fuse)).c_str()) != 0) return 1;
  if (!confine(Confinement::server, -1, memoryLimit)) return 1;
  return fuse_session_loop(session) == 0 ? 0 : 1;
}

int runServer(int channel, int image, uint64_t offset, uint64_t size) {
  // A session of its own: what the terminal sends (Ctrl-C) is for the payload. Other signals are not for it either: it
  // has to outlive a payload that catches SIGTERM, and it ends with its mount.
  setsid();
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_NAME, "sing-image");
  closeAllBut({channel, image});
  detachStandardStreams();
  if (chdir("/") != 0) return 1;

  sqfs_ll served{};
  auto opened = openSquashfs(&served.fs, image, offset, size);
  if (opened && sqfs_ll_init(&served) != SQFS_OK) opened = refused("The inode table of the image cannot be read");
  if (!sendMessage(channel, opened ? "" : opened.fault().sentence()) || !opened) return 1;

  auto order = receiveMessage(channel);
  if (!order || order->descriptors.size() != 1) return 1;
  close(channel);
  return serveMount(&served, order->descriptors[0].release());
}

}  // namespace

Outcome<ImageServer> ImageServer::start(int image, uint64_t offset, uint64_t size) {
  auto channel = openChannel();
  if (!channel) return channel.fault();
  const int there = channel->there.get();
  SING_TRY(forkOrphan([&] {
    channel->here.reset();
    return runServer(there, image, offset, size);
  }));
  return ImageServer(std::move(channel->here));
}

Status ImageServer::awaitReady() {
  auto answer = receiveMessage(channel_.get());
  if (!answer) return refused("The image server ended before it had read the image");
  return answer->text.empty() ? Status() : Status(refused(answer->text));
}

Status ImageServer::serve(int fuse) { return sendMessage(channel_.get(), "serve", {fuse}); }

}  // namespace sing
