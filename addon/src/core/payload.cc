#include "payload.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "files.h"
#include "limits.h"

namespace sing {

namespace {

/// Texts as the array of pointers that exec wants. The texts must stay where they are.
class Words {
 public:
  explicit Words(const std::vector<std::string>& texts) {
    for (const auto& text : texts) pointers_.push_back(const_cast<char*>(text.c_str()));
    pointers_.push_back(nullptr);
  }
  char* const* get() const { return pointers_.data(); }

 private:
  std::vector<char*> pointers_;
};

std::vector<std::string> withWorkingDirectory(const std::vector<std::string>& env, const std::string& directory) {
  std::vector<std::string> out = env;
  out.push_back("PWD=" + directory);
  return out;
}

/// Tries the shells in order. Returns when none could be started.
Fault becomeShell(const std::vector<plan::Shell>& shells, const std::vector<std::string>& arguments,
                  const std::vector<std::string>& env, const ExecContext& context) {
  std::vector<std::string> words = {"sh"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const Words argv(words), envp(env);
  Fault last = refused("the image has no shell");
  for (const auto& shell : shells) {
    if (!shell.own) {
      execve(shell.path.c_str(), argv.get(), envp.get());
      last = failed("exec " + shell.path);
    } else if (context.ownShell) {
      syscall(SYS_execveat, context.ownShell.get(), "", argv.get(), envp.get(), AT_EMPTY_PATH);
      last = failed("exec the shell that comes with the program");
    } else {
      last = refused("the shell that comes with the program is not installed");
    }
    if (last.error == E2BIG) break;  // no other shell would take them either
  }
  return last;
}

std::string reasonInLowerCase(int error) {
  std::string text = errorText(error);
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

Fault explainExec(const std::string& path, int error) {
  if (error == ENOENT) {
    // The file may be there: then its interpreter or loader is what is missing.
    struct stat status {};
    if (stat(path.c_str(), &status) == 0) return refused("exec " + path + ": its interpreter or loader is not in the image");
    return refused("stat " + path + ": no such file or directory");
  }
  if (error == EACCES) return refused("\"" + path + "\": permission denied");
  return refused("exec " + path + ": " + reasonInLowerCase(error));
}

/// The first regular file that may be executed, as execvp would find it. An errno when there is none.
Outcome<std::string> findProgram(const std::string& name, const std::vector<std::string>& directories) {
  int error = ENOENT;
  for (const auto& directory : directories) {
    const std::string path = (directory.empty() ? "." : directory) + "/" + name;
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) continue;
    if (S_ISREG(status.st_mode) && faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) return path;
    error = EACCES;
  }
  return Fault{name, error};
}

/// Whether a script has a line that is neither blank nor a comment, and is none of the known ones.
bool saysSomething(int directory, const std::string& name, const std::vector<std::string>& known) {
  const Descriptor file(openat(directory, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return errno != ENOENT;
  struct stat status {};
  if (fstat(file.get(), &status) == 0 && !S_ISREG(status.st_mode)) return false;
  auto text = readRegular(file.get(), limits::environmentScript);
  if (!text) return true;
  if (std::find(known.begin(), known.end(), *text) != known.end()) return false;
  for (size_t start = 0; start < text->size();) {
    const size_t end = std::min(text->find('\n', start), text->size());
    const size_t word = text->find_first_not_of(" \t\r\f\v", start);
    if (word < end && (*text)[word] != '#') return true;
    start = end + 1;
  }
  return false;
}

}  // namespace

bool imageSetsEnvironment(const plan::ImageSetsEnvironment& rule) {
  const int directory = open(rule.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) {
    if (errno != ENOENT && errno != ENOTDIR) return true;
    return std::any_of(rule.files.begin(), rule.files.end(), [&](const auto& file) { return saysSomething(AT_FDCWD, file, rule.known); });
  }
  DIR* entries = fdopendir(directory);
  if (!entries) return true;
  bool said = false;
  while (const dirent* entry = readdir(entries)) {
    const std::string name = entry->d_name;
    if (name.size() < 3 || !name.ends_with(".sh") || name.front() == '.') continue;
    if (saysSomething(directory, name, rule.known)) {
      said = true;
      break;
    }
  }
  closedir(entries);
  return said;
}

Fault becomeProgram(const plan::Exec& exec, const ExecContext& context) {
  std::string path = exec.file;
  if (path.find('/') == std::string::npos) {
    auto found = findProgram(path, exec.searchPath);
    if (!found && found.fault().error == EACCES) return refused("\"" + path + "\": permission denied");
    if (!found) return refused("\"" + path + "\": executable file not found in $PATH");
    path = *found;
  }
  const auto env = withWorkingDirectory(exec.env, context.workingDirectory);
  const Words argv(exec.argv), envp(env);
  execve(path.c_str(), argv.get(), envp.get());
  if (errno != ENOEXEC) return explainExec(path, errno);
  std::vector<std::string> arguments = {path};
  arguments.insert(arguments.end(), exec.argv.begin() + 1, exec.argv.end());
  const Fault fault = becomeShell(exec.shells, arguments, env, context);
  return refused("exec " + path + ": " + fault.sentence());
}

Fault becomePayload(const plan::Payload& payload, const ExecContext& context) {
  const bool script = payload.script && (!payload.scriptWhen || imageSetsEnvironment(*payload.scriptWhen));
  if (!script) return becomeProgram(*payload.exec, context);
  std::vector<std::string> arguments = {"-c", payload.script->text, "sh"};
  arguments.insert(arguments.end(), payload.script->args.begin(), payload.script->args.end());
  return becomeShell(payload.script->shells, arguments, withWorkingDirectory(payload.script->env, context.workingDirectory), context);
}

}  // namespace sing
