// Reads the members of a JSON object strictly: all there, none unknown, each in its bounds. The first fault is kept.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json.h"

namespace sing::plan {

/// Collects the first fault of a whole document, so that readers need not check after every field.
class Report {
 public:
  void wrong(const std::string& where, const std::string& expected);
  bool ok() const { return !fault_; }
  const std::optional<Fault>& fault() const { return fault_; }

 private:
  std::optional<Fault> fault_;
};

/// The members of one object. `where` is its place in the document, for messages ("steps[3].source").
class Fields {
 public:
  Fields(const json::Value& value, std::string where, Report& report);

  bool boolean(std::string_view name);
  double number(std::string_view name, double least, double most);
  /// A text without NUL of at most `limit` bytes.
  std::string text(std::string_view name, size_t limit);
  /// As `text`, but null is allowed.
  std::optional<std::string> optionalText(std::string_view name, size_t limit);
  std::optional<double> optionalNumber(std::string_view name, double least, double most);
  /// An absolute path.
  std::string absolutePath(std::string_view name);
  /// A relative path without empty, "." or ".." parts and without what an overlay's options would misread.
  std::string sessionPath(std::string_view name);
  /// The index of the member's text in `words`.
  size_t choice(std::string_view name, std::initializer_list<std::string_view> words);
  std::vector<std::string> texts(std::string_view name, size_t entries, size_t bytes);
  /// Calls `each` with every entry of a list.
  void list(std::string_view name, size_t entries, const std::function<void(const json::Value&, std::string where)>& each);
  /// The member itself, with the place of it; a shared null when it is missing (the fault is kept).
  const json::Value& member(std::string_view name);
  std::string place(std::string_view name) const;
  void wrong(std::string_view name, const std::string& expected);
  /// To be called last: complains of members that nobody asked for.
  void end();

 private:
  const json::Value& value_;
  std::string where_;
  Report& report_;
  size_t asked_ = 0;
};

/// Checks used outside objects too.
bool isAbsolutePath(std::string_view path);
bool isSessionPath(std::string_view path);
/// One part of a path, which leads nowhere else.
bool isPathPart(std::string_view part);

}  // namespace sing::plan
