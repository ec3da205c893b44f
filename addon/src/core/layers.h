// Layers of an overlay that come from images and directories, and file systems that programs of the distribution serve.
#pragma once

#include "launch.h"

namespace sing {

/// prepare_layer.
Status prepareLayer(StepContext& context, const plan::PrepareLayer& step);

/// Whether the file system of the upper directory can be one at all: some would lose data without a word.
Status checkLayers(int session, const plan::MountOverlay& step);

/// What a file system with this magic number is called, when the kernel's overlay cannot even read it; else null.
const char* unfitFileSystem(uint32_t magic);

/// The same of the file system of an open directory.
const char* unfitAsLayer(int directory);

/// The fault of an overlay that the kernel refused, with what it did not say.
Fault explainOverlay(int session, const plan::MountOverlay& step, Fault fault);

/// mount_image by the program of the step, which serves an ext3.
Status mountByExtServer(StepContext& context, size_t index, const plan::MountImage& step, bool allowOther);

/// mount_overlay by the program of the step.
Status mountOverlayByProgram(StepContext& context, size_t index, const plan::MountOverlay& step);

}  // namespace sing
