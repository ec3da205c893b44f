#include "accounts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include "files.h"
#include "limits.h"
#include "messages.h"
#include "walk.h"

namespace sing {

namespace {

/// The fields of a line; nothing when it is a comment, empty, or one of the `+`/`-` lines of NIS.
std::optional<std::vector<std::string_view>> fieldsOf(std::string_view line) {
  if (line.empty() || line.front() == '#' || line.front() == '+' || line.front() == '-') return std::nullopt;
  std::vector<std::string_view> fields;
  for (size_t start = 0; start <= line.size();) {
    const size_t colon = std::min(line.find(':', start), line.size());
    fields.push_back(line.substr(start, colon - start));
    start = colon + 1;
  }
  return fields;
}

/// Calls `each` with every line, without its newline.
template <typename Each>
void forEachLine(std::string_view text, const Each& each) {
  while (!text.empty()) {
    const size_t newline = text.find('\n');
    each(text.substr(0, newline));
    if (newline == std::string_view::npos) return;
    text.remove_prefix(newline + 1);
  }
}

std::string passwdLine(const plan::AccountLine& user, std::string_view shell) {
  return user.name + ":x:" + std::to_string(user.uid) + ":" + std::to_string(user.gid) + ":" + user.gecos + ":" + user.home + ":" +
         std::string(shell) + "\n";
}

Status stageOne(int session, int rootfs, const char* path, const std::string& to,
                const auto& change) {
  auto original = openInContainer(rootfs, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!original) {
    say(Level::warning, std::string("Not adding you to the image's ") + path + ": " + errorText(original.fault().error));
    return {};
  }
  auto text = readRegular(original->get(), limits::accountsFile);
  std::optional<std::string> changed;
  if (text) changed = change(*text);
  if (!changed) {
    say(Level::warning, std::string("Not adding you to the image's ") + path + ": " +
                            (text ? std::string("a line of it has too few fields") : text.fault().sentence()));
    return {};
  }
  return writeSessionFile(session, to, *changed, 0644);
}

}  // namespace

std::optional<std::string> passwdWith(std::string_view original, const plan::AccountLine& user) {
  std::string out;
  bool malformed = false, replaced = false;
  const std::string uid = std::to_string(user.uid);
  forEachLine(original, [&](std::string_view line) {
    const auto fields = fieldsOf(line);
    if (fields && fields->size() < 7) malformed = true;
    if (malformed) return;
    if (fields && (*fields)[2] == uid) {
      if (!std::exchange(replaced, true)) out += passwdLine(user, (*fields)[6].empty() ? user.shell : (*fields)[6]);
      return;
    }
    out.append(line).push_back('\n');
  });
  if (malformed) return std::nullopt;
  if (!replaced) out += passwdLine(user, user.shell);
  return out;
}

std::optional<std::string> groupWith(std::string_view original, const plan::StagedGroup& staged) {
  std::string out;
  bool malformed = false;
  std::vector<std::string_view> known;
  forEachLine(original, [&](std::string_view line) {
    const auto fields = fieldsOf(line);
    if (fields && fields->size() < 4) malformed = true;
    else if (fields) known.push_back((*fields)[2]);
    out.append(line).push_back('\n');
  });
  if (malformed) return std::nullopt;
  for (const auto& group : staged.groups) {
    const std::string gid = std::to_string(group.gid);
    bool found = false;
    for (const auto& id : known) found = found || id == gid;
    if (!found) out += group.name + ":x:" + gid + ":" + staged.userName + "\n";
  }
  return out;
}

Status stageAccounts(int session, const plan::StageAccounts& step) {
  auto rootfs = openInSession(session, step.rootfs, O_PATH | O_DIRECTORY);
  if (!rootfs) return rootfs.fault();
  if (step.passwd) {
    SING_TRY(stageOne(session, rootfs->get(), "/etc/passwd", step.passwd->to,
                      [&](std::string_view text) { return passwdWith(text, step.passwd->user); }));
  }
  if (step.group) {
    SING_TRY(stageOne(session, rootfs->get(), "/etc/group", step.group->to,
                      [&](std::string_view text) { return groupWith(text, *step.group); }));
  }
  return {};
}

}  // namespace sing
