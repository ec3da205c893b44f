#include "operations.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

namespace sing {

namespace {

thread_local std::mutex* library;
thread_local FileReader* reader;

/// The library's tables and caches are for one thread at a time.
template <auto operation, typename... Arguments>
void alone(fuse_req_t request, Arguments... arguments) {
  const std::lock_guard lock(*library);
  operation(request, arguments...);
}

/// There is nothing to open in an image that does not change: with this answer the kernel opens and closes by itself from then on, and
/// keeps what it has read of files and directories. A program that opens many files has a message and its answer less for each.
void nothingToOpen(fuse_req_t request, fuse_ino_t, fuse_file_info*) { fuse_reply_err(request, ENOSYS); }

/// Where a link leads is kept by the kernel as what is in a file.
void begin(void*, fuse_conn_info* connection) { connection->want |= connection->capable & FUSE_CAP_CACHE_SYMLINKS; }

sqfs_inode_id inodeOf(fuse_req_t request, fuse_ino_t number) {
  auto* image = static_cast<sqfs_ll*>(fuse_req_userdata(request));
  const std::lock_guard lock(*library);
  return image->ino_sqfs(image, number);
}

void readFile(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, fuse_file_info*) {
  FilePieces found;
  const sqfs_inode_id inode = inodeOf(request, number);
  if (offset < 0 || !reader->read(inode, static_cast<uint64_t>(offset), size, found)) {
    fuse_reply_err(request, EIO);
    return;
  }
  // From where they were decompressed to the kernel: no copy in between.
  fuse_reply_iov(request, found.pieces.data(), static_cast<int>(found.pieces.size()));
  reader->readAhead(inode, static_cast<uint64_t>(offset), size);
}

/// What the library keeps from opening to closing is made for each request: the directory's entry in the inode table, as it is now.
void readDirectory(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, fuse_file_info*) {
  sqfs_ll_i found;
  fuse_file_info info{};
  // Answers by itself when there is none.
  if (sqfs_ll_iget(request, &found, number) != SQFS_OK) return;
  if (!S_ISDIR(found.inode.base.mode)) {
    fuse_reply_err(request, EIO);
    return;
  }
  info.fh = reinterpret_cast<uintptr_t>(&found);
  sqfs_ll_op_readdir(request, number, size, offset, &info);
}

}  // namespace

void serveWith(std::mutex& lock, FileReader& files) {
  library = &lock;
  reader = &files;
}

fuse_lowlevel_ops squashfsOperations() {
  fuse_lowlevel_ops out{};
  out.init = begin;
  out.lookup = alone<sqfs_ll_op_lookup>;
  out.forget = alone<sqfs_ll_op_forget>;
  out.getattr = alone<sqfs_ll_op_getattr>;
  out.readlink = alone<sqfs_ll_op_readlink>;
  out.open = nothingToOpen;
  out.read = readFile;
  out.opendir = nothingToOpen;
  out.readdir = alone<readDirectory>;
  out.statfs = alone<stfs_ll_op_statfs>;
  out.getxattr = alone<sqfs_ll_op_getxattr>;
  out.listxattr = alone<sqfs_ll_op_listxattr>;
  return out;
}

}  // namespace sing
