// The test program: runs every test, prints those that fail, ends with 1 when there are any.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "../core/descriptor.h"
#include "../core/files.h"
#include "../core/tree.h"
#include "check.h"

namespace sing::tests {

namespace {
int failed = 0;
}

std::vector<Test>& all() {
  static std::vector<Test> tests;
  return tests;
}

int failures() { return failed; }

void fail(const char* file, int line, const std::string& what) {
  ++failed;
  printf("  %s:%d: %s\n", file, line, what.c_str());
}

ScratchDirectory::ScratchDirectory() {
  char name[] = "/tmp/sing-core-tests-XXXXXX";
  path_ = mkdtemp(name);
  descriptor_ = open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

ScratchDirectory::~ScratchDirectory() {
  close(descriptor_);
  if (!removeTree(AT_FDCWD, path_)) fail(__FILE__, __LINE__, "removing " + path_);
}

void ScratchDirectory::make(const std::string& entry, const std::string& content) const {
  for (size_t slash = entry.find('/'); slash != std::string::npos; slash = entry.find('/', slash + 1)) {
    if (entry.find(" -> ") < slash) break;
    mkdirat(descriptor_, entry.substr(0, slash).c_str(), 0755);
  }
  if (entry.ends_with("/")) return;
  const size_t arrow = entry.find(" -> ");
  if (arrow != std::string::npos) {
    if (symlinkat(entry.substr(arrow + 4).c_str(), descriptor_, entry.substr(0, arrow).c_str()) != 0) fail(__FILE__, __LINE__, entry);
    return;
  }
  const Descriptor file(openat(descriptor_, entry.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file || !writeAll(file.get(), content)) fail(__FILE__, __LINE__, entry);
}

std::string readWhole(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return "(no file)";
  auto text = readToEnd(file.get(), 1u << 20);
  return text ? *text : "(unreadable)";
}

}  // namespace sing::tests

int main() {
  umask(022);
  int failedTests = 0;
  for (const auto& test : sing::tests::all()) {
    const int before = sing::tests::failures();
    test.run();
    if (sing::tests::failures() == before) continue;
    ++failedTests;
    printf("FAILED: %s\n", test.name);
  }
  printf("%zu tests, %d failed\n", sing::tests::all().size(), failedTests);
  return failedTests == 0 ? 0 : 1;
}
