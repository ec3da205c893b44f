// Each test starts from one good plan and changes one thing.
#include "../core/plan.h"

#include "check.h"

namespace {

const char* const basePlan = R"({
 "format":1,"messages":{"level":1,"colour":false},
 "namespaces":{"user":{"uidMap":[{"inside":1000,"outside":1000,"count":1}],"gidMap":[{"inside":1000,"outside":1000,"count":1}],
   "setgroups":"deny","writtenBy":{"kind":"self"},"enterAs":null},"propagation":"slave","pid":null,"ipc":false,"uts":null,"net":"host"},
 "session":{"mountPoint":"/mnt","fileSystem":"tmpfs","sizeLimit":67108864},
 "steps":[{"kind":"make_directory","path":"root","mode":493},
  {"kind":"bind","source":{"kind":"host","path":"/etc"},"target":{"kind":"container","path":"/etc"},"recursive":true,
   "flags":{"readOnly":true,"nosuid":true,"nodev":true,"noexec":false},"onFailure":"fatal","unless":[{"kind":"same_file"}]}],
 "root":"root","credentials":{"identity":null,"capabilities":["CAP_CHOWN"],"noNewPrivileges":true},
 "run":{"kind":"become","payload":{"exec":{"file":"true","argv":["true"],"env":["A=1"],"searchPath":["/bin"],"shells":[{"kind":"own"}]},
  "script":null,"scriptWhen":{"kind":"always"}},"workingDirectory":[{"path":"/","onFailure":"fatal"}],"umask":18},
 "inheritDescriptors":true,"dieWithParent":false})";

/// The base plan with one text replaced.
std::string with(const std::string& from, const std::string& to) {
  std::string text = basePlan;
  const size_t at = text.find(from);
  if (at == std::string::npos) sing::tests::fail(__FILE__, __LINE__, "nothing to replace: " + from);
  else text.replace(at, from.size(), to);
  return text;
}

void refuses(const std::string& from, const std::string& to, const std::string& field) {
  auto plan = sing::plan::readText(with(from, to));
  CHECK(!plan);
  if (!plan && plan.fault().sentence().find(field) == std::string::npos) {
    sing::tests::fail(__FILE__, __LINE__, "Expected a sentence about " + field + ", got: " + plan.fault().sentence());
  }
}

}  // namespace

TEST("plan: the base plan is read") {
  auto plan = sing::plan::readText(basePlan);
  CHECK(plan);
  if (!plan) return sing::tests::fail(__FILE__, __LINE__, plan.fault().sentence());
  CHECK(plan->steps.size() == 2);
  CHECK(plan->credentials.capabilities == 1);
  CHECK(plan->session.sizeLimit == 67108864u);
  CHECK(std::get_if<sing::plan::Become>(&plan->run)->payload.exec->argv.size() == 1);
}

TEST("plan: refuses another format, an unknown member and a missing one") {
  refuses("\"format\":1", "\"format\":2", "format");
  refuses("\"root\":\"root\"", "\"root\":\"root\",\"more\":1", "no members beyond");
  refuses("\"dieWithParent\":false", "\"die\":false", "dieWithParent");
}

TEST("plan: refuses unknown kinds of steps, sources and runs") {
  refuses("make_directory", "remove_directory", "steps[0].kind");
  refuses("\"kind\":\"host\"", "\"kind\":\"network\"", "steps[1].source.kind");
  refuses("\"kind\":\"become\"", "\"kind\":\"spawn\"", "run.kind");
}

TEST("plan: refuses paths that are not absolute, or could leave the session") {
  refuses("\"path\":\"/etc\"},\"target\"", "\"path\":\"etc\"},\"target\"", "steps[1].source.path");
  refuses("\"fileSystem\":\"tmpfs\"", "\"fileSystem\":\"ext4\"", "session.fileSystem");
  refuses("\"mountPoint\":\"/mnt\"", "\"mountPoint\":\"mnt\"", "session.mountPoint");
  for (const char* path : {"", "/root", "..", "a/../b", "a//b", "a/", "./a", "a:b", "a,b", "a\\\\b", "a\\u0000b"}) {
    refuses("\"root\":\"root\"", "\"root\":\"" + std::string(path) + "\"", "root");
  }
  refuses("\"path\":\"/etc\"},\"target\"", "\"path\":\"/" + std::string(4095, 'x') + "\"},\"target\"", "steps[1].source.path");
}

TEST("plan: refuses sizes, modes and ids out of bounds") {
  refuses("\"mode\":493", "\"mode\":4096", "steps[0].mode");
  refuses("\"sizeLimit\":67108864", "\"sizeLimit\":-1", "session.sizeLimit");
  refuses("\"inside\":1000", "\"inside\":4294967295", "uidMap[0].inside");
  refuses("\"umask\":18", "\"umask\":512", "umask");
  refuses("\"CAP_CHOWN\"", "\"CAP_NONE\"", "capabilities");
}

TEST("plan: refuses texts with NUL, where another program would see their end") {
  refuses("\"A=1\"", "\"A=1\\u0000B=2\"", "env[0]");
  refuses("\"file\":\"true\"", "\"file\":\"tr\\u0000ue\"", "file");
}

TEST("plan: refuses a payload with nothing to start, and no working directory") {
  refuses("\"argv\":[\"true\"]", "\"argv\":[]", "argv");
  refuses("\"workingDirectory\":[{\"path\":\"/\",\"onFailure\":\"fatal\"}]", "\"workingDirectory\":[]", "workingDirectory");
}

TEST("plan: refuses account fields that would make another line or field") {
  const std::string step = R"({"kind":"stage_accounts","rootfs":"rootfs","passwd":{"to":"passwd","user":{"name":"NAME","uid":1,"gid":1,)"
                           R"("gecos":"","home":"/","shell":"/bin/sh"}},"group":null},{"kind":"make_directory")";
  for (const char* name : {"a:b", "a\\nroot:x:0:0"}) {
    std::string changed = step;
    changed.replace(changed.find("NAME"), 4, name);
    refuses("{\"kind\":\"make_directory\"", changed, "name");
  }
}

TEST("plan: refuses a sequence without a PID namespace") {
  const std::string text = with("\"kind\":\"become\"", "\"kind\":\"sequence\"");
  std::string plan = text;
  const size_t start = plan.find("\"run\":"), end = plan.find(",\n \"inheritDescriptors\"");
  plan.replace(start, end - start, R"("run":{"kind":"sequence","commands":[],"umask":18})");
  auto read = sing::plan::readText(plan);
  CHECK(!read);
  if (!read) CHECK(read.fault().sentence().find("namespaces.pid") != std::string::npos);
}

TEST("plan: refuses layers, programs and sources of images that lead elsewhere") {
  const std::string begin = "{\"kind\":\"make_directory\"";
  const auto refusesStep = [&](const std::string& step, const std::string& field) { refuses(begin, step + "," + begin, field); };
  refusesStep(R"({"kind":"prepare_layer","image":"../x","at":null})", "steps[0].image");
  refusesStep(R"({"kind":"prepare_layer","image":"images/0","at":"/etc"})", "steps[0].at");
  refusesStep(R"({"kind":"prepare_layer","image":"images/0"})", "steps[0].at");
  const std::string overlay = R"({"kind":"mount_overlay","lower":["a"],"upper":null,"userXattr":false,"at":"root","by":)";
  refusesStep(overlay + R"({"program":"fuse-overlayfs","allowOther":false}})", "steps[0].by.program");
  refusesStep(overlay + R"({"program":"/usr/bin/fuse-overlayfs"}})", "steps[0].by.allowOther");
  refusesStep(overlay + "null}", "steps[0].underlay");
  refusesStep(overlay + R"(null,"underlay":"always"})", "steps[0].underlay");
  refusesStep(overlay + R"(null,"underlay":"refused"})", "steps[0].underlay");
  const std::string upper = R"({"kind":"mount_overlay","lower":["a","b"],"upper":{"directory":"c","work":"d"},"userXattr":false,"at":"root","by":null,)";
  refusesStep(upper + R"("underlay":"unfit"})", "steps[0].underlay");
  refusesStep(R"({"kind":"mount_underlay","layer":"/lower","rootfs":"rootfs","at":"root"})", "steps[0].layer");
  refusesStep(R"({"kind":"mount_underlay","layer":"lower","rootfs":"../rootfs","at":"root"})", "steps[0].rootfs");
  refusesStep(R"({"kind":"mount_underlay","layer":"lower","rootfs":"rootfs","at":"a/../root"})", "steps[0].at");
  refusesStep(R"({"kind":"mount_underlay","layer":"lower","rootfs":"rootfs","at":"root","entries":1})", "no members beyond");
  const std::string image = R"({"kind":"mount_image","image":{"handle":9,"path":"/x","fileSystem":"ext3","offset":0,"size":1},"at":"a",)"
                            R"("flags":{"readOnly":true,"nosuid":true,"nodev":true,"noexec":false},"backends":[)";
  refusesStep(image + R"({"kind":"program","program":"fuse2fs","allowOther":false}]})", "backends[0].program");
  refusesStep(image + R"({"kind":"program","program":"/fuse2fs"}]})", "backends[0].allowOther");
  refusesStep(image + R"({"kind":"unpacked","directory":"cache/rootfs","sizeLimit":1}]})", "backends[0].directory");
  refusesStep(image + R"({"kind":"unpacked","directory":"/cache"}]})", "backends[0].sizeLimit");
  refusesStep(image + R"({"kind":"unpacked","directory":"/cache","sizeLimit":0}]})", "backends[0].sizeLimit");
  refusesStep(image + R"({"kind":"unpacked","directory":"/cache","sizeLimit":1,"allowOther":true}]})", "no members beyond");
  refuses("{\"kind\":\"host\",\"path\":\"/etc\"}", R"({"kind":"image","at":"data/../..","path":"/etc"})", "steps[1].source.at");
  refuses("{\"kind\":\"host\",\"path\":\"/etc\"}", R"({"kind":"image","at":"data/0","path":"etc"})", "steps[1].source.path");
}

namespace {

/// The base plan as that of an instance, with one text replaced.
std::string instanceWith(const std::string& from, const std::string& to) {
  std::string text = with("\"pid\":null", "\"pid\":{\"shim\":true}");
  const size_t start = text.find("\"run\":") + 6, end = text.find(",\n \"inheritDescriptors\"");
  text = text.substr(0, start) + R"({"kind":"instance","become":)" + text.substr(start, end - start) +
         R"(,"name":"web","place":{"config":"/c","host":"h","user":"u"},"image":"/img","home":"/","mode":"user","boot":false,"pidFile":null})" + text.substr(end);
  text.replace(text.find("\"inheritDescriptors\":true"), 25, "\"inheritDescriptors\":false");
  const size_t at = text.find(from);
  if (at == std::string::npos) sing::tests::fail(__FILE__, __LINE__, "nothing to replace: " + from);
  else text.replace(at, from.size(), to);
  return text;
}

void refusesInstance(const std::string& from, const std::string& to, const std::string& field) {
  auto plan = sing::plan::readText(instanceWith(from, to));
  CHECK(!plan);
  if (!plan && plan.fault().sentence().find(field) == std::string::npos) {
    sing::tests::fail(__FILE__, __LINE__, "Expected a sentence about " + field + ", got: " + plan.fault().sentence());
  }
}

}  // namespace

TEST("plan: an instance is read, and refused with any fault") {
  auto plan = sing::plan::readText(instanceWith("\"web\"", "\"web\""));
  CHECK(plan);
  if (!plan) return sing::tests::fail(__FILE__, __LINE__, plan.fault().sentence());
  const auto* instance = std::get_if<sing::plan::Instance>(&plan->run);
  CHECK(instance && instance->name == "web" && instance->place.user == "u" && instance->mode == "user" && !instance->pidFile);
  for (const char* name : {"", ".", "..", "a/b", "a\\n"}) refusesInstance("\"web\"", "\"" + std::string(name) + "\"", "run.name");
  for (const char* part : {"", ".", "..", "a/b"}) {
    refusesInstance("\"host\":\"h\"", "\"host\":\"" + std::string(part) + "\"", "run.place.host");
    refusesInstance("\"user\":\"u\"", "\"user\":\"" + std::string(part) + "\"", "run.place.user");
  }
  refusesInstance("\"config\":\"/c\"", "\"config\":\"c\"", "run.place.config");
  refusesInstance("\"mode\":\"user\"", "\"mode\":\"god\"", "run.mode");
  refusesInstance("\"pidFile\":null", "\"pidFile\":\"x\"", "run.pidFile");
  refusesInstance("\"inheritDescriptors\":false", "\"inheritDescriptors\":true", "inheritDescriptors");
  refusesInstance("\"dieWithParent\":false", "\"dieWithParent\":true", "dieWithParent");
  refusesInstance("\"pid\":{\"shim\":true}", "\"pid\":null", "namespaces.pid");
}
