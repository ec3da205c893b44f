#include "operations.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdint>

namespace sing {

namespace {

/// There is nothing to open in an image that does not change: with this answer the kernel opens and closes by itself from then on, and
/// keeps what it has read of files and directories. A program that opens many files has a message and its answer less for each.
void nothingToOpen(fuse_req_t request, fuse_ino_t, fuse_file_info*) { fuse_reply_err(request, ENOSYS); }

/// What the library keeps from opening to closing is made for each request: the file's entry in the inode table, as it is now.
bool findInode(fuse_req_t request, fuse_ino_t number, mode_t type, sqfs_ll_i& found, fuse_file_info& info, void* handle) {
  // Answers by itself when there is none.
  if (sqfs_ll_iget(request, &found, number) != SQFS_OK) return false;
  if ((found.inode.base.mode & S_IFMT) != type) {
    fuse_reply_err(request, EIO);
    return false;
  }
  info.fh = reinterpret_cast<uintptr_t>(handle);
  return true;
}

void readFile(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, fuse_file_info*) {
  sqfs_ll_i found;
  fuse_file_info info{};
  if (findInode(request, number, S_IFREG, found, info, &found.inode)) sqfs_ll_op_read(request, number, size, offset, &info);
}

void readDirectory(fuse_req_t request, fuse_ino_t number, size_t size, off_t offset, fuse_file_info*) {
  sqfs_ll_i found;
  fuse_file_info info{};
  if (findInode(request, number, S_IFDIR, found, info, &found)) sqfs_ll_op_readdir(request, number, size, offset, &info);
}

}  // namespace

fuse_lowlevel_ops squashfsOperations() {
  fuse_lowlevel_ops out{};
  out.lookup = sqfs_ll_op_lookup;
  out.forget = sqfs_ll_op_forget;
  out.getattr = sqfs_ll_op_getattr;
  out.readlink = sqfs_ll_op_readlink;
  out.open = nothingToOpen;
  out.read = readFile;
  out.opendir = nothingToOpen;
  out.readdir = readDirectory;
  out.statfs = stfs_ll_op_statfs;
  out.getxattr = sqfs_ll_op_getxattr;
  out.listxattr = sqfs_ll_op_listxattr;
  return out;
}

}  // namespace sing
