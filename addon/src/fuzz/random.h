// Random numbers that a seed repeats (splitmix64).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sing::fuzz {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  /// A number from 0 to `limit` − 1.
  size_t below(size_t limit) {
    state_ += 0x9e3779b97f4a7c15;
    uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return static_cast<size_t>((mixed ^ (mixed >> 31)) % limit);
  }

  bool once(size_t in) { return below(in) == 0; }

  /// One of a list that is not empty.
  template <typename T>
  const T& of(const std::vector<T>& list) {
    return list[below(list.size())];
  }

 private:
  uint64_t state_;
};

}  // namespace sing::fuzz
