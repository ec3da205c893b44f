#include "blocks.h"

namespace sing {

Block BlockCache::get(uint64_t position, const std::function<Block()>& load) {
  std::unique_lock lock(mutex_);
  for (auto found = places_.find(position); found != places_.end(); found = places_.find(position)) {
    if (!found->second->loading) {
      entries_.splice(entries_.begin(), entries_, found->second);
      return found->second->block;
    }
    loaded_.wait(lock);
  }
  entries_.push_front({position, {}});
  const auto entry = entries_.begin();
  places_.emplace(position, entry);
  lock.unlock();
  Block block = load();
  lock.lock();
  if (block) {
    entry->block = block;
    entry->loading = false;
    used_ += block->size;
    makeRoom();
  } else {
    // Who waits for it tries for itself.
    places_.erase(position);
    entries_.erase(entry);
  }
  loaded_.notify_all();
  return block;
}

bool BlockCache::has(uint64_t position) {
  const std::lock_guard lock(mutex_);
  return places_.contains(position);
}

void BlockCache::makeRoom() {
  auto entry = entries_.end();
  while (used_ > room_ && entry != entries_.begin()) {
    --entry;
    // The one that was just used stays, however large it is.
    if (entry->loading || entry == entries_.begin()) continue;
    used_ -= entry->block->size;
    places_.erase(entry->position);
    entry = entries_.erase(entry);
  }
}

}  // namespace sing
