#include "tables.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace sing {

namespace {

using json::Value;

std::string printable(const std::string& text) {
  std::string out = text;
  for (auto& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return out;
}

/// Bytes of the UTF-8 character at `at`; 0: there is none.
size_t characterBytes(const std::string& text, size_t at) {
  const auto byte = [&](size_t index) { return index < text.size() ? static_cast<unsigned char>(text[index]) : 0u; };
  const unsigned first = byte(at);
  const size_t bytes = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  // Too long for what they say, surrogates, and beyond the last character.
  const unsigned second = byte(at + 1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
  return bytes;
}

void printText(const std::string& text, std::string& out) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = characterBytes(text, at);
    const auto c = static_cast<unsigned char>(text[at]);
    if (bytes == 0) out += "\\ufffd";
    else if (c == '"' || c == '\\') (out += '\\') += text[at];
    else if (c < 0x20 || c == 0x7f) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else out.append(text, at, bytes);
    at += std::max<size_t>(bytes, 1);
  }
  out += '"';
}

void printNumber(double number, std::string& out) {
  char text[32];
  if (std::floor(number) == number) snprintf(text, sizeof text, "%.0f", number);
  else snprintf(text, sizeof text, "%.2f", number);
  out += text;
}

void printValue(const Value& value, size_t depth, std::string& out) {
  const auto line = [&](size_t tabs) { (out += '\n').append(tabs, '\t'); };
  bool first = true;
  switch (value.kind()) {
    case Value::Kind::text: return printText(value.text(), out);
    case Value::Kind::number: return printNumber(value.number(), out);
    case Value::Kind::list:
      if (value.list().empty()) return void(out += "[]");
      for (const auto& item : value.list()) {
        out += std::exchange(first, false) ? "[" : ",";
        line(depth + 1);
        printValue(item, depth + 1, out);
      }
      line(depth);
      return void(out += ']');
    case Value::Kind::object:
      if (value.members().empty()) return void(out += "{}");
      for (const auto& [name, member] : value.members()) {
        out += std::exchange(first, false) ? "{" : ",";
        line(depth + 1);
        printText(name, out);
        out += ": ";
        printValue(member, depth + 1, out);
      }
      line(depth);
      return void(out += '}');
    default: out += json::print(value);
  }
}

}  // namespace

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += printable(row[i]);
      if (i + 1 < row.size()) line.append(widths[i] + 4 - row[i].size(), ' ');
    }
    out += line + "\n";
  }
  return out;
}

std::string prettyJson(const Value& value) {
  std::string out;
  printValue(value, 0, out);
  return out + "\n";
}

std::string sizeText(double bytes) {
  static constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < std::size(units); ++unit) bytes /= 1024;
  char text[32];
  snprintf(text, sizeof text, unit == 0 ? "%.0f%s" : "%.1f%s", bytes, units[unit]);
  return text;
}

}  // namespace sing
