#include "fields.h"

#include "limits.h"

namespace sing::plan {

using json::Value;

void Report::wrong(const std::string& where, const std::string& expected) {
  if (!fault_) fault_ = refused("Expected " + expected + " for " + where + " in the launch plan");
}

bool isAbsolutePath(std::string_view path) {
  return !path.empty() && path.front() == '/' && path.size() <= limits::pathBytes &&
         path.find('\0') == std::string_view::npos;
}

bool isSessionPath(std::string_view path) {
  if (path.empty() || path.size() > limits::pathBytes) return false;
  if (path.find_first_of(std::string_view(":,\\\0", 4)) != std::string_view::npos) return false;
  for (size_t start = 0; start <= path.size();) {
    const size_t slash = std::min(path.find('/', start), path.size());
    const auto part = path.substr(start, slash - start);
    if (part.empty() || part == "." || part == ".." || part.size() > limits::nameBytes) return false;
    start = slash + 1;
  }
  return true;
}

bool isPathPart(std::string_view part) {
  return !part.empty() && part.size() <= limits::nameBytes && part != "." && part != ".." &&
         part.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

Fields::Fields(const Value& value, std::string where, Report& report)
    : value_(value), where_(std::move(where)), report_(report) {
  if (value.kind() != Value::Kind::object) report_.wrong(where_, "an object");
}

std::string Fields::place(std::string_view name) const {
  return where_.empty() ? std::string(name) : where_ + "." + std::string(name);
}

void Fields::wrong(std::string_view name, const std::string& expected) { report_.wrong(place(name), expected); }

const Value& Fields::member(std::string_view name) {
  static const Value missing;
  const Value* found = value_.member(name);
  ++asked_;
  if (found) return *found;
  wrong(name, "a value");
  return missing;
}

bool Fields::boolean(std::string_view name) {
  const Value& value = member(name);
  if (value.kind() != Value::Kind::boolean) wrong(name, "true or false");
  return value.boolean();
}

double Fields::number(std::string_view name, double least, double most) {
  const Value& value = member(name);
  if (value.kind() == Value::Kind::number && value.number() >= least && value.number() <= most) return value.number();
  wrong(name, "a number from " + std::to_string(static_cast<int64_t>(least)) + " to " +
                  std::to_string(static_cast<int64_t>(most)));
  return least;
}

std::string Fields::text(std::string_view name, size_t limit) {
  const Value& value = member(name);
  if (value.kind() == Value::Kind::text && value.text().size() <= limit &&
      value.text().find('\0') == std::string::npos) {
    return value.text();
  }
  wrong(name, "a text without NUL of at most " + std::to_string(limit) + " bytes");
  return {};
}

std::optional<std::string> Fields::optionalText(std::string_view name, size_t limit) {
  const Value* value = value_.member(name);
  if (value && !value->isNull()) return text(name, limit);
  member(name);
  return std::nullopt;
}

std::optional<double> Fields::optionalNumber(std::string_view name, double least, double most) {
  const Value* value = value_.member(name);
  if (value && !value->isNull()) return number(name, least, most);
  member(name);
  return std::nullopt;
}

std::string Fields::absolutePath(std::string_view name) {
  const Value& value = member(name);
  if (value.kind() == Value::Kind::text && isAbsolutePath(value.text())) return value.text();
  wrong(name, "an absolute path of at most " + std::to_string(limits::pathBytes) + " bytes");
  return "/";
}

std::string Fields::sessionPath(std::string_view name) {
  const Value& value = member(name);
  if (value.kind() == Value::Kind::text && isSessionPath(value.text())) return value.text();
  wrong(name, "a relative path without '..', ':', ',' and '\\'");
  return "x";
}

size_t Fields::choice(std::string_view name, std::initializer_list<std::string_view> words) {
  const Value& value = member(name);
  size_t index = 0;
  std::string known;
  for (const auto word : words) {
    if (value.kind() == Value::Kind::text && value.text() == word) return index;
    known += (index++ ? ", " : "") + std::string(word);
  }
  wrong(name, "one of " + known);
  return 0;
}

void Fields::list(std::string_view name, size_t entries,
                  const std::function<void(const Value&, std::string where)>& each) {
  const Value& value = member(name);
  if (value.kind() != Value::Kind::list || value.list().size() > entries) {
    wrong(name, "a list of at most " + std::to_string(entries) + " entries");
    return;
  }
  size_t index = 0;
  for (const auto& item : value.list()) {
    if (!report_.ok()) return;
    each(item, place(name) + "[" + std::to_string(index++) + "]");
  }
}

std::vector<std::string> Fields::texts(std::string_view name, size_t entries, size_t bytes) {
  std::vector<std::string> out;
  list(name, entries, [&](const Value& item, std::string where) {
    if (item.kind() != Value::Kind::text || item.text().size() > bytes || item.text().find('\0') != std::string::npos) {
      report_.wrong(where, "a text without NUL of at most " + std::to_string(bytes) + " bytes");
      return;
    }
    out.push_back(item.text());
  });
  return out;
}

void Fields::end() {
  if (report_.ok() && asked_ != value_.members().size()) report_.wrong(where_, "no members beyond the known ones");
}

}  // namespace sing::plan
