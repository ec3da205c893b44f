// JSON → Step, with the images, sources and places of steps. One function per type of libs/runtime/src/plan.ts, in its order.
#include "fields.h"
#include "limits.h"
#include "plan_parts.h"

namespace sing::plan {

namespace {

using json::Value;

constexpr double maxMode = 07777;

Place readPlace(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  Place out;
  out.inContainer = fields.choice("kind", {"session", "container"}) == 1;
  out.path = out.inContainer ? fields.absolutePath("path") : fields.sessionPath("path");
  fields.end();
  return out;
}

int readHandle(Fields& fields) { return static_cast<int>(fields.number("handle", 3, limits::maxHandle)); }

Source readSource(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  Source out;
  out.kind = static_cast<SourceKind>(fields.choice("kind", {"host", "session", "handle", "image", "made"}));
  if (out.kind == SourceKind::host) out.path = fields.absolutePath("path");
  if (out.kind == SourceKind::session) out.path = fields.sessionPath("path");
  if (out.kind == SourceKind::handle) out.handle = readHandle(fields);
  if (out.kind == SourceKind::image) {
    out.at = fields.sessionPath("at");
    out.path = fields.absolutePath("path");
  }
  if (out.kind == SourceKind::made) {
    out.parent = fields.absolutePath("parent");
    out.path = fields.sessionPath("path");
    out.mode = static_cast<uint32_t>(fields.number("mode", 0, maxMode));
  }
  fields.end();
  return out;
}

MountFlags readFlags(Fields& parent, Report& report) {
  Fields fields(parent.member("flags"), parent.place("flags"), report);
  MountFlags out{fields.boolean("readOnly"), fields.boolean("nosuid"), fields.boolean("nodev"), fields.boolean("noexec")};
  fields.end();
  return out;
}

ImageFile readImageFile(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  ImageFile out;
  out.handle = readHandle(fields);
  out.path = fields.absolutePath("path");
  out.fileSystem = static_cast<FileSystem>(fields.choice("fileSystem", {"directory", "squashfs", "ext3", "erofs"}));
  out.offset = static_cast<uint64_t>(fields.number("offset", 0, limits::maxSize));
  out.size = static_cast<uint64_t>(fields.number("size", 0, limits::maxSize));
  fields.end();
  return out;
}

MountImage readMountImage(Fields& fields, Report& report) {
  MountImage out;
  out.image = readImageFile(fields.member("image"), fields.place("image"), report);
  out.at = fields.sessionPath("at");
  out.flags = readFlags(fields, report);
  fields.list("backends", limits::backends, [&](const Value& item, std::string where) {
    Fields inner(item, where, report);
    ImageBackend backend;
    backend.kind = static_cast<BackendKind>(inner.choice("kind", {"bind", "loop", "shared", "fuse", "unpacked", "extract", "program"}));
    if (backend.kind == BackendKind::shared) {
      backend.directory = inner.absolutePath("folder");
      backend.idleSeconds = static_cast<uint64_t>(inner.number("idleSeconds", 1, limits::idleSeconds));
    }
    if (backend.kind == BackendKind::fuse || backend.kind == BackendKind::program) backend.allowOther = inner.boolean("allowOther");
    if (backend.kind == BackendKind::program) backend.directory = inner.absolutePath("program");
    if (backend.kind == BackendKind::unpacked) {
      backend.directory = inner.absolutePath("directory");
      backend.sizeLimit = static_cast<uint64_t>(inner.number("sizeLimit", 1, limits::maxSize));
    }
    if (backend.kind == BackendKind::extract) backend.directory = inner.absolutePath("directory");
    inner.end();
    out.backends.push_back(std::move(backend));
  });
  return out;
}

PrepareTargets readPrepareTargets(Fields& fields, Report& report) {
  PrepareTargets out;
  out.rootfs = fields.sessionPath("rootfs");
  out.layer = fields.sessionPath("layer");
  fields.list("targets", limits::targets, [&](const Value& item, std::string where) {
    Fields inner(item, where, report);
    PreparedTarget target;
    target.path = inner.absolutePath("path");
    target.type = static_cast<TargetType>(inner.choice("type", {"directory", "file", "like"}));
    if (target.type == TargetType::like) {
      target.at = inner.sessionPath("at");
      target.inside = inner.absolutePath("inside");
    }
    inner.end();
    out.targets.push_back(std::move(target));
  });
  return out;
}

MountOverlay readMountOverlay(Fields& fields, Report& report) {
  MountOverlay out;
  fields.list("lower", limits::lowerLayers, [&](const Value& item, std::string where) {
    if (item.kind() != Value::Kind::text || !isSessionPath(item.text())) {
      report.wrong(where, "a session path");
      return;
    }
    out.lower.push_back(item.text());
  });
  if (out.lower.empty()) fields.wrong("lower", "at least one directory");
  if (const Value& upper = fields.member("upper"); !upper.isNull()) {
    Fields inner(upper, fields.place("upper"), report);
    out.upper = Upper{inner.sessionPath("directory"), inner.sessionPath("work")};
    inner.end();
  }
  out.userXattr = fields.boolean("userXattr");
  out.at = fields.sessionPath("at");
  if (const Value& by = fields.member("by"); !by.isNull()) {
    Fields inner(by, fields.place("by"), report);
    out.by = ByProgram{inner.absolutePath("program"), inner.boolean("allowOther")};
    inner.end();
  }
  out.underlay = static_cast<UnderlayUse>(fields.choice("underlay", {"never", "unfit", "refused"}));
  if (out.underlay != UnderlayUse::never && (out.lower.size() != 2 || out.upper || out.by)) {
    fields.wrong("underlay", "'never' unless there are two lower directories and nothing else");
  }
  return out;
}

MountUnderlay readMountUnderlay(Fields& fields) {
  MountUnderlay out;
  out.layer = fields.sessionPath("layer");
  out.rootfs = fields.sessionPath("rootfs");
  out.at = fields.sessionPath("at");
  return out;
}

PrepareLayer readPrepareLayer(Fields& fields) {
  PrepareLayer out{fields.sessionPath("image"), std::nullopt};
  if (const Value& at = fields.member("at"); !at.isNull()) {
    if (at.kind() == Value::Kind::text && isSessionPath(at.text())) out.at = at.text();
    else fields.wrong("at", "a session path, or null");
  }
  return out;
}

/// A field of /etc/passwd or /etc/group: a colon or newline in it would be another field or line.
std::string accountField(Fields& fields, std::string_view name) {
  std::string text = fields.text(name, 4095);
  if (text.find_first_of(":\n") != std::string::npos) fields.wrong(name, "a text without ':' and newline");
  return text;
}

StageAccounts readStageAccounts(Fields& fields, Report& report) {
  StageAccounts out;
  out.rootfs = fields.sessionPath("rootfs");
  if (const Value& passwd = fields.member("passwd"); !passwd.isNull()) {
    Fields inner(passwd, fields.place("passwd"), report);
    StagedPasswd staged;
    staged.to = inner.sessionPath("to");
    Fields user(inner.member("user"), inner.place("user"), report);
    staged.user.name = accountField(user, "name");
    staged.user.uid = static_cast<uint32_t>(user.number("uid", 0, limits::maxId));
    staged.user.gid = static_cast<uint32_t>(user.number("gid", 0, limits::maxId));
    staged.user.gecos = accountField(user, "gecos");
    staged.user.home = accountField(user, "home");
    staged.user.shell = accountField(user, "shell");
    user.end();
    inner.end();
    out.passwd = std::move(staged);
  }
  if (const Value& group = fields.member("group"); !group.isNull()) {
    Fields inner(group, fields.place("group"), report);
    StagedGroup staged;
    staged.to = inner.sessionPath("to");
    staged.userName = accountField(inner, "userName");
    inner.list("groups", 65536, [&](const Value& item, std::string where) {
      Fields line(item, where, report);
      std::string name = accountField(line, "name");
      staged.groups.push_back({std::move(name), static_cast<uint32_t>(line.number("gid", 0, limits::maxId))});
      line.end();
    });
    inner.end();
    out.group = std::move(staged);
  }
  return out;
}

Bind readBind(Fields& fields, Report& report) {
  Bind out;
  out.source = readSource(fields.member("source"), fields.place("source"), report);
  out.target = readPlace(fields.member("target"), fields.place("target"), report);
  out.recursive = fields.boolean("recursive");
  out.flags = readFlags(fields, report);
  out.onFailure = readOnFailure(fields);
  fields.list("unless", 8, [&](const Value& item, std::string where) {
    Fields inner(item, where, report);
    BindUnless unless;
    unless.kind = static_cast<UnlessKind>(inner.choice("kind", {"same_file", "resolves_to", "leads_elsewhere"}));
    if (unless.kind == UnlessKind::resolvesTo) unless.path = inner.absolutePath("path");
    inner.end();
    out.unless.push_back(std::move(unless));
  });
  return out;
}

MountFileSystem readMountFileSystem(Fields& fields, Report& report) {
  static constexpr std::string_view names[] = {"proc", "sysfs", "tmpfs", "devpts", "mqueue"};
  MountFileSystem out;
  out.fileSystem = names[fields.choice("fileSystem", {names[0], names[1], names[2], names[3], names[4]})];
  out.target = readPlace(fields.member("target"), fields.place("target"), report);
  out.flags = readFlags(fields, report);
  out.mode = static_cast<uint32_t>(fields.number("mode", 0, maxMode));
  if (const auto limit = fields.optionalNumber("sizeLimit", 1, limits::maxSize)) out.sizeLimit = static_cast<uint64_t>(*limit);
  if (const auto group = fields.optionalNumber("ttyGroup", 0, limits::maxId)) out.ttyGroup = static_cast<uint32_t>(*group);
  out.onFailure = readOnFailure(fields);
  return out;
}

}  // namespace

std::optional<Step> readStep(const Value& value, const std::string& where, Report& report) {
  Fields fields(value, where, report);
  const std::string kind = kindOf(value);
  fields.member("kind");
  Step step;
  if (kind == "make_directory") {
    std::string path = fields.sessionPath("path");
    step = MakeDirectory{std::move(path), static_cast<uint32_t>(fields.number("mode", 0, maxMode))};
  } else if (kind == "write_file") {
    WriteFile write;
    write.path = fields.sessionPath("path");
    write.content = fields.text("content", limits::contentBytes);
    write.mode = static_cast<uint32_t>(fields.number("mode", 0, maxMode));
    step = std::move(write);
  } else if (kind == "make_link") {
    std::string path = fields.sessionPath("path");
    step = MakeLink{std::move(path), fields.text("target", limits::pathBytes)};
  } else if (kind == "mount_image") {
    step = readMountImage(fields, report);
  } else if (kind == "prepare_targets") {
    step = readPrepareTargets(fields, report);
  } else if (kind == "mount_overlay") {
    step = readMountOverlay(fields, report);
  } else if (kind == "stage_accounts") {
    step = readStageAccounts(fields, report);
  } else if (kind == "bind") {
    step = readBind(fields, report);
  } else if (kind == "mount_file_system") {
    step = readMountFileSystem(fields, report);
  } else if (kind == "prepare_layer") {
    step = readPrepareLayer(fields);
  } else if (kind == "mount_underlay") {
    step = readMountUnderlay(fields);
  } else {
    fields.wrong("kind", "a known kind of step");
    return std::nullopt;
  }
  fields.end();
  return step;
}

std::string_view stepKind(const Step& step) {
  static constexpr std::string_view kinds[] = {"make_directory", "write_file",     "make_link", "mount_image",      "prepare_targets",
                                               "mount_overlay",  "stage_accounts", "bind",      "mount_file_system", "prepare_layer",
                                               "mount_underlay"};
  return kinds[step.index()];
}

}  // namespace sing::plan
