// The cache of unpacked images: one folder for each image, kept from start to start, for machines where FUSE is not open to users.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../core/descriptor.h"
#include "../core/fault.h"
#include "shared_key.h"

namespace sing {

/// An unpacked image. As long as somebody has `use` open, also a copy of it in another process, nobody removes it.
struct UnpackedImage {
  Descriptor root, use;
  /// It was unpacked just now.
  bool fresh = false;
};

/// `<path>/<key>/rootfs` is an image, `<path>/<key>/key` says of which file and is what users lock. Names with a dot in front are being made or removed.
class UnpackedCache {
 public:
  struct Limits {
    /// Bytes on the disk of all images together.
    uint64_t size = 0;
    /// Seconds that another start may go on unpacking the image that is wanted.
    int patience = 60;
  };

  /// Holds on to the folder, or to the nearest one above it that is there. Makes nothing.
  static Outcome<UnpackedCache> find(const std::string& path);

  /// The unpacked image; unpacks it if it is not there, after which images that were not used for the longest time make room for it.
  /// EFBIG: it does not fit beside those in use. ETIMEDOUT: another start did not get done with it.
  Outcome<UnpackedImage> take(const ImagePart& part, const std::string& source, const Limits& limits);

  /// Removes these images but those in use, whose names come back, and what interrupted starts have left.
  Outcome<std::vector<std::string>> remove(const std::vector<std::string>& names);

 private:
  UnpackedCache(std::string path, Descriptor above, std::vector<std::string> missing)
      : path_(std::move(path)), above_(std::move(above)), missing_(std::move(missing)) {}
  Status open(bool make);

  std::string path_;
  Descriptor above_, folder_;
  std::vector<std::string> missing_;
};

}  // namespace sing
