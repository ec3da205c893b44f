#include "reader.h"

#include <endian.h>
#include <sys/stat.h>

#include <algorithm>

#include "decompress.h"
#include "image.h"

namespace sing {

namespace {

constexpr int blocksAhead = 3;

/// What a hole is made of: no block is larger.
constexpr size_t largestBlock = 1u << 20;
const uint8_t zeros[largestBlock] = {};

}  // namespace

bool ReadOrder::goesOn(sqfs_inode_id inode, uint64_t start, uint64_t end) {
  const std::lock_guard lock(mutex_);
  for (auto& place : places_) {
    if (place.inode != inode) continue;
    const bool follows = place.end == start;
    place.end = end;
    return follows;
  }
  places_[next_++ % places_.size()] = {inode, end};
  return false;
}

bool FileReader::readable() {
  if (opened_ || broken_) return opened_;
  opened_ = openSquashfs(&fs_, part_.image, part_.offset, part_.size) && fs_.sb.block_size > 0 && fs_.sb.block_size <= largestBlock;
  broken_ = !opened_;
  if (opened_) useOwnDecompressor(&fs_);
  return opened_;
}

Block FileReader::load(uint64_t position, uint32_t header) {
  return blocks_.get(position, [&]() -> Block {
    sqfs_block* block = nullptr;
    if (sqfs_data_block_read(&fs_, static_cast<sqfs_off_t>(position), header, &block) != SQFS_OK) return {};
    return Block(block, [](const sqfs_block* gone) { sqfs_block_dispose(const_cast<sqfs_block*>(gone)); });
  });
}

bool FileReader::addPiece(Block block, size_t offset, size_t length, FilePieces& out) {
  // A hostile image says that more is in the block than is.
  if (!block || offset > block->size || length > block->size - offset) return false;
  out.pieces.push_back({static_cast<uint8_t*>(block->data) + offset, length});
  out.blocks.push_back(std::move(block));
  return true;
}

bool FileReader::addFragment(const sqfs_inode& inode, uint64_t skip, size_t size, FilePieces& out) {
  squashfs_fragment_entry fragment{};
  if (inode.xtra.reg.frag_idx == SQUASHFS_INVALID_FRAG) return true;
  // The library does not look how long the table is.
  if (inode.xtra.reg.frag_idx >= fs_.sb.fragments || sqfs_frag_entry(&fs_, &fragment, inode.xtra.reg.frag_idx) != SQFS_OK) return false;
  const uint64_t length = inode.xtra.reg.file_size % fs_.sb.block_size;
  if (skip >= length) return true;
  return addPiece(load(fragment.start_block, fragment.size), inode.xtra.reg.frag_off + skip, std::min<uint64_t>(size, length - skip), out);
}

bool FileReader::read(sqfs_inode_id number, uint64_t start, size_t size, FilePieces& out) {
  sqfs_inode inode{};
  if (!readable() || sqfs_inode_get(&fs_, &inode, number) != SQFS_OK || !S_ISREG(inode.base.mode)) return false;
  const uint64_t end = inode.xtra.reg.file_size, blockSize = fs_.sb.block_size;
  if (start >= end) return true;
  size = std::min<uint64_t>(size, end - start);
  sqfs_blocklist list;
  if (sqfs_blockidx_blocklist(&fs_, &inode, &list, static_cast<sqfs_off_t>(start)) != SQFS_OK) return false;
  while (size > 0 && list.remain > 0) {
    if (sqfs_blocklist_next(&list) != SQFS_OK) return false;
    if (list.pos + blockSize <= start) continue;
    const uint64_t skip = start - list.pos, length = std::min(blockSize, end - list.pos);
    const size_t taken = std::min<uint64_t>(size, length - skip);
    if (list.input_size == 0) out.pieces.push_back({const_cast<uint8_t*>(zeros), taken});
    else if (!addPiece(load(list.block, list.header), skip, taken, out)) return false;
    start += taken;
    size -= taken;
  }
  return size == 0 || addFragment(inode, start % blockSize, size, out);
}

void FileReader::readAhead(sqfs_inode_id number, uint64_t start, size_t size) {
  if (!order_.goesOn(number, start, start + size)) return;
  sqfs_inode inode{};
  if (!readable() || sqfs_inode_get(&fs_, &inode, number) != SQFS_OK || !S_ISREG(inode.base.mode)) return;
  start += size;
  sqfs_blocklist list;
  if (start >= inode.xtra.reg.file_size || sqfs_blockidx_blocklist(&fs_, &inode, &list, static_cast<sqfs_off_t>(start)) != SQFS_OK) return;
  for (int looked = 0; looked < blocksAhead && list.remain > 0;) {
    if (sqfs_blocklist_next(&list) != SQFS_OK) return;
    if (list.pos + fs_.sb.block_size <= start) continue;
    ++looked;
    // The kernel asks for the next ones by itself: others may be at them.
    if (list.input_size == 0 || blocks_.has(list.block)) continue;
    load(list.block, list.header);
    return;
  }
}

}  // namespace sing
