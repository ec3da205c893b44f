// The native module of Node: the host functions, and becoming `sing`. It contains no launch code of its own: a process with
// threads cannot make a user namespace, so plans are always executed by the program.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <napi.h>

#include "../core/capabilities.h"
#include "../core/files.h"
#include "../host/host.h"
#include "sockets.h"
#include "values.h"

extern char** environ;

namespace sing {

namespace {

Napi::Value throwFault(Napi::Env node, const Fault& fault) {
  Napi::Error::New(node, fault.sentence()).ThrowAsJavaScriptException();
  return node.Undefined();
}

/// createHost(root): an object with the functions of libs/runtime/src/host.ts.
Napi::Value createHost(const Napi::CallbackInfo& info) {
  auto context = std::make_shared<HostContext>();
  if (info.Length() != 1 || !bytesOf(info[0], context->root)) return throwFault(info.Env(), refused("Expected the installation's folder"));
  for (char** entry = environ; *entry; ++entry) context->environment.emplace_back(*entry);
  context->capabilities = effectiveCapabilities();
  Napi::Object host = Napi::Object::New(info.Env());
  for (const auto& function : hostFunctions()) {
    const auto call = [context, &function](const Napi::CallbackInfo& call) {
      HostArguments arguments;
      for (size_t i = 0; i < call.Length(); ++i) arguments.push_back(fromNode(call[i]));
      return toNode(call.Env(), callHost(*context, function, arguments));
    };
    host.Set(std::string(function.name), Napi::Function::New(info.Env(), call, std::string(function.name)));
  }
  return host;
}

/// What Node changes in its process and a program started from a shell would not expect.
void restoreProcess() {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 0; number <= 2; ++number) {
    const int flags = fcntl(number, F_GETFL);
    if (flags >= 0) fcntl(number, F_SETFL, flags & ~O_NONBLOCK);
    fcntl(number, F_SETFD, 0);
  }
}

/// become(program, plan, handles): replaces this process. Returns only by throwing.
Napi::Value become(const Napi::CallbackInfo& info) {
  std::string program;
  if (info.Length() != 3 || !bytesOf(info[0], program) || !info[1].IsString() || !info[2].IsArray()) {
    return throwFault(info.Env(), refused("Expected a program, a plan and its handles"));
  }
  const std::string plan = info[1].As<Napi::String>().Utf8Value();
  const int file = memfd_create("launch-plan", 0);
  if (file < 0) return throwFault(info.Env(), failed("make a file for the launch plan"));
  if (auto written = writeAll(file, plan); !written) return throwFault(info.Env(), written.fault());
  lseek(file, 0, SEEK_SET);
  const auto handles = info[2].As<Napi::Array>();
  for (uint32_t i = 0; i < handles.Length(); ++i) fcntl(handles.Get(i).ToNumber().Int32Value(), F_SETFD, 0);
  std::string number = std::to_string(file);
  char mode[] = "--execute-plan";
  char* argv[] = {program.data(), mode, number.data(), nullptr};
  restoreProcess();
  execve(program.c_str(), argv, environ);
  const Fault fault = failed("exec " + program);
  close(file);
  return throwFault(info.Env(), fault);
}

Napi::Object start(Napi::Env node, Napi::Object exports) {
  exports.Set("createHost", Napi::Function::New(node, createHost, "createHost"));
  exports.Set("become", Napi::Function::New(node, become, "become"));
  exports.Set("limitUnsent", Napi::Function::New(node, limitUnsent, "limitUnsent"));
  return exports;
}

}  // namespace

}  // namespace sing

static Napi::Object startModule(Napi::Env node, Napi::Object exports) { return sing::start(node, exports); }

NODE_API_MODULE(sing, startModule)
