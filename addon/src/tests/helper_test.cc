// The process beside a launch that serves an image, or cleans up. Nobody may wait for an answer that was given before.
#include "../squash/helper.h"

#include <fcntl.h>
#include <unistd.h>

#include "check.h"

namespace {

constexpr unsigned patience = 30;

/// With a file that is no image.
sing::Outcome<sing::ImageHelper> startFor(const sing::tests::ScratchDirectory& scratch) {
  scratch.make("image", "no image");
  const sing::Descriptor image(open((scratch.path() + "/image").c_str(), O_RDONLY | O_CLOEXEC));
  return sing::ImageHelper::start({.image = image.get(), .offset = 0, .size = 8, .serves = true});
}

}  // namespace

TEST("image helper: says as often as it is asked what is wrong with the image") {
  const sing::tests::ScratchDirectory scratch;
  alarm(patience);
  auto helper = startFor(scratch);
  CHECK(helper);
  if (!helper) return;
  const auto first = helper->awaitReady(), second = helper->awaitReady();
  CHECK(!first && !second);
  if (!first && !second) CHECK_EQUAL(second.fault().sentence(), first.fault().sentence());
  alarm(0);
}

TEST("image helper: who is to clean up refuses to serve") {
  const sing::tests::ScratchDirectory scratch;
  alarm(patience);
  auto helper = startFor(scratch);
  CHECK(helper);
  if (!helper) return;
  CHECK(helper->registerTree(scratch.descriptor(), -1));
  const auto ready = helper->awaitReady();
  CHECK(!ready);
  if (!ready) CHECK(ready.fault().sentence().find("another task") != std::string::npos);
  alarm(0);
}
