// What a function that can fail returns. See addon/README.md, "Errors".
#pragma once

#include <cerrno>
#include <string>
#include <utility>
#include <variant>

namespace sing {

/// Why something was not done. `error` is an errno, or 0 when a check of ours said no and `what` is the whole sentence.
struct Fault {
  std::string what;
  int error = 0;

  /// `what` and, when there is an errno, its text: "open /x: No such file or directory".
  std::string sentence() const;
};

/// The symbolic name of an errno ("ENOENT"); "E<number>" for one that is unknown here.
std::string errorName(int error);

/// The errno's text in English, whatever the locale.
std::string errorText(int error);

/// A fault with the errno of the system call that just failed.
inline Fault failed(std::string what) { return Fault{std::move(what), errno}; }

/// A fault that is a sentence of our own.
inline Fault refused(std::string sentence) { return Fault{std::move(sentence), 0}; }

/// Success, or a fault. True when it went well.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Fault fault) : state_(std::move(fault)) {}
  explicit operator bool() const { return state_.index() == 0; }
  const Fault& fault() const { return *std::get_if<Fault>(&state_); }

 private:
  std::variant<std::monostate, Fault> state_;
};

/// A value, or a fault. True when there is a value.
template <typename T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Outcome(Fault fault) : state_(std::in_place_index<1>, std::move(fault)) {}
  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return *std::get_if<0>(&state_); }
  const T& operator*() const { return *std::get_if<0>(&state_); }
  T* operator->() { return std::get_if<0>(&state_); }
  const Fault& fault() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Fault> state_;
};

}  // namespace sing

/// Leaves the function with the fault of `expression`, when it has one.
#define SING_TRY(expression)                                  \
  do {                                                        \
    if (auto outcome_ = (expression); !outcome_) return outcome_.fault(); \
  } while (false)
