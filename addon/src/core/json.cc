#include "json.h"

#include <charconv>
#include <cmath>

namespace sing::json {

namespace {

class Parser {
 public:
  Parser(std::string_view text, const Limits& limits) : text_(text), limits_(limits) {}

  Outcome<Value> whole() {
    if (text_.size() > limits_.bytes) return wrong("text of at most " + std::to_string(limits_.bytes) + " bytes");
    auto value = parseValue(0);
    if (!value) return value;
    skipSpace();
    if (at_ != text_.size()) return wrong("end of text");
    return value;
  }

 private:
  Fault wrong(const std::string& expected) const {
    return refused("Expected " + expected + " in JSON at byte " + std::to_string(at_));
  }

  void skipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }

  bool take(char wanted) {
    skipSpace();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  bool takeWord(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Outcome<Value> parseValue(int depth) {
    if (depth > limits_.depth) return wrong("nesting of at most " + std::to_string(limits_.depth));
    if (++count_ > limits_.values) return wrong("at most " + std::to_string(limits_.values) + " values");
    skipSpace();
    if (at_ >= text_.size()) return wrong("a value");
    switch (text_[at_]) {
      case '{': return parseObject(depth);
      case '[': return parseList(depth);
      case '"': {
        auto text = parseText();
        if (!text) return text.fault();
        return Value(std::move(*text));
      }
      case 't': if (takeWord("true")) return Value(true); break;
      case 'f': if (takeWord("false")) return Value(false); break;
      case 'n': if (takeWord("null")) return Value(); break;
      default: return parseNumber();
    }
    return wrong("a value");
  }

  Outcome<Value> parseObject(int depth) {
    ++at_;
    std::vector<Value::Member> members;
    if (take('}')) return Value(std::move(members));
    do {
      skipSpace();
      if (at_ >= text_.size() || text_[at_] != '"') return wrong("a member's name");
      auto name = parseText();
      if (!name) return name.fault();
      for (const auto& member : members) {
        if (member.first == *name) return wrong("each name once");
      }
      if (members.size() >= limits_.members) return wrong("at most " + std::to_string(limits_.members) + " members");
      if (!take(':')) return wrong("':'");
      auto value = parseValue(depth + 1);
      if (!value) return value;
      members.emplace_back(std::move(*name), std::move(*value));
    } while (take(','));
    if (!take('}')) return wrong("'}'");
    return Value(std::move(members));
  }

  Outcome<Value> parseList(int depth) {
    ++at_;
    std::vector<Value> list;
    if (take(']')) return Value(std::move(list));
    do {
      auto value = parseValue(depth + 1);
      if (!value) return value;
      list.push_back(std::move(*value));
    } while (take(','));
    if (!take(']')) return wrong("']'");
    return Value(std::move(list));
  }

  Outcome<Value> parseNumber() {
    const size_t start = at_;
    if (at_ < text_.size() && text_[at_] == '-') ++at_;
    const size_t digits = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    if (at_ == digits || (text_[digits] == '0' && at_ - digits > 1)) return wrong("a value");
    if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E')) return wrong("a whole number");
    double value = 0;
    const auto read = std::from_chars(text_.data() + start, text_.data() + at_, value);
    if (read.ec != std::errc() || std::fabs(value) > 9007199254740991.0) return wrong("a number below 2^53");
    return Value(value);
  }

  static int hexDigit(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    return -1;
  }

  Outcome<std::string> parseText() {
    ++at_;
    std::string out;
    while (true) {
      const size_t plain = at_;
      while (at_ < text_.size() && plainCharacter(text_[at_])) ++at_;
      out.append(text_.substr(plain, at_ - plain));
      if (at_ >= text_.size()) return wrong("'\"'");
      const unsigned char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '\\') {
        if (!parseEscape(out)) return wrong("an escape for a character up to U+00FF");
      } else if ((c == 0xc2 || c == 0xc3) && at_ + 1 < text_.size() && (text_[at_ + 1] & 0xc0) == 0x80) {
        out.push_back(static_cast<char>(((c & 0x03) << 6) | (text_[at_ + 1] & 0x3f)));
        at_ += 2;
      } else {
        return wrong("a character up to U+00FF");
      }
    }
  }

  static bool plainCharacter(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
  }

  bool parseEscape(std::string& out) {
    if (at_ + 1 >= text_.size()) return false;
    const char kind = text_[at_ + 1];
    at_ += 2;
    switch (kind) {
      case '"': case '\\': case '/': out.push_back(kind); return true;
      case 'b': out.push_back('\b'); return true;
      case 'f': out.push_back('\f'); return true;
      case 'n': out.push_back('\n'); return true;
      case 'r': out.push_back('\r'); return true;
      case 't': out.push_back('\t'); return true;
      case 'u': break;
      default: return false;
    }
    if (at_ + 4 > text_.size()) return false;
    int code = 0;
    for (int i = 0; i < 4; ++i) {
      const int digit = hexDigit(text_[at_ + i]);
      if (digit < 0) return false;
      code = code * 16 + digit;
    }
    if (code > 0xff) return false;
    at_ += 4;
    out.push_back(static_cast<char>(code));
    return true;
  }

  std::string_view text_;
  Limits limits_;
  size_t at_ = 0;
  size_t count_ = 0;
};

void printText(const std::string& text, std::string& out) {
  static constexpr char hex[] = "0123456789abcdef";
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte > 0x7e) {
      out.append("\\u00");
      out.push_back(hex[byte >> 4]);
      out.push_back(hex[byte & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void printInto(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Value::Kind::null: out.append("null"); return;
    case Value::Kind::boolean: out.append(value.boolean() ? "true" : "false"); return;
    case Value::Kind::number: out.append(std::to_string(static_cast<int64_t>(value.number()))); return;
    case Value::Kind::text: printText(value.text(), out); return;
    case Value::Kind::list: {
      out.push_back('[');
      bool first = true;
      for (const auto& item : value.list()) {
        if (!std::exchange(first, false)) out.push_back(',');
        printInto(item, out);
      }
      out.push_back(']');
      return;
    }
    case Value::Kind::object: {
      out.push_back('{');
      bool first = true;
      for (const auto& [name, member] : value.members()) {
        if (!std::exchange(first, false)) out.push_back(',');
        printText(name, out);
        out.push_back(':');
        printInto(member, out);
      }
      out.push_back('}');
    }
  }
}

}  // namespace

const Value* Value::member(std::string_view name) const {
  for (const auto& [key, value] : members_) {
    if (key == name) return &value;
  }
  return nullptr;
}

Outcome<Value> parse(std::string_view text, const Limits& limits) { return Parser(text, limits).whole(); }

std::string print(const Value& value) {
  std::string out;
  printInto(value, out);
  return out;
}

}  // namespace sing::json
