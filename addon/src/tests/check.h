// A few lines instead of a test framework: TEST(name) { CHECK(…); }
#pragma once

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace sing::tests {

struct Test {
  const char* name;
  std::function<void()> run;
};

/// Every test of the program, in the order of registration.
std::vector<Test>& all();

/// How many checks have failed.
int failures();

/// Notes a failed check of the running test.
void fail(const char* file, int line, const std::string& what);

struct Registration {
  Registration(const char* name, std::function<void()> run) { all().push_back({name, std::move(run)}); }
};

/// A directory that is removed, with everything in it, at the end of the test.
class ScratchDirectory {
 public:
  ScratchDirectory();
  ~ScratchDirectory();
  const std::string& path() const { return path_; }
  int descriptor() const { return descriptor_; }
  /// Makes a file (with its parents), a directory (text ends with '/'), or a link ("name -> target") in it.
  void make(const std::string& entry, const std::string& content = "") const;

 private:
  std::string path_;
  int descriptor_ = -1;
};

std::string readWhole(const std::string& path);

}  // namespace sing::tests

#define SING_JOIN_(a, b) a##b
#define SING_JOIN(a, b) SING_JOIN_(a, b)
#define TEST_AT(line, name)                                                                    \
  static void SING_JOIN(test, line)();                                                         \
  static const sing::tests::Registration SING_JOIN(registered, line)(name, SING_JOIN(test, line)); \
  static void SING_JOIN(test, line)()
#define TEST(name) TEST_AT(__LINE__, name)
#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) sing::tests::fail(__FILE__, __LINE__, #condition);      \
  } while (false)
#define CHECK_EQUAL(found, wanted)                                                                          \
  do {                                                                                                      \
    const std::string found_ = (found), wanted_ = (wanted);                                                 \
    if (found_ != wanted_) sing::tests::fail(__FILE__, __LINE__, "Expected '" + wanted_ + "', got '" + found_ + "'"); \
  } while (false)
