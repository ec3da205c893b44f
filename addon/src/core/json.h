// JSON whose texts are byte strings: a character U+0000–U+00FF stands for one byte, others are refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fault.h"

namespace sing::json {

struct Limits {
  size_t bytes = 64u << 20;
  int depth = 16;
  size_t values = 1'000'000;
  size_t members = 64;
};

/// One JSON value. Objects keep the order of their members; a name that comes twice is refused by the parser.
class Value {
 public:
  enum class Kind { null, boolean, number, text, list, object };
  using Member = std::pair<std::string, Value>;

  Value() = default;
  Value(bool value) : kind_(Kind::boolean), boolean_(value) {}
  Value(double value) : kind_(Kind::number), number_(value) {}
  Value(int value) : Value(static_cast<double>(value)) {}
  Value(unsigned value) : Value(static_cast<double>(value)) {}
  Value(int64_t value) : Value(static_cast<double>(value)) {}
  Value(std::string value) : kind_(Kind::text), text_(std::move(value)) {}
  Value(const char* value) : Value(std::string(value)) {}
  Value(std::vector<Value> value) : kind_(Kind::list), list_(std::move(value)) {}
  Value(std::vector<Member> value) : kind_(Kind::object), members_(std::move(value)) {}

  Kind kind() const { return kind_; }
  bool isNull() const { return kind_ == Kind::null; }
  bool boolean() const { return boolean_; }
  double number() const { return number_; }
  const std::string& text() const { return text_; }
  std::string& text() { return text_; }
  const std::vector<Value>& list() const { return list_; }
  const std::vector<Member>& members() const { return members_; }
  /// The member of that name, or nullptr.
  const Value* member(std::string_view name) const;

 private:
  Kind kind_ = Kind::null;
  bool boolean_ = false;
  double number_ = 0;
  std::string text_;
  std::vector<Value> list_;
  std::vector<Member> members_;
};

/// Parses a whole UTF-8 text. Refuses what JSON does not allow, characters above U+00FF, and what exceeds the limits.
Outcome<Value> parse(std::string_view text, const Limits& limits = {});

/// The value as compact JSON in ASCII (bytes above 0x7e are escaped).
std::string print(const Value& value);

}  // namespace sing::json
